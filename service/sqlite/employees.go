package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

// columns are an employee's, in the order of values and scanEmployee.
const columns = "e.id, e.full_name, e.location, e.job_title, e.badges, e.photo_key, e.thumbnail, e.photo_width, e.photo_height, e.photo_region, e.version, e.updated"

const getEmployee = "SELECT " + columns + " FROM employees AS e WHERE e.id = ?"

// Get implements directory.Employees.
func (s *Store) Get(ctx context.Context, id string) (directory.Employee, error) {
	return found(scanEmployee(s.reads.QueryRowContext(ctx, getEmployee, id)))
}

// within returns the condition that selects the entries of part.
func within(part directory.Part) (condition string, args []any) {
	condition, args = " WHERE l.list = ? AND l.sort_key > ?", []any{part.List, part.After}
	if part.Before != "" {
		condition += " AND l.sort_key < ?"
		args = append(args, part.Before)
	}
	return condition, args
}

// pageQuery returns what selects the page of at most limit employees of part,
// and one more where the part goes on, from the part's end where it is Backwards.
func pageQuery(part directory.Part, limit int) (query string, args []any) {
	condition, args := within(part)
	query = "SELECT " + columns + " FROM lists AS l CROSS JOIN employees AS e ON e.id = l.id" + condition + " ORDER BY l.sort_key"
	if part.Backwards {
		query += " DESC"
	}
	return query + " LIMIT ?", append(args, limit+1)
}

// Page implements directory.Employees.
func (s *Store) Page(ctx context.Context, q directory.Query) (directory.Page, error) {
	part, err := q.Part()
	if err != nil {
		return directory.Page{}, err
	}
	query, args := pageQuery(part, q.Limit)
	rows, err := s.query(ctx, query, args...)
	employees, err := collect(rows, err, scanEmployee)
	if err != nil || len(employees) == 0 {
		return q.Page(nil, "", "", false), err
	}
	more := len(employees) > q.Limit
	employees = employees[:min(len(employees), q.Limit)]
	if part.Backwards {
		slices.Reverse(employees)
	}
	return q.Page(employees, employees[0].SortKey(), employees[len(employees)-1].SortKey(), more), nil
}

// Total implements directory.Employees.
func (s *Store) Total(ctx context.Context, q directory.Query) (int, error) {
	q.After, q.Before = "", ""
	part, err := q.Part()
	if err != nil {
		return 0, err
	}
	condition, args := within(part)
	return found(scanTotal(s.reads.QueryRowContext(ctx, "SELECT count(*) FROM lists AS l"+condition, args...)))
}

func scanTotal(row scanner) (total int, err error) {
	err = row.Scan(&total)
	return total, err
}

// locationsQuery returns what selects the page of at most limit locations of part,
// each in one of its spellings, and one more where another page follows.
func locationsQuery(part directory.LocationRange, limit int) (query string, args []any) {
	query = "SELECT min(name) FROM locations WHERE folded > ? AND folded >= ?"
	args = []any{part.After, part.From}
	if part.After == "" { // which may be a location: a name of nothing but accents
		query, args = "SELECT min(name) FROM locations WHERE folded >= ?", args[1:]
	}
	if part.Before != "" {
		query += " AND folded < ?"
		args = append(args, part.Before)
	}
	return query + " GROUP BY folded ORDER BY folded LIMIT ?", append(args, limit+1)
}

// Locations implements directory.Employees.
func (s *Store) Locations(ctx context.Context, q directory.LocationQuery) (directory.LocationPage, error) {
	part, err := q.Range()
	if err != nil {
		return directory.LocationPage{}, err
	}
	query, args := locationsQuery(part, q.Limit)
	rows, err := s.query(ctx, query, args...)
	locations, err := collect(rows, err, func(row scanner) (location string, err error) {
		return location, row.Scan(&location)
	})
	if err != nil || len(locations) <= q.Limit {
		return directory.LocationPage{Locations: locations}, err
	}
	locations = locations[:q.Limit]
	return directory.LocationPage{Locations: locations, Next: directory.Cursor(directory.Fold(locations[q.Limit-1]))}, nil
}

// Create implements directory.Employees.
func (s *Store) Create(ctx context.Context, e directory.Employee) (directory.Employee, error) {
	e.Version, e.Updated = 1, s.stamp()
	err := s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO employees (id, full_name, location, job_title, badges, photo_key, thumbnail, photo_width, photo_height, photo_region, version, updated) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			e.ID, e.FullName, e.Location, e.JobTitle, asJSON(e.Badges),
			e.Photo.Key, e.Photo.Thumbnail, e.Photo.Width, e.Photo.Height, e.Photo.Region, e.Version, e.Updated.UnixMilli())
		if taken(err) {
			return directory.ErrConflict
		}
		if err != nil {
			return err
		}
		return enter(ctx, tx, e)
	})
	return e, err
}

// Update implements directory.Employees.
func (s *Store) Update(ctx context.Context, e directory.Employee) (directory.Employee, error) {
	stale := e.Version
	e.Version, e.Updated = stale+1, s.stamp()
	err := s.write(ctx, func(tx *sql.Tx) error {
		before, err := found(scanEmployee(tx.QueryRowContext(ctx, getEmployee, e.ID)))
		if err != nil {
			return err
		}
		if before.Version != stale {
			return directory.ErrConflict
		}
		if err := leave(ctx, tx, before); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE employees SET full_name = ?, location = ?, job_title = ?, badges = ?, photo_key = ?, thumbnail = ?, photo_width = ?, photo_height = ?, photo_region = ?, version = ?, updated = ? WHERE id = ?",
			e.FullName, e.Location, e.JobTitle, asJSON(e.Badges),
			e.Photo.Key, e.Photo.Thumbnail, e.Photo.Width, e.Photo.Height, e.Photo.Region, e.Version, e.Updated.UnixMilli(), e.ID)
		if err != nil {
			return err
		}
		return enter(ctx, tx, e)
	})
	return e, err
}

// Delete implements directory.Employees.
func (s *Store) Delete(ctx context.Context, id string, version int64) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		e, err := found(scanEmployee(tx.QueryRowContext(ctx, getEmployee, id)))
		if err != nil {
			return err
		}
		if version != 0 && e.Version != version {
			return directory.ErrConflict
		}
		if err := leave(ctx, tx, e); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM employees WHERE id = ?", id)
		return err
	})
}

// enter puts employees into their lists and counts them at their locations.
func enter(ctx context.Context, tx *sql.Tx, employees ...directory.Employee) error {
	entries, locations := [][]string{}, [][]string{}
	for _, e := range employees {
		sortKey := e.SortKey()
		for _, list := range e.Lists() {
			entries = append(entries, []string{list, sortKey, e.ID})
		}
		locations = append(locations, []string{directory.Fold(e.Location), e.Location})
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO lists (list, sort_key, id)
		SELECT value->>0, value->>1, value->>2 FROM json_each(?)`, asJSON(entries))
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO locations (folded, name, employees)
		SELECT value->>0, value->>1, 1 FROM json_each(?) WHERE true
		ON CONFLICT DO UPDATE SET employees = employees + 1`, asJSON(locations))
	return err
}

// leave takes back what enter did.
func leave(ctx context.Context, tx *sql.Tx, e directory.Employee) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM lists WHERE sort_key = ? AND list IN (SELECT value FROM json_each(?))",
		e.SortKey(), asJSON(e.Lists()))
	if err != nil {
		return err
	}
	folded := directory.Fold(e.Location)
	_, err = tx.ExecContext(ctx, "UPDATE locations SET employees = employees - 1 WHERE folded = ? AND name = ?", folded, e.Location)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM locations WHERE folded = ? AND name = ? AND employees = 0", folded, e.Location)
	return err
}

// asJSON returns strings as json_each reads them: one statement for many.
func asJSON[T []string | [][]string](strings T) string {
	b, err := json.Marshal(strings)
	if err != nil {
		panic(err) // there are no strings that JSON cannot hold
	}
	return string(b)
}

// Ping implements directory.Employees.
func (s *Store) Ping(ctx context.Context) error {
	if _, err := s.Page(ctx, directory.Query{Limit: 1}); err != nil {
		return err
	}
	return hasRoom(s.dir)
}

func scanEmployee(row scanner) (directory.Employee, error) {
	var e directory.Employee
	var badges string
	var updated int64
	err := row.Scan(&e.ID, &e.FullName, &e.Location, &e.JobTitle, &badges,
		&e.Photo.Key, &e.Photo.Thumbnail, &e.Photo.Width, &e.Photo.Height, &e.Photo.Region, &e.Version, &updated)
	if err != nil {
		return directory.Employee{}, err
	}
	e.Updated = time.UnixMilli(updated).UTC()
	return e, json.Unmarshal([]byte(badges), &e.Badges)
}
