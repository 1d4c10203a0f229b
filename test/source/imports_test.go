// Package source_test checks what the repository's files say: imports and words.
package source_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestImportsRunOneWay guards the layers: main, stacks and constructs on one side, commands,
// pages, stores and domain on the other. TestProgramsCompileNoCDK has CDK.
func TestImportsRunOneWay(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}} {{join .Imports \" \"}}", "../../...").Output()
	if err != nil {
		t.Fatal(err)
	}
	stores := stores(t)
	type guard struct {
		from string
		to   []string
	}
	forbidden := []guard{
		{module + "/config", []string{module + "/cmd", module + "/internal/local", module + "/service/directory", module + "/service/web"}},
		{module + "/constructs", []string{module + "/config", module + "/stacks", module + "/internal/local", module + "/service/directory", module + "/service/web"}},
		{module + "/stacks", []string{module + "/internal/local", module + "/service/directory", module + "/service/web"}},
		{module + "/service", []string{module + "/internal/local", module + "/cmd"}},
		{module + "/scaling", []string{module + "/internal/local", module + "/cmd", module + "/service", module + "/cost", "github.com/aws"}},
		{module + "/internal/local", []string{module + "/service/directory", module + "/service/web"}},
		{module + "/service/directory", append([]string{module + "/service/web", "github.com/aws", "net/http"}, stores...)},
		{module + "/service/web", append([]string{"github.com/aws"}, stores...)},
	}
	for _, store := range stores {
		others := slices.DeleteFunc(slices.Clone(stores), func(other string) bool { return other == store })
		forbidden = append(forbidden, guard{store, append(others, module+"/service/web")})
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		for _, imported := range words[1:] {
			// Another app can take one construct without the others.
			if within(words[0], module+"/constructs") && within(imported, module+"/constructs") && !strings.Contains(imported, "/internal/") {
				t.Errorf("%s imports another construct, %s", words[0], imported)
			}
		}
		for _, rule := range forbidden {
			if !within(words[0], rule.from) {
				continue
			}
			seen[rule.from] = true
			for _, imported := range words[1:] {
				for _, to := range rule.to {
					if within(imported, to) {
						t.Errorf("%s imports %s", words[0], imported)
					}
				}
			}
		}
	}
	for _, rule := range forbidden {
		if !seen[rule.from] {
			t.Errorf("no package is within %s: the rule guards nothing", rule.from)
		}
	}
}

// ofStore is a test that a store has to pass.
var ofStore = regexp.MustCompile(`\bstoretest\.(Employees|Accounts|Sessions|Photos)\(`)

// stores are the packages whose tests say that they are stores.
func stores(t *testing.T) []string {
	t.Helper()
	tests, err := filepath.Glob("../../service/*/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var stores []string
	for _, path := range tests {
		// The package of these tests tries them.
		if name := filepath.Base(filepath.Dir(path)); name != "storetest" && ofStore.MatchString(read(t, path)) {
			stores = append(stores, module+"/service/"+name)
		}
	}
	slices.Sort(stores)
	if stores = slices.Compact(stores); len(stores) < 3 {
		t.Fatalf("the stores are %q: where are the others?", stores)
	}
	return stores
}

// TestProgramsCompileNoCDK: what is deployed has no CDK, and no command of this machine
// starts its process, which takes seconds, by a package of others either.
func TestProgramsCompileNoCDK(t *testing.T) {
	infrastructure := []string{module + "/stacks", module + "/constructs", "github.com/aws/aws-cdk-go", "github.com/aws/jsii-runtime-go", "github.com/aws/constructs-go"}
	out, err := exec.Command("go", "list", "-f", `{{$from := .ImportPath}}{{range .Deps}}{{$from}} {{.}}{{"\n"}}{{end}}`,
		"../../config", "../../service/...", "../../scaling/...", "../../cmd/...", "../../internal/local/...").Output()
	if err != nil || len(out) == 0 {
		t.Fatalf("%d bytes: %v", len(out), err)
	}
	for line := range strings.Lines(string(out)) {
		from, imported, _ := strings.Cut(strings.TrimSpace(line), " ")
		for _, to := range infrastructure {
			if within(imported, to) {
				t.Errorf("%s imports %s, perhaps by another package", from, imported)
			}
		}
	}
}

// within reports whether a package is path or below it.
func within(pkg, path string) bool {
	return pkg == path || strings.HasPrefix(pkg, path+"/")
}
