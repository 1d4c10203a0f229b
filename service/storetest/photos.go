package storetest

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

// Photos runs the suite on a store of photos. newStore returns an empty one.
func Photos(t *testing.T, newStore func(*testing.T) directory.Photos) {
	tests := map[string]func(*testing.T, directory.Photos){
		"put and get":                  testPutPhoto,
		"unknown photos":               testUnknownPhoto,
		"keys are not paths":           testKeysAreNotPaths,
		"put again counts as put now":  testPutAgain,
		"delete":                       testDeletePhoto,
		"walk":                         testWalk,
		"a walk ends":                  testWalkEnds,
		"there is no other place":      testNoURL,
		"a call ends with its context": testPhotoContext,
		"ping":                         testPingPhotos,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, newStore(t)) })
	}
}

func putPhoto(t *testing.T, s directory.Photos, content []byte) (key string) {
	t.Helper()
	key = directory.PhotoKey(directory.NewID(), content, "jpg")
	if err := s.Put(t.Context(), key, content); err != nil {
		t.Fatal(err)
	}
	return key
}

func wantPhoto(t *testing.T, s directory.Photos, key string, want []byte) {
	t.Helper()
	got, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, want the %d that were put", len(got), len(want))
	}
}

func wantNoPhoto(t *testing.T, s directory.Photos, key string) {
	t.Helper()
	_, err := s.Get(t.Context(), key)
	wantError(t, err, directory.ErrNotFound)
}

// stored are all photos of s, by key.
func stored(t *testing.T, s directory.Photos) map[string]directory.StoredPhoto {
	t.Helper()
	photos := map[string]directory.StoredPhoto{}
	err := s.Walk(t.Context(), func(p directory.StoredPhoto) error {
		if _, twice := photos[p.Key]; twice {
			t.Errorf("%s was visited twice", p.Key)
		}
		photos[p.Key] = p
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return photos
}

func testPutPhoto(t *testing.T, s directory.Photos) {
	for _, content := range [][]byte{bytes.Repeat([]byte("photo"), 100_000), {0}} {
		wantPhoto(t, s, putPhoto(t, s, content), content)
	}
}

func testUnknownPhoto(t *testing.T, s directory.Photos) {
	wantNoPhoto(t, s, directory.PhotoKey(directory.NewID(), nil, "jpg"))
}

func testKeysAreNotPaths(t *testing.T, s directory.Photos) {
	wantNoPhoto(t, s, "employees/../../etc/passwd")
	if err := s.Put(t.Context(), "employees/../../etc/passwd", []byte("root")); err == nil {
		t.Error("a path was taken for a key")
	}
}

func testPutAgain(t *testing.T, s directory.Photos) {
	content := []byte("photo")
	key := putPhoto(t, s, content)
	before := stored(t, s)[key].Put
	if age := time.Since(before); age < -time.Minute || age > time.Minute || before.Location() != time.UTC {
		t.Errorf("it was put at %s, want now, in UTC", before)
	}
	time.Sleep(1100 * time.Millisecond) // S3 counts seconds
	if err := s.Put(t.Context(), key, content); err != nil {
		t.Fatal(err)
	}
	if after := stored(t, s)[key].Put; !after.After(before) {
		t.Errorf("put at %s and again, it counts as put at %s", before, after)
	}
	wantPhoto(t, s, key, content)
}

func testDeletePhoto(t *testing.T, s directory.Photos) {
	gone, stays := putPhoto(t, s, []byte("gone")), putPhoto(t, s, []byte("stays"))
	for range 2 { // the second time it is not there
		if err := s.Delete(t.Context(), gone, time.Now().Add(time.Minute)); err != nil {
			t.Error(err)
		}
	}
	if err := s.Delete(t.Context(), stays, time.Now().Add(-time.Minute)); err != nil { // it was put later
		t.Error(err)
	}
	wantNoPhoto(t, s, gone)
	wantPhoto(t, s, stays, []byte("stays"))
	if got := slices.Collect(maps.Keys(stored(t, s))); !slices.Equal(got, []string{stays}) {
		t.Errorf("got the photos %q, want %q", got, stays)
	}
	if err := s.Put(t.Context(), gone, []byte("gone")); err != nil {
		t.Fatal(err)
	}
	wantPhoto(t, s, gone, []byte("gone"))
}

func testWalk(t *testing.T, s directory.Photos) {
	if got := stored(t, s); len(got) != 0 {
		t.Errorf("an empty store has %v", got)
	}
	var want []string
	for range 3 {
		want = append(want, putPhoto(t, s, []byte("photo")))
	}
	// One employee may have many.
	id := directory.StoredPhoto{Key: want[0]}.EmployeeID()
	another := directory.PhotoKey(id, []byte("another"), "webp")
	if err := s.Put(t.Context(), another, []byte("another")); err != nil {
		t.Fatal(err)
	}
	want = append(want, another)
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(stored(t, s))); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func testWalkEnds(t *testing.T, s directory.Photos) {
	for range 3 {
		putPhoto(t, s, []byte("photo"))
	}
	enough, visits := errors.New("enough"), 0
	err := s.Walk(t.Context(), func(directory.StoredPhoto) error {
		if visits++; visits == 2 {
			return enough
		}
		return nil
	})
	if err != enough || visits != 2 {
		t.Errorf("got %v after %d visits, want what the second returned", err, visits)
	}
}

func testNoURL(t *testing.T, s directory.Photos) {
	_, err := s.URL(t.Context(), directory.Photo{Key: putPhoto(t, s, []byte("photo"))})
	wantError(t, err, directory.ErrNotFound)
}

func testPhotoContext(t *testing.T, s directory.Photos) {
	key := putPhoto(t, s, []byte("photo"))
	ended, end := context.WithCancel(t.Context())
	end()
	_, err := s.Get(ended, key)
	wantError(t, err, directory.ErrUnavailable)
	wantError(t, s.Put(ended, key, []byte("photo")), directory.ErrUnavailable)
	wantError(t, s.Delete(ended, key, time.Now().Add(time.Minute)), directory.ErrUnavailable)
	wantError(t, s.Walk(ended, func(directory.StoredPhoto) error { return nil }), directory.ErrUnavailable)
	wantPhoto(t, s, key, []byte("photo"))
}

func testPingPhotos(t *testing.T, s directory.Photos) {
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}
