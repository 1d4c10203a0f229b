package entry

import (
	"github.com/archipelago-cdk/archipelago/constructs/internal/required"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	elb "github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsroute53"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// RecordProps configure a region's record.
type RecordProps struct {
	// LoadBalancer is where it sends this region's users to. Required.
	LoadBalancer elb.IApplicationLoadBalancer `required:"true"`
	// Host is the name, in Zone, that the record is of. Required.
	Host string `required:"true"`
	// Zone is the hosted zone that Host is in. Required.
	Zone awsroute53.IHostedZone `required:"true"`
}

// NewRecord registers scope's region as one of the answers to the host's
// name: the one for the users nearest to it, while each of its load
// balancer's target groups has a healthy target. A name without a healthy
// answer gets all of them. In a private zone, users are where the VPC is that asks.
// Source: Amazon Route 53 Developer Guide, "Latency-based routing in private hosted
// zones". It returns what holds the record.
func NewRecord(scope constructs.Construct, id string, props *RecordProps) constructs.Construct {
	required.Check("entry", props)
	this := constructs.NewConstruct(scope, &id)
	region := awscdk.Stack_Of(this).Region()
	awsroute53.NewCfnRecordSet(this, jsii.String("Record"), &awsroute53.CfnRecordSetProps{
		HostedZoneId:  props.Zone.HostedZoneId(),
		Name:          fullName(props.Host),
		Type:          jsii.String("A"),
		Region:        region,
		SetIdentifier: region,
		AliasTarget: &awsroute53.CfnRecordSet_AliasTargetProperty{
			DnsName:              props.LoadBalancer.LoadBalancerDnsName(),
			HostedZoneId:         props.LoadBalancer.LoadBalancerCanonicalHostedZoneId(),
			EvaluateTargetHealth: jsii.Bool(true),
		},
	})
	return this
}
