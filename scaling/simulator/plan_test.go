package simulator_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/scaling/simulator"
)

// bursts is a load that is ten times as high within a minute, once an hour.
func bursts(days int) simulator.History {
	h := simulator.History{Start: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)}
	for m := range days * day {
		load := 60.0
		if m%60 == 30 {
			load = 600
		}
		h.Requests = append(h.Requests, load)
	}
	return h
}

func goalFleet(t *testing.T) simulator.Fleet {
	f := fleet(t)
	f.Goal, f.Surge = 99.9, true
	return f
}

// TestPlanKeepsTheGoalAsCheaplyAsItCan: with an even load on the smallest rung, with
// bursts that are over before an instance boots on the one whose two bear them.
func TestPlanKeepsTheGoalAsCheaplyAsItCan(t *testing.T) {
	even := simulator.History{Start: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), Requests: constant(60, 3*day).Requests}
	p := simulator.NewPlan(even, goalFleet(t), simulator.Model{}, false)
	if p.Floor != "m7g.medium" || p.Misses || p.WorstDay != 0 {
		t.Errorf("even: %s", p)
	}
	p = simulator.NewPlan(bursts(3), goalFleet(t), simulator.Model{}, false)
	if p.Floor != "m7g.xlarge" || p.Misses {
		t.Errorf("bursts: %s", p)
	}
	if got := p.String(); !strings.Contains(got, "the floor is m7g.xlarge: in the last 3 days") || !strings.Contains(got, "m7g.large $") {
		t.Errorf("it says %q", got)
	}
	f := goalFleet(t)
	f.Ladder, f.USDPerHour, f.Start = f.Ladder[:2], f.USDPerHour[:2], 0
	if p = simulator.NewPlan(bursts(3), f, simulator.Model{}, false); p.Floor != "m7g.large" || !p.Misses {
		t.Errorf("no rung bears the bursts: %s", p)
	}
}

// TestNoPlan by a past that says too little, for a goal that nothing keeps, or without
// prices; and it says so.
func TestNoPlan(t *testing.T) {
	missing := bursts(3)
	for m := range day {
		missing.Requests[m*3/2] = math.NaN()
	}
	gaps := bursts(3)
	for m := 100; m < 300; m++ {
		gaps.Requests[m] = math.NaN()
	}
	short := bursts(1)
	short.Requests = short.Requests[:120]
	unpriced, perfect := goalFleet(t), goalFleet(t)
	unpriced.USDPerHour = []float64{1, 0, 4}
	perfect.Goal = 100
	for name, c := range map[string]struct {
		history simulator.History
		fleet   simulator.Fleet
		want    string
	}{
		"two hours":  {short, goalFleet(t), "2 hours of history are too few"},
		"new":        {simulator.History{}, goalFleet(t), "0 hours of history are too few"},
		"missing":    {missing, goalFleet(t), "of 4320 minutes of history 1440 are missing"},
		"no price":   {bursts(3), unpriced, "no plan for the goal: there is no price of m7g.large, m7g.2xlarge; make prices adds"},
		"100 %":      {bursts(3), perfect, "a goal of 100 %"},
		"small gaps": {gaps, goalFleet(t), ""},
	} {
		p := simulator.NewPlan(c.history, c.fleet, simulator.Model{}, false)
		if (c.want == "") != (p.Floor != "") || !strings.Contains(p.String(), c.want) {
			t.Errorf("%s: %s", name, p)
		}
	}
}

// TestWorldHarsherThanBelieved exceeds the plan within a day, and the plan after it holds.
func TestWorldHarsherThanBelieved(t *testing.T) {
	f := goalFleet(t)
	load := constant(100, 10*day)
	for m := range load.Requests {
		if m%120 >= 60 && m%120 < 90 { // more than two of m7g.medium bear in busy seconds
			load.Requests[m] = 290
		}
	}
	believes := simulator.Model{Busiest: 1.01}
	f.Believes = &believes
	r := simulator.Run(load, f, simulator.Model{Busiest: 1.2, MetricDelay: 2 * time.Minute, Boot: 3 * time.Minute})
	if len(r.Exceeded) == 0 || r.Exceeded[0] > 2*day {
		t.Fatalf("it exceeds the plan at %d; plans: %v", r.Exceeded, r.Plans)
	}
	over := 0
	for _, m := range r.Minutes[r.Exceeded[0]+60:] {
		if m.Over {
			over++
		}
	}
	if allowed := 0.001 * 10 * day; float64(over) > allowed {
		t.Errorf("%d minutes over after that, the goal allows %.0f", over, allowed)
	}
}

// TestFloorThatIsNotThereYetExceedsNoPlan: what is over until the step to the plan's floor
// has ended is not what the plan has forecast.
func TestFloorThatIsNotThereYetExceedsNoPlan(t *testing.T) {
	load := constant(250, 4*day)
	for m := range load.Requests {
		if m%60 < 2 { // when the step to the floor begins, too
			load.Requests[m] = 1000
		}
	}
	f := goalFleet(t)
	f.Start = 1
	r := simulator.Run(load, f, simulator.Model{})
	over := 0
	for _, m := range r.Minutes[day : day+60] {
		if m.Over {
			over++
		}
	}
	if over < 2 || r.Plans[0].Floor != "m7g.xlarge" {
		t.Fatalf("%d minutes over while the fleet steps: %s", over, r.Plans[0])
	}
	if len(r.Exceeded) > 0 || r.Plans[1].Harsh {
		t.Errorf("it exceeds the plan at %v; the second plan: %s", r.Exceeded, r.Plans[1])
	}
}

// TestDayIsReplayedAfterWhatWasBeforeIt: a burst at midnight finds the fleet of the
// evening, and not one that is made for it.
func TestDayIsReplayedAfterWhatWasBeforeIt(t *testing.T) {
	load := constant(60, 2*day)
	for m := day - 1; m < day+60; m++ {
		load.Requests[m] = 700
	}
	f := goalFleet(t)
	f.Goal, f.Floor = 0, "m7g.medium"
	want := 0
	for _, m := range simulator.Run(load, f, simulator.Model{}).Minutes[day:] {
		if m.Over {
			want++
		}
	}
	p := simulator.Plan{Floor: "m7g.medium", Goal: 99.9}
	h := simulator.History{Start: load.Start, Requests: load.Requests}
	if got := p.Replay(h, f, simulator.Model{}, load.Start.Add(24*time.Hour)); got != want || want == 0 {
		t.Errorf("%d minutes over, want the %d that were", got, want)
	}
}

// TestHarsherThanHarsh is slower and busier, however short boots were measured to be.
func TestHarsherThanHarsh(t *testing.T) {
	h := simulator.History{Start: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)}
	for m := range 2 * day {
		h.Requests = append(h.Requests, 60+float64(m%120)*2.2)
	}
	plan := func(delay, boot time.Duration, busiest float64, harsh bool) []simulator.Floor {
		return simulator.NewPlan(h, goalFleet(t), simulator.Model{MetricDelay: delay, Boot: boot, Busiest: busiest}, harsh).Floors
	}
	got := plan(2*time.Minute, 2*time.Minute, 1.2, true)
	if want := plan(3*time.Minute, 3*time.Minute, 1.4, false); !slices.Equal(got, want) {
		t.Errorf("the floors are %v, want %v", got, want)
	}
	if slices.Equal(got, plan(2*time.Minute, 3*time.Minute, 1.2, false)) {
		t.Error("the load does not tell the worlds apart")
	}
}

// BenchmarkPlan is the plan of two weeks in which each rung is replayed.
func BenchmarkPlan(b *testing.B) {
	f := fleet(b)
	f.Goal, f.Surge = 99.99, true
	h := bursts(14)
	for b.Loop() {
		if p := simulator.NewPlan(h, f, simulator.Model{}, false); len(p.Floors) < 3 {
			b.Fatal(p)
		}
	}
}
