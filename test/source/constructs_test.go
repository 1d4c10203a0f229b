package source_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"regexp"
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
	// The metrics of a replication are found by the ids of its rules, and a scaler's function
	// refuses what scaling does.
	shared := map[string]string{"observability": module + "/constructs/buckets", "scaler": module + "/scaling"}
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

// TestPropsSayWhatTheyRequire: a field whose comment says that it is required has the
// tag by which it is checked, and the reverse, and each construct checks its props.
func TestPropsSayWhatTheyRequire(t *testing.T) {
	says := regexp.MustCompile(`\bRequired[.:;]`)
	fields, makers := 0, 0
	err := filepath.WalkDir("../../constructs", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "/internal/") {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.StructType:
				comment := ""
				for _, field := range n.Fields.List {
					if field.Doc != nil {
						comment = strings.Join(strings.Fields(field.Doc.Text()), " ")
					}
					tagged := field.Tag != nil && strings.Contains(field.Tag.Value, `required:"true"`)
					local, isLocal := field.Type.(*ast.Ident) // a struct of the package, whose own fields are checked
					if isLocal && local.IsExported() && !tagged {
						continue
					}
					if fields++; says.MatchString(comment) != tagged {
						t.Errorf("%s: %s: its comment says %q, and it is tagged as required: %t", path, field.Names[0], comment, tagged)
					}
				}
			case *ast.FuncDecl:
				if n.Recv != nil || !n.Name.IsExported() || n.Type.Params.NumFields() != 3 || n.Type.Params.List[0].Names[0].Name != "scope" || n.Name.Name == "NewReplication" {
					return true
				}
				makers++
				first, _ := n.Body.List[0].(*ast.ExprStmt)
				if first == nil || !isCheck(first.X) {
					t.Errorf("%s: %s does not begin with required.Check", path, n.Name)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if fields < 100 || makers < 15 {
		t.Errorf("read %d fields and %d constructs: where are the others?", fields, makers)
	}
}

func isCheck(x ast.Expr) bool {
	call, ok := x.(*ast.CallExpr)
	if !ok {
		return false
	}
	selected, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	pkg, ok := selected.X.(*ast.Ident)
	return ok && pkg.Name == "required" && selected.Sel.Name == "Check"
}

// TestConstructsAreTestedAtOnce: packages below ./constructs have examples alone, which its
// tests run. CDK's process takes seconds to start, so `make test` runs no others.
func TestConstructsAreTestedAtOnce(t *testing.T) {
	files := 0
	err := filepath.WalkDir("../../constructs", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") || filepath.Dir(path) == "../../constructs" {
			return err
		}
		files++
		parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Test") {
				t.Errorf("%s has %s, which nothing runs: move it to ./constructs", path, f.Name.Name)
			}
		}
		return nil
	})
	if err != nil || files == 0 {
		t.Errorf("read %d files below constructs: %v", files, err)
	}
}
