package emulator_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/arczonalshift"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	autoscalingtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"
)

// in has a role's clients speak to a region.
func in(region string, c aws.Config) aws.Config {
	c.Region = region
	return c
}

// denied reports whether AWS refused a call for want of a right, and fails for any other
// error.
func denied(t *testing.T, err error) bool {
	t.Helper()
	var refused smithy.APIError
	if err != nil && (!errors.As(err, &refused) || !strings.Contains(refused.ErrorCode(), "Denied") && !strings.Contains(refused.ErrorCode(), "Unauthorized")) {
		t.Fatal(err)
	}
	return err != nil
}

// TestReadingsOfAZonalShift: a right for the group's ARN holds under one of them, and the
// scaler's, for everything with the two ARNs as a condition, under both.
func TestReadingsOfAZonalShift(t *testing.T) {
	control := emulatortest.Shared(t)
	a := account{control: control, Config: emulatortest.Config(control, "us-east-1")}
	const group, other = "arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:1:autoScalingGroupName/fleet", "arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:1:autoScalingGroupName/other"
	const action = "arc-zonal-shift:GetManagedResource"
	for name, test := range map[string]struct {
		statement string
		want      map[bool]bool // by whether the group is a resource
	}{
		"by ARN":       {allow(action, group), map[bool]bool{false: false, true: true}},
		"by condition": {conditional(action, "*", "ArnLike", "arc-zonal-shift:ResourceIdentifier", strings.Replace(group, ":1:", ":*:", 1)), map[bool]bool{false: true, true: true}},
	} {
		t.Run(name, func(t *testing.T) {
			client := arczonalshift.NewFromConfig(a.role(t, test.statement))
			for named, want := range test.want {
				emulatortest.Set(t, control, emulator.Settings{ZonalShiftNamesGroup: named})
				_, err := client.GetManagedResource(t.Context(), &arczonalshift.GetManagedResourceInput{ResourceIdentifier: aws.String(group)})
				if may := !denied(t, err); may != want {
					t.Errorf("where the group is a resource: %t: allowed is %t, want %t", named, may, want)
				}
				if _, err := client.GetManagedResource(t.Context(), &arczonalshift.GetManagedResourceInput{ResourceIdentifier: aws.String(other)}); !denied(t, err) {
					t.Error("another group's shift may be asked for")
				}
			}
		})
	}
	emulatortest.Set(t, control, emulator.Settings{})
}

// TestReadingsOfADryRun: that it is from the fleet's template may be asked of it under one
// of them, and under both where the key counts only if it is there. A type that is not in
// the ladder is refused always.
func TestReadingsOfADryRun(t *testing.T) {
	s := newStack(t)
	made := s.fleet("m7g.medium")
	made["Vpc"] = map[string]any{"Type": "AWS::EC2::VPC", "Properties": map[string]any{"CidrBlock": "10.98.0.0/16"}}
	made["Subnet"] = map[string]any{"Type": "AWS::EC2::Subnet", "Properties": map[string]any{"VpcId": map[string]any{"Ref": "Vpc"}, "CidrBlock": "10.98.0.0/24", "AvailabilityZone": "eu-west-1a"}}
	made["Role"] = map[string]any{"Type": "AWS::IAM::Role", "Properties": map[string]any{"AssumeRolePolicyDocument": map[string]any{"Version": "2012-10-17", "Statement": []any{}}}}
	made["Profile"] = map[string]any{"Type": "AWS::IAM::InstanceProfile", "Properties": map[string]any{"Roles": []any{map[string]any{"Ref": "Role"}}}}
	made["Template"].(map[string]any)["Properties"].(map[string]any)["LaunchTemplateData"].(map[string]any)["IamInstanceProfile"] = map[string]any{"Arn": map[string]any{"Fn::GetAtt": []any{"Profile", "Arn"}}}
	delete(made["Group"].(map[string]any), "UpdatePolicy")
	properties := made["Group"].(map[string]any)["Properties"].(map[string]any)
	delete(properties, "AvailabilityZones")
	properties["VPCZoneIdentifier"] = []any{map[string]any{"Ref": "Subnet"}}
	s.deploy(t, types.StackStatusCreateComplete, made)

	a := account{control: s.control, Config: emulatortest.Config(s.control, "us-east-1")}
	described, err := autoscaling.NewFromConfig(in("eu-west-1", a.Config)).DescribeAutoScalingGroups(t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{s.name}})
	if err != nil {
		t.Fatal(err)
	}
	of := described.AutoScalingGroups[0].MixedInstancesPolicy.LaunchTemplate.LaunchTemplateSpecification
	template := "arn:aws:ec2:eu-west-1:123456789012:launch-template/" + *of.LaunchTemplateId
	for operator, want := range map[string]map[bool]bool{
		"ArnEquals":         {false: false, true: true},
		"ArnEqualsIfExists": {false: true, true: true},
	} {
		t.Run(operator, func(t *testing.T) {
			conditioned := func(actions, resources, more string) string {
				return strings.TrimSuffix(allow(actions, resources), "}") + fmt.Sprintf(`, "Condition": {%q: {"ec2:LaunchTemplate": %q}%s}}`, operator, template, more)
			}
			client := autoscaling.NewFromConfig(in("eu-west-1", a.role(t,
				allow("autoscaling:StartInstanceRefresh autoscaling:CancelInstanceRefresh ec2:CreateTags iam:PassRole", "*"),
				conditioned("ec2:RunInstances", "arn:aws:ec2:*:*:instance/*", `, "StringEquals": {"ec2:InstanceType": ["m7g.medium", "m7g.large"]}`),
				conditioned("ec2:RunInstances", strings.Join([]string{
					"arn:aws:ec2:*::image/*", "arn:aws:ec2:*:*:volume/*", "arn:aws:ec2:*:*:network-interface/*", "arn:aws:ec2:*:*:subnet/*", "arn:aws:ec2:*:*:security-group/*", template,
				}, " "), ""),
			)))
			start := func(instanceType string) error {
				_, err := client.StartInstanceRefresh(t.Context(), &autoscaling.StartInstanceRefreshInput{
					AutoScalingGroupName: &s.name,
					DesiredConfiguration: &autoscalingtypes.DesiredConfiguration{MixedInstancesPolicy: &autoscalingtypes.MixedInstancesPolicy{LaunchTemplate: &autoscalingtypes.LaunchTemplate{
						LaunchTemplateSpecification: &autoscalingtypes.LaunchTemplateSpecification{LaunchTemplateId: of.LaunchTemplateId, Version: of.Version},
						Overrides:                   []autoscalingtypes.LaunchTemplateOverrides{{InstanceType: &instanceType}},
					}}},
				})
				if err == nil {
					_, err := client.CancelInstanceRefresh(t.Context(), &autoscaling.CancelInstanceRefreshInput{AutoScalingGroupName: &s.name})
					if err != nil {
						t.Fatal(err)
					}
					emulatortest.Advance(t, s.control, 10*time.Minute) // until it has ended
				}
				return err
			}
			for named, may := range want {
				emulatortest.Set(t, s.control, emulator.Settings{DryRunNamesTemplate: named})
				if got := !denied(t, start("m7g.large")); got != may {
					t.Errorf("where the dry run names the template: %t: allowed is %t, want %t", named, got, may)
				}
				if !denied(t, start("m7g.metal")) {
					t.Error("a type that is not the ladder's is launched")
				}
			}
		})
	}
	emulatortest.Set(t, s.control, emulator.Settings{})
}
