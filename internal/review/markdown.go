package review

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// maxBytes is how long a comment may be: GitHub takes 65,536 characters.
const maxBytes = 60_000

// mostDecisions is how many are listed before the sections, which have all.
const mostDecisions = 8

// mostChanges is how many are listed before the diff, which has all.
const mostChanges = 8

const (
	// mostOfALine is how many characters of a text are shown.
	mostOfALine = 200
	// mostOfACondition is how many of a policy's condition: who is trusted may be said by
	// its last word. IAM's trust policies have 2,048.
	mostOfACondition = 2048
)

// code is a text of a template between backquotes, so that it is nothing but text:
// on one line, without what Markdown, HTML or the reader's terminal would act on.
func code(t string) string { return quoted(t, mostOfALine) }

// quoted is code of n characters at most.
func quoted(t string, n int) string {
	t = cut(strings.Map(printable, t), n)
	if strings.TrimSpace(t) == "" {
		return "(nothing)"
	}
	fence := fenceFor(t, 1)
	if strings.HasPrefix(t, "`") || strings.HasSuffix(t, "`") {
		t = " " + t + " "
	}
	return fence + t + fence
}

// codes are several, between commas.
func codes(all []string) string {
	quoted := make([]string, len(all))
	for i, t := range all {
		quoted[i] = code(t)
	}
	return strings.Join(quoted, ", ")
}

// printable leaves out what is not seen, such as marks that turn the direction of
// text, and makes a space of what would end a line.
func printable(r rune) rune {
	switch {
	case r == '\n' || r == '\r' || r == '\t' || r == '\u2028' || r == '\u2029':
		return ' '
	case unicode.Is(unicode.Cf, r) || unicode.IsControl(r) || r == unicode.ReplacementChar:
		return -1
	}
	return r
}

// short is a value as text, no longer than a line.
func short(v any) string {
	t, ok := v.(string)
	if !ok {
		t = encoded(v)
	}
	return cut(t, mostOfALine)
}

// cut is a text without what it has beyond n characters.
func cut(t string, n int) string {
	if runes := []rune(t); len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return t
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// fenceFor is a run of backquotes that t does not have, of n at least.
func fenceFor(t string, n int) string {
	fence := strings.Repeat("`", n)
	for strings.Contains(t, fence) {
		fence += "`"
	}
	return fence
}

// Markdown is the report as a comment, of at most 60 kB: what the diff has beyond that
// is named without its lines. It fails where not even that is short enough.
func (r Report) Markdown() (string, error) {
	top := r.top()
	rest := "\n## Blind spots\n\n"
	for _, b := range r.Blind {
		rest += "- " + b + "\n"
	}
	diff := r.folded(maxBytes - len(top) - len(rest))
	if whole := top + diff + rest; len(whole) <= maxBytes {
		return whole, nil
	}
	return "", fmt.Errorf("the comment would have more than %d bytes, for %d findings in %d changed resources: split the change", maxBytes, len(r.Findings), len(r.Changes))
}

// advice is what a reader does with a verdict.
func (r Report) advice() string {
	who := listed(r.Who)
	switch {
	case r.Verdict == NoEffect:
		return "**Merge.** Deploying it changes nothing."
	case r.Answer == Merge:
		return "**Merge.** There is nothing to decide."
	case r.Answer == Ask:
		return "**Ask** " + who + ", and merge it only after a yes."
	case r.Verdict == DataAtRisk:
		return "**Stop.** Do not merge it before the owner of the data has said yes."
	default:
		return "**Stop.** Do not merge it before the people who run the service have said yes: all islands are hit, so that users cannot be moved to another one."
	}
}

// listed is a list in a sentence.
func listed(all []string) string {
	if len(all) < 2 {
		return strings.Join(all, "")
	}
	return strings.Join(all[:len(all)-1], ", ") + " and " + all[len(all)-1]
}

// people is what happens to users, in a sentence.
func (r Report) people() string {
	var regions []string
	lasting, moved, left, out, minutes := false, true, true, false, 0
	for _, f := range r.Findings {
		if f.Section == Users && f.Verdict == IslandDown {
			out = true
			regions = append(regions, f.Regions...)
			lasting, moved, left, minutes = lasting || f.Lasting, moved && f.Moved, left && f.Left, max(minutes, f.Minutes)
		}
	}
	slices.Sort(regions)
	regions = slices.Compact(regions)
	until := "while it is deployed"
	switch {
	case lasting:
		until = "from then on, until this is undone"
	case minutes > 0:
		until += fmt.Sprintf(", about %d minutes", minutes)
	}
	some := func(is func(Finding) bool) bool { return slices.ContainsFunc(r.Findings, is) }
	switch {
	case r.everywhere():
		return "users of every island lose the service, or a part of it, " + until + "."
	case out && r.Islands < 2 && !(left && r.Islands == 1): // the head does not have that of a region which goes
		return "users lose the service, or a part of it, " + until + "; there is no other island."
	case out && moved:
		return "users who are nearest to " + codes(regions) + " are served by another island, farther away."
	case out && len(regions) >= r.Islands:
		return "users of one island after the other lose the service, or a part of it, " + until + "; the other islands serve on, and may take them over before."
	case out:
		return "users of " + codes(regions) + " lose that island, or a part of what it does, " + until + "; the other islands serve on, and may take them over before."
	case some(onlyBackup):
		return "the islands stay reachable, without the data that is lost."
	case some(unread):
		return "the islands stay reachable, without the data that the service no longer reads."
	case some(func(f Finding) bool { return f.Moved }):
		return "nobody is without the service; some move to another island."
	case some(func(f Finding) bool { return f.Section == Users }):
		return "nobody is without the service; what else they notice is under Users."
	case some(func(f Finding) bool { return f.Section == Fleets && f.Verdict == Instances }):
		return "nobody is without the service; instances are replaced, new ones first."
	}
	return "nobody is without the service."
}

// data is what happens to data, in a sentence.
func (r Report) data() string {
	some := func(is func(Finding) bool) bool { return slices.ContainsFunc(r.Findings, is) }
	var all []string
	if some(func(f Finding) bool { return loses(f) && !f.Kept }) {
		all = append(all, "what is listed under Data is deleted, by the deployment or later")
	}
	if some(unread) {
		all = append(all, "none is deleted, but the service starts without what is listed under Data, or the deployment fails")
	}
	if some(func(f Finding) bool { return f.Later }) {
		less := "it is guarded less from then on, so that a later fault or change may lose it"
		if len(all) == 0 {
			less = "the deployment deletes none, but " + less
		}
		all = append(all, less)
	}
	switch {
	case len(all) > 0:
		return strings.Join(all, "; ") + "."
	case some(func(f Finding) bool { return f.Section == Data && f.Decide }):
		return "none is at risk; what becomes of it is under Data."
	}
	return "none is deleted, replaced or guarded less."
}

// loses reports whether the deployment loses data, or may.
func loses(f Finding) bool { return f.Verdict == DataAtRisk && !f.Later }

// onlyBackup reports whether what the deployment loses is in a backup only.
func onlyBackup(f Finding) bool { return loses(f) && !f.Kept && f.Back == "" }

// unread reports whether data stays that the service no longer reads.
func unread(f Finding) bool { return loses(f) && f.Kept }

// everywhere reports whether users lose something in every island at once, or in each
// until it is undone.
func (r Report) everywhere() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool {
		return f.Verdict == IslandDown && (f.Everywhere || f.Lasting && len(f.Regions) >= r.Islands)
	})
}

// heading is the verdict, and what is new or left behind of stacks.
func (r Report) heading() string {
	if r.Verdict == IslandDown && r.everywhere() {
		return "all islands down"
	}
	var all []string
	if slices.ContainsFunc(r.Changes, func(c Change) bool { return c.Type == stackType && c.How == "added" }) {
		all = append(all, "stacks are new")
	}
	for _, f := range r.Findings {
		switch {
		case f.Left:
			all = append(all, "stacks are left behind")
		case f.Section == Elsewhere && f.Decide:
			all = append(all, "stacks are left out")
		}
	}
	slices.Sort(all)
	if all = slices.Compact(all); len(all) == 0 || r.Verdict != InPlace {
		return r.Verdict.String()
	}
	return r.Verdict.String() + " (" + strings.Join(all, ", ") + ")"
}

// stored reports whether a change is of what is stored and not priced.
func stored(c Change) bool {
	return slices.ContainsFunc(c.Properties, func(p string) bool {
		return p == "LifecycleConfiguration" || p == "ReplicationConfiguration" || p == "VersioningConfiguration" || p == "RetentionInDays"
	})
}

func (r Report) top() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Review: %s\n\n%s\n\n- People: %s\n- Data: %s\n", r.heading(), r.advice(), r.people(), r.data())
	switch len(r.Decide) {
	case 0:
	case 1:
		fmt.Fprintf(&b, "\nThe question: is it meant that %s?\n", r.Decide[0])
	default:
		b.WriteString("\nThe question: is all of this meant?\n\n")
		for i, d := range r.Decide {
			if i == mostDecisions {
				fmt.Fprintf(&b, "\nAnd %d more, below.\n", len(r.Decide)-i)
				break
			}
			fmt.Fprintf(&b, "%d. %s\n", i+1, d)
		}
	}
	section := func(title, none string, sections ...Section) {
		fmt.Fprintf(&b, "\n## %s\n\n", title)
		n := 0
		for _, f := range r.Findings {
			for _, s := range sections {
				if f.Section == s {
					n++
					mark := ""
					if f.Verdict >= IslandDown {
						mark = "**" + f.Verdict.String() + "**: "
					}
					fmt.Fprintf(&b, "- %s%s%s%s\n", mark, f.What, r.where(f), f.lasts())
				}
			}
		}
		if n == 0 && none != "" {
			b.WriteString(none + "\n")
		}
	}
	section("Data", "No table, bucket, log group or key is removed, replaced or less protected.", Data)
	reachable := "No effect on users was found."
	if slices.ContainsFunc(r.Findings, onlyBackup) {
		reachable = "The islands stay reachable, without the data that is lost."
	} else if slices.ContainsFunc(r.Findings, unread) {
		reachable = "The islands stay reachable, without the data that the service no longer reads."
	}
	section("Users", reachable, Users)
	fleets := "The deployment itself launches and ends no instance."
	if !r.everywhere() && slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Section == Users && (f.Verdict == IslandDown || f.Moved) }) {
		fleets += " Auto Scaling may, where users go to another island."
	}
	section("Instances", fleets, Fleets)
	section("Security", "No permission and no network rule changes.", Security)
	b.WriteString("\n## Cost\n\n")
	if r.CostUnknown != "" {
		fmt.Fprintf(&b, "Not known: %s\n", quoted(r.CostUnknown, mostOfACondition))
	} else {
		b.WriteString("| requests a second | before, USD a month | after | difference |\n|---:|---:|---:|---:|\n")
		for _, c := range r.Cost {
			fmt.Fprintf(&b, "| %g | %.2f | %.2f | %+.2f |\n", c.Requests, c.Before, c.After, c.After-c.Before)
		}
		if slices.ContainsFunc(r.Changes, stored) || slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Back == backReplicas }) {
			b.WriteString("\nNot priced: what is stored for longer or shorter, elsewhere, or in more or fewer copies.\n")
		}
	}
	if slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Left || f.Section == Elsewhere && f.Decide }) {
		b.WriteString("\nStacks that nothing deploys any more are not counted here, and go on costing what they cost.\n")
	}
	watched := strings.Builder{}
	for _, f := range r.Findings {
		if f.Section == Watch {
			fmt.Fprintf(&watched, "- %s%s\n", f.What, in(f.Regions, r.Islands))
		}
	}
	if watched.Len() > 0 {
		b.WriteString("\n" + watched.String())
	}
	section("Plan", "", Elsewhere)
	if slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Section == Elsewhere }) {
		b.WriteString("\n")
	}
	if len(r.Plan) == 0 {
		b.WriteString("Nothing is deployed.\n")
	} else {
		var first []string
		if slices.ContainsFunc(r.Findings, func(f Finding) bool { return loses(f) && !f.Kept }) {
			first = append(first, "a backup of what may be deleted")
		}
		if slices.ContainsFunc(r.Findings, unread) {
			first = append(first, "a copy of that data to where the service will read, such as by an export and an import, or `cdk import` of the old resource in place of the new one")
		}
		drained := func(f Finding) bool {
			return f.Section == Users && f.Verdict == IslandDown && (f.Left && r.Islands > 0 || !f.Moved && r.Islands > 1)
		}
		if !r.everywhere() && slices.ContainsFunc(r.Findings, drained) {
			first = append(first, "`make drain REGION=…` for each region under Users; afterwards the same with `OFF=1` where it is to serve again")
		}
		if len(first) > 0 {
			fmt.Fprintf(&b, "First: %s.\n\n", strings.Join(first, ", and "))
		}
		n := 0
		for i := 0; i < len(r.Plan); {
			s, last := r.Plan[i], i
			var regions []string
			for ; last < len(r.Plan) && r.Plan[last].neutral == s.neutral && r.Plan[last].Guard == s.Guard; last++ {
				regions = append(regions, r.Plan[last].Region)
			}
			name, each := s.Stack, ""
			if len(regions) > 1 {
				name, each = s.neutral, ", one after the other until one fails"
			}
			i, n = last, n+1
			fmt.Fprintf(&b, "%d. %s%s%s: %s\n", n, code(name), each, in(regions, r.Islands), s.Guard)
		}
	}
	if r.Verdict > NoEffect {
		b.WriteString("\n" + r.back())
	}
	b.WriteString(r.changed())
	return b.String()
}

// back is how to undo the change, and what that does not undo.
func (r Report) back() string {
	notes := map[string]bool{}
	for _, f := range r.Findings {
		if f.Back != "" {
			notes[f.Back] = true
		}
		if onlyBackup(f) {
			notes["it brings resources back, not what was in them: see *Restore data* in docs/operations.md"] = true
		}
		if unread(f) {
			notes["the old resource stays outside of any stack, and has to be brought back into one: see *Restore data* in docs/operations.md"] = true
		}
	}
	t := "Back: deploy the base again: `git revert` this change, then `cdk deploy --all`."
	if len(notes) == 0 {
		return t + "\n"
	}
	return t + " But:\n\n- " + strings.Join(slices.Sorted(maps.Keys(notes)), "\n- ") + "\n"
}

// title is a change in a line, with the properties that differ.
func (r Report) title(c Change) string {
	what := ""
	if len(c.Properties) > 0 {
		what = ": " + codes(c.Properties)
	}
	return fmt.Sprintf("%s %s, %s%s%s", c.How, code(c.Name), code(c.Type), what, in(c.Regions, r.Islands))
}

// changed is a line for each of the first changes.
func (r Report) changed() string {
	t := "\n## Changes\n\n"
	if len(r.Changes) == 0 {
		return t + "None.\n"
	}
	for i, c := range r.Changes {
		if i == mostChanges {
			return t + fmt.Sprintf("- and %d more\n", len(r.Changes)-i)
		}
		t += "- " + r.title(c) + "\n"
	}
	return t
}

// folded is the diff: the lines of all changes below a fold, in at most n bytes.
func (r Report) folded(n int) string {
	if len(r.Changes) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n## Diff\n\n<details><summary>The lines of %s</summary>\n\n", plural(len(r.Changes), "resource"))
	const end = "</details>\n"
	left := 0
	for _, c := range r.Changes {
		title := r.title(c) + "\n"
		entry := title + "\n"
		if len(c.Lines) > 0 {
			lines := make([]string, len(c.Lines))
			for i, line := range c.Lines {
				lines[i] = line[:2] + cut(strings.Map(func(r rune) rune {
					if r == '\t' {
						return r
					}
					return printable(r)
				}, line[2:]), 300)
			}
			text := strings.Join(lines, "\n")
			fence := fenceFor(text, 3)
			entry = title + "\n" + fence + "diff\n" + text + "\n" + fence + "\n\n"
		}
		if b.Len()+len(entry)+len(end)+100 > n {
			left++
			continue
		}
		b.WriteString(entry)
	}
	if left > 0 {
		fmt.Fprintf(&b, "%d more are in the report's JSON: they would not fit here.\n\n", left)
	}
	b.WriteString(end)
	return b.String()
}
