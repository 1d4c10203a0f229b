// Package awscall makes calls of AWS part of a deployment: what CloudFormation
// has no resource for, or only one of the stack's own region.
package awscall

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/customresources"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// logsID is the id, within a stack, of the log group of the function that makes
// all of the stack's calls.
const logsID = "AwsCallLogs"

// New is an AwsCustomResource with the SDK that Lambda brings and a log group
// that exists before its function. The one that CDK makes by default comes after
// it: a function that is called at once creates its own meanwhile, and the stack
// fails on what it finds (github.com/aws/aws-cdk/issues/34612).
func New(scope constructs.Construct, id string, props *customresources.AwsCustomResourceProps) customresources.AwsCustomResource {
	call := *props
	call.InstallLatestAwsSdk = jsii.Bool(false)
	call.LogGroup = logs(awscdk.Stack_Of(scope))
	return customresources.NewAwsCustomResource(scope, &id, &call)
}

func logs(stack awscdk.Stack) awslogs.ILogGroup {
	if group := stack.Node().TryFindChild(jsii.String(logsID)); group != nil {
		return group.(awslogs.LogGroup)
	}
	return awslogs.NewLogGroup(stack, jsii.String(logsID), &awslogs.LogGroupProps{
		Retention:     awslogs.RetentionDays_ONE_MONTH,
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
	})
}
