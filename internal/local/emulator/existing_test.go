package emulator_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
)

// balancer is a load balancer in subnets that exist before it, with a certificate.
const balancer = `{"Resources": {"Alb": {"Type": "AWS::ElasticLoadBalancingV2::LoadBalancer",
	"Properties": {"Scheme": "internal", "Subnets": ["subnet-0000000a", "subnet-0000000b"]}},
	"Listener": {"Type": "AWS::ElasticLoadBalancingV2::Listener", "Properties": {
		"LoadBalancerArn": {"Ref": "Alb"}, "Port": 443, "Protocol": "HTTPS", "Certificates": [{"CertificateArn": "` + certificate + `"}],
		"DefaultActions": [{"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", "Host": "example.com"}}]}}}}`

const certificate = "arn:aws:acm:eu-west-1:123456789012:certificate/12345678"

// TestNetworkInAnUnknownZone is refused, and nothing of it is made.
func TestNetworkInAnUnknownZone(t *testing.T) {
	c := emulatortest.Shared(t)
	err := c.Make(t.Context(), emulator.Existing{Networks: []emulator.Network{{
		Region: "eu-west-1", ID: "vpc-0000dead", CIDR: "172.31.0.0/24", Subnets: map[string]string{"subnet-0000dead": "eu-west-1x"},
	}}})
	if err == nil || !strings.Contains(err.Error(), "subnet-0000dead is in eu-west-1x, which eu-west-1 does not have: it has eu-west-1a") {
		t.Errorf("got %v", err)
	}
	held, err := c.Resources(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(strings.Join(held, "\n"), "vpc-0000dead") {
		t.Error("its VPC is made")
	}
}

// TestWhatExists is made once, and nothing but what is named.
func TestWhatExists(t *testing.T) {
	c := emulatortest.Shared(t)
	create := func(name string) error {
		form := url.Values{"Action": {"CreateStack"}, "Version": {"2010-05-15"}, "StackName": {name}, "TemplateBody": {balancer}}
		_, err := emulatortest.Query(t, c, "cloudformation", "eu-west-1", form)
		return err
	}
	if err := create("before"); err == nil || !strings.Contains(err.Error(), "subnet-0000000a") {
		t.Errorf("got %v, want the subnet missing", err)
	}
	network := emulator.Network{Region: "eu-west-1", ID: "vpc-01234567", CIDR: "172.31.0.0/24", Subnets: map[string]string{"subnet-0000000a": "eu-west-1a"}}
	for range 2 {
		if err := c.Make(t.Context(), emulator.Existing{Networks: []emulator.Network{network}, Certificates: map[string]string{certificate: "staff.example.com"}}); err != nil {
			t.Fatal(err)
		}
		network.Subnets["subnet-0000000b"] = "eu-west-1b"
	}
	if err := create("after"); err != nil {
		t.Error(err)
	}
	held, err := c.Resources(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	made := strings.Join(held, "\n")
	for _, id := range []string{"vpcs/vpc-01234567", "/subnet-0000000a", "/subnet-0000000b"} {
		if got := strings.Count(made, id+"\n"); got != 1 {
			t.Errorf("the account holds %s %d times, want once", id, got)
		}
	}
}
