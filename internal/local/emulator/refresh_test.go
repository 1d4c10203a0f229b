package emulator_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"
)

// group is an Auto Scaling group of two instances of m7g.medium, with a launch
// template and an alarm of the same name.
type group struct {
	*autoscaling.Client
	name    string
	alarms  *cloudwatch.Client
	control emulator.Control
	most    int // instances that ran at the same time
}

func newGroup(t *testing.T) *group {
	t.Helper()
	control := emulatortest.Shared(t)
	config := emulatortest.Config(control, "eu-west-1")
	g := &group{Client: autoscaling.NewFromConfig(config), alarms: cloudwatch.NewFromConfig(config), control: control}
	g.name = strings.NewReplacer("/", "-", " ", "-", "_", "-").Replace(t.Name())
	if _, err := cloudformation.NewFromConfig(config).CreateStack(t.Context(), &cloudformation.CreateStackInput{
		StackName: &g.name, TemplateBody: aws.String(fmt.Sprintf(`{"Resources": {"Template": {"Type": "AWS::EC2::LaunchTemplate",
			"Properties": {"LaunchTemplateName": %q, "LaunchTemplateData": {"ImageId": "ami-12c6146b"}}}}}`, g.name)),
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := g.CreateAutoScalingGroup(t.Context(), &autoscaling.CreateAutoScalingGroupInput{
		AutoScalingGroupName: &g.name, MinSize: aws.Int32(2), MaxSize: aws.Int32(4),
		AvailabilityZones:    []string{"eu-west-1a", "eu-west-1b"},
		MixedInstancesPolicy: g.policy("m7g.medium"),
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := g.alarms.PutMetricAlarm(t.Context(), &cloudwatch.PutMetricAlarmInput{
		AlarmName: &g.name, MetricName: aws.String("Errors"), Namespace: aws.String("Test"),
		ComparisonOperator: cloudwatchtypes.ComparisonOperatorGreaterThanThreshold, EvaluationPeriods: aws.Int32(1),
		Period: aws.Int32(60), Threshold: aws.Float64(1), Statistic: cloudwatchtypes.StatisticSum,
	}); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *group) policy(instanceType string) *types.MixedInstancesPolicy {
	return &types.MixedInstancesPolicy{LaunchTemplate: &types.LaunchTemplate{
		LaunchTemplateSpecification: &types.LaunchTemplateSpecification{LaunchTemplateName: &g.name, Version: aws.String("1")},
		Overrides:                   []types.LaunchTemplateOverrides{{InstanceType: &instanceType}},
	}}
}

// now is the group as it is described.
func (g *group) now(t *testing.T) types.AutoScalingGroup {
	t.Helper()
	out, err := g.DescribeAutoScalingGroups(t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{g.name}})
	if err != nil || len(out.AutoScalingGroups) != 1 {
		t.Fatalf("got %v, %v", out, err)
	}
	return out.AutoScalingGroups[0]
}

func (g *group) override(t *testing.T) string {
	t.Helper()
	return *g.now(t).MixedInstancesPolicy.LaunchTemplate.Overrides[0].InstanceType
}

// types are those of its instances.
func (g *group) types(t *testing.T) []string {
	t.Helper()
	var list []string
	for _, i := range g.now(t).Instances {
		list = append(list, aws.ToString(i.InstanceType))
	}
	return list
}

func (g *group) step(t *testing.T, to string) error {
	t.Helper()
	_, err := g.StartInstanceRefresh(t.Context(), &autoscaling.StartInstanceRefreshInput{
		AutoScalingGroupName: &g.name,
		DesiredConfiguration: &types.DesiredConfiguration{MixedInstancesPolicy: g.policy(to)},
		Preferences: &types.RefreshPreferences{
			MinHealthyPercentage: aws.Int32(100), MaxHealthyPercentage: aws.Int32(150),
			SkipMatching: aws.Bool(true), AutoRollback: aws.Bool(true),
			AlarmSpecification: &types.AlarmSpecification{Alarms: []string{g.name}},
		},
	})
	return err
}

// await plays the load balancer, to which instances are healthy if healthy says
// so, until the latest refresh has a status.
func (g *group) await(t *testing.T, status types.InstanceRefreshStatus, healthy func(types.Instance) bool) types.InstanceRefresh {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		group := g.now(t)
		g.most = max(g.most, len(group.Instances))
		health := map[string]string{}
		for _, i := range group.Instances {
			if healthy(i) {
				health[*i.InstanceId] = "healthy"
			}
		}
		if err := g.control.Report(ctx, emulator.Status{Health: health}); err != nil {
			t.Fatal(err)
		}
		out, err := g.DescribeInstanceRefreshes(ctx, &autoscaling.DescribeInstanceRefreshesInput{AutoScalingGroupName: &g.name})
		if err != nil {
			t.Fatal(err)
		}
		if latest := out.InstanceRefreshes[0]; latest.Status == status {
			return latest
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// launched waits until the group has an instance of a type.
func (g *group) launched(t *testing.T, instanceType string) {
	t.Helper()
	for !slices.Contains(g.types(t), instanceType) {
		time.Sleep(20 * time.Millisecond)
	}
}

func all(types.Instance) bool { return true }

func TestInstancesAreReplacedNewOnesFirst(t *testing.T) {
	g := newGroup(t)
	if err := g.step(t, "m7g.large"); err != nil {
		t.Fatal(err)
	}
	var inProgress smithy.APIError
	if err := g.step(t, "m7g.xlarge"); !errors.As(err, &inProgress) || inProgress.ErrorCode() != "InstanceRefreshInProgress" {
		t.Errorf("a second refresh: got %v", err)
	}
	if got := g.override(t); got != "m7g.medium" {
		t.Errorf("the group is configured for %s before the refresh has succeeded", got)
	}
	fewest := 2
	done := g.await(t, types.InstanceRefreshStatusSuccessful, func(types.Instance) bool {
		serving := 0
		for _, i := range g.now(t).Instances {
			if i.LifecycleState == types.LifecycleStateInService {
				serving++
			}
		}
		fewest = min(fewest, serving)
		return true
	})
	if g.most != 3 || fewest != 2 {
		t.Errorf("there were %d to %d instances, want 2 in service and 3 at most", fewest, g.most)
	}
	if got := g.types(t); !slices.Equal(got, []string{"m7g.large", "m7g.large"}) || g.override(t) != "m7g.large" {
		t.Errorf("the group is of %s, with instances %s", g.override(t), got)
	}
	if aws.ToInt32(done.PercentageComplete) != 100 || done.EndTime == nil || done.EndTime.Before(*done.StartTime) {
		t.Errorf("got %+v", done)
	}
	for _, i := range g.now(t).Instances {
		if i.LaunchTemplate == nil || *i.LaunchTemplate.Version != "1" {
			t.Errorf("%s is of the template %+v", *i.InstanceId, i.LaunchTemplate)
		}
	}
	// What matches already is left.
	before := instanceIDs(g.now(t))
	if err := g.step(t, "m7g.large"); err != nil {
		t.Fatal(err)
	}
	g.await(t, types.InstanceRefreshStatusSuccessful, all)
	if after := instanceIDs(g.now(t)); !slices.Equal(after, before) {
		t.Errorf("%s became %s", before, after)
	}
}

func instanceIDs(g types.AutoScalingGroup) []string {
	var ids []string
	for _, i := range g.Instances {
		ids = append(ids, *i.InstanceId)
	}
	slices.Sort(ids)
	return ids
}

func TestFailedRefreshesRollBack(t *testing.T) {
	ring := func(t *testing.T, g *group, state cloudwatchtypes.StateValue) {
		t.Helper()
		if _, err := g.alarms.SetAlarmState(t.Context(), &cloudwatch.SetAlarmStateInput{
			AlarmName: &g.name, StateValue: state, StateReason: aws.String("test"),
		}); err != nil {
			t.Fatal(err)
		}
	}
	for name, fail := range map[string]func(t *testing.T, g *group) string{
		"an alarm": func(t *testing.T, g *group) string {
			ring(t, g, cloudwatchtypes.StateValueAlarm)
			return "the alarm " + g.name + " is in ALARM"
		},
		"an instance that is never healthy": func(t *testing.T, g *group) string {
			g.launched(t, "m7g.large")
			emulatortest.Advance(t, g.control, 90*time.Second)
			return "was not healthy within 90 s"
		},
		"an operator": func(t *testing.T, g *group) string {
			if _, err := g.RollbackInstanceRefresh(t.Context(), &autoscaling.RollbackInstanceRefreshInput{AutoScalingGroupName: &g.name}); err != nil {
				t.Fatal(err)
			}
			return "user request"
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGroup(t)
			before := instanceIDs(g.now(t))
			if err := g.step(t, "m7g.large"); err != nil {
				t.Fatal(err)
			}
			want := fail(t, g)
			done := g.await(t, types.InstanceRefreshStatusRollbackSuccessful, func(i types.Instance) bool { return aws.ToString(i.InstanceType) == "m7g.medium" })
			if done.RollbackDetails == nil || !strings.Contains(aws.ToString(done.RollbackDetails.RollbackReason), want) {
				t.Errorf("the reason lacks %q: %+v", want, done)
			}
			if after := instanceIDs(g.now(t)); !slices.Equal(after, before) || g.override(t) != "m7g.medium" {
				t.Errorf("%s became %s, of %s", before, after, g.override(t))
			}
		})
	}
}

func TestCancelledRefreshesStop(t *testing.T) {
	g := newGroup(t)
	if _, err := g.CancelInstanceRefresh(t.Context(), &autoscaling.CancelInstanceRefreshInput{AutoScalingGroupName: &g.name}); err == nil {
		t.Error("what is not under way was cancelled")
	}
	if err := g.step(t, "m7g.large"); err != nil {
		t.Fatal(err)
	}
	if _, err := g.CancelInstanceRefresh(t.Context(), &autoscaling.CancelInstanceRefreshInput{AutoScalingGroupName: &g.name}); err != nil {
		t.Fatal(err)
	}
	g.await(t, types.InstanceRefreshStatusCancelled, func(types.Instance) bool { return false })
	if got := g.types(t); fmt.Sprint(got) != "[m7g.medium m7g.medium]" {
		t.Errorf("the instances are %s", got)
	}
}
