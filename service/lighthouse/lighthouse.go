// Package lighthouse decides whether an island should get users: whether what it
// cannot work without answers, and whether an operator has drained it.
package lighthouse

import (
	"context"
	"errors"
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
	// Balancer returns why the load balancer is taken to fail its users by itself, "" if
	// it does not, or an error where that cannot be learned, which darkens nothing.
	// Default: nil, nobody is asked.
	Balancer func(context.Context) (string, error)
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
	// so that the switch's own failure darkens nothing. "fleet" and "load balancer" are
	// among them where these are asked for: they begin with "unknown" when that cannot be
	// learned, and with "absent" where it never can.
	Parts map[string]string `json:"parts"`
	// Failing counts the checks that failed, the load balancer among them, and a fleet
	// that reaches nothing while all of Checks pass: else it has the same cause.
	Failing int `json:"failing"`
	// Unknown counts what could not be learned and darkens nothing.
	Unknown int `json:"unknown"`
}

// Absent is why there is nothing to be learned of a part.
type Absent string

func (a Absent) Error() string { return string(a) }

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
	fleet, balancer := ask(ctx, l.Fleet), ask(ctx, l.Balancer)
	r := Report{Parts: map[string]string{}}
	for name, wait := range waits {
		r.Parts[name] = ok
		if err := wait(); err != nil {
			r.Parts[name] = err.Error()
			r.Failing++
		}
	}
	if r.hear("fleet", fleet) {
		r.Failing = max(r.Failing, 1)
	}
	if r.hear("load balancer", balancer) {
		r.Failing++
	}
	if err := wait(); err != nil {
		r.Parts["drain"] = err.Error()
		r.Unknown++
	} else {
		r.Drained = drained
	}
	r.Lit = r.Failing == 0 && !r.Drained
	return r
}

// ask starts to ask for a reason to be dark and returns what waits for it, or nil where
// nobody is asked.
func ask(ctx context.Context, reason func(context.Context) (string, error)) (wait func() (string, error)) {
	if reason == nil {
		return nil
	}
	var said string
	answered := start(ctx, func(ctx context.Context) (err error) {
		said, err = reason(ctx)
		return err
	})
	return func() (string, error) {
		if err := answered(); err != nil {
			return "", err
		}
		return said, nil
	}
}

// hear takes what was answered as a part of the report, and returns whether it is a
// reason to be dark.
func (r *Report) hear(part string, wait func() (string, error)) bool {
	if wait == nil {
		return false
	}
	var absent Absent
	switch reason, err := wait(); {
	case errors.As(err, &absent):
		r.Parts[part] = "absent: " + err.Error()
		return false
	case err != nil:
		r.Unknown++
		r.Parts[part] = "unknown: " + err.Error()
		return false
	case reason != "":
		r.Parts[part] = reason
		return true
	default:
		r.Parts[part] = ok
		return false
	}
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
