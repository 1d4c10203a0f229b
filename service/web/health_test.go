package web

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

func TestStoresAreAskedOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, down := 0, errors.New("down")
		c := &check{of: func(context.Context) error { asked++; return down }}
		for range 5 {
			if err := c.result(t.Context()); !errors.Is(err, down) {
				t.Errorf("got %v, want what the store said", err)
			}
		}
		time.Sleep(readyFor)
		down = nil
		if err := c.result(t.Context()); err != nil {
			t.Errorf("got %v a second later, want that the store is back", err)
		}
		if asked != 2 {
			t.Errorf("the stores were asked %d times, want 2", asked)
		}
	})
}

func TestStoresAreAskedByOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		c := &check{of: func(context.Context) error {
			asked.Add(1)
			time.Sleep(time.Second)
			return nil
		}}
		var waiting sync.WaitGroup
		for range 50 {
			waiting.Go(func() {
				if err := c.result(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		waiting.Wait()
		if got := asked.Load(); got != 1 {
			t.Errorf("50 at once asked %d times, want 1", got)
		}
	})
}

func TestReadinessDoesNotWaitForAStoreThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		c := &check{of: func(context.Context) error { <-release; return nil }}
		for range 2 {
			start := time.Now()
			if err := c.result(t.Context()); !errors.Is(err, directory.ErrUnavailable) {
				t.Errorf("got %v, want that the store is unavailable", err)
			}
			if took := time.Since(start); took != readyWithin {
				t.Errorf("it took %s, want %s", took, readyWithin)
			}
		}
		close(release)
		synctest.Wait()
		if err := c.result(t.Context()); err != nil {
			t.Errorf("got %v, want that the store is back", err)
		}
	})
}

func TestAbortedRequestLeavesOthersTheirAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &check{of: func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Second):
				return nil
			}
		}}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = c.result(ctx) }()
		synctest.Wait()
		cancel()
		if err := c.result(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
