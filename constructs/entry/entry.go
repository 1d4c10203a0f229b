// Package entry gives a deployment its one address: an accelerator that takes
// each user to the nearest healthy island.
package entry

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsglobalaccelerator"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/customresources"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Props configure an Accelerator.
type Props struct {
	// Name is the accelerator's name. Required.
	Name string
	// Port is the TCP port that users connect to. Required.
	Port int
	// ListenerParameter is the name of the SSM parameter through which regions
	// learn the listener's ARN. Required.
	ListenerParameter string
	// Regions are where that parameter is published. Required.
	Regions []string
}

// Accelerator is the entry.
type Accelerator struct {
	// URL is the address for users.
	URL string
}

// New creates an Accelerator and publishes its listener to every region, so
// that a region registers itself and needs no other region for it.
func New(scope constructs.Construct, id string, props Props) *Accelerator {
	this := constructs.NewConstruct(scope, &id)
	accelerator := awsglobalaccelerator.NewAccelerator(this, jsii.String("Accelerator"), &awsglobalaccelerator.AcceleratorProps{
		AcceleratorName: &props.Name,
	})
	listener := accelerator.AddListener(jsii.String("Listener"), &awsglobalaccelerator.ListenerOptions{
		PortRanges: &[]*awsglobalaccelerator.PortRange{{FromPort: jsii.Number(props.Port)}},
	})
	for _, region := range props.Regions {
		publish(this, region, props.ListenerParameter, *listener.ListenerArn())
	}
	return &Accelerator{URL: "http://" + *accelerator.DnsName()}
}

func publish(scope constructs.Construct, region, parameter, value string) {
	put := &customresources.AwsSdkCall{
		Service: jsii.String("SSM"),
		Action:  jsii.String("putParameter"),
		Region:  &region,
		Parameters: map[string]any{
			"Name":        parameter,
			"Type":        "String",
			"Value":       value,
			"Overwrite":   true,
			"Description": "Listener of the accelerator that this region registers with",
		},
		PhysicalResourceId: customresources.PhysicalResourceId_Of(jsii.String(region + parameter)),
	}
	arn := awscdk.Stack_Of(scope).FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("ssm"), Region: &region,
		Resource: jsii.String("parameter"), ResourceName: jsii.String(parameter[1:]),
	})
	customresources.NewAwsCustomResource(scope, jsii.String("PublishTo"+region), &customresources.AwsCustomResourceProps{
		OnCreate: put,
		OnUpdate: put,
		OnDelete: &customresources.AwsSdkCall{
			Service:                  jsii.String("SSM"),
			Action:                   jsii.String("deleteParameter"),
			Region:                   &region,
			Parameters:               map[string]any{"Name": parameter},
			IgnoreErrorCodesMatching: jsii.String("ParameterNotFound"),
		},
		Policy: customresources.AwsCustomResourcePolicy_FromStatements(&[]awsiam.PolicyStatement{
			awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
				Actions:   jsii.Strings("ssm:PutParameter", "ssm:DeleteParameter"),
				Resources: &[]*string{arn},
			}),
		}),
		InstallLatestAwsSdk: jsii.Bool(false),
	})
}
