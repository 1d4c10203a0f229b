package main

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"strings"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Colours stand for variables of the page, which differ in light and dark.
var (
	ink    = color.RGBA{R: 1, A: 255}
	grid   = color.RGBA{R: 2, A: 255}
	first  = color.RGBA{R: 3, A: 255}
	second = color.RGBA{R: 4, A: 255}

	variables = strings.NewReplacer(
		"#010000", "var(--ink)", "#020000", "var(--grid)", "#030000", "var(--first)", "#040000", "var(--second)",
		"font-family:Liberation Sans;font-variant:normal", "font-family:system-ui,sans-serif",
	)
)

// palette are the variables, for a page or for an SVG that stands alone.
const palette = `:root { --ink: #24292f; --grid: #d8dee4; --first: #0969da; --second: #bc4c00; --page: #ffffff }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --grid: #30363d; --first: #58a6ff; --second: #f0883e; --page: #0d1117 }
}
`

// line is one line of a panel.
type line struct {
	name   string
	color  color.Color
	dashed bool
	steps  bool
	value  func(p point) float64
}

// panel is one of the plots that share their time.
type panel struct {
	title string
	lines []line
	ticks plot.Ticker // of the value; default: numbers
	min   float64     // of the value
	max   float64     // of the value, at most; 0: that of the lines
}

// panels are what is drawn of a result.
func (r *report) panels() []panel {
	var rungs []plot.Tick
	for i, rung := range r.fleet.Ladder {
		rungs = append(rungs, plot.Tick{Value: float64(i), Label: rung.Type})
	}
	constant := func(name string, value float64) line {
		return line{name: name, color: second, dashed: true, value: func(point) float64 { return value }}
	}
	goal := 1000 * r.model.Goal.Seconds()
	return []panel{
		{title: "requests a second", lines: []line{
			{name: "load", color: first, value: func(p point) float64 { return p.load }},
			{name: "with all CPUs busy", color: second, steps: true, value: func(p point) float64 { return p.capacity }},
		}},
		{title: "instances in service", lines: []line{{color: first, steps: true, value: func(p point) float64 { return p.count }}}, ticks: whole{}},
		{title: "type", lines: []line{{color: first, steps: true, value: func(p point) float64 { return float64(p.rung) }}},
			ticks: plot.ConstantTicks(rungs), min: -0.3, max: float64(len(rungs)) - 0.5},
		{title: "CPU, %", lines: []line{
			{name: "use", color: first, value: func(p point) float64 { return p.cpu }},
			constant("target", r.fleet.Policy.CPUTarget),
		}, max: 100},
		{title: "slowest of a hundred requests, ms", lines: []line{
			{name: "answered within", color: first, value: func(p point) float64 { return math.Min(1000*p.p99, 2*goal) }},
			constant("goal", goal),
		}, max: 2 * goal},
		{title: "minutes over the goal", lines: []line{{color: first, steps: true, value: func(p point) float64 { return float64(p.over) }}}, ticks: whole{}},
		{title: "USD an hour", lines: []line{{color: first, steps: true, value: func(p point) float64 { return p.usd }}}},
	}
}

// svg draws panels below each other, as an SVG of this size in points.
func (r *report) svg(panels []panel, width, height font.Length) (string, error) {
	plots := make([][]*plot.Plot, len(panels))
	for i, p := range panels {
		one, err := r.plot(p, width < 500)
		if err != nil {
			return "", err
		}
		if i == len(panels)-1 {
			one.X.Padding = 0
		}
		plots[i] = []*plot.Plot{one}
	}
	canvas := vgsvg.New(width, height)
	tiles := draw.Tiles{Rows: len(panels), Cols: 1, PadY: 8, PadTop: 2, PadBottom: 2, PadLeft: 2, PadRight: 12}
	for i, row := range plot.Align(plots, tiles, draw.New(canvas)) {
		plots[i][0].Draw(row[0])
	}
	var out bytes.Buffer
	if _, err := canvas.WriteTo(&out); err != nil {
		return "", err
	}
	_, body, _ := strings.Cut(out.String(), "<svg")
	return variables.Replace("<svg" + body), nil
}

func (r *report) plot(p panel, narrow bool) (*plot.Plot, error) {
	out := plot.New()
	out.BackgroundColor = nil
	out.Title.Text = p.title
	out.Title.TextStyle.Color = ink
	out.Title.TextStyle.Font = font.Font{Typeface: "Liberation", Variant: "Sans", Size: 11}
	for _, axis := range []*plot.Axis{&out.X, &out.Y} {
		axis.Color = grid
		axis.Tick.LineStyle.Color = grid
		axis.Tick.Label.Color = ink
		axis.Tick.Label.Font = font.Font{Typeface: "Liberation", Variant: "Sans", Size: 9}
	}
	out.Legend.TextStyle.Color = ink
	out.Legend.TextStyle.Font = font.Font{Typeface: "Liberation", Variant: "Sans", Size: 9}
	out.Legend.Top, out.Legend.Left = true, true
	lines := plotter.NewGrid()
	lines.Vertical.Color, lines.Horizontal.Color = grid, grid
	lines.Vertical.Dashes, lines.Horizontal.Dashes = nil, nil
	out.Add(lines)
	highest := 0.0
	for _, l := range p.lines {
		xys := make(plotter.XYs, len(r.points))
		for i, point := range r.points {
			xys[i] = plotter.XY{X: float64(point.minute), Y: l.value(point)}
			highest = math.Max(highest, xys[i].Y)
		}
		drawn, err := plotter.NewLine(xys)
		if err != nil {
			return nil, err
		}
		drawn.Color, drawn.Width = l.color, vg.Points(1.2)
		if l.steps {
			drawn.StepStyle = plotter.PostStep
		}
		if l.dashed {
			drawn.Dashes = []font.Length{4, 3}
		}
		out.Add(drawn)
		if l.name != "" {
			out.Legend.Add(l.name, drawn)
		}
	}
	out.Y.Min, out.Y.Max = p.min, 1.25*highest
	if highest == 0 {
		out.Y.Max = 1
	}
	if p.max > 0 {
		out.Y.Max = p.max
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

// standalone makes an SVG a file of its own.
func standalone(svg, label string) string {
	head, body, _ := strings.Cut(svg, ">")
	return fmt.Sprintf("%s role=\"img\" aria-label=%q>\n<style>\n%s</style>%s", head, label, palette, body)
}
