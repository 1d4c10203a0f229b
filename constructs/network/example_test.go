package network_test

import (
	"github.com/archipelago-cdk/archipelago/constructs/network"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

// A VPC without a way to the internet, but for what an accelerator brings.
func Example() {
	app := awscdk.NewApp(nil)
	stack := awscdk.NewStack(app, jsii.String("Shop"), &awscdk.StackProps{
		Env: &awscdk.Environment{Account: jsii.String("123456789012"), Region: jsii.String("eu-west-1")},
	})
	network.DeclareZones(stack, nil, 3)
	network.New(stack, "Network", &network.Props{CIDR: "10.0.0.0/16"})
	app.Synth(nil)
}
