package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/archipelago-cdk/archipelago/cost"
	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/archipelago-cdk/archipelago/scaling"
	"github.com/archipelago-cdk/archipelago/scaling/simulator"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

const (
	// planAt is the hour, in UTC, after which the night's plan is made.
	planAt = 2 * time.Hour
	// planAgain is how long a plan without a floor stands: a new fleet's past grows.
	planAgain = time.Hour
	// answered is the percentage of requests that a minute has to answer.
	answered = 99
	// mostReason is how many bytes are kept of a reason: a parameter takes 4,096.
	mostReason = 500
	// measured is how many minutes tell what a request costs.
	measured = 60
)

// plan gives the observation its floor, and makes a new plan when one is due. It returns
// what that says, or why there is none. Without a plan the floor is the type of the first deployment.
func (c *controller) plan(ctx context.Context, o *scaling.Observation, p *parameters, now time.Time) string {
	if c.goal == 0 || c.policy.Mode == scaling.Off {
		return ""
	}
	says := ""
	if c.planDue(p.memory.Plan, now) {
		var err error
		if says, err = c.makePlan(ctx, *o, p, now); err != nil { // the fleet stays as it would without
			says = fmt.Sprintf("no plan could be made: %v", err)
			if p.memory.Unplanned == "" {
				reason := err.Error()
				p.memory.Unplanned = reason[:min(len(reason), mostReason)]
				if err := c.remember(ctx, p.memory); err != nil {
					return fmt.Sprintf("%s; that could not be remembered: %v", says, err)
				}
			}
		}
	}
	o.Floor = c.floor(p.memory.Plan)
	if last := p.memory.Plan; last != nil && last.Floor == o.Floor && last.Reached.IsZero() && c.ladder.Find(o.Parameter) >= c.ladder.Find(o.Floor) {
		last.Reached = now
		if err := c.remember(ctx, p.memory); err != nil {
			return fmt.Sprintf("%s; that the fleet has the floor could not be remembered: %v", says, err)
		}
	}
	return says
}

// floor is that of the last plan, or the type of the first deployment: where there is no
// plan, and while a floor that the ladder has lost could not be planned again.
func (c *controller) floor(last *simulator.Plan) string {
	if last == nil || c.ladder.Find(last.Floor) < 0 {
		return c.startAt.Type
	}
	return last.Floor
}

// makePlan makes a plan by the past and remembers it.
func (c *controller) makePlan(ctx context.Context, o scaling.Observation, p *parameters, now time.Time) (string, error) {
	past, err := c.readPast(ctx, now)
	if err != nil {
		return "", err
	}
	says, err := c.planBy(ctx, past, o, &p.memory, now)
	if err != nil {
		return "", err
	}
	p.memory.Unplanned = ""
	return says, c.remember(ctx, p.memory)
}

// planDue: once a night; sooner where there is no floor, or it is not a rung any more.
func (c *controller) planDue(last *simulator.Plan, now time.Time) bool {
	night := func(t time.Time) time.Time { return t.Add(-planAt).Truncate(24 * time.Hour) }
	switch {
	case last == nil || last.Goal != c.goal || last.Floor != "" && c.ladder.Find(last.Floor) < 0:
		return true
	case last.Floor == "":
		return now.Sub(last.At) >= planAgain
	}
	return night(now).After(night(last.At))
}

// planBy plans by the past, after it has compared the last day with what was planned.
func (c *controller) planBy(ctx context.Context, past *past, o scaling.Observation, m *memory, now time.Time) (string, error) {
	f, err := c.planned(o)
	if err != nil {
		return "", err
	}
	if measured := past.cpuPerRequest(c.ladder.Find(o.Parameter), c.ladder, o.LastStep); measured > 0 {
		m.CPUPerRequest = measured
	}
	if boot := past.boot(); boot > 0 {
		m.Boot = boot
	}
	// What nobody has measured is as in the harsh world. A request that alone takes
	// nearly as long as it may could keep no goal on any rung.
	world := simulator.Model{Goal: c.goalTime, CPUPerRequest: min(m.CPUPerRequest, c.goalTime/5)}.Harsh()
	if m.Boot > 0 {
		world.Boot = m.Boot
	}
	// Minutes before the fleet had the floor say nothing about the plan.
	if last := m.Plan; last != nil && last.Goal == c.goal && !last.Reached.IsZero() {
		since := now.Add(-24 * time.Hour)
		if last.Reached.After(since) {
			since = last.Reached
		}
		if over := past.since(since).over(c.goalTime); last.Exceeded(over) {
			m.Harsh = now.Add(24 * time.Hour)
			if last.Replay(past.history(), f, world, since) < over { // it is not the load
				m.Harsh = now.Add(simulator.PlanDays * 24 * time.Hour)
			}
			err := c.send(ctx, "more minutes are over the goal than planned", fmt.Sprintf(
				"In the last day 99 %% of requests were not answered within %s in %d minutes. The plan had foreseen %d at most, the goal of %g %% allows %.1f. The next plan is made for a harsher world.",
				c.goalTime, over, last.WorstDay, c.goal, (1-c.goal/100)*24*60))
			if err != nil {
				return "", err
			}
		}
	}
	plan := simulator.NewPlan(past.history(), f, world, now.Before(m.Harsh))
	plan.At = now
	m.Plan = &plan
	return plan.String(), nil
}

// planned is the fleet that plans are made for. Prices that are missing keep it from one.
func (c *controller) planned(o scaling.Observation) (simulator.Fleet, error) {
	prices, err := cost.ReadPrices()
	if err != nil {
		return simulator.Fleet{}, err
	}
	f := simulator.Fleet{
		Ladder: c.ladder, Start: c.ladder.Find(c.startAt.Type), Min: o.Min, Max: o.Max,
		RequestsPerTarget: c.requestsPerTarget, Policy: c.policy, Goal: c.goal, Surge: true,
	}
	var hours []string
	for _, rung := range c.ladder {
		hours = append(hours, cost.Instance(rung.Type))
	}
	f.USDPerHour, _ = prices.Of(c.region, hours...) // the plan says what is missing
	return f, nil
}

// past is what CloudWatch knows of the fleet, minute by minute.
type past struct {
	count, cpu, requests, slowest, failed scaling.Series
	end                                   time.Time

	// Of the last days, for boot.
	changes []change
	healthy scaling.Series
}

// readPast reads the load of as long as CloudWatch keeps minutes.
func (c *controller) readPast(ctx context.Context, now time.Time) (*past, error) {
	p := &past{end: now.Truncate(time.Minute)}
	balancer := map[string]string{"LoadBalancer": fullName(c.loadBalancerARN), "TargetGroup": c.targetGroup}
	group := map[string]string{"AutoScalingGroupName": c.group}
	err := c.readSeries(ctx, []cloudwatchtypes.MetricDataQuery{
		query("count", "AWS/AutoScaling", "GroupInServiceInstances", "Average", group),
		query("cpu", "AWS/EC2", "CPUUtilization", "Average", group),
		query("requests", "AWS/ApplicationELB", "RequestCount", "Sum", balancer),
		query("slowest", "AWS/ApplicationELB", "TargetResponseTime", "p99", balancer),
		query("failed", "AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", "Sum", balancer),
	}, p.end.Add(-simulator.PlanDays*24*time.Hour), p.end, map[string]*scaling.Series{
		"count": &p.count, "cpu": &p.cpu, "requests": &p.requests, "slowest": &p.slowest, "failed": &p.failed,
	})
	if err != nil {
		return nil, err
	}
	return p, c.readBoots(ctx, p)
}

// since is the past from a time on.
func (p *past) since(t time.Time) *past {
	t = t.Add(-time.Nanosecond)
	return &past{count: p.count.After(t), cpu: p.cpu.After(t), requests: p.requests.After(t), slowest: p.slowest.After(t), failed: p.failed.After(t), end: p.end}
}

// history is the load. Where instances were in service and nobody asked, CloudWatch has
// no requests: there were none. But before the first ones the load balancer may have been
// another one, whose requests are not known here.
func (p *past) history() simulator.History {
	if len(p.count) == 0 || len(p.requests) == 0 {
		return simulator.History{Start: p.end}
	}
	h := simulator.History{Start: p.count[0].At}
	if first := p.requests[0].At; first.After(h.Start) {
		h.Start = first
	}
	for range int(p.end.Sub(h.Start).Minutes()) {
		h.Requests = append(h.Requests, math.NaN())
	}
	fill := func(s scaling.Series, value func(scaling.Point) float64) {
		for _, point := range s {
			if minute := int(point.At.Sub(h.Start).Minutes()); minute >= 0 && minute < len(h.Requests) {
				h.Requests[minute] = value(point)
			}
		}
	}
	fill(p.count, func(scaling.Point) float64 { return 0 })
	fill(p.requests, func(point scaling.Point) float64 { return point.Value / 60 })
	return h
}

// over is how many minutes were over the goal: the slowest of a hundred took longer, or
// more than one of them failed. Minutes with few requests tell nothing.
func (p *past) over(goal time.Duration) int {
	n := 0
	for _, r := range p.requests {
		if r.Value >= setting.AlarmRequests && (p.slowest.At(r.At) > goal.Seconds() || p.failed.At(r.At) > (100-answered)*r.Value/100) {
			n++
		}
	}
	return n
}

// cpuPerRequest is how long a request keeps a vCPU busy, by the minutes since the last
// step, in which all instances had the present type: by how their CPU goes with the
// requests, or where these hardly change by what there is of both. 0 if there are too few.
func (p *past) cpuPerRequest(at int, l scaling.Ladder, lastStep time.Time) time.Duration {
	if at < 0 {
		return 0
	}
	var n, x, y, xx, xy float64
	for _, cpu := range p.cpu.After(lastStep) {
		requests, count := p.requests.At(cpu.At), p.count.At(cpu.At)
		if requests == 0 || count == 0 || cpu.Value >= setting.SurgeCPU {
			continue
		}
		busy := cpu.Value / 100 * count * float64(l[at].VCPU) * 60 // seconds
		n, x, y, xx, xy = n+1, x+requests, y+busy, xx+requests*requests, xy+requests*busy
	}
	if n < measured {
		return 0
	}
	seconds := y / x
	if variance := xx/n - x/n*x/n; math.Sqrt(max(0, variance)) > 0.2*x/n {
		if slope := (xy/n - x/n*y/n) / variance; slope > 0 {
			seconds = slope
		}
	}
	return time.Duration(seconds * float64(time.Second))
}
