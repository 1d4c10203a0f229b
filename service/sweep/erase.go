package sweep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

const (
	// eraseEvery is how often an instance asks what is to be erased, a fifth more or
	// less.
	eraseEvery = 4 * time.Second
	// eraseWithin bounds one round.
	eraseWithin = time.Minute
	// lateAfter is how much later than it was asked for a region may learn of an
	// erasure, or get the photo itself: how long S3 may take to replicate what it
	// replicates in time. Source: "Using S3 Replication Time Control".
	lateAfter = 15 * time.Minute
	// overlap is how far back a round looks that begins where the last one ended.
	overlap = time.Minute
)

// Eraser erases the photos of one region that any region was asked to erase: the
// instances of a region reach no store of another.
type Eraser struct {
	// Sessions, Photos and Employees are the stores. Required.
	Sessions  directory.Sessions
	Photos    directory.Photos
	Employees directory.Employees
	// Now is the time. Required.
	Now func() time.Time
	// Log takes what fails. Required.
	Log *slog.Logger

	// erased is when this instance erased what is listed.
	erased map[directory.Erasure]time.Time
	// read is when the list was read last, and whole when all of it was.
	read, whole time.Time
}

// Run erases until ctx ends.
func (e *Eraser) Run(ctx context.Context) {
	for {
		within, cancel := context.WithTimeout(ctx, eraseWithin)
		err := e.Erase(within)
		cancel()
		if err != nil && ctx.Err() == nil {
			e.Log.Warn("photos not erased, which is tried again", "error", err.Error())
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(eraseEvery*4/5 + rand.N(eraseEvery*2/5)):
		}
	}
}

// Erase erases what was asked for lately, and now and then again all of the last
// day: a photo may reach a region after the wish to erase it.
func (e *Eraser) Erase(ctx context.Context) error {
	now := e.Now()
	since, all := e.read.Add(-overlap), now.Sub(e.whole) >= lateAfter
	if all {
		since = time.Time{}
	}
	asked, err := e.Sessions.Erasures(ctx, since)
	if err != nil {
		return err
	}
	if e.erased == nil || all {
		listed := make(map[directory.Erasure]time.Time, len(asked))
		for _, a := range asked {
			if at, ok := e.erased[a]; ok {
				listed[a] = at
			}
		}
		e.erased = listed
	}
	var errs []error
	for _, a := range asked {
		at, done := e.erased[a]
		if done && (!all || at.Sub(a.At) >= lateAfter) {
			continue
		}
		gone, err := e.erase(ctx, a)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("photo %s: %w", a.Key, err))
		case gone:
			e.erased[a] = now
		}
	}
	if len(errs) == 0 {
		e.read = now
		if all {
			e.whole = now
		}
	}
	return errors.Join(errs...)
}

// erase erases one photo, unless its employee has it as far as is known here: that
// it has not may be on its way, or it was put again.
func (e *Eraser) erase(ctx context.Context, asked directory.Erasure) (gone bool, err error) {
	employee, err := e.Employees.Get(ctx, directory.StoredPhoto{Key: asked.Key}.EmployeeID())
	if err != nil && !errors.Is(err, directory.ErrNotFound) {
		return false, err
	}
	if slices.Contains(employee.Photo.Keys(), asked.Key) {
		return false, nil
	}
	return true, e.Photos.Delete(ctx, asked.Key, asked.At)
}
