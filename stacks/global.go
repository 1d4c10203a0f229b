package stacks

import (
	"github.com/archipelago-cdk/archipelago/config"
	"github.com/aws/aws-cdk-go/awscdk/v2"
)

// newGlobal places what the regions share, in the primary region: the replication
// of the buckets, and then the tables, whose creation nothing can fail that comes
// after them.
func newGlobal(app awscdk.App, c config.Config) awscdk.Stack {
	stack := newStack(app, c, c.Names().GlobalStack(), c.Regions[0].Name,
		"Archipelago: tables and replication of all regions")
	all := stores{c}
	all.tables(stack, all.replicate(stack))
	return stack
}
