package cloud

import (
	"context"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
)

// usage is what was seen of machines and balancers since the last report.
type usage struct {
	busy, looks map[string]float64 // by instance: the sum of its shares, and of how many looks
	requests    map[string]int     // by target group, since its balancer was made
}

// measure looks at machines all the time, and reports once in each minute of the
// emulator's clock what they and the balancers did.
func (f *fleet) measure(ctx context.Context) {
	look := time.NewTicker(pollEvery)
	minute := f.minute()
	seen := usage{busy: map[string]float64{}, looks: map[string]float64{}, requests: f.requests()}
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			f.look(seen)
			now := f.minute()
			if now.Equal(minute) {
				continue
			}
			minute = now
			next := usage{busy: map[string]float64{}, looks: map[string]float64{}, requests: f.requests()}
			if err := f.control.Use(ctx, seen.report(next.requests)); err != nil && ctx.Err() == nil {
				f.log.Print(err)
			}
			seen = next
		}
	}
}

// minute is that of the emulator's clock.
func (f *fleet) minute() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.deployed.Clock.Now.Truncate(time.Minute)
}

// look leaves out machines that do not run their service.
func (f *fleet) look(seen usage) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, machine := range f.machines {
		if busy, err := machine.Busy(); err == nil {
			seen.busy[id] += busy
			seen.looks[id]++
		}
	}
}

func (f *fleet) requests() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	requests := map[string]int{}
	for _, b := range f.balancers {
		for arn, n := range b.Requests() {
			requests[arn] = n
		}
	}
	return requests
}

func (u usage) report(requests map[string]int) emulator.Usage {
	r := emulator.Usage{CPU: map[string]float64{}, Requests: map[string]int{}}
	for id, looks := range u.looks {
		r.CPU[id] = 100 * u.busy[id] / looks
	}
	for arn, n := range requests {
		r.Requests[arn] = max(0, n-u.requests[arn])
	}
	return r
}
