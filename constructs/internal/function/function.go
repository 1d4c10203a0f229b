// Package function gives an island a Lambda function of this repository's: a
// program of cmd, with a log group and a role of its own.
package function

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Props configure a Function.
type Props struct {
	// Name is the function's name, for one that operators call. Default:
	// CloudFormation's.
	Name string
	// Noun is what it is called in the role's description, and Description is what
	// it does. Required.
	Noun, Description string
	// Code is the path of its deployment package, a zip with a program named
	// bootstrap. Required.
	Code string
	// Architecture is what the program is built for. Required.
	Architecture awslambda.Architecture
	// Timeout is how long one event may take, in seconds. Required.
	Timeout int
	// Retention is how long its log is kept. Required.
	Retention awslogs.RetentionDays
	// Environment are its settings.
	Environment map[string]*string
	// Concurrency is how many events it handles at once, kept for it alone.
	// Default: 0, it shares the account's.
	Concurrency int
}

// Function is a Lambda function.
type Function struct {
	awslambda.Function
	// Construct holds all of it, and what is made of it.
	Construct constructs.Construct
	// Role is what it may do: at first to write its log, and no more.
	Role awsiam.Role
}

// New creates a Function. It is in no VPC: it reaches AWS at its public endpoints,
// also while the network is at fault.
func New(scope constructs.Construct, id string, props *Props) *Function {
	this := constructs.NewConstruct(scope, &id)
	logs := awslogs.NewLogGroup(this, jsii.String("Logs"), &awslogs.LogGroupProps{
		Retention:     props.Retention,
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
	})
	role := awsiam.NewRole(this, jsii.String("Role"), &awsiam.RoleProps{
		AssumedBy:   awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
		Description: jsii.String("What the " + props.Noun + " may do"),
	})
	logs.GrantWrite(role)
	options := &awslambda.FunctionProps{
		Description:  &props.Description,
		Runtime:      awslambda.Runtime_PROVIDED_AL2023(),
		Architecture: props.Architecture,
		Handler:      jsii.String("bootstrap"),
		Code:         awslambda.Code_FromAsset(&props.Code, nil),
		MemorySize:   jsii.Number(256),
		Timeout:      awscdk.Duration_Seconds(jsii.Number(props.Timeout)),
		Role:         role,
		LogGroup:     logs,
		Environment:  &props.Environment,
	}
	if props.Name != "" {
		options.FunctionName = &props.Name
	}
	if props.Concurrency > 0 {
		options.ReservedConcurrentExecutions = jsii.Number(props.Concurrency)
	}
	return &Function{Function: awslambda.NewFunction(this, jsii.String("Function"), options), Construct: this, Role: role}
}
