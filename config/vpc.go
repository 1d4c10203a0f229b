package config

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
)

// VPC is a network that exists already.
type VPC struct {
	// ID is its id, such as "vpc-0123456789abcdef0". Required.
	ID string `json:"id" jsonschema:"required,pattern=^vpc-([0-9a-f]{8}|[0-9a-f]{17})$" want:"a VPC's id, such as \"vpc-0123456789abcdef0\""`
	// FleetSubnets are the subnets that instances run in, one in each of two zones at
	// least, by their zones' letters: {"a": "subnet-0123456789abcdef0", "b":
	// "subnet-0123456789abcdef1"}. They need ways to S3 and DynamoDB. Required.
	FleetSubnets Subnets `json:"fleetSubnets" jsonschema:"required"`
	// LoadBalancerSubnets are the load balancer's, which may be those of the
	// instances, in each of their zones at least. A public load balancer needs a route
	// to an internet gateway. Required.
	LoadBalancerSubnets Subnets `json:"loadBalancerSubnets" jsonschema:"required"`
}

// Subnets are ids by the letters of their zones: "a" is eu-west-1a, in eu-west-1.
type Subnets map[string]string

func (VPC) want() string {
	return `an object such as {"id": "vpc-…", "fleetSubnets": {"a": "subnet-…", "b": "subnet-…"}, "loadBalancerSubnets": {"a": "subnet-…", "b": "subnet-…"}}`
}

func (Subnets) want() string {
	return `subnets of two zones at least, such as {"a": "subnet-0123456789abcdef0", "b": "subnet-0123456789abcdef1"}`
}

// Set reports whether there is one.
func (v VPC) Set() bool { return !reflect.ValueOf(v).IsZero() }

// ByZone returns the subnets' ids by the full names of their zones.
func (r Region) ByZone(s Subnets) map[string]string {
	all := map[string]string{}
	for letter, id := range s {
		all[r.Name+letter] = id
	}
	return all
}

// validSubnet is a subnet's id.
var validSubnet = regexp.MustCompile(`^subnet-([0-9a-f]{8}|[0-9a-f]{17})$`)

// validateVPC refuses what cannot work in a VPC that exists already, as far as it
// shows without asking AWS.
func (r Region) validateVPC(p problems) {
	if r.Zones.Count != 0 || r.Zones.Letters != nil {
		p.add("zones", "nothing, since the zones are those of vpc's subnets", r.Zones.written())
	}
	// Source: Amazon VPC User Guide, "VPC CIDR blocks".
	r.validateCIDR(p, `the range of the VPC that holds the load balancer's subnets, from /16 to /28, such as "10.1.0.0/16"`, 28)
	at := p.under("vpc")
	r.VPC.FleetSubnets.validate(at.under("fleetSubnets"), r.Name)
	r.VPC.LoadBalancerSubnets.validate(at.under("loadBalancerSubnets"), r.Name)
	for _, letter := range slices.Sorted(maps.Keys(r.VPC.FleetSubnets)) {
		// Source: Elastic Load Balancing User Guide, "Availability Zones and load
		// balancer nodes".
		if _, ok := r.VPC.LoadBalancerSubnets[letter]; !ok && len(r.VPC.LoadBalancerSubnets) > 1 {
			at.add("loadBalancerSubnets."+letter, "a subnet, since a load balancer sends no requests to the fleet's zones that it has none in", nil)
		}
	}
}

func (s Subnets) validate(p problems, region string) {
	if len(s) < 2 && s != nil {
		p.add("", s.want(), s)
	}
	letters := slices.Sorted(maps.Keys(s))
	for i, letter := range letters {
		id, at := s[letter], p.under(letter)
		switch {
		case !validZone.MatchString(letter):
			at.add("", fmt.Sprintf(`a zone's letter as the key, such as "a" for %sa`, region), letter)
		case !validSubnet.MatchString(id):
			at.add("", `a subnet's id, such as "subnet-0123456789abcdef0"`, id)
		case slices.ContainsFunc(letters[:i], func(other string) bool { return s[other] == id }):
			at.add("", "each subnet once", id)
		}
	}
}

// validateInternal refuses an internal entry that nobody may reach, and what only
// that one has.
func (c Config) validateInternal(p problems) {
	if c.Entry != EntryInternal {
		if len(c.InternalFrom) > 0 {
			p.add("internalFrom", fmt.Sprintf("nothing, since only the entry %q has it", EntryInternal), c.InternalFrom)
		}
		return
	}
	if len(c.InternalFrom) == 0 {
		p.add("internalFrom", fmt.Sprintf(`the ranges that users of the entry %q come from, such as ["10.0.0.0/8"]`, EntryInternal), nil)
	}
	for i, from := range c.InternalFrom {
		at := p.under(fmt.Sprintf("internalFrom[%d]", i))
		if cidr, ok := ipv4Range(from); !ok || cidr.Bits() == 0 {
			at.add("", `an IPv4 range of a network of yours, such as "10.0.0.0/8"`, from)
		} else if slices.Index(c.InternalFrom, from) < i {
			at.add("", "each range once", from)
		}
	}
}

// validateEgress refuses NAT gateways where a VPC is not this deployment's to change.
func (c Config) validateEgress(p problems) {
	for i, r := range c.Regions {
		if r.VPC.Set() && c.Egress == EgressNAT {
			p.add("egress", fmt.Sprintf("%q, since no gateway is made in regions[%d].vpc: its own routes say where instances may go", EgressNone, i), c.Egress)
			return
		}
	}
}
