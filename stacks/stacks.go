// Package stacks turns the configuration of a deployment into its
// CloudFormation stacks: storage for each region, the tables that span the
// regions, the entry, one for each region, and one for GitHub's workflows where that is
// configured.
package stacks

import (
	"github.com/archipelago-cdk/archipelago/config"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"
)

// Builds are what a deployment publishes.
type Builds struct {
	// Service is the path of the service's binary, as fleet.Service has it. Required.
	Service string
	// Pulse is the path of the program that runs beside it, as fleet.Pulse has it. Required.
	Pulse string
	// Function returns the path of a function's deployment package, by the name of
	// its folder in cmd. Required.
	Function func(name string) string
	// FunctionArchitecture is what the functions are built for. Required.
	FunctionArchitecture awslambda.Architecture
}

// Add places every stack of c in app but those that are in a lost region, each with the
// stacks that must be deployed before it. c must be valid.
func Add(app awscdk.App, c config.Config, builds Builds) {
	var global, entry awscdk.Stack // nil while the primary is lost
	if !c.Regions[0].Lost {
		global, entry = newGlobal(app, c), newEntry(app, c)
		// What holds data comes first: a deployment that cannot make it has nothing else.
		entry.AddStackDependency(global, jsii.String("users come when there is something to come to"))
		if c.GitHub.Set() {
			newGitHub(app, c)
		}
	}
	for _, region := range c.Regions {
		if region.Lost {
			continue
		}
		if storage := newStorage(app, c, region); global != nil {
			global.AddStackDependency(storage, jsii.String("replication needs the bucket"))
		}
	}
	var previous awscdk.Stack
	for _, region := range c.Islands() {
		if region.Lost {
			continue
		}
		island := newRegion(app, c, region, builds)
		if global != nil {
			island.AddStackDependency(global, jsii.String("the fleet needs the tables"))
			island.AddStackDependency(entry, jsii.String("the load balancer joins the entry's listener"))
		}
		if previous != nil {
			// Endpoint groups of one accelerator are changed one at a time, and
			// a bad deployment stops at the first region.
			island.AddStackDependency(previous, jsii.String("regions change one after the other"))
		}
		previous = island
	}
}

// newStack makes a stack without termination protection: the CDK CLI switches it on
// before the first change set, and could not delete a stack whose creation has failed,
// to make it again. What holds data is kept by its own policy.
//
// newStack tags everything in it that takes tags, for bills and for people who find
// it: the resources, so that a launch template tags what it launches, and the
// stack, so that CloudFormation tags what CDK makes without. The parameter of the
// fleet's instance type is not a stack's resource: it is written once, by a call.
func newStack(app awscdk.App, c config.Config, id, region, description string) awscdk.Stack {
	tags := map[string]*string{}
	for key, value := range c.AllTags(region) {
		tags[key] = &value
	}
	stack := awscdk.NewStack(app, &id, &awscdk.StackProps{
		Env:         &awscdk.Environment{Account: &c.Account, Region: &region},
		Description: &description,
		Tags:        &tags,
	})
	for name, value := range tags {
		// That these take tags is newer than cfn-lint's schema (1.51.0); they have
		// the stack's.
		awscdk.Tags_Of(stack).Add(&name, value, &awscdk.TagProps{
			ExcludeResourceTypes: jsii.Strings("AWS::CloudWatch::Dashboard",
				"AWS::ElasticLoadBalancingV2::Listener", "AWS::ElasticLoadBalancingV2::ListenerRule"),
		})
	}
	return stack
}
