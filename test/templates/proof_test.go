package templates_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/matrix"
	"github.com/archipelago-cdk/archipelago/stacks"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// TestTemplatesPassCfnLint runs cfn-lint over the templates of all
// configurations, those of one region at once and each different one once: the
// start of cfn-lint is most of its time.
func TestTemplatesPassCfnLint(t *testing.T) {
	python := os.Getenv("PYTHON")
	if python == "" {
		python = "python3"
	}
	byRegion := map[string][]string{}
	seen := map[string]bool{}
	matrix.Each(t, func(t *testing.T, _ string, s matrix.Synthesis) {
		for stack, region := range stackRegions(t, s.Dir) {
			path := filepath.Join(s.Dir, stack+".template.json")
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if content := region + string(matrix.Hash.ReplaceAll(b, nil)); !seen[content] {
				seen[content] = true
				byRegion[region] = append(byRegion[region], path)
			}
		}
	})
	for region, paths := range byRegion {
		t.Run(region, func(t *testing.T) {
			t.Parallel()
			// Warnings are of CDK's own custom resources.
			arguments := append([]string{"-c", "import sys, cfnlint.runner; sys.exit(cfnlint.runner.main())",
				"--non-zero-exit-code", "error", "--regions", region, "--template"}, paths...)
			if out, err := exec.Command(python, arguments...).CombinedOutput(); err != nil {
				t.Errorf("cfn-lint: %v (is it missing? `make setup` fetches it)\n%s", err, out)
			}
		})
	}
}

// TestTemplatesPassCDKsRules: they apply to every configuration that the tests
// synthesize, none of which would be made if it broke one, as this stack does.
func TestTemplatesPassCDKsRules(t *testing.T) {
	matrix.Each(t, func(*testing.T, string, matrix.Synthesis) {})
	context := matrix.ShippedContext(t)
	app := awscdk.NewApp(&awscdk.AppProps{Context: &context, Outdir: jsii.String(t.TempDir()), AnalyticsReporting: jsii.Bool(false)})
	awscdk.NewCfnResource(awscdk.NewStack(app, jsii.String("Broken"), nil), jsii.String("Bucket"), &awscdk.CfnResourceProps{
		Type: jsii.String("AWS::S3::Bucket"), Properties: &map[string]any{"BucketNaem": "photos"},
	})
	defer func() {
		if recover() == nil {
			t.Error("a template with an unknown property is made: CDK's rules are off; is CDK_VALIDATION set?")
		}
	}()
	app.Synth(nil)
}

// TestAcknowledgedRulesApplyElsewhere: CDK's flow logs acknowledge that properties
// may be unknown, which is theirs alone.
func TestAcknowledgedRulesApplyElsewhere(t *testing.T) {
	context := matrix.ShippedContext(t)
	app := awscdk.NewApp(&awscdk.AppProps{Context: &context, Outdir: jsii.String(t.TempDir()), AnalyticsReporting: jsii.Bool(false)})
	stack := awscdk.NewStack(app, jsii.String("Broken"), nil)
	breaks := func(scope constructs.Construct) {
		awscdk.NewCfnResource(scope, jsii.String("Bucket"), &awscdk.CfnResourceProps{
			Type: jsii.String("AWS::S3::Bucket"), Properties: &map[string]any{"BucketNaem": "photos"},
		})
	}
	breaks(stack)
	knowing := constructs.NewConstruct(stack, jsii.String("Knowing"))
	awscdk.Validations_Of(knowing).Acknowledge(&awscdk.Acknowledgment{
		Id: jsii.String("CloudFormation-Validate::F3002"), Reason: jsii.String("the test breaks it"),
	})
	breaks(knowing)
	_, err := stacks.Synth(app)
	if err == nil || !strings.Contains(err.Error(), "Broken/Bucket: BucketNaem") || strings.Contains(err.Error(), "Knowing") {
		t.Errorf("got %v, want the bucket that nobody acknowledges, and no other", err)
	}
}

// stackRegions are where the stacks of an assembly are deployed to.
func stackRegions(t *testing.T, dir string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		Artifacts map[string]struct{ Type, Environment string }
	}
	if err := json.Unmarshal(b, &manifest); err != nil {
		t.Fatal(err)
	}
	regions := map[string]string{}
	for stack, artifact := range manifest.Artifacts {
		if artifact.Type == "aws:cloudformation:stack" {
			regions[stack] = artifact.Environment[strings.LastIndex(artifact.Environment, "/")+1:] // aws://ACCOUNT/REGION
		}
	}
	return regions
}

// TestTemplatesHaveHeadroom: CloudFormation takes 500 resources and 1 MB. No
// template grows beyond half of either, whatever the number of regions.
func TestTemplatesHaveHeadroom(t *testing.T) {
	const most, largest = 500 / 2, 1 << 20 / 2
	matrix.Each(t, func(t *testing.T, _ string, s matrix.Synthesis) {
		for _, path := range matrix.Templates(t, s.Dir) {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if n := len(matrix.Resources(t, path)); n > most || info.Size() > largest {
				t.Errorf("%s has %d resources in %d KiB, want at most %d in %d", matrix.StackOf(path), n, info.Size()>>10, most, largest>>10)
			}
		}
	})
}

// TestRolesHoldTheirPolicies: IAM takes 10,240 characters of policies in a role,
// which calls of one kind for each region share.
func TestRolesHoldTheirPolicies(t *testing.T) {
	const most = 10_240
	for _, path := range matrix.Templates(t, matrix.Synthesize(t, "ten-regions").Dir) {
		of := map[string]int{}
		for _, r := range matrix.Resources(t, path) {
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
		for role, n := range of {
			if n > most {
				t.Errorf("the policies of %s in %s have %d characters, want %d at most", role, matrix.StackOf(path), n, most)
			}
		}
	}
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
	found := map[string]bool{}
	s := matrix.Synthesize(t, "longest-name")
	for _, path := range matrix.Templates(t, s.Dir) {
		if stack := matrix.StackOf(path); len(stack) > 128 {
			t.Errorf("the stack's name %s has %d characters, want 128 at most", stack, len(stack))
		}
		for id, r := range matrix.Resources(t, path) {
			limit, ok := limits[r.Type]
			if !ok {
				continue
			}
			found[r.Type] = true
			if name, ok := r.Properties[limit.property].(string); ok && len(name) > limit.most {
				t.Errorf("%s of %s: %q has %d characters, want %d at most", id, matrix.StackOf(path), name, len(name), limit.most)
			}
		}
	}
	for _, must := range []string{"AWS::S3::Bucket", "AWS::IAM::Role", "AWS::ElasticLoadBalancingV2::LoadBalancer"} {
		if !found[must] {
			t.Errorf("no template has an %s: the test proves nothing", must)
		}
	}
}

// TestFleetsComeAfterTheirListener: the load balancer answers for the health of a
// group's instances from the first one on.
func TestFleetsComeAfterTheirListener(t *testing.T) {
	matrix.Each(t, func(t *testing.T, _ string, s matrix.Synthesis) {
		for _, path := range matrix.Templates(t, s.Dir) {
			all := matrix.Resources(t, path)
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
					t.Errorf("%s: %s depends on %q, want the listener that sends to its targets among them", matrix.StackOf(path), id, group.DependsOn)
				}
			}
		}
	})
}

// TestRetiredRegionKeepsItsStorageOnly is the step of a region's removal in
// which nothing refers to it any more.
func TestRetiredRegionKeepsItsStorageOnly(t *testing.T) {
	s := matrix.Synthesize(t, "leaving")
	var of []string
	for _, path := range matrix.Templates(t, s.Dir) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "eu-west-2") {
			of = append(of, matrix.StackOf(path))
		}
	}
	if len(of) != 1 || of[0] != s.Config.Names().StorageStack("eu-west-2") {
		t.Errorf("%q name the retired region, want its storage stack alone", of)
	}
}

// TestDrainedRegionIsDeployed: it gets no users, and can have them back at once.
func TestDrainedRegionIsDeployed(t *testing.T) {
	s := matrix.Synthesize(t, "leaving")
	dials := map[string]any{}
	for _, path := range matrix.Templates(t, s.Dir) {
		for _, r := range matrix.Resources(t, path) {
			if r.Type == "AWS::GlobalAccelerator::EndpointGroup" {
				dials[r.Properties["EndpointGroupRegion"].(string)] = r.Properties["TrafficDialPercentage"]
			}
		}
	}
	if len(dials) != 2 || dials["eu-west-1"] != 100.0 || dials["us-east-1"] != 0.0 {
		t.Errorf("got the dials %v, want 100 and 0", dials)
	}
}
