// Package balancer plays load balancers and the entry: which targets and
// regions are healthy, and who gets a request.
package balancer

import "time"

// State is a target's health.
type State int

const (
	// Initial is a target that has not answered yet.
	Initial State = iota
	// Healthy is a target that gets requests.
	Healthy
	// Unhealthy is a target that gets none while another is healthy.
	Unhealthy
)

func (s State) String() string { return [...]string{"initial", "healthy", "unhealthy"}[s] }

// Checks are how often a target is asked, and how many answers of one kind in a
// row change its health.
type Checks struct {
	Interval                     time.Duration
	HealthyAfter, UnhealthyAfter int
}

// Health is what a load balancer knows of a target.
type Health struct {
	State State
	// same counts the checks in a row that contradict State.
	same int
	// due is when the next check counts.
	due time.Time
}

// Due reports whether to ask the target now: at its intervals, and as often as
// possible while it boots, so that nobody waits for the next interval.
func (h Health) Due(now time.Time) bool {
	return h.State == Initial || !now.Before(h.due)
}

// Next returns the health after a check at now. A new target is healthy after
// one that passes; else HealthyAfter or UnhealthyAfter in a row change it.
// Source: Elastic Load Balancing, "Health checks for Application Load Balancer
// target groups".
func (h Health) Next(passed bool, now time.Time, rules Checks) Health {
	if !passed && now.Before(h.due) {
		return h // one of those between the intervals
	}
	next := Health{State: h.State, due: now.Add(rules.Interval)}
	if passed == (h.State == Healthy) && h.State != Initial {
		return next
	}
	next.same = h.same + 1
	switch {
	case passed && (h.State == Initial || next.same >= rules.HealthyAfter):
		next.State, next.same = Healthy, 0
	case !passed && next.same >= rules.UnhealthyAfter:
		next.State, next.same = Unhealthy, 0
	}
	return next
}
