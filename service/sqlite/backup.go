package sqlite

import (
	"archive/tar"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

// A backup is a tar file of the photos and, at its end, the database. It holds no
// sessions: who restores it signs in again.

const (
	databaseFile = "directory.db"
	photosFolder = "photos/"
)

// Contents are what a backup holds.
type Contents struct {
	Employees, Accounts, Photos int
}

// Backup writes a backup of the store in dir, which a service may be using, as of
// one moment. A photo that is erased meanwhile is not in it. scratch is a directory
// with room for the database.
func Backup(ctx context.Context, dir, scratch string, w io.Writer) (contents Contents, err error) {
	if _, err := os.Stat(filepath.Join(dir, databaseFile)); err != nil {
		return contents, fmt.Errorf("there is no store in %s: %w", dir, err)
	}
	store, err := Open(ctx, dir)
	if err != nil {
		return contents, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	photos, err := OpenPhotos(dir)
	if err != nil {
		return contents, err
	}
	defer func() { err = errors.Join(err, photos.Close()) }()
	snapshot := filepath.Join(scratch, databaseFile)
	if _, err := store.reads.ExecContext(ctx, "VACUUM INTO ?", snapshot); err != nil {
		return contents, fmt.Errorf("copy the database: %w", err)
	}
	db, err := sql.Open("sqlite", "file:"+uriPath.Replace(snapshot))
	if err != nil {
		return contents, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	archive := tar.NewWriter(w)
	if contents.Photos, err = backupPhotos(ctx, db, photos, archive); err != nil {
		return contents, err
	}
	_, err = db.ExecContext(ctx, "DELETE FROM sessions; DELETE FROM counts; DELETE FROM erasures; DELETE FROM heartbeats; VACUUM")
	if err != nil {
		return contents, fmt.Errorf("clear the copy: %w", err)
	}
	if contents.Employees, contents.Accounts, err = count(ctx, db); err != nil {
		return contents, err
	}
	if err := addFile(archive, databaseFile, snapshot); err != nil {
		return contents, err
	}
	return contents, archive.Close()
}

// backupPhotos writes the photos of a snapshot's employees, and takes from the
// snapshot those that were erased meanwhile.
func backupPhotos(ctx context.Context, db *sql.DB, photos *Photos, archive *tar.Writer) (written int, err error) {
	rows, err := db.QueryContext(ctx, "SELECT e.id, e.photo_key, e.thumbnail FROM employees AS e WHERE e.photo_key <> ''")
	employees, err := collect(rows, err, func(row scanner) (e directory.Employee, err error) {
		return e, row.Scan(&e.ID, &e.Photo.Key, &e.Photo.Thumbnail)
	})
	if err != nil {
		return 0, err
	}
	for _, e := range employees {
		contents := map[string][]byte{}
		for _, key := range e.Photo.Keys() {
			content, err := photos.Get(ctx, key)
			if errors.Is(err, directory.ErrNotFound) {
				contents = nil
				break
			}
			if err != nil {
				return written, err
			}
			contents[key] = content
		}
		if contents == nil {
			_, err := db.ExecContext(ctx, "UPDATE employees SET photo_key = '', thumbnail = '', photo_width = 0, photo_height = 0, photo_region = '' WHERE id = ?", e.ID)
			if err != nil {
				return written, err
			}
		}
		for _, key := range e.Photo.Keys() {
			content, ok := contents[key]
			if !ok {
				continue
			}
			header := &tar.Header{Name: photosFolder + key, Mode: 0o600, Size: int64(len(content)), ModTime: time.Now()}
			if err := archive.WriteHeader(header); err != nil {
				return written, err
			}
			if _, err := archive.Write(content); err != nil {
				return written, err
			}
			written++
		}
	}
	return written, nil
}

func count(ctx context.Context, db *sql.DB) (employees, accounts int, err error) {
	err = db.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM employees), (SELECT count(*) FROM accounts)").Scan(&employees, &accounts)
	return employees, accounts, err
}

func addFile(archive *tar.Writer, name, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: info.Size(), ModTime: info.ModTime()}); err != nil {
		return err
	}
	_, err = io.Copy(archive, file)
	return err
}

// ErrNotEmpty means that a restore would replace employees or accounts.
var ErrNotEmpty = errors.New("the store is not empty")

// Restore replaces what the store in dir holds, which a service may be using, by a
// backup: all of it, or nothing if the backup is damaged. Without replace it returns
// ErrNotEmpty where there are employees or accounts. Every employee gets a version
// that nobody has seen, so that no edit of before the restore is taken for one of
// what was restored, and all sessions end. Photos that no employee has any longer
// stay until they are swept.
func Restore(ctx context.Context, dir string, backup io.Reader, replace bool) (contents Contents, err error) {
	store, err := Open(ctx, dir)
	if err != nil {
		return contents, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	employees, accounts, err := count(ctx, store.reads)
	if err != nil {
		return contents, err
	}
	if employees+accounts > 0 && !replace {
		return Contents{Employees: employees, Accounts: accounts}, ErrNotEmpty
	}
	scratch, err := os.MkdirTemp(dir, "restore-")
	if err != nil {
		return contents, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	keys, err := extract(backup, scratch)
	if err != nil {
		return contents, fmt.Errorf("read the backup: %w", err)
	}
	if contents, err = check(ctx, scratch); err != nil {
		return contents, fmt.Errorf("read the backup: %w", err)
	}
	photos, err := OpenPhotos(dir)
	if err != nil {
		return contents, err
	}
	defer func() { err = errors.Join(err, photos.Close()) }()
	put := func(key string) error {
		content, err := os.ReadFile(filepath.Join(scratch, photosFolder, filepath.FromSlash(key)))
		if err != nil {
			return err
		}
		return photos.Put(ctx, key, content)
	}
	for _, key := range keys {
		if err := put(key); err != nil {
			return contents, err
		}
	}
	contents.Photos = len(keys)
	// What is changed until nobody else can write may have erased some of them again.
	renew := func() error {
		for _, key := range keys {
			err := photos.renew(key)
			if errors.Is(err, directory.ErrNotFound) {
				err = put(key)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	return contents, store.replaceBy(ctx, filepath.Join(scratch, databaseFile), renew)
}

// extract writes a backup's files below dir and returns the keys of its photos.
func extract(backup io.Reader, dir string) (keys []string, err error) {
	archive := tar.NewReader(backup)
	found := false
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) && found {
			return keys, nil
		}
		if errors.Is(err, io.EOF) {
			return nil, errors.New("it ends before its database")
		}
		if err != nil {
			return nil, fmt.Errorf("want a file that `directory backup` wrote: %w", err)
		}
		key, isPhoto := strings.CutPrefix(header.Name, photosFolder)
		switch {
		case header.Name == databaseFile:
			found = true
		case !isPhoto || !directory.ValidPhotoKey(key):
			return nil, fmt.Errorf("want photos and a database, as `directory backup` writes them, got %q", header.Name)
		case header.Size > directory.MaxPhotoBytes:
			return nil, fmt.Errorf("%s has %d bytes, which no photo has", header.Name, header.Size)
		default:
			keys = append(keys, key)
		}
		path := filepath.Join(dir, filepath.FromSlash(header.Name))
		if err := extractFile(path, archive); err != nil {
			return nil, err
		}
		if isPhoto {
			content, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			id, extension := directory.StoredPhoto{Key: key}.EmployeeID(), strings.TrimPrefix(filepath.Ext(key), ".")
			if directory.PhotoKey(id, content, extension) != key {
				return nil, fmt.Errorf("%s is damaged: its content is not what its name says", header.Name)
			}
		}
	}
}

func extractFile(path string, content io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Close())
}

// check opens a backup's database, which brings it to this version, and looks
// through it.
func check(ctx context.Context, dir string) (contents Contents, err error) {
	store, err := Open(ctx, dir)
	if err != nil {
		return contents, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	var result string
	if err := store.reads.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&result); err != nil {
		return contents, err
	}
	if result != "ok" {
		return contents, fmt.Errorf("its database is damaged: %s", result)
	}
	contents.Employees, contents.Accounts, err = count(ctx, store.reads)
	return contents, err
}

// replaceBy replaces all that the database holds by what the one at path does. It
// calls first once nobody else can write.
func (s *Store) replaceBy(ctx context.Context, path string, first func() error) (err error) {
	conn, err := s.writes.Conn(ctx)
	if err != nil {
		return unavailable(err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if _, err := conn.ExecContext(ctx, "ATTACH ? AS backup", path); err != nil {
		return unavailable(err)
	}
	defer func() {
		_, detached := conn.ExecContext(context.WithoutCancel(ctx), "DETACH backup")
		err = errors.Join(err, detached)
	}()
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return unavailable(err)
	}
	defer func() { _ = tx.Rollback() }() // nothing once it is committed
	if err := first(); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
CREATE TEMP TABLE versions AS SELECT id, version FROM main.employees;
DELETE FROM main.employees;
INSERT INTO main.employees
	(id, full_name, location, job_title, badges, photo_key, thumbnail, photo_width, photo_height, photo_region, version, updated)
	SELECT e.id, e.full_name, e.location, e.job_title, e.badges, e.photo_key, e.thumbnail, e.photo_width, e.photo_height, e.photo_region,
		max(e.version, coalesce(v.version, 0)) + 1, e.updated
	FROM backup.employees AS e LEFT JOIN temp.versions AS v ON v.id = e.id;
DROP TABLE temp.versions;
DELETE FROM main.lists;
INSERT INTO main.lists (list, sort_key, id) SELECT list, sort_key, id FROM backup.lists;
DELETE FROM main.locations;
INSERT INTO main.locations (folded, name, employees) SELECT folded, name, employees FROM backup.locations;
DELETE FROM main.accounts;
INSERT INTO main.accounts (name, password_hash, changed) SELECT name, password_hash, changed FROM backup.accounts;
DELETE FROM main.sessions`)
	if err != nil {
		return unavailable(err)
	}
	return unavailable(tx.Commit())
}
