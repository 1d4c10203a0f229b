package fleet_test

import (
	"github.com/archipelago-cdk/archipelago/constructs/fleet"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	elb "github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/jsii-runtime-go"
)

// A fleet behind a load balancer of CDK's own, in a VPC that exists. CloudFormation
// replaces its instances.
func Example() {
	app := awscdk.NewApp(nil)
	stack := awscdk.NewStack(app, jsii.String("Shop"), &awscdk.StackProps{
		Env: &awscdk.Environment{Account: jsii.String("123456789012"), Region: jsii.String("eu-west-1")},
	})
	vpc := awsec2.Vpc_FromVpcAttributes(stack, jsii.String("Vpc"), &awsec2.VpcAttributes{
		VpcId: jsii.String("vpc-0123456789abcdef0"), AvailabilityZones: jsii.Strings("eu-west-1a", "eu-west-1b"),
		PrivateSubnetIds: jsii.Strings("subnet-0123456789abcdef0", "subnet-0123456789abcdef1"),
	})
	balancer := elb.NewApplicationLoadBalancer(stack, jsii.String("Balancer"), &elb.ApplicationLoadBalancerProps{Vpc: vpc})
	targets := balancer.AddListener(jsii.String("Http"), &elb.BaseApplicationListenerProps{Port: jsii.Number(80)}).
		AddTargets(jsii.String("Targets"), &elb.AddApplicationTargetsProps{Port: jsii.Number(8080), Protocol: elb.ApplicationProtocol_HTTP})
	parameter := fleet.NewInstanceTypeParameter(stack, "InstanceType", &fleet.InstanceTypeParameterProps{
		Name: "/shop/fleet/instance-type", StartAt: "m7g.medium",
	})
	machines := fleet.New(stack, "Fleet", &fleet.Props{
		VPC: vpc, LoadBalancer: balancer, TargetGroup: targets, Port: 8080, HealthPath: "/livez",
		Service:               fleet.Service{Name: "shop", Binary: "dist/shop"},
		Max:                   6,
		InstanceTypeParameter: "/shop/fleet/instance-type",
	})
	machines.Construct.Node().AddDependency(parameter)
	app.Synth(nil)
}
