package photo

import (
	"go/build"
	"os"
	"path/filepath"
	"testing"
)

// FuzzProcess looks for panics, and for pictures that are not as promised.
func FuzzProcess(f *testing.F) {
	for _, pattern := range []string{filepath.Join(build.Default.GOROOT, "src/image/testdata/*"), "testdata/*.webp", "testdata/*.jpg"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			f.Fatalf("nothing is at %s: %v", pattern, err)
		}
		for _, path := range paths {
			content, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(content)
		}
	}
	p := New(Options{Dir: f.TempDir()})
	f.Fuzz(func(t *testing.T, content []byte) {
		pictures, err := p.Process(t.Context(), upload(t, p, content))
		if err != nil {
			return
		}
		if size := decodeJPEG(t, pictures.Display).Bounds().Size(); max(size.X, size.Y) > DisplaySide {
			t.Errorf("the display picture is %v", size)
		}
		if size := decodeJPEG(t, pictures.Thumbnail).Bounds().Size(); max(size.X, size.Y) > ThumbnailSide {
			t.Errorf("the thumbnail is %v", size)
		}
	})
}
