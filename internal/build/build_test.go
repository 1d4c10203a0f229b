package build_test

import (
	"archive/zip"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/build"
)

var all = flag.Bool("all", false, "build the real programs for every environment too")

// Variables that make this test binary a builder: of the module in a folder,
// into another one, for some architectures.
const (
	builderRoot          = "BUILD_TEST_ROOT"
	builderDir           = "BUILD_TEST_DIR"
	builderArchitectures = "BUILD_TEST_ARCHITECTURES"
)

// servicePackage is that of the program that instances run.
const servicePackage = "./cmd/directory"

func TestMain(m *testing.M) {
	root := os.Getenv(builderRoot)
	if root == "" {
		os.Exit(m.Run())
	}
	for architecture := range strings.FieldsSeq(os.Getenv(builderArchitectures)) {
		d := build.Deployment{Root: root, Dir: os.Getenv(builderDir), Package: servicePackage, Instances: architecture, Functions: architecture}
		if err := d.Build(context.Background(), nil); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// builder is a user who builds, with an environment of their own.
type builder struct {
	umask     string   // default 022
	variables []string // of the environment
	goenv     string   // what `go env -w` wrote
	goroot    string   // what came with Go, in go.env
	folder    string   // of the checkout
	later     bool     // the checkout's files are of another time
	workspace bool     // the checkout is within a Go workspace of other modules
	// architecture is what is built for; default amd64.
	architecture string
	// plain says what the builder's environment changes in a build that lets it:
	// "bytes", "modes", "fails", or nothing.
	plain string
}

// builders are the environments that must not matter.
var builders = map[string]builder{
	"a umask for nobody else":       {umask: "077", plain: "modes"},
	"a umask for the group":         {umask: "027", plain: "modes"},
	"GOAMD64":                       {variables: []string{"GOAMD64=v3"}, plain: "bytes"},
	"GOARM64":                       {variables: []string{"GOARM64=v9.0"}, architecture: "arm64", plain: "bytes"},
	"GOFLAGS":                       {variables: []string{"GOFLAGS=-tags=corp -gcflags=-N"}, plain: "bytes"},
	"GOFLAGS by go env -w":          {goenv: "GOFLAGS=-tags=corp -gcflags=-N\n", plain: "bytes"},
	"GOAMD64 by go env -w":          {goenv: "GOAMD64=v3\n", plain: "bytes"},
	"GOFLAGS by GOROOT/go.env":      {goroot: "GOFLAGS=-tags=corp -gcflags=-N\n", plain: "bytes"},
	"GOEXPERIMENT by GOROOT/go.env": {goroot: "GOEXPERIMENT=arenas\n", plain: "bytes"},
	"GO111MODULE by GOROOT/go.env":  {goroot: "GO111MODULE=off\n", plain: "bytes"},
	"GOEXPERIMENT":                  {variables: []string{"GOEXPERIMENT=arenas"}, plain: "bytes"},
	"GOFIPS140":                     {variables: []string{"GOFIPS140=latest"}, plain: "bytes"},
	"GOTOOLCHAIN that is not there": {variables: []string{"GOTOOLCHAIN=go1.26.999", "GOPROXY=off"}, plain: "fails"},
	"GO111MODULE":                   {variables: []string{"GO111MODULE=off"}, plain: "bytes"},
	"a workspace above":             {workspace: true, plain: "fails"},
	"a path with a space and é":     {folder: "im Büro/café"},
	"a locale":                      {variables: []string{"LC_ALL=tr_TR.UTF-8", "LANG=tr_TR.UTF-8"}},
	"a time zone, and another time": {variables: []string{"TZ=Asia/Kathmandu"}, later: true},
}

// everything is a builder with all of it that a plain build survives.
var everything = builder{
	umask: "077", goenv: "GOFLAGS=-tags=corp -gcflags=-N\n", goroot: "GOEXPERIMENT=arenas\nGOFLAGS=-gcflags=-N\n", folder: "im Büro/café", later: true, workspace: true,
	variables: []string{"GOAMD64=v3", "GOARM64=v9.0", "GOEXPERIMENT=arenas", "GOFIPS140=latest", "LC_ALL=tr_TR.UTF-8", "TZ=Asia/Kathmandu"},
}

// TestBuildDependsOnNoEnvironment builds small programs as each builder, and
// compares them with those of a builder who has none of it. Where a plain build
// changes, it is made too: else the test would prove nothing.
func TestBuildDependsOnNoEnvironment(t *testing.T) {
	source := smallModule(t)
	want, plain := map[string]made{}, map[string]made{}
	for _, architecture := range build.Architectures {
		want[architecture] = builder{}.build(t, source, architecture)
		plain[architecture] = builder{}.buildPlainly(t, source, architecture)
	}
	for name, b := range builders {
		t.Run(name, func(t *testing.T) {
			architecture := cmp.Or(b.architecture, "amd64")
			same(t, want[architecture], b.build(t, source, architecture))
			got := b.buildPlainly(t, source, architecture)
			if changed := differences(plain[architecture], got); changed != b.plain {
				t.Errorf("of a plain build it changes %q, want %q", changed, b.plain)
			}
		})
	}
}

// TestCommentChangesNoProgram: one that moves no line, since programs have the numbers of
// lines for what they say of a panic.
func TestCommentChangesNoProgram(t *testing.T) {
	source := smallModule(t)
	before := builder{}.build(t, source, "amd64")
	path := filepath.Join(source, "cmd", path.Base(servicePackage), "main.go")
	code, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(code), "package main\n", "package main // the service\n", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	same(t, before, builder{}.build(t, source, "amd64"))
}

// TestCurrentProgramIsNotLinkedAgain: linking those of a deployment takes seconds, at each
// synth.
func TestCurrentProgramIsNotLinkedAgain(t *testing.T) {
	options := build.Options{Root: smallModule(t), Dir: t.TempDir(), Architecture: runtime.GOARCH, Packages: []string{"./cmd/" + path.Base(servicePackage)}}
	var built [2][]os.FileInfo
	for i := range built {
		if err := build.Programs(t.Context(), options); err != nil {
			t.Fatal(err)
		}
		for _, folder := range []string{"", ".linked"} {
			info, err := os.Stat(filepath.Join(options.Dir, folder, path.Base(servicePackage)))
			if err != nil {
				t.Fatal(err)
			}
			built[i] = append(built[i], info)
		}
	}
	for i, info := range built[0] {
		if !os.SameFile(info, built[1][i]) {
			t.Errorf("%s was made again", info.Name())
		}
	}
}

// TestDeploymentDependsOnNoEnvironment builds what the shipped configuration
// deploys; with -all for every architecture, and as each builder.
func TestDeploymentDependsOnNoEnvironment(t *testing.T) {
	source, architectures := "../..", []string{"arm64"}
	if *all {
		architectures = build.Architectures
	}
	want := builder{}.build(t, source, architectures...)
	if files := len(architectures) * (4 + 2); len(want) != files {
		t.Errorf("want four programs and two packages for each of %q, got %q", architectures, slices.Sorted(maps.Keys(want)))
	}
	same(t, want, everything.build(t, source, architectures...))
	if *all {
		for name, b := range builders {
			t.Run(name, func(t *testing.T) { same(t, want, b.build(t, source, architectures...)) })
		}
	}
}

// made are the mode and the content's hash of files, by their path.
type made map[string]string

func same(t *testing.T, want, got made) {
	t.Helper()
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s: got %s, want %s", name, got[name], want[name])
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %v, want %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}

// differences says in what got is not as want: builder.plain.
func differences(want, got made) string {
	if got == nil {
		return "fails"
	}
	changed := ""
	for name := range want {
		wantMode, wantSum, _ := strings.Cut(want[name], " ")
		mode, sum, _ := strings.Cut(got[name], " ")
		if sum != wantSum {
			return "bytes"
		}
		if mode != wantMode {
			changed = "modes"
		}
	}
	return changed
}

// The programs that Lambda runs.
const (
	lighthouse = "lighthouse"
	scaler     = "scaler"
)

// smallModule is one with the packages of a deployment.
func smallModule(t *testing.T) string {
	t.Helper()
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(mod), "\ntoolchain ")
	if !found {
		t.Fatal("go.mod names no toolchain")
	}
	toolchain, _, _ := strings.Cut(after, "\n")
	dir := t.TempDir()
	files := map[string]string{
		"go.mod": "module github.com/archipelago-cdk/archipelago\n\ngo 1.26.0\n\ntoolchain " + toolchain + "\n\n" +
			"require github.com/aws/aws-lambda-go v1.0.0\n\nreplace github.com/aws/aws-lambda-go => ./internal/lambda\n",
		"internal/lambda/go.mod":           "module github.com/aws/aws-lambda-go\n",
		"internal/lambda/lambda/lambda.go": "package lambda\n",
	}
	for name, imports := range map[string]string{
		path.Base(servicePackage): "",
		lighthouse:                "import _ \"github.com/aws/aws-lambda-go/lambda\"\n\n",
		scaler:                    "import _ \"github.com/aws/aws-lambda-go/lambda\"\n\n",
		"pulse":                   "",
		"broken":                  "import _ \"example.com/missing\"\n\n",
	} {
		files["cmd/"+name+"/main.go"] = "package main\n\n" + imports + "var corp string\n\nfunc main() { println(\"" + name + "\", corp) }\n"
		files["cmd/"+name+"/corp.go"] = "//go:build corp\n\npackage main\n\nfunc init() { corp = \"corp\" }\n"
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// checkout copies what is built from source into the builder's folder.
func (b builder) checkout(t *testing.T, source string) string {
	t.Helper()
	above := t.TempDir()
	dir := filepath.Join(above, b.folder, "checkout")
	for _, name := range []string{"go.mod", "go.sum", "cmd", "config", "cost", "internal", "scaling", "service"} {
		from, to := filepath.Join(source, name), filepath.Join(dir, name)
		info, err := os.Stat(from)
		switch {
		case os.IsNotExist(err):
		case err != nil:
			t.Fatal(err)
		case info.IsDir():
			err = os.CopyFS(to, os.DirFS(from))
		default:
			var content []byte
			if content, err = os.ReadFile(from); err == nil {
				if err = os.MkdirAll(dir, 0o755); err == nil {
					err = os.WriteFile(to, content, 0o644)
				}
			}
		}
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	if b.later {
		at := time.Now().Add(-1000 * time.Hour)
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Chtimes(path, at, at)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if b.workspace {
		if err := os.WriteFile(filepath.Join(above, "go.work"), []byte("go 1.26.0\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// run runs a command with the builder's umask and environment.
func (b builder) run(t *testing.T, dir, program string, arguments, variables []string) error {
	t.Helper()
	umask := b.umask
	if umask == "" {
		umask = "022"
	}
	home := t.TempDir()
	if err := build.WithoutTelemetry(home); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "go", "env"), []byte(b.goenv), 0o644); err != nil { // where `go env -w` writes
		t.Fatal(err)
	}
	if b.goroot != "" {
		variables = append(variables, "PATH="+goWith(t, b.goroot)+string(os.PathListSeparator)+os.Getenv("PATH"))
	}
	cmd := exec.Command("sh", append([]string{"-c", "umask " + umask + ` && exec "$0" "$@"`, program}, arguments...)...)
	cmd.Dir = dir
	// Of the variables of Go here only those that say where things are.
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GO") }), places()...)
	cmd.Env = append(append(append(cmd.Env, "XDG_CONFIG_HOME="+home, "PWD="+dir), variables...), b.variables...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}

// goWith returns the folder of a go command that came with what settings say.
func goWith(t *testing.T, settings string) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	from, to := strings.TrimSpace(string(out)), t.TempDir()
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.Name() != "bin" && entry.Name() != "go.env" {
			err = errors.Join(err, os.Symlink(filepath.Join(from, entry.Name()), filepath.Join(to, entry.Name())))
		}
	}
	// The program finds the rest by where it is itself, behind links.
	program, readErr := os.ReadFile(filepath.Join(from, "bin", "go"))
	err = errors.Join(err, readErr, os.Mkdir(filepath.Join(to, "bin"), 0o755), os.WriteFile(filepath.Join(to, "bin", "go"), program, 0o755),
		os.WriteFile(filepath.Join(to, "go.env"), []byte(settings), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(to, "bin")
}

// places are where this machine keeps Go's modules and caches.
func places() []string {
	var places []string
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPROXY", "GOSUMDB"} {
		out, err := exec.Command("go", "env", name).Output()
		if err != nil {
			panic(err)
		}
		places = append(places, name+"="+strings.TrimSpace(string(out)))
	}
	return places
}

// build has the builder build a checkout of source.
func (b builder) build(t *testing.T, source string, architectures ...string) made {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	root, dist := b.checkout(t, source), filepath.Join(t.TempDir(), "dist")
	err = b.run(t, root, executable, nil, []string{
		builderRoot + "=" + root, builderDir + "=" + dist, builderArchitectures + "=" + strings.Join(architectures, " "),
	})
	if err != nil {
		t.Fatal(err)
	}
	return read(t, dist)
}

// buildPlainly is build by a go command that lets the environment in, or nil if
// that fails.
func (b builder) buildPlainly(t *testing.T, source, architecture string) made {
	t.Helper()
	root, dist := b.checkout(t, source), t.TempDir()
	err := b.run(t, root, "go", []string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", dist + "/", servicePackage},
		[]string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + architecture})
	if err != nil {
		return nil
	}
	return read(t, dist)
}

// TestOnlyWhatIsPublishedIsBuilt: each program for its one architecture.
func TestOnlyWhatIsPublishedIsBuilt(t *testing.T) {
	dist := t.TempDir()
	d := build.Deployment{Root: smallModule(t), Dir: dist, Package: servicePackage, Instances: "amd64", Functions: "arm64"}
	if err := d.Build(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"linux-amd64/directory", "linux-amd64/pulse", "linux-arm64/lighthouse", "linux-arm64/lighthouse.zip", "linux-arm64/scaler", "linux-arm64/scaler.zip",
	}
	if got := slices.Sorted(maps.Keys(read(t, dist))); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, path := range []string{d.Service(), d.Pulse(), d.Function(lighthouse), d.Function(scaler)} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

// TestServiceTakesNoOtherProgramsName: it would be in its place.
func TestServiceTakesNoOtherProgramsName(t *testing.T) {
	root := smallModule(t)
	for _, pkg := range []string{"./other/lighthouse", "./other/app", "./other/pulse"} {
		d := build.Deployment{Root: root, Dir: t.TempDir(), Package: pkg, Instances: "amd64", Functions: "arm64"}
		if err := d.Build(t.Context(), nil); err == nil || !strings.Contains(err.Error(), pkg+" would be called "+path.Base(pkg)) {
			t.Errorf("%s: got %v, want that its program's name is taken", pkg, err)
		}
	}
}

// TestServicesThatAreRefused: with the key of cdk.json, and a library although dist
// has its program of before.
func TestServicesThatAreRefused(t *testing.T) {
	root := smallModule(t)
	for name, test := range map[string]struct{ pkg, source, want string }{
		"a library":               {"./lib", "package lib\n", "archipelago.service.package: ./lib is package lib, which makes no program: want package main"},
		"a version":               {"./hello/v2", "package main\n\nfunc main() {}\n", "archipelago.service.package: the go command calls no program v2"},
		"no package":              {"./missing", "", "archipelago.service.package is ./missing: go build of ./missing, "},
		"one that does not build": {"./wrong", "package main\n\nfunc main() { wrong() }\n", "undefined: wrong"},
		"one with C": {
			"./c", "package main\n\nimport \"C\"\n\nfunc main() {}\n", "build constraints exclude all Go files",
		},
		"a dynamically linked one": {
			"./dynamic", "package main\n\n//go:cgo_import_dynamic _ _ \"libc.so.6\"\n\nfunc main() {}\n",
			`archipelago.service.package: the program of ./dynamic is dynamically linked, to ["libc.so.6"]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := build.Deployment{Root: root, Dir: t.TempDir(), Package: test.pkg, Instances: "amd64", Functions: "amd64"}
			files := map[string]string{}
			if test.pkg == "./lib" {
				files[d.Service()] = "from before, when it was a program"
			}
			if test.source != "" {
				files[filepath.Join(root, test.pkg, "main.go")] = test.source
			}
			for path, content := range files {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := d.Build(t.Context(), nil); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func read(t *testing.T, dir string) made {
	t.Helper()
	files := made{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Name() == ".linked" { // the go command's
			return fs.SkipDir
		}
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		files[name] = fmt.Sprintf("%#o %x", info.Mode().Perm(), sha256.Sum256(content))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestPackageIsWhatLambdaRuns: one program, which any user may execute.
func TestPackageIsWhatLambdaRuns(t *testing.T) {
	dir := t.TempDir()
	program, path := filepath.Join(dir, "lighthouse"), filepath.Join(dir, "lighthouse.zip")
	if err := os.WriteFile(program, []byte("a program"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := build.Package(program, path); err != nil {
		t.Fatal(err)
	}
	r, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if len(r.File) != 1 {
		t.Fatalf("it has %d files, want one", len(r.File))
	}
	f := r.File[0]
	if f.Name != "bootstrap" || f.Mode() != 0o755 || f.Modified.UTC().Year() != 1980 || f.Flags&8 != 0 {
		t.Errorf("got %s, %v, %v, flags %#x; want bootstrap with 0755, of 1980, with its size before it", f.Name, f.Mode(), f.Modified, f.Flags)
	}
	content, err := fs.ReadFile(r, "bootstrap")
	if err != nil || string(content) != "a program" {
		t.Errorf("it holds %q, %v", content, err)
	}
}

// TestErrorsSayWhatToDo: of a build that cannot be.
func TestErrorsSayWhatToDo(t *testing.T) {
	for name, test := range map[string]struct {
		mod, architecture, want string
	}{
		"another architecture": {"module small\n", "riscv64", `"riscv64": want one of ["amd64" "arm64"]`},
		"no toolchain":         {"module small\n\ngo 1.26.0\n", runtime.GOARCH, "add a line such as `toolchain go1.26.8`"},
		"no program":           {"module small\n\ngo 1.26.0\n\ntoolchain " + runtime.Version() + "\n", runtime.GOARCH, "cmd/directory: directory not found"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			if err := os.WriteFile(filepath.Join(root, "go.mod"), []byte(test.mod), 0o644); err != nil {
				t.Fatal(err)
			}
			err := build.Programs(t.Context(), build.Options{
				Root: root, Dir: t.TempDir(), Architecture: test.architecture, Packages: []string{"./cmd/directory"},
			})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
