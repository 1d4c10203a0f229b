package emulator

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Clock is the emulator's, by which metrics, schedules, instance refreshes, grace
// periods, zonal shifts and the replication of objects have their times. It has two
// gears. At pace k, k seconds pass on it in one of the machine's, and so health
// checks, warm-up and alarms run k times as fast: what is judged, instances and
// load, really happens meanwhile. It jumps where nothing is judged in the span, and
// so never while a load client is registered. A figure that was measured by it says
// in which gear: String.
type Clock struct {
	// Now is the time.
	Now time.Time `json:"now"`
	// Pace is how many seconds pass now in one of the machine's, and Slowest and
	// Fastest are the paces between which it has been.
	Pace    float64 `json:"pace"`
	Slowest float64 `json:"slowest"`
	Fastest float64 `json:"fastest"`
	// Jumped is the sum of all jumps, in seconds.
	Jumped float64 `json:"jumped"`
	// Clients are the load clients that are registered.
	Clients []string `json:"clients"`
}

// String says in which gears the clock came to its time: "pace 10, no jump", or
// "pace 1 to 60, 2h10m0s jumped".
func (c Clock) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "pace %g", c.Slowest)
	if c.Fastest != c.Slowest {
		fmt.Fprintf(&s, " to %g", c.Fastest)
	}
	if c.Jumped == 0 {
		s.WriteString(", no jump")
	} else {
		fmt.Fprintf(&s, ", %s jumped", time.Duration(c.Jumped*float64(time.Second)).Round(time.Second))
	}
	return s.String()
}

// Clock returns the emulator's.
func (c Control) Clock(ctx context.Context) (Clock, error) {
	var now Clock
	return now, c.call(ctx, http.MethodGet, "clock", nil, &now)
}

// Advance jumps ahead, and returns when what was to happen in the span has
// happened. It is refused while a load client is registered. A caller
// answers for the rest: that no instance is judged in the span, as one is that
// boots or whose health is waited for.
func (c Control) Advance(ctx context.Context, d time.Duration) error {
	return c.call(ctx, http.MethodPut, "advance", d.Seconds(), nil)
}

// SetPace changes how many seconds pass on the clock in one of the machine's: 1 is
// AWS's own pace, and less is refused.
func (c Control) SetPace(ctx context.Context, k float64) error {
	return c.call(ctx, http.MethodPut, "pace", k, nil)
}

// RegisterLoad says that a client begins to measure what it is answered: until
// UnregisterLoad the clock does not jump. A name can be registered once.
func (c Control) RegisterLoad(ctx context.Context, client string) error {
	return c.call(ctx, http.MethodPut, "load", client, nil)
}

// UnregisterLoad says that a registered client has ended.
func (c Control) UnregisterLoad(ctx context.Context, client string) error {
	return c.call(ctx, http.MethodPut, "unload", client, nil)
}
