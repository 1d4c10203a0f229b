package workflows

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

	"github.com/archipelago-cdk/archipelago/internal/workflowtest"
)

// payload is what GitHub sends with an event, as testdata/webhooks has it.
type payload map[string]any

func readPayload(t *testing.T, name string) payload {
	t.Helper()
	var p payload
	if err := json.Unmarshal([]byte(read(t, "testdata/webhooks/"+name+".json")), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// at returns what is at a path such as "pull_request.head.sha", nil for nothing.
func (p payload) at(path string) any {
	var v any = map[string]any(p)
	for key := range strings.SplitSeq(path, ".") {
		object, _ := v.(map[string]any)
		v = object[key]
	}
	return v
}

// set replaces what is at a path, which has to exist.
func (p payload) set(t *testing.T, path string, to any) {
	t.Helper()
	if p.at(path) == nil {
		t.Fatalf("the payload has no %s", path)
	}
	object := map[string]any(p)
	keys := strings.Split(path, ".")
	for _, key := range keys[:len(keys)-1] {
		object = object[key].(map[string]any)
	}
	object[keys[len(keys)-1]] = to
}

// labels are the pull request's.
func (p payload) labels(names ...string) {
	var all []any
	for _, name := range names {
		all = append(all, map[string]any{"name": name})
	}
	p["pull_request"].(map[string]any)["labels"] = all
}

var expression = regexp.MustCompile(`\$\{\{\s*(.*?)\s*\}\}`)

// evaluate is an expression of GitHub's, as far as the workflows have them: a value of
// the event, the token, or comparisons of which one holds.
func (p payload) evaluate(t *testing.T, text string) string {
	t.Helper()
	if path, ok := strings.CutPrefix(text, "github.event."); ok && !strings.ContainsAny(text, " =|&") {
		return fmt.Sprint(p.at(path))
	}
	if text == "github.token" {
		return "token"
	}
	if name, ok := strings.CutPrefix(text, "needs."); ok { // run sets what jobs put out
		return fmt.Sprint(p[name])
	}
	for part := range strings.SplitSeq(text, "||") {
		part = strings.TrimSpace(part)
		if path, ok := strings.CutPrefix(part, "github.event."); ok && !strings.Contains(path, " ") {
			if p.at(path) != nil {
				return "true"
			}
			continue
		}
		left, right, ok := strings.Cut(part, " == '")
		path, ofEvent := strings.CutPrefix(left, "github.event.")
		if !ok || !ofEvent {
			t.Fatalf("the test does not know %q", text)
		}
		if fmt.Sprint(p.at(path)) == strings.TrimSuffix(right, "'") {
			return "true"
		}
	}
	return "false"
}

// outcome is what a workflow did.
type outcome struct {
	skipped, ok bool
	// summary is what it wrote for the run's page.
	summary string
	// log is what it asked of GitHub, a call a line.
	log string
	// dir is where it ran.
	dir string
}

// run runs the scripts of a workflow as GitHub does for an event, if it starts it: the job's condition,
// each step's variables, and Bash; a job comes after the one that it needs, and is left out
// where that fails. gh answers as for script, and make writes a review, with the verdict
// that is among the answers.
func run(t *testing.T, name string, event payload, answers, files map[string]string) outcome {
	t.Helper()
	w := workflowtest.Read(t, folder+"workflows/"+name)
	ofWorkflow, _ := event.at("workflow.name").(string) // a pull request's event has none
	if !w.Starts(fmt.Sprint(event.at("action")), ofWorkflow) {
		return outcome{skipped: true, ok: true}
	}
	dir, bin := t.TempDir(), t.TempDir()
	write := func(path, content string, mode os.FileMode) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	content, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	eventPath := filepath.Join(bin, "event.json")
	write(eventPath, string(content), 0o644)
	write(filepath.Join(bin, "gh"), gh, 0o755)
	write(filepath.Join(bin, "git"), "#!/bin/bash\nprintf '%s\\n' \"git $*\" >>\"$DIR/log\"\necho "+other+"\n", 0o755)
	write(filepath.Join(bin, "make"), "#!/bin/bash\nprintf '%s\\n' \"make $*\" >>\"$DIR/log\"\nmkdir -p .archipelago/review\n[ -f \"$DIR/verdict.json\" ] || exit 2\necho review >.archipelago/review/review.md\ncp \"$DIR/verdict.json\" .archipelago/review/review.json\n", 0o755)
	for path, answer := range answers {
		write(filepath.Join(bin, strings.ReplaceAll(path, "/", "_")+".json"), answer, 0o644)
	}
	for path, content := range files {
		write(filepath.Join(dir, path), content, 0o644)
	}
	github, err := filepath.Abs(folder)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(github, filepath.Join(dir, ".github")); err != nil {
		t.Fatal(err)
	}
	done := outcome{skipped: true, ok: true, dir: dir}
	var failed []string
	for _, job := range slices.SortedFunc(maps.Keys(w.Jobs), func(a, b string) int {
		return strings.Compare(fmt.Sprint(w.Jobs[a].Needs), fmt.Sprint(w.Jobs[b].Needs)) // <nil> is first
	}) {
		if slices.ContainsFunc(failed, func(name string) bool { return strings.Contains(fmt.Sprint(w.Jobs[job].Needs), name) }) {
			continue
		}
		output := filepath.Join(bin, "output")
		if condition := w.Jobs[job].If; condition != "" && event.evaluate(t, condition) != "true" {
			continue
		}
		done.skipped = false
		for _, step := range w.Jobs[job].Steps {
			if step.Run == "" || strings.HasPrefix(step.Run, "sudo ") || step.Run == "make test" {
				continue
			}
			if expression.MatchString(step.Run) {
				t.Errorf("%s: a script has an expression, which what a stranger writes could end: %s", name, step.Run)
			}
			cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step.Run)
			cmd.Dir = dir
			cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "DIR=" + bin, "HOME=" + dir, "GITHUB_REPOSITORY=o/r", "GITHUB_EVENT_PATH=" + eventPath, "GITHUB_STEP_SUMMARY=" + filepath.Join(bin, "summary"), "GITHUB_OUTPUT=" + output}
			for key, value := range step.Env {
				cmd.Env = append(cmd.Env, key+"="+expression.ReplaceAllStringFunc(value, func(e string) string {
					return event.evaluate(t, expression.FindStringSubmatch(e)[1])
				}))
			}
			out, err := cmd.CombinedOutput()
			t.Logf("%s: %v\n%s", job, err, out)
			if err != nil {
				done.ok, failed = false, append(failed, job)
				break
			}
			b, _ := os.ReadFile(output) // a step may put nothing out
			for line := range strings.Lines(string(b)) {
				name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
				event[job+".outputs."+name] = value
			}
			_ = os.RemoveAll(output)
		}
	}
	b, _ := os.ReadFile(filepath.Join(bin, "summary")) // it may write none
	done.summary = string(b)
	b, _ = os.ReadFile(filepath.Join(bin, "log")) // it may ask nothing
	done.log = string(b)
	return done
}

// head is the commit of the pull request that all payloads are about, #2.
const head = "ec26c3e57ca3a959ca5aad62de7213c562f8c821"

// TestLabelAllowsDataLoss: with the payloads that GitHub sends, the label of somebody who
// may write allows it for this head, of a fork too; a push withdraws it.
func TestLabelAllowsDataLoss(t *testing.T) {
	const label = "allow-data-loss"
	for name, test := range map[string]struct {
		payload, permission string
		edit                func(payload)
		skipped, ok         bool
		want, not           string
	}{
		"another label":        {"labeled", "write", func(payload) {}, true, true, "", "repos/"},
		"by who writes":        {"labeled", "write", func(p payload) { p.set(t, "label.name", label); p.labels("bug", label) }, false, true, "repos/o/r/statuses/" + head + " -f context=review -f state=success", "DELETE"},
		"by who reads":         {"labeled", "read", func(p payload) { p.set(t, "label.name", label); p.labels(label) }, false, false, "--method DELETE repos/o/r/issues/2/labels/" + label, "state=success"},
		"by a stranger's fork": {"labeled", "none", func(p payload) { p.set(t, "label.name", label); p.set(t, "pull_request.head.repo.fork", true) }, false, false, "--method DELETE", "state=success"},
		"by who writes, of a fork": {"labeled", "admin", func(p payload) { p.set(t, "label.name", label); p.set(t, "pull_request.head.repo.fork", true) }, false, true,
			"repos/o/r/statuses/" + head + " -f context=allow-data-loss -f state=success", "DELETE"},
		"taken off": {"unlabeled", "write", func(p payload) { p.set(t, "label.name", label) }, false, true, "context=allow-data-loss -f state=failure", "state=success"},
		"a push":    {"synchronize", "write", func(p payload) { p.labels("bug", label) }, false, true, "--method DELETE repos/o/r/issues/2/labels/" + label, "state="},
		"another base": {"labeled", "write", func(p payload) {
			p["action"], p["changes"] = "edited", map[string]any{"base": map[string]any{"ref": map[string]any{"from": "other"}}}
		}, false, true, "context=review -f state=failure", "state=success"},
		"another title": {"labeled", "write", func(p payload) {
			p["action"], p["changes"] = "edited", map[string]any{"title": map[string]any{"from": "x"}}
		}, true, true, "", "repos/"},
		"a push without it":  {"synchronize", "write", func(payload) {}, false, true, "/status?", "state="},
		"of a pull request":  {"opened", "write", func(payload) {}, true, true, "", "repos/"},
		"opened with it":     {"opened", "write", func(p payload) { p.labels(label) }, true, true, "", "repos/"},
		"a label that is it": {"labeled", "write", func(p payload) { p.set(t, "label.name", label+" ") }, true, true, "", "repos/"},
	} {
		t.Run(name, func(t *testing.T) {
			event := readPayload(t, test.payload)
			test.edit(event)
			got := run(t, "allow-data-loss.yml", event, map[string]string{
				"repos/o/r/collaborators/Codertocat/permission": `{"permission": "` + test.permission + `"}`,
				"repos/o/r/commits/" + head + "/status":         `{"statuses": [{"context": "review", "description": "data at risk: x"}]}`,
			}, nil)
			if got.skipped != test.skipped || got.ok != test.ok || !strings.Contains(got.log, test.want) || strings.Contains(got.log, test.not) {
				t.Errorf("skipped %t and ok %t, want %t, %t, %q and no %q, it asked:\n%s", got.skipped, got.ok, test.skipped, test.ok, test.want, test.not, got.log)
			}
		})
	}
}

// TestReviewIsOfThePullRequest: the review of one that is opened is of its merge base, and
// leaves the number that the comment needs; its end has that posted, unless the run was
// of something else.
func TestReviewIsOfThePullRequest(t *testing.T) {
	opened := run(t, "pull-request.yml", readPayload(t, "opened"), map[string]string{"verdict": `{"verdict": "no effect"}`}, nil)
	if want := "git merge-base " + fmt.Sprint(readPayload(t, "opened").at("pull_request.base.sha")) + " HEAD\nmake review BASE=" + other + "\n"; !opened.ok || opened.log != want {
		t.Errorf("ok %t, it did %q, want %q", opened.ok, opened.log, want)
	}
	if opened.summary != "review\n" {
		t.Errorf("the run's page has %q", opened.summary)
	}
	if number := read(t, filepath.Join(opened.dir, "number")); number != "2\n" {
		t.Errorf("the number is %q", number)
	}
	// What the one uploads is what the other downloads, and gives its script.
	up, down := uses(t, "pull-request.yml", "review", "actions/upload-artifact"), uses(t, "review-comment.yml", "comment", "actions/download-artifact")
	if up["name"] != down["name"] {
		t.Errorf("%q is uploaded, and %q downloaded", up["name"], down["name"])
	}
	artifact := map[string]string{}
	for name := range strings.FieldsSeq(up["path"]) {
		artifact[filepath.Join(down["path"], name)] = read(t, filepath.Join(opened.dir, name))
	}
	event := readPayload(t, "workflow_run")
	skips := func(what string) {
		t.Helper()
		if got := run(t, "review-comment.yml", event, nil, artifact); !got.skipped || got.log != "" {
			t.Errorf("%s is commented: %s", what, got.log)
		}
	}
	event.set(t, "workflow.name", "Pull request")
	skips("a run on a push")
	event.set(t, "workflow_run.event", "pull_request")
	event.set(t, "workflow.name", "Nightly")
	skips("another workflow's run")
	event.set(t, "workflow.name", "Pull request")
	event.set(t, "action", "requested")
	skips("a run that only begins")
	event.set(t, "action", "completed")
	sha := fmt.Sprint(event.at("workflow_run.head_sha"))
	got := run(t, "review-comment.yml", event, map[string]string{
		"repos/o/r/pulls/2": `{"head": {"sha": "` + sha + `"}, "base": {"ref": "master", "repo": {"default_branch": "master"}}}`, "repos/o/r/issues/2/comments": `[]`,
	}, artifact)
	want := "repos/o/r/statuses/" + sha + " -f context=review -f state=success -f description=no effect -f target_url=" + fmt.Sprint(event.at("workflow_run.html_url"))
	if !got.ok || !strings.Contains(got.log, want) || !strings.Contains(got.log, "repos/o/r/issues/2/comments -F body=@") {
		t.Errorf("ok %t, it asked:\n%s", got.ok, got.log)
	}
}

// TestPullRequestFailsOnDataAtRisk: unless the status of the label says of this very head,
// and of the branch that it goes into, that it is allowed; and where there is no review.
func TestPullRequestFailsOnDataAtRisk(t *testing.T) {
	status := func(context, state string) string {
		return `{"statuses": [{"context": "review", "state": "success"}, {"context": "` + context + `", "state": "` + state + `"}]}`
	}
	for name, test := range map[string]struct {
		verdict, statuses, base string
		ok                      bool
	}{
		"no effect":                  {`{"verdict": "no effect"}`, `{"statuses": []}`, "master", true},
		"an island down":             {`{"verdict": "an island down"}`, `{"statuses": []}`, "master", true},
		"data at risk":               {`{"verdict": "data at risk"}`, `{"statuses": []}`, "master", false},
		"the label":                  {`{"verdict": "data at risk"}`, status("allow-data-loss", "success"), "master", true},
		"the label was taken off":    {`{"verdict": "data at risk"}`, status("allow-data-loss", "failure"), "master", false},
		"for another branch":         {`{"verdict": "data at risk"}`, status("allow-data-loss into next", "success"), "master", false},
		"into another branch":        {`{"verdict": "data at risk"}`, status("allow-data-loss into next", "success"), "next", true},
		"for the default one":        {`{"verdict": "data at risk"}`, status("allow-data-loss", "success"), "next", false},
		"no review":                  {"", `{"statuses": []}`, "master", false},
		"a review without a verdict": {"{}", `{"statuses": []}`, "master", false},
	} {
		t.Run(name, func(t *testing.T) {
			event := readPayload(t, "opened")
			event.set(t, "pull_request.base.ref", test.base)
			answers := map[string]string{"repos/o/r/commits/" + head + "/status": test.statuses}
			if test.verdict != "" {
				answers["verdict"] = test.verdict
			}
			if got := run(t, "pull-request.yml", event, answers, nil); got.ok != test.ok {
				t.Errorf("ok %t, want %t, it asked:\n%s", got.ok, test.ok, got.log)
			}
		})
	}
}

// TestLabelHasThePullRequestLookAgain: the job that failed runs again, of this head alone.
func TestLabelHasThePullRequestLookAgain(t *testing.T) {
	const label, rerun = "allow-data-loss", "--method POST repos/o/r/actions/jobs/31/rerun\n"
	for name, test := range map[string]struct {
		payload, description, head string
		want                       bool
	}{
		"set":                        {"labeled", "data at risk: x", head, true},
		"taken off":                  {"unlabeled", "data at risk, and allowed", head, true},
		"before it says its verdict": {"labeled", "", head, true},
		"where nothing is at risk":   {"labeled", "no effect", head, false},
		"another head meanwhile":     {"labeled", "data at risk: x", other, false},
	} {
		t.Run(name, func(t *testing.T) {
			event := readPayload(t, test.payload)
			event.set(t, "label.name", label)
			got := run(t, "allow-data-loss.yml", event, map[string]string{
				"repos/o/r/collaborators/Codertocat/permission": `{"permission": "write"}`,
				"repos/o/r/commits/" + head + "/status":         `{"statuses": [{"context": "review", "description": "` + test.description + `"}]}`,
				"repos/o/r/pulls/2":                             `{"head": {"sha": "` + test.head + `"}}`,
				"repos/o/r/actions/runs":                        `{"workflow_runs": [{"id": 20, "name": "Deploy"}, {"id": 21, "name": "Pull request"}]}`,
				"repos/o/r/actions/runs/20/jobs":                `{"jobs": [{"id": 32, "name": "data-at-risk"}]}`,
				"repos/o/r/actions/runs/21/jobs":                `{"jobs": [{"id": 30, "name": "review"}, {"id": 31, "name": "data-at-risk"}]}`,
			}, nil)
			if !got.ok || strings.Contains(got.log, rerun) != test.want || strings.Count(got.log, "/rerun") > 1 {
				t.Errorf("ok %t, want %t, it asked:\n%s", got.ok, test.want, got.log)
			}
		})
	}
	// The names by which it finds them are theirs.
	w := read(t, folder+"workflows/pull-request.yml")
	for _, line := range []string{"\nname: Pull request\n", "\n  data-at-risk:\n    needs: [test, review]\n"} {
		if !strings.Contains(w, line) {
			t.Errorf("pull-request.yml lacks %q", line)
		}
	}
}

// TestHostileValuesDoNothing: what a stranger writes into a payload runs nothing, writes
// no file and reaches no other path of GitHub's.
func TestHostileValuesDoNothing(t *testing.T) {
	const label = "allow-data-loss"
	const hostile = "x$(touch pwned)`touch pwned`\"; touch pwned; \"'; touch pwned; '\ntouch pwned\n--method=DELETE ${{ github.token }} {{.}} ../../../../orgs/evil"
	asks := regexp.MustCompile(`^(api repos/o/r/(pulls/2 --jq .head.sha|actions/runs\?head_sha=[0-9a-f]{40}&event=pull_request&status=completed --jq .*)|git merge-base [0-9a-f]{40} HEAD|make review BASE=[0-9a-f]{40}|api (--silent )?(--method DELETE )?repos/o/r/(statuses/[0-9a-f]{40} -f context=(review|allow-data-loss) -f state=(success|failure) -f description=|issues/2/labels/allow-data-loss$|collaborators/Codertocat/permission --jq |commits/[0-9a-f]{40}/status\?per_page=100 --jq ).*)$`)
	// Allowed, into a branch that is called so.
	statuses, err := json.Marshal(map[string]any{"statuses": []map[string]string{
		{"context": "review", "description": "data at risk: x"}, {"context": "allow-data-loss into " + hostile, "state": "success"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{"pull_request.title", "pull_request.head.ref", "pull_request.head.label", "pull_request.head.repo.full_name", "pull_request.base.ref", "pull_request.user.login"}
	for _, from := range []struct {
		workflow, payload string
		// refused are values by which a script finds its paths: it ends at each.
		refused []string
	}{
		{"allow-data-loss.yml", "labeled", []string{"pull_request.head.sha", "pull_request.number", "sender.login", "pull_request.base.ref"}},
		{"allow-data-loss.yml", "synchronize", []string{"pull_request.head.sha", "pull_request.number", "pull_request.base.ref"}},
		{"pull-request.yml", "opened", nil},
	} {
		try := func(want bool, paths ...string) {
			t.Helper()
			event := readPayload(t, from.payload)
			event.labels(label)
			if from.payload == "labeled" {
				event.set(t, "label.name", label)
			}
			for _, path := range paths {
				event.set(t, path, hostile)
			}
			got := run(t, from.workflow, event, map[string]string{
				"repos/o/r/collaborators/Codertocat/permission": `{"permission": "write"}`,
				"repos/o/r/commits/" + head + "/status":         string(statuses),
				"repos/o/r/pulls/2":                             `{"head": {"sha": "` + head + `"}}`,
				"verdict":                                       `{"verdict": "data at risk"}`,
			}, nil)
			if got.ok != want {
				t.Errorf("%s with %q: ok %t, want %t", from.workflow, paths, got.ok, want)
			}
			if _, err := os.Stat(filepath.Join(got.dir, "pwned")); err == nil {
				t.Errorf("%s runs one of %q", from.workflow, paths)
			}
			for line := range strings.Lines(got.log) {
				if !asks.MatchString(strings.TrimSuffix(line, "\n")) {
					t.Errorf("%s with %q asked: %s", from.workflow, paths, line)
				}
			}
			if want && got.log == "" {
				t.Errorf("%s did nothing: the test proves nothing", from.workflow)
			}
		}
		try(true, slices.DeleteFunc(slices.Clone(texts), func(path string) bool { return slices.Contains(from.refused, path) })...)
		for _, path := range from.refused {
			try(false, path)
		}
	}
}
