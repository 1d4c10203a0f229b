package cloud

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	// warning begins what the CLI says of an annotation; the construct's path is
	// in the next line.
	warning = regexp.MustCompile(`^WARNING (.*?)(?: \(\S+\))?$`)
	// advice is the CLI's on its own use.
	advice = regexp.MustCompile(`^\s*(Acknowledge with |Supply a stack id )`)
	// head begins a stack's part, part another of a resource's or of a value's.
	head = regexp.MustCompile(`^Stack (\S+)`)
	part = regexp.MustCompile(`^(\[[-+~]\] |[ │]*[├└]─ )`)
	// removed and added begin values, of which text has several lines.
	removed = regexp.MustCompile(`^([ │]*)├─ \[-\] (.*)$`)
	added   = regexp.MustCompile(`^[ │]*└─ \[\+\] (.*)$`)
)

// tidy makes what `cdk diff` and `cdk synth` print readable: each warning once, stacks without
// differences in one line, of values of many lines those that differ, and none of
// the CLI's advice.
func tidy(printed string) string {
	lines := strings.Split(strings.TrimRight(printed, "\n"), "\n")
	var kept, same, warnings []string
	where := map[string][]string{} // by warning
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if m := warning.FindStringSubmatch(line); m != nil {
			if where[m[1]] == nil {
				warnings = append(warnings, m[1])
			}
			path := ""
			if i+1 < len(lines) && strings.HasPrefix(lines[i+1], "  ") {
				i++
				path, _, _ = strings.Cut(strings.TrimSpace(lines[i]), " ")
			}
			where[m[1]] = append(where[m[1]], path)
			continue
		}
		if m := head.FindStringSubmatch(line); m != nil && i+1 < len(lines) && lines[i+1] == "There were no differences" {
			same = append(same, m[1])
			i++
			continue
		}
		if was, is, next, ok := longValue(lines, i); ok {
			indent := removed.FindStringSubmatch(line)[1]
			for _, changed := range changes(was, is) {
				kept = append(kept, indent+"│  "+changed)
			}
			i = next - 1
			continue
		}
		blank := line == "" && (len(kept) == 0 || kept[len(kept)-1] == "")
		if !advice.MatchString(line) && !blank {
			kept = append(kept, line)
		}
	}
	var b strings.Builder
	for _, line := range kept {
		fmt.Fprintln(&b, line)
	}
	if len(same) > 0 {
		fmt.Fprintf(&b, "no differences: %s\n", strings.Join(same, ", "))
	}
	for _, w := range warnings {
		fmt.Fprintf(&b, "warning: %s (%s)\n", w, strings.Join(where[w], ", "))
	}
	return b.String()
}

// longValue returns the lines of a value of several lines at i before and after,
// and the line after both.
func longValue(lines []string, i int) (was, is []string, next int, ok bool) {
	m := removed.FindStringSubmatch(lines[i])
	if m == nil {
		return nil, nil, 0, false
	}
	was = append(was, m[2])
	for i++; i < len(lines) && !part.MatchString(lines[i]); i++ {
		was = append(was, lines[i])
	}
	if i == len(lines) || added.FindStringSubmatch(lines[i]) == nil {
		return nil, nil, 0, false
	}
	is = append(is, added.FindStringSubmatch(lines[i])[1])
	for i++; i < len(lines) && !part.MatchString(lines[i]) && !head.MatchString(lines[i]) && !strings.HasPrefix(lines[i], "✨"); i++ {
		is = append(is, lines[i])
	}
	return was, is, i, len(was)+len(is) > 2 && len(was) > 1
}

// changes are the lines that only one of two texts has.
func changes(was, is []string) []string {
	var lines []string
	for _, line := range was {
		if !slices.Contains(is, line) {
			lines = append(lines, "[-] "+line)
		}
	}
	for _, line := range is {
		if !slices.Contains(was, line) {
			lines = append(lines, "[+] "+line)
		}
	}
	return lines
}
