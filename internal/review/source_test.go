package review

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/build"
	"github.com/archipelago-cdk/archipelago/internal/matrix"
)

// sources is what an edit of the module's own sources is synthesized into: what git has of
// it is copied, its programs and its CDK app are built, and the app is run, as a review does.
// Edits are what is replaced in files, by their paths.
func sources(t *testing.T, context map[string]any, edits map[string][2]string) (dir string) {
	t.Helper()
	root, err := matrix.Root()
	if err != nil {
		t.Fatal(err)
	}
	work, err := os.MkdirTemp("", "archipelago-review-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(work) })
	files, err := exec.Command("git", "-C", root, "ls-files", "-z", "--", "*.go", "go.mod", "go.sum", "app", "config", "constructs", "cost", "cmd", "internal", "scaling", "service", "stacks", ":!*_test.go", ":!*/testdata/*").Output()
	if err != nil {
		t.Fatal(err)
	}
	edited := 0
	for name := range strings.SplitSeq(strings.TrimSuffix(string(files), "\x00"), "\x00") {
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if edit, ok := edits[name]; ok {
			replaced := strings.Replace(string(content), edit[0], edit[1], 1)
			if replaced == string(content) {
				t.Fatalf("%s has no %q", name, edit[0])
			}
			content, edited = []byte(replaced), edited+1
		}
		to := filepath.Join(work, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if edited != len(edits) {
		t.Fatalf("%d of %d files are edited", edited, len(edits))
	}
	programs := build.Deployment{Root: work, Dir: filepath.Join(work, "dist"), Package: "./cmd/directory", Instances: "arm64", Functions: "arm64"}
	if err := programs.Build(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := programs.BuildApp(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	dir, err = os.MkdirTemp("", "archipelago-review-")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join("dist", "linux-"+runtime.GOARCH, build.App), "-built")
	cmd.Dir = work
	cmd.Env = append(os.Environ(), "CDK_OUTDIR="+dir, "CDK_CONTEXT_JSON="+encoded(context), "CDK_DEFAULT_ACCOUNT="+matrix.Account, "CDK_VALIDATION=false",
		"PATH="+filepath.Join(root, "node_modules", ".bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	return dir
}
