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
		"make": `case "$*" in
setup) ln -s "` + root + `/node_modules" node_modules ;;
"review ARGS=-deployed") exec "` + program + `" review -deployed ;;
*) exit 2 ;;
esac`,
		"go": `test "$1 $2" = "run ./cmd/archipelago" && shift 2 && exec "` + program + `" "$@"`,
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
	l.nightly(r, root)
}

// nightly runs the job of nightly.yml that looks at what is deployed, in a checkout that is
// a repository: its review finds nothing to change but the stack of the roles, which
// deploy.yml left out.
func (l *life) nightly(r workflowtest.Runner, root string) {
	l.t.Helper()
	w := workflowtest.Read(l.t, filepath.Join(root, ".github/workflows/nightly.yml"))
	w.Jobs = map[string]workflowtest.Job{"deployed": w.Jobs["deployed"]}
	r.Values = map[string]string{"vars.READ_ROLE": "arn:role", "github.ref_name": "main", "github.event.repository.default_branch": "main"}
	checkout := r.Checkout
	r.Checkout = func() string {
		dir := checkout()
		for _, name := range []string{"package.json", "package-lock.json"} {
			content, err := os.ReadFile(filepath.Join(root, name))
			if err != nil {
				l.t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
				l.t.Fatal(err)
			}
		}
		l.run("git init --quiet " + dir + " && git -C " + dir + " add . && git -C " + dir + " -c user.name=x -c user.email=x@example.com commit --quiet --message x")
		return dir
	}
	jobs := r.Run(l.t, w)
	if len(jobs) != 1 || jobs[0].Failed != nil {
		l.t.Fatalf("want the job deployed alone, and well, got %+v", jobs)
	}
	// The doctor's findings come first.
	doctor, review, found := strings.Cut(jobs[0].Summary, "# Review: changed in place (stacks are new)\n")
	names := l.config.Names()
	if !found || !strings.Contains(doctor, "eu-west-1") || !strings.Contains(review, names.GitHubStack()) || strings.Contains(review, names.GlobalStack()) || strings.Contains(review, names.RegionStack("eu-west-1")) {
		l.t.Errorf("want a review that %s alone is new, the run's page has:\n%s", names.GitHubStack(), jobs[0].Summary)
	}
}
