// Package sqlite is the embedded store: employees, accounts and sessions in a
// SQLite database, and photos as files beside it. It needs no other program.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Store is a directory.Employees, a directory.Accounts and a directory.Sessions
// in one SQLite database.
type Store struct {
	// Now returns the present. Default: time.Now.
	Now func() time.Time

	dir string
	// reads are the connections to read with. Writes have one of their own, for
	// which they wait in turn.
	reads, writes *sql.DB
	// prepared are the statements that are read with, by their texts, of which there
	// are few: SQLite takes as long to read one as to answer it.
	prepared sync.Map
}

// query reads with a statement, which is prepared once.
func (s *Store) query(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	statement, ok := s.prepared.Load(text)
	if !ok {
		prepared, err := s.reads.PrepareContext(context.WithoutCancel(ctx), text)
		if err != nil {
			return nil, err
		}
		var others bool
		if statement, others = s.prepared.LoadOrStore(text, prepared); others {
			prepared.Close()
		}
	}
	return statement.(*sql.Stmt).QueryContext(ctx, args...)
}

// Open opens the database in dir, and makes both where there are none.
func Open(ctx context.Context, dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the data directory cannot be made: %w", err)
	}
	path := filepath.Join(dir, databaseFile)
	if err := makePrivate(path); err != nil {
		return nil, fmt.Errorf("the database in %s cannot be made: %w", dir, writable(err))
	}
	// With a write-ahead log readers never wait for a writer; every commit is
	// on the disk before it is acknowledged.
	dsn := "file:" + uriPath.Replace(path) +
		"?_pragma=busy_timeout(2000)&_pragma=journal_mode(wal)&_pragma=synchronous(full)&_txlock=immediate"
	writes, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	writes.SetMaxOpenConns(1)
	reads, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, errors.Join(err, writes.Close())
	}
	reads.SetMaxOpenConns(4)
	reads.SetMaxIdleConns(4)
	s := &Store{Now: time.Now, dir: dir, reads: reads, writes: writes}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("the database in %s cannot be opened: %w", dir, writable(err)), s.Close())
	}
	return s, nil
}

// makePrivate makes an empty database where there is none. SQLite itself would
// let everybody read it, and it holds hashes of passwords; the files beside it
// take after it.
func makePrivate(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// uriPath writes what ends or changes a path in SQLite's addresses. Source: "URI
// Filenames In SQLite".
var uriPath = strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23")

// Close closes the database.
func (s *Store) Close() error { return errors.Join(s.reads.Close(), s.writes.Close()) }

// write does all that do does, or nothing.
func (s *Store) write(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := s.writes.BeginTx(ctx, nil)
	if err != nil {
		return unavailable(err)
	}
	defer func() { _ = tx.Rollback() }() // nothing once it is committed
	if err := do(tx); err != nil {
		return unavailable(err)
	}
	return unavailable(tx.Commit())
}

// stamp is the present, as exactly as it is stored.
func (s *Store) stamp() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

// scanner is a row.
type scanner interface{ Scan(...any) error }

// collect returns what scan makes of each row.
func collect[T any](rows *sql.Rows, err error, scan func(scanner) (T, error)) ([]T, error) {
	if err != nil {
		return nil, unavailable(err)
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, unavailable(err)
		}
		all = append(all, one)
	}
	return all, unavailable(rows.Err())
}

// found returns one, or ErrNotFound where there was no row.
func found[T any](one T, err error) (T, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return one, directory.ErrNotFound
	}
	return one, unavailable(err)
}

// changed returns ErrNotFound where no row was changed.
func changed(result sql.Result, err error) error {
	if err != nil {
		return unavailable(err)
	}
	n, err := result.RowsAffected()
	if err == nil && n == 0 {
		return directory.ErrNotFound
	}
	return unavailable(err)
}

// taken reports whether err is a key that exists: an employee's id or an account's name.
func taken(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
}

// unavailable wraps what SQLite and the file system say. What the directory itself
// says stays as it is.
func unavailable(err error) error {
	if err == nil || errors.Is(err, directory.ErrNotFound) || errors.Is(err, directory.ErrConflict) {
		return err
	}
	if full(err) {
		return fmt.Errorf("%w: %w: %w", directory.ErrUnavailable, directory.ErrFull, err)
	}
	return fmt.Errorf("%w: %w", directory.ErrUnavailable, err)
}

// writable adds to an error that is about it that the directory must be writable.
func writable(err error) error {
	var e *sqlite.Error
	readOnly := errors.As(err, &e) && (e.Code()&0xff == sqlite3.SQLITE_CANTOPEN || e.Code()&0xff == sqlite3.SQLITE_READONLY)
	if readOnly || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("%w: the directory and the files in it have to be writable by the user that the service runs as", err)
	}
	return err
}

// leastRoom is how many bytes a disk has to have free to count as not full: what a
// change and a photo take.
const leastRoom = 1 << 20

// hasRoom returns directory.ErrFull if the disk under dir is full.
func hasRoom(dir string) error {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(dir, &disk); err != nil {
		return unavailable(err)
	}
	if free := uint64(disk.Bavail) * uint64(disk.Bsize); free < leastRoom {
		return fmt.Errorf("%w: %w: %d bytes are free under %s", directory.ErrUnavailable, directory.ErrFull, free, dir)
	}
	return nil
}

// full reports whether err is a disk, or a quota of one, that is full.
func full(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_FULL ||
		errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
