package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// fleet is the Auto Scaling group and its instance refreshes, the latest first.
type fleet struct {
	types.AutoScalingGroup
	refreshes []types.InstanceRefresh
}

func (c *controller) fleet(ctx context.Context) (fleet, error) {
	groups, err := c.autoscaling.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{
		AutoScalingGroupNames: []string{c.group},
	})
	if err != nil {
		return fleet{}, err
	}
	if len(groups.AutoScalingGroups) != 1 {
		return fleet{}, fmt.Errorf("there is no Auto Scaling group %s", c.group)
	}
	f := fleet{AutoScalingGroup: groups.AutoScalingGroups[0]}
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
		if state := string(i.LifecycleState); !strings.HasPrefix(state, "Terminat") && !strings.HasPrefix(state, "Detach") {
			count[aws.ToString(i.InstanceType)]++
		}
	}
	return count
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

// bakeSeconds is how long the deployment alarm watches after the last instance, before a
// step is done: as long as it takes to go off.
const bakeSeconds = 180

// begin starts to replace the fleet's instances by those of s.To, from the same
// version of the same launch template.
func (c *controller) begin(ctx context.Context, f fleet, s step, skipMatching bool) error {
	policy := f.MixedInstancesPolicy
	template := policy.LaunchTemplate.LaunchTemplateSpecification
	_, err := c.autoscaling.StartInstanceRefresh(ctx, &autoscaling.StartInstanceRefreshInput{
		AutoScalingGroupName: &c.group,
		DesiredConfiguration: &types.DesiredConfiguration{MixedInstancesPolicy: &types.MixedInstancesPolicy{
			InstancesDistribution: policy.InstancesDistribution,
			LaunchTemplate: &types.LaunchTemplate{
				LaunchTemplateSpecification: &types.LaunchTemplateSpecification{
					LaunchTemplateId: template.LaunchTemplateId, Version: template.Version,
				},
				Overrides: []types.LaunchTemplateOverrides{{InstanceType: &s.To}},
			},
		}},
		Preferences: &types.RefreshPreferences{
			MinHealthyPercentage: aws.Int32(100), // launch before terminate
			MaxHealthyPercentage: aws.Int32(150),
			SkipMatching:         &skipMatching,
			AutoRollback:         aws.Bool(true),
			AlarmSpecification:   &types.AlarmSpecification{Alarms: []string{c.deploymentAlarm}},
			BakeTime:             aws.Int32(bakeSeconds),
		},
	})
	return err
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
