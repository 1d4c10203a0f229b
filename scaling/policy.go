package scaling

import (
	"errors"
	"fmt"
	"time"
)

// Mode is what is done about a decision.
type Mode string

const (
	// Off decides nothing.
	Off Mode = "off"
	// Advise says what Auto would do.
	Advise Mode = "advise"
	// Auto lets the fleet change its instance type by itself.
	Auto Mode = "auto"
)

// Policy is how eager a fleet is to change its instance type. A zero field means
// its default.
type Policy struct {
	// Mode is "off", "advise" or "auto". Default: "off".
	Mode Mode
	// CPUTarget is the CPU use, in percent, that the number of instances is held
	// to. Default: 55.
	CPUTarget float64
	// FullShare is the share of the maximum count from which on the fleet counts
	// as full: a step takes so long that waiting for all would be late. Default: 0.8.
	FullShare float64
	// CoolShare is the share that the load may have, for the fleet to step down, of
	// what one rung lower bears until it is full and at CPUTarget; below 1, or it
	// would oscillate. Default: 0.8.
	CoolShare float64
	// MaxCPUAfterDown is the CPU use, in percent, that as many instances of one rung lower
	// may have for the fleet to step down: more of them come only when they are
	// there and hot. Default: 60, of which the busiest seconds make 72.
	MaxCPUAfterDown float64
	// UpAfter is how long the fleet has to be full, with its CPU at CPUTarget or
	// above. Default: 10 minutes.
	UpAfter time.Duration
	// SurgeShare is the share of what the most instances of a rung can do from which on
	// the load asks for a larger one at once; SurgeAfter is for how long. Defaults:
	// 0.65, 2 minutes.
	SurgeShare float64
	SurgeAfter time.Duration
	// DownAfter is how long it has to be at its minimum and cool. Default: 30 minutes.
	DownAfter time.Duration
	// UpCooldown is the least time from the end of a step to the next one up, at
	// least UpAfter. Default: 15 minutes.
	UpCooldown time.Duration
	// DownCooldown is the least time from the end of a step to the next one down,
	// at least DownAfter. Default: 1 hour.
	DownCooldown time.Duration
	// Backoff is how long a step that failed is not tried again; it doubles with
	// each failure, to a day at most. Default: 1 hour.
	Backoff time.Duration
	// Window is when steps up and down may begin. Default: always.
	Window Window
	// MemoryHigh is the memory use, in percent, that asks for something to be
	// done. Default: 80.
	MemoryHigh float64
	// LeakRise is by how many points memory grows in LeakWindow, while the load
	// does not, for that to be a leak. Default: 5.
	LeakRise float64
	// LeakWindow is how long memory is looked back at, if there has been no step
	// since. Default: 24 hours.
	LeakWindow time.Duration
	// Stale is how old the newest value of a metric may be. Default: 5 minutes.
	Stale time.Duration
}

// DefaultCPUTarget is the CPU use, in percent, that the number of instances is held
// to where nothing else is said.
const DefaultCPUTarget = 55

// WithDefaults returns p with the default for each field that is zero.
func (p Policy) WithDefaults() Policy {
	set(&p.Mode, Off)
	set(&p.CPUTarget, DefaultCPUTarget)
	set(&p.FullShare, 0.8)
	set(&p.CoolShare, 0.8)
	set(&p.MaxCPUAfterDown, 60)
	set(&p.UpAfter, 10*time.Minute)
	set(&p.SurgeShare, 0.65)
	set(&p.SurgeAfter, 2*time.Minute)
	set(&p.DownAfter, 30*time.Minute)
	set(&p.UpCooldown, 15*time.Minute)
	set(&p.DownCooldown, time.Hour)
	set(&p.Backoff, time.Hour)
	set(&p.MemoryHigh, 80)
	set(&p.LeakRise, 5)
	set(&p.LeakWindow, 24*time.Hour)
	set(&p.Stale, 5*time.Minute)
	return p
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate tells everything that keeps the policy from working with a ladder: an
// unknown mode, "auto" with nothing to climb, a burstable type that would have to
// use more CPU than it may use for ever, and shares and times that would let the
// fleet oscillate.
func (p Policy) Validate(l Ladder) error {
	p = p.WithDefaults()
	var errs []error
	if p.Mode != Off && p.Mode != Advise && p.Mode != Auto {
		errs = append(errs, fmt.Errorf(`mode: want "off", "advise" or "auto", got %q`, p.Mode))
	}
	if p.Mode != Off && len(l) < 2 {
		errs = append(errs, fmt.Errorf("ladder: want two rungs at least for %q, got %d", p.Mode, len(l)))
	}
	for i, rung := range l {
		if rung.Burstable() && p.CPUTarget > rung.Baseline {
			errs = append(errs, fmt.Errorf("ladder[%d]: want a CPU target of at most %g %%, which %s may use for ever, got %g %%: it would pay for surplus credits",
				i, rung.Baseline, rung.Type, p.CPUTarget))
		}
	}
	if p.CoolShare <= 0 || p.CoolShare >= 1 {
		errs = append(errs, fmt.Errorf("coolShare: want more than 0 and less than 1, got %g: the fleet would oscillate", p.CoolShare))
	}
	if p.MaxCPUAfterDown <= 0 || p.MaxCPUAfterDown >= 100 {
		errs = append(errs, fmt.Errorf("maxCPUAfterDown: want more than 0 and less than 100 percent, got %g", p.MaxCPUAfterDown))
	}
	if p.FullShare <= 0 || p.FullShare > 1 {
		errs = append(errs, fmt.Errorf("fullShare: want more than 0 and at most 1, got %g", p.FullShare))
	}
	if p.UpCooldown < p.UpAfter {
		errs = append(errs, fmt.Errorf("upCooldown: want at least upAfter, %s, got %s", p.UpAfter, p.UpCooldown))
	}
	if p.DownCooldown < p.DownAfter {
		errs = append(errs, fmt.Errorf("downCooldown: want at least downAfter, %s, got %s", p.DownAfter, p.DownCooldown))
	}
	return errors.Join(errs...)
}
