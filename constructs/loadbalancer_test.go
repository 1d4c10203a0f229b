package constructs_test

import (
	"testing"

	"github.com/archipelago-cdk/archipelago/constructs/entry"
	"github.com/archipelago-cdk/archipelago/constructs/loadbalancer"
	"github.com/archipelago-cdk/archipelago/constructs/waf"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscertificatemanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsroute53"
	"github.com/aws/jsii-runtime-go"
)

const example = "staff.example.com"

// exampleZone is the hosted zone of example.
func exampleZone(stack awscdk.Stack) awsroute53.IHostedZone {
	return awsroute53.HostedZone_FromHostedZoneAttributes(stack, str("Zone"), &awsroute53.HostedZoneAttributes{
		ZoneName: str("example.com"), HostedZoneId: str("Z0123"),
	})
}

// newNamedLoadBalancer places a public load balancer with a domain.
func newNamedLoadBalancer(stack awscdk.Stack) *loadbalancer.LoadBalancer {
	props := loadBalancerProps(newNetwork(stack, true))
	props.Public, props.Host, props.Zone, props.LogsBucket, props.WAFFailOpen = true, example, exampleZone(stack), logsBucket(stack), true
	return loadbalancer.New(stack, "LoadBalancer", props)
}

func TestLoadBalancerLogsAndShiftsZones(t *testing.T) {
	stack := newStack()
	newNamedLoadBalancer(stack)
	has(assertions.Template_FromStack(stack, nil), "AWS::ElasticLoadBalancingV2::LoadBalancer", properties{
		"LoadBalancerAttributes": assertions.Match_ArrayWith(&[]any{
			properties{"Key": "waf.fail_open.enabled", "Value": "true"},
			properties{"Key": "zonal_shift.config.enabled", "Value": "true"},
			properties{"Key": "access_logs.s3.enabled", "Value": "true"},
			properties{"Key": "access_logs.s3.bucket", "Value": "logs"},
		}),
	})
}

// TestWhatIsOffIsWritten: an attribute that a template leaves out stays as it was.
func TestWhatIsOffIsWritten(t *testing.T) {
	stack := newStack()
	props := loadBalancerProps(newNetwork(stack, false))
	props.WAFFailOpen, props.LogsBucket = false, nil
	loadbalancer.New(stack, "LoadBalancer", props)
	has(assertions.Template_FromStack(stack, nil), "AWS::ElasticLoadBalancingV2::LoadBalancer", properties{
		"LoadBalancerAttributes": assertions.Match_ArrayWith(&[]any{
			properties{"Key": "waf.fail_open.enabled", "Value": "false"},
			properties{"Key": "access_logs.s3.enabled", "Value": "false"},
		}),
	})
}

func TestTargetsDrainAndGetTheFewestRequests(t *testing.T) {
	stack := newStack()
	newLoadBalancer(stack, false)
	has(assertions.Template_FromStack(stack, nil), "AWS::ElasticLoadBalancingV2::TargetGroup", properties{
		"TargetGroupAttributes": assertions.Match_ArrayWith(&[]any{
			properties{"Key": "deregistration_delay.timeout_seconds", "Value": "30"},
			properties{"Key": "load_balancing.algorithm.type", "Value": "least_outstanding_requests"},
		}),
	})
}

// TestRequestsGoToUnhealthyInstancesOnlyWhereNoneIsHealthy: and no zone leaves the DNS
// before its last healthy one. A share would send requests to instances that boot.
func TestRequestsGoToUnhealthyInstancesOnlyWhereNoneIsHealthy(t *testing.T) {
	stack := newStack()
	newLoadBalancer(stack, false)
	for _, action := range []string{"dns_failover", "unhealthy_state_routing"} {
		least := "target_group_health." + action + ".minimum_healthy_targets."
		has(assertions.Template_FromStack(stack, nil), "AWS::ElasticLoadBalancingV2::TargetGroup", properties{
			"TargetGroupAttributes": assertions.Match_ArrayWith(&[]any{
				properties{"Key": least + "count", "Value": "1"},
				properties{"Key": least + "percentage", "Value": "off"},
			}),
		})
	}
}

func TestDomainIsServedOverTLSOnly(t *testing.T) {
	stack := newStack()
	newNamedLoadBalancer(stack)
	template := assertions.Template_FromStack(stack, nil)
	count(template, "AWS::ElasticLoadBalancingV2::Listener", 2)
	has(template, "AWS::ElasticLoadBalancingV2::Listener", properties{
		"Port": 443, "Protocol": "HTTPS", "SslPolicy": "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09",
		"DefaultActions": []any{assertions.Match_ObjectLike(&properties{"Type": "forward"})},
	})
	has(template, "AWS::ElasticLoadBalancingV2::Listener", properties{
		"Port": 80, "Protocol": "HTTP",
		"DefaultActions": []any{properties{
			"Type": "redirect", "RedirectConfig": properties{"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"},
		}},
	})
}

func TestCertificateIsProvedByItsZone(t *testing.T) {
	stack := newStack()
	newNamedLoadBalancer(stack)
	has(assertions.Template_FromStack(stack, nil), "AWS::CertificateManager::Certificate", properties{
		"DomainName": "staff.example.com", "ValidationMethod": "DNS",
		"DomainValidationOptions": []any{properties{"DomainName": "staff.example.com", "HostedZoneId": "Z0123"}},
	})
}

func TestLoadBalancerOpensItsListenersOnly(t *testing.T) {
	stack := newStack()
	newNamedLoadBalancer(stack)
	port := func(n int) any {
		return assertions.Match_ObjectLike(&properties{"CidrIp": "0.0.0.0/0", "FromPort": n, "ToPort": n})
	}
	has(assertions.Template_FromStack(stack, nil), "AWS::EC2::SecurityGroup", properties{
		"SecurityGroupIngress": []any{port(80), port(443)},
	})
}

func TestLoadBalancerAdmitsItsSourcesOnly(t *testing.T) {
	stack := newStack()
	props := loadBalancerProps(newNetwork(stack, false))
	props.Sources = []string{"10.0.0.0/8", "192.168.0.0/24"}
	loadbalancer.New(stack, "LoadBalancer", props)
	from := func(cidr string) any {
		return assertions.Match_ObjectLike(&properties{"CidrIp": cidr, "FromPort": 80, "ToPort": 80})
	}
	has(assertions.Template_FromStack(stack, nil), "AWS::EC2::SecurityGroup", properties{
		"SecurityGroupIngress": []any{from("10.0.0.0/8"), from("192.168.0.0/24")},
	})
}

// TestCertificateThatExists is served as it is: a private zone could prove none.
func TestCertificateThatExists(t *testing.T) {
	const arn = "arn:aws:acm:eu-west-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"
	stack := newStack()
	props := loadBalancerProps(newNetwork(stack, false))
	props.Host, props.Certificate = example, awscertificatemanager.Certificate_FromCertificateArn(stack, str("Certificate"), str(arn))
	loadbalancer.New(stack, "LoadBalancer", props)
	template := assertions.Template_FromStack(stack, nil)
	count(template, "AWS::CertificateManager::Certificate", 0)
	has(template, "AWS::ElasticLoadBalancingV2::Listener", properties{"Port": 443, "Certificates": []any{properties{"CertificateArn": arn}}})
}

func newWebACL(props waf.Props) assertions.Template {
	stack := newStack()
	props.LoadBalancer = newLoadBalancer(stack, false).ALB
	waf.New(stack, "WebACL", &props)
	return assertions.Template_FromStack(stack, nil)
}

// action is what a rule does, within the list of rules.
func action(name, key, value string) any {
	return assertions.Match_ArrayWith(&[]any{assertions.Match_ObjectLike(&properties{"Name": name, key: properties{value: properties{}}})})
}

func TestWebACLBlocks(t *testing.T) {
	template := newWebACL(waf.Props{})
	count(template, "AWS::WAFv2::WebACLAssociation", 1)
	for _, group := range []string{"IPReputation", "Common", "BadInputs"} {
		has(template, "AWS::WAFv2::WebACL", properties{"Scope": "REGIONAL", "Rules": action(group, "OverrideAction", "None")})
	}
	has(template, "AWS::WAFv2::WebACL", properties{"Rules": action("Rate", "Action", "Block")})
}

func TestWebACLCountsWhatItIsToldTo(t *testing.T) {
	template := newWebACL(waf.Props{Common: waf.Count, BadInputs: waf.Count, IPReputation: waf.Count, Rate: waf.Count, RateLimit: 99})
	for _, group := range []string{"IPReputation", "Common", "BadInputs"} {
		has(template, "AWS::WAFv2::WebACL", properties{"Rules": action(group, "OverrideAction", "Count")})
	}
	has(template, "AWS::WAFv2::WebACL", properties{"Rules": action("Rate", "Action", "Count")})
	has(template, "AWS::WAFv2::WebACL", properties{"Rules": assertions.Match_ArrayWith(&[]any{assertions.Match_ObjectLike(&properties{
		"Statement": properties{"RateBasedStatement": properties{"AggregateKeyType": "IP", "Limit": 99}},
	})})})
}

func TestWebACLLetsPhotosThrough(t *testing.T) {
	counts := func(rule string) any {
		return properties{"Name": rule, "ActionToUse": properties{"Count": properties{}}}
	}
	has(newWebACL(waf.Props{}), "AWS::WAFv2::WebACL", properties{
		"Rules": assertions.Match_ArrayWith(&[]any{assertions.Match_ObjectLike(&properties{
			"Statement": properties{"ManagedRuleGroupStatement": assertions.Match_ObjectLike(&properties{
				"Name": "AWSManagedRulesCommonRuleSet",
				"RuleActionOverrides": []any{
					counts("SizeRestrictions_BODY"), counts("CrossSiteScripting_BODY"),
					counts("SizeRestrictions_QUERYSTRING"), counts("SizeRestrictions_Cookie_HEADER"),
				},
			})},
		})}),
	})
}

// TestWeightIsTheRegionsDial: nothing said is all users, as CloudFormation has it.
func TestWeightIsTheRegionsDial(t *testing.T) {
	for weight, want := range map[*float64]any{jsii.Number(0): 0, jsii.Number(30): 30, nil: assertions.Match_Absent()} {
		stack := newStack()
		entry.NewEndpoint(stack, "Endpoint", &entry.EndpointProps{
			LoadBalancer: newLoadBalancer(stack, false).ALB, ListenerParameter: "/test/entry/listener-arn", Weight: weight,
		})
		has(assertions.Template_FromStack(stack, nil), "AWS::GlobalAccelerator::EndpointGroup", properties{"TrafficDialPercentage": want})
	}
}

func TestAcceleratorWithADomain(t *testing.T) {
	stack := newStack()
	entry.New(stack, "Entry", &entry.Props{
		Name: "test", Ports: loadbalancer.Ports(true), Host: example, Zone: exampleZone(stack),
		ListenerParameter: "/test/entry/listener-arn", Regions: []string{"eu-west-1"},
	})
	template := assertions.Template_FromStack(stack, nil)
	has(template, "AWS::GlobalAccelerator::Listener", properties{
		"PortRanges": []any{properties{"FromPort": 80, "ToPort": 80}, properties{"FromPort": 443, "ToPort": 443}},
	})
	has(template, "AWS::Route53::RecordSet", properties{
		"Name": "staff.example.com.", "HostedZoneId": "Z0123", "Type": "A",
		// The hosted zone of all accelerators.
		"AliasTarget": assertions.Match_ObjectLike(&properties{"HostedZoneId": "Z2BJ6XQ5FK7U4H"}),
	})
}

func TestRecordIsLeftWhenItsIslandIsUnhealthy(t *testing.T) {
	stack := newStack()
	entry.NewRecord(stack, "Record", &entry.RecordProps{
		LoadBalancer: newLoadBalancer(stack, true).ALB, Host: example, Zone: exampleZone(stack),
	})
	has(assertions.Template_FromStack(stack, nil), "AWS::Route53::RecordSet", properties{
		"Name": "staff.example.com.", "HostedZoneId": "Z0123", "Type": "A",
		"Region": "eu-west-1", "SetIdentifier": "eu-west-1",
		"AliasTarget": assertions.Match_ObjectLike(&properties{"EvaluateTargetHealth": true}),
	})
}

// str is jsii.String.
func str(s string) *string { return jsii.String(s) }
