// Package storetest is the conformance suite of the stores: what
// service/directory promises of Employees and Photos, tried on a store.
package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// listedWithin bounds how late a list may show a change.
const listedWithin = 10 * time.Second

// changes leaves out what a store sets by itself.
var changes = cmp.Options{cmpopts.IgnoreFields(directory.Employee{}, "Updated"), cmpopts.EquateEmpty()}

// Employees runs the suite. newStore returns an empty store.
func Employees(t *testing.T, newStore func(*testing.T) directory.Employees) {
	tests := map[string]func(*testing.T, directory.Employees){
		"create and get":                 testCreateAndGet,
		"every field is kept":            testEveryField,
		"an id is taken once":            testCreateTwice,
		"unknown employees":              testUnknown,
		"update":                         testUpdate,
		"a stale update changes nothing": testStaleUpdate,
		"one of many updates wins":       testConcurrentUpdates,
		"delete":                         testDelete,
		"pages":                          testPages,
		"a list follows changes":         testListFollowsChanges,
		"invalid cursors":                testInvalidCursor,
		"ping":                           testPing,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, newStore(t)) })
	}
}

func employee(name string) directory.Employee {
	return directory.Employee{ID: directory.NewID(), FullName: name, Location: "Lisbon", JobTitle: "Pilot"}
}

func create(t *testing.T, s directory.Employees, e directory.Employee) directory.Employee {
	t.Helper()
	created, err := s.Create(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return created
}

func get(t *testing.T, s directory.Employees, id string) directory.Employee {
	t.Helper()
	e, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func wantError(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("got error %v, want %v", got, want)
	}
}

func testCreateAndGet(t *testing.T, s directory.Employees) {
	before := time.Now().Add(-time.Second)
	created := create(t, s, employee("Ada Lovelace"))
	if created.Version != 1 {
		t.Errorf("got version %d, want 1", created.Version)
	}
	got := get(t, s, created.ID)
	if diff := cmp.Diff(created, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("what was read differs (-created +got):\n%s", diff)
	}
	if got.Updated.Before(before) || got.Updated.After(time.Now().Add(time.Second)) || got.Updated.Location() != time.UTC {
		t.Errorf("updated at %v, want now, in UTC", got.Updated)
	}
}

func testEveryField(t *testing.T, s directory.Employees) {
	e := employee("Zoë <b>\"Ñandú\"</b> & Søn 🐧")
	e.Location, e.JobTitle = "São Tomé", "Vice'; DROP TABLE employees; --"
	e.Badges = []string{"linux", "camera"}
	e.Photo = directory.Photo{Key: directory.PhotoKey(e.ID, []byte("photo"), "png"), Region: "eu-west-1"}
	create(t, s, e)
	e.Version = 1
	if diff := cmp.Diff(e, get(t, s, e.ID), changes); diff != "" {
		t.Errorf("what was read differs (-created +got):\n%s", diff)
	}
}

func testCreateTwice(t *testing.T, s directory.Employees) {
	first := create(t, s, employee("First"))
	second := employee("Second")
	second.ID = first.ID
	_, err := s.Create(t.Context(), second)
	wantError(t, err, directory.ErrConflict)
	_, err = s.Create(t.Context(), first) // with the same name too
	wantError(t, err, directory.ErrConflict)
	if got := get(t, s, first.ID).FullName; got != "First" {
		t.Errorf("got %q, want the first one", got)
	}
}

func testUnknown(t *testing.T, s directory.Employees) {
	e := employee("Nobody")
	e.Version = 1
	_, err := s.Get(t.Context(), e.ID)
	wantError(t, err, directory.ErrNotFound)
	_, err = s.Update(t.Context(), e)
	wantError(t, err, directory.ErrNotFound)
	wantError(t, s.Delete(t.Context(), e.ID, 0), directory.ErrNotFound)
	_, err = s.Get(t.Context(), e.ID)
	wantError(t, err, directory.ErrNotFound)
}

func testUpdate(t *testing.T, s directory.Employees) {
	e := create(t, s, employee("Before"))
	e.FullName, e.Badges = "After", []string{"bug"}
	updated, err := s.Update(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	if updated.Version != 2 {
		t.Errorf("got version %d, want 2", updated.Version)
	}
	e.Version = 2
	if diff := cmp.Diff(e, get(t, s, e.ID), changes); diff != "" {
		t.Errorf("what was read differs (-updated +got):\n%s", diff)
	}
}

func testStaleUpdate(t *testing.T, s directory.Employees) {
	stale := create(t, s, employee("First"))
	fresh := stale
	fresh.FullName = "Second"
	if _, err := s.Update(t.Context(), fresh); err != nil {
		t.Fatal(err)
	}
	stale.FullName = "Third"
	_, err := s.Update(t.Context(), stale)
	wantError(t, err, directory.ErrConflict)
	if got := get(t, s, stale.ID); got.FullName != "Second" || got.Version != 2 {
		t.Errorf("got %q in version %d, want Second in 2", got.FullName, got.Version)
	}
}

func testConcurrentUpdates(t *testing.T, s directory.Employees) {
	e := create(t, s, employee("Start"))
	results := make([]error, 8)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() {
			mine := e
			mine.FullName = fmt.Sprint("Writer ", i)
			_, results[i] = s.Update(t.Context(), mine)
		})
	}
	wg.Wait()
	winners := 0
	for i, err := range results {
		if err == nil {
			winners++
			if got := get(t, s, e.ID).FullName; got != fmt.Sprint("Writer ", i) {
				t.Errorf("writer %d was told that it won, but %q is stored", i, got)
			}
			continue
		}
		wantError(t, err, directory.ErrConflict)
	}
	if winners != 1 {
		t.Errorf("%d writers won, want 1", winners)
	}
}

func testDelete(t *testing.T, s directory.Employees) {
	e, other := create(t, s, employee("Gone")), create(t, s, employee("Stays"))
	if err := s.Delete(t.Context(), e.ID, 0); err != nil {
		t.Fatal(err)
	}
	_, err := s.Get(t.Context(), e.ID)
	wantError(t, err, directory.ErrNotFound)
	get(t, s, other.ID)
	eventually(t, s, []string{"Stays"})
}

// list returns the names on all pages of limit.
func list(t *testing.T, s directory.Employees, limit int) []string {
	t.Helper()
	var names []string
	for cursor := ""; ; {
		page, err := s.Page(t.Context(), directory.Query{After: cursor, Limit: limit})
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Employees) > limit {
			t.Fatalf("a page has %d employees, want at most %d", len(page.Employees), limit)
		}
		for _, e := range page.Employees {
			names = append(names, e.FullName)
		}
		if page.Next == "" {
			return names
		}
		cursor = page.Next
	}
}

// eventually waits until the list is want.
func eventually(t *testing.T, s directory.Employees, want []string) {
	t.Helper()
	var got []string
	for deadline := time.Now().Add(listedWithin); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if got = list(t, s, 10); slices.Equal(got, want) {
			return
		}
	}
	t.Errorf("the list is %q, want %q", got, want)
}

func testPages(t *testing.T, s directory.Employees) {
	if got := list(t, s, 3); len(got) != 0 {
		t.Errorf("an empty store lists %q", got)
	}
	want := []string{"Ana", "ana b", "Åsa", "Björn", "bob", "Ørjan", "Zoë"}
	for _, name := range []string{"Zoë", "bob", "ana b", "Ørjan", "Åsa", "Ana", "Björn"} {
		create(t, s, employee(name))
	}
	slices.SortFunc(want, func(a, b string) int { return strings.Compare(directory.Fold(a), directory.Fold(b)) })
	eventually(t, s, want)
	for _, limit := range []int{1, 3, 6, 7} {
		if got := list(t, s, limit); !slices.Equal(got, want) {
			t.Errorf("by pages of %d the list is %q, want %q", limit, got, want)
		}
	}
}

func testListFollowsChanges(t *testing.T, s directory.Employees) {
	e := create(t, s, employee("Anna"))
	create(t, s, employee("Bert"))
	eventually(t, s, []string{"Anna", "Bert"})
	e.FullName = "Cleo"
	if _, err := s.Update(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	eventually(t, s, []string{"Bert", "Cleo"})
}

func testInvalidCursor(t *testing.T, s directory.Employees) {
	_, err := s.Page(t.Context(), directory.Query{After: "%%%", Limit: 3})
	wantError(t, err, directory.ErrInvalidCursor)
}

func testPing(t *testing.T, s directory.Employees) {
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}
