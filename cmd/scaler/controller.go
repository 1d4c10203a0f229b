package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/archipelago-cdk/archipelago/scaling"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/arczonalshift"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// controller observes, decides and acts.
type controller struct {
	settings
	autoscaling    *autoscaling.Client
	cloudformation *cloudformation.Client
	cloudwatch     *cloudwatch.Client
	ec2            ec2.DescribeInstanceTypeOfferingsAPIClient
	templates      ec2.DescribeLaunchTemplateVersionsAPIClient
	elb            *elasticloadbalancingv2.Client
	sns            *sns.Client
	ssm            *ssm.Client
	zonalshift     *arczonalshift.Client
}

func newController(s settings, config aws.Config) *controller {
	return &controller{
		settings:       s,
		autoscaling:    autoscaling.NewFromConfig(config),
		cloudformation: cloudformation.NewFromConfig(config),
		cloudwatch:     cloudwatch.NewFromConfig(config),
		ec2:            ec2.NewFromConfig(config),
		templates:      ec2.NewFromConfig(config),
		elb:            elasticloadbalancingv2.NewFromConfig(config),
		sns:            sns.NewFromConfig(config),
		ssm:            ssm.NewFromConfig(config),
		zonalshift:     arczonalshift.NewFromConfig(config),
	}
}

// bringBackEvery is how often the group is compared with what is live, in minutes.
const bringBackEvery = 5

// tend makes one run for deployments: it does what a pending request waits for, and
// where there is none it brings the fleet back to what is live, each fifth minute. In
// the others it reads the parameters and ends. due is when the schedule wanted the run.
func (c *controller) tend(ctx context.Context, due time.Time) error {
	p, err := c.parameters(ctx)
	if err != nil {
		return err
	}
	if p.memory.Pending != nil {
		_, err := c.advance(ctx, &p, due)
		return err
	}
	if due.Minute()%bringBackEvery != 0 {
		return nil
	}
	f, err := c.fleet(ctx)
	var missing *noGroupError
	if errors.As(err, &missing) { // its stack is being made, or is gone
		return nil
	}
	if err != nil {
		return err
	}
	return c.bringBack(ctx, f, p, due)
}

// bringBack replaces what does not run what is live, whatever wrote it: the tags of a
// stack, a drift that was reverted, somebody by hand.
func (c *controller) bringBack(ctx context.Context, f fleet, p parameters, now time.Time) error {
	if p.memory.Live == nil || p.memory.Step != nil || f.refreshing() || f.saved().same(*p.memory.Live) {
		return nil
	}
	updating, err := c.stackUpdating(ctx)
	if err != nil || updating {
		return err
	}
	if adopted, err := c.adoptNewer(ctx, f, &p); err != nil || adopted {
		return err
	}
	s := step{Kind: scaling.Reconcile, From: p.instanceType, To: p.memory.Live.Type, At: now}
	p.memory.Step = &s
	if err := c.remember(ctx, p.memory); err != nil {
		return err
	}
	if _, err := c.start(ctx, f, *p.memory.Live, preferences{}); err != nil {
		return fmt.Errorf("%s could not begin: %w", s, err)
	}
	return c.tell(ctx, "begins", fmt.Sprintf("%s begins: the group had %s.", s, f.saved()))
}

// run makes one run: it sees to the end of the step before, decides, and begins
// what was decided. Any call may be the last one that is made; the next run then
// does what is left. So whatever it does can be done twice, and a step is written
// down before its refresh begins.
func (c *controller) run(ctx context.Context, now time.Time) (r *report, err error) {
	p, err := c.parameters(ctx)
	if err != nil {
		return nil, err
	}
	f, err := c.fleet(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.settle(ctx, f, &p); err != nil {
		return nil, err
	}
	if err := c.starve(ctx, f, p, now); err != nil {
		return nil, err
	}
	o, err := c.observe(ctx, f, p, now)
	var unoffered *noRungError
	if errors.As(err, &unoffered) || err == nil {
		err = errors.Join(err, c.sayNoRung(ctx, &p.memory, unoffered))
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.sayShiftUnknown(ctx, &p.memory, o.ShiftUnknown)) }() // holds nothing up
	o.StackUpdating = o.StackUpdating || p.memory.Pending != nil
	planned := c.plan(ctx, &o, &p, now)
	action := scaling.Decide(c.ladder, c.policy, o, now)
	r = newReport(c.ladder, o, action, now)
	r.Planned = planned
	if c.policy.Mode != scaling.Auto || o.Frozen {
		return r, nil
	}
	if action.Kind == scaling.Stay {
		return r, c.hold(ctx, o)
	}
	s := step{Kind: action.Kind, From: p.instanceType, To: action.To.Type, At: now}
	p.memory.Step = &s
	if err := c.remember(ctx, p.memory); err != nil {
		return nil, err
	}
	to := f.saved()
	if p.memory.Live != nil {
		to = *p.memory.Live
	}
	to.Type = s.To
	_, err = c.start(ctx, f, to, preferences{guarded: true, all: action.Kind == scaling.Recycle})
	var other *types.InstanceRefreshInProgressFault
	if errors.As(err, &other) { // a deployment was faster
		r.Says, r.Steps = "another instance refresh began just now; "+r.Says, 0
		return r, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s could not begin: %w", s, err)
	}
	return r, c.tell(ctx, "begins", fmt.Sprintf("%s begins: %s.", s, action.Reason))
}

// settle looks whether the step that was begun has ended, and if it succeeded
// makes its type the fleet's. Without one it looks for a refresh of somebody else.
func (c *controller) settle(ctx context.Context, f fleet, p *parameters) error {
	s := p.memory.Step
	if s == nil {
		_, err := c.adoptNewer(ctx, f, p)
		return err
	}
	var told error // is said, and holds nothing up
	refresh, began := f.refreshOf(*s)
	switch {
	case !began: // the run that was to begin it ended before
	case goesOn(refresh):
		return nil
	case refresh.Status == types.InstanceRefreshStatusSuccessful:
		// Another type that was written in the meantime takes precedence.
		if p.instanceType == s.From && s.To != s.From {
			if err := c.put(ctx, c.instanceType, s.To); err != nil {
				return err
			}
			p.instanceType = s.To
		}
		if p.memory.Live != nil {
			p.memory.Live.Type, p.memory.Live.Since = s.To, aws.ToTime(refresh.EndTime)
		}
		if p.memory.Failed != nil && p.memory.Failed.To == s.To {
			p.memory.Failed = nil
		}
		told = c.tell(ctx, "done", fmt.Sprintf("%s is done.", *s))
	default:
		attempts := 1
		if p.memory.Failed != nil && p.memory.Failed.To == s.To {
			attempts += p.memory.Failed.Attempts
		}
		p.memory.Failed = &scaling.Failure{To: s.To, At: aws.ToTime(refresh.EndTime), Attempts: attempts}
		told = c.tell(ctx, "failed", fmt.Sprintf("%s failed: the instance refresh %s is %s: %s.",
			*s, aws.ToString(refresh.InstanceRefreshId), refresh.Status, aws.ToString(refresh.StatusReason)))
	}
	p.memory.Step = nil
	return errors.Join(told, c.remember(ctx, p.memory))
}

// starve has a step rolled back whose launches have all failed for scaling.StarvesWithin,
// as where no zone has capacity for its type. Auto Scaling itself gives up after an hour.
func (c *controller) starve(ctx context.Context, f fleet, p parameters, now time.Time) error {
	s := p.memory.Step
	if s == nil || s.Kind == scaling.Reconcile { // which has nothing to go back to
		return nil
	}
	refresh, began := f.refreshOf(*s)
	if !began || refresh.Status != types.InstanceRefreshStatusInProgress {
		return nil
	}
	out, err := c.autoscaling.DescribeScalingActivities(ctx, &autoscaling.DescribeScalingActivitiesInput{AutoScalingGroupName: &c.group})
	if err != nil {
		return err
	}
	var since time.Time
	var why string
	for _, a := range out.Activities { // the newest first
		if a.StatusCode == types.ScalingActivityStatusCodeSuccessful || a.StartTime.Before(aws.ToTime(refresh.StartTime)) {
			break
		}
		if a.StatusCode == types.ScalingActivityStatusCodeFailed {
			since, why = *a.StartTime, aws.ToString(a.StatusMessage)
		}
	}
	if !passed(since, scaling.StarvesWithin, now) {
		return nil
	}
	if err := c.rollBack(ctx, &p, refresh); err != nil {
		return err
	}
	return c.tell(ctx, "is rolled back", fmt.Sprintf("%s is rolled back: nothing could be launched for %s: %s", *s, scaling.StarvesWithin, why))
}

// adoptNewer takes a refresh of somebody else that succeeded since the last one that is
// known for what is live, and reports whether there was one. What a deployment has begun
// is its own.
func (c *controller) adoptNewer(ctx context.Context, f fleet, p *parameters) (bool, error) {
	l, w := p.memory.Live, p.memory.Pending
	if l == nil || w != nil && w.Began || f.refreshing() || len(f.refreshes) == 0 || f.saved().same(*l) {
		return false, nil
	}
	r := f.refreshes[0]
	if r.Status != types.InstanceRefreshStatusSuccessful || !r.EndTime.After(l.Since) || !f.is(r, f.saved()) {
		return false, nil
	}
	adopted, err := c.adopt(ctx, f)
	if err != nil {
		return false, err
	}
	// Its type is the fleet's, unless another one was written in the meantime: else
	// the next decision would take it back.
	if p.instanceType == l.Type && adopted.Type != p.instanceType {
		if err := c.put(ctx, c.instanceType, adopted.Type); err != nil {
			return false, err
		}
		p.instanceType = adopted.Type
	}
	p.memory.Live = c.now(adopted, r)
	return true, c.remember(ctx, p.memory)
}

// hold keeps the requests' target that belongs to the fleet's rung: a step leaves
// that of the former one, and a deployment writes that of the first.
func (c *controller) hold(ctx context.Context, o scaling.Observation) error {
	at := c.ladder.Find(o.Parameter)
	if at < 0 || o.Refreshing || o.StackUpdating {
		return nil
	}
	return c.holdRequests(ctx, scaling.RequestsPerTarget(c.requestsPerTarget, c.startAt, c.ladder[at]))
}
