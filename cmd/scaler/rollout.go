package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// Bounds of a deployment. CloudFormation waits for 60 minutes and no longer.
const (
	// stepWithin is what a step may take to end before a deployment has it rolled
	// back.
	stepWithin = 10 * time.Minute
	// createWithin is what the first instances may take to be healthy.
	createWithin = 15 * time.Minute
	// healthyWithin is what a new instance may take: the group's grace period, two
	// health checks and a minute.
	healthyWithin = setting.GracePeriod + 20*time.Second + time.Minute
	// movesWithin is how long a refresh may go without replacing anything, as when a
	// zone has no capacity.
	movesWithin = 20 * time.Minute
	// deployWithin is when a deployment that goes on is rolled back, so that it is
	// back before answerWithin.
	deployWithin = 45 * time.Minute
	// restoreWithin is when a stack's rollback is told that all is well, whatever is:
	// the controller brings the group back, and a stack whose rollback fails takes an
	// operator.
	restoreWithin = 50 * time.Minute
	// answerWithin leaves the run that answers three minutes to come, and the request four
	// until a run saw it: one that meets other runs waits in Lambda's queue, for twice as long
	// each time.
	answerWithin = 53 * time.Minute
	// alarmWithin is how long a deployment waits for the alarm to have data.
	alarmWithin = 5 * time.Minute
	// lateAfter is how long after it was due a run still judges. A schedule has a
	// precision of a minute. Source: EventBridge Scheduler User Guide, "Schedule types".
	lateAfter = 90 * time.Second
)

// live is what the fleet was brought to by the last refresh that succeeded.
type live struct {
	Template string `json:"template"`
	Version  string `json:"version"`
	// Build is the version's description: what is the same content is the same build.
	Build string    `json:"build"`
	Type  string    `json:"type"`
	Since time.Time `json:"since"`
}

func (l live) String() string {
	return fmt.Sprintf("version %s of %s on %s", l.Version, l.Template, l.Type)
}

// kind is what a deployment waits for.
type kind string

const (
	// hold waits until no refresh is active, and answers what is live.
	hold kind = "hold"
	// create waits for the first instances.
	create kind = "create"
	// deploy brings the fleet to another build.
	deploy kind = "deploy"
	// restore brings it back while the stack rolls back.
	restore kind = "restore"
)

// pending is a request of CloudFormation that has no answer yet.
type pending struct {
	Kind    kind      `json:"kind"`
	Request cfn.Event `json:"request"` // without its properties
	Build   string    `json:"build,omitempty"`
	// Asked is when the first run saw it, by AWS's clock: the only one that is looked at.
	Asked time.Time `json:"asked,omitzero"`
	// Instead is set where a deployment had begun and had no answer yet: CloudFormation has
	// given it up, so that its refresh goes back at once.
	Instead bool `json:"instead,omitempty"`
	// Began is set before its refresh is started, and Refresh after.
	Began   bool   `json:"began,omitempty"`
	Refresh string `json:"refresh,omitempty"`
	// Failing is why its refresh is being rolled back.
	Failing string `json:"failing,omitempty"`
	// Progress is what the refresh had replaced when it last moved, at Moved.
	Progress string    `json:"progress,omitempty"`
	Moved    time.Time `json:"moved,omitzero"`
	// Healthy is how many instances of the build were healthy, and Unwell the time
	// since which others are not.
	Healthy int       `json:"healthy,omitempty"`
	Unwell  time.Time `json:"unwell,omitzero"`
	// Reason is what was said last of an instance that is not healthy: it may have been
	// replaced by another one since.
	Reason string `json:"reason,omitempty"`
	// Unguarded is set where the alarm was off before the refresh: then the share of
	// failed requests may not grow beyond Failed, the most before the build Served, as
	// soon as all that is counted is later.
	Unguarded bool      `json:"unguarded,omitempty"`
	Failed    float64   `json:"failed,omitempty"`
	Served    time.Time `json:"served,omitzero"`
	// Answer is tried until it is taken.
	Answer *answer `json:"answer,omitempty"`
}

// answer is what CloudFormation is told.
type answer struct {
	Failure string `json:"failure,omitempty"` // "" is success
	Live    *live  `json:"live,omitempty"`
}

// accept makes a request of CloudFormation the one that is pending. One that comes
// twice is one.
func (c *controller) accept(ctx context.Context, p *parameters, e cfn.Event) error {
	if p.memory.Answered == e.RequestID {
		return nil
	}
	former := p.memory.Pending
	if former != nil && former.Request.RequestID == e.RequestID {
		return nil
	}
	build, _ := e.ResourceProperties["Build"].(string)
	e.ResourceProperties, e.OldResourceProperties = nil, nil
	next := &pending{Request: e, Build: build, Instead: former != nil && former.Kind == deploy && former.Began && former.Answer == nil}
	switch {
	case e.RequestType == cfn.RequestDelete:
		next.Answer = &answer{}
		if e.ResourceType == setting.RolloutType {
			p.memory.Live = nil // a stack that is made again has other templates
		}
	case e.ResourceType == setting.HoldType:
		next.Kind = hold
	case e.ResourceType == setting.RolloutType:
		next.Kind = deploy
	default:
		next.Answer = &answer{Failure: fmt.Sprintf("the scaler makes no %s", e.ResourceType)}
	}
	p.memory.Pending = next
	return c.remember(ctx, p.memory)
}

// advance does what can be done now for the pending request, and reports whether it
// has been answered. due is when the schedule wanted the run, or zero in one that
// CloudFormation began, which is never late. What is judged is so by the time at which
// AWS describes the fleet; a run that comes late, as one that waited for another to end,
// leaves it to the next: what it sees is not of the time that nobody looked in.
func (c *controller) advance(ctx context.Context, p *parameters, due time.Time) (bool, error) {
	w, now := p.memory.Pending, due
	var f fleet
	var missing error
	if w.Answer == nil {
		f, missing = c.fleet(ctx)
		if !f.at.IsZero() {
			now = f.at
		}
		if !due.IsZero() && now.Sub(due) > lateAfter {
			return false, nil
		}
	}
	if w.Asked.IsZero() && !now.IsZero() {
		w.Asked = now
		if err := c.remember(ctx, p.memory); err != nil {
			return false, err
		}
	}
	if w.Answer == nil {
		a, err := c.pursue(ctx, f, missing, p, now)
		if err != nil {
			// An error that stays is an answer in the end: on creation soon, since it is
			// most often a right that is missing.
			within := answerWithin
			if w.Kind == create {
				within = createWithin
			}
			if !passed(w.Asked, within, now) {
				return false, err
			}
			a = &answer{Failure: err.Error()}
			if w.Kind == restore {
				a.Failure = ""
			}
		}
		if a == nil {
			return false, nil
		}
		w.Answer = a
		if a.Live != nil {
			p.memory.Live = a.Live
		}
		if err := c.remember(ctx, p.memory); err != nil {
			return false, err
		}
	}
	if err := w.send(); err != nil && !passed(w.Asked, 2*time.Hour, now) {
		return false, fmt.Errorf("CloudFormation did not take the answer to %s: %w", w.Request.LogicalResourceID, err)
	}
	p.memory.Pending, p.memory.Answered = nil, w.Request.RequestID
	err := c.remember(ctx, p.memory)
	if w.Request.RequestType == cfn.RequestDelete {
		err = nil // the stack may have deleted the function's rights by now
	}
	return true, err
}

// passed reports whether so much time has gone by since a time that is known.
func passed(since time.Time, d time.Duration, now time.Time) bool {
	return !since.IsZero() && !now.Before(since.Add(d))
}

// send answers CloudFormation.
func (w *pending) send() error {
	r := cfn.NewResponse(&w.Request)
	r.PhysicalResourceID = w.Request.PhysicalResourceID
	if r.PhysicalResourceID == "" {
		r.PhysicalResourceID = w.Request.LogicalResourceID
	}
	r.Status = cfn.StatusSuccess
	if w.Answer.Failure != "" {
		r.Status, r.Reason = cfn.StatusFailed, w.Answer.Failure
	}
	if l := w.Answer.Live; l != nil {
		r.Data = map[string]any{"Template": l.Template, "Version": l.Version, "Type": l.Type}
	}
	return r.Send()
}

// pursue returns the answer once there is one. missing is why there is no fleet, or nil.
func (c *controller) pursue(ctx context.Context, f fleet, missing error, p *parameters, now time.Time) (*answer, error) {
	var noGroup *noGroupError
	if errors.As(missing, &noGroup) && p.memory.Pending.Kind == hold {
		return c.holdFirst(ctx, p)
	}
	if missing != nil {
		return nil, missing
	}
	var err error
	if p.memory.Live == nil {
		if p.memory.Live, err = c.adopt(ctx, f); err != nil {
			return nil, err
		}
	}
	// A step that has ended is live, also where no run has seen its end.
	if err := c.settle(ctx, f, p); err != nil {
		return nil, err
	}
	switch p.memory.Pending.Kind {
	case hold:
		return c.holdUntilQuiet(ctx, f, p, now)
	case create:
		return c.awaitFirst(ctx, f, p, now)
	case restore:
		return c.restore(ctx, f, p, now)
	default:
		return c.deploy(ctx, f, p, now)
	}
}

// holdFirst answers before there is a group: what another group of the template launches,
// which the stack has until it has this one, as v0.2.0 had; or else the template's first
// version, and the type that the fleet had or starts with.
func (c *controller) holdFirst(ctx context.Context, p *parameters) (*answer, error) {
	l := live{Template: c.template, Version: "1", Type: p.instanceType}
	pages := autoscaling.NewDescribeAutoScalingGroupsPaginator(c.autoscaling, &autoscaling.DescribeAutoScalingGroupsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, g := range page.AutoScalingGroups {
			if override(g.MixedInstancesPolicy) == "" {
				continue
			}
			if former := (fleet{AutoScalingGroup: g}).saved(); former.Template == c.template {
				l = former
			}
		}
	}
	if c.ladder.Find(l.Type) < 0 {
		l.Type = c.startAt.Type
	}
	var err error
	l.Build, err = c.build(ctx, l)
	return &answer{Live: &l}, err
}

// adopt takes what is saved on the group for what is live.
func (c *controller) adopt(ctx context.Context, f fleet) (*live, error) {
	l := f.saved()
	var err error
	if l.Build, err = c.build(ctx, l); err != nil {
		return nil, err
	}
	return &l, nil
}

// holdUntilQuiet answers what is live when no refresh is active.
func (c *controller) holdUntilQuiet(ctx context.Context, f fleet, p *parameters, now time.Time) (*answer, error) {
	quiet, err := c.quiet(ctx, f, p, now)
	switch {
	case err != nil:
		return nil, err
	case quiet:
		return &answer{Live: p.memory.Live}, nil
	case passed(p.memory.Pending.Asked, answerWithin, now):
		return &answer{Failure: "an instance refresh does not end: cancel it, and deploy again"}, nil
	}
	return nil, nil
}

// quiet reports whether no refresh is active. It lets one end, a step or an
// operator's, and has it rolled back when it takes too long, or at once if it is of a
// deployment that was given up.
func (c *controller) quiet(ctx context.Context, f fleet, p *parameters, now time.Time) (bool, error) {
	w := p.memory.Pending
	r, active := f.active()
	switch {
	case !active:
		w.Failing = ""
		return true, nil
	case w.Failing == "" && !w.Instead && !passed(w.Asked, stepWithin, now):
		return false, nil
	}
	w.Failing = "a deployment waits for it"
	return false, c.rollBack(ctx, p, r)
}

// awaitFirst waits for the fewest instances to be healthy, and then rehearses a
// refresh, which replaces nothing: whatever a step or a deployment is not allowed to
// do is found out while nothing is at stake.
func (c *controller) awaitFirst(ctx context.Context, f fleet, p *parameters, now time.Time) (*answer, error) {
	w := p.memory.Pending
	if !w.Began {
		healthy, err := c.healthy(ctx, f, nil, w)
		if err != nil {
			return nil, err
		}
		if healthy < int(aws.ToInt32(f.MinSize)) {
			if passed(w.Asked, createWithin, now) {
				return c.fail(ctx, fmt.Sprintf("%d of %d instances are healthy after %s: %s", healthy, *f.MinSize, createWithin, cmp.Or(w.Reason, c.lastActivity(ctx))))
			}
			return nil, c.remember(ctx, p.memory)
		}
	}
	r, ended, err := c.refresh(ctx, f, p, *p.memory.Live, preferences{})
	if err != nil || !ended {
		return nil, err
	}
	if r.Status != types.InstanceRefreshStatusSuccessful {
		return &answer{Failure: "an instance refresh that replaces nothing " + ending(r)}, nil
	}
	return &answer{Live: c.now(p.memory.Live, r)}, nil
}

// deploy brings the fleet to the build.
func (c *controller) deploy(ctx context.Context, f fleet, p *parameters, now time.Time) (*answer, error) {
	w, l := p.memory.Pending, p.memory.Live
	if !w.Began {
		status, err := c.stackStatus(ctx)
		if err != nil {
			return nil, err
		}
		switch {
		case strings.Contains(string(status), "ROLLBACK"):
			w.Kind = restore
			return c.restore(ctx, f, p, now)
		case w.Build == l.Build && w.Request.RequestType == cfn.RequestCreate:
			w.Kind = create
			return c.awaitFirst(ctx, f, p, now)
		case w.Build == l.Build && f.saved().same(*l) && !f.refreshing():
			return &answer{Live: l}, nil
		}
		if quiet, err := c.quiet(ctx, f, p, now); !quiet || err != nil {
			return nil, err
		}
		if process := f.suspended(); process != "" {
			return c.fail(ctx, process+" is suspended, so that no instance is replaced: resume the processes of "+c.group+", and deploy again")
		}
		if ready, err := c.guard(ctx, w, now); !ready || err != nil {
			return nil, err
		}
	}
	to, err := c.target(ctx, p)
	if err != nil {
		return nil, err
	}
	r, ended, err := c.refresh(ctx, f, p, to, preferences{guarded: !w.Unguarded, checkpoints: true})
	if err != nil {
		return nil, err
	}
	if ended {
		if r.Status == types.InstanceRefreshStatusSuccessful {
			return &answer{Live: c.now(&to, r)}, nil
		}
		failure := w.Failing
		if failure == "" {
			failure = "the instance refresh " + ending(r)
		}
		return c.fail(ctx, failure)
	}
	if w.Failing != "" {
		if passed(w.Asked, answerWithin, now) {
			return c.fail(ctx, w.Failing+"; its rollback goes on")
		}
		return nil, c.rollBack(ctx, p, r)
	}
	failing, err := c.failing(ctx, f, p, to, r, now)
	if err != nil || failing == "" {
		return nil, errors.Join(err, c.remember(ctx, p.memory))
	}
	w.Failing = failing
	return nil, c.rollBack(ctx, p, r)
}

// failing returns why a deployment's refresh is to be rolled back, or "".
func (c *controller) failing(ctx context.Context, f fleet, p *parameters, to live, r types.InstanceRefresh, now time.Time) (string, error) {
	w := p.memory.Pending
	if now.IsZero() {
		return "", nil
	}
	healthy, err := c.healthy(ctx, f, &to, w)
	if err != nil {
		return "", err
	}
	launched := f.launched(to)
	// The group replaces an instance that is not healthy after its grace period, so for a
	// while there may be none, which is not progress.
	if healthy > w.Healthy || launched > 0 && healthy == launched {
		w.Healthy, w.Unwell = max(healthy, w.Healthy), time.Time{}
	} else if launched > healthy && w.Unwell.IsZero() {
		w.Unwell = now
	}
	progress := fmt.Sprint(aws.ToInt32(r.PercentageComplete), " ", aws.ToInt32(r.InstancesToUpdate), " ", launched, " ", healthy)
	if progress != w.Progress {
		w.Progress, w.Moved = progress, now
	}
	switch {
	case passed(w.Unwell, healthyWithin, now):
		return fmt.Sprintf("a new instance is not healthy after %s: %s", healthyWithin, cmp.Or(w.Reason, c.lastActivity(ctx))), nil
	case passed(w.Moved, movesWithin, now):
		return fmt.Sprintf("no instance was replaced for %s: %s", movesWithin, c.lastActivity(ctx)), nil
	case passed(w.Asked, deployWithin, now):
		return fmt.Sprintf("the instances were not replaced within %s", deployWithin), nil
	case w.Unguarded:
		failed, err := c.failedShare(ctx, now)
		switch {
		case err != nil:
			return "", err
		case w.Served.IsZero() && healthy == 0: // whatever fails is not the build's
			w.Failed = max(w.Failed, failed)
		case w.Served.IsZero():
			w.Served = now
		case passed(w.Served, (setting.AlarmMinutes+1)*time.Minute, now) && failed > w.Failed+setting.AlarmPercent:
			return fmt.Sprintf("%.1f %% of requests fail, and %.1f %% did before", failed, w.Failed), nil
		}
	}
	return "", nil
}

// restore brings the fleet back to the build of the template that the stack returns
// to. It never fails.
func (c *controller) restore(ctx context.Context, f fleet, p *parameters, now time.Time) (*answer, error) {
	w, l := p.memory.Pending, p.memory.Live
	r, active := f.active()
	switch {
	case passed(w.Asked, restoreWithin, now):
		return &answer{}, nil
	case active && w.Refresh == "" && w.Began: // by a run that was killed then
	case active && w.Refresh == "" && r.Status != types.InstanceRefreshStatusRollbackInProgress:
		return nil, c.rollBack(ctx, p, r) // that of the update that failed
	case active:
		return nil, nil
	case l.Build == w.Build && f.saved().same(*l) && f.only(*l):
		return &answer{Live: l}, nil
	}
	to, err := c.target(ctx, p)
	var none *noVersionError
	if errors.As(err, &none) { // what is live stays
		return &answer{}, nil
	}
	if err != nil {
		return nil, err
	}
	if active && w.Refresh == "" && !f.is(r, to) { // another one was faster
		return nil, c.rollBack(ctx, p, r)
	}
	r, ended, err := c.refresh(ctx, f, p, to, preferences{})
	if err != nil || !ended {
		return nil, err
	}
	if r.Status == types.InstanceRefreshStatusSuccessful {
		return &answer{Live: c.now(&to, r)}, nil
	}
	w.Began, w.Refresh = false, "" // again
	return nil, c.remember(ctx, p.memory)
}

// target is the pending build on the live type, or on the type to start at where the
// ladder has that one no more.
func (c *controller) target(ctx context.Context, p *parameters) (live, error) {
	to := *p.memory.Live
	to.Build = p.memory.Pending.Build
	if c.ladder.Find(to.Type) < 0 {
		to.Type = c.startAt.Type
	}
	if to.Build == p.memory.Live.Build {
		return to, nil
	}
	to.Template = c.template
	var err error
	to.Version, err = c.version(ctx, to.Build)
	return to, err
}

// now is l as of the refresh that brought the fleet there.
func (c *controller) now(l *live, r types.InstanceRefresh) *live {
	n := *l
	n.Since = aws.ToTime(r.EndTime)
	return &n
}

// guard reads what the deployment alarm says before anything is replaced, and reports
// whether the refresh may begin.
func (c *controller) guard(ctx context.Context, w *pending, now time.Time) (bool, error) {
	if c.unguarded {
		w.Unguarded, w.Failed = true, 100 // nothing is more
		return true, nil
	}
	state, err := c.alarmState(ctx)
	if err != nil {
		return false, err
	}
	switch {
	case state == cloudwatchtypes.StateValueOk:
		return true, nil
	case state == cloudwatchtypes.StateValueInsufficientData && !passed(w.Asked, alarmWithin, now):
		return false, nil
	case now.IsZero():
		return false, nil
	}
	w.Unguarded = true
	w.Failed, err = c.failedShare(ctx, now)
	return true, err
}

// preferences are how a refresh goes.
type preferences struct {
	// guarded has the deployment alarm stop it.
	guarded bool
	// checkpoints has it wait after the first quarter, and replace the others at once.
	checkpoints bool
	// all replaces also instances that are right already.
	all bool
}

// refresh is the pending request's instance refresh: it is started once, and found
// again when the run that started it was killed. It reports whether it has ended.
func (c *controller) refresh(ctx context.Context, f fleet, p *parameters, to live, how preferences) (types.InstanceRefresh, bool, error) {
	w := p.memory.Pending
	if w.Refresh == "" {
		if r, active := f.active(); active {
			if !w.Began || !f.is(r, to) { // another's: ours comes after it
				return types.InstanceRefresh{}, false, nil
			}
			w.Refresh = aws.ToString(r.InstanceRefreshId)
		} else {
			w.Began = true
			if err := c.remember(ctx, p.memory); err != nil {
				return types.InstanceRefresh{}, false, err
			}
			id, err := c.start(ctx, f, to, how)
			var other *types.InstanceRefreshInProgressFault
			if errors.As(err, &other) {
				return types.InstanceRefresh{}, false, nil
			}
			if err != nil {
				return types.InstanceRefresh{}, false, err
			}
			w.Refresh = id
		}
		return types.InstanceRefresh{}, false, c.remember(ctx, p.memory)
	}
	i := slices.IndexFunc(f.refreshes, func(r types.InstanceRefresh) bool { return aws.ToString(r.InstanceRefreshId) == w.Refresh })
	if i < 0 {
		return types.InstanceRefresh{}, false, fmt.Errorf("there is no instance refresh %s any more", w.Refresh)
	}
	return f.refreshes[i], !goesOn(f.refreshes[i]), nil
}

// rollBack has AWS return to what is saved on the group, which is what was live, if it
// does not yet. It says why first, so that a run that is killed here is not forgotten: the
// next one calls it again.
func (c *controller) rollBack(ctx context.Context, p *parameters, r types.InstanceRefresh) error {
	if err := c.remember(ctx, p.memory); err != nil {
		return err
	}
	if r.Status == types.InstanceRefreshStatusRollbackInProgress || r.Status == types.InstanceRefreshStatusCancelling {
		return nil
	}
	_, err := c.autoscaling.RollbackInstanceRefresh(ctx, &autoscaling.RollbackInstanceRefreshInput{AutoScalingGroupName: &c.group})
	var irreversible *types.IrreversibleInstanceRefreshFault
	if errors.As(err, &irreversible) { // an operator's, without a desired configuration
		_, err = c.autoscaling.CancelInstanceRefresh(ctx, &autoscaling.CancelInstanceRefreshInput{AutoScalingGroupName: &c.group})
	}
	var none *types.ActiveInstanceRefreshNotFoundFault
	if errors.As(err, &none) { // it ended just now
		return nil
	}
	return err
}

// fail is the answer to a deployment that did not succeed.
func (c *controller) fail(ctx context.Context, why string) (*answer, error) {
	return &answer{Failure: why}, c.send(ctx, "a deployment failed", fmt.Sprintf("A deployment failed: %s.", why))
}

// ending says how a refresh ended.
func ending(r types.InstanceRefresh) string {
	return fmt.Sprintf("%s is %s: %s", aws.ToString(r.InstanceRefreshId), r.Status, aws.ToString(r.StatusReason))
}

// healthy counts the healthy instances, all or those of one configuration, and keeps
// for w why others are not.
func (c *controller) healthy(ctx context.Context, f fleet, of *live, w *pending) (int, error) {
	out, err := c.elb.DescribeTargetHealth(ctx, &elasticloadbalancingv2.DescribeTargetHealthInput{TargetGroupArn: &c.targetGroupARN})
	if err != nil {
		return 0, err
	}
	count := 0
	for _, d := range out.TargetHealthDescriptions {
		i := slices.IndexFunc(f.Instances, func(i types.Instance) bool { return aws.ToString(i.InstanceId) == aws.ToString(d.Target.Id) })
		if i < 0 || of != nil && !of.launched(f.Instances[i]) {
			continue
		}
		switch d.TargetHealth.State {
		case elbtypes.TargetHealthStateEnumHealthy:
			count++
		case elbtypes.TargetHealthStateEnumUnhealthy:
			w.Reason = fmt.Sprintf("%s is %s: %s", aws.ToString(d.Target.Id), d.TargetHealth.State, aws.ToString(d.TargetHealth.Description))
		}
	}
	return count, nil
}

// lastActivity is what the group says of the last thing that it did.
func (c *controller) lastActivity(ctx context.Context) string {
	out, err := c.autoscaling.DescribeScalingActivities(ctx, &autoscaling.DescribeScalingActivitiesInput{
		AutoScalingGroupName: &c.group, MaxRecords: aws.Int32(1),
	})
	if err != nil {
		return err.Error()
	}
	if len(out.Activities) == 0 {
		return "the group has done nothing yet"
	}
	a := out.Activities[0]
	return strings.TrimSuffix(aws.ToString(a.Description)+" "+aws.ToString(a.StatusMessage), " ")
}

// version is the newest version of the template that is a build, or a noVersionError. It
// is not the template's latest: after a stack's rollback that one is another.
func (c *controller) version(ctx context.Context, build string) (string, error) {
	pages := ec2.NewDescribeLaunchTemplateVersionsPaginator(c.templates, &ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: &c.template})
	newest := int64(0)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", err
		}
		for _, v := range page.LaunchTemplateVersions {
			if aws.ToString(v.VersionDescription) == build {
				newest = max(newest, aws.ToInt64(v.VersionNumber))
			}
		}
	}
	if newest == 0 {
		return "", &noVersionError{c.template, build}
	}
	return strconv.FormatInt(newest, 10), nil
}

// noVersionError says that a launch template has no version of a build.
type noVersionError struct{ template, build string }

func (e *noVersionError) Error() string {
	return fmt.Sprintf("the launch template %s has no version of the build %q", e.template, e.build)
}

// build is the description of a version.
func (c *controller) build(ctx context.Context, l live) (string, error) {
	out, err := c.templates.DescribeLaunchTemplateVersions(ctx, &ec2.DescribeLaunchTemplateVersionsInput{
		LaunchTemplateId: &l.Template, Versions: []string{l.Version},
	})
	if err != nil {
		return "", err
	}
	if len(out.LaunchTemplateVersions) != 1 {
		return "", fmt.Errorf("the launch template %s has no version %s", l.Template, l.Version)
	}
	return aws.ToString(out.LaunchTemplateVersions[0].VersionDescription), nil
}

// deployment takes a request of CloudFormation, and stays with it for as long as the
// function may run: most are answered by then.
func (h *handler) deployment(ctx context.Context, e cfn.Event) error {
	p, err := h.controller.parameters(ctx)
	var unreadable *unreadableError
	switch {
	case errors.As(err, &unreadable) && e.RequestType == cfn.RequestDelete: // nothing is left to forget
		return (&pending{Request: e, Answer: &answer{}}).send()
	case errors.As(err, &unreadable):
		return (&pending{Request: e, Answer: &answer{Failure: err.Error()}}).send()
	case err != nil: // Lambda tries again
		return err
	}
	if err := h.controller.accept(ctx, &p, e); err != nil || p.memory.Pending == nil {
		return err
	}
	for {
		done, err := h.controller.advance(ctx, &p, time.Time{})
		if done || err != nil {
			return err
		}
		deadline, _ := ctx.Deadline()
		if time.Until(deadline) < leave {
			return nil // the schedule goes on from here
		}
		time.Sleep(lookEvery)
	}
}

const (
	// leave is what is left of the function's time when it leaves a request to the
	// schedule.
	leave     = 20 * time.Second
	lookEvery = time.Second
)
