package storetest

import (
	"bytes"
	"testing"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

// Photos runs the suite on a store of photos.
func Photos(t *testing.T, newStore func(*testing.T) directory.Photos) {
	id := directory.NewID()
	content := bytes.Repeat([]byte("photo"), 100_000)
	key := directory.PhotoKey(id, content, "jpg")
	s := newStore(t)
	t.Run("unknown", func(t *testing.T) {
		_, err := s.Get(t.Context(), key)
		wantError(t, err, directory.ErrNotFound)
	})
	t.Run("put and get", func(t *testing.T) {
		for range 2 { // the second changes nothing
			if err := s.Put(t.Context(), key, content); err != nil {
				t.Fatal(err)
			}
		}
		got, err := s.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, content) {
			t.Errorf("got %d bytes, want the %d that were put", len(got), len(content))
		}
	})
	t.Run("keys are no paths", func(t *testing.T) {
		_, err := s.Get(t.Context(), "employees/../../etc/passwd")
		wantError(t, err, directory.ErrNotFound)
	})
	t.Run("ping", func(t *testing.T) {
		if err := s.Ping(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
