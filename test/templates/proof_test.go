package templates_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/internal/matrix"
)

// cfnLint lints templates, each given as region=path, in one process: its start
// and a region's schemas take longer than a template. It prints errors; warnings
// are of CDK's own custom resources.
const cfnLint = `
import sys
from cfnlint.config import ConfigMixIn
from cfnlint.runner import Runner
regions = {}
for argument in sys.argv[1:]:
    region, path = argument.split("=", 1)
    regions.setdefault(region, []).append(path)
errors = [match for region, paths in regions.items()
          for match in Runner(ConfigMixIn(["--regions", region, "--template", *paths])).run()
          if match.rule.severity == "error"]
for match in errors:
    print(match)
sys.exit(1 if errors else 0)
`

// TestTemplatesPassCfnLint runs cfn-lint over the templates of all configurations, each
// different one of a region once; without -all or -shard over those that have a property
// that no template before has.
func TestTemplatesPassCfnLint(t *testing.T) {
	var arguments []string
	seen := map[string]bool{}
	known := map[string]bool{}
	matrix.Each(t, func(t *testing.T, a matrix.Assembly) {
		for _, name := range a.Names() {
			stack := a.Stacks[name]
			b, err := os.ReadFile(stack.Template)
			if err != nil {
				t.Fatal(err)
			}
			fresh := false
			for _, r := range stack.Resources(t) {
				fresh = note(known, r.Type, r.Properties) || fresh
			}
			if content := stack.Region + string(b); !seen[content] && (fresh || matrix.All()) {
				seen[content] = true
				arguments = append(arguments, stack.Region+"="+stack.Template)
			}
		}
	})
	if out, err := lint(t, arguments...); err != nil {
		t.Errorf("cfn-lint: %v (is it missing? `make setup` fetches it)\n%s", err, out)
	}
}

// note adds the paths of the properties within value, and reports whether one is new.
func note(known map[string]bool, path string, value any) (fresh bool) {
	switch v := value.(type) {
	case map[string]any:
		for key, element := range v {
			fresh = note(known, path+"."+key, element) || fresh
		}
	case []any:
		for _, element := range v {
			fresh = note(known, path, element) || fresh
		}
	default:
		fresh = !known[path]
		known[path] = true
	}
	return fresh
}

// TestCfnLintRefuses guards the test above.
func TestCfnLintRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "broken.template.json")
	if err := os.WriteFile(path, []byte(`{"Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketNaem": "photos"}}}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := lint(t, "eu-west-1="+path); err == nil || !strings.Contains(out, "BucketNaem") {
		t.Errorf("an unknown property: want it refused, got %v\n%s", err, out)
	}
}

// lint runs cfn-lint, and returns what it prints.
func lint(t *testing.T, arguments ...string) (string, error) {
	t.Helper()
	// go test caches no result of another version of it, which this file names.
	if _, err := os.ReadFile("../../requirements.txt"); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	cmd := exec.Command(cmp.Or(os.Getenv("PYTHON"), "python3"), append([]string{"-c", cfnLint}, arguments...)...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState != nil {
		t.Logf("cfn-lint: %d templates in %.1f s, of the processor %.1f", len(arguments), time.Since(start).Seconds(),
			(cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds())
	}
	return string(out), err
}

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

// TestFleetsComeAfterTheirListener: the load balancer answers for the health of a
// group's instances from the first one on.
func TestFleetsComeAfterTheirListener(t *testing.T) {
	matrix.Each(t, func(t *testing.T, a matrix.Assembly) {
		for name, stack := range a.Stacks {
			all := stack.Resources(t)
			for id, group := range all {
				if group.Type != "AWS::AutoScaling::AutoScalingGroup" {
					continue
				}
				forwards := false
				for _, on := range group.DependsOn {
					listener := all[on]
					if listener.Type != "AWS::ElasticLoadBalancingV2::Listener" {
						continue
					}
					for _, action := range listener.Properties["DefaultActions"].([]any) {
						target := []any{action.(map[string]any)["TargetGroupArn"]}
						forwards = forwards || reflect.DeepEqual(target, group.Properties["TargetGroupARNs"])
					}
				}
				if !forwards {
					t.Errorf("%s: %s depends on %q, want the listener that sends to its targets among them", name, id, group.DependsOn)
				}
			}
		}
	})
}

// TestUsersComeAfterTheRollout: to an accelerator's endpoint group, or by a region's own
// record, where the fleet has been brought to its build.
func TestUsersComeAfterTheRollout(t *testing.T) {
	found := map[string]bool{}
	matrix.Each(t, func(t *testing.T, a matrix.Assembly) {
		for _, region := range a.Config.Islands() {
			name := a.Config.Names().RegionStack(region.Name)
			all := a.Stacks[name].Resources(t)
			for id, r := range all {
				if r.Type != "AWS::GlobalAccelerator::EndpointGroup" && r.Type != "AWS::Route53::RecordSet" {
					continue
				}
				found[r.Type] = true
				if !comesAfter(all, id, "Custom::FleetRollout") {
					t.Errorf("%s: %s, a %s, depends on %q, and so not on the rollout", name, id, r.Type, r.DependsOn)
				}
			}
		}
	})
	if matrix.Whole() && len(found) != 2 {
		t.Errorf("there are %v, want endpoint groups and records", found)
	}
}

// comesAfter reports whether a resource depends, by DependsOn, on one of a type, itself or
// by what it depends on.
func comesAfter(all map[string]matrix.Resource, id, resourceType string) bool {
	for _, on := range all[id].DependsOn {
		if all[on].Type == resourceType || comesAfter(all, on, resourceType) {
			return true
		}
	}
	return false
}

// TestRetiredRegionKeepsItsStorageOnly is the step of a region's removal in
// which nothing refers to it any more.
func TestRetiredRegionKeepsItsStorageOnly(t *testing.T) {
	retired := 0
	matrix.Each(t, func(t *testing.T, a matrix.Assembly) {
		for _, region := range a.Config.Regions {
			if !region.Retired {
				continue
			}
			retired++
			var of []string
			for _, name := range a.Names() {
				b, err := os.ReadFile(a.Stacks[name].Template)
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(string(b), region.Name) {
					of = append(of, name)
				}
			}
			if len(of) != 1 || of[0] != a.Config.Names().StorageStack(region.Name) {
				t.Errorf("%q name the retired region %s, want its storage stack alone", of, region.Name)
			}
		}
	})
	if matrix.Whole() && retired == 0 {
		t.Error("no configuration has a retired region")
	}
}

// TestDrainedRegionIsDeployed: it gets no users, and can have them back at once.
func TestDrainedRegionIsDeployed(t *testing.T) {
	weights := map[int]bool{}
	matrix.Each(t, func(t *testing.T, a matrix.Assembly) {
		if a.Config.Entry != config.EntryAccelerator {
			return
		}
		want, dials := map[any]any{}, map[any]any{}
		for _, region := range a.Config.Islands() {
			if a.Config.Accelerated(region) {
				want[region.Name] = float64(region.Weight)
			}
			weights[region.Weight] = true
			for _, r := range a.Stacks[a.Config.Names().RegionStack(region.Name)].Resources(t) {
				if r.Type == "AWS::GlobalAccelerator::EndpointGroup" {
					dials[r.Properties["EndpointGroupRegion"]] = r.Properties["TrafficDialPercentage"]
				}
			}
		}
		if fmt.Sprint(dials) != fmt.Sprint(want) {
			t.Errorf("got the dials %v, want %v", dials, want)
		}
	})
	if matrix.Whole() && (!weights[0] || !weights[100]) {
		t.Errorf("there are the weights %v, want 0 and 100 among them", weights)
	}
}
