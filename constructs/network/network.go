// Package network gives an island its VPC: subnets without a route to the
// internet for the fleet, subnets for the load balancer, and the endpoints
// through which both reach AWS.
package network

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Props configure a Network.
type Props struct {
	// CIDR is the address range, such as "10.0.0.0/16". Required.
	CIDR string
	// Public puts the load balancer's subnets on the internet. Default: false,
	// the VPC has an internet gateway, as AWS Global Accelerator asks of it,
	// but no route to it.
	Public bool
}

// Network is one island's VPC.
type Network struct {
	// VPC holds the subnets.
	VPC awsec2.IVpc
	// Fleet are the subnets of the instances: no route to the internet.
	Fleet *awsec2.SubnetSelection
	// LoadBalancer are the subnets of the load balancer.
	LoadBalancer *awsec2.SubnetSelection
	// Internet is the attached internet gateway, without which no accelerator
	// reaches a load balancer; the load balancer depends on it.
	Internet constructs.IDependable
	// Endpoints are the way to AWS; what calls AWS at boot depends on them.
	Endpoints constructs.IDependable
}

const (
	// maxZones is more than any region has, so that all declared ones are used.
	maxZones            = 10
	fleetSubnets        = "Fleet"
	loadBalancerSubnets = "LoadBalancer"
)

// New creates a Network.
func New(scope constructs.Construct, id string, props Props) *Network {
	this := constructs.NewConstruct(scope, &id)
	loadBalancerType := awsec2.SubnetType_PRIVATE_ISOLATED
	if props.Public {
		loadBalancerType = awsec2.SubnetType_PUBLIC
	}
	vpc := awsec2.NewVpc(this, jsii.String("Vpc"), &awsec2.VpcProps{
		IpAddresses: awsec2.IpAddresses_Cidr(&props.CIDR),
		MaxAzs:      jsii.Number(maxZones),
		NatGateways: jsii.Number(0),
		SubnetConfiguration: &[]*awsec2.SubnetConfiguration{
			{Name: jsii.String(fleetSubnets), SubnetType: awsec2.SubnetType_PRIVATE_ISOLATED},
			{Name: jsii.String(loadBalancerSubnets), SubnetType: loadBalancerType, CidrMask: jsii.Number(26)},
		},
		RestrictDefaultSecurityGroup: jsii.Bool(true),
	})
	// Both are free, and the only way from the fleet to AWS.
	endpoints := constructs.NewDependencyGroup(
		vpc.AddGatewayEndpoint(jsii.String("S3"), &awsec2.GatewayVpcEndpointOptions{
			Service: awsec2.GatewayVpcEndpointAwsService_S3(),
		}),
		vpc.AddGatewayEndpoint(jsii.String("DynamoDB"), &awsec2.GatewayVpcEndpointOptions{
			Service: awsec2.GatewayVpcEndpointAwsService_DYNAMODB(),
		}),
	)
	network := &Network{
		VPC:          vpc,
		Fleet:        &awsec2.SubnetSelection{SubnetGroupName: jsii.String(fleetSubnets)},
		LoadBalancer: &awsec2.SubnetSelection{SubnetGroupName: jsii.String(loadBalancerSubnets)},
		Endpoints:    endpoints,
	}
	if props.Public {
		network.Internet = vpc.InternetConnectivityEstablished()
	} else {
		network.Internet = attachInternetGateway(this, vpc)
	}
	return network
}

// attachInternetGateway makes the gateway that Vpc leaves out when every subnet
// is isolated. Source: AWS Global Accelerator, "Requirements for endpoints with
// client IP address preservation".
func attachInternetGateway(scope constructs.Construct, vpc awsec2.Vpc) constructs.IDependable {
	gateway := awsec2.NewCfnInternetGateway(scope, jsii.String("InternetGateway"), &awsec2.CfnInternetGatewayProps{})
	return awsec2.NewCfnVPCGatewayAttachment(scope, jsii.String("InternetGatewayAttachment"), &awsec2.CfnVPCGatewayAttachmentProps{
		VpcId:             vpc.VpcId(),
		InternetGatewayId: gateway.Ref(),
	})
}
