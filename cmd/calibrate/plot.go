package main

import (
	"math"
	"os"
	"slices"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/chart"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
)

// draw writes the measurements as an SVG: what is answered, how fast, and at what
// CPU use, over what is offered.
func draw(path string, measurements []measurement, goal time.Duration) error {
	measurements = slices.Clone(measurements)
	slices.SortFunc(measurements, func(a, b measurement) int { return int(a.Offered - b.Offered) })
	milliseconds := func(d time.Duration) float64 { return 1000 * d.Seconds() }
	var plots []*plot.Plot
	for _, p := range []struct {
		title      string
		value      func(m measurement) float64
		other      string
		otherValue func(m measurement) float64
	}{
		{"requests a second, answered over offered", func(m measurement) float64 { return m.Answered }, "all of them", func(m measurement) float64 { return m.Offered }},
		{"99 % answered within, ms", func(m measurement) float64 { return math.Min(milliseconds(m.P99), 3*milliseconds(goal)) }, "goal", func(measurement) float64 { return milliseconds(goal) }},
		{"CPU, %", func(m measurement) float64 { return m.CPU }, "", nil},
	} {
		drawn := chart.New(p.title)
		lines := []chart.Line{{Color: chart.First, Points: true}}
		values := []func(measurement) float64{p.value}
		if p.other != "" {
			lines, values = append(lines, chart.Line{Name: p.other, Color: chart.Second, Dashed: true}), append(values, p.otherValue)
		}
		for i, line := range lines {
			for _, m := range measurements {
				line.XYs = append(line.XYs, plotter.XY{X: m.Offered, Y: values[i](m)})
			}
			if err := chart.Add(drawn, line); err != nil {
				return err
			}
		}
		drawn.X.Min = 0
		plots = append(plots, drawn)
	}
	svg, err := chart.SVG(plots, 720, 480)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(chart.Standalone(svg, "Answers, their time and the CPU use over the requests that are offered")), 0o644)
}
