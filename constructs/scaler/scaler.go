// Package scaler owns the replacement of an island's instances: a function that a
// schedule and CloudFormation run, and what it may do. It brings the fleet to each
// new build, and gives it the instance type that its load asks for.
package scaler

import (
	"fmt"
	"strconv"
	"strings"
	_ "time/tzdata" // windows have time zones, and not each machine has a table of them

	"github.com/archipelago-cdk/archipelago/constructs/internal/function"
	"github.com/archipelago-cdk/archipelago/constructs/internal/live"
	"github.com/archipelago-cdk/archipelago/constructs/internal/required"
	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/archipelago-cdk/archipelago/scaling"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	elb "github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsscheduler"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsschedulertargets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Props configure a Scaler.
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
	// Mode is "off", "advise" or "auto": whether it decides on the instance type, and
	// whether it does what it decided. Required.
	Mode string `required:"true"`
	// GroupName is the name of the Auto Scaling group, of the same stack, whose one
	// override of LaunchTemplate is the instance type. Required: the group is created
	// after the function.
	GroupName string `required:"true"`
	// LaunchTemplate is what the instances are launched from. Required.
	LaunchTemplate awsec2.ILaunchTemplate `required:"true"`
	// SecurityGroup is the instances'. Required.
	SecurityGroup awsec2.ISecurityGroup `required:"true"`
	// InstanceRole is the instances' role. Required.
	InstanceRole awsiam.IRole `required:"true"`
	// VPC is where the instances run. Required.
	VPC awsec2.IVpc `required:"true"`
	// Subnets are those of VPC that instances run in. Default: the private ones.
	Subnets *awsec2.SubnetSelection
	// DeploymentAlarm stops a change of the instance type, and of the build. Required.
	DeploymentAlarm awscloudwatch.IAlarm `required:"true"`
	// Unguarded lets a deployment go on while that alarm is in ALARM, as it has to in order
	// to repair a fleet that fails already. Default: false.
	Unguarded bool
	// LoadBalancer sends requests to TargetGroup, which the instances are in; one that
	// is imported has to name the load balancer's ARN. Required.
	LoadBalancer elb.IApplicationLoadBalancer `required:"true"`
	TargetGroup  elb.IApplicationTargetGroup  `required:"true"`
	// Ladder are the instance types, the smallest first. Required.
	Ladder []string `required:"true"`
	// StartAt is the rung that RequestsPerTarget is right for. Required.
	StartAt string `required:"true"`
	// CPUTarget is the average CPU use, in percent, that the number of instances
	// is held to. Required.
	CPUTarget int `required:"true"`
	// Goal is the percentage of minutes in which 99 % of requests are to be answered
	// within GoalMilliseconds; by it the scaler plans the lowest rung. Default: 0, no
	// goal.
	Goal             float64
	GoalMilliseconds int
	// RequestsPerTarget is how many requests a minute an instance of StartAt takes
	// on. Default: 0, the fleet is not held to its requests.
	RequestsPerTarget int
	// Window is when steps may begin, such as "01:00-05:00". Default: always.
	Window string
	// InstanceTypeParameter, ScalingParameter and FrozenParameter are the names of
	// the SSM parameters that hold the fleet's instance type, what the scaler
	// remembers, and the switch that freezes it. Required; the last two need not
	// exist.
	InstanceTypeParameter, ScalingParameter, FrozenParameter string `required:"true"`
	// Memory reports whether instances publish their memory use. Default: false.
	Memory bool
}

// Scaler gives a fleet its instance type.
type Scaler struct {
	// Construct holds all of it.
	Construct constructs.Construct
	// Function is what decides.
	Function awslambda.Function
}

// every is how often the scaler looks: for deployments, and to decide. A load that is near
// what the fleet can do gives it no more time.
func every() awscdk.Duration { return awscdk.Duration_Minutes(jsii.Number(1)) }

// timeout is the function's, in seconds: its calls are tried again when AWS
// refuses them.
const timeout = 60

// New creates a Scaler. It panics with one sentence if props cannot work.
func New(scope constructs.Construct, id string, props *Props) *Scaler {
	required.Check("scaler", props)
	check(props)
	made := function.New(scope, id, &function.Props{
		Name:         props.Name,
		Noun:         "scaler",
		Description:  "Brings the fleet to each build, and gives it the instance type that its load asks for",
		Code:         props.Code,
		Architecture: props.Architecture,
		Timeout:      timeout,
		Retention:    awslogs.RetentionDays_THREE_MONTHS, // decisions are looked back at
		Environment:  environment(scope, props),
		Concurrency:  1, // two runs at once could forget each other's step
	})
	grant(scope, props, made.Role)
	// A run that failed is tried twice more, a minute and two later. A request of
	// CloudFormation that comes while another run goes on is tried again after 1, 2, 4 s
	// and so on.
	made.ConfigureAsyncInvoke(&awslambda.EventInvokeConfigOptions{
		RetryAttempts: jsii.Number(2),
		MaxEventAge:   awscdk.Duration_Minutes(jsii.Number(15)),
	})
	schedule(made.Construct, made.Function)
	return &Scaler{Construct: made.Construct, Function: made.Function}
}

// check refuses what the function would refuse at its start, where a deployment waits for
// an hour.
func check(props *Props) {
	switch {
	case props.Mode != "off" && props.Mode != "advise" && props.Mode != "auto":
		panic(fmt.Sprintf("scaler: want the Mode off, advise or auto, got %q", props.Mode))
	case props.LaunchTemplate.LaunchTemplateId() == nil:
		panic("scaler: want a LaunchTemplate with an id: import it by that")
	}
	ladder, err := scaling.NewLadder(props.Ladder)
	if err != nil {
		panic(fmt.Sprintf("scaler: Ladder%v", err))
	}
	if ladder.Find(props.StartAt) < 0 {
		panic(fmt.Sprintf("scaler: want a StartAt of the Ladder %s, got %q", strings.Join(props.Ladder, ", "), props.StartAt))
	}
	if _, err := scaling.ParseWindow(props.Window); err != nil {
		panic(fmt.Sprintf("scaler: Window: %v", err))
	}
	if props.Mode == "off" { // it decides nothing
		return
	}
	if props.Goal > 0 && props.GoalMilliseconds <= 0 {
		panic(fmt.Sprintf("scaler: want GoalMilliseconds above 0 with a Goal, got %d", props.GoalMilliseconds))
	}
	if err := (scaling.Policy{Mode: scaling.Mode(props.Mode), CPUTarget: float64(props.CPUTarget)}).Validate(ladder); err != nil {
		panic(fmt.Sprintf("scaler: %v", err))
	}
}

// answerWithin is how long CloudFormation waits for an answer, its most.
func answerWithin() awscdk.Duration { return awscdk.Duration_Hours(jsii.Number(1)) }

// Live is what a group launches, as Hold has found it: a fleet's Live.
type Live = live.Live

// Hold adds what a deployment asks before it touches the group: it waits until no
// instance refresh is active, and answers what is live, so that the deployment writes
// that again and nothing else.
func (s *Scaler) Hold(scope constructs.Construct, id string) *Live {
	followed := &followed{}
	hold := awscdk.NewCustomResource(scope, &id, &awscdk.CustomResourceProps{
		ServiceToken:   s.Function.FunctionArn(),
		ServiceTimeout: answerWithin(),
		ResourceType:   jsii.String(setting.HoldType),
		Properties:     &map[string]any{"Group": awscdk.Lazy_Any(followed, nil)},
	})
	hold.Node().AddDependency(s.Construct)
	return &Live{
		LaunchTemplateID: hold.GetAttString(jsii.String("Template")),
		Version:          hold.GetAttString(jsii.String("Version")),
		InstanceType:     hold.GetAttString(jsii.String("Type")),
		Follow:           func(properties func() any) { followed.properties = properties },
	}
}

type followed struct{ properties func() any }

// Produce returns what is followed. Without it the hold would ask at its first deployment
// alone.
func (f *followed) Produce() any {
	if f.properties == nil {
		panic("scaler: want Follow called on what Hold returns, with what a deployment changes")
	}
	return f.properties()
}

// Rollout adds what brings the fleet to a build, after all that it needs. Version is
// of the launch template, and only says that something changed: the build is found by
// its name.
func (s *Scaler) Rollout(scope constructs.Construct, id string, build, version *string, after ...constructs.IDependable) awscdk.CustomResource {
	rollout := awscdk.NewCustomResource(scope, &id, &awscdk.CustomResourceProps{
		ServiceToken:   s.Function.FunctionArn(),
		ServiceTimeout: answerWithin(),
		ResourceType:   jsii.String(setting.RolloutType),
		Properties:     &map[string]any{"Build": build, "Version": version},
	})
	rollout.Node().AddDependency(append(after, s.Construct)...)
	return rollout
}

func environment(scope constructs.Construct, props *Props) map[string]*string {
	values := map[string]*string{
		setting.Deployment:            &props.Deployment,
		setting.ScalerMode:            &props.Mode,
		setting.Ladder:                jsii.String(strings.Join(props.Ladder, ",")),
		setting.StartAt:               &props.StartAt,
		setting.CPUTarget:             jsii.String(strconv.Itoa(props.CPUTarget)),
		setting.RequestsPerTarget:     jsii.String(strconv.Itoa(props.RequestsPerTarget)),
		setting.Template:              props.LaunchTemplate.LaunchTemplateId(),
		setting.Group:                 &props.GroupName,
		setting.Stack:                 awscdk.Stack_Of(scope).StackId(),
		setting.DeploymentAlarm:       props.DeploymentAlarm.AlarmName(),
		setting.LoadBalancerARN:       props.LoadBalancer.LoadBalancerArn(),
		setting.TargetGroup:           fullName(props.TargetGroup),
		setting.TargetGroupARN:        props.TargetGroup.TargetGroupArn(),
		setting.Unguarded:             jsii.String(strconv.FormatBool(props.Unguarded)),
		setting.InstanceTypeParameter: &props.InstanceTypeParameter,
		setting.ScalingParameter:      &props.ScalingParameter,
		setting.FrozenParameter:       &props.FrozenParameter,
		setting.KnowsMemory:           jsii.String(strconv.FormatBool(props.Memory)),
	}
	if props.Goal > 0 && props.Mode != "off" {
		values[setting.Goal] = jsii.String(strconv.FormatFloat(props.Goal, 'f', -1, 64))
		values[setting.GoalMilliseconds] = jsii.String(strconv.Itoa(props.GoalMilliseconds))
	}
	if props.Window != "" {
		values[setting.Window] = &props.Window
	}
	return values
}

// Notify has a topic hear of steps, and of deployments that fail.
func (s *Scaler) Notify(topic awssns.ITopic) {
	s.Function.AddEnvironment(jsii.String(setting.Topic), topic.TopicArn(), nil)
	s.Function.AddToRolePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings("sns:Publish"), Resources: &[]*string{topic.TopicArn()},
	}))
	if key := topic.MasterKey(); key != nil {
		s.Function.AddToRolePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions: jsii.Strings("kms:Decrypt", "kms:GenerateDataKey"), Resources: &[]*string{key.KeyArn()},
		}))
	}
}

// fullName is what the group's metrics call it. CDK's interface of a target group,
// which an imported one has, tells it by its metrics only.
func fullName(group elb.IApplicationTargetGroup) *string {
	dimensions := *group.Metrics().HealthyHostCount(nil).Dimensions()
	return jsii.String(dimensions["TargetGroup"].(string))
}

// schedule runs the function. A run is told when it was due: one that is tried again
// looks at the same minutes. The id of the role that CDK would make is another one after
// each change of the app, and its grant has versions that there are not.
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
	awsscheduler.NewSchedule(scope, jsii.String("Schedule"), &awsscheduler.ScheduleProps{
		Description: jsii.String("Runs the scaler"),
		Schedule:    awsscheduler.ScheduleExpression_Rate(every()),
		Target: awsschedulertargets.NewLambdaInvoke(function, &awsschedulertargets.ScheduleTargetBaseProps{
			Input:         awsscheduler.ScheduleTargetInput_FromObject(map[string]any{"time": awsscheduler.ContextAttribute_ScheduledTime()}),
			MaxEventAge:   awscdk.Duration_Minutes(jsii.Number(5)), // it looks at the same minutes then
			RetryAttempts: jsii.Number(3),
			Role:          role.WithoutPolicyUpdates(nil),
		}),
	}).Node().AddDependency(role)
}
