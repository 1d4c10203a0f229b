// Package workflows tests what GitHub runs: the workflows' pins and permissions, and
// their scripts, with a gh that answers from files.
package workflows

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
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
// secret; what may write runs none of it.
func TestStrangersCodeHasNoRights(t *testing.T) {
	text := read(t, folder+"workflows/pull-request.yml")
	for _, word := range []string{": write", "secrets.", "pull_request_target", "workflow_run", "github.token"} {
		if strings.Contains(text, word) {
			t.Errorf("pull-request.yml has %q", word)
		}
	}
	if strings.Count(text, "persist-credentials: false") != strings.Count(text, "actions/checkout@") {
		t.Error("pull-request.yml leaves its token to the code that it runs")
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

func TestScriptsPassShellcheck(t *testing.T) {
	paths, err := filepath.Glob(folder + "scripts/*.sh")
	if err != nil || len(paths) == 0 {
		t.Fatalf("there are no scripts: %v", err)
	}
	if out, err := exec.Command("shellcheck", paths...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// gh answers a path from the file of its name in $DIR, by jq, and logs what it is asked.
const gh = `#!/bin/bash
filter=. path=
printf '%s\n' "$*" >>"$DIR/log"
while [ $# -gt 0 ]; do
	case $1 in
	--jq) filter=$2; shift ;;
	repos/*) path=$1 ;;
	body=@*) cp "${1#body=@}" "$DIR/body" ;;
	esac
	shift
done
file=$DIR/${path//\//_}.json
[ ! -f "$file" ] || jq -r "$filter" "$file"
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
	head := map[string]string{"repos/o/r/pulls/7": `{"head": {"sha": "` + sha + `"}}`, "repos/o/r/issues/7/comments": `[]`, "repos/o/r/commits/" + sha + "/status": `{"statuses": []}`}
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
		"a good one":           {verdict: "instances replaced", answers: head, ok: true, state: "success", posted: "api --silent repos/o/r/issues/7/comments "},
		"a second one":         {verdict: "no effect", answers: with("repos/o/r/issues/7/comments", `[{"id": 5, "user": {"login": "somebody"}, "body": "<!-- archipelago-review -->"}, {"id": 6, "user": {"login": "github-actions[bot]"}, "body": "<!-- archipelago-review --> x"}]`), ok: true, state: "success", posted: "--method PATCH repos/o/r/issues/comments/6"},
		"data at risk":         {verdict: "data at risk", answers: head, ok: true, state: "failure", posted: "issues/7/comments"},
		"and allowed":          {verdict: "data at risk", answers: with("repos/o/r/commits/"+sha+"/status", `{"statuses": [{"context": "allow-data-loss", "state": "success"}]}`), ok: true, state: "success", posted: "issues/7/comments"},
		"and not allowed":      {verdict: "data at risk", answers: with("repos/o/r/commits/"+sha+"/status", `{"statuses": [{"context": "allow-data-loss", "state": "failure"}]}`), ok: true, state: "failure", posted: "issues/7/comments"},
		"another's number":     {verdict: "no effect", answers: with("repos/o/r/pulls/7", `{"head": {"sha": "`+other+`"}}`), ok: true},
		"an invalid number":    {verdict: "no effect", over: map[string]string{"number": "7/x"}, answers: head, state: "failure"},
		"a verdict of its own": {verdict: "harmless", answers: head, state: "failure", posted: "issues/7/comments"},
		"no JSON":              {over: map[string]string{"review.json": "{"}, answers: head, state: "failure"},
		"too long":             {verdict: "no effect", over: map[string]string{"review.md": strings.Repeat("x", 60_001)}, answers: head, state: "failure"},
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
	event := func(action, label string, labels string) string {
		path := filepath.Join(t.TempDir(), "event.json")
		content := `{"action": "` + action + `", "label": {"name": "` + label + `"}, "sender": {"login": "ann"}, "pull_request": {"number": 7, "head": {"sha": "` + sha + `"}, "labels": [` + labels + `]}}`
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
}
