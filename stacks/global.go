package stacks

import (
	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/constructs/domain"
	"github.com/archipelago-cdk/archipelago/constructs/entry"
	"github.com/archipelago-cdk/archipelago/constructs/loadbalancer"
	"github.com/archipelago-cdk/archipelago/constructs/observability"
	"github.com/archipelago-cdk/archipelago/constructs/photos"
	"github.com/archipelago-cdk/archipelago/constructs/tables"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

// newGlobal places what spans the regions: tables, the photos' replication and
// the entry. It stands in the primary region.
func newGlobal(app awscdk.App, c config.Config) awscdk.Stack {
	names := c.Names()
	stack := newStack(app, c, names.GlobalStack(), c.Regions[0].Name,
		"Archipelago: tables, replication and entry of all regions")
	if c.AllowCleartext {
		awscdk.Annotations_Of(stack).AddWarningV2(jsii.String("archipelago:cleartext"),
			jsii.String("allowCleartext: passwords and sessions cross the internet in the clear; a domain gives the deployment TLS"))
	}
	tables.NewEmployees(stack, "Employees", tables.Props{
		Name:                         names.EmployeesTable(),
		Regions:                      c.RegionNames(),
		MultiRegionStrongConsistency: c.Consistency == config.ConsistencyStrong,
		Witness:                      c.Witness,
		Protect:                      c.Protect,
	})
	tables.NewSessions(stack, "Sessions", tables.Props{
		Name:    names.SessionsTable(),
		Regions: c.RegionNames(),
		Protect: c.Protect,
	})
	var buckets []photos.RegionalBucket
	for _, region := range c.RegionNames() {
		buckets = append(buckets, photos.RegionalBucket{Bucket: names.PhotosBucket(region), Region: region})
	}
	photos.NewReplication(stack, "Replication", buckets)
	watch := observability.GlobalProps{
		Deployment:                   c.Name,
		Dashboard:                    names.GlobalDashboard(),
		Impaired:                     names.ImpairedAlarm(),
		Regions:                      c.RegionNames(),
		LoadBalancer:                 names.LoadBalancer(c.Entry != config.EntryAccelerator),
		RegionStack:                  names.RegionStack,
		Table:                        names.EmployeesTable(),
		MultiRegionStrongConsistency: c.Consistency == config.ConsistencyStrong,
		Bucket:                       names.PhotosBucket,
	}
	if c.Entry == config.EntryAccelerator {
		accelerator := entry.New(stack, "Entry", entry.Props{
			Name:              c.Name,
			Ports:             loadbalancer.Ports(domain.Domain(c.Domain)),
			Domain:            domain.Domain(c.Domain),
			ListenerParameter: names.ListenerParameter(),
			Regions:           c.RegionNames(),
		})
		awscdk.NewCfnOutput(stack, jsii.String("EntryURL"), &awscdk.CfnOutputProps{Value: &accelerator.URL})
		watch.Accelerator = accelerator.ID
	}
	observability.NewGlobal(stack, "Observability", watch)
	if c.Entry == config.EntryDNS {
		awscdk.NewCfnOutput(stack, jsii.String("EntryURL"), &awscdk.CfnOutputProps{Value: jsii.String("https://" + c.Domain.Host)})
	}
	return stack
}
