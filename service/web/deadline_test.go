package web

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

// sluggish is a store that takes its time, or as long as it may.
type sluggish struct {
	directory.Employees
	takes time.Duration
}

func (s sluggish) Get(ctx context.Context, _ string) (directory.Employee, error) {
	select {
	case <-time.After(s.takes):
		return directory.Employee{}, nil
	case <-ctx.Done():
		return directory.Employee{}, ctx.Err()
	}
}

func asked(takes time.Duration) askedEmployees {
	return askedEmployees{sluggish{takes: takes}}
}

func TestCallsOfARequestShareItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, state := asked(time.Second), &requestState{Context: t.Context()}
		start := time.Now()
		for range 2 {
			if _, err := store.Get(state, ""); err != nil {
				t.Error(err)
			}
			time.Sleep(10 * time.Second) // while the client sends its photo
		}
		_, err := store.Get(state, "")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want that the time is over", err)
		}
		if took := time.Since(start) - 20*time.Second; took != storeTime {
			t.Errorf("the calls took %s, want %s", took, storeTime)
		}
		if _, err := store.Get(state, ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v from a call after the time, want none", err)
		}
	})
}

func TestCallsAtOnceTakeTheirTimeTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, state := asked(2*time.Second), &requestState{Context: t.Context()}
		for range 4 {
			go func() { _, _ = store.Get(state, "") }()
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if state.stores.spent != 2*time.Second || state.stores.calls != 0 {
			t.Errorf("four calls of 2 s at once took %s, %d go on; want 2s, none", state.stores.spent, state.stores.calls)
		}
	})
}

func TestWorkForNoRequestHasNoDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if _, err := asked(time.Minute).Get(t.Context(), ""); err != nil {
			t.Error(err)
		}
	})
}
