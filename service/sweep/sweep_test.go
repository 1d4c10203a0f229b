package sweep_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/sqlite"
	"github.com/archipelago-cdk/archipelago/service/sweep"
)

// island is a region's stores.
type island struct {
	t   *testing.T
	dir string
	sweep.Sweeper
}

func newIsland(t *testing.T) *island {
	t.Helper()
	i := &island{t: t, dir: t.TempDir()}
	employees, err := sqlite.Open(t.Context(), i.dir)
	if err != nil {
		t.Fatal(err)
	}
	photos, err := sqlite.OpenPhotos(i.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		photos.Close()
		employees.Close()
	})
	i.Sweeper = sweep.Sweeper{Photos: photos, Employees: employees, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	return i
}

// put puts a photo of an employee that long ago, and returns its key.
func (i *island) put(id, content string, ago time.Duration) string {
	i.t.Helper()
	key := directory.PhotoKey(id, []byte(content), "jpg")
	if err := i.Photos.Put(i.t.Context(), key, []byte(content)); err != nil {
		i.t.Fatal(err)
	}
	then := time.Now().Add(-ago)
	if err := os.Chtimes(filepath.Join(i.dir, "photos", key), then, then); err != nil {
		i.t.Fatal(err)
	}
	return key
}

// employ keeps an employee with a photo.
func (i *island) employ(id, key, thumbnail string) directory.Employee {
	i.t.Helper()
	e := directory.Employee{ID: id, FullName: "Ada", Location: "London", JobTitle: "Analyst", Photo: directory.Photo{Key: key, Thumbnail: thumbnail}}
	e, err := i.Employees.Create(i.t.Context(), e)
	if err != nil {
		i.t.Fatal(err)
	}
	return e
}

func (i *island) has(key string) bool {
	i.t.Helper()
	_, err := i.Photos.Get(i.t.Context(), key)
	if err != nil && !errors.Is(err, directory.ErrNotFound) {
		i.t.Fatal(err)
	}
	return err == nil
}

// wantSwept sweeps, after which only kept are left.
func (i *island) wantSwept(deleted int, kept ...string) {
	i.t.Helper()
	counts, err := i.Sweep(i.t.Context())
	if err != nil {
		i.t.Fatal(err)
	}
	if counts.Deleted != deleted || counts.Seen != deleted+len(kept) {
		i.t.Errorf("got %+v, want %d of %d deleted", counts, deleted, deleted+len(kept))
	}
	for _, key := range kept {
		if !i.has(key) {
			i.t.Errorf("%s is gone", key)
		}
	}
}

const old = 25 * time.Hour

func TestUsedPhotosStay(t *testing.T) {
	i := newIsland(t)
	display, thumbnail := i.put("ada", "display", old), i.put("ada", "thumbnail", old)
	i.employ("ada", display, thumbnail)
	before := i.put("bob", "from before there were thumbnails", old)
	i.employ("bob", before, "")
	unused := []string{i.put("ada", "her last one", old), i.put("bob", "another", old), i.put("bob", "a third", old)}
	i.wantSwept(3, display, thumbnail, before)
	if slices.ContainsFunc(unused, i.has) {
		t.Error("an unused photo is there still")
	}
	i.wantSwept(0, display, thumbnail, before)
}

func TestPhotosAreSweptADayAfterTheirEmployee(t *testing.T) {
	i := newIsland(t)
	display, thumbnail := i.put("ada", "display", 0), i.put("ada", "thumbnail", 0)
	e := i.employ("ada", display, thumbnail)
	if err := i.Employees.Delete(t.Context(), "ada", e.Version); err != nil {
		t.Fatal(err)
	}
	i.wantSwept(0, display, thumbnail)
	i.Now = func() time.Time { return time.Now().Add(24*time.Hour - time.Minute) }
	i.wantSwept(0, display, thumbnail)
	i.Now = func() time.Time { return time.Now().Add(24*time.Hour + time.Minute) }
	i.wantSwept(2)
}

// TestUploadInFlight: the photo is put, and its employee is not kept yet.
func TestUploadInFlight(t *testing.T) {
	i := newIsland(t)
	display, thumbnail := i.put("new", "display", 0), i.put("new", "thumbnail", 0)
	other := i.put("ada", "another one", 0)
	present := i.put("ada", "present", old)
	i.employ("ada", present, "")
	i.wantSwept(0, display, thumbnail, other, present)
}

func TestPhotoPutAgainIsYoungAgain(t *testing.T) {
	i := newIsland(t)
	key := i.put("ada", "display", old)
	if err := i.Photos.Put(t.Context(), key, []byte("display")); err != nil {
		t.Fatal(err)
	}
	i.wantSwept(0, key)
}

// failing is a store that does not answer.
type failing struct{ directory.Employees }

var errDown = errors.Join(directory.ErrUnavailable, errors.New("down"))

func (failing) Get(context.Context, string) (directory.Employee, error) {
	return directory.Employee{}, errDown
}

func TestNothingIsDeletedWithoutAnAnswer(t *testing.T) {
	i := newIsland(t)
	key := i.put("ada", "display", old)
	i.Employees = failing{}
	if counts, err := i.Sweep(t.Context()); !errors.Is(err, directory.ErrUnavailable) || counts.Deleted > 0 {
		t.Errorf("got %+v, %v", counts, err)
	}
	if !i.has(key) {
		t.Error("the photo is gone")
	}
}

// asked counts how often employees are asked for.
type asked struct {
	directory.Employees
	times int
}

func (a *asked) Get(ctx context.Context, id string) (directory.Employee, error) {
	a.times++
	return a.Employees.Get(ctx, id)
}

func TestEmployeeIsAskedForOnceForBothPhotos(t *testing.T) {
	i := newIsland(t)
	display, thumbnail := i.put("ada", "display", old), i.put("ada", "thumbnail", old)
	i.employ("ada", display, thumbnail)
	young := i.put("bob", "display", 0)
	a := &asked{Employees: i.Employees}
	i.Employees = a
	i.wantSwept(0, display, thumbnail, young)
	if a.times != 1 {
		t.Errorf("employees were asked for %d times, want once", a.times)
	}
}

// shelf is a store of photos in memory that walks with the error err.
type shelf struct {
	directory.Photos
	walks []time.Time
	err   error
}

func (s *shelf) Walk(context.Context, func(directory.StoredPhoto) error) error {
	s.walks = append(s.walks, time.Now())
	return s.err
}

func TestRunSweepsEveryDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		photos := &shelf{err: errDown}
		s := sweep.Sweeper{Photos: photos, Now: time.Now, Log: slog.New(slog.NewTextHandler(&log, nil))}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		start := time.Now()
		go func() { s.Run(ctx); close(done) }()
		time.Sleep(4 * sweep.Every)
		synctest.Wait()
		if n := len(photos.walks); n != 4 {
			t.Fatalf("swept %d times in four days", n)
		}
		if first := photos.walks[0].Sub(start); first >= sweep.Every {
			t.Errorf("swept first after %v", first)
		}
		for i, walk := range photos.walks[1:] {
			if after := walk.Sub(photos.walks[i]); after != sweep.Every {
				t.Errorf("swept again after %v", after)
			}
		}
		if lines := strings.Count(log.String(), "photos not swept to the end"); lines != 4 {
			t.Errorf("logged %d failures, want 4: %s", lines, log.String())
		}
		cancel()
		<-done
	})
}

func TestPace(t *testing.T) {
	i := newIsland(t)
	for _, id := range []string{"a", "b", "c", "d", "e", "f"} {
		i.put(id, "display", old)
	}
	start := time.Now()
	i.wantSwept(6)
	if took := time.Since(start); took < 100*time.Millisecond {
		t.Errorf("six photos took %v, want 50 a second", took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	i.put("a", "display", old)
	if _, err := i.Sweep(ctx); err == nil {
		t.Error("a sweep goes on after its end")
	}
}
