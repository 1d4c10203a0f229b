package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// EmployeesFollowModel does random changes, also such as must fail, to the store
// and to a model of it, and then compares every list. It takes thousands of calls
// of a store whose lists follow at once.
func EmployeesFollowModel(t *testing.T, s directory.Employees) {
	rapid.Check(t, func(r *rapid.T) {
		model := map[string]directory.Employee{}
		for _, e := range walk(t, s, directory.Query{}, directory.MaxLimit) {
			if err := s.Delete(t.Context(), e.ID, e.Version); err != nil {
				t.Fatal(err)
			}
		}
		r.Repeat(map[string]func(*rapid.T){
			"create": func(r *rapid.T) {
				e := anybody(r)
				e.ID = anID.Draw(r, "id")
				created, err := s.Create(t.Context(), e)
				if _, exists := model[e.ID]; exists {
					wantResult(r, err, directory.ErrConflict)
					return
				}
				wantResult(r, err, nil)
				model[e.ID] = created
			},
			"update": func(r *rapid.T) {
				e := anybody(r)
				e.ID = anID.Draw(r, "id")
				before, exists := model[e.ID]
				e.Version = before.Version - rapid.Int64Range(0, 1).Draw(r, "late by")
				updated, err := s.Update(t.Context(), e)
				switch {
				case !exists:
					wantResult(r, err, directory.ErrNotFound)
				case e.Version != before.Version:
					wantResult(r, err, directory.ErrConflict)
				default:
					wantResult(r, err, nil)
					model[e.ID] = updated
				}
			},
			"delete": func(r *rapid.T) {
				id := anID.Draw(r, "id")
				before, exists := model[id]
				version := max(0, before.Version-rapid.Int64Range(0, 1).Draw(r, "late by"))
				err := s.Delete(t.Context(), id, version)
				switch {
				case !exists:
					wantResult(r, err, directory.ErrNotFound)
				case version != 0 && version != before.Version:
					wantResult(r, err, directory.ErrConflict)
				default:
					wantResult(r, err, nil)
					delete(model, id)
				}
			},
			"get": func(r *rapid.T) {
				id := anID.Draw(r, "id")
				want, exists := model[id]
				got, err := s.Get(t.Context(), id)
				if !exists {
					wantResult(r, err, directory.ErrNotFound)
					return
				}
				wantResult(r, err, nil)
				if diff := cmp.Diff(want, got, changes); diff != "" {
					r.Errorf("what was read differs (-want +got):\n%s", diff)
				}
			},
		})
		CompareLists(r, s, slices.Collect(maps.Values(model)))
	})
}

// TB is a *testing.T or a *rapid.T.
type TB interface {
	Context() context.Context
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Helper()
}

// CompareLists compares the lists of s for some prefixes, locations and badges,
// among them all that employees of all have, with what they should be if all are
// the employees.
func CompareLists(t TB, s directory.Employees, all []directory.Employee) {
	t.Helper()
	locations, badges := append([]string{""}, someLocations...), append([]string{""}, someBadges...)
	for _, e := range all {
		locations, badges = append(locations, e.Location), append(badges, e.Badges...)
	}
	slices.Sort(locations)
	slices.Sort(badges)
	for _, prefix := range []string{"", "jo", "jose"} {
		for _, location := range slices.Compact(locations) {
			for _, badge := range slices.Compact(badges) {
				q := directory.Query{Prefix: prefix, Location: location, Badge: badge, Limit: directory.MaxLimit}
				want := pageOf(all, q).Employees
				if diff := cmp.Diff(want, walk(t, s, q, directory.MaxLimit), changes); diff != "" {
					t.Errorf("the list of %+v differs (-want +got):\n%s", q, diff)
				}
				if got, err := s.Total(t.Context(), q); err != nil || got != len(want) {
					t.Errorf("got the total %d of %+v, %v, want %d", got, q, err, len(want))
				}
				comparePages(t, s, all, q)
			}
		}
	}
	page, err := s.Locations(t.Context(), directory.LocationQuery{Limit: directory.MaxLocations})
	names := page.Locations
	if err != nil {
		t.Fatalf("the locations are not listed: %v", err)
	}
	var folded []string
	for _, name := range names {
		folded = append(folded, directory.Fold(name))
		if !slices.ContainsFunc(all, func(e directory.Employee) bool { return e.Location == name }) {
			t.Errorf("the location %q has no employee", name)
		}
	}
	if want := locationsOf(all); !slices.Equal(folded, want) {
		t.Errorf("got the locations %q, want %q", folded, want)
	}
}

// comparePages compares the pages around each of those whom q selects with what
// they should be if all are the employees, and the way back from each page.
func comparePages(t TB, s directory.Employees, all []directory.Employee, q directory.Query) {
	t.Helper()
	q.Limit = 2
	compare := func(q directory.Query) directory.Page { t.Helper(); return comparePage(t, s, all, q) }
	for _, e := range all {
		before, after := q, q
		before.Before, after.After = directory.Cursor(e.SortKey()), directory.Cursor(e.SortKey())
		compare(before)
		compare(after)
	}
	for page := compare(q); page.Next != ""; {
		before := page
		q.After, q.Before = page.Next, ""
		page = compare(q)
		q.After, q.Before = "", page.Previous
		if back := compare(q); !slices.Equal(names(back.Employees), names(before.Employees)) {
			t.Errorf("the page before %q is %q, want %q", names(page.Employees), names(back.Employees), names(before.Employees))
		}
	}
}

// comparePage compares one page with what it should be if all are the employees.
func comparePage(t TB, s directory.Employees, all []directory.Employee, q directory.Query) directory.Page {
	t.Helper()
	got, err := s.Page(t.Context(), q)
	if err != nil {
		t.Fatalf("there is no page of %+v: %v", q, err)
	}
	if diff := cmp.Diff(pageOf(all, q), got, changes); diff != "" {
		t.Errorf("the page of %+v differs (-want +got):\n%s", q, diff)
	}
	return got
}

// Few values, so that they meet often.
var (
	someNames     = []string{"Jo", "José", "JOSE", "Josef", "Ada", "Zoë"}
	someLocations = []string{"Lisbon", "LISBON", "Porto"}
	someBadges    = []string{"apple", "linux"}

	anID = rapid.Custom(func(r *rapid.T) string { return fmt.Sprint("id", rapid.IntRange(0, 4).Draw(r, "number")) })
)

func anybody(r *rapid.T) directory.Employee {
	return directory.Employee{
		FullName: rapid.SampledFrom(someNames).Draw(r, "name"),
		Location: rapid.SampledFrom(someLocations).Draw(r, "location"),
		JobTitle: rapid.SampledFrom([]string{"Pilot", "Cook"}).Draw(r, "job title"),
		Badges:   rapid.SliceOfNDistinct(rapid.SampledFrom(someBadges), 0, 2, rapid.ID).Draw(r, "badges"),
	}
}

func wantResult(r *rapid.T, got, want error) {
	if !errors.Is(got, want) {
		r.Fatalf("got error %v, want %v", got, want)
	}
}
