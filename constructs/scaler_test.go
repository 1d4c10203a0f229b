package constructs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/constructs/fleet"
	"github.com/archipelago-cdk/archipelago/constructs/loadbalancer"
	"github.com/archipelago-cdk/archipelago/constructs/scaler"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"
)

// newScaler places one in a mode, with stand-ins for the code, beside a fleet.
func newScaler(t *testing.T, mode string) assertions.Template {
	t.Helper()
	stack, dir := newStack(), t.TempDir()
	binary, code := filepath.Join(dir, "directory"), filepath.Join(dir, "scaler.zip")
	for _, path := range []string{binary, code} {
		if err := os.WriteFile(path, []byte(filepath.Base(path)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	net := newNetwork(stack, false)
	balancer := loadbalancer.New(stack, "LoadBalancer", loadBalancerProps(net))
	props := fleetProps(net, balancer)
	props.Service.Binary = binary
	var control *scaler.Scaler
	props.GroupName = "test-fleet"
	props.Controller = func(f *fleet.Fleet) *fleet.Live {
		control = scaler.New(stack, "Scaler", &scaler.Props{
			Name: "test-scaler", Deployment: "test", Code: code, Architecture: awslambda.Architecture_ARM_64(), Mode: mode,
			GroupName: "test-fleet", LaunchTemplate: f.LaunchTemplate, SecurityGroup: f.SecurityGroup, InstanceRole: f.Role, VPC: net.VPC, Subnets: net.Fleet,
			DeploymentAlarm: f.DeploymentAlarm, LoadBalancer: balancer.ALB, TargetGroup: balancer.TargetGroup,
			Ladder: []string{"m7g.medium", "m7g.large"}, StartAt: "m7g.medium", CPUTarget: 55, Window: "01:00-05:00",
			InstanceTypeParameter: "/test/fleet/instance-type", ScalingParameter: "/test/fleet/scaling", FrozenParameter: "/test/fleet/frozen",
		})
		return control.Hold(stack, "Hold")
	}
	machines := fleet.New(stack, "Fleet", props)
	control.Rollout(stack, "Rollout", machines.Build, machines.LaunchTemplate.LatestVersionNumber(), machines.Construct)
	return assertions.Template_FromStack(stack, nil)
}

// statements are those of the scaler's policy, as text, by their actions.
func statements(t *testing.T, template assertions.Template) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, p := range *template.FindResources(jsii.String("AWS::IAM::Policy"), map[string]any{
		"Properties": map[string]any{"Roles": []any{map[string]any{"Ref": assertions.Match_StringLikeRegexp(jsii.String("ScalerRole.*"))}}},
	}) {
		document := (*p)["Properties"].(map[string]any)["PolicyDocument"].(map[string]any)
		for _, s := range document["Statement"].([]any) {
			statement := s.(map[string]any)
			actions, ok := statement["Action"].([]any)
			if !ok {
				actions = []any{statement["Action"]}
			}
			for _, action := range actions {
				found[fmt.Sprint(action)] = append(found[fmt.Sprint(action)], fmt.Sprint(statement))
			}
		}
	}
	if len(found) == 0 {
		t.Fatal("the scaler may do nothing")
	}
	return found
}

// TestScalerLaunchesFromItsFleetsTemplateOnly: the right to launch, with the
// instances' role, would else be the right to run anything.
func TestScalerLaunchesFromItsFleetsTemplateOnly(t *testing.T) {
	may := statements(t, newScaler(t, "auto"))
	for _, s := range may["ec2:RunInstances"] {
		if !strings.Contains(s, "ec2:LaunchTemplate:") || !strings.Contains(s, "FleetLaunchTemplate") {
			t.Errorf("it launches from other templates: %s", s)
		}
		if strings.Contains(s, "instance/*") && !strings.Contains(s, "ec2:InstanceType:[m7g.medium m7g.large]") {
			t.Errorf("it launches types that are not on the ladder: %s", s)
		}
		if strings.Contains(s, "image/*") && !strings.Contains(s, "ec2:Owner:[amazon ") {
			t.Errorf("it launches anybody's image: %s", s)
		}
	}
	if pass := may["iam:PassRole"]; len(pass) != 1 || !strings.Contains(pass[0], "FleetRole") || !strings.Contains(pass[0], "iam:PassedToService:ec2.amazonaws.com") {
		t.Errorf("it passes %q, want the instances' role, to EC2", pass)
	}
	for action := range may {
		for _, refused := range []string{"CreateLaunchTemplateVersion", "ModifyLaunchTemplate", "UpdateAutoScalingGroup", "UpdateStack", "CreateChangeSet", "*"} {
			if strings.Contains(action, refused) {
				t.Errorf("it may %s", action)
			}
		}
	}
}

func TestAdvisorChangesNothing(t *testing.T) {
	may := statements(t, newScaler(t, "advise"))
	if len(may["autoscaling:PutScalingPolicy"]) > 0 {
		t.Error("it may change the policy that tracks requests")
	}
	if len(may["autoscaling:StartInstanceRefresh"]) == 0 {
		t.Error("it may not bring the fleet to a build")
	}
}

// TestScalerIsToldWhenItIsDue: a run that is tried again decides by the same
// minutes as the first.
func TestScalerIsToldWhenItIsDue(t *testing.T) {
	has(newScaler(t, "auto"), "AWS::Scheduler::Schedule", properties{
		"ScheduleExpression": "rate(1 minute)",
		"Target":             properties{"Input": `{"time":"<aws.scheduler.scheduled-time>"}`},
	})
}

// TestServiceMovesNeitherHoldNorGroup: a deployment of another service makes a
// version of the launch template, and has the fleet brought to it.
func TestServiceMovesNeitherHoldNorGroup(t *testing.T) {
	template := newScaler(t, "auto")
	for resource, wants := range map[string][2]bool{ // does it name the template's version, the build
		"Custom::FleetHold":                  {false, false},
		"AWS::AutoScaling::AutoScalingGroup": {false, false},
		"Custom::FleetRollout":               {true, true},
	} {
		found := *template.FindResources(&resource, nil)
		if len(found) != 1 {
			t.Fatalf("there are %d %s, want 1", len(found), resource)
		}
		for _, r := range found {
			text := fmt.Sprint((*r)["Properties"])
			for n, word := range []string{"LatestVersionNumber", "SsmParameterValue"} {
				if strings.Contains(text, word) != wants[n] {
					t.Errorf("%s: %s is there: %v, want %v: %s", resource, word, !wants[n], wants[n], text)
				}
			}
			if policy, _ := (*r)["UpdatePolicy"].(map[string]any); policy["AutoScalingInstanceRefresh"] != nil {
				t.Errorf("%s has CloudFormation replace its instances", resource)
			}
		}
	}
}
