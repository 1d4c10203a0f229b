// Package lighthouse decides whether an island should get users: whether what it
// cannot work without answers, and whether an operator has drained it.
package lighthouse

import (
	"context"
	"fmt"
	"time"
)

// Check tries one thing that the island cannot work without.
type Check func(context.Context) error

// Lighthouse looks at one island.
type Lighthouse struct {
	// Checks are what the island needs, by name.
	Checks map[string]Check
	// Fleet returns why the fleet is taken not to reach what Checks try from here, "" if
	// it does, or an error where that cannot be learned, which darkens nothing. Default:
	// nil, the fleet is not asked.
	Fleet func(context.Context) (string, error)
	// Drained reports whether the island is to be dark although nothing fails.
	Drained func(context.Context) (bool, error)
	// Within is how long one look may take; what has not answered then fails.
	Within time.Duration
}

// Report is what one look found.
type Report struct {
	// Lit is whether the island should get users.
	Lit bool `json:"lit"`
	// Drained is whether it is dark because somebody wants it so.
	Drained bool `json:"drained"`
	// Parts are "ok" or what went wrong, by the name of the check. "drain" is
	// among them when it could not be learned: the island is then not drained,
	// so that the switch's own failure darkens nothing. "fleet" is among them where the
	// fleet is asked: it begins with "unknown" when that cannot be learned.
	Parts map[string]string `json:"parts"`
	// Failing counts the checks that failed, and a fleet that reaches nothing while all
	// checks pass: else it has the same cause.
	Failing int `json:"failing"`
}

// ok is what Report.Parts has of a check that passed.
const ok = "ok"

// Look tries everything at once. It returns within l.Within.
func (l Lighthouse) Look(ctx context.Context) Report {
	ctx, cancel := context.WithTimeout(ctx, l.Within)
	defer cancel()
	waits := map[string]func() error{}
	for name, check := range l.Checks {
		waits[name] = start(ctx, check)
	}
	var drained bool
	wait := start(ctx, func(ctx context.Context) (err error) {
		drained, err = l.Drained(ctx)
		return err
	})
	var silence string
	waitFleet := start(ctx, func(ctx context.Context) (err error) {
		if l.Fleet != nil {
			silence, err = l.Fleet(ctx)
		}
		return err
	})
	r := Report{Parts: map[string]string{}}
	for name, wait := range waits {
		r.Parts[name] = ok
		if err := wait(); err != nil {
			r.Parts[name] = err.Error()
			r.Failing++
		}
	}
	if err := waitFleet(); err != nil {
		r.Parts["fleet"] = "unknown: " + err.Error()
	} else if silence != "" {
		r.Parts["fleet"] = silence
		r.Failing = max(r.Failing, 1)
	} else if l.Fleet != nil {
		r.Parts["fleet"] = ok
	}
	if err := wait(); err != nil {
		r.Parts["drain"] = err.Error()
	} else {
		r.Drained = drained
	}
	r.Lit = r.Failing == 0 && !r.Drained
	return r
}

// start starts check and returns what waits for it, as long as ctx lasts.
func start(ctx context.Context, check Check) (wait func() error) {
	done := make(chan error, 1)
	begun := time.Now()
	go func() { done <- check(ctx) }()
	return func() error {
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
		}
		// It may have answered while another check was waited for.
		select {
		case err := <-done:
			return err
		default:
			return fmt.Errorf("no answer in %s", time.Since(begun).Round(100*time.Millisecond))
		}
	}
}
