package app

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"
)

// TestFeatureFlagsAreThoseOfTheShippedApp: a repository that has Archipelago as a
// dependency gets the templates that are tested here.
func TestFeatureFlagsAreThoseOfTheShippedApp(t *testing.T) {
	b, err := os.ReadFile("../cdk.json")
	if err != nil {
		t.Fatal(err)
	}
	var shipped struct{ Context map[string]any }
	if err := json.Unmarshal(b, &shipped); err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(shipped.Context, func(key string, _ any) bool { return key == config.ContextKey })
	if diff := cmp.Diff(shipped.Context, *featureFlags()); diff != "" {
		t.Errorf("app/flags.json is not what cdk.json has (-cdk.json +flags.json):\n%s", diff)
	}
}

// appVariable makes this program a CDK app that has a stack of its own.
const appVariable = "APP_WITH_A_STACK_OF_ITS_OWN"

func TestMain(m *testing.M) {
	if os.Getenv(appVariable) == "" {
		os.Exit(m.Run())
	}
	os.Args = []string{"app", "-built"}
	MainWith(func(a awscdk.App, deployment config.Config) {
		awscdk.NewStack(a, jsii.String(deployment.Name+"-reports"), &awscdk.StackProps{
			Env: &awscdk.Environment{Account: &deployment.Account, Region: &deployment.Regions[0].Name},
		})
	})
}

// TestStacksOfOnesOwn stand beside those of the deployment, in one assembly and with the
// feature flags of the templates.
func TestStacksOfOnesOwn(t *testing.T) {
	b, err := os.ReadFile("../config/testdata/hello.json")
	if err != nil {
		t.Fatal(err)
	}
	dir, out := t.TempDir(), t.TempDir()
	for _, program := range []string{"service", "pulse", "scaler.zip", "lighthouse.zip"} {
		path := filepath.Join(dir, "dist", "linux-arm64", program)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(program), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(os.Args[0])
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), appVariable+"=true", "CDK_OUTDIR="+out, "CDK_CONTEXT_JSON="+string(b), "CDK_DEFAULT_ACCOUNT=123456789012", "CDK_VALIDATION=false")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	for _, stack := range []string{"hello-region-us-east-1", "hello-reports"} {
		if _, err := os.Stat(filepath.Join(out, stack+".template.json")); err != nil {
			t.Error(err)
		}
	}
}
