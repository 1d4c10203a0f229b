package network

import (
	"fmt"
	"maps"
	"slices"

	"github.com/archipelago-cdk/archipelago/constructs/internal/required"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// ImportProps say what a Network uses of a VPC that exists already.
type ImportProps struct {
	// VPC is its id. Required.
	VPC string `required:"true"`
	// CIDR is its range that holds the load balancer's subnets. Required.
	CIDR string `required:"true"`
	// Fleet are the ids of the instances' subnets, by the names of their zones, such
	// as "eu-west-1a". Two at least; instances there need ways to S3 and DynamoDB.
	// Required.
	Fleet map[string]string `required:"true"`
	// LoadBalancer are the ids of the load balancer's subnets, by the names of their
	// zones, in each of the fleet's. Required.
	LoadBalancer map[string]string `required:"true"`
}

// Import returns a Network that exists already, and changes nothing in it: it gets
// no endpoints, routes, gateways or flow logs, and what is attached to it is not
// waited for. It panics with one sentence if there are fewer than two subnets of a
// kind.
func Import(scope constructs.Construct, id string, props *ImportProps) *Network {
	required.Check("network", props)
	if len(props.Fleet) < 2 || len(props.LoadBalancer) < 2 {
		panic(fmt.Sprintf("network.Import: want subnets of two zones at least, got %v for the fleet and %v for the load balancer", props.Fleet, props.LoadBalancer))
	}
	this := constructs.NewConstruct(scope, &id)
	return &Network{
		Construct: this,
		VPC: awsec2.Vpc_FromVpcAttributes(this, jsii.String("Vpc"), &awsec2.VpcAttributes{
			VpcId:             &props.VPC,
			VpcCidrBlock:      &props.CIDR,
			AvailabilityZones: jsii.Strings(slices.Sorted(maps.Keys(props.LoadBalancer))...),
		}),
		Fleet:        importSubnets(this, fleetSubnets, props.Fleet),
		LoadBalancer: importSubnets(this, loadBalancerSubnets, props.LoadBalancer),
		Internet:     constructs.NewDependencyGroup(),
		Endpoints:    constructs.NewDependencyGroup(),
	}
}

func importSubnets(scope constructs.Construct, id string, ids map[string]string) *awsec2.SubnetSelection {
	this := constructs.NewConstruct(scope, &id)
	var subnets []awsec2.ISubnet
	for _, zone := range slices.Sorted(maps.Keys(ids)) {
		subnet := awsec2.Subnet_FromSubnetAttributes(this, &zone, &awsec2.SubnetAttributes{
			SubnetId: jsii.String(ids[zone]), AvailabilityZone: &zone,
		})
		// Only what adds routes or endpoints asks for a route table.
		awscdk.Annotations_Of(subnet).AcknowledgeWarning(jsii.String("@aws-cdk/aws-ec2:noSubnetRouteTableId"), jsii.String("no route is added"))
		subnets = append(subnets, subnet)
	}
	return &awsec2.SubnetSelection{Subnets: &subnets}
}
