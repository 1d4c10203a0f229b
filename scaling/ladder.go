// Package scaling decides which instance type a fleet should have: bigger when
// more instances no longer help, smaller when the fewest are still too many. Its
// decisions are pure functions of what was observed, so that the controller, the
// tests and the simulator share them.
package scaling

import (
	"errors"
	"fmt"
	"slices"

	"github.com/agnivade/levenshtein"
)

// Rung is an instance type as a step of a Ladder.
type Rung struct {
	// Type is its name, such as "m7g.large".
	Type string
	// Architecture is "arm64" or "x86_64", as EC2 spells it.
	Architecture string
	// VCPU is how many virtual CPUs it has.
	VCPU int
	// MemoryGiB is its memory.
	MemoryGiB float64
	// Baseline is how much of its CPU it may use for ever, in percent: 100 but for
	// a burstable type, which pays for more.
	Baseline float64
}

// Capacity is how many vCPUs' worth of work it can do for ever.
func (r Rung) Capacity() float64 { return float64(r.VCPU) * r.Baseline / 100 }

// Burstable reports whether it runs on CPU credits.
func (r Rung) Burstable() bool { return r.Baseline < 100 }

// Ladder are the instance types that a fleet may have, the smallest first.
type Ladder []Rung

// NewLadder returns the ladder of these instance types. The error joins
// everything that is wrong with it: no type at all, types that the table does
// not know, more than one architecture, a type that is listed twice, and one
// that is no bigger than the one before.
func NewLadder(names []string) (Ladder, error) {
	if len(names) == 0 {
		return nil, errors.New(`want at least one instance type, such as ["m7g.medium", "m7g.large"], got none`)
	}
	known := types()
	var ladder Ladder
	var errs []error
	for i, t := range names {
		at := slices.IndexFunc(known, func(r Rung) bool { return r.Type == t })
		if at < 0 {
			errs = append(errs, fmt.Errorf("[%d]: want an instance type whose size is known%s, got %q; make types adds those that EC2 has since", i, nearest(t, known), t))
			continue
		}
		rung := known[at]
		if len(ladder) > 0 {
			first, before := ladder[0], ladder[len(ladder)-1]
			switch {
			case slices.ContainsFunc(ladder, func(r Rung) bool { return r.Type == t }):
				errs = append(errs, fmt.Errorf("[%d]: want each instance type once, got %s again", i, t))
				continue
			case rung.Architecture != first.Architecture:
				errs = append(errs, fmt.Errorf("[%d]: want one architecture, got %s (%s) after %s (%s)",
					i, t, rung.Architecture, first.Type, first.Architecture))
			case rung.Capacity() <= before.Capacity() || rung.MemoryGiB < before.MemoryGiB:
				errs = append(errs, fmt.Errorf("[%d]: want the smallest first, each with more CPU and no less memory, got %s after %s",
					i, rung.describe(), before.describe()))
			}
		}
		ladder = append(ladder, rung)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return ladder, nil
}

// Find returns the place of an instance type on the ladder, or -1.
func (l Ladder) Find(instanceType string) int {
	return slices.IndexFunc(l, func(r Rung) bool { return r.Type == instanceType })
}

// RequestsPerTarget is the target that requests for each instance of rung `to`
// are held to, where it is perTarget for rung `of`: in proportion to their CPU,
// and at least 1. 0, which leaves scaling to the CPU, stays 0.
func RequestsPerTarget(perTarget int, of, to Rung) int {
	if perTarget == 0 {
		return 0
	}
	return max(1, int(float64(perTarget)*to.Capacity()/of.Capacity()))
}

func (r Rung) describe() string {
	size := fmt.Sprintf("%d vCPU", r.VCPU)
	if r.Burstable() {
		size += fmt.Sprintf(" at %g %%", r.Baseline)
	}
	return fmt.Sprintf("%s (%s, %g GiB)", r.Type, size, r.MemoryGiB)
}

// nearest suggests a type that was meant, if one is near.
func nearest(got string, known []Rung) string {
	best := slices.MinFunc(known, func(a, b Rung) int {
		return levenshtein.ComputeDistance(got, a.Type) - levenshtein.ComputeDistance(got, b.Type)
	})
	if levenshtein.ComputeDistance(got, best.Type) <= 2 {
		return fmt.Sprintf(" (did you mean %q?)", best.Type)
	}
	return ""
}
