package review

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// security judges what guards the resource itself.
func (j *judge) security(c delta) {
	s, r := c.stack, c.is()
	name := code(s.titleOf(r))
	weaker := func(format string, arguments ...any) { j.say(s, Security, InPlace, true, format, arguments...) }
	changes := func(what string, was, is any) {
		if encoded(was) != encoded(is) {
			weaker("%s of %s was %s and is %s", what, name, code(short(was)), code(short(is)))
		}
	}
	switch r.kind {
	case "AWS::S3::Bucket":
		if c.added() || c.removed() {
			return
		}
		changes("the encryption", get(c.old.props, "BucketEncryption", "ServerSideEncryptionConfiguration"), get(c.new.props, "BucketEncryption", "ServerSideEncryptionConfiguration"))
		for _, block := range []string{"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"} {
			if get(c.old.props, "PublicAccessBlockConfiguration", block) == true && get(c.new.props, "PublicAccessBlockConfiguration", block) != true {
				weaker("%s may become public: its %s is off", name, block)
			}
		}
	case "AWS::DynamoDB::GlobalTable", "AWS::DynamoDB::Table":
		if !c.added() && !c.removed() {
			changes("the encryption", c.old.props["SSESpecification"], c.new.props["SSESpecification"])
		}
	case "AWS::ElasticLoadBalancingV2::Listener":
		if !c.added() && !c.removed() {
			changes("the TLS policy", c.old.props["SslPolicy"], c.new.props["SslPolicy"])
			changes("the protocol", c.old.props["Protocol"], c.new.props["Protocol"])
		}
	case "AWS::ElasticLoadBalancingV2::LoadBalancer":
		if !c.added() && !c.removed() {
			changes("the scheme", c.old.props["Scheme"], c.new.props["Scheme"])
		}
	case "AWS::EC2::LaunchTemplate":
		if !c.added() && !c.removed() {
			changes("the use of tokens for instances' metadata", get(c.old.props, "LaunchTemplateData", "MetadataOptions", "HttpTokens"), get(c.new.props, "LaunchTemplateData", "MetadataOptions", "HttpTokens"))
			changes("the encryption of volumes", volumes(c.old), volumes(c.new))
		}
	case "AWS::WAFv2::WebACL":
		if c.removed() {
			weaker("the firewall %s (WebACL) is removed", name)
		}
		if !c.added() && !c.removed() {
			j.firewall(c, name)
		}
	case "AWS::WAFv2::WebACLAssociation":
		if c.removed() {
			weaker("the load balancer loses its firewall: %s (WebACLAssociation) is removed", name)
		}
	}
}

func volumes(r resource) []any {
	var all []any
	for _, device := range itemsOf(get(r.props, "LaunchTemplateData", "BlockDeviceMappings")) {
		all = append(all, get(device, "Ebs", "Encrypted"))
	}
	return all
}

// firewall judges a web ACL's rules.
func (j *judge) firewall(c delta, name string) {
	old, new := wafRules(c.old), wafRules(c.new)
	for _, rule := range slices.Sorted(maps.Keys(old)) {
		was, is := old[rule], new[rule]
		counts := func(v any) bool {
			return get(v, "OverrideAction", "Count") != nil || get(v, "Action", "Count") != nil || get(v, "Action", "Allow") != nil
		}
		limit := func(v any) float64 { return number(get(v, "Statement", "RateBasedStatement", "Limit"), 0) }
		switch {
		case is == nil:
			j.say(c.stack, Security, InPlace, true, "the rule %s of the firewall %s is removed", code(rule), name)
		case counts(is) && !counts(was):
			j.say(c.stack, Security, InPlace, true, "the rule %s of the firewall %s counts requests that it blocked before", code(rule), name)
		case counts(was) && !counts(is):
			j.say(c.stack, Security, InPlace, true, "the rule %s of the firewall %s blocks requests that it only counted: look at its count before, for users may be refused", code(rule), name)
		case limit(is) > limit(was):
			j.say(c.stack, Security, InPlace, true, "the rule %s of the firewall %s lets %.0f requests of an address pass, previously %.0f", code(rule), name, limit(is), limit(was))
		case limit(is) < limit(was):
			j.say(c.stack, Security, InPlace, true, "the rule %s of the firewall %s refuses an address after %.0f requests in place of %.0f", code(rule), name, limit(is), limit(was))
		case encoded(is) != encoded(was):
			j.say(c.stack, Security, InPlace, true, "the rule %s of the firewall %s is another one", code(rule), name)
		}
	}
	for _, rule := range slices.Sorted(maps.Keys(new)) {
		if old[rule] == nil {
			j.say(c.stack, Security, InPlace, false, "the firewall %s gets the rule %s", name, code(rule))
		}
	}
}

func wafRules(r resource) map[string]any {
	all := map[string]any{}
	for _, rule := range itemsOf(r.props["Rules"]) {
		all[text(get(rule, "Name"))] = rule
	}
	return all
}

// grant is that a principal may do an action to a resource, or may not.
type grant struct{ effect, who, action, what, condition string }

// grants are those of statements. principals, actions and resources that are
// everything but what they list are one that says so.
func grants(statements []parsed) []grant {
	var all []grant
	each := func(v values) []string {
		if v.Not {
			return []string{"all but " + strings.Join(v.Values, ", ")}
		}
		if len(v.Values) == 0 {
			return []string{"*"}
		}
		return v.Values
	}
	for _, s := range statements {
		if s.Type != "parsed" {
			all = append(all, grant{"Allow", "what cannot be read", s.Repr, "", ""})
			continue
		}
		condition := ""
		if s.Value.Condition != nil {
			condition = encoded(s.Value.Condition)
		}
		for _, who := range each(s.Value.Principals) {
			for _, action := range each(s.Value.Actions) {
				for _, what := range each(s.Value.Resources) {
					all = append(all, grant{s.Value.Effect, who, action, what, condition})
				}
			}
		}
	}
	return all
}

// covers reports whether g holds wherever h does.
func (g grant) covers(h grant) bool {
	return g.effect == h.effect && matches(g.who, h.who) && matches(strings.ToLower(g.action), strings.ToLower(h.action)) &&
		matches(g.what, h.what) && (g.condition == "" || g.condition == h.condition)
}

// matches reports whether a pattern of IAM matches all that another one does.
func matches(pattern, of string) bool {
	if pattern == of || pattern == "*" {
		return true
	}
	escape := strings.NewReplacer("/", "\x00", "[", "\x01", "\\", "\x02")
	ok, err := path.Match(escape.Replace(pattern), escape.Replace(of))
	return err == nil && ok
}

// permissions judges who may do what now, and who no longer may, and who is let in.
func (j *judge) permissions(base, head *Stack, d *stackDiff) {
	added, removed := grants(d.Statements.Added), grants(d.Statements.Removed)
	only := func(of, than []grant) []grant {
		return slices.DeleteFunc(slices.Clone(of), func(g grant) bool {
			return slices.ContainsFunc(than, func(other grant) bool { return other.covers(g) })
		})
	}
	j.tell(head, base, only(added, removed), true)
	j.tell(base, head, only(removed, added), false)
	for _, g := range only(removed, added) {
		service, ok := strings.CutPrefix(g.who, "Service:")
		if ok && g.effect != "Deny" && g.action == "sts:AssumeRole" && lives(base, head, g.what) {
			j.lose(base, "what uses %s loses its credentials within hours, since %s can no longer assume it: every call to AWS fails then", code(within(base, g.what)), code(service))
		}
	}
	for _, m := range d.Managed.Added {
		j.say(head, Security, InPlace, true, "%s gets the managed policy %s", code(nameOf(head, m.Value.IdentityARN)), code(m.Value.ManagedPolicyARN))
	}
	for _, m := range d.Managed.Removed {
		j.say(base, Security, InPlace, lives(base, head, m.Value.IdentityARN), "%s loses the managed policy %s", code(nameOf(base, m.Value.IdentityARN)), code(m.Value.ManagedPolicyARN))
	}
	for _, r := range d.Ingress.Added {
		j.say(head, Security, InPlace, true, "the security group %s lets %s in", code(nameOf(head, r.GroupID)), r.words(head))
	}
	for _, r := range d.Ingress.Removed {
		j.say(base, Security, InPlace, true, "the security group %s no longer lets %s in", code(nameOf(base, r.GroupID)), r.words(base))
		for _, lb := range base.of("AWS::ElasticLoadBalancingV2::LoadBalancer") {
			users := r.Peer["kind"] == "cidr-ip" && slices.ContainsFunc(itemsOf(lb.props["SecurityGroups"]), func(g any) bool {
				return refersTo(g, strings.TrimSuffix(strings.TrimPrefix(r.GroupID, "${"), ".GroupId}"))
			})
			if users && !slices.ContainsFunc(d.Ingress.Added, func(other rule) bool { return other.opens(r) }) {
				j.lose(base, "users no longer reach the load balancer: its group no longer lets %s in", r.words(base))
			}
		}
	}
	for _, r := range d.Egress.Added {
		j.say(head, Security, InPlace, false, "the security group %s lets %s out", code(nameOf(head, r.GroupID)), r.words(head))
	}
}

// opens reports whether what r lets in includes what another rule does: the same, or
// everybody.
func (r rule) opens(other rule) bool {
	return r.GroupID == other.GroupID && encoded([]any{r.IPProtocol, r.FromPort, r.ToPort}) == encoded([]any{other.IPProtocol, other.FromPort, other.ToPort}) &&
		(encoded(r.Peer) == encoded(other.Peer) || r.Peer["ip"] == "0.0.0.0/0")
}

func (r rule) words(s *Stack) string {
	from := text(r.Peer["ip"])
	if from == "" {
		from = nameOf(s, encodedText(r.Peer))
	}
	port := fmt.Sprint(r.FromPort)
	if fmt.Sprint(r.ToPort) != port {
		port += "–" + fmt.Sprint(r.ToPort)
	}
	if r.FromPort == nil {
		port = "all"
	}
	return fmt.Sprintf("%s (port %s, %s)", code(from), code(port), code(r.IPProtocol))
}

// encodedText is the text of a peer that is not a range of addresses.
func encodedText(peer map[string]any) string {
	for _, key := range []string{"securityGroupId", "prefixListId"} {
		if t := text(peer[key]); t != "" {
			return t
		}
	}
	return encoded(peer)
}

// nameOf is what a reader knows "${FleetRole427BC000.Arn}" by.
func nameOf(s *Stack, reference string) string {
	id, ok := strings.CutPrefix(reference, "${")
	if !ok {
		return reference
	}
	id, _, _ = strings.Cut(strings.TrimSuffix(id, "}"), ".")
	if r, ok := s.resources()[id]; ok {
		return s.titleOf(r)
	}
	return reference
}

// tell says grants that are new, or no more, by who has them and on what.
func (j *judge) tell(s, other *Stack, all []grant, new bool) {
	type key struct{ effect, who, what, condition string }
	actions := map[key][]string{}
	var order []key
	for _, g := range all {
		k := key{g.effect, g.who, g.what, g.condition}
		if actions[k] == nil {
			order = append(order, k)
		}
		actions[k] = append(actions[k], g.action)
	}
	for _, k := range order {
		may := "may"
		switch {
		case k.effect == "Deny" && new:
			may = "may no longer (a denial is new)"
		case k.effect == "Deny":
			may = "may again (a denial is removed)"
		case !new:
			may = "may no longer"
		default:
			may = "now may"
		}
		_, who, ok := strings.Cut(k.who, "AWS:")
		if !ok {
			who = k.who
		}
		where, condition := "", ""
		if k.what != "" {
			where = " on " + code(within(s, k.what))
		}
		if k.condition != "" {
			condition = ", if " + quoted(within(s, k.condition), mostOfACondition)
		}
		slices.Sort(actions[k])
		// That somebody who is gone may do nothing is nothing to decide.
		decide := new || lives(s, other, k.who) && lives(s, other, k.what)
		if account := foreign(s, k.who); account != "" && new && k.effect != "Deny" && slices.Contains(actions[k], "sts:AssumeRole") {
			j.say(s, Security, InPlace, true, "another account, %s, gets all that %s may", code(account), code(within(s, k.what)))
		}
		j.say(s, Security, InPlace, decide, "%s %s %s%s%s", code(within(s, who)), may, codes(slices.Compact(actions[k])), where, condition)
	}
}

// accountOf finds an account in an ARN.
var accountOf = regexp.MustCompile(`^AWS:(?:arn:[^:]*:[^:]*:[^:]*:)?(\d{12})(?::|$)`)

// foreign is the account of who has a grant, where it is not the stack's, or "".
func foreign(s *Stack, who string) string {
	if m := accountOf.FindStringSubmatch(who); m != nil && s.Account != "" && m[1] != s.Account {
		return m[1]
	}
	return ""
}

// lives reports whether what a reference is about is in the other template too, or is
// none of s.
func lives(s, other *Stack, reference string) bool {
	_, id, ok := strings.Cut(reference, "${")
	id, _, _ = strings.Cut(strings.TrimSuffix(id, "}"), ".")
	_, here := s.resources()[id]
	_, there := other.resources()[id]
	return !ok || !here || there
}

// within replaces references in a text by what a reader knows the resources by.
func within(s *Stack, t string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(t, "${")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		reference, after, ok := strings.Cut(rest, "}")
		if !ok {
			b.WriteString("${" + rest)
			return b.String()
		}
		if name := nameOf(s, "${"+reference+"}"); strings.HasPrefix(name, "${AWS::") {
			b.WriteString("aws")
		} else {
			b.WriteString(name)
		}
		t = after
	}
}
