package balancer

import (
	"testing"
	"time"
)

var rules = Checks{Interval: 5 * time.Second, HealthyAfter: 3, UnhealthyAfter: 2}

func TestHealth(t *testing.T) {
	for _, test := range []struct {
		name   string
		checks string // at the intervals: + passes, - does not
		want   State
	}{
		{"nothing is known", "", Initial},
		{"a new target needs one pass", "+", Healthy},
		{"a new target may take its time", "-+", Healthy},
		{"a new target that does not come up", "--", Unhealthy},
		{"one miss is forgiven", "+-", Healthy},
		{"misses count in a row only", "+-+-+-", Healthy},
		{"two misses are not", "+--", Unhealthy},
		{"one pass is not enough to come back", "+--+", Unhealthy},
		{"three are", "+--+++", Healthy},
		{"passes count in a row only", "+--++-++", Unhealthy},
	} {
		var h Health
		now := time.Now()
		for _, c := range test.checks {
			h = h.Next(c == '+', now, rules)
			now = now.Add(5 * time.Second)
		}
		if h.State != test.want {
			t.Errorf("%s: %q gives %s, want %s", test.name, test.checks, h.State, test.want)
		}
	}
}

func TestABootingTargetIsAskedOftenAndForgiven(t *testing.T) {
	now := time.Now()
	h := Health{}.Next(false, now, rules)
	for range 20 {
		now = now.Add(100 * time.Millisecond)
		if !h.Due(now) {
			t.Fatal("want it asked before the interval is over")
		}
		h = h.Next(false, now, rules)
	}
	if h.State != Initial {
		t.Fatalf("got %s after 2 s of booting, want initial", h.State)
	}
	if h = h.Next(true, now, rules); h.State != Healthy {
		t.Errorf("got %s after its first answer, want healthy", h.State)
	}
}

func TestAHealthyTargetIsAskedAtItsIntervals(t *testing.T) {
	now := time.Now()
	h := Health{}.Next(true, now, rules)
	if h.Due(now.Add(4 * time.Second)) {
		t.Error("asked after 4 s, want 5")
	}
	if !h.Due(now.Add(5 * time.Second)) {
		t.Error("not asked after 5 s")
	}
}
