package emulator_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"reflect"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
)

// TestCreateOnlyIsWhatCfnLintSays: the plugin reads cfn-lint's files itself.
func TestCreateOnlyIsWhatCfnLintSays(t *testing.T) {
	types := []string{
		"AWS::S3::Bucket", "AWS::DynamoDB::GlobalTable", "AWS::AutoScaling::AutoScalingGroup", "AWS::EC2::LaunchTemplate", "AWS::EC2::VPC",
		"AWS::ElasticLoadBalancingV2::LoadBalancer", "AWS::IAM::Role", "AWS::Lambda::Function", "AWS::SSM::Parameter", "Custom::Anything",
	}
	const script = `
import json, sys
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER
schemas = {name: PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", name).schema for name in sys.argv[1:]}
print(json.dumps({name: [p.split("/")[2] for p in s.get("createOnlyProperties", []) if p.count("/") == 2] for name, s in schemas.items()}))`
	python := os.Getenv("PYTHON")
	if python == "" {
		python = "python3"
	}
	out, err := exec.Command(python, append([]string{"-c", script}, types...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	var want map[string][]string
	if err := json.Unmarshal(out, &want); err != nil {
		t.Fatal(err)
	}
	got, err := emulator.CreateOnly(append(types, "AWS::Nobody::Knows"))
	if err != nil {
		t.Fatal(err)
	}
	want["AWS::Nobody::Knows"] = []string{}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
