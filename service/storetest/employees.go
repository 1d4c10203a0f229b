// Package storetest is the conformance suite of the stores: what
// service/directory promises of Employees and Photos, tried on a store.
package storetest

import (
	"context"
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
		"a photo comes and goes":         testPhotoFields,
		"a stale update changes nothing": testStaleUpdate,
		"one of many updates wins":       testConcurrentUpdates,
		"delete":                         testDelete,
		"a stale delete changes nothing": testStaleDelete,
		"an id comes back":               testCreateAgain,
		"pages":                          testPages,
		"filters":                        testFilters,
		"names and locations are folded": testFolding,
		"pages part equal names":         testEqualNames,
		"the longest fields":             testLongest,
		"lists follow changes":           testListsFollowChanges,
		"cursors of others":              testForeignCursors,
		"invalid cursors":                testInvalidCursor,
		"locations":                      testLocations,
		"every location can be found":    testAllLocations,
		"a call ends with its context":   testContext,
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
	e.Photo = photo(e.ID, "photo")
	create(t, s, e)
	e.Version = 1
	if diff := cmp.Diff(e, get(t, s, e.ID), changes); diff != "" {
		t.Errorf("what was read differs (-created +got):\n%s", diff)
	}
	for _, q := range []directory.Query{{}, {Location: e.Location}, {Badge: "camera"}, {Location: e.Location, Badge: "linux"}} {
		eventually(t, s, q, e)
	}
}

func photo(id, content string) directory.Photo {
	return directory.Photo{
		Key: directory.PhotoKey(id, []byte(content), "png"), Thumbnail: directory.PhotoKey(id, []byte(content+" small"), "jpg"),
		Width: 600, Height: 800, Region: "eu-west-1",
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
	for _, id := range []string{directory.NewID(), "no/id", strings.Repeat("x", 3000)} {
		e := employee("Nobody")
		e.ID, e.Version = id, 1
		_, err := s.Get(t.Context(), id)
		wantError(t, err, directory.ErrNotFound)
		_, err = s.Update(t.Context(), e)
		wantError(t, err, directory.ErrNotFound)
		wantError(t, s.Delete(t.Context(), id, 0), directory.ErrNotFound)
		wantError(t, s.Delete(t.Context(), id, 1), directory.ErrNotFound)
		_, err = s.Get(t.Context(), id)
		wantError(t, err, directory.ErrNotFound)
	}
	eventually(t, s, directory.Query{})
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

func testPhotoFields(t *testing.T, s directory.Employees) {
	e := create(t, s, employee("Ada"))
	for _, p := range []directory.Photo{photo(e.ID, "first"), {Key: directory.PhotoKey(e.ID, []byte("old"), "jpg")}, {}} {
		e.Photo = p
		var err error
		if e, err = s.Update(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if got := get(t, s, e.ID).Photo; got != p {
			t.Errorf("got the photo %+v, want %+v", got, p)
		}
		eventually(t, s, directory.Query{Location: e.Location}, e)
	}
}

func testStaleUpdate(t *testing.T, s directory.Employees) {
	stale := create(t, s, employee("First"))
	fresh := stale
	fresh.FullName = "Second"
	if _, err := s.Update(t.Context(), fresh); err != nil {
		t.Fatal(err)
	}
	stale.FullName, stale.Location = "Third", "Porto"
	for _, version := range []int64{stale.Version, 0, 3} {
		stale.Version = version
		_, err := s.Update(t.Context(), stale)
		wantError(t, err, directory.ErrConflict)
	}
	if got := get(t, s, stale.ID); got.FullName != "Second" || got.Version != 2 {
		t.Errorf("got %q in version %d, want Second in 2", got.FullName, got.Version)
	}
	fresh.Version = 2
	eventually(t, s, directory.Query{}, fresh)
	eventually(t, s, directory.Query{Location: "Porto"})
	eventuallyLocations(t, s, "Lisbon")
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
	e, other := employee("Gone"), create(t, s, employee("Stays"))
	e.Location, e.Badges = "Porto", []string{"linux"}
	for _, version := range []int64{0, 1} { // whatever it is, and this one
		create(t, s, e)
		if err := s.Delete(t.Context(), e.ID, version); err != nil {
			t.Fatal(err)
		}
		_, err := s.Get(t.Context(), e.ID)
		wantError(t, err, directory.ErrNotFound)
		eventually(t, s, directory.Query{}, other)
		for _, q := range []directory.Query{{Location: "Porto"}, {Badge: "linux"}, {Location: "Porto", Badge: "linux"}} {
			eventually(t, s, q)
		}
	}
}

func testStaleDelete(t *testing.T, s directory.Employees) {
	e := create(t, s, employee("Ada"))
	e, err := s.Update(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []int64{1, 3} {
		wantError(t, s.Delete(t.Context(), e.ID, version), directory.ErrConflict)
	}
	get(t, s, e.ID)
	eventually(t, s, directory.Query{Location: e.Location}, e)
	if err := s.Delete(t.Context(), e.ID, e.Version); err != nil {
		t.Error(err)
	}
}

// testCreateAgain: who is deleted in a late version comes back in the first.
func testCreateAgain(t *testing.T, s directory.Employees) {
	e := create(t, s, employee("Ada"))
	updated, err := s.Update(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), e.ID, updated.Version); err != nil {
		t.Fatal(err)
	}
	e.FullName, e.Badges = "Ada again", []string{"bug"}
	e = create(t, s, e)
	for _, q := range []directory.Query{{}, {Location: e.Location}, {Badge: "bug", Location: e.Location}} {
		eventually(t, s, q, e)
	}
}

// walk returns the employees on all pages of q, each of at most limit.
func walk(t TB, s directory.Employees, q directory.Query, limit int) []directory.Employee {
	t.Helper()
	var all []directory.Employee
	q.Limit = limit
	for pages := 1; ; pages++ {
		page, err := s.Page(t.Context(), q)
		if err != nil {
			t.Fatalf("there is no page of %+v: %v", q, err)
		}
		all = append(all, page.Employees...)
		switch {
		case len(page.Employees) > limit:
			t.Fatalf("a page has %d employees, want at most %d", len(page.Employees), limit)
		case page.Next == "":
			return all
		case len(page.Employees) < limit:
			t.Fatalf("a page that another follows has %d employees, want %d", len(page.Employees), limit)
		case pages > 1000:
			t.Fatalf("there are more than 1000 pages of %d", limit)
		}
		q.After = page.Next
	}
}

// eventually waits until want are listed for q.
func eventually(t *testing.T, s directory.Employees, q directory.Query, want ...directory.Employee) {
	t.Helper()
	eventuallyEqual(t, fmt.Sprintf("employees of %+v", q), want, func() []directory.Employee {
		return walk(t, s, q, directory.MaxLimit)
	}, changes)
}

// eventuallyEqual waits until what look returns is want: an index follows a change
// after a while.
func eventuallyEqual[T any](t *testing.T, what string, want []T, look func() []T, options ...cmp.Option) {
	t.Helper()
	diff := ""
	for deadline := time.Now().Add(listedWithin); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if diff = cmp.Diff(want, look(), options...); diff == "" {
			return
		}
	}
	t.Errorf("the %s differ (-want +got):\n%s", what, diff)
}

// eventuallyLocations waits until want are the locations.
func eventuallyLocations(t *testing.T, s directory.Employees, want ...string) {
	t.Helper()
	eventuallyEqual(t, "locations", want, func() []string {
		got, err := s.Locations(t.Context(), directory.LocationQuery{Limit: directory.MaxLocations})
		if err != nil {
			t.Fatal(err)
		}
		return got.Locations
	}, cmpopts.EquateEmpty())
}

// wantLocations reads the pages that q selects, of q's limit each, to the last.
func wantLocations(t *testing.T, s directory.Employees, q directory.LocationQuery, want ...string) {
	t.Helper()
	page, err := s.Locations(t.Context(), q)
	if err != nil || len(page.Locations) > q.Limit || !slices.Equal(page.Locations, want[:min(q.Limit, len(want))]) {
		t.Fatalf("got the locations %q of %+v, %v; want those of %q", page.Locations, q, err, want)
	}
}

// testAllLocations has more locations than a page, and finds each by paging and by
// how it begins.
func testAllLocations(t *testing.T, s directory.Employees) {
	names := []string{"Aarhus", "Kiruna", "São Paulo", "Zug", "Zürich", "Zürich West", "東京"}
	for _, name := range names {
		e := employee("Somebody")
		e.Location = name
		create(t, s, e)
	}
	eventuallyLocations(t, s, names...)
	for _, limit := range []int{1, 2, 3, len(names), directory.MaxLocations} {
		var all []string
		for q := (directory.LocationQuery{Limit: limit}); ; {
			page, err := s.Locations(t.Context(), q)
			if err != nil || len(page.Locations) > limit {
				t.Fatalf("got %q, %v for %+v", page.Locations, err, q)
			}
			all = append(all, page.Locations...)
			if q.After = page.Next; q.After == "" || len(all) > len(names) {
				break
			}
		}
		if !slices.Equal(all, names) {
			t.Errorf("got %q by pages of %d, want %q", all, limit, names)
		}
	}
	for prefix, want := range map[string][]string{
		"zu": {"Zug", "Zürich", "Zürich West"}, "ZÜR": {"Zürich", "Zürich West"}, "zürich": {"Zürich", "Zürich West"},
		"zurich ": {"Zürich", "Zürich West"}, "zürich w": {"Zürich West"}, "東": {"東京"}, "sao": {"São Paulo"}, "zz": nil,
	} {
		wantLocations(t, s, directory.LocationQuery{Prefix: prefix, Limit: 10}, want...)
	}
	first, err := s.Locations(t.Context(), directory.LocationQuery{Prefix: "zu", Limit: 2})
	if err != nil || first.Next == "" {
		t.Fatalf("got %+v, %v; want a page with another behind it", first, err)
	}
	wantLocations(t, s, directory.LocationQuery{Prefix: "zu", After: first.Next, Limit: 2}, "Zürich West")
	_, err = s.Locations(t.Context(), directory.LocationQuery{After: "%", Limit: 1})
	wantError(t, err, directory.ErrInvalidCursor)
}

func names(employees []directory.Employee) []string {
	all := []string{}
	for _, e := range employees {
		all = append(all, e.FullName)
	}
	return all
}

func testPages(t *testing.T, s directory.Employees) {
	if got := walk(t, s, directory.Query{}, 3); len(got) != 0 {
		t.Errorf("an empty store lists %q", names(got))
	}
	want := []string{"Ana", "ana b", "Åsa", "Björn", "bob", "Ørjan", "Zoë"}
	var all []directory.Employee
	for _, name := range []string{"Zoë", "bob", "ana b", "Ørjan", "Åsa", "Ana", "Björn"} {
		all = append(all, create(t, s, employee(name)))
	}
	eventually(t, s, directory.Query{}, pageOf(all, directory.Query{Limit: 100}).Employees...)
	for _, limit := range []int{1, 3, 6, 7} {
		if got := names(walk(t, s, directory.Query{}, limit)); !slices.Equal(got, want) {
			t.Errorf("by pages of %d the list is %q, want %q", limit, got, want)
		}
	}
	q := directory.Query{}
	if got, err := s.Total(t.Context(), directory.Query{Prefix: "a", After: directory.Cursor("ar"), Limit: 1}); err != nil || got != 3 {
		t.Errorf("got the total %d, %v, of those called A, want 3", got, err)
	}
	comparePages(t, s, all, q)
	comparePages(t, s, all, directory.Query{Prefix: "a"})
	// Behind somebody who is gone, nobody may be; the way back leads to who is left.
	q = directory.Query{After: directory.Cursor(all[0].SortKey()), Limit: 3}
	page, err := s.Page(t.Context(), q)
	if err != nil || len(page.Employees) > 0 {
		t.Fatalf("got %+v, %v, behind the last", page, err)
	}
	page, err = s.Page(t.Context(), directory.Query{Before: page.Previous, Limit: 3})
	if got := names(page.Employees); err != nil || !slices.Equal(got, want[4:]) {
		t.Errorf("got %q, %v, before the end, want %q", got, err, want[4:])
	}
	// The last page says that it is the last, also where it is full.
	page, err = s.Page(t.Context(), directory.Query{Limit: 7})
	if err != nil || page.Next != "" {
		t.Errorf("got the cursor %q, %v after the last page, want none", page.Next, err)
	}
}

// some are employees of all kinds.
func some() []directory.Employee {
	var all []directory.Employee
	for i, name := range []string{"José", "JOSE B", "Josef", "Jürgen", "Ñandú", "Joan", "Søren", "Ada", "Josephine", "Zoë"} {
		e := employee(name)
		e.Location = []string{"Lisbon", "São Tomé", "LISBON", "New York"}[i%4]
		e.Badges = [][]string{{"linux"}, {}, {"linux", "camera"}, {"camera", "umbrella"}, {"linux"}}[i%5]
		all = append(all, e)
	}
	return all
}

// testFilters asks for all combinations.
func testFilters(t *testing.T, s directory.Employees) {
	var all []directory.Employee
	for _, e := range some() {
		all = append(all, create(t, s, e))
	}
	for _, prefix := range []string{"", "jo", "José", "z", "jozz"} {
		for _, location := range []string{"", "lisbon", "São Tomé", "Lis"} {
			for _, badge := range []string{"", "linux", "camera", "plane", "lin"} {
				q := directory.Query{Prefix: prefix, Location: location, Badge: badge}
				want := pageOf(all, directory.Query{Prefix: prefix, Location: location, Badge: badge, Limit: 100}).Employees
				eventually(t, s, q, want...)
				if got := walk(t, s, q, 2); !slices.Equal(names(got), names(want)) {
					t.Errorf("by pages of 2 the list of %+v is %q, want %q", q, names(got), names(want))
				}
			}
		}
	}
}

func testFolding(t *testing.T, s directory.Employees) {
	all := []string{"Ægir", "İpek", "ıtır", "José", "Jose\u0301 B", "Łukasz", "Ñandú", "Øystein", "straße", "STRASSER", "Þóra"}
	for _, name := range all {
		e := employee(name)
		e.Location = name
		create(t, s, e)
	}
	find := func(q directory.Query) func() []string {
		return func() []string { return names(walk(t, s, q, 100)) }
	}
	for _, test := range []struct {
		text string
		want []string
	}{
		{"", all}, {"aegir", all[:1]}, {"IPEK", all[1:2]}, {"itir", all[2:3]}, {"jose", all[3:5]}, {"JOSÉ b", all[4:5]},
		{"lukasz", all[5:6]}, {"n", all[6:7]}, {"ñ", all[6:7]}, {"oy", all[7:8]}, {"straß", all[8:10]}, {"thora", all[10:]},
	} {
		eventuallyEqual(t, "names", test.want, find(directory.Query{Prefix: test.text}), cmpopts.EquateEmpty())
	}
	eventuallyEqual(t, "names", []string{"José"}, find(directory.Query{Location: "jose"}), cmpopts.EquateEmpty())
	eventuallyEqual(t, "names", []string{"straße"}, find(directory.Query{Location: "STRASSE"}), cmpopts.EquateEmpty())
	eventuallyLocations(t, s, all...)
}

func testEqualNames(t *testing.T, s directory.Employees) {
	var all []directory.Employee
	for _, name := range []string{"Same Name", "same name", "SAME NÁME", "Same Name", "Same Name Too"} {
		e := employee(name)
		e.Badges = []string{"linux"}
		all = append(all, create(t, s, e))
	}
	for _, q := range []directory.Query{{}, {Prefix: "same name"}, {Badge: "linux", Location: "Lisbon", Prefix: "s"}} {
		q.Limit = directory.MaxLimit
		want := pageOf(all, q).Employees
		eventually(t, s, q, want...)
		for _, limit := range []int{1, 2, 3} {
			if diff := cmp.Diff(want, walk(t, s, q, limit), changes); diff != "" {
				t.Errorf("by pages of %d the list of %+v differs (-want +got):\n%s", limit, q, diff)
			}
		}
	}
}

// testLongest keeps what is longest before and after folding.
func testLongest(t *testing.T, s directory.Employees) {
	var all []directory.Employee
	for _, letter := range []string{"🐧", "ﷺ", "각"} {
		e := employee(strings.Repeat(letter, directory.MaxField))
		e.Location, e.JobTitle = e.FullName, e.FullName
		for _, badge := range directory.Badges {
			e.Badges = append(e.Badges, badge.ID)
		}
		e = create(t, s, e)
		all = append(all, e)
		eventually(t, s, directory.Query{Location: e.Location, Badge: "umbrella", Prefix: e.FullName}, e)
	}
	q := directory.Query{Badge: "apple", Limit: directory.MaxLimit}
	eventually(t, s, q, pageOf(all, q).Employees...)
	if got := walk(t, s, q, 1); len(got) != len(all) {
		t.Errorf("by pages of 1 there are %d employees, want %d", len(got), len(all))
	}
	for _, e := range all {
		if err := s.Delete(t.Context(), e.ID, 1); err != nil {
			t.Error(err)
		}
	}
	eventually(t, s, q)
}

func testListsFollowChanges(t *testing.T, s directory.Employees) {
	e, bert := employee("Anna"), create(t, s, employee("Bert"))
	e.Badges = []string{"linux"}
	e = create(t, s, e)
	eventually(t, s, directory.Query{}, e, bert)
	before := directory.Query{Location: "Lisbon", Badge: "linux"}
	eventually(t, s, before, e)
	e.FullName, e.Location, e.Badges = "Cleo", "Porto", []string{"camera"}
	e, err := s.Update(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, s, directory.Query{}, bert, e)
	for _, q := range []directory.Query{before, {Badge: "linux"}, {Location: "Lisbon", Prefix: "anna"}, {Prefix: "anna"}} {
		eventually(t, s, q)
	}
	for _, q := range []directory.Query{{Location: "porto", Badge: "camera", Prefix: "cleo"}, {Badge: "camera"}, {Location: "Porto"}, {Prefix: "c"}} {
		eventually(t, s, q, e)
	}
	eventually(t, s, directory.Query{Location: "Lisbon"}, bert)
	// What no list is made of is in the lists, too.
	e.JobTitle = "Captain"
	if e, err = s.Update(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	eventually(t, s, directory.Query{Badge: "camera", Location: "Porto"}, e)
}

// testForeignCursors uses cursors of one list with another, and of nobody.
func testForeignCursors(t *testing.T, s directory.Employees) {
	var all []directory.Employee
	for _, e := range some() {
		all = append(all, create(t, s, e))
	}
	eventually(t, s, directory.Query{}, pageOf(all, directory.Query{Limit: 100}).Employees...)
	for _, after := range []string{all[0].SortKey(), all[9].SortKey(), "jo", "m\x01", "zz", "\U0010ffff", "\x00", "0"} {
		for _, q := range []directory.Query{{}, {Prefix: "jo"}, {Location: "Lisbon"}, {Badge: "linux", Prefix: "jose"}} {
			q.After, q.Limit = directory.Cursor(after), directory.MaxLimit
			eventually(t, s, q, pageOf(all, q).Employees...)
			q.After, q.Before = "", q.After
			comparePage(t, s, all, q)
		}
	}
}

func testInvalidCursor(t *testing.T, s directory.Employees) {
	for _, cursor := range []string{"%%%", "_w", strings.Repeat("a", 4096)} {
		_, err := s.Page(t.Context(), directory.Query{After: cursor, Badge: "linux", Limit: 3})
		wantError(t, err, directory.ErrInvalidCursor)
		_, err = s.Page(t.Context(), directory.Query{Before: cursor, Limit: 3})
		wantError(t, err, directory.ErrInvalidCursor)
	}
	_, err := s.Page(t.Context(), directory.Query{After: directory.Cursor("a"), Before: directory.Cursor("b"), Limit: 3})
	wantError(t, err, directory.ErrInvalidCursor)
}

func testLocations(t *testing.T, s directory.Employees) {
	eventuallyLocations(t, s)
	at := func(location string) directory.Employee {
		e := employee("Somebody")
		e.Location = location
		return create(t, s, e)
	}
	first, second := at("Évora"), at("Évora")
	at("zürich")
	at("Athens")
	eventuallyLocations(t, s, "Athens", "Évora", "zürich")
	wantLocations(t, s, directory.LocationQuery{Limit: 2}, "Athens", "Évora")
	// A location is there while anybody is.
	if err := s.Delete(t.Context(), first.ID, 1); err != nil {
		t.Fatal(err)
	}
	eventuallyLocations(t, s, "Athens", "Évora", "zürich")
	second.Location = "EVORA"
	if _, err := s.Update(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	eventuallyLocations(t, s, "Athens", "EVORA", "zürich")
	second.Location, second.Version = "Athens", 2
	if _, err := s.Update(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	eventuallyLocations(t, s, "Athens", "zürich")
}

// testContext: a call whose context has ended changes nothing.
func testContext(t *testing.T, s directory.Employees) {
	e := create(t, s, employee("Ada"))
	ended, end := context.WithCancel(t.Context())
	end()
	_, err := s.Get(ended, e.ID)
	wantError(t, err, directory.ErrUnavailable)
	_, err = s.Page(ended, directory.Query{Limit: 1})
	wantError(t, err, directory.ErrUnavailable)
	_, err = s.Total(ended, directory.Query{})
	wantError(t, err, directory.ErrUnavailable)
	_, err = s.Locations(ended, directory.LocationQuery{Limit: 1})
	wantError(t, err, directory.ErrUnavailable)
	_, err = s.Create(ended, employee("Bob"))
	wantError(t, err, directory.ErrUnavailable)
	_, err = s.Update(ended, e)
	wantError(t, err, directory.ErrUnavailable)
	wantError(t, s.Delete(ended, e.ID, 0), directory.ErrUnavailable)
	eventually(t, s, directory.Query{}, e)
}

func testPing(t *testing.T, s directory.Employees) {
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}
