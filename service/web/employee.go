package web

import (
	"context"
	"errors"
	"fmt"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/photo"
)

// save checks an employee and a photo, which may be nil, and then keeps both:
// all that is wrong is reported at once, and nothing is kept by halves. The
// photo comes first, since one that nobody refers to harms nobody. On an error
// it returns the employee as it would have been.
func (s *Server) save(ctx context.Context, e directory.Employee, upload *photo.Upload,
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
	var pictures *photo.Pictures
	if upload != nil {
		var err error
		if pictures, err = s.Processor.Process(ctx, upload); err != nil {
			return e, unusable(err)
		}
	}
	if pictures != nil {
		kept, err := photo.Keep(ctx, s.Photos, e.ID, s.Island().Region, pictures)
		if err != nil {
			return e, err
		}
		e.Photo = kept
	}
	kept, err := keep(ctx, e)
	if err != nil {
		return e, err
	}
	s.wrote(ctx, kept.ID)
	return kept, nil
}

// add keeps a new employee. One that is sent again with the same key, since the
// first answer was lost, is added once; without a key, each time.
func (s *Server) add(ctx context.Context, e directory.Employee, key string, upload *photo.Upload) (directory.Employee, error) {
	e.ID = directory.NewID()
	if key != "" {
		e.ID = directory.IDFor(accountOf(ctx), key)
	}
	e, err := s.save(ctx, e, upload, s.Employees.Create)
	if key == "" || !errors.Is(err, directory.ErrConflict) {
		return e, err
	}
	stored, err := s.Employees.Get(ctx, e.ID)
	if err != nil {
		return e, err
	}
	if !stored.Same(e) {
		return e, &sentBeforeError{stored}
	}
	s.wrote(ctx, stored.ID)
	return stored, nil
}

// sentBeforeError means that a key which stands for one attempt to add an
// employee came with different fields.
type sentBeforeError struct{ added directory.Employee }

func (e *sentBeforeError) Error() string {
	return fmt.Sprintf("This was sent before, with other fields, and added %s. To add another employee, send it with a new key.", e.added.FullName)
}
