package trace_test

import (
	"bytes"
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/scaling/trace"
)

var update = flag.Bool("update", false, "write the traces in scaling/traces instead of comparing with them")

const hour, day, week = 60, 24 * 60, 7 * 24 * 60

// shipped are the traces that come with the project. Nobody's load is in them:
// they are drawn from formulas and a fixed seed. Six instances of the smallest
// type of the ladder in scaling/traces/cdk.json do 1,200 requests a second at
// 5 ms of CPU each, and 660 at the CPU target.
var shipped = map[string]struct {
	minutes int
	every   int // minutes between lines
	load    func(minute float64) float64
	events  []trace.Event
}{
	// A week of office hours: 1,100 at the peak of a working day, a third of it on
	// the two last days, 60 at night.
	"wave": {minutes: week, every: 5, load: func(m float64) float64 {
		peak := 1040.0
		if m >= 5*day {
			peak /= 3
		}
		return 60 + peak*daylight(m)
	}},
	// A year in which the load grows by 6 % each week, from 120 at the peak to 2,500.
	"growth": {minutes: 52 * week, every: 60, load: func(m float64) float64 {
		peak := 1.0
		if math.Mod(m, week) >= 5*day {
			peak /= 3
		}
		return 120 * math.Pow(1.06, m/week) * (0.1 + 0.9*peak*daylight(m))
	}},
	// A quiet day, at whose ninth hour the load is ten times as high within two
	// minutes, stays so for three hours and goes away within one.
	"spike": {minutes: day, every: 1, load: func(m float64) float64 {
		return 100 + 900*ramp(m, 9*hour, 9*hour+2)*(1-ramp(m, 12*hour, 13*hour))
	}},
	// A week of even load, in which each instance's memory grows by 40 MiB an hour.
	"leak": {minutes: week, every: 5, load: func(m float64) float64 {
		return 250 + 50*daylight(m)
	}, events: []trace.Event{{Minute: 5, Kind: trace.Leak, MiBPerHour: 40}}},
	// A day with its peak at 1,000, when one of three zones fails for two hours.
	"zone": {minutes: day, every: 1, load: func(m float64) float64 {
		return 100 + 900*daylight(m)
	}, events: []trace.Event{{Minute: 13 * hour, Kind: trace.ZoneLost}, {Minute: 15 * hour, Kind: trace.ZoneBack}}},
	// Two weeks in which nearly nobody comes.
	"quiet": {minutes: 2 * week, every: 15, load: func(m float64) float64 {
		return 10 + 20*daylight(m)
	}},
}

// daylight is 0 at night and 1 at one in the afternoon.
func daylight(minute float64) float64 {
	return math.Pow(math.Max(0, math.Sin(math.Pi*(math.Mod(minute, day)-1*hour)/day)), 3)
}

// ramp is 0 until from, 1 after to, and rises evenly in between.
func ramp(m, from, to float64) float64 {
	return math.Max(0, math.Min(1, (m-from)/(to-from)))
}

// TestShippedTracesAreAsGenerated keeps their origin known.
func TestShippedTracesAreAsGenerated(t *testing.T) {
	for name, s := range shipped {
		random := rand.New(rand.NewPCG(1, 2))
		made := trace.Trace{Start: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), Events: s.events}
		noise := 0.0
		for minute := range s.minutes + 1 {
			if minute%s.every == 0 {
				noise = 0.8*noise + 0.02*random.NormFloat64() // it changes slowly, by some 3 %
			}
			made.Requests = append(made.Requests, math.Round(10*s.load(float64(minute))*(1+noise))/10)
		}
		var want bytes.Buffer
		if err := made.Write(&want, s.every); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("..", "traces", name+".csv")
		if *update {
			if err := os.WriteFile(path, want.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s is not what its formula makes; if that is meant, run `go test ./scaling/trace -update`", path)
		}
	}
}
