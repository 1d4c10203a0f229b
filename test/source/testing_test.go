package source_test

import (
	"fmt"
	"maps"
	"os"
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
	alone := regexp.MustCompile(regexp.MustCompile(`(?m)^ALONE = (.*)$`).FindStringSubmatch(makefile)[1])
	rows := 0
	for line := range strings.Lines(page) {
		cells := strings.Split(line, "|")
		if len(cells) != 6 || !strings.Contains(cells[4], "`shard-") {
			continue
		}
		rows++
		instances := quoted.FindAllStringSubmatch(cells[2], -1)
		if len(instances) == 0 || strings.Contains(cells[2], "none") && !strings.Contains(cells[2], "[none](decisions.md#") {
			t.Errorf("no test is an instance of, and no decision says why: %s", strings.TrimSpace(cells[1]))
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
		for _, name := range instances {
			if strings.Contains(cells[4], "`shard-race`") && alone.MatchString(name[1]) {
				t.Errorf("docs/testing.md names %s as an instance, which part-race leaves out", name[1])
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

// TestMakefileRunsTests: make test runs every package once and leaves none of its tests out.
// Each alternative of a -run or a -skip has a test, and each test that does more with -all or
// -shard is run with it, in all parts. Each change has one shard.
func TestMakefileRunsTests(t *testing.T) {
	makefile, packages := read(t, "../../Makefile"), allTests(t)
	gate, shards := runs(t, "test"), []run{}
	for i := range 8 {
		shards = append(shards, runs(t, "shard", fmt.Sprint("SHARD=", i))...)
	}
	times := map[string]int{}
	for _, r := range gate {
		if slices.Contains(r.args, "-race") {
			continue
		}
		if r.run != "" || r.skip != "" || r.shard != "" {
			t.Errorf("make test runs only some tests of %q: %q", r.packages, r.args)
		}
		for _, pkg := range r.packages {
			times[pkg]++
		}
	}
	for pkg, tests := range packages {
		if len(tests) > 0 && times[pkg] != 1 {
			t.Errorf("make test runs %s %d times, want once", pkg, times[pkg])
		}
	}
	widely, parts := map[string]bool{}, map[string][]string{} // numbers, by the packages and how many there are
	for _, r := range slices.Concat(gate, shards) {
		if i, n, ok := strings.Cut(r.shard, "/"); ok {
			key := fmt.Sprintf("%q -shard of %s", r.packages, n)
			parts[key] = append(parts[key], i)
		}
		for i, pattern := range []string{r.run, r.skip} {
			pattern, _, _ = strings.Cut(pattern, "/")
			for _, alternative := range strings.Split(strings.Trim(pattern, "^()$"), "|") {
				matches := 0
				for _, pkg := range r.packages {
					for name := range packages[pkg] {
						if strings.Contains(name, alternative) {
							matches++
							widely[pkg+name] = widely[pkg+name] || i == 0 && (slices.Contains(r.args, "-all") || r.shard != "")
						}
					}
				}
				if matches == 0 {
					t.Errorf("the Makefile names %s of %q, and there is no such test", alternative, r.packages)
				}
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
	for tests, numbers := range parts {
		slices.Sort(numbers)
		if n := tests[len(tests)-1:]; n != strconv.Itoa(len(numbers)) || numbers[0] != "0" || len(slices.Compact(slices.Clone(numbers))) != len(numbers) {
			t.Errorf("the shards run the parts %q of %s", numbers, tests)
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

// TestFreshRunsEverything: what Go has a result of, too.
func TestFreshRunsEverything(t *testing.T) {
	cmd := exec.Command("make", "-n", "FRESH=1", "KNOWN=", "test")
	cmd.Dir, cmd.Env = "../..", outOfMake()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	tests := 0
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, " gotestsum ") || strings.Contains(line, "go test ") {
			tests++
			if !strings.Contains(line, " -count=1") {
				t.Errorf("with FRESH=1 Go may answer with an old result: %s", line)
			}
		}
	}
	if tests == 0 {
		t.Error("make test runs no tests")
	}
}

// outOfMake is the environment without what make tells a make below it.
func outOfMake() []string {
	return slices.DeleteFunc(os.Environ(), func(pair string) bool { return strings.HasPrefix(pair, "MAKE") || strings.HasPrefix(pair, "MFLAGS=") })
}

// run is a `go test` of the Makefile.
type run struct {
	packages, args   []string
	run, skip, shard string
}

// runs are what make runs for its goals, its own variables and the shell's commands expanded.
func runs(t *testing.T, goals ...string) []run {
	t.Helper()
	cmd := exec.Command("make", append([]string{"-n", "TESTSUM=run-tests", "KNOWN="}, goals...)...)
	cmd.Dir, cmd.Env = "../..", outOfMake()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("make %s: %v", goals, err)
	}
	var all []run
	for _, found := range regexp.MustCompile(`(?m)^.*\brun-tests (.*)$|^\tgo test (.*) && \\$`).FindAllStringSubmatch(string(out), -1) {
		expanded, err := exec.Command("bash", "-c", `cd ../.. && printf '%s\n' `+found[1]+found[2]).Output()
		if err != nil {
			t.Fatalf("%s: %v", found[0], err)
		}
		var r run
		values := map[string]*string{"-run": &r.run, "-skip": &r.skip, "-shard": &r.shard, "-outputdir": new(string)}
		args := strings.Split(strings.TrimSpace(string(expanded)), "\n")
		for i := 0; i < len(args); i++ {
			if value := values[args[i]]; value != nil {
				i++
				*value = args[i]
			} else if strings.HasPrefix(args[i], "-") {
				r.args = append(r.args, args[i])
			} else {
				r.packages = append(r.packages, strings.Replace(args[i], module, ".", 1))
			}
		}
		all = append(all, r)
	}
	return all
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
