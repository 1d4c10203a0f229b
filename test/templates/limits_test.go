package templates_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/matrix"
)

// TestTemplatesHaveHeadroom: CloudFormation takes 500 resources and 1 MB. No
// template grows beyond half of either, whatever the number of regions.
func TestTemplatesHaveHeadroom(t *testing.T) {
	const most, largest = 500 / 2, 1 << 20 / 2
	matrix.Each(t, func(t *testing.T, a matrix.Assembly) {
		for name, stack := range a.Stacks {
			info, err := os.Stat(stack.Template)
			if err != nil {
				t.Fatal(err)
			}
			if n := len(stack.Resources(t)); n > most || info.Size() > largest {
				t.Errorf("%s has %d resources in %d KiB, want at most %d in %d", name, n, info.Size()>>10, most, largest>>10)
			}
		}
	})
}

// TestRolesHoldTheirPolicies: IAM takes 10,240 characters of policies in a role,
// which calls of one kind for each region share.
func TestRolesHoldTheirPolicies(t *testing.T) {
	const most = 10_240
	matrix.Each(t, func(t *testing.T, a matrix.Assembly) {
		for name, stack := range a.Stacks {
			for role, n := range policiesOf(t, stack) {
				if n > most {
					t.Errorf("the policies of %s in %s have %d characters, want %d at most", role, name, n, most)
				}
			}
		}
	})
}

// policiesOf returns how many characters the policies of each role have.
func policiesOf(t *testing.T, stack matrix.Stack) map[string]int {
	t.Helper()
	of := map[string]int{}
	for _, r := range stack.Resources(t) {
		if r.Type != "AWS::IAM::Policy" {
			continue
		}
		document, err := json.Marshal(r.Properties["PolicyDocument"])
		if err != nil {
			t.Fatal(err)
		}
		for _, role := range r.Properties["Roles"].([]any) {
			// References are about as long as what they resolve to.
			of[role.(map[string]any)["Ref"].(string)] += len(document)
		}
	}
	return of
}

// TestNamesFitTheirServices: a name that a template gives is not shortened by
// CloudFormation, as one that it makes is.
func TestNamesFitTheirServices(t *testing.T) {
	limits := map[string]struct {
		property string
		most     int
	}{
		"AWS::AutoScaling::AutoScalingGroup":        {"AutoScalingGroupName", 255},
		"AWS::DynamoDB::GlobalTable":                {"TableName", 255},
		"AWS::ElasticLoadBalancingV2::LoadBalancer": {"Name", 32},
		"AWS::ElasticLoadBalancingV2::TargetGroup":  {"Name", 32},
		"AWS::GlobalAccelerator::Accelerator":       {"Name", 64},
		"AWS::IAM::Role":                            {"RoleName", 64},
		"AWS::Lambda::Function":                     {"FunctionName", 64},
		"AWS::S3::Bucket":                           {"BucketName", 63},
		"AWS::SNS::Topic":                           {"TopicName", 256},
		"AWS::WAFv2::WebACL":                        {"Name", 128},
	}
	found, longest := map[string]bool{}, 0
	matrix.Each(t, func(t *testing.T, a matrix.Assembly) {
		longest = max(longest, len(a.Config.Name))
		for name, stack := range a.Stacks {
			if len(name) > 128 {
				t.Errorf("the stack's name %s has %d characters, want 128 at most", name, len(name))
			}
			for id, r := range stack.Resources(t) {
				limit, ok := limits[r.Type]
				if !ok {
					continue
				}
				found[r.Type] = true
				if physical, ok := r.Properties[limit.property].(string); ok && len(physical) > limit.most {
					t.Errorf("%s of %s: %q has %d characters, want %d at most", id, name, physical, len(physical), limit.most)
				}
			}
		}
	})
	if !matrix.Whole() {
		return
	}
	for _, must := range []string{"AWS::S3::Bucket", "AWS::IAM::Role", "AWS::ElasticLoadBalancingV2::LoadBalancer"} {
		if !found[must] {
			t.Errorf("no template has an %s: the test proves nothing", must)
		}
	}
	if longest != 28 {
		t.Errorf("the longest name of a configuration has %d characters, want the 28 that a name may have", longest)
	}
}
