package simulator_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/scaling"
	"github.com/archipelago-cdk/archipelago/scaling/simulator"
	"github.com/archipelago-cdk/archipelago/scaling/trace"
	"pgregory.net/rapid"
)

const day = 24 * 60

func fleet(t rapid.TB) simulator.Fleet {
	l, err := scaling.NewLadder([]string{"m7g.medium", "m7g.large", "m7g.xlarge", "m7g.2xlarge"})
	if err != nil {
		t.Fatal(err)
	}
	return simulator.Fleet{
		Ladder: l, USDPerHour: []float64{1, 2, 4, 8}, Start: 1, Min: 2, Max: 6,
		Policy: scaling.Policy{Mode: scaling.Auto},
	}
}

// drawn is any fleet that a configuration may ask for.
func drawn(t *rapid.T) simulator.Fleet {
	f := fleet(t)
	// Rungs may be far apart, and of other families; what is not a ladder is drawn again.
	known := []string{"c7g.medium", "m7g.medium", "r7g.medium", "c7g.large", "m7g.large", "m7g.xlarge", "r7g.xlarge", "c7g.2xlarge", "m7g.2xlarge"}
	types := rapid.Custom(func(t *rapid.T) scaling.Ladder {
		var some []string
		for _, name := range known {
			if rapid.Bool().Draw(t, name) {
				some = append(some, name)
			}
		}
		l, _ := scaling.NewLadder(some)
		return l
	})
	f.Ladder = types.Filter(func(l scaling.Ladder) bool { return len(l) > 1 }).Draw(t, "ladder")
	f.USDPerHour = make([]float64, len(f.Ladder))
	if rapid.Bool().Draw(t, "requests too") {
		f.RequestsPerTarget = rapid.IntRange(100, 40_000).Draw(t, "requests per target")
	}
	f.Start = rapid.IntRange(0, len(f.Ladder)-1).Draw(t, "start")
	f.Min = rapid.IntRange(1, 6).Draw(t, "min")
	f.Max = rapid.IntRange(f.Min, 12).Draw(t, "max")
	f.Policy.CPUTarget = float64(rapid.IntRange(30, 80).Draw(t, "target"))
	return f
}

func constant(load float64, minutes int) trace.Trace {
	t := trace.Trace{Start: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)}
	for range minutes {
		t.Requests = append(t.Requests, load)
	}
	return t
}

// TestNoFlapping: under any constant load every fleet comes to rest, after a step
// for each rung at most, and all of them in one direction.
func TestNoFlapping(t *testing.T) {
	stepped := false
	rapid.Check(t, func(t *rapid.T) {
		f := drawn(t)
		load := rapid.Float64Range(0, 1.2).Draw(t, "load") * float64(f.Max) * 8 * 200
		if rapid.Bool().Draw(t, "small") {
			load /= 8
		}
		got := simulator.Run(constant(load, 2*day), f, simulator.Model{})
		if len(got.Steps) >= len(f.Ladder) {
			t.Fatalf("%d steps: %+v", len(got.Steps), got.Steps)
		}
		for _, s := range got.Steps {
			stepped = true
			if s.Minute >= day {
				t.Fatalf("it steps after a day of %g requests a second: %s", load, s.Action.Reason)
			}
			if s.Action.Kind != got.Steps[0].Action.Kind {
				t.Fatalf("%s after %s", s.Action.Kind, got.Steps[0].Action.Kind)
			}
		}
		// Neither does their number change once they are at rest.
		for _, m := range got.Minutes[day+1:] {
			if last := got.Minutes[day]; m.Running != last.Running {
				t.Fatalf("%d instances, %d after a day", m.Running, last.Running)
			}
		}
	})
	if !stepped {
		t.Error("no fleet that was drawn took a step: the test says nothing")
	}
}

// TestOneStepForEachCooldown holds for any load.
func TestOneStepForEachCooldown(t *testing.T) {
	soonest := map[scaling.Kind]int{scaling.Up: math.MaxInt, scaling.Down: math.MaxInt}
	cooldown := map[scaling.Kind]int{scaling.Up: 15, scaling.Down: 60}
	rapid.Check(t, func(t *rapid.T) {
		f := drawn(t)
		most := float64(f.Max) * 8 * 200
		load := constant(0, 2*day)
		for from := 0; from < len(load.Requests); {
			until := from + rapid.IntRange(1, 300).Draw(t, "for")
			level := most * math.Pow(rapid.Float64Range(0, 1).Draw(t, "level"), 3)
			for ; from < min(until, len(load.Requests)); from++ {
				load.Requests[from] = level
			}
		}
		load.Events = []trace.Event{{Minute: rapid.IntRange(0, day).Draw(t, "lost"), Kind: trace.ZoneLost}, {Minute: day + 60, Kind: trace.ZoneBack}}
		at, free := f.Start, 0
		for i, s := range simulator.Run(load, f, simulator.Model{}).Steps {
			to := f.Ladder.Find(s.Action.To.Type)
			if up := to > at; up != (s.Action.Kind == scaling.Up) || to == at || to-at > 1 && s.Action.Reason.Code != scaling.Surge || to-at < -1 {
				t.Fatalf("%s from rung %d to %d", s.Action.Kind, at, to)
			}
			if i > 0 {
				pause := s.Minute - free
				if pause < cooldown[s.Action.Kind] {
					t.Fatalf("%s %d minutes after the last step ended", s.Action.Kind, pause)
				}
				soonest[s.Action.Kind] = min(soonest[s.Action.Kind], pause)
			}
			at, free = to, s.Ended
		}
	})
	for kind, pause := range soonest {
		if pause == math.MaxInt {
			t.Errorf("no load that was drawn led to a second step %s: the test says nothing about it", kind)
		}
	}
}

// TestStepsKeepTheFleetInService: while all instances are replaced there are
// never fewer in service than are desired.
func TestStepsKeepTheFleetInService(t *testing.T) {
	load := constant(1000, day)
	f := fleet(t)
	f.Start = 0
	got := simulator.Run(load, f, simulator.Model{})
	if len(got.Steps) == 0 {
		t.Fatal("there was no step")
	}
	for _, s := range got.Steps {
		before := got.Minutes[s.Minute-1]
		for _, m := range got.Minutes[s.Minute:s.Ended] {
			if m.Capacity < before.Capacity {
				t.Errorf("capacity for %g requests a second, before the step it was %g", m.Capacity, before.Capacity)
			}
			if m.Running > 9 {
				t.Errorf("%d instances, more than half again of 6", m.Running)
			}
		}
	}
}

// TestAStepTakesItsTime: two instances are replaced one after the other, each has
// five minutes until the refresh goes on, the last three are to see that all is well.
func TestAStepTakesItsTime(t *testing.T) {
	got := simulator.Run(constant(1, 120), fleet(t), simulator.Model{})
	if len(got.Steps) != 1 {
		t.Fatalf("%d steps, want 1", len(got.Steps))
	}
	if s := got.Steps[0]; s.Ended-s.Minute != 1+5+5+3 { // it begins in the minute after
		t.Errorf("it took %d minutes, want 14", s.Ended-s.Minute)
	}
}

// TestTargetTracking: out after three minutes of metrics, in proportion; in after
// fifteen, and not while the CPU is above 70 % of the target.
func TestTargetTracking(t *testing.T) {
	f := fleet(t)
	f.Start, f.Policy.Mode = 0, scaling.Off
	load := constant(100, 3*60)
	for m := 60; m < 120; m++ {
		load.Requests[m] = 400 // two instances are full
	}
	got := simulator.Run(load, f, simulator.Model{})
	desired := func(m int) int { return got.Minutes[m].Running }
	// Minute 60 is the first above, 63 knows of three; the launches show in 64, and
	// 100 / 55 of two instances are four.
	if desired(63) != 2 || desired(64) != 4 {
		t.Errorf("%d, then %d instances, want 2, then 4", desired(63), desired(64))
	}
	if got.Minutes[64].Count != 2 || got.Minutes[65].Count != 4 {
		t.Errorf("in service: %d, then %d, want 2, then 4 two minutes after the launch", got.Minutes[64].Count, got.Minutes[65].Count)
	}
	// Four at 50 % stay. From minute 120 on they are at 12.5 %, for which one would
	// do: at the fifteenth such minute, 134, known at 135, it is two, the minimum.
	if desired(119) != 4 || desired(135) != 4 || desired(136) != 2 {
		t.Errorf("%d, %d, then %d instances, want 4, 4, then 2", desired(119), desired(135), desired(136))
	}
	for m := 120; m < 180; m++ {
		load.Requests[m] = 400 * 0.8 // 40 % of four: below the target, not below 70 % of it
	}
	if got = simulator.Run(load, f, simulator.Model{}); desired(179) != 4 {
		t.Errorf("%d instances at 40 %% CPU, want 4", desired(179))
	}
	for m := 120; m < 180; m++ {
		load.Requests[m] = 400 * 0.74 // 37 %, for which three would do
	}
	if got = simulator.Run(load, f, simulator.Model{}); desired(179) != 3 {
		t.Errorf("%d instances where they had 37 %% CPU, want 3", desired(179))
	}
}

// TestFewerInstancesAreJudgedByTheirOwnCPU: fifteen minutes pass before the next ones end.
func TestFewerInstancesAreJudgedByTheirOwnCPU(t *testing.T) {
	f := fleet(t)
	f.Start, f.Policy.Mode = 0, scaling.Off
	load := constant(540, 5*60) // six at 45 %
	for m := 2 * 60; m < len(load.Requests); m++ {
		load.Requests[m] = 420 // 35 %: four of them at 52 %
	}
	for m := 2*60 + 16; m < len(load.Requests); m++ {
		load.Requests[m] = 100 // as soon as there are four: two would do
	}
	var counts []int
	var at []int
	for m, one := range simulator.Run(load, f, simulator.Model{}).Minutes[60:] {
		if len(counts) == 0 || one.Running != counts[len(counts)-1] {
			counts, at = append(counts, one.Running), append(at, m+60)
		}
	}
	if !slices.Equal(counts, []int{6, 4, 2}) || at[2]-at[1] < 15 {
		t.Errorf("%d instances at minutes %d, want 6, 4 and 2, fifteen minutes apart at least", counts, at)
	}
}

// TestLateMetricIsOfThoseThatHadIt: two instances at 100 % want four, also once there
// are four and the metric is still that of two.
func TestLateMetricIsOfThoseThatHadIt(t *testing.T) {
	f := fleet(t)
	f.Start, f.Policy.Mode = 0, scaling.Off
	load := constant(100, 120)
	for m := 60; m < 120; m++ {
		load.Requests[m] = 399
	}
	for m, one := range simulator.Run(load, f, simulator.Model{}.Harsh()).Minutes {
		if one.Running > 4 {
			t.Fatalf("minute %d: %d instances, want 4 at most", m, one.Running)
		}
	}
}

// TestWhatCannotBeDoneWaits: after two minutes of twice what the fleet can do it is
// busy for as long as clients wait.
func TestWhatCannotBeDoneWaits(t *testing.T) {
	f := fleet(t)
	f.Start, f.Max, f.Policy.Mode = 0, 2, scaling.Off
	load := constant(200, 60)
	load.Requests[30], load.Requests[31] = 800, 800
	got := simulator.Run(load, f, simulator.Model{}).Minutes
	if got[31].Backlog != 24_000 { // a minute of 400 requests a second
		t.Errorf("%g requests wait, want 24000, a minute's", got[31].Backlog)
	}
	// Half of the time it works that off.
	for m, want := range map[int]bool{29: false, 30: true, 31: true, 32: true, 33: true, 35: false} {
		if got[m].Over != want {
			t.Errorf("minute %d is over the goal: %t", m, !want)
		}
	}
}

// TestHarshWorldActsLate: on late metrics, with instances that boot late.
func TestHarshWorldActsLate(t *testing.T) {
	f := fleet(t)
	f.Start, f.Policy.Mode = 0, scaling.Off
	load := constant(100, 120)
	for m := 60; m < 120; m++ {
		load.Requests[m] = 400
	}
	for world, want := range map[simulator.Model]int{{}: 65, simulator.Model{}.Harsh(): 67} {
		got := simulator.Run(load, f, world).Minutes
		if got[want-1].Count != 2 || got[want].Count < 4 {
			t.Errorf("%s, %s: %d, then %d instances at minute %d, want 2, then 4", world.MetricDelay, world.Boot, got[want-1].Count, got[want].Count, want-1)
		}
	}
}

// TestNoCapacityEndsAStep after minutes, and the fleet stays as it was until it is
// tried again.
func TestNoCapacityEndsAStep(t *testing.T) {
	f := fleet(t)
	f.Start = 0
	load := constant(760, 6*60)
	load.Events = []trace.Event{{Kind: trace.NoCapacity, Type: "m7g.large"}, {Minute: 60, Kind: trace.CapacityBack}}
	got := simulator.Run(load, f, simulator.Model{})
	if len(got.Steps) != 2 || !got.Steps[0].Failed || got.Steps[1].Failed {
		t.Fatalf("steps: %+v, want one that failed and one that did not", got.Steps)
	}
	if first, second := got.Steps[0], got.Steps[1]; first.Ended-first.Minute != 4 || second.Minute-first.Ended < 60 {
		t.Errorf("it failed after %d minutes, want 4, and was tried again after %d", first.Ended-first.Minute, second.Minute-first.Ended)
	}
	for m, one := range got.Minutes[20:got.Steps[1].Minute] {
		if one.Count != 6 || one.Rung != 0 {
			t.Fatalf("minute %d: %d instances of rung %d", m+20, one.Count, one.Rung)
		}
	}
}

// TestRequestsAreTrackedToo by a target that follows the rung.
func TestRequestsAreTrackedToo(t *testing.T) {
	f := fleet(t)
	f.Start, f.Policy.Mode, f.RequestsPerTarget = 0, scaling.Off, 1200 // 20 a second
	got := simulator.Run(constant(100, day), f, simulator.Model{})
	if n := got.Minutes[day-1].Running; n != 5 {
		t.Errorf("%d instances for 100 requests a second of 20 each, want 5", n)
	}
	f.Policy.Mode, f.Max = scaling.Auto, 5
	f.Policy.CPUTarget = 10
	got = simulator.Run(constant(100, day), f, simulator.Model{})
	last := got.Minutes[day-1]
	if last.Rung != 1 || last.Running != 3 {
		t.Errorf("%d instances of rung %d, want 3 of rung 1, each with 40 a second", last.Running, last.Rung)
	}
}

// TestALeakIsRecycled before it fills the memory, and nobody climbs for it.
func TestALeakIsRecycled(t *testing.T) {
	load := constant(150, 7*day)
	load.Events = []trace.Event{{Minute: 0, Kind: trace.Leak, MiBPerHour: 40}}
	f := fleet(t)
	f.Start, f.Agent = 0, true
	got := simulator.Run(load, f, simulator.Model{})
	if got.Over != 0 || len(got.Steps) == 0 {
		t.Errorf("%d minutes over the goal, %d steps", got.Over, len(got.Steps))
	}
	for _, s := range got.Steps {
		if s.Action.Kind != scaling.Recycle {
			t.Errorf("%s: %s", s.Action.Kind, s.Action.Reason)
		}
	}
	f.Agent = false
	// Without one it is killed after 82 hours and again after as many; requests fail
	// in that minute, and in the next, while it starts.
	if got := simulator.Run(load, f, simulator.Model{}); got.Over != 4 || len(got.Steps) > 0 {
		t.Errorf("without an agent: %d minutes over the goal, want 4, and %d steps", got.Over, len(got.Steps))
	}
}

// TestALostZoneIsMadeUpFor by the others.
func TestALostZoneIsMadeUpFor(t *testing.T) {
	load := constant(300, 60)
	load.Events = []trace.Event{{Minute: 30, Kind: trace.ZoneLost}}
	f := fleet(t)
	f.Min, f.Policy.Mode = 3, scaling.Off
	got := simulator.Run(load, f, simulator.Model{})
	if m := got.Minutes[30]; m.Count != 2 || !m.Over {
		t.Errorf("when the zone is lost: %d instances in service, requests failed: %t", m.Count, m.Over)
	}
	// Two minutes until the group notices, two to boot.
	if got.Minutes[33].Count != 2 || got.Minutes[34].Count != 3 {
		t.Errorf("then %d and %d in service, want 2, then 3", got.Minutes[33].Count, got.Minutes[34].Count)
	}
}

// TestBurstableTypesPayForMoreThanTheirBaseline: first with what they saved, then
// with what they will earn in a day, then with money.
func TestBurstableTypesPayForMoreThanTheirBaseline(t *testing.T) {
	l, err := scaling.NewLadder([]string{"t4g.medium"}) // 20 % of two vCPUs
	if err != nil {
		t.Fatal(err)
	}
	f := simulator.Fleet{Ladder: l, USDPerHour: []float64{0}, Min: 1, Max: 1, Policy: scaling.Policy{CPUTarget: 20}}
	m := simulator.Model{SurplusUSD: 1}
	if got := simulator.Run(constant(0.2*2*200, 10*day), f, m); got.USD > 1e-9 {
		t.Errorf("at its baseline it pays $%g", got.USD)
	}
	// What one owes when it ends is paid at once: the second of two owes 0.4 for each
	// of some six hours.
	owing := constant(0.8*2*200, 8*60)
	for m := 6 * 60; m < len(owing.Requests); m++ {
		owing.Requests[m] = 1
	}
	f.Max = 2
	if got := simulator.Run(owing, f, m).USD; math.Abs(got-2.4) > 0.2 {
		t.Errorf("one that owes 2.4 vCPU-hours when it ends pays $%g", got)
	}
	f.Max = 1
	// At 60 % it spends 0.8 vCPUs more than it earns, and may owe 24 × 0.4: that
	// lasts twelve hours. The other twelve cost 0.8 each.
	got := simulator.Run(constant(0.6*2*200, day), f, m).USD
	if want := 12 * 0.8; math.Abs(got-want) > 0.05 {
		t.Errorf("a day at 60 %% costs $%g beyond the hours, want %g", got, want)
	}
}

// TestWaitsAreThoseOfTheQueue: with one server the sojourn time of M/M/1 is
// exponential, which can be written down.
func TestWaitsAreThoseOfTheQueue(t *testing.T) {
	f := fleet(t)
	f.Start, f.Min, f.Max, f.Policy.Mode = 0, 1, 1, scaling.Off
	p99 := func(use float64) float64 {
		return simulator.Run(constant(use*200, 2), f, simulator.Model{Busiest: 1}).Minutes[1].P99
	}
	for _, use := range []float64{0, 0.25, 0.5, 0.9} {
		if got, want := p99(use), math.Log(100)*0.005/(1-use); math.Abs(got-want) > 0.01*want {
			t.Errorf("at %g: %g s, want %g", use, got, want)
		}
	}
	if got := p99(1.01); !math.IsInf(got, 1) {
		t.Errorf("with more work than CPU: %g s", got)
	}
	// More servers with the same use wait less, and no less than the service takes.
	before := p99(0.9)
	for rung := 1; rung < 4; rung++ {
		f.Start = rung
		got := simulator.Run(constant(0.9*200*float64(f.Ladder[rung].VCPU), 2), f, simulator.Model{Busiest: 1}).Minutes[1].P99
		if got >= before || got < math.Log(100)*0.005 {
			t.Errorf("%d servers: %g s, fewer have %g", f.Ladder[rung].VCPU, got, before)
		}
		before = got
	}
}

// TestCostIsPaidForWhatRuns, from the launch to the end, the spare ones of a step too.
func TestCostIsPaidForWhatRuns(t *testing.T) {
	f := fleet(t)
	f.Policy.Mode = scaling.Off
	if got := simulator.Run(constant(1, 60), f, simulator.Model{}).USD; math.Abs(got-4) > 1e-9 {
		t.Errorf("two instances of $2 cost $%g an hour", got)
	}
	f.Policy.Mode = scaling.Auto
	sum := 0.0
	got := simulator.Run(constant(1, 120), f, simulator.Model{})
	spare := false
	for _, m := range got.Minutes {
		sum += m.USDPerHour / 60
		spare = spare || m.Running > 2
	}
	if math.Abs(got.USD-sum) > 1e-9 || !spare {
		t.Errorf("it cost $%g, minute by minute $%g; a step with spare instances: %t", got.USD, sum, spare)
	}
}

// BenchmarkYear is a year of minutes.
func BenchmarkYear(b *testing.B) {
	load, err := trace.ReadFile("../traces/growth.csv")
	if err != nil {
		b.Fatal(err)
	}
	f := fleet(b)
	for b.Loop() {
		simulator.Run(load, f, simulator.Model{})
	}
	b.ReportMetric(float64(len(load.Requests)), "minutes/op")
}
