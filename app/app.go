// Package app is the CDK app of a deployment: a program whose main calls Main is
// what cdk.json names as its app.
package app

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/internal/build"
	"github.com/archipelago-cdk/archipelago/internal/cdkapp"
	"github.com/archipelago-cdk/archipelago/internal/command/arguments"
	"github.com/archipelago-cdk/archipelago/stacks"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
)

// Main synthesizes the CloudFormation stacks of the deployment that cdk.json, in the
// working directory, describes, and builds what they publish into dist. It ends the
// process with status 1, having said why, where the configuration is not valid, a
// program does not build or a template breaks one of CDK's rules.
func Main() { MainWith(nil) }

// MainWith does what Main does, and has add place stacks of its own beside those of the
// deployment, before anything is written. add may be nil; what it panics with is said as
// CDK's own errors are.
func MainWith(add func(app awscdk.App, deployment config.Config)) {
	err := cdkapp.Run(func() error { return run(os.Args[1:], add) })
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintf(cdkapp.Stderr, "archipelago: nothing was deployed: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string, add func(awscdk.App, config.Config)) error {
	flags := flag.NewFlagSet("archipelago", flag.ContinueOnError)
	local := flags.Bool("local", false, "for the local cloud: programs of this machine's architecture")
	built := flags.Bool("built", false, "take the programs that dist holds, without building them")
	if err := arguments.Parse(flags, args); err != nil {
		return err
	}
	app := awscdk.NewApp(&awscdk.AppProps{Context: featureFlags()})
	settings, _ := app.Node().GetAllContext(nil).(map[string]any)
	deployment, err := config.Parse(settings, os.Getenv("CDK_DEFAULT_ACCOUNT"))
	if err != nil {
		return fmt.Errorf("the configuration is not valid\n%w", err)
	}
	published := build.Deployment{Root: ".", Dir: "dist", Package: deployment.Service.Package, Instances: "arm64", Functions: "arm64"}
	if deployment.Fleet.Architecture() == "x86_64" {
		published.Instances = "amd64"
	}
	if *local {
		published.Instances, published.Functions = runtime.GOARCH, runtime.GOARCH
	}
	if !*built {
		if err := published.Build(context.Background(), nil); err != nil {
			return fmt.Errorf("the programs cannot be built\n%w", err)
		}
	}
	stacks.Add(app, deployment, builds(published))
	if add != nil {
		add(app, deployment)
	}
	if _, err := stacks.Synth(app); err != nil {
		return fmt.Errorf("the templates break rules of CloudFormation\n%w", err)
	}
	return nil
}

// flagsFile has the feature flags that the templates are tested with.
//
//go:embed flags.json
var flagsFile []byte

// featureFlags are CDK's, as they are tested; those that a cdk.json sets go before
// them. Without them CDK makes other resources, as it did in its early releases.
func featureFlags() *map[string]any {
	flags := map[string]any{}
	if err := json.Unmarshal(flagsFile, &flags); err != nil {
		panic(err) // the file is embedded
	}
	return &flags
}

// builds are the paths of what is published, with AWS's name of the architecture.
func builds(d build.Deployment) stacks.Builds {
	b := stacks.Builds{
		Service:              d.Service(),
		Pulse:                d.Pulse(),
		Function:             d.Function,
		FunctionArchitecture: awslambda.Architecture_ARM_64(),
	}
	if d.Functions == "amd64" {
		b.FunctionArchitecture = awslambda.Architecture_X86_64()
	}
	return b
}
