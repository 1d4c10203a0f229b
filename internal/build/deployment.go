package build

import (
	"bytes"
	"context"
	"debug/elf"
	"fmt"
	"io"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// App is the name of the CDK app's program.
const App = "app"

// module is the path of this module, whose commands are built in whichever module
// requires it.
const module = "github.com/archipelago-cdk/archipelago"

// pulse is the name of the program that runs beside the service.
const pulse = "pulse"

// lambdaRuntime is the package that connects a program to Lambda.
const lambdaRuntime = "github.com/aws/aws-lambda-go/lambda"

// packageKey is the key of cdk.json that names the service's package.
const packageKey = "archipelago.service.package"

// version is the name of a folder after which the go command calls no program.
var version = regexp.MustCompile(`^v([2-9]|[1-9][0-9]+)$`)

// Deployment is what one deployment publishes, in folders by architecture.
type Deployment struct {
	// Root is the folder of the module, and Dir takes what is built. Required.
	Root, Dir string
	// Package is that of the program that instances run, such as "./cmd/directory".
	// Required.
	Package string
	// Instances and Functions are the architectures, as Go spells them, of what
	// instances run and of what Lambda runs. Required.
	Instances, Functions string
}

// Program is the path of a program that is built for an architecture.
func (d Deployment) Program(architecture, name string) string {
	return filepath.Join(d.Dir, "linux-"+architecture, name)
}

// Service is the path of the service's program.
func (d Deployment) Service() string { return d.Program(d.Instances, path.Base(d.Package)) }

// Pulse is the path of the program that runs beside the service.
func (d Deployment) Pulse() string { return d.Program(d.Instances, pulse) }

// Function is the path of a function's deployment package.
func (d Deployment) Function(name string) string { return d.Program(d.Functions, name) + ".zip" }

// BuildApp builds the package of Root, the CDK app, for this machine. log takes what
// Options.Log does.
func (d Deployment) BuildApp(ctx context.Context, log io.Writer) error {
	return Programs(ctx, Options{
		Root: d.Root, Dir: d.Program(runtime.GOARCH, ""), Architecture: runtime.GOARCH, Packages: []string{"."}, Name: App, Log: log,
	})
}

// Build builds what is published, and no program that is not. log takes what
// Options.Log does.
func (d Deployment) Build(ctx context.Context, log io.Writer) error {
	kind, functions, err := d.list(ctx)
	if err != nil {
		return err
	}
	name := path.Base(d.Package)
	if kind != "" && kind != "main" { // of "", no package, the build says why
		return fmt.Errorf("%s: %s is package %s, which makes no program: want package main", packageKey, d.Package, kind)
	}
	if version.MatchString(name) {
		return fmt.Errorf("%s: the go command calls no program %s, which it takes for a version: move %s to a folder of another name", packageKey, name, d.Package)
	}
	if name == App || name == pulse || slices.Contains(functions, module+"/cmd/"+name) {
		return fmt.Errorf("%s: the program of %s would be called %s, as another one is: move it to a folder of another name", packageKey, d.Package, name)
	}
	packages := map[string][]string{d.Instances: {d.Package, module + "/cmd/" + pulse}}
	packages[d.Functions] = append(packages[d.Functions], functions...)
	for architecture, packages := range packages {
		err := Programs(ctx, Options{
			Root: d.Root, Dir: d.Program(architecture, ""), Architecture: architecture, Packages: packages, Log: log,
		})
		if err != nil && packages[0] == d.Package {
			return fmt.Errorf("%s is %s: %w", packageKey, d.Package, err)
		}
		if err != nil {
			return err
		}
	}
	if err := static(d.Service()); err != nil {
		return fmt.Errorf("%s: the program of %s %w", packageKey, d.Package, err)
	}
	for _, pkg := range functions {
		name := path.Base(pkg)
		if err := Package(d.Program(d.Functions, name), d.Function(name)); err != nil {
			return err
		}
	}
	return nil
}

// static refuses a program that the loader of a machine would have to complete: some
// packages name libraries of C without cgo.
func static(program string) error {
	f, err := elf.Open(program)
	if err != nil {
		return err
	}
	defer f.Close()
	libraries, err := f.ImportedLibraries()
	if err != nil {
		return err
	}
	if len(libraries) > 0 || slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		return fmt.Errorf("is dynamically linked, to %q: leave out what it imports for that", libraries)
	}
	return nil
}

// list returns what the service's package calls itself, "" if there is none, and the
// packages of the programs that Lambda runs: those in this module's cmd that import its
// runtime.
func (d Deployment) list(ctx context.Context) (kind string, functions []string, err error) {
	toolchain, err := toolchain(d.Root)
	if err != nil {
		return "", nil, err
	}
	environment, forget, err := environment(ctx, toolchain)
	if err != nil {
		return "", nil, err
	}
	defer forget()
	// -e, because a module that requires this one need not have what its other
	// programs import.
	cmd := exec.CommandContext(ctx, "go", "list", "-e",
		"-f", `{{.Name}} {{.ImportPath}}{{range .Imports}}{{if eq . "`+lambdaRuntime+`"}} function{{end}}{{end}}`, d.Package, module+"/cmd/...")
	cmd.Dir, cmd.Env = d.Root, append(environment, "GOARCH="+d.Instances)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", nil, fmt.Errorf("go list of %s and %s/cmd: %w\n%s", d.Package, module, err, said.Bytes())
	}
	for i, line := range strings.Split(strings.TrimSuffix(string(out), "\n"), "\n") {
		name, rest, _ := strings.Cut(line, " ")
		if i == 0 { // the first that was asked for
			kind = name
		} else if pkg, ok := strings.CutSuffix(rest, " function"); ok {
			functions = append(functions, pkg)
		}
	}
	if len(functions) == 0 {
		return "", nil, fmt.Errorf("go list finds no program in %s/cmd that imports %s\n%s", module, lambdaRuntime, said.Bytes())
	}
	return kind, functions, nil
}
