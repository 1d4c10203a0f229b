package workflows

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/workflowtest"
	"github.com/google/go-cmp/cmp"
)

// tools are those that the scripts call, each by what it does here: it logs its call,
// and fails where that is what FAILS names. There is no cdk before `make setup`. What
// the real ones do with the same scripts is TestDeployWorkflow's business, in test/lives.
var tools = map[string]string{
	"make": `[ "$1" != setup ] || { mkdir -p node_modules/.bin && cp "$DIR/cdk.sh" node_modules/.bin/cdk; }`,
	"go":   `[ "$1 $2" = "run ./cmd/archipelago" ]; echo "$3 says something"`,
	"sudo": `:`,
	// One page, whose link leads somewhere.
	"git":  `[ "$1" = ls-files ]; echo '[A](https://example.com)' >page.md; echo page.md`,
	"curl": `echo 200`,
}

const cdk = `[ "$1" != synth ] || { mkdir -p cdk.out && cp "$DIR/manifest.json" cdk.out; }`

// stub is a tool as a script.
func stub(name, does string) string {
	return "#!/bin/bash\nset -e\ncall=\"" + name + " $*\"\necho \"$call\" >>\"$DIR/log\"\n[ \"$call\" != \"$FAILS\" ] || { echo \"$call fails\" >&2; exit 3; }\n" + does + "\n"
}

// runWith runs a workflow whose call of a tool fails, for an app that may have stacks of
// its own, and returns its jobs and all calls.
// Installing, setting up and looking at links are not among those.
func runWith(t *testing.T, w workflowtest.Workflow, fails string, values map[string]string, owns ...string) (jobs []workflowtest.Ran, calls []string) {
	t.Helper()
	bin := t.TempDir()
	save := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(bin, name), []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, does := range tools {
		save(name, stub(name, does))
	}
	save("cdk.sh", stub("cdk", cdk))
	var artifacts []string
	for _, part := range []string{"storage-eu-west-1", "global", "entry", "github", "region-eu-west-1", "region-us-east-1"} {
		artifacts = append(artifacts, `"shop-`+part+`": {"type": "aws:cloudformation:stack", "properties": {"tags": {"deployment": "shop"}}}`)
	}
	for _, own := range owns {
		artifacts = append(artifacts, `"`+own+`": {"type": "aws:cloudformation:stack", "properties": {}}`)
	}
	save("manifest.json", `{"artifacts": {`+strings.Join(artifacts, ",")+`}}`)
	github, err := filepath.Abs(folder)
	if err != nil {
		t.Fatal(err)
	}
	r := workflowtest.Runner{
		Checkout: func() string {
			dir := t.TempDir()
			if err := os.Symlink(github, filepath.Join(dir, ".github")); err != nil {
				t.Fatal(err)
			}
			return dir
		},
		Env:    []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "DIR=" + bin, "FAILS=" + fails},
		Values: values,
	}
	jobs = r.Run(t, w)
	b, _ := os.ReadFile(filepath.Join(bin, "log")) // it may call nothing
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSuffix(line, "\n"); line != "make setup" && !strings.HasPrefix(line, "sudo ") && !strings.HasPrefix(line, "git ") && !strings.HasPrefix(line, "curl ") {
			calls = append(calls, line)
		}
	}
	return jobs, calls
}

// namesOf are the names of jobs, with their environments and whether they failed.
func namesOf(jobs []workflowtest.Ran) []string {
	var names []string
	for _, j := range jobs {
		name := strings.TrimSuffix(j.Name+" in "+j.Environment, " in ")
		if j.Failed != nil {
			name += " failed"
		}
		names = append(names, name)
	}
	return names
}

const (
	doctor  = "go run ./cmd/archipelago doctor"
	synth   = "cdk synth --quiet"
	diff    = "cdk diff --app cdk.out"
	deploys = "cdk deploy --app cdk.out --require-approval never --exclusively "
	shared  = deploys + "shop-storage-eu-west-1 shop-global shop-entry"
)

// TestDeployGoesByWaves: the account is looked over, then what regions share is deployed,
// then one region after the other, each in the environment whose approval it waits for;
// nothing follows what fails.
func TestDeployGoesByWaves(t *testing.T) {
	w := workflowtest.Read(t, folder+"workflows/deploy.yml")
	calls := []string{doctor, synth, diff, synth, shared, synth, deploys + "shop-region-eu-west-1", synth, deploys + "shop-region-us-east-1"}
	all := []string{"doctor in production-shared", "shared in production-shared", "region shop-region-eu-west-1 in production", "region shop-region-us-east-1 in production"}
	for name, test := range map[string]struct {
		fails string
		calls []string
		jobs  []string
	}{
		"all is well":       {calls: calls, jobs: all},
		"the doctor":        {doctor, calls[:1], []string{all[0] + " failed"}},
		"the synth":         {synth, calls[:2], []string{all[0] + " failed"}},
		"the diff":          {diff, calls[:3], []string{all[0] + " failed"}},
		"what is shared":    {shared, calls[:5], []string{all[0], all[1] + " failed"}},
		"the first region":  {calls[6], calls[:7], []string{all[0], all[1], all[2] + " failed"}},
		"the second region": {calls[8], calls, []string{all[0], all[1], all[2], all[3] + " failed"}},
	} {
		t.Run(name, func(t *testing.T) {
			jobs, calls := runWith(t, w, test.fails, map[string]string{})
			if d := cmp.Diff(test.calls, calls); d != "" {
				t.Errorf("what it calls (-want +got):\n%s", d)
			}
			if d := cmp.Diff(test.jobs, namesOf(jobs)); d != "" {
				t.Errorf("its jobs (-want +got):\n%s", d)
			}
			if jobs[0].Failed == nil && jobs[0].Summary != "doctor says something\n" {
				t.Errorf("the run's page has %q", jobs[0].Summary)
			}
		})
	}
	jobs, got := runWith(t, w, "", map[string]string{}, "reports", "jobs")
	if last := calls[len(calls)-1]; !slices.Equal(got, append(calls, synth, deploys+"reports jobs")) || namesOf(jobs)[len(jobs)-1] != "own in production" {
		t.Errorf("with stacks of its own, after %s: %q, %q", last, got, namesOf(jobs))
	}
	if jobs, got = runWith(t, w, calls[8], map[string]string{}, "reports"); !slices.Equal(got, calls) {
		t.Errorf("they are deployed after a region that failed: %q, %q", got, namesOf(jobs))
	}
	if s := w.Jobs["region"].Strategy; s.MaxParallel != 1 {
		t.Errorf("%d regions are deployed at once", s.MaxParallel)
	}
}

// TestDeployByHand: `make deploy` is the same waves for those who have no GitHub.
func TestDeployByHand(t *testing.T) {
	for arguments, test := range map[string]struct {
		calls []string
		ok    bool
	}{
		"":                       {[]string{synth, shared, deploys + "shop-region-eu-west-1", deploys + "shop-region-us-east-1"}, true},
		" shared":                {[]string{synth, shared}, true},
		" shop-region-us-east-1": {[]string{synth, deploys + "shop-region-us-east-1"}, true},
		" own":                   {[]string{synth}, true}, // it has none
		" shop-github":           {[]string{synth}, false},
		" --all":                 {[]string{synth}, false},
	} {
		steps := []workflowtest.Step{{Run: "make setup"}, {Run: ".github/scripts/deploy.sh" + arguments}}
		jobs, calls := runWith(t, workflowtest.Workflow{Jobs: map[string]workflowtest.Job{"deploy": {Steps: steps}}}, "", nil)
		if d := cmp.Diff(test.calls, calls); d != "" || (jobs[0].Failed == nil) != test.ok {
			t.Errorf("deploy.sh%s: %v, what it calls (-want +got):\n%s", arguments, jobs[0].Failed, d)
		}
	}
	// The target is the doctor and this script, with the wave as its argument.
	makefile := read(t, "../../Makefile")
	for _, line := range []string{"\tgo run ./cmd/archipelago doctor\n", "\t.github/scripts/deploy.sh $(WAVE)\n"} {
		if !strings.Contains(makefile, line) {
			t.Errorf("the Makefile lacks %q", line)
		}
	}
}

// TestRolesAreOfEnvironments: a job asks for a role in an environment that the role
// trusts, and no job of a pull request asks for one.
func TestRolesAreOfEnvironments(t *testing.T) {
	trusted := map[string][]string{"vars.DEPLOY_ROLE": {"production-shared", "production"}, "vars.READ_ROLE": {"review"}}
	paths, err := filepath.Glob(folder + "workflows/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	asked := map[string]int{}
	for _, path := range paths {
		for name, job := range workflowtest.Read(t, path).Jobs {
			for _, step := range job.Steps {
				if !strings.HasPrefix(step.Uses, "aws-actions/") {
					continue
				}
				role := strings.Trim(step.With["role-to-assume"], "${} ")
				if asked[role]++; !slices.Contains(trusted[role], job.Environment) {
					t.Errorf("%s: %s asks for %s in the environment %q", path, name, role, job.Environment)
				}
			}
		}
	}
	if asked["vars.DEPLOY_ROLE"] == 0 || asked["vars.READ_ROLE"] == 0 {
		t.Errorf("roles are asked for %v times", asked)
	}
}

// TestNightlyRunsAllShards: one that fails stops no other, links are followed, and what is deployed is
// compared where there is a role that reads, on the default branch.
func TestNightlyRunsAllShards(t *testing.T) {
	event := readPayload(t, "workflow_run")
	var shards []string
	for i := range 8 {
		shards = append(shards, fmt.Sprint("make shard SHARD=", i))
	}
	for name, test := range map[string]struct {
		role, branch, fails string
		calls               []string
		failed              string // a job
	}{
		"all is well":    {role: "arn:role", branch: "master", calls: append([]string{doctor, "make review ARGS=-deployed"}, shards...)},
		"no role":        {branch: "master", calls: shards},
		"another branch": {role: "arn:role", branch: "next", calls: shards},
		"a shard":        {role: "arn:role", branch: "master", fails: shards[2], calls: append([]string{doctor, "make review ARGS=-deployed"}, shards...), failed: "shard 2"},
		"the doctor":     {role: "arn:role", branch: "master", fails: doctor, calls: append([]string{doctor}, shards...), failed: "deployed"},
		"the review":     {role: "arn:role", branch: "master", fails: "make review ARGS=-deployed", calls: append([]string{doctor, "make review ARGS=-deployed"}, shards...), failed: "deployed"},
	} {
		t.Run(name, func(t *testing.T) {
			jobs, calls := runWith(t, workflowtest.Read(t, folder+"workflows/nightly.yml"), test.fails, map[string]string{
				"vars.READ_ROLE": test.role, "github.ref_name": test.branch, "github.event.repository.default_branch": fmt.Sprint(event.at("repository.default_branch")),
			})
			if d := cmp.Diff(test.calls, calls); d != "" {
				t.Errorf("what it calls (-want +got):\n%s", d)
			}
			if i := slices.IndexFunc(jobs, func(j workflowtest.Ran) bool { return j.Name == "links" }); i < 0 || jobs[i].Summary != "1 links, 0 of them lead nowhere\n" {
				t.Errorf("the links are not followed, the jobs are %+v", jobs)
			}
			for _, j := range jobs {
				if (j.Failed != nil) != (j.Name == test.failed) {
					t.Errorf("%s: %v\n%s", j.Name, j.Failed, j.Output)
				}
			}
			if i := slices.IndexFunc(jobs, func(j workflowtest.Ran) bool { return j.Name == "deployed" }); i >= 0 && !strings.HasPrefix(jobs[i].Summary, "doctor says something\n") && test.fails != doctor {
				t.Errorf("the run's page has %q", jobs[i].Summary)
			}
		})
	}
}
