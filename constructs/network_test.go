package constructs_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/archipelago-cdk/archipelago/constructs/fleet"
	"github.com/archipelago-cdk/archipelago/constructs/network"
	"github.com/archipelago-cdk/archipelago/internal/addresses"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/google/go-cmp/cmp"
)

// networkOf places a network of three zones.
func networkOf(props network.Props) assertions.Template {
	stack := newStack()
	network.DeclareZones(stack, nil, 3)
	props.CIDR = "10.0.0.0/16"
	network.New(stack, "Network", &props)
	return assertions.Template_FromStack(stack, nil)
}

func TestNATGatewayInEachZone(t *testing.T) {
	template := networkOf(network.Props{NAT: true})
	count(template, "AWS::EC2::NatGateway", 3)
	// Each fleet subnet to its gateway, each gateway's subnet to the internet;
	// the load balancer's stay without.
	count(template, "AWS::EC2::Route", 6)
	count(template, "AWS::EC2::VPCGatewayAttachment", 1)
}

// TestNetworkKeepsItsInternetGateway: a VPC takes one, so an update that makes a
// subnet public, or private, must not bring another.
func TestNetworkKeepsItsInternetGateway(t *testing.T) {
	gateways := func(props network.Props) (ids []string) {
		for _, kind := range []string{"AWS::EC2::InternetGateway", "AWS::EC2::VPCGatewayAttachment"} {
			for id := range *networkOf(props).FindResources(&kind, nil) {
				ids = append(ids, id)
			}
		}
		return ids
	}
	want := gateways(network.Props{})
	for name, props := range map[string]network.Props{"public": {Public: true}, "NAT": {NAT: true}} {
		if diff := cmp.Diff(want, gateways(props)); diff != "" {
			t.Errorf("%s (-private +%s):\n%s", name, name, diff)
		}
	}
}

// endpointResources are what the endpoint of a service lets through, by action.
func endpointResources(t *testing.T, template assertions.Template, service string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, endpoint := range *template.FindResources(str("AWS::EC2::VPCEndpoint"), nil) {
		p := (*endpoint)["Properties"].(properties)
		if !strings.HasSuffix(flatten(p["ServiceName"]), "."+service) {
			continue
		}
		for _, s := range p["PolicyDocument"].(properties)["Statement"].([]any) {
			statement := s.(properties)
			if condition, ok := statement["Condition"].(properties); ok {
				if diff := cmp.Diff(properties{"StringEquals": properties{"aws:PrincipalAccount": "123456789012"}}, condition); diff != "" {
					t.Errorf("condition of %s (-want +got):\n%s", service, diff)
				}
			} else if statement["Action"] != "s3:GetObject" {
				t.Errorf("%s lets any account use %v", service, statement["Action"])
			}
			resources, many := statement["Resource"].([]any)
			if !many {
				resources = []any{statement["Resource"]}
			}
			for _, r := range resources {
				found[statement["Action"].(string)] = append(found[statement["Action"].(string)], flatten(r))
			}
		}
	}
	return found
}

func TestEndpointsReachOwnBucketsAndTablesOnly(t *testing.T) {
	stack := newStack()
	newNetwork(stack, false)
	template := assertions.Template_FromStack(stack, nil)
	if diff := cmp.Diff(map[string][]string{
		"s3:*":         {"arn::s3:::photos", "arn::s3:::photos/*"},
		"s3:GetObject": {"arn::s3:::al2023-repos-eu-west-1-de612dc2/*"},
	}, endpointResources(t, template, "s3")); diff != "" {
		t.Errorf("S3 (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string][]string{
		"dynamodb:*": {
			"arn:aws:dynamodb:eu-west-1:123456789012:table/employees",
			"arn:aws:dynamodb:eu-west-1:123456789012:table/employees/index/*",
		},
	}, endpointResources(t, template, "dynamodb")); diff != "" {
		t.Errorf("DynamoDB (-want +got):\n%s", diff)
	}
}

func TestFleetReachesItsBinary(t *testing.T) {
	got := endpointResources(t, plainFleet(), "s3")["s3:*"]
	want := programs + ".bin"
	for _, arn := range got {
		if arn == want {
			return
		}
	}
	t.Errorf("got %q, want %q among them", got, want)
}

func TestInterfaceEndpointsAreOfWhatIsSwitchedOn(t *testing.T) {
	for name, test := range map[string]struct {
		props network.Props
		want  int
	}{
		"nothing":                  {network.Props{}, 0},
		"logs":                     {network.Props{Logs: true}, 2},
		"logs and Session Manager": {network.Props{Logs: true, SessionManager: true}, 4},
		"parameters":               {network.Props{Parameters: true}, 1},
		"with Session Manager":     {network.Props{Parameters: true, SessionManager: true}, 2},
		"parameters and secrets":   {network.Props{Parameters: true, Secrets: true}, 2},
		"by NAT":                   {network.Props{Logs: true, SessionManager: true, Parameters: true, Secrets: true, NAT: true}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			interfaces := networkOf(test.props).FindResources(str("AWS::EC2::VPCEndpoint"),
				properties{"Properties": properties{"VpcEndpointType": "Interface"}})
			if len(*interfaces) != test.want {
				t.Errorf("got %d, want %d", len(*interfaces), test.want)
			}
		})
	}
}

func TestSecretsAreReachedByTheirServices(t *testing.T) {
	template := networkOf(network.Props{Parameters: true, Secrets: true})
	for _, service := range []string{"ssm", "secretsmanager"} {
		has(template, "AWS::EC2::VPCEndpoint", properties{"VpcEndpointType": "Interface", "ServiceName": "com.amazonaws.eu-west-1." + service})
	}
}

func TestFlowLogsGoToTheBucket(t *testing.T) {
	stack := newStack()
	network.DeclareZones(stack, nil, 3)
	network.New(stack, "Network", &network.Props{CIDR: "10.0.0.0/16", LogsBucket: bucketNamed(stack, "logs")})
	has(assertions.Template_FromStack(stack, nil), "AWS::EC2::FlowLog", properties{
		"TrafficType": "ALL", "LogDestinationType": "s3", "LogDestination": assertions.Match_AnyValue(),
	})
}

// TestInternalNetworkHasNoInternetGateway: nothing leads to it but a NAT gateway.
func TestInternalNetworkHasNoInternetGateway(t *testing.T) {
	count(networkOf(network.Props{Internal: true}), "AWS::EC2::InternetGateway", 0)
	count(networkOf(network.Props{Internal: true, NAT: true}), "AWS::EC2::VPCGatewayAttachment", 1)
}

// imported is a fleet in a VPC of two zones that exists already.
var imported = sync.OnceValue(func() assertions.Template {
	dir, err := os.MkdirTemp("", "imported")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	stack := newStack()
	net := network.Import(stack, "Network", &network.ImportProps{
		VPC: "vpc-01234567", CIDR: "10.0.0.0/16",
		Fleet:        map[string]string{"eu-west-1b": "subnet-0000000b", "eu-west-1a": "subnet-0000000a"},
		LoadBalancer: map[string]string{"eu-west-1a": "subnet-1111111a", "eu-west-1b": "subnet-1111111b"},
	})
	placeFleetIn(stack, net, dir, func(*fleet.Props) {})
	return assertions.Template_FromStack(stack, nil)
})

// TestImportedNetworkIsNotChanged: of EC2 it gets security groups, and the fleet its
// launch template.
func TestImportedNetworkIsNotChanged(t *testing.T) {
	allowed := []string{"AWS::EC2::LaunchTemplate", "AWS::EC2::SecurityGroup", "AWS::EC2::SecurityGroupEgress", "AWS::EC2::SecurityGroupIngress"}
	for id, resource := range (*imported().ToJSON())["Resources"].(properties) {
		kind := resource.(properties)["Type"].(string)
		if (strings.HasPrefix(kind, "AWS::EC2::") || strings.HasPrefix(kind, "Custom::Vpc")) && !slices.Contains(allowed, kind) {
			t.Errorf("%s is a %s", id, kind)
		}
	}
	has(imported(), "AWS::EC2::SecurityGroup", properties{"VpcId": "vpc-01234567"})
}

func TestImportedSubnetsAreUsed(t *testing.T) {
	has(imported(), "AWS::AutoScaling::AutoScalingGroup", properties{"VPCZoneIdentifier": []any{"subnet-0000000a", "subnet-0000000b"}})
	has(imported(), "AWS::ElasticLoadBalancingV2::LoadBalancer", properties{"Subnets": []any{"subnet-1111111a", "subnet-1111111b"}})
}

func TestImportTakesTwoZones(t *testing.T) {
	defer func() {
		if got, want := fmt.Sprint(recover()), "network.Import: want subnets of two zones at least"; !strings.HasPrefix(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}()
	network.Import(newStack(), "Network", &network.ImportProps{VPC: "vpc-01234567", CIDR: "10.0.0.0/16", Fleet: map[string]string{"eu-west-1a": "subnet-0000000a"},
		LoadBalancer: map[string]string{"eu-west-1a": "subnet-1111111a"}})
}

func TestDefaultSecurityGroupIsClosed(t *testing.T) {
	count(networkOf(network.Props{}), "Custom::VpcRestrictDefaultSG", 1)
}

// TestInstancesFit compares the count of addresses with the subnets that CDK
// makes: fewer would be refused for nothing, more would fail at scaling.
func TestInstancesFit(t *testing.T) {
	for _, test := range []struct {
		cidr  string
		bits  int
		zones int
		nat   bool
		mask  string
	}{
		{"10.0.0.0/16", 16, 3, false, "/18"},
		{"10.0.0.0/22", 22, 3, true, "/24"},
		{"10.0.0.0/24", 24, 2, false, "/26"},
	} {
		stack := newStack()
		network.DeclareZones(stack, nil, test.zones)
		network.New(stack, "Network", &network.Props{CIDR: test.cidr, NAT: test.nat})
		template := assertions.Template_FromStack(stack, nil)
		size := 1
		for id, subnet := range *template.FindResources(str("AWS::EC2::Subnet"), nil) {
			if strings.Contains(id, "Fleet") {
				_, mask, _ := strings.Cut((*subnet)["Properties"].(properties)["CidrBlock"].(string), "/")
				if "/"+mask != test.mask {
					t.Errorf("%s: a fleet's subnet is a /%s, want %s", test.cidr, mask, test.mask)
				}
				size = 1 << (32 - atoi(t, mask))
			}
		}
		want := (size - 13) * (test.zones - 1) / 2
		if got := addresses.Instances(test.bits, test.zones, test.nat); got != want {
			t.Errorf("%s in %d zones holds %d instances, want %d", test.cidr, test.zones, got, want)
		}
	}
	if got := addresses.Instances(26, 3, false); got != 0 {
		t.Errorf("a /26 in three zones holds %d instances, want none", got)
	}
}
