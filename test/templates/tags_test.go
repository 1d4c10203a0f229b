package templates_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/internal/matrix"
)

// untagged are the types that take no tags of their own.
var untagged = []string{
	"AWS::ARCZonalShift::ZonalAutoshiftConfiguration",
	"AWS::AutoScaling::ScalingPolicy",
	"AWS::AutoScaling::ScheduledAction",
	"AWS::CDK::Metadata",
	"AWS::CloudWatch::Dashboard",
	"AWS::EC2::LaunchTemplate", // tags what it launches, see below
	"AWS::EC2::Route",
	"AWS::EC2::SecurityGroupEgress",
	"AWS::EC2::SecurityGroupIngress",
	"AWS::EC2::SubnetRouteTableAssociation",
	"AWS::EC2::VPCGatewayAttachment",
	"AWS::ElasticLoadBalancingV2::Listener",
	"AWS::ElasticLoadBalancingV2::ListenerRule",
	"AWS::GlobalAccelerator::EndpointGroup",
	"AWS::GlobalAccelerator::Listener",
	"AWS::IAM::InstanceProfile",
	"AWS::IAM::Policy",
	"AWS::Lambda::EventInvokeConfig",
	"AWS::Lambda::Permission",
	"AWS::Route53::RecordSet",
	"AWS::S3::BucketPolicy",
	"AWS::SNS::Subscription",
	"AWS::SNS::TopicPolicy",
	"AWS::Scheduler::Schedule", // its group would
	"AWS::WAFv2::WebACLAssociation",
	"Custom::AWS",
	"Custom::FleetHold",
	"Custom::FleetRollout",
	"Custom::S3AutoDeleteObjects",
	"Custom::VpcRestrictDefaultSG",
}

// TestEverythingIsTagged: whatever takes tags says which deployment it is of. What
// CDK makes without tags, the helpers of custom resources, has its stack's.
func TestEverythingIsTagged(t *testing.T) {
	matrix.Each(t, func(t *testing.T, a matrix.Assembly) {
		for name, stack := range a.Stacks {
			var want []tag
			for key, value := range a.Config.AllTags(stack.Region) {
				want = append(want, tag{key, value})
			}
			for _, w := range want {
				if got := stack.Tags[w.Key]; got != w.Value {
					t.Errorf("%s: its tag %s is %q, want %q", name, w.Key, got, w.Value)
				}
			}
			for id, resource := range stack.Resources(t) {
				tags := tagsOf(resource.Properties["Tags"])
				if resource.Type == "AWS::DynamoDB::GlobalTable" {
					replicasAreTagged(t, a.Config, id, resource)
					continue
				}
				if slices.Contains(untagged, resource.Type) || strings.Contains(id, "CustomResourceProvider") {
					continue
				}
				for _, w := range want {
					if !slices.Contains(tags, w) {
						t.Errorf("%s: %s, a %s, lacks the tag %v; it has %v", name, id, resource.Type, w, tags)
					}
				}
			}
		}
	})
}

// replicasAreTagged: each with its own region.
func replicasAreTagged(t *testing.T, c config.Config, id string, table matrix.Resource) {
	t.Helper()
	for _, replica := range table.Properties["Replicas"].([]any) {
		replica := replica.(map[string]any)
		got := map[string]string{}
		for _, tag := range tagsOf(replica["Tags"]) {
			got[tag.Key] = tag.Value
		}
		if want := c.AllTags(replica["Region"].(string)); !maps.Equal(got, want) {
			t.Errorf("%s has the tags %v in %s, want %v", id, got, replica["Region"], want)
		}
	}
}

// TestInstancesAreTagged: by the launch template, with their volumes.
func TestInstancesAreTagged(t *testing.T) {
	matrix.Each(t, func(t *testing.T, a matrix.Assembly) {
		for _, region := range a.Config.RegionNames() {
			tagged := map[any]bool{}
			for _, resource := range a.Stacks[a.Config.Names().RegionStack(region)].Resources(t) {
				if resource.Type != "AWS::EC2::LaunchTemplate" {
					continue
				}
				data := resource.Properties["LaunchTemplateData"].(map[string]any)
				for _, specification := range data["TagSpecifications"].([]any) {
					of := specification.(map[string]any)
					tags := tagsOf(of["Tags"])
					tagged[of["ResourceType"]] = true
					for key, value := range a.Config.AllTags(region) {
						if !slices.Contains(tags, tag{key, value}) {
							tagged[of["ResourceType"]] = false
						}
					}
				}
			}
			for _, kind := range []string{"instance", "volume"} {
				if !tagged[kind] {
					t.Errorf("the launch template of %s tags no %s", region, kind)
				}
			}
		}
	})
}

type tag struct{ Key, Value string }

// tagsOf reads a resource's tags, a list or, as of a few types, an object.
func tagsOf(v any) []tag {
	var tags []tag
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			t := item.(map[string]any)
			tags = append(tags, tag{t["Key"].(string), fmt.Sprint(t["Value"])})
		}
	case map[string]any:
		for key, value := range v {
			tags = append(tags, tag{key, fmt.Sprint(value)})
		}
	}
	return tags
}
