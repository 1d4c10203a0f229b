// Package fleet gives an island its machines: a launch template that installs
// the service, and an Auto Scaling group whose instance type is kept in a
// parameter.
package fleet

import (
	"github.com/archipelago-cdk/archipelago/constructs/loadbalancer"
	"github.com/archipelago-cdk/archipelago/constructs/network"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsautoscaling"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsssm"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Props configure a Fleet.
type Props struct {
	// Network is where its instances run. Required.
	Network *network.Network
	// LoadBalancer sends it requests. Required.
	LoadBalancer *loadbalancer.LoadBalancer
	// Port is the TCP port the service listens on. Required.
	Port int
	// InstanceTypeParameter is the name of the SSM parameter that holds the
	// instance type. Required.
	InstanceTypeParameter string
	// AMI is the image, an Amazon Linux 2023. Default: AWS's latest for
	// Architecture, looked up anew at each deployment.
	AMI string
	// Architecture is that of the instance types. Default: arm64.
	Architecture awsec2.InstanceArchitecture
	// Service is what the instances run. Required.
	Service Service
	// Min is the fewest instances in service. Default: 2.
	Min int
	// Max is the most instances in service. Default: Min.
	Max int
	// CPUTarget is the average CPU use, in percent, that the number of
	// instances is held to. Default: 55.
	CPUTarget float64
}

// Fleet is an island's Auto Scaling group.
type Fleet struct {
	// Group is the Auto Scaling group.
	Group awsautoscaling.AutoScalingGroup
	// Role is what the service may do.
	Role awsiam.Role
}

// New creates a Fleet.
func New(scope constructs.Construct, id string, props Props) *Fleet {
	this := constructs.NewConstruct(scope, &id)
	props = props.withDefaults()
	role := awsiam.NewRole(this, jsii.String("Role"), &awsiam.RoleProps{
		AssumedBy:   awsiam.NewServicePrincipal(jsii.String("ec2.amazonaws.com"), nil),
		Description: jsii.String("What the service may do on an instance"),
	})
	template := awsec2.NewLaunchTemplate(this, jsii.String("LaunchTemplate"), &awsec2.LaunchTemplateProps{
		MachineImage:            image(props),
		Role:                    role,
		SecurityGroup:           securityGroup(this, props),
		UserData:                props.Service.userData(this, role),
		DetailedMonitoring:      jsii.Bool(true), // scaling that sees a minute, not five
		RequireImdsv2:           jsii.Bool(true),
		HttpPutResponseHopLimit: jsii.Number(1),
		BlockDevices: &[]*awsec2.BlockDevice{{
			DeviceName: jsii.String("/dev/xvda"), // Amazon Linux's root
			Volume: awsec2.BlockDeviceVolume_Ebs(jsii.Number(8), &awsec2.EbsDeviceOptions{
				Encrypted:  jsii.Bool(true),
				VolumeType: awsec2.EbsDeviceVolumeType_GP3,
			}),
		}},
	})
	instanceType := awsssm.StringParameter_ValueForStringParameter(this, &props.InstanceTypeParameter, nil)
	warmUp := awscdk.Duration_Seconds(jsii.Number(60))
	group := awsautoscaling.NewAutoScalingGroup(this, jsii.String("Group"), &awsautoscaling.AutoScalingGroupProps{
		Vpc:         props.Network.VPC,
		VpcSubnets:  props.Network.Fleet,
		MinCapacity: jsii.Number(props.Min),
		MaxCapacity: jsii.Number(props.Max),
		// The size is an override, not part of the launch template: a step to
		// another rung makes no new template version.
		MixedInstancesPolicy: &awsautoscaling.MixedInstancesPolicy{
			LaunchTemplate: template,
			LaunchTemplateOverrides: &[]*awsautoscaling.LaunchTemplateOverrides{
				{InstanceType: awsec2.NewInstanceType(instanceType)},
			},
			InstancesDistribution: &awsautoscaling.InstancesDistribution{
				OnDemandPercentageAboveBaseCapacity: jsii.Number(100),
			},
		},
		HealthChecks: awsautoscaling.HealthChecks_WithAdditionalChecks(&awsautoscaling.AdditionalHealthChecksOptions{
			AdditionalTypes: &[]awsautoscaling.AdditionalHealthCheckType{awsautoscaling.AdditionalHealthCheckType_ELB},
			GracePeriod:     awscdk.Duration_Minutes(jsii.Number(2)),
		}),
		DefaultInstanceWarmup: warmUp,
		// Launch before terminate, whatever the reason to replace.
		MinHealthyPercentage: jsii.Number(100),
		MaxHealthyPercentage: jsii.Number(150),
		UpdatePolicy: awsautoscaling.UpdatePolicy_InstanceRefresh(&awsautoscaling.InstanceRefreshOptions{
			Strategy:             awsautoscaling.InstanceRefreshStrategy_ROLLING,
			MinHealthyPercentage: jsii.Number(100),
			MaxHealthyPercentage: jsii.Number(150),
			InstanceWarmup:       warmUp,
		}),
	})
	group.Node().AddDependency(props.Network.Endpoints)
	allowInstanceRefresh(group)
	group.AttachToApplicationTargetGroup(props.LoadBalancer.Targets)
	group.ScaleOnCpuUtilization(jsii.String("Cpu"), &awsautoscaling.CpuUtilizationScalingProps{
		TargetUtilizationPercent: &props.CPUTarget,
	})
	return &Fleet{Group: group, Role: role}
}

// allowInstanceRefresh tells cfn-lint about the group's update policy, which is
// newer than its schema (1.51.0): E3016 is the rule on update policies.
func allowInstanceRefresh(group awsautoscaling.AutoScalingGroup) {
	group.Node().DefaultChild().(awscdk.CfnResource).AddMetadata(jsii.String("cfn-lint"), map[string]any{
		"config": map[string]any{"ignore_checks": []string{"E3016"}},
	})
}

func (p Props) withDefaults() Props {
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
	return p
}

func image(props Props) awsec2.IMachineImage {
	if props.AMI != "" {
		return awsec2.MachineImage_GenericLinux(&map[string]*string{
			*awscdk.Stack_Of(props.Network.VPC).Region(): &props.AMI,
		}, nil)
	}
	cpu := awsec2.AmazonLinuxCpuType_ARM_64
	if props.Architecture == awsec2.InstanceArchitecture_X86_64 {
		cpu = awsec2.AmazonLinuxCpuType_X86_64
	}
	return awsec2.MachineImage_LatestAmazonLinux2023(&awsec2.AmazonLinux2023ImageSsmParameterProps{CpuType: cpu})
}

// securityGroup admits the load balancer, and lets the instances reach HTTPS:
// their subnets have routes to AWS's endpoints and nowhere else.
func securityGroup(scope constructs.Construct, props Props) awsec2.SecurityGroup {
	port := awsec2.Port_Tcp(jsii.Number(props.Port))
	group := awsec2.NewSecurityGroup(scope, jsii.String("SecurityGroup"), &awsec2.SecurityGroupProps{
		Vpc:              props.Network.VPC,
		Description:      jsii.String("Fleet, open to the load balancer only"),
		AllowAllOutbound: jsii.Bool(false),
	})
	group.Connections().AllowFrom(props.LoadBalancer.SecurityGroup, port, jsii.String("load balancer"))
	group.AddEgressRule(awsec2.Peer_AnyIpv4(), awsec2.Port_HTTPS(), jsii.String("endpoints of AWS"), nil)
	return group
}
