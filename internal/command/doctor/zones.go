package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// fleetSubnet begins the logical ids of the subnets that instances run in, which have
// the order of their zones. A test compares it with a template.
const fleetSubnet = "NetworkVpcFleetSubnet"

// withoutBalancers are zones in which Global Accelerator has no endpoints, by their ids,
// which are the same in each account. Source: AWS Global Accelerator Developer Guide, "AWS
// Region availability", read in 2026-11. Elastic Load Balancing refuses them whatever the
// entry: https://github.com/aws/copilot-cli/issues/1298 has it for one of them by its id.
var withoutBalancers = []string{"usw1-az2", "apne1-az3", "cac1-az3"}

// zones looks at the zones that the region spans, whether named or AWS's to choose, and
// at what they offer of the ladder.
func zones(ctx context.Context, s *site) []Line {
	client := ec2.NewFromConfig(s.here)
	ids, available, err := allZones(ctx, client)
	if err != nil {
		return []Line{notLookedAt("its zones", err)}
	}
	spanned, lines := s.spanned(ctx, client, slices.Sorted(maps.Keys(available)))
	balanced := slices.Concat(spanned, slices.Collect(maps.Keys(s.region.ByZone(s.region.VPC.LoadBalancerSubnets))))
	slices.Sort(balanced[len(spanned):])
	for i, zone := range balanced {
		switch {
		case slices.Index(balanced, zone) < i:
		case ids[zone] == "":
			lines = append(lines, fail("there is no zone %s in this account: write others of %s", zone, letters(s.region.Name, slices.Sorted(maps.Keys(available)))))
		case !available[zone]:
			// What is made there may be refused, or not: the documents do not say.
			lines = append(lines, warn("the zone %s is not available: write others", zone))
		case slices.Contains(withoutBalancers, ids[zone]):
			lines = append(lines, fail("the zone %s is %s, in which AWS makes no load balancer, and Global Accelerator has no endpoints: write others, if there are", zone, ids[zone]))
		}
	}
	if len(spanned) == 0 || slices.ContainsFunc(lines, func(l Line) bool { return l.Level == Fail }) {
		return lines
	}
	return append(lines, s.offers(ctx, client, spanned)...)
}

// allZones returns the ids of the region's zones by their names, and which of them are
// available.
func allZones(ctx context.Context, client *ec2.Client) (ids map[string]string, available map[string]bool, err error) {
	out, err := client.DescribeAvailabilityZones(ctx, &ec2.DescribeAvailabilityZonesInput{})
	if err != nil {
		return nil, nil, err
	}
	ids, available = map[string]string{}, map[string]bool{}
	for _, z := range out.AvailabilityZones {
		if kind := aws.ToString(z.ZoneType); kind != "" && kind != "availability-zone" {
			continue // a local or wavelength zone
		}
		name := aws.ToString(z.ZoneName)
		ids[name], available[name] = aws.ToString(z.ZoneId), z.State == types.AvailabilityZoneStateAvailable
	}
	return ids, available, nil
}

// spanned returns the zones that the region spans, with what there is to say of them;
// none where they are not known.
func (s *site) spanned(ctx context.Context, client *ec2.Client, all []string) ([]string, []Line) {
	if s.region.VPC.Set() {
		zones := slices.Sorted(maps.Keys(s.region.ByZone(s.region.VPC.FleetSubnets)))
		return zones, []Line{ok("%s, those of archipelago.regions[].vpc", strings.Join(zones, ", "))}
	}
	status, err := s.regionStack(ctx)
	if err != nil {
		return nil, []Line{notLookedAt("the zones that the region has", err)}
	}
	var deployed []string
	if status != "" {
		if deployed, err = s.deployedZones(ctx, client); err != nil {
			return nil, []Line{notLookedAt("the zones that the region has", err)}
		}
	}
	if zones := s.region.ZoneNames(); zones != nil {
		if len(deployed) > 0 && !slices.Equal(zones, deployed) {
			return zones, []Line{fail("its subnets are in %s, and archipelago.regions says %s: subnets do not move, so write %s", strings.Join(deployed, ", "), strings.Join(zones, ", "), letters(s.region.Name, deployed))}
		}
		return zones, []Line{ok("%s", strings.Join(zones, ", "))}
	}
	// Fn::GetAZs answers the zones with a default subnet, all where there is none, in
	// an order that is not promised. Source: AWS CloudFormation User Guide,
	// "Fn::GetAZs".
	out, err := client.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{Filters: []types.Filter{{Name: aws.String("default-for-az"), Values: []string{"true"}}}})
	if err != nil {
		return nil, []Line{notLookedAt("which zones CloudFormation would take", err)}
	}
	var answer []string
	for _, subnet := range out.Subnets {
		answer = append(answer, aws.ToString(subnet.AvailabilityZone))
	}
	slices.Sort(answer)
	if answer = slices.Compact(answer); len(answer) == 0 {
		answer = all
	}
	if len(deployed) > 0 {
		if slices.ContainsFunc(deployed, func(zone string) bool { return !slices.Contains(answer, zone) }) {
			return deployed, []Line{fail("its subnets are in %s, and CloudFormation would now take others, of %s: subnets do not move, so write %s", strings.Join(deployed, ", "), strings.Join(answer, ", "), letters(s.region.Name, deployed))}
		}
		return deployed, []Line{s.pin(deployed)}
	}
	if len(answer) < s.region.Zones.Count {
		return nil, []Line{fail("there are the zones %s, and archipelago.regions[].zones says %d: write %[3]d, or %s", strings.Join(answer, ", "), s.region.Zones.Count, len(answer), letters(s.region.Name, answer))}
	}
	answer = answer[:s.region.Zones.Count]
	return answer, []Line{s.pin(answer)}
}

func (s *site) pin(zones []string) Line {
	return warn(`CloudFormation takes %s, and may take others at a later deployment, which then fails: write {"name": %q, "zones": %s}, or make zones`, strings.Join(zones, ", "), s.region.Name, letters(s.region.Name, zones))
}

// deployedZones are those of the deployed fleet's subnets, in their order.
func (s *site) deployedZones(ctx context.Context, client *ec2.Client) ([]string, error) {
	subnets, err := s.resources(ctx, s.here, s.names().RegionStack(s.region.Name), "AWS::EC2::Subnet")
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(subnets, func(logical, _ string) bool { return !strings.HasPrefix(logical, fleetSubnet) })
	if len(subnets) == 0 {
		return nil, nil
	}
	out, err := client.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{SubnetIds: slices.Collect(maps.Values(subnets))})
	if err != nil {
		return nil, err
	}
	zone := map[string]string{}
	for _, subnet := range out.Subnets {
		zone[aws.ToString(subnet.SubnetId)] = aws.ToString(subnet.AvailabilityZone)
	}
	var zones []string
	for _, logical := range slices.Sorted(maps.Keys(subnets)) {
		zones = append(zones, zone[subnets[logical]])
	}
	return zones, nil
}

// letters are zones as cdk.json has them.
func letters(region string, zones []string) string {
	var quoted []string
	for _, zone := range zones {
		quoted = append(quoted, fmt.Sprintf("%q", strings.TrimPrefix(zone, region)))
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// offers looks for the rungs of the ladder in each zone. A type that no zone has fails
// the group (aws-cdk#28721); one that a zone lacks the scaler never steps to, and the
// fleet has no instances there while it has that type. internal/local/emulator,
// TestZonesWithoutATypeOrCapacity, has the launches that fail.
func (s *site) offers(ctx context.Context, client *ec2.Client, zones []string) []Line {
	offered, err := s.offered(ctx, client, zones)
	if err != nil {
		return []Line{notLookedAt("the instance types that its zones offer", err)}
	}
	first, err := s.firstType(ctx)
	if err != nil {
		return []Line{notLookedAt("the fleet's instance type", err)}
	}
	var lines []Line
	for _, rung := range s.config.Fleet.Ladder {
		lacking := slices.DeleteFunc(slices.Clone(zones), func(zone string) bool { return slices.Contains(offered[rung], zone) })
		switch {
		case len(lacking) == 0:
		case len(lacking) == len(zones) && rung == first:
			lines = append(lines, fail("none of its zones offers %s, which the fleet has: change archipelago.fleet.ladder, or the zones", rung))
		case rung == first:
			lines = append(lines, warn("%s does not offer %s, which the fleet has: no instance runs there; change archipelago.fleet.ladder, or the zones", strings.Join(lacking, ", "), rung))
		default:
			lines = append(lines, warn("%s does not offer %s, so the fleet never changes to it: change archipelago.fleet.ladder, or the zones", strings.Join(lacking, ", "), rung))
		}
	}
	if lines == nil {
		return []Line{ok("each offers %s", strings.Join(s.config.Fleet.Ladder, ", "))}
	}
	return lines
}

// offered returns those of zones that offer each rung of the ladder.
func (s *site) offered(ctx context.Context, client *ec2.Client, zones []string) (map[string][]string, error) {
	offered := map[string][]string{}
	pages := ec2.NewDescribeInstanceTypeOfferingsPaginator(client, &ec2.DescribeInstanceTypeOfferingsInput{
		LocationType: types.LocationTypeAvailabilityZone,
		Filters:      []types.Filter{{Name: aws.String("instance-type"), Values: s.config.Fleet.Ladder}, {Name: aws.String("location"), Values: zones}},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, o := range page.InstanceTypeOfferings {
			offered[string(o.InstanceType)] = append(offered[string(o.InstanceType)], aws.ToString(o.Location))
		}
	}
	return offered, nil
}

// firstType is the instance type that a deployment launches: the one that the fleet
// has while it is a rung, or the first deployment's.
func (s *site) firstType(ctx context.Context) (string, error) {
	name := s.names().InstanceTypeParameter()
	found, err := s.parameters(ctx, name)
	if err != nil {
		return "", err
	}
	if slices.Contains(s.config.Fleet.Ladder, found[name]) {
		return found[name], nil
	}
	return s.config.Fleet.StartAt, nil
}
