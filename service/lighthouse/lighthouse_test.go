package lighthouse

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func passes(context.Context) error { return nil }
func fails(context.Context) error  { return errors.New("broken") }

// hangs is a check that ignores its context.
func hangs(context.Context) error { time.Sleep(time.Hour); return nil }

// look runs a test whose time passes while it waits, and waits at its end for what hangs.
func look(t *testing.T, test func(t *testing.T)) {
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(2 * time.Hour)
		test(t)
	})
}

func drained(yes bool, err error) func(context.Context) (bool, error) {
	return func(context.Context) (bool, error) { return yes, err }
}

func TestLook(t *testing.T) {
	for name, test := range map[string]struct {
		table, photos Check
		drained       bool
		drain         error
		want          Report
	}{
		"all is well": {passes, passes, false, nil,
			Report{Lit: true, Parts: map[string]string{"table": "ok", "photos": "ok"}}},
		"one part fails": {fails, passes, false, nil,
			Report{Failing: 1, Parts: map[string]string{"table": "broken", "photos": "ok"}}},
		"both fail": {fails, fails, false, nil,
			Report{Failing: 2, Parts: map[string]string{"table": "broken", "photos": "broken"}}},
		"drained": {passes, passes, true, nil,
			Report{Drained: true, Parts: map[string]string{"table": "ok", "photos": "ok"}}},
		"drained and failing": {passes, fails, true, nil,
			Report{Drained: true, Failing: 1, Parts: map[string]string{"table": "ok", "photos": "broken"}}},
		"the switch cannot be read": {passes, passes, true, errors.New("no"),
			Report{Lit: true, Unknown: 1, Parts: map[string]string{"table": "ok", "photos": "ok", "drain": "no"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got := Lighthouse{
				Checks:  map[string]Check{"table": test.table, "photos": test.photos},
				Drained: drained(test.drained, test.drain),
				Within:  time.Minute,
			}.Look(t.Context())
			same := got.Lit == test.want.Lit && got.Drained == test.want.Drained && got.Failing == test.want.Failing &&
				got.Unknown == test.want.Unknown &&
				len(got.Parts) == len(test.want.Parts)
			for part, text := range test.want.Parts {
				same = same && got.Parts[part] == text
			}
			if !same {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

// TestFleetCountsWhileEverythingElseAnswers: else its silence has the same cause.
func TestFleetCountsWhileEverythingElseAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		table   Check
		fleet   func(context.Context) (string, error)
		lit     bool
		failing int
		part    string
	}{
		"it reaches them":          {passes, says("", nil), true, 0, "ok"},
		"it is silent":             {passes, says("silent for 61s", nil), false, 1, "silent for 61s"},
		"it is silent, as is AWS":  {fails, says("silent for 61s", nil), false, 1, "silent for 61s"},
		"nothing is known":         {passes, says("", errors.New("never seen")), true, 0, "unknown: never seen"},
		"nothing is known in time": {passes, func(context.Context) (string, error) { return "", hangs(context.Background()) }, true, 0, "unknown: no answer in 200ms"},
		"there is nothing to know": {passes, says("", fmt.Errorf("it says nothing: %w", Absent("no table"))), true, 0, "absent: it says nothing: no table"},
		"it is not asked":          {passes, nil, true, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			look(t, func(t *testing.T) {
				got := Lighthouse{
					Checks: map[string]Check{"table": test.table}, Fleet: test.fleet, Drained: drained(false, nil), Within: 200 * time.Millisecond,
				}.Look(t.Context())
				if unknown := strings.HasPrefix(test.part, "unknown: "); unknown != (got.Unknown == 1) {
					t.Errorf("%d parts are unknown", got.Unknown)
				}
				if got.Lit != test.lit || got.Failing != test.failing || got.Parts["fleet"] != test.part {
					t.Errorf("got %+v, want %+v", got, test)
				}
			})
		})
	}
}

// TestLoadBalancerCountsByItself: it fails users whatever the stores say.
func TestLoadBalancerCountsByItself(t *testing.T) {
	for name, test := range map[string]struct {
		table    Check
		balancer func(context.Context) (string, error)
		lit      bool
		failing  int
		part     string
	}{
		"it serves":                 {passes, says("", nil), true, 0, "ok"},
		"it fails":                  {passes, says("it answers 500", nil), false, 1, "it answers 500"},
		"it fails, as does a table": {fails, says("it answers 500", nil), false, 2, "it answers 500"},
		"nothing is known":          {passes, says("it answers 500", errors.New("throttled")), true, 0, "unknown: throttled"},
		"nothing is known in time":  {passes, func(context.Context) (string, error) { return "", hangs(context.Background()) }, true, 0, "unknown: no answer in 200ms"},
		"nobody is asked":           {passes, nil, true, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			look(t, func(t *testing.T) {
				got := Lighthouse{
					Checks: map[string]Check{"table": test.table}, Balancer: test.balancer, Drained: drained(false, nil), Within: 200 * time.Millisecond,
				}.Look(t.Context())
				if unknown := strings.HasPrefix(test.part, "unknown: "); unknown != (got.Unknown == 1) {
					t.Errorf("%d parts are unknown", got.Unknown)
				}
				if got.Lit != test.lit || got.Failing != test.failing || got.Parts["load balancer"] != test.part {
					t.Errorf("got %+v, want %+v", got, test)
				}
			})
		})
	}
}

func says(silence string, err error) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return silence, err }
}

func TestLookEndsInTime(t *testing.T) {
	look(t, func(t *testing.T) {
		begun := time.Now()
		got := Lighthouse{
			Checks:  map[string]Check{"table": hangs, "photos": passes},
			Drained: func(context.Context) (bool, error) { return false, hangs(context.Background()) },
			Within:  500 * time.Millisecond,
		}.Look(t.Context())
		if took := time.Since(begun); took != 500*time.Millisecond {
			t.Errorf("it took %s, want what it may", took)
		}
		if got.Lit || got.Drained || got.Parts["photos"] != "ok" {
			t.Errorf("got %+v, want it dark because of the table alone", got)
		}
		for _, part := range []string{"table", "drain"} {
			if !strings.Contains(got.Parts[part], "no answer in") {
				t.Errorf("%s: got %q", part, got.Parts[part])
			}
		}
	})
}
