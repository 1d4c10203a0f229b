package nobody_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/local/nobody"
)

// TestFoldersMadeAtOnce: units of an instance start side by side, each with folders below
// the same ones.
func TestFoldersMadeAtOnce(t *testing.T) {
	for range 50 {
		root := t.TempDir()
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if err := nobody.MkdirAll(filepath.Join(root, "var", "lib", "state")); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
}

func TestFileInTheWay(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lib")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := nobody.MkdirAll(file); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want that it exists", err)
	}
}
