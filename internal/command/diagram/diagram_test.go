package diagram

import (
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestPictureNeedsNoFolder: a repository that has Archipelago as a dependency may have
// no docs.
func TestPictureNeedsNoFolder(t *testing.T) {
	out := filepath.Join(t.TempDir(), "docs/islands.svg")
	if err := Run(t.Context(), []string{"-templates", "../../../stacks/testdata/shipped", "-out", out}, io.Discard); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(out); err != nil {
		t.Error(err)
	}
}
