package scaler

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// grant lets the function look at the fleet and replace its instances. It may make no
// launch template and update no stack.
func grant(scope constructs.Construct, props *Props, role awsiam.Role) {
	stack := awscdk.Stack_Of(scope)
	arn := func(service, resource, name string) *string {
		return stack.FormatArn(&awscdk.ArnComponents{Service: &service, Resource: &resource, ResourceName: &name})
	}
	parameter := func(name string) *string { return arn("ssm", "parameter", strings.TrimPrefix(name, "/")) }
	allow := func(resources []*string, conditions map[string]any, actions ...string) {
		statement := &awsiam.PolicyStatementProps{Actions: jsii.Strings(actions...), Resources: &resources}
		if conditions != nil {
			statement.Conditions = &conditions
		}
		role.AddToPolicy(awsiam.NewPolicyStatement(statement))
	}
	// Its id, before the name, is not known before it is created.
	group := stack.FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("autoscaling"), Resource: jsii.String("autoScalingGroup"),
		ResourceName: jsii.String("*:autoScalingGroupName/" + props.GroupName), ArnFormat: awscdk.ArnFormat_COLON_RESOURCE_NAME,
	})

	// AWS knows no resources for these.
	allow([]*string{jsii.String("*")}, nil,
		"autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeInstanceRefreshes", "autoscaling:DescribeScalingActivities",
		"cloudwatch:GetMetricData", "ec2:DescribeInstanceTypeOfferings", "ec2:DescribeLaunchTemplateVersions",
		"elasticloadbalancing:DescribeTargetHealth")
	allow([]*string{stack.FormatArn(&awscdk.ArnComponents{ // a call by names lists alarms
		Service: jsii.String("cloudwatch"), Resource: jsii.String("alarm"), ResourceName: jsii.String("*"),
		ArnFormat: awscdk.ArnFormat_COLON_RESOURCE_NAME,
	})}, nil, "cloudwatch:DescribeAlarms")
	allow([]*string{stack.StackId()}, nil, "cloudformation:DescribeStacks")
	// AWS's reference names load balancers alone as this action's resources, and its
	// examples name none: right under either. Source: Service Authorization Reference,
	// "AWS ARC zonal shift"; ARC Developer Guide, "IAM and permissions for zonal shift".
	allow([]*string{jsii.String("*")}, map[string]any{"ArnLike": map[string]any{
		"arc-zonal-shift:ResourceIdentifier": []*string{props.LoadBalancer.LoadBalancerArn(), group},
	}}, "arc-zonal-shift:GetManagedResource")
	allow([]*string{parameter(props.InstanceTypeParameter), parameter(props.ScalingParameter), parameter(props.FrozenParameter)}, nil, "ssm:GetParameters")
	allow([]*string{parameter(props.InstanceTypeParameter), parameter(props.ScalingParameter)}, nil, "ssm:PutParameter")
	allow([]*string{group}, nil,
		"autoscaling:StartInstanceRefresh", "autoscaling:RollbackInstanceRefresh", "autoscaling:CancelInstanceRefresh")
	if props.Mode == "auto" && props.RequestsPerTarget > 0 {
		allow([]*string{jsii.String("*")}, nil, "autoscaling:DescribePolicies")
		allow([]*string{group}, nil, "autoscaling:PutScalingPolicy")
	}

	// Starting a refresh with a launch template takes what launching from it takes:
	// from this template alone, into the fleet's subnets and security group, and as
	// the types of the ladder. Which keys Auto Scaling's dry run has where the type is
	// overridden is not documented: those that it may lack count only if it has them.
	// Source: EC2 Auto Scaling User Guide, "Control Amazon EC2 launch template usage
	// in Auto Scaling groups".
	template := arn("ec2", "launch-template", *props.LaunchTemplate.LaunchTemplateId())
	fromTemplate := map[string]any{"ec2:LaunchTemplate": template}
	allow([]*string{arn("ec2", "instance", "*")}, map[string]any{
		"ArnEqualsIfExists": fromTemplate, "StringEquals": map[string]any{"ec2:InstanceType": props.Ladder},
		// As the template has it: with the rights to launch, user data of another kind
		// could be run too, but not reach the role by IMDSv1.
		"StringEqualsIfExists": map[string]any{"ec2:MetadataHttpTokens": "required"},
	}, "ec2:RunInstances")
	// A build that the fleet returns to may have another image than that of now.
	allow([]*string{stack.FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("ec2"), Account: jsii.String(""), Resource: jsii.String("image"), ResourceName: jsii.String("*"),
	})}, map[string]any{
		"ArnEqualsIfExists": fromTemplate, "StringEquals": map[string]any{"ec2:Owner": []any{"amazon", stack.Account()}},
	}, "ec2:RunInstances")
	places := []*string{
		template, arn("ec2", "security-group", *props.SecurityGroup.SecurityGroupId()),
		arn("ec2", "volume", "*"), arn("ec2", "network-interface", "*"),
	}
	for _, subnet := range *props.VPC.SelectSubnets(props.Subnets).SubnetIds {
		places = append(places, arn("ec2", "subnet", *subnet))
	}
	allow(places, map[string]any{"ArnEqualsIfExists": fromTemplate}, "ec2:RunInstances")
	allow([]*string{arn("ec2", "instance", "*"), arn("ec2", "volume", "*")},
		map[string]any{"StringEquals": map[string]any{"ec2:CreateAction": "RunInstances"}}, "ec2:CreateTags")
	allow([]*string{props.InstanceRole.RoleArn()},
		map[string]any{"StringEquals": map[string]any{"iam:PassedToService": "ec2.amazonaws.com"}}, "iam:PassRole")
}
