package simulate

import (
	"fmt"
	"math"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/chart"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
)

// panel is one of the plots that share their time.
type panel struct {
	title string
	lines []line
	ticks plot.Ticker // of the value; default: numbers
	min   float64     // of the value
	max   float64     // of the value; default: what holds the lines
}

// line is a line of a panel.
type line struct {
	chart.Line
	value func(p point) float64
}

// panels are what is drawn of a result, the first four what docs show.
func (r *report) panels() []panel {
	var rungs []plot.Tick
	for i, rung := range r.fleet.Ladder {
		rungs = append(rungs, plot.Tick{Value: float64(i), Label: rung.Type})
	}
	goal := 1000 * r.model.Goal.Seconds()
	constant := func(name string, value float64) line {
		return line{chart.Line{Name: name, Color: chart.Second, Dashed: true}, func(point) float64 { return value }}
	}
	even, stepped := chart.Line{Color: chart.First}, chart.Line{Color: chart.First, Steps: true}
	return []panel{
		{title: "requests a second", lines: []line{
			{chart.Line{Name: "load", Color: chart.First}, func(p point) float64 { return p.load }},
			{chart.Line{Name: "with all CPUs busy", Color: chart.Second, Steps: true}, func(p point) float64 { return p.capacity }},
		}},
		{title: "instances in service", lines: []line{{stepped, func(p point) float64 { return p.count }}}, ticks: whole{}},
		{title: "type", lines: []line{{stepped, func(p point) float64 { return float64(p.rung) }}},
			ticks: plot.ConstantTicks(rungs), min: -0.3, max: float64(len(rungs)) - 0.5},
		{title: "USD an hour", lines: []line{{stepped, func(p point) float64 { return p.usd }}}},
		{title: "CPU, %", lines: []line{
			{even, func(p point) float64 { return p.cpu }},
			constant("target", r.fleet.Policy.CPUTarget),
		}, max: 100},
		{title: "slowest of a hundred requests, ms", lines: []line{
			{even, func(p point) float64 { return math.Min(1000*p.p99, 2*goal) }},
			constant("goal", goal),
		}, max: 2 * goal},
		{title: "minutes over the goal", lines: []line{{stepped, func(p point) float64 { return float64(p.over) }}}, ticks: whole{}},
	}
}

// svg draws panels below each other, as an SVG of this width in points.
func (r *report) svg(panels []panel, width font.Length) (string, error) {
	var plots []*plot.Plot
	for _, p := range panels {
		one, err := r.plot(p, width < 500)
		if err != nil {
			return "", err
		}
		plots = append(plots, one)
	}
	return chart.SVG(plots, width, font.Length(120*len(panels)))
}

func (r *report) plot(p panel, narrow bool) (*plot.Plot, error) {
	out := chart.New(p.title)
	highest := 0.0
	for _, l := range p.lines {
		for _, point := range r.points {
			xy := plotter.XY{X: float64(point.minute), Y: l.value(point)}
			l.XYs = append(l.XYs, xy)
			highest = math.Max(highest, xy.Y)
		}
		if err := chart.Add(out, l.Line); err != nil {
			return nil, err
		}
	}
	out.Y.Min, out.Y.Max = p.min, p.max
	if p.max == 0 && highest > 0 {
		out.Y.Max = 1.25 * highest
	}
	if out.Y.Max == 0 {
		out.Y.Max = 1
	}
	if p.ticks != nil {
		out.Y.Tick.Marker = p.ticks
	}
	out.X.Min, out.X.Max = 0, float64(len(r.trace.Requests))
	out.X.Tick.Marker = r.timeTicks(narrow)
	return out, nil
}

// whole are ticks at whole numbers.
type whole struct{}

// Ticks returns some four of them.
func (whole) Ticks(low, high float64) []plot.Tick {
	every := math.Max(1, math.Ceil((high-low)/4))
	var ticks []plot.Tick
	for v := 0.0; v <= high; v += every {
		ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprintf("%.0f", v)})
	}
	return ticks
}

// timeTicks are hours, days or months, as many as fit.
func (r *report) timeTicks(narrow bool) plot.ConstantTicks {
	const hour, day = 60, 24 * 60
	every, format := 3*hour, "15:04"
	switch length := len(r.trace.Requests); {
	case length > 60*day:
		every, format = 28*day, "2 Jan"
	case length > 8*day:
		every, format = 2*day, "Mon 2"
	case length > 2*day:
		every, format = day, "Mon"
	}
	if narrow {
		every *= 2
	}
	var ticks plot.ConstantTicks
	for m := 0; m < len(r.trace.Requests); m += every {
		at := r.trace.Start.Add(time.Duration(m) * time.Minute)
		ticks = append(ticks, plot.Tick{Value: float64(m), Label: at.Format(format)})
	}
	return ticks
}
