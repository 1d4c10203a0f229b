package source_test

import (
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestTestingPageNamesTests compares docs/testing.md with the tests and with the
// Makefile: each statement has its instance, each repetition its shard, and each test that
// only shards run as a whole its row.
func TestTestingPageNamesTests(t *testing.T) {
	page, makefile := read(t, "../../docs/testing.md"), read(t, "../../Makefile")
	exists, named := map[string]test{}, map[string]bool{}
	for _, tests := range allTests(t) {
		maps.Copy(exists, tests)
	}
	rows := 0
	for line := range strings.Lines(page) {
		cells := strings.Split(line, "|")
		if len(cells) != 6 || !strings.Contains(cells[4], "`shard-") {
			continue
		}
		rows++
		instances := quoted.FindAllStringSubmatch(cells[2], -1)
		if len(instances) == 0 {
			t.Errorf("no test is an instance of: %s", strings.TrimSpace(cells[1]))
		}
		for _, name := range slices.Concat(instances, quoted.FindAllStringSubmatch(cells[3], -1)) {
			named[name[1]] = true
			if _, ok := exists[name[1]]; !ok {
				t.Errorf("docs/testing.md names %s, which is not a test", name[1])
			}
		}
		for _, name := range instances {
			if exists[name[1]].skips {
				t.Errorf("docs/testing.md names %s as an instance, which only shards run", name[1])
			}
		}
		for _, shard := range regexp.MustCompile("`(shard-[a-z]+)`").FindAllStringSubmatch(cells[4], -1) {
			if !regexp.MustCompile(`(?m)^SHARD_\d = .*\b` + shard[1] + `\b`).MatchString(makefile) {
				t.Errorf("docs/testing.md names %s, which no shard of the Makefile runs", shard[1])
			}
		}
	}
	for name, test := range exists {
		if test.wider && !named[name] {
			t.Errorf("docs/testing.md does not say what %s repeats with -all or -shard", name)
		}
	}
	for _, shard := range regexp.MustCompile(`(?m)^(shard-[a-z]+):`).FindAllStringSubmatch(makefile, -1) {
		if !strings.Contains(page, "`"+shard[1]+"`") {
			t.Errorf("docs/testing.md does not say what %s repeats", shard[1])
		}
	}
	if rows == 0 {
		t.Error("docs/testing.md has no table of repetitions")
	}
}

var quoted = regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`")

// TestMakefileRunsTests: each alternative of a -run or a -skip has a test, and each test that
// does more with -all or -shard is run with it, in all parts. Each change has one shard.
func TestMakefileRunsTests(t *testing.T) {
	makefile, packages := read(t, "../../Makefile"), allTests(t)
	widely := map[string]bool{}
	for line := range strings.Lines(makefile) {
		pkg, run := regexp.MustCompile(` (\./[a-z0-9/]+)`).FindStringSubmatch(line), regexp.MustCompile(` -run '?([A-Za-z0-9|]+)`).FindStringSubmatch(line)
		if !strings.HasPrefix(line, "\t") || pkg == nil || run != nil && run[1] == "none" {
			continue
		}
		alternatives := []string{""}
		if run != nil {
			alternatives = strings.Split(run[1], "|")
		}
		for _, alternative := range alternatives {
			runs := 0
			for name := range packages[pkg[1]] {
				if strings.Contains(name, alternative) {
					runs++
					widely[pkg[1]+name] = widely[pkg[1]+name] || strings.Contains(line, " -all") || strings.Contains(line, " -shard")
				}
			}
			if run != nil && runs == 0 {
				t.Errorf("the Makefile runs %s of %s, and there is no such test", alternative, pkg[1])
			}
		}
	}
	for pkg, tests := range packages {
		for name, test := range tests {
			if test.wider && !widely[pkg+name] {
				t.Errorf("no shard runs %s of %s with -all or -shard", name, pkg)
			}
		}
	}
	parts := map[string][]string{} // numbers, by the package and how many there are
	for _, part := range regexp.MustCompile(` (\./\S+) .*-shard (\d)/(\d)`).FindAllStringSubmatch(makefile, -1) {
		parts[part[1]+" -shard of "+part[3]] = append(parts[part[1]+" -shard of "+part[3]], part[2])
	}
	for tests, numbers := range parts {
		if n := tests[len(tests)-1:]; n != strconv.Itoa(len(numbers)) || len(slices.Compact(slices.Sorted(slices.Values(numbers)))) != len(numbers) {
			t.Errorf("the Makefile runs the parts %q of %s", numbers, tests)
		}
	}
	alone := regexp.MustCompile(`(?m)^ALONE = \^\((.*)\)$`).FindStringSubmatch(makefile)
	race := regexp.MustCompile(`(?m)^RACE = (.*)$`).FindStringSubmatch(makefile)
	if alone == nil || race == nil {
		t.Fatal("the Makefile has no ALONE or no RACE")
	}
	for _, name := range strings.Split(alone[1], "|") {
		if !slices.ContainsFunc(strings.Fields(race[1]), func(pkg string) bool {
			return slices.ContainsFunc(slices.Collect(maps.Keys(packages[pkg])), func(test string) bool { return strings.HasPrefix(test, name) })
		}) {
			t.Errorf("the Makefile skips %s of %s, and there is no such test", name, race[1])
		}
	}
	changes, err := filepath.Glob("../changes/*.patch")
	if err != nil || len(changes) == 0 {
		t.Fatalf("%d changes: %v", len(changes), err)
	}
	for _, change := range changes {
		name, shards := filepath.Base(change), 0
		for _, pattern := range regexp.MustCompile(`(?m)^CHANGES_\d = (.*)$`).FindAllStringSubmatch(makefile, -1) {
			if regexp.MustCompile(pattern[1]).MatchString(name) {
				shards++
			}
		}
		if shards != 1 {
			t.Errorf("%d shards make the change %s, want one", shards, name)
		}
	}
}

// test is what a test's own text says: wider, that it does more with -all or -shard, by a
// function that it calls too, and skips, that it does nothing without.
type test struct{ wider, skips bool }

// allTests are the tests that `go test -list` prints, by their packages, read from the
// sources that it would compile: to link them takes minutes.
func allTests(t *testing.T) map[string]map[string]test {
	t.Helper()
	out, err := exec.Command("go", "list", "-f",
		`{{$dir := .Dir}}{{range .TestGoFiles}}{{$dir}}/{{.}}{{"\n"}}{{end}}{{range .XTestGoFiles}}{{$dir}}/{{.}}{{"\n"}}{{end}}`, "../../...").Output()
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	functions := map[string]map[string]string{} // texts, by the package and the name
	for path := range strings.FieldsSeq(string(out)) {
		pkg := "." + strings.TrimPrefix(filepath.Dir(path), root)
		if functions[pkg] == nil {
			functions[pkg] = map[string]string{}
		}
		for _, text := range strings.Split(read(t, path), "\nfunc ")[1:] {
			name, body, _ := strings.Cut(text, "(") // no name where it is a method
			functions[pkg][name] = body
		}
	}
	asks := regexp.MustCompile(`matrix\.(All|Mine|Chosen)\(|[*]all\b`)
	skips := regexp.MustCompile(`\n\tif !(matrix\.All\(\)|[*]all) \{\n\t\tt\.Skip`)
	all := map[string]map[string]test{}
	for pkg, texts := range functions {
		all[pkg] = map[string]test{}
		for name, body := range texts {
			if !regexp.MustCompile(`^(Test|Fuzz)[A-Z]`).MatchString(name) {
				continue
			}
			wider := asks.MatchString(body)
			for _, called := range regexp.MustCompile(`\b[a-z]\w*\(`).FindAllString(body, -1) {
				wider = wider || asks.MatchString(texts[strings.TrimSuffix(called, "(")])
			}
			all[pkg][name] = test{wider, skips.MatchString(body)}
		}
	}
	return all
}
