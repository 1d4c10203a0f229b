package review

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Section is a part of a review.
type Section string

// The sections that findings are in, in the order of a review.
const (
	Data      Section = "data"
	Users     Section = "users"
	Fleets    Section = "instances"
	Security  Section = "security"
	Watch     Section = "watch" // alarms, logs and guards, told with the cost
	Elsewhere Section = "other"
)

// Finding is one thing that a change does.
type Finding struct {
	Section Section `json:"section"`
	Verdict Verdict `json:"verdict"`
	// What says it in a sentence, in which names from the templates are between
	// backquotes.
	What string `json:"what"`
	// Decide is whether somebody has to say that it is meant.
	Decide bool `json:"decide"`
	// Lasting is whether users miss it until the change is undone, and not only while it
	// is deployed.
	Lasting bool `json:"lasting,omitempty"`
	// Regions are those of the stacks that it is in.
	Regions []string `json:"regions"`
}

// judge gathers the findings of a comparison.
type judge struct {
	base, head *Assembly
	answer     *answer
	differ     *Differ
	found      []finding
	changes    []delta
}

// finding is one of a stack, before those of several regions are said once.
type finding struct {
	Finding
	stack *Stack
}

// delta is a resource that changes.
type delta struct {
	stack    *Stack // the head's, or the base's of one that is removed
	old, new resource
	replaced bool
	names    []string // the properties that differ
	whole    bool     // all of a stack, that is new
}

func (c delta) added() bool   { return c.old.all == nil }
func (c delta) removed() bool { return c.new.all == nil }

// is returns the resource, as it is or was.
func (c delta) is() resource {
	if c.removed() {
		return c.old
	}
	return c.new
}

// gone reports whether what the resource was is no more.
func (c delta) gone() bool { return c.removed() || c.replaced }

func (c delta) has(property string) bool { return slices.Contains(c.names, property) }

func (j *judge) say(s *Stack, section Section, v Verdict, decide bool, format string, arguments ...any) {
	j.found = append(j.found, finding{Finding{Section: section, Verdict: v, Decide: decide, What: fmt.Sprintf(format, arguments...), Regions: []string{s.Region}}, s})
}

// lose says what users miss until the change is undone.
func (j *judge) lose(s *Stack, format string, arguments ...any) {
	j.say(s, Users, IslandDown, true, format, arguments...)
	j.found[len(j.found)-1].Lasting = true
}

// run judges everything.
func (j *judge) run() {
	for _, name := range slices.Sorted(maps.Keys(j.answer.Stacks)) {
		base, head := j.base.Stacks[name], j.head.Stacks[name]
		if base != nil && head != nil && base.Region != head.Region {
			j.moved(base, head)
			continue
		}
		switch {
		case base == nil:
			j.addedStack(head)
		case head == nil:
			j.removedStack(base)
		default:
			j.stack(base, head, j.answer.Stacks[name])
		}
	}
}

// stack judges what changes within one.
func (j *judge) stack(base, head *Stack, d *stackDiff) {
	old, new := base.resources(), head.resources()
	var changes []delta
	replaced := map[string]bool{}
	for _, id := range slices.Sorted(maps.Keys(d.Resources)) {
		r := d.Resources[id]
		c := delta{stack: head, old: old[id], new: new[id]}
		if c.removed() {
			c.stack = base
		}
		for _, p := range r.Properties {
			if encoded(ordered(p[0], c.old.props[p[0]])) != encoded(ordered(p[0], c.new.props[p[0]])) {
				c.names = append(c.names, p[0])
				c.replaced = c.replaced || p[1] == "WILL_REPLACE" || p[1] == "MAY_REPLACE"
			}
		}
		if !c.added() && !c.removed() {
			c.replaced = c.replaced || c.old.kind != c.new.kind || j.differ.replaces(c.old.kind, c.old.props, c.new.props)
			policies := encoded([]any{c.old.all["DeletionPolicy"], c.old.all["UpdateReplacePolicy"], c.old.all["UpdatePolicy"]}) !=
				encoded([]any{c.new.all["DeletionPolicy"], c.new.all["UpdateReplacePolicy"], c.new.all["UpdatePolicy"]})
			if len(c.names) == 0 && !c.replaced && !policies {
				continue // its metadata, or what it waits for
			}
		}
		replaced[id] = c.gone() && !c.removed()
		changes = append(changes, c)
	}
	for _, c := range changes {
		if j.answer.Stateful[c.is().kind] {
			j.data(base, head, c)
		}
		j.users(base, c)
		j.security(c)
		j.watch(c)
	}
	j.way(head, changes)
	j.replication(base, head, changes)
	j.instances(base, head, changes, replaced)
	j.permissions(base, head, d)
	j.changes = append(j.changes, changes...)
}

// ordered sorts what has no order for AWS: a table's replicas, by their regions, and
// tags.
func ordered(property string, v any) any {
	key := map[string]string{"Replicas": "Region", "Tags": "Key"}[property]
	items, ok := v.([]any)
	if !ok || key == "" {
		return v
	}
	items = slices.Clone(items)
	for i, item := range items {
		if fields, ok := item.(map[string]any); ok && fields["Tags"] != nil {
			fields = maps.Clone(fields)
			fields["Tags"] = ordered("Tags", fields["Tags"])
			items[i] = fields
		}
	}
	slices.SortStableFunc(items, func(a, b any) int { return cmp.Compare(encoded(get(a, key)), encoded(get(b, key))) })
	return items
}

// moved judges a stack of the same name in another region: it is another stack.
func (j *judge) moved(base, head *Stack) {
	v := InPlace
	for _, r := range base.resources() {
		if j.answer.Stateful[r.kind] && r.kind != "AWS::Logs::LogGroup" {
			v = DataAtRisk
		} else if usersPass[r.kind] {
			v = max(v, IslandDown)
		}
	}
	section := Data
	if v < DataAtRisk {
		section = Users
	}
	j.say(head, section, v, true, "the stack %s moves from %s to %s: there it begins with nothing, and meets what it left behind under the same names", code(head.Name), code(base.Region), code(head.Region))
}

// addedStack judges a stack that the base does not have.
func (j *judge) addedStack(s *Stack) {
	what := "is new"
	if len(s.of(scalingGroup)) > 0 {
		what = "is new: an island that users get once its instances are healthy"
	}
	j.say(s, Elsewhere, InPlace, false, "the stack %s %s", code(s.Name), what)
	j.changes = append(j.changes, delta{stack: s, whole: true})
	for _, other := range j.base.Stacks {
		if neutral(other, other.Name) == neutral(s, s.Name) {
			return // another region has the same
		}
	}
	j.permissions(&Stack{Name: s.Name, Region: s.Region}, s, j.answer.Stacks[s.Name])
}

// removedStack judges a stack that the head no longer has. The CDK CLI leaves it as it
// is.
func (j *judge) removedStack(s *Stack) {
	j.say(s, Data, InPlace, true, "the stack %s is left behind: nothing deploys it any more, and it costs money until somebody destroys it", code(s.Name))
	old := s.resources()
	passed := false
	for _, id := range slices.Sorted(maps.Keys(old)) {
		r := old[id]
		passed = passed || usersPass[r.kind]
		if !j.answer.Stateful[r.kind] || r.kind == "AWS::Logs::LogGroup" || r.kind == "AWS::KMS::Key" {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(j.head.Stacks)) {
			other := j.head.Stacks[name]
			if twin, ok := other.resources()[id]; ok && j.base.Stacks[name] == nil && other.Region == s.Region && twin.kind == r.kind {
				j.say(s, Data, DataAtRisk, true, "%s is left behind with its data, and an empty %s takes its place", code(s.titleOf(r)), code(other.titleOf(twin)))
			}
		}
	}
	switch {
	case len(s.of(scalingGroup)) > 0:
		j.say(s, Users, IslandDown, true, "users lose the island in %s: its stack gets no more deployments, and what it shares with the others is taken from it", code(s.Region))
	case passed:
		j.say(s, Users, IslandDown, true, "users pass what is in the stack %s, which nothing deploys any more, to islands that may no longer know it", code(s.Name))
	}
}

// usersPass are the types that a request of a user goes through.
var usersPass = map[string]bool{
	"AWS::AutoScaling::AutoScalingGroup":        true,
	"AWS::EC2::InternetGateway":                 true,
	"AWS::EC2::Subnet":                          true,
	"AWS::EC2::VPC":                             true,
	"AWS::EC2::VPCGatewayAttachment":            true,
	"AWS::ElasticLoadBalancingV2::Listener":     true,
	"AWS::ElasticLoadBalancingV2::LoadBalancer": true,
	"AWS::ElasticLoadBalancingV2::TargetGroup":  true,
	"AWS::GlobalAccelerator::Accelerator":       true,
	"AWS::GlobalAccelerator::EndpointGroup":     true,
	"AWS::GlobalAccelerator::Listener":          true,
	"AWS::Route53::RecordSet":                   true,
}

// users judges whether they reach the service.
func (j *judge) users(base *Stack, c delta) {
	s, r := c.stack, c.is()
	name := code(s.titleOf(r))
	switch {
	case c.added():
	case usersPass[r.kind] && c.gone():
		// See way.
	case r.kind == "AWS::EC2::VPCEndpoint" && c.gone() && c.old.props["VpcEndpointType"] != "Interface":
		j.lose(s, "instances have no way any more to what the VPC endpoint %s leads to: what users ask of it fails", name)
	case r.kind == "AWS::GlobalAccelerator::EndpointGroup" && c.has("TrafficDialPercentage"):
		was, is := number(c.old.props["TrafficDialPercentage"], 100), number(c.new.props["TrafficDialPercentage"], 100)
		v := InPlace
		if is == 0 {
			v = IslandDown
		}
		j.say(s, Users, v, true, "the island in %s serves %v %% of the users that are nearest to it, previously %v %%; the others go to the next island", code(s.Region), is, was)
	case r.kind == "AWS::WAFv2::WebACL" && get(c.new.props, "DefaultAction", "Block") != nil && get(c.old.props, "DefaultAction", "Block") == nil:
		j.lose(s, "%s refuses every request that no rule allows", name)
	case strings.HasPrefix(r.kind, "AWS::DynamoDB::") && !c.gone():
		now := indexes(c.new)
		for _, index := range slices.Sorted(maps.Keys(indexes(c.old))) {
			if now[index] == "" {
				j.say(s, Users, IslandDown, true, "queries of the index %s of %s fail in all regions once it is removed: first deploy a service that does not use it", code(index), name)
			} else if now[index] != indexes(c.old)[index] {
				j.say(s, Users, IslandDown, true, "the index %s of %s is made again, and CloudFormation refuses that in one update: queries of it fail meanwhile, in all regions; add one of another name first", code(index), name)
			}
		}
	}
}

// way judges what users pass on their way to the service, of which one broken part is
// enough.
func (j *judge) way(s *Stack, changes []delta) {
	var replaced, removed []string
	for _, c := range changes {
		r := c.is()
		switch {
		case !usersPass[r.kind] || c.added():
		case c.replaced:
			replaced = append(replaced, s.titleOf(r)+" ("+strings.Join(c.names, ", ")+")")
		case c.removed() && r.kind != "AWS::EC2::Subnet": // the fleet and the load balancer leave it before
			removed = append(removed, c.stack.titleOf(r))
		}
	}
	if len(replaced) > 0 {
		j.say(s, Users, IslandDown, true, "users do not reach the island for some minutes at least, in which parts of their way are replaced; the deployment fails where the new one cannot be made beside the old: %s", codes(replaced))
	}
	if len(removed) > 0 {
		j.lose(s, "users no longer reach the island by what is removed: %s", codes(removed))
	}
}

// indexes are a table's secondary indexes: their keys and projections, by name.
func indexes(r resource) map[string]string {
	all := map[string]string{}
	for _, key := range []string{"GlobalSecondaryIndexes", "LocalSecondaryIndexes"} {
		for _, index := range itemsOf(r.props[key]) {
			all[text(get(index, "IndexName"))] = encoded([]any{get(index, "KeySchema"), get(index, "Projection")})
		}
	}
	return all
}

// number is a template's, which may be a string of one, or is otherwise not there.
func number(v any, otherwise float64) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case string:
		var n float64
		if _, err := fmt.Sscan(v, &n); err == nil {
			return n
		}
	}
	return otherwise
}
