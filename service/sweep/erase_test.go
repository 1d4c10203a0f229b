package sweep_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/sqlite"
	"github.com/archipelago-cdk/archipelago/service/storetest"
	"github.com/archipelago-cdk/archipelago/service/sweep"
)

// eraser is an instance of the island, for which it is now what the clock says.
func (i *island) eraser(clock *storetest.Clock) *sweep.Eraser {
	store := i.Employees.(*sqlite.Store)
	store.Now = clock.Now
	return &sweep.Eraser{Sessions: store, Photos: i.Photos, Employees: i.Employees, Now: clock.Now, Log: slog.New(slog.DiscardHandler)}
}

func (i *island) ask(key string, at time.Time) {
	i.t.Helper()
	if err := i.Employees.(*sqlite.Store).PutErasure(i.t.Context(), directory.Erasure{Key: key, At: at}); err != nil {
		i.t.Fatal(err)
	}
}

func erase(t *testing.T, e *sweep.Eraser) {
	t.Helper()
	if err := e.Erase(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestErasuresOfAnyRegionAreDone: what another region asked for is gone after the
// next round, and nothing else is.
func TestErasuresOfAnyRegionAreDone(t *testing.T) {
	i := newIsland(t)
	clock := storetest.NewClock()
	start := time.Now()
	e := i.eraser(clock)
	erase(t, e)
	gone, stays := i.put("ada", "gone", time.Hour), i.put("bob", "stays", time.Hour)
	clock.Advance(time.Since(start) + time.Hour)
	i.ask(gone, clock.Now())
	erase(t, e)
	if i.has(gone) || !i.has(stays) {
		t.Errorf("the erased one is there: %t, the other: %t", i.has(gone), i.has(stays))
	}
}

// TestWhatAnEmployeeHasIsNotErased: the region that was asked is ahead of this one,
// or the same photo was put again.
func TestWhatAnEmployeeHasIsNotErased(t *testing.T) {
	i := newIsland(t)
	clock := storetest.NewClock()
	e := i.eraser(clock)
	key := i.put("ada", "portrait", 2*time.Hour)
	employee := i.employ("ada", key, "")
	i.ask(key, clock.Now())
	erase(t, e)
	if !i.has(key) {
		t.Fatal("the photo of an employee is gone")
	}
	// Once the deletion of the employee is known here, so is the photo's.
	if err := i.Employees.Delete(t.Context(), "ada", employee.Version); err != nil {
		t.Fatal(err)
	}
	clock.Advance(5 * time.Second)
	erase(t, e)
	if i.has(key) {
		t.Error("the photo outlives its employee")
	}
}

// TestWhatIsPutLaterStays: the same picture, put again after it was erased, and not
// yet its employee's.
func TestWhatIsPutLaterStays(t *testing.T) {
	i := newIsland(t)
	clock := storetest.NewClock()
	key := i.put("ada", "portrait", 0)
	i.ask(key, clock.Now().Add(-2*time.Hour))
	erase(t, i.eraser(clock))
	if !i.has(key) {
		t.Error("a photo was erased for a wish of before it")
	}
}

// TestPhotoThatIsReplicatedLateIsErased: it comes after the wish to erase it.
func TestPhotoThatIsReplicatedLateIsErased(t *testing.T) {
	i := newIsland(t)
	clock := storetest.NewClock()
	e := i.eraser(clock)
	key := directory.PhotoKey("ada", []byte("late"), "jpg")
	i.ask(key, clock.Now())
	erase(t, e)
	i.put("ada", "late", 2*time.Hour) // S3 gives a replica the time of its source
	clock.Advance(16 * time.Minute)
	erase(t, e)
	if i.has(key) {
		t.Error("a late replica stays")
	}
}

// failingPhotos do not delete.
type failingPhotos struct {
	directory.Photos
	err   error
	calls int
}

func (f *failingPhotos) Delete(ctx context.Context, key string, before time.Time) error {
	f.calls++
	if f.err != nil {
		return f.err
	}
	return f.Photos.Delete(ctx, key, before)
}

// TestErasureThatFailsIsTriedAgain, and one that is done is not.
func TestErasureThatFailsIsTriedAgain(t *testing.T) {
	i := newIsland(t)
	clock := storetest.NewClock()
	photos := &failingPhotos{Photos: i.Photos, err: directory.ErrUnavailable}
	e := i.eraser(clock)
	e.Photos = photos
	keys := []string{i.put("ada", "a", 2*time.Hour), i.put("bob", "b", 2*time.Hour)}
	for _, key := range keys {
		i.ask(key, clock.Now())
	}
	if err := e.Erase(t.Context()); !errors.Is(err, directory.ErrUnavailable) || photos.calls != 2 {
		t.Errorf("got %v after %d calls, want the error, and both tried", err, photos.calls)
	}
	photos.err = nil
	clock.Advance(5 * time.Second)
	erase(t, e)
	if slices.ContainsFunc(keys, i.has) || photos.calls != 4 {
		t.Errorf("after %d calls a photo is there still", photos.calls)
	}
	clock.Advance(5 * time.Second)
	erase(t, e)
	if photos.calls != 4 {
		t.Error("what is done is done again and again")
	}
}
