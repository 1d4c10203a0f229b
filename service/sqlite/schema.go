package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

// migrations bring a database from the version of their place to the next one.
// SQLite keeps the version in user_version. A released migration never changes.
var migrations = []func(context.Context, *sql.Tx) error{withEmployees, withLists, withErasures}

// withEmployees makes the table that databases of before there were versions
// have already.
func withEmployees(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `
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
) STRICT, WITHOUT ROWID`)
	return err
}

// withLists makes lists of the employees, and all other tables.
func withLists(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `
ALTER TABLE employees RENAME TO employees_before;
CREATE TABLE employees (
	id           TEXT PRIMARY KEY,
	full_name    TEXT NOT NULL,
	location     TEXT NOT NULL,
	job_title    TEXT NOT NULL,
	badges       TEXT NOT NULL,
	photo_key    TEXT NOT NULL,
	thumbnail    TEXT NOT NULL,
	photo_width  INTEGER NOT NULL,
	photo_height INTEGER NOT NULL,
	photo_region TEXT NOT NULL,
	version      INTEGER NOT NULL,
	updated      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO employees SELECT id, full_name, location, job_title, badges,
	photo_key, '', 0, 0, photo_region, version, updated FROM employees_before;

-- Which employees are in which of the directory's lists.
CREATE TABLE lists (
	list     TEXT NOT NULL,
	sort_key TEXT NOT NULL,
	id       TEXT NOT NULL,
	PRIMARY KEY (list, sort_key)
) STRICT, WITHOUT ROWID;

-- How many employees have a location, for each of its spellings.
CREATE TABLE locations (
	folded    TEXT NOT NULL,
	name      TEXT NOT NULL,
	employees INTEGER NOT NULL,
	PRIMARY KEY (folded, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE accounts (
	name          TEXT PRIMARY KEY,
	password_hash TEXT NOT NULL,
	changed       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
	key    TEXT PRIMARY KEY,
	data   BLOB NOT NULL,
	expiry INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_expiry ON sessions (expiry);

CREATE TABLE counts (
	key    TEXT PRIMARY KEY,
	count  INTEGER NOT NULL,
	expiry INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX counts_by_expiry ON counts (expiry);

CREATE TABLE heartbeats (
	region   TEXT PRIMARY KEY,
	zone     TEXT NOT NULL,
	instance TEXT NOT NULL,
	version  TEXT NOT NULL,
	at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID`)
	if err != nil {
		return err
	}
	// In the order of names each list grows at its end only, and the ends stay
	// in memory: many times faster than any other way.
	if _, err := tx.ExecContext(ctx, "PRAGMA cache_size = -64000"); err != nil {
		return err
	}
	rows, err := tx.QueryContext(ctx, "SELECT id, full_name, location, badges FROM employees_before ORDER BY sort_key")
	if err != nil {
		return err
	}
	defer rows.Close()
	var some []directory.Employee
	for rows.Next() {
		var e directory.Employee
		var badges string
		if err := rows.Scan(&e.ID, &e.FullName, &e.Location, &badges); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(badges), &e.Badges); err != nil {
			return err
		}
		if some = append(some, e); len(some) == 1000 {
			if err := enter(ctx, tx, some...); err != nil {
				return err
			}
			some = some[:0]
		}
	}
	if err := enter(ctx, tx, some...); err != nil {
		return err
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "DROP TABLE employees_before; PRAGMA cache_size = -2000")
	return err
}

// withErasures makes the table of what is to be erased.
func withErasures(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `
CREATE TABLE erasures (
	at  INTEGER NOT NULL,
	key TEXT NOT NULL,
	PRIMARY KEY (at, key)
) STRICT, WITHOUT ROWID`)
	return err
}

// migrate brings the database to the newest version, all at once or not at all.
func (s *Store) migrate(ctx context.Context) error {
	tx, err := s.writes.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	var version int
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version > len(migrations) {
		return fmt.Errorf("it is of version %d, and this program knows versions up to %d: use the program that wrote it, or a later one", version, len(migrations))
	}
	if version == len(migrations) {
		return nil // without a write: on a full disk what is there can be read
	}
	for _, migrate := range migrations[version:] {
		if err := migrate(ctx, tx); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", len(migrations))); err != nil {
		return err
	}
	return tx.Commit()
}
