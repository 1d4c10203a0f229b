package review

import "strings"

// resolved is an assembly whose texts that CloudFormation puts together are in one form,
// so that another way to write the same is not a change.
func (a *Assembly) resolved() *Assembly {
	all := &Assembly{Dir: a.Dir, Lost: a.Lost, Deployed: a.Deployed, Stacks: map[string]*Stack{}}
	for name, s := range a.Stacks {
		copied := *s
		copied.Template = fieldsOf(resolve(s.Template))
		all.Stacks[name] = &copied
	}
	return all
}

// resolve replaces Fn::Sub, and Fn::Join without a text between its parts, by the text
// where all of it is there, and by the shortest Fn::Join where it is not.
func resolve(v any) any {
	switch v := v.(type) {
	case []any:
		all := make([]any, len(v))
		for i, each := range v {
			all[i] = resolve(each)
		}
		return all
	case map[string]any:
		all := make(map[string]any, len(v))
		for key, each := range v {
			all[key] = resolve(each)
		}
		if parts, ok := partsOf(all); ok {
			return join(parts)
		}
		return all
	}
	return v
}

// partsOf are what a function that puts a text together takes it from.
func partsOf(function map[string]any) ([]any, bool) {
	if len(function) != 1 {
		return nil, false
	}
	switch of := function["Fn::Sub"].(type) {
	case string:
		return substituted(of, nil), true
	case []any:
		if len(of) == 2 {
			if t, ok := of[0].(string); ok {
				return substituted(t, fieldsOf(of[1])), true
			}
		}
		return nil, false
	}
	of := itemsOf(function["Fn::Join"])
	if len(of) != 2 {
		return nil, false
	}
	between, ok := of[0].(string)
	parts, list := of[1].([]any)
	if !ok || !list {
		return nil, false
	}
	if between == "" {
		return parts, true
	}
	var all []any
	for i, part := range parts {
		if _, literal := part.(string); !literal {
			return nil, false // it may be a list
		}
		if i > 0 {
			all = append(all, between)
		}
		all = append(all, part)
	}
	return all, true
}

// substituted are the parts of Fn::Sub's text: "${ID}" and "${ID.Attribute}" are of the
// template, but for those that variables have, and "${!" is a literal "${".
func substituted(t string, variables map[string]any) []any {
	var parts []any
	for {
		before, rest, ok := strings.Cut(t, "${")
		name, after, ended := strings.Cut(rest, "}")
		if !ok || !ended {
			return append(parts, t)
		}
		parts, t = append(parts, before), after
		id, attribute, got := strings.Cut(name, ".")
		switch {
		case strings.HasPrefix(name, "!"):
			parts = append(parts, "${"+name[1:]+"}")
		case variables[name] != nil:
			parts = append(parts, variables[name])
		case got:
			parts = append(parts, map[string]any{"Fn::GetAtt": []any{id, attribute}})
		default:
			parts = append(parts, map[string]any{"Ref": name})
		}
	}
}

// join puts parts together, of which those that are joins themselves are some.
func join(parts []any) any {
	var all []any
	for _, part := range parts {
		within := []any{part}
		if of := itemsOf(get(part, "Fn::Join")); len(fieldsOf(part)) == 1 && len(of) == 2 && of[0] == "" {
			within = itemsOf(of[1])
		}
		for _, p := range within {
			t, literal := p.(string)
			if literal && t == "" {
				continue
			}
			if literal && len(all) > 0 {
				if before, ok := all[len(all)-1].(string); ok {
					all[len(all)-1] = before + t
					continue
				}
			}
			all = append(all, p)
		}
	}
	switch {
	case len(all) == 0:
		return ""
	case len(all) == 1:
		if _, one := joined(all[0]); one {
			return all[0]
		}
	}
	return map[string]any{"Fn::Join": []any{"", all}}
}
