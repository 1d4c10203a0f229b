// Package workflowtest runs the scripts of a GitHub workflow for tests, as GitHub does: a job
// after those that it needs, once for each value of its matrix, its steps in a checkout
// of its own. Actions are not run.
package workflowtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// Workflow is what a test reads of one.
type Workflow struct {
	On          map[string]any
	Permissions map[string]string
	Jobs        map[string]Job
}

// Starts reports whether GitHub starts the workflow on an event's payload: one of a pull
// request, whose action is among the types, by default those that GitHub documents, or
// one of a workflow's run, which has to be among the workflows too.
func (w Workflow) Starts(action, ofWorkflow string) bool {
	if of, ok := w.On["workflow_run"].(map[string]any); ok && ofWorkflow != "" {
		return slices.Contains(listOf(of["types"]), action) && slices.Contains(listOf(of["workflows"]), ofWorkflow)
	}
	for _, event := range []string{"pull_request", "pull_request_target"} {
		filter, ok := w.On[event]
		if !ok || ofWorkflow != "" {
			continue
		}
		types := []string{"opened", "synchronize", "reopened"}
		if of, ok := filter.(map[string]any); ok && of["types"] != nil {
			types = listOf(of["types"])
		}
		if slices.Contains(types, action) {
			return true
		}
	}
	return false
}

// Job is one of a workflow.
type Job struct {
	If          string
	Needs       any // a name, or a list of them
	Environment string
	Permissions map[string]string // nil for the workflow's
	Timeout     int               `yaml:"timeout-minutes"`
	Outputs     map[string]string
	Strategy    struct {
		MaxParallel int   `yaml:"max-parallel"`
		FailFast    *bool `yaml:"fail-fast"`
		Matrix      map[string]any
	}
	Steps []Step
}

// Step is one of a job: an action or a script.
type Step struct {
	ID, Uses, Run string
	Env, With     map[string]string
}

// Read reads one.
func Read(t *testing.T, path string) Workflow {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var w Workflow
	if err := yaml.Unmarshal(b, &w); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return w
}

// Runner is where a workflow runs.
type Runner struct {
	// Checkout makes the folder of a job, as actions/checkout does.
	Checkout func() (dir string)
	// Env are NAME=VALUE pairs for all steps.
	Env []string
	// Values are those of expressions, such as "vars.READ_ROLE". What a job or a step puts
	// out comes to them.
	Values map[string]string
}

// Ran is a job that ran, once for each value of its matrix.
type Ran struct {
	Name, Environment string
	// Failed says why, nil for a job that succeeded.
	Failed error
	// Output is what its steps printed, and Summary what they wrote for the run's page.
	Output, Summary string
}

var expression = regexp.MustCompile(`\$\{\{\s*(.*?)\s*\}\}`)

// Run runs the workflow, and returns its jobs in the order in which they ran. Jobs whose
// condition does not hold, or that need one which failed, are not among them.
func (r Runner) Run(t *testing.T, w Workflow) []Ran {
	t.Helper()
	var all []Ran
	done := map[string]bool{} // whether it succeeded
	for len(done) < len(w.Jobs) {
		before := len(done)
		for _, name := range slices.Sorted(maps.Keys(w.Jobs)) {
			job := w.Jobs[name]
			needs := listOf(job.Needs)
			if _, ran := done[name]; ran || slices.ContainsFunc(needs, func(n string) bool { _, ran := done[n]; return !ran }) {
				continue
			}
			if slices.ContainsFunc(needs, func(n string) bool { return !done[n] }) || job.If != "" && !r.holds(t, job.If) {
				done[name] = false
				continue
			}
			ran, ok := r.job(t, name, job)
			all, done[name] = append(all, ran...), ok
		}
		if len(done) == before {
			t.Fatal("the jobs need each other")
		}
	}
	return all
}

// job runs one, for each value of its matrix.
func (r Runner) job(t *testing.T, name string, job Job) (all []Ran, ok bool) {
	t.Helper()
	key, values := "", []string{""}
	for k, v := range job.Strategy.Matrix { // one key is all that these workflows have
		key, values = "matrix."+k, r.matrix(t, v)
	}
	ok = true
	for _, value := range values {
		if key != "" {
			r.Values[key] = value
		}
		ran := Ran{Name: strings.TrimSpace(name + " " + value), Environment: job.Environment}
		r.steps(t, job, &ran)
		all = append(all, ran)
		if ran.Failed != nil {
			if ok = false; job.Strategy.FailFast == nil || *job.Strategy.FailFast {
				break
			}
			continue
		}
		for output, of := range job.Outputs {
			r.Values["needs."+name+".outputs."+output] = r.fill(t, of)
		}
	}
	return all, ok
}

// steps runs the scripts of a job until one fails.
func (r Runner) steps(t *testing.T, job Job, ran *Ran) {
	t.Helper()
	dir, files := r.Checkout(), t.TempDir()
	for _, step := range job.Steps {
		if step.Run == "" {
			continue
		}
		if expression.MatchString(step.Run) {
			t.Errorf("%s: a script has an expression, whose value could end it: %s", ran.Name, step.Run)
		}
		output := filepath.Join(files, "output")
		// As GitHub runs a step whose shell is bash.
		cmd := exec.CommandContext(t.Context(), "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step.Run)
		cmd.Dir = dir
		cmd.Env = append(slices.Clone(r.Env), "GITHUB_OUTPUT="+output, "GITHUB_STEP_SUMMARY="+filepath.Join(files, "summary"))
		for name, value := range step.Env {
			cmd.Env = append(cmd.Env, name+"="+r.fill(t, value))
		}
		printed, err := cmd.CombinedOutput()
		ran.Output += string(printed)
		if err != nil {
			ran.Failed = fmt.Errorf("%s: %w", step.Run, err)
			break
		}
		b, _ := os.ReadFile(output) // a step may put nothing out
		for line := range strings.Lines(string(b)) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			r.Values["steps."+step.ID+".outputs."+name] = value
		}
		_ = os.RemoveAll(output)
	}
	b, _ := os.ReadFile(filepath.Join(files, "summary")) // it may write none
	ran.Summary = string(b)
}

// matrix are the values of a matrix's key: a list, or JSON from an output.
func (r Runner) matrix(t *testing.T, v any) []string {
	t.Helper()
	text, ok := v.(string)
	if !ok {
		return listOf(v)
	}
	of := regexp.MustCompile(`^\$\{\{ fromJSON\((.*)\) \}\}$`).FindStringSubmatch(text)
	if of == nil {
		t.Fatalf("the test does not know the matrix %q", text)
	}
	var all []string
	if err := json.Unmarshal([]byte(r.value(t, of[1])), &all); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return all
}

// fill replaces the expressions in a text.
func (r Runner) fill(t *testing.T, text string) string {
	t.Helper()
	return expression.ReplaceAllStringFunc(text, func(e string) string {
		return r.value(t, expression.FindStringSubmatch(e)[1])
	})
}

// value is an expression's: a text, or one that is known by its path.
func (r Runner) value(t *testing.T, e string) string {
	t.Helper()
	if text, ok := strings.CutPrefix(e, "'"); ok {
		return strings.TrimSuffix(text, "'")
	}
	v, ok := r.Values[e]
	if !ok {
		t.Fatalf("the test does not know %q", e)
	}
	return v
}

// holds is a condition of comparisons that all have to hold.
func (r Runner) holds(t *testing.T, condition string) bool {
	t.Helper()
	for part := range strings.SplitSeq(condition, " && ") {
		left, right, equal := strings.Cut(part, " == ")
		if !equal {
			left, right, _ = strings.Cut(part, " != ")
		}
		if (r.value(t, left) == r.value(t, right)) != equal {
			return false
		}
	}
	return true
}

// listOf is a value that may be absent, one or a list.
func listOf(v any) []string {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		var all []string
		for _, each := range v {
			all = append(all, fmt.Sprint(each))
		}
		return all
	}
	return []string{fmt.Sprint(v)}
}
