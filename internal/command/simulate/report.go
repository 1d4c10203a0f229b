package simulate

import (
	"cmp"
	_ "embed"
	"encoding/csv"
	"fmt"
	"html/template"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/chart"
	"github.com/archipelago-cdk/archipelago/scaling"
	"github.com/archipelago-cdk/archipelago/scaling/simulator"
	"github.com/archipelago-cdk/archipelago/scaling/trace"
)

// report is what a page says of a simulation.
type report struct {
	Name string
	// Rows are the variants that are compared, both axes or the axis asked for.
	Rows  []row
	Drawn string // name of the variant that is drawn
	// Each is how many minutes a point of the plots stands for.
	Each  int
	Steps []step

	trace  trace.Trace
	fleet  simulator.Fleet
	model  simulator.Model
	points []point
}

// row is a variant's result, and what is to be said of it.
type row struct {
	simulator.Row
	Note string
}

// step is a change of all instances, in words.
type step struct {
	At, What, Why string
}

// point is what is drawn of some minutes: the fleet in the minute of the highest
// load, the highest use and time, and the mean of what is paid.
type point struct {
	minute          int
	load, capacity  float64
	count           float64
	rung            int
	cpu, p99, usd   float64
	over, refreshes int // minutes
}

// maxPoints is how many points a line may have.
const maxPoints = 1200

func newReport(name string, t trace.Trace, f simulator.Fleet, m simulator.Model, axis simulator.Axis) *report {
	r := &report{Name: name, trace: t, fleet: f, model: m}
	rows := simulator.Compare(t, f, m)
	best := simulator.Best(rows)
	drawn := rows[0]
	for _, one := range rows {
		if axis != simulator.Both && one.Variant.Axis != axis && one.Variant.Axis != simulator.Fixed {
			continue
		}
		note := ""
		if one.Variant.Name == best.Variant.Name {
			note = "the best with one axis, in hindsight"
		}
		r.Rows = append(r.Rows, row{one, note})
	}
	if axis != simulator.Both {
		drawn = r.best(axis)
	}
	r.Drawn = drawn.Variant.Name
	r.draw(drawn.Variant.Fleet, maxPoints)
	return r
}

// best is the row of an axis that was over the goal the least, and of these the
// cheapest.
func (r *report) best(axis simulator.Axis) simulator.Row {
	var rows []simulator.Row
	for _, row := range r.Rows {
		if row.Variant.Axis == axis {
			rows = append(rows, row.Row)
		}
	}
	return simulator.Best(rows)
}

// draw runs the variant that is drawn, and keeps as many points at most.
func (r *report) draw(f simulator.Fleet, most int) {
	r.fleet, r.points, r.Steps = f, nil, nil
	result := simulator.Run(r.trace, f, r.model)
	for _, r.Each = range []int{1, 5, 15, 60, 4 * 60, 24 * 60, 7 * 24 * 60} {
		if len(result.Minutes)/r.Each <= most {
			break
		}
	}
	for from := 0; from < len(result.Minutes); from += r.Each {
		r.points = append(r.points, summary(from, result.Minutes[from:min(from+r.Each, len(result.Minutes))]))
	}
	for _, s := range result.Steps {
		what := fmt.Sprintf("%s to %s", s.Action.Kind, s.Action.To.Type)
		if s.Action.Kind == scaling.Recycle {
			what = string(s.Action.Kind)
		}
		r.Steps = append(r.Steps, step{At: r.at(s.Minute).Format("Mon 2 Jan 15:04"), What: what, Why: s.Action.Reason.String()})
	}
}

func summary(from int, minutes []simulator.Minute) point {
	busiest := slices.MaxFunc(minutes, func(a, b simulator.Minute) int { return cmp.Compare(a.Load, b.Load) })
	p := point{minute: from, load: busiest.Load, capacity: busiest.Capacity, count: float64(busiest.Count), rung: busiest.Rung}
	for _, m := range minutes {
		p.cpu, p.p99 = max(p.cpu, m.CPU), max(p.p99, m.P99)
		p.usd += m.USDPerHour / float64(len(minutes))
		if m.Over {
			p.over++
		}
		if m.Refreshing {
			p.refreshes++
		}
	}
	return p
}

func (r *report) at(minute int) time.Time {
	return r.trace.Start.Add(time.Duration(minute) * time.Minute)
}

//go:embed report.html
var page string

var pageTemplate = template.Must(template.New("report").Parse(page))

// write writes the page and the CSV beside it.
func (r *report) write(path string) error {
	wide, err := r.svg(r.panels(), 860)
	if err != nil {
		return err
	}
	narrow, err := r.svg(r.panels(), 360)
	if err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	err = pageTemplate.Execute(file, struct {
		*report
		Palette      template.CSS
		Wide, Narrow template.HTML
		From, To     string
		Fleet        simulator.Fleet
		Model        simulator.Model
	}{r, template.CSS(chart.Palette), template.HTML(wide), template.HTML(narrow),
		r.at(0).Format("2 January 2006 15:04"), r.at(len(r.trace.Requests) - 1).Format("2 January 2006 15:04"), r.fleet, r.model})
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return r.writeCSV(csvName(path))
}

// csvName is the name of the CSV beside a page.
func csvName(path string) string { return strings.TrimSuffix(path, filepath.Ext(path)) + ".csv" }

// writeCSV writes the points of the plots.
func (r *report) writeCSV(path string) error {
	records := [][]string{{"time", "requests/s", "capacity requests/s", "instances", "type", "CPU %", "p99 ms", "minutes over the goal", "USD/h", "minutes of replacement"}}
	for _, p := range r.points {
		records = append(records, []string{
			r.at(p.minute).Format(time.RFC3339), number(p.load), number(p.capacity), number(p.count), r.fleet.Ladder[p.rung].Type,
			number(p.cpu), number(1000 * p.p99), strconv.Itoa(p.over), strconv.FormatFloat(p.usd, 'f', 4, 64), strconv.Itoa(p.refreshes),
		})
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := csv.NewWriter(file).WriteAll(records); err != nil {
		return err
	}
	return file.Close()
}

// number has one decimal; what has no end is empty in a spreadsheet.
func number(f float64) string {
	if math.IsInf(f, 0) {
		return ""
	}
	return strconv.FormatFloat(f, 'f', 1, 64)
}
