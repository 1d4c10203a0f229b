package source_test

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
)

// TestDecisionsAreNumberedAndDated reads docs/decisions.md: every entry has the
// next number, a date and a status.
func TestDecisionsAreNumberedAndDated(t *testing.T) {
	content, err := os.ReadFile("../../docs/decisions.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problemsOfDecisions(string(content)) {
		t.Error("docs/decisions.md: " + problem)
	}
}

// TestDecisionsThatAreWrongAreSeen guards the test above.
func TestDecisionsThatAreWrongAreSeen(t *testing.T) {
	const good = "# Decisions\n\n## 1. A\n2026-11-24 · Superseded by 2\n\nText.\n\n## 2. B\n2026-11-27 · Accepted\n\nText.\n"
	if problems := problemsOfDecisions(good); len(problems) > 0 {
		t.Errorf("a good page has problems: %q", problems)
	}
	for name, change := range map[string][2]string{
		"no number":         {"## 2. B", "## B"},
		"a number twice":    {"## 2. B", "## 1. B"},
		"no date":           {"2026-11-27 · ", ""},
		"an invalid date":   {"2026-11-27", "2026-13-27"},
		"no status":         {" · Accepted", ""},
		"an unknown status": {"Accepted", "Proposed"},
		"an unknown number": {"Superseded by 2", "Superseded by 3"},
		"an earlier number": {"Accepted", "Superseded by 1"},
		"no entry":          {good, "# Decisions\n"},
	} {
		if len(problemsOfDecisions(strings.Replace(good, change[0], change[1], 1))) == 0 {
			t.Errorf("%s is not seen", name)
		}
	}
}

var (
	decision = regexp.MustCompile(`^(\d+)\. .+$`)
	status   = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2}) · (?:Accepted|Superseded by (\d+))$`)
)

func problemsOfDecisions(page string) []string {
	var problems []string
	_, rest, ok := strings.Cut(page, "\n## ")
	if !ok {
		return []string{"there is no entry"}
	}
	entries := strings.Split(rest, "\n## ")
	for i, entry := range entries {
		title, body, _ := strings.Cut(entry, "\n")
		line, _, _ := strings.Cut(body, "\n")
		if m := decision.FindStringSubmatch(title); m == nil || m[1] != strconv.Itoa(i+1) {
			problems = append(problems, strconv.Quote(title)+": want it to begin with its number, "+strconv.Itoa(i+1)+". ")
		}
		m := status.FindStringSubmatch(line)
		if m == nil {
			problems = append(problems, strconv.Quote(title)+`: want "2026-11-27 · Accepted" or "2026-11-27 · Superseded by N" below it, got `+strconv.Quote(line))
			continue
		}
		if _, err := time.Parse(time.DateOnly, m[1]); err != nil {
			problems = append(problems, strconv.Quote(title)+": "+err.Error())
		}
		if by, _ := strconv.Atoi(m[2]); m[2] != "" && (by <= i+1 || by > len(entries)) {
			problems = append(problems, strconv.Quote(title)+": want the number of a later entry, got "+m[2])
		}
	}
	return problems
}

var (
	link    = regexp.MustCompile(`(?:\]\(|<img src=")([^)"\s]+)[)"]`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	fenced  = regexp.MustCompile("(?ms)^```.*?^```")
)

// hosts are those that links lead to, each of which somebody has looked at.
// nightly.yml follows the links.
var hosts = []string{"docs.aws.amazon.com", "github.com", "serverfault.com", "templ.guide", "www.rfc-editor.org"}

// TestLinksLeadSomewhere follows the links between documents, with the anchors
// that GitHub makes of headings. Those to elsewhere are addresses of known hosts, by
// HTTPS.
func TestLinksLeadSomewhere(t *testing.T) {
	checked, elsewhere := 0, 0
	for _, path := range texts(t) {
		if filepath.Ext(path) != ".md" {
			continue
		}
		for _, m := range link.FindAllStringSubmatch(read(t, path), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				if address, err := url.Parse(target); err != nil || address.Scheme != "https" || !slices.Contains(hosts, address.Host) || address.RawQuery != "" {
					t.Errorf("%s: the link %s: want https://, one of %q, and no query (%v)", path, m[1], hosts, err)
				}
				elsewhere++
				continue
			}
			checked++
			if target = filepath.Join(filepath.Dir(path), target); strings.HasPrefix(m[1], "#") {
				target = path
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: the link %s leads nowhere", path, m[1])
			} else if anchor != "" && filepath.Ext(target) == ".md" && !anchors(read(t, target))[anchor] {
				t.Errorf("%s: %s has no heading for the link %s", path, target, m[1])
			}
		}
	}
	if checked < 40 || elsewhere < 40 {
		t.Errorf("checked %d links, and %d to elsewhere: where are the others?", checked, elsewhere)
	}
}

// TestReadmeHasItsParts: what it is, the picture and two commands come first; then this
// machine, AWS in five steps, the cost, and what is protected from what and what is not;
// and there is a page for each thing that a reader stays for.
func TestReadmeHasItsParts(t *testing.T) {
	page := read(t, "../../README.md")
	rest := page
	for _, part := range []string{
		"# Archipelago\n", "src=\"docs/islands.svg\"", "```sh\nmake up ", "\nmake test ", "```\n", "\n## On this machine\n", "\n## Configuration\n",
		"\n## On AWS\n\n1. ", "\n5. `cdk deploy --all`.", "\n\n", "\n## What it costs\n", "\n## What it protects from\n", "\nAnd what it does not:\n", "\n- **",
	} {
		_, after, ok := strings.Cut(rest, part)
		if !ok {
			t.Fatalf("README.md has no %q where it is expected", part)
		}
		rest = after
	}
	if strings.Contains(page, "\n6. ") {
		t.Error("README.md takes more than five steps on AWS")
	}
	for _, name := range []string{"configuration", "operations", "rollout", "scaling", "review", "your-service", "testing", "fidelity", "decisions"} {
		if !strings.Contains(page, "](docs/"+name+".md)") {
			t.Errorf("README.md does not link to the page %s", name)
		}
	}
}

func anchors(page string) map[string]bool {
	all := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(page, ""), -1) {
		all[strings.Map(func(r rune) rune {
			switch {
			case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_':
				return unicode.ToLower(r)
			case r == ' ':
				return '-'
			}
			return -1
		}, m[1])] = true
	}
	return all
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
