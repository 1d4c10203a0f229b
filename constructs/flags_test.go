package constructs_test

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/google/go-cmp/cmp"
)

// TestFlagsChangeNoConstruct: what a construct makes means the same with none of CDK's
// feature flags and with all that CDK recommends and cdk.json has, so that another app
// needs none of them for it. What CDK makes of the app's own is left out.
func TestFlagsChangeNoConstruct(t *testing.T) {
	on := recommendedFlags(t)
	for key, value := range *flags {
		if strings.HasPrefix(key, "@aws-cdk") {
			on[key] = value
		}
	}
	if len(on) < 80 {
		t.Fatalf("there are %d flags: where are the others?", len(on))
	}
	for what, imported := range map[string]bool{"beside what is made": false, "beside what is imported": true} {
		made := func(flags map[string]any, place func(*plain)) map[string]any {
			p := newFlagged(t, imported, flags)
			place(p)
			template := *assertions.Template_FromStack(p.stack, nil).ToJSON()
			return template["Resources"].(map[string]any)
		}
		without := map[bool]map[string]any{false: made(nil, func(*plain) {}), true: made(on, func(*plain) {})}
		for name, l3 := range l3s {
			t.Run(name+" "+what, func(t *testing.T) {
				var ours [2]map[string]any
				for i, flags := range []map[string]any{nil, on} {
					ours[i] = map[string]any{}
					for id, resource := range made(flags, func(p *plain) { l3.place(p) }) {
						if before, was := without[flags != nil][id]; !was || !cmp.Equal(before, resource) {
							ours[i][id] = meaning(t, resource)
						}
					}
				}
				if len(ours[0]) == 0 {
					t.Error("it makes nothing")
				}
				if diff := cmp.Diff(ours[0], ours[1]); diff != "" {
					t.Errorf("the flags change it (-none +all):\n%s", diff)
				}
			})
		}
	}
}

// recommendedFlags are those that CDK's own release has for new apps.
func recommendedFlags(t *testing.T) map[string]any {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-cdk-go/awscdk/v2").Output()
	if err != nil {
		t.Fatal(err)
	}
	releases, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "jsii", "aws-cdk-lib-*.tgz"))
	if err != nil || len(releases) != 1 {
		t.Fatalf("want one release of aws-cdk-lib, got %q (%v)", releases, err)
	}
	file, err := os.Open(releases[0])
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	for files := tar.NewReader(unzipped); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			t.Fatal("it recommends no flags")
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Name != "package/recommended-feature-flags.json" {
			continue
		}
		var flags map[string]any
		if err := json.NewDecoder(files).Decode(&flags); err != nil {
			t.Fatal(err)
		}
		return flags
	}
}

// meaning is a part of a template without what means the same in other words: a partition
// by its name, a text that is not joined, a policy of one action and one resource a line.
func meaning(t *testing.T, v any) any {
	t.Helper()
	switch v := v.(type) {
	case []any:
		all := make([]any, len(v))
		for i := range v {
			all[i] = meaning(t, v[i])
		}
		return all
	case map[string]any:
		all := map[string]any{}
		for key := range v {
			all[key] = meaning(t, v[key])
		}
		if all["Ref"] == "AWS::Partition" {
			return "aws"
		}
		if join, ok := all["Fn::Join"].([]any); ok && join[0] == "" {
			return joined(join[1])
		}
		if sub, ok := all["Fn::Sub"].(string); ok {
			if sub = strings.ReplaceAll(sub, "${AWS::Partition}", "aws"); !strings.Contains(sub, "${") {
				return sub
			}
		}
		if statements, ok := all["Statement"].([]any); ok {
			all["Statement"] = lines(t, statements)
		}
		return all
	}
	return v
}

// joined are the parts of a text, with those that are texts put together.
func joined(parts any) any {
	list, ok := parts.([]any)
	if !ok {
		return map[string]any{"Fn::Join": []any{"", parts}}
	}
	var all []any
	for _, part := range list {
		text, isText := part.(string)
		if before, ok := last(all).(string); ok && isText {
			all[len(all)-1] = before + text
		} else {
			all = append(all, part)
		}
	}
	if text, ok := last(all).(string); ok && len(all) == 1 {
		return text
	}
	return map[string]any{"Fn::Join": []any{"", all}}
}

func last(all []any) any {
	if len(all) == 0 {
		return nil
	}
	return all[len(all)-1]
}

// lines are a policy's statements, each action on each resource a line.
func lines(t *testing.T, statements []any) []string {
	t.Helper()
	list := func(v any) []any {
		if all, ok := v.([]any); ok {
			return all
		}
		return []any{v}
	}
	var all []string
	for _, each := range statements {
		statement := each.(map[string]any)
		for _, action := range list(statement["Action"]) {
			for _, resource := range list(statement["Resource"]) {
				line, err := json.Marshal([]any{statement["Effect"], statement["Principal"], action, resource, statement["Condition"]})
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, string(line))
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
