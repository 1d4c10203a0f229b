package scaling_test

import (
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/scaling"
)

func TestWindows(t *testing.T) {
	for _, c := range []struct {
		window, at string
		want       bool
	}{
		{"", "2026-03-02T12:00:00Z", true},
		{"01:00-05:00", "2026-03-02T00:59:59Z", false},
		{"01:00-05:00", "2026-03-02T01:00:00Z", true},
		{"01:00-05:00", "2026-03-02T04:59:59Z", true},
		{"01:00-05:00", "2026-03-02T05:00:00Z", false},
		{"22:00-04:30", "2026-03-02T23:00:00Z", true},
		{"22:00-04:30", "2026-03-02T04:29:00Z", true},
		{"22:00-04:30", "2026-03-02T12:00:00Z", false},
		{"01:00-05:00 Europe/Madrid", "2026-03-02T00:30:00Z", true},  // winter, an hour ahead
		{"01:00-05:00 Europe/Madrid", "2026-07-02T03:30:00Z", false}, // summer, two
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		w := window(t, c.window)
		if got := w.Contains(at); got != c.want {
			t.Errorf("%q contains %s: got %t", c.window, c.at, got)
		}
		if w.String() != c.window {
			t.Errorf("%q is spelled %q", c.window, w)
		}
	}
	for _, bad := range []string{"always", "1-5", "25:00-26:00", "01:00-01:00", "01:00-05:00 Atlantis", "01:00", "-"} {
		if w, err := scaling.ParseWindow(bad); err == nil {
			t.Errorf("%q is taken as %v", bad, w)
		}
	}
}
