package simulator

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/archipelago-cdk/archipelago/scaling"
	"github.com/archipelago-cdk/archipelago/scaling/trace"
)

const (
	// PlanDays is how far a plan looks back.
	PlanDays = 14
	// leastHistory is the least that a plan is made by: a night and a day.
	leastHistory = 24 * time.Hour
	// mostMissing is the share of minutes that may be missing.
	mostMissing = 0.1
	// reserve is the share of what the goal allows that the past may have used: the
	// future is not the past.
	reserve = 0.5
	// judged is the time over which a goal is kept: what it allows in two weeks may not
	// be spent in one.
	judged = 7 * 24 * time.Hour
)

// History is what a fleet's past load was.
type History struct {
	// Start is the first minute.
	Start time.Time
	// Requests are the requests a second in each minute; NaN where that is not known.
	Requests []float64
}

// Plan is the lowest rung that a fleet may have, and why.
type Plan struct {
	// At is when it was made, and Reached when the fleet first had its floor, or a larger
	// type; zero: not yet.
	At      time.Time `json:"at"`
	Reached time.Time `json:"reached,omitzero"`
	// Floor is the instance type. Default: none, for the reason None.
	Floor string `json:"floor,omitempty"`
	None  string `json:"none,omitempty"`
	// Goal is the percentage of minutes, Minutes are those that were replayed, and
	// Allowed is how many of the worst seven days of them, or of all if they are fewer,
	// may have been over.
	Goal    float64 `json:"goal"`
	Minutes int     `json:"minutes,omitempty"`
	Allowed float64 `json:"allowed,omitempty"`
	// Misses: no floor would have been over in so few.
	Misses bool `json:"misses,omitempty"`
	// Harsh: it was made for a world harsher than what is known of this one.
	Harsh bool `json:"harsh,omitempty"`
	// WorstDay is how many minutes over the floor's worst day had.
	WorstDay int `json:"worstDay"`
	// Floors is what each would have cost and missed, but for those that cost more at
	// rest than the one that was chosen.
	Floors []Floor `json:"floors,omitempty"`
}

// Floor is what a floor would have cost, and how many minutes were over: in all, and
// in the worst seven days.
type Floor struct {
	Type string  `json:"type"`
	USD  float64 `json:"usd"`
	Over int     `json:"over"`
	Week int     `json:"week"`
	Day  int     `json:"day"`
}

// NewPlan replays a fleet's past with each rung as its floor, and takes the cheapest
// that would have been over in half of the minutes at most that the goal allows. It
// changes nothing and remembers nothing. With a past that says too little, no prices, or
// a goal that nothing can keep, there is no floor, and the plan says why.
func NewPlan(h History, f Fleet, m Model, harsh bool) Plan {
	at := h.Start.Add(time.Duration(len(h.Requests)) * time.Minute)
	p := Plan{At: at, Goal: f.Goal, Harsh: harsh}
	if harsh {
		m = m.harsher()
	}
	load, why := h.load()
	switch {
	case f.Goal >= 100:
		why = "a goal of 100 % leaves nothing to plan with; 99.99 does"
	case why == "" && len(unpriced(f)) > 0:
		why = fmt.Sprintf("there is no price of %s; make prices adds what AWS's price list has", strings.Join(unpriced(f), ", "))
	}
	if why != "" {
		p.None = why
		return p
	}
	p.Minutes = len(load)
	window := min(len(load), minutes(judged))
	p.Allowed = reserve * (1 - f.Goal/100) * float64(window)
	best := 0
	for i, rung := range f.Ladder {
		// One that costs more at rest than a smaller one that keeps the goal is not tried.
		if i > 0 && p.keeps(p.Floors[best]) && float64(f.Min)*f.USDPerHour[i]*float64(len(load))/60 > p.Floors[best].USD {
			continue
		}
		r := Run(trace.Trace{Start: h.Start, Requests: load}, f.replayed(i, load[0], m), m)
		p.Floors = append(p.Floors, Floor{Type: rung.Type, USD: r.USD, Over: r.Over, Week: worst(r.Minutes, window), Day: worst(r.Minutes, 24*60)})
		if n := len(p.Floors) - 1; p.better(p.Floors[n], p.Floors[best]) {
			best = n
		}
	}
	p.Floor, p.WorstDay = p.Floors[best].Type, p.Floors[best].Day
	p.Misses = !p.keeps(p.Floors[best])
	return p
}

func (p Plan) keeps(f Floor) bool { return float64(f.Week) <= p.Allowed }

// better reports whether floor a is one to prefer to b.
func (p Plan) better(a, b Floor) bool {
	keepsA, keepsB := p.keeps(a), p.keeps(b)
	switch {
	case keepsA != keepsB:
		return keepsA
	case keepsA || a.Week == b.Week:
		return a.USD < b.USD
	}
	return a.Week < b.Week
}

// Exceeded reports whether a day with so many minutes over is worse than the plan
// foresaw, and than the goal allows for a day.
func (p Plan) Exceeded(over int) bool {
	return p.Floor != "" && over > p.WorstDay && float64(over) > (1-p.Goal/100)*24*60
}

// Replay is how many minutes of a past would have been over with the plan's floor, from a
// time on. What was before it decides what the fleet was like by then.
func (p Plan) Replay(h History, f Fleet, m Model, since time.Time) int {
	load, why := h.load()
	floor := f.Ladder.Find(p.Floor)
	if why != "" || floor < 0 {
		return 0
	}
	if p.Harsh {
		m = m.harsher()
	}
	r := Run(trace.Trace{Start: h.Start, Requests: load}, f.replayed(floor, load[0], m), m)
	return over(r.Minutes[max(0, min(minutes(since.Sub(h.Start)), len(r.Minutes))):])
}

// over is how many of the minutes are.
func over(all []Minute) int {
	n := 0
	for i := range all {
		if all[i].Over {
			n++
		}
	}
	return n
}

// load is the past without gaps, which have the higher load of both ends, or why it
// says too little.
func (h History) load() ([]float64, string) {
	n := len(h.Requests)
	if short := time.Duration(n) * time.Minute; short < leastHistory {
		return nil, fmt.Sprintf("%.0f hours of history are too few, a day is the least", short.Hours())
	}
	load := make([]float64, n)
	missing, last := 0, 0.0
	for i, r := range h.Requests {
		if !math.IsNaN(r) {
			last = r
		} else {
			missing++
		}
		load[i] = last
	}
	for i, next := n-1, 0.0; i >= 0; i-- {
		if !math.IsNaN(h.Requests[i]) {
			next = h.Requests[i]
		} else {
			load[i] = max(load[i], next)
		}
	}
	if float64(missing) > mostMissing*float64(n) {
		return nil, fmt.Sprintf("of %d minutes of history %d are missing", n, missing)
	}
	return load, ""
}

// unpriced are the types of the ladder that have no price.
func unpriced(f Fleet) []string {
	var types []string
	for i, rung := range f.Ladder {
		if i >= len(f.USDPerHour) || f.USDPerHour[i] <= 0 {
			types = append(types, rung.Type)
		}
	}
	return types
}

// replayed is the fleet with a floor and no plan, as it would have been at a load: on
// the lowest rung from the floor on that bears it, with as many instances as it takes.
func (f Fleet) replayed(floor int, load float64, m Model) Fleet {
	m = m.withDefaults()
	f.Goal, f.Floor = 0, f.Ladder[floor].Type
	f.Policy.Mode = scaling.Auto
	target := f.Policy.WithDefaults().CPUTarget
	b := begin{rung: floor}
	for {
		rung := f.Ladder[b.rung]
		b.count = wanted(1, 100*load*m.CPUPerRequest.Seconds()/float64(rung.VCPU), min(target, rung.Baseline))
		if b.count <= f.Max || b.rung == len(f.Ladder)-1 {
			break
		}
		b.rung++
	}
	b.count = max(f.Min, min(f.Max, b.count))
	f.begin = &b
	return f
}

// worst is the most minutes over in any so many in a row.
func worst(all []Minute, window int) int {
	over, most := 0, 0
	for i := range all {
		if all[i].Over {
			over++
		}
		if i >= window && all[i-window].Over {
			over--
		}
		most = max(most, over)
	}
	return most
}

// String says it in a sentence for the operator.
func (p Plan) String() string {
	if p.None != "" {
		return "no plan for the goal: " + p.None
	}
	var floors []string
	for _, f := range p.Floors {
		floors = append(floors, fmt.Sprintf("%s $%.2f and %d", f.Type, f.USD, f.Over))
	}
	world, misses := "", ""
	if p.Harsh {
		world = " in a harsher world"
	}
	if p.Misses {
		misses = ", which would miss the goal less than the others"
	}
	return fmt.Sprintf("the floor is %s%s: in the last %.0f days each would have cost, and been over the goal of %g %% for minutes%s: %s; %.1f in the worst week is half of what it allows",
		p.Floor, misses, float64(p.Minutes)/(24*60), p.Goal, world, strings.Join(floors, ", "), p.Allowed)
}

// Print prints a table of the floors, and the sentence.
func (p Plan) Print(w io.Writer) error {
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(p.Floors) > 0 {
		fmt.Fprintln(columns, "FLOOR\tUSD\tMINUTES OVER THE GOAL\tIN THE WORST WEEK\tIN THE WORST DAY\t")
	}
	for _, f := range p.Floors {
		fmt.Fprintf(columns, "%s\t%.2f\t%d\t%d\t%d\t\n", f.Type, f.USD, f.Over, f.Week, f.Day)
	}
	if len(p.Floors) > 0 {
		fmt.Fprintln(columns)
	}
	fmt.Fprintln(columns, p)
	return columns.Flush()
}
