package simulator

import (
	"math"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/setting"
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
	// Surge reports whether there are SurgeTimes as many instances at once where their
	// CPU was at SurgeCPU for a minute, whatever target tracking still waits for.
	Surge bool
	// Goal is the percentage of minutes in which 99 % of requests are to be answered in
	// time. With it the fleet plans, and has no lower rung than Start before the first
	// plan. Default: 0, no plan.
	Goal float64
	// PlanEvery is how often, in whole days. Default: each night.
	PlanEvery time.Duration
	// Floor is its lowest rung where there is no goal. Default: the first.
	Floor string
	// Believes is the world that its plans are made for. Default: the one it lives in.
	Believes *Model

	begin *begin
}

// begin is what a fleet begins with.
type begin struct{ rung, count int }

// Minute is what happened in one minute.
type Minute struct {
	// Load is requests a second.
	Load float64
	// Backlog is how many of the minute's requests still waited at its end.
	Backlog float64
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

	warm int // instances whose metrics count
}

// Step is a change of all instances.
type Step struct {
	// Minute is when it began, and Ended when the last instance was replaced.
	Minute, Ended int
	Action        scaling.Action
	// Failed: there was no capacity for it.
	Failed bool
}

// Result is what a fleet made of a load.
type Result struct {
	Minutes []Minute
	Steps   []Step
	// USD is what its instances cost.
	USD float64
	// Over is how many minutes were over the goal.
	Over int
	// Plans are those of each night. Exceeded are the minutes at which more minutes were
	// over than the plan had foreseen.
	Plans    []Plan
	Exceeded []int
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
	types   map[string]int // of the instances, for a decision
	result  Result
	policy  scaling.Policy

	rung      int // of the parameter
	desired   int
	instances []instance
	refresh   *refresh
	lastStep  time.Time
	failure   *scaling.Failure
	floor     string
	reached   int // minute since which the fleet has the plan's floor; -1: not yet
	harshTill int // minute until which plans are made for the harsh world
	lostZone  bool
	exhausted string  // the type that there is no capacity for
	backlog   float64 // vCPU-minutes of requests that wait
	draining  float64 // USD for instances that got their last request
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
		offered: map[string]bool{}, types: map[string]int{}, result: Result{Minutes: make([]Minute, 0, len(t.Requests))},
	}
	set(&s.fleet.PlanEvery, 24*time.Hour)
	s.floor = f.Floor
	if f.Goal > 0 {
		s.floor = f.Ladder[f.Start].Type
	}
	if f.begin != nil {
		s.rung, s.desired = f.begin.rung, f.begin.count
	}
	s.observed = newHistory(s.policy.LeakWindow + time.Hour)
	for _, rung := range f.Ladder {
		s.queues = append(s.queues, newQueue(rung.VCPU, m.CPUPerRequest))
		s.offered[rung.Type] = true
	}
	for range s.desired {
		s.launch(s.rung, 0)
	}
	for i := range s.instances {
		one := &s.instances[i]
		one.service, one.warm, one.ready = 0, 0, 0
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
	if day := 24 * 60; s.fleet.Goal > 0 && now >= day && (now-day)%minutes(s.fleet.PlanEvery) == 0 {
		s.plan(now)
	}
	if s.reached < 0 && s.rung >= s.fleet.Ladder.Find(s.floor) {
		s.reached = now
	}
	if s.policy.Mode == scaling.Auto && now%minutes(s.model.DecideEvery) == 0 {
		s.decide(now)
	}
}

// serve spreads the load over the instances so that all are equally busy, as the
// least outstanding requests do, and keeps what comes of it.
func (s *simulation) serve(now int) {
	load := s.trace.Requests[now]
	work := load*s.model.CPUPerRequest.Seconds() + s.backlog // vCPUs
	got := Minute{Load: load, Rung: s.rung, Running: len(s.instances), Refreshing: s.refresh != nil}
	vcpu, smallest := 0, len(s.fleet.Ladder)
	for i := range s.instances {
		one := &s.instances[i]
		got.USDPerHour += s.fleet.USDPerHour[one.rung]
		if one.inService(now) {
			vcpu += s.fleet.Ladder[one.rung].VCPU
			got.Count++
			smallest = min(smallest, one.rung)
			if one.warm <= now {
				got.warm++
			}
		}
	}
	got.warm = min(got.warm, s.desired) // a refresh has more for a while
	got.USDPerHour += 60 * s.draining
	s.draining = 0
	got.Capacity = float64(vcpu) / s.model.CPUPerRequest.Seconds()
	use := math.Inf(1)
	if vcpu > 0 {
		use = work / float64(vcpu)
		got.P99 = s.queues[smallest].at(use * s.model.Busiest)
	} else {
		got.P99 = math.Inf(1)
	}
	// What cannot be done waits for the next minute, as long as anybody waits for it.
	s.backlog = max(0, min(work-float64(vcpu), float64(vcpu)*s.model.GiveUp.Minutes()))
	got.Backlog = s.backlog * 60 / s.model.CPUPerRequest.Seconds()
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

// track changes the desired number by the metrics of the minutes before: their CPU
// goes with the number of instances that had it, not with that of now.
func (s *simulation) track(now int) {
	seen := now - minutes(s.model.MetricDelay)
	if seen < 0 {
		return
	}
	metrics := &s.result.Minutes[seen]
	targets := []tracked{{&s.cpu, metrics.CPU, s.policy.CPUTarget}}
	if s.fleet.RequestsPerTarget > 0 && metrics.Count > 0 {
		target := scaling.RequestsPerTarget(s.fleet.RequestsPerTarget, s.fleet.Ladder[s.fleet.Start], s.fleet.Ladder[s.rung])
		targets = append(targets, tracked{&s.requests, 60 * metrics.Load / float64(metrics.Count), float64(target)})
	}
	if s.fleet.Surge && metrics.CPU >= setting.SurgeCPU {
		s.desired = max(s.desired, min(s.fleet.Max, setting.SurgeTimes*metrics.warm))
	}
	in, most := true, s.fleet.Min
	for _, t := range targets {
		t.observe(t.metric, t.target)
		want := wanted(metrics.warm, t.metric, t.target)
		if t.out() && want > s.desired {
			s.desired = min(s.fleet.Max, want)
		}
		in, most = in && t.in(), max(most, want)
	}
	if in && most < s.desired {
		s.desired = most
		// The alarm has to see fifteen minutes of what this leaves.
		s.cpu.below, s.requests.below = 0, 0
	}
	s.resize(now)
}

// at is the time of a minute.
func (s *simulation) at(minute int) time.Time {
	return s.trace.Start.Add(time.Duration(minute) * time.Minute)
}
