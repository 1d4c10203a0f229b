package review

import (
	"maps"
	"slices"
	"strings"
)

// unlisted are the properties that open a resource to everybody by a value which AWS's
// schemas do not list: see openings in differ.cjs for all others.
var unlisted = map[string]string{
	"AssignPublicIp":    "ENABLED",
	"AuthorizationType": "NONE",
	"AuthType":          "NONE",
	"Scheme":            "internet-facing",
}

// openByDefault are the properties that open a resource of a type where they are not there,
// by their paths, which only AWS's pages say.
var openByDefault = map[string][]string{
	"AWS::ApiGateway::Method":                   {"AuthorizationType"},
	"AWS::ApiGatewayV2::Route":                  {"AuthorizationType"},
	"AWS::DMS::ReplicationInstance":             {"PubliclyAccessible"},
	"AWS::EKS::Cluster":                         {"ResourcesVpcConfig", "EndpointPublicAccess"},
	"AWS::ElasticLoadBalancing::LoadBalancer":   {"Scheme"},
	"AWS::ElasticLoadBalancingV2::LoadBalancer": {"Scheme"},
	"AWS::OpsWorksCM::Server":                   {"AssociatePublicIpAddress"},
}

// opened is what a property does that opens a resource.
func opened(property string) string {
	switch {
	case strings.Contains(property, "Unauthenticated"), strings.Contains(property, "Anonymous"):
		return "is what everybody may use who has signed in nowhere"
	case strings.HasSuffix(property, "Type"):
		return "is what everybody may call"
	case strings.Contains(property, "Public"):
		return "has a public address, or gives one"
	}
	return "is what everybody may reach"
}

// openOf is what opens a resource to everybody: the words, by the property's path. What
// only the deployment computes may. Policies and groups' rules do it too: see permissions.
func openOf(r resource, opens map[string]opening) map[string]string {
	all := map[string]string{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, each := range v {
				o, known := opens[key]
				value, other := unlisted[key]
				switch {
				case slices.Contains(o.Values, each), other && each == value:
					all[path+key] = opened(key)
				case (known || other) && computed(each):
					all[path+key] = "is perhaps open to everybody, as the deployment computes: it " + opened(key) + " then"
				case key != "Variables" && key != "Tags":
					walk(path+key+".", each)
				}
			}
		case []any:
			for _, each := range v {
				walk(path, each)
			}
		}
	}
	if !strings.HasPrefix(r.kind, "AWS::") || r.all == nil {
		return all
	}
	walk("", r.props)
	if path := openByDefault[r.kind]; path != nil && get(r.props, path...) == nil && r.props["Type"] != "gateway" {
		all[strings.Join(path, ".")] = opened(path[len(path)-1])
	}
	for name, o := range opens {
		if o.ByDefault && r.props[name] == nil {
			all[name] = opened(name)
		}
	}
	return all
}

// public judges whether everybody gets at a resource.
func (j *judge) public(c delta) {
	opens := j.answer.Opens[c.is().kind]
	was, is := openOf(c.old, opens), openOf(c.new, opens)
	name := code(c.stack.titleOf(c.is()))
	for _, path := range slices.Sorted(maps.Keys(is)) {
		if is[path] != was[path] {
			j.say(c.stack, Security, InPlace, true, "%s %s, by its %s", name, is[path], code(path))
		}
	}
	for _, path := range slices.Sorted(maps.Keys(was)) {
		if is[path] == "" {
			j.say(c.stack, Security, InPlace, !c.removed(), "%s no longer %s, by its %s", name, was[path], code(path))
		}
	}
	if strings.HasPrefix(c.is().kind, "AWS::DynamoDB::") {
		// Others' policies are among what the library compares.
		old, new := tablePolicies(c.old), tablePolicies(c.new)
		j.tell(c.stack, c.stack, uncovered(new, old), uncovered(old, new))
	}
}

// tablePolicies are the grants of a table's own policy, and of its replicas'.
func tablePolicies(r resource) []grant {
	var all []grant
	for _, of := range append([]any{r.props}, itemsOf(r.props["Replicas"])...) {
		for _, g := range grantsOf(get(of, "ResourcePolicy", "PolicyDocument")) {
			if g.what == "*" {
				g.what = "${" + r.id + "}"
			}
			all = append(all, g)
		}
	}
	return all
}

// grantsOf are those of a policy as a template has it.
func grantsOf(document any) []grant {
	var statements []parsed
	for _, s := range listOf(get(document, "Statement")) {
		if s == nil {
			continue
		}
		values := func(key string) (v values) {
			for _, not := range []bool{false, true} {
				of, there := fieldsOf(s)[map[bool]string{false: key, true: "Not" + key}[not]]
				if !there {
					continue
				}
				v.Not = not
				for _, each := range listOf(of) {
					for _, e := range principals(each) {
						t, ok := joined(e)
						if !ok {
							t = encoded(e)
						}
						v.Values = append(v.Values, strings.ReplaceAll(t, "${AWS::Partition}", "aws"))
					}
				}
			}
			return v
		}
		statements = append(statements, parsed{Type: "parsed", Value: statement{
			Effect: text(get(s, "Effect")), Principals: values("Principal"), Actions: values("Action"), Resources: values("Resource"), Condition: get(s, "Condition"),
		}})
	}
	return grants(statements)
}

// principals are those of a policy's Principal, {"AWS": …} and the like, or the value
// itself where it has no such form.
func principals(v any) []any {
	fields := fieldsOf(v)
	var all []any
	for _, kind := range []string{"AWS", "Service", "Federated", "CanonicalUser"} {
		if fields[kind] != nil {
			all = append(all, listOf(fields[kind])...)
		}
	}
	if all == nil {
		return []any{v}
	}
	return all
}

// uncovered are the grants that no other one covers.
func uncovered(of, by []grant) []grant {
	return slices.DeleteFunc(slices.Clone(of), func(g grant) bool {
		return slices.ContainsFunc(by, func(other grant) bool { return other.covers(g) })
	})
}
