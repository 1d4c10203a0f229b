package main

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/scaling"
	"github.com/archipelago-cdk/archipelago/scaling/simulator"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

var midnight = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// every is a metric with the value of each minute since midnight; NaN is none.
func every(minutes int, value func(minute int) float64) scaling.Series {
	var s scaling.Series
	for m := range minutes {
		if v := value(m); !math.IsNaN(v) {
			s = append(s, scaling.Point{At: midnight.Add(time.Duration(m) * time.Minute), Value: v})
		}
	}
	return s
}

// TestPastIsTheLoad: minutes without requests are none where instances were in service,
// and unknown where nothing is.
func TestPastIsTheLoad(t *testing.T) {
	p := &past{end: midnight.Add(10 * time.Minute)}
	p.count = every(10, func(m int) float64 {
		if m < 2 || m == 5 {
			return math.NaN()
		}
		return 2
	})
	p.requests = every(10, func(m int) float64 {
		if m < 4 || m == 5 {
			return math.NaN()
		}
		return 120
	})
	h := p.history()
	if got := fmt.Sprint(h.Requests); !h.Start.Equal(midnight.Add(2*time.Minute)) || got != "[0 0 2 NaN 2 2 2 2]" {
		t.Errorf("from %s: %s", h.Start, got)
	}
	if h := (&past{end: midnight}).history(); len(h.Requests) != 0 {
		t.Errorf("a group without metrics has a past of %d minutes", len(h.Requests))
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
	if plan := i.state(t).Remembered.Plan; plan.Floor != "m7g.medium" || plan.Goal != 99.9 || plan.Minutes < 24*60 {
		t.Errorf("after a day of little load: %+v", plan)
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

// day adds a day of an even load, with answers as slow as that, in seconds, and makes
// the plan a day old.
func (i *island) day(t *testing.T, slowest float64) {
	t.Helper()
	c := i.controller(nil)
	p, err := c.parameters(t.Context())
	must(t, err)
	p.memory.Plan.At = p.memory.Plan.At.Add(-24 * time.Hour)
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
	} {
		var data []cloudwatchtypes.MetricDatum
		for at := end.Add(-30 * time.Hour); at.Before(end); at = at.Add(time.Minute) {
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
