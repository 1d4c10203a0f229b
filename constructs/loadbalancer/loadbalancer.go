// Package loadbalancer gives an island its Application Load Balancer.
package loadbalancer

import (
	"github.com/archipelago-cdk/archipelago/constructs/network"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	elb "github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Props configure a LoadBalancer.
type Props struct {
	// Network is where it stands. Required.
	Network *network.Network
	// Public gives it public addresses. Default: false, it is reached through
	// an accelerator.
	Public bool
	// Protect forbids its deletion. Default: false.
	Protect bool
	// Port is the TCP port of the targets. Required.
	Port int
	// HealthPath is the path on which a target answers 200 while it can serve.
	// Required.
	HealthPath string
}

// LoadBalancer takes an island's requests to its fleet.
type LoadBalancer struct {
	// ALB is the load balancer itself.
	ALB elb.ApplicationLoadBalancer
	// Targets is the group that the fleet joins.
	Targets elb.ApplicationTargetGroup
	// SecurityGroup is what the fleet admits.
	SecurityGroup awsec2.ISecurityGroup
}

// ListenerPort is the TCP port on which users' requests arrive.
const ListenerPort = 80

// New creates a LoadBalancer.
func New(scope constructs.Construct, id string, props Props) *LoadBalancer {
	this := constructs.NewConstruct(scope, &id)
	securityGroup := awsec2.NewSecurityGroup(this, jsii.String("SecurityGroup"), &awsec2.SecurityGroupProps{
		Vpc:              props.Network.VPC,
		Description:      jsii.String("Load balancer, open to the world on its listener"),
		AllowAllOutbound: jsii.Bool(false),
	})
	// An accelerator keeps the client's address, so an internal load balancer
	// sees the world too.
	securityGroup.AddIngressRule(awsec2.Peer_AnyIpv4(), awsec2.Port_Tcp(jsii.Number(ListenerPort)),
		jsii.String("users"), nil)
	alb := elb.NewApplicationLoadBalancer(this, jsii.String("Alb"), &elb.ApplicationLoadBalancerProps{
		Vpc:                     props.Network.VPC,
		VpcSubnets:              props.Network.LoadBalancer,
		InternetFacing:          &props.Public,
		SecurityGroup:           securityGroup,
		DeletionProtection:      &props.Protect,
		DropInvalidHeaderFields: jsii.Bool(true),
	})
	alb.Node().AddDependency(props.Network.Internet)
	targets := elb.NewApplicationTargetGroup(this, jsii.String("Targets"), &elb.ApplicationTargetGroupProps{
		Vpc:        props.Network.VPC,
		TargetType: elb.TargetType_INSTANCE,
		Protocol:   elb.ApplicationProtocol_HTTP,
		Port:       jsii.Number(props.Port),
		HealthCheck: &elb.HealthCheck{
			Path:                    &props.HealthPath,
			HealthyHttpCodes:        jsii.String("200"),
			Interval:                awscdk.Duration_Seconds(jsii.Number(5)),
			Timeout:                 awscdk.Duration_Seconds(jsii.Number(2)),
			HealthyThresholdCount:   jsii.Number(2),
			UnhealthyThresholdCount: jsii.Number(2),
		},
		DeregistrationDelay:        awscdk.Duration_Seconds(jsii.Number(30)),
		LoadBalancingAlgorithmType: elb.TargetGroupLoadBalancingAlgorithmType_LEAST_OUTSTANDING_REQUESTS,
	})
	alb.AddListener(jsii.String("Http"), &elb.BaseApplicationListenerProps{
		Port:     jsii.Number(ListenerPort),
		Protocol: elb.ApplicationProtocol_HTTP,
		// The security group above says who may come in.
		Open:                jsii.Bool(false),
		DefaultTargetGroups: &[]elb.IApplicationTargetGroup{targets},
	})
	return &LoadBalancer{ALB: alb, Targets: targets, SecurityGroup: securityGroup}
}
