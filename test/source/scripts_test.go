package source_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestScriptsPassShellcheck checks the scripts that machines run: the user data of
// every snapshot, each different one once, and those in the repository.
func TestScriptsPassShellcheck(t *testing.T) {
	scripts := map[string]string{}
	for _, script := range userData(t) {
		scripts[script] = "the user data of an instance"
		for _, inner := range hereScripts(script) {
			scripts[inner] = "a script that user data writes"
		}
	}
	paths, err := filepath.Glob("../../.github/scripts/*.sh")
	if err != nil || len(paths) == 0 {
		t.Fatalf("there are no scripts of workflows: %v", err)
	}
	for _, path := range append(paths, "../../.ci/run") {
		scripts[read(t, path)] = path
	}
	for script, name := range scripts {
		if out, err := shellcheck(script); err != nil {
			t.Errorf("%s: %v (is it missing? `make shellcheck` fetches it)\n%s", name, err, out)
		}
	}
}

// hereScripts are the here documents of a script that are scripts.
func hereScripts(script string) []string {
	var found []string
	for {
		_, rest, ok := strings.Cut(script, " <<'END'\n#!/bin/bash\n")
		if !ok {
			return found
		}
		var inner string
		inner, script, _ = strings.Cut(rest, "\nEND\n")
		found = append(found, "#!/bin/bash\n"+inner+"\n")
	}
}

func TestScriptsInScriptsAreFound(t *testing.T) {
	script := "cat >a <<'END'\n#!/bin/bash\nid\nEND\ncat >b <<'END'\nno script\nEND\ncat >c <<'END'\n#!/bin/bash\nls\nEND\n"
	if got, want := hereScripts(script), []string{"#!/bin/bash\nid\n", "#!/bin/bash\nls\n"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestShellcheckFindsFaults guards the test above.
func TestShellcheckFindsFaults(t *testing.T) {
	if out, err := shellcheck("#!/bin/bash\nrm -rf $1/*\n"); err == nil || !strings.Contains(out, "SC2086") {
		t.Errorf("want an unquoted variable found, got %v\n%s", err, out)
	}
}

func shellcheck(script string) (string, error) {
	cmd := exec.Command("shellcheck", "--shell=bash", "-")
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// userData returns the user data of every launch template of the snapshots.
func userData(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("../../stacks/testdata/*/*-region-*.template.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("want snapshots of region stacks, got %d (%v)", len(paths), err)
	}
	var scripts []string
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var template struct {
			Resources map[string]struct {
				Type       string
				Properties struct {
					LaunchTemplateData struct {
						UserData map[string]any
					}
				}
			}
		}
		if err := json.Unmarshal(b, &template); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for id, resource := range template.Resources {
			if resource.Type != "AWS::EC2::LaunchTemplate" {
				continue
			}
			script, ok := resource.Properties.LaunchTemplateData.UserData["Fn::Base64"].(string)
			if !ok {
				t.Errorf("%s: %s: want user data that is a script, got %v", path, id, resource.Properties.LaunchTemplateData.UserData)
			}
			scripts = append(scripts, script)
		}
	}
	return scripts
}

// TestCommandsSayThatGoIsMissing: each that runs it, before it does anything.
func TestCommandsSayThatGoIsMissing(t *testing.T) {
	dir, bin := t.TempDir(), t.TempDir()
	for _, program := range []string{"sh", "mkdir"} {
		path, err := exec.LookPath(program)
		if err == nil {
			err = os.Symlink(path, filepath.Join(bin, program))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "Makefile"), []byte(read(t, "../../Makefile")), 0o644); err != nil {
		t.Fatal(err)
	}
	path, err := exec.LookPath("make")
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"up", "run", "synth", "ami", "zones", "types", "prices", "diff", "doctor", "review", "cost", "diagram", "simulate", "calibrate", "drain", "freeze", "logs", "setup", "dist"} {
		cmd := exec.Command(path, "TRACE=wave.csv", target)
		cmd.Dir, cmd.Env = dir, []string{"PATH=" + bin}
		out, err := cmd.CombinedOutput()
		if want := "make: go is missing: install Go 1.26 or newer, https://go.dev/dl\n"; err == nil || !strings.HasPrefix(string(out), want) {
			t.Errorf("make %s: got %v, %q, want %q", target, err, out, want)
		}
	}
}
