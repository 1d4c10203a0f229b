package constructs_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/constructs/lighthouse"
	"github.com/archipelago-cdk/archipelago/constructs/loadbalancer"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// newLighthouse places one, with a stand-in for its code, in front of a load
// balancer.
func newLighthouse(t *testing.T, stack awscdk.Stack, change func(*lighthouse.Props)) *lighthouse.Lighthouse {
	t.Helper()
	code := filepath.Join(t.TempDir(), "lighthouse.zip")
	if err := os.WriteFile(code, []byte("lighthouse"), 0o644); err != nil {
		t.Fatal(err)
	}
	net := newNetwork(stack, false)
	balancer := loadbalancer.New(stack, "LoadBalancer", loadBalancerProps(net))
	stores := constructs.NewConstruct(stack, str("Stores"))
	props := &lighthouse.Props{
		Name: "test-lighthouse", Deployment: "test", Code: code, Architecture: awslambda.Architecture_ARM_64(),
		VPC: net.VPC, LoadBalancer: balancer.ALB, Listener: balancer.Listener,
		Stores: []lighthouse.Store{
			{Part: "table orders", Table: tableNamed(stores, "orders"), PartitionKey: "customer", SortKey: "number"},
			{Part: "table prices", Table: tableNamed(stores, "prices"), PartitionKey: "sku", ReadOnly: true},
			{Part: "bucket photos", Bucket: bucketNamed(stores, "photos")},
			{Part: "bucket manuals", Bucket: bucketNamed(stores, "manuals"), ReadOnly: true},
		},
		DrainParameter: "/test/island/drained",
	}
	if change != nil {
		change(props)
	}
	return lighthouse.New(stack, "Lighthouse", props)
}

func lighthouseTemplate(t *testing.T, change func(*lighthouse.Props)) assertions.Template {
	t.Helper()
	stack := newStack()
	newLighthouse(t, stack, change)
	return assertions.Template_FromStack(stack, nil)
}

// TestParameterWithoutASlashIsNamedWhole: Systems Manager takes such a name, too.
func TestParameterWithoutASlashIsNamedWhole(t *testing.T) {
	template := lighthouseTemplate(t, func(p *lighthouse.Props) { p.DrainParameter = "drained" })
	policies, err := json.Marshal(template.FindResources(str("AWS::IAM::Policy"), nil))
	if err != nil {
		t.Fatal(err)
	}
	if want := ":parameter/drained\""; !strings.Contains(string(policies), want) {
		t.Errorf("want %s in %s", want, policies)
	}
}

// TestLighthouseIsATargetGroupOfItsOwn: only then is the load balancer unhealthy
// while it is dark, and its health is that of no instance.
func TestLighthouseIsATargetGroupOfItsOwn(t *testing.T) {
	template := lighthouseTemplate(t, nil)
	count(template, "AWS::ElasticLoadBalancingV2::TargetGroup", 2)
	has(template, "AWS::ElasticLoadBalancingV2::TargetGroup", properties{
		"TargetType":         "lambda",
		"HealthCheckEnabled": true,
		"HealthCheckPath":    "/lighthouse",
		"Matcher":            properties{"HttpCode": "200"},
		"Port":               assertions.Match_Absent(),
		"Protocol":           assertions.Match_Absent(),
		"VpcId":              assertions.Match_Absent(),
		"Targets":            []any{properties{"Id": properties{"Fn::GetAtt": []any{assertions.Match_StringLikeRegexp(jsii.String("^LighthouseFunction")), "Arn"}}}},
	})
	has(template, "AWS::ElasticLoadBalancingV2::ListenerRule", properties{
		"Actions": []any{assertions.Match_ObjectLike(&properties{
			"TargetGroupArn": properties{"Ref": assertions.Match_StringLikeRegexp(jsii.String("^LoadBalancerAlbLighthouse"))},
		})},
	})
}

// TestReplacedLoadBalancerHasOtherTargetGroups: a target group belongs to one
// load balancer, so the old one's groups cannot be the new one's in an update.
func TestReplacedLoadBalancerHasOtherTargetGroups(t *testing.T) {
	groups := func(public bool) assertions.Template {
		return lighthouseTemplate(t, func(p *lighthouse.Props) {
			scope := awscdk.Stack_Of(p.LoadBalancer)
			scope.Node().TryRemoveChild(jsii.String("LoadBalancer"))
			balancer := loadbalancer.New(scope, "LoadBalancer", &loadbalancer.Props{
				VPC: p.VPC, Subnets: &awsec2.SubnetSelection{SubnetGroupName: str("LoadBalancer")}, Public: public, Port: 8080, HealthPath: "/livez",
			})
			p.LoadBalancer, p.Listener = balancer.ALB, balancer.Listener
		})
	}
	kind := "AWS::ElasticLoadBalancingV2::TargetGroup"
	public := *groups(true).FindResources(&kind, nil)
	for id := range *groups(false).FindResources(&kind, nil) {
		if _, both := public[id]; both {
			t.Errorf("%s is a target group of the internal and of the public load balancer", id)
		}
	}
}

// TestUsersDoNotReachTheLighthouse: a user who could keep the function busy could
// darken the island.
func TestUsersDoNotReachTheLighthouse(t *testing.T) {
	has(lighthouseTemplate(t, nil), "AWS::ElasticLoadBalancingV2::ListenerRule", properties{
		"Conditions": assertions.Match_ArrayWith(&[]any{properties{
			"Field":          "source-ip",
			"SourceIpConfig": properties{"Values": []any{properties{"Fn::GetAtt": []any{assertions.Match_AnyValue(), "CidrBlock"}}}},
		}}),
	})
}

// TestLoadBalancerMayCallTheLighthouse: before its target group exists, and no
// other account's.
func TestLoadBalancerMayCallTheLighthouse(t *testing.T) {
	template := lighthouseTemplate(t, nil)
	has(template, "AWS::Lambda::Permission", properties{
		"Action":    "lambda:InvokeFunction",
		"Principal": "elasticloadbalancing.amazonaws.com",
		"SourceArn": "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/*",
	})
	groups := *template.FindResources(jsii.String("AWS::ElasticLoadBalancingV2::TargetGroup"), properties{
		"Properties": properties{"TargetType": "lambda"},
	})
	for _, group := range groups {
		if on := (*group)["DependsOn"].([]any); len(on) != 1 || !strings.HasPrefix(on[0].(string), "LighthouseFunctionLoadBalancer") {
			t.Errorf("the target group depends on %v, want the permission", on)
		}
	}
}

func TestLighthouseFunction(t *testing.T) {
	template := lighthouseTemplate(t, nil)
	has(template, "AWS::Lambda::Function", properties{
		"Runtime": "provided.al2023", "Architectures": []any{"arm64"}, "Handler": "bootstrap",
		"ReservedConcurrentExecutions": 5,
		"VpcConfig":                    assertions.Match_Absent(),
		"LoggingConfig":                assertions.Match_AnyValue(),
		"Environment": properties{"Variables": properties{
			"DEPLOYMENT": "test", "WATCHED": `[{"part":"table orders","table":"orders","partitionKey":"customer","sortKey":"number"},` +
				`{"part":"table prices","table":"prices","partitionKey":"sku","readOnly":true},` +
				`{"part":"bucket photos","bucket":"photos"},{"part":"bucket manuals","bucket":"manuals","readOnly":true}]`,
			"DRAIN_PARAMETER": "/test/island/drained", "DRAINED": "false",
		}},
	})
	has(template, "AWS::Logs::LogGroup", properties{"RetentionInDays": 30})
	has(lighthouseTemplate(t, func(p *lighthouse.Props) { p.Drained = true }), "AWS::Lambda::Function", properties{
		"Environment": properties{"Variables": assertions.Match_ObjectLike(&properties{"DRAINED": "true"})},
	})
}

// TestLighthouseAsksLessOftenThanItTakes: a load balancer gives up on a function
// only after its own time limit.
func TestLighthouseAsksLessOftenThanItTakes(t *testing.T) {
	template := lighthouseTemplate(t, nil)
	number := func(resourceType, name string, like properties) float64 {
		t.Helper()
		for _, resource := range *template.FindResources(&resourceType, properties{"Properties": like}) {
			return (*resource)["Properties"].(properties)[name].(float64)
		}
		t.Fatalf("no %s is like %v", resourceType, like)
		return 0
	}
	group := properties{"TargetType": "lambda"}
	function := number("AWS::Lambda::Function", "Timeout", properties{"FunctionName": "test-lighthouse"})
	check := number("AWS::ElasticLoadBalancingV2::TargetGroup", "HealthCheckTimeoutSeconds", group)
	interval := number("AWS::ElasticLoadBalancingV2::TargetGroup", "HealthCheckIntervalSeconds", group)
	if !(function < check && check < interval) {
		t.Errorf("the function may take %v s, a check %v s, every %v s: want each less than the next", function, check, interval)
	}
}

// TestLighthouseTouchesOnlyItsOwn is the whole of its policy.
func TestLighthouseTouchesOnlyItsOwn(t *testing.T) {
	template := lighthouseTemplate(t, nil)
	count(template, "AWS::IAM::Role", 2) // CDK's own for the default security group is the other
	has(template, "AWS::IAM::Policy", properties{
		"PolicyDocument": assertions.Match_ObjectLike(&properties{"Statement": []any{
			properties{
				"Effect": "Allow", "Action": []any{"logs:CreateLogStream", "logs:PutLogEvents"},
				"Resource": properties{"Fn::GetAtt": []any{assertions.Match_StringLikeRegexp(jsii.String("^LighthouseLogs")), "Arn"}},
			},
			properties{
				"Effect": "Allow", "Action": []any{"dynamodb:GetItem", "dynamodb:UpdateItem"},
				"Resource":  "arn:aws:dynamodb:eu-west-1:123456789012:table/orders",
				"Condition": properties{"ForAllValues:StringEquals": properties{"dynamodb:LeadingKeys": []any{"lighthouse#eu-west-1"}}},
			},
			properties{
				"Effect": "Allow", "Action": "dynamodb:GetItem",
				"Resource":  "arn:aws:dynamodb:eu-west-1:123456789012:table/prices",
				"Condition": properties{"ForAllValues:StringEquals": properties{"dynamodb:LeadingKeys": []any{"lighthouse#eu-west-1"}}},
			},
			properties{
				"Effect": "Allow", "Action": []any{"s3:GetObject", "s3:PutObject"},
				"Resource": "arn:aws:s3:::photos/lighthouse/eu-west-1",
			},
			properties{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::manuals/lighthouse/eu-west-1"},
			properties{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::manuals"},
			properties{
				"Effect": "Allow", "Action": "ssm:GetParameter",
				"Resource": "arn:aws:ssm:eu-west-1:123456789012:parameter/test/island/drained",
			},
		}}),
	})
}

// TestLighthouseReadsWhatOtherRegionsWrite, each in an item of its own, in tables that all
// of them write; the order of the regions says nothing.
func TestLighthouseReadsWhatOtherRegionsWrite(t *testing.T) {
	template := lighthouseTemplate(t, func(p *lighthouse.Props) { p.ReplicaRegions = []string{"us-east-1", "ap-southeast-2"} })
	has(template, "AWS::Lambda::Function", properties{
		"Environment": properties{"Variables": assertions.Match_ObjectLike(&properties{"REPLICA_REGIONS": "ap-southeast-2,us-east-1"})},
	})
	has(template, "AWS::IAM::Policy", properties{"PolicyDocument": assertions.Match_ObjectLike(&properties{
		"Statement": assertions.Match_ArrayWith(&[]any{properties{
			"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": "arn:aws:dynamodb:eu-west-1:123456789012:table/orders",
			"Condition": properties{"ForAllValues:StringEquals": properties{"dynamodb:LeadingKeys": []any{"lighthouse#ap-southeast-2", "lighthouse#us-east-1"}}},
		}}),
	})})
	if made := newLighthouse(t, newStack(), func(p *lighthouse.Props) { p.ReplicaRegions, p.Stores = []string{"us-east-1"}, p.Stores[1:] }); made.ReplicationAge {
		t.Error("it is to publish an age though it writes no table")
	}
}

// TestLighthouseHearsTheLoadBalancersAlarm by its name: it need not exist yet.
func TestLighthouseHearsTheLoadBalancersAlarm(t *testing.T) {
	template := lighthouseTemplate(t, func(p *lighthouse.Props) { p.BalancerAlarm = "test-balancer-failing" })
	has(template, "AWS::Lambda::Function", properties{
		"Environment": properties{"Variables": assertions.Match_ObjectLike(&properties{"BALANCER_ALARM": "test-balancer-failing"})},
	})
	has(template, "AWS::IAM::Policy", properties{"PolicyDocument": assertions.Match_ObjectLike(&properties{
		"Statement": assertions.Match_ArrayWith(&[]any{properties{
			"Effect": "Allow", "Action": "cloudwatch:DescribeAlarms", "Resource": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:*",
		}}),
	})})
}
