package review

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/archipelago-cdk/archipelago/internal/setting"
)

// diff renders the changes of resources, those that are the same in several regions
// once.
func (j *judge) diff() []Change {
	type entry struct {
		neutral, said Change
	}
	byKey := map[string]*entry{}
	var order []string
	for _, d := range j.changes {
		s := d.stack
		if j.repeats(d) {
			continue
		}
		c := Change{Name: s.titleOf(d.is()), Type: d.is().kind, Regions: []string{s.Region}}
		switch {
		case d.whole:
			c.Name, c.Type, c.How, c.Lines = s.Name, stackType, "added", kinds(s)
		case d.added():
			c.How = "added"
		case d.removed():
			c.How = "removed"
		case d.replaced:
			c.How = "replaced"
		default:
			c.How = "changed"
		}
		if !d.added() && !d.removed() {
			c.Properties = d.differ()
		}
		if !d.whole {
			if repeatsCreate(d.old) && repeatsCreate(d.new) {
				d.old, d.new = withoutCreate(d.old), withoutCreate(d.new)
			}
			c.Lines = lineDiff(j.lines(j.base, s.Region, d.old), j.lines(j.head, s.Region, d.new))
		}
		if c.How == "changed" && len(c.Lines) == 0 {
			c.Lines = []string{"  only hashes of what is built"}
		}
		n := c
		n.Name = neutral(s, c.Name)
		n.Lines = slices.Clone(c.Lines)
		for i := range n.Lines {
			n.Lines[i] = neutral(s, n.Lines[i])
		}
		key := encoded(map[string]any{"name": n.Name, "type": n.Type, "how": n.How, "properties": n.Properties, "lines": n.Lines})
		if e := byKey[key]; e != nil {
			if !slices.Contains(e.said.Regions, s.Region) {
				n.Regions = append(e.said.Regions, s.Region)
				slices.Sort(n.Regions)
				e.said = n
			}
			continue
		}
		byKey[key] = &entry{n, c}
		order = append(order, key)
	}
	var all []Change
	for _, key := range order {
		all = append(all, byKey[key].said)
	}
	return all
}

// repeats reports whether a change is what another one of the same stack says: a hold has
// all that its Auto Scaling group has.
func (j *judge) repeats(c delta) bool {
	return c.is().kind == setting.HoldType && slices.Equal(c.names, []string{"Group"}) &&
		slices.ContainsFunc(j.changes, func(other delta) bool { return other.stack == c.stack && other.is().kind == scalingGroup })
}

// repeatsCreate reports whether a custom resource of AWS SDK calls has the same call for
// its update as for its creation, or makes no such calls.
func repeatsCreate(r resource) bool {
	return r.all == nil || r.props["Create"] != nil && encoded(r.props["Create"]) == encoded(r.props["Update"])
}

func withoutCreate(r resource) resource {
	r.props = maps.Clone(r.props)
	delete(r.props, "Create")
	return r
}

// differ are the properties that differ, and what else does beside them.
func (c delta) differ() []string {
	all := slices.Clone(c.names)
	for _, attribute := range []string{"Condition", "CreationPolicy", "DeletionPolicy", "Type", "UpdatePolicy", "UpdateReplacePolicy"} {
		if encoded(c.old.all[attribute]) != encoded(c.new.all[attribute]) {
			all = append(all, attribute)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// kinds are how many resources of each type a stack has.
func kinds(s *Stack) []string {
	count := map[string]int{}
	for _, r := range s.resources() {
		count[r.kind]++
	}
	var all []string
	for _, kind := range slices.Sorted(maps.Keys(count)) {
		all = append(all, fmt.Sprintf("+ %d %s", count[kind], kind))
	}
	return all
}

// lines are a resource's, a value each, with texts and policies by lines, without
// what only says that something else changed.
func (j *judge) lines(a *Assembly, region string, r resource) []string {
	if r.all == nil {
		return nil
	}
	assets := map[string]string{}
	for _, s := range a.Stacks {
		maps.Copy(assets, s.assets)
	}
	all := maps.Clone(r.all)
	delete(all, "Metadata")
	delete(all, "DependsOn")
	props := maps.Clone(r.props)
	for name, v := range props {
		props[name] = ordered(region, name, v)
	}
	// The build is a hash of the launch template, which is shown itself.
	delete(props, "VersionDescription")
	if r.kind == setting.RolloutType {
		delete(props, "Build")
	}
	all["Properties"] = props
	var out []string
	flatten(&out, "", "", all, assets)
	return out
}

// flatten writes v as indented lines.
func flatten(out *[]string, indent, key string, v any, assets map[string]string) {
	prefix := indent
	switch key {
	case "":
	case "-":
		prefix += "- "
	default:
		prefix += key + ": "
	}
	if t, ok := joined(v); ok {
		v = t
	}
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 0 {
			*out = append(*out, prefix+"{}")
			return
		}
		if key != "" {
			*out = append(*out, indent+key+":")
			indent += "  "
		}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			flatten(out, indent, k, v[k], assets)
		}
	case []any:
		if b, err := json.Marshal(v); err == nil && len(b) <= 100 {
			*out = append(*out, prefix+named(string(b), assets))
			return
		}
		if key != "" {
			*out = append(*out, indent+key+":")
		}
		for _, item := range v {
			if _, ok := joined(item); ok {
				flatten(out, indent+"  ", "-", item, assets)
				continue
			}
			*out = append(*out, indent+"  -")
			flatten(out, indent+"    ", "", item, assets)
		}
	case string:
		v = named(v, assets)
		if strings.HasPrefix(v, "{") {
			var call any
			if json.Unmarshal([]byte(v), &call) == nil {
				flatten(out, indent, key, call, assets)
				return
			}
		}
		if !strings.Contains(v, "\n") {
			*out = append(*out, prefix+v)
			return
		}
		*out = append(*out, indent+key+": |")
		for line := range strings.Lines(v) {
			*out = append(*out, indent+"  "+strings.TrimSuffix(line, "\n"))
		}
	default:
		*out = append(*out, prefix+encoded(v))
	}
}

// joined is a text that CloudFormation puts together, with "${ID}" and "${ID.Attribute}"
// for what it takes from resources.
func joined(v any) (string, bool) {
	if t, ok := v.(string); ok {
		return t, true
	}
	fields, ok := v.(map[string]any)
	if !ok || len(fields) != 1 {
		return "", false
	}
	if ref, ok := fields["Ref"].(string); ok {
		return "${" + ref + "}", true
	}
	if of := itemsOf(fields["Fn::GetAtt"]); len(of) == 2 {
		return "${" + text(of[0]) + "." + text(of[1]) + "}", true
	}
	of := itemsOf(fields["Fn::Join"])
	if len(of) != 2 {
		return "", false
	}
	parts, ok := of[1].([]any)
	if !ok {
		return "", false
	}
	texts := make([]string, len(parts))
	for i, part := range parts {
		if texts[i], ok = joined(part); !ok {
			texts[i] = "${" + strings.ReplaceAll(encoded(part), `"`, "'") + "}" // so that JSON around it stays JSON
		}
	}
	return strings.Join(texts, text(of[0])), true
}

// named writes the names of what is published in place of hashes of its content, as
// the asset manifests have them, and with the content's first digits.
func named(t string, assets map[string]string) string {
	for _, hash := range slices.Sorted(maps.Keys(assets)) {
		if strings.Contains(t, hash) {
			t = strings.ReplaceAll(t, hash+"."+hash, hash)
			t = strings.ReplaceAll(t, hash, "<"+assets[hash]+" "+hash[:min(8, len(hash))]+">")
		}
	}
	return t
}

// lineDiff is the shortest way from a to b, with two lines of context.
func lineDiff(a, b []string) []string {
	start := 0
	for start < len(a) && start < len(b) && a[start] == b[start] {
		start++
	}
	end := 0
	for end < len(a)-start && end < len(b)-start && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	x, y := a[start:len(a)-end], b[start:len(b)-end]
	if len(x) == 0 && len(y) == 0 {
		return nil
	}
	// longest[i][k] is the length of the longest common subsequence of x[i:], y[k:].
	longest := make([][]int, len(x)+1)
	for i := range longest {
		longest[i] = make([]int, len(y)+1)
	}
	for i := len(x) - 1; i >= 0; i-- {
		for k := len(y) - 1; k >= 0; k-- {
			if x[i] == y[k] {
				longest[i][k] = longest[i+1][k+1] + 1
			} else {
				longest[i][k] = max(longest[i+1][k], longest[i][k+1])
			}
		}
	}
	var all []string
	for _, line := range a[:start] {
		all = append(all, "  "+line)
	}
	i, k := 0, 0
	for i < len(x) || k < len(y) {
		switch {
		case i < len(x) && k < len(y) && x[i] == y[k]:
			all = append(all, "  "+x[i])
			i, k = i+1, k+1
		case i < len(x) && (k == len(y) || longest[i+1][k] >= longest[i][k+1]):
			all = append(all, "- "+x[i])
			i++
		default:
			all = append(all, "+ "+y[k])
			k++
		}
	}
	for _, line := range a[len(a)-end:] {
		all = append(all, "  "+line)
	}
	const around = 2
	var shown []string
	last := -1
	for n := range all {
		near := false
		for m := max(0, n-around); m <= min(len(all)-1, n+around); m++ {
			near = near || all[m][0] != ' '
		}
		if near {
			if last >= 0 && last < n-1 {
				shown = append(shown, "  …")
			}
			shown = append(shown, all[n])
			last = n
		}
	}
	return shown
}
