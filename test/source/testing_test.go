package source_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestTestingPageNamesTests compares docs/testing.md with the tests and with the
// Makefile: each statement has its instance, and each repetition its shard.
func TestTestingPageNamesTests(t *testing.T) {
	page, err := os.ReadFile("../../docs/testing.md")
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	exists := testNames(t)
	rows := 0
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(line, "|")
		if len(cells) != 6 || !strings.Contains(cells[4], "`shard-") {
			continue
		}
		rows++
		names := quoted.FindAllStringSubmatch(cells[2], -1)
		if len(names) == 0 {
			t.Errorf("no test is an instance of: %s", strings.TrimSpace(cells[1]))
		}
		for _, name := range names {
			if !exists[name[1]] {
				t.Errorf("docs/testing.md names %s, which is not a test", name[1])
			}
		}
		for _, shard := range regexp.MustCompile("`(shard-[a-z]+)`").FindAllStringSubmatch(cells[4], -1) {
			if !regexp.MustCompile(`(?m)^SHARD_\d = .*\b` + shard[1] + `\b`).Match(makefile) {
				t.Errorf("docs/testing.md names %s, which no shard of the Makefile runs", shard[1])
			}
		}
	}
	for _, shard := range regexp.MustCompile(`(?m)^(shard-[a-z]+):$`).FindAllStringSubmatch(string(makefile), -1) {
		if !strings.Contains(string(page), "`"+shard[1]+"`") {
			t.Errorf("docs/testing.md does not say what %s repeats", shard[1])
		}
	}
	if rows == 0 {
		t.Error("docs/testing.md has no table of repetitions")
	}
}

var quoted = regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`")

// testNames are the names that `go test -list` prints for all packages, read from
// the sources that it would compile: to link them takes minutes.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	out, err := exec.Command("go", "list", "-f",
		`{{$dir := .Dir}}{{range .TestGoFiles}}{{$dir}}/{{.}}{{"\n"}}{{end}}{{range .XTestGoFiles}}{{$dir}}/{{.}}{{"\n"}}{{end}}`, "../../...").Output()
	if err != nil {
		t.Fatal(err)
	}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9]+)\(`)
	names := map[string]bool{}
	for _, path := range strings.Fields(string(out)) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range declared.FindAllStringSubmatch(string(b), -1) {
			names[name[1]] = true
		}
	}
	return names
}
