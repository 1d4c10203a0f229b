package stacks

import (
	"github.com/archipelago-cdk/archipelago/constructs/entry"
	"github.com/archipelago-cdk/archipelago/constructs/loadbalancer"
	"github.com/archipelago-cdk/archipelago/constructs/photos"
	"github.com/archipelago-cdk/archipelago/constructs/tables"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

// newGlobal places what spans the regions: tables, the photos' replication and
// the entry. It stands in the primary region.
func newGlobal(app awscdk.App, c Config) awscdk.Stack {
	names := c.Names()
	stack := newStack(app, c, names.GlobalStack(), c.Regions[0].Name,
		"Archipelago: tables, replication and entry of all regions")
	tables.NewEmployees(stack, "Employees", tables.EmployeesProps{
		Name:    names.EmployeesTable(),
		Regions: c.RegionNames(),
		Protect: c.Protect,
	})
	var mesh []photos.Member
	for _, region := range c.RegionNames() {
		mesh = append(mesh, photos.Member{Bucket: names.PhotosBucket(region), Region: region})
	}
	photos.NewMesh(stack, "Replication", mesh)
	if c.Entry == EntryAccelerator {
		accelerator := entry.New(stack, "Entry", entry.Props{
			Name:              c.Name,
			Port:              loadbalancer.ListenerPort,
			ListenerParameter: names.ListenerParameter(),
			Regions:           c.RegionNames(),
		})
		awscdk.NewCfnOutput(stack, jsii.String("EntryURL"), &awscdk.CfnOutputProps{Value: &accelerator.URL})
	}
	return stack
}
