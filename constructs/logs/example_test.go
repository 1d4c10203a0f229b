package logs_test

import (
	"github.com/archipelago-cdk/archipelago/constructs/logs"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

// A bucket that takes access logs, and a log group.
func Example() {
	app := awscdk.NewApp(nil)
	stack := awscdk.NewStack(app, jsii.String("Shop"), &awscdk.StackProps{
		Env: &awscdk.Environment{Account: jsii.String("123456789012"), Region: jsii.String("eu-west-1")},
	})
	logs.NewBucket(stack, "Logs", &logs.BucketProps{Name: "shop-logs-123456789012-eu-west-1", Protect: true})
	logs.NewGroup(stack, "Service", &logs.GroupProps{Name: "/shop/service"})
	app.Synth(nil)
}
