package lives_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/matrix"
	"github.com/archipelago-cdk/archipelago/internal/workflowtest"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// TestDeployWorkflow runs the scripts of deploy.yml as GitHub does, each job in a folder
// of its own, against the emulator: the doctor, the CDK CLI and what it deploys are real.
// Checkout, `make setup` and the roles of configure-aws-credentials are not: here is what
// a setup makes, and the emulator's key. What fails, in test/workflows, stops the rest.
func TestDeployWorkflow(t *testing.T) {
	t.Parallel()
	l := begin(t, serveApp(t), "shipped")
	l.set("github", map[string]any{"repository": "octo-org/shop", "branch": "main", "environments": []any{"production"}})
	root, err := matrix.Root()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(l.dir, "archipelago")
	l.run(fmt.Sprintf("go build -C %q -o %q ./cmd/archipelago", root, program))
	for name, script := range map[string]string{
		"make": `test "$*" = setup && ln -s "` + root + `/node_modules" node_modules`,
		"go":   `test "$1 $2" = "run ./cmd/archipelago" && shift 2 && exec "` + program + `" "$@"`,
	} {
		if err := os.WriteFile(filepath.Join(l.dir, "bin", name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	configuration, err := os.ReadFile(filepath.Join(l.dir, "cdk.json"))
	if err != nil {
		t.Fatal(err)
	}
	env := append(append(os.Environ(), emulator.Environment(l.control.URL)...),
		"PATH="+filepath.Join(l.dir, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"),
		"AWS_REGION="+l.answering(), "CDK_DISABLE_CLI_TELEMETRY=true", "CDK_DISABLE_VERSION_CHECK=1", "CI=true", "NO_COLOR=1")
	r := workflowtest.Runner{
		Checkout: func() string {
			dir := t.TempDir()
			if err := os.Symlink(filepath.Join(root, ".github"), filepath.Join(dir, ".github")); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "cdk.json"), configuration, 0o644); err != nil {
				t.Fatal(err)
			}
			return dir
		},
		Env: env, Values: map[string]string{},
	}
	jobs := r.Run(t, workflowtest.Read(t, filepath.Join(root, ".github/workflows/deploy.yml")))
	names := l.config.Names()
	var got []string
	for _, j := range jobs {
		got = append(got, j.Name)
		if j.Failed != nil {
			t.Fatalf("%s: %v\n%s", j.Name, j.Failed, j.Output)
		}
		l.clean(j.Output)
	}
	if want := []string{"doctor", "shared", "region " + names.RegionStack("eu-west-1"), "region " + names.RegionStack("us-east-1")}; !slices.Equal(got, want) {
		t.Errorf("its jobs are %q, want %q", got, want)
	}
	// The page of the run has what the doctor says and what changes.
	for _, want := range []string{"eu-west-1", names.GlobalStack(), "AWS::DynamoDB::GlobalTable"} {
		if !strings.Contains(jobs[0].Summary, want) {
			t.Errorf("the run's page lacks %q:\n%s", want, jobs[0].Summary)
		}
	}
	deployed := map[string]types.Stack{}
	for _, region := range l.regions() {
		out, err := cloudformation.NewFromConfig(l.aws(region)).DescribeStacks(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range out.Stacks {
			if s.StackStatus != types.StackStatusCreateComplete {
				t.Errorf("%s is %s", aws.ToString(s.StackName), s.StackStatus)
			}
			deployed[aws.ToString(s.StackName)] = s
		}
	}
	for _, name := range []string{names.StorageStack("eu-west-1"), names.StorageStack("us-east-1"), names.GlobalStack(), names.EntryStack(), names.RegionStack("eu-west-1"), names.RegionStack("us-east-1")} {
		if _, ok := deployed[name]; !ok {
			t.Errorf("%s is not deployed", name)
		}
	}
	if _, ok := deployed[l.config.Name+"-github"]; ok {
		t.Error("what may deploy changed who may")
	}
	l.write("before")
}
