package source_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// module is this repository's.
const module = "github.com/archipelago-cdk/archipelago"

// TestConstructsStandAlone: another CDK app can take one construct. It imports no
// other one, by no way anything of this app, and holds what it made instead of
// looking for it in the tree.
func TestConstructsStandAlone(t *testing.T) {
	// The metrics of a replication are found by the ids of its rules.
	shared := map[string]string{"observability": module + "/constructs/buckets"}
	files := 0
	err := filepath.WalkDir("../../constructs", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		files++
		parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			own := within(imported, module+"/constructs/internal") || within(imported, module+"/internal")
			if within(imported, module) && !own && imported != shared[parsed.Name.Name] {
				t.Errorf("%s imports %s: take CDK's interface of it in Props", path, imported)
			}
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if selected, ok := n.(*ast.SelectorExpr); ok && selected.Sel.Name == "FindChild" {
				t.Errorf("%s calls FindChild: keep the construct where it is made", path)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files == 0 {
		t.Error("constructs has no files: the test guards nothing")
	}
	out, err := exec.Command("go", "list", "-deps", "../../constructs/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, pkg := range strings.Fields(string(out)) {
		for _, app := range []string{"/app", "/config", "/stacks"} {
			if within(pkg, module+app) {
				t.Errorf("a construct imports %s, perhaps by another package", pkg)
			}
		}
	}
}
