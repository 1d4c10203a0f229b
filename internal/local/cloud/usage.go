package cloud

import (
	"context"
	"maps"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/balancer"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
)

// usage is what was seen of machines and balancers since the last report.
type usage struct {
	began       time.Time
	busy, looks map[string]float64          // by instance: the sum of its shares, and of how many looks
	used        map[string]time.Duration    // by instance: its CPU time when the minute began
	share       map[string]float64          // by instance: of its CPUs, by its CPU time
	answers     map[string]balancer.Answers // by target group, since its balancer was made
}

// measure looks at machines all the time, and reports once in each minute of the
// emulator's clock what they and the balancers did.
func (f *fleet) measure(ctx context.Context) {
	look := time.NewTicker(pollEvery)
	minute := f.minute()
	seen := f.beginMinute()
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
			next := f.beginMinute()
			if err := f.control.Use(ctx, seen.report(next.answers, f.scale())); err != nil && ctx.Err() == nil {
				f.log.Print(err)
			}
			seen = next
		}
	}
}

// scale is how many times an instance's CPU counts.
func (f *fleet) scale() float64 {
	if f.cpuScale == nil {
		return 1
	}
	return f.cpuScale()
}

func (f *fleet) beginMinute() usage {
	u := usage{
		began: time.Now(), busy: map[string]float64{}, looks: map[string]float64{},
		used: map[string]time.Duration{}, share: map[string]float64{}, answers: f.answers(),
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, machine := range f.machines {
		if used, err := machine.CPUTime(); err == nil {
			u.used[id] = used
		}
	}
	return u
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
		before, ok := seen.used[id]
		if used, err := machine.CPUTime(); ok && err == nil {
			cpus := time.Since(seen.began).Seconds() * float64(machine.VCPU())
			seen.share[id] = (used - before).Seconds() / cpus
		}
	}
}

func (f *fleet) answers() map[string]balancer.Answers {
	f.mu.Lock()
	defer f.mu.Unlock()
	answers := map[string]balancer.Answers{}
	for _, b := range f.balancers {
		maps.Copy(answers, b.Answers())
	}
	return answers
}

// report is what an emulator is told. Looks see threads that wait for a CPU, and
// miss what is short; an instance's CPU time is the other way round, so the larger
// one counts, scale times.
func (u usage) report(answers map[string]balancer.Answers, scale float64) emulator.Usage {
	r := emulator.Usage{
		CPU: map[string]float64{}, Requests: map[string]int{},
		Failed: map[string]int{}, Refused: map[string]map[int]int{}, Times: map[string]map[int]int{},
	}
	for id, looks := range u.looks {
		r.CPU[id] = 100 * min(1, scale*max(u.share[id], u.busy[id]/looks))
	}
	for arn, a := range answers {
		of := a.Minus(u.answers[arn])
		r.Requests[arn], r.Failed[arn], r.Refused[arn], r.Times[arn] = of.Requests, of.Failed, of.Refused, of.Times
	}
	return r
}
