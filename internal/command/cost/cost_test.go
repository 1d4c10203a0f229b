package cost

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/cost"
)

func TestTable(t *testing.T) {
	var out bytes.Buffer
	prices, err := cost.ReadPrices()
	if err != nil {
		t.Fatal(err)
	}
	err = print(&out, prices, []cost.Estimate{
		{"eu-west-1": {{What: "instances", USD: 1}}},
		{"eu-west-1": {{What: "instances", USD: 2}, {What: "keys", USD: 0.5}}},
		{"eu-west-1": {{What: "instances", USD: 3}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for line := range strings.Lines(out.String()) {
		rows = append(rows, strings.Join(strings.Fields(line), " "))
	}
	for _, want := range []string{
		"low expected high",
		"1.00 2.00 3.00 eu-west-1 instances",
		"0.00 0.50 0.00 eu-west-1 keys",
		"1.00 2.50 3.00 eu-west-1 all",
		"1.00 2.50 3.00 all regions",
	} {
		if !strings.Contains(strings.Join(rows, "\n"), want) {
			t.Errorf("the table lacks %q:\n%s", want, out.String())
		}
	}
}

func TestNoTemplates(t *testing.T) {
	if err := Run(t.Context(), []string{"-templates", t.TempDir()}, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "make synth") {
		t.Errorf("got %v", err)
	}
}

// TestMissingPricesNameTheCommand that adds them.
func TestMissingPricesNameTheCommand(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"manifest.json": `{"artifacts": {"a": {"type": "aws:cloudformation:stack", "environment": "aws://123456789012/eu-west-1", "properties": {"templateFile": "a.json"}}}}`,
		"a.json": `{"Resources": {
			"Group": {"Type": "AWS::AutoScaling::AutoScalingGroup", "Properties": {"MinSize": "2", "MaxSize": "6"}},
			"Type": {"Type": "Custom::AWS", "Properties": {"Create": "{\"action\": \"putParameter\", \"parameters\": {\"Name\": \"/a/fleet/instance-type\", \"Value\": \"m8g.large\"}}"}}
		}}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	err := Run(t.Context(), []string{"-templates", dir}, &bytes.Buffer{})
	if want := "no price in eu-west-1 of instance m8g.large: make prices adds what AWS's price list of EC2 has"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
}
