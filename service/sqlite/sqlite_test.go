package sqlite_test

import (
	"testing"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/sqlite"
	"github.com/archipelago-cdk/archipelago/service/storetest"
)

func open(t *testing.T, dir string) *sqlite.Employees {
	t.Helper()
	s, err := sqlite.OpenEmployees(t.Context(), dir)
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
