package tables_test

import (
	"github.com/archipelago-cdk/archipelago/constructs/tables"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/jsii-runtime-go"
)

// A table with replicas in two more regions, that outlives its stack.
func Example() {
	app := awscdk.NewApp(nil)
	stack := awscdk.NewStack(app, jsii.String("Shop"), &awscdk.StackProps{
		Env: &awscdk.Environment{Account: jsii.String("123456789012"), Region: jsii.String("eu-west-1")},
	})
	tables.New(stack, "Orders", &tables.Props{
		Name:         "shop-orders",
		PartitionKey: &awsdynamodb.Attribute{Name: jsii.String("id"), Type: awsdynamodb.AttributeType_STRING},
		Regions:      []string{"us-east-1", "us-west-2"},
		Protect:      true,
	})
	app.Synth(nil)
}
