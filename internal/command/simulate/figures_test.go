package simulate

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/chart"
	"github.com/archipelago-cdk/archipelago/scaling/simulator"
	"github.com/archipelago-cdk/archipelago/scaling/trace"
)

var update = flag.Bool("update", false, "write the figures and pictures of docs/scaling.md instead of comparing with them")

const (
	docs     = "../../../docs/scaling.md"
	pictures = "../../../docs/pictures/"
)

// shipped are the traces, in the order of the docs.
var shipped = []string{"wave", "growth", "spike", "leak", "zone", "quiet"}

// shippedRows are the results of all variants on a shipped trace.
func shippedRows(t *testing.T, name string) []simulator.Row {
	t.Helper()
	fleet, model, err := readConfig(traces + "cdk.json")
	if err != nil {
		t.Fatal(err)
	}
	load, err := trace.ReadFile(traces + name + ".csv")
	if err != nil {
		t.Fatal(err)
	}
	return simulator.Compare(load, fleet, model)
}

// TestFigures holds what docs/scaling.md says, and its tables, to what the
// simulator gives.
func TestFigures(t *testing.T) {
	var table, all bytes.Buffer
	fmt.Fprintln(&table, "| trace | both: USD, minutes over | the best one axis in hindsight: USD, minutes over | both of it | `startAt` by number: USD, minutes over | saved | `startAt`, six of it: USD | saved |")
	fmt.Fprintln(&table, "|---|---|---|---|---|---|---|---|")
	fmt.Fprintln(&all, "| "+strings.Join(append([]string{"USD / minutes over / steps"}, shipped...), " | ")+" |")
	fmt.Fprintln(&all, "|---|"+strings.Repeat("---|", len(shipped)))
	var names []string
	cells := map[string][]string{}
	for _, name := range shipped {
		rows := shippedRows(t, name)
		both, best := rows[0], simulator.Best(rows)
		scaled, fixed := simulator.Find(rows, "horizontal, m7g.large"), simulator.Find(rows, "fixed, 6 of m7g.large")
		saved := func(other simulator.Row) float64 { return 100 * (1 - both.USD/other.USD) }
		fmt.Fprintf(&table, "| %s | %.2f, %d | %s: %.2f, %d | %.2f | %.2f, %d | %.0f %% | %.2f | %.0f %% |\n", name, both.USD, both.Over,
			best.Variant.Name, best.USD, best.Over, both.USD/best.USD, scaled.USD, scaled.Over, saved(scaled), fixed.USD, saved(fixed))
		names = nil
		for _, row := range rows {
			names = append(names, row.Variant.Name)
			cells[row.Variant.Name] = append(cells[row.Variant.Name], fmt.Sprintf("%.2f / %d / %d", row.USD, row.Over, row.Steps+row.Recycled))
		}

		// What the docs claim.
		if both.USD > 1.10*best.USD {
			t.Errorf("%s: both axes cost $%.2f, more than 1.10 of the best one's $%.2f", name, both.USD, best.USD)
		}
		if name != "spike" && both.Over > best.Over {
			t.Errorf("%s: both axes are over the goal for %d minutes, the best one for %d", name, both.Over, best.Over)
		}
		if (name == "wave" || name == "quiet") && saved(fixed) < 20 {
			t.Errorf("%s: both axes save %.0f %% of six instances of startAt, want 20", name, saved(fixed))
		}
		if name == "quiet" && saved(scaled) < 20 {
			t.Errorf("%s: both axes save %.0f %% of startAt scaled by number, want 20", name, saved(scaled))
		}
		switch name {
		case "wave":
			says(t, fmt.Sprintf("on wave it is %.0f %%", saved(scaled)))
			says(t, fmt.Sprintf("would cost $%.2f, %.0f %% less", ideal(t, name), 100*(1-ideal(t, name)/scaled.USD)))
		case "spike":
			says(t, fmt.Sprintf("costs %.1f times as much all day", best.USD/both.USD))
			says(t, fmt.Sprintf("are over for %d minutes", both.Over))
		}
	}
	for _, name := range names {
		fmt.Fprintf(&all, "| %s | %s |\n", name, strings.Join(cells[name], " | "))
	}
	current(t, "figures", table.String())
	current(t, "variants", all.String())
}

// ideal is the cost of what follows the load at once: the CPU that it takes at the
// target, and no less than the fewest instances of the smallest type.
func ideal(t *testing.T, name string) float64 {
	t.Helper()
	fleet, _, err := readConfig(traces + "cdk.json")
	if err != nil {
		t.Fatal(err)
	}
	load, err := trace.ReadFile(traces + name + ".csv")
	if err != nil {
		t.Fatal(err)
	}
	usd := 0.0
	for _, requests := range load.Requests {
		usd += max(float64(fleet.Min), requests*0.005/(fleet.Policy.CPUTarget/100)) * fleet.USDPerHour[0] / 60
	}
	return usd
}

// says fails the test if the docs lack a sentence.
func says(t *testing.T, want string) {
	t.Helper()
	b, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), want) {
		t.Errorf("%s does not say %q", docs, want)
	}
}

// current compares the part of the docs between two markers, or writes it.
func current(t *testing.T, marker, want string) {
	t.Helper()
	b, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+marker+" -->\n", "<!-- end of "+marker+" -->"
	before, rest, ok := strings.Cut(string(b), begin)
	got, after, okEnd := strings.Cut(rest, end)
	if !ok || !okEnd {
		t.Fatalf("%s lacks the markers of %q", docs, marker)
	}
	if *update {
		if err := os.WriteFile(docs, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want {
		t.Errorf("%s says\n%s\nbut it is\n%s\nif that is meant, run `go test ./cmd/simulate -update`", docs, got, want)
	}
}

// TestPicturesAreCurrent draws those of docs/scaling.md.
func TestPicturesAreCurrent(t *testing.T) {
	fleet, model, err := readConfig(traces + "cdk.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, label := range map[string]string{
		"spike":  "A day: at nine the load is ten times as high; instances go from 2 to 6, then their type from m7g.medium to m7g.large",
		"wave":   "A week: by day the number of instances grows, then their type; at night both go back",
		"growth": "A year: as the load grows, ever larger types are reached by day",
	} {
		load, err := trace.ReadFile(traces + name + ".csv")
		if err != nil {
			t.Fatal(err)
		}
		r := &report{trace: load, model: model}
		r.draw(fleet, 400)
		svg, err := r.svg(r.panels()[:4], 860)
		if err != nil {
			t.Fatal(err)
		}
		want := []byte(chart.Standalone(svg, label))
		path := filepath.Join(pictures, "scaling-"+name+".svg")
		if *update {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the simulator draws; if that is meant, run `go test ./cmd/simulate -update`", path)
		}
	}
}
