package stacks

import (
	"strconv"

	"github.com/archipelago-cdk/archipelago/constructs/entry"
	"github.com/archipelago-cdk/archipelago/constructs/fleet"
	"github.com/archipelago-cdk/archipelago/constructs/loadbalancer"
	"github.com/archipelago-cdk/archipelago/constructs/network"
	"github.com/archipelago-cdk/archipelago/constructs/photos"
	"github.com/archipelago-cdk/archipelago/constructs/tables"
	"github.com/archipelago-cdk/archipelago/service/setting"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

// newRegion places one island: network, load balancer, fleet, and its
// registration with the entry.
func newRegion(app awscdk.App, c Config, region Region, binaries map[string]string) awscdk.Stack {
	names := c.Names()
	stack := newStack(app, c, names.RegionStack(region.Name), region.Name,
		"Archipelago: network, load balancer and fleet of "+region.Name)
	network.DeclareZones(stack, region.zoneNames(), region.Zones.Count)
	net := network.New(stack, "Network", network.Props{
		CIDR:   region.CIDR,
		Public: c.Entry == EntryNone,
	})
	balancer := loadbalancer.New(stack, "LoadBalancer", loadbalancer.Props{
		Network:    net,
		Public:     c.Entry == EntryNone,
		Protect:    c.Protect,
		Port:       setting.Port,
		HealthPath: setting.LivePath,
	})
	machines := fleet.New(stack, "Fleet", fleet.Props{
		Network:               net,
		LoadBalancer:          balancer,
		Port:                  setting.Port,
		InstanceTypeParameter: names.InstanceTypeParameter(),
		AMI:                   region.AMI,
		Architecture:          c.Fleet.architecture(),
		Min:                   c.Fleet.Min,
		Max:                   c.Fleet.Max,
		Service: fleet.Service{
			Name:     "directory",
			Binaries: binaries,
			Environment: map[string]string{
				setting.Region:         region.Name,
				setting.Listen:         ":" + strconv.Itoa(setting.Port),
				setting.EmployeesTable: names.EmployeesTable(),
				setting.PhotosBucket:   names.PhotosBucketPattern(),
				setting.AllowCleartext: strconv.FormatBool(c.AllowCleartext),
			},
		},
	})
	tables.GrantReadWrite(stack, names.EmployeesTable(), machines.Role)
	for _, other := range c.RegionNames() {
		if other == region.Name {
			photos.GrantReadWrite(names.PhotosBucket(other), machines.Role)
		} else {
			photos.GrantRead(names.PhotosBucket(other), machines.Role)
		}
	}
	if c.Entry == EntryAccelerator {
		entry.NewEndpoint(stack, "Endpoint", entry.EndpointProps{
			LoadBalancer:      balancer,
			ListenerParameter: names.ListenerParameter(),
		})
	}
	awscdk.NewCfnOutput(stack, jsii.String("LoadBalancerURL"), &awscdk.CfnOutputProps{
		Value: jsii.String("http://" + *balancer.ALB.LoadBalancerDnsName()),
	})
	return stack
}
