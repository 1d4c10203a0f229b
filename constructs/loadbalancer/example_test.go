package loadbalancer_test

import (
	"github.com/archipelago-cdk/archipelago/constructs/loadbalancer"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/jsii-runtime-go"
)

// A public load balancer in a VPC of CDK's own.
func Example() {
	app := awscdk.NewApp(nil)
	stack := awscdk.NewStack(app, jsii.String("Shop"), &awscdk.StackProps{
		Env: &awscdk.Environment{Account: jsii.String("123456789012"), Region: jsii.String("eu-west-1")},
	})
	vpc := awsec2.NewVpc(stack, jsii.String("Vpc"), nil)
	loadbalancer.New(stack, "LoadBalancer", &loadbalancer.Props{VPC: vpc, Public: true, Port: 8080, HealthPath: "/livez"})
	app.Synth(nil)
}
