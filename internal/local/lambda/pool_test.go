package lambda

import (
	"context"
	"errors"
	"io"
	"log"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/google/go-cmp/cmp"
)

// TestScheduleHasOneInvocationAtATime: of what comes due while one goes on the last
// waits.
func TestScheduleHasOneInvocationAtATime(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p := NewPool(emulator.Control{}, "", nil, log.New(io.Discard, "", 0))
	f := &Function{events: make(chan *event), ctx: ctx, environments: maxEnvironments} // none is started
	p.running["function"] = f
	var got []string
	begun, goOn := make(chan struct{}, 10), make(chan struct{})
	go func() {
		for {
			select {
			case e := <-f.events:
				got = append(got, string(e.payload))
				begun <- struct{}{}
				<-goOn
				e.result <- result{}
			case <-ctx.Done():
				return
			}
		}
	}()
	began := time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	at := func(minutes float64) {
		now := began.Add(time.Duration(minutes * float64(time.Minute)))
		p.Schedule(ctx, now, []emulator.Schedule{
			{ARN: "schedule", Every: 60, Target: "function", Input: scheduledTime},
		})
		p.Deliver(ctx, now)
	}
	at(0)
	at(1.5)
	<-begun
	at(2.5)
	at(3.5)
	close(goOn)
	p.invoked.Wait()
	at(3.9)
	at(3.9) // is not due before the fourth minute
	p.invoked.Wait()
	if want := []string{"2026-01-02T15:01:00Z", "2026-01-02T15:03:00Z"}; !slices.Equal(got, want) {
		t.Errorf("it was invoked for %q, want %q", got, want)
	}
}

// TestThrottledEventsWaitLongerEachTime (rule R35): an event that comes while the one that
// the function may handle goes on is tried again after 1, 2, 4 s and so on, 5 minutes at
// most, though the function was free in between and took a later one, and is gone after
// six hours.
func TestThrottledEventsWaitLongerEachTime(t *testing.T) {
	synctest.Test(t, throttledEventsWaitLongerEachTime)
}

func throttledEventsWaitLongerEachTime(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p := NewPool(emulator.Control{}, "", nil, log.New(io.Discard, "", 0))
	f := &Function{Function: emulator.Function{Concurrency: 1, MaxEventAge: 6 * 3600}, events: make(chan *event), ctx: ctx, environments: maxEnvironments} // none is started
	p.running["function"] = f
	began := time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	send := func(after time.Duration, payload string) {
		p.Handle(ctx, began.Add(after), []emulator.Invocation{{ID: payload, Function: "function", Payload: payload}})
	}
	// taken is when each event is taken, as far as all seconds until then show; the
	// function is busy for the others.
	taken := map[string]time.Duration{}
	now := time.Duration(0)
	until := func(end time.Duration, busy func(time.Duration) bool) {
		t.Helper()
		for ; now <= end; now += time.Second {
			if busy(now) {
				f.handling = 1
				p.Deliver(ctx, began.Add(now))
				continue
			}
			f.handling = 0
			p.Deliver(ctx, began.Add(now))
			synctest.Wait()
			select {
			case e := <-f.events:
				taken[string(e.payload)] = now
				e.result <- result{}
				p.invoked.Wait()
			default:
			}
		}
	}
	send(0, "first")
	until(39*time.Second, func(d time.Duration) bool { return d < 35*time.Second })
	send(39*time.Second, "second")
	until(100*time.Second, func(d time.Duration) bool { return d < 39*time.Second })
	if taken["first"] != 63*time.Second || taken["second"] != 40*time.Second {
		t.Errorf("they were taken after %v, want 1+2+4+8+16+32 s and, on coming, 40 s", taken)
	}
	send(100*time.Second, "third")
	until(6*time.Hour, func(time.Duration) bool { return true })
	if len(p.queued) != 1 {
		t.Errorf("%d events are kept before six hours, want the third", len(p.queued))
	}
	until(6*time.Hour+10*time.Minute, func(time.Duration) bool { return true })
	if len(p.queued) != 0 {
		t.Error("it is kept for longer than six hours")
	}
}

// TestFailedEventsAreTriedAgain (rule R37) after a minute and another two, a schedule's too,
// as often as the function's configuration says, and while they are not older than that says.
func TestFailedEventsAreTriedAgain(t *testing.T) {
	for name, test := range map[string]struct {
		age, attempts int
		want          []time.Duration
	}{
		"default": {6 * 3600, 2, []time.Duration{0, time.Minute, 3 * time.Minute}},
		"once":    {6 * 3600, 1, []time.Duration{0, time.Minute}},
		"never":   {6 * 3600, 0, []time.Duration{0}},
		"young":   {100, 2, []time.Duration{0, time.Minute}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				p := NewPool(emulator.Control{}, "", nil, log.New(io.Discard, "", 0))
				f := &Function{Function: emulator.Function{MaxEventAge: test.age, RetryAttempts: test.attempts}, events: make(chan *event), ctx: ctx, environments: maxEnvironments}
				p.running["function"] = f
				began := time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
				p.Handle(ctx, began, []emulator.Invocation{{Function: "function", Payload: "asked"}})
				p.Schedule(ctx, began.Add(-time.Hour), []emulator.Schedule{{ARN: "schedule", Every: 3600, Target: "function", Input: "scheduled"}})
				p.Schedule(ctx, began, []emulator.Schedule{{ARN: "schedule", Every: 3600, Target: "function", Input: "scheduled"}})
				got := map[string][]time.Duration{}
				for now := time.Duration(0); now < 10*time.Minute; now += time.Second {
					p.Deliver(ctx, began.Add(now))
					for waiting := true; waiting; {
						synctest.Wait() // for all that are delivered
						select {
						case e := <-f.events:
							got[string(e.payload)] = append(got[string(e.payload)], now)
							e.result <- result{err: errors.New("it fails")}
						default:
							waiting = false
						}
					}
				}
				for _, event := range []string{"asked", "scheduled"} {
					// A retry is due from the look after the failure on.
					if diff := cmp.Diff(test.want, got[event], cmp.Comparer(func(a, b time.Duration) bool { return (a - b).Abs() <= 2*time.Second })); diff != "" {
						t.Errorf("%s: %s", event, diff)
					}
				}
			})
		})
	}
}
