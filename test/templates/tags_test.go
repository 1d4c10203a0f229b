package templates_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/matrix"
)

// untagged are the types that take no tags of their own.
var untagged = []string{
	"AWS::AutoScaling::ScalingPolicy",
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
	"AWS::S3::BucketPolicy",
	"AWS::Scheduler::Schedule", // its group would
	"AWS::WAFv2::WebACLAssociation",
	"Custom::AWS",
	"Custom::S3AutoDeleteObjects",
	"Custom::VpcRestrictDefaultSG",
}

// TestEverythingIsTagged: whatever takes tags says which deployment it is of. What
// CDK makes without tags, the helpers of custom resources, has its stack's.
func TestEverythingIsTagged(t *testing.T) {
	s := matrix.Synthesize(t, "unprotected")
	var manifest struct {
		Artifacts map[string]struct {
			Properties struct{ Tags map[string]string }
		}
	}
	b, err := os.ReadFile(filepath.Join(s.Dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &manifest); err != nil {
		t.Fatal(err)
	}
	names, regions := s.Config.Names(), s.Config.RegionNames()
	for _, region := range regions {
		for _, stack := range []string{names.StorageStack(region), names.GlobalStack(), names.RegionStack(region)} {
			home := region
			if stack == names.GlobalStack() {
				home = regions[0]
			}
			want := []tag{{"deployment", "archipelago"}, {"project", "archipelago"}, {"region", home}}
			for _, w := range want {
				if got := manifest.Artifacts[stack].Properties.Tags[w.Key]; got != w.Value {
					t.Errorf("%s: its tag %s is %q, want %q", stack, w.Key, got, w.Value)
				}
			}
			for id, resource := range matrix.Resources(t, filepath.Join(s.Dir, stack+".template.json")) {
				tags := tagsOf(resource.Properties["Tags"])
				if resource.Type == "AWS::DynamoDB::GlobalTable" {
					tags = tagsOf(resource.Properties["Replicas"].([]any)[0].(map[string]any)["Tags"])
				}
				if slices.Contains(untagged, resource.Type) || strings.Contains(id, "CustomResourceProvider") {
					continue
				}
				for _, w := range want {
					if !slices.Contains(tags, w) {
						t.Errorf("%s: %s, a %s, lacks the tag %v; it has %v", stack, id, resource.Type, w, tags)
					}
				}
			}
		}
	}
}

// TestInstancesAreTagged: by the launch template, with their volumes.
func TestInstancesAreTagged(t *testing.T) {
	s := matrix.Synthesize(t, "shipped")
	tagged := map[any]bool{}
	for _, resource := range matrix.Resources(t, filepath.Join(s.Dir, s.Config.Names().RegionStack("eu-west-1")+".template.json")) {
		if resource.Type != "AWS::EC2::LaunchTemplate" {
			continue
		}
		data := resource.Properties["LaunchTemplateData"].(map[string]any)
		for _, specification := range data["TagSpecifications"].([]any) {
			of := specification.(map[string]any)
			tagged[of["ResourceType"]] = slices.Contains(tagsOf(of["Tags"]), tag{"deployment", "archipelago"})
		}
	}
	for _, kind := range []string{"instance", "volume"} {
		if !tagged[kind] {
			t.Errorf("the launch template tags no %s", kind)
		}
	}
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
