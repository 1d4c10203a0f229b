package source_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// commands are blocks of them, and those in a line.
	commands = regexp.MustCompile("(?s)```sh\n(.*?)```|`([^`\n]+)`")
	makes    = regexp.MustCompile(`(?:^|[\s;(])make ([a-z][a-z-]*)`)
	goTests  = regexp.MustCompile(`go test ([^;|&\n]*)`)
	targets  = regexp.MustCompile(`(?m)^([a-z][a-z-]*):`)
)

// TestCommandsOfPagesExist: a page names no target of make that the Makefile lacks,
// and no package or test that does not exist. test/runbook asks the AWS CLI about
// its own commands.
func TestCommandsOfPagesExist(t *testing.T) {
	makefile := map[string]bool{}
	for _, m := range targets.FindAllStringSubmatch(read(t, "../../Makefile"), -1) {
		makefile[m[1]] = true
	}
	names := testNames(t)
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, page := range append(pages, "../../README.md", "../../CONTRIBUTING.md", "../../ARCHITECTURE.md") {
		for _, block := range commands.FindAllStringSubmatch(read(t, page), -1) {
			text := block[1] + block[2]
			for _, m := range makes.FindAllStringSubmatch(text, -1) {
				if found++; !makefile[m[1]] {
					t.Errorf("%s: the Makefile has no target %s", page, m[1])
				}
			}
			for _, m := range goTests.FindAllStringSubmatch(text, -1) {
				found++
				problemsOfGoTest(t, page, strings.Fields(m[1]), names)
			}
		}
	}
	if found < 60 {
		t.Errorf("found %d commands: where are the others?", found)
	}
}

// problemsOfGoTest reports a package that does not exist, and a pattern that no test
// or benchmark matches.
func problemsOfGoTest(t *testing.T, page string, arguments []string, names map[string]bool) {
	t.Helper()
	for i, argument := range arguments {
		if dir, ok := strings.CutPrefix(argument, "./"); ok && dir != "that/package" {
			if _, err := os.Stat(filepath.Join("../..", strings.TrimSuffix(dir, "..."))); err != nil {
				t.Errorf("%s: go test %s: there is no package %s", page, strings.Join(arguments, " "), argument)
			}
		}
		if argument != "-run" || i+1 == len(arguments) {
			continue
		}
		pattern, _, _ := strings.Cut(strings.Trim(arguments[i+1], `'"`), "/")
		matches := regexp.MustCompile(pattern).MatchString
		exists := pattern == "none"
		for name := range names {
			exists = exists || matches(name)
		}
		if !exists {
			t.Errorf("%s: no test is named as -run %s", page, arguments[i+1])
		}
	}
}
