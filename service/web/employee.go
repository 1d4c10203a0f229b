package web

import (
	"context"
	"errors"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

// save checks an employee and a photo, which may be nil, and then keeps both:
// all that is wrong is reported at once, and nothing is kept by halves. The
// photo comes first, since one that nobody refers to harms nobody. On an error
// it returns the employee as it was given.
func (s *Server) save(ctx context.Context, e directory.Employee, photo []byte,
	keep func(context.Context, directory.Employee) (directory.Employee, error),
) (directory.Employee, error) {
	e = e.Normalized()
	var extension string
	var problems []error
	if photo != nil {
		var err error
		if extension, err = checkPhoto(photo); err != nil {
			problems = append(problems, err)
		}
	}
	if err := e.Validate(); err != nil {
		problems = append(problems, err)
	}
	if len(problems) > 0 {
		return e, errors.Join(problems...)
	}
	if photo != nil {
		e.Photo = directory.Photo{Key: directory.PhotoKey(e.ID, photo, extension), Region: s.Island().Region}
		if err := s.Photos.Put(ctx, e.Photo.Key, photo); err != nil {
			return e, err
		}
	}
	kept, err := keep(ctx, e)
	if err != nil {
		return e, err
	}
	return kept, nil
}
