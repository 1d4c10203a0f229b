// Package lighthouse gives an island a health of its own, apart from that of
// its machines: a function behind the load balancer that tries what the island
// cannot work without.
package lighthouse

import (
	"slices"
	"strconv"
	"strings"

	"github.com/archipelago-cdk/archipelago/constructs/internal/function"
	"github.com/archipelago-cdk/archipelago/constructs/internal/required"
	"github.com/archipelago-cdk/archipelago/constructs/internal/watched"
	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	elb "github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Props configure a Lighthouse.
type Props struct {
	// Name is the function's name. Required: operators call it.
	Name string `required:"true"`
	// Deployment is the deployment's name, by which its metrics are found. Required.
	Deployment string `required:"true"`
	// Code is the path of the function's deployment package, a zip with a program
	// named bootstrap. Required.
	Code string `required:"true"`
	// Architecture is what the program is built for. Required.
	Architecture awslambda.Architecture `required:"true"`
	// VPC is the load balancer's. Required.
	VPC awsec2.IVpc `required:"true"`
	// LoadBalancer is unhealthy, to the entry, while the lighthouse is dark. Required.
	LoadBalancer elb.IApplicationLoadBalancer `required:"true"`
	// Listener is the load balancer's for users, whose rule of priority 1 is the
	// lighthouse's. Required.
	Listener elb.IApplicationListener `required:"true"`
	// Stores are what the island cannot work without. Default: none, it is lit unless
	// it is drained.
	Stores []Store
	// PulseGroup is the name of the Auto Scaling group of a fleet with a Pulse on the same
	// Stores: while they answer the lighthouse and the fleet is silent, the island is
	// dark. Default: none, nothing is made of what the fleet reaches.
	PulseGroup string
	// BalancerAlarm is the name of an alarm on what the load balancer fails by itself, in
	// ALARM of which the island is dark. It need not exist. Default: none, the load
	// balancer's own errors darken nothing.
	BalancerAlarm string
	// ReplicaRegions are the other regions, with a Lighthouse of their own on replicas of
	// the tables in Stores: how old the last write of theirs is that has arrived here is
	// published. Default: none.
	ReplicaRegions []string
	// DrainParameter is the name of the SSM parameter with which an operator
	// darkens the island. Required; it need not exist.
	DrainParameter string `required:"true"`
	// Drained keeps the island dark. Default: false.
	Drained bool
}

// Store is a table or a bucket of the island's region, of which the lighthouse
// reads and writes an item or object of its own.
type Store = watched.Store

// Lighthouse is an island's health.
type Lighthouse struct {
	// Construct holds all of it but TargetGroup.
	Construct constructs.Construct
	// Function is what the load balancer asks.
	Function awslambda.Function
	// ReplicationAge reports whether it publishes how old other regions' last writes are.
	ReplicationAge bool
	// TargetGroup has it as its only target. It is within the load balancer, so that
	// one that is replaced comes with another group; an imported one is not this app's
	// to replace, and the group of that is within Construct.
	TargetGroup elb.ApplicationTargetGroup
}

// How often the load balancer asks, in seconds. The island is dark two misses
// after something broke, and lit three passes after it healed. The interval has
// to be longer than the function may take.
const (
	timeout       = 8
	checkTimeout  = 10
	checkInterval = 15
	missesToDark  = 2
	passesToLight = 3
)

// concurrency is kept for the function, so that no other one of the account
// darkens an island: each node of the load balancer asks once in an interval.
const concurrency = 5

// New creates a Lighthouse. An accelerator and Route 53 take a load balancer for
// healthy only while each of its target groups has a healthy target, and an
// Auto Scaling group looks at its own target group only: so a dark lighthouse
// moves users and replaces no instance. Source: AWS Global Accelerator,
// "Changing health check options"; Elastic Load Balancing, "Lambda functions as
// targets".
func New(scope constructs.Construct, id string, props *Props) *Lighthouse {
	required.Check("lighthouse", props)
	watched.Check("lighthouse", "Stores", props.Stores)
	environment := map[string]*string{
		setting.Deployment:     &props.Deployment,
		setting.Watched:        jsii.String(watched.Setting(props.Stores)),
		setting.DrainParameter: &props.DrainParameter,
		setting.Drained:        jsii.String(strconv.FormatBool(props.Drained)),
	}
	if props.PulseGroup != "" {
		environment[setting.PulseGroup] = &props.PulseGroup
	}
	if props.BalancerAlarm != "" {
		environment[setting.BalancerAlarm] = &props.BalancerAlarm
	}
	replicated := len(props.ReplicaRegions) > 0 && watched.PulseTable(props.Stores) != nil
	if replicated {
		environment[setting.ReplicaRegions] = jsii.String(strings.Join(sorted(props.ReplicaRegions), ","))
	}
	made := function.New(scope, id, &function.Props{
		Name:         props.Name,
		Noun:         "lighthouse",
		Description:  "Tells the load balancer whether the island can do its work",
		Code:         props.Code,
		Architecture: props.Architecture,
		Timeout:      timeout,
		Retention:    awslogs.RetentionDays_ONE_MONTH,
		Environment:  environment,
		Concurrency:  concurrency,
	})
	this := made.Construct
	grant(this, props, made.Role)
	targets := elb.NewApplicationTargetGroup(scopeOf(props.LoadBalancer, this), &id, &elb.ApplicationTargetGroupProps{
		TargetType: elb.TargetType_LAMBDA,
		HealthCheck: &elb.HealthCheck{
			Enabled:                 jsii.Bool(true), // off by default for a function
			Path:                    jsii.String(setting.LighthousePath),
			HealthyHttpCodes:        jsii.String("200"),
			Interval:                awscdk.Duration_Seconds(jsii.Number(checkInterval)),
			Timeout:                 awscdk.Duration_Seconds(jsii.Number(checkTimeout)),
			HealthyThresholdCount:   jsii.Number(passesToLight),
			UnhealthyThresholdCount: jsii.Number(missesToDark),
		},
	})
	// CDK's own target would let every load balancer of every account call the
	// function; this group's name is not known before the function is its target.
	permission := awslambda.NewCfnPermission(made.Function, jsii.String("LoadBalancer"), &awslambda.CfnPermissionProps{
		Action:       jsii.String("lambda:InvokeFunction"),
		FunctionName: made.FunctionArn(),
		Principal:    jsii.String("elasticloadbalancing.amazonaws.com"),
		SourceArn: awscdk.Stack_Of(this).FormatArn(&awscdk.ArnComponents{
			Service: jsii.String("elasticloadbalancing"), Resource: jsii.String("targetgroup"), ResourceName: jsii.String("*"),
		}),
	})
	group := targets.Node().DefaultChild().(elb.CfnTargetGroup)
	group.SetTargets([]any{&elb.CfnTargetGroup_TargetDescriptionProperty{Id: made.FunctionArn()}})
	group.Node().AddDependency(permission)
	// Health checks pass no listener. The rule makes the group one of the load
	// balancer's, and lets nobody outside the network keep the function busy.
	elb.NewApplicationListenerRule(this, jsii.String("Rule"), &elb.ApplicationListenerRuleProps{
		Listener: props.Listener,
		Priority: jsii.Number(1),
		Conditions: &[]elb.ListenerCondition{
			elb.ListenerCondition_PathPatterns(jsii.Strings(setting.LighthousePath)),
			elb.ListenerCondition_SourceIps(&[]*string{props.VPC.VpcCidrBlock()}),
		},
		Action: elb.ListenerAction_Forward(&[]elb.IApplicationTargetGroup{targets}, nil),
	})
	return &Lighthouse{Construct: this, Function: made.Function, ReplicationAge: replicated, TargetGroup: targets}
}

// scopeOf is where the target group of a load balancer is placed: a group belongs to
// one load balancer. An imported one is not a scope in Go.
func scopeOf(balancer elb.IApplicationLoadBalancer, other constructs.Construct) constructs.Construct {
	if own, ok := balancer.(constructs.Construct); ok {
		return own
	}
	return other
}

// grant lets the function touch its own items, its own objects and its switch.
func grant(scope constructs.Construct, props *Props, role awsiam.Role) {
	stack := awscdk.Stack_Of(scope)
	region := *stack.Region()
	for _, s := range props.Stores {
		if s.Table != nil {
			grantItem(s, region, role)
			if !s.ReadOnly && len(props.ReplicaRegions) > 0 {
				s.GrantItems(role, itemsOf(props.ReplicaRegions), "dynamodb:GetItem")
			}
		} else {
			grantObject(s, region, role)
		}
	}
	if table := watched.PulseTable(props.Stores); table != nil && props.PulseGroup != "" {
		table.GrantItem(role, setting.PulseItem(region), "dynamodb:GetItem")
		role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions:   jsii.Strings("autoscaling:DescribeAutoScalingGroups"),
			Resources: jsii.Strings("*"), // the action knows no resources
		}))
	}
	if props.BalancerAlarm != "" {
		role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions: jsii.Strings("cloudwatch:DescribeAlarms"),
			Resources: &[]*string{stack.FormatArn(&awscdk.ArnComponents{ // a call by names lists alarms
				Service: jsii.String("cloudwatch"), Resource: jsii.String("alarm"), ResourceName: jsii.String("*"),
				ArnFormat: awscdk.ArnFormat_COLON_RESOURCE_NAME,
			})},
		}))
	}
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings("ssm:GetParameter"),
		Resources: &[]*string{stack.FormatArn(&awscdk.ArnComponents{
			Service: jsii.String("ssm"), Resource: jsii.String("parameter"), ResourceName: jsii.String(strings.TrimPrefix(props.DrainParameter, "/")),
		})},
	}))
}

func grantItem(s Store, region string, role awsiam.Role) {
	actions := []string{"dynamodb:GetItem"}
	if !s.ReadOnly {
		actions = append(actions, "dynamodb:UpdateItem")
	}
	s.GrantItem(role, setting.LighthouseItem(region), actions...)
}

func itemsOf(regions []string) (keys []string) {
	for _, region := range sorted(regions) {
		keys = append(keys, setting.LighthouseItem(region))
	}
	return keys
}

// sorted has the same regions in another order change nothing.
func sorted(regions []string) []string { return slices.Sorted(slices.Values(regions)) }

func grantObject(s Store, region string, role awsiam.Role) {
	actions := []string{"s3:GetObject"}
	if !s.ReadOnly {
		actions = append(actions, "s3:PutObject")
	}
	s.GrantObject(role, region, actions...)
	if s.ReadOnly {
		s.GrantList(role) // nobody writes the object
	}
}
