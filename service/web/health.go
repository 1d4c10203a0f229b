package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"golang.org/x/sync/errgroup"
)

const (
	// readyWithin bounds how long the stores may take to answer.
	readyWithin = 2 * time.Second
	// readyFor is how long an answer of the stores holds.
	readyFor = time.Second
)

// liveness says that the process serves. It asks no store: the Auto Scaling
// group would replace the whole fleet when a store blinks.
func (s *Server) liveness(w http.ResponseWriter, _ *http.Request) error {
	return plain(w, "live\n")
}

// readiness says that the stores answer too and have room, and that the process is
// not ending.
func (s *Server) readiness(w http.ResponseWriter, r *http.Request) error {
	if s.draining.Load() {
		return &statusError{status: http.StatusServiceUnavailable, message: "This instance is shutting down."}
	}
	if err := s.ready.result(r.Context()); err != nil {
		return err
	}
	return plain(w, "ready\n")
}

// askStores returns nil if every store can read.
func (s *Server) askStores(ctx context.Context) error {
	stores, ctx := errgroup.WithContext(ctx)
	stores.Go(func() error { return s.Employees.Ping(ctx) })
	stores.Go(func() error { return s.Photos.Ping(ctx) })
	stores.Go(func() error {
		// A key that no session has: not to find it is an answer.
		if _, err := s.Sessions.Session(ctx, "ready"); !errors.Is(err, directory.ErrNotFound) {
			return err
		}
		return nil
	})
	return stores.Wait()
}

// check asks something at most once at a time, and remembers the answer for
// readyFor: who asks for it often costs the stores no more.
type check struct {
	of func(context.Context) error

	mu sync.Mutex
	// asking is closed when the answer is there, and nil while nobody asks.
	asking chan struct{}
	asked  time.Time
	err    error
}

// result returns the answer within readyWithin, whatever is asked does.
func (c *check) result(ctx context.Context) error {
	c.mu.Lock()
	if c.asking == nil && !c.asked.IsZero() && time.Since(c.asked) < readyFor {
		defer c.mu.Unlock()
		return c.err
	}
	if c.asking == nil {
		c.asking = make(chan struct{})
		go c.ask()
	}
	asking := c.asking
	c.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	select {
	case <-asking:
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", directory.ErrUnavailable, ctx.Err())
	}
}

// ask runs the check once for all waiters; a waiter that cancels does not cancel
// it for the others.
func (c *check) ask() {
	ctx, cancel := context.WithTimeout(context.Background(), readyWithin)
	defer cancel()
	err := c.of(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked, c.err = time.Now(), err
	close(c.asking)
	c.asking = nil
}

func plain(w http.ResponseWriter, text string) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, err := io.WriteString(w, text)
	return err
}
