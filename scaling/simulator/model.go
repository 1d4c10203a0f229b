// Package simulator plays a load against a fleet, minute by minute: instances
// that boot, target tracking that changes their number, and the decisions of
// package scaling about their type, as they are taken on AWS. It shows what that
// costs and how long users wait.
package simulator

import "time"

// Model is what the simulator takes for granted about a service and about AWS. A
// zero field means its default.
type Model struct {
	// CPUPerRequest is how long a request keeps one vCPU busy, on average.
	// Default: 5 ms; `make calibrate` measures it.
	CPUPerRequest time.Duration
	// Goal is within what 99 % of a minute's requests should be answered.
	// Default: 100 ms.
	Goal time.Duration
	// Boot is the time from the launch of an instance until the load balancer
	// sends it requests. Default: 2 minutes.
	Boot time.Duration
	// WarmUp is for how long after that its CPU says nothing about the fleet's.
	// Default: 1 minute, as constructs/fleet sets it.
	WarmUp time.Duration
	// RefreshWarmUp is the time from a launch until a replacement of all goes on with
	// the next. Default: 5 minutes, one until it runs and four as constructs/fleet has
	// it wait.
	RefreshWarmUp time.Duration
	// Drain is how long an instance that gets no requests any more is paid for.
	// Default: 1 minute; constructs/loadbalancer lets it drain for half of one.
	Drain time.Duration
	// Busiest is how many times the minute's mean the load is in its busiest seconds,
	// which its slowest requests meet. Default: 1.2.
	Busiest float64
	// GiveUp is how long a client waits: what has waited longer is not served any more.
	// Default: 1 minute, the load balancer's idle timeout.
	GiveUp time.Duration
	// MaxHealthy is how many instances a replacement of all may have at once, as
	// a share of the desired number. Default: 1.5, as constructs/fleet sets it.
	MaxHealthy float64
	// Bake is how long a replacement of all waits before it counts as done.
	// Default: 3 minutes, as constructs/fleet sets it.
	Bake time.Duration
	// Replace is the time from an instance's failure to the launch of another.
	// Default: 2 minutes.
	Replace time.Duration
	// Zones are how many zones the fleet is spread over. Default: 3.
	Zones int
	// MemoryMiB is what a service uses that does not leak. Default: 600.
	MemoryMiB float64
	// DecideEvery is how often the controller runs. Default: 1 minute.
	DecideEvery time.Duration
	// MetricDelay is how late a minute's metrics are known. Default: 1 minute.
	MetricDelay time.Duration
	// SurplusUSD is the price of a vCPU-hour that a burstable type uses beyond
	// its baseline and its credits.
	SurplusUSD float64
}

func (m Model) withDefaults() Model {
	set(&m.CPUPerRequest, 5*time.Millisecond)
	set(&m.Goal, 100*time.Millisecond)
	set(&m.Boot, 2*time.Minute)
	set(&m.WarmUp, time.Minute)
	set(&m.RefreshWarmUp, 5*time.Minute)
	set(&m.Drain, time.Minute)
	set(&m.Busiest, 1.2)
	set(&m.GiveUp, time.Minute)
	set(&m.MaxHealthy, 1.5)
	set(&m.Bake, 3*time.Minute)
	set(&m.Replace, 2*time.Minute)
	set(&m.Zones, 3)
	set(&m.MemoryMiB, 600)
	set(&m.DecideEvery, time.Minute)
	set(&m.MetricDelay, time.Minute)
	return m
}

// Harsh is the same service in a world that is worse to it: metrics are known after
// two minutes and instances boot for three, or for what they do if that is longer, and
// the busiest seconds have 1.2 times the mean at least.
func (m Model) Harsh() Model {
	m = m.withDefaults()
	m.MetricDelay = max(m.MetricDelay, 2*time.Minute)
	m.Boot = max(m.Boot, 3*time.Minute)
	m.Busiest = max(m.Busiest, 1.2)
	return m
}

// harsher is Harsh, or worse than a world that is that already in what is believed: how
// long instances boot is measured.
func (m Model) harsher() Model {
	m = m.withDefaults()
	h := m.Harsh()
	if h.MetricDelay == m.MetricDelay && h.Busiest == m.Busiest {
		h.Boot = m.Boot
		h.MetricDelay += time.Minute
		h.Boot += time.Minute
		h.Busiest += 0.2
	}
	return h
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

const (
	// outOfMemory is the share of its memory at which a service is killed and
	// started again, for a minute.
	outOfMemory = 0.95
	// creditHours is how many hours' worth of credits a burstable type may save,
	// or owe, before it pays. Source: EC2 User Guide, "Unlimited mode for
	// burstable performance instances".
	creditHours = 24
)

// minutes is d in whole minutes.
func minutes(d time.Duration) int { return int(d.Minutes()) }
