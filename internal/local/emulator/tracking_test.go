package emulator_test

import (
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// TestCountFollowsTheCPU: a group is held to its target by as many instances as it
// takes, and its metrics are there to read.
func TestCountFollowsTheCPU(t *testing.T) {
	g := newGroup(t)
	g.track(t)
	began := emulatortest.Now(t, g.control)
	// Work is so many percent of one instance, which all share.
	for _, step := range []struct {
		work float64
		want int
	}{{80, 2}, {180, 4}, {900, 4}, {60, 2}} {
		for range 40 {
			count := len(g.now(t).Instances)
			if count == step.want && step.work != 80 {
				break
			}
			g.minute(t, min(100, step.work/float64(count)))
		}
		if got := len(g.now(t).Instances); got != step.want {
			t.Errorf("with work for %.1f instances there are %d, want %d", step.work/100, got, step.want)
		}
	}
	out, err := g.alarms.GetMetricData(t.Context(), &cloudwatch.GetMetricDataInput{
		StartTime: &began, EndTime: aws.Time(emulatortest.Now(t, g.control).Add(time.Minute)), ScanBy: cloudwatchtypes.ScanByTimestampAscending,
		MetricDataQueries: []cloudwatchtypes.MetricDataQuery{{Id: aws.String("cpu"), MetricStat: &cloudwatchtypes.MetricStat{
			Period: aws.Int32(60), Stat: aws.String("Maximum"), Metric: &cloudwatchtypes.Metric{
				Namespace: aws.String("AWS/EC2"), MetricName: aws.String("CPUUtilization"),
				Dimensions: []cloudwatchtypes.Dimension{{Name: aws.String("AutoScalingGroupName"), Value: &g.name}},
			},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if values := out.MetricDataResults[0].Values; len(values) < 40 || values[0] != 40 {
		t.Errorf("the metric's values are %v, want more than 40, the first of them 40 %%", values)
	}
}

// track holds the group's CPU at 50 %.
func (g *group) track(t *testing.T) {
	t.Helper()
	if _, err := g.PutScalingPolicy(t.Context(), &autoscaling.PutScalingPolicyInput{
		AutoScalingGroupName: &g.name, PolicyName: aws.String("cpu"), PolicyType: aws.String("TargetTrackingScaling"),
		TargetTrackingConfiguration: &types.TargetTrackingConfiguration{
			TargetValue:                   aws.Float64(50),
			PredefinedMetricSpecification: &types.PredefinedMetricSpecification{PredefinedMetricType: types.MetricTypeASGAverageCPUUtilization},
		},
	}); err != nil {
		t.Fatal(err)
	}
}

// TestStepPolicyIsCarriedOut by an alarm of one minute: a second minute in ALARM adds
// nothing to what warms up, one after that does.
func TestStepPolicyIsCarriedOut(t *testing.T) {
	g := newGroup(t)
	if _, err := g.UpdateAutoScalingGroup(t.Context(), &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: &g.name, MaxSize: aws.Int32(9)}); err != nil {
		t.Fatal(err)
	}
	s := newStack(t)
	s.name += "-surge"
	s.deploy(t, cloudformationtypes.StackStatusCreateComplete, resources{
		"Surge": map[string]any{"Type": "AWS::AutoScaling::ScalingPolicy", "Properties": map[string]any{
			"AutoScalingGroupName": g.name, "PolicyType": "StepScaling", "AdjustmentType": "PercentChangeInCapacity", "EstimatedInstanceWarmup": 110,
			"StepAdjustments": []any{
				map[string]any{"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 10, "ScalingAdjustment": 50},
				map[string]any{"MetricIntervalLowerBound": 10, "ScalingAdjustment": 100},
			},
		}},
		"Alarm": map[string]any{"Type": "AWS::CloudWatch::Alarm", "Properties": map[string]any{
			"Namespace": "AWS/EC2", "MetricName": "CPUUtilization", "Dimensions": []any{map[string]any{"Name": "AutoScalingGroupName", "Value": g.name}},
			"ComparisonOperator": "GreaterThanOrEqualToThreshold", "Threshold": 80, "EvaluationPeriods": 1, "Period": 60, "Statistic": "Average",
			"AlarmActions": []any{map[string]any{"Ref": "Surge"}},
		}},
	})
	const evaluated = 25 * time.Second // are alarms after a minute
	now := emulatortest.Now(t, g.control)
	emulatortest.Advance(t, g.control, now.Truncate(time.Minute).Add(time.Minute+evaluated).Sub(now))
	for _, minute := range []struct {
		cpu  float64
		want int
	}{{79, 2}, {85, 3}, {95, 4}, {95, 8}, {95, 8}, {95, 9}, {20, 9}} {
		emulatortest.Advance(t, g.control, time.Minute-evaluated)
		g.use(t, minute.cpu)
		emulatortest.Advance(t, g.control, evaluated)
		if got := len(g.now(t).Instances); got != minute.want {
			t.Errorf("after a minute of %.0f %% there are %d instances, want %d", minute.cpu, got, minute.want)
		}
	}
}

// TestJumpsAreNotMeasured: what was busy for a minute was not busy for an hour.
func TestJumpsAreNotMeasured(t *testing.T) {
	g := newGroup(t)
	g.track(t)
	g.minute(t, 40)
	for range 2 {
		emulatortest.Advance(t, g.control, time.Hour)
		g.minute(t, 100)
	}
	if got := len(g.now(t).Instances); got != 2 {
		t.Errorf("after two busy minutes there are %d instances, want 2", got)
	}
	g.minute(t, 100)
	if got := len(g.now(t).Instances); got != 4 {
		t.Errorf("after three busy minutes there are %d instances, want 4", got)
	}
}

// minute reports one in which every instance was so busy, once it is over.
func (g *group) minute(t *testing.T, percent float64) {
	t.Helper()
	emulatortest.Advance(t, g.control, time.Minute)
	g.use(t, percent)
}

// use reports the minute before.
func (g *group) use(t *testing.T, percent float64) {
	t.Helper()
	used := emulator.Usage{CPU: map[string]float64{}}
	for _, i := range g.now(t).Instances {
		used.CPU[*i.InstanceId] = percent
	}
	if err := g.control.Use(t.Context(), used); err != nil {
		t.Fatal(err)
	}
}
