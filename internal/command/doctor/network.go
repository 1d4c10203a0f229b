package doctor

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// network looks at a VPC that exists already, for what docs/network.md says that it has
// to have.
func network(ctx context.Context, s *site) []Line {
	want := s.region.VPC
	if !want.Set() {
		return nil
	}
	client := ec2.NewFromConfig(s.here)
	// By filters: an id that there is not is then no error.
	out, err := client.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{Filters: []types.Filter{{Name: aws.String("vpc-id"), Values: []string{want.ID}}}})
	if err != nil {
		return []Line{notLookedAt("the VPC "+want.ID, err)}
	}
	if len(out.Vpcs) == 0 {
		return []Line{fail("there is no VPC %s: correct archipelago.regions[].vpc.id", want.ID)}
	}
	var ranges []string
	for _, a := range out.Vpcs[0].CidrBlockAssociationSet {
		ranges = append(ranges, aws.ToString(a.CidrBlock))
	}
	var lines []Line
	if !slices.Contains(ranges, s.region.CIDR) {
		lines = append(lines, warn("%s has the range %s, and archipelago.regions[].cidr is %s: write the range with the load balancer's subnets", want.ID, strings.Join(ranges, ", "), s.region.CIDR))
	}
	subnets, err := client.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{Filters: []types.Filter{{Name: aws.String("vpc-id"), Values: []string{want.ID}}}})
	if err != nil {
		return append(lines, notLookedAt("the subnets of "+want.ID, err))
	}
	there := map[string]types.Subnet{}
	for _, subnet := range subnets.Subnets {
		there[aws.ToString(subnet.SubnetId)] = subnet
	}
	lines = append(lines, s.subnets(there)...)
	if slices.ContainsFunc(lines, func(l Line) bool { return l.Level == Fail }) {
		return lines
	}
	tables, err := client.DescribeRouteTables(ctx, &ec2.DescribeRouteTablesInput{Filters: []types.Filter{{Name: aws.String("vpc-id"), Values: []string{want.ID}}}})
	if err != nil {
		return append(lines, notLookedAt("the routes of "+want.ID, err))
	}
	endpoints, err := client.DescribeVpcEndpoints(ctx, &ec2.DescribeVpcEndpointsInput{Filters: []types.Filter{{Name: aws.String("vpc-id"), Values: []string{want.ID}}}})
	if err != nil {
		return append(lines, notLookedAt("the endpoints of "+want.ID, err))
	}
	gateways, err := client.DescribeInternetGateways(ctx, &ec2.DescribeInternetGatewaysInput{Filters: []types.Filter{{Name: aws.String("attachment.vpc-id"), Values: []string{want.ID}}}})
	if err != nil {
		return append(lines, notLookedAt("the internet gateway of "+want.ID, err))
	}
	lines = append(lines, s.ways(tables.RouteTables, endpoints.VpcEndpoints)...)
	lines = append(lines, s.toUsers(tables.RouteTables, len(gateways.InternetGateways) > 0)...)
	if lines == nil {
		lines = append(lines, ok("%s, its subnets and their ways to AWS", want.ID))
	}
	return lines
}

// subnets compares those of the configuration with what there is in the VPC.
func (s *site) subnets(there map[string]types.Subnet) []Line {
	var lines []Line
	free, balancers := 0, map[string]int{}
	for _, id := range s.region.ByZone(s.region.VPC.LoadBalancerSubnets) {
		balancers[aws.ToString(there[id].AvailabilityZone)]++
	}
	for key, subnets := range map[string]config.Subnets{"fleetSubnets": s.region.VPC.FleetSubnets, "loadBalancerSubnets": s.region.VPC.LoadBalancerSubnets} {
		wanted := s.region.ByZone(subnets)
		for _, zone := range slices.Sorted(maps.Keys(wanted)) {
			id, at := wanted[zone], fmt.Sprintf("archipelago.regions[].vpc.%s.%s", key, strings.TrimPrefix(zone, s.region.Name))
			subnet, found := there[id]
			switch {
			case !found:
				lines = append(lines, fail("%s is not in %s: correct %s", id, s.region.VPC.ID, at))
			case key == "loadBalancerSubnets" && balancers[aws.ToString(subnet.AvailabilityZone)] > 1:
				lines = append(lines, fail("%s is in %s, where a load balancer takes one subnet: correct %s", id, aws.ToString(subnet.AvailabilityZone), at))
			case aws.ToString(subnet.AvailabilityZone) != zone:
				lines = append(lines, warn("%s is in %s: correct %s", id, aws.ToString(subnet.AvailabilityZone), at))
			case key == "loadBalancerSubnets" && !inside(aws.ToString(subnet.CidrBlock), s.region.CIDR):
				lines = append(lines, warn("%s has the range %s, which is not in archipelago.regions[].cidr, %s: the lighthouse takes requests from there only", id, aws.ToString(subnet.CidrBlock), s.region.CIDR))
			case key == "loadBalancerSubnets" && aws.ToInt32(subnet.AvailableIpAddressCount) < balancerAddresses:
				lines = append(lines, fail("%s has %d free addresses, and a load balancer wants %d", id, aws.ToInt32(subnet.AvailableIpAddressCount), balancerAddresses))
			}
			if key == "fleetSubnets" {
				free += int(aws.ToInt32(subnet.AvailableIpAddressCount))
			}
		}
	}
	slices.SortFunc(lines, func(a, b Line) int { return strings.Compare(a.Text, b.Text) })
	if need := whileDeploying(s.config.Fleet.Max); lines == nil && free < need {
		lines = append(lines, warn("the fleet's subnets have %d free addresses, and fleet.max and as many again, which a deployment launches, take %d: lower it, or name larger ones", free, need))
	}
	return lines
}

// balancerAddresses are how many a load balancer wants to be free in each of its
// subnets. Source: Elastic Load Balancing User Guide, "Subnets for your load balancer".
const balancerAddresses = 8

// inside reports whether a range is part of another one.
func inside(part, whole string) bool {
	p, errP := netip.ParsePrefix(part)
	w, errW := netip.ParsePrefix(whole)
	return errP == nil && errW == nil && w.Contains(p.Addr()) && p.Bits() >= w.Bits()
}

// ways looks from each of the fleet's subnets for one to each service that instances
// use: a gateway endpoint in its route table, an interface endpoint, or a route to
// everywhere, of which where it leads is not looked at.
func (s *site) ways(tables []types.RouteTable, endpoints []types.VpcEndpoint) []Line {
	type service struct {
		name, without string
		say           func(string, ...any) Line
	}
	services := []service{{"s3", "no instance gets the service", fail}}
	if len(s.config.Tables) > 0 {
		services = append(services, service{"dynamodb", "its tables do not answer and the island is dark", warn})
	}
	if s.config.Service.HasParameters() {
		services = append(services, service{"ssm", "no instance gets its secrets", fail})
	}
	if s.config.Service.HasSecrets() {
		services = append(services, service{"secretsmanager", "no instance gets its secrets", fail})
	}
	if s.config.Logs == config.LogsCloudWatch {
		services = append(services, service{"logs", "no log arrives", warn}, service{"monitoring", "no metrics of instances arrive", warn})
	}
	if s.config.SSM {
		services = append(services, service{"ssm", "no session opens", warn}, service{"ssmmessages", "no session opens", warn})
	}
	var lines []Line
	wanted := s.region.ByZone(s.region.VPC.FleetSubnets)
	for _, zone := range slices.Sorted(maps.Keys(wanted)) {
		subnet := wanted[zone]
		table := routesOf(tables, subnet)
		for _, v := range services {
			if everywhere(table) || slices.ContainsFunc(endpoints, func(e types.VpcEndpoint) bool {
				return aws.ToString(e.ServiceName) == "com.amazonaws."+s.region.Name+"."+v.name &&
					(e.VpcEndpointType == types.VpcEndpointTypeInterface || slices.Contains(e.RouteTableIds, aws.ToString(table.RouteTableId)))
			}) {
				continue
			}
			lines = append(lines, v.say("there is no way from %s to com.amazonaws.%s.%s, so %s: add an endpoint, or a route to a NAT gateway", subnet, s.region.Name, v.name, v.without))
		}
	}
	return lines
}

// toUsers looks for the internet gateway that the entry needs, and for the ways to it.
func (s *site) toUsers(tables []types.RouteTable, gateway bool) []Line {
	var lines []Line
	switch {
	case s.config.Entry == config.EntryAccelerator && !gateway:
		lines = append(lines, fail("no internet gateway is attached to %s, without which Global Accelerator reaches nothing in it: attach one, no subnet needs a route to it", s.region.VPC.ID))
	case s.config.Public() && !gateway:
		lines = append(lines, fail("no internet gateway is attached to %s, without which no load balancer in it faces the internet: attach one", s.region.VPC.ID))
	case s.config.Public():
		wanted := s.region.ByZone(s.region.VPC.LoadBalancerSubnets)
		for _, zone := range slices.Sorted(maps.Keys(wanted)) {
			if !slices.ContainsFunc(routesOf(tables, wanted[zone]).Routes, func(r types.Route) bool {
				return strings.HasPrefix(aws.ToString(r.GatewayId), "igw-")
			}) {
				lines = append(lines, warn("%s has no route to an internet gateway, so nobody reaches the load balancer there", wanted[zone]))
			}
		}
	}
	return lines
}

// routesOf returns a subnet's route table, which is the VPC's main one where it has none
// of its own.
func routesOf(tables []types.RouteTable, subnet string) types.RouteTable {
	var main types.RouteTable
	for _, t := range tables {
		for _, a := range t.Associations {
			if aws.ToString(a.SubnetId) == subnet {
				return t
			}
			if aws.ToBool(a.Main) {
				main = t
			}
		}
	}
	return main
}

// everywhere reports whether a table has a route for what no other one is for.
func everywhere(t types.RouteTable) bool {
	return slices.ContainsFunc(t.Routes, func(r types.Route) bool {
		return aws.ToString(r.DestinationCidrBlock) == "0.0.0.0/0" && r.State != types.RouteStateBlackhole
	})
}
