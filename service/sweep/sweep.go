// Package sweep removes photos that no employee has any longer: at once where
// somebody asked for it, and else within a day or two.
package sweep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"golang.org/x/time/rate"
)

const (
	// Grace is how long after it was put a photo stays, whether an employee has
	// it or not: one that is put is kept with its employee only afterwards, and
	// a region may learn of it late.
	Grace = 24 * time.Hour
	// Every is how often the photos are swept.
	Every = 24 * time.Hour
	// perSecond is how many photos are looked at a second: next to nothing for a
	// store. Those of a million employees take six hours.
	perSecond = 50
)

// Sweeper sweeps the photos of one region.
type Sweeper struct {
	// Photos and Employees are the stores. Required.
	Photos    directory.Photos
	Employees directory.Employees
	// Now is the time. Required.
	Now func() time.Time
	// Log takes a line for each sweep. Required.
	Log *slog.Logger
}

// Counts are what a sweep found.
type Counts struct {
	// Seen are all photos, Deleted those that were swept.
	Seen    int
	Deleted int
}

// Run sweeps once a day until ctx ends. The first time is at random within the
// first day, so that the instances of a fleet do not sweep at once.
func (s *Sweeper) Run(ctx context.Context) {
	for wait := rand.N(Every); ; wait = Every {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		counts, err := s.Sweep(ctx)
		if ctx.Err() != nil {
			return
		}
		attributes := []any{"seen", counts.Seen, "deleted", counts.Deleted}
		if err != nil {
			s.Log.Warn("photos not swept to the end", append(attributes, "error", err.Error())...)
			continue
		}
		s.Log.Info("photos swept", attributes...)
	}
}

// Sweep deletes every photo that was put longer than Grace ago and is neither
// the picture nor the thumbnail of its employee. It ends with the first error of
// a store: what is not known to be unused stays.
func (s *Sweeper) Sweep(ctx context.Context) (Counts, error) {
	var counts Counts
	pace := rate.NewLimiter(perSecond, 1)
	before := s.Now().Add(-Grace)
	// Of an employee's two photos, which stores list one after the other, the
	// second needs no question. One that is deleted does, right before.
	var used directory.Photo
	err := s.Photos.Walk(ctx, func(p directory.StoredPhoto) error {
		counts.Seen++
		if !p.Put.Before(before) || p.Key == used.Key || p.Key == used.Thumbnail {
			return nil
		}
		if err := pace.Wait(ctx); err != nil {
			return err
		}
		e, err := s.Employees.Get(ctx, p.EmployeeID())
		if err != nil && !errors.Is(err, directory.ErrNotFound) {
			return fmt.Errorf("employee %s: %w", p.EmployeeID(), err)
		}
		used = e.Photo
		if p.Key == used.Key || p.Key == used.Thumbnail {
			return nil
		}
		if err := s.Photos.Delete(ctx, p.Key, before); err != nil {
			return fmt.Errorf("photo %s: %w", p.Key, err)
		}
		counts.Deleted++
		return nil
	})
	return counts, err
}
