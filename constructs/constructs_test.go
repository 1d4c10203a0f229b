// Package constructs_test holds the assertions on every construct: one test
// binary, since each one that speaks to CDK takes seconds to start.
package constructs_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/archipelago-cdk/archipelago/constructs/buckets"
	"github.com/archipelago-cdk/archipelago/constructs/entry"
	"github.com/archipelago-cdk/archipelago/constructs/fleet"
	"github.com/archipelago-cdk/archipelago/constructs/loadbalancer"
	"github.com/archipelago-cdk/archipelago/constructs/logs"
	"github.com/archipelago-cdk/archipelago/constructs/network"
	"github.com/archipelago-cdk/archipelago/constructs/tables"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"
)

// properties are those of one resource, or of part of one.
type properties = map[string]any

// flags is the context of cdk.json: without its feature flags CDK makes other
// resources than the deployment has.
var flags = func() *map[string]any {
	var file struct{ Context map[string]any }
	b, err := os.ReadFile("../cdk.json")
	if err == nil {
		err = json.Unmarshal(b, &file)
	}
	if err != nil {
		panic(err)
	}
	return &file.Context
}()

func newStack() awscdk.Stack {
	app := awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false), Context: flags})
	return awscdk.NewStack(app, jsii.String("Test"), &awscdk.StackProps{
		Env: &awscdk.Environment{Account: jsii.String("123456789012"), Region: jsii.String("eu-west-1")},
	})
}

func newNetwork(stack awscdk.Stack, public bool) *network.Network {
	network.DeclareZones(stack, nil, 3)
	return network.New(stack, "Network", &network.Props{
		CIDR: "10.0.0.0/16", Public: public,
		Buckets: []awss3.IBucket{bucketNamed(stack, "photos")}, Tables: []awsdynamodb.ITable{tableNamed(stack, "employees")},
	})
}

func newLoadBalancer(stack awscdk.Stack, public bool) *loadbalancer.LoadBalancer {
	props := loadBalancerProps(newNetwork(stack, public))
	props.Public = public
	return loadbalancer.New(stack, "LoadBalancer", props)
}

// loadBalancerProps are those of an internal load balancer without a name.
func loadBalancerProps(net *network.Network) *loadbalancer.Props {
	return &loadbalancer.Props{
		VPC: net.VPC, Subnets: net.LoadBalancer, DependsOn: []constructs.IDependable{net.Internet}, Port: 8080, HealthPath: "/livez",
	}
}

// plainFleet is a fleet with all its defaults.
var plainFleet = sync.OnceValue(func() assertions.Template {
	dir, err := os.MkdirTemp("", "fleet")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	return makeFleet(dir, func(*fleet.Props) {})
})

// newFleet places a fleet, changed if change is not nil.
func newFleet(t *testing.T, change func(*fleet.Props)) assertions.Template {
	t.Helper()
	if change == nil {
		return plainFleet()
	}
	return makeFleet(t.TempDir(), change)
}

func makeFleet(dir string, change func(*fleet.Props)) assertions.Template {
	stack := newStack()
	placeFleet(stack, dir, change)
	return assertions.Template_FromStack(stack, nil)
}

// placeFleet places a fleet with small stand-ins for its binaries, in dir.
func placeFleet(stack awscdk.Stack, dir string, change func(*fleet.Props)) {
	placeFleetIn(stack, newNetwork(stack, false), dir, change)
}

func placeFleetIn(stack awscdk.Stack, net *network.Network, dir string, change func(*fleet.Props)) {
	binary := filepath.Join(dir, "directory.bin") // so that its key ends in .bin
	if err := os.WriteFile(binary, []byte("a program"), 0o755); err != nil {
		panic(err)
	}
	balancer := loadbalancer.New(stack, "LoadBalancer", loadBalancerProps(net))
	props := fleetProps(net, balancer)
	props.Max = 6
	props.Service.Binary, props.Service.Environment = binary, map[string]string{"B": "2", "A": "1"}
	change(props)
	fleet.New(stack, "Fleet", props)
}

// fleetProps are those of a fleet behind a load balancer.
func fleetProps(net *network.Network, balancer *loadbalancer.LoadBalancer) *fleet.Props {
	return &fleet.Props{
		VPC: net.VPC, Subnets: net.Fleet, S3Endpoint: net.S3, DependsOn: []constructs.IDependable{net.Endpoints},
		LoadBalancer: balancer.ALB, TargetGroup: balancer.TargetGroup, Port: 8080, HealthPath: "/livez",
		InstanceTypeParameter: "/test/fleet/instance-type", Service: fleet.Service{Name: "directory", Binary: "constructs_test.go"}, // any file
	}
}

func has(template assertions.Template, resourceType string, want properties) {
	template.HasResourceProperties(&resourceType, want)
}

func count(template assertions.Template, resourceType string, want int) {
	template.ResourceCountIs(&resourceType, jsii.Number(want))
}

func TestNetworkWithoutInternet(t *testing.T) {
	stack := newStack()
	newNetwork(stack, false)
	template := assertions.Template_FromStack(stack, nil)
	count(template, "AWS::EC2::Subnet", 6)
	count(template, "AWS::EC2::NatGateway", 0)
	// No subnet has a route that leaves the network, yet a gateway is attached
	// for the accelerator.
	count(template, "AWS::EC2::Route", 0)
	count(template, "AWS::EC2::VPCGatewayAttachment", 1)
}

func TestPublicNetworkRoutesOnlyTheLoadBalancer(t *testing.T) {
	stack := newStack()
	newNetwork(stack, true)
	template := assertions.Template_FromStack(stack, nil)
	count(template, "AWS::EC2::Route", 3)
	count(template, "AWS::EC2::VPCGatewayAttachment", 1)
}

func TestNetworkReachesStorageByGatewayEndpoints(t *testing.T) {
	stack := newStack()
	newNetwork(stack, false)
	template := assertions.Template_FromStack(stack, nil)
	for _, service := range []string{"s3", "dynamodb"} {
		has(template, "AWS::EC2::VPCEndpoint", properties{
			"VpcEndpointType": "Gateway",
			"ServiceName":     properties{"Fn::Join": []any{"", []any{"com.amazonaws.", properties{"Ref": "AWS::Region"}, "." + service}}},
		})
	}
}

func TestNetworkSpansTheNamedZones(t *testing.T) {
	stack := newStack()
	network.DeclareZones(stack, []string{"eu-west-1a", "eu-west-1c"}, 2)
	network.New(stack, "Network", &network.Props{CIDR: "10.0.0.0/16"})
	template := assertions.Template_FromStack(stack, nil)
	count(template, "AWS::EC2::Subnet", 4)
	has(template, "AWS::EC2::Subnet", properties{"AvailabilityZone": "eu-west-1c"})
}

func TestLoadBalancer(t *testing.T) {
	stack := newStack()
	newLoadBalancer(stack, false)
	template := assertions.Template_FromStack(stack, nil)
	has(template, "AWS::ElasticLoadBalancingV2::LoadBalancer", properties{
		"Scheme": "internal",
		"LoadBalancerAttributes": assertions.Match_ArrayWith(&[]any{
			properties{"Key": "deletion_protection.enabled", "Value": "false"},
			properties{"Key": "routing.http.drop_invalid_header_fields.enabled", "Value": "true"},
		}),
	})
	has(template, "AWS::ElasticLoadBalancingV2::TargetGroup", properties{"HealthCheckPath": "/livez", "Port": 8080})
}

func TestLoadBalancerHasPublicAddressesOnlyWhenAsked(t *testing.T) {
	stack := newStack()
	newLoadBalancer(stack, true)
	has(assertions.Template_FromStack(stack, nil), "AWS::ElasticLoadBalancingV2::LoadBalancer",
		properties{"Scheme": "internet-facing"})
}

func TestInstancesAskForMetadataTokens(t *testing.T) {
	has(newFleet(t, nil), "AWS::EC2::LaunchTemplate", properties{
		"LaunchTemplateData": assertions.Match_ObjectLike(&properties{
			"MetadataOptions": properties{"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
		}),
	})
}

func TestLaunchTemplateHasNoInstanceType(t *testing.T) {
	has(newFleet(t, nil), "AWS::EC2::LaunchTemplate", properties{
		"LaunchTemplateData": assertions.Match_ObjectLike(&properties{
			"InstanceType": assertions.Match_Absent(),
			"KeyName":      assertions.Match_Absent(),
		}),
	})
}

func TestFleetTakesItsInstanceTypeFromTheParameter(t *testing.T) {
	template := newFleet(t, nil)
	parameters := template.FindParameters(jsii.String("*"), properties{
		"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/test/fleet/instance-type",
	})
	if len(*parameters) != 1 {
		t.Fatalf("got %d template parameters that read the instance type, want 1", len(*parameters))
	}
	for id := range *parameters {
		has(template, "AWS::AutoScaling::AutoScalingGroup", properties{
			"MixedInstancesPolicy": assertions.Match_ObjectLike(&properties{
				"LaunchTemplate": assertions.Match_ObjectLike(&properties{
					"Overrides": []any{properties{"InstanceType": properties{"Ref": id}}},
				}),
			}),
		})
	}
}

func TestDeploymentNeverSetsTheDesiredCapacity(t *testing.T) {
	has(newFleet(t, nil), "AWS::AutoScaling::AutoScalingGroup", properties{
		"MinSize": "2", "MaxSize": "6", "DesiredCapacity": assertions.Match_Absent(),
	})
}

func TestDeploymentLaunchesBeforeItTerminates(t *testing.T) {
	newFleet(t, nil).HasResource(jsii.String("AWS::AutoScaling::AutoScalingGroup"), properties{
		"UpdatePolicy": properties{"AutoScalingInstanceRefresh": properties{
			"Strategy":    "Rolling",
			"Preferences": assertions.Match_ObjectLike(&properties{"MinHealthyPercentage": 100, "MaxHealthyPercentage": 200, "InstanceWarmup": 240}),
		}},
	})
}

func TestFleetWaitsForItsEndpoints(t *testing.T) {
	groups := newFleet(t, nil).FindResources(jsii.String("AWS::AutoScaling::AutoScalingGroup"), nil)
	for _, group := range *groups {
		endpoints := 0
		for _, id := range (*group)["DependsOn"].([]any) {
			if strings.HasPrefix(id.(string), "NetworkVpcS3") || strings.HasPrefix(id.(string), "NetworkVpcDynamoDB") {
				endpoints++
			}
		}
		if endpoints != 2 {
			t.Errorf("the group depends on %v, want both gateway endpoints among them", (*group)["DependsOn"])
		}
	}
}

func TestFleetAdmitsOnlyTheLoadBalancer(t *testing.T) {
	template := newFleet(t, nil)
	count(template, "AWS::EC2::SecurityGroupIngress", 1)
	has(template, "AWS::EC2::SecurityGroupIngress", properties{
		"FromPort": 8080, "ToPort": 8080, "SourceSecurityGroupId": assertions.Match_AnyValue(),
	})
}

func TestUserDataWritesTheEnvironmentInOrder(t *testing.T) {
	has(newFleet(t, nil), "AWS::EC2::LaunchTemplate", properties{
		"LaunchTemplateData": assertions.Match_ObjectLike(&properties{
			"UserData": properties{"Fn::Base64": assertions.Match_StringLikeRegexp(jsii.String(
				`directory\.env <<'END'\nA="1"\nAWS_REGION="eu-west-1"\nB="2"\nLISTEN=":8080"\nPORT="8080"\nPULSE="absent"\nEND\n`))},
		}),
	})
}

// TestUnitOfTheService: it is started again whenever it ends, and what it spools
// lies on the disk.
func TestUnitOfTheService(t *testing.T) {
	script := userData(newFleet(t, nil))
	for _, line := range []string{"StartLimitIntervalSec=0", "Type=exec", "Restart=always", "Environment=TMPDIR=/var/tmp", "PrivateTmp=true"} {
		if !strings.Contains(script, "\n"+line+"\n") {
			t.Errorf("want the line %s in\n%s", line, script)
		}
	}
	if strings.Contains(script, "Watchdog") {
		t.Errorf("a service that notifies nobody has a watchdog:\n%s", script)
	}
}

// TestUnitOfAServiceThatNotifies: one that hangs is ended.
func TestUnitOfAServiceThatNotifies(t *testing.T) {
	script := userData(newFleet(t, func(p *fleet.Props) { p.Service.Notify = true }))
	if !strings.Contains(script, "\nType=notify\nWatchdogSec=30\n") {
		t.Errorf("got %s", script)
	}
}

func TestSettingsAreQuoted(t *testing.T) {
	const value = `a "b" 'c' $HOME \ END`
	script := userData(newFleet(t, func(p *fleet.Props) { p.Service.Environment = map[string]string{"A": value} }))
	if want := "\n" + `A="a \"b\" 'c' \$HOME \\ END"` + "\n"; !strings.Contains(script, want) {
		t.Errorf("want %s in\n%s", want, script)
	}
}

// TestWhatCouldBreakOutOfUserDataIsRefused: root runs the script.
func TestWhatCouldBreakOutOfUserDataIsRefused(t *testing.T) {
	for want, change := range map[string]func(*fleet.Props){
		"A: want a value of one line": func(p *fleet.Props) { p.Service.Environment["A"] = "x\nEND\nid" },
		`want a name of A-Z`:          func(p *fleet.Props) { p.Service.Environment["A\nEND\nid"] = "x" },
		"got a token":                 func(p *fleet.Props) { p.Service.Environment["A"] = *awscdk.Aws_STACK_ID() },
		"without {{resolve:":          func(p *fleet.Props) { p.Service.Environment["A"] = "{{resolve:ssm:/a}}" },
		`LISTEN=":1"; leave it out`:   func(p *fleet.Props) { p.Service.Environment["LISTEN"] = ":1" },
		"Service.Name":                func(p *fleet.Props) { p.Service.Name = "a;id" },
		"want a HealthPath": func(p *fleet.Props) {
			p.HealthPath, p.Agent = "/livez'; id; '", agentOf(p)
		},
		"Invalid S3 bucket name":   func(p *fleet.Props) { p.LogsBucket = bucketNamed(awscdk.Stack_Of(p.VPC), "logs';id") },
		"Port from 1024":           func(p *fleet.Props) { p.Port = 80 },
		"of which EC2 takes 16384": func(p *fleet.Props) { p.Service.Environment["A"] = strings.Repeat("x", 16<<10) },
	} {
		t.Run(want, func(t *testing.T) {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, want) {
					t.Errorf("got %s, want %q", got, want)
				}
			}()
			placeFleet(newStack(), t.TempDir(), change)
		})
	}
}

func TestPinnedImage(t *testing.T) {
	template := newFleet(t, func(p *fleet.Props) { p.AMI = "ami-0123456789abcdef0" })
	has(template, "AWS::EC2::LaunchTemplate", properties{
		"LaunchTemplateData": assertions.Match_ObjectLike(&properties{"ImageId": "ami-0123456789abcdef0"}),
	})
}

func TestBucketIsClosedAndVersioned(t *testing.T) {
	stack := newStack()
	buckets.New(stack, "Photos", &buckets.Props{Name: "photos", Logs: logsBucket(stack), LogsPrefix: "photos/", Protect: true})
	template := assertions.Template_FromStack(stack, nil)
	template.HasResource(jsii.String("AWS::S3::Bucket"), properties{
		"DeletionPolicy": "Retain",
		"Properties": assertions.Match_ObjectLike(&properties{
			"BucketName":              "photos",
			"VersioningConfiguration": properties{"Status": "Enabled"},
			"PublicAccessBlockConfiguration": properties{
				"BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true,
			},
		}),
	})
	count(template, "Custom::S3AutoDeleteObjects", 0)
}

// bucketNamed is one that another stack has.
func bucketNamed(scope constructs.Construct, name string) awss3.IBucket {
	return awss3.Bucket_FromBucketName(scope, jsii.String("Bucket-"+name), &name)
}

// tableNamed is one that another stack has.
func tableNamed(scope constructs.Construct, name string) awsdynamodb.ITable {
	return awsdynamodb.TableV2_FromTableName(scope, jsii.String("Table-"+name), &name)
}

// logsBucket is another stack's.
func logsBucket(stack awscdk.Stack) awss3.IBucket { return bucketNamed(stack, "logs") }

func TestUnprotectedBucketsAreEmptiedAndDeleted(t *testing.T) {
	stack := newStack()
	buckets.New(stack, "Photos", &buckets.Props{
		Name: "photos", LogsPrefix: "photos/", Logs: logs.NewBucket(stack, "Logs", &logs.BucketProps{Name: "logs"}),
	})
	template := assertions.Template_FromStack(stack, nil)
	template.AllResources(jsii.String("AWS::S3::Bucket"), properties{"DeletionPolicy": "Delete"})
	count(template, "Custom::S3AutoDeleteObjects", 2)
}

func newMesh(names ...string) assertions.Template {
	stack := newStack()
	placeMesh(stack, "", names...)
	return assertions.Template_FromStack(stack, nil)
}

func placeMesh(stack awscdk.Stack, pattern string, names ...string) {
	buckets.New(stack, "Images", &buckets.Props{Name: names[0], Logs: logsBucket(stack), LogsPrefix: "images/", Protect: true})
	var members []awss3.IBucket
	for _, b := range names {
		members = append(members, awss3.Bucket_FromBucketAttributes(stack, &b, &awss3.BucketAttributes{BucketName: &b, Region: jsii.String("region-of-" + b)}))
	}
	buckets.NewReplication(stack, "Replication", &buckets.ReplicationProps{Buckets: members, Names: pattern, Prefix: "images/"})
}

// TestJoiningRegionChangesNoPolicy: a policy that changes is in force some seconds
// after the calls that need it.
func TestJoiningRegionChangesNoPolicy(t *testing.T) {
	policies := func(regions ...string) any {
		var names []string
		for _, region := range regions {
			names = append(names, "images-"+region)
		}
		stack := newStack()
		placeMesh(stack, "images-*", names...)
		entry.New(stack, "Entry", &entry.Props{Name: "test", Ports: []int{80}, ListenerParameter: "/test/entry/listener-arn", Regions: regions})
		return *assertions.Template_FromStack(stack, nil).FindResources(jsii.String("AWS::IAM::Policy"), nil)
	}
	two, three := policies("eu-west-1", "us-east-1"), policies("eu-west-1", "us-east-1", "ca-central-1")
	if diff := cmp.Diff(two, three); diff != "" {
		t.Errorf("a region changes policies: %s", diff)
	}
}

func TestMeshReplicatesEachBucketIntoAllOthers(t *testing.T) {
	template := newMesh("one", "two", "three")
	count(template, "Custom::AWS", 3)
	calls := *template.FindResources(jsii.String("Custom::AWS"), nil)
	for id, call := range calls {
		create := flatten((*call)["Properties"].(properties)["Create"])
		for _, want := range []string{`"ReplicaModifications":{"Status":"Enabled"}`, `"Filter":{"Prefix":"images/"}`} {
			if got := strings.Count(create, want); got != 2 {
				t.Errorf("%s has %d rules with %s, want 2: %s", id, got, want, create)
			}
		}
	}
}

func TestMeshOfOneBucketIsEmpty(t *testing.T) {
	count(newMesh("one"), "Custom::AWS", 0)
}

// TestMeshAsksForRealActions: s3:PutBucketReplication, which is what CDK would
// derive from the call, is not an action of IAM.
func TestMeshAsksForRealActions(t *testing.T) {
	has(newMesh("one", "two"), "AWS::IAM::Policy", properties{
		"PolicyDocument": assertions.Match_ObjectLike(&properties{
			"Statement": []any{
				assertions.Match_ObjectLike(&properties{"Action": "s3:PutReplicationConfiguration"}),
				assertions.Match_ObjectLike(&properties{
					"Action":    "iam:PassRole",
					"Condition": properties{"StringEquals": properties{"iam:PassedToService": "s3.amazonaws.com"}},
				}),
			},
		}),
	})
}

// flatten joins what a Fn::Join joins, references left out.
func flatten(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case properties:
		return flatten(v["Fn::Join"])
	case []any:
		var b strings.Builder
		for _, part := range v {
			b.WriteString(flatten(part))
		}
		return b.String()
	default:
		return ""
	}
}

func TestInstanceTypeParameterIsWrittenOnce(t *testing.T) {
	stack := newStack()
	fleet.NewInstanceTypeParameter(stack, "InstanceType", &fleet.InstanceTypeParameterProps{
		Name: "/test/fleet/instance-type", StartAt: "m7g.medium", Protect: true,
	})
	has(assertions.Template_FromStack(stack, nil), "Custom::AWS", properties{
		"Create": assertions.Match_SerializedJson(assertions.Match_ObjectLike(&properties{
			"action": "putParameter",
			"parameters": assertions.Match_ObjectLike(&properties{
				"Value": "m7g.medium", "Overwrite": false,
			}),
		})),
		"Update": assertions.Match_Absent(),
		"Delete": assertions.Match_Absent(),
	})
}

// key is an attribute of a key.
func key(name string, of awsdynamodb.AttributeType) *awsdynamodb.Attribute {
	return &awsdynamodb.Attribute{Name: &name, Type: of}
}

// newTable is one of orders, each with a number.
func newTable(change func(*tables.Props)) assertions.Template {
	stack := newStack()
	props := tables.Props{
		Name: "test-orders", PartitionKey: key("customer", awsdynamodb.AttributeType_STRING), SortKey: key("number", awsdynamodb.AttributeType_NUMBER),
		Regions: []string{"eu-west-1", "us-east-1"},
	}
	change(&props)
	tables.New(stack, "Table", &props)
	return assertions.Template_FromStack(stack, nil)
}

func TestTablesAreInEveryRegion(t *testing.T) {
	for name, test := range map[string]struct {
		protect, ephemeral bool
		policy             string
	}{
		"kept":                        {true, false, "Retain"},
		"to throw away":               {false, false, "Delete"},
		"ephemeral":                   {true, true, "Retain"},
		"ephemeral and to throw away": {false, true, "Delete"},
	} {
		t.Run(name, func(t *testing.T) {
			template := newTable(func(p *tables.Props) { p.Protect, p.Ephemeral = test.protect, test.ephemeral })
			replica := func(region string, protected bool) any {
				return assertions.Match_ObjectLike(&properties{
					"Region":                           region,
					"DeletionProtectionEnabled":        protected,
					"PointInTimeRecoverySpecification": properties{"PointInTimeRecoveryEnabled": !test.ephemeral},
				})
			}
			template.HasResource(jsii.String("AWS::DynamoDB::GlobalTable"), properties{
				"DeletionPolicy":      test.policy,
				"UpdateReplacePolicy": test.policy,
				"Properties": assertions.Match_ObjectLike(&properties{
					"TableName":   "test-orders",
					"BillingMode": "PAY_PER_REQUEST",
					"KeySchema": []any{
						properties{"AttributeName": "customer", "KeyType": "HASH"}, properties{"AttributeName": "number", "KeyType": "RANGE"},
					},
					"AttributeDefinitions": assertions.Match_ArrayWith(&[]any{properties{"AttributeName": "number", "AttributeType": "N"}}),
					"Replicas":             assertions.Match_ArrayWith(&[]any{replica("us-east-1", false), replica("eu-west-1", test.protect)}),
				}),
			})
		})
	}
}

// TestReplicasHaveTheTagsOfTheirRegions in place of the stack's.
func TestReplicasHaveTheTagsOfTheirRegions(t *testing.T) {
	of := map[string]map[string]string{"eu-west-1": {"region": "eu-west-1"}, "us-east-1": {"region": "us-east-1"}}
	replica := func(region string) any {
		return assertions.Match_ObjectLike(&properties{"Region": region, "Tags": []any{properties{"Key": "region", "Value": region}}})
	}
	has(newTable(func(p *tables.Props) { p.Tags = of }), "AWS::DynamoDB::GlobalTable", properties{
		"Replicas": []any{replica("us-east-1"), replica("eu-west-1")},
	})
}

// TestTableOfOneRegionHasItsStream: it cannot be added in the update that adds a region.
func TestTableOfOneRegionHasItsStream(t *testing.T) {
	has(newTable(func(p *tables.Props) { p.Regions = nil }), "AWS::DynamoDB::GlobalTable", properties{
		"StreamSpecification": properties{"StreamViewType": "NEW_AND_OLD_IMAGES"},
	})
}

func TestTableWithoutSortKeyExpiryAndIndexes(t *testing.T) {
	has(newTable(func(p *tables.Props) { p.SortKey = nil }), "AWS::DynamoDB::GlobalTable", properties{
		"KeySchema":               []any{properties{"AttributeName": "customer", "KeyType": "HASH"}},
		"TimeToLiveSpecification": assertions.Match_Absent(),
		"GlobalSecondaryIndexes":  assertions.Match_Absent(),
	})
}

func TestItemsExpire(t *testing.T) {
	has(newTable(func(p *tables.Props) { p.TimeToLive = "until" }), "AWS::DynamoDB::GlobalTable", properties{
		"TimeToLiveSpecification": properties{"AttributeName": "until", "Enabled": true},
	})
}

// TestGrantsAreOfTheOwnRegion: the calls that the service makes, on what is in
// this region, and the objects of another to read.
func TestGrantsAreOfTheOwnRegion(t *testing.T) {
	stack := newStack()
	role := awsiam.NewRole(stack, jsii.String("Role"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("ec2.amazonaws.com"), nil),
	})
	tables.Grant(tableNamed(stack, "orders"), role, []string{"byDate"}, []string{"GetItem", "Query", "PutItem"})
	tables.Grant(tableNamed(stack, "prices"), role, []string{"unused"}, []string{"GetItem"})
	buckets.GrantWrite(bucketNamed(stack, "files-eu-west-1"), role, "orders/")
	buckets.GrantRead(bucketNamed(stack, "notes"), role, "")
	buckets.GrantReadMatching("files-*", role, "")
	table := func(name string) any { return "arn:aws:dynamodb:eu-west-1:123456789012:table/" + name }
	bucket := func(name string) any {
		return properties{"Fn::Join": []any{"", []any{"arn:", properties{"Ref": "AWS::Partition"}, ":s3:::" + name}}}
	}
	statement := func(resource any, actions ...any) properties {
		s := properties{"Effect": "Allow", "Resource": resource, "Action": actions}
		if len(actions) == 1 {
			s["Action"] = actions[0]
		}
		return s
	}
	has(assertions.Template_FromStack(stack, nil), "AWS::IAM::Policy", properties{
		"PolicyDocument": properties{"Version": "2012-10-17", "Statement": []any{
			statement(table("orders"), "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"),
			statement(table("orders/index/byDate"), "dynamodb:Query"),
			statement(table("prices"), "dynamodb:GetItem"),
			statement(bucket("files-eu-west-1/orders/*"), "s3:DeleteObject", "s3:PutObject"),
			statement(bucket("files-eu-west-1"), "s3:ListBucket"),
			statement([]any{bucket("files-*/*"), bucket("notes/*")}, "s3:GetObject"),
		}},
	})
}

func TestAcceleratorIsPublishedToEveryRegion(t *testing.T) {
	stack := newStack()
	entry.New(stack, "Entry", &entry.Props{
		Name: "test", Ports: []int{80}, ListenerParameter: "/test/entry/listener-arn", Regions: []string{"eu-west-1", "us-east-1"},
	})
	template := assertions.Template_FromStack(stack, nil)
	count(template, "Custom::AWS", 2)
	has(template, "AWS::IAM::Policy", properties{
		"PolicyDocument": assertions.Match_ObjectLike(&properties{
			"Statement": []any{assertions.Match_ObjectLike(&properties{
				"Action":   []any{"ssm:DeleteParameter", "ssm:PutParameter"},
				"Resource": "arn:aws:ssm:*:123456789012:parameter/test/entry/listener-arn",
			})},
		}),
	})
}

func TestEndpointKeepsTheClientsAddress(t *testing.T) {
	stack := newStack()
	entry.NewEndpoint(stack, "Endpoint", &entry.EndpointProps{
		LoadBalancer: newLoadBalancer(stack, false).ALB, ListenerParameter: "/test/entry/listener-arn",
	})
	has(assertions.Template_FromStack(stack, nil), "AWS::GlobalAccelerator::EndpointGroup", properties{
		"EndpointGroupRegion": "eu-west-1",
		"EndpointConfigurations": []any{assertions.Match_ObjectLike(&properties{
			"ClientIPPreservationEnabled": true,
		})},
	})
}

// TestMain ends CDK's own process, which removes its files.
func TestMain(m *testing.M) {
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}
