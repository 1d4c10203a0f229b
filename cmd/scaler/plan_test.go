package main

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/scaling"
	"github.com/archipelago-cdk/archipelago/scaling/simulator"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"golang.org/x/sys/unix"
)

var midnight = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// every is a metric with the value of each minute since midnight; NaN stands for no value.
func every(minutes int, value func(minute int) float64) scaling.Series {
	var s scaling.Series
	for m := range minutes {
		if v := value(m); !math.IsNaN(v) {
			s = append(s, scaling.Point{At: midnight.Add(time.Duration(m) * time.Minute), Value: v})
		}
	}
	return s
}

// TestPastIsTheLoad: minutes without requests have a load of zero where instances were in
// service, and an unknown one where none were. It begins where both are known: a load
// balancer or a group of another name had metrics of another name.
func TestPastIsTheLoad(t *testing.T) {
	p := &past{end: midnight.Add(10 * time.Minute)}
	p.count = every(10, func(m int) float64 {
		if m < 2 || m == 5 {
			return math.NaN()
		}
		return 2
	})
	p.requests = every(10, func(m int) float64 {
		if m < 4 || m == 5 || m == 7 {
			return math.NaN()
		}
		return 120
	})
	h := p.history()
	if got := fmt.Sprint(h.Requests); !h.Start.Equal(midnight.Add(4*time.Minute)) || got != "[2 NaN 2 0 2 2]" {
		t.Errorf("from %s: %s", h.Start, got)
	}
	p.requests = every(10, func(int) float64 { return 120 })
	if h := p.history(); !h.Start.Equal(midnight.Add(2 * time.Minute)) {
		t.Errorf("of a group that is new it begins %s", h.Start)
	}
	for _, p := range []*past{{end: midnight}, {end: midnight, count: p.count}, {end: midnight, requests: p.requests}} {
		if h := p.history(); len(h.Requests) != 0 {
			t.Errorf("without metrics there is a past of %d minutes", len(h.Requests))
		}
	}
}

// TestMinutesOver are those in which the slowest are too slow, or requests fail, and
// there are enough of them to tell.
func TestMinutesOver(t *testing.T) {
	p := &past{
		requests: every(5, func(m int) float64 { return []float64{1000, 1000, 1000, 1000, 5}[m] }),
		slowest:  every(5, func(m int) float64 { return []float64{0.09, 0.11, 0.09, 0.09, 2}[m] }),
		failed:   every(5, func(m int) float64 { return []float64{0, 0, 11, 9, 5}[m] }),
	}
	if got := p.over(100 * time.Millisecond); got != 2 {
		t.Errorf("%d minutes over, want 2", got)
	}
}

// TestCPUPerRequest is what it costs beyond what instances do by themselves, of the
// minutes since the last step.
func TestCPUPerRequest(t *testing.T) {
	l, err := scaling.NewLadder([]string{"m7g.medium", "m7g.large"})
	must(t, err)
	requests := func(m int) float64 { return 6000 + 5000*math.Sin(float64(m)/30) }
	p := &past{
		count:    every(300, func(int) float64 { return 2 }),
		requests: every(300, requests),
		cpu: every(300, func(m int) float64 { // 3 % of both, and 4 ms of four vCPUs for each
			return 3 + 100*requests(m)/60*0.004/4
		}),
	}
	if got := p.cpuPerRequest(1, l, midnight); (got - 4*time.Millisecond).Abs() > 50*time.Microsecond {
		t.Errorf("%s, want 4 ms", got)
	}
	if got := p.cpuPerRequest(1, l, midnight.Add(270*time.Minute)); got != 0 {
		t.Errorf("half an hour after a step it is %s, want none", got)
	}
}

// TestPlanIsDueOnceANight, and sooner where there is no floor that can be kept.
func TestPlanIsDueOnceANight(t *testing.T) {
	l, err := scaling.NewLadder([]string{"m7g.medium", "m7g.large"})
	must(t, err)
	c := &controller{settings: settings{ladder: l, goal: 99.9}}
	made := simulator.Plan{At: midnight.Add(3 * time.Hour), Floor: "m7g.large", Goal: 99.9}
	with := func(change func(p *simulator.Plan)) *simulator.Plan {
		p := made
		change(&p)
		return &p
	}
	for name, one := range map[string]struct {
		last *simulator.Plan
		at   time.Duration
		want bool
	}{
		"never":         {nil, 3 * time.Hour, true},
		"this night":    {&made, 25 * time.Hour, false},
		"the next":      {&made, 26 * time.Hour, true},
		"no rung":       {with(func(p *simulator.Plan) { p.Floor = "m7g.xlarge" }), 4 * time.Hour, true},
		"another goal":  {with(func(p *simulator.Plan) { p.Goal = 99 }), 4 * time.Hour, true},
		"none":          {with(func(p *simulator.Plan) { p.Floor = "" }), 4 * time.Hour, true},
		"none just now": {with(func(p *simulator.Plan) { p.Floor = "" }), 3*time.Hour + time.Minute, false},
	} {
		if got := c.planDue(one.last, midnight.Add(one.at)); got != one.want {
			t.Errorf("%s: due is %t", name, got)
		}
	}
}

// TestPlanIsJudgedFromItsFloorOn: what was over before the fleet had the floor is not told.
func TestPlanIsJudgedFromItsFloorOn(t *testing.T) {
	l, err := scaling.NewLadder([]string{"m7g.medium", "m7g.large"})
	must(t, err)
	c := &controller{settings: settings{region: region, ladder: l, startAt: l[0], goal: 99.9, goalTime: 100 * time.Millisecond}}
	now := midnight.Add(26 * time.Hour)
	p := &past{
		end:      now,
		count:    every(26*60, func(int) float64 { return 2 }),
		requests: every(26*60, func(int) float64 { return 600 }),
		slowest:  every(26*60, func(m int) float64 { return map[bool]float64{true: 0.5, false: 0.02}[m < 3*60] }),
	}
	for _, reached := range []time.Time{{}, midnight.Add(3 * time.Hour)} { // not at all, and after the last one over
		m := memory{Plan: &simulator.Plan{At: midnight.Add(2 * time.Hour), Floor: "m7g.large", Goal: 99.9, Reached: reached}}
		if _, err := c.planBy(t.Context(), p, scaling.Observation{Parameter: "m7g.large", Min: 2, Max: 6}, &m, now); err != nil {
			t.Fatal(err)
		}
		if m.Plan.Floor == "" || m.Plan.Harsh || !m.Plan.Reached.IsZero() {
			t.Errorf("reached %s: the next plan is %+v", reached, m.Plan)
		}
	}
}

// TestPlanKnowsTheBootThatWasMeasured, and remembers it; without one it is the harsh world's.
func TestPlanKnowsTheBootThatWasMeasured(t *testing.T) {
	l, err := scaling.NewLadder([]string{"m7g.medium", "m7g.large"})
	must(t, err)
	c := &controller{settings: settings{region: region, ladder: l, startAt: l[0], goal: 99.9, goalTime: 100 * time.Millisecond}}
	now := midnight.Add(26 * time.Hour)
	p := &past{
		end:     now,
		count:   every(26*60, func(int) float64 { return 2 }),
		healthy: every(26*60, func(m int) float64 { return map[bool]float64{true: 3, false: 2}[m%60 >= 6 && m%60 < 30] }),
		requests: every(26*60, func(m int) float64 { // more for an hour than two of m7g.medium can do
			return map[bool]float64{true: 600, false: 30_000}[m%(6*60) < 5*60]
		}),
	}
	for hour := range 26 {
		p.changes = append(p.changes, change{midnight.Add(time.Duration(hour) * time.Hour), true})
	}
	slow := func(m memory) int {
		_, err := c.planBy(t.Context(), p, scaling.Observation{Parameter: "m7g.medium", Min: 2, Max: 6}, &m, now)
		must(t, err)
		if len(m.Plan.Floors) == 0 || m.Boot != p.boot() {
			t.Fatalf("it remembers a boot of %s, and the plan is %s", m.Boot, m.Plan)
		}
		return m.Plan.Floors[0].Over
	}
	measured := slow(memory{})
	if p.boot() != 6*time.Minute {
		t.Fatalf("a boot takes %s", p.boot())
	}
	p.changes = nil
	if believed := slow(memory{}); measured <= believed {
		t.Errorf("with boots of six minutes %d are over, and with the three of the harsh world %d", measured, believed)
	}
}

// TestFloorWithoutAPlan is the type of the first deployment, also where the ladder has lost
// the plan's.
func TestFloorWithoutAPlan(t *testing.T) {
	l, err := scaling.NewLadder([]string{"m7g.medium", "m7g.large", "m7g.xlarge"})
	must(t, err)
	c := &controller{settings: settings{ladder: l, startAt: l[1]}}
	for want, plan := range map[string]*simulator.Plan{
		"m7g.large":  nil,
		"m7g.medium": {Floor: "m7g.medium"},
		"m7g.xlarge": {Floor: "m7g.xlarge"},
	} {
		if got := c.floor(plan); got != want {
			t.Errorf("of %v it is %s, want %s", plan, got, want)
		}
	}
	for _, plan := range []simulator.Plan{{Floor: "m7g.2xlarge"}, {None: "there is none"}} {
		if got := c.floor(&plan); got != "m7g.large" {
			t.Errorf("of %s it is %s, want m7g.large", plan, got)
		}
	}
}

// TestPlanOfTheEmulatorsMetrics: with a day of them there is a floor, and word of it when
// the day that follows is worse than that.
func TestPlanOfTheEmulatorsMetrics(t *testing.T) {
	i := newIsland(t, "planned")
	i.settings.goal, i.settings.goalTime = 99.9, 100*time.Millisecond
	// It is cool, but has no past: it stays at the type of the first deployment.
	i.settings.startAt = i.settings.ladder[1]
	i.use(t, 5)
	r := i.run(t, nil)
	if got := i.state(t); got.Parameter != "m7g.large" || !strings.Contains(r.Planned+got.Remembered.Plan.String(), "a day is the least") {
		t.Fatalf("without a past: %+v, %s", got, got.Remembered.Plan)
	}
	i.day(t, 0.02)
	i.run(t, nil)
	past, err := i.controller(nil).readPast(t.Context(), i.now(t))
	if err != nil || len(past.healthy) == 0 || len(past.changes) < 2 || !past.changes[0].launches {
		t.Errorf("of its boots it knows %+v, %d minutes: %v", past.changes, len(past.healthy), err)
	}
	if plan := i.state(t).Remembered.Plan; plan.Floor != "m7g.medium" || plan.Goal != 99.9 || plan.Minutes < 24*60 {
		t.Errorf("after a day of little load: %+v", plan)
	}
	i.day(t, 0.02)
	c := i.controller(nil)
	p, err := c.parameters(t.Context())
	must(t, err)
	must(t, i.control.Fail(t.Context(), emulator.Failing{region: {"monitoring"}}))
	said := c.plan(t.Context(), &scaling.Observation{Parameter: "m7g.large"}, &p, i.now(t))
	must(t, i.control.Fail(t.Context(), emulator.Failing{}))
	if got := i.state(t).Remembered; !strings.Contains(got.Unplanned, "CloudWatch") || !strings.Contains(said, got.Unplanned) || got.Plan.Floor != "m7g.medium" {
		t.Errorf("without metrics it says %q, and remembers %q and the plan %+v", said, got.Unplanned, got.Plan)
	}
	i.run(t, nil)
	if got := i.state(t).Remembered.Unplanned; got != "" {
		t.Errorf("after a plan that could be made it remembers %q", got)
	}
	i.sent = nil
	i.day(t, 0.5)
	i.run(t, nil)
	if sent := strings.Join(i.sent, "\n"); !strings.Contains(sent, "more+minutes+are+over+the+goal+than+planned") {
		t.Errorf("a day of slow answers: it told %q", i.sent)
	}
	if plan := i.state(t).Remembered.Plan; !plan.Harsh {
		t.Errorf("the next plan is %+v", plan)
	}
}

// BenchmarkNight is a night's plan by 14 days of the emulator's metrics: the CPU time and
// the most memory of this process, in which the test's own is contained.
func BenchmarkNight(b *testing.B) {
	i := newIsland(b, "night")
	i.settings.goal, i.settings.goalTime = 99.9, 100*time.Millisecond
	i.use(b, 5)
	i.run(b, nil)
	i.days(b, simulator.PlanDays, 0.02)
	c := i.controller(nil)
	p, err := c.parameters(b.Context())
	must(b, err)
	o := scaling.Observation{Parameter: "m7g.large", Min: 2, Max: 6}
	before := usage(b)
	runs := 0
	for b.Loop() {
		runs++
		said, err := c.makePlan(b.Context(), o, &p, i.now(b))
		must(b, err)
		if p.memory.Plan.Minutes < simulator.PlanDays*24*60*9/10 {
			b.Fatalf("the plan is of %d minutes: %s", p.memory.Plan.Minutes, said)
		}
	}
	b.ReportMetric((usage(b)-before).Seconds()/float64(runs), "cpu-s/plan")
	status, err := os.ReadFile("/proc/self/status")
	must(b, err)
	var peak float64
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	_, err = fmt.Sscan(rest, &peak)
	must(b, err)
	b.ReportMetric(peak/1024, "peak-MB")
}

// usage is the CPU time of this process.
func usage(t testing.TB) time.Duration {
	t.Helper()
	var u unix.Rusage
	must(t, unix.Getrusage(unix.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// day adds a day of an even load, with answers as slow as that, in seconds, and makes
// the plan a day old.
func (i *island) day(t testing.TB, slowest float64) {
	t.Helper()
	i.days(t, 1, slowest)
}

// days adds so many.
func (i *island) days(t testing.TB, n int, slowest float64) {
	t.Helper()
	c := i.controller(nil)
	p, err := c.parameters(t.Context())
	must(t, err)
	p.memory.Plan.At = p.memory.Plan.At.Add(-24 * time.Hour)
	if !p.memory.Plan.Reached.IsZero() {
		p.memory.Plan.Reached = p.memory.Plan.Reached.Add(-24 * time.Hour)
	}
	must(t, c.remember(t.Context(), p.memory))
	end := i.now(t).Truncate(time.Minute)
	group := []cloudwatchtypes.Dimension{{Name: aws.String("AutoScalingGroupName"), Value: &i.settings.group}}
	balancer := []cloudwatchtypes.Dimension{{Name: aws.String("LoadBalancer"), Value: aws.String(fullName(i.settings.loadBalancerARN))}, {Name: aws.String("TargetGroup"), Value: &i.settings.targetGroup}}
	for _, m := range []struct {
		namespace, name string
		dimensions      []cloudwatchtypes.Dimension
		value           float64
	}{
		{"AWS/EC2", "CPUUtilization", group, 5},
		{"AWS/AutoScaling", "GroupInServiceInstances", group, 2},
		{"AWS/ApplicationELB", "RequestCount", balancer, 600},
		{"AWS/ApplicationELB", "TargetResponseTime", balancer, slowest},
		{"AWS/ApplicationELB", "HealthyHostCount", balancer, 2},
	} {
		var data []cloudwatchtypes.MetricDatum
		for at := end.Add(-time.Duration(n*24+6) * time.Hour); at.Before(end); at = at.Add(time.Minute) {
			data = append(data, cloudwatchtypes.MetricDatum{MetricName: &m.name, Dimensions: m.dimensions, Value: &m.value, Timestamp: aws.Time(at)})
		}
		for len(data) > 0 {
			n := min(500, len(data))
			_, err := i.controller(nil).cloudwatch.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: &m.namespace, MetricData: data[:n]})
			must(t, err)
			data = data[n:]
		}
	}
}
