// Package synth synthesizes configurations in a process that has CDK's kernel
// running: the start of one, and of the CDK CLI, is most of a synth's time.
package synth

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/internal/matrix"
	"github.com/archipelago-cdk/archipelago/stacks"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"
)

// one process has one kernel, which takes one call at a time.
var kernel sync.Mutex

// App does what the program does: it reads the configuration in context, for an
// account where that names none, and writes the assembly to dir. extend may add to
// the app before that; it may be nil.
func App(context map[string]any, account, dir string, builds stacks.Builds, extend func(awscdk.App)) (err error) {
	kernel.Lock()
	defer kernel.Unlock()
	// CDK's errors are panics.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("synth: %v", r)
		}
	}()
	deployment, err := config.Parse(context, account)
	if err != nil {
		return err
	}
	app := awscdk.NewApp(&awscdk.AppProps{Context: &context, Outdir: &dir, AnalyticsReporting: jsii.Bool(false)})
	stacks.Add(app, deployment, builds)
	if extend != nil {
		extend(app)
	}
	_, err = stacks.Synth(app)
	return err
}

// Facts synthesizes a configuration of the matrix, has cdk-nag report on it, and
// returns its facts. What is deployed has stand-ins.
func Facts(name string) (map[string][]byte, error) {
	context, err := matrix.Context(name)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "archipelago-synth-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	builds, err := StandIns(dir)
	if err != nil {
		return nil, err
	}
	// What cdk-nag finds is among the facts, in place of failing the synth.
	context["@aws-cdk/core:annotationsInValidationReport"] = false
	out := filepath.Join(dir, "cdk.out")
	err = App(context, matrix.Account, out, builds, func(app awscdk.App) {
		awscdk.Aspects_Of(app).Add(cdknag.NewAwsSolutionsChecks(&cdknag.NagPackProps{Reports: jsii.Bool(false)}), nil)
	})
	if err != nil {
		return nil, fmt.Errorf("configuration %q: %w", name, err)
	}
	return matrix.Facts(out)
}

// StandIns writes small files to dir in place of what the build step makes.
func StandIns(dir string) (stacks.Builds, error) {
	standIn := func(name string) (path string, err error) {
		path = filepath.Join(dir, name)
		return path, os.WriteFile(path, []byte(name), 0o644)
	}
	service, err := standIn("directory")
	if err != nil {
		return stacks.Builds{}, err
	}
	pulse, err := standIn("pulse")
	kernel.Lock()
	defer kernel.Unlock()
	return stacks.Builds{
		Service: service,
		Pulse:   pulse,
		Function: func(name string) string {
			path, err := standIn(name + ".zip")
			if err != nil {
				panic(err)
			}
			return path
		},
		FunctionArchitecture: awslambda.Architecture_ARM_64(),
	}, err
}
