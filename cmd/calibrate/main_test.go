package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/sqlite"
)

// slow is a service with one CPU that takes 5 ms for a request: of what is
// offered it answers 200 a second at most, and the nearer to that the longer all
// wait.
func slow(rate float64) (measurement, error) {
	m := measurement{Offered: rate, Answered: min(rate, 200), CPU: min(100, rate/2), P99: 5 * time.Second}
	if rate < 200 {
		m.P99 = time.Duration(23 * float64(time.Millisecond) / (1 - rate/200))
	}
	return m, nil
}

const goal = 100 * time.Millisecond

// TestTheKneeIsFound: 23 ms become 100 at 77 % of 200 requests a second.
func TestTheKneeIsFound(t *testing.T) {
	var tried []float64
	measurements, err := search(10, 20000, goal, func(rate float64) (measurement, error) {
		tried = append(tried, rate)
		return slow(rate)
	})
	if err != nil {
		t.Fatal(err)
	}
	a, err := advise(measurements, goal, 1)
	if err != nil {
		t.Fatal(err)
	}
	if a.Knee.Offered > 154 || a.Beyond.Offered < 154 || a.Beyond.Offered-a.Knee.Offered > 10 {
		t.Errorf("the knee is between %g and %g, want 154 between, and both near", a.Knee.Offered, a.Beyond.Offered)
	}
	if want := int(0.6 * 60 * a.Knee.Offered); a.RequestsPerTarget != want {
		t.Errorf("%d requests per target, want %d, 60 %% of the knee", a.RequestsPerTarget, want)
	}
	if want := int(0.6 * a.Knee.Offered / 2); a.CPUTarget != want {
		t.Errorf("a CPU target of %d %%, want %d, the use at 60 %% of the knee", a.CPUTarget, want)
	}
	if d := a.CPUPerRequest - 5*time.Millisecond; d.Abs() > time.Microsecond {
		t.Errorf("%s of CPU for a request, want 5 ms", a.CPUPerRequest)
	}
	if a.doubtful() {
		t.Error("it is doubted, with three quarters of the CPU in use")
	}
	if len(tried) > 20 {
		t.Errorf("%d rates were tried, more than there is time for: %v", len(tried), tried)
	}
	text := a.findings(goal, 1) + a.text(1)
	for _, want := range []string{`"cpuTarget": 4`, `"requestsPerTarget": 5`, "more than 100ms", "-cpu-per-request 5ms"} {
		if !strings.Contains(text, want) {
			t.Errorf("the text lacks %q:\n%s", want, text)
		}
	}
}

// TestAKneeOfThroughput: a service that answers fast what it answers, and drops
// the rest.
func TestAKneeOfThroughput(t *testing.T) {
	drops := func(rate float64) (measurement, error) {
		return measurement{Offered: rate, Answered: min(rate, 100), P99: time.Millisecond, CPU: min(90, rate)}, nil
	}
	measurements, err := search(10, 20000, goal, drops)
	if err != nil {
		t.Fatal(err)
	}
	a, err := advise(measurements, goal, 1)
	if err != nil || a.Knee.Offered < 85 || a.Knee.Offered > 102 {
		t.Errorf("the knee is at %g, want 100: %v", a.Knee.Offered, err)
	}
	if !strings.Contains(a.Beyond.why(goal), "requests a second were answered") {
		t.Errorf("it says %q", a.Beyond.why(goal))
	}
}

// TestAHiccupIsNotTheKnee, but one that stays is, and one that the CPU has no part in
// is doubted.
func TestAHiccupIsNotTheKnee(t *testing.T) {
	calls := 0
	measurements, err := search(10, 20000, goal, func(rate float64) (measurement, error) {
		m, err := slow(rate)
		if calls++; calls%3 != 0 {
			m.P99 = time.Second
		}
		return m, err
	})
	if err != nil {
		t.Fatal(err)
	}
	a, err := advise(measurements, goal, 1)
	if err != nil || a.Knee.Offered < 140 {
		t.Errorf("the knee is at %g: %v", a.Knee.Offered, err)
	}
	a, err = advise([]measurement{{Offered: 50, Answered: 50, CPU: 25}, {Offered: 60, Answered: 20, CPU: 10}}, goal, 1)
	if err != nil || !a.doubtful() {
		t.Errorf("with a quarter of the CPU in use it is not doubted: %v", err)
	}
}

func TestNoKnee(t *testing.T) {
	for name, c := range map[string]struct {
		from, most float64
		want       string
	}{
		"before the first": {190, 20000, "does not keep the lowest rate, 190 requests a second: 99 % were answered within 460ms"},
		"after the last":   {10, 100, "keeps every rate up to 100 requests a second"},
	} {
		measurements, err := search(c.from, c.most, goal, slow)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := advise(measurements, goal, 1); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	if _, err := advise(nil, goal, 1); err == nil {
		t.Error("advice without measurements")
	}
	broken := errors.New("broken")
	if _, err := search(1, 2, goal, func(float64) (measurement, error) { return measurement{}, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestPlot(t *testing.T) {
	measurements, err := search(10, 20000, goal, slow)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "plot.svg")
	if err := draw(path, measurements, goal); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<svg", "requests a second, answered over offered", "goal", "CPU, %", "prefers-color-scheme: dark"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("the plot lacks %q", want)
		}
	}
	if strings.Contains(string(b), "NaN") || strings.Contains(string(b), "Inf") {
		t.Error("the plot has values that are not numbers")
	}
}

// TestServiceTakesTheMix: every kind of request is one that the service answers,
// writes too.
func TestServiceTakesTheMix(t *testing.T) {
	t.Chdir("../..")
	dir, ctx := t.TempDir(), context.Background()
	ids, err := fill(ctx, dir, 60, "calibrate", "a password for the test")
	if err != nil {
		t.Fatal(err)
	}
	program, err := build(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s, err := start(program, dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	session, err := s.signIn("calibrate", "a password for the test")
	if err != nil {
		t.Fatal(err)
	}
	m, err := attack(s, mix(s.url, session, ids), 100, 4*time.Second)
	if err != nil || m.Answered == 0 || m.CPU == 0 {
		t.Errorf("got %+v, %v", m, err)
	}
	s.stop()
	store, err := sqlite.Open(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	added, err := store.Page(ctx, directory.Query{Prefix: "new ", Limit: 10})
	if err != nil || len(added.Employees) == 0 {
		t.Errorf("nobody was added: %v", err)
	}
	if _, err := attack(s, mix(s.url, session, ids), 100, time.Second); err == nil {
		t.Error("a service that has ended was measured")
	}
}

func TestFlagsAreRefusedAtOnce(t *testing.T) {
	err := run(context.Background(), []string{"-goal", "0s", "-duration", "1s", "-from", "10", "-max", "5", "-cpus", "0", "-employees", "0", "more"}, &bytes.Buffer{})
	if err == nil {
		t.Fatal("they are taken")
	}
	for _, want := range []string{"want flags only", "-goal: want", "-duration: want", "-from, -max: want", "-cpus: want", "-employees: want"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
}

// TestOutputIsTriedFirst: what took minutes to measure is not lost to a typing
// error, and what cannot be measured leaves no empty plot.
func TestOutputIsTriedFirst(t *testing.T) {
	ended, cancel := context.WithCancel(context.Background())
	cancel() // nothing is measured
	missing := filepath.Join(t.TempDir(), "missing", "plot.svg")
	if err := run(ended, []string{"-out", missing}, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "-out: ") {
		t.Errorf("%s: got %v", missing, err)
	}
	fresh := filepath.Join(t.TempDir(), "plot.svg")
	if err := run(ended, []string{"-out", fresh}, &bytes.Buffer{}); err == nil || strings.Contains(err.Error(), "-out: ") {
		t.Errorf("%s: got %v", fresh, err)
	}
	if _, err := os.Stat(fresh); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left behind: %v", fresh, err)
	}
	before := filepath.Join(t.TempDir(), "before.svg")
	if err := os.WriteFile(before, []byte("<svg/>"), 0o600); err != nil {
		t.Fatal(err)
	}
	_ = run(ended, []string{"-out", before}, &bytes.Buffer{})
	if b, err := os.ReadFile(before); err != nil || string(b) != "<svg/>" {
		t.Errorf("the plot of before is now %q (%v)", b, err)
	}
}
