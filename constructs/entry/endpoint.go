package entry

import (
	"github.com/archipelago-cdk/archipelago/constructs/internal/required"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	elb "github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsglobalaccelerator"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsglobalacceleratorendpoints"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsssm"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// EndpointProps configure a region's registration with the accelerator.
type EndpointProps struct {
	// LoadBalancer is what the accelerator sends this region's users to. Required.
	LoadBalancer elb.IApplicationLoadBalancer `required:"true"`
	// ListenerParameter is the name of the SSM parameter that Accelerator
	// published in this region. Required.
	ListenerParameter string `required:"true"`
	// Weight is how many percent of the users who are nearest to this region it
	// serves; 0 drains it. Default: 100.
	Weight *float64
}

// NewEndpoint registers scope's region with the accelerator. Its health is that
// of the load balancer's target groups: for a load balancer the accelerator
// looks at nothing else. It returns what holds the registration.
func NewEndpoint(scope constructs.Construct, id string, props *EndpointProps) constructs.Construct {
	required.Check("entry", props)
	this := constructs.NewConstruct(scope, &id)
	listener := awsssm.StringParameter_ValueForStringParameter(this, &props.ListenerParameter, nil)
	awsglobalaccelerator.NewEndpointGroup(this, jsii.String("Group"), &awsglobalaccelerator.EndpointGroupProps{
		Listener: awsglobalaccelerator.Listener_FromListenerArn(this, jsii.String("Listener"), listener),
		Region:   awscdk.Stack_Of(this).Region(),
		// The region's dial, not the endpoint's weight: a group has one endpoint.
		TrafficDialPercentage: props.Weight,
		Endpoints: &[]awsglobalaccelerator.IEndpoint{
			awsglobalacceleratorendpoints.NewApplicationLoadBalancerEndpoint(props.LoadBalancer,
				&awsglobalacceleratorendpoints.ApplicationLoadBalancerEndpointOptions{PreserveClientIp: jsii.Bool(true)}),
		},
	})
	return this
}
