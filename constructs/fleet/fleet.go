// Package fleet gives an island its machines: a launch template that installs
// the service, and an Auto Scaling group whose instance type is kept in a
// parameter, or by a controller that also moves it from one build to the next.
package fleet

import (
	"maps"

	"github.com/archipelago-cdk/archipelago/constructs/internal/live"
	"github.com/archipelago-cdk/archipelago/constructs/internal/required"
	"github.com/archipelago-cdk/archipelago/constructs/internal/watched"
	"github.com/archipelago-cdk/archipelago/internal/al2023"
	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsautoscaling"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	elb "github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsssm"
	"github.com/aws/aws-cdk-go/awscdk/v2/interfaces/interfacesawscloudwatch"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Props configure a Fleet.
type Props struct {
	// VPC is where its instances run. Required.
	VPC awsec2.IVpc `required:"true"`
	// Subnets are those of VPC that instances run in. Default: the private ones.
	Subnets *awsec2.SubnetSelection
	// S3Endpoint is VPC's gateway endpoint of S3, where that has a policy: what
	// instances have to reach is added to it. Default: none, nothing between them and
	// S3 says what they may reach.
	S3Endpoint awsec2.GatewayVpcEndpoint
	// DependsOn are what instances need at their first boot, such as the endpoints by
	// which they reach AWS: the group is created after them. Default: none.
	DependsOn []constructs.IDependable
	// LoadBalancer sends it requests: instances admit it, and the deployment alarm is
	// on its answers. Required.
	LoadBalancer elb.IApplicationLoadBalancer `required:"true"`
	// TargetGroup is the load balancer's group that instances join. With
	// RequestsPerTarget it may not be an imported one. Required.
	TargetGroup elb.IApplicationTargetGroup `required:"true"`
	// Port is the TCP port the service listens on, from 1024. Required.
	Port int `required:"true"`
	// HealthPath is the path on which the service answers 200 while it can serve, such
	// as "/livez". Required with Agent, which is started when it does.
	HealthPath string
	// InstanceTypeParameter is the name of the SSM parameter that holds the
	// instance type. Required without Controller.
	InstanceTypeParameter string
	// GroupName is the Auto Scaling group's name. Default: CloudFormation makes one.
	GroupName string
	// Controller returns what the group launches, given the fleet without its group:
	// what moves the group from one build to the next is created before it. Default:
	// nil, CloudFormation replaces instances when the launch template or the instance
	// type changes.
	Controller func(*Fleet) *Live
	// AMI is the image, an Amazon Linux 2023. Default: AWS's latest for
	// Architecture, looked up at each deployment.
	AMI string
	// Architecture is that of the instance types. Default: arm64.
	Architecture awsec2.InstanceArchitecture
	// Service is what the instances run. Required.
	Service Service
	// Pulse says what instances reach. Default: nil, nothing does.
	Pulse *Pulse
	// Min is the fewest instances in service. Default: 2.
	Min int
	// Max is the most instances in service. Default: Min.
	Max int
	// Surge has three times as many instances at once where their CPU is at 85 % for a
	// minute: target tracking waits for three, and grows in proportion to a use that ends
	// at 100 %. Default: false.
	Surge bool
	// CPUTarget is the average CPU use, in percent, that the number of
	// instances is held to. Default: 55.
	CPUTarget int
	// RequestsPerTarget is how many requests a minute each instance takes on
	// before there are more. Default: 0, CPU alone decides.
	RequestsPerTarget int
	// Schedule are the times at which Min and Max change. Default: none.
	Schedule []Schedule
	// DisableDeploymentAlarm lets CloudFormation go on replacing instances while too many
	// requests fail, as it has to in order to repair a fleet that fails already. With
	// Controller it does nothing. Default: false.
	DisableDeploymentAlarm bool
	// Runbook is the address of what to do about the deployment alarm, with which its
	// description ends. Default: none.
	Runbook string
	// LogsBucket is what each instance puts its logs into, what the boot and the
	// service print, each minute in which there is something new, at
	// instances/SERVICE/TIME-INSTANCE.log. Default: none, they stay in the instance's
	// journal.
	LogsBucket awss3.IBucket
	// DecryptionKeys are the customer managed keys of what instances read by S3, Systems
	// Manager and Secrets Manager, such as the bootstrap's bucket: they may decrypt by
	// these services. Default: none, AWS's own keys need no permission.
	DecryptionKeys []awskms.IKey
	// VolumeKey encrypts the instances' volumes. A grant or its policy has to let the
	// service-linked role AWSServiceRoleForAutoScaling use it, or no instance is launched.
	// Default: the account's default key of EBS.
	VolumeKey awskms.IKey
	// Agent sends the instances' logs and metrics to CloudWatch. Default: nil,
	// nothing is sent.
	Agent *Agent
	// SessionManager lets operators open sessions on instances, with Session
	// Manager of AWS Systems Manager. Default: false.
	SessionManager bool
}

// Schedule changes a fleet's bounds at certain times. A bound of 0 stays.
type Schedule struct {
	// Name identifies it. Required.
	Name string `required:"true"`
	// Cron is when, in five fields. Required.
	Cron string `required:"true"`
	// Timezone is where that is the time. Default: UTC.
	Timezone string
	// Min and Max are the new bounds.
	Min, Max int
}

// Live is what a group launches while something other than CloudFormation moves it.
type Live = live.Live

// Fleet is an island's Auto Scaling group.
type Fleet struct {
	// Construct holds all of it.
	Construct constructs.Construct
	// Group is the Auto Scaling group.
	Group awsautoscaling.AutoScalingGroup
	// LaunchTemplate is what its instances are launched from.
	LaunchTemplate awsec2.LaunchTemplate
	// DeploymentAlarm is the alarm that stops a deployment.
	DeploymentAlarm awscloudwatch.Alarm
	// Build is a token of the launch template's content, which is the description of
	// its newest version: the same content is the same build.
	Build *string
	// SecurityGroup admits the load balancer to the instances.
	SecurityGroup awsec2.SecurityGroup
	// Role is what the service may do.
	Role awsiam.Role
}

// New creates a Fleet. It panics with one sentence if props cannot work.
func New(scope constructs.Construct, id string, props *Props) *Fleet {
	required.Check("fleet", props)
	if props.InstanceTypeParameter == "" && props.Controller == nil {
		panic("fleet: want an InstanceTypeParameter in Props, or a Controller")
	}
	if props.Pulse != nil {
		watched.Check("fleet", "Pulse.Stores", props.Pulse.Stores)
	}
	this := constructs.NewConstruct(scope, &id)
	props = withDefaults(props)
	role := awsiam.NewRole(this, jsii.String("Role"), &awsiam.RoleProps{
		AssumedBy:   awsiam.NewServicePrincipal(jsii.String("ec2.amazonaws.com"), nil),
		Description: jsii.String("What the service may do on an instance"),
	})
	if props.SessionManager {
		grantSessionManager(this, role)
	}
	if props.Agent != nil {
		props.Agent.grant(role)
	}
	grantDecryption(this, props, role)
	inside := securityGroup(this, props)
	template := awsec2.NewLaunchTemplate(this, jsii.String("LaunchTemplate"), &awsec2.LaunchTemplateProps{
		MachineImage:            image(this, props),
		Role:                    role,
		SecurityGroup:           inside,
		UserData:                props.Service.userData(this, props, role),
		DetailedMonitoring:      jsii.Bool(true), // scaling that sees a minute, not five
		RequireImdsv2:           jsii.Bool(true),
		HttpPutResponseHopLimit: jsii.Number(1),
		BlockDevices: &[]*awsec2.BlockDevice{{
			DeviceName: jsii.String("/dev/xvda"), // Amazon Linux's root
			Volume: awsec2.BlockDeviceVolume_Ebs(jsii.Number(8), &awsec2.EbsDeviceOptions{
				Encrypted:  jsii.Bool(true),
				VolumeType: awsec2.EbsDeviceVolumeType_GP3,
				KmsKey:     props.VolumeKey,
			}),
		}},
	})
	cfnTemplate := template.Node().DefaultChild().(awsec2.CfnLaunchTemplate)
	cfnTemplate.SetVersionDescription(newBuild(cfnTemplate))
	f := &Fleet{
		Construct: this, LaunchTemplate: template, Build: cfnTemplate.VersionDescription(),
		DeploymentAlarm: newDeploymentAlarm(this, props), SecurityGroup: inside, Role: role,
	}
	f.Group = newGroup(f, props)
	return f
}

func newGroup(f *Fleet, props *Props) awsautoscaling.AutoScalingGroup {
	var launched *Live
	var instanceType *string
	var policy awsautoscaling.UpdatePolicy
	if props.Controller != nil {
		launched = props.Controller(f)
		required.Check("fleet", launched)
		instanceType = launched.InstanceType
	} else {
		instanceType = awsssm.StringParameter_ValueForStringParameter(f.Construct, &props.InstanceTypeParameter, nil)
		policy = refresh(props, f.DeploymentAlarm)
	}
	var name *string
	if props.GroupName != "" {
		name = &props.GroupName
	}
	group := awsautoscaling.NewAutoScalingGroup(f.Construct, jsii.String("Group"), &awsautoscaling.AutoScalingGroupProps{
		AutoScalingGroupName: name,
		Vpc:                  props.VPC,
		VpcSubnets:           props.Subnets,
		MinCapacity:          jsii.Number(props.Min),
		MaxCapacity:          jsii.Number(props.Max),
		// The size is an override, not part of the launch template: a step to
		// another rung makes no new template version.
		MixedInstancesPolicy: &awsautoscaling.MixedInstancesPolicy{
			LaunchTemplate: f.LaunchTemplate,
			LaunchTemplateOverrides: &[]*awsautoscaling.LaunchTemplateOverrides{
				{InstanceType: awsec2.NewInstanceType(instanceType)},
			},
			InstancesDistribution: &awsautoscaling.InstancesDistribution{
				OnDemandPercentageAboveBaseCapacity: jsii.Number(100),
			},
		},
		HealthChecks: awsautoscaling.HealthChecks_WithAdditionalChecks(&awsautoscaling.AdditionalHealthChecksOptions{
			AdditionalTypes: &[]awsautoscaling.AdditionalHealthCheckType{awsautoscaling.AdditionalHealthCheckType_ELB},
			GracePeriod:     awscdk.Duration_Seconds(jsii.Number(setting.GracePeriod.Seconds())),
		}),
		DefaultInstanceWarmup: warmUp(),
		// Zones get equal shares; where one has no capacity the others make up.
		AzCapacityDistributionStrategy: awsautoscaling.CapacityDistributionStrategy_BALANCED_BEST_EFFORT,
		MaxInstanceLifetime:            awscdk.Duration_Days(jsii.Number(maxLifetime)),
		GroupMetrics:                   &[]awsautoscaling.GroupMetrics{awsautoscaling.GroupMetrics_All()},
		// Launch before terminate, whatever the reason to replace.
		MinHealthyPercentage: jsii.Number(100),
		MaxHealthyPercentage: jsii.Number(150),
		UpdatePolicy:         policy,
	})
	group.Node().AddDependency(props.DependsOn...)
	cfn := group.Node().DefaultChild().(awsautoscaling.CfnAutoScalingGroup)
	cfn.SetAvailabilityZoneImpairmentPolicy(&awsautoscaling.CfnAutoScalingGroup_AvailabilityZoneImpairmentPolicyProperty{
		ZonalShiftEnabled: jsii.Bool(true),
		// What cannot be reached in a zone that was left is not replaced there.
		ImpairedZoneHealthCheckBehavior: jsii.String("IgnoreUnhealthy"),
	})
	group.AttachToApplicationTargetGroup(props.TargetGroup)
	// Health checks of a target group without a load balancer never pass.
	group.Node().AddDependency(props.TargetGroup.LoadBalancerAttached())
	scale(group, props)
	if launched == nil {
		allowInstanceRefresh(cfn)
		return group
	}
	cfn.AddPropertyOverride(jsii.String("MixedInstancesPolicy.LaunchTemplate.LaunchTemplateSpecification"), map[string]any{
		"LaunchTemplateId": launched.LaunchTemplateID, "Version": launched.Version,
	})
	launched.Follow(func() any {
		properties := maps.Clone(*cfn.CfnProperties())
		delete(properties, "mixedInstancesPolicy")
		return properties
	})
	return group
}

// maxLifetime is after how many days an instance is replaced, so that none
// grows old with what leaks or was changed on it.
const maxLifetime = 14

// warmUp is how long a new instance's load says nothing about the fleet's.
func warmUp() awscdk.Duration { return awscdk.Duration_Seconds(jsii.Number(60)) }

// refresh is how a deployment replaces instances: a quarter of them first, then all
// others at once. One that fails fails the stack, whose rollback replaces them again, if
// the alarm is OK by then: AWS starts no refresh while it is not, and the stack is in
// UPDATE_ROLLBACK_FAILED. A fleet with a scaler has no such policy.
func refresh(props *Props, deploymentAlarm awscloudwatch.Alarm) awsautoscaling.UpdatePolicy {
	var checkpoints []*float64
	for _, percent := range setting.Checkpoints() {
		checkpoints = append(checkpoints, jsii.Number(percent))
	}
	options := &awsautoscaling.InstanceRefreshOptions{
		Strategy:             awsautoscaling.InstanceRefreshStrategy_ROLLING,
		MinHealthyPercentage: jsii.Number(100),
		MaxHealthyPercentage: jsii.Number(setting.DeploymentPercent),
		InstanceWarmup:       awscdk.Duration_Seconds(jsii.Number(setting.RefreshWarmup.Seconds())),
		// Instances that are right already are left: those of a size that scaling
		// has chosen.
		SkipMatching: jsii.Bool(true),
		// The alarm sees what the first quarter does before the others follow, and
		// what all do before the deployment is done.
		CheckpointPercentages: &checkpoints,
		CheckpointDelay:       awscdk.Duration_Minutes(jsii.Number(setting.AlarmMinutes)),
		BakeTime:              awscdk.Duration_Minutes(jsii.Number(setting.AlarmMinutes)),
	}
	if !props.DisableDeploymentAlarm {
		options.Alarms = &[]interfacesawscloudwatch.IAlarmRef{deploymentAlarm}
	}
	return awsautoscaling.UpdatePolicy_InstanceRefresh(options)
}

// surge grows the group by an alarm of one minute, beside target tracking, of whose sizes
// Auto Scaling takes the larger. Source: EC2 Auto Scaling User Guide, "Step and simple
// scaling policies" and "Multiple dynamic scaling policies".
func surge(group awsautoscaling.AutoScalingGroup) {
	action := awsautoscaling.NewStepScalingAction(group, jsii.String("Surge"), &awsautoscaling.StepScalingActionProps{
		AutoScalingGroup:        group,
		AdjustmentType:          awsautoscaling.AdjustmentType_PERCENT_CHANGE_IN_CAPACITY,
		EstimatedInstanceWarmup: warmUp(),
		MetricAggregationType:   awsautoscaling.MetricAggregationType_AVERAGE,
	})
	action.AddAdjustment(&awsautoscaling.AdjustmentTier{
		Adjustment: jsii.Number(100 * (setting.SurgeTimes - 1)), LowerBound: jsii.Number(0),
	})
	alarm := awscloudwatch.NewAlarm(group, jsii.String("SurgeAlarm"), &awscloudwatch.AlarmProps{
		AlarmDescription: jsii.String("Adds instances at once; nobody has to do anything"),
		Metric: awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
			Namespace: jsii.String("AWS/EC2"), MetricName: jsii.String("CPUUtilization"), Statistic: jsii.String("Average"),
			Period: awscdk.Duration_Minutes(jsii.Number(1)), DimensionsMap: &map[string]*string{"AutoScalingGroupName": group.AutoScalingGroupName()},
		}),
		Threshold: jsii.Number(setting.SurgeCPU), ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
		EvaluationPeriods: jsii.Number(1),
	})
	alarm.AddAlarmAction(awscloudwatchactions.NewAutoScalingAction(action))
}

// scale lets the number of instances follow the load and the clock.
func scale(group awsautoscaling.AutoScalingGroup, props *Props) {
	group.ScaleOnCpuUtilization(jsii.String("Cpu"), &awsautoscaling.CpuUtilizationScalingProps{
		TargetUtilizationPercent: jsii.Number(props.CPUTarget),
	})
	if props.Surge {
		surge(group)
	}
	if props.RequestsPerTarget > 0 {
		group.ScaleOnRequestCount(jsii.String("Requests"), &awsautoscaling.RequestCountScalingProps{
			TargetRequestsPerMinute: jsii.Number(props.RequestsPerTarget),
		})
	}
	for _, s := range props.Schedule {
		action := &awsautoscaling.BasicScheduledActionProps{Schedule: awsautoscaling.Schedule_Expression(&s.Cron)}
		if s.Timezone != "" {
			action.TimeZone = &s.Timezone
		}
		if s.Min > 0 {
			action.MinCapacity = jsii.Number(s.Min)
		}
		if s.Max > 0 {
			action.MaxCapacity = jsii.Number(s.Max)
		}
		group.ScaleOnSchedule(&s.Name, action)
	}
}

// allowInstanceRefresh tells cfn-lint about the group's update policy, which is
// newer than its schema (1.51.0): E3016 is the rule on update policies.
func allowInstanceRefresh(group awsautoscaling.CfnAutoScalingGroup) {
	group.AddMetadata(jsii.String("cfn-lint"), map[string]any{
		"config": map[string]any{"ignore_checks": []string{"E3016"}},
	})
}

// withDefaults returns a copy of the props, which stay the caller's.
func withDefaults(props *Props) *Props {
	p := *props
	if p.Min == 0 {
		p.Min = 2
	}
	if p.Max == 0 {
		p.Max = p.Min
	}
	if p.CPUTarget == 0 {
		p.CPUTarget = 55
	}
	if p.Architecture == "" {
		p.Architecture = awsec2.InstanceArchitecture_ARM_64
	}
	return &p
}

// architectures are EC2's names of CDK's architectures.
var architectures = map[awsec2.InstanceArchitecture]string{
	awsec2.InstanceArchitecture_ARM_64: "arm64",
	awsec2.InstanceArchitecture_X86_64: "x86_64",
}

func image(scope constructs.Construct, props *Props) awsec2.IMachineImage {
	if props.AMI != "" {
		return awsec2.MachineImage_GenericLinux(&map[string]*string{
			*awscdk.Stack_Of(scope).Region(): &props.AMI,
		}, nil)
	}
	return awsec2.MachineImage_FromSsmParameter(jsii.String(al2023.Parameter(architectures[props.Architecture])), nil)
}

// securityGroup admits the load balancer, and lets the instances reach HTTPS:
// their subnets have routes to AWS's endpoints and nowhere else.
func securityGroup(scope constructs.Construct, props *Props) awsec2.SecurityGroup {
	port := awsec2.Port_Tcp(jsii.Number(props.Port))
	group := awsec2.NewSecurityGroup(scope, jsii.String("SecurityGroup"), &awsec2.SecurityGroupProps{
		Vpc:              props.VPC,
		Description:      jsii.String("Fleet, open to the load balancer only"),
		AllowAllOutbound: jsii.Bool(false),
	})
	group.Connections().AllowFrom(props.LoadBalancer, port, jsii.String("load balancer"))
	group.AddEgressRule(awsec2.Peer_AnyIpv4(), awsec2.Port_HTTPS(), jsii.String("endpoints of AWS"), nil)
	return group
}
