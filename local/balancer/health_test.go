package balancer_test

import (
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/local/balancer"
	"github.com/archipelago-cdk/archipelago/local/emulator"
)

var rules = emulator.LoadBalancer{Interval: 5, HealthyAfter: 3, UnhealthyAfter: 2}

// healthAfter is the state after checks at the intervals: "+" is one that
// passes, "-" one that fails.
func healthAfter(checks string) balancer.State {
	var h balancer.Health
	now := time.Now()
	for _, check := range checks {
		h = h.Next(check == '+', now, rules)
		now = now.Add(5 * time.Second)
	}
	return h.State
}

func TestHealthAfterChecks(t *testing.T) {
	for checks, want := range map[string]balancer.State{
		"":        balancer.Initial,
		"-":       balancer.Initial,
		"-+":      balancer.Healthy, // one check makes a new target healthy
		"--":      balancer.Unhealthy,
		"+-":      balancer.Healthy,
		"+-+-":    balancer.Healthy, // not in a row
		"+--":     balancer.Unhealthy,
		"+--++":   balancer.Unhealthy,
		"+--+++":  balancer.Healthy,
		"+--++-+": balancer.Unhealthy,
	} {
		if got := healthAfter(checks); got != want {
			t.Errorf("after %q: got %s, want %s", checks, got, want)
		}
	}
}

func TestABootingTargetIsAskedOftenAndForgiven(t *testing.T) {
	now := time.Now()
	h := balancer.Health{}.Next(false, now, rules)
	for range 20 {
		now = now.Add(100 * time.Millisecond)
		if !h.Due(now) {
			t.Fatal("want it asked before the interval is over")
		}
		h = h.Next(false, now, rules)
	}
	if h.State != balancer.Initial {
		t.Fatalf("got %s after 2 s of booting, want initial", h.State)
	}
	if h = h.Next(true, now, rules); h.State != balancer.Healthy {
		t.Errorf("got %s after its first answer, want healthy", h.State)
	}
}

func TestAHealthyTargetIsAskedAtItsIntervals(t *testing.T) {
	now := time.Now()
	h := balancer.Health{}.Next(true, now, rules)
	if h.Due(now.Add(4 * time.Second)) {
		t.Error("asked after 4 s, want 5")
	}
	if !h.Due(now.Add(5 * time.Second)) {
		t.Error("not asked after 5 s")
	}
}
