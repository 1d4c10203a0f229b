package build

import (
	"context"
	"io"
	"path/filepath"
)

const (
	// Service is the program of the instances.
	Service = "directory"
	// Lighthouse and Scaler are the programs of the functions.
	Lighthouse = "lighthouse"
	Scaler     = "scaler"
)

// functions are the programs that Lambda runs.
var functions = []string{Lighthouse, Scaler}

// Deployment is what one deployment publishes, in folders by architecture.
type Deployment struct {
	// Root is the folder of the module, and Dir takes what is built. Required.
	Root, Dir string
	// Instances and Functions are the architectures, as Go spells them, of what
	// instances run and of what Lambda runs. Required.
	Instances, Functions string
}

// Program is the path of a program that is built for an architecture.
func (d Deployment) Program(architecture, name string) string {
	return filepath.Join(d.Dir, "linux-"+architecture, name)
}

// Service is the path of the service's program.
func (d Deployment) Service() string { return d.Program(d.Instances, Service) }

// Function is the path of a function's deployment package.
func (d Deployment) Function(name string) string { return d.Program(d.Functions, name) + ".zip" }

// Build builds what is published, and no program that is not. For what instances
// run it also builds more packages. log takes what Options.Log does.
func (d Deployment) Build(ctx context.Context, log io.Writer, more ...string) error {
	packages := map[string][]string{d.Instances: append([]string{"./cmd/" + Service}, more...)}
	for _, name := range functions {
		packages[d.Functions] = append(packages[d.Functions], "./cmd/"+name)
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
