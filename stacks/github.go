package stacks

import (
	"strings"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/constructs/github"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

// newGitHub places what the repository's workflows may do, in the primary region. No
// other stack needs it, so that it is deployed by who may change what they may do.
func newGitHub(app awscdk.App, c config.Config) awscdk.Stack {
	names := c.Names()
	stack := newStack(app, c, names.GitHubStack(), c.Regions[0].Name, "Archipelago: roles of GitHub's workflows")
	parameters := []string{names.DrainParameter(), names.FrozenParameter(), names.InstanceTypeParameter(), names.ListenerParameter()}
	for _, secret := range c.Service.Secrets {
		if !strings.HasPrefix(secret, config.SecretsManager) {
			parameters = append(parameters, secret)
		}
	}
	access := github.New(stack, "GitHub", &github.Props{
		Repository:     c.GitHub.Repository,
		Branch:         c.GitHub.Branch,
		Environments:   c.GitHub.Environments,
		ProviderExists: c.GitHub.ProviderExists,
		Deployment:     c.Name,
		Parameters:     parameters,
	})
	awscdk.NewCfnOutput(stack, jsii.String("ReadRole"), &awscdk.CfnOutputProps{Value: access.Reader.RoleArn()})
	awscdk.NewCfnOutput(stack, jsii.String("DeployRole"), &awscdk.CfnOutputProps{Value: access.Deployer.RoleArn()})
	return stack
}
