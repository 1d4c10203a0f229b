package main

import (
	"errors"
	"fmt"
	"time"
)

// measurement is what the service made of a rate of requests.
type measurement struct {
	// Offered and Answered are requests a second: what was sent at a steady rate,
	// whatever the answers, and what came back in time and sound.
	Offered, Answered float64
	// P99 is the time within which 99 % were answered.
	P99 time.Duration
	// CPU is the service's use of the CPUs that it had, in percent.
	CPU float64
}

const (
	// follows is the share of what is offered that has to be answered: below it
	// the service does not follow any more.
	follows = 0.98
	// safeShare is the share of the knee that an instance is given. The load may
	// then grow by two thirds within the six minutes or so that it takes until
	// more instances help: three until the alarm goes off, one for metrics to arrive,
	// two to boot.
	safeShare = 0.6
)

// keeps reports whether the service follows what is offered within the goal.
func (m measurement) keeps(goal time.Duration) bool {
	return m.Answered >= follows*m.Offered && m.P99 <= goal
}

// why is what it does not keep.
func (m measurement) why(goal time.Duration) string {
	if m.P99 > goal {
		return fmt.Sprintf("99 %% were answered within %s, more than %s", m.P99.Round(time.Millisecond), goal)
	}
	return fmt.Sprintf("%.0f of %.0f requests a second were answered", m.Answered, m.Offered)
}

// advice is what to write into the configuration.
type advice struct {
	// Knee is the highest rate that was kept, Beyond the next one, which was not.
	Knee, Beyond measurement
	// RequestsPerTarget are requests a minute, CPUTarget is percent.
	RequestsPerTarget, CPUTarget int
	// CPUPerRequest is how long a request takes of a CPU at the knee.
	CPUPerRequest time.Duration
}

// idleKnee is the CPU use, in percent, below which a knee is not the CPU's.
const idleKnee = 60

// doubtful reports whether something other than the service's CPU ended it.
func (a advice) doubtful() bool { return a.Knee.CPU < idleKnee }

// advise finds the knee in measurements of rising rates: the last rate before the
// first that is not kept. It is an error if the first is not kept already, or
// if all are.
func advise(measurements []measurement, goal time.Duration, cpus int) (advice, error) {
	if len(measurements) == 0 {
		return advice{}, errors.New("nothing was measured")
	}
	for i, m := range measurements {
		if m.keeps(goal) {
			continue
		}
		if i == 0 {
			return advice{}, fmt.Errorf("the service does not keep the lowest rate, %.0f requests a second: %s; give it a higher -goal", m.Offered, m.why(goal))
		}
		knee := measurements[i-1]
		return advice{
			Knee: knee, Beyond: m,
			RequestsPerTarget: int(60 * safeShare * knee.Offered),
			CPUTarget:         min(90, max(10, int(use(measurements[:i], safeShare*knee.Offered)))),
			CPUPerRequest:     time.Duration(knee.CPU / 100 * float64(cpus) / knee.Answered * float64(time.Second)),
		}, nil
	}
	return advice{}, fmt.Errorf("the service keeps every rate up to %.0f requests a second: the knee is beyond, give a higher -max", measurements[len(measurements)-1].Offered)
}

// use is the CPU use at a rate, between the two measurements around it.
func use(measurements []measurement, rate float64) float64 {
	var before measurement // nothing offered takes nothing
	for _, m := range measurements {
		if m.Offered >= rate {
			return before.CPU + (m.CPU-before.CPU)*(rate-before.Offered)/(m.Offered-before.Offered)
		}
		before = m
	}
	return before.CPU
}

// search measures rising rates until one is not kept, in steps of a half at
// first, then finely between the last two. What else the machine does only ever
// makes it slower, so a rate that is not kept is tried up to three times. The
// result is in order.
func search(from, most float64, goal time.Duration, measureOnce func(rate float64) (measurement, error)) ([]measurement, error) {
	measure := func(rate float64) (measurement, error) {
		m, err := measureOnce(rate)
		for try := 1; try < attempts && err == nil && !m.keeps(goal); try++ {
			m, err = measureOnce(rate)
		}
		return m, err
	}
	var kept []measurement
	for rate := from; ; rate = min(most, 1.5*rate) {
		m, err := measure(rate)
		if err != nil {
			return nil, err
		}
		if m.keeps(goal) && rate < most {
			kept = append(kept, m)
			continue
		}
		if len(kept) == 0 || m.keeps(goal) {
			return append(kept, m), nil
		}
		low := kept[len(kept)-1].Offered
		for i := 1; i < fineSteps; i++ {
			fine, err := measure(low + (rate-low)*float64(i)/fineSteps)
			if err != nil {
				return nil, err
			}
			kept = append(kept, fine)
			if !fine.keeps(goal) {
				return kept, nil
			}
		}
		return append(kept, m), nil
	}
}

const (
	// fineSteps are the steps from the last rate that was kept to the first that
	// was not.
	fineSteps = 8
	// attempts are made at a rate before it counts as not kept.
	attempts = 3
)
