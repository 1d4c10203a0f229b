package scaler_test

import (
	"github.com/archipelago-cdk/archipelago/constructs/fleet"
	"github.com/archipelago-cdk/archipelago/constructs/scaler"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	elb "github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"
)

// A fleet whose instance type follows its load, and whose builds a scaler brings in and
// takes back.
func Example() {
	app := awscdk.NewApp(nil)
	stack := awscdk.NewStack(app, jsii.String("Shop"), &awscdk.StackProps{
		Env: &awscdk.Environment{Account: jsii.String("123456789012"), Region: jsii.String("eu-west-1")},
	})
	vpc := awsec2.Vpc_FromVpcAttributes(stack, jsii.String("Vpc"), &awsec2.VpcAttributes{
		VpcId: jsii.String("vpc-0123456789abcdef0"), AvailabilityZones: jsii.Strings("eu-west-1a", "eu-west-1b"),
		PrivateSubnetIds: jsii.Strings("subnet-0123456789abcdef0", "subnet-0123456789abcdef1"),
	})
	balancer := elb.NewApplicationLoadBalancer(stack, jsii.String("Balancer"), &elb.ApplicationLoadBalancerProps{Vpc: vpc})
	targets := balancer.AddListener(jsii.String("Http"), &elb.BaseApplicationListenerProps{Port: jsii.Number(80)}).
		AddTargets(jsii.String("Targets"), &elb.AddApplicationTargetsProps{Port: jsii.Number(8080), Protocol: elb.ApplicationProtocol_HTTP})
	var control *scaler.Scaler
	machines := fleet.New(stack, "Fleet", &fleet.Props{
		VPC: vpc, LoadBalancer: balancer, TargetGroup: targets, Port: 8080, HealthPath: "/livez",
		Service:   fleet.Service{Name: "shop", Binary: "dist/shop"},
		Max:       6,
		GroupName: "shop-fleet",
		Controller: func(f *fleet.Fleet) *fleet.Live {
			control = scaler.New(stack, "Scaler", &scaler.Props{
				Name: "shop-scaler", Deployment: "shop", Code: "dist/scaler.zip", Architecture: awslambda.Architecture_ARM_64(),
				Mode: "auto", Ladder: []string{"m7g.medium", "m7g.large"}, StartAt: "m7g.medium", CPUTarget: 55,
				GroupName: "shop-fleet", LaunchTemplate: f.LaunchTemplate, SecurityGroup: f.SecurityGroup, InstanceRole: f.Role, VPC: vpc,
				DeploymentAlarm: f.DeploymentAlarm, LoadBalancer: balancer, TargetGroup: targets,
				InstanceTypeParameter: "/shop/fleet/instance-type", ScalingParameter: "/shop/fleet/scaling", FrozenParameter: "/shop/fleet/frozen",
			})
			return control.Hold(stack, "Hold")
		},
	})
	control.Rollout(stack, "Rollout", machines.Build, machines.LaunchTemplate.LatestVersionNumber(), machines.Construct)
	app.Synth(nil)
}
