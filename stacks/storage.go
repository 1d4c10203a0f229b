package stacks

import (
	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/constructs/buckets"
	"github.com/archipelago-cdk/archipelago/constructs/fleet"
	"github.com/archipelago-cdk/archipelago/constructs/logs"
	"github.com/aws/aws-cdk-go/awscdk/v2"
)

// newStorage places what a region keeps: its buckets and its fleet's size. It
// comes before all other stacks.
func newStorage(app awscdk.App, c config.Config, region config.Region) awscdk.Stack {
	names := c.Names()
	stack := newStack(app, c, names.StorageStack(region.Name), region.Name,
		"Archipelago: buckets and fleet size of "+region.Name)
	logsBucket := logs.NewBucket(stack, "Logs", &logs.BucketProps{
		Name:    names.LogsBucket(region.Name),
		Protect: c.Protect,
	})
	// It is there whatever `logs` says: to switch them off must not delete any.
	logs.NewGroup(stack, "ServiceLog", &logs.GroupProps{
		Name:    names.ServiceLog(),
		Protect: c.Protect,
	})
	for _, b := range c.Buckets {
		buckets.New(stack, config.ConstructID(b.Name), &buckets.Props{
			Name:       names.Bucket(b.Name, region.Name),
			Logs:       logsBucket,
			LogsPrefix: b.Name + "/",
			Protect:    c.Protect,
		})
	}
	fleet.NewInstanceTypeParameter(stack, "InstanceType", &fleet.InstanceTypeParameterProps{
		Name:    names.InstanceTypeParameter(),
		StartAt: c.Fleet.StartAt,
		Protect: c.Protect,
	})
	return stack
}
