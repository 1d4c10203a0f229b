package fleet

import (
	"strings"

	"github.com/archipelago-cdk/archipelago/constructs/internal/awscall"
	"github.com/archipelago-cdk/archipelago/constructs/internal/required"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/customresources"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// InstanceTypeParameterProps configure the parameter that holds a fleet's
// instance type.
type InstanceTypeParameterProps struct {
	// Name is the parameter's name, with its leading slash. Required.
	Name string `required:"true"`
	// StartAt is the instance type that it is created with. Required.
	StartAt string `required:"true"`
	// Protect keeps the parameter when its stack is deleted. Default: false.
	Protect bool
}

// instanceTypePattern is what a type looks like, such as m7g.medium or u7i-12tb.224xlarge.
const instanceTypePattern = `^[a-z0-9-]+\.[a-z0-9-]+$`

// NewInstanceTypeParameter creates the parameter once and never writes it
// again: what it holds afterwards belongs to the fleet. A CloudFormation
// parameter would be set back to its template's value whenever any property of
// it changes, even a tag (github.com/aws/aws-cdk/issues/25949). It returns what a
// fleet of the same stack depends on.
func NewInstanceTypeParameter(scope constructs.Construct, id string, props *InstanceTypeParameterProps) constructs.Construct {
	required.Check("fleet", props)
	create := &customresources.AwsSdkCall{
		Service: jsii.String("SSM"),
		Action:  jsii.String("putParameter"),
		Parameters: map[string]any{
			"Name":      props.Name,
			"Type":      "String",
			"Value":     props.StartAt,
			"Overwrite": false,
			// A later write has to be a type, too.
			"AllowedPattern": instanceTypePattern,
			"Description":    "Instance type of the fleet; written once by the deployment, then by the fleet's scaling",
		},
		// One that was kept from an earlier deployment is right as it is.
		IgnoreErrorCodesMatching: jsii.String("ParameterAlreadyExists"),
		PhysicalResourceId:       customresources.PhysicalResourceId_Of(&props.Name),
	}
	var remove *customresources.AwsSdkCall
	parameter := awscdk.Stack_Of(scope).FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("ssm"), Resource: jsii.String("parameter"), ResourceName: jsii.String(strings.TrimPrefix(props.Name, "/")),
	})
	statements := []awsiam.PolicyStatement{awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings("ssm:PutParameter"), Resources: &[]*string{parameter},
		// Source: AWS Systems Manager User Guide, "Preventing changes to existing
		// parameters using ssm:Overwrite".
		Conditions: &map[string]any{"StringNotEquals": map[string]any{"ssm:Overwrite": "true"}},
	})}
	if !props.Protect {
		statements = append(statements, awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions: jsii.Strings("ssm:DeleteParameter"), Resources: &[]*string{parameter},
		}))
		remove = &customresources.AwsSdkCall{
			Service:                  jsii.String("SSM"),
			Action:                   jsii.String("deleteParameter"),
			Parameters:               map[string]any{"Name": props.Name},
			IgnoreErrorCodesMatching: jsii.String("ParameterNotFound"),
		}
	}
	return awscall.New(scope, id, &customresources.AwsCustomResourceProps{
		OnCreate: create,
		OnDelete: remove,
		Policy:   customresources.AwsCustomResourcePolicy_FromStatements(&statements),
	})
}
