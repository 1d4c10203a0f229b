package scaler

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// grant lets the function look at the fleet and, in mode "auto", replace its
// instances. It may make no launch template and update no stack: either would let
// it run anything.
func grant(scope constructs.Construct, props *Props, role awsiam.Role) {
	stack := awscdk.Stack_Of(scope)
	arn := func(service, resource, name string) *string {
		return stack.FormatArn(&awscdk.ArnComponents{Service: &service, Resource: &resource, ResourceName: &name})
	}
	parameter := func(name string) *string { return arn("ssm", "parameter", name[1:]) }
	allow := func(resources []*string, conditions map[string]any, actions ...string) {
		statement := &awsiam.PolicyStatementProps{Actions: jsii.Strings(actions...), Resources: &resources}
		if conditions != nil {
			statement.Conditions = &conditions
		}
		role.AddToPolicy(awsiam.NewPolicyStatement(statement))
	}
	group := props.Group.AutoScalingGroupArn()

	// AWS knows no resources for these.
	allow([]*string{jsii.String("*")}, nil,
		"autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeInstanceRefreshes",
		"cloudwatch:GetMetricData", "ec2:DescribeInstanceTypeOfferings")
	allow([]*string{stack.FormatArn(&awscdk.ArnComponents{ // a call by names lists alarms
		Service: jsii.String("cloudwatch"), Resource: jsii.String("alarm"), ResourceName: jsii.String("*"),
		ArnFormat: awscdk.ArnFormat_COLON_RESOURCE_NAME,
	})}, nil, "cloudwatch:DescribeAlarms")
	allow([]*string{stack.StackId()}, nil, "cloudformation:DescribeStacks")
	allow([]*string{props.LoadBalancer.LoadBalancerArn(), group}, nil, "arc-zonal-shift:GetManagedResource")
	allow([]*string{parameter(props.InstanceTypeParameter), parameter(props.ScalingParameter), parameter(props.FrozenParameter)}, nil, "ssm:GetParameters")
	if props.Topic != nil {
		allow([]*string{props.Topic.TopicArn()}, nil, "sns:Publish")
		if key := props.Topic.MasterKey(); key != nil {
			allow([]*string{key.KeyArn()}, nil, "kms:Decrypt", "kms:GenerateDataKey")
		}
	}
	// A step that "auto" began is seen to its end in any mode.
	allow([]*string{parameter(props.InstanceTypeParameter), parameter(props.ScalingParameter)}, nil, "ssm:PutParameter")
	if props.Mode != "auto" {
		return
	}
	allow([]*string{group}, nil, "autoscaling:StartInstanceRefresh")
	if props.RequestsPerTarget > 0 {
		allow([]*string{jsii.String("*")}, nil, "autoscaling:DescribePolicies")
		allow([]*string{group}, nil, "autoscaling:PutScalingPolicy")
	}

	// Starting a refresh with a launch template takes what launching from it takes:
	// from this template alone, with what it says, into the fleet's subnets, and as
	// the types of the ladder. Source: EC2 Auto Scaling User Guide, "Control Amazon
	// EC2 launch template usage in Auto Scaling groups"; EC2 User Guide, "Example
	// policies to control access the Amazon EC2 API", launch templates.
	template := arn("ec2", "launch-template", *props.LaunchTemplate.LaunchTemplateId())
	fromTemplate := map[string]any{"ec2:LaunchTemplate": template}
	unchanged := map[string]any{"ec2:IsLaunchTemplateResource": "true"}
	allow([]*string{arn("ec2", "instance", "*")}, map[string]any{
		"ArnEquals": fromTemplate, "Bool": unchanged, "StringEquals": map[string]any{"ec2:InstanceType": props.Ladder},
	}, "ec2:RunInstances")
	image := stack.FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("ec2"), Account: jsii.String(""), Resource: jsii.String("image"), ResourceName: jsii.String("*"),
	})
	allow([]*string{template, image, arn("ec2", "security-group", "*"), arn("ec2", "volume", "*")},
		map[string]any{"ArnEquals": fromTemplate, "Bool": unchanged}, "ec2:RunInstances")
	places := []*string{arn("ec2", "network-interface", "*")}
	for _, subnet := range *props.VPC.SelectSubnets(props.Subnets).SubnetIds {
		places = append(places, arn("ec2", "subnet", *subnet))
	}
	allow(places, map[string]any{"ArnEquals": fromTemplate}, "ec2:RunInstances")
	allow([]*string{arn("ec2", "instance", "*"), arn("ec2", "volume", "*")},
		map[string]any{"StringEquals": map[string]any{"ec2:CreateAction": "RunInstances"}}, "ec2:CreateTags")
	allow([]*string{props.InstanceRole.RoleArn()},
		map[string]any{"StringEquals": map[string]any{"iam:PassedToService": "ec2.amazonaws.com"}}, "iam:PassRole")
}
