package observability_test

import (
	"github.com/archipelago-cdk/archipelago/constructs/observability"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

// A dashboard over two regions.
func Example() {
	app := awscdk.NewApp(nil)
	stack := awscdk.NewStack(app, jsii.String("Shop"), &awscdk.StackProps{
		Env: &awscdk.Environment{Account: jsii.String("123456789012"), Region: jsii.String("eu-west-1")},
	})
	observability.NewGlobal(stack, "Observability", &observability.GlobalProps{
		Deployment: "shop", Dashboard: "shop", Impaired: "shop-island-impaired", LoadBalancer: "shop",
		Regions: []string{"eu-west-1", "us-east-1"},
		Group:   "shop-fleet",
		Tables:  []observability.Table{{ID: "Orders", Name: "shop-orders"}},
	})
	app.Synth(nil)
}
