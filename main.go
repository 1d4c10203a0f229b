// Command archipelago synthesizes the CloudFormation stacks of the deployment
// that cdk.json describes. The CDK CLI runs it.
package main

import (
	"fmt"
	"os"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/internal/cdkapp"
	"github.com/archipelago-cdk/archipelago/stacks"
	"github.com/aws/aws-cdk-go/awscdk/v2"
)

// builds are what cdk.json's build step makes.
var builds = stacks.Builds{
	Service: map[string]string{
		"aarch64": "dist/directory.linux-arm64",
		"x86_64":  "dist/directory.linux-amd64",
	},
	Lighthouse: "dist/lighthouse",
	Scaler:     "dist/scaler",
}

func main() {
	if err := cdkapp.Run(run); err != nil {
		fmt.Fprintf(os.Stderr, "archipelago: nothing was deployed: %v\n", err)
		os.Exit(1)
	}
}

func run() error {
	app := awscdk.NewApp(nil)
	context, _ := app.Node().GetAllContext(nil).(map[string]any)
	deployment, err := config.Parse(context, os.Getenv("CDK_DEFAULT_ACCOUNT"))
	if err != nil {
		return fmt.Errorf("the configuration is not valid\n%w", err)
	}
	stacks.Add(app, deployment, builds)
	app.Synth(nil)
	return nil
}
