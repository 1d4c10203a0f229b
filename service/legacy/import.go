package legacy

import (
	"context"
	"errors"
	"fmt"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

// Target is where the data goes.
type Target struct {
	// Employees is the store. Required.
	Employees directory.Employees
	// Photo keeps a photo of the employee id, as that of an upload is kept, and
	// returns where it is. An error other than directory.ErrUnavailable says
	// what is wrong with the photo. Required.
	Photo func(ctx context.Context, id string, content []byte) (directory.Photo, error)
}

// Summary is what came of an import so far.
type Summary struct {
	// Imported are the employees that are here now and were not.
	Imported int
	// Present are those that were here already. They stay as they are.
	Present int
	// Photos are those that were imported.
	Photos int
	// Notes say what was left out, in the order it was met.
	Notes []Note
}

// Note says what was left out and why.
type Note struct {
	// ID and Name are the employee's in the original.
	ID, Name string
	// What was left out: "employee", "photo" or "badge".
	What string
	// Why is the reason.
	Why string
}

// Import adds every employee of from that is not here. What is here
// stays as it is, but for an employee without a photo whom nobody has changed:
// it gets the one that could not be used the last time. So an import that was
// interrupted is run again, and one that is run twice changes nothing. One
// who was deleted here since comes back.
// progress is called with each employee. The summary is of what was done,
// also with an error.
func Import(ctx context.Context, from Source, to Target, progress func(Summary)) (Summary, error) {
	i := importing{from: from, to: to}
	err := from.each(ctx, func(o original) error {
		if err := i.one(ctx, o); err != nil {
			return err
		}
		progress(i.Summary)
		return ctx.Err()
	})
	return i.Summary, err
}

type importing struct {
	Summary
	from Source
	to   Target
}

func (i *importing) note(o original, what, why string) {
	i.Notes = append(i.Notes, Note{ID: o.id, Name: o.fullName, What: what, Why: why})
}

// one imports one employee.
func (i *importing) one(ctx context.Context, o original) error {
	if o.id == "" {
		i.note(o, "employee", "it has no id")
		return nil
	}
	e, unknown := o.employee()
	if err := e.Validate(); err != nil {
		i.note(o, "employee", err.Error())
		return nil
	}
	stored, err := i.to.Employees.Get(ctx, e.ID)
	if err == nil {
		return i.present(ctx, o, stored)
	}
	if !errors.Is(err, directory.ErrNotFound) {
		return err
	}
	if e.Photo, err = i.photo(ctx, o, e.ID); err != nil {
		return err
	}
	if _, err := i.to.Employees.Create(ctx, e); err != nil {
		return err
	}
	i.Imported++
	for _, badge := range unknown {
		i.note(o, "badge", fmt.Sprintf("there is no badge %q", badge))
	}
	return nil
}

// present leaves an employee as it is, but for the photo that it is without.
func (i *importing) present(ctx context.Context, o original, stored directory.Employee) error {
	i.Present++
	if stored.Version > 1 || stored.Photo.Key != "" {
		return nil
	}
	var err error
	if stored.Photo, err = i.photo(ctx, o, stored.ID); err != nil || stored.Photo.Key == "" {
		return err
	}
	_, err = i.to.Employees.Update(ctx, stored)
	return err
}

// employee is o as it is here, without the badges that are unknown here.
func (o original) employee() (e directory.Employee, unknown []string) {
	e = directory.Employee{
		ID:       directory.IDFor("the original's", o.id),
		FullName: o.fullName, Location: o.location, JobTitle: o.jobTitle,
	}
	for _, badge := range o.badges {
		if _, known := directory.BadgeName(badge); known {
			e.Badges = append(e.Badges, badge)
		} else {
			unknown = append(unknown, badge)
		}
	}
	return e.Normalized(), unknown
}

// photo imports an employee's photo, if there is one and it can be used.
func (i *importing) photo(ctx context.Context, o original, id string) (directory.Photo, error) {
	if o.objectKey == "" || i.from.Bucket == "" {
		return directory.Photo{}, nil
	}
	content, err := i.from.photo(ctx, o.objectKey)
	var unusable *unusableError
	if errors.As(err, &unusable) {
		i.note(o, "photo", unusable.why)
		return directory.Photo{}, nil
	}
	if err != nil {
		return directory.Photo{}, err
	}
	kept, err := i.to.Photo(ctx, id, content)
	if err != nil && (errors.Is(err, directory.ErrUnavailable) || ctx.Err() != nil) {
		return directory.Photo{}, err
	}
	if err != nil {
		i.note(o, "photo", err.Error())
		return directory.Photo{}, nil
	}
	i.Photos++
	return kept, nil
}
