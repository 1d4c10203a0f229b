package lighthouse_test

import (
	"github.com/archipelago-cdk/archipelago/constructs/lighthouse"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	elb "github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"
)

// A lighthouse that makes users leave a region whose table fails.
func Example() {
	app := awscdk.NewApp(nil)
	stack := awscdk.NewStack(app, jsii.String("Shop"), &awscdk.StackProps{
		Env: &awscdk.Environment{Account: jsii.String("123456789012"), Region: jsii.String("eu-west-1")},
	})
	vpc := awsec2.NewVpc(stack, jsii.String("Vpc"), nil)
	balancer := elb.NewApplicationLoadBalancer(stack, jsii.String("Balancer"), &elb.ApplicationLoadBalancerProps{Vpc: vpc})
	listener := balancer.AddListener(jsii.String("Http"), &elb.BaseApplicationListenerProps{
		Port: jsii.Number(80), DefaultAction: elb.ListenerAction_FixedResponse(jsii.Number(404), nil),
	})
	orders := awsdynamodb.Table_FromTableName(stack, jsii.String("Orders"), jsii.String("shop-orders"))
	lighthouse.New(stack, "Lighthouse", &lighthouse.Props{
		Name: "shop-lighthouse", Deployment: "shop", Code: "dist/lighthouse.zip", Architecture: awslambda.Architecture_ARM_64(),
		VPC: vpc, LoadBalancer: balancer, Listener: listener, DrainParameter: "/shop/island/drained",
		Stores: []lighthouse.Store{{Part: "table orders", Table: orders, PartitionKey: "id"}},
	})
	app.Synth(nil)
}
