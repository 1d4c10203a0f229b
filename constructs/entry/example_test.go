package entry_test

import (
	"github.com/archipelago-cdk/archipelago/constructs/entry"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	elb "github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/jsii-runtime-go"
)

// An accelerator, and a region's load balancer behind it.
func Example() {
	app := awscdk.NewApp(nil)
	stack := awscdk.NewStack(app, jsii.String("Shop"), &awscdk.StackProps{
		Env: &awscdk.Environment{Account: jsii.String("123456789012"), Region: jsii.String("eu-west-1")},
	})
	global := awscdk.NewStack(app, jsii.String("Entry"), &awscdk.StackProps{
		Env: &awscdk.Environment{Account: jsii.String("123456789012"), Region: jsii.String("eu-west-1")},
	})
	entry.New(global, "Entry", &entry.Props{
		Name: "shop", Ports: []int{80}, ListenerParameter: "/shop/entry/listener-arn", Regions: []string{"eu-west-1", "us-east-1"},
	})
	vpc := awsec2.NewVpc(stack, jsii.String("Vpc"), nil)
	balancer := elb.NewApplicationLoadBalancer(stack, jsii.String("Balancer"), &elb.ApplicationLoadBalancerProps{Vpc: vpc})
	stack.AddDependency(global, nil)
	entry.NewEndpoint(stack, "Endpoint", &entry.EndpointProps{LoadBalancer: balancer, ListenerParameter: "/shop/entry/listener-arn"})
	app.Synth(nil)
}
