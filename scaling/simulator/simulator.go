package simulator

import (
	"math"
	"time"

	"github.com/archipelago-cdk/archipelago/scaling"
	"github.com/archipelago-cdk/archipelago/scaling/trace"
)

// Fleet is what is tried against a load.
type Fleet struct {
	// Ladder are its types, with USDPerHour the price of each. Required.
	Ladder     scaling.Ladder
	USDPerHour []float64
	// Start is the rung that it begins with.
	Start int
	// Min and Max are its bounds. Required.
	Min, Max int
	// RequestsPerTarget are requests a minute for each instance of rung Start; it
	// changes with the rung. Default: 0, the CPU alone decides.
	RequestsPerTarget int
	// Policy decides about its type, and has the CPU target. Mode "off" keeps the
	// type that it begins with.
	Policy scaling.Policy
	// Agent reports whether memory is known.
	Agent bool
}

// Minute is what happened in one minute.
type Minute struct {
	// Load is requests a second.
	Load float64
	// Capacity is the vCPUs in service, in requests a second.
	Capacity float64
	// Count is the instances in service, Running all that are paid for.
	Count, Running int
	// Rung is the place on the ladder of the type that the fleet should have.
	Rung int
	// CPU is the average use in percent, Memory too.
	CPU, Memory float64
	// P99 is the time within which 99 % of requests are answered, in seconds;
	// infinite if the load is more than the fleet can do.
	P99 float64
	// Over reports whether P99 was over the goal, or that requests failed.
	Over bool
	// USDPerHour is what is paid for.
	USDPerHour float64
	// Refreshing reports whether all instances are being replaced.
	Refreshing bool
}

// Step is a change of all instances.
type Step struct {
	// Minute is when it began, and Ended when the last instance was replaced.
	Minute, Ended int
	Action        scaling.Action
}

// Result is what a fleet made of a load.
type Result struct {
	Minutes []Minute
	Steps   []Step
	// USD is what its instances cost.
	USD float64
	// Over is how many minutes were over the goal.
	Over int
}

// Run plays a load against a fleet, with a step of one minute. The zero Model has
// all defaults.
func Run(t trace.Trace, f Fleet, m Model) Result {
	s := newSimulation(t, f, m.withDefaults())
	for minute := range t.Requests {
		s.minute(minute)
	}
	return s.result
}

type simulation struct {
	trace  trace.Trace
	fleet  Fleet
	model  Model
	queues []*queue // by rung
	// offered: the simulated zones have every type.
	offered map[string]bool
	result  Result
	policy  scaling.Policy

	rung      int // of the parameter
	desired   int
	instances []instance
	refresh   *refresh
	lastStep  time.Time
	lostZone  bool
	leak      float64 // MiB a minute
	events    []trace.Event
	failed    bool // requests failed in this minute

	cpu, requests tracking
	observed      history
}

func newSimulation(t trace.Trace, f Fleet, m Model) *simulation {
	s := &simulation{
		trace: t, fleet: f, model: m, policy: f.Policy.WithDefaults(),
		rung: f.Start, desired: f.Min, events: t.Events,
		offered: map[string]bool{}, result: Result{Minutes: make([]Minute, 0, len(t.Requests))},
	}
	s.observed = newHistory(s.policy.LeakWindow + time.Hour)
	for _, rung := range f.Ladder {
		s.queues = append(s.queues, newQueue(rung.VCPU, m.CPUPerRequest))
		s.offered[rung.Type] = true
	}
	for range s.desired {
		i := s.launch(f.Start, 0)
		i.service = 0
		i.warm = 0
	}
	return s
}

// minute plays one minute: what happens to instances, what users get of them,
// and what is decided by what was seen up to the minute before.
func (s *simulation) minute(now int) {
	s.failed = false
	s.happen(now)
	s.replaceFailed(now)
	if s.refresh != nil {
		s.advance(now)
	}
	s.serve(now)
	s.track(now)
	if s.policy.Mode == scaling.Auto && now%minutes(s.model.DecideEvery) == 0 {
		s.decide(now)
	}
}

// serve spreads the load over the instances so that all are equally busy, as the
// least outstanding requests do, and keeps what comes of it.
func (s *simulation) serve(now int) {
	load := s.trace.Requests[now]
	work := load * s.model.CPUPerRequest.Seconds() // vCPUs
	got := Minute{Load: load, Rung: s.rung, Running: len(s.instances), Refreshing: s.refresh != nil}
	vcpu, smallest := 0, len(s.fleet.Ladder)
	for i := range s.instances {
		one := &s.instances[i]
		got.USDPerHour += s.fleet.USDPerHour[one.rung]
		if one.inService(now) {
			vcpu += s.fleet.Ladder[one.rung].VCPU
			got.Count++
			smallest = min(smallest, one.rung)
		}
	}
	got.Capacity = float64(vcpu) / s.model.CPUPerRequest.Seconds()
	use := math.Inf(1)
	if vcpu > 0 {
		use = work / float64(vcpu)
		got.P99 = s.queues[smallest].at(use)
	} else {
		got.P99 = math.Inf(1)
	}
	got.CPU = 100 * min(1, use)
	s.age(now, &got)
	got.Over = s.failed || got.P99 > s.model.Goal.Seconds()
	s.result.USD += got.USDPerHour / 60
	if got.Over {
		s.result.Over++
	}
	s.result.Minutes = append(s.result.Minutes, got)
	s.observed.add(s.at(now), got)
}

// age lets memory leak and credits be spent by those in service.
func (s *simulation) age(now int, got *Minute) {
	memory, warm := 0.0, 0
	for i := range s.instances {
		one := &s.instances[i]
		rung := s.fleet.Ladder[one.rung]
		if one.inService(now) {
			one.memory += s.leak
			memory += one.memory / (1024 * rung.MemoryGiB)
			warm++
			if one.memory > outOfMemory*1024*rung.MemoryGiB {
				// The unit's memory limit kills the service, and starts it again.
				one.memory, one.service = s.model.MemoryMiB, now+2
				s.failed = true
			}
		}
		if rung.Burstable() {
			got.USDPerHour += s.model.SurplusUSD * one.spend(rung, got.CPU/100, one.inService(now))
		}
	}
	if warm > 0 {
		got.Memory = 100 * memory / float64(warm)
	}
}

// tracked is a metric that is held to a target.
type tracked struct {
	*tracking
	metric, target float64
}

// track changes the desired number by the metrics of the minutes before.
func (s *simulation) track(now int) {
	seen := now - minutes(s.model.MetricDelay)
	if seen < 0 {
		return
	}
	warm := 0
	for i := range s.instances {
		if one := &s.instances[i]; one.inService(now) && one.warm <= now {
			warm++
		}
	}
	warm = min(warm, s.desired) // a refresh has more for a while
	metrics := s.result.Minutes[seen]
	targets := []tracked{{&s.cpu, metrics.CPU, s.policy.CPUTarget}}
	if s.fleet.RequestsPerTarget > 0 && metrics.Count > 0 {
		target := scaling.RequestsPerTarget(s.fleet.RequestsPerTarget, s.fleet.Ladder[s.fleet.Start], s.fleet.Ladder[s.rung])
		targets = append(targets, tracked{&s.requests, 60 * metrics.Load / float64(metrics.Count), float64(target)})
	}
	in, most := true, s.fleet.Min
	for _, t := range targets {
		t.observe(t.metric, t.target)
		want := wanted(warm, t.metric, t.target)
		if t.out() && want > s.desired {
			s.desired = min(s.fleet.Max, want)
		}
		in, most = in && t.in(), max(most, want)
	}
	if in && most < s.desired {
		s.desired = most
	}
	s.resize(now)
}

// at is the time of a minute.
func (s *simulation) at(minute int) time.Time {
	return s.trace.Start.Add(time.Duration(minute) * time.Minute)
}
