// Package api_test compares the Go API of the public packages with the last release's.
package api_test

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const (
	module = "github.com/archipelago-cdk/archipelago"
	// released is the API of the last release, as a clean checkout of its tag writes it:
	//
	//	go tool -modfile=tools.mod apidiff -m -w FILE github.com/archipelago-cdk/archipelago
	released = "testdata/v0.2.0.export"
	// heading begins the part of CHANGELOG.md's next release that lists what a program
	// which compiles with the last release may use and will no longer find as it was.
	heading = "### Go API that changed or left since v0.2.0\n\n"
)

// TestChangelogListsIncompatibleChanges runs apidiff. It looks at packages outside
// internal only.
func TestChangelogListsIncompatibleChanges(t *testing.T) {
	command := exec.Command("go", "tool", "-modfile=../../tools.mod", "apidiff", "-m", "-incompatible", released, module)
	output, err := command.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("%v: %s", err, exit.Stderr)
	}
	if err != nil {
		t.Fatal(err)
	}
	want := section(string(output))

	changelog, err := os.ReadFile("../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	_, next, _ := strings.Cut(string(changelog), "\n## Next\n")
	next, _, _ = strings.Cut(next, "\n## ")
	_, got, _ := strings.Cut(next, heading)
	got, _, _ = strings.Cut(got, "\n\n")
	if strings.TrimSpace(got) != want {
		t.Errorf("CHANGELOG.md, Next: got\n%s%s\nwant\n%s%s\n\nMake the change compatible, or write this and say in an entry what to write instead.",
			heading, got, heading, want)
	}
}

func TestSection(t *testing.T) {
	got := section("- ./constructs/waf.New: changed from func() to func(int)\n" +
		"- ./constructs/waf.Props.Domain: removed\n" +
		"- ./constructs/network.(*Network).AllowS3: removed\n" +
		"- package " + module + "/constructs/domain: removed\n")
	want := "- `constructs/domain`\n" +
		"- `constructs/network`: `Network.AllowS3`\n" +
		"- `constructs/waf`: `New`, `Props.Domain`"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// section lists apidiff's incompatible changes: a line for each package, with the
// names of what changed unless the package left.
func section(changes string) string {
	names := map[string][]string{}
	for line := range strings.Lines(changes) {
		where, _, _ := strings.Cut(strings.TrimPrefix(line, "- "), ": ")
		if path, ok := strings.CutPrefix(where, "package "+module+"/"); ok {
			names[path] = nil
			continue
		}
		path, name, _ := strings.Cut(strings.TrimPrefix(where, "./"), ".")
		names[path] = append(names[path], "`"+strings.NewReplacer("(*", "", ")", "").Replace(name)+"`")
	}
	var lines []string
	for path, of := range names {
		line := "- `" + path + "`"
		if len(of) > 0 {
			line += ": " + strings.Join(of, ", ")
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
