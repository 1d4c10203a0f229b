package scaling

import (
	"slices"
	"sort"
	"time"
)

// Observation is what is known of a fleet at a moment.
type Observation struct {
	// Parameter is the instance type that the fleet should have.
	Parameter string
	// Floor is the lowest rung that the fleet should have, as Plan chose it. Default:
	// the first; so it is if it is not on the ladder.
	Floor string
	// Launches is the type that the group gives to new instances. Default: Parameter.
	Launches string
	// Instances are how many of the group's instances have which type, but for
	// those that are on their way out. Required.
	Instances map[string]int
	// Min and Max are the group's bounds at this moment; schedules change them.
	Min, Max int

	// Count is how many instances were in service, minute by minute.
	Count Series
	// CPU is their average use, in percent.
	CPU Series
	// Requests is how many requests a minute there were, of all instances
	// together. Without it the CPU stands for the load.
	Requests Series
	// Memory is the average use, in percent. Without it nothing is decided by
	// memory: EC2 has no such metric, an agent on the instances has.
	Memory Series

	// Offered tells which types every zone of the fleet offers. One that is absent
	// is not offered.
	Offered map[string]bool
	// LastStep is when the last change of all instances ended, whether it
	// succeeded or not: a step, a recycling, a reconciliation. Zero: never.
	LastStep time.Time
	// Failed is the last step that failed, until one to the same type succeeds.
	Failed *Failure

	// Refreshing: instances are being replaced, for any reason.
	Refreshing bool
	// Alarm: an alarm of the fleet is in ALARM.
	Alarm bool
	// ZonalShift: traffic is kept away from a zone.
	ZonalShift bool
	// ShiftUnknown is why it is not known whether traffic is kept away from a zone.
	// Empty: it is known.
	ShiftUnknown string
	// StackUpdating: CloudFormation changes the fleet's stack.
	StackUpdating bool
	// Frozen: an operator has stopped the controller.
	Frozen bool
}

// StarvesWithin is how long a step may find nothing but launches that fail, as where no
// zone has capacity for its type, until the controller has it rolled back: Auto Scaling
// has tried every zone by then. It is one that failed.
const StarvesWithin = 3 * time.Minute

// Failure is a step that failed.
type Failure struct {
	// To is the type that it was to.
	To string
	// At is when it ended.
	At time.Time
	// Attempts is how many in a row failed, at least 1.
	Attempts int
}

// Point is a metric's value in the minute that begins at At.
type Point struct {
	At    time.Time
	Value float64
}

// Series is a metric minute by minute, the oldest first. A minute without a
// value is absent.
type Series []Point

// After returns the points later than t.
func (s Series) After(t time.Time) Series {
	return s[sort.Search(len(s), func(i int) bool { return s[i].At.After(t) }):]
}

// At is the value of the minute that begins at t, or 0.
func (s Series) At(t time.Time) float64 {
	i := sort.Search(len(s), func(i int) bool { return !s[i].At.Before(t) })
	if i == len(s) || !s[i].At.Equal(t) {
		return 0
	}
	return s[i].Value
}

// recent returns the points of the last d up to the newest, and whether they say
// enough: the newest is no older than stale and four of five minutes have one.
func (s Series) recent(now time.Time, d, stale time.Duration) (Series, bool) {
	if len(s) == 0 {
		return nil, false
	}
	newest := s[len(s)-1].At
	points := s.After(newest.Add(-d))
	return points, now.Sub(newest) <= stale && float64(len(points)) >= 0.8*d.Minutes()
}

func (s Series) mean() float64 {
	sum := 0.0
	for _, p := range s {
		sum += p.Value
	}
	return sum / float64(len(s))
}

func (s Series) min() float64 {
	return slices.MinFunc(s, byValue).Value
}

func (s Series) max() float64 {
	return slices.MaxFunc(s, byValue).Value
}

func byValue(a, b Point) int {
	switch {
	case a.Value < b.Value:
		return -1
	case a.Value > b.Value:
		return 1
	}
	return 0
}
