package web

import (
	"context"
	"sync"
	"time"
)

// storeTime is how long the stores may take for one request, all calls
// together. With what else there is to do, a request whose stores do not answer
// is answered within three seconds. The time in which a client sends a body,
// or a photo waits to be decoded, does not count.
const storeTime = 2500 * time.Millisecond

// allowance is the time that stores took for a request.
type allowance struct {
	mu sync.Mutex
	// calls are under way, the first of them since since.
	calls int
	since time.Time
	spent time.Duration
}

// begin begins a call and returns how long it may take.
func (a *allowance) begin(now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.calls == 0 {
		a.since = now
	}
	a.calls++
	return storeTime - a.spent - now.Sub(a.since)
}

// end ends a call. Calls that were under way at once took their time together.
func (a *allowance) end(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls--
	if a.calls == 0 {
		a.spent += now.Sub(a.since)
	}
}

// within returns a context for calls of stores that ends when the request's time
// for them does, and what says that they have answered. Work that is for no
// request brings a time of its own.
func within(ctx context.Context) (context.Context, func()) {
	state := stateOf(ctx)
	if state == nil {
		return ctx, func() {}
	}
	ctx, cancel := context.WithTimeout(ctx, state.stores.begin(time.Now()))
	return ctx, func() {
		state.stores.end(time.Now())
		cancel()
	}
}

// forEverybody returns a context for what is asked of stores for several
// requests at once: it is not cancelled with any one request, and its time is charged
// to none. They are of one account.
func forEverybody(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx = context.WithValue(ctx, accountKey{}, accountOf(ctx))
	ctx = context.WithValue(context.WithoutCancel(ctx), stateKey{}, (*requestState)(nil))
	return context.WithTimeout(ctx, storeTime)
}
