// Package balancer plays load balancers and the entry: which targets and
// regions are healthy, and who gets a request.
package balancer

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

// Health is what a load balancer knows of a target.
type Health struct {
	State State
	// same counts the checks in a row that contradict State.
	same int
}

// Next returns the health after one more check. A new target is healthy after
// one that passes; else healthyAfter or unhealthyAfter in a row change it.
// Source: Elastic Load Balancing, "Health checks for Application Load Balancer
// target groups".
func (h Health) Next(passed bool, healthyAfter, unhealthyAfter int) Health {
	if h.State == Initial && passed {
		return Health{State: Healthy}
	}
	if h.State != Initial && passed == (h.State == Healthy) {
		return Health{State: h.State}
	}
	h.same++
	switch {
	case passed && h.same >= healthyAfter:
		return Health{State: Healthy}
	case !passed && h.same >= unhealthyAfter:
		return Health{State: Unhealthy}
	default:
		return h
	}
}
