package review

import (
	"cmp"
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
			weaker("%s of %s was %s and is %s", what, name, said(s, was), said(s, is))
		}
	}
	j.public(c)
	switch r.kind {
	case "AWS::S3::Bucket":
		if c.added() || c.removed() {
			return
		}
		if was, is := bucketEncryption(c.old), bucketEncryption(c.new); c.has("BucketEncryption") && encoded(was) == encoded(is) {
			j.say(s, Security, InPlace, false, "the encryption of %s stays as it is: what the template no longer says, or says now, is S3's default", name)
		} else {
			changes("the encryption", was, is)
		}
		for _, block := range []string{"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"} {
			if on(get(c.old.props, "PublicAccessBlockConfiguration", block)) && !on(get(c.new.props, "PublicAccessBlockConfiguration", block)) {
				weaker("%s may become public, by a policy or an access list that is added later: its %s is off", name, code(block))
			}
		}
	case "AWS::IAM::Role", "AWS::IAM::User":
		if !c.added() && !c.removed() {
			changes("the permissions boundary", c.old.props["PermissionsBoundary"], c.new.props["PermissionsBoundary"])
		}
	case "AWS::DynamoDB::GlobalTable", "AWS::DynamoDB::Table":
		if !c.added() && !c.removed() {
			changes("the encryption", c.old.props["SSESpecification"], c.new.props["SSESpecification"])
		}
	case "AWS::ElasticLoadBalancingV2::Listener":
		if !c.added() && !c.removed() {
			changes("the TLS policy", c.old.props["SslPolicy"], c.new.props["SslPolicy"])
			changes("the certificate", c.old.props["Certificates"], c.new.props["Certificates"])
			changes("the protocol", c.old.props["Protocol"], c.new.props["Protocol"])
		}
	case "AWS::EC2::LaunchTemplate":
		if !c.added() && !c.removed() {
			changes("the use of tokens for instances' metadata", get(c.old.props, "LaunchTemplateData", "MetadataOptions", "HttpTokens"), get(c.new.props, "LaunchTemplateData", "MetadataOptions", "HttpTokens"))
			changes("the encryption of volumes", volumes(c.old), volumes(c.new))
		}
	case "AWS::WAFv2::WebACL":
		if c.removed() {
			weaker("the web ACL %s is removed", name)
		}
		if !c.added() && !c.removed() {
			j.webACL(c, name)
		}
	case "AWS::WAFv2::WebACLAssociation":
		if c.removed() {
			weaker("the load balancer loses its web ACL: %s (WebACLAssociation) is removed", name)
		}
	}
}

// bucketEncryption is how S3 encrypts what is written to a bucket. What a template does
// not say is SSE-S3:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingServerSideEncryption.html
func bucketEncryption(r resource) any {
	if is := get(r.props, "BucketEncryption", "ServerSideEncryptionConfiguration"); is != nil {
		return is
	}
	return []any{map[string]any{"ServerSideEncryptionByDefault": map[string]any{"SSEAlgorithm": "AES256"}}}
}

// said is a property's value as a reader knows it.
func said(s *Stack, v any) string {
	if v == nil {
		return "not set"
	}
	if list := itemsOf(v); len(list) == 1 {
		v = list[0]
	}
	for len(fieldsOf(v)) == 1 {
		if t, ok := joined(v); ok {
			v = t
			break
		}
		var only any
		for _, only = range fieldsOf(v) {
		}
		if text(only) == "" && fieldsOf(only) == nil {
			break // its name says more than it
		}
		v = only
	}
	return code(short(within(s, short(v))))
}

func volumes(r resource) []any {
	var all []any
	for _, device := range itemsOf(get(r.props, "LaunchTemplateData", "BlockDeviceMappings")) {
		all = append(all, get(device, "Ebs", "Encrypted"))
	}
	return all
}

// webACL judges a web ACL's rules.
func (j *judge) webACL(c delta, name string) {
	if was, is := c.old.props["DefaultAction"], c.new.props["DefaultAction"]; get(was, "Block") != nil && get(is, "Block") == nil {
		j.say(c.stack, Security, InPlace, true, "the web ACL %s lets every request pass that no rule blocks, and blocked it before", name)
	}
	old, new := wafRules(c.old), wafRules(c.new)
	for _, rule := range slices.Sorted(maps.Keys(old)) {
		was, is := old[rule], new[rule]
		counts := func(v any) bool {
			return get(v, "OverrideAction", "Count") != nil || get(v, "Action", "Count") != nil || get(v, "Action", "Allow") != nil
		}
		limit := func(v any) float64 { return number(get(v, "Statement", "RateBasedStatement", "Limit"), 0) }
		switch {
		case is == nil:
			j.say(c.stack, Security, InPlace, true, "the rule %s of the web ACL %s is removed", code(rule), name)
		case counts(is) && !counts(was):
			j.say(c.stack, Security, InPlace, true, "the rule %s of the web ACL %s counts requests that it blocked before", code(rule), name)
		case counts(was) && !counts(is):
			j.say(c.stack, Security, InPlace, true, "the rule %s of the web ACL %s blocks requests that it only counted: look at its count before, for users may be refused", code(rule), name)
		case limit(is) > limit(was):
			j.say(c.stack, Security, InPlace, true, "the rule %s of the web ACL %s lets %.0f requests of an address pass, previously %.0f", code(rule), name, limit(is), limit(was))
		case limit(is) < limit(was):
			j.say(c.stack, Security, InPlace, true, "the rule %s of the web ACL %s refuses an address after %.0f requests in place of %.0f", code(rule), name, limit(is), limit(was))
		case encoded(is) != encoded(was):
			j.say(c.stack, Security, InPlace, true, "the rule %s of the web ACL %s is another one", code(rule), name)
		}
	}
	for _, rule := range slices.Sorted(maps.Keys(new)) {
		if old[rule] == nil {
			what := ""
			if get(new[rule], "Action", "Allow") != nil {
				what = ", which lets requests pass that rules after it block"
			}
			j.say(c.stack, Security, InPlace, what != "", "the web ACL %s gets the rule %s%s", name, code(rule), what)
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
			return []string{allBut + strings.Join(v.Values, ", ")}
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

// strong reports whether g lets somebody become another one, or say who may do what: it
// may be worth more than its own words. A service that takes a role is not meant.
func (g grant) strong() bool {
	if g.effect == "Deny" || strings.HasPrefix(g.who, "Service:") {
		return false
	}
	action := strings.ToLower(g.action)
	iam := strings.HasPrefix(action, "iam:") && !strings.HasPrefix(action, "iam:get") && !strings.HasPrefix(action, "iam:list")
	return iam || action == "*" || action == "sts:*" || strings.HasPrefix(action, "sts:assumerole") || strings.HasPrefix(action, allBut)
}

// allBut begins what a grant says of all but what a policy lists.
const allBut = "all but "

// matches reports whether a pattern of IAM matches all that another one does.
func matches(pattern, of string) bool {
	if pattern == of || pattern == "*" {
		return true
	}
	if but, ok := strings.CutPrefix(pattern, allBut); ok {
		// Of what is listed, nothing may be in the other, and a list is one text here.
		other, all := strings.CutPrefix(of, allBut)
		return all && !strings.Contains(but+other, ", ") && matches(other, but)
	}
	if strings.HasPrefix(of, allBut) {
		return false
	}
	escape := strings.NewReplacer("/", "\x00", "[", "\x01", "\\", "\x02")
	ok, err := path.Match(escape.Replace(pattern), escape.Replace(of))
	return err == nil && ok
}

// permissions judges who may do what now, and who no longer may, and who is let in.
func (j *judge) permissions(base, head *Stack, d *stackDiff) {
	added, removed := grants(d.Statements.Added), grants(d.Statements.Removed)
	j.tell(base, head, uncovered(added, removed), uncovered(removed, added))
	for _, g := range uncovered(removed, added) {
		service, ok := strings.CutPrefix(g.who, "Service:")
		if ok && g.effect != "Deny" && g.action == "sts:AssumeRole" && lives(base, head, g.what) {
			j.lose(base, "what uses %s loses its credentials within hours, since %s can no longer assume it: every call to AWS fails then", code(within(base, g.what)), code(service))
		}
	}
	j.reach(base, head)
	for _, g := range uncovered(added, removed) {
		if who := j.denied(head, g); who != "" {
			j.lose(head, "%s is denied %s on %s, which it may do otherwise: what users ask of it fails", code(who), code(g.action), code(within(head, g.what)))
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
		if !slices.ContainsFunc(d.Ingress.Added, func(other rule) bool { return other.opens(r) }) {
			switch {
			case r.Peer["kind"] == "cidr-ip" && has(base, "AWS::ElasticLoadBalancingV2::LoadBalancer", r.GroupID):
				j.lose(base, "users no longer reach the load balancer: its group no longer lets %s in", r.words(base))
			case r.Peer["kind"] == "security-group" && has(base, launchTemplate, r.GroupID) && lives(base, head, r.GroupID):
				j.lose(base, "users no longer reach the instances: their group no longer lets %s in", r.words(base))
			}
		}
	}
	for _, r := range d.Egress.Added {
		if r.nothing() {
			continue
		}
		j.say(head, Security, InPlace, false, "the security group %s lets %s out", code(nameOf(head, r.GroupID)), r.words(head))
	}
	for _, r := range d.Egress.Removed {
		if !lives(base, head, r.GroupID) || r.nothing() {
			continue
		}
		j.say(base, Security, InPlace, true, "the security group %s no longer lets %s out", code(nameOf(base, r.GroupID)), r.words(base))
		of := func(other rule) bool { return other.GroupID == r.GroupID }
		if (has(base, "AWS::ElasticLoadBalancingV2::LoadBalancer", r.GroupID) || has(base, launchTemplate, r.GroupID)) && !slices.ContainsFunc(d.Egress.Added, of) {
			j.lose(base, "what users ask the island for may fail: the security group %s no longer lets %s out", code(nameOf(base, r.GroupID)), r.words(base))
		}
	}
}

// stores are the services that keep what a fleet's users ask for, by what their actions
// begin with.
var stores = map[string]string{"dynamodb:": "DynamoDB", "s3:": "S3"}

// reach judges whether instances lose all that they may do with a store: what is narrowed
// may be what the service does not use, and is told as it is.
func (j *judge) reach(base, head *Stack) {
	for _, role := range fleetRoles(base) {
		if _, there := head.resources()[role.id]; !there {
			continue
		}
		for _, service := range slices.Sorted(maps.Keys(stores)) {
			if allows(base, role, service) && !allows(head, role, service) {
				j.lose(base, "instances may do nothing with %s any more, by their role %s: what users ask of it fails", stores[service], code(base.titleOf(role)))
			}
		}
	}
}

// denied is the role of instances that a new denial is about, whatever the conditions of a
// call, and that may do what it denies, "" for none.
func (j *judge) denied(s *Stack, g grant) string {
	if g.effect != "Deny" || g.condition != "" {
		return ""
	}
	// A policy of a bucket is in another stack than the roles, and names it by a reference.
	what := strings.TrimSuffix(strings.TrimSuffix(within(s, g.what), "*"), "/")
	for _, name := range slices.Sorted(maps.Keys(j.head.Stacks)) {
		of := j.head.Stacks[name]
		for _, role := range fleetRoles(of) {
			if g.who != "*" && g.who != "AWS:*" && (of != s || !strings.HasPrefix(strings.TrimPrefix(g.who, "AWS:"), "${"+role.id)) {
				continue
			}
			for _, document := range documentsOf(of, role) {
				if slices.ContainsFunc(grantsOf(document), func(h grant) bool {
					return h.effect == "Allow" && meets(g.action, h.action) && (meets(g.what, h.what) || what != "" && strings.Contains(h.what, what))
				}) {
					return of.titleOf(role)
				}
			}
		}
	}
	return ""
}

// fleetRoles are the roles of the instances that a stack's launch templates start.
func fleetRoles(s *Stack) []resource {
	var roles []resource
	for _, profile := range s.of("AWS::IAM::InstanceProfile") {
		started := slices.ContainsFunc(s.of(launchTemplate), func(t resource) bool { return refersTo(t.props, profile.id) })
		for _, role := range s.of("AWS::IAM::Role") {
			if started && refersTo(profile.props["Roles"], role.id) {
				roles = append(roles, role)
			}
		}
	}
	return roles
}

// documentsOf are a role's policies, its own and those beside it. Managed policies of
// AWS's are not known.
func documentsOf(s *Stack, role resource) []any {
	var documents []any
	for _, kind := range []string{"AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"} {
		for _, policy := range s.of(kind) {
			if refersTo(policy.props["Roles"], role.id) {
				documents = append(documents, policy.props["PolicyDocument"])
			}
		}
	}
	for _, policy := range itemsOf(s.resources()[role.id].props["Policies"]) {
		documents = append(documents, get(policy, "PolicyDocument"))
	}
	return documents
}

// allows reports whether a statement of a role's policies allows an action that begins
// with service.
func allows(s *Stack, role resource, service string) bool {
	for _, document := range documentsOf(s, role) {
		for _, statement := range listOf(get(document, "Statement")) {
			if get(statement, "Effect") != "Allow" {
				continue
			}
			for _, action := range listOf(get(statement, "Action")) {
				if a := strings.ToLower(text(action)); a == "*" || strings.HasPrefix(a, service) {
					return true
				}
			}
			if get(statement, "NotAction") != nil {
				return true
			}
		}
	}
	return false
}

// listOf is a value that may be a list of one.
func listOf(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}

// has reports whether resources of a type have a security group.
func has(s *Stack, kind, group string) bool {
	return slices.ContainsFunc(s.of(kind), func(r resource) bool {
		return refersTo(r.props, strings.TrimSuffix(strings.TrimPrefix(group, "${"), ".GroupId}"))
	})
}

// nothing reports whether a rule is the one that CDK writes so that nothing matches, since
// a group without any lets everything out:
// https://github.com/aws/aws-cdk/blob/main/packages/aws-cdk-lib/aws-ec2/lib/security-group.ts
func (r rule) nothing() bool { return r.Peer["ip"] == "255.255.255.255/32" }

// opens reports whether what r lets in includes what another rule does: the same ports
// or more, from the same or from everybody.
func (r rule) opens(other rule) bool {
	ports := r.IPProtocol == "-1" || r.IPProtocol == other.IPProtocol &&
		number(r.FromPort, 0) <= number(other.FromPort, 0) && number(r.ToPort, 65535) >= number(other.ToPort, 65535)
	return r.GroupID == other.GroupID && ports &&
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

// told is a grant as a reader has it, but for what it is on.
type told struct{ effect, who, actions, condition string }

// objects are the resources that something is told of, and the grants that say it.
type objects struct {
	whats  []string
	grants []grant
}

// group puts grants together that are told in one sentence: all actions on what they are
// on, then all that the same actions are on.
func group(s *Stack, all []grant) map[told]*objects {
	type key struct{ effect, who, what, condition string }
	actions := map[key][]string{}
	for _, g := range all {
		k := key{g.effect, g.who, g.what, g.condition}
		actions[k] = append(actions[k], g.action)
	}
	groups := map[told]*objects{}
	for _, g := range all {
		of := slices.Clone(actions[key{g.effect, g.who, g.what, g.condition}])
		slices.Sort(of)
		who, but := strings.CutPrefix(g.who, allBut)
		names := strings.Split(who, ", ")
		for i := range names {
			names[i] = strings.TrimPrefix(names[i], "AWS:")
		}
		who = within(s, strings.Join(names, ", "))
		if but {
			who = allBut + who
		}
		t := told{g.effect, who, codes(slices.Compact(of)), within(s, g.condition)}
		if groups[t] == nil {
			groups[t] = &objects{}
		}
		groups[t].grants = append(groups[t].grants, g)
		if what := within(s, g.what); what != "" && !slices.Contains(groups[t].whats, what) {
			groups[t].whats = append(groups[t].whats, what)
			slices.Sort(groups[t].whats)
		}
	}
	return groups
}

// tell says grants that are new and that are no more, by who has them. Those that are on
// something else are one: what is replaced takes its permissions with it.
func (j *judge) tell(base, head *Stack, added, removed []grant) {
	news, olds := group(head, added), group(base, removed)
	where := func(o *objects) string {
		if len(o.whats) == 0 {
			return ""
		}
		return " on " + codes(o.whats)
	}
	// What only another condition is about is one, too.
	other := map[told]told{}
	for _, t := range inOrder(news) {
		for _, was := range inOrder(olds) {
			o, old := news[t], olds[was]
			if _, taken := other[was]; !taken && news[was] == nil && olds[t] == nil && t.effect == was.effect && t.who == was.who && t.actions == was.actions && len(o.whats) > 0 && slices.Equal(o.whats, old.whats) {
				other[t], other[was] = was, t
				break
			}
		}
	}
	for t, o := range news {
		words, decide := [2]string{"now may", "no longer"}, true
		if t.effect == "Deny" {
			words = [2]string{"is denied", "no longer"}
			// What is new was allowed nothing before.
			decide = slices.ContainsFunc(o.grants, func(g grant) bool { return lives(head, base, g.who) && lives(head, base, g.what) })
		}
		what := principal(t.who) + " " + words[0] + " " + t.actions + where(o)
		if was, ok := other[t]; ok {
			may := map[bool]string{false: "may", true: "is denied"}[t.effect == "Deny"]
			j.say(head, Security, InPlace, decide, "%s %s %s%s under another condition: %s, previously %s", principal(t.who), may, t.actions, where(o), t.alone(), was.alone())
			j.found[len(j.found)-1].strong = slices.ContainsFunc(o.grants, grant.strong)
			continue
		}
		if old := olds[t]; old != nil && len(old.whats) > 0 {
			what += ", and " + words[1] + where(old)
		}
		for _, g := range o.grants {
			if account := foreign(head, g.who); account != "" && g.effect != "Deny" && g.action == "sts:AssumeRole" {
				j.say(head, Security, InPlace, true, "another account, %s, gets all that %s may", code(account), code(within(head, g.what)))
				j.found[len(j.found)-1].strong = true
			}
		}
		j.say(head, Security, InPlace, decide, "%s%s", what, t.provided())
		j.found[len(j.found)-1].strong = slices.ContainsFunc(o.grants, grant.strong)
	}
	for t, o := range olds {
		if _, ok := other[t]; ok || news[t] != nil && len(o.whats) > 0 {
			continue
		}
		may, but := "may no longer", ""
		if t.effect == "Deny" {
			may, but = "is no longer denied", ", where another policy allows it"
		}
		// That somebody who is gone may do nothing is nothing to decide.
		decide := slices.ContainsFunc(o.grants, func(g grant) bool { return lives(base, head, g.who) && lives(base, head, g.what) })
		j.say(base, Security, InPlace, decide, "%s %s %s%s%s%s", principal(t.who), may, t.actions, where(o), t.provided(), but)
	}
}

// provided is the condition.
func (t told) provided() string {
	if t.condition == "" {
		return ""
	}
	return ", if " + quoted(t.condition, mostOfACondition)
}

func inOrder(groups map[told]*objects) []told {
	return slices.SortedFunc(maps.Keys(groups), func(a, b told) int {
		return cmp.Or(cmp.Compare(a.effect, b.effect), cmp.Compare(a.who, b.who), cmp.Compare(a.actions, b.actions), cmp.Compare(a.condition, b.condition))
	})
}

// alone is the condition by itself.
func (t told) alone() string { return strings.TrimPrefix(cmp.Or(t.provided(), ", always"), ", ") }

// principal is who has a grant.
func principal(who string) string {
	if who == "*" {
		return "everybody"
	}
	return code(who)
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

// lives reports whether what a reference names is in the other template too, or
// is not in s.
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
