// Package scaler gives an island's fleet the instance type that its load asks for:
// a function that a schedule runs, and what it may do.
package scaler

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/archipelago-cdk/archipelago/constructs/internal/function"
	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsautoscaling"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	elb "github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsscheduler"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Props configure a Scaler.
type Props struct {
	// Name is the function's name. Required: operators call it.
	Name string
	// Deployment is the deployment's name, by which its metrics are found. Required.
	Deployment string
	// Code is the path of the function's deployment package, a zip with a program
	// named bootstrap. Required.
	Code string
	// Architecture is what the program is built for. Required.
	Architecture awslambda.Architecture
	// Mode is "advise" or "auto": whether it says what it would do, or does it.
	// Required.
	Mode string
	// Group is the Auto Scaling group, of the same stack, whose one override of
	// LaunchTemplate is the instance type. Required.
	Group awsautoscaling.IAutoScalingGroup
	// LaunchTemplate is what the instances are launched from. Required.
	LaunchTemplate awsec2.ILaunchTemplate
	// InstanceRole is the instances' role. Required.
	InstanceRole awsiam.IRole
	// VPC is where the instances run. Required.
	VPC awsec2.IVpc
	// Subnets are those of VPC that instances run in. Default: the private ones.
	Subnets *awsec2.SubnetSelection
	// DeploymentAlarm stops a change of the instance type. Required.
	DeploymentAlarm awscloudwatch.IAlarm
	// LoadBalancer sends requests to TargetGroup, which the instances are in; one that
	// is imported has to name the load balancer's ARN. Required.
	LoadBalancer elb.IApplicationLoadBalancer
	TargetGroup  elb.IApplicationTargetGroup
	// Ladder are the instance types, the smallest first. Required.
	Ladder []string
	// StartAt is the rung that RequestsPerTarget is right for. Required.
	StartAt string
	// CPUTarget is the average CPU use, in percent, that the number of instances
	// is held to. Required.
	CPUTarget int
	// RequestsPerTarget is how many requests a minute an instance of StartAt takes
	// on. Default: 0, the fleet is not held to its requests.
	RequestsPerTarget int
	// Window is when steps may begin, such as "01:00-05:00". Default: always.
	Window string
	// InstanceTypeParameter, ScalingParameter and FrozenParameter are the names of
	// the SSM parameters that hold the fleet's instance type, what the scaler
	// remembers, and the switch that freezes it. Required; the last two need not
	// exist.
	InstanceTypeParameter, ScalingParameter, FrozenParameter string
	// Memory reports whether instances publish their memory use. Default: false.
	Memory bool
	// Topic hears of steps. Default: nobody does.
	Topic awssns.ITopic
}

// Scaler gives a fleet its instance type.
type Scaler struct {
	// Construct holds all of it.
	Construct constructs.Construct
	// Function is what decides.
	Function awslambda.Function
}

// Every is how often the scaler runs, in minutes.
const Every = 5

// timeout is the function's, in seconds: its calls are tried again when AWS
// refuses them.
const timeout = 60

// New creates a Scaler. It panics with one sentence if props cannot work.
func New(scope constructs.Construct, id string, props *Props) *Scaler {
	check(props)
	function := function.New(scope, id, &function.Props{
		Name:         props.Name,
		Noun:         "scaler",
		Description:  "Gives the fleet the instance type that its load asks for",
		Code:         props.Code,
		Architecture: props.Architecture,
		Timeout:      timeout,
		Retention:    awslogs.RetentionDays_THREE_MONTHS, // decisions are looked back at
		Environment:  environment(scope, props),
		Concurrency:  1, // two runs at once could forget each other's step
	})
	grant(scope, props, function.Role)
	// A run that failed is tried twice more, a minute and two later; what is older
	// than the next one is of no use, so nothing keeps it.
	function.ConfigureAsyncInvoke(&awslambda.EventInvokeConfigOptions{
		RetryAttempts: jsii.Number(2),
		MaxEventAge:   awscdk.Duration_Minutes(jsii.Number(Every)),
	})
	schedule(function.Construct, function.Function)
	return &Scaler{Construct: function.Construct, Function: function.Function}
}

func check(props *Props) {
	switch {
	case props.Mode != "advise" && props.Mode != "auto":
		panic(fmt.Sprintf("scaler: want the Mode advise or auto, got %q", props.Mode))
	case props.Group == nil || props.LaunchTemplate == nil || props.InstanceRole == nil || props.VPC == nil ||
		props.DeploymentAlarm == nil || props.LoadBalancer == nil || props.TargetGroup == nil:
		panic("scaler: want a Group, LaunchTemplate, InstanceRole, VPC, DeploymentAlarm, LoadBalancer and TargetGroup in Props")
	case props.LaunchTemplate.LaunchTemplateId() == nil:
		panic("scaler: want a LaunchTemplate with an id: import it by that")
	}
}

func environment(scope constructs.Construct, props *Props) map[string]*string {
	values := map[string]*string{
		setting.Deployment:            &props.Deployment,
		setting.ScalerMode:            &props.Mode,
		setting.Ladder:                jsii.String(strings.Join(props.Ladder, ",")),
		setting.StartAt:               &props.StartAt,
		setting.CPUTarget:             jsii.String(strconv.Itoa(props.CPUTarget)),
		setting.RequestsPerTarget:     jsii.String(strconv.Itoa(props.RequestsPerTarget)),
		setting.Group:                 props.Group.AutoScalingGroupName(),
		setting.Stack:                 awscdk.Stack_Of(scope).StackId(),
		setting.DeploymentAlarm:       props.DeploymentAlarm.AlarmName(),
		setting.LoadBalancerARN:       props.LoadBalancer.LoadBalancerArn(),
		setting.TargetGroup:           fullName(props.TargetGroup),
		setting.InstanceTypeParameter: &props.InstanceTypeParameter,
		setting.ScalingParameter:      &props.ScalingParameter,
		setting.FrozenParameter:       &props.FrozenParameter,
		setting.KnowsMemory:           jsii.String(strconv.FormatBool(props.Memory)),
	}
	if props.Window != "" {
		values[setting.Window] = &props.Window
	}
	if props.Topic != nil {
		values[setting.Topic] = props.Topic.TopicArn()
	}
	return values
}

// fullName is what the group's metrics call it. CDK's interface of a target group,
// which an imported one has, tells it by its metrics only.
func fullName(group elb.IApplicationTargetGroup) *string {
	dimensions := *group.Metrics().HealthyHostCount(nil).Dimensions()
	return jsii.String(dimensions["TargetGroup"].(string))
}

// schedule runs the function. A run is told when it was due: one that is tried
// again looks at the same minutes.
func schedule(scope constructs.Construct, function awslambda.Function) {
	role := awsiam.NewRole(scope, jsii.String("ScheduleRole"), &awsiam.RoleProps{
		// Against a schedule of somebody else's.
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("scheduler.amazonaws.com"), &awsiam.ServicePrincipalOpts{
			Conditions: &map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": awscdk.Stack_Of(scope).Account()}},
		}),
		Description: jsii.String("Runs the scaler"),
	})
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings("lambda:InvokeFunction"), Resources: &[]*string{function.FunctionArn()},
	}))
	schedule := awsscheduler.NewCfnSchedule(scope, jsii.String("Schedule"), &awsscheduler.CfnScheduleProps{
		Description:        jsii.String("Runs the scaler"),
		ScheduleExpression: jsii.Sprintf("rate(%d minutes)", Every),
		FlexibleTimeWindow: &awsscheduler.CfnSchedule_FlexibleTimeWindowProperty{Mode: jsii.String("OFF")},
		Target: &awsscheduler.CfnSchedule_TargetProperty{
			Arn:     function.FunctionArn(),
			RoleArn: role.RoleArn(),
			Input:   jsii.String(`{"time":"<aws.scheduler.scheduled-time>"}`),
			RetryPolicy: &awsscheduler.CfnSchedule_RetryPolicyProperty{
				MaximumEventAgeInSeconds: jsii.Number(Every * 60),
				MaximumRetryAttempts:     jsii.Number(3),
			},
		},
	})
	schedule.Node().AddDependency(role)
}
