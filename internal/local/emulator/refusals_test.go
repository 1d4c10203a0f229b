package emulator_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	route53types "github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// made deploys a stack that is made, or, with a reason, refused for that.
func made(t *testing.T, reason string, parts resources) {
	t.Helper()
	s := newStack(t)
	status := types.StackStatusCreateComplete
	if reason != "" {
		status = types.StackStatusRollbackComplete
	}
	s.deploy(t, status, parts)
	if reason != "" && !strings.Contains(s.reasons(t), reason) {
		t.Errorf("want it refused for %q: %s", reason, s.reasons(t))
	}
	if err := s.delete(t); err != nil {
		t.Error(err)
	}
}

func resource(kind string, properties map[string]any) map[string]any {
	return map[string]any{"Type": kind, "Properties": properties}
}

func ref(logicalID string) any { return map[string]any{"Ref": logicalID} }

func TestRecordsOfAHostedZone(t *testing.T) {
	const zone, private = "Z0REFUSALS", "Z0REFUSALSPRIVATE"
	if err := emulatortest.Shared(t).Make(t.Context(), emulator.Existing{Zones: []emulator.Zone{{ID: zone, Name: "example.com"}, {ID: private, Name: "example.com", Private: true}}}); err != nil {
		t.Fatal(err)
	}
	record := func(zone, name, kind, id string) map[string]any {
		properties := map[string]any{"HostedZoneId": zone, "Name": name + ".", "Type": kind, "TTL": "60", "ResourceRecords": []string{"192.0.2.1"}}
		if id != "" {
			properties["SetIdentifier"], properties["Region"] = id, id
		}
		return resource("AWS::Route53::RecordSet", properties)
	}
	first := newStack(t)
	first.deploy(t, types.StackStatusCreateComplete, resources{"Plain": record(zone, "plain.example.com", "A", ""), "Near": record(zone, "near.example.com", "A", "eu-west-1"), "Alias": record(zone, "alias.example.com", "CNAME", "")})
	certificate := func(zone string) map[string]any {
		return resource("AWS::CertificateManager::Certificate", map[string]any{"DomainName": "a.example.com", "DomainValidationOptions": []any{map[string]any{"DomainName": "a.example.com", "HostedZoneId": zone}}})
	}
	for name, test := range map[string]struct {
		part   map[string]any
		reason string
	}{
		"new":                          {record(zone, "new.example.com", "A", ""), ""},
		"no zone":                      {record("Z0NONE", "a.example.com", "A", ""), "NoSuchHostedZone"},
		"another zone's":               {record(zone, "a.myexample.com", "A", ""), "is not permitted in zone example.com."},
		"existing":                     {record(zone, "plain.example.com", "A", ""), "but it already exists"},
		"existing, with a policy":      {record(zone, "near.example.com", "A", "eu-west-1"), "but it already exists"},
		"beside one without a policy":  {record(zone, "plain.example.com", "A", "eu-west-1"), "but it already exists"},
		"beside a CNAME":               {record(zone, "alias.example.com", "A", ""), "but it already exists"},
		"another region's":             {record(zone, "near.example.com", "A", "us-east-1"), ""},
		"another type":                 {record(zone, "plain.example.com", "AAAA", ""), ""},
		"certificate":                  {certificate(zone), ""},
		"certificate without a zone":   {certificate("Z0NONE"), "NoSuchHostedZone"},
		"certificate of a private one": {certificate(private), "VALIDATION_TIMED_OUT"},
	} {
		t.Run(name, func(t *testing.T) { made(t, test.reason, resources{"Part": test.part}) })
	}
	// By a call, too, which deletes what says all that the record does.
	client := route53.NewFromConfig(emulatortest.Config(first.control, "eu-west-1"))
	change := func(action route53types.ChangeAction, address, reason string) {
		t.Helper()
		_, err := client.ChangeResourceRecordSets(t.Context(), &route53.ChangeResourceRecordSetsInput{HostedZoneId: aws.String(zone), ChangeBatch: &route53types.ChangeBatch{Changes: []route53types.Change{{
			Action: action, ResourceRecordSet: &route53types.ResourceRecordSet{
				Name: aws.String("near.example.com"), Type: route53types.RRTypeA, SetIdentifier: aws.String("eu-west-1"), Region: route53types.ResourceRecordSetRegionEuWest1,
				TTL: aws.Int64(60), ResourceRecords: []route53types.ResourceRecord{{Value: &address}},
			},
		}}}})
		if said := fmt.Sprint(err); reason == "" && err != nil || !strings.Contains(said, reason) {
			t.Errorf("%s of %s: got %s, want %q", action, address, said, reason)
		}
	}
	change(route53types.ChangeActionCreate, "192.0.2.1", "but it already exists")
	change(route53types.ChangeActionDelete, "192.0.2.2", "do not match the current values")
	change(route53types.ChangeActionDelete, "192.0.2.1", "")
	change(route53types.ChangeActionDelete, "192.0.2.1", "but it was not found")
	change(route53types.ChangeActionCreate, "192.0.2.1", "")
	// What is deleted, or another record, is not in the way.
	if err := first.delete(t); err != nil {
		t.Fatal(err)
	}
	made(t, "", resources{"Part": record(zone, "plain.example.com", "A", "")})
}

// network is a VPC with subnets of these ranges and zones.
func network(subnets ...[2]string) resources {
	parts := resources{"VPC": resource("AWS::EC2::VPC", map[string]any{"CidrBlock": "10.77.0.0/16"})}
	for i, s := range subnets {
		parts[fmt.Sprintf("Subnet%d", i)] = resource("AWS::EC2::Subnet", map[string]any{"VpcId": ref("VPC"), "CidrBlock": s[0], "AvailabilityZone": s[1]})
	}
	return parts
}

// facing is a load balancer of a scheme in the first two subnets of a network.
func facing(scheme string) resources {
	return resources{"Balancer": resource("AWS::ElasticLoadBalancingV2::LoadBalancer", map[string]any{"Scheme": scheme, "Subnets": []any{ref("Subnet0"), ref("Subnet1")}})}
}

func gateway() resources {
	return resources{
		"Gateway":    resource("AWS::EC2::InternetGateway", map[string]any{}),
		"Attachment": resource("AWS::EC2::VPCGatewayAttachment", map[string]any{"VpcId": ref("VPC"), "InternetGatewayId": ref("Gateway")}),
	}
}

var twoZones = [][2]string{{"10.77.0.0/24", "eu-west-1a"}, {"10.77.1.0/24", "eu-west-1b"}}

func TestSubnetsOfALoadBalancer(t *testing.T) {
	attached := gateway()
	public := facing("internet-facing")
	public["Balancer"].(map[string]any)["DependsOn"] = "Attachment"
	for name, test := range map[string]struct {
		parts  resources
		reason string
	}{
		"two zones":             {network(twoZones...).with(facing("internal")), ""},
		"one zone":              {network([2]string{"10.77.0.0/24", "eu-west-1a"}, [2]string{"10.77.1.0/24", "eu-west-1a"}).with(facing("internal")), "multiple subnets in the same Availability Zone"},
		"few addresses":         {network([2]string{"10.77.0.0/28", "eu-west-1a"}, [2]string{"10.77.1.0/29", "eu-west-1b"}).with(facing("internal")), "at least 8 free IP addresses"},
		"no internet gateway":   {network(twoZones...).with(facing("internet-facing")), "has no internet gateway"},
		"with internet gateway": {network(twoZones...).with(attached).with(public), ""},
	} {
		t.Run(name, func(t *testing.T) { made(t, test.reason, test.parts) })
	}
}

func TestAcceleratorWithoutAnInternetGateway(t *testing.T) {
	group := resource("AWS::GlobalAccelerator::EndpointGroup", map[string]any{"EndpointGroupRegion": "eu-west-1", "ListenerArn": "arn", "EndpointConfigurations": []any{map[string]any{"EndpointId": ref("Balancer")}}})
	island := network(twoZones...).with(facing("internal")).with(resources{"Group": group})
	t.Run("none", func(t *testing.T) { made(t, "has no internet gateway", island) })
	group["DependsOn"] = "Attachment"
	t.Run("one", func(t *testing.T) { made(t, "", island.with(gateway())) })
}

// TestZonesWithoutLoadBalancers: letters are an account's own, so whether one of them is
// such a zone, only the account tells.
func TestZonesWithoutLoadBalancers(t *testing.T) {
	control := emulatortest.Shared(t)
	island := network(twoZones...).with(gateway()).with(facing("internal"))
	for _, id := range []string{"usw1-az2", "apne1-az3", "cac1-az3"} {
		t.Run(id, func(t *testing.T) {
			emulatortest.Set(t, control, emulator.Settings{ZoneIDs: map[string]string{"eu-west-1b": id}})
			made(t, "The following Availability Zones eu-west-1b cannot be associated with a load balancer", island)
			emulatortest.Set(t, control, emulator.Settings{ZoneIDs: map[string]string{"eu-west-1c": id}})
			made(t, "", island)
		})
	}
	// A load balancer that there is already is not an endpoint either.
	emulatortest.Set(t, control, emulator.Settings{})
	s := newStack(t)
	s.deploy(t, types.StackStatusCreateComplete, island)
	emulatortest.Set(t, control, emulator.Settings{ZoneIDs: map[string]string{"eu-west-1b": "usw1-az2"}})
	s.deploy(t, types.StackStatusUpdateRollbackComplete, island.with(resources{"Group": resource("AWS::GlobalAccelerator::EndpointGroup", map[string]any{
		"EndpointGroupRegion": "eu-west-1", "ListenerArn": "arn", "EndpointConfigurations": []any{map[string]any{"EndpointId": ref("Balancer")}},
	})}))
	if want := "is in usw1-az2, where Global Accelerator has no endpoints"; !strings.Contains(s.reasons(t), want) {
		t.Errorf("want it refused, for it %s: %s", want, s.reasons(t))
	}
}

func TestCertificatesOfAListener(t *testing.T) {
	control := emulatortest.Shared(t)
	const issued = "arn:aws:acm:eu-west-1:123456789012:certificate/1550ed00"
	if err := control.Make(t.Context(), emulator.Existing{Certificates: map[string]string{issued: "a.example.com"}}); err != nil {
		t.Fatal(err)
	}
	requested, err := acm.NewFromConfig(emulatortest.Config(control, "eu-west-1")).RequestCertificate(t.Context(), &acm.RequestCertificateInput{DomainName: aws.String("a.example.com")})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ arn, reason string }{
		"issued":           {issued, ""},
		"requested":        {*requested.CertificateArn, "must have a fully-qualified domain name"},
		"none":             {issued + "0", "not found"},
		"another region's": {strings.Replace(issued, "eu-west-1", "us-east-1", 1), "is not valid"},
	} {
		t.Run(name, func(t *testing.T) {
			made(t, test.reason, network(twoZones...).with(facing("internal")).with(resources{"Listener": resource("AWS::ElasticLoadBalancingV2::Listener", map[string]any{
				"LoadBalancerArn": ref("Balancer"), "Port": 443, "Protocol": "HTTPS", "Certificates": []any{map[string]any{"CertificateArn": test.arn}},
				"DefaultActions": []any{map[string]any{"Type": "redirect", "RedirectConfig": map[string]any{"StatusCode": "HTTP_301", "Host": "example.com"}}},
			})}))
		})
	}
}

func TestTableKeepsItsKeyAndConsistency(t *testing.T) {
	s := newStack(t)
	table := func(attribute, kind, consistency string) resources {
		return resources{"Table": resource("AWS::DynamoDB::GlobalTable", map[string]any{
			"TableName": s.name, "BillingMode": "PAY_PER_REQUEST", "MultiRegionConsistency": consistency, "Replicas": []any{map[string]any{"Region": "eu-west-1"}},
			"KeySchema":            []any{map[string]any{"AttributeName": attribute, "KeyType": "HASH"}},
			"AttributeDefinitions": []any{map[string]any{"AttributeName": attribute, "AttributeType": kind}},
		})}
	}
	s.deploy(t, types.StackStatusCreateComplete, table("id", "S", "EVENTUAL"))
	for name, test := range map[string]struct {
		template resources
		reason   string
	}{
		"another key":             {table("name", "S", "EVENTUAL"), "custom-named resource requires replacing"},
		"another type of its key": {table("id", "N", "EVENTUAL"), "custom-named resource requires replacing"},
		"another consistency":     {table("id", "S", "STRONG"), "cannot be changed after creation"},
	} {
		t.Run(name, func(t *testing.T) {
			s.deploy(t, types.StackStatusUpdateRollbackComplete, test.template)
			if !strings.Contains(s.reasons(t), test.reason) {
				t.Errorf("it failed otherwise than by %q: %s", test.reason, s.reasons(t))
			}
		})
	}
}

func TestReplicationWithoutVersions(t *testing.T) {
	c := s3.NewFromConfig(emulatortest.Config(emulatortest.Shared(t), "us-east-1"), pathStyle)
	const from, to = "replicates-from", "replicates-to"
	replicate := func() error {
		_, err := c.PutBucketReplication(t.Context(), &s3.PutBucketReplicationInput{Bucket: aws.String(from), ReplicationConfiguration: &s3types.ReplicationConfiguration{
			Role: aws.String("arn:aws:iam::123456789012:role/x"), Rules: []s3types.ReplicationRule{{Status: s3types.ReplicationRuleStatusEnabled, Destination: &s3types.Destination{Bucket: aws.String("arn:aws:s3:::" + to)}}},
		}})
		return err
	}
	for _, bucket := range []string{from, to} {
		if _, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct{ bucket, refusal string }{{from, "on the bucket"}, {to, "Destination bucket"}} {
		wantError(t, replicate(), "InvalidRequest", step.refusal)
		if _, err := c.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{Bucket: &step.bucket, VersioningConfiguration: &s3types.VersioningConfiguration{Status: s3types.BucketVersioningStatusEnabled}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := replicate(); err != nil {
		t.Error(err)
	}
}

func TestInstancesReachWhatTheirSubnetDoes(t *testing.T) {
	s := newStack(t)
	here := emulatortest.Config(s.control, "eu-west-1")
	isolated := network(twoZones...).with(resources{
		"Instance": resource("AWS::EC2::Instance", map[string]any{"ImageId": "ami-12c6146b", "InstanceType": "m7g.medium", "SubnetId": ref("Subnet0")}),
		"Table":    resource("AWS::EC2::RouteTable", map[string]any{"VpcId": ref("VPC")}),
		"Of":       resource("AWS::EC2::SubnetRouteTableAssociation", map[string]any{"RouteTableId": ref("Table"), "SubnetId": ref("Subnet0")}),
		"Out":      parameter("/"+s.name, ref("Instance")),
	})
	endpoint := resources{"Endpoint": resource("AWS::EC2::VPCEndpoint", map[string]any{"VpcId": ref("VPC"), "VpcEndpointType": "Gateway", "ServiceName": "com.amazonaws.eu-west-1.s3", "RouteTableIds": []any{ref("Table")}})}
	s.deploy(t, types.StackStatusCreateComplete, isolated)
	a := account{s.control, here}
	a.role(t, allow("s3:*", "*"))
	client := func() *s3.Client { // with the role as the machine that plays it takes that
		as := here
		as.Credentials = stscreds.NewAssumeRoleProvider(sts.NewFromConfig(here), "arn:aws:iam::123456789012:role/"+t.Name(), func(o *stscreds.AssumeRoleOptions) { o.RoleSessionName = s.value(t, "/"+s.name) })
		return s3.NewFromConfig(as, pathStyle, func(o *s3.Options) { o.RetryMaxAttempts = 1 })
	}
	reads := func() error {
		_, err := client().ListBuckets(t.Context(), nil)
		return err
	}
	if err := reads(); err == nil {
		t.Error("it reads from S3 without a way")
	}
	link, err := s3.NewPresignClient(client()).PresignHeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("archipelago-link")})
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Head(link.URL)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusNotFound {
		t.Errorf("somebody else who follows its link to a bucket that is not there gets %s", res.Status)
	}
	s.deploy(t, types.StackStatusUpdateComplete, isolated.with(endpoint))
	if err := reads(); err != nil {
		t.Errorf("by an endpoint: %v", err)
	}
	network := ec2.NewFromConfig(here)
	found, err := network.DescribeVpcEndpoints(t.Context(), nil)
	if err != nil || len(found.VpcEndpoints) != 1 {
		t.Fatalf("got %v, %v, want one endpoint", found, err)
	}
	made := found.VpcEndpoints[0]
	if _, err := network.DeleteVpcEndpoints(t.Context(), &ec2.DeleteVpcEndpointsInput{VpcEndpointIds: []string{*made.VpcEndpointId}}); err != nil {
		t.Fatal(err)
	}
	if err := reads(); err == nil {
		t.Error("it reads from S3 by an endpoint that was deleted")
	}
	s.deploy(t, types.StackStatusUpdateComplete, isolated)
	if err := reads(); err == nil {
		t.Error("it reads from S3 by an endpoint that is gone")
	}
	s.deploy(t, types.StackStatusUpdateComplete, isolated.with(gateway()).with(resources{"Route": resource("AWS::EC2::Route", map[string]any{"RouteTableId": ref("Table"), "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": ref("Gateway")})}))
	if err := reads(); err != nil {
		t.Errorf("by a route to everywhere: %v", err)
	}
	if _, err := network.DeleteRoute(t.Context(), &ec2.DeleteRouteInput{RouteTableId: &made.RouteTableIds[0], DestinationCidrBlock: aws.String("0.0.0.0/0")}); err != nil {
		t.Fatal(err)
	}
	if err := reads(); err == nil {
		t.Error("it reads from S3 by a route that was deleted")
	}
}

// TestWebACLThatDoesNotAnswer breaks a load balancer that may not let requests pass without
// it, and no other.
func TestWebACLThatDoesNotAnswer(t *testing.T) {
	s := newStack(t)
	open := resource("AWS::ElasticLoadBalancingV2::LoadBalancer", map[string]any{
		"Scheme": "internal", "Subnets": []any{ref("Subnet0"), ref("Subnet1")},
		"LoadBalancerAttributes": []any{map[string]any{"Key": "waf.fail_open.enabled", "Value": "true"}},
	})
	parts := resources{
		"ACL":  resource("AWS::WAFv2::WebACL", map[string]any{"Scope": "REGIONAL", "DefaultAction": map[string]any{"Allow": map[string]any{}}, "Rules": []any{}}),
		"Open": open, "Without": facing("internal")["Balancer"],
	}
	maps.Copy(parts, network(twoZones...))
	maps.Copy(parts, facing("internal"))
	for _, id := range []string{"Balancer", "Open"} {
		parts[id+"ACL"] = resource("AWS::WAFv2::WebACLAssociation", map[string]any{"ResourceArn": ref(id), "WebACLArn": map[string]any{"Fn::GetAtt": []string{"ACL", "Arn"}}})
		parts[id+"Out"] = parameter("/"+s.name+"/"+id, ref(id))
	}
	s.deploy(t, types.StackStatusCreateComplete, parts)
	broken := func() (arns []string) {
		fleet, err := s.control.Fleet(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range fleet.LoadBalancers {
			if b.Broken {
				arns = append(arns, b.ARN)
			}
		}
		return arns
	}
	fail := func(f emulator.Failing) {
		t.Helper()
		if err := s.control.Fail(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	defer fail(emulator.Failing{})
	for service, want := range map[string][]string{"": nil, "s3": nil, "wafv2": {s.value(t, "/"+s.name+"/Balancer")}} {
		fail(emulator.Failing{"eu-west-1": {service}})
		if got := broken(); !slices.Equal(got, want) {
			t.Errorf("without %q these are broken: %q, want %q", service, got, want)
		}
	}
	fail(emulator.Failing{"us-east-1": {"wafv2"}})
	if got := broken(); got != nil {
		t.Errorf("without another region's these are broken: %q", got)
	}
}
