package emulator_test

import (
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
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
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

// group is the one of a stack.
func (s *stack) group() *group {
	config := emulatortest.Config(s.control, "eu-west-1")
	return &group{Client: autoscaling.NewFromConfig(config), alarms: cloudwatch.NewFromConfig(config), control: s.control, name: s.name}
}

func newGroup(t *testing.T) *group {
	t.Helper()
	return newGroupOf(t, `{"ImageId": "ami-12c6146b"}`)
}

// newGroupOf launches from a template's data.
func newGroupOf(t *testing.T, data string) *group {
	t.Helper()
	g := newStack(t).group()
	config := emulatortest.Config(g.control, "eu-west-1")
	if _, err := cloudformation.NewFromConfig(config).CreateStack(t.Context(), &cloudformation.CreateStackInput{
		StackName: &g.name, TemplateBody: aws.String(fmt.Sprintf(`{"Resources": {"Template": {"Type": "AWS::EC2::LaunchTemplate",
			"Properties": {"LaunchTemplateName": %q, "LaunchTemplateData": %s}}}}`, g.name, data)),
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := g.CreateAutoScalingGroup(t.Context(), &autoscaling.CreateAutoScalingGroupInput{
		AutoScalingGroupName: &g.name, MinSize: aws.Int32(2), MaxSize: aws.Int32(4),
		AvailabilityZones: []string{"eu-west-1a", "eu-west-1b"},
		HealthCheckType:   aws.String("ELB"), HealthCheckGracePeriod: aws.Int32(grace),
		MixedInstancesPolicy: g.policy("m7g.medium"),
	}); err != nil {
		t.Fatal(err)
	}
	g.putAlarm(t)
	return g
}

// putAlarm makes the alarm, which is OK.
func (g *group) putAlarm(t *testing.T) {
	t.Helper()
	if _, err := g.alarms.PutMetricAlarm(t.Context(), &cloudwatch.PutMetricAlarmInput{
		AlarmName: &g.name, MetricName: aws.String("Errors"), Namespace: aws.String("Test"),
		ComparisonOperator: cloudwatchtypes.ComparisonOperatorGreaterThanThreshold, EvaluationPeriods: aws.Int32(1),
		Period: aws.Int32(60), Threshold: aws.Float64(1), Statistic: cloudwatchtypes.StatisticSum,
		TreatMissingData: aws.String("ignore"), // it keeps the state that a test gives it
	}); err != nil {
		t.Fatal(err)
	}
	g.setAlarm(t, cloudwatchtypes.StateValueOk)
}

func (g *group) setAlarm(t *testing.T, state cloudwatchtypes.StateValue) {
	t.Helper()
	if _, err := g.alarms.SetAlarmState(t.Context(), &cloudwatch.SetAlarmStateInput{
		AlarmName: &g.name, StateValue: state, StateReason: aws.String("test"),
	}); err != nil {
		t.Fatal(err)
	}
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

// Seconds of the tests' groups and refreshes.
const (
	grace  = 120
	warmUp = 240
)

// step begins a refresh to another type, with what change does to it.
func (g *group) step(t *testing.T, to string, change ...func(*autoscaling.StartInstanceRefreshInput)) error {
	t.Helper()
	in := &autoscaling.StartInstanceRefreshInput{
		AutoScalingGroupName: &g.name,
		DesiredConfiguration: &types.DesiredConfiguration{MixedInstancesPolicy: g.policy(to)},
		Preferences: &types.RefreshPreferences{
			MinHealthyPercentage: aws.Int32(100), MaxHealthyPercentage: aws.Int32(150),
			InstanceWarmup: aws.Int32(warmUp), SkipMatching: aws.Bool(true), AutoRollback: aws.Bool(true),
			AlarmSpecification: &types.AlarmSpecification{Alarms: []string{g.name}},
		},
	}
	for _, c := range change {
		c(in)
	}
	_, err := g.StartInstanceRefresh(t.Context(), in)
	return err
}

// latest is the latest refresh.
func (g *group) latest(t *testing.T) types.InstanceRefresh {
	t.Helper()
	out, err := g.DescribeInstanceRefreshes(t.Context(), &autoscaling.DescribeInstanceRefreshesInput{AutoScalingGroupName: &g.name})
	if err != nil || len(out.InstanceRefreshes) == 0 {
		t.Fatalf("got %v, %v", out, err)
	}
	return out.InstanceRefreshes[0]
}

// await lets time pass, ten seconds at once, until the latest refresh has a status,
// and returns after how long it had. It plays the load balancer, to which an instance
// is healthy or not as sick says.
func (g *group) await(t *testing.T, status types.InstanceRefreshStatus, within time.Duration, sick func(types.Instance) bool) time.Duration {
	t.Helper()
	for began := emulatortest.Now(t, g.control); ; {
		passed := emulatortest.Now(t, g.control).Sub(began) // also what this machine took
		now := g.now(t)
		g.most = max(g.most, len(now.Instances))
		health := map[string]string{}
		for _, i := range now.Instances {
			health[*i.InstanceId] = "healthy"
			if sick(i) {
				health[*i.InstanceId] = "unhealthy"
			}
		}
		if err := g.control.Report(t.Context(), emulator.Status{Health: health}); err != nil {
			t.Fatal(err)
		}
		latest := g.latest(t)
		if latest.Status == status {
			return passed
		}
		if passed > within {
			t.Fatalf("after %s the refresh is %s: %s", passed, latest.Status, aws.ToString(latest.StatusReason))
		}
		emulatortest.Advance(t, g.control, 10*time.Second)
	}
}

// ofType reports whether an instance is of a type.
func ofType(name string) func(types.Instance) bool {
	return func(i types.Instance) bool { return aws.ToString(i.InstanceType) == name }
}

func none(types.Instance) bool { return false }

// wantError fails the test unless err says code.
func wantError(t *testing.T, err error, code, says string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), says) {
		t.Errorf("want %s with %q, got %v", code, says, err)
	}
}

// TestBoundsOfARefresh: at 200 % all are replaced at once.
func TestBoundsOfARefresh(t *testing.T) {
	g := newGroup(t)
	bounds := func(least, most *int32) func(*autoscaling.StartInstanceRefreshInput) {
		return func(in *autoscaling.StartInstanceRefreshInput) {
			in.Preferences.MinHealthyPercentage, in.Preferences.MaxHealthyPercentage = least, most
		}
	}
	for _, refused := range []struct{ least, most *int32 }{
		{aws.Int32(90), aws.Int32(200)}, {aws.Int32(100), aws.Int32(201)}, {aws.Int32(90), aws.Int32(99)}, {nil, aws.Int32(150)},
	} {
		wantError(t, g.step(t, "m7g.large", bounds(refused.least, refused.most)), "ValidationError", "MaxHealthyPercentage must be from 100 to 200")
	}
	if err := g.step(t, "m7g.large", bounds(aws.Int32(100), aws.Int32(200))); err != nil {
		t.Fatal(err)
	}
	took := g.await(t, types.InstanceRefreshStatusSuccessful, time.Hour, none)
	if g.most != 4 {
		t.Errorf("there were %d instances, want twice the two", g.most)
	}
	if least := warmUp * time.Second; took < least || took > least+time.Minute {
		t.Errorf("it took %s, want one warm-up, %s", took, least)
	}
}

func TestInstancesAreReplacedNewOnesFirst(t *testing.T) {
	g := newGroup(t)
	if err := g.step(t, "m7g.large"); err != nil {
		t.Fatal(err)
	}
	wantError(t, g.step(t, "m7g.xlarge"), "InstanceRefreshInProgress", "")
	if got := g.override(t); got != "m7g.medium" {
		t.Errorf("the group is configured for %s before the refresh has succeeded", got)
	}
	took := g.await(t, types.InstanceRefreshStatusSuccessful, time.Hour, none)
	if g.most != 3 {
		t.Errorf("there were %d instances, want 3 at most", g.most)
	}
	if least := 2 * warmUp * time.Second; took < least || took > least+time.Minute {
		t.Errorf("it took %s, want two warm-ups, %s", took, least)
	}
	if got := g.types(t); !slices.Equal(got, []string{"m7g.large", "m7g.large"}) || g.override(t) != "m7g.large" {
		t.Errorf("the group is of %s, with instances %s", g.override(t), got)
	}
	done := g.latest(t)
	if aws.ToInt32(done.PercentageComplete) != 100 || done.EndTime == nil || done.EndTime.Before(*done.StartTime) {
		t.Errorf("got %+v", done)
	}
	for _, i := range g.now(t).Instances {
		if i.LaunchTemplate == nil || *i.LaunchTemplate.Version != "1" {
			t.Errorf("%s is of the template %+v", *i.InstanceId, i.LaunchTemplate)
		}
	}
}

// TestWhatMatchesIsLeft: a refresh that skips all instances ends at once.
func TestWhatMatchesIsLeft(t *testing.T) {
	g := newGroup(t)
	before := instanceIDs(g.now(t))
	bake := func(in *autoscaling.StartInstanceRefreshInput) { in.Preferences.BakeTime = aws.Int32(600) }
	if err := g.step(t, "m7g.medium", bake); err != nil {
		t.Fatal(err)
	}
	g.await(t, types.InstanceRefreshStatusSuccessful, 10*time.Second, none)
	if after := instanceIDs(g.now(t)); !slices.Equal(after, before) {
		t.Errorf("%s became %s", before, after)
	}
}

func TestRefreshIsRefusedUnlessItsAlarmsAreOK(t *testing.T) {
	g := newGroup(t)
	for _, state := range []cloudwatchtypes.StateValue{cloudwatchtypes.StateValueAlarm, cloudwatchtypes.StateValueInsufficientData} {
		g.setAlarm(t, state)
		wantError(t, g.step(t, "m7g.large"), "ValidationError", string(state))
	}
	g.setAlarm(t, cloudwatchtypes.StateValueOk)
	if err := g.step(t, "m7g.large"); err != nil {
		t.Error(err)
	}
	g.cancel(t)
}

func (g *group) cancel(t *testing.T) {
	t.Helper()
	if _, err := g.CancelInstanceRefresh(t.Context(), &autoscaling.CancelInstanceRefreshInput{AutoScalingGroupName: &g.name}); err != nil {
		t.Fatal(err)
	}
	g.await(t, types.InstanceRefreshStatusCancelled, 10*time.Second, none)
}

// TestRefreshGoesOnAfterItsWarmUp, whatever the load balancer says: with a warm-up
// that is shorter than the grace period old instances end though no new one is well.
func TestRefreshGoesOnAfterItsWarmUp(t *testing.T) {
	g := newGroup(t)
	short := func(in *autoscaling.StartInstanceRefreshInput) { in.Preferences.InstanceWarmup = aws.Int32(60) }
	if err := g.step(t, "m7g.large", short); err != nil {
		t.Fatal(err)
	}
	emulatortest.Advance(t, g.control, 10*time.Second)
	for _, i := range g.now(t).Instances {
		if ofType("m7g.large")(i) {
			if err := g.control.Report(t.Context(), emulator.Status{Health: map[string]string{*i.InstanceId: "unhealthy"}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	emulatortest.Advance(t, g.control, 70*time.Second)
	if after := g.types(t); !slices.Equal(after, []string{"m7g.medium", "m7g.large", "m7g.large"}) {
		t.Errorf("after the first warm-up the instances are %s, want an old one ended and the next new one launched", after)
	}
}

// TestHealthCountsOnlyAfterTheGracePeriod, and what is unhealthy then is replaced.
func TestHealthCountsOnlyAfterTheGracePeriod(t *testing.T) {
	g := newGroup(t)
	before := instanceIDs(g.now(t))
	report := func(after time.Duration) []string {
		emulatortest.Advance(t, g.control, after)
		health := map[string]string{}
		for _, id := range before {
			health[id] = "unhealthy"
		}
		if err := g.control.Report(t.Context(), emulator.Status{Health: health}); err != nil {
			t.Fatal(err)
		}
		return instanceIDs(g.now(t))
	}
	if after := report((grace - 30) * time.Second); !slices.Equal(after, before) {
		t.Errorf("within the grace period %s became %s", before, after)
	}
	for _, id := range report(60 * time.Second) {
		if slices.Contains(before, id) {
			t.Errorf("%s was left after the grace period", id)
		}
	}
}

// TestGraceOfThisMachinesBoots: at a pace an instance that this machine still boots is
// given time, and one that has booted as much as on AWS, and ten seconds of the
// machine's.
func TestGraceOfThisMachinesBoots(t *testing.T) {
	g := newGroup(t)
	emulatortest.SetPace(t, g.control, 100)
	before := instanceIDs(g.now(t))
	booted, boots := before[0], before[1]
	said := emulator.Status{Health: map[string]string{booted: "unhealthy", boots: "unhealthy"}, Booted: []string{booted}}
	report := func() []string {
		if err := g.control.Report(t.Context(), said); err != nil {
			t.Fatal(err)
		}
		return instanceIDs(g.now(t))
	}
	if after := report(); !slices.Equal(after, before) {
		t.Fatalf("%s became %s at once", before, after)
	}
	emulatortest.Advance(t, g.control, (grace+300)*time.Second)
	if after := report(); !slices.Equal(after, before) {
		t.Errorf("soon after the grace period %s became %s", before, after)
	}
	emulatortest.Advance(t, g.control, 1000*time.Second)
	if after := report(); slices.Contains(after, booted) || !slices.Contains(after, boots) {
		t.Errorf("%s became %s, want %s replaced, which has booted, and %s kept", before, after, booted, boots)
	}
}

// TestRefreshFailsAfterAnHourWithoutProgress: to replace an unhealthy
// instance makes no progress.
func TestRefreshFailsAfterAnHourWithoutProgress(t *testing.T) {
	g := newGroup(t)
	before := instanceIDs(g.now(t))
	if err := g.step(t, "m7g.large", func(in *autoscaling.StartInstanceRefreshInput) { in.Preferences.AutoRollback = nil }); err != nil {
		t.Fatal(err)
	}
	took := g.await(t, types.InstanceRefreshStatusFailed, 2*time.Hour, ofType("m7g.large"))
	if took < time.Hour-time.Minute || took > time.Hour+time.Minute {
		t.Errorf("it took %s, want an hour", took)
	}
	if after := instanceIDs(g.now(t)); !slices.Equal(after, before) {
		t.Errorf("%s became %s", before, after)
	}
	out, err := g.DescribeScalingActivities(t.Context(), &autoscaling.DescribeScalingActivitiesInput{AutoScalingGroupName: &g.name})
	if err != nil || !strings.Contains(fmt.Sprint(descriptions(out.Activities)), "unhealthy") {
		t.Errorf("the activities are %v, %v", descriptions(out.Activities), err)
	}
}

func descriptions(activities []types.Activity) []string {
	var list []string
	for _, a := range activities {
		list = append(list, aws.ToString(a.Description)+" "+aws.ToString(a.StatusMessage))
	}
	return list
}

// TestCheckpointsAndBakeTimeAreWaitedFor: the alarm may stop the refresh meanwhile.
func TestCheckpointsAndBakeTimeAreWaitedFor(t *testing.T) {
	g := newGroup(t)
	slow := func(in *autoscaling.StartInstanceRefreshInput) {
		in.Preferences.CheckpointPercentages = []int32{25, 100}
		in.Preferences.CheckpointDelay, in.Preferences.BakeTime = aws.Int32(600), aws.Int32(300)
	}
	if err := g.step(t, "m7g.large", slow); err != nil {
		t.Fatal(err)
	}
	took := g.await(t, types.InstanceRefreshStatusBaking, 2*time.Hour, none)
	if want := (2*warmUp + 2*600) * time.Second; took < want || took > want+time.Minute {
		t.Errorf("it was replaced after %s, want %s", took, want)
	}
	if got := g.override(t); got != "m7g.medium" {
		t.Errorf("the group is of %s before it was baked", got)
	}
	if took := g.await(t, types.InstanceRefreshStatusSuccessful, time.Hour, none); took < 290*time.Second {
		t.Errorf("it was baked for %s, want 300 s", took)
	}
}

func TestPolicyIsNotWrittenDuringARefreshWithAConfiguration(t *testing.T) {
	g := newGroup(t)
	if err := g.step(t, "m7g.large"); err != nil {
		t.Fatal(err)
	}
	_, err := g.UpdateAutoScalingGroup(t.Context(), &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: &g.name, MixedInstancesPolicy: g.policy("m7g.medium")})
	wantError(t, err, "ValidationError", "An active instance refresh with a desired configuration exists")
	if _, err := g.UpdateAutoScalingGroup(t.Context(), &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: &g.name, MaxSize: aws.Int32(5)}); err != nil {
		t.Error(err)
	}
	g.cancel(t)
	if _, err := g.UpdateAutoScalingGroup(t.Context(), &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: &g.name, MixedInstancesPolicy: g.policy("m7g.xlarge")}); err != nil {
		t.Error(err)
	}
}

// TestRollbackNeedsANumberedVersion on the group, and a desired configuration.
func TestRollbackNeedsANumberedVersion(t *testing.T) {
	g := newGroup(t)
	wantError(t, g.step(t, "m7g.large", func(in *autoscaling.StartInstanceRefreshInput) { in.DesiredConfiguration = nil }), "ValidationError", "desired configuration")
	policy := g.policy("m7g.medium")
	policy.LaunchTemplate.LaunchTemplateSpecification.Version = aws.String("$Latest")
	if _, err := g.UpdateAutoScalingGroup(t.Context(), &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: &g.name, MixedInstancesPolicy: policy}); err != nil {
		t.Fatal(err)
	}
	wantError(t, g.step(t, "m7g.large"), "ValidationError", "$Latest")
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
	for name, fail := range map[string]func(t *testing.T, g *group) string{
		"an alarm": func(t *testing.T, g *group) string {
			g.setAlarm(t, cloudwatchtypes.StateValueAlarm)
			return "the alarm " + g.name + " is in ALARM"
		},
		"an instance that is never healthy": func(*testing.T, *group) string { return "for 60 minutes" },
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
			g.await(t, types.InstanceRefreshStatusRollbackSuccessful, 2*time.Hour, ofType("m7g.large"))
			done := g.latest(t)
			if done.RollbackDetails == nil || !strings.Contains(aws.ToString(done.RollbackDetails.RollbackReason), want) {
				t.Errorf("the reason lacks %q: %+v", want, done)
			}
			if after := instanceIDs(g.now(t)); !slices.Equal(after, before) || g.override(t) != "m7g.medium" {
				t.Errorf("%s became %s, of %s", before, after, g.override(t))
			}
		})
	}
}

// TestRollbackReplacesWhatWasReplaced by what is saved on the group.
func TestRollbackReplacesWhatWasReplaced(t *testing.T) {
	g := newGroup(t)
	if err := g.step(t, "m7g.large"); err != nil {
		t.Fatal(err)
	}
	for !slices.Contains(g.types(t), "m7g.large") || len(g.types(t)) != 3 || slices.Index(g.types(t), "m7g.large") != 1 {
		emulatortest.Advance(t, g.control, 10*time.Second)
	}
	g.setAlarm(t, cloudwatchtypes.StateValueAlarm)
	g.await(t, types.InstanceRefreshStatusRollbackSuccessful, time.Hour, none)
	if got := g.types(t); !slices.Equal(got, []string{"m7g.medium", "m7g.medium"}) || g.override(t) != "m7g.medium" {
		t.Errorf("the instances are %s, of %s", got, g.override(t))
	}
}

func TestCancelledRefreshesStop(t *testing.T) {
	g := newGroup(t)
	_, err := g.CancelInstanceRefresh(t.Context(), &autoscaling.CancelInstanceRefreshInput{AutoScalingGroupName: &g.name})
	wantError(t, err, "ActiveInstanceRefreshNotFound", "")
	if err := g.step(t, "m7g.large"); err != nil {
		t.Fatal(err)
	}
	g.cancel(t)
	if got := g.types(t); fmt.Sprint(got) != "[m7g.medium m7g.medium]" {
		t.Errorf("the instances are %s", got)
	}
}

// TestSuspendedProcesses: an operator has suspended some of a group's processes, and
// forgotten it.
func TestSuspendedProcesses(t *testing.T) {
	g := newGroup(t)
	suspend := func(process string) {
		t.Helper()
		if _, err := g.ResumeProcesses(t.Context(), &autoscaling.ResumeProcessesInput{AutoScalingGroupName: &g.name}); err != nil {
			t.Fatal(err)
		}
		if process == "" {
			return
		}
		if _, err := g.SuspendProcesses(t.Context(), &autoscaling.SuspendProcessesInput{AutoScalingGroupName: &g.name, ScalingProcesses: []string{process}}); err != nil {
			t.Fatal(err)
		}
	}
	suspend("Launch")
	if n, _ := g.desire(t, 3); n != 2 {
		t.Errorf("there are %d instances, though none may be launched", n)
	}
	g.desire(t, 2)
	suspend("Terminate")
	g.desire(t, 3)
	if n, _ := g.desire(t, 2); n != 3 {
		t.Errorf("there are %d instances, though none may be terminated", n)
	}
	suspend("")
	g.desire(t, 2)
	for _, process := range []string{"Launch", "Terminate", "InstanceRefresh"} {
		suspend(process) // before the refresh begins, whose first second may pass at any moment
		g.setAlarm(t, cloudwatchtypes.StateValueOk)
		if err := g.step(t, "m7g.large"); err != nil {
			t.Fatal(err)
		}
		emulatortest.Advance(t, g.control, 30*time.Minute)
		if got := g.types(t); slices.Contains(got[:2], "m7g.large") {
			t.Errorf("%s is suspended, and the instances are %s", process, got)
		}
		suspend("")
		g.cancel(t)
	}
	for _, process := range []string{"HealthCheck", "ReplaceUnhealthy"} {
		suspend(process)
		before := instanceIDs(g.now(t))
		health := map[string]string{}
		for _, id := range before {
			health[id] = "unhealthy"
		}
		if err := g.control.Report(t.Context(), emulator.Status{Health: health}); err != nil {
			t.Fatal(err)
		}
		emulatortest.Advance(t, g.control, time.Hour)
		if after := instanceIDs(g.now(t)); !slices.Equal(after, before) {
			t.Errorf("%s is suspended, and %s became %s", process, before, after)
		}
	}
	suspend("AlarmNotification")
	g.track(t)
	for range 20 {
		g.minute(t, 100)
	}
	if n := len(g.now(t).Instances); n != 2 {
		t.Errorf("there are %d instances, though no policy may add one", n)
	}
}

// TestInstancesThatAreNotAdded to the load balancer: who was launched while that was
// suspended is not a target afterwards, either.
func TestInstancesThatAreNotAdded(t *testing.T) {
	g := newGroup(t)
	config := emulatortest.Config(g.control, "eu-west-1")
	vpcs, err := ec2.NewFromConfig(config).DescribeVpcs(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	balancers := elasticloadbalancingv2.NewFromConfig(config)
	made, err := balancers.CreateTargetGroup(t.Context(), &elasticloadbalancingv2.CreateTargetGroupInput{
		Name: aws.String("not-added"), Port: aws.Int32(80), Protocol: elbtypes.ProtocolEnumHttp, VpcId: vpcs.Vpcs[0].VpcId,
	})
	if err != nil {
		t.Fatal(err)
	}
	arn := made.TargetGroups[0].TargetGroupArn
	if _, err := g.AttachLoadBalancerTargetGroups(t.Context(), &autoscaling.AttachLoadBalancerTargetGroupsInput{AutoScalingGroupName: &g.name, TargetGroupARNs: []string{*arn}}); err != nil {
		t.Fatal(err)
	}
	targets := func(want int) {
		t.Helper()
		out, err := balancers.DescribeTargetHealth(t.Context(), &elasticloadbalancingv2.DescribeTargetHealthInput{TargetGroupArn: arn})
		if err != nil || len(out.TargetHealthDescriptions) != want {
			t.Errorf("got %d targets, %v, want %d", len(out.TargetHealthDescriptions), err, want)
		}
	}
	targets(2)
	processes := []string{"AddToLoadBalancer"}
	if _, err := g.SuspendProcesses(t.Context(), &autoscaling.SuspendProcessesInput{AutoScalingGroupName: &g.name, ScalingProcesses: processes}); err != nil {
		t.Fatal(err)
	}
	g.desire(t, 3)
	targets(2)
	if _, err := g.ResumeProcesses(t.Context(), &autoscaling.ResumeProcessesInput{AutoScalingGroupName: &g.name, ScalingProcesses: processes}); err != nil {
		t.Fatal(err)
	}
	g.desire(t, 4)
	targets(3)
}
