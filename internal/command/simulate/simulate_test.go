package simulate

import (
	"bytes"
	"encoding/csv"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const traces = "../../../scaling/traces/"

// cdkJSON is a cdk.json with some keys, beside those of a service.
func cdkJSON(keys string) string {
	return `{"context": {"archipelago": {"service": {"name": "hello", "package": "./service", "port": 8080, "health": "/healthz"}, ` + keys + `}}}`
}

// simulate runs the program and returns what it printed and the report.
func simulate(t *testing.T, args ...string) (stdout, page string) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "report.html")
	var buffer bytes.Buffer
	if err := Run(t.Context(), append(args, "-out", out), &buffer); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return buffer.String(), string(b)
}

func TestReport(t *testing.T) {
	out := filepath.Join(t.TempDir(), "report.html")
	var stdout bytes.Buffer
	if err := Run(t.Context(), []string{"-config", traces + "cdk.json", "-trace", traces + "spike.csv", "-out", out}, &stdout); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	for _, want := range []string{
		"both", "horizontal, m7g.2xlarge", "vertical, 6 instances", "fixed, 6 of m7g.large", "the best with one axis, in hindsight",
		"requests a second", "instances in service", "slowest of a hundred requests, ms", "USD an hour", "requests a second", "<svg",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, refused := range []string{"src=", "href=", "url(", "ZgotmplZ", "NaN", "fill:#-"} {
		if strings.Contains(page, refused) {
			t.Errorf("the page has %q: it is to need nothing else, and to be sound", refused)
		}
	}
	file, err := os.Open(csvName(out))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	records, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	// A day of minutes and the last midnight, in points of five.
	if got := len(records); got != 1+24*12+1 {
		t.Errorf("the CSV has %d lines", got)
	}
	if got := strings.Join(records[1][:5], " "); got != "2026-01-05T00:00:00Z 101.0 800.0 2.0 m7g.large" {
		t.Errorf("its first point is %q", got)
	}
	if !strings.Contains(stdout.String(), "horizontal, m7g.xlarge") || !strings.Contains(stdout.String(), out) {
		t.Errorf("it prints\n%s", stdout.String())
	}
}

// TestPolicyChoosesTheAxis that is compared and drawn.
func TestPolicyChoosesTheAxis(t *testing.T) {
	for policy, want := range map[string]struct{ drawn, other string }{
		"horizontal": {`<h2>horizontal, m7g.medium</h2>`, "vertical, "},
		"vertical":   {`<h2>vertical, 2 instances</h2>`, "horizontal, "},
		"both":       {`<h2>both</h2>`, "nothing of this name"},
	} {
		stdout, page := simulate(t, "-config", traces+"cdk.json", "-trace", traces+"quiet.csv", "-policy", policy)
		if !strings.Contains(page, want.drawn) {
			t.Errorf("%s: the page lacks %q", policy, want.drawn)
		}
		if strings.Contains(stdout, want.other) {
			t.Errorf("%s: it prints\n%s", policy, stdout)
		}
	}
}

// TestShippedConfigurationIsSimulated with its defaults, prices and all.
func TestShippedConfigurationIsSimulated(t *testing.T) {
	stdout, _ := simulate(t, "-config", "../../../cdk.json", "-trace", traces+"quiet.csv")
	// Two weeks of two m7g.medium in eu-west-1, whose hour is $0.0455.
	if want := "horizontal, m7g.medium   30.58"; !strings.Contains(stdout, want) {
		t.Errorf("it lacks %q:\n%s", want, stdout)
	}
}

func TestRefusals(t *testing.T) {
	config := func(text string) string {
		path := filepath.Join(t.TempDir(), "cdk.json")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	load := filepath.Join(t.TempDir(), "load.csv")
	if err := os.WriteFile(load, []byte("time,requests/s\n2026-01-05T00:00:00Z,-1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"flags": {[]string{"-policy", "diagonal", "-cpu-per-request", "0s", "-boot", "90s", "-busiest", "0.5", "more"}, []string{
			"want flags only", "-trace: want a file", "-policy: want both, horizontal or vertical, got \"diagonal\"", "-cpu-per-request: want more than 0", "-boot: want 1 to 60 whole minutes", "-busiest: want 1 to 100, got 0.5",
		}},
		"goal":              {[]string{"-config", traces + "cdk.json", "-trace", traces + "quiet.csv", "-goal", "20ms"}, []string{"-goal: want at least five times -cpu-per-request, 25ms"}},
		"no file":           {[]string{"-trace", "nothing.csv", "-config", traces + "cdk.json"}, []string{"nothing.csv"}},
		"trace":             {[]string{"-trace", load, "-config", traces + "cdk.json"}, []string{load + " is not a trace", "line 2: want requests a second"}},
		"no JSON":           {[]string{"-trace", traces + "quiet.csv", "-config", config("{")}, []string{"cdk.json: "}},
		"no price":          {[]string{"-trace", traces + "quiet.csv", "-config", config(cdkJSON(`"regions": [{"name": "sa-east-1"}]`))}, []string{"no price in sa-east-1 of instance m7g.medium, instance m7g.large, instance m7g.xlarge, instance m7g.2xlarge: make prices adds what AWS's price list of EC2 has"}},
		"no price of types": {[]string{"-trace", traces + "quiet.csv", "-config", config(cdkJSON(`"regions": ["eu-west-1"], "fleet": {"ladder": ["t3.small", "m8a.large"], "cpuTarget": 15}`))}, []string{"no price in eu-west-1 of instance t3.small, instance m8a.large, surplus credit t3: make prices adds what"}},
		"all at once": {[]string{"-trace", traces + "quiet.csv", "-config", config(`{"context": {"archipelago": {"fleet": {"max": 3, "min": 5}, "service": {"name": "hello"}}}}`)}, []string{
			"archipelago.fleet.max: want at least fleet.min, 5, got 3", "archipelago.regions: want at least one region", "archipelago.service.port: want",
		}},
		"too many": {[]string{"-trace", traces + "quiet.csv", "-config", config(cdkJSON(`"regions": ["eu-west-1"], "fleet": {"max": 1001}`))},
			[]string{"archipelago.fleet.max: want at most 1000 to simulate, got 1001"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := Run(t.Context(), append(c.args, "-out", filepath.Join(t.TempDir(), "x.html")), &bytes.Buffer{})
			if err == nil {
				t.Fatal("it is taken")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error lacks %q:\n%v", want, err)
				}
			}
		})
	}
}

// TestPlan prints each floor that was replayed, or why there is none.
func TestPlan(t *testing.T) {
	var out bytes.Buffer
	if err := Run(t.Context(), []string{"-plan", "-config", traces + "cdk.json", "-trace", traces + "spike.csv"}, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"FLOOR", "m7g.medium ", "the floor is m7g.xlarge: in the last 1 days"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it lacks %q:\n%s", want, out.String())
		}
	}
	for _, harsh := range []string{"-harsh", "-harsh=false"} {
		err := Run(t.Context(), []string{"-plan", harsh, "-config", traces + "cdk.json", "-trace", traces + "nab-taxi.csv"}, &out)
		if err == nil || !strings.Contains(err.Error(), "-plan: want a trace with lines 5 minutes apart at most, got 30") {
			t.Errorf("%s: means of half an hour are taken: %v", harsh, err)
		}
	}
}

// TestCoarseTraceIsMarked where nothing else says that its minutes over are too few.
func TestCoarseTraceIsMarked(t *testing.T) {
	stdout, _ := simulate(t, "-config", traces+"cdk.json", "-trace", traces+"quiet.csv")
	if !strings.Contains(stdout, "lines are 15 minutes apart") {
		t.Errorf("it prints\n%s", stdout)
	}
}

// TestInputsAreNotReplaced: the CSV beside a report has the name of the trace,
// when both lie in one directory.
func TestInputsAreNotReplaced(t *testing.T) {
	t.Chdir(t.TempDir())
	const load = "time,requests/s\n2026-01-05T00:00:00Z,1\n2026-01-05T00:01:00Z,1\n"
	config, err := filepath.Abs("cdk.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"mine.csv": load,
		"cdk.json": cdkJSON(`"regions": ["eu-west-1"]`),
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{},
		{"-out", "mine.html"},
		{"-out", "./mine.csv"},
		{"-out", "other.csv"},
		{"-out", config},
	} {
		err := Run(t.Context(), append([]string{"-config", "cdk.json", "-trace", "mine.csv"}, args...), io.Discard)
		if err == nil || !strings.Contains(err.Error(), "-out: want") {
			t.Errorf("%q: got %v", args, err)
		}
		if b, err := os.ReadFile("mine.csv"); err != nil || string(b) != load {
			t.Fatalf("%q: the trace became %q (%v)", args, b, err)
		}
	}
	if err := Run(t.Context(), []string{"-config", "cdk.json", "-trace", "mine.csv", "-out", "report.html"}, io.Discard); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat("report.csv"); err != nil {
		t.Error(err)
	}
}
