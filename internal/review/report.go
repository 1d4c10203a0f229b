package review

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strings"

	"github.com/archipelago-cdk/archipelago/cost"
)

// Report is what a review says. It has no time, path or commit of its own: the same
// change gives the same report.
type Report struct {
	Verdict Verdict `json:"verdict"`
	// Answer is what to do with it, and Who has to decide where that is not to merge it.
	Answer Answer   `json:"answer"`
	Who    []string `json:"who"`
	// Islands is how many the head has.
	Islands int `json:"islands"`
	// Decide is what somebody has to say that it is meant, the worst first.
	Decide   []string  `json:"decide"`
	Findings []Finding `json:"findings"`
	// Cost is a month's before and after, at each load, none where it cannot be told;
	// CostUnknown says why then.
	Cost        []Cost   `json:"cost"`
	CostUnknown string   `json:"costUnknown,omitempty"`
	Plan        []Step   `json:"plan"`
	Changes     []Change `json:"changes"`
	// Blind is what the templates do not say.
	Blind []string `json:"blindSpots"`
}

// Cost is that of a month at one load, in USD.
type Cost struct {
	Load     string  `json:"load"`
	Requests float64 `json:"requestsPerSecond"`
	Before   float64 `json:"before"`
	After    float64 `json:"after"`
}

// Step is a stack to deploy.
type Step struct {
	Stack  string `json:"stack"`
	Region string `json:"region"`
	Guard  string `json:"guard"`
	// neutral is the stack's name without the region's.
	neutral string
}

// Change is a resource's, said once for all regions that have it.
type Change struct {
	Name    string   `json:"name"`
	Type    string   `json:"type"`
	How     string   `json:"how"`
	Regions []string `json:"regions"`
	// Properties are those that differ, of a resource that stays or is replaced.
	Properties []string `json:"properties,omitempty"`
	// Lines begin with "+", "-" or a space.
	Lines []string `json:"lines"`
}

// dearer is from when on a rise of the cost is to be decided.
const dearer = 1.1

// Compare reviews the change from base to head.
func (d *Differ) Compare(base, head *Assembly) (Report, error) {
	base, head = base.resolved(), head.resolved()
	a, err := d.compare(base, head)
	if err != nil {
		return Report{}, err
	}
	j := &judge{base: base, head: head, answer: a, differ: d, rollouts: map[string]int{}}
	j.run()
	r := Report{Islands: islands(head), Findings: once(j.found)}
	byWorst := slices.Clone(r.Findings)
	slices.SortStableFunc(byWorst, func(a, b Finding) int { return cmp.Compare(b.Verdict, a.Verdict) })
	asked := map[Section]bool{}
	for _, f := range byWorst {
		r.Verdict = max(r.Verdict, f.Verdict)
		if f.Decide {
			r.Decide = append(r.Decide, f.What+r.where(f))
			asked[f.Section] = true
		}
	}
	if len(j.changes) > 0 {
		r.Verdict = max(r.Verdict, InPlace)
	}
	r.cost(base, head)
	if r.CostUnknown != "" && slices.ContainsFunc(j.changes, func(c delta) bool { return c.added() && !c.whole || c.whole && islandOf(c.stack) }) {
		r.Decide = append(r.Decide, "what is new is paid for, and how much that is cannot be told here (see Cost)")
		asked[bill] = true
	}
	for _, c := range r.Cost {
		if c.After > c.Before*dearer {
			asked[bill] = true
			r.Decide = append(r.Decide, fmt.Sprintf("it costs $%.0f a month more at %s a second: $%.0f, previously $%.0f", c.After-c.Before, plural(int(c.Requests), "request"), c.After, c.Before))
			break
		}
	}
	r.Answer = r.answer()
	for _, d := range deciders {
		if asked[d.section] {
			r.Who = append(r.Who, d.who)
		}
	}
	r.Who = slices.Compact(r.Who)
	r.Plan = j.plan()
	r.Changes = j.diff()
	r.Blind = j.blind()
	return r, nil
}

// bill is the section of what the change costs, which has no findings.
const bill Section = "cost"

// deciders are who decides what is in a section.
var deciders = []struct {
	section Section
	who     string
}{
	{Data, "the owner of the data"},
	{Users, "the people who run the service"},
	{Fleets, "the people who run the service"},
	{Elsewhere, "the people who run the service"},
	{Security, "the people who answer for security"},
	{Watch, "the people on call"},
	{bill, "the people who pay for it"},
}

// answer is what to do with a report.
func (r Report) answer() Answer {
	switch {
	case r.Verdict == DataAtRisk, r.Verdict == IslandDown && r.everywhere():
		return Stop
	case r.Verdict == IslandDown || len(r.Decide) > 0:
		return Ask
	}
	return Merge
}

func islandOf(s *Stack) bool { return len(s.of(scalingGroup)) > 0 }

// once says findings of several regions once, in the order of sections, the worst
// first.
func once(found []finding) []Finding {
	type key struct {
		section Section
		verdict Verdict
		what    string
	}
	merged := map[key]*Finding{}
	first := map[key]string{}
	for _, f := range found {
		k := key{f.Section, f.Verdict, neutral(f.stack, f.What)}
		if m := merged[k]; m != nil {
			m.Decide, m.strong, m.Minutes = m.Decide || f.Decide, m.strong || f.strong, max(m.Minutes, f.Minutes)
			m.Regions = append(m.Regions, f.Regions...)
			if first[k] != f.What {
				m.What = k.what
			}
			continue
		}
		copied := f.Finding
		copied.Regions = slices.Clone(f.Regions)
		merged[k], first[k] = &copied, f.What
	}
	var all []Finding
	for _, m := range merged {
		slices.Sort(m.Regions)
		m.Regions = slices.Compact(m.Regions)
		all = append(all, *m)
	}
	order := []Section{Data, Users, Fleets, Security, Watch, Elsewhere}
	rank := func(f Finding) int {
		switch {
		case f.strong:
			return 0
		case f.Later: // what is lost comes before what is guarded less
			return 2
		}
		return 1
	}
	slices.SortFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.Section), slices.Index(order, b.Section)), cmp.Compare(b.Verdict, a.Verdict),
			cmp.Compare(rank(a), rank(b)), cmp.Compare(a.What, b.What), slices.Compare(a.Regions, b.Regions))
	})
	return all
}

// neutral is a text with what is the region's own replaced by stand-ins: its name, as
// it is written in names and, without hyphens, in the ids of resources, and the range
// of its addresses.
func neutral(s *Stack, t string) string {
	t = strings.ReplaceAll(t, s.Region, "REGION")
	t = strings.ReplaceAll(t, strings.ReplaceAll(s.Region, "-", ""), "REGION")
	for _, vpc := range s.of("AWS::EC2::VPC") {
		cidr := text(vpc.props["CidrBlock"])
		if _, err := netip.ParsePrefix(cidr); err == nil {
			t = strings.ReplaceAll(t, cidr, "CIDR")
		}
	}
	return t
}

// in says in which regions something is, "" where that is all that can be meant.
func in(regions []string, islands int) string {
	switch {
	case len(regions) == 0:
		return ""
	case len(regions) == islands && islands == 2:
		return " (in both islands)"
	case len(regions) == islands && islands > 1:
		return fmt.Sprintf(" (in all %d islands)", islands)
	case len(regions) > 3:
		return fmt.Sprintf(" (in %d regions: %s)", len(regions), codes(regions))
	default:
		return " (" + codes(regions) + ")"
	}
}

// where says in which islands a finding is.
func (r Report) where(f Finding) string {
	if f.Everywhere && r.Islands > 1 {
		return " (in all islands at once)"
	}
	return in(f.Regions, r.Islands)
}

// lasts says how long users miss what a finding says, "" where another island serves them.
func (f Finding) lasts() string {
	each := ""
	if len(f.Regions) > 1 && !f.Everywhere {
		each = ", one island after the other"
	}
	switch {
	case f.Section != Users || f.Verdict < IslandDown || f.Moved || f.Back == backArchived:
		return ""
	case f.Minutes > 0:
		return fmt.Sprintf("; for about %d minutes%s", f.Minutes, each)
	case f.Lasting:
		return "; from then on, until this is undone" + each
	}
	return ""
}

// cost estimates both.
func (r *Report) cost(base, head *Assembly) {
	prices, err := cost.ReadPricesIn(".")
	if err != nil {
		r.CostUnknown = err.Error()
		return
	}
	var deployments [2]cost.Deployment
	for i, a := range []*Assembly{base, head} {
		if deployments[i], err = cost.Read(a.Dir); err != nil {
			r.CostUnknown = strings.Split(err.Error(), "\n")[0]
			return
		}
	}
	var all []Cost
	for _, load := range cost.Loads {
		c := Cost{Load: load.Name, Requests: load.Requests}
		for i, total := range []*float64{&c.Before, &c.After} {
			e, err := prices.Estimate(deployments[i], load)
			if err != nil {
				r.CostUnknown = strings.Split(err.Error(), "\n")[0]
				return
			}
			*total = math.Round(e.Total()*100) / 100
		}
		all = append(all, c)
	}
	r.Cost = all
}

// plan lists the stacks that change, in the order in which they are deployed.
func (j *judge) plan() []Step {
	changed := map[string]bool{}
	for _, d := range j.changes {
		changed[d.stack.Name] = true
	}
	done := map[string]bool{}
	var steps []Step
	var visit func(name string)
	visit = func(name string) {
		s := j.head.Stacks[name]
		if s == nil || done[name] {
			return
		}
		done[name] = true
		for _, d := range s.DependsOn {
			visit(d)
		}
		if !changed[name] {
			return
		}
		guard := "CloudFormation rolls it back when the change of a resource fails"
		switch {
		case j.rollouts[name] > 0 && guarded(s):
			guard = fmt.Sprintf("rolled back when new instances are not healthy or the deployment alarm is in ALARM, about %d minutes", j.rollouts[name])
		case j.rollouts[name] > 0:
			guard = fmt.Sprintf("rolled back when new instances are not healthy, about %d minutes; no alarm is looked at", j.rollouts[name])
		case j.base.Stacks[name] == nil && islandOf(s):
			guard = "fails, and is deleted, when its first instances are not healthy"
		}
		steps = append(steps, Step{name, s.Region, guard, neutral(s, name)})
	}
	for _, name := range slices.Sorted(maps.Keys(j.head.Stacks)) {
		visit(name)
	}
	return steps
}

// blind lists what a review cannot see.
func (j *judge) blind() []string {
	var all []string
	parameters, given := map[string]bool{}, map[string]bool{}
	for _, s := range j.head.Stacks {
		for id, p := range fieldsOf(s.Template["Parameters"]) {
			if strings.HasPrefix(text(get(p, "Type")), "AWS::SSM::Parameter::Value") {
				parameters[neutral(s, text(get(p, "Default")))] = true
			} else {
				given[neutral(s, id)] = true
			}
		}
	}
	for _, p := range slices.Sorted(maps.Keys(parameters)) {
		what := "its value is read at each deployment, and may be another one"
		if strings.Contains(p, "/ami-") {
			what = "the image is AWS's latest at each deployment, so that any of them may replace instances"
		}
		all = append(all, fmt.Sprintf("the parameter %s: %s", code(p), what))
	}
	for _, p := range slices.Sorted(maps.Keys(given)) {
		all = append(all, fmt.Sprintf("the parameter %s: a stack that is deployed keeps the value that it has, whatever its default", code(p)))
	}
	if j.base.Deployed {
		all = append(all, "what is deployed in regions that the head does not have: only its own are read")
	}
	return append(all, "what was changed by hand, or by the scaler, since the base was deployed; what the programs do otherwise; quotas; what a custom resource's function does beside its properties")
}

// JSON is the report, indented.
func (r Report) JSON() ([]byte, error) {
	b, err := json.MarshalIndent(r, "", "\t")
	return append(b, '\n'), err
}
