package simulate

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/chart"
	"github.com/archipelago-cdk/archipelago/scaling"
	"github.com/archipelago-cdk/archipelago/scaling/simulator"
	"github.com/archipelago-cdk/archipelago/scaling/trace"
)

var update = flag.Bool("update", false, "write the figures and pictures of docs/scaling.md instead of comparing with them")

const (
	docs     = "../../../docs/scaling.md"
	pictures = "../../../docs/pictures/"
)

// shipped are the traces, in the order of the docs.
var shipped = []string{"wave", "growth", "spike", "leak", "zone", "quiet", "nab-elb", "nab-taxi"}

// recorded traces are not drawn.
func recorded(name string) bool { return strings.HasPrefix(name, "nab-") }

const day = 24 * 60

// outcome is what one way to run a fleet made of a trace, in one world.
type outcome struct {
	simulator.Row
	first           int     // minutes over in the first day
	later           int     // and after it
	settledUSD      float64 // after the second day
	settledOver     int
	stepsADay       float64
	plans, exceeded int
}

func play(load trace.Trace, v simulator.Variant, m simulator.Model) outcome {
	r := simulator.Run(load, v.Fleet, m)
	o := outcome{Row: simulator.Row{Variant: v, USD: r.USD, Over: r.Over, Steps: len(r.Steps)}, plans: len(r.Plans), exceeded: len(r.Exceeded)}
	o.stepsADay = float64(len(r.Steps)) / max(1, float64(len(r.Minutes))/day)
	for minute, one := range r.Minutes {
		switch {
		case one.Over && minute < day:
			o.first++
		case one.Over:
			o.later++
		}
		if minute >= 2*day {
			o.settledUSD += one.USDPerHour / 60
			if one.Over {
				o.settledOver++
			}
		}
	}
	return o
}

// figures are a trace's.
type figures struct {
	load                 trace.Trace
	rows                 []simulator.Row // in the usual world
	goal, without, plain [2]outcome      // in the usual and in the harsh world
	best                 [2]outcome
	believed             outcome // the harsh world, while the plan believes in the usual one
}

// figuresOf plays a trace in both worlds. Best is the cheapest of one axis, or that never
// changes, that keeps the goal in both.
func figuresOf(t *testing.T, name string) *figures {
	t.Helper()
	fleet, model, err := readConfig(traces + "cdk.json")
	if err != nil {
		t.Fatal(err)
	}
	load, err := trace.ReadFile(traces + name + ".csv")
	if err != nil {
		t.Fatal(err)
	}
	if len(load.Requests) > 60*day {
		fleet.PlanEvery = 7 * day * time.Minute // or the test takes too long
	}
	worlds := [2]simulator.Model{model, model.Harsh()}
	f := &figures{load: load}
	allowed := (1 - fleet.Goal/100) * float64(len(load.Requests))
	try := func(v simulator.Variant) {
		a := play(load, v, worlds[0])
		f.rows = append(f.rows, a.Row)
		single := v.Axis != simulator.Both
		if !single || float64(a.Over) > allowed || f.best[0].Variant.Name != "" && a.USD >= f.best[0].USD {
			return
		}
		if b := play(load, v, worlds[1]); float64(b.Over) <= allowed {
			f.best = [2]outcome{a, b}
		}
	}
	for _, v := range simulator.Variants(fleet) {
		try(v)
	}
	rows := f.rows
	for count := fleet.Min; count <= fleet.Max; count++ {
		for rung, r := range fleet.Ladder {
			if f.best[0].Variant.Name != "" && float64(count)*fleet.USDPerHour[rung]*float64(len(load.Requests))/60 >= f.best[0].USD {
				continue
			}
			v := simulator.Variant{Axis: simulator.Fixed, Name: fmt.Sprintf("fixed, %d of %s", count, r.Type), Fleet: fleet}
			v.Fleet.Goal, v.Fleet.Surge, v.Fleet.Policy.Mode = 0, false, scaling.Off
			v.Fleet.Start, v.Fleet.Min, v.Fleet.Max = rung, count, count
			try(v)
		}
	}
	f.rows = rows
	for i, world := range worlds {
		f.goal[i] = play(load, simulator.Find(rows, "both").Variant, world)
		f.without[i] = play(load, simulator.Find(rows, "both, without a goal").Variant, world)
		f.plain[i] = play(load, simulator.Find(rows, "horizontal, m7g.large").Variant, world)
	}
	wrong := simulator.Find(rows, "both").Variant
	wrong.Fleet.Believes = &worlds[0]
	f.believed = play(load, wrong, worlds[1])
	return f
}

// TestFigures holds what docs/scaling.md says, and its tables, to what the
// simulator gives.
func TestFigures(t *testing.T) {
	all := make([]*figures, len(shipped))
	t.Run("traces", func(t *testing.T) {
		for i, name := range shipped {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				all[i] = figuresOf(t, name)
				all[i].hold(t, name)
			})
		}
	})
	if t.Failed() && !*update {
		return
	}
	for w, world := range []string{"usual", "harsh"} {
		var table bytes.Buffer
		fmt.Fprintln(&table, "| trace | with a goal: USD, minutes over | of them after the first day | steps a day | without: USD, minutes over | `startAt` by number: USD, minutes over | the best in hindsight: USD, minutes over | with a goal costs of it | and after two days |")
		fmt.Fprintln(&table, "|---|---|---|---|---|---|---|---|---|")
		for i, f := range all {
			goal, without, plain, best := f.goal[w], f.without[w], f.plain[w], f.best[w]
			mark, settled := "", "–"
			if f.load.Coarse() {
				mark = " †"
			}
			if best.settledUSD > 0 {
				settled = fmt.Sprintf("%.2f", goal.settledUSD/best.settledUSD)
			}
			fmt.Fprintf(&table, "| %s%s | %.2f, %d | %d | %.1f | %.2f, %d | %.2f, %d | %s: %.2f, %d | %.2f | %s |\n", shipped[i], mark, goal.USD, goal.Over,
				goal.later, goal.stepsADay, without.USD, without.Over, plain.USD, plain.Over, best.Variant.Name, best.USD, best.Over, goal.USD/best.USD, settled)
		}
		current(t, world, table.String())
	}
	var table bytes.Buffer
	fmt.Fprintln(&table, "| USD / minutes over / steps | "+strings.Join(shipped, " | ")+" |")
	fmt.Fprintln(&table, "|---|"+strings.Repeat("---|", len(shipped)))
	for i, row := range all[0].rows {
		fmt.Fprintf(&table, "| %s |", row.Variant.Name)
		for _, f := range all {
			fmt.Fprintf(&table, " %.2f / %d / %d |", f.rows[i].USD, f.rows[i].Over, f.rows[i].Steps)
		}
		fmt.Fprintln(&table)
	}
	current(t, "variants", table.String())
}

// hold holds a trace's figures to what the docs claim.
func (f *figures) hold(t *testing.T, name string) {
	if f.best[0].Variant.Name == "" {
		t.Fatal("nothing with one axis keeps the goal")
	}
	minutes := len(f.load.Requests)
	for w, world := range []string{"usual", "harsh"} {
		goal, plain, best := f.goal[w], f.plain[w], f.best[w]
		if float64(goal.later) > 0.001*float64(max(0, minutes-day)) {
			t.Errorf("%s world: %d of %d minutes after the first day are over", world, goal.later, minutes-day)
		}
		if goal.first > plain.first {
			t.Errorf("%s world: %d minutes of the first day are over, %d with startAt by number", world, goal.first, plain.first)
		}
		most := map[string]float64{"usual": 1.20, "harsh": 1.50}[world]
		if name == "growth" {
			most = 0.90
		}
		if goal.USD > most*best.USD {
			t.Errorf("%s world: it costs %.2f of the best one, want %.2f at most", world, goal.USD/best.USD, most)
		}
		if w == 0 && best.settledUSD > 0 && goal.settledUSD > 1.10*best.settledUSD {
			t.Errorf("after two days it costs %.2f of the best one, want 1.10 at most", goal.settledUSD/best.settledUSD)
		}
		steps := 6.0
		if recorded(name) {
			steps = 3
		}
		if goal.stepsADay > steps {
			t.Errorf("%s world: %.1f steps a day, want %g at most", world, goal.stepsADay, steps)
		}
	}
	if name == "spike" && f.goal[0].Over > 4 {
		t.Errorf("%d minutes over, want 4 at most", f.goal[0].Over)
	}
	if float64(f.believed.later) > 0.001*float64(max(0, minutes-day)) || recorded(name) && f.believed.stepsADay > 6 {
		t.Errorf("a harsher world than the plan believes in: %d minutes over after the first day, %.1f steps a day", f.believed.later, f.believed.stepsADay)
	}
	t.Logf("usual %.3f, harsh %.3f, believed %.3f of the best; over %d, %d, %d; exceeded %d, %d, %d", f.goal[0].USD/f.best[0].USD, f.goal[1].USD/f.best[1].USD, f.believed.USD/f.best[1].USD,
		f.goal[0].Over, f.goal[1].Over, f.believed.Over, f.goal[0].exceeded, f.goal[1].exceeded, f.believed.exceeded)
}

// TestSpikeAfterCalmDays: the first finds the smallest rung, the second what the plan
// made of the first.
func TestSpikeAfterCalmDays(t *testing.T) {
	fleet, model, err := readConfig(traces + "cdk.json")
	if err != nil {
		t.Fatal(err)
	}
	spike, err := trace.ReadFile(traces + "spike.csv")
	if err != nil {
		t.Fatal(err)
	}
	load := trace.Trace{Start: spike.Start, Every: 1}
	for d := range 12 {
		for minute := range day {
			requests := spike.Requests[minute%(8*60)]
			if d == 3 || d == 10 {
				requests = spike.Requests[minute]
			}
			load.Requests = append(load.Requests, requests)
		}
	}
	var over [12]int
	for minute, one := range simulator.Run(load, fleet, model).Minutes {
		if one.Over {
			over[minute/day]++
		}
	}
	if over[3] > 6 || over[10] > 4 {
		t.Errorf("%d minutes over, the same spike a week later %d: want 6 and 4 at most", over[3], over[10])
	}
	says(t, fmt.Sprintf("after calm days it is %d minutes, and a week later %d", over[3], over[10]))
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
		t.Errorf("%s says\n%s\nbut it is\n%s\nif that is meant, run `go test ./internal/command/simulate -update`", docs, got, want)
	}
}

// TestPicturesAreCurrent draws those of docs/scaling.md.
func TestPicturesAreCurrent(t *testing.T) {
	fleet, model, err := readConfig(traces + "cdk.json")
	if err != nil {
		t.Fatal(err)
	}
	fleet.PlanEvery = 7 * day * time.Minute // as in the tables
	for name, label := range map[string]string{
		"spike":  "A day: at nine the load is ten times as high, and instances go from two of m7g.large to six at once",
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
			t.Errorf("%s is not what the simulator draws; if that is meant, run `go test ./internal/command/simulate -update`", path)
		}
	}
}
