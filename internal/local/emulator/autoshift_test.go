package emulator_test

import (
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/aws/aws-sdk-go-v2/service/arczonalshift"
	shift "github.com/aws/aws-sdk-go-v2/service/arczonalshift/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// autoshift is the configuration of a region's template of a load balancer, or of a group,
// for another resource and alarm.
func autoshift(t *testing.T, id string, resource, alarm any) map[string]any {
	t.Helper()
	properties := templateAlarm(t, "../../../stacks/testdata/watched/archipelago-region-eu-west-1.template.json", id)
	properties["ResourceIdentifier"] = resource
	for _, outcome := range properties["PracticeRunConfiguration"].(map[string]any)["OutcomeAlarms"].([]any) {
		outcome.(map[string]any)["AlarmIdentifier"] = alarm
	}
	return map[string]any{"Type": "AWS::ARCZonalShift::ZonalAutoshiftConfiguration", "Properties": properties}
}

// TestPracticeRunsOfZonalAutoshift succeed after half an hour, or fail as soon as the alarm
// of the template that is their outcome is in ALARM; no run begins while it is.
func TestPracticeRunsOfZonalAutoshift(t *testing.T) {
	m := newMetrics(t)
	guard := templateAlarm(t, "../../../stacks/testdata/watched/archipelago-region-eu-west-1.template.json", "FleetDeploymentAlarm")
	balancer := balancerOf(t, guard)
	guard["AlarmName"] = m.s.name
	parts := m.s.fleet("m7g.medium").with(network(twoZones...)).with(facing("internal"))
	parts["Balancer"].(map[string]any)["Properties"].(map[string]any)["LoadBalancerAttributes"] = []any{map[string]any{"Key": "zonal_shift.config.enabled", "Value": "true"}}
	parts["Alarm"] = map[string]any{"Type": "AWS::CloudWatch::Alarm", "Properties": guard}
	parts["OfBalancer"] = autoshift(t, "LoadBalancerAutoshift", ref("Balancer"), getAtt("Alarm", "Arn"))
	parts["OfGroup"] = autoshift(t, "GroupAutoshift", getAtt("Group", "AutoScalingGroupARN"), getAtt("Alarm", "Arn"))
	parts["Out"] = parameter("/"+m.s.name, ref("Balancer"))
	m.s.deploy(t, types.StackStatusCreateComplete, parts)
	arn := m.s.value(t, "/"+m.s.name)
	client := arczonalshift.NewFromConfig(emulatortest.Config(m.s.control, "eu-west-1"))
	outcome := func() (shift.PracticeRunOutcome, shift.ZonalShiftStatus) {
		t.Helper()
		out, err := client.ListZonalShifts(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range out.Items {
			if *s.ResourceIdentifier == arn {
				return s.PracticeRunOutcome, s.Status
			}
		}
		t.Fatalf("no practice run of %s", arn)
		return "", ""
	}
	is := func(when string, want shift.PracticeRunOutcome, status shift.ZonalShiftStatus) {
		t.Helper()
		if got, is := outcome(); got != want || is != status {
			t.Errorf("%s: it is %s, %s, want %s, %s", when, got, is, want, status)
		}
	}
	practiceRun := func() {
		t.Helper()
		if err := m.s.control.StartPracticeRun(t.Context(), arn, "euw1-az1"); err != nil {
			t.Fatal(err)
		}
	}
	m.settle(t) // so that the minute before is evaluated in each
	well, ill := map[string]float64{"RequestCount": 100}, map[string]float64{"RequestCount": 100, "HTTPCode_Target_5XX_Count": 50}
	for range 5 {
		m.balance(t, balancer, well)
	}
	practiceRun()
	is("at its beginning", shift.PracticeRunOutcomePending, shift.ZonalShiftStatusActive)
	emulatortest.Advance(t, m.s.control, 28*time.Minute)
	is("after 28 minutes", shift.PracticeRunOutcomePending, shift.ZonalShiftStatusActive)
	emulatortest.Advance(t, m.s.control, 3*time.Minute)
	is("after half an hour", shift.PracticeRunOutcomeSucceeded, shift.ZonalShiftStatusExpired)

	practiceRun()
	for range 4 {
		m.balance(t, balancer, ill)
	}
	is("when half of the answers fail", shift.PracticeRunOutcomeFailed, shift.ZonalShiftStatusExpired)
	if err := m.s.control.StartPracticeRun(t.Context(), arn, "euw1-az1"); err == nil || !strings.Contains(err.Error(), "is not started") {
		t.Errorf("one begins while its alarm is in ALARM: %v", err)
	}
	if err := m.s.control.StartPracticeRun(t.Context(), "arn:another", "euw1-az1"); err == nil {
		t.Error("one begins without a configuration")
	}
}

// TestAutoshiftOfWhatIsNotManaged is refused: a load balancer without zonal shift, and an
// ARN with a wildcard, as the construct of a group has it.
func TestAutoshiftOfWhatIsNotManaged(t *testing.T) {
	alarm := map[string]any{"Type": "AWS::CloudWatch::Alarm", "Properties": map[string]any{
		"Namespace": "Test", "MetricName": "x", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1, "ComparisonOperator": "GreaterThanThreshold",
	}}
	for name, test := range map[string]struct {
		resource, alarm any
		reason          string
	}{
		"without zonal shift": {ref("Balancer"), getAtt("Alarm", "Arn"), "ARC manages no resource"},
		"a wildcard":          {"arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:*:autoScalingGroupName/fleet", getAtt("Alarm", "Arn"), "ARC manages no resource"},
		"an alarm elsewhere":  {ref("Shifts"), "arn:aws:cloudwatch:us-east-1:123456789012:alarm:other", "there is no alarm"},
	} {
		t.Run(name, func(t *testing.T) {
			shifts := facing("internal")["Balancer"].(map[string]any)
			shifts["Properties"].(map[string]any)["LoadBalancerAttributes"] = []any{map[string]any{"Key": "zonal_shift.config.enabled", "Value": "true"}}
			made(t, test.reason, network(twoZones...).with(facing("internal")).with(resources{
				"Alarm": alarm, "Shifts": shifts, "Autoshift": autoshift(t, "LoadBalancerAutoshift", test.resource, test.alarm),
			}))
		})
	}
}
