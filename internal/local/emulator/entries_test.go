package emulator_test

import (
	"maps"
	"net/url"
	"slices"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	route53types "github.com/aws/aws-sdk-go-v2/service/route53/types"
)

// island is a load balancer with TLS, its record, and a region that an
// accelerator has drained.
const island = `{"Resources": {
	"Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
	"A": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.0.0/24", "AvailabilityZone": "eu-west-1a"}},
	"B": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.1.0/24", "AvailabilityZone": "eu-west-1b"}},
	"Alb": {"Type": "AWS::ElasticLoadBalancingV2::LoadBalancer", "Properties": {"Scheme": "internal", "Subnets": [{"Ref": "A"}, {"Ref": "B"}]}},
	"Certificate": {"Type": "AWS::CertificateManager::Certificate", "Properties": {"DomainName": "staff.example.com"}},
	"Listener": {"Type": "AWS::ElasticLoadBalancingV2::Listener", "Properties": {
		"LoadBalancerArn": {"Ref": "Alb"}, "Port": 443, "Protocol": "HTTPS", "Certificates": [{"CertificateArn": {"Ref": "Certificate"}}],
		"DefaultActions": [{"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", "Host": "example.com"}}]}},
	"Record": {"Type": "AWS::Route53::RecordSet", "Properties": {
		"Name": "staff.example.com.", "Type": "A", "HostedZoneId": "Z0123", "Region": "eu-west-1", "SetIdentifier": "eu-west-1",
		"AliasTarget": {"DNSName": {"Fn::GetAtt": ["Alb", "DNSName"]}, "HostedZoneId": {"Fn::GetAtt": ["Alb", "CanonicalHostedZoneID"]}}}},
	"Drained": {"Type": "AWS::GlobalAccelerator::EndpointGroup", "Properties": {
		"EndpointGroupRegion": "us-east-1", "TrafficDialPercentage": 0, "EndpointConfigurations": [{"EndpointId": "arn"}]}}
}}`

// TestRecordsAndEndpointGroupsEnter: those of a dial of 0, too.
func TestRecordsAndEndpointGroupsEnter(t *testing.T) {
	c := emulatortest.Shared(t)
	if err := c.Make(t.Context(), emulator.Existing{Zones: []emulator.Zone{{ID: "Z0123", Name: "example.com"}}}); err != nil {
		t.Fatal(err)
	}
	form := url.Values{"Action": {"CreateStack"}, "Version": {"2010-05-15"}, "StackName": {"island"}, "TemplateBody": {island}}
	if _, err := emulatortest.Query(t, c, "cloudformation", "eu-west-1", form); err != nil {
		t.Fatal(err)
	}
	fleet, err := c.Fleet(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dials := map[string]float64{}
	var arns []string
	for _, g := range fleet.EndpointGroups {
		dials[g.Region] = g.Dial
		if g.Record {
			arns = g.LoadBalancers
		}
		if len(g.LoadBalancers) != 1 || g.Lost || g.Record != (g.Region == "eu-west-1") {
			t.Errorf("got %+v, want one load balancer, and a record in eu-west-1 alone", g)
		}
	}
	if want := (map[string]float64{"eu-west-1": 100, "us-east-1": 0}); !maps.Equal(dials, want) {
		t.Errorf("got the dials %v, want %v", dials, want)
	}
	// The record is the hosted zone's: who deletes it there keeps users away, whatever the
	// stack says, and who writes it back does not.
	client := route53.NewFromConfig(emulatortest.Config(c, "eu-west-1"))
	list, err := client.ListResourceRecordSets(t.Context(), &route53.ListResourceRecordSetsInput{HostedZoneId: aws.String("Z0123")})
	if err != nil {
		t.Fatal(err)
	}
	record := list.ResourceRecordSets[slices.IndexFunc(list.ResourceRecordSets, func(r route53types.ResourceRecordSet) bool { return r.Region != "" })]
	for _, action := range []route53types.ChangeAction{route53types.ChangeActionDelete, route53types.ChangeActionCreate} {
		if _, err := client.ChangeResourceRecordSets(t.Context(), &route53.ChangeResourceRecordSetsInput{HostedZoneId: aws.String("Z0123"), ChangeBatch: &route53types.ChangeBatch{
			Changes: []route53types.Change{{Action: action, ResourceRecordSet: &record}},
		}}); err != nil {
			t.Fatal(err)
		}
		if fleet, err = c.Fleet(t.Context()); err != nil {
			t.Fatal(err)
		}
		if enters := slices.ContainsFunc(fleet.EndpointGroups, func(g emulator.EndpointGroup) bool { return g.Record && slices.Equal(g.LoadBalancers, arns) }); enters != (action == route53types.ChangeActionCreate) {
			t.Errorf("after %s, users enter by the record: %t", action, enters)
		}
	}
}
