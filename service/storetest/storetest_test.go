package storetest_test

import (
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/sqlite"
	"github.com/archipelago-cdk/archipelago/service/storetest"
)

func open(t *testing.T) *sqlite.Store {
	s, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestDelayedListsAreLists: a delay is all that is different.
func TestDelayedListsAreLists(t *testing.T) {
	storetest.Employees(t, func(t *testing.T) directory.Employees {
		return storetest.DelayIndex(open(t), 20*time.Millisecond)
	})
}

func TestDelayIndex(t *testing.T) {
	const delay = 2 * time.Second // longer than a busy machine takes for what comes before
	store := open(t)
	old, err := store.Create(t.Context(), directory.Employee{ID: directory.NewID(), FullName: "Ada", Location: "London", JobTitle: "Analyst"})
	if err != nil {
		t.Fatal(err)
	}
	s := storetest.DelayIndex(store, delay)
	listed := func() string {
		page, err := s.Page(t.Context(), directory.Query{Limit: 1, Location: "London"})
		if err != nil || len(page.Employees) != 1 {
			t.Fatalf("got %+v, %v, want one employee", page, err)
		}
		return page.Employees[0].FullName
	}
	old.FullName = "Augusta"
	if _, err := s.Update(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	if got := listed(); got != "Ada" {
		t.Errorf("the list shows %q at once", got)
	}
	if got, err := s.Get(t.Context(), old.ID); err != nil || got.FullName != "Augusta" {
		t.Errorf("got %q, %v, want the change at once", got.FullName, err)
	}
	time.Sleep(delay)
	if got := listed(); got != "Augusta" {
		t.Errorf("the list shows %q after the delay", got)
	}
}
