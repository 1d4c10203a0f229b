package review

import (
	"maps"
	"slices"
	"strings"
)

// openings are the properties that open a resource to everybody by a value of theirs,
// wherever in it they are, and what that does. Policies and groups' rules do it too: see
// permissions.
var openings = map[string]struct {
	opens func(any) bool
	words string
}{
	"PubliclyAccessible":             {on, "has a public address"},
	"MapPublicIpOnLaunch":            {on, "gives what is launched in it a public address"},
	"AssociatePublicIpAddress":       {on, "has a public address"},
	"EndpointPublicAccess":           {on, "has a public address"},
	"AllowUnauthenticatedIdentities": {on, "is what everybody may use who has signed in nowhere"},
	"AuthType":                       {is("NONE"), "is what everybody may call"},
	"AuthorizationType":              {is("NONE"), "is what everybody may call"},
	"Scheme":                         {is("internet-facing"), "is what everybody may reach"},
	"AccessControl":                  {func(v any) bool { return strings.HasPrefix(text(v), "Public") }, "is what everybody may read"},
}

func is(value string) func(any) bool { return func(v any) bool { return v == value } }

// openByDefault are the properties that open a resource of a type where they are not there.
var openByDefault = map[string]string{
	"AWS::ApiGatewayV2::Route":                  "AuthorizationType",
	"AWS::ElasticLoadBalancing::LoadBalancer":   "Scheme",
	"AWS::ElasticLoadBalancingV2::LoadBalancer": "Scheme",
}

// openOf is what opens a resource to everybody: the words, by the property's path. What
// only the deployment computes may.
func openOf(r resource) map[string]string {
	all := map[string]string{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, each := range v {
				o, known := openings[key]
				switch {
				case known && o.opens(each):
					all[path+key] = o.words
				case known && computed(each):
					all[path+key] = "is perhaps open to everybody, as the deployment computes: it " + o.words + " then"
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
	if strings.HasPrefix(r.kind, "AWS::") && r.all != nil {
		walk("", r.props)
		if key := openByDefault[r.kind]; key != "" && r.props[key] == nil && r.props["Type"] != "gateway" {
			all[key] = openings[key].words
		}
	}
	return all
}

// public judges whether everybody gets at a resource.
func (j *judge) public(c delta) {
	was, is := openOf(c.old), openOf(c.new)
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
// itself where it is none.
func principals(v any) []any {
	fields := fieldsOf(v)
	if len(fields) == 0 {
		return []any{v}
	}
	for _, kind := range []string{"AWS", "Service", "Federated", "CanonicalUser"} {
		if fields[kind] != nil {
			return listOf(fields[kind])
		}
	}
	return []any{v}
}

// uncovered are the grants that no other one covers.
func uncovered(of, by []grant) []grant {
	return slices.DeleteFunc(slices.Clone(of), func(g grant) bool {
		return slices.ContainsFunc(by, func(other grant) bool { return other.covers(g) })
	})
}
