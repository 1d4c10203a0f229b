// Package sqlite is the embedded store: employees in a SQLite database and
// photos as files beside it. It needs no other program.
package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const schema = `
CREATE TABLE IF NOT EXISTS employees (
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
) STRICT, WITHOUT ROWID`

const columns = "id, full_name, location, job_title, badges, photo_key, photo_region, version, updated"

// Employees is a directory.Employees in a SQLite database.
type Employees struct {
	db  *sql.DB
	now func() time.Time
}

// OpenEmployees opens the database in dir, and makes both where there are none.
func OpenEmployees(ctx context.Context, dir string) (*Employees, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the data directory cannot be made: %w", err)
	}
	// With a write-ahead log readers never wait for a writer; every commit is
	// on the disk before it is acknowledged.
	dsn := "file:" + filepath.Join(dir, "directory.db") +
		"?_pragma=journal_mode(wal)&_pragma=synchronous(full)&_pragma=busy_timeout(2000)&_txlock=immediate"
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(4)
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(fmt.Errorf("the database in %s cannot be opened: %w", dir, err), db.Close())
	}
	return &Employees{db: db, now: time.Now}, nil
}

// Close closes the database.
func (s *Employees) Close() error { return s.db.Close() }

// Get implements directory.Employees.
func (s *Employees) Get(ctx context.Context, id string) (directory.Employee, error) {
	e, err := scan(s.db.QueryRowContext(ctx, "SELECT "+columns+" FROM employees WHERE id = ?", id))
	if errors.Is(err, sql.ErrNoRows) {
		return directory.Employee{}, directory.ErrNotFound
	}
	return e, unavailable(err)
}

// Page implements directory.Employees.
func (s *Employees) Page(ctx context.Context, q directory.Query) (directory.Page, error) {
	after, err := directory.SortKeyOf(q.After)
	if err != nil {
		return directory.Page{}, err
	}
	// One more than the page tells whether another follows.
	limit := q.Limit
	rows, err := s.db.QueryContext(ctx,
		"SELECT "+columns+" FROM employees WHERE sort_key > ? ORDER BY sort_key LIMIT ?", after, limit+1)
	if err != nil {
		return directory.Page{}, unavailable(err)
	}
	defer rows.Close()
	var page directory.Page
	for rows.Next() {
		if len(page.Employees) == limit {
			page.Next = directory.Cursor(page.Employees[limit-1].SortKey())
			break
		}
		e, err := scan(rows)
		if err != nil {
			return directory.Page{}, unavailable(err)
		}
		page.Employees = append(page.Employees, e)
	}
	return page, unavailable(rows.Err())
}

// Create implements directory.Employees.
func (s *Employees) Create(ctx context.Context, e directory.Employee) (directory.Employee, error) {
	e.Version, e.Updated = 1, s.stamp()
	badges, err := json.Marshal(e.Badges)
	if err != nil {
		return directory.Employee{}, err
	}
	_, err = s.db.ExecContext(ctx,
		"INSERT INTO employees (sort_key, "+columns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		e.SortKey(), e.ID, e.FullName, e.Location, e.JobTitle, string(badges), e.Photo.Key, e.Photo.Region, e.Version, e.Updated.UnixMilli())
	if taken(err) {
		return directory.Employee{}, directory.ErrConflict
	}
	return e, unavailable(err)
}

// Update implements directory.Employees.
func (s *Employees) Update(ctx context.Context, e directory.Employee) (directory.Employee, error) {
	stale := e.Version
	e.Version, e.Updated = stale+1, s.stamp()
	badges, err := json.Marshal(e.Badges)
	if err != nil {
		return directory.Employee{}, err
	}
	result, err := s.db.ExecContext(ctx, `UPDATE employees SET sort_key = ?, full_name = ?, location = ?, job_title = ?,
		badges = ?, photo_key = ?, photo_region = ?, version = ?, updated = ? WHERE id = ? AND version = ?`,
		e.SortKey(), e.FullName, e.Location, e.JobTitle, string(badges), e.Photo.Key, e.Photo.Region, e.Version, e.Updated.UnixMilli(), e.ID, stale)
	if err != nil {
		return directory.Employee{}, unavailable(err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 1 {
		return e, unavailable(err)
	}
	if _, err := s.Get(ctx, e.ID); err != nil {
		return directory.Employee{}, err
	}
	return directory.Employee{}, directory.ErrConflict
}

// Locations implements directory.Employees.
func (s *Employees) Locations(ctx context.Context, limit int) ([]string, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT DISTINCT location FROM employees ORDER BY location LIMIT ?", limit)
	if err != nil {
		return nil, unavailable(err)
	}
	defer rows.Close()
	var locations []string
	for rows.Next() {
		var location string
		if err := rows.Scan(&location); err != nil {
			return nil, unavailable(err)
		}
		locations = append(locations, location)
	}
	return locations, unavailable(rows.Err())
}

// Delete implements directory.Employees.
func (s *Employees) Delete(ctx context.Context, id string, version int64) error {
	result, err := s.db.ExecContext(ctx, "DELETE FROM employees WHERE id = ? AND (version = ? OR ? = 0)", id, version, version)
	if err != nil {
		return unavailable(err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 1 {
		return unavailable(err)
	}
	if _, err := s.Get(ctx, id); err != nil {
		return err
	}
	return directory.ErrConflict
}

// Ping implements directory.Employees.
func (s *Employees) Ping(ctx context.Context) error {
	_, err := s.Page(ctx, directory.Query{Limit: 1})
	return err
}

// stamp is the present, as exactly as it is stored.
func (s *Employees) stamp() time.Time { return s.now().UTC().Truncate(time.Millisecond) }

type scanner interface{ Scan(...any) error }

func scan(row scanner) (directory.Employee, error) {
	var e directory.Employee
	var badges string
	var updated int64
	err := row.Scan(&e.ID, &e.FullName, &e.Location, &e.JobTitle, &badges, &e.Photo.Key, &e.Photo.Region, &e.Version, &updated)
	if err != nil {
		return directory.Employee{}, err
	}
	e.Updated = time.UnixMilli(updated).UTC()
	return e, json.Unmarshal([]byte(badges), &e.Badges)
}

// taken tells whether err is a key that exists: the id, or the sort key, which
// holds it.
func taken(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) &&
		(e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY || e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE)
}

// unavailable wraps what SQLite says, a full disk for one.
func unavailable(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", directory.ErrUnavailable, err)
}
