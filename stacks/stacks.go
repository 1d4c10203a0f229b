package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

// Add places every stack of c in app, each with the stacks that must be
// deployed before it. c must be valid. binaries are the service's, as
// fleet.Service has them.
func Add(app awscdk.App, c Config, binaries map[string]string) {
	global := newGlobal(app, c)
	var previous awscdk.Stack
	for _, region := range c.Regions {
		global.AddStackDependency(newStorage(app, c, region), jsii.String("replication needs the bucket"))
		island := newRegion(app, c, region, binaries)
		island.AddStackDependency(global, jsii.String("the fleet needs the table, the entry its listener"))
		if previous != nil {
			// Endpoint groups of one accelerator are changed one at a time, and
			// a bad deployment stops at the first region.
			island.AddStackDependency(previous, jsii.String("regions change one after the other"))
		}
		previous = island
	}
}

func newStack(app awscdk.App, c Config, id, region, description string) awscdk.Stack {
	return awscdk.NewStack(app, &id, &awscdk.StackProps{
		Env:                   &awscdk.Environment{Account: &c.Account, Region: &region},
		Description:           &description,
		TerminationProtection: &c.Protect,
	})
}
