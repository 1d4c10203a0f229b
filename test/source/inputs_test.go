package source_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTestsRunAgain: make test runs the tests again that read what Go does not know
// of when a source has changed, and not when a page or a test has, which Go knows.
func TestTestsRunAgain(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	run := func(program string, args ...string) string {
		t.Helper()
		command := exec.Command(program, args...)
		command.Dir = root
		output, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", program, err, output)
		}
		return string(output)
	}
	parts := func(args ...string) string {
		return run("make", append([]string{"--dry-run", "PYTHON=true", "part-rest", "part-cloud"}, args...)...)
	}

	write("Makefile", read(t, "../../Makefile"))
	write("plugin.py", "1")
	run("git", "init", "-q")
	run("git", "add", ".")
	before := parts()
	if strings.Count(before, "-X=inputs.digest=") != 2 || parts() != before {
		t.Fatalf("want the same digest in each part, and again, got\n%s", before)
	}
	write("README.md", "a page")
	write("plugin_test.go", "a test")
	if parts() != before {
		t.Error("a page or a test changes the digest")
	}
	write("plugin.py", "2")
	changed := parts()
	if changed == before {
		t.Error("a change of a source keeps the digest")
	}
	write("new.py", "1")
	if parts() == changed {
		t.Error("a source that Git does not know keeps the digest")
	}
	if !strings.Contains(parts("FRESH=1"), "-count=1") {
		t.Error("FRESH=1 reuses results")
	}
}
