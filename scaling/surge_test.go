package scaling_test

import (
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/scaling"
)

// last gives the newest minutes of a series other values.
func last(s scaling.Series, values ...float64) scaling.Series {
	for i, v := range values {
		s[len(s)-len(values)+i].Value = v
	}
	return s
}

// TestSurge: near what the most instances can do two minutes are enough, and the step
// goes to the rung that is not hot with that load.
func TestSurge(t *testing.T) {
	auto := scaling.Policy{Mode: scaling.Auto}
	for name, c := range map[string]struct {
		change func(o *scaling.Observation)
		want   string
	}{
		// 100 % of four is 67 % of six; m7g.xlarge would have 33 % of them.
		"two minutes": {func(o *scaling.Observation) {
			o.Count, o.CPU = minutely(4, time.Hour), last(minutely(40, time.Hour), 100, 100)
		}, "m7g.xlarge"},
		"one minute": {func(o *scaling.Observation) {
			o.Count, o.CPU = minutely(4, time.Hour), last(minutely(40, time.Hour), 40, 100)
		}, ""},
		"below": {func(o *scaling.Observation) {
			o.Count, o.CPU = minutely(4, time.Hour), last(minutely(40, time.Hour), 97, 97)
		}, ""},
		"much of six": {func(o *scaling.Observation) {
			o.Count, o.CPU = minutely(6, time.Hour), last(minutely(40, time.Hour), 90, 90)
		}, "m7g.2xlarge"},
		"not offered": {func(o *scaling.Observation) {
			o.Count, o.CPU, o.Offered = minutely(6, time.Hour), last(minutely(40, time.Hour), 90, 90), map[string]bool{"m7g.large": true, "m7g.xlarge": true}
		}, "m7g.xlarge"},
		"just stepped": {func(o *scaling.Observation) {
			o.Count, o.CPU, o.LastStep = minutely(4, time.Hour), last(minutely(40, time.Hour), 100, 100), noon.Add(-10*time.Minute)
		}, ""},
		// Two that are busy tell a third of the load. The requests tell all: 3000 at 20 %
		// of two, so 30000 are four of them.
		"saturated": {func(o *scaling.Observation) {
			o.Count, o.CPU, o.Requests = minutely(2, time.Hour), last(minutely(20, time.Hour), 100, 100), last(minutely(3000, time.Hour), 30000, 30000)
		}, "m7g.xlarge"},
		"saturated, nobody knows": {func(o *scaling.Observation) {
			o.Count, o.CPU = minutely(2, time.Hour), last(minutely(20, time.Hour), 100, 100)
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := calm()
			c.change(&o)
			got := scaling.Decide(ladder(t), auto, o, noon)
			to := ""
			if got.Kind == scaling.Up && got.Reason.Code == scaling.Surge {
				to = got.To.Type
			}
			if to != c.want {
				t.Errorf("%s to %s (%s), want a surge to %q", got.Kind, got.To.Type, got.Reason, c.want)
			}
		})
	}
}

// TestFloor: a fleet never steps below it, and up to it if it is below.
func TestFloor(t *testing.T) {
	auto := scaling.Policy{Mode: scaling.Auto}
	for floor, want := range map[string]struct {
		kind scaling.Kind
		to   string
		says string
	}{
		"":            {scaling.Down, "m7g.medium", ""},
		"m7g.medium":  {scaling.Down, "m7g.medium", ""},
		"m7g.large":   {scaling.Stay, "m7g.large", "on m7g.large, the lowest that the goal allows"},
		"m7g.2xlarge": {scaling.Up, "m7g.2xlarge", "the goal asks for m7g.2xlarge at least"},
		"t4g.small":   {scaling.Down, "m7g.medium", ""}, // it is not a rung any more
	} {
		o := calm()
		cool(&o)
		o.Floor = floor
		got := scaling.Decide(ladder(t), auto, o, noon)
		if got.Kind != want.kind || got.To.Type != want.to || !strings.Contains(got.Reason.String(), want.says) {
			t.Errorf("floor %q: %s to %s (%s), want %s to %s", floor, got.Kind, got.To.Type, got.Reason, want.kind, want.to)
		}
	}
}
