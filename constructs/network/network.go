// Package network gives an island its VPC: subnets for the fleet, without a
// route to the internet unless asked for, subnets for the load balancer, and
// the endpoints through which instances reach AWS. Import takes one that exists
// already.
package network

import (
	"github.com/archipelago-cdk/archipelago/constructs/internal/required"
	"github.com/archipelago-cdk/archipelago/internal/addresses"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Props configure a Network.
type Props struct {
	// CIDR is the address range, such as "10.0.0.0/16". Required.
	CIDR string `required:"true"`
	// Public puts the load balancer's subnets on the internet. Default: false,
	// the VPC has an internet gateway, as AWS Global Accelerator asks of it,
	// but no route to it.
	Public bool
	// Internal leaves out that gateway, where no accelerator leads to the load
	// balancer. Default: false.
	Internal bool
	// NAT gives the fleet's subnets a route out, through a NAT gateway in each
	// zone. Default: false.
	NAT bool
	// LogsBucket takes the flow logs, by its policy. One that is imported needs that
	// policy already. Default: none, there are no flow logs.
	LogsBucket awss3.IBucket
	// Buckets are what instances may reach of S3, of this account and region.
	// Default: none.
	Buckets []awss3.IBucket
	// Tables are what instances may reach of DynamoDB. Default: none, there is no
	// endpoint of DynamoDB.
	Tables []awsdynamodb.ITable
	// Logs lets instances reach CloudWatch, SessionManager lets operators
	// open sessions on them. With NAT they do without endpoints of their own.
	// Default: false.
	Logs, SessionManager bool
	// Parameters lets instances read parameters of Systems Manager, Secrets secrets of
	// Secrets Manager. With NAT they do without endpoints of their own. Default: false.
	Parameters, Secrets bool
}

// Network is one island's VPC.
type Network struct {
	// Construct holds all of it.
	Construct constructs.Construct
	// VPC holds the subnets.
	VPC awsec2.IVpc
	// Fleet are the subnets of the instances.
	Fleet *awsec2.SubnetSelection
	// LoadBalancer are the subnets of the load balancer.
	LoadBalancer *awsec2.SubnetSelection
	// Internet is the attached internet gateway, without which no accelerator
	// reaches a load balancer; the load balancer depends on it. It is nothing where
	// no gateway is made.
	Internet constructs.IDependable
	// Endpoints are the way to AWS; what calls AWS at boot depends on them. They are
	// nothing in an imported network.
	Endpoints constructs.IDependable
	// S3 is the endpoint of S3, whose policy has what Props name and is added to for
	// more. It is nil in an imported network.
	S3 awsec2.GatewayVpcEndpoint
}

const (
	// maxZones is more than any region has, so that all declared ones are used.
	maxZones            = 10
	fleetSubnets        = "Fleet"
	loadBalancerSubnets = "LoadBalancer"
	egressSubnets       = "Egress"
)

// New creates a Network.
func New(scope constructs.Construct, id string, props *Props) *Network {
	required.Check("network", props)
	this := constructs.NewConstruct(scope, &id)
	vpc := awsec2.NewVpc(this, jsii.String("Vpc"), &awsec2.VpcProps{
		IpAddresses:                  awsec2.IpAddresses_Cidr(&props.CIDR),
		MaxAzs:                       jsii.Number(maxZones),
		NatGateways:                  natGateways(props),
		NatGatewaySubnets:            &awsec2.SubnetSelection{SubnetGroupName: jsii.String(egressSubnets)},
		SubnetConfiguration:          subnets(props),
		RestrictDefaultSecurityGroup: jsii.Bool(true),
	})
	network := &Network{
		Construct:    this,
		VPC:          vpc,
		Fleet:        &awsec2.SubnetSelection{SubnetGroupName: jsii.String(fleetSubnets)},
		LoadBalancer: &awsec2.SubnetSelection{SubnetGroupName: jsii.String(loadBalancerSubnets)},
	}
	network.Endpoints = network.addEndpoints(this, props)
	switch {
	case props.Public || props.NAT:
		network.Internet = vpc.InternetConnectivityEstablished()
	case props.Internal:
		network.Internet = constructs.NewDependencyGroup()
	default:
		network.Internet = attachInternetGateway(vpc)
	}
	if props.LogsBucket != nil {
		logFlows(this, vpc, props.LogsBucket)
	}
	return network
}

// CloseDefaultGroupAfter has CDK take the rules away from a new VPC's default security
// group, which nothing is in, after something that takes minutes: its function's permission
// names the group and is as new, and what IAM denies it does not ask for again.
func (n *Network) CloseDefaultGroupAfter(after constructs.IDependable) {
	if closed := n.VPC.Node().TryFindChild(jsii.String("RestrictDefaultSecurityGroupCustomResource")); closed != nil {
		closed.Node().AddDependency(after)
	}
}

// logFlows has the network's flows logged in a bucket, and lets AWS deliver them. CDK
// does the latter with the feature flag @aws-cdk/aws-s3:createDefaultLoggingPolicy alone,
// so it is given the bucket's name. Source: Amazon VPC User Guide, "Amazon S3 bucket
// permissions for flow logs".
func logFlows(scope constructs.Construct, vpc awsec2.Vpc, bucket awss3.IBucket) {
	named := awss3.Bucket_FromBucketName(scope, jsii.String("FlowLogBucket"), bucket.BucketName())
	flows := vpc.AddFlowLog(jsii.String("FlowLog"), &awsec2.FlowLogOptions{
		Destination: awsec2.FlowLogDestination_ToS3(named, nil, nil),
		TrafficType: awsec2.FlowLogTrafficType_ALL,
	})
	stack := awscdk.Stack_Of(scope)
	account := stack.Account()
	source := stack.FormatArn(&awscdk.ArnComponents{Service: jsii.String("logs"), Resource: jsii.String("*")})
	allow := func(action string, resource *string) {
		added := bucket.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("delivery.logs.amazonaws.com"), nil)},
			Actions:    &[]*string{&action},
			Resources:  &[]*string{resource},
			Conditions: &map[string]any{
				"StringEquals": map[string]any{"aws:SourceAccount": account},
				"ArnLike":      map[string]any{"aws:SourceArn": source},
			},
		}))
		if added.PolicyDependable != nil {
			flows.Node().AddDependency(added.PolicyDependable)
		}
	}
	allow("s3:PutObject", bucket.ArnForObjects(jsii.String("AWSLogs/"+*account+"/*")))
	allow("s3:GetBucketAcl", bucket.BucketArn())
}

func subnets(props *Props) *[]*awsec2.SubnetConfiguration {
	fleet, loadBalancer := awsec2.SubnetType_PRIVATE_ISOLATED, awsec2.SubnetType_PRIVATE_ISOLATED
	if props.NAT {
		fleet = awsec2.SubnetType_PRIVATE_WITH_EGRESS
	}
	if props.Public {
		loadBalancer = awsec2.SubnetType_PUBLIC
	}
	configuration := []*awsec2.SubnetConfiguration{
		{Name: jsii.String(fleetSubnets), SubnetType: fleet},
		{Name: jsii.String(loadBalancerSubnets), SubnetType: loadBalancer, CidrMask: jsii.Number(addresses.LoadBalancerMask)},
	}
	if props.NAT {
		// Subnets of their own, since the load balancer's may have no route out.
		configuration = append(configuration, &awsec2.SubnetConfiguration{
			Name: jsii.String(egressSubnets), SubnetType: awsec2.SubnetType_PUBLIC, CidrMask: jsii.Number(addresses.EgressMask),
		})
	}
	for _, c := range configuration {
		if c.SubnetType == awsec2.SubnetType_PUBLIC {
			c.MapPublicIpOnLaunch = jsii.Bool(false) // load balancers and NAT gateways have their own
		}
	}
	return &configuration
}

// natGateways is one for each zone: with fewer, one zone's failure would cut
// off the others.
func natGateways(props *Props) *float64 {
	if props.NAT {
		return jsii.Number(maxZones)
	}
	return jsii.Number(0)
}

// attachInternetGateway makes the gateway that Vpc leaves out when every subnet
// is isolated. Source: AWS Global Accelerator, "Requirements for endpoints with
// client IP address preservation". Its ids are those that Vpc gives its own: a
// VPC takes one gateway, so another one could not be attached in an update that
// makes a subnet public.
func attachInternetGateway(vpc awsec2.Vpc) constructs.IDependable {
	gateway := awsec2.NewCfnInternetGateway(vpc, jsii.String("IGW"), nil)
	return awsec2.NewCfnVPCGatewayAttachment(vpc, jsii.String("VPCGW"), &awsec2.CfnVPCGatewayAttachmentProps{
		VpcId:             vpc.VpcId(),
		InternetGatewayId: gateway.Ref(),
	})
}
