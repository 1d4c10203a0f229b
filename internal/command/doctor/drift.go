package doctor

import (
	"context"
	"slices"
	"strings"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// What is looked at here no deployment puts back, since what it compares are templates,
// nor does cdk drift see it: it is made by a custom resource, or no property of a template
// says it.

// replication looks for the rules that copy the region's buckets into those of the others,
// which a custom resource puts. One that is gone fails nothing, so no alarm reports it.
func replication(ctx context.Context, s *site) []Line {
	stack := s.names().GlobalStack()
	status, err := s.stack(ctx, s.primary, stack)
	if err != nil {
		return []Line{notLookedAt("whether buckets are replicated", err)}
	}
	regions := s.config.RegionNames() // without those that are retired
	if status == "" || len(s.config.Buckets) == 0 || len(regions) < 2 || s.region.Retired {
		return nil
	}
	var lines []Line
	for _, b := range s.config.Buckets {
		bucket := s.names().Bucket(b.Name, s.region.Name)
		out, err := s.s3().GetBucketReplication(ctx, &s3.GetBucketReplicationInput{Bucket: &bucket})
		if refusedWith(err, "NoSuchBucket") {
			continue // of which another check tells
		}
		if err != nil && !refusedWith(err, "ReplicationConfigurationNotFoundError") {
			lines = append(lines, notLookedAt("the replication of "+bucket, err))
			continue
		}
		var missing []string
		for _, region := range regions {
			to := ":::" + s.names().Bucket(b.Name, region)
			if region != s.region.Name && (err != nil || !slices.ContainsFunc(out.ReplicationConfiguration.Rules, func(r s3types.ReplicationRule) bool {
				return r.Status == s3types.ReplicationRuleStatusEnabled && r.Destination != nil && strings.HasSuffix(aws.ToString(r.Destination.Bucket), to)
			})) {
				missing = append(missing, region)
			}
		}
		if missing != nil {
			lines = append(lines, warn("the bucket %s is not replicated to %s: where the region is new to it a deployment has it done, else put the rules back that %s has in its template, then see \"Bucket replication failed\" in docs/operations.md", bucket, strings.Join(missing, ", "), stack))
		}
	}
	if lines == nil {
		lines = append(lines, ok("to %d other regions", len(regions)-1))
	}
	return lines
}

// listener looks for the parameter by which a custom resource of the entry's stack publishes
// the accelerator's listener.
func listener(ctx context.Context, s *site) []Line {
	const what = "the listener that the entry publishes"
	status, err := s.regionStack(ctx)
	if err != nil {
		return []Line{notLookedAt(what, err)}
	}
	entry := s.names().EntryStack()
	if s.config.Entry != config.EntryAccelerator || status == "" {
		return nil
	}
	if status, err = s.stack(ctx, s.primary, entry); err != nil {
		return []Line{notLookedAt(what, err)}
	}
	if status == "" {
		return nil
	}
	listeners, err := s.resources(ctx, s.primary, entry, "AWS::GlobalAccelerator::Listener")
	if err != nil {
		return []Line{notLookedAt(what, err)}
	}
	parameter := s.names().ListenerParameter()
	found, err := s.parameters(ctx, parameter)
	if err != nil {
		return []Line{notLookedAt(what, err)}
	}
	for _, arn := range listeners { // one, or none before the entry is an accelerator
		if found[parameter] == "" {
			return []Line{fail("the parameter %s is gone, without which CloudFormation refuses the region's stack: aws ssm put-parameter --region %s --name %[1]s --type String --value %[3]s", parameter, s.region.Name, arn)}
		}
	}
	return nil
}

// processes looks whether somebody, or AWS after a day of launches that failed, has
// suspended some of the fleet's.
// test/cloud, TestWhatTheDoctorForbids, has the deployment that fails.
func processes(ctx context.Context, s *site) []Line {
	group := s.names().Group()
	out, err := autoscaling.NewFromConfig(s.here).DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{group}})
	if err != nil {
		return []Line{notLookedAt("the processes of "+group, err)}
	}
	if len(out.AutoScalingGroups) == 0 {
		return nil
	}
	var fatal, other []string
	for _, p := range out.AutoScalingGroups[0].SuspendedProcesses {
		if name := aws.ToString(p.ProcessName); slices.Contains(setting.Replacing(), name) {
			fatal = append(fatal, name)
		} else {
			other = append(other, name)
		}
	}
	slices.Sort(fatal)
	slices.Sort(other)
	switch {
	case fatal != nil:
		return []Line{fail("%s of %s is suspended, so no instance is replaced: aws autoscaling resume-processes --region %s --auto-scaling-group-name %[2]s", strings.Join(append(fatal, other...), ", "), group, s.region.Name)}
	case other != nil:
		return []Line{warn("%s of %s is suspended, which the fleet goes without: aws autoscaling resume-processes --region %s --auto-scaling-group-name %[2]s", strings.Join(other, ", "), group, s.region.Name)}
	}
	return []Line{ok("no process is suspended")}
}

// silenced looks for alarms whose actions are switched off, which templates leave out: on
// is the default.
func silenced(ctx context.Context, s *site) []Line {
	status, err := s.regionStack(ctx)
	if err != nil {
		return []Line{notLookedAt("whether alarms act", err)}
	}
	if status == "" {
		return nil
	}
	var ours []string
	for _, kind := range []string{"AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"} {
		alarms, err := s.resources(ctx, s.here, s.names().RegionStack(s.region.Name), kind)
		if err != nil {
			return []Line{notLookedAt("whether alarms act", err)}
		}
		for _, id := range alarms { // a name, or the ARN of a composite alarm
			_, name, named := strings.Cut(id, ":alarm:")
			if !named {
				name = id
			}
			ours = append(ours, name)
		}
	}
	slices.Sort(ours)
	var off []string
	for some := range slices.Chunk(ours, 100) { // as many as a call takes
		out, err := cloudwatch.NewFromConfig(s.here).DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{
			AlarmNames: some, AlarmTypes: []cloudwatchtypes.AlarmType{cloudwatchtypes.AlarmTypeMetricAlarm, cloudwatchtypes.AlarmTypeCompositeAlarm}, MaxRecords: aws.Int32(100),
		})
		if err != nil {
			return []Line{notLookedAt("whether alarms act", err)}
		}
		for _, a := range out.MetricAlarms {
			if !aws.ToBool(a.ActionsEnabled) {
				off = append(off, aws.ToString(a.AlarmName))
			}
		}
		for _, a := range out.CompositeAlarms {
			if !aws.ToBool(a.ActionsEnabled) {
				off = append(off, aws.ToString(a.AlarmName))
			}
		}
	}
	if off == nil {
		return nil
	}
	slices.Sort(off)
	return []Line{warn("%d alarms send and do nothing: aws cloudwatch enable-alarm-actions --region %s --alarm-names %s", len(off), s.region.Name, strings.Join(off, " "))}
}
