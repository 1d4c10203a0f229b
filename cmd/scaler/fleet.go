package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// fleet is the Auto Scaling group and its instance refreshes, the latest first.
type fleet struct {
	types.AutoScalingGroup
	refreshes []types.InstanceRefresh
	// at is when AWS described it, by its own clock, or zero where it does not say.
	at time.Time
}

// fleet describes it. Where there is no group, a noGroupError comes with the time.
func (c *controller) fleet(ctx context.Context) (fleet, error) {
	groups, err := c.autoscaling.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{
		AutoScalingGroupNames: []string{c.group},
	})
	if err != nil {
		return fleet{}, err
	}
	at, _ := awsmiddleware.GetServerTime(groups.ResultMetadata)
	if len(groups.AutoScalingGroups) != 1 {
		return fleet{at: at}, &noGroupError{c.group}
	}
	f := fleet{AutoScalingGroup: groups.AutoScalingGroups[0], at: at}
	if p := f.MixedInstancesPolicy; p == nil || p.LaunchTemplate == nil || p.LaunchTemplate.LaunchTemplateSpecification == nil {
		return fleet{}, fmt.Errorf("the Auto Scaling group %s has no mixed instances policy, which holds the instance type", c.group)
	}
	// The latest page is enough: whatever matters ended after the last fifty.
	refreshes, err := c.autoscaling.DescribeInstanceRefreshes(ctx, &autoscaling.DescribeInstanceRefreshesInput{AutoScalingGroupName: &c.group})
	if err != nil {
		return fleet{}, err
	}
	f.refreshes = refreshes.InstanceRefreshes
	return f, nil
}

// noGroupError says that there is no group of this name.
type noGroupError struct{ name string }

func (e *noGroupError) Error() string { return "there is no Auto Scaling group " + e.name }

// saved is what the group launches, and returns to when a refresh is rolled back.
func (f fleet) saved() live {
	s := f.MixedInstancesPolicy.LaunchTemplate.LaunchTemplateSpecification
	return live{Template: aws.ToString(s.LaunchTemplateId), Version: aws.ToString(s.Version), Type: f.launches()}
}

// same reports whether instances of both are alike.
func (l live) same(o live) bool {
	return l.Template == o.Template && l.Version == o.Version && l.Type == o.Type
}

// launched reports whether an instance is one of l.
func (l live) launched(i types.Instance) bool {
	s := i.LaunchTemplate
	return s != nil && l.Template == aws.ToString(s.LaunchTemplateId) && l.Version == aws.ToString(s.Version) && l.Type == aws.ToString(i.InstanceType)
}

// launched counts the instances of l that stay.
func (f fleet) launched(l live) int {
	n := 0
	for _, i := range f.Instances {
		if stays(i) && l.launched(i) {
			n++
		}
	}
	return n
}

// only reports whether all instances that stay are of l.
func (f fleet) only(l live) bool {
	return !slices.ContainsFunc(f.Instances, func(i types.Instance) bool { return stays(i) && !l.launched(i) })
}

// active is the refresh that goes on.
func (f fleet) active() (types.InstanceRefresh, bool) {
	if i := slices.IndexFunc(f.refreshes, goesOn); i >= 0 {
		return f.refreshes[i], true
	}
	return types.InstanceRefresh{}, false
}

// is reports whether a refresh brings the fleet to l.
func (f fleet) is(r types.InstanceRefresh, l live) bool {
	d := r.DesiredConfiguration
	if d == nil || d.MixedInstancesPolicy == nil || d.MixedInstancesPolicy.LaunchTemplate == nil {
		return false
	}
	s := d.MixedInstancesPolicy.LaunchTemplate.LaunchTemplateSpecification
	return l.same(live{Template: aws.ToString(s.LaunchTemplateId), Version: aws.ToString(s.Version), Type: override(d.MixedInstancesPolicy)})
}

// suspended is a process of the group without which instances are not replaced, and that
// somebody has suspended, or "".
func (f fleet) suspended() string {
	for _, p := range f.SuspendedProcesses {
		if name := aws.ToString(p.ProcessName); slices.Contains(setting.Replacing(), name) {
			return name
		}
	}
	return ""
}

// launches is the type of new instances.
func (f fleet) launches() string { return override(f.MixedInstancesPolicy) }

func override(p *types.MixedInstancesPolicy) string {
	if p == nil || p.LaunchTemplate == nil || len(p.LaunchTemplate.Overrides) == 0 {
		return ""
	}
	return aws.ToString(p.LaunchTemplate.Overrides[0].InstanceType)
}

// instances counts those of each type that stay. One that is on its way out says
// nothing about what the fleet has: after a refresh that was rolled back those of
// the other type are still listed until they have ended.
func (f fleet) instances() map[string]int {
	count := map[string]int{}
	for _, i := range f.Instances {
		if stays(i) {
			count[aws.ToString(i.InstanceType)]++
		}
	}
	return count
}

func stays(i types.Instance) bool {
	state := string(i.LifecycleState)
	return !strings.HasPrefix(state, "Terminat") && !strings.HasPrefix(state, "Detach")
}

// ended are the states that a refresh does not leave.
var ended = []types.InstanceRefreshStatus{
	types.InstanceRefreshStatusSuccessful, types.InstanceRefreshStatusFailed, types.InstanceRefreshStatusCancelled,
	types.InstanceRefreshStatusRollbackSuccessful, types.InstanceRefreshStatusRollbackFailed,
}

func goesOn(r types.InstanceRefresh) bool { return !slices.Contains(ended, r.Status) }

// refreshing reports whether instances are being replaced, for any reason.
func (f fleet) refreshing() bool { return slices.ContainsFunc(f.refreshes, goesOn) }

// lastStep is when the last refresh ended.
func (f fleet) lastStep() time.Time {
	var last time.Time
	for _, r := range f.refreshes {
		if r.EndTime != nil && r.EndTime.After(last) {
			last = *r.EndTime
		}
	}
	return last
}

// refreshOf is the refresh that a step began: the first one to its type since.
// AWS tells when it began in whole seconds, and not before it has left "Pending".
func (f fleet) refreshOf(s step) (types.InstanceRefresh, bool) {
	since := func(r types.InstanceRefresh) bool {
		if r.StartTime == nil {
			return goesOn(r)
		}
		return !r.StartTime.Before(s.At.Truncate(time.Second))
	}
	for _, r := range slices.Backward(f.refreshes) {
		if since(r) && r.DesiredConfiguration != nil && override(r.DesiredConfiguration.MixedInstancesPolicy) == s.To {
			return r, true
		}
	}
	return types.InstanceRefresh{}, false
}

// stepPercent is how many instances there are at most, in percent of the fleet, while
// they are replaced for another reason than a deployment.
const stepPercent = 150

// start starts to replace the fleet's instances by those of to, and returns the
// refresh's id. What the group has saved stays until all are replaced: AWS returns to
// it when the refresh fails. Source: EC2 Auto Scaling User Guide, "Undo changes with a
// manual or auto rollback".
func (c *controller) start(ctx context.Context, f fleet, to live, how preferences) (string, error) {
	p := &types.RefreshPreferences{
		MinHealthyPercentage: aws.Int32(100), // launch before terminate
		MaxHealthyPercentage: aws.Int32(stepPercent),
		InstanceWarmup:       aws.Int32(int32(setting.RefreshWarmup.Seconds())),
		// Instances that are right already are left.
		SkipMatching: aws.Bool(!how.all),
		AutoRollback: aws.Bool(true),
	}
	if how.checkpoints {
		// The alarm sees what the first quarter does before the others follow, all at
		// once: what the alarm sees only then is back the sooner.
		p.MaxHealthyPercentage = aws.Int32(setting.DeploymentPercent)
		p.CheckpointPercentages = setting.Checkpoints()
		p.CheckpointDelay = aws.Int32(setting.AlarmMinutes * 60)
	}
	if how.guarded {
		p.AlarmSpecification = &types.AlarmSpecification{Alarms: []string{c.deploymentAlarm}}
		p.BakeTime = aws.Int32(setting.AlarmMinutes * 60)
	}
	out, err := c.autoscaling.StartInstanceRefresh(ctx, &autoscaling.StartInstanceRefreshInput{
		AutoScalingGroupName: &c.group,
		Preferences:          p,
		DesiredConfiguration: &types.DesiredConfiguration{MixedInstancesPolicy: &types.MixedInstancesPolicy{
			InstancesDistribution: f.MixedInstancesPolicy.InstancesDistribution,
			LaunchTemplate: &types.LaunchTemplate{
				LaunchTemplateSpecification: &types.LaunchTemplateSpecification{LaunchTemplateId: &to.Template, Version: &to.Version},
				Overrides:                   []types.LaunchTemplateOverrides{{InstanceType: &to.Type}},
			},
		}},
	})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.InstanceRefreshId), nil
}

// holdRequests gives the policy that tracks requests the target of a rung.
func (c *controller) holdRequests(ctx context.Context, target int) error {
	if target == 0 {
		return nil
	}
	out, err := c.autoscaling.DescribePolicies(ctx, &autoscaling.DescribePoliciesInput{AutoScalingGroupName: &c.group})
	if err != nil {
		return err
	}
	for _, p := range out.ScalingPolicies {
		tracking := p.TargetTrackingConfiguration
		if tracking == nil || tracking.PredefinedMetricSpecification == nil ||
			tracking.PredefinedMetricSpecification.PredefinedMetricType != types.MetricTypeALBRequestCountPerTarget {
			continue
		}
		if aws.ToFloat64(tracking.TargetValue) == float64(target) {
			return nil
		}
		tracking.TargetValue = aws.Float64(float64(target))
		_, err := c.autoscaling.PutScalingPolicy(ctx, &autoscaling.PutScalingPolicyInput{
			AutoScalingGroupName: &c.group, PolicyName: p.PolicyName, PolicyType: p.PolicyType,
			TargetTrackingConfiguration: tracking, EstimatedInstanceWarmup: p.EstimatedInstanceWarmup, Enabled: p.Enabled,
		})
		return err
	}
	return fmt.Errorf("the group %s has no policy that tracks requests", c.group)
}

// fullName is a load balancer's name as metrics have it.
func fullName(loadBalancerARN string) string {
	_, name, _ := strings.Cut(loadBalancerARN, ":loadbalancer/")
	return name
}
