package emulator_test

import (
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
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
	used := emulator.Usage{CPU: map[string]float64{}}
	for _, i := range g.now(t).Instances {
		used.CPU[*i.InstanceId] = percent
	}
	if err := g.control.Use(t.Context(), used); err != nil {
		t.Fatal(err)
	}
}
