package setup

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// TestSetupTakesNoSettingsOfTheUsers for programs that it runs, such as those by which
// npm and pip end or install elsewhere, and takes those that say where packages are.
func TestSetupTakesNoSettingsOfTheUsers(t *testing.T) {
	const notes = `env > "$SAID/$$"` + "\n"
	root := checkout(t, map[string]string{
		"npm": notes + npmFetches, "go": notes,
		"python3": notes + `case "$1" in -c) exit 1;; -m) mkdir -p .venv/bin; ln -sf "$(command -v note)" .venv/bin/pip;; esac` + "\n", "note": notes,
	})
	said := t.TempDir()
	t.Setenv("SAID", said)
	taken := []string{
		"NPM_CONFIG_REGISTRY=https://npm.example", "npm_config_cafile=/corp.pem", "PIP_INDEX_URL=https://pip.example", "PIP_CERT=/corp.pem",
		"HTTPS_PROXY=http://proxy.example:3128", "GOPROXY=https://go.example", "PYTHON=python3.14",
	}
	dropped := []string{
		"NODE_OPTIONS=--require=/nowhere.js", "NODE_ENV=production", "FORCE_COLOR=1", "CLICOLOR_FORCE=1",
		"PYTHONHOME=/nowhere", "PYTHONPATH=/nowhere", "PYTHONSAFEPATH=1",
		"PIP_USER=1", "PIP_TARGET=/nowhere", "PIP_PREFIX=/nowhere", "PIP_ROOT=/nowhere", "PIP_PYTHON=/nowhere",
		"GOFLAGS=-mod=nonsense", "GOWORK=/nowhere/go.work", "GOOS=plan9", "GOARCH=mips",
	}
	for _, setting := range append(taken, dropped...) {
		name, value, _ := strings.Cut(setting, "=")
		t.Setenv(name, value)
	}
	if _, err := Run(t.Context(), []string{"-root", root, "-tools", "-build", "./program"}, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	programs, err := os.ReadDir(said)
	if err != nil || len(programs) < 5 {
		t.Fatalf("%d programs ran, %v: want npm, python3 twice, pip and go", len(programs), err)
	}
	for _, program := range programs {
		seen := strings.Split(string(read(t, filepath.Join(said, program.Name()))), "\n")
		for _, setting := range dropped {
			if slices.Contains(seen, setting) {
				t.Errorf("a program has %s", setting)
			}
		}
		for _, setting := range taken {
			if !slices.Contains(seen, setting) {
				t.Errorf("a program lacks %s", setting)
			}
		}
	}
}

// TestSetupSaysThatNothingWasInstalled where npm ends well all the same.
func TestSetupSaysThatNothingWasInstalled(t *testing.T) {
	root := checkout(t, map[string]string{"npm": "exit 0\n", "python3": hasEmulators})
	_, err := Run(t.Context(), []string{"-root", root, "-tools"}, &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "npm ended well and installed nothing: look in what `npm config ls -l` prints") {
		t.Errorf("got %v", err)
	}
}

// TestSetupInstallsWhateverNpmIsSetTo: the real one, into packages that are here.
func TestSetupInstallsWhateverNpmIsSetTo(t *testing.T) {
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("npm is missing")
	}
	root := t.TempDir()
	for name, content := range map[string]string{
		"package.json": `{"devDependencies": {"tool": "file:of/tool"}, "allowScripts": {"tool": true}}`,
		"package-lock.json": `{"lockfileVersion": 3, "requires": true, "packages": {"": {"devDependencies": {"tool": "file:of/tool"}},
			"node_modules/tool": {"version": "1.0.0", "resolved": "file:of/tool", "dev": true, "hasInstallScript": true, "bin": {"tool": "tool"}}}}`,
		"of/tool/package.json": `{"name": "tool", "version": "1.0.0", "bin": {"tool": "tool"}, "scripts": {"install": "touch installed"}}`,
		"of/tool/tool":         "#!/bin/sh\n",
	} {
		path := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for _, setting := range []string{"OMIT=dev", "PRODUCTION=true", "IGNORE_SCRIPTS=true", "BIN_LINKS=false", "COLOR=always", "OFFLINE=true", "INSTALL_LINKS=true"} {
		name, value, _ := strings.Cut(setting, "=")
		t.Setenv("NPM_CONFIG_"+name, value)
	}
	t.Setenv("NODE_ENV", "production")
	if err := (setup{root: root}).npm(t.Context(), &doing{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".bin/tool", "tool/installed"} {
		if _, err := os.Stat(filepath.Join(root, "node_modules", name)); err != nil {
			t.Error(err)
		}
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
