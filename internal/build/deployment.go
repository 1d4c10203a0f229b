package build

import (
	"context"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"runtime"
	"slices"
)

// Names of programs.
const (
	// Lighthouse and Scaler are the functions'.
	Lighthouse = "lighthouse"
	Scaler     = "scaler"
	// App is the CDK app.
	App = "app"
)

// module is the path of this module, whose commands are built in whichever module
// requires it.
const module = "github.com/archipelago-cdk/archipelago"

// functions are the programs that Lambda runs.
var functions = []string{Lighthouse, Scaler}

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
	if name := path.Base(d.Package); slices.Contains(append([]string{App}, functions...), name) {
		return fmt.Errorf("the program of %s would be called %s, as another one is: move it to a folder of another name", d.Package, name)
	}
	packages := map[string][]string{d.Instances: {d.Package}}
	for _, name := range functions {
		packages[d.Functions] = append(packages[d.Functions], module+"/cmd/"+name)
	}
	for architecture, packages := range packages {
		err := Programs(ctx, Options{
			Root: d.Root, Dir: d.Program(architecture, ""), Architecture: architecture, Packages: packages, Log: log,
		})
		if err != nil {
			return err
		}
	}
	for _, name := range functions {
		if err := Package(d.Program(d.Functions, name), d.Function(name)); err != nil {
			return err
		}
	}
	return nil
}
