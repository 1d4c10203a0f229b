package sqlite

import (
	"archive/tar"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

// stored is a store in dir with its photos.
type stored struct {
	*Store
	photos *Photos
}

func openBoth(t *testing.T, dir string) stored {
	t.Helper()
	photos, err := OpenPhotos(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { photos.Close() })
	return stored{open(t, dir), photos}
}

// employ adds an employee with a photo.
func (s stored) employ(t *testing.T, id string) directory.Employee {
	t.Helper()
	e := directory.Employee{ID: id, FullName: "Name of " + id, Location: "Zürich", JobTitle: "X", Badges: []string{"bug"}}
	content, small := []byte("picture of "+id), []byte("thumbnail of "+id)
	e.Photo = directory.Photo{Key: directory.PhotoKey(id, content, "jpg"), Thumbnail: directory.PhotoKey(id, small, "jpg"), Width: 3, Height: 4}
	for key, content := range map[string][]byte{e.Photo.Key: content, e.Photo.Thumbnail: small} {
		if err := s.photos.Put(t.Context(), key, content); err != nil {
			t.Fatal(err)
		}
	}
	e, err := s.Create(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func backup(t *testing.T, dir string) ([]byte, Contents) {
	t.Helper()
	var b bytes.Buffer
	contents, err := Backup(t.Context(), dir, t.TempDir(), &b)
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), contents
}

// TestBackupAndRestoreWhileTheStoreIsUsed writes all the while: what was
// acknowledged before the backup is in it, every list agrees, and photos are whole.
func TestBackupAndRestoreWhileTheStoreIsUsed(t *testing.T) {
	dir, there := t.TempDir(), t.TempDir()
	live := openBoth(t, dir)
	account := directory.Account{Name: "ada", PasswordHash: "hash", Changed: time.Now().UTC()}
	if err := live.CreateAccount(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	if err := live.PutSession(t.Context(), "secret", []byte("session"), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	var acknowledged atomic.Int64
	var over atomic.Bool
	var writer sync.WaitGroup
	writer.Go(func() {
		for n := 0; !over.Load(); n++ {
			live.employ(t, fmt.Sprintf("e%06d", n))
			acknowledged.Store(int64(n) + 1)
		}
	})
	for acknowledged.Load() < 20 {
		time.Sleep(time.Millisecond)
	}
	before := acknowledged.Load()
	archive, contents := backup(t, dir)
	over.Store(true)
	writer.Wait()
	if int64(contents.Employees) < before || contents.Photos != 2*contents.Employees || contents.Accounts != 1 {
		t.Errorf("%d employees were acknowledged, and the backup has %+v", before, contents)
	}

	// A service uses the other store meanwhile.
	other := openBoth(t, there)
	other.employ(t, "bob")
	edited := other.employ(t, "e000000")
	if _, err := other.Update(t.Context(), edited); err != nil {
		t.Fatal(err)
	}
	if err := other.PutSession(t.Context(), "bob's", []byte("session"), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got, err := Restore(t.Context(), there, bytes.NewReader(archive), false); !errors.Is(err, ErrNotEmpty) || got.Employees != 2 {
		t.Errorf("a store of 2 employees is replaced without being asked: %+v, %v", got, err)
	}
	restored, err := Restore(t.Context(), there, bytes.NewReader(archive), true)
	if err != nil || restored != contents {
		t.Fatalf("got %+v, %v, want %+v", restored, err, contents)
	}
	count := 0
	for q := (directory.Query{Location: "zurich", Badge: "bug", Limit: directory.MaxLimit}); ; {
		page, err := other.Page(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Employees {
			count++
			for _, key := range e.Photo.Keys() {
				if _, err := other.photos.Get(t.Context(), key); err != nil {
					t.Errorf("%s: %v", key, err)
				}
			}
		}
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	if count != contents.Employees {
		t.Errorf("the list has %d employees, want %d", count, contents.Employees)
	}
	if e, err := other.Get(t.Context(), "e000000"); err != nil || e.Version != 3 {
		t.Errorf("got %+v, %v; want a version that nobody saw, 3", e, err)
	}
	if _, err := other.Get(t.Context(), "bob"); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("who was not in the backup: %v", err)
	}
	if a, err := other.Account(t.Context(), "ada"); err != nil || a != account {
		t.Errorf("got the account %+v, %v", a, err)
	}
	for _, key := range []string{"secret", "bob's"} {
		if _, err := other.Session(t.Context(), key); !errors.Is(err, directory.ErrNotFound) {
			t.Errorf("the session %q: %v", key, err)
		}
	}
	if bytes.Contains(archive, []byte("secret")) {
		t.Error("the backup holds sessions")
	}
	left, err := filepath.Glob(filepath.Join(there, "restore-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("%q is left, %v", left, err)
	}
}

// TestBackupOfAnErasedPhoto: the picture is gone, and the backup does not say that
// there was one.
func TestBackupOfAnErasedPhoto(t *testing.T) {
	dir := t.TempDir()
	live := openBoth(t, dir)
	gone, stays := live.employ(t, "gone"), live.employ(t, "stays")
	if err := live.photos.Delete(t.Context(), gone.Photo.Thumbnail, time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	archive, contents := backup(t, dir)
	if contents.Photos != 2 || bytes.Contains(archive, []byte("picture of gone")) || bytes.Contains(archive, []byte(gone.Photo.Key)) {
		t.Errorf("the backup has %+v, and holds of the erased photo", contents)
	}
	there := openBoth(t, t.TempDir())
	if _, err := Restore(t.Context(), there.dir, bytes.NewReader(archive), false); err != nil {
		t.Fatal(err)
	}
	if e, err := there.Get(t.Context(), "gone"); err != nil || len(e.Photo.Keys()) > 0 {
		t.Errorf("got %+v, %v", e, err)
	}
	if e, err := there.Get(t.Context(), "stays"); err != nil || e.Photo != stays.Photo {
		t.Errorf("got %+v, %v", e, err)
	}
}

// TestDamagedBackupRestoresNothing cuts one everywhere and changes what it holds.
func TestDamagedBackupRestoresNothing(t *testing.T) {
	dir := t.TempDir()
	openBoth(t, dir).employ(t, "ada")
	archive, _ := backup(t, dir)
	there := openBoth(t, t.TempDir())
	there.employ(t, "bob")
	entry := func(name, content string) []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	damaged := map[string][]byte{
		"nothing":           nil,
		"no archive":        []byte(strings.Repeat("x", 2000)),
		"another picture":   bytes.Replace(archive, []byte("picture of ada"), []byte("picture of bob"), 1),
		"a path":            entry("photos/employees/../../../evil.jpg", "x"),
		"an absolute path":  entry("/etc/passwd", "x"),
		"no database":       entry("photos/"+directory.PhotoKey("ada", []byte("x"), "jpg"), "x"),
		"a broken database": entry("directory.db", strings.Repeat("x", 9000)),
	}
	for n := 512; n < len(archive)-1024; n += 1500 {
		damaged[fmt.Sprint("cut at ", n)] = archive[:n]
	}
	for name, content := range damaged {
		if _, err := Restore(t.Context(), there.dir, bytes.NewReader(content), true); err == nil {
			t.Errorf("%s was restored", name)
		}
		if _, err := there.Get(t.Context(), "bob"); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

// TestLeftoversOfKilledUploadsAreSwept, once nobody can be writing them.
func TestLeftoversOfKilledUploadsAreSwept(t *testing.T) {
	s := openBoth(t, t.TempDir())
	e := s.employ(t, "ada")
	folder := filepath.Join(s.dir, "photos", "employees", "ada")
	then := time.Now().Add(-2 * time.Hour)
	for name, at := range map[string]time.Time{"x.jpg.tmp-killed": then, "x.jpg.tmp-written": time.Now(), "notes.txt": then} {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	seen := 0
	if err := s.photos.Walk(t.Context(), func(directory.StoredPhoto) error { seen++; return nil }); err != nil || seen != 2 {
		t.Errorf("saw %d photos, %v", seen, err)
	}
	for name, want := range map[string]bool{"x.jpg.tmp-killed": false, "x.jpg.tmp-written": true, "notes.txt": true, filepath.Base(e.Photo.Key): true} {
		if _, err := os.Stat(filepath.Join(folder, name)); (err == nil) != want {
			t.Errorf("%s is there: %t, want %t", name, err == nil, want)
		}
	}
}

// TestFolderGoesWithTheLastPhoto, and comes back with the next.
func TestFolderGoesWithTheLastPhoto(t *testing.T) {
	s := openBoth(t, t.TempDir())
	e := s.employ(t, "ada")
	for _, key := range e.Photo.Keys() {
		if err := s.photos.Delete(t.Context(), key, time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(s.dir, "photos", "employees", "ada")); !os.IsNotExist(err) {
		t.Errorf("the folder is left: %v", err)
	}
	if err := s.photos.Put(t.Context(), e.Photo.Key, []byte("picture of ada")); err != nil {
		t.Error(err)
	}
}

// TestFullDiskIsSaidToBeOne gives SQLite no further pages, and asks what a file
// system would say.
func TestFullDiskIsSaidToBeOne(t *testing.T) {
	s := open(t, t.TempDir())
	if _, err := s.writes.ExecContext(t.Context(), "PRAGMA max_page_count = 1"); err != nil {
		t.Fatal(err)
	}
	large := directory.Account{Name: "ada", PasswordHash: strings.Repeat("x", 1<<20)}
	err := s.CreateAccount(t.Context(), large)
	if !errors.Is(err, directory.ErrFull) || !errors.Is(err, directory.ErrUnavailable) {
		t.Errorf("got %v, want %v", err, directory.ErrFull)
	}
	for _, cause := range []error{syscall.ENOSPC, &os.PathError{Op: "write", Path: "x", Err: syscall.EDQUOT}} {
		if err := unavailable(cause); !errors.Is(err, directory.ErrFull) {
			t.Errorf("%v is %v", cause, err)
		}
	}
	for _, cause := range []error{syscall.EIO, context.DeadlineExceeded} {
		if err := unavailable(cause); errors.Is(err, directory.ErrFull) {
			t.Errorf("%v is %v", cause, err)
		}
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// TestRestoredPhotosOutliveErasures erases photos while a restore has put them and
// waits for its turn to write: by one who is done, and by one whose photo is about
// to be deleted.
func TestRestoredPhotosOutliveErasures(t *testing.T) {
	dir := t.TempDir()
	live := openBoth(t, dir)
	erased, late := live.employ(t, "erased").Photo, live.employ(t, "late").Photo
	archive, _ := backup(t, dir)
	long := time.Now().Add(-time.Hour)
	for _, key := range append(erased.Keys(), late.Keys()...) {
		if err := live.photos.root.Chtimes(filepath.FromSlash(key), long, long); err != nil {
			t.Fatal(err)
		}
	}
	isPut := func(key string) bool {
		info, err := live.photos.root.Stat(filepath.FromSlash(key))
		return err == nil && info.ModTime().After(long.Add(time.Minute))
	}
	changes := make(chan *sql.Tx, 1)
	read := io.MultiReader(readerFunc(func([]byte) (int, error) { // when Restore has opened the store
		change, err := live.writes.BeginTx(t.Context(), nil)
		if err != nil {
			return 0, err
		}
		changes <- change
		return 0, io.EOF
	}), bytes.NewReader(archive))
	restored := make(chan error, 1)
	go func() {
		_, err := Restore(t.Context(), dir, read, true)
		restored <- err
	}()
	all := append(erased.Keys(), late.Keys()...)
	for _, key := range all {
		for !isPut(key) {
			select {
			case err := <-restored:
				t.Fatalf("the restore did not wait: %v", err)
			case <-time.After(time.Millisecond):
			}
		}
	}
	at := time.Now().Add(time.Millisecond)
	for _, key := range erased.Keys() {
		if err := live.photos.Delete(t.Context(), key, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := (<-changes).Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-restored; err != nil {
		t.Fatal(err)
	}
	for _, key := range late.Keys() {
		if err := live.photos.Delete(t.Context(), key, at); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range all {
		if _, err := live.photos.Get(t.Context(), key); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
}
