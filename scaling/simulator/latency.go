package simulator

import (
	"math"
	"time"
)

// queue tells how long requests take on one instance: an M/M/c queue, with a
// server for each vCPU, which requests reach at random and leave after a time
// that is distributed exponentially. Real requests vary less, real arrivals
// more; how fast the wait grows near the limit is what counts here.
type queue struct {
	servers int
	service float64 // seconds, on average
	// p99 is the time within which 99 % are answered, in seconds, by use in
	// steps of 1/steps, or 0 before it is asked for: it is solved for by bisection.
	p99 [steps]float64
}

const steps = 400

func newQueue(vcpu int, service time.Duration) *queue {
	return &queue{servers: vcpu, service: service.Seconds()}
}

// at is the time within which 99 % are answered at a use, a share of 1, and
// infinite where there is more work than CPU.
func (q *queue) at(use float64) float64 {
	if use >= 1 {
		return math.Inf(1)
	}
	i := int(use * steps)
	if q.p99[i] == 0 {
		q.p99[i] = q.solve(float64(i) / steps)
	}
	return q.p99[i]
}

func (q *queue) solve(use float64) float64 {
	low, high := 0.0, q.service
	for q.tail(use, high) > 0.01 {
		high *= 2
	}
	for range 60 {
		middle := (low + high) / 2
		if q.tail(use, middle) > 0.01 {
			low = middle
		} else {
			high = middle
		}
	}
	return high
}

// tail is the share of requests that take longer than t seconds: the sum of a
// service time and, for those who wait, a waiting time, both exponential.
func (q *queue) tail(use, t float64) float64 {
	mu := 1 / q.service
	theta := float64(q.servers) * mu * (1 - use)
	wait := q.waits(use)
	served := math.Exp(-mu * t)
	if math.Abs(theta-mu) < 1e-9*mu {
		return served + wait*mu*t*served
	}
	return (1-wait)*served + wait*(theta*served-mu*math.Exp(-theta*t))/(theta-mu)
}

// waits is the share of requests that find all servers busy: Erlang's C, by way
// of the recursion for Erlang's B.
func (q *queue) waits(use float64) float64 {
	offered := use * float64(q.servers)
	b := 1.0
	for n := 1; n <= q.servers; n++ {
		b = offered * b / (float64(n) + offered*b)
	}
	return b / (1 - use*(1-b))
}
