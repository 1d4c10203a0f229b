package sqlite

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/google/go-cmp/cmp"
)

// database opens the database in dir beside a store.
func database(t *testing.T, dir string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "directory.db")+"?_pragma=synchronous(off)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func exec(t *testing.T, db *sql.DB, statements string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statements, args...); err != nil {
		t.Fatal(err)
	}
}

// plan is how SQLite answers a query.
func plan(t *testing.T, s *Store, query string, args ...any) []string {
	t.Helper()
	rows, err := s.reads.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	steps, err := collect(rows, err, func(row scanner) (detail string, err error) {
		var id, parent, unused int
		return detail, row.Scan(&id, &parent, &unused, &detail)
	})
	if err != nil || len(steps) == 0 {
		t.Fatalf("got no plan of %s: %v", query, err)
	}
	return steps
}

// TestPagesAreReadFromIndexes: whatever is asked for, no table is looked through
// and nothing is sorted.
func TestPagesAreReadFromIndexes(t *testing.T) {
	s := open(t, t.TempDir())
	for _, prefix := range []string{"", "jo"} {
		for _, location := range []string{"", "Lisbon"} {
			for _, badge := range []string{"", "linux"} {
				for _, after := range []string{"", directory.Cursor("joe\x01id")} {
					q := directory.Query{Prefix: prefix, Location: location, Badge: badge, After: after}
					part, err := q.Part()
					if err != nil {
						t.Fatal(err)
					}
					query, args := pageQuery(part, 50)
					for _, step := range plan(t, s, query, args...) {
						if !strings.HasPrefix(step, "SEARCH ") {
							t.Errorf("%+v takes %q", q, step)
						}
					}
				}
			}
		}
	}
}

// TestLocationsAreReadInOrder: so that the limit ends the reading.
func TestLocationsAreReadInOrder(t *testing.T) {
	s := open(t, t.TempDir())
	for _, q := range []directory.LocationQuery{{}, {Prefix: "zu"}, {After: directory.Cursor("zug")}, {Prefix: "zu", After: directory.Cursor("zug")}} {
		part, err := q.Range()
		if err != nil {
			t.Fatal(err)
		}
		query, args := locationsQuery(part, 100)
		for _, step := range plan(t, s, query, args...) {
			if !strings.HasPrefix(step, "SEARCH ") {
				t.Errorf("%+v takes %q", q, step)
			}
		}
	}
}

// first makes a database as the first version of the service did, with one
// employee of each name.
func first(t *testing.T, dir string, employees ...directory.Employee) {
	t.Helper()
	db := database(t, dir)
	exec(t, db, `
		CREATE TABLE employees (
			id           TEXT PRIMARY KEY,
			sort_key     TEXT NOT NULL UNIQUE,
			full_name    TEXT NOT NULL,
			location     TEXT NOT NULL,
			job_title    TEXT NOT NULL,
			badges       TEXT NOT NULL,
			photo_key    TEXT NOT NULL,
			photo_region TEXT NOT NULL,
			version      INTEGER NOT NULL,
			updated      INTEGER NOT NULL
		) STRICT, WITHOUT ROWID`)
	for _, e := range employees {
		exec(t, db, "INSERT INTO employees VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", e.ID, strings.ToLower(e.FullName)+"\x01"+e.ID,
			e.FullName, e.Location, e.JobTitle, asJSON(e.Badges), e.Photo.Key, e.Photo.Region, e.Version, e.Updated.UnixMilli())
	}
}

func TestDatabaseOfTheFirstVersionIsKept(t *testing.T) {
	dir := t.TempDir()
	var all []directory.Employee
	for i := range 1234 {
		id := fmt.Sprintf("id%d", i)
		all = append(all, directory.Employee{
			ID: id, FullName: fmt.Sprintf("Straße %04d", i), Location: fmt.Sprintf("Örtchen %d", i%7), JobTitle: "Pilot",
			Badges: []string{"linux", "camera"}[:i%3], Version: int64(i + 1), Updated: time.UnixMilli(1_750_000_000_000).UTC(),
			Photo: directory.Photo{Key: directory.PhotoKey(id, nil, "jpg"), Region: "eu-west-1"},
		})
	}
	first(t, dir, all...)
	for range 2 { // the second time it is of the newest version
		s := open(t, dir)
		for _, want := range all {
			got, err := s.Get(t.Context(), want.ID)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Fatalf("%v: the employee differs (-want +got):\n%s", err, diff)
			}
		}
		q := directory.Query{Prefix: "strasse", Location: "örtchen 3", Badge: "camera", Limit: directory.MaxLimit}
		var want, got []string
		for i, e := range all {
			if i%7 == 3 && i%3 == 2 {
				want = append(want, e.ID)
			}
		}
		for {
			page, err := s.Page(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page.Employees {
				got = append(got, e.ID)
			}
			if q.After = page.Next; q.After == "" {
				break
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the list differs (-want +got):\n%s", diff)
		}
		locations, err := s.Locations(t.Context(), directory.LocationQuery{Limit: 100})
		if err != nil || len(locations.Locations) != 7 || locations.Locations[3] != "Örtchen 3" {
			t.Errorf("got the locations %q, %v", locations, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDatabaseOfALaterVersionIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := open(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	exec(t, database(t, dir), fmt.Sprintf("PRAGMA user_version = %d", len(migrations)+1))
	_, err := Open(t.Context(), dir)
	if err == nil || !strings.Contains(err.Error(), "or a later one") {
		t.Errorf("got %v, want the advice to use a later program", err)
	}
}

// TestFailedMigrationChangesNothing: a database that cannot be brought up to
// date is as it was for the program that wrote it.
func TestFailedMigrationChangesNothing(t *testing.T) {
	dir := t.TempDir()
	first(t, dir, directory.Employee{ID: "id", FullName: "Ada", Location: "London", JobTitle: "Analyst", Version: 1})
	db := database(t, dir)
	exec(t, db, "UPDATE employees SET badges = 'none'")
	if _, err := Open(t.Context(), dir); err == nil {
		t.Fatal("badges that are not JSON were accepted")
	}
	var name string
	if err := db.QueryRowContext(t.Context(), "SELECT full_name FROM employees WHERE sort_key > ''").Scan(&name); err != nil || name != "Ada" {
		t.Errorf("got %q, %v from the database of before", name, err)
	}
}

// TestUpdateLeavesWhatALaterVersionKeeps: a column that this one does not know.
func TestUpdateLeavesWhatALaterVersionKeeps(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	e, err := s.Create(t.Context(), directory.Employee{ID: "id", FullName: "Ada", Location: "London", JobTitle: "Analyst"})
	if err != nil {
		t.Fatal(err)
	}
	db := database(t, dir)
	exec(t, db, "ALTER TABLE employees ADD COLUMN pronouns TEXT; UPDATE employees SET pronouns = 'she/her'")
	e.FullName = "Augusta"
	if _, err := s.Update(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	var pronouns string
	if err := db.QueryRowContext(t.Context(), "SELECT pronouns FROM employees WHERE full_name = 'Augusta'").Scan(&pronouns); err != nil || pronouns != "she/her" {
		t.Errorf("got %q, %v, want what was kept", pronouns, err)
	}
}

// TestWhatIsOverIsRemoved: sessions and counts do not pile up.
func TestWhatIsOverIsRemoved(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	now := time.Now()
	s.Now = func() time.Time { return now }
	for range 3 {
		if err := s.PutSession(t.Context(), now.String(), nil, now.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Count(t.Context(), "address", time.Minute); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Hour)
	}
	var rows int
	err := database(t, dir).QueryRowContext(t.Context(), "SELECT (SELECT count(*) FROM sessions) + (SELECT count(*) FROM counts)").Scan(&rows)
	if err != nil || rows != 2 {
		t.Errorf("%d rows are left, %v, want the last session and the last count", rows, err)
	}
}
