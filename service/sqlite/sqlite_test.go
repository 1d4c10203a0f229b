package sqlite_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/sqlite"
	"github.com/archipelago-cdk/archipelago/service/storetest"
)

func open(t *testing.T, dir string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestEmployees(t *testing.T) {
	storetest.Employees(t, func(t *testing.T) directory.Employees { return open(t, t.TempDir()) })
}

func TestEmployeesFollowModel(t *testing.T) {
	storetest.EmployeesFollowModel(t, open(t, t.TempDir()))
}

func TestAccounts(t *testing.T) {
	storetest.Accounts(t, func(t *testing.T) directory.Accounts { return open(t, t.TempDir()) })
}

func TestSessions(t *testing.T) {
	storetest.Sessions(t, func(t *testing.T, now func() time.Time) directory.Sessions {
		s := open(t, t.TempDir())
		s.Now = now
		return s
	})
}

func TestPhotos(t *testing.T) {
	storetest.Photos(t, func(t *testing.T) directory.Photos {
		s, err := sqlite.OpenPhotos(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	})
}

func TestEmployeesOutliveTheProcess(t *testing.T) {
	dir := t.TempDir()
	e := directory.Employee{ID: directory.NewID(), FullName: "Ada", Location: "London", JobTitle: "Analyst"}
	if _, err := open(t, dir).Create(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	got, err := open(t, dir).Get(t.Context(), e.ID)
	if err != nil || got.FullName != "Ada" {
		t.Errorf("got %q, %v", got.FullName, err)
	}
}

// TestNobodyElseReadsTheDatabase: not even where the directory was made by
// somebody who lets them in.
func TestNobodyElseReadsTheDatabase(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
	files, err := filepath.Glob(filepath.Join(dir, "directory.db*"))
	if err != nil || len(files) != 3 {
		t.Fatalf("the database is %q, %v", files, err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", filepath.Base(file), info.Mode().Perm())
		}
	}
}

// TestDatabaseThatCannotBeWritten: the error says what to change. No mode keeps root
// from writing, but nobody can write a file where a folder is.
func TestDatabaseThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "directory.db-shm"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := sqlite.Open(t.Context(), dir)
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "have to be writable by the user") {
		t.Errorf("got %v, want the folder, and that it has to be writable", err)
	}
}

// TestOpeningWritesNothing: a service whose disk is full can start, and read.
func TestOpeningWritesNothing(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir)
	if err := first.CreateAccount(t.Context(), directory.Account{Name: "ada"}); err != nil {
		t.Fatal(err)
	}
	before := logSize(t, dir)
	open(t, dir)
	if after := logSize(t, dir); after != before {
		t.Errorf("the log grew from %d to %d bytes", before, after)
	}
}

// logSize is the size of the database's write-ahead log, in bytes.
func logSize(t *testing.T, dir string) int64 {
	t.Helper()
	info, err := os.Stat(filepath.Join(dir, "directory.db-wal"))
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// TestAnyDirectory: the database is in the directory, whatever that is called.
func TestAnyDirectory(t *testing.T) {
	for _, name := range []string{"a#b", "a?b", "a%23b", "a%b", "ä b"} {
		dir := filepath.Join(t.TempDir(), name)
		open(t, dir)
		if _, err := os.Stat(filepath.Join(dir, "directory.db")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
