package constructs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/constructs/buckets"
	"github.com/archipelago-cdk/archipelago/constructs/entry"
	"github.com/archipelago-cdk/archipelago/constructs/fleet"
	"github.com/archipelago-cdk/archipelago/constructs/github"
	"github.com/archipelago-cdk/archipelago/constructs/lighthouse"
	"github.com/archipelago-cdk/archipelago/constructs/loadbalancer"
	"github.com/archipelago-cdk/archipelago/constructs/logs"
	"github.com/archipelago-cdk/archipelago/constructs/network"
	"github.com/archipelago-cdk/archipelago/constructs/observability"
	"github.com/archipelago-cdk/archipelago/constructs/scaler"
	"github.com/archipelago-cdk/archipelago/constructs/tables"
	"github.com/archipelago-cdk/archipelago/constructs/waf"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsautoscaling"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	elb "github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsroute53"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// plain is what somebody else's CDK app has: nothing of this repository.
type plain struct {
	stack    awscdk.Stack
	vpc      awsec2.IVpc
	balancer elb.IApplicationLoadBalancer
	listener elb.IApplicationListener
	targets  elb.IApplicationTargetGroup
	group    awsautoscaling.AutoScalingGroup
	template awsec2.LaunchTemplate
	role     awsiam.IRole
	inside   awsec2.ISecurityGroup
	alarm    awscloudwatch.IAlarm
	table    awsdynamodb.ITable
	bucket   awss3.IBucket
	logGroup awslogs.ILogGroup
	topic    awssns.ITopic
	zone     awsroute53.IHostedZone
	program  string // a file
}

// newPlain returns one without this app's feature flags: all of it made in the
// stack, or what can be imported imported, into a stack that knows neither its
// account nor its region.
func newPlain(t *testing.T, imported bool) *plain {
	t.Helper()
	return newFlagged(t, imported, nil)
}

// newFlagged is newPlain with feature flags.
func newFlagged(t *testing.T, imported bool, flags map[string]any) *plain {
	t.Helper()
	p := &plain{program: filepath.Join(t.TempDir(), "program.zip")}
	if err := os.WriteFile(p.program, []byte("program"), 0o755); err != nil {
		t.Fatal(err)
	}
	app := awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false), Context: &flags})
	if imported {
		p.stack = awscdk.NewStack(app, str("Test"), nil)
		p.importAll()
	} else {
		p.stack = awscdk.NewStack(app, str("Test"), &awscdk.StackProps{
			Env: &awscdk.Environment{Account: str("123456789012"), Region: str("eu-west-1")},
		})
		p.makeAll()
	}
	p.zone = awsroute53.HostedZone_FromHostedZoneAttributes(p.stack, str("Zone"), &awsroute53.HostedZoneAttributes{
		ZoneName: str("example.com"), HostedZoneId: str("Z0123"),
	})
	// A scaler changes a group of its own stack.
	role := awsiam.NewRole(p.stack, str("Role"), &awsiam.RoleProps{AssumedBy: awsiam.NewServicePrincipal(str("ec2.amazonaws.com"), nil)})
	p.role = role
	p.template = awsec2.NewLaunchTemplate(p.stack, str("Template"), &awsec2.LaunchTemplateProps{
		MachineImage: awsec2.MachineImage_LatestAmazonLinux2023(nil), InstanceType: awsec2.NewInstanceType(str("m7g.medium")), Role: role,
		UserData: awsec2.UserData_ForLinux(nil), // without a flag there is none
	})
	p.group = awsautoscaling.NewAutoScalingGroup(p.stack, str("Group"), &awsautoscaling.AutoScalingGroupProps{
		Vpc: p.vpc, LaunchTemplate: p.template,
	})
	return p
}

func (p *plain) makeAll() {
	p.vpc = awsec2.NewVpc(p.stack, str("Vpc"), &awsec2.VpcProps{AvailabilityZones: jsii.Strings("eu-west-1a", "eu-west-1b"), RestrictDefaultSecurityGroup: jsii.Bool(false)})
	p.inside = awsec2.NewSecurityGroup(p.stack, str("Inside"), &awsec2.SecurityGroupProps{Vpc: p.vpc})
	balancer := elb.NewApplicationLoadBalancer(p.stack, str("Balancer"), &elb.ApplicationLoadBalancerProps{Vpc: p.vpc})
	listener := balancer.AddListener(str("Listener"), &elb.BaseApplicationListenerProps{Port: jsii.Number(80)})
	p.balancer, p.listener = balancer, listener
	p.targets = listener.AddTargets(str("Targets"), &elb.AddApplicationTargetsProps{Port: jsii.Number(8080), Protocol: elb.ApplicationProtocol_HTTP})
	p.table = awsdynamodb.NewTable(p.stack, str("Table"), &awsdynamodb.TableProps{
		PartitionKey: &awsdynamodb.Attribute{Name: str("id"), Type: awsdynamodb.AttributeType_STRING},
	})
	p.bucket = awss3.NewBucket(p.stack, str("Bucket"), nil)
	p.logGroup = awslogs.NewLogGroup(p.stack, str("Log"), nil)
	p.topic = awssns.NewTopic(p.stack, str("Topic"), &awssns.TopicProps{MasterKey: awskms.NewKey(p.stack, str("Key"), nil)})
	p.alarm = awscloudwatch.NewAlarm(p.stack, str("Alarm"), &awscloudwatch.AlarmProps{
		Metric:    balancer.Metrics().HttpCodeElb(elb.HttpCodeElb_ELB_5XX_COUNT, nil),
		Threshold: jsii.Number(1), EvaluationPeriods: jsii.Number(1),
	})
}

func (p *plain) importAll() {
	const balancer = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/theirs/0123456789abcdef"
	p.vpc = awsec2.Vpc_FromVpcAttributes(p.stack, str("Vpc"), &awsec2.VpcAttributes{
		VpcId: str("vpc-01234567"), VpcCidrBlock: str("10.0.0.0/16"), AvailabilityZones: jsii.Strings("eu-west-1a", "eu-west-1b"),
		PrivateSubnetIds: jsii.Strings("subnet-0000000a", "subnet-0000000b"), PrivateSubnetRouteTableIds: jsii.Strings("rtb-0000000a", "rtb-0000000b"),
		PublicSubnetIds: jsii.Strings("subnet-1111111a", "subnet-1111111b"), PublicSubnetRouteTableIds: jsii.Strings("rtb-1111111a", "rtb-1111111b"),
	})
	p.inside = awsec2.SecurityGroup_FromSecurityGroupId(p.stack, str("Inside"), str("sg-0123456789abcdef0"), nil)
	group := awsec2.SecurityGroup_FromSecurityGroupId(p.stack, str("BalancerGroup"), str("sg-01234567"), nil)
	p.balancer = elb.ApplicationLoadBalancer_FromApplicationLoadBalancerAttributes(p.stack, str("Balancer"), &elb.ApplicationLoadBalancerAttributes{
		LoadBalancerArn: str(balancer), SecurityGroupId: group.SecurityGroupId(), Vpc: p.vpc,
		LoadBalancerDnsName: str("theirs.example.com"), LoadBalancerCanonicalHostedZoneId: str("Z32O12XQLNTSW2"),
	})
	p.listener = elb.ApplicationListener_FromApplicationListenerAttributes(p.stack, str("Listener"), &elb.ApplicationListenerAttributes{
		ListenerArn: str("arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/theirs/0123456789abcdef/0123456789abcdef"), SecurityGroup: group,
	})
	p.targets = elb.ApplicationTargetGroup_FromTargetGroupAttributes(p.stack, str("Targets"), &elb.TargetGroupAttributes{
		TargetGroupArn:   str("arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/theirs/0123456789abcdef"),
		LoadBalancerArns: str(balancer),
	})
	p.table = awsdynamodb.Table_FromTableArn(p.stack, str("Table"), str("arn:aws:dynamodb:eu-west-1:123456789012:table/orders"))
	p.bucket = awss3.Bucket_FromBucketName(p.stack, str("Bucket"), str("photos"))
	p.logGroup = awslogs.LogGroup_FromLogGroupName(p.stack, str("Log"), str("/theirs"))
	p.topic = awssns.Topic_FromTopicArn(p.stack, str("Topic"), str("arn:aws:sns:eu-west-1:123456789012:theirs"))
	p.alarm = awscloudwatch.Alarm_FromAlarmArn(p.stack, str("Alarm"), str("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:theirs"))
}

// l3s are the constructs, each placed as "Ours" beside what is plain.
var l3s = map[string]struct {
	place func(*plain) constructs.Construct
	makes string // a type of resource that is within it
}{
	"buckets.New": {func(p *plain) constructs.Construct {
		return buckets.New(p.stack, "Ours", &buckets.Props{Name: "ours", Logs: p.bucket, LogsPrefix: "ours/"})
	}, "AWS::S3::Bucket"},
	"buckets.NewReplication": {func(p *plain) constructs.Construct {
		there := awscdk.NewStack(awscdk.App_Of(p.stack), str("There"), &awscdk.StackProps{Env: &awscdk.Environment{Account: str("123456789012"), Region: str("us-east-1")}})
		here := awss3.Bucket_FromBucketAttributes(p.stack, str("Here"), &awss3.BucketAttributes{BucketName: str("here"), Region: str("eu-west-1")})
		buckets.GrantWrite(p.bucket, p.role, "")
		return buckets.NewReplication(p.stack, "Ours", &buckets.ReplicationProps{Buckets: []awss3.IBucket{
			here, awss3.NewBucket(there, str("Bucket"), &awss3.BucketProps{BucketName: str("there")}),
		}})
	}, "Custom::AWS"},
	"entry.New": {func(p *plain) constructs.Construct {
		return entry.New(p.stack, "Ours", &entry.Props{
			Name: "ours", Ports: []int{443}, Host: example, Zone: p.zone, ListenerParameter: "/ours/listener", Regions: []string{"eu-west-1"},
		}).Construct
	}, "AWS::GlobalAccelerator::Accelerator"},
	"entry.NewEndpoint": {func(p *plain) constructs.Construct {
		return entry.NewEndpoint(p.stack, "Ours", &entry.EndpointProps{LoadBalancer: p.balancer, ListenerParameter: "/ours/listener"})
	}, "AWS::GlobalAccelerator::EndpointGroup"},
	"entry.NewRecord": {func(p *plain) constructs.Construct {
		return entry.NewRecord(p.stack, "Ours", &entry.RecordProps{LoadBalancer: p.balancer, Host: example, Zone: p.zone})
	}, "AWS::Route53::RecordSet"},
	"fleet.New": {func(p *plain) constructs.Construct {
		return fleet.New(p.stack, "Ours", &fleet.Props{
			VPC: p.vpc, LoadBalancer: p.balancer, TargetGroup: p.targets, Port: 8080, HealthPath: "/livez", InstanceTypeParameter: "/ours/instance-type",
			LogsBucket: p.bucket, Agent: &fleet.Agent{LogGroup: p.logGroup, Deployment: "ours"}, SessionManager: true,
			Service: fleet.Service{Name: "ours", Binary: p.program, Secrets: map[string]string{"KEY": "/ours/key"}},
		}).Construct
	}, "AWS::AutoScaling::AutoScalingGroup"},
	"fleet.NewInstanceTypeParameter": {func(p *plain) constructs.Construct {
		return fleet.NewInstanceTypeParameter(p.stack, "Ours", &fleet.InstanceTypeParameterProps{Name: "/ours/instance-type", StartAt: "m7g.medium"})
	}, "Custom::AWS"},
	"github.New": {func(p *plain) constructs.Construct {
		return github.New(p.stack, "Ours", &github.Props{Repository: "octo-org/ours", Branch: "main", Environments: []string{"production"}, Deployment: "ours"}).Construct
	}, "AWS::IAM::OIDCProvider"},
	"lighthouse.New": {func(p *plain) constructs.Construct {
		return lighthouse.New(p.stack, "Ours", &lighthouse.Props{
			Name: "ours", Deployment: "ours", Code: p.program, Architecture: awslambda.Architecture_ARM_64(),
			VPC: p.vpc, LoadBalancer: p.balancer, Listener: p.listener, DrainParameter: "/ours/drained",
			Stores: []lighthouse.Store{{Part: "table", Table: p.table, PartitionKey: "id"}, {Part: "bucket", Bucket: p.bucket}},
		}).Construct
	}, "AWS::Lambda::Function"},
	"loadbalancer.New": {func(p *plain) constructs.Construct {
		return loadbalancer.New(p.stack, "Ours", &loadbalancer.Props{
			VPC: p.vpc, Public: true, Host: example, Zone: p.zone, LogsBucket: p.bucket, Port: 8080, HealthPath: "/livez",
		}).Construct
	}, "AWS::ElasticLoadBalancingV2::LoadBalancer"},
	"logs.NewBucket": {func(p *plain) constructs.Construct {
		return logs.NewBucket(p.stack, "Ours", &logs.BucketProps{Name: "ours"})
	}, "AWS::S3::Bucket"},
	"logs.NewGroup": {func(p *plain) constructs.Construct {
		return logs.NewGroup(p.stack, "Ours", &logs.GroupProps{Name: "/ours"})
	}, "AWS::Logs::LogGroup"},
	"network.New": {func(p *plain) constructs.Construct {
		return network.New(p.stack, "Ours", &network.Props{
			CIDR: "10.1.0.0/16", LogsBucket: p.bucket, Buckets: []awss3.IBucket{p.bucket}, Tables: []awsdynamodb.ITable{p.table},
		}).Construct
	}, "AWS::EC2::VPC"},
	"observability.NewGlobal": {func(p *plain) constructs.Construct {
		return observability.NewGlobal(p.stack, "Ours", &observability.GlobalProps{
			Deployment: "ours", Dashboard: "ours", Impaired: "ours", Regions: []string{"eu-west-1", "us-east-1"}, LoadBalancer: "ours",
			Group: "ours",
		})
	}, "AWS::CloudWatch::Dashboard"},
	"observability.NewRegion": {func(p *plain) constructs.Construct {
		return observability.NewRegion(p.stack, "Ours", &observability.RegionProps{
			Deployment: "ours", Dashboard: "ours", Impaired: "ours", Regions: []string{"eu-west-1"}, CPUTarget: 55, Emails: []string{"ops@example.com"},
			LoadBalancer: p.balancer, TargetGroup: p.targets, Group: p.group, DeploymentAlarm: p.alarm,
		}).Construct
	}, "AWS::CloudWatch::CompositeAlarm"},
	"scaler.New": {func(p *plain) constructs.Construct {
		ours := scaler.New(p.stack, "Ours", &scaler.Props{
			Name: "ours", Deployment: "ours", Code: p.program, Architecture: awslambda.Architecture_ARM_64(), Mode: "auto",
			GroupName: "ours", LaunchTemplate: p.template, SecurityGroup: p.inside, InstanceRole: p.role, VPC: p.vpc, DeploymentAlarm: p.alarm,
			LoadBalancer: p.balancer, TargetGroup: p.targets, Ladder: []string{"m7g.medium", "m7g.large"}, StartAt: "m7g.medium", CPUTarget: 55,
			InstanceTypeParameter: "/ours/instance-type", ScalingParameter: "/ours/scaling", FrozenParameter: "/ours/frozen",
		})
		ours.Hold(p.stack, "Hold").Follow(func() any { return "followed" })
		ours.Rollout(p.stack, "Rollout", str("build"), str("1"))
		return ours.Construct
	}, "AWS::Scheduler::Schedule"},
	"tables.New": {func(p *plain) constructs.Construct {
		tables.Grant(p.table, p.role, nil, []string{"GetItem"})
		return tables.New(p.stack, "Ours", &tables.Props{
			Name: "ours", PartitionKey: &awsdynamodb.Attribute{Name: str("id"), Type: awsdynamodb.AttributeType_STRING},
		})
	}, "AWS::DynamoDB::GlobalTable"},
	"waf.New": {func(p *plain) constructs.Construct {
		return waf.New(p.stack, "Ours", &waf.Props{LoadBalancer: p.balancer}).Construct
	}, "AWS::WAFv2::WebACL"},
}

// TestEachConstructServesAnotherApp: with what CDK itself makes or imports and
// nothing else of this repository, a construct is placed as its id says and
// synthesized.
func TestEachConstructServesAnotherApp(t *testing.T) {
	for name, l3 := range l3s {
		for what, imported := range map[string]bool{"beside what is made": false, "beside what is imported": true} {
			t.Run(name+" "+what, func(t *testing.T) {
				p := newPlain(t, imported)
				ours := l3.place(p)
				if got := *ours.Node().Path(); got != "Test/Ours" {
					t.Errorf("got a construct at %s, want Test/Ours", got)
				}
				found := 0
				for id := range *assertions.Template_FromStack(p.stack, nil).FindResources(&l3.makes, nil) {
					if strings.HasPrefix(id, "Ours") {
						found++
					}
				}
				if found == 0 {
					t.Errorf("the template has no %s of it", l3.makes)
				}
			})
		}
	}
}

// scalerProps are those of a scaler that works.
func scalerProps(p *plain) *scaler.Props {
	props := filled[scaler.Props](p)
	props.Mode, props.Code, props.Window = "auto", p.program, ""
	props.Ladder, props.StartAt = []string{"m7g.medium", "m7g.large"}, "m7g.medium"
	return props
}

// TestPropsThatCannotWork end in one sentence, not in a nil pointer or in jsii.
func TestPropsThatCannotWork(t *testing.T) {
	for want, place := range map[string]func(*plain){
		"fleet: want LoadBalancer, TargetGroup, Port, Service.Name and Service.Binary in Props: they are required": func(p *plain) {
			fleet.New(p.stack, "Ours", &fleet.Props{VPC: p.vpc})
		},
		"fleet: want Props, got nil": func(p *plain) { fleet.New(p.stack, "Ours", nil) },
		"fleet: want an InstanceTypeParameter": func(p *plain) {
			props := filled[fleet.Props](p)
			props.InstanceTypeParameter, props.Controller = "", nil
			fleet.New(p.stack, "Ours", props)
		},
		"scaler: want the Mode": func(p *plain) {
			props := filled[scaler.Props](p)
			props.Mode = "on"
			scaler.New(p.stack, "Ours", props)
		},
		"entry: want the Zone": func(p *plain) {
			props := filled[entry.Props](p)
			props.Zone = nil
			entry.New(p.stack, "Ours", props)
		},
		"lighthouse: want a Table with its PartitionKey, or a Bucket, in Stores[0]": func(p *plain) {
			props := filled[lighthouse.Props](p)
			props.Stores = []lighthouse.Store{{Part: "table", Table: p.table}}
			lighthouse.New(p.stack, "Ours", props)
		},
		"fleet: want a Table with its PartitionKey, or a Bucket, in Pulse.Stores[0]": func(p *plain) {
			props := filled[fleet.Props](p)
			props.Pulse = &fleet.Pulse{Binary: p.program, Stores: []fleet.Store{{Part: "bucket"}}}
			fleet.New(p.stack, "Ours", props)
		},
		"scaler: want a LaunchTemplate with an id": func(p *plain) {
			props := filled[scaler.Props](p)
			props.Mode = "auto"
			props.LaunchTemplate = awsec2.LaunchTemplate_FromLaunchTemplateAttributes(p.stack, str("Named"), &awsec2.LaunchTemplateAttributes{LaunchTemplateName: str("theirs")})
			scaler.New(p.stack, "Ours", props)
		},
		"scaler: Ladder[1]: want an instance type whose size is known": func(p *plain) {
			props := scalerProps(p)
			props.Ladder[1] = "m7g.huge"
			scaler.New(p.stack, "Ours", props)
		},
		`scaler: want a StartAt of the Ladder m7g.medium, m7g.large, got "m7g.xlarge"`: func(p *plain) {
			props := scalerProps(p)
			props.StartAt = "m7g.xlarge"
			scaler.New(p.stack, "Ours", props)
		},
		"scaler: ladder: want two rungs at least": func(p *plain) {
			props := scalerProps(p)
			props.Ladder = props.Ladder[:1]
			scaler.New(p.stack, "Ours", props)
		},
		"scaler: Window: want a part of the day": func(p *plain) {
			props := scalerProps(p)
			props.Window = "at night"
			scaler.New(p.stack, "Ours", props)
		},
		"scaler: want GoalMilliseconds above 0 with a Goal, got 0": func(p *plain) {
			props := scalerProps(p)
			props.Goal, props.GoalMilliseconds = 99.9, 0
			scaler.New(p.stack, "Ours", props)
		},
		"scaler: want Follow called on what Hold returns": func(p *plain) {
			props := scalerProps(p)
			scaler.New(p.stack, "Ours", props).Hold(p.stack, "Hold")
			assertions.Template_FromStack(p.stack, nil)
		},
		"loadbalancer: want a Zone": func(p *plain) {
			loadbalancer.New(p.stack, "Ours", &loadbalancer.Props{VPC: p.vpc, Host: example, Port: 8080, HealthPath: "/livez"})
		},
	} {
		t.Run(want, func(t *testing.T) {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.HasPrefix(got, want) {
					t.Errorf("got %s, want %q", got, want)
				}
			}()
			place(newPlain(t, true))
		})
	}
}
