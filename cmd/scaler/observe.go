package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/archipelago-cdk/archipelago/scaling"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/arczonalshift"
	zonalshifttypes "github.com/aws/aws-sdk-go-v2/service/arczonalshift/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// observe reads what a decision needs. A call that fails fails all of it: nothing
// is decided by half of what there is to know, and what AWS cannot answer now it can
// at the next run. Only whether there is a zonal shift may stay unknown.
func (c *controller) observe(ctx context.Context, f fleet, p parameters, now time.Time) (scaling.Observation, error) {
	o := scaling.Observation{
		Parameter:  p.instanceType,
		Launches:   f.launches(),
		Instances:  f.instances(),
		Min:        int(aws.ToInt32(f.MinSize)),
		Max:        int(aws.ToInt32(f.MaxSize)),
		LastStep:   f.lastStep(),
		Failed:     p.memory.Failed,
		Refreshing: f.refreshing(),
		Frozen:     p.frozen,
	}
	for _, read := range []func() error{
		func() error { return c.readMetrics(ctx, &o, now) },
		func() (err error) { o.Offered, err = c.offered(ctx, f.AvailabilityZones); return err },
		func() (err error) { o.Alarm, err = c.inAlarm(ctx); return err },
		func() (err error) { o.StackUpdating, err = c.stackUpdating(ctx); return err },
		func() (err error) {
			o.ZonalShift, o.ShiftUnknown, err = c.zonalShift(ctx, aws.ToString(f.AutoScalingGroupARN))
			return err
		},
	} {
		if err := read(); err != nil {
			return scaling.Observation{}, err
		}
	}
	return o, nil
}

// slack is how much more than what a rule looks at is read: the newest minutes
// may be missing yet.
const slack = 15 * time.Minute

// readMetrics reads all metrics, minute by minute.
func (c *controller) readMetrics(ctx context.Context, o *scaling.Observation, now time.Time) error {
	policy := c.policy.WithDefaults()
	last := max(policy.UpAfter, policy.DownAfter)
	series := map[string]*scaling.Series{"count": &o.Count, "cpu": &o.CPU, "requests": &o.Requests}
	queries := []cloudwatchtypes.MetricDataQuery{
		query("count", "AWS/AutoScaling", "GroupInServiceInstances", "Average", map[string]string{"AutoScalingGroupName": c.group}),
		query("cpu", "AWS/EC2", "CPUUtilization", "Average", map[string]string{"AutoScalingGroupName": c.group}),
		query("requests", "AWS/ApplicationELB", "RequestCount", "Sum", map[string]string{
			"LoadBalancer": fullName(c.loadBalancerARN), "TargetGroup": c.targetGroup,
		}),
	}
	if c.memoryMetric {
		last = max(last, policy.LeakWindow)
		series["memory"] = &o.Memory
		queries = append(queries, query("memory", setting.MetricNamespace, setting.MemoryMetric, "Average",
			map[string]string{setting.MetricDimension: c.deployment}))
	}
	end := now.Truncate(time.Minute)
	return c.readSeries(ctx, queries, end.Add(-last-slack), end, series)
}

// readSeries reads metrics minute by minute, by the ids of their queries.
func (c *controller) readSeries(ctx context.Context, queries []cloudwatchtypes.MetricDataQuery, from, end time.Time, series map[string]*scaling.Series) error {
	pages := cloudwatch.NewGetMetricDataPaginator(c.cloudwatch, &cloudwatch.GetMetricDataInput{
		MetricDataQueries: queries, StartTime: &from, EndTime: &end,
		ScanBy: cloudwatchtypes.ScanByTimestampAscending,
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, r := range page.MetricDataResults {
			into := series[aws.ToString(r.Id)]
			if r.StatusCode == cloudwatchtypes.StatusCodeInternalError || r.StatusCode == cloudwatchtypes.StatusCodeForbidden || into == nil {
				return fmt.Errorf("the metric %s cannot be read: %s", aws.ToString(r.Id), r.StatusCode)
			}
			for i, at := range r.Timestamps {
				*into = append(*into, scaling.Point{At: at, Value: r.Values[i]})
			}
		}
	}
	return nil
}

func query(id, namespace, name, statistic string, dimensions map[string]string) cloudwatchtypes.MetricDataQuery {
	metric := &cloudwatchtypes.Metric{Namespace: &namespace, MetricName: &name}
	for dimension, value := range dimensions {
		metric.Dimensions = append(metric.Dimensions, cloudwatchtypes.Dimension{Name: &dimension, Value: &value})
	}
	return cloudwatchtypes.MetricDataQuery{Id: &id, MetricStat: &cloudwatchtypes.MetricStat{
		Metric: metric, Period: aws.Int32(60), Stat: &statistic,
	}}
}

// inAlarm reports whether the deployment alarm keeps a refresh from beginning: AWS
// takes none while an alarm that watches it is in ALARM or INSUFFICIENT_DATA. Source:
// EC2 Auto Scaling User Guide, "Undo changes with a manual or auto rollback".
func (c *controller) inAlarm(ctx context.Context) (bool, error) {
	state, err := c.alarmState(ctx)
	return state != cloudwatchtypes.StateValueOk, err
}

func (c *controller) alarmState(ctx context.Context) (cloudwatchtypes.StateValue, error) {
	out, err := c.cloudwatch.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{c.deploymentAlarm}})
	if err != nil {
		return "", err
	}
	if len(out.MetricAlarms) != 1 {
		return "", fmt.Errorf("there is no alarm %s", c.deploymentAlarm)
	}
	return out.MetricAlarms[0].StateValue, nil
}

// failedShare is the percentage of requests that failed in the last minutes, as the
// deployment alarm counts them.
func (c *controller) failedShare(ctx context.Context, now time.Time) (float64, error) {
	const counted = setting.AlarmMinutes * time.Minute
	balancer := map[string]string{"LoadBalancer": fullName(c.loadBalancerARN)}
	queries := []cloudwatchtypes.MetricDataQuery{
		query("r", "AWS/ApplicationELB", "RequestCount", "Sum", balancer),
		query("t", "AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", "Sum", balancer),
	}
	for _, status := range setting.BalancerErrors() {
		queries = append(queries, query(fmt.Sprintf("e%d", status), "AWS/ApplicationELB", fmt.Sprintf("HTTPCode_ELB_%d_Count", status), "Sum", balancer))
	}
	series := map[string]*scaling.Series{}
	for _, q := range queries {
		series[*q.Id] = &scaling.Series{}
	}
	end := now.Truncate(time.Minute)
	if err := c.readSeries(ctx, queries, end.Add(-counted), end, series); err != nil {
		return 0, err
	}
	sum := func(id string) (all float64) {
		for _, point := range *series[id] {
			all += point.Value
		}
		return all
	}
	requests, failed := sum("r"), sum("t")
	for _, status := range setting.BalancerErrors() {
		own := sum(fmt.Sprintf("e%d", status))
		failed += own
		if slices.Contains(setting.Uncounted(), status) {
			requests += own
		}
	}
	if requests < setting.AlarmMinutes*setting.AlarmRequests {
		return 0, nil
	}
	return 100 * failed / requests, nil
}

func (c *controller) stackUpdating(ctx context.Context) (bool, error) {
	status, err := c.stackStatus(ctx)
	return strings.HasSuffix(string(status), "_IN_PROGRESS"), err
}

func (c *controller) stackStatus(ctx context.Context) (cloudformationtypes.StackStatus, error) {
	out, err := c.cloudformation.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &c.stack})
	if err != nil {
		return "", err
	}
	if len(out.Stacks) != 1 {
		return "", fmt.Errorf("there is no stack %s", c.stack)
	}
	return out.Stacks[0].StackStatus, nil
}

// zonalShift reports whether the load balancer or the group leaves a zone out, or why that
// is not known: AWS denies the reading, which no later run changes and which says nothing of
// zones. Any other failure may be that of a zone, and is an error.
func (c *controller) zonalShift(ctx context.Context, group string) (shifted bool, unknown string, err error) {
	for _, arn := range []string{c.loadBalancerARN, group} {
		out, err := c.zonalshift.GetManagedResource(ctx, &arczonalshift.GetManagedResourceInput{ResourceIdentifier: &arn})
		var unmanaged *zonalshifttypes.ResourceNotFoundException
		var denied *zonalshifttypes.AccessDeniedException
		switch {
		case errors.As(err, &unmanaged): // it has never been shifted
			continue
		case errors.As(err, &denied):
			unknown = denied.ErrorMessage()
			continue
		case err != nil:
			return false, "", err
		}
		for _, shift := range out.ZonalShifts {
			if shift.AppliedStatus == zonalshifttypes.AppliedStatusApplied {
				return true, "", nil
			}
		}
		for _, shift := range out.Autoshifts {
			if shift.AppliedStatus == zonalshifttypes.AutoshiftAppliedStatusApplied {
				return true, "", nil
			}
		}
	}
	return false, unknown, nil
}

// sayShiftUnknown tells those who get the alarms that a right is missing, once while it is:
// no alarm does, since the scaler goes on.
func (c *controller) sayShiftUnknown(ctx context.Context, m *memory, unknown string) error {
	return c.sayOnce(ctx, m, &m.ShiftUnknown, unknown, "whether a zone is avoided is not known", fmt.Sprintf(
		"The scaler may not read whether a zonal shift is on, and makes no step down until it may: %s. Give its role arc-zonal-shift:GetManagedResource again, or look for a policy of the organization that takes it away.", unknown))
}
