package network

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// addEndpoints makes the fleet's ways to AWS: gateway endpoints, which are free,
// and interface endpoints, paid per zone, for what is switched on.
//
// The policies of gateway endpoints say what can be reached at all, and all say with
// whose credentials: this account's. What the service may do with it is said by its role
// alone, so that no action has to be listed twice.
func (n *Network) addEndpoints(scope constructs.Construct, props *Props) constructs.IDependable {
	stack := awscdk.Stack_Of(scope)
	n.S3 = n.VPC.AddGatewayEndpoint(jsii.String("S3"), &awsec2.GatewayVpcEndpointOptions{
		Service: awsec2.GatewayVpcEndpointAwsService_S3(),
		Subnets: &[]*awsec2.SubnetSelection{n.Fleet},
	})
	for _, bucket := range props.Buckets {
		// The partition is a reference, as it always was: with BucketArn, the policy of
		// each deployment that exists would read otherwise and say the same.
		arn := "arn:" + *awscdk.Aws_PARTITION() + ":s3:::" + *bucket.BucketName()
		n.S3.AddToPolicy(reach(stack, "s3:*", arn, arn+"/*"))
	}
	// The packages of Amazon Linux 2023, which dnf asks for without credentials.
	// Source: AL2023 User Guide, "Network configurations … for AL2023 repositories".
	n.S3.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{awsiam.NewAnyPrincipal()},
		Actions:    jsii.Strings("s3:GetObject"),
		Resources:  jsii.Strings("arn:" + *awscdk.Aws_PARTITION() + ":s3:::al2023-repos-" + *stack.Region() + "-de612dc2/*"),
	}))
	endpoints := []constructs.IDependable{n.S3}
	if len(props.Tables) > 0 { // an endpoint without a statement would let everything through
		dynamodb := n.VPC.AddGatewayEndpoint(jsii.String("DynamoDB"), &awsec2.GatewayVpcEndpointOptions{
			Service: awsec2.GatewayVpcEndpointAwsService_DYNAMODB(),
			Subnets: &[]*awsec2.SubnetSelection{n.Fleet},
		})
		for _, table := range props.Tables {
			dynamodb.AddToPolicy(reach(stack, "dynamodb:*", *table.TableArn(), *table.TableArn()+"/index/*"))
		}
		endpoints = append(endpoints, dynamodb)
	}
	for _, e := range interfaces(props) {
		endpoints = append(endpoints, n.addInterface(scope, props, e.id, e.service))
	}
	return constructs.NewDependencyGroup(endpoints...)
}

// endpoint is an interface endpoint that is switched on.
type endpoint struct {
	id      string
	service awsec2.IInterfaceVpcEndpointService
}

func interfaces(props *Props) []endpoint {
	var list []endpoint
	if props.NAT {
		return nil
	}
	if props.Logs {
		list = append(list,
			endpoint{"Logs", awsec2.InterfaceVpcEndpointAwsService_CLOUDWATCH_LOGS()},
			endpoint{"Metrics", awsec2.InterfaceVpcEndpointAwsService_CLOUDWATCH_MONITORING()})
	}
	if props.SessionManager || props.Parameters {
		list = append(list, endpoint{"Ssm", awsec2.InterfaceVpcEndpointAwsService_SSM()})
	}
	if props.SessionManager {
		list = append(list, endpoint{"SsmMessages", awsec2.InterfaceVpcEndpointAwsService_SSM_MESSAGES()})
	}
	if props.Secrets {
		list = append(list, endpoint{"SecretsManager", awsec2.InterfaceVpcEndpointAwsService_SECRETS_MANAGER()})
	}
	return list
}

func (n *Network) addInterface(scope constructs.Construct, props *Props, id string, service awsec2.IInterfaceVpcEndpointService) awsec2.InterfaceVpcEndpoint {
	group := awsec2.NewSecurityGroup(scope, jsii.String(id+"SecurityGroup"), &awsec2.SecurityGroupProps{
		Vpc:              n.VPC,
		Description:      jsii.String("Endpoint of " + id + ", open to its VPC"),
		AllowAllOutbound: jsii.Bool(false),
	})
	group.AddIngressRule(awsec2.Peer_Ipv4(&props.CIDR), awsec2.Port_HTTPS(), jsii.String("instances"), nil)
	e := n.VPC.AddInterfaceEndpoint(&id, &awsec2.InterfaceVpcEndpointOptions{
		Service:        service,
		Subnets:        n.Fleet,
		SecurityGroups: &[]awsec2.ISecurityGroup{group},
		Open:           jsii.Bool(false), // the group above says who may come in
	})
	e.AddToPolicy(reach(awscdk.Stack_Of(scope), "*", "*"))
	return e
}

// reach lets this account's own credentials, and no others, use resources.
func reach(stack awscdk.Stack, actions string, resources ...string) awsiam.PolicyStatement {
	return awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{awsiam.NewAnyPrincipal()},
		Actions:    jsii.Strings(actions),
		Resources:  jsii.Strings(resources...),
		Conditions: &map[string]any{"StringEquals": map[string]any{"aws:PrincipalAccount": stack.Account()}},
	})
}
