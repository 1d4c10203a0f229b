package buckets_test

import (
	"github.com/archipelago-cdk/archipelago/constructs/buckets"
	"github.com/archipelago-cdk/archipelago/constructs/logs"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
)

// A bucket in each of two regions, and a stack after both that has them replicate to
// each other.
func Example() {
	app := awscdk.NewApp(nil)
	account := jsii.String("123456789012")
	var all []awss3.IBucket
	var storage []awscdk.Stack
	for _, region := range []string{"eu-west-1", "us-east-1"} {
		stack := awscdk.NewStack(app, jsii.String("Storage-"+region), &awscdk.StackProps{Env: &awscdk.Environment{Account: account, Region: &region}})
		all = append(all, buckets.New(stack, "Files", &buckets.Props{
			Name:       "shop-files-123456789012-" + region,
			Logs:       logs.NewBucket(stack, "Logs", &logs.BucketProps{Name: "shop-logs-123456789012-" + region}),
			LogsPrefix: "files/",
		}))
		storage = append(storage, stack)
	}
	global := awscdk.NewStack(app, jsii.String("Global"), &awscdk.StackProps{Env: &awscdk.Environment{Account: account, Region: jsii.String("eu-west-1")}})
	for _, stack := range storage {
		global.AddDependency(stack, nil)
	}
	buckets.NewReplication(global, "Replication", &buckets.ReplicationProps{Buckets: all, Names: "shop-files-123456789012-*"})
	app.Synth(nil)
}
