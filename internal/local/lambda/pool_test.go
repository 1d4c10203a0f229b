package lambda

import (
	"context"
	"io"
	"log"
	"slices"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
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
		p.Schedule(ctx, began.Add(time.Duration(minutes*float64(time.Minute))), []emulator.Schedule{
			{ARN: "schedule", Every: 60, Target: "function", Input: scheduledTime},
		})
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
