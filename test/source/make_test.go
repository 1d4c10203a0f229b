package source_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// TestMakeBuildsForThisMachine what is in this module, whatever its user builds for by
// the environment or by `go env -w`, and whatever workspace is above.
func TestMakeBuildsForThisMachine(t *testing.T) {
	above := t.TempDir()
	root := filepath.Join(above, "checkout")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string]string{
		"go.work": "go 1.26.0\n", "env": "GOOS=plan9\nGOARCH=mips\n",
		"checkout/go.mod": "module made\n\ngo 1.26.0\n", "checkout/made.go": "package made\n", "checkout/Makefile": read(t, "../../Makefile"),
	} {
		if err := os.WriteFile(filepath.Join(above, path), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := runtime.GOOS + "\n" + runtime.GOARCH + "\nmade\n"
	for name, environment := range map[string][]string{
		"a workspace above":      {"GOWORK="},
		"another workspace":      {"GOWORK=" + filepath.Join(above, "go.work")},
		"another system":         {"GOOS=plan9"},
		"another architecture":   {"GOARCH=mips"},
		"another by `go env -w`": {"GOENV=" + filepath.Join(above, "env")},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command("make", "--no-print-directory", "--eval=probe: ; @go env GOOS GOARCH && go list ./...", "probe")
			cmd.Dir, cmd.Env = root, append(append(outOfMake(), "GOOS=", "GOARCH="), environment...)
			out, err := cmd.CombinedOutput()
			if err != nil || string(out) != want {
				t.Errorf("got %v, %q, want %q", err, out, want)
			}
		})
	}
}
