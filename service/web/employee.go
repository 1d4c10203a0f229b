package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/photo"
)

// save checks an employee and a photo, which may be nil, and then keeps both:
// all that is wrong is reported at once, and nothing is kept by halves. The
// photo comes first, since one that nobody refers to harms nobody. The photo of
// before, the zero one where there was none, is erased unless it stays. On an error
// it returns the employee as it would have been.
func (s *Server) save(ctx context.Context, e, before directory.Employee, upload *photo.Upload,
	keep func(context.Context, directory.Employee) (directory.Employee, error),
) (directory.Employee, error) {
	e = e.Normalized()
	var problems []error
	if upload != nil {
		if err := upload.Check(); err != nil {
			problems = append(problems, unusable(err))
		}
	}
	if err := e.Validate(); err != nil {
		problems = append(problems, err)
	}
	if len(problems) > 0 {
		return e, errors.Join(problems...)
	}
	if upload != nil {
		pictures, err := s.Processor.Process(ctx, upload)
		if err != nil {
			return e, unusable(err)
		}
		kept, err := photo.Keep(ctx, s.Photos, e.ID, s.Island().Region, pictures)
		if err != nil {
			return e, err
		}
		e.Photo = kept
	}
	var kept directory.Employee
	err := s.erasing(ctx, before.Photo, e.Photo, func() (err error) {
		kept, err = keep(ctx, e)
		return err
	})
	if err != nil {
		return e, err
	}
	s.wrote(ctx, before, kept)
	return kept, nil
}

// erasing makes a change after which an employee has the photo after instead of
// before, and erases what it has no longer: in this region at once, and elsewhere
// as soon as the wish is read there, which is kept before the change, so that
// nothing that dies in between leaves a photo behind.
func (s *Server) erasing(ctx context.Context, before, after directory.Photo, change func() error) error {
	// Erasures count whole milliseconds, and what is put in this one is put before.
	at := s.Now().UTC().Truncate(time.Millisecond).Add(time.Millisecond)
	left := slices.DeleteFunc(before.Keys(), func(key string) bool { return slices.Contains(after.Keys(), key) })
	for _, key := range left {
		if err := s.Sessions.PutErasure(ctx, directory.Erasure{Key: key, At: at}); err != nil {
			return err
		}
	}
	if err := change(); err != nil {
		return err
	}
	for _, key := range left {
		if err := s.Photos.Delete(ctx, key, at); err != nil {
			s.Log.LogAttrs(ctx, slog.LevelWarn, "photo not erased yet", slog.String("photo", key), slog.String("error", err.Error()))
		}
	}
	return nil
}

// remove deletes an employee, with the photo, if the stored version is version or
// whatever it is if version is 0.
func (s *Server) remove(ctx context.Context, id string, version int64) error {
	for {
		stored, err := s.Employees.Get(ctx, id)
		if err != nil {
			return err
		}
		if version != 0 && stored.Version != version {
			return directory.ErrConflict
		}
		err = s.erasing(ctx, stored.Photo, directory.Photo{}, func() error { return s.Employees.Delete(ctx, id, stored.Version) })
		if version == 0 && errors.Is(err, directory.ErrConflict) {
			continue // somebody changed the employee meanwhile
		}
		if err == nil {
			s.wrote(ctx, stored, directory.Employee{})
		}
		return err
	}
}

// add keeps a new employee. One that is sent again with the same key, since the
// first answer was lost, is added once; without a key, each time.
func (s *Server) add(ctx context.Context, e directory.Employee, key string, upload *photo.Upload) (directory.Employee, error) {
	e.ID = directory.NewID()
	if key != "" {
		e.ID = directory.IDFor(accountOf(ctx), key)
	}
	if key != "" && upload != nil && e.Normalized().Validate() == nil {
		// Before the photo is put: it may have been erased since the first time.
		stored, err := s.Employees.Get(ctx, e.ID)
		if err == nil {
			return s.addedBefore(ctx, e.Normalized(), stored)
		}
		if !errors.Is(err, directory.ErrNotFound) {
			return e, err
		}
	}
	e, err := s.save(ctx, e, directory.Employee{}, upload, s.Employees.Create)
	if key == "" || !errors.Is(err, directory.ErrConflict) {
		return e, err
	}
	stored, err := s.Employees.Get(ctx, e.ID)
	if err != nil {
		return e, err
	}
	return s.addedBefore(ctx, e, stored)
}

// addedBefore returns who was added with the key that e came with again. One who
// was changed since cannot be compared with what was sent first.
func (s *Server) addedBefore(ctx context.Context, e, stored directory.Employee) (directory.Employee, error) {
	if stored.Version == 1 && !stored.Same(e) {
		return e, &sentBeforeError{stored}
	}
	s.wrote(ctx, stored, stored)
	return stored, nil
}

// sentBeforeError means that a key which stands for one attempt to add an
// employee came with different fields.
type sentBeforeError struct{ added directory.Employee }

func (e *sentBeforeError) Error() string {
	return fmt.Sprintf("This was sent before, with other fields, and added %s. To add another employee, send it with a new key.", e.added.FullName)
}
