package simulator

import (
	"fmt"

	"github.com/archipelago-cdk/archipelago/scaling"
	"github.com/archipelago-cdk/archipelago/scaling/trace"
)

// Axis is what of a fleet changes.
type Axis string

// The axes.
const (
	Both       Axis = "both"
	Horizontal Axis = "horizontal"
	Vertical   Axis = "vertical"
	Fixed      Axis = "fixed"
)

// Variant is a way to run a fleet.
type Variant struct {
	Axis Axis
	// Name says it, such as "horizontal, m7g.large".
	Name  string
	Fleet Fleet
}

// Variants are all ways to run a fleet within the same bounds and ladder: both
// axes; the number alone, at each rung; the type alone, at each number; and a
// fleet that never changes, of the most instances of the type that it starts with.
func Variants(f Fleet) []Variant {
	with := func(axis Axis, name string, mode scaling.Mode, start, lowest, highest int) Variant {
		v := Variant{Axis: axis, Name: name, Fleet: f}
		if f.RequestsPerTarget > 0 {
			v.Fleet.RequestsPerTarget = scaling.RequestsPerTarget(f.RequestsPerTarget, f.Ladder[f.Start], f.Ladder[start])
		}
		if axis != Both {
			v.Fleet.Goal, v.Fleet.Surge = 0, false
		}
		v.Fleet.Policy.Mode, v.Fleet.Start, v.Fleet.Min, v.Fleet.Max = mode, start, lowest, highest
		return v
	}
	all := []Variant{with(Both, "both", scaling.Auto, f.Start, f.Min, f.Max)}
	if f.Goal > 0 {
		without := with(Both, "both, without a goal", scaling.Auto, f.Start, f.Min, f.Max)
		without.Fleet.Goal, without.Fleet.Surge = 0, false
		all = append(all, without)
	}
	for rung, r := range f.Ladder {
		all = append(all, with(Horizontal, "horizontal, "+r.Type, scaling.Off, rung, f.Min, f.Max))
	}
	for count := f.Min; count <= f.Max; count++ {
		all = append(all, with(Vertical, fmt.Sprintf("vertical, %d instances", count), scaling.Auto, f.Start, count, count))
	}
	return append(all, with(Fixed, fmt.Sprintf("fixed, %d of %s", f.Max, f.Ladder[f.Start].Type), scaling.Off, f.Start, f.Max, f.Max))
}

// Row is a variant's result in short.
type Row struct {
	Variant Variant
	// USD is what its instances cost, Over how many minutes were over the goal, and
	// Steps how often its type changed; Recycled counts replacements of the same type.
	USD             float64
	Over            int
	Steps, Recycled int
}

// Compare runs all variants of a fleet.
func Compare(t trace.Trace, f Fleet, m Model) []Row {
	var rows []Row
	for _, v := range Variants(f) {
		rows = append(rows, v.row(Run(t, v.Fleet, m)))
	}
	return rows
}

func (v Variant) row(r Result) Row {
	row := Row{Variant: v, USD: r.USD, Over: r.Over}
	for _, step := range r.Steps {
		if step.Action.Kind == scaling.Recycle {
			row.Recycled++
		} else {
			row.Steps++
		}
	}
	return row
}

// Best is the best single axis in hindsight: of the rows with one axis those
// that were over the goal the least, and of these the cheapest.
func Best(rows []Row) Row {
	var best Row
	for _, row := range rows {
		single := row.Variant.Axis == Horizontal || row.Variant.Axis == Vertical
		if single && (best.Variant.Name == "" || row.Over < best.Over || row.Over == best.Over && row.USD < best.USD) {
			best = row
		}
	}
	return best
}

// Find returns the row of a variant by its name.
func Find(rows []Row, name string) Row {
	for _, row := range rows {
		if row.Variant.Name == name {
			return row
		}
	}
	return Row{}
}
