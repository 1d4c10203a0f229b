package sqlite_test

import (
	"os"
	"path/filepath"
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
