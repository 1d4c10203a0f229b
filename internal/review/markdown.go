package review

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// maxBytes is how long a comment may be: GitHub takes 65,536 characters.
const maxBytes = 60_000

// mostDecisions is how many are listed before the sections, which have all.
const mostDecisions = 8

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
	switch {
	case r.Verdict == NoEffect:
		return "Nothing to decide: deploying it changes nothing."
	case r.Verdict == DataAtRisk:
		return "Stop: do not merge before the owner of the data has agreed that it is lost, or guarded less."
	case r.Verdict == IslandDown && r.everywhere():
		return "Stop: in every island users lose what is listed under Users, until it is undone. There is no island to move them to."
	case r.Verdict == IslandDown && slices.ContainsFunc(r.Findings, lasts):
		return "Ask: merge it only if users are to lose what is listed under Users until it is undone, and move them away before."
	case r.Verdict == IslandDown:
		return "Ask: merge it only if the outage under Users is meant. Agree on a time, and move users away before."
	case len(r.Decide) > 0:
		return "Ask: merge it only if all of the following is meant."
	default:
		return "Nothing to decide: the deployment is no reason not to merge it."
	}
}

func lasts(f Finding) bool { return f.Lasting }

// everywhere reports whether users lose something in every island, until it is undone.
func (r Report) everywhere() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Lasting && len(f.Regions) >= r.Islands })
}

func (r Report) top() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Review: %s\n\n%s\n", r.Verdict, r.advice())
	if len(r.Decide) > 0 {
		b.WriteString("\n")
		for i, d := range r.Decide {
			if i == mostDecisions {
				fmt.Fprintf(&b, "\nAnd %d more, below.\n", len(r.Decide)-i)
				break
			}
			fmt.Fprintf(&b, "%d. Is it meant that %s?\n", i+1, d)
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
					fmt.Fprintf(&b, "- %s%s%s\n", mark, f.What, in(f.Regions, r.Islands))
				}
			}
		}
		if n == 0 && none != "" {
			b.WriteString(none + "\n")
		}
	}
	section("Data", "No table, bucket, log group or key is removed, replaced or less protected.", Data)
	reachable := "No effect on users was found."
	if r.Verdict == DataAtRisk {
		reachable = "The islands stay reachable, without what Data says that they lose."
	}
	section("Users", reachable, Users)
	section("Instances", "It launches and ends no instance.", Fleets)
	section("Security", "No permission and no network rule changes.", Security)
	b.WriteString("\n## Cost\n\n")
	if r.CostUnknown != "" {
		fmt.Fprintf(&b, "It cannot be told: %s\n", code(r.CostUnknown))
	} else {
		b.WriteString("| requests a second | before, USD a month | after | difference |\n|---:|---:|---:|---:|\n")
		for _, c := range r.Cost {
			fmt.Fprintf(&b, "| %g | %.2f | %.2f | %+.2f |\n", c.Requests, c.Before, c.After, c.After-c.Before)
		}
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
		if r.Verdict == DataAtRisk {
			first = append(first, "a backup of what is at risk")
		}
		if !r.everywhere() && slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Section == Users && f.Verdict == IslandDown }) {
			first = append(first, "`make drain REGION=…` for the regions under Users, and with `OFF=1` for those that are to serve again afterwards")
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
				name, each = s.neutral, ", one after the other"
			}
			i, n = last, n+1
			fmt.Fprintf(&b, "%d. %s%s%s: %s\n", n, code(name), each, in(regions, r.Islands), s.Guard)
		}
		back := "deploy the base again: `git revert` this change, then `cdk deploy --all`."
		if r.Verdict == DataAtRisk {
			back = "deploying the base again brings resources back, not what was in them: see *Restore data* in docs/operations.md."
		}
		fmt.Fprintf(&b, "\nBack: %s\n", back)
	}
	return b.String()
}

// folded is the diff, in at most n bytes.
func (r Report) folded(n int) string {
	if len(r.Changes) == 0 {
		return "\n## Diff\n\nNone.\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n## Diff\n\n<details><summary>%s</summary>\n\n", plural(len(r.Changes), "resource"))
	const end = "</details>\n"
	left := 0
	for _, c := range r.Changes {
		title := fmt.Sprintf("%s %s, %s%s\n", c.How, code(c.Name), code(c.Type), in(c.Regions, r.Islands))
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
