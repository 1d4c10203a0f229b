package photo

import (
	"bytes"
	"errors"
	"image"
	"os"
	"path/filepath"
	"testing"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/photo/phototest"
)

// addPictures begins a search with pictures of all kinds.
func addPictures(f *testing.F) {
	for _, pattern := range []string{filepath.Join(phototest.GoTestdata(f), "*"), "phototest/testdata/*.webp", "phototest/testdata/*.jpg"} {
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
}

// FuzzProcess looks for panics, and for pictures that are not as promised.
func FuzzProcess(f *testing.F) {
	addPictures(f)
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

// FuzzInspect is FuzzProcess without the pictures, which take it nearly all its time:
// what is read of a stranger's file before anything is decoded. It looks for panics,
// for sizes that nobody has room for, and for ones that the decoder does not agree with.
func FuzzInspect(f *testing.F) {
	addPictures(f)
	for _, name := range []string{"bwrb.webp", "restart.jpg"} {
		f.Add(phototest.WithProfile(phototest.Testdata(f, name), phototest.DisplayP3.Bytes()))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		s, err := inspect(bytes.NewReader(content), int64(len(content)))
		var many *TooManyPixelsError
		var unsupported *UnsupportedError
		if err != nil {
			known := errors.As(err, &many) || errors.As(err, &unsupported) ||
				errors.Is(err, ErrProfile) || errors.Is(err, ErrDamaged) || errors.Is(err, ErrTooLong)
			if !known {
				t.Errorf("it is the service's fault: %v", err)
			}
			return
		}
		if s.width < 1 || s.height < 1 || max(s.width, s.height) > maxSide || s.width*s.height > directory.MaxJPEGPixels {
			t.Errorf("%d × %d pixels", s.width, s.height)
		}
		if s.orientation < 1 || s.orientation > 8 {
			t.Errorf("orientation %d", s.orientation)
		}
		if s.memory <= 0 || s.memory > 2<<30 {
			t.Errorf("%d × %d pixels take %d bytes", s.width, s.height, s.memory)
		}
		if config, format, err := image.DecodeConfig(bytes.NewReader(content)); err == nil && (format == "png" || format == "gif") &&
			(config.Width != s.width || config.Height != s.height) {
			t.Errorf("%d × %d pixels, and the decoder has %d × %d", s.width, s.height, config.Width, config.Height)
		}
	})
}
