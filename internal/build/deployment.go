package build

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"path"
	"path/filepath"
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
	functions, err := d.functions(ctx)
	if err != nil {
		return err
	}
	name := path.Base(d.Package)
	if name == App || name == pulse || slices.Contains(functions, module+"/cmd/"+name) {
		return fmt.Errorf("the program of %s would be called %s, as another one is: move it to a folder of another name", d.Package, name)
	}
	packages := map[string][]string{d.Instances: {d.Package, module + "/cmd/" + pulse}}
	packages[d.Functions] = append(packages[d.Functions], functions...)
	for architecture, packages := range packages {
		err := Programs(ctx, Options{
			Root: d.Root, Dir: d.Program(architecture, ""), Architecture: architecture, Packages: packages, Log: log,
		})
		if err != nil {
			return err
		}
	}
	for _, pkg := range functions {
		name := path.Base(pkg)
		if err := Package(d.Program(d.Functions, name), d.Function(name)); err != nil {
			return err
		}
	}
	return nil
}

// functions are the packages of the programs that Lambda runs: those in this module's
// cmd that import its runtime.
func (d Deployment) functions(ctx context.Context) ([]string, error) {
	toolchain, err := toolchain(d.Root)
	if err != nil {
		return nil, err
	}
	environment, err := environment(ctx, toolchain)
	if err != nil {
		return nil, err
	}
	// -e, because a module that requires this one need not have what its other
	// programs import.
	cmd := exec.CommandContext(ctx, "go", "list", "-e",
		"-f", `{{range .Imports}}{{if eq . "`+lambdaRuntime+`"}}{{println $.ImportPath}}{{end}}{{end}}`, module+"/cmd/...")
	cmd.Dir, cmd.Env = d.Root, environment
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list of %s/cmd: %w\n%s", module, err, said.Bytes())
	}
	functions := strings.Fields(string(out))
	if len(functions) == 0 {
		return nil, fmt.Errorf("go list finds no program in %s/cmd that imports %s\n%s", module, lambdaRuntime, said.Bytes())
	}
	return functions, nil
}
