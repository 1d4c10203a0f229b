package templates_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/cost"
	"github.com/archipelago-cdk/archipelago/internal/matrix"
)

// TestReadmeStatesTheCost: of the shipped configuration at each load, and of a trial
// at the lowest, to the dollar that `make cost` prints. With -update it writes what
// is right.
func TestReadmeStatesTheCost(t *testing.T) {
	prices, err := cost.ReadPrices()
	if err != nil {
		t.Fatal(err)
	}
	total := func(configuration string, load cost.Load) string {
		t.Helper()
		deployment, err := cost.Read(matrix.Committed(t, configuration).Dir)
		if err != nil {
			t.Fatal(err)
		}
		estimate, err := prices.Estimate(deployment, load)
		if err != nil {
			t.Fatal(err)
		}
		return thousands(estimate.Total())
	}
	sentences := map[string]*regexp.Regexp{
		"a trial costs $" + total("trial", cost.Loads[0]): regexp.MustCompile(`a trial costs \$[0-9,]+`),
	}
	for _, load := range cost.Loads {
		sentences[fmt.Sprintf("$%s at %g", total("shipped", load), load.Requests)] = regexp.MustCompile(`\$[0-9,]+ at ` + fmt.Sprint(load.Requests) + `\b`)
	}
	says(t, "../../README.md", sentences)
}

// TestPagesStateWhatLogsCost: of the shipped configuration with each value of logs.
// With -update it writes what is right.
func TestPagesStateWhatLogsCost(t *testing.T) {
	rows, totals := map[string]*regexp.Regexp{}, map[string][]float64{}
	prices, err := cost.ReadPrices()
	if err != nil {
		t.Fatal(err)
	}
	for _, logs := range []string{config.LogsBucket, config.LogsCloudWatch, config.LogsOff} {
		deployment, err := cost.Read(matrix.Committed(t, "shipped").Dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, region := range deployment.Regions {
			if region.Agents || !region.LogsPut {
				t.Fatal("the shipped configuration's logs are not in the bucket")
			}
			region.LogsPut, region.Agents = logs == config.LogsBucket, logs == config.LogsCloudWatch
			if region.Agents {
				region.InterfaceEndpoints += 2 * region.Zones
			}
		}
		want := "| `" + logs + "` |"
		for _, load := range cost.Loads {
			estimate, err := prices.Estimate(deployment, load)
			if err != nil {
				t.Fatal(err)
			}
			want += " " + thousands(estimate.Total()) + " |"
			totals[logs] = append(totals[logs], estimate.Total())
		}
		rows[want] = regexp.MustCompile("(?m)^\\| `" + logs + "` \\|.*")
	}
	says(t, "../../docs/figures.md", rows)
	span := func(logs string) string { // from the lowest load to the highest
		with, without := totals[logs], totals[config.LogsOff]
		return "$" + thousands(with[0]-without[0]) + " to $" + thousands(with[len(with)-1]-without[len(without)-1])
	}
	dollars := `\$[0-9,]+ to \$[0-9,]+`
	says(t, "../../README.md", map[string]*regexp.Regexp{
		"Logs are " + span(config.LogsBucket):                regexp.MustCompile(`Logs are ` + dollars),
		"they would be " + span(config.LogsCloudWatch) + ".": regexp.MustCompile(`they would be ` + dollars + `\.`),
	})
	// docs/configuration.md says it by that.
	says(t, "../../config/config.go", map[string]*regexp.Regexp{
		span(config.LogsBucket) + " with what is kept": regexp.MustCompile(dollars + ` with what is kept`),
	})
}

// says checks that a page has each text where it states such a one, or writes it there with
// -update.
func says(t *testing.T, page string, texts map[string]*regexp.Regexp) {
	t.Helper()
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	current := string(b)
	for want, stated := range texts {
		got := stated.FindString(current)
		switch {
		case got == "":
			t.Errorf("%s does not say %q", page, want)
		case got != want && !*update:
			t.Errorf("%s says %q, want %q; go test -run %s ./test/templates -update writes it", page, got, want, t.Name())
		}
		current = stated.ReplaceAllLiteralString(current, want)
	}
	if *update {
		if err := os.WriteFile(page, []byte(current), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// thousands is an amount in whole dollars, such as "4,082".
func thousands(dollars float64) string {
	digits := fmt.Sprintf("%.0f", dollars)
	var groups []string
	for len(digits) > 3 {
		groups = append(groups, digits[len(digits)-3:])
		digits = digits[:len(digits)-3]
	}
	groups = append(groups, digits)
	slices.Reverse(groups)
	return strings.Join(groups, ",")
}

func TestThousands(t *testing.T) {
	for dollars, want := range map[float64]string{0: "0", 412.18: "412", 999.6: "1,000", 1234567: "1,234,567"} {
		if got := thousands(dollars); got != want {
			t.Errorf("%g: got %q, want %q", dollars, got, want)
		}
	}
}
