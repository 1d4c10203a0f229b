// Package changes_test makes the usual changes, each by its patch, and holds
// them to the number of files that they may touch.
package changes_test

import (
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

var (
	all  = flag.Bool("all", false, "make all changes: build and test them, not only count their files")
	only = flag.String("make", "badge", "make the change of this name")
)

// A change is one that somebody makes now and then, as NAME.patch.
type change struct {
	// files is how many it may touch, tests and what a test writes aside. A new
	// package counts as one.
	files int
	// generate are the packages whose tests write what follows from the change.
	generate []string
	// test are the packages that it touches.
	test []string
}

// changes are the rows of the table in ARCHITECTURE.md.
var changes = map[string]change{
	"region":        {files: 1, test: []string{"./config"}},
	"new-region":    {files: 1, generate: []string{"./config"}, test: []string{"./config"}},
	"badge":         {files: 2, test: []string{"./service/directory", "./service/web"}},
	"key":           {files: 3, generate: []string{"./config"}, test: []string{"./config", "./constructs", "./internal/matrix"}},
	"alarm":         {files: 2, test: []string{"./constructs", "./test/source"}},
	"instance-type": {files: 2, test: []string{"./scaling", "./cost"}},
	"page":          {files: 3, test: []string{"./service/web", "./test/source"}},
	"store":         {files: 3, test: []string{"./service/memory", "./cmd/directory", "./test/source"}},
	"waf-rule":      {files: 3, generate: []string{"./config"}, test: []string{"./config", "./constructs", "./internal/matrix"}},
	"function":      {files: 3, test: []string{"./app", "./constructs/...", "./stacks", "./cmd/census", "./test/source"}},
}

func TestChanges(t *testing.T) {
	patches, err := filepath.Glob("*.patch")
	if err != nil {
		t.Fatal(err)
	}
	if len(patches) != len(changes) {
		t.Errorf("there are %d patches, want one for each of %d changes: %q", len(patches), len(changes), patches)
	}
	if _, known := changes[*only]; !known {
		t.Errorf("-make: there is no change %q", *only)
	}
	temporary, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	copyTo(t, temporary) // to see whether each applies
	made := folder(t)
	for name, c := range changes {
		t.Run(name, func(t *testing.T) {
			patch, err := filepath.Abs(name + ".patch")
			if err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(patch)
			if err != nil {
				t.Fatal(err)
			}
			touched := touches(string(text))
			if len(touched) != c.files {
				t.Errorf("it touches %d files, want %d: %q", len(touched), c.files, touched)
			}
			if out, err := command(temporary, "git", "apply", "-C1", "--check", patch); err != nil {
				t.Fatalf(`it applies no longer: %v
%s
In a work tree without changes, write it again:
	git apply --3way test/changes/%[3]s.patch      # resolve what conflicts
	git diff -U1 HEAD -- . ':!test/changes' >/tmp/%[3]s.patch
	git reset --hard && mv /tmp/%[3]s.patch test/changes/`, err, out, name)
			}
			if !*all && name != *only {
				return
			}
			dir := made
			copyTo(t, dir)
			if out, err := command(dir, "git", "apply", "-C1", patch); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, file := range touched {
				if path.Ext(file) != ".templ" {
					continue
				}
				if out, err := command(dir, "go", "generate", "./"+path.Dir(file)); err != nil {
					t.Fatalf("no code comes from %s: %v\n%s", file, err, out)
				}
			}
			if users := users(t, dir, touched); len(users) > 0 {
				if out, err := command(dir, "go", append([]string{"build"}, users...)...); err != nil {
					t.Fatalf("it does not build: %v\n%s", err, out)
				}
			}
			for _, pkg := range c.generate {
				if out, err := command(dir, "go", "test", pkg, "-update"); err != nil {
					t.Errorf("what follows from it cannot be written: %v\n%s", err, out)
				}
			}
			if out, err := command(dir, "go", append([]string{"test", "-count=1"}, c.test...)...); err != nil {
				t.Errorf("tests of what it touches fail: %v\n%s", err, out)
			}
		})
	}
}

// TestTouches guards the count.
func TestTouches(t *testing.T) {
	const patch = `diff --git a/a.go b/a.go
--- a/a.go
+++ b/a.go
diff --git a/a_test.go b/a_test.go
--- a/a_test.go
+++ b/a_test.go
diff --git a/README.md b/README.md
--- a/README.md
+++ b/README.md
diff --git a/cdk.schema.json b/cdk.schema.json
--- a/cdk.schema.json
+++ b/cdk.schema.json
diff --git a/internal/matrix/configurations.go b/internal/matrix/configurations.go
--- a/internal/matrix/configurations.go
+++ b/internal/matrix/configurations.go
diff --git a/new/a.go b/new/a.go
new file mode 100644
--- /dev/null
+++ b/new/a.go
diff --git a/new/b.go b/new/b.go
new file mode 100644
--- /dev/null
+++ b/new/b.go
diff --git a/old.go b/old.go
--- a/old.go
+++ /dev/null
`
	if got, want := touches(patch), []string{"README.md", "a.go", "new", "old.go"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// written are the files that tests write, from what a change touches.
var written = []string{"cdk.schema.json", "docs/permissions.md"}

// ofTests are folders of what tests of the whole app read: the snapshots, and the
// configurations that they are of.
var ofTests = []string{"stacks/testdata/", "internal/matrix/"}

// touches lists the files of a patch without tests and what tests write; new
// files of one folder that has no others are one, a package.
func touches(patch string) []string {
	var touched []string
	for part := range strings.SplitSeq("\n"+patch, "\ndiff --git ") {
		name := ""
		for line := range strings.Lines(part) {
			for _, prefix := range []string{"--- a/", "+++ b/"} {
				if after, ok := strings.CutPrefix(strings.TrimSpace(line), prefix); ok {
					name = after
				}
			}
		}
		switch {
		case name == "", strings.HasSuffix(name, "_test.go"), slices.Contains(written, name),
			slices.ContainsFunc(ofTests, func(dir string) bool { return strings.HasPrefix(name, dir) }):
			continue
		case strings.Contains(part, "\nnew file mode ") && path.Ext(name) == ".go" && !exists(path.Dir(name)):
			name = path.Dir(name)
		}
		touched = append(touched, name)
	}
	slices.Sort(touched)
	return slices.Compact(touched)
}

// exists reports whether the repository has a folder.
func exists(dir string) bool {
	_, err := os.Stat(filepath.Join("..", "..", dir))
	return err == nil
}

// folder is where changes are made, one after the other, and until the test ends no
// other one's. It is always the same, so that what Go compiled there it has in its cache,
// which knows a package by its folder too.
func folder(t *testing.T) string {
	t.Helper()
	dist, err := filepath.Abs(filepath.Join("..", "..", "dist"))
	if err == nil {
		err = os.MkdirAll(dist, 0o755)
	}
	if err == nil {
		dist, err = filepath.EvalSymlinks(dist) // as go list spells it
	}
	if err != nil {
		t.Fatal(err)
	}
	lock, err := os.OpenFile(filepath.Join(dist, "changes.lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lock.Close() })
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(dist, "changes")
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// copyTo makes a folder a copy of the repository's files, those that are new among them,
// with the Node.js packages that tests run.
func copyTo(t *testing.T, dir string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	root := filepath.Join("..", "..")
	out, err := command(root, "git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		from := filepath.Join(root, name)
		info, err := os.Lstat(from)
		if os.IsNotExist(err) {
			continue // deleted, and not yet committed
		}
		if err != nil {
			t.Fatal(err)
		}
		if !info.Mode().IsRegular() {
			continue // a link, such as node_modules may be
		}
		content, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, content, info.Mode()&fs.ModePerm); err != nil {
			t.Fatal(err)
		}
	}
	modules, err := filepath.Abs(filepath.Join(root, "node_modules"))
	if err == nil {
		err = os.Symlink(modules, filepath.Join(dir, "node_modules"))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// users are the packages of dir that files, or folders, are of, and those that
// import them.
func users(t *testing.T, dir string, files []string) []string {
	t.Helper()
	out, err := command(dir, "go", "list", "-f", `{{.ImportPath}} {{.Dir}} {{join .Deps " "}}`, "./...")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	packages := map[string]string{} // by folder
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		packages[fields[1]] = fields[0]
	}
	of := func(file string) string {
		// Files are also embedded from folders below the package's.
		for folder := filepath.Join(dir, file); len(folder) > len(dir); folder = filepath.Dir(folder) {
			if p := packages[folder]; p != "" {
				return p
			}
		}
		return "" // cdk.json is of none
	}
	var users []string
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if slices.ContainsFunc(files, func(file string) bool {
			p := of(file)
			return p != "" && (p == fields[0] || slices.Contains(fields[2:], p))
		}) {
			users = append(users, fields[0])
		}
	}
	return users
}

func command(dir, name string, arguments ...string) (string, error) {
	c := exec.Command(name, arguments...)
	c.Dir = dir
	// A copy is no part of the repository that it is in.
	c.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
	out, err := c.CombinedOutput()
	return string(out), err
}
