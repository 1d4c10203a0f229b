package doctor

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	route53types "github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// subnets are a region stack's, in zones by their letters.
func subnets(region string, letters ...string) string {
	parts := []string{`"NetworkVpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.99.0.0/16"}}`}
	for i, letter := range letters {
		parts = append(parts, fmt.Sprintf(`"%s%dSubnetX": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "NetworkVpc"}, "CidrBlock": "10.99.%[2]d.0/24", "AvailabilityZone": "%s%s"}}`, fleetSubnet, i+1, region, letter))
	}
	return strings.Join(parts, ", ")
}

const offersAll = "ok: each offers m7g.medium, m7g.large, m7g.xlarge, m7g.2xlarge"

func TestZones(t *testing.T) {
	p := newPatient(t, "")
	want(t, p.look(t, 0, zones), "ok: eu-west-1a, eu-west-1b, eu-west-1c", offersAll)
	p = newPatient(t, `"regions": [{"name": "eu-west-1", "zones": ["a", "f"]}]`)
	want(t, p.look(t, 0, zones), "ok: eu-west-1a, eu-west-1f", `fail: no zone eu-west-1f in this account: write others of ["a", "b", "c"]`)
	p.refuses(t, "eu-west-1", p.names().RegionStack("eu-west-1"), subnets("eu-west-1", "a", "f"), "Subnets can currently only be created in the following availability zones")
}

// TestZonesThatAWSChooses: where none are written they are those that CloudFormation
// takes, and a deployment fails when it takes others than before.
func TestZonesThatAWSChooses(t *testing.T) {
	p := newPatient(t, `"regions": ["eu-west-1"]`)
	pin := `warning: write {"name": "eu-west-1", "zones": ["a", "b", "c"]}`
	want(t, p.look(t, 0, zones), pin, offersAll)
	p.deploy(t, "eu-west-1", p.names().RegionStack("eu-west-1"), subnets("eu-west-1", "a", "b", "c"))
	want(t, p.look(t, 0, zones), pin, offersAll)

	// In whatever order AWS said them then.
	p = newPatient(t, `"regions": [{"name": "eu-west-1", "zones": 2}]`)
	p.deploy(t, "eu-west-1", p.names().RegionStack("eu-west-1"), subnets("eu-west-1", "c", "b"))
	want(t, p.look(t, 0, zones), `warning: write {"name": "eu-west-1", "zones": ["c", "b"]}`, offersAll)

	p = newPatient(t, `"regions": ["ap-southeast-2"]`)
	p.deploy(t, "ap-southeast-2", p.names().RegionStack("ap-southeast-2"), subnets("ap-southeast-2", "a", "b", "c"))
	first := p.ec2(t, "ap-southeast-2", "DescribeSubnets", "Filter.1.Name", "default-for-az", "Filter.1.Value.1", "true", "Filter.2.Name", "availability-zone", "Filter.2.Value.1", "ap-southeast-2b")
	p.ec2(t, "ap-southeast-2", "DeleteSubnet", "SubnetId", element(t, first, "subnetId"))
	want(t, p.look(t, 0, zones), `fail: would now take others, of ap-southeast-2a, ap-southeast-2c: subnets do not move, so write ["a", "b", "c"]`)
	p.refuses(t, "ap-southeast-2", p.names().RegionStack("ap-southeast-2"), subnets("ap-southeast-2", "a", "c", "b"), "conflicts with another subnet")

	p = newPatient(t, "")
	p.deploy(t, "eu-west-1", p.names().RegionStack("eu-west-1"), subnets("eu-west-1", "b", "c"))
	want(t, p.look(t, 0, zones), `fail: subnets do not move, so write ["b", "c"]`)
	p.refuses(t, "eu-west-1", p.names().RegionStack("eu-west-1"), subnets("eu-west-1", "a", "b", "c"), "conflicts with another subnet")

	// us-west-1 has two zones in the emulator too, and a default subnet in each.
	p = newPatient(t, `"regions": [{"name": "us-west-1", "zones": 3}]`)
	want(t, p.look(t, 0, zones), `fail: us-west-1a, us-west-1b, and archipelago.regions[].zones says 3: write 2`)
	p.refuses(t, "us-west-1", p.names().RegionStack("us-west-1"), `"Zone": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Fn::Select": [2, {"Fn::GetAZs": ""}]}}}`, "Fn::Select cannot select nonexistent value at index 2")
}

// TestZonesWithoutLoadBalancers: whatever the entry, and whether the zones are named, AWS's
// to choose, or those of subnets that exist.
func TestZonesWithoutLoadBalancers(t *testing.T) {
	p := newPatient(t, "")
	emulatortest.Set(t, p.control, emulator.Settings{ZoneIDs: map[string]string{"ca-central-1b": "cac1-az3", "ap-northeast-2b": "apne1-az3"}})
	p = newPatient(t, `"regions": [{"name": "ca-central-1", "zones": ["a", "b"]}]`)
	without := "fail: the zone ca-central-1b is cac1-az3, in which AWS makes no load balancer, and Global Accelerator has no endpoints"
	want(t, p.look(t, 0, zones), "ok: ca-central-1a, ca-central-1b", without)
	balanced := subnets("ca-central-1", "a", "b") + ", " + strings.ReplaceAll(`"Balancer": {"Type": "AWS::ElasticLoadBalancingV2::LoadBalancer", "Properties": {"Scheme": "internal", "Subnets": [{"Ref": "F1SubnetX"}, {"Ref": "F2SubnetX"}]}}`, "F", fleetSubnet)
	p.refuses(t, "ca-central-1", p.names().RegionStack("ca-central-1"), balanced, "The following Availability Zones ca-central-1b cannot be associated with a load balancer")
	p = newPatient(t, `"entry": "none", "regions": [{"name": "ca-central-1", "zones": 2}]`)
	want(t, p.look(t, 0, zones), "warning: CloudFormation takes ca-central-1a, ca-central-1b", without)

	p = newPatient(t, `"regions": [`+existing("ap-northeast-2", "1")+`]`)
	p.config.Regions[0].VPC.FleetSubnets = map[string]string{"a": "subnet-0d0c0a10"}
	want(t, p.look(t, 0, zones), "ok: ap-northeast-2a, those of archipelago.regions[].vpc", "fail: the zone ap-northeast-2b is apne1-az3")
}

// TestZoneThatIsNotAvailable is a stand-in's: the emulator has none.
func TestZoneThatIsNotAvailable(t *testing.T) {
	p := newPatient(t, `"regions": [{"name": "us-west-1", "zones": ["a", "b"]}]`)
	p.answer(t, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		switch r.Form.Get("Action") {
		case "DescribeAvailabilityZones":
			fmt.Fprint(w, `<DescribeAvailabilityZonesResponse><availabilityZoneInfo>
				<item><zoneName>us-west-1a</zoneName><zoneId>usw1-az3</zoneId><zoneType>availability-zone</zoneType><zoneState>available</zoneState></item>
				<item><zoneName>us-west-1b</zoneName><zoneId>usw1-az1</zoneId><zoneType>availability-zone</zoneType><zoneState>unavailable</zoneState></item>
				<item><zoneName>us-west-1-lax-1a</zoneName><zoneId>x</zoneId><zoneType>local-zone</zoneType><zoneState>available</zoneState></item>
				</availabilityZoneInfo></DescribeAvailabilityZonesResponse>`)
		case "DescribeStacks":
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `<ErrorResponse><Error><Code>ValidationError</Code><Message>Stack with id x does not exist</Message></Error></ErrorResponse>`)
		default:
			w.WriteHeader(http.StatusForbidden)
		}
	})
	want(t, p.look(t, 0, zones), "ok: us-west-1a, us-west-1b", "warning: us-west-1b is not available", "warning: not looked at: the instance types")
}

// TestOffers. TestZonesWithoutATypeOrCapacity, in internal/local/emulator, has the
// launches that fail.
func TestOffers(t *testing.T) {
	p := newPatient(t, "")
	zones3 := "ok: eu-west-1a, eu-west-1b, eu-west-1c"
	lacks := func(zones []string, types ...string) {
		lacking := map[string][]string{}
		for _, zone := range zones {
			lacking["eu-west-1"+zone] = types
		}
		emulatortest.Set(t, p.control, emulator.Settings{NotOffered: lacking})
	}
	lacks([]string{"b"}, "m7g.2xlarge")
	want(t, p.look(t, 0, zones), zones3, "warning: eu-west-1b does not offer m7g.2xlarge, so the fleet never changes to it")
	lacks([]string{"b"}, "m7g.medium")
	want(t, p.look(t, 0, zones), zones3, "warning: eu-west-1b does not offer m7g.medium, which the fleet has")
	lacks([]string{"a", "b", "c"}, "m7g.medium")
	want(t, p.look(t, 0, zones), zones3, "fail: none of its zones offers m7g.medium")
	p.put(t, "eu-west-1", p.names().InstanceTypeParameter(), "m7g.large")
	want(t, p.look(t, 0, zones), zones3, "warning: does not offer m7g.medium, so the fleet never changes to it")
}

// TestVCPUs. TestQuotaOfVCPUs, in internal/local/emulator, has the launches that fail.
func TestVCPUs(t *testing.T) {
	// fleet.min, 2, of m7g.medium and one more take 3, fleet.max, 6, of m7g.2xlarge and as
	// many again 96.
	p := newPatient(t, `"regions": [{"name": "eu-north-1", "zones": ["a", "b", "c"]}]`)
	quota := func(n int) { emulatortest.Set(t, p.control, emulator.Settings{VCPUs: n}) }
	quota(96)
	want(t, p.look(t, 0, vcpus), "ok: is 96, of which others run 0, and the fleet takes 96 at most")
	quota(95)
	want(t, p.look(t, 0, vcpus), "warning: aws service-quotas request-service-quota-increase --region eu-north-1 --service-code ec2 --quota-code L-1216C47A --desired-value 96")
	p.config.Fleet.Schedule = []config.Schedule{{Name: "Morning", Max: 8}}
	want(t, p.look(t, 0, vcpus), "warning: --desired-value 128")
	p.config.Fleet.Schedule = nil
	quota(2)
	want(t, p.look(t, 0, vcpus), "fail: 3 are taken by fleet.min of m7g.medium and one more")
	// What others run is theirs, and what the fleet runs is not.
	quota(96)
	others := p.ec2(t, "eu-north-1", "RunInstances", "ImageId", "ami-12c6146b", "InstanceType", "m7g.large", "MinCount", "1", "MaxCount", "1")
	id := element(t, others, "instanceId")
	want(t, p.look(t, 0, vcpus), "warning: of which others run 2")
	p.ec2(t, "eu-north-1", "CreateTags", "ResourceId.1", id, "Tag.1.Key", "aws:autoscaling:groupName", "Tag.1.Value", p.names().Group())
	want(t, p.look(t, 0, vcpus), "ok: of which others run 0")
	p.put(t, "eu-north-1", p.names().InstanceTypeParameter(), "m7g.2xlarge")
	quota(23)
	want(t, p.look(t, 0, vcpus), "fail: 24 are taken by fleet.min of m7g.2xlarge")
}

func TestStandardInstances(t *testing.T) {
	for instanceType, want := range map[string]bool{"m7g.medium": true, "t4g.small": true, "im4gn.large": true, "z1d.large": true, "g5.xlarge": false, "inf2.xlarge": false, "trn1.2xlarge": false, "hpc7g.4xlarge": false, "mac2.metal": false, "x2gd.large": false, "": false} {
		if standard(instanceType) != want {
			t.Errorf("%s: got %t", instanceType, !want)
		}
	}
}

func TestVPCs(t *testing.T) {
	p := newPatient(t, `"regions": [{"name": "ca-central-1", "zones": ["a", "b", "c"]}]`)
	emulatortest.Set(t, p.control, emulator.Settings{VPCs: 5})
	want(t, p.look(t, 0, vpcs), "ok: the quota of VPCs is 5, of which 1 are taken, and the region adds 1")
	for range 4 {
		p.ec2(t, "ca-central-1", "CreateVpc", "CidrBlock", "10.1.0.0/16")
	}
	want(t, p.look(t, 0, vpcs), "fail: the quota of VPCs is 5, of which 5 are taken, and the region adds 1")
	p.refuses(t, "ca-central-1", p.names().RegionStack("ca-central-1"), `"VPC": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.1.0.0/16"}}`, "VpcLimitExceeded")
	p.deploy(t, "ca-central-1", p.names().RegionStack("ca-central-1"), something)
	want(t, p.look(t, 0, vpcs), "ok: the region has its own")
}

func TestAddresses(t *testing.T) {
	p := newPatient(t, `"regions": [{"name": "ca-central-1", "zones": ["a", "b", "c"]}], "egress": "nat"`)
	emulatortest.Set(t, p.control, emulator.Settings{Addresses: 5})
	want(t, p.look(t, 0, addresses), "ok: the quota of Elastic IP addresses is 5, of which 0 are taken, and the region adds 3")
	for range 3 {
		p.ec2(t, "ca-central-1", "AllocateAddress", "Domain", "vpc")
	}
	want(t, p.look(t, 0, addresses), "fail: the quota of Elastic IP addresses is 5, of which 3 are taken, and the region adds 3")
	var gateways []string
	for _, zone := range []string{"A", "B", "C"} {
		gateways = append(gateways, `"`+zone+`": {"Type": "AWS::EC2::EIP", "Properties": {"Domain": "vpc"}}`)
	}
	p.refuses(t, "ca-central-1", p.names().RegionStack("ca-central-1"), strings.Join(gateways, ","), "AddressLimitExceeded")
	want(t, newPatient(t, "").look(t, 0, addresses))
}

func TestConcurrency(t *testing.T) {
	p := newPatient(t, "")
	region, functions := p.names().RegionStack("eu-west-1"), function(fmt.Sprintf(`"ReservedConcurrentExecutions": %d, `, reserved))
	for _, test := range []struct {
		quota         int
		says, refused string
	}{
		{105, "fail: reserves 6, and 100 have to be left", "below its minimum value of [100]"},
		{10, "fail: and 10 have to be left", "below its minimum value of [10]"},
		{0, "ok: 1000 of 1000", ""},
		{106, "ok: 106 of 106", ""},
	} {
		emulatortest.Set(t, p.control, emulator.Settings{Concurrency: test.quota})
		want(t, p.look(t, 0, concurrency), test.says)
		if test.refused != "" {
			p.refuses(t, "eu-west-1", region, functions, test.refused)
		}
	}
	p.deploy(t, "eu-west-1", region, functions)
	want(t, p.look(t, 0, concurrency), "ok: have theirs")
}

// function is one with some properties, and its role, which may do some actions.
func function(properties string, actions ...string) string {
	policies := ""
	if actions != nil {
		policies = `, "Policies": [{"PolicyName": "calls", "PolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["` + strings.Join(actions, `", "`) + `"], "Resource": "*"}]}}]`
	}
	return `"Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [
			{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}]}` + policies + `}},
		"Function": {"Type": "AWS::Lambda::Function", "Properties": {` + properties + `"Runtime": "nodejs22.x", "Handler": "index.handler", "Role": {"Fn::GetAtt": ["Role", "Arn"]}, "Code": {"ZipFile": "x"}}}`
}

// awsCall is a custom resource that makes a call in eu-west-1 when it is created, and the
// function that does so, which may do some actions.
func awsCall(service, action, parameters string, actions ...string) string {
	call := fmt.Sprintf(`{"service": %q, "action": %q, "region": "eu-west-1", "parameters": %s, "physicalResourceId": {"id": "x"}}`, service, action, parameters)
	return function("", actions...) + fmt.Sprintf(`, "Call": {"Type": "Custom::AWS", "Properties": {"ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]}, "Create": %q}}`, call)
}

// TestQuotaThatIsTheDefault: of some, Service Quotas has the default alone.
func TestQuotaThatIsTheDefault(t *testing.T) {
	p := newPatient(t, "")
	p.answer(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".GetServiceQuota") {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"__type": "NoSuchResourceException"}`)
			return
		}
		fmt.Fprint(w, `{"Quota": {"Value": 7}}`)
	})
	p.look(t, 0, func(ctx context.Context, s *site) []Line {
		if n, err := s.value(ctx, elasticIPs); n != 7 || err != nil {
			t.Errorf("got %d, %v", n, err)
		}
		return nil
	})
}

// TestLeftovers. TestStacksAreMadeAgain, in test/lives, has the stacks that fail, and
// those that take over what is here.
func TestLeftovers(t *testing.T) {
	p := newPatient(t, "")
	n := p.names()
	storage, photos, logs := n.StorageStack("eu-west-1"), n.Bucket("photos", "eu-west-1"), n.LogsBucket("eu-west-1")
	want(t, p.look(t, 0, leftovers), "ok: nothing is in the way of "+storage)
	p.bucket(t, "eu-west-1", photos)
	p.bucket(t, "eu-west-1", logs)
	if _, err := cloudwatchlogs.NewFromConfig(emulatortest.Config(p.control, "eu-west-1")).CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String(n.ServiceLog())}); err != nil {
		t.Fatal(err)
	}
	takeOver := "cdk deploy --all --import-existing-resources takes it over"
	found := []string{"fail: " + logs + " exists and the stack " + storage + " does not: " + takeOver,
		"fail: " + photos + " exists and the stack " + storage + " does not: " + takeOver, "warning: keeps no versions", "fail: the log group " + n.ServiceLog() + " exists"}
	want(t, p.look(t, 0, leftovers), found...)
	for _, there := range []string{`"AWS::S3::Bucket", "Properties": {"BucketName": "` + photos, `"AWS::Logs::LogGroup", "Properties": {"LogGroupName": "` + n.ServiceLog()} {
		p.refuses(t, "eu-west-1", storage, `"There": {"Type": `+there+`"}}`, "already exists")
	}
	p.config.Regions = append(p.config.Regions, config.Region{Name: "us-east-1"}) // to which it replicates
	found[2] = "fail: keeps no versions"
	want(t, p.look(t, 0, leftovers), found...)
	replicate := fmt.Sprintf(`{"Bucket": %q, "ReplicationConfiguration": {"Role": "arn:aws:iam::%s:role/x", "Rules": [{"Status": "Enabled", "Priority": 1, "Filter": {"Prefix": ""},
		"DeleteMarkerReplication": {"Status": "Enabled"}, "Destination": {"Bucket": "arn:aws:s3:::%s"}}]}}`, photos, account, n.Bucket("photos", "us-east-1"))
	p.refuses(t, "eu-west-1", n.GlobalStack(), awsCall("S3", "putBucketReplication", replicate, "s3:PutReplicationConfiguration", "iam:PassRole"), "Versioning must be 'Enabled' on the bucket")
	p.config.Regions = p.config.Regions[:1]
	p.versions(t, photos, s3types.BucketVersioningStatusEnabled)
	p.config.Protect = false
	want(t, p.look(t, 0, leftovers), "fail: delete it", "fail: delete it", "fail: delete it")
	p.deploy(t, "eu-west-1", storage, something)
	want(t, p.look(t, 0, leftovers), "ok: 2 buckets, of "+storage)
	p.versions(t, photos, s3types.BucketVersioningStatusSuspended)
	want(t, p.look(t, 0, leftovers), "warning: the bucket "+photos+" keeps versions no more")
	p.versions(t, photos, s3types.BucketVersioningStatusEnabled)
	client := cloudwatchlogs.NewFromConfig(emulatortest.Config(p.control, "eu-west-1"))
	if _, err := client.DeleteLogGroup(t.Context(), &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: aws.String(n.ServiceLog())}); err != nil {
		t.Fatal(err)
	}
	gone := "warning: the log group " + n.ServiceLog() + " is gone, and the stack " + storage + " still has it"
	want(t, p.look(t, 0, leftovers), gone)
	if _, err := p.s3("eu-west-1").DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: &photos}); err != nil {
		t.Fatal(err)
	}
	want(t, p.look(t, 0, leftovers), "warning: the bucket "+photos+" is gone", gone)
}

// TestBucketsThatEncryptByKMS. TestBucketThatEncryptsByKMS, in internal/local/emulator, has
// what does not work in them.
func TestBucketsThatEncryptByKMS(t *testing.T) {
	p := newPatient(t, "")
	photos, logs := p.names().Bucket("photos", "eu-west-1"), p.names().LogsBucket("eu-west-1")
	p.deploy(t, "eu-west-1", p.names().StorageStack("eu-west-1"), `"Group": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "`+p.names().ServiceLog()+`"}}`)
	for _, bucket := range []string{photos, logs} {
		p.bucket(t, "eu-west-1", bucket)
		p.versions(t, bucket, s3types.BucketVersioningStatusEnabled)
	}
	encrypted := func(by s3types.ServerSideEncryption) {
		t.Helper()
		for _, bucket := range []string{photos, logs} {
			if _, err := p.s3("eu-west-1").PutBucketEncryption(t.Context(), &s3.PutBucketEncryptionInput{Bucket: &bucket, ServerSideEncryptionConfiguration: &s3types.ServerSideEncryptionConfiguration{
				Rules: []s3types.ServerSideEncryptionRule{{ApplyServerSideEncryptionByDefault: &s3types.ServerSideEncryptionByDefault{SSEAlgorithm: by}}},
			}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	well := "ok: 2 buckets, of " + p.names().StorageStack("eu-west-1")
	want(t, p.look(t, 0, leftovers), well)
	encrypted(s3types.ServerSideEncryptionAwsKms)
	command := "aws s3api put-bucket-encryption --region eu-west-1 --bucket "
	into, own := "the bucket "+logs+" encrypts by aws:kms, and a load balancer writes its logs into none that does: "+command+logs, "warning: the bucket "+photos+" encrypts by aws:kms: S3 replicates nothing"
	want(t, p.look(t, 0, leftovers), "fail: "+into, own)
	region := subnets("eu-west-1", "a", "b") + ", " + strings.ReplaceAll(`"Balancer": {"Type": "AWS::ElasticLoadBalancingV2::LoadBalancer", "Properties": {"Scheme": "internal", "Subnets": [{"Ref": "F1SubnetX"}, {"Ref": "F2SubnetX"}],
		"LoadBalancerAttributes": [{"Key": "access_logs.s3.enabled", "Value": "true"}, {"Key": "access_logs.s3.bucket", "Value": "`+logs+`"}]}}`, "F", fleetSubnet)
	p.refuses(t, "eu-west-1", p.names().RegionStack("eu-west-1"), region, "Access Denied for bucket: "+logs)
	encrypted(s3types.ServerSideEncryptionAes256)
	want(t, p.look(t, 0, leftovers), well)
	p.deploy(t, "eu-west-1", p.names().RegionStack("eu-west-1"), region)
	encrypted(s3types.ServerSideEncryptionAwsKmsDsse)
	want(t, p.look(t, 0, leftovers), "warning: the bucket "+logs+" encrypts by aws:kms:dsse", "warning: the bucket "+photos+" encrypts by aws:kms:dsse")
}

func (p *patient) versions(t *testing.T, bucket string, status s3types.BucketVersioningStatus) {
	t.Helper()
	if _, err := p.s3("eu-west-1").PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{Bucket: &bucket, VersioningConfiguration: &s3types.VersioningConfiguration{Status: status}}); err != nil {
		t.Fatal(err)
	}
}

// table makes one with a key and an index, and a stream where there is one, protected and
// recoverable.
func (p *patient) table(t *testing.T, region, name string, n types.ScalarAttributeType, index string, stream bool) {
	t.Helper()
	in := &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest, DeletionProtectionEnabled: aws.Bool(true),
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}, {AttributeName: aws.String("n"), KeyType: types.KeyTypeRange}},
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}, {AttributeName: aws.String("n"), AttributeType: n}, {AttributeName: aws.String("city"), AttributeType: types.ScalarAttributeTypeS}},
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName: &index, KeySchema: []types.KeySchemaElement{{AttributeName: aws.String("city"), KeyType: types.KeyTypeHash}}, Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
		}},
	}
	if stream {
		in.StreamSpecification = &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewAndOldImages}
	}
	if _, err := dynamodb.NewFromConfig(emulatortest.Config(p.control, region)).CreateTable(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	p.recovery(t, region, name, true)
}

func (p *patient) recovery(t *testing.T, region, name string, on bool) {
	t.Helper()
	if _, err := dynamodb.NewFromConfig(emulatortest.Config(p.control, region)).UpdateContinuousBackups(t.Context(), &dynamodb.UpdateContinuousBackupsInput{
		TableName: &name, PointInTimeRecoverySpecification: &types.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: &on},
	}); err != nil {
		t.Fatal(err)
	}
}

const twoRegions = `"regions": [{"name": "eu-west-1", "zones": ["a", "b", "c"]}, {"name": "us-east-1", "zones": ["a", "b", "c"]}]`

func (p *patient) addReplica(t *testing.T, region string) {
	t.Helper()
	name := p.names().Table("people")
	if _, err := dynamodb.NewFromConfig(emulatortest.Config(p.control, "eu-west-1")).UpdateTable(t.Context(), &dynamodb.UpdateTableInput{
		TableName: &name, ReplicaUpdates: []types.ReplicationGroupUpdate{{Create: &types.CreateReplicationGroupMemberAction{RegionName: &region}}},
	}); err != nil {
		t.Fatal(err)
	}
}

// TestTablesThatAreLeftOver. TestEverythingFailsOnce, in test/lives, has the deployment
// that takes over a table, and the replica that it lacks.
func TestTablesThatAreLeftOver(t *testing.T) {
	p := newPatient(t, twoRegions)
	name, stack := p.names().Table("people"), p.names().GlobalStack()
	want(t, p.look(t, 0, tables), "ok: nothing is in the way of "+stack)
	want(t, p.look(t, 1, tables), "ok: nothing is in the way of "+stack)
	p.table(t, "eu-west-1", name, types.ScalarAttributeTypeN, "byCity", true)
	leftOver := "fail: the table " + name + " exists and the stack " + stack + " does not"
	want(t, p.look(t, 0, tables), leftOver, "warning: aws dynamodb update-table --region eu-west-1 --table-name "+name+" --replica-updates 'Create={RegionName=us-east-1}'")
	p.addReplica(t, "us-east-1")
	want(t, p.look(t, 0, tables), leftOver)
	want(t, p.look(t, 1, tables), "warning: the table "+name+" has no point-in-time recovery here: aws dynamodb update-continuous-backups --region us-east-1")
	p.recovery(t, "us-east-1", name, true)
	want(t, p.look(t, 1, tables), "ok: nothing is in the way of "+stack)

	p = newPatient(t, "")
	name = p.names().Table("people")
	p.table(t, "eu-west-1", name, types.ScalarAttributeTypeS, "byTown", false)
	want(t, p.look(t, 0, tables), "fail: exists and the stack", "warning: has the key id (S), n (S), and the configuration says id (S), n (N)",
		"warning: has the indexes byTown by city (S), and the configuration says byCity by city (S)", "warning: has no stream")
	p.refuses(t, "eu-west-1", p.names().GlobalStack(), p.people(), "already exists")

	p = newPatient(t, twoRegions)
	p.config.Consistency = "strong"
	p.table(t, "eu-west-1", p.names().Table("people"), types.ScalarAttributeTypeN, "byCity", true)
	p.addReplica(t, "us-east-1")
	want(t, p.look(t, 0, tables), "fail: exists and the stack", "warning: has strong consistency: false, and the configuration says true")
}

// people is the table of the configuration.
func (p *patient) people() string {
	table, mode := p.config.Tables[0], "EVENTUAL"
	if p.config.MultiRegionStrongConsistency(table) {
		mode = "STRONG"
	}
	var replicas []string
	for _, region := range p.config.RegionNames() {
		replicas = append(replicas, `{"Region": "`+region+`", "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": true}}`)
	}
	return fmt.Sprintf(`"Table": {"Type": "AWS::DynamoDB::GlobalTable", "Properties": {"TableName": %q, "BillingMode": "PAY_PER_REQUEST", "MultiRegionConsistency": %q,
		"Replicas": [%s], "KeySchema": [{"AttributeName": %q, "KeyType": "HASH"}, {"AttributeName": %q, "KeyType": "RANGE"}],
		"AttributeDefinitions": [{"AttributeName": %[4]q, "AttributeType": %[6]q}, {"AttributeName": %[5]q, "AttributeType": %[7]q}]}}`,
		p.names().Table(table.Name), mode, strings.Join(replicas, ", "), table.PartitionKey.Name, table.SortKey.Name, table.PartitionKey.Type, table.SortKey.Type)
}

// TestTablesOfAStack: what CloudFormation believes of them, and what is there.
func TestTablesOfAStack(t *testing.T) {
	p := newPatient(t, twoRegions)
	name, stack := p.names().Table("people"), p.names().GlobalStack()
	p.deploy(t, "eu-west-1", stack, something)
	want(t, p.look(t, 0, tables), "warning: the table "+name+" is gone, and the stack "+stack+" still has it")
	p.table(t, "eu-west-1", name, types.ScalarAttributeTypeN, "byCity", true)
	want(t, p.look(t, 0, tables), "warning: has no replica in us-east-1")
	p.addReplica(t, "us-east-1")
	p.recovery(t, "us-east-1", name, true)
	want(t, p.look(t, 0, tables), "ok: 1, of "+stack)
	want(t, p.look(t, 1, tables), "ok: 1, of "+stack)
	p.recovery(t, "us-east-1", name, false)
	want(t, p.look(t, 0, tables), "ok: 1, of "+stack) // each has its own
	want(t, p.look(t, 1, tables), "warning: the table "+name+" has no point-in-time recovery here")
	if _, err := dynamodb.NewFromConfig(emulatortest.Config(p.control, "eu-west-1")).UpdateTable(t.Context(), &dynamodb.UpdateTableInput{TableName: &name, DeletionProtectionEnabled: aws.Bool(false)}); err != nil {
		t.Fatal(err)
	}
	p.recovery(t, "eu-west-1", name, false)
	off := []string{"warning: the table " + name + " may be deleted, which archipelago.protect is against", "warning: the table " + name + " has no point-in-time recovery here"}
	want(t, p.look(t, 0, tables), off...)
	p.config.Protect, p.config.Tables[0].Ephemeral = false, true // as the configuration says
	want(t, p.look(t, 0, tables), "ok: 1, of "+stack)
	p.config.Protect, p.config.Tables[0].Ephemeral = true, false
	if _, err := dynamodb.NewFromConfig(emulatortest.Config(p.control, "eu-west-1")).UpdateTable(t.Context(), &dynamodb.UpdateTableInput{TableName: &name, DeletionProtectionEnabled: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	p.recovery(t, "eu-west-1", name, true)
	want(t, p.look(t, 0, tables), "ok: 1, of "+stack)
}

// TestChangesOfATable that no update of its stack makes.
func TestChangesOfATable(t *testing.T) {
	p := newPatient(t, twoRegions)
	p.config.Protect = false
	name, stack := p.names().Table("people"), p.names().GlobalStack()
	p.deploy(t, "eu-west-1", stack, p.people())
	want(t, p.look(t, 0, tables), "ok: 1, of "+stack)
	two := p.config.Regions
	p.config.Regions = append(two[:2:2], config.Region{Name: "us-west-1"}, config.Region{Name: "us-west-2"})
	want(t, p.look(t, 0, tables), "fail: has no replicas in us-west-1, us-west-2, and CloudFormation adds one in an update")
	p.refuses(t, "eu-west-1", stack, p.people(), "only one replica can be added or removed in an update")
	p.config.Regions = append(two[:2:2], config.Region{Name: "us-west-2"})
	p.table(t, "us-west-2", name, types.ScalarAttributeTypeN, "byCity", true)
	want(t, p.look(t, 2, tables), "fail: exists here and is not a replica of that in eu-west-1")
	p.refuses(t, "eu-west-1", stack, p.people(), "already existed as tables")
	p.config.Regions, p.config.Consistency = two, "strong"
	want(t, p.look(t, 0, tables), "fail: has strong consistency: false, and the configuration says true")
	p.refuses(t, "eu-west-1", stack, p.people(), "cannot be changed after creation")
	p.config.Consistency, p.config.Tables[0].SortKey.Type = "", "S"
	want(t, p.look(t, 0, tables), "fail: has the key id (S), n (N), and the configuration says id (S), n (S)")
	p.refuses(t, "eu-west-1", stack, p.people(), "when a custom-named resource requires replacing")
}

// zone makes a hosted zone and returns its id and name servers.
func (p *patient) zone(t *testing.T, name string) (id string, servers []string) {
	t.Helper()
	out, err := route53.NewFromConfig(emulatortest.Config(p.control, "us-east-1")).CreateHostedZone(t.Context(), &route53.CreateHostedZoneInput{Name: &name, CallerReference: aws.String(t.Name() + name)})
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(*out.HostedZone.Id, "/hostedzone/"), out.DelegationSet.NameServers
}

// in has a domain in a zone, whose ids the emulator does not make as AWS does.
func (p *patient) in(zone, id string) *patient {
	p.config.Domain = config.Domain{Zone: zone, ZoneID: id, Host: "staff." + zone}
	return p
}

// TestRecoveryOfAHostedZone, which the emulator's have not.
func TestRecoveryOfAHostedZone(t *testing.T) {
	const id = "Z0123456789ABCDEFGHIJ"
	p := newPatient(t, "").in("example.com", id)
	p.resolver = dns{"ns-1.example."}
	for status, says := range map[string]string{"ENABLED": "ok: its records change", "ENABLING": "warning: its records do not change", "DISABLED": "warning: its records do not change"} {
		p.answer(t, func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `<GetHostedZoneResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><HostedZone><Id>/hostedzone/%s</Id><Name>example.com.</Name><CallerReference>c</CallerReference>
				<Features><AcceleratedRecoveryStatus>%s</AcceleratedRecoveryStatus></Features></HostedZone>
				<DelegationSet><NameServers><NameServer>ns-1.example</NameServer></NameServers></DelegationSet></GetHostedZoneResponse>`, id, status)
		})
		want(t, p.look(t, 0, hostedZone), "ok: ", "ok: is delegated", says)
	}
}

func TestHostedZone(t *testing.T) {
	const recovers = "warning: its records do not change while us-east-1 is lost: aws route53 update-hosted-zone-features"
	id, servers := newPatient(t, "").zone(t, "example.com")
	p := newPatient(t, "").in("example.com", id)
	want(t, p.look(t, 0, hostedZone), "ok: "+id+" is example.com", "fail: have the parent's NS record name "+strings.Join(servers, ", "), recovers)
	p.resolver = dns{"ns.elsewhere.example."}
	want(t, p.look(t, 0, hostedZone), "ok: ", "fail: DNS does not delegate example.com to its hosted zone", recovers)
	emulatortest.Set(t, p.control, emulator.Settings{NotDelegated: []string{"example.com"}})
	p.refuses(t, "eu-west-1", p.names().RegionStack("eu-west-1"), `"Certificate": {"Type": "AWS::CertificateManager::Certificate", "Properties": {"DomainName": "staff.example.com"}}`, "VALIDATION_TIMED_OUT")
	p.resolver = dns{strings.ToUpper(servers[0]) + "."}
	want(t, p.look(t, 0, hostedZone), "ok: ", "ok: example.com is delegated to it", recovers)
	p.resolver = noDNS{}
	want(t, p.look(t, 0, hostedZone), "ok: ", "warning: not looked at: whether example.com is delegated to its hosted zone: DNS: ", recovers)
	p.resolver = dns(nil)
	p.config.Domain.CertificateARNs = map[string]string{"eu-west-1": "arn"}
	want(t, p.look(t, 0, hostedZone), "ok: ", "warning: DNS does not delegate", recovers)
	p.local = true
	want(t, p.look(t, 0, hostedZone), "ok: ")
	p.config.Domain.Private = true
	want(t, p.look(t, 0, hostedZone), "warning: has private: false, and archipelago.domain.private is true")
	certificate := func(p *patient) string {
		d := p.config.Domain
		return fmt.Sprintf(`"Certificate": {"Type": "AWS::CertificateManager::Certificate", "Properties": {"DomainName": %q, "DomainValidationOptions": [{"DomainName": %[1]q, "HostedZoneId": %q}]}}`, d.Host, d.ZoneID)
	}
	const private = "Z0DOCTORPRIVATE"
	if err := p.control.Make(t.Context(), emulator.Existing{Zones: []emulator.Zone{{ID: private, Name: "example.net", Private: true}}}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ zone, id, says, reason string }{
		{"example.org", id, "fail: is that of example.com., and archipelago.domain.zone is example.org", "is not permitted in zone example.com."},
		{"example.com", "Z0NONE", "fail: there is no hosted zone Z0NONE in this account", "NoSuchHostedZone"},
		{"example.net", private, "fail: has private: true, and archipelago.domain.private is false", "VALIDATION_TIMED_OUT"},
	} {
		p := newPatient(t, "").in(test.zone, test.id)
		want(t, p.look(t, 0, hostedZone), test.says)
		p.refuses(t, "eu-west-1", p.names().RegionStack("eu-west-1"), certificate(p), test.reason)
	}
	p = newPatient(t, "").in("example.net", private)
	p.config.Domain.CertificateARNs = map[string]string{"eu-west-1": "arn"}
	want(t, p.look(t, 0, hostedZone), "warning: has private: true, and archipelago.domain.private is false")
	// A name in the zone nevertheless, and delegated.
	emulatortest.Set(t, p.control, emulator.Settings{})
	p = newPatient(t, "").in("eu.example.com", id)
	want(t, p.look(t, 0, hostedZone), "warning: is that of example.com., and archipelago.domain.zone is eu.example.com")
	p.deploy(t, "eu-west-1", p.names().RegionStack("eu-west-1"), certificate(p))
	want(t, newPatient(t, "").look(t, 0, hostedZone))
}

// TestRecord that is in the way of a deployment's.
func TestRecord(t *testing.T) {
	const id = "Z0DOCTORRECORD"
	p := newPatient(t, twoRegions).in("example.edu", id)
	if err := p.control.Make(t.Context(), emulator.Existing{Zones: []emulator.Zone{{ID: id, Name: "example.edu"}}}); err != nil {
		t.Fatal(err)
	}
	client := route53.NewFromConfig(emulatortest.Config(p.control, "us-east-1"))
	change := func(action route53types.ChangeAction, kind route53types.RRType, set string) {
		t.Helper()
		r := &route53types.ResourceRecordSet{Name: aws.String("staff.example.edu."), Type: kind, TTL: aws.Int64(60), ResourceRecords: []route53types.ResourceRecord{{Value: aws.String("192.0.2.1")}}}
		if set != "" {
			r.SetIdentifier, r.Region = &set, route53types.ResourceRecordSetRegion(set)
		}
		if _, err := client.ChangeResourceRecordSets(t.Context(), &route53.ChangeResourceRecordSetsInput{HostedZoneId: aws.String(id), ChangeBatch: &route53types.ChangeBatch{Changes: []route53types.Change{{Action: action, ResourceRecordSet: r}}}}); err != nil {
			t.Fatal(err)
		}
	}
	accelerators, near := p.names().EntryStack(), p.names().RegionStack("us-east-1")
	made := func(set string) string {
		return `"Record": {"Type": "AWS::Route53::RecordSet", "Properties": {"HostedZoneId": "` + id + `", "Name": "staff.example.edu.", "Type": "A", ` + set + `"AliasTarget": {"DNSName": "x.example.com", "HostedZoneId": "Z1"}}}`
	}
	const policy = `"SetIdentifier": "us-east-1", "Region": "us-east-1", `
	want(t, p.look(t, 0, record), "ok: nothing is in the way of that of "+accelerators)
	want(t, p.look(t, 1, record))
	change(route53types.ChangeActionCreate, route53types.RRTypeA, "us-east-1")
	want(t, p.look(t, 0, record), "fail: has a record staff.example.edu. A us-east-1 that is not of "+accelerators)
	p.refuses(t, "eu-west-1", accelerators, made(""), "but it already exists")
	p.config.Entry = config.EntryDNS
	want(t, p.look(t, 0, record), "ok: nothing is in the way of that of "+p.names().RegionStack("eu-west-1"))
	want(t, p.look(t, 1, record), "fail: has a record staff.example.edu. A us-east-1 that is not of "+near)
	p.refuses(t, "us-east-1", near, made(policy), "but it already exists")
	change(route53types.ChangeActionDelete, route53types.RRTypeA, "us-east-1")
	p.deploy(t, "us-east-1", near, made(policy))
	want(t, p.look(t, 1, record), "ok: staff.example.edu is of "+near)
	p.config.Regions[1].Weight = 0
	want(t, p.look(t, 1, record))
	want(t, newPatient(t, "").in("example.edu", "Z0NONE").look(t, 0, record))
	want(t, newPatient(t, "").look(t, 0, record))
}

func TestCertificate(t *testing.T) {
	arn := "arn:aws:acm:eu-west-1:" + account + ":certificate/d0c70000"
	p := newPatient(t, `"domain": {"zone": "example.com", "zoneId": "Z0", "host": "staff.example.com", "certificateArns": {"eu-west-1": "`+arn+`"}}`)
	want(t, p.look(t, 0, certificate), "fail: there is no "+arn)
	p.refuses(t, "eu-west-1", p.names().RegionStack("eu-west-1"), secure(arn), "'"+arn+"' not found")
	if err := p.control.Make(t.Context(), emulator.Existing{Certificates: map[string]string{arn: "staff.example.com"}}); err != nil {
		t.Fatal(err)
	}
	want(t, p.look(t, 0, certificate), "ok: "+arn+" is issued for staff.example.com")
	p.config.Domain.Host = "people.example.com"
	want(t, p.look(t, 0, certificate), "warning: not for people.example.com")
	want(t, newPatient(t, "").look(t, 0, certificate))
}

// secure is a listener in eu-west-1 that has a certificate, and its load balancer.
func secure(certificate string) string {
	return subnets("eu-west-1", "a", "b") + fmt.Sprintf(`, "Balancer": {"Type": "AWS::ElasticLoadBalancingV2::LoadBalancer", "Properties": {"Scheme": "internal", "Subnets": [{"Ref": "%s1SubnetX"}, {"Ref": "%[1]s2SubnetX"}]}},
		"Listener": {"Type": "AWS::ElasticLoadBalancingV2::Listener", "Properties": {"LoadBalancerArn": {"Ref": "Balancer"}, "Port": 443, "Protocol": "HTTPS", "Certificates": [{"CertificateArn": %[2]q}],
		"DefaultActions": [{"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", "Host": "example.com"}}]}}`, fleetSubnet, certificate)
}

func TestCertificateThatIsNotIssued(t *testing.T) {
	p := newPatient(t, "").in("example.com", "Z0")
	requested, err := acm.NewFromConfig(emulatortest.Config(p.control, "eu-west-1")).RequestCertificate(t.Context(), &acm.RequestCertificateInput{DomainName: aws.String("staff.example.com")})
	if err != nil {
		t.Fatal(err)
	}
	arn := *requested.CertificateArn
	p.config.Domain.CertificateARNs = map[string]string{"eu-west-1": arn}
	want(t, p.look(t, 0, certificate), "fail: is PENDING_VALIDATION, and a load balancer takes ISSUED ones")
	p.refuses(t, "eu-west-1", p.names().RegionStack("eu-west-1"), secure(arn), "'"+arn+"' must have a fully-qualified domain name")
}

// TestCertificateThatEnds has a stand-in for ACM: those of the emulator do not.
func TestCertificateThatEnds(t *testing.T) {
	p := newPatient(t, "").in("example.com", "Z0")
	p.config.Domain.CertificateARNs = map[string]string{"eu-west-1": "arn:aws:acm:eu-west-1:" + account + ":certificate/d0c70001"}
	end := 1000000000
	p.answer(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"Certificate": {"DomainName": "*.example.com", "Status": "ISSUED", "Type": "IMPORTED", "NotAfter": %d}}`, end)
	})
	want(t, p.look(t, 0, certificate), "warning: ends on 2001-09-09")
	end = 5000000000
	want(t, p.look(t, 0, certificate), "ok: ")
}

func TestSecrets(t *testing.T) {
	p := newPatient(t, `"service": {"name": "hello", "package": "./service", "port": 8080, "health": "/healthz", "secrets": {"A": "/doctor/a", "B": "secret:doctor/b"}}`)
	want(t, p.look(t, 0, secrets), "fail: there is no parameter /doctor/a", "fail: there is no secret doctor/b")
	p.put(t, "eu-west-1", "/doctor/a", "x")
	client := secretsmanager.NewFromConfig(emulatortest.Config(p.control, "eu-west-1"))
	if _, err := client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("doctor/b"), SecretString: aws.String("x")}); err != nil {
		t.Fatal(err)
	}
	want(t, p.look(t, 0, secrets), "ok: /doctor/a, secret:doctor/b")
	if _, err := client.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: aws.String("doctor/b")}); err != nil {
		t.Fatal(err)
	}
	want(t, p.look(t, 0, secrets), "fail: aws secretsmanager restore-secret --region eu-west-1 --secret-id doctor/b")
	want(t, newPatient(t, "").look(t, 0, secrets))
}

// TestEBSKey. TestVolumesOfACustomersKey, in internal/local/emulator, has the launches
// that fail.
func TestEBSKey(t *testing.T) {
	p := newPatient(t, `"regions": [{"name": "eu-central-1", "zones": ["a", "b", "c"]}]`)
	want(t, p.look(t, 0, ebsKey), "ok: AWS's own")
	p.ec2(t, "eu-central-1", "CreateVolume", "Size", "1", "AvailabilityZone", "eu-central-1a", "Encrypted", "true") // with that one
	want(t, p.look(t, 0, ebsKey), "ok: AWS's own")
	key := p.key(t, "eu-central-1")
	p.ec2(t, "eu-central-1", "ModifyEbsDefaultKmsKeyId", "KmsKeyId", key)
	role := "arn:aws:iam::" + account + ":role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
	refused := "fail: volumes are encrypted with " + key + ", which Auto Scaling may not use, so no instance launches: aws kms create-grant --region eu-central-1 --key-id " + key + " --grantee-principal " + role
	want(t, p.look(t, 0, ebsKey), refused)
	client := kms.NewFromConfig(emulatortest.Config(p.control, "eu-central-1"))
	grant := func(key string) {
		t.Helper()
		if _, err := client.CreateGrant(t.Context(), &kms.CreateGrantInput{KeyId: &key, GranteePrincipal: &role, Operations: []kmstypes.GrantOperation{kmstypes.GrantOperationDecrypt}}); err != nil {
			t.Fatal(err)
		}
	}
	grant(key)
	want(t, p.look(t, 0, ebsKey), "ok: "+key)
	own := p.key(t, "eu-central-1")
	p.config.Regions[0].KMS.Volume = own
	want(t, p.look(t, 0, ebsKey), "fail: volumes are encrypted with "+own)
	policy := `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": ["` + role + `"]}, "Action": "kms:*", "Resource": "*"}]}`
	if _, err := client.PutKeyPolicy(t.Context(), &kms.PutKeyPolicyInput{KeyId: &own, PolicyName: aws.String("default"), Policy: &policy}); err != nil {
		t.Fatal(err)
	}
	want(t, p.look(t, 0, ebsKey), "ok: "+own)
	if _, err := client.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: idOf(own)}); err != nil {
		t.Fatal(err)
	}
	want(t, p.look(t, 0, ebsKey), "fail: with which volumes are encrypted, is Disabled")
	p.config.Regions[0].KMS.Volume = own + "0"
	want(t, p.look(t, 0, ebsKey), "fail: there is no key "+own+"0")
}

// key is one of the account's own, whose policy leaves it to IAM's.
func (p *patient) key(t *testing.T, region string) string {
	t.Helper()
	policy := `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::` + account + `:root"}, "Action": "kms:*", "Resource": "*"}]}`
	out, err := kms.NewFromConfig(emulatortest.Config(p.control, region)).CreateKey(t.Context(), &kms.CreateKeyInput{Policy: &policy})
	if err != nil {
		t.Fatal(err)
	}
	return *out.KeyMetadata.Arn
}

// idOf is the id in a key's ARN.
func idOf(arn string) *string { return aws.String(arn[strings.LastIndex(arn, "/")+1:]) }

// TestKeysOfSecrets that no instance may decrypt with.
func TestKeysOfSecrets(t *testing.T) {
	p := newPatient(t, `"service": {"name": "hello", "package": "./service", "port": 8080, "health": "/healthz", "secrets": {"A": "/doctor/key/a", "B": "secret:doctor/key/b"}}`)
	key := p.key(t, "eu-west-1")
	here := emulatortest.Config(p.control, "eu-west-1")
	if _, err := ssm.NewFromConfig(here).PutParameter(t.Context(), &ssm.PutParameterInput{Name: aws.String("/doctor/key/a"), Type: ssmtypes.ParameterTypeSecureString, KeyId: &key, Value: aws.String("x")}); err != nil {
		t.Fatal(err)
	}
	if _, err := secretsmanager.NewFromConfig(here).CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("doctor/key/b"), KmsKeyId: &key, SecretString: aws.String("x")}); err != nil {
		t.Fatal(err)
	}
	says := " is encrypted with the key " + key + ", and no instance may decrypt it: add that to archipelago.regions[].kms.decrypt of eu-west-1"
	want(t, p.look(t, 0, secrets), "fail: the parameter /doctor/key/a"+says, "fail: the secret doctor/key/b"+says)
	p.config.Regions[0].KMS.Decrypt = []string{key}
	want(t, p.look(t, 0, secrets), "ok: /doctor/key/a, secret:doctor/key/b")
	if _, err := kms.NewFromConfig(here).DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: idOf(key)}); err != nil {
		t.Fatal(err)
	}
	says = " is encrypted with the key " + key + ", which is Disabled"
	want(t, p.look(t, 0, secrets), "fail: the parameter /doctor/key/a"+says, "fail: the secret doctor/key/b"+says)
	if _, err := secretsmanager.NewFromConfig(here).UpdateSecret(t.Context(), &secretsmanager.UpdateSecretInput{SecretId: aws.String("doctor/key/b"), KmsKeyId: aws.String(key + "0"), SecretString: aws.String("x")}); err != nil {
		t.Fatal(err)
	}
	want(t, p.look(t, 0, secrets), "fail: the parameter /doctor/key/a"+says, "fail: the secret doctor/key/b is encrypted with "+key+"0, and there is no such key")
}

// subscribe adds an address to the topic of the stack of something, as a template's
// subscription does, which the emulator accepts and does not make.
func (p *patient) subscribe(t *testing.T, address string) {
	t.Helper()
	p.look(t, 0, func(ctx context.Context, s *site) []Line {
		ids, err := s.resources(ctx, s.here, s.names().RegionStack(s.region.Name), "AWS::SNS::Topic")
		if err != nil {
			t.Fatal(err)
		}
		p.ask(t, "sns", s.region.Name, "2010-03-31", "Subscribe", "TopicArn", ids["Topic"], "Protocol", "email", "Endpoint", address)
		return nil
	})
}

func TestSubscriptions(t *testing.T) {
	p := newPatient(t, `"alarms": ["ops@example.com"]`)
	want(t, p.look(t, 0, subscriptions)) // nobody was asked
	p.deploy(t, "eu-west-1", p.names().RegionStack("eu-west-1"), something)
	want(t, p.look(t, 0, subscriptions), "warning: ops@example.com gets no alarms")
	p.subscribe(t, "ops@example.com")
	want(t, p.look(t, 0, subscriptions), "ok: 1 confirmed")
	want(t, newPatient(t, "").look(t, 0, subscriptions))
}

// TestSubscriptionThatIsPending has a stand-in for SNS, where the emulator's people
// confirm at once.
func TestSubscriptionThatIsPending(t *testing.T) {
	p := newPatient(t, `"alarms": ["ops@example.com"]`)
	p.answer(t, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		switch r.Form.Get("Action") {
		case "DescribeStacks":
			fmt.Fprint(w, `<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>x</StackName><CreationTime>2026-01-01T00:00:00Z</CreationTime><StackStatus>CREATE_COMPLETE</StackStatus></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`)
		case "ListStackResources":
			fmt.Fprint(w, `<ListStackResourcesResponse><ListStackResourcesResult><StackResourceSummaries><member><LogicalResourceId>Topic</LogicalResourceId><PhysicalResourceId>arn:aws:sns:eu-west-1:1:x</PhysicalResourceId><ResourceType>AWS::SNS::Topic</ResourceType><ResourceStatus>CREATE_COMPLETE</ResourceStatus><LastUpdatedTimestamp>2026-01-01T00:00:00Z</LastUpdatedTimestamp></member></StackResourceSummaries></ListStackResourcesResult></ListStackResourcesResponse>`)
		case "ListSubscriptionsByTopic":
			fmt.Fprint(w, `<ListSubscriptionsByTopicResponse><ListSubscriptionsByTopicResult><Subscriptions><member><SubscriptionArn>PendingConfirmation</SubscriptionArn><Endpoint>ops@example.com</Endpoint></member></Subscriptions></ListSubscriptionsByTopicResult></ListSubscriptionsByTopicResponse>`)
		}
	})
	want(t, p.look(t, 0, subscriptions), "warning: ops@example.com has not confirmed: follow the link")
}

// existing is a region with a VPC that exists, of an id that ends in n.
func existing(region, n string) string {
	return fmt.Sprintf(`{"name": %q, "cidr": "172.20.0.0/16", "vpc": {"id": "vpc-0d0c000%s",
		"fleetSubnets": {"a": "subnet-0d0c0a%[2]s0", "b": "subnet-0d0c0b%[2]s0"}, "loadBalancerSubnets": {"a": "subnet-0d0c0a%[2]s0", "b": "subnet-0d0c0b%[2]s0"}}}`, region, n)
}

// exists makes what the configuration takes as it is.
func (p *patient) exists(t *testing.T) {
	t.Helper()
	if err := p.control.Make(t.Context(), emulator.ExistingOf(p.config)); err != nil {
		t.Fatal(err)
	}
}

// endpoint adds one for a service to all subnets that use the VPC's main table.
func (p *patient) endpoint(t *testing.T, region, vpc, service string) {
	t.Helper()
	main := element(t, p.ec2(t, region, "DescribeRouteTables", "Filter.1.Name", "vpc-id", "Filter.1.Value.1", vpc), "routeTableId")
	p.ec2(t, region, "CreateVpcEndpoint", "VpcId", vpc, "ServiceName", "com.amazonaws."+region+"."+service, "VpcEndpointType", "Gateway", "RouteTableId.1", main)
}

// TestNetworkThatExists. TestInstancesReachWhatTheirSubnetDoes, in internal/local/emulator,
// has the instances that boot without a way to what they need.
func TestNetworkThatExists(t *testing.T) {
	const region, vpc = "ap-northeast-2", "vpc-0d0c0001"
	p := newPatient(t, `"regions": [`+existing(region, "1")+`]`)
	stack := p.names().RegionStack(region)
	want(t, p.look(t, 0, network), "fail: there is no VPC "+vpc)
	p.refuses(t, region, stack, balancer("internal", "subnet-0d0c0a10", "subnet-0d0c0b10"), "subnet-0d0c0a10")
	p.exists(t)
	want(t, p.look(t, 0, network), "ok: "+vpc)
	main := element(t, p.ec2(t, region, "DescribeRouteTables", "Filter.1.Name", "vpc-id", "Filter.1.Value.1", vpc), "routeTableId")
	gateway := element(t, p.ec2(t, region, "DescribeInternetGateways", "Filter.1.Name", "attachment.vpc-id", "Filter.1.Value.1", vpc), "internetGatewayId")
	p.ec2(t, region, "DeleteRoute", "RouteTableId", main, "DestinationCidrBlock", "0.0.0.0/0")
	p.ec2(t, region, "DetachInternetGateway", "InternetGatewayId", gateway, "VpcId", vpc)
	way := "there is no way from subnet-0d0c0a10 to com.amazonaws." + region
	other := "there is no way from subnet-0d0c0b10 to com.amazonaws." + region
	want(t, p.look(t, 0, network), "fail: "+way+".s3", "warning: "+way+".dynamodb", "fail: "+other+".s3", "warning: "+other+".dynamodb", "fail: no internet gateway is attached to "+vpc+", without which Global Accelerator reaches nothing in it")
	p.refuses(t, region, stack, balancer("internal", "subnet-0d0c0a10", "subnet-0d0c0b10")+`, "Group": {"Type": "AWS::GlobalAccelerator::EndpointGroup", "Properties": {"EndpointGroupRegion": "`+region+`", "ListenerArn": "x", "EndpointConfigurations": [{"EndpointId": {"Ref": "Balancer"}}]}}`, "has no internet gateway")
	p.endpoint(t, region, vpc, "s3")
	p.config.Entry = "none"
	want(t, p.look(t, 0, network), "warning: "+way+".dynamodb", "warning: "+other+".dynamodb", "fail: no internet gateway is attached to "+vpc+", without which no load balancer in it faces the internet")
	p.refuses(t, region, stack, balancer("internet-facing", "subnet-0d0c0a10", "subnet-0d0c0b10"), "has no internet gateway")
	p.ec2(t, region, "AttachInternetGateway", "InternetGatewayId", gateway, "VpcId", vpc)
	p.endpoint(t, region, vpc, "dynamodb")
	want(t, p.look(t, 0, network), "warning: subnet-0d0c0a10 has no route to an internet gateway", "warning: subnet-0d0c0b10 has no route to an internet gateway")
	p.config.Entry = "accelerator"
	want(t, p.look(t, 0, network), "ok: "+vpc)
	want(t, p.look(t, 0, zones)[:1], "ok: ap-northeast-2a, ap-northeast-2b, those of archipelago.regions[].vpc")

	p.config.Service.Secrets, p.config.Logs, p.config.SSM = map[string]string{"A": "/a", "B": "secret:b"}, "cloudwatch", true
	want(t, p.look(t, 0, network)[:6], "fail: "+way+".ssm, so no instance gets its secrets", "fail: "+way+".secretsmanager", "warning: "+way+".logs", "warning: "+way+".monitoring", "warning: "+way+".ssm, so no session opens", "warning: "+way+".ssmmessages")
	p.ec2(t, region, "CreateRoute", "RouteTableId", main, "DestinationCidrBlock", "0.0.0.0/0", "GatewayId", gateway)
	want(t, p.look(t, 0, network), "ok: "+vpc)

	p.config.Fleet.Max = 10_000
	want(t, p.look(t, 0, network), "warning: free addresses, and fleet.max and as many again, which a deployment launches, take 20000")
	p.config.Regions[0].CIDR = "172.21.0.0/16"
	want(t, p.look(t, 0, network), "warning: has the range 172.20.0.0/16, and archipelago.regions[].cidr is 172.21.0.0/16", "warning: subnet-0d0c0a10 has the range", "warning: subnet-0d0c0b10 has the range")
	p.config.Regions[0].CIDR = "172.20.0.0/16"
	p.config.Regions[0].VPC.FleetSubnets = map[string]string{"a": "subnet-0d0c0b10", "b": "subnet-0d0c0fff"}
	want(t, p.look(t, 0, network), "warning: subnet-0d0c0b10 is in ap-northeast-2b: correct archipelago.regions[].vpc.fleetSubnets.a", "fail: subnet-0d0c0fff is not in "+vpc)
	p.refuses(t, region, stack, balancer("internal", "subnet-0d0c0a10", "subnet-0d0c0fff"), "subnet-0d0c0fff")
	want(t, newPatient(t, "").look(t, 0, network))
}

// balancer is one in two subnets.
func balancer(scheme, a, b string) string {
	return fmt.Sprintf(`"Balancer": {"Type": "AWS::ElasticLoadBalancingV2::LoadBalancer", "Properties": {"Scheme": %q, "Subnets": [%q, %q]}}`, scheme, a, b)
}

// TestSubnetsOfALoadBalancer that it does not take.
func TestSubnetsOfALoadBalancer(t *testing.T) {
	const region, a, b, alsoA = "eu-north-1", "subnet-0d0c1a00", "subnet-0d0c1b00", "subnet-0d0c1c00"
	p := newPatient(t, `"regions": [`+existing(region, "1")+`]`)
	r := &p.config.Regions[0]
	r.CIDR, r.VPC.ID = "172.22.0.0/25", "vpc-0d0c1000"
	if err := p.control.Make(t.Context(), emulator.Existing{Networks: []emulator.Network{{Region: region, ID: r.VPC.ID, CIDR: r.CIDR, Subnets: map[string]string{a: region + "a", b: region + "b", alsoA: region + "a"}}}}); err != nil {
		t.Fatal(err)
	}
	r.VPC.FleetSubnets, r.VPC.LoadBalancerSubnets = map[string]string{"a": a, "b": b}, map[string]string{"a": a, "b": b}
	want(t, p.look(t, 0, network), "fail: "+a+" has 3 free addresses, and a load balancer wants 8", "fail: "+b+" has 3 free addresses")
	p.refuses(t, region, p.names().RegionStack(region), balancer("internal", a, b), "at least 8 free IP addresses")
	r.VPC.LoadBalancerSubnets = map[string]string{"a": a, "b": alsoA}
	want(t, p.look(t, 0, network), "fail: "+a+" is in eu-north-1a, where a load balancer takes one subnet", "fail: "+alsoA+" is in eu-north-1a, where a load balancer takes one subnet: correct archipelago.regions[].vpc.loadBalancerSubnets.b")
	p.refuses(t, region, p.names().RegionStack(region), balancer("internal", a, alsoA), "multiple subnets in the same Availability Zone")
}

// everything is a patient whom each question is asked.
func everything(t *testing.T) *patient {
	t.Helper()
	arn := func(region string) string {
		return "arn:aws:acm:" + region + ":" + account + ":certificate/d0c70002"
	}
	id, _ := newPatient(t, "").zone(t, "example.net")
	p := newPatient(t, `"regions": ["eu-west-1", `+existing("ap-south-1", "2")+`, "eu-west-2"], "alarms": ["ops@example.com"], `+gitHub+`,
		"service": {"name": "hello", "package": "./service", "port": 8080, "health": "/healthz", "secrets": {"A": "/doctor/c", "B": "secret:doctor/d"}},
		"domain": {"zone": "example.net", "zoneId": "Z0", "host": "staff.example.net",
			"certificateArns": {"eu-west-1": "`+arn("eu-west-1")+`", "eu-west-2": "`+arn("eu-west-2")+`", "ap-south-1": "`+arn("ap-south-1")+`"}}`)
	p.config.Domain.ZoneID = id
	p.config.Egress = "nat" // not beside a VPC that exists, but to be asked for its addresses
	p.exists(t)
	for _, region := range []string{"eu-west-1", "eu-west-2", "ap-south-1"} {
		p.bootstrapped(t, region, "30")
	}
	p.ec2(t, "eu-west-2", "RunInstances", "ImageId", "ami-12c6146b", "InstanceType", "m7g.large", "MinCount", "1", "MaxCount", "1")
	p.bucket(t, "eu-west-2", p.names().Bucket("photos", "eu-west-2"))
	p.table(t, "eu-west-1", p.names().Table("people"), types.ScalarAttributeTypeN, "byCity", true)
	p.config.Regions[2].KMS.Volume = p.key(t, "eu-west-2")
	p.put(t, "eu-west-2", "/doctor/c", "x")
	p.deploy(t, "eu-west-1", p.names().GlobalStack(), something)
	p.deploy(t, "eu-west-1", p.names().RegionStack("eu-west-1"), something+", "+alarms(p.names().Name+"-metric", p.names().ImpairedAlarm()))
	p.resolver = dns{"x"}
	return p
}
