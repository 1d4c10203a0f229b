// Package chart draws plots as SVG in the colours of the page that they are on,
// light or dark.
package chart

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Colours of lines. In an SVG they are variables, which Palette sets.
var (
	First  = color.RGBA{R: 3, A: 255}
	Second = color.RGBA{R: 4, A: 255}

	ink  = color.RGBA{R: 1, A: 255}
	grid = color.RGBA{R: 2, A: 255}

	variables = strings.NewReplacer(
		"#010000", "var(--ink)", "#020000", "var(--grid)", "#030000", "var(--first)", "#040000", "var(--second)",
		"font-family:Liberation Sans;font-variant:normal", "font-family:system-ui,sans-serif",
	)
)

// Palette is the CSS of the colours.
const Palette = `:root { --ink: #24292f; --grid: #d8dee4; --first: #0969da; --second: #bc4c00; --page: #ffffff }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --grid: #30363d; --first: #58a6ff; --second: #f0883e; --page: #0d1117 }
}
`

// New returns an empty plot. Add sets the range of its values.
func New(title string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	p.Title.Text = title
	p.Title.TextStyle.Color = ink
	p.Title.TextStyle.Font = sans(11)
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Color = grid
		axis.Label.TextStyle.Color = ink
		axis.Label.TextStyle.Font = sans(9)
		axis.Tick.LineStyle.Color = grid
		axis.Tick.Label.Color = ink
		axis.Tick.Label.Font = sans(9)
	}
	p.Legend.TextStyle.Color = ink
	p.Legend.TextStyle.Font = sans(9)
	p.Legend.Top, p.Legend.Left = true, true
	lines := plotter.NewGrid()
	lines.Vertical = draw.LineStyle{Color: grid, Width: vg.Points(0.25)}
	lines.Horizontal = lines.Vertical
	p.Add(lines)
	p.Y.Min, p.Y.Max = 0, 1
	return p
}

// Line is a line of a plot.
type Line struct {
	// Name is told by the legend. Default: none.
	Name  string
	Color color.Color
	// Dashed is for what is not measured. Default: false.
	Dashed bool
	// Steps keeps each value until the next. Default: false.
	Steps bool
	// Points are marked. Default: false.
	Points bool
	XYs    plotter.XYs
}

// Add draws a line, and makes room for it.
func Add(p *plot.Plot, l Line) error {
	drawn, points, err := plotter.NewLinePoints(l.XYs)
	if err != nil {
		return err
	}
	drawn.Color, drawn.Width = l.Color, vg.Points(1.2)
	if l.Steps {
		drawn.StepStyle = plotter.PostStep
	}
	if l.Dashed {
		drawn.Dashes = []font.Length{4, 3}
	}
	p.Add(drawn)
	if l.Points {
		points.Color, points.Shape, points.Radius = l.Color, draw.CircleGlyph{}, 2
		p.Add(points)
	}
	if l.Name != "" {
		p.Legend.Add(l.Name, drawn)
	}
	p.Y.Min = 0 // plots adapt to what is added
	for _, xy := range l.XYs {
		p.Y.Max = math.Max(p.Y.Max, 1.25*xy.Y)
	}
	return nil
}

// SVG draws plots below each other, with one axis of x, as an SVG of this size in
// points.
func SVG(plots []*plot.Plot, width, height font.Length) (string, error) {
	rows := make([][]*plot.Plot, len(plots))
	for i, p := range plots {
		rows[i] = []*plot.Plot{p}
	}
	canvas := vgsvg.New(width, height)
	tiles := draw.Tiles{Rows: len(plots), Cols: 1, PadY: 8, PadTop: 2, PadBottom: 2, PadLeft: 2, PadRight: 12}
	for i, row := range plot.Align(rows, tiles, draw.New(canvas)) {
		plots[i].Draw(row[0])
	}
	var out bytes.Buffer
	if _, err := canvas.WriteTo(&out); err != nil {
		return "", err
	}
	_, body, _ := strings.Cut(out.String(), "<svg") // without what is before, for pages
	return variables.Replace("<svg" + body), nil
}

// Standalone makes an SVG a file of its own, and label what is read out of it.
func Standalone(svg, label string) string {
	head, body, _ := strings.Cut(svg, ">")
	return fmt.Sprintf("%s role=\"img\" aria-label=%q>\n<style>\n%s</style>%s", head, label, Palette, body)
}

func sans(size font.Length) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
}
