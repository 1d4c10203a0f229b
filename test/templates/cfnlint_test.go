package templates_test

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/matrix"
)

// cfnLint lints templates, each given as region=path, in one process: its start
// and a region's schemas take longer than a template. It prints errors; warnings
// are of CDK's own custom resources.
const cfnLint = `
import sys
from cfnlint.config import ConfigMixIn
from cfnlint.runner import Runner
regions = {}
for argument in sys.argv[1:]:
    region, path = argument.split("=", 1)
    regions.setdefault(region, []).append(path)
errors = [match for region, paths in regions.items()
          for match in Runner(ConfigMixIn(["--regions", region, "--template", *paths])).run()
          if match.rule.severity == "error"]
for match in errors:
    print(match)
sys.exit(1 if errors else 0)
`

// TestTemplatesPassCfnLint runs cfn-lint over the templates of all configurations, each
// different one of a region once; without -all or -shard over those that have a property
// that no template before has.
func TestTemplatesPassCfnLint(t *testing.T) {
	var arguments []string
	seen := map[string]bool{}
	known := map[string]bool{}
	matrix.Each(t, func(t *testing.T, a matrix.Assembly) {
		for _, name := range a.Names() {
			stack := a.Stacks[name]
			b, err := os.ReadFile(stack.Template)
			if err != nil {
				t.Fatal(err)
			}
			fresh := false
			for _, r := range stack.Resources(t) {
				fresh = note(known, r.Type, r.Properties) || fresh
			}
			if content := stack.Region + string(b); !seen[content] && (fresh || matrix.All()) {
				seen[content] = true
				arguments = append(arguments, stack.Region+"="+stack.Template)
			}
		}
	})
	if out, err := lint(t, arguments...); err != nil {
		t.Errorf("cfn-lint: %v (is it missing? `make setup` fetches it)\n%s", err, out)
	}
}

// note adds the paths of the properties within value, and reports whether one is new.
func note(known map[string]bool, path string, value any) (fresh bool) {
	switch v := value.(type) {
	case map[string]any:
		for key, element := range v {
			fresh = note(known, path+"."+key, element) || fresh
		}
	case []any:
		for _, element := range v {
			fresh = note(known, path, element) || fresh
		}
	default:
		fresh = !known[path]
		known[path] = true
	}
	return fresh
}

// TestCfnLintRefuses guards the test above.
func TestCfnLintRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "broken.template.json")
	if err := os.WriteFile(path, []byte(`{"Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketNaem": "photos"}}}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := lint(t, "eu-west-1="+path); err == nil || !strings.Contains(out, "BucketNaem") {
		t.Errorf("an unknown property: want it refused, got %v\n%s", err, out)
	}
}

// lint runs cfn-lint, and returns what it prints.
func lint(t *testing.T, arguments ...string) (string, error) {
	t.Helper()
	// go test caches no result of another version of it, which this file names.
	if _, err := os.ReadFile("../../requirements.txt"); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	cmd := exec.Command(cmp.Or(os.Getenv("PYTHON"), "python3"), append([]string{"-c", cfnLint}, arguments...)...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState != nil {
		t.Logf("cfn-lint: %d templates in %.1f s, of the processor %.1f", len(arguments), time.Since(start).Seconds(),
			(cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds())
	}
	return string(out), err
}
