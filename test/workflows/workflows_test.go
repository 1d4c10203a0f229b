// Package workflows tests what GitHub runs: the workflows' pins and permissions, and
// their scripts, with a gh that answers from files.
package workflows

import (
	"encoding/json"
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

const (
	folder = "../../.github/"
	sha    = "0123456789abcdef0123456789abcdef01234567"
	other  = "fedcba9876543210fedcba9876543210fedcba98"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestActionsArePinned: each by a commit, whose release is beside it.
func TestActionsArePinned(t *testing.T) {
	paths, err := filepath.Glob(folder + "workflows/*.yml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("there are no workflows: %v", err)
	}
	pinned := regexp.MustCompile(`^[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	for _, path := range paths {
		for line := range strings.Lines(read(t, path)) {
			if action, ok := strings.CutPrefix(strings.TrimPrefix(strings.TrimSpace(line), "- "), "uses: "); ok && !pinned.MatchString(action) {
				t.Errorf("%s: %s: want a commit, and its release after #", path, action)
			}
		}
	}
}

// TestStrangersCodeHasNoRights: what runs a pull request's code may read, and has no
// secret and no token; what has a token, or may write, runs none of it.
func TestStrangersCodeHasNoRights(t *testing.T) {
	text := read(t, folder+"workflows/pull-request.yml")
	for _, word := range []string{": write", "secrets.", "pull_request_target", "workflow_run"} {
		if strings.Contains(text, word) {
			t.Errorf("pull-request.yml has %q", word)
		}
	}
	if strings.Count(text, "persist-credentials: false") != strings.Count(text, "actions/checkout@") {
		t.Error("pull-request.yml leaves its token to the code that it runs")
	}
	for name, job := range workflowtest.Read(t, folder+"workflows/pull-request.yml").Jobs {
		tokens, strangers := 0, 0
		for _, step := range job.Steps {
			for _, value := range step.Env {
				if strings.Contains(value, "github.token") {
					tokens++
				}
			}
			if step.Uses != "" { // a checkout, or what a former job of the code left
				strangers++
			}
		}
		if tokens > 0 && strangers > 0 || strings.Count(text, "github.token") != 1 {
			t.Errorf("pull-request.yml: %s has a token, and the pull request's code", name)
		}
	}
	for _, name := range []string{"review-comment.yml", "allow-data-loss.yml"} {
		text := read(t, folder+"workflows/"+name)
		for _, word := range []string{"ref:", "make ", "go run", "npm "} {
			if strings.Contains(text, word) {
				t.Errorf("%s may write, and has %q", name, word)
			}
		}
	}
}

// uses is what the step of a job gives an action, nil where there is none such.
func uses(t *testing.T, workflow, job, action string) map[string]string {
	t.Helper()
	for _, step := range workflowtest.Read(t, folder+"workflows/"+workflow).Jobs[job].Steps {
		if strings.HasPrefix(step.Uses, action+"@") {
			return step.With
		}
	}
	return nil
}

// TestWiring: what starts each workflow, what the token of each job may, and what its
// actions are given, beside the setup of Go and the roles that deploy_test.go looks at.
func TestWiring(t *testing.T) {
	const (
		reads    = `{"contents":"read"}`
		assumes  = `{"contents":"read","id-token":"write"}`
		checkout = `{"persist-credentials":"false"}`
	)
	type job struct{ permissions, checkout, artifact string }
	for name, want := range map[string]struct {
		on   string
		jobs map[string]job
	}{
		"pull-request.yml": {`{"pull_request":null}`, map[string]job{
			"test": {reads, checkout, ""},
			"review": {reads, `{"fetch-depth":"0","persist-credentials":"false","ref":"${{ github.event.pull_request.head.sha }}"}`,
				`{"if-no-files-found":"ignore","name":"review","path":"number\nreview.md\nreview.json\n"}`},
			"data-at-risk": {`{"statuses":"read"}`, "", ""},
		}},
		"review-comment.yml": {`{"workflow_run":{"types":["completed"],"workflows":["Pull request"]}}`, map[string]job{
			"comment": {`{"actions":"read","contents":"read","pull-requests":"write","statuses":"write"}`, checkout,
				`{"github-token":"${{ github.token }}","name":"review","path":"artifact","run-id":"${{ github.event.workflow_run.id }}"}`},
		}},
		"allow-data-loss.yml": {`{"pull_request_target":{"types":["labeled","unlabeled","synchronize","edited"]}}`, map[string]job{
			"allow": {`{"actions":"write","contents":"read","pull-requests":"write","statuses":"write"}`, checkout, ""},
		}},
		"deploy.yml": {`{"workflow_dispatch":null}`, map[string]job{
			"doctor": {assumes, checkout, ""}, "shared": {assumes, checkout, ""}, "region": {assumes, checkout, ""}, "own": {assumes, checkout, ""},
		}},
		"nightly.yml": {`{"schedule":[{"cron":"17 2 * * *"}],"workflow_dispatch":null}`, map[string]job{
			"shard": {reads, checkout, ""}, "links": {reads, checkout, ""}, "deployed": {assumes, checkout, ""},
		}},
	} {
		text := func(v any) string {
			b, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		w := workflowtest.Read(t, folder+"workflows/"+name)
		if got := text(w.On); got != want.on {
			t.Errorf("%s starts on %s, want %s", name, got, want.on)
		}
		got := map[string]job{}
		for id, j := range w.Jobs {
			may := j.Permissions
			if may == nil {
				may = w.Permissions
			}
			given := job{permissions: text(may)}
			for _, step := range j.Steps {
				switch action, _, _ := strings.Cut(step.Uses, "@"); action {
				case "actions/checkout":
					given.checkout += text(step.With)
				case "actions/upload-artifact", "actions/download-artifact":
					given.artifact += text(step.With)
				}
			}
			got[id] = given
		}
		if !maps.Equal(got, want.jobs) {
			t.Errorf("%s has\n%q, want\n%q", name, got, want.jobs)
		}
	}
}

// TestTokensReadUnlessTheySay: each workflow begins with what its token may, which is what
// GitHub gives it otherwise by the repository's settings: to write, in older ones.
func TestTokensReadUnlessTheySay(t *testing.T) {
	paths, err := filepath.Glob(folder + "workflows/*.yml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("there are no workflows: %v", err)
	}
	for _, path := range paths {
		if text := read(t, path); !strings.Contains(text, "\npermissions: {}\n") && !strings.Contains(text, "\npermissions:\n  contents: read\n\n") {
			t.Errorf("%s: its token may what the repository's settings say", path)
		}
	}
}

// TestGateLooksAtWorkflowsAndAPI: make check runs the linters of workflows, Go and Python
// and compares the API; CI and pull-request.yml run all of it.
func TestGateLooksAtWorkflowsAndAPI(t *testing.T) {
	makefile := read(t, "../../Makefile")
	_, lint, _ := strings.Cut(makefile, "\npart-lint:\n")
	lint, _, _ = strings.Cut(lint, "\npart-quick:\n")
	for _, tool := range []string{"gofmt -l", "go vet ./...", "staticcheck ./...", " actionlint", "go test -count=1 ./test/api", "pyright"} {
		if !strings.Contains(lint, tool) {
			t.Errorf("part-lint lacks %q", tool)
		}
	}
	for _, line := range []string{"CHECK = part-lint part-quick\n", "\t@+$(PARTS) $(CHECK)\n", "\t@+$(PARTS) $(TEST) $(CHECK)\n"} {
		if !strings.Contains(makefile, line) {
			t.Errorf("the Makefile lacks %q", line)
		}
	}
	if !strings.Contains(read(t, "../../.ci/run"), "\nmake test\n") {
		t.Error("CI does not run make test")
	}
	test := workflowtest.Read(t, folder+"workflows/pull-request.yml").Jobs["test"]
	if !slices.ContainsFunc(test.Steps, func(s workflowtest.Step) bool { return s.Run == "make test" }) {
		t.Error("pull-request.yml does not run make test")
	}
}

// TestPipesFail: a step fails with any program of its pipes, which GitHub's default
// shell does not see to.
func TestPipesFail(t *testing.T) {
	paths, err := filepath.Glob(folder + "workflows/*.yml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("there are no workflows: %v", err)
	}
	for _, path := range paths {
		if !strings.Contains(read(t, path), "\ndefaults:\n  run:\n    shell: bash ") {
			t.Errorf("%s: its steps go on after the first program of a pipe fails", path)
		}
	}
}

// TestStacks: a deployment whose name has words of its stacks' names is deployed in the
// same order as another: what is shared first, and neither a region nor the roles with it,
// and an app's own stacks last.
func TestStacks(t *testing.T) {
	for _, name := range []string{"archipelago", "my-storage-app", "a-region-b", "x-global", "x-entry"} {
		dir := t.TempDir()
		var artifacts []string
		for _, part := range []string{"storage-eu-west-1", "global", "entry", "github", "region-eu-west-1", "region-us-east-1"} {
			artifacts = append(artifacts, `"`+name+`-`+part+`": {"type": "aws:cloudformation:stack", "properties": {"tags": {"deployment": "`+name+`"}}}`)
		}
		artifacts = append(artifacts, `"reports": {"type": "aws:cloudformation:stack", "properties": {}}`, `"`+name+`-jobs": {"type": "aws:cloudformation:stack", "properties": {"tags": {"deployment": "`+name+`"}}}`)
		manifest := `{"artifacts": {"Tree": {"type": "cdk:tree"}, "` + name + `-global.assets": {"type": "cdk:asset-manifest"}, ` + strings.Join(artifacts, ",") + `}}`
		if err := os.WriteFile(filepath.Join(dir, "manifest.json"), []byte(manifest), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(folder+"scripts/stacks.sh", dir).Output()
		want := "shared=" + name + "-storage-eu-west-1 " + name + "-global " + name + "-entry\nregions=[\"" + name + "-region-eu-west-1\",\"" + name + "-region-us-east-1\"]\nown=reports " + name + "-jobs\n"
		if err != nil || string(out) != want {
			t.Errorf("%v, got:\n%swant:\n%s", err, out, want)
		}
	}
}

// gh answers a path from the file of its name in $DIR, by jq, and logs what it is asked.
// The second time it answers from the path's with .next behind, if there is one.
const gh = `#!/bin/bash
filter=. path=
printf '%s\n' "$*" >>"$DIR/log"
while [ $# -gt 0 ]; do
	case $1 in
	--jq) filter=$2; shift ;;
	repos/*) path=${1%%\?*} ;;
	body=@*) cp "${1#body=@}" "$DIR/body" ;;
	esac
	shift
done
file=$DIR/${path//\//_}.json
[ ! -f "$file" ] || jq -r "$filter" "$file"
[ ! -f "${file%.json}.next.json" ] || mv "${file%.json}.next.json" "$file"
`

// script runs one with a gh whose answers are by their paths, and returns what it
// asked and whether it succeeded.
func script(t *testing.T, name, argument string, answers map[string]string) (log string, ok bool, dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "gh"), []byte(gh), 0o755); err != nil {
		t.Fatal(err)
	}
	for path, answer := range answers {
		if err := os.WriteFile(filepath.Join(dir, strings.ReplaceAll(path, "/", "_")+".json"), []byte(answer), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(folder+"scripts/"+name, argument)
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "DIR="+dir, "GITHUB_REPOSITORY=o/r", "HEAD_SHA="+sha, "RUN_URL=https://example.com/run")
	out, err := cmd.CombinedOutput()
	t.Logf("%s: %v\n%s", name, err, out)
	b, _ := os.ReadFile(filepath.Join(dir, "log")) // it may ask nothing
	return string(b), err == nil, dir
}

// artifact is a review's, with files laid over a good one's.
func artifact(t *testing.T, verdict string, over map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{"number": "7\n", "review.md": "# Review\n\n@everyone\n", "review.json": `{"verdict": "` + verdict + `"}`}
	for name, content := range over {
		files[name] = content
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestComment(t *testing.T) {
	pull := func(head, base string) string {
		return `{"head": {"sha": "` + head + `"}, "base": {"ref": "` + base + `", "repo": {"default_branch": "main"}}}`
	}
	head := map[string]string{"repos/o/r/pulls/7": pull(sha, "main"), "repos/o/r/issues/7/comments": `[]`, "repos/o/r/commits/" + sha + "/status": `{"statuses": []}`}
	with := func(path, answer string) map[string]string {
		all := map[string]string{path: answer}
		for p, a := range head {
			if p != path {
				all[p] = a
			}
		}
		return all
	}
	for name, test := range map[string]struct {
		verdict string
		over    map[string]string
		answers map[string]string
		ok      bool
		state   string // of the commit, "" for none
		posted  string // the call that posts, "" for none
	}{
		"a good one":                        {verdict: "instances replaced", answers: head, ok: true, state: "success", posted: "api --silent repos/o/r/issues/7/comments "},
		"a second one":                      {verdict: "no effect", answers: with("repos/o/r/issues/7/comments", `[{"id": 5, "user": {"login": "somebody"}, "body": "<!-- archipelago-review -->"}, {"id": 6, "user": {"login": "github-actions[bot]"}, "body": "<!-- archipelago-review --> x"}]`), ok: true, state: "success", posted: "--method PATCH repos/o/r/issues/comments/6"},
		"data at risk":                      {verdict: "data at risk", answers: head, ok: true, state: "failure", posted: "issues/7/comments"},
		"and allowed":                       {verdict: "data at risk", answers: with("repos/o/r/commits/"+sha+"/status", `{"statuses": [{"context": "allow-data-loss", "state": "success"}]}`), ok: true, state: "success", posted: "issues/7/comments"},
		"and not allowed":                   {verdict: "data at risk", answers: with("repos/o/r/commits/"+sha+"/status", `{"statuses": [{"context": "allow-data-loss", "state": "failure"}]}`), ok: true, state: "failure", posted: "issues/7/comments"},
		"another's number":                  {verdict: "no effect", answers: with("repos/o/r/pulls/7", pull(other, "main")), ok: true},
		"an invalid number":                 {verdict: "no effect", over: map[string]string{"number": "7/x"}, answers: head, state: "failure"},
		"a verdict of its own":              {verdict: "harmless", answers: head, state: "failure", posted: "issues/7/comments"},
		"no JSON":                           {over: map[string]string{"review.json": "{"}, answers: head, state: "failure"},
		"too long":                          {verdict: "no effect", over: map[string]string{"review.md": strings.Repeat("x", 60_001)}, answers: head, state: "failure"},
		"too long with its mentions broken": {verdict: "no effect", over: map[string]string{"review.md": strings.Repeat("@", 20_000)}, answers: head, state: "failure"},
	} {
		t.Run(name, func(t *testing.T) {
			log, ok, dir := script(t, "comment.sh", artifact(t, test.verdict, test.over), test.answers)
			if ok != test.ok {
				t.Errorf("got %t, want %t", ok, test.ok)
			}
			if state := "repos/o/r/statuses/" + sha + " -f context=review -f state=" + test.state; (test.state != "") != strings.Contains(log, "/statuses/") || !strings.Contains(log, state) && test.state != "" {
				t.Errorf("want the state %q, it asked:\n%s", test.state, log)
			}
			if posts := strings.Contains(log, "body=@"); posts != (test.posted != "") || !strings.Contains(log, test.posted) {
				t.Errorf("want %q, it asked:\n%s", test.posted, log)
			}
			if body, err := os.ReadFile(filepath.Join(dir, "body")); err == nil && strings.Contains(string(body), "@everyone") {
				t.Errorf("the comment calls everybody:\n%s", body)
			}
		})
	}
	// Several pull requests may have one head: each verdict is of its base.
	for verdict, want := range map[string]string{
		"no effect":    "context=review into feature/a -f state=success",
		"data at risk": "context=review into feature/a -f state=success",
	} {
		t.Run(verdict+" in another branch", func(t *testing.T) {
			answers := with("repos/o/r/pulls/7", pull(sha, "feature/a"))
			answers["repos/o/r/commits/"+sha+"/status"] = `{"statuses": [{"context": "allow-data-loss", "state": "failure"}, {"context": "allow-data-loss into feature/a", "state": "success"}]}`
			log, ok, _ := script(t, "comment.sh", artifact(t, verdict, nil), answers)
			if !ok || !strings.Contains(log, want) || strings.Contains(log, "context=review -f") {
				t.Errorf("ok %t, want %q alone, it asked:\n%s", ok, want, log)
			}
		})
	}
	t.Run("mentions in HTML", func(t *testing.T) {
		_, ok, dir := script(t, "comment.sh", artifact(t, "no effect", map[string]string{"review.md": "&#64;everyone &#x40;everyone &commat;everyone"}), head)
		if body := read(t, filepath.Join(dir, "body")); !ok || strings.Contains(body, "&#") || strings.Contains(body, "&commat;") {
			t.Errorf("ok %t, the comment calls everybody:\n%s", ok, body)
		}
	})
	// The label may be set and taken off while the verdict is posted.
	const allowed, refused = `{"statuses": [{"context": "allow-data-loss", "state": "success"}]}`, `{"statuses": [{"context": "allow-data-loss", "state": "failure"}]}`
	for name, test := range map[string]struct{ first, then, state string }{
		"taken off meanwhile": {allowed, refused, "failure"},
		"set meanwhile":       {refused, allowed, "success"},
	} {
		t.Run(name, func(t *testing.T) {
			path := "repos/o/r/commits/" + sha + "/status"
			answers := with(path, test.first)
			answers[path+".next"] = test.then
			log, ok, _ := script(t, "comment.sh", artifact(t, "data at risk", nil), answers)
			if last := log[strings.LastIndex(log, "f state="):]; !ok || !strings.HasPrefix(last, "f state="+test.state) {
				t.Errorf("ok %t, want the state %q last, it asked:\n%s", ok, test.state, log)
			}
		})
	}
	t.Run("a link", func(t *testing.T) {
		dir := artifact(t, "no effect", nil)
		if err := os.Remove(filepath.Join(dir, "review.md")); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("/etc/passwd", filepath.Join(dir, "review.md")); err != nil {
			t.Fatal(err)
		}
		if log, ok, _ := script(t, "comment.sh", dir, head); ok || strings.Contains(log, "body=@") {
			t.Errorf("it posts another file:\n%s", log)
		}
	})
}

func TestAllow(t *testing.T) {
	base := "main"
	event := func(action, label string, labels string) string {
		path := filepath.Join(t.TempDir(), "event.json")
		content := `{"action": "` + action + `", "label": {"name": "` + label + `"}, "sender": {"login": "ann"}, "pull_request": {"number": 7, "base": {"ref": "` + base + `"}, "head": {"sha": "` + sha + `"}, "labels": [` + labels + `]}, "repository": {"default_branch": "main"}}`
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const label, loss = "allow-data-loss", `{"name": "allow-data-loss"}`
	statuses := func(description string) string {
		return `{"statuses": [{"context": "review", "description": "` + description + `"}]}`
	}
	for name, test := range map[string]struct {
		event, permission, description string
		ok                             bool
		want, not                      string
	}{
		"by somebody who writes":     {event("labeled", label, loss), "write", "data at risk: x", true, "context=review -f state=success", "DELETE"},
		"before the review":          {event("labeled", label, loss), "admin", "", true, "context=allow-data-loss -f state=success", "context=review"},
		"by somebody who reads":      {event("labeled", label, loss), "read", "data at risk: x", false, "--method DELETE repos/o/r/issues/7/labels/allow-data-loss", "state=success"},
		"another label":              {event("labeled", "bug", ""), "write", "data at risk: x", true, "", "state="},
		"taken off":                  {event("unlabeled", label, ""), "write", "data at risk, and allowed", true, "context=review -f state=failure", "state=success"},
		"a push":                     {event("synchronize", "", loss), "write", "data at risk, and allowed", true, "--method DELETE repos/o/r/issues/7/labels/allow-data-loss", "state="},
		"another base":               {event("edited", "", loss), "write", "no effect", true, "context=review -f state=failure", "state=success"},
		"a push without the label":   {event("synchronize", "", ""), "write", "", true, "", "DELETE"},
		"where nothing was at stake": {event("labeled", label, loss), "write", "no effect", true, "context=allow-data-loss -f state=success", "context=review"},
	} {
		t.Run(name, func(t *testing.T) {
			log, ok, _ := script(t, "allow.sh", test.event, map[string]string{
				"repos/o/r/collaborators/ann/permission": `{"permission": "` + test.permission + `"}`,
				"repos/o/r/commits/" + sha + "/status":   statuses(test.description),
			})
			if ok != test.ok || !strings.Contains(log, test.want) || strings.Contains(log, test.not) {
				t.Errorf("got %t, want %t, %q and no %q, it asked:\n%s", ok, test.ok, test.want, test.not, log)
			}
		})
	}
	// A push back to a commit that was allowed has to be allowed again.
	for name, test := range map[string]struct{ state, description, want, not string }{
		"a push back":                       {"success", "data at risk, and allowed", "context=review -f state=failure", "state=success"},
		"a push back, before the review":    {"success", "", "context=allow-data-loss -f state=failure", "context=review"},
		"a push back to what was taken off": {"failure", "data at risk: x", "", "state="},
	} {
		t.Run(name, func(t *testing.T) {
			log, ok, _ := script(t, "allow.sh", event("synchronize", "", ""), map[string]string{
				"repos/o/r/commits/" + sha + "/status": `{"statuses": [{"context": "review", "description": "` + test.description + `"}, {"context": "allow-data-loss", "state": "` + test.state + `"}]}`,
			})
			if !ok || !strings.Contains(log, test.want) || strings.Contains(log, test.not) || test.want != "" && !strings.Contains(log, "context=allow-data-loss -f state=failure") {
				t.Errorf("ok %t, want %q and no %q, it asked:\n%s", ok, test.want, test.not, log)
			}
		})
	}
	t.Run("into another branch", func(t *testing.T) {
		base = "feature/a"
		log, ok, _ := script(t, "allow.sh", event("labeled", label, loss), map[string]string{
			"repos/o/r/collaborators/ann/permission": `{"permission": "write"}`,
			"repos/o/r/commits/" + sha + "/status":   `{"statuses": [{"context": "review", "description": "data at risk"}, {"context": "review into feature/a", "description": "data at risk"}]}`,
		})
		if !ok || !strings.Contains(log, "context=allow-data-loss into feature/a -f state=success") || !strings.Contains(log, "context=review into feature/a -f state=success") || strings.Contains(log, "context=review -f") {
			t.Errorf("ok %t, it asked:\n%s", ok, log)
		}
	})
}
