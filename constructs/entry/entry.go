// Package entry gives a deployment its one address: an accelerator, or a record
// for each island, that takes each user to the nearest healthy one.
package entry

import (
	"fmt"
	"strings"

	"github.com/archipelago-cdk/archipelago/constructs/internal/awscall"
	"github.com/archipelago-cdk/archipelago/constructs/internal/required"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsglobalaccelerator"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsroute53"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsroute53targets"
	"github.com/aws/aws-cdk-go/awscdk/v2/customresources"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Props configure an Accelerator.
type Props struct {
	// Name is the accelerator's name. Required.
	Name string `required:"true"`
	// Ports are the TCP ports that users connect to. Required.
	Ports []int `required:"true"`
	// Host is the name, in Zone, that gets a record for it. Default: none, users know
	// it by AWS's name.
	Host string
	// Zone is the hosted zone that Host is in. Required with Host.
	Zone awsroute53.IHostedZone
	// ListenerParameter is the name of the SSM parameter through which regions
	// learn the listener's ARN. Required.
	ListenerParameter string `required:"true"`
	// Regions are where that parameter is published. Required.
	Regions []string `required:"true"`
}

// Accelerator is the entry.
type Accelerator struct {
	// Construct holds all of it.
	Construct constructs.Construct
	// URL is the address for users.
	URL string
	// ID is by which its metrics are found.
	ID string
}

// New creates an Accelerator and publishes its listener to every region, so
// that a region registers itself and needs no other region for it.
func New(scope constructs.Construct, id string, props *Props) *Accelerator {
	required.Check("entry", props)
	if props.Host != "" && props.Zone == nil {
		panic(fmt.Sprintf("entry: want the Zone that the Host %s is in", props.Host))
	}
	this := constructs.NewConstruct(scope, &id)
	accelerator := awsglobalaccelerator.NewAccelerator(this, jsii.String("Accelerator"), &awsglobalaccelerator.AcceleratorProps{
		AcceleratorName: &props.Name,
	})
	var ports []*awsglobalaccelerator.PortRange
	for _, port := range props.Ports {
		ports = append(ports, &awsglobalaccelerator.PortRange{FromPort: jsii.Number(port), ToPort: jsii.Number(port)})
	}
	listener := accelerator.AddListener(jsii.String("Listener"), &awsglobalaccelerator.ListenerOptions{
		PortRanges: &ports,
	})
	for _, region := range props.Regions {
		publish(this, region, props.ListenerParameter, *listener.ListenerArn())
	}
	acceleratorID := *awscdk.Fn_Select(jsii.Number(1), awscdk.Fn_Split(jsii.String("/"), accelerator.AcceleratorArn(), nil))
	if props.Host == "" {
		return &Accelerator{Construct: this, URL: "http://" + *accelerator.DnsName(), ID: acceleratorID}
	}
	awsroute53.NewARecord(this, jsii.String("Record"), &awsroute53.ARecordProps{
		Zone:       props.Zone,
		RecordName: fullName(props.Host),
		Target:     awsroute53.RecordTarget_FromAlias(awsroute53targets.NewGlobalAcceleratorTarget(accelerator, nil)),
	})
	return &Accelerator{Construct: this, URL: "https://" + props.Host, ID: acceleratorID}
}

// fullName is host with the dot that keeps CDK from adding the zone.
func fullName(host string) *string { return jsii.String(host + ".") }

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
	everywhere := awscdk.Stack_Of(scope).FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("ssm"), Region: jsii.String("*"),
		Resource: jsii.String("parameter"), ResourceName: jsii.String(strings.TrimPrefix(parameter, "/")),
	})
	awscall.New(scope, "PublishTo"+region, &customresources.AwsCustomResourceProps{
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
				Resources: &[]*string{everywhere},
			}),
		}),
	})
}
