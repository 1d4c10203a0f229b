package github_test

import (
	"github.com/archipelago-cdk/archipelago/constructs/github"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

// Roles for the workflows of one repository, on one branch: the jobs of the environment
// review look, and those of production deploy.
func Example() {
	app := awscdk.NewApp(nil)
	stack := awscdk.NewStack(app, jsii.String("Shop"), &awscdk.StackProps{
		Env: &awscdk.Environment{Account: jsii.String("123456789012"), Region: jsii.String("eu-west-1")},
	})
	access := github.New(stack, "GitHub", &github.Props{
		Repository: "octo-org/shop", Branch: "main", Environments: []string{"production"}, Deployment: "shop",
	})
	awscdk.NewCfnOutput(stack, jsii.String("DeployRole"), &awscdk.CfnOutputProps{Value: access.Deployer.RoleArn()})
	app.Synth(nil)
}
