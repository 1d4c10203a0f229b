package review

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// stackType is the type of what a stack is told by, and of a nested one.
const stackType = "AWS::CloudFormation::Stack"

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
	// Everywhere is whether users of every island miss it at once, wherever its stack is.
	Everywhere bool `json:"everywhere,omitempty"`
	// Left is whether it is a stack that nothing deploys any more.
	Left bool `json:"left,omitempty"`
	// Moved is whether users are served by another island in place of it.
	Moved bool `json:"moved,omitempty"`
	// Kept is whether the data at risk stays where it is, and the service begins without it.
	Kept bool `json:"kept,omitempty"`
	// Later is whether the deployment itself loses none of the data at risk, which is only
	// guarded less after it.
	Later bool `json:"later,omitempty"`
	// Launches is how many instances are launched at the fleet's maximum.
	Launches int `json:"launches,omitempty"`
	// Minutes is about how long instances are replaced, or users miss something, in each
	// region, 0 where that is until it is undone or not known.
	Minutes int `json:"minutes,omitempty"`
	// Back is what a revert of the change does not undo, or needs first, "" where nothing
	// is to be said or, of data that is lost, where only a backup has it.
	Back string `json:"back,omitempty"`
	// Regions are those of the stacks that it is in or, of a table, of its replicas.
	Regions []string `json:"regions"`
	// strong is whether it comes first among those of its verdict.
	strong bool
}

// judge gathers the findings of a comparison.
type judge struct {
	base, head *Assembly
	answer     *answer
	differ     *Differ
	found      []finding
	changes    []delta
	// rollouts are the minutes for which a stack replaces instances, by its name.
	rollouts map[string]int
}

// finding is one of a stack, before those of several regions are said once.
type finding struct {
	Finding
	stack *Stack
	// placed is whether its regions are not those of the stack.
	placed bool
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
	j.found = append(j.found, finding{Finding: Finding{Section: section, Verdict: v, Decide: decide, What: fmt.Sprintf(format, arguments...), Regions: []string{s.Region}}, stack: s})
}

// lose says what users miss until the change is undone.
func (j *judge) lose(s *Stack, format string, arguments ...any) {
	j.say(s, Users, IslandDown, true, format, arguments...)
	j.found[len(j.found)-1].Lasting = true
}

// unguard says of data that the deployment leaves it as it is, and guards it less.
func (j *judge) unguard(s *Stack, back, format string, arguments ...any) {
	j.say(s, Data, DataAtRisk, true, format, arguments...)
	j.found[len(j.found)-1].Later = true
	j.back(back)
}

// wayMinutes is about how long CloudFormation takes to replace what users pass and to lead
// them to it: an estimate, for which AWS has no figure.
const wayMinutes = 5

// interrupt says what users miss while a stack is deployed.
func (j *judge) interrupt(s *Stack, format string, arguments ...any) {
	j.say(s, Users, IslandDown, true, format, arguments...)
	j.found[len(j.found)-1].Minutes = wayMinutes + j.rollouts[s.Name]
}

// everywhere says of the last finding that it is so in all islands at once.
func (j *judge) everywhere() { j.found[len(j.found)-1].Everywhere = true }

// place says of the last finding in which regions it is.
func (j *judge) place(regions ...string) {
	last := &j.found[len(j.found)-1]
	last.Regions, last.placed = regions, true
}

// back says of the last finding what a revert does not undo.
func (j *judge) back(words string) { j.found[len(j.found)-1].Back = words }

// run judges everything.
func (j *judge) run() {
	for _, name := range slices.Sorted(maps.Keys(j.head.Stacks)) {
		if base, head := j.base.Stacks[name], j.head.Stacks[name]; base != nil && base.protected && !head.protected {
			j.unguard(head, "", "the stack %s loses its protection from deletion", code(name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(j.answer.Stacks)) {
		base, head := j.base.Stacks[name], j.head.Stacks[name]
		if base != nil && head != nil && base.moved(head) {
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
			if j.answer.Stateful[c.is().kind] && !c.removed() && p[1] == "WILL_REPLACE" && encoded(c.old.props[p[0]]) == encoded(c.new.props[p[0]]) {
				// It is of a resource that is replaced, as the library says.
				c.names, c.replaced = append(c.names, p[0]), true
			}
			if encoded(ordered("", p[0], c.old.props[p[0]])) != encoded(ordered("", p[0], c.new.props[p[0]])) {
				c.names = append(c.names, p[0])
				c.replaced = c.replaced || p[1] == "WILL_REPLACE" || p[1] == "MAY_REPLACE"
			}
		}
		if !c.added() && !c.removed() {
			c.replaced = c.replaced || c.old.kind != c.new.kind || j.differ.replaces(c.old.kind, c.old.props, c.new.props)
			policies := false
			for _, attribute := range []string{"Condition", "DeletionPolicy", "UpdateReplacePolicy", "UpdatePolicy"} {
				policies = policies || encoded(c.old.all[attribute]) != encoded(c.new.all[attribute])
			}
			if len(c.names) == 0 && !c.replaced && !policies {
				continue // its metadata, or what it waits for
			}
		}
		replaced[id] = c.gone() && !c.removed()
		changes = append(changes, c)
	}
	j.instances(base, head, changes, replaced)
	for _, c := range changes {
		n := len(j.found)
		if j.answer.Stateful[c.is().kind] {
			j.data(base, head, c)
		}
		j.emptied(base, head, c)
		j.users(base, head, c)
		// A global table is in the regions of its replicas, not in that of its stack.
		if regions := replicated(c); len(regions) > 0 {
			for i := range j.found[n:] {
				if f := &j.found[n+i]; !f.placed {
					f.Regions = regions
				}
			}
		}
		j.security(c)
		j.watch(c)
	}
	j.way(head, changes)
	j.routes(base, head, changes)
	j.endpoints(base, head, changes)
	j.template(base, head)
	j.replication(changes)
	j.permissions(base, head, d)
	j.changes = append(j.changes, changes...)
}

// template judges what resources take from the rest of their template: that is not
// among what differs in them.
func (j *judge) template(base, head *Stack) {
	old, now := base.resources(), head.resources()
	for _, part := range []string{"Conditions", "Mappings", "Outputs"} {
		was, is := fieldsOf(base.Template[part]), fieldsOf(head.Template[part])
		if len(was)+len(is) == 0 || encoded(was) == encoded(is) {
			continue
		}
		side := func(props map[string]any) resource {
			return resource{id: part, kind: stackType, all: map[string]any{"Properties": props}, props: props}
		}
		j.changes = append(j.changes, delta{stack: head, old: side(was), new: side(is)})
		uses := map[string][]string{"Conditions": {`"Condition":"`, `"Fn::If"`}, "Mappings": {`"Fn::FindInMap"`, `"Condition":"`, `"Fn::If"`}}[part]
		for _, id := range slices.Sorted(maps.Keys(now)) {
			r := now[id]
			if _, there := old[id]; !there || !j.answer.Stateful[r.kind] {
				continue
			}
			text := encoded(r.all)
			if slices.ContainsFunc(uses, func(use string) bool { return strings.Contains(text, use) }) {
				j.say(head, Data, DataAtRisk, true, "%s may be removed, or replaced by an empty one: the %s of its template change, which decide that when it is deployed", code(head.titleOf(r)), code(part))
				if regions := replicated(delta{old: old[id], new: r}); len(regions) > 0 {
					j.place(regions...)
				}
			}
		}
	}
}

// ordered sorts what has no order for AWS: tags, and a table's replicas, by their regions
// after the stack's own, so that a diff has the same beside it however many there are.
func ordered(own, property string, v any) any {
	key := map[string]string{"Replicas": "Region", "Tags": "Key"}[property]
	items, ok := v.([]any)
	if !ok || key == "" {
		return v
	}
	items = slices.Clone(items)
	for i, item := range items {
		if fields, ok := item.(map[string]any); ok && fields["Tags"] != nil {
			fields = maps.Clone(fields)
			fields["Tags"] = ordered(own, "Tags", fields["Tags"])
			items[i] = fields
		}
	}
	name := func(item any) string {
		if name := text(get(item, key)); key != "Region" || name != own {
			return encoded(get(item, key))
		}
		return ""
	}
	slices.SortStableFunc(items, func(a, b any) int { return cmp.Compare(name(a), name(b)) })
	return items
}

// moved judges a stack of the same name in another region or account: it is another stack.
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
	j.say(head, section, v, true, "the stack %s moves from %s to %s: a new one is made there, with nothing in it, and fails where a name is taken; the old one stays as it is, and nothing deploys it any more", code(head.Name), code(base.place(head)), code(head.place(base)))
	j.found[len(j.found)-1].Kept = true
	if section == Users {
		j.everywhere()
	}
	j.changes = append(j.changes, delta{stack: head, whole: true})
}

// addedStack judges a stack that the base does not have.
func (j *judge) addedStack(s *Stack) {
	what := "is new"
	if slices.Contains(j.base.Lost, s.Region) {
		what = "is deployed again, since its region is no longer lost: what that changes is not compared here"
	} else if len(s.of(scalingGroup)) > 0 {
		what = "is new: an island that users get once its instances are healthy"
		j.say(s, Fleets, InPlace, false, "the instances of a new island are launched")
	}
	j.say(s, Elsewhere, InPlace, false, "the stack %s %s", code(s.Name), what)
	known := false
	for _, other := range j.base.Stacks {
		known = known || other.Region == s.Region
	}
	switch {
	case slices.Contains(j.base.Lost, s.Region):
	case known:
		j.back("a stack that is new stays, and CDK does not know it after the revert: destroy it before, by `cdk destroy --exclusively STACK`")
	default:
		j.back("a region that is new stays: see *Remove a region* in docs/operations.md")
	}
	j.changes = append(j.changes, delta{stack: s, whole: true})
	for _, other := range j.base.Stacks {
		if neutral(other, other.Name) == neutral(s, s.Name) {
			return // another region has the same
		}
	}
	j.permissions(&Stack{Name: s.Name, Region: s.Region}, s, j.answer.Stacks[s.Name])
	all := s.resources()
	for _, id := range slices.Sorted(maps.Keys(all)) {
		j.public(delta{stack: s, new: all[id]})
	}
}

// removedStack judges a stack that the head no longer has. The CDK CLI leaves it as it
// is.
func (j *judge) removedStack(s *Stack) {
	if slices.Contains(j.head.Lost, s.Region) {
		j.say(s, Elsewhere, InPlace, false, "the stack %s stays as it is, since %s is lost: nothing deploys it until that is taken out of the configuration", code(s.Name), code(s.Region))
		j.say(s, Elsewhere, InPlace, true, "deployments leave out all stacks in %s, as a region that is lost", code(s.Region))
		return
	}
	j.say(s, Data, InPlace, true, "the stack %s is left behind, with what is in it: nothing deploys it any more, and it costs money until somebody destroys it", code(s.Name))
	j.found[len(j.found)-1].Left = true
	old := s.resources()
	passed := false
	for _, id := range slices.Sorted(maps.Keys(old)) {
		r := old[id]
		passed = passed || usersPass[r.kind]
		if !j.answer.Stateful[r.kind] || r.kind == "AWS::Logs::LogGroup" || r.kind == "AWS::KMS::Key" {
			continue
		}
		j.takenOver(s, r)
	}
	switch {
	case len(s.of(scalingGroup)) > 0:
		j.say(s, Users, IslandDown, true, "users lose the island in %s: its stack gets no more deployments, and what it shares with the others is taken from it", code(s.Region))
		last := &j.found[len(j.found)-1]
		last.Moved, last.Left = true, true
	case passed:
		j.say(s, Users, IslandDown, true, "users reach the islands through the stack %s, which nothing deploys any more: it may lead to islands that are gone", code(s.Name))
		j.everywhere()
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
func (j *judge) users(base, head *Stack, c delta) {
	s, r := c.stack, c.is()
	name := code(s.titleOf(r))
	switch {
	case c.added():
	case usersPass[r.kind] && c.gone():
		// See way.
	case r.kind == endpoint && c.removed() && c.old.props["VpcEndpointType"] != "Interface" && !stays(base, head, c.old.props["VpcId"]):
		j.interrupt(head, "the VPC endpoint %s goes with its network: what users ask of it fails, unless the network in its place has a way to the same", name)
	case r.kind == endpoint && c.gone() && c.old.props["VpcEndpointType"] != "Interface":
		j.lose(s, "instances have no way any more to what the VPC endpoint %s leads to: what users ask of it fails", name)
	case c.removed():
	case r.kind == "AWS::GlobalAccelerator::Accelerator" && c.has("Enabled") && c.new.props["Enabled"] == false:
		j.lose(s, "the accelerator %s is off: users reach no island by it", name)
		j.everywhere()
	case r.kind == "AWS::GlobalAccelerator::Listener" && c.has("PortRanges"),
		r.kind == "AWS::ElasticLoadBalancingV2::Listener" && (c.has("Port") || c.has("DefaultActions") || c.has("Protocol")),
		r.kind == "AWS::ElasticLoadBalancingV2::ListenerRule" && !forwards(c.new.props["Actions"]) && forwards(c.old.props["Actions"]):
		if c.has("Port") || c.has("PortRanges") || forwards(c.old.props["DefaultActions"]) && !forwards(c.new.props["DefaultActions"]) || r.kind == "AWS::ElasticLoadBalancingV2::ListenerRule" {
			j.lose(s, "users no longer reach the service as they do now: the listener %s has another %s", name, codes(c.names))
			if r.kind == "AWS::GlobalAccelerator::Listener" {
				j.everywhere()
			}
		}
	case r.kind == "AWS::GlobalAccelerator::EndpointGroup" && serving(c.old) > 0 && serving(c.new) == 0:
		j.lose(s, "the island in %s serves no users any more: its endpoint group %s has no endpoint with a weight", code(s.Region), name)
	case r.kind == scalingGroup && number(c.new.props["MaxSize"], 1) == 0:
		j.lose(s, "the island in %s serves no users any more: its fleet may have no instance", code(s.Region))
	case r.kind == scalingGroup && len(itemsOf(c.old.props["TargetGroupARNs"])) > 0 && len(itemsOf(c.new.props["TargetGroupARNs"])) == 0:
		j.lose(s, "the island in %s serves no users any more: its instances leave the load balancer", code(s.Region))
	case r.kind == "AWS::GlobalAccelerator::EndpointGroup" && c.has("TrafficDialPercentage"):
		was, is := number(c.old.props["TrafficDialPercentage"], 100), number(c.new.props["TrafficDialPercentage"], 100)
		v := InPlace
		if is == 0 {
			v = IslandDown
		}
		j.say(s, Users, v, true, "users move between islands: that in %s serves %v %% of those that are nearest to it, previously %v %%", code(s.Region), is, was)
		j.found[len(j.found)-1].Moved = true
	case r.kind == "AWS::ElasticLoadBalancingV2::TargetGroup" && (c.has("HealthCheckPath") || c.has("HealthCheckPort") || c.has("HealthCheckProtocol") || c.has("Matcher")):
		j.say(s, Users, InPlace, true, "only instances that answer %s get users, previously %s: the build that runs is asked for it before the new one is there, and where it does not answer that, the island serves nobody", probe(c.new), probe(c.old))
	case r.kind == "AWS::WAFv2::WebACL" && get(c.new.props, "DefaultAction", "Block") != nil && get(c.old.props, "DefaultAction", "Block") == nil:
		j.lose(s, "%s refuses every request that no rule allows", name)
	case strings.HasPrefix(r.kind, "AWS::DynamoDB::") && !c.gone():
		now := indexes(c.new)
		for _, index := range slices.Sorted(maps.Keys(indexes(c.old))) {
			if now[index] == "" {
				j.say(s, Users, IslandDown, true, "what the service asks of the index %s of %s fails once that is removed: first deploy a service that does not use it", code(index), name)
				j.everywhere()
				j.found[len(j.found)-1].Lasting = true
			} else if now[index] != indexes(c.old)[index] {
				j.say(s, Users, IslandDown, true, "what the service asks of the index %s of %s fails until DynamoDB has filled it again, minutes or, of millions of items, hours, and CloudFormation refuses that in one update: add one of another name first", code(index), name)
				j.everywhere()
			}
		}
	}
}

// probe is what a load balancer asks an instance for.
func probe(r resource) string {
	t := code(strings.TrimSpace(strings.Join([]string{text(r.props["HealthCheckProtocol"]), text(r.props["HealthCheckPort"]), cmp.Or(text(r.props["HealthCheckPath"]), "/")}, " ")))
	if m := r.props["Matcher"]; m != nil {
		t += " with " + code(cmp.Or(text(get(m, "HttpCode")), encoded(m)))
	}
	return t
}

// forwards reports whether actions of a load balancer lead to targets, or to another
// listener.
func forwards(actions any) bool {
	return slices.ContainsFunc(itemsOf(actions), func(a any) bool { return get(a, "Type") == "forward" || get(a, "Type") == "redirect" })
}

// serving is how many endpoints of an endpoint group get users.
func serving(r resource) int {
	n := 0
	for _, e := range itemsOf(r.props["EndpointConfigurations"]) {
		if number(get(e, "Weight"), 128) > 0 {
			n++
		}
	}
	return n
}

// way judges what users pass on their way to the service, of which one broken part is
// enough.
func (j *judge) way(s *Stack, changes []delta) {
	var replaced, removed []string
	all, entry := false, false
	moves := slices.ContainsFunc(changes, func(c delta) bool { return c.removed() && c.is().kind == "AWS::EC2::VPC" }) && len(s.of("AWS::ElasticLoadBalancingV2::LoadBalancer")) > 0
	for _, c := range changes {
		r := c.is()
		switch {
		case !usersPass[r.kind] || c.added():
		case c.replaced:
			replaced = append(replaced, s.titleOf(r)+" ("+strings.Join(c.names, ", ")+")")
			entry = entry || ofEntry(r)
		case c.removed() && moves && strings.HasPrefix(r.kind, "AWS::EC2::"):
			if r.kind == "AWS::EC2::VPC" {
				replaced = append(replaced, c.stack.titleOf(r)+" (by a network that exists already)")
			}
		case c.removed() && r.kind != "AWS::EC2::Subnet": // the fleet and the load balancer leave it before
			removed = append(removed, c.stack.titleOf(r))
			all = all || ofEntry(r)
		}
	}
	if len(replaced) > 0 {
		j.interrupt(s, "users do not reach the island for up to the whole of its deployment, and do again afterwards, since parts of their way to it are replaced: %s; where a new part cannot be made beside the old one, the deployment fails and is rolled back", codes(replaced))
		j.back("what users pass is replaced again, with another outage: move them away before that too")
		if entry {
			j.everywhere()
		}
	}
	if len(removed) > 0 {
		j.lose(s, "users no longer reach the service by what is removed: %s", codes(removed))
		if all {
			j.everywhere()
		}
	}
}

// ofEntry reports whether users of all islands pass a resource.
func ofEntry(r resource) bool {
	return strings.HasPrefix(r.kind, "AWS::GlobalAccelerator::") && r.kind != "AWS::GlobalAccelerator::EndpointGroup"
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
