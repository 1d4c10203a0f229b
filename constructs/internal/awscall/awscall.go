// Package awscall makes calls of AWS part of a deployment: what CloudFormation
// has no resource for, or only one of the stack's own region.
package awscall

import (
	_ "embed"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/customresources"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// The ids, within a stack, of the function that makes all of its calls, which is CDK's,
// and of its log group and role.
const (
	functionID = "AWS679f53fac002430cb0da5b7982bd2287"
	logsID     = "AwsCallLogs"
	roleID     = "AwsCallRole"
)

// code is that of the function.
//
//go:embed call.js
var code string

// New is an AwsCustomResource with the SDK that Lambda brings, a log group that exists
// before its function, one policy for all calls of its stack, and a function that
// repeats what is denied.
//
// The log group that CDK makes by default comes after the function: one that is called
// at once creates its own meanwhile, and the stack fails on what it finds
// (github.com/aws/aws-cdk/issues/34612).
//
// CDK gives each call a policy of its own, in force some seconds after the function is
// called already, which is then denied (github.com/aws/aws-cdk/issues/37675). The
// statements of props.Policy go into the role's one policy instead, which comes before
// the function. A call that is the same for each region should state what it needs for
// all of them, by a wildcard: one more region then changes no policy. In a new stack the
// policy is as new as the function, which CDK's would fail on: its code is replaced, since
// CloudFormation lets no custom resource have another function. It hands no response on.
func New(scope constructs.Construct, id string, props *customresources.AwsCustomResourceProps) constructs.Construct {
	stack := awscdk.Stack_Of(scope)
	shared := sharedRole(stack)
	for _, statement := range *props.Policy.Statements() {
		shared.AddToPrincipalPolicy(statement)
	}
	call := *props
	call.InstallLatestAwsSdk = jsii.Bool(false)
	call.LogGroup = logs(stack)
	call.Role, call.Policy = shared, nil
	resource := customresources.NewAwsCustomResource(scope, &id, &call)
	function := stack.Node().TryFindChild(jsii.String(functionID)).Node().DefaultChild().(awslambda.CfnFunction)
	function.SetCode(&awslambda.CfnFunction_CodeProperty{ZipFile: &code})
	return resource
}

func sharedRole(stack awscdk.Stack) awsiam.Role {
	if role := stack.Node().TryFindChild(jsii.String(roleID)); role != nil {
		return role.(awsiam.Role)
	}
	return awsiam.NewRole(stack, jsii.String(roleID), &awsiam.RoleProps{
		AssumedBy:   awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
		Description: jsii.String("What the calls of a deployment may do"),
		ManagedPolicies: &[]awsiam.IManagedPolicy{
			awsiam.ManagedPolicy_FromAwsManagedPolicyName(jsii.String("service-role/AWSLambdaBasicExecutionRole")),
		},
	})
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
