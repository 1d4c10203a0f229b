package setup

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// checkout is a folder with what setup looks at, and programs in its PATH.
func checkout(t *testing.T, programs map[string]string) string {
	t.Helper()
	root, bin := t.TempDir(), t.TempDir()
	for _, name := range []string{"package-lock.json", "requirements.txt"} {
		if err := os.WriteFile(filepath.Join(root, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, script := range programs {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+":/usr/bin:/bin")
	return root
}

const (
	npmFetches = `echo "npm http fetch GET 200 https://registry.example/aws-cdk/-/aws-cdk-2.1.0.tgz 120ms"
mkdir -p node_modules && echo {} > node_modules/.package-lock.json
`
	hasNothing   = `case "$1" in -c) exit 1;; -m) mkdir -p .venv/bin; ln -sf /bin/true .venv/bin/pip; ln -sf /bin/true .venv/bin/python;; esac` + "\n"
	hasEmulators = "exit 0\n"
)

// TestSetupSaysWhatItFetches: before it does, and nothing when all is there.
func TestSetupSaysWhatItFetches(t *testing.T) {
	root := checkout(t, map[string]string{"npm": npmFetches, "python3": hasNothing})
	var first, second bytes.Buffer
	if _, err := Run(t.Context(), []string{"-root", root, "-tools"}, &first); err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitN(first.String(), "\n", 2)
	if want := "first time here: this downloads about 85 MB of Node.js packages, 60 MB of Python packages and takes about half a minute on two cores; later it takes seconds"; lines[0] != want {
		t.Errorf("got %q, want %q", lines[0], want)
	}
	for _, want := range []string{"  fetch the CDK CLI and Node.js ", "  fetch the AWS emulator "} {
		if !strings.Contains(lines[1], want) {
			t.Errorf("the output lacks %q:\n%s", want, lines[1])
		}
	}
	program, err := Run(t.Context(), []string{"-root", root, "-tools", "--", "dist/archipelago", "-port", "1"}, &second)
	if err != nil || second.Len() > 0 || strings.Join(program, " ") != "dist/archipelago -port 1" {
		t.Errorf("the second time: got %v, %q, %q", program, err, &second)
	}
	if want := filepath.Join(root, ".venv/bin/python"); os.Getenv("PYTHON") != want {
		t.Errorf("PYTHON is %q, want %q", os.Getenv("PYTHON"), want)
	}
}

// TestSetupTakesNoFlagsOfTheUsers for programs that it runs: npm would end by the one of
// Node.js.
func TestSetupTakesNoFlagsOfTheUsers(t *testing.T) {
	root := checkout(t, map[string]string{"npm": `test -z "$NODE_OPTIONS" || exit 1` + "\n" + npmFetches, "python3": hasEmulators})
	t.Setenv("NODE_OPTIONS", "--require=/nowhere.js")
	if _, err := Run(t.Context(), []string{"-root", root, "-tools"}, &bytes.Buffer{}); err != nil {
		t.Error(err)
	}
}

// TestSetupSaysWhatFails: all of it, without npm's and pip's chatter, and the next
// run begins again.
func TestSetupSaysWhatFails(t *testing.T) {
	root := checkout(t, map[string]string{
		"npm":     "echo npm http cache; echo npm error code EAI_AGAIN; echo \"npm error     at node:internal\"; exit 1\n",
		"python3": `case "$1" in -c) exit 1;; -m) echo "Error: ensurepip is not available"; exit 1;; esac` + "\n",
	})
	_, err := Run(t.Context(), []string{"-root", root, "-tools"}, &bytes.Buffer{})
	if err == nil {
		t.Fatal("it ended well")
	}
	for _, want := range []string{
		"could not fetch the CDK CLI and Node.js: is there a network? exit status 1\n  npm error code EAI_AGAIN\n",
		"could not fetch the AWS emulator: it needs Python 3.11 or newer with venv: exit status 1\n  Error: ensurepip is not available",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "npm http") || strings.Contains(err.Error(), "node:internal") {
		t.Errorf("got %v, want the errors alone", err)
	}
	if _, err := os.Stat(filepath.Join(root, ".venv")); err == nil {
		t.Error("half an environment is left")
	}
}

func TestSetupNamesMissingPrograms(t *testing.T) {
	root := checkout(t, map[string]string{"python3": hasEmulators})
	t.Setenv("PATH", filepath.Dir(strings.Split(os.Getenv("PATH"), ":")[0])+"/nowhere")
	if _, err := Run(t.Context(), []string{"-root", root, "-tools"}, &bytes.Buffer{}); err == nil || err.Error() != "npm is missing: install Node.js, which brings it" {
		t.Errorf("got %v", err)
	}
}

func TestColdCachesAreAnnounced(t *testing.T) {
	got := announcement([]task{
		{megabytes: 85, minutes: 0.5, what: "Node.js packages"},
		{megabytes: 180, minutes: 3, what: "Go modules"},
	})
	if want := "first time here: this downloads about 85 MB of Node.js packages, 180 MB of Go modules and takes about 3 minutes on two cores; later it takes seconds"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := announcement([]task{{quiet: true}}); got != "" {
		t.Errorf("warm: got %q", got)
	}
}

// TestColdBuildsAreSeen: what is only compiled counts too, and a change of a few
// packages does not.
func TestColdBuildsAreSeen(t *testing.T) {
	const goCommand = `case "$*" in
*"list -m"*) echo /modules/awscdk ;;
*list*"./app") for i in 1 2 3 4 5 6 7 8 9 10 11; do echo "$APP"; done ;;
*list*) for i in 1 2 3; do echo "build ID mismatch"; done; for i in 1 2 3 4 5 6 7 8 9 10 11; do echo "not installed but available in build cache"; done ;;
esac
`
	for reason, want := range map[string]string{
		"stale dependency: runtime":                  "first time here: this takes about 4 minutes on two cores; later it takes seconds\n",
		"not installed but available in build cache": "",
	} {
		root := checkout(t, map[string]string{"go": goCommand})
		t.Setenv("APP", reason)
		var out bytes.Buffer
		if _, err := Run(t.Context(), []string{"-root", root, "-build", "./program", "-warm", "./app"}, &out); err != nil {
			t.Fatal(err)
		}
		if got, _, _ := strings.Cut(out.String(), "  compile"); got != want {
			t.Errorf("%s: got %q, want %q", reason, got, want)
		}
	}
}

// TestModulesAreAnnouncedBeforeTheyAreDownloaded: "go list -deps" downloads them all
// before its first line.
func TestModulesAreAnnouncedBeforeTheyAreDownloaded(t *testing.T) {
	root := checkout(t, map[string]string{"go": `case "$*" in *"list -m"*) ;; *) echo "go $1" >> "$CALLS";; esac` + "\n"})
	calls := filepath.Join(root, "calls")
	t.Setenv("CALLS", calls)
	out := writer(func(line []byte) (int, error) {
		if _, err := os.Stat(calls); err == nil && bytes.HasPrefix(line, []byte("first time here")) {
			t.Error("go was asked for the packages before it was said what is downloaded")
		}
		return len(line), nil
	})
	if _, err := Run(t.Context(), []string{"-root", root, "-build", "./program", "-warm", "./app"}, out); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(calls); err != nil {
		t.Error("nothing was compiled")
	}
}

// writer is a function that takes what is written.
type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }
