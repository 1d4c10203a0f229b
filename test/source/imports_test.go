// Package source_test checks what the repository's files say: imports and words.
package source_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestImportsRunOneWay guards the layers: main, stacks, constructs, CDK on one
// side, commands, pages, stores, domain on the other.
func TestImportsRunOneWay(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}} {{join .Imports \" \"}}", "../../...").Output()
	if err != nil {
		t.Fatal(err)
	}
	cdk := []string{"github.com/aws/aws-cdk-go", "github.com/aws/jsii-runtime-go", "github.com/aws/constructs-go"}
	infrastructure := append([]string{module + "/stacks", module + "/constructs"}, cdk...)
	forbidden := []struct {
		from string
		to   []string
	}{
		{module + "/config", append([]string{module + "/cmd", module + "/internal/local", module + "/service/directory", module + "/service/web"}, infrastructure...)},
		{module + "/constructs", []string{module + "/config", module + "/stacks", module + "/internal/local", module + "/service/directory", module + "/service/web"}},
		{module + "/stacks", []string{module + "/internal/local", module + "/service/directory", module + "/service/web"}},
		{module + "/service", append([]string{module + "/internal/local", module + "/cmd"}, infrastructure...)},
		{module + "/scaling", append([]string{module + "/internal/local", module + "/cmd", module + "/service", module + "/cost", "github.com/aws"}, infrastructure...)},
		{module + "/cmd", infrastructure},
		{module + "/internal/local", append([]string{module + "/service/directory", module + "/service/web"}, infrastructure...)},
		{module + "/service/directory", []string{module + "/service/web", module + "/service/sqlite", module + "/service/dynamo", module + "/service/s3", "github.com/aws", "net/http"}},
		{module + "/service/web", []string{module + "/service/sqlite", module + "/service/dynamo", module + "/service/s3", "github.com/aws"}},
		{module + "/service/sqlite", []string{module + "/service/web", module + "/service/dynamo", module + "/service/s3"}},
		{module + "/service/dynamo", []string{module + "/service/web", module + "/service/sqlite", module + "/service/s3"}},
		{module + "/service/s3", []string{module + "/service/web", module + "/service/sqlite", module + "/service/dynamo"}},
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

// within reports whether a package is path or below it.
func within(pkg, path string) bool {
	return pkg == path || strings.HasPrefix(pkg, path+"/")
}
