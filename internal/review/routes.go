package review

import (
	"slices"
	"strings"
)

const (
	route       = "AWS::EC2::Route"
	association = "AWS::EC2::SubnetRouteTableAssociation"
	endpoint    = "AWS::EC2::VPCEndpoint"
)

// routes judges the ways between subnets and the internet, each told once for a stack.
func (j *judge) routes(base, head *Stack, changes []delta) {
	var opened, lost, adrift []string
	for _, c := range changes {
		was, is := toInternet(c.old), toInternet(c.new)
		switch {
		case c.is().kind == association && c.removed() && stays(base, head, c.old.props["SubnetId"]) && !associated(head, c.old.props["SubnetId"]):
			adrift = append(adrift, base.titleOf(c.old))
		case c.is().kind != route:
		case is != "" && was == "":
			opened = append(opened, head.titleOf(c.new))
		case was != "" && was != is && stays(base, head, c.old.props["RouteTableId"]) && !routed(head, c.old):
			lost = append(lost, base.titleOf(c.old))
		}
	}
	if len(opened) > 0 {
		j.say(head, Security, InPlace, true, "subnets get a way to the internet, by routes that are new: %s", codes(opened))
	}
	if len(lost) > 0 {
		j.say(base, Security, InPlace, false, "there is no way to the internet any more by %s", codes(lost))
		j.lose(base, "what is in subnets that stay is cut off from the internet: users do not reach it, or it does not reach what it calls, since these routes are removed: %s", codes(lost))
	}
	if len(adrift) > 0 {
		j.lose(base, "what is in a subnet may reach neither tables nor buckets nor users any more, since the subnet has no route table of its own once %s %s removed, and takes the VPC's main one", codes(adrift), map[bool]string{true: "is", false: "are"}[len(adrift) == 1])
	}
}

// toInternet is what a route to all addresses leads to, by the property that says it, ""
// for any other resource.
func toInternet(r resource) string {
	if r.kind != route || r.props["DestinationCidrBlock"] != "0.0.0.0/0" && r.props["DestinationIpv6CidrBlock"] != "::/0" {
		return ""
	}
	for _, to := range []string{"GatewayId", "NatGatewayId", "EgressOnlyInternetGatewayId", "TransitGatewayId", "NetworkInterfaceId", "InstanceId", "VpcEndpointId"} {
		if r.props[to] != nil {
			return to
		}
	}
	return "another target"
}

// stays reports whether what a reference of the base's is about is in the head too.
func stays(base, head *Stack, reference any) bool {
	t, _ := joined(reference)
	return lives(base, head, t)
}

// routed reports whether a stack has a route from the same table to the same addresses,
// by the same kind of target.
func routed(s *Stack, r resource) bool {
	return slices.ContainsFunc(s.of(route), func(other resource) bool {
		return toInternet(other) == toInternet(r) && encoded(other.props["RouteTableId"]) == encoded(r.props["RouteTableId"]) &&
			encoded(other.props["DestinationCidrBlock"]) == encoded(r.props["DestinationCidrBlock"])
	})
}

// associated reports whether a stack has a route table for a subnet.
func associated(s *Stack, subnet any) bool {
	return slices.ContainsFunc(s.of(association), func(r resource) bool { return encoded(r.props["SubnetId"]) == encoded(subnet) })
}

// actionsOf is what actions begin with whose calls an endpoint leads to.
func actionsOf(r resource) string {
	service, _ := joined(r.props["ServiceName"])
	service = service[strings.LastIndex(service, ".")+1:]
	if service == "monitoring" {
		service = "cloudwatch" // https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html
	}
	return service + ":"
}

// endpoints judges whether instances reach less by VPC endpoints. A gateway endpoint that
// goes is told by users.
func (j *judge) endpoints(base, head *Stack, changes []delta) {
	for _, c := range changes {
		if c.is().kind != endpoint || c.added() {
			continue
		}
		name, actions := code(c.stack.titleOf(c.is())), actionsOf(c.is())
		if c.removed() && c.old.props["VpcEndpointType"] == "Interface" && len(roleGrants(head, actions)) > 0 &&
			!slices.ContainsFunc(head.of(route), func(r resource) bool { return toInternet(r) == "NatGatewayId" }) {
			j.lose(base, "instances lose their only way to what the VPC endpoint %s leads to, which their role may use: those that start from then on may not come up", name)
		}
		if c.gone() {
			continue
		}
		for _, table := range itemsOf(c.old.props["RouteTableIds"]) {
			if stays(base, head, table) && !slices.ContainsFunc(itemsOf(c.new.props["RouteTableIds"]), func(v any) bool { return encoded(v) == encoded(table) }) {
				j.lose(head, "what is in subnets of the route table %s has no way any more to what the VPC endpoint %s leads to: what users ask of it fails", code(tableName(base, table)), name)
			}
		}
		if encoded(c.old.props["PolicyDocument"]) == encoded(c.new.props["PolicyDocument"]) {
			continue
		}
		var refused []string
		if stores[actions] != "" {
			refused = narrowed(base, head, c, actions)
		}
		if len(refused) > 0 {
			j.lose(head, "the VPC endpoint %s no longer lets pass what instances do in %s, so that it fails: %s", name, stores[actions], codes(refused))
		}
		kept := ""
		if stores[actions] != "" && len(refused) == 0 {
			kept = "; what instances may do there still passes"
		}
		j.passes(base, head, c, len(refused) == 0, kept)
	}
	j.newEndpoints(changes)
}

// newEndpoints tells the endpoints that are new or gone.
func (j *judge) newEndpoints(changes []delta) {
	for _, c := range changes {
		if c.is().kind != endpoint || !c.added() && !c.removed() {
			continue
		}
		name, service := code(c.stack.titleOf(c.is())), code(strings.TrimSuffix(actionsOf(c.is()), ":"))
		if c.added() {
			j.say(c.stack, Security, InPlace, true, "the network gets a way to AWS's service %s, the VPC endpoint %s, which gives nobody a permission", service, name)
		} else {
			j.say(c.stack, Security, InPlace, false, "the network loses its way to AWS's service %s, the VPC endpoint %s", service, name)
		}
	}
}

// endpointPolicy are the grants of a VPC endpoint's policy.
func endpointPolicy(r resource) []grant {
	if r.props["PolicyDocument"] == nil {
		return []grant{{effect: "Allow", who: "*", action: "*", what: "*"}} // AWS's default
	}
	return grantsOf(r.props["PolicyDocument"])
}

// passes tells which calls an endpoint's policy lets pass that it stopped, and the
// reverse, of which kept is what stays. It grants nothing: who may make them is said by
// their own policies.
func (j *judge) passes(base, head *Stack, c delta, decide bool, kept string) {
	name, was, is := code(head.titleOf(c.new)), endpointPolicy(c.old), endpointPolicy(c.new)
	tell := func(s *Stack, grants []grant, allowed, denied, kept string, decide bool) {
		groups := group(s, grants)
		for t, o := range groups {
			words := allowed
			if t.effect == "Deny" {
				words = denied
			}
			j.say(head, Security, InPlace, decide, "the VPC endpoint %s %s: %s on %s%s%s", name, words, t.actions, codes(o.whats), t.provided(), kept)
		}
	}
	const more, less = "lets calls pass that it stopped, of those who may make them", "stops calls that it let pass"
	tell(head, uncovered(is, was), more, less, "", true)
	tell(base, uncovered(was, is), less, more, kept, decide)
}

func tableName(s *Stack, table any) string {
	t, _ := joined(table)
	return nameOf(s, t)
}

// narrowed is what an endpoint's policy lets pass no longer: of what instances may do, as
// actions and resources, and of what they take from S3 without their role, such as an
// update of the system from a public bucket.
func narrowed(base, head *Stack, c delta, service string) []string {
	was, is := endpointPolicy(c.old), endpointPolicy(c.new)
	whole := c.old.props["PolicyDocument"] == nil
	// One that is new may not hold: it is told as security where there was no policy.
	known := func(condition string) bool {
		return condition == "" || whole || slices.ContainsFunc(was, func(g grant) bool { return g.condition == condition })
	}
	passes := func(by []grant, g grant) bool {
		g.effect = "Allow"
		return slices.ContainsFunc(by, func(p grant) bool {
			g.who, g.condition = p.who, p.condition
			return p.covers(g) && known(p.condition)
		}) && !slices.ContainsFunc(by, func(p grant) bool { return p.effect == "Deny" && meets(p.action, g.action) && meets(p.what, g.what) })
	}
	var refused []string
	told := func(g grant) {
		if t := g.action + " " + within(head, g.what); !slices.Contains(refused, t) {
			refused = append(refused, t)
		}
	}
	may, might := roleGrants(head, service), roleGrants(base, service)
	for _, g := range may {
		if passes(was, g) && !passes(is, g) {
			told(g)
		}
	}
	for _, g := range was {
		used := slices.ContainsFunc(might, func(h grant) bool { return meets(g.action, h.action) && meets(g.what, h.what) })
		if g.effect == "Allow" && service == "s3:" && g.condition == "" && !whole && !used && !passes(is, g) {
			told(g)
		}
	}
	slices.Sort(refused)
	return refused
}

// meets reports whether one of two patterns matches the other.
func meets(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	return matches(a, b) || matches(b, a)
}

// roleGrants are what the instances' roles allow to do with a service.
func roleGrants(s *Stack, service string) []grant {
	var all []grant
	for _, role := range fleetRoles(s) {
		for _, document := range documentsOf(s, role) {
			for _, g := range grantsOf(document) {
				if g.effect == "Allow" && (g.action == "*" || strings.HasPrefix(strings.ToLower(g.action), service)) {
					all = append(all, g)
				}
			}
		}
	}
	return all
}
