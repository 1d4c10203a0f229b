package doctor

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// TestReplication that somebody has switched off, or taken away.
func TestReplication(t *testing.T) {
	p := newPatient(t, twoRegions)
	here, there := p.names().Bucket("photos", "eu-west-1"), p.names().Bucket("photos", "us-east-1")
	want(t, p.look(t, 0, replication)) // no stack has it yet
	p.deploy(t, "eu-west-1", p.names().GlobalStack(), something)
	want(t, p.look(t, 1, replication), "ok: to 1 other regions") // the bucket is another check's
	p.bucket(t, "eu-west-1", here)
	p.versions(t, here, s3types.BucketVersioningStatusEnabled)
	if _, err := p.s3("us-east-1").CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &there}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.s3("us-east-1").PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{Bucket: &there, VersioningConfiguration: &s3types.VersioningConfiguration{Status: s3types.BucketVersioningStatusEnabled}}); err != nil {
		t.Fatal(err)
	}
	gone := "warning: the bucket " + here + " is not replicated to us-east-1: where the region is new"
	want(t, p.look(t, 0, replication), gone)
	put := func(status s3types.ReplicationRuleStatus) {
		t.Helper()
		if _, err := p.s3("eu-west-1").PutBucketReplication(t.Context(), &s3.PutBucketReplicationInput{Bucket: &here, ReplicationConfiguration: &s3types.ReplicationConfiguration{
			Role: aws.String("arn:aws:iam::" + account + ":role/replication"),
			Rules: []s3types.ReplicationRule{{
				ID: aws.String("us-east-1"), Status: status, Priority: aws.Int32(1), Filter: &s3types.ReplicationRuleFilter{Prefix: aws.String("")},
				Destination: &s3types.Destination{Bucket: aws.String("arn:aws:s3:::" + there)}, DeleteMarkerReplication: &s3types.DeleteMarkerReplication{Status: "Enabled"},
			}},
		}}); err != nil {
			t.Fatal(err)
		}
	}
	put(s3types.ReplicationRuleStatusEnabled)
	want(t, p.look(t, 0, replication), "ok: to 1 other regions")
	put(s3types.ReplicationRuleStatusDisabled)
	want(t, p.look(t, 0, replication), gone)
	p.config.Regions[1].Retired = true
	want(t, p.look(t, 0, replication))
}

// TestListenerThatIsNotPublished: a region's stack that names its parameter is refused.
func TestListenerThatIsNotPublished(t *testing.T) {
	p := newPatient(t, "")
	n := p.names()
	want(t, p.look(t, 0, listener))
	p.deploy(t, "eu-west-1", n.EntryStack(), `"Accelerator": {"Type": "AWS::GlobalAccelerator::Accelerator", "Properties": {"Name": "x"}},
		"Listener": {"Type": "AWS::GlobalAccelerator::Listener", "Properties": {"AcceleratorArn": {"Ref": "Accelerator"}, "Protocol": "TCP", "PortRanges": [{"FromPort": 80, "ToPort": 80}]}}`)
	want(t, p.look(t, 0, listener)) // the region joins, and the entry's next deployment puts it
	p.deploy(t, "eu-west-1", n.RegionStack("eu-west-1"), something)
	gone := "fail: the parameter " + n.ListenerParameter() + " is gone, without which CloudFormation refuses the region's stack: aws ssm put-parameter --region eu-west-1 --name " + n.ListenerParameter() + " --type String --value arn:aws:globalaccelerator:"
	want(t, p.look(t, 0, listener), gone)
	client, stack := cloudformation.NewFromConfig(emulatortest.Config(p.control, "eu-west-1")), n.RegionStack("eu-west-1")
	change := func(name string) error {
		_, err := client.CreateChangeSet(t.Context(), &cloudformation.CreateChangeSetInput{
			StackName: &stack, ChangeSetName: &name, ChangeSetType: cloudformationtypes.ChangeSetTypeUpdate,
			TemplateBody: aws.String(`{"Parameters": {"Listener": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "` + n.ListenerParameter() + `"}}, "Resources": {` + something + `}}`),
		})
		return err
	}
	if err := change("without"); err == nil || !strings.Contains(err.Error(), "Unable to fetch parameters") {
		t.Errorf("got %v, want the change set refused", err)
	}
	p.put(t, "eu-west-1", n.ListenerParameter(), "arn")
	want(t, p.look(t, 0, listener))
	if err := change("with"); err != nil {
		t.Error(err)
	}
	if _, err := ssm.NewFromConfig(emulatortest.Config(p.control, "eu-west-1")).DeleteParameter(t.Context(), &ssm.DeleteParameterInput{Name: aws.String(n.ListenerParameter())}); err != nil {
		t.Fatal(err)
	}
	p.config.Entry = "none" // the regions have left
	want(t, p.look(t, 0, listener))
}

// TestProcessesThatAreSuspended. TestWhatTheDoctorForbids, in test/cloud, has the deployment
// that fails.
func TestProcessesThatAreSuspended(t *testing.T) {
	p := newPatient(t, "")
	group := p.names().Group()
	want(t, p.look(t, 0, processes))
	p.deploy(t, "eu-west-1", p.names().RegionStack("eu-west-1"), fmt.Sprintf(`"Template": {"Type": "AWS::EC2::LaunchTemplate", "Properties": {"LaunchTemplateName": %q, "LaunchTemplateData": {"ImageId": "ami-12c6146b", "InstanceType": "m7g.medium"}}},
		"Group": {"Type": "AWS::AutoScaling::AutoScalingGroup", "Properties": {"AutoScalingGroupName": %[1]q, "MinSize": "0", "MaxSize": "0", "AvailabilityZones": ["eu-west-1a"], "LaunchTemplate": {"LaunchTemplateId": {"Ref": "Template"}, "Version": "1"}}}`, group))
	want(t, p.look(t, 0, processes), "ok: no process is suspended")
	client := autoscaling.NewFromConfig(emulatortest.Config(p.control, "eu-west-1"))
	suspend := func(process string) {
		t.Helper()
		if _, err := client.SuspendProcesses(t.Context(), &autoscaling.SuspendProcessesInput{AutoScalingGroupName: &group, ScalingProcesses: []string{process}}); err != nil {
			t.Fatal(err)
		}
	}
	suspend("ReplaceUnhealthy")
	want(t, p.look(t, 0, processes), "warning: ReplaceUnhealthy of "+group+" is suspended, which the fleet goes without: aws autoscaling resume-processes --region eu-west-1 --auto-scaling-group-name "+group)
	suspend("Launch")
	want(t, p.look(t, 0, processes), "fail: Launch, ReplaceUnhealthy of "+group+" is suspended, so no instance is replaced")
}

// TestAlarmsThatAreSilenced, of both kinds.
func TestAlarmsThatAreSilenced(t *testing.T) {
	p := newPatient(t, "")
	want(t, p.look(t, 0, silenced))
	metric, composite := p.names().Name+"-metric", p.names().ImpairedAlarm()
	p.deploy(t, "eu-west-1", p.names().RegionStack("eu-west-1"), alarms(metric, composite))
	want(t, p.look(t, 0, silenced))
	if _, err := cloudwatch.NewFromConfig(emulatortest.Config(p.control, "eu-west-1")).DisableAlarmActions(t.Context(), &cloudwatch.DisableAlarmActionsInput{AlarmNames: []string{metric, composite}}); err != nil {
		t.Fatal(err)
	}
	want(t, p.look(t, 0, silenced), "warning: 2 alarms send and do nothing: aws cloudwatch enable-alarm-actions --region eu-west-1 --alarm-names "+composite+" "+metric)
}

// alarms are an alarm and one of it.
func alarms(metric, composite string) string {
	rule, _ := json.Marshal("ALARM(" + metric + ")")
	return fmt.Sprintf(`"Metric": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"AlarmName": %q, "Namespace": "x", "MetricName": "x", "ComparisonOperator": "GreaterThanThreshold", "Threshold": 1, "EvaluationPeriods": 1, "Period": 60, "Statistic": "Sum"}},
		"Composite": {"Type": "AWS::CloudWatch::CompositeAlarm", "DependsOn": "Metric", "Properties": {"AlarmName": %q, "AlarmRule": %s}}`, metric, composite, rule)
}
