package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

// list is the page of the list.
type list struct {
	directory.Page
	// Query is what was asked for.
	Query directory.Query
	// Locations and Badges are what may be asked for.
	Locations directory.LocationPage
	Badges    []directory.Badge
	// Like are locations that begin as the one that was asked for, where nobody
	// matches.
	Like directory.LocationPage
	// From is the place in the list of the first employee of the page, from 1, or 0
	// where it is not known. Total is how many the list has, or 0.
	From, Total int
	// NextURL is the address of the page that follows, "" on the last, and
	// PreviousURL that of the one before, "" on the first.
	NextURL, PreviousURL string
}

// Filtered reports whether the list is of some employees only.
func (l list) Filtered() bool {
	return l.Query.Prefix != "" || l.Query.Location != "" || l.Query.Badge != ""
}

const (
	// maxLocations is how many locations the list offers to choose from. Where there
	// are more, one is typed, and all are on a page of their own.
	maxLocations = directory.MaxLocations
	// maxLike is how many locations are offered in place of one where nobody is.
	maxLike = 12
)

// queryOf is what the address of a list asks for, and where in the list its page
// begins, as far as the address says it: a cursor does not.
func queryOf(raw string) (q directory.Query, from int) {
	if raw == "" {
		return directory.Query{Limit: pageSize}, 1
	}
	values, _ := url.ParseQuery(raw) // what cannot be read is not asked for
	q = directory.Query{
		Prefix:   strings.TrimSpace(values.Get("name")),
		Location: strings.TrimSpace(values.Get("location")),
		Badge:    values.Get("badge"),
		After:    values.Get("after"),
		Before:   values.Get("before"),
		Limit:    pageSize,
	}
	if q.After == "" && q.Before == "" {
		return q, 1
	}
	from, _ = strconv.Atoi(values.Get("from"))
	return q, min(max(from, 0), maxFrom)
}

// maxFrom is further than any list reaches.
const maxFrom = 1_000_000_000

// address is the list's that q asks for, with a page that begins at from.
func address(q directory.Query, from int) string {
	if q.Prefix == "" && q.Location == "" && q.Badge == "" && q.After == "" && q.Before == "" {
		return "/"
	}
	values := url.Values{}
	for name, value := range map[string]string{
		"name": q.Prefix, "location": q.Location, "badge": q.Badge, "after": q.After, "before": q.Before,
	} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if from > 0 && (q.After != "" || q.Before != "") {
		values.Set("from", strconv.Itoa(from))
	}
	return "/?" + values.Encode()
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) error {
	q, from := queryOf(r.URL.RawQuery)
	return s.cached(w, r, address(q, from), func(ctx context.Context) ([]byte, error) {
		l := list{Query: q, From: from, Badges: directory.Badges}
		var err error
		if l.Page, err = s.page(ctx, q, recent(r)); err != nil {
			return nil, err
		}
		if q.Before != "" && l.Previous == "" {
			// The way back ends on the first page, which is whole.
			l.Query.Before, l.From = "", 1
			if len(l.Employees) < q.Limit {
				if l.Page, err = s.page(ctx, l.Query, recent(r)); err != nil {
					return nil, err
				}
			}
		}
		if len(l.Employees) > 0 && (l.Next != "" || l.Previous != "") { // others have no total to say
			l.Total = s.total(ctx, q)
		}
		if l.Locations, err = s.Employees.Locations(ctx, directory.LocationQuery{Limit: maxLocations}); err != nil {
			return nil, err
		}
		if len(l.Employees) == 0 && q.Location != "" {
			like := directory.LocationQuery{Prefix: q.Location, Limit: maxLike}
			if l.Like, err = s.Employees.Locations(ctx, like); err != nil {
				return nil, err
			}
		}
		l.turn()
		return s.body(ctx, "list", "Employees", listPage(l))
	})
}

func (s *Server) detail(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	return s.cached(w, r, "/employees/"+id, func(ctx context.Context) ([]byte, error) {
		e, err := s.Employees.Get(ctx, id)
		if err != nil {
			return nil, err
		}
		return s.body(ctx, "detail", e.FullName, detailPage(e))
	})
}

// form is the page on which an employee is typed.
type form struct {
	Employee directory.Employee
	Badges   []badgeChoice
	Action   string
	// Key makes one employee of a form that is sent twice.
	Key string
	// RemovePhoto asks for the present photo to be erased.
	RemovePhoto bool
	// Base is the employee that the form was made of; HasBase reports whether it is
	// known.
	Base    directory.Employee
	HasBase bool
	// Stored is the employee as stored now where someone else changed it
	// meanwhile, else nil. The form holds what was typed, and Taken are the fields
	// in which it follows what is stored. Differences are what both changed.
	Stored      *directory.Employee
	Taken       []string
	Differences []difference
	// Notice is what there is to know before the form is sent, or "".
	Notice string
	// Message is what is wrong with the whole, "" where nothing is.
	Message string
	Invalid *directory.InvalidError
}

type badgeChoice struct {
	directory.Badge
	Chosen bool
}

// renderForm shows f, for a new employee or, where it has a version, for one
// that exists, and what err says is wrong with it.
func (s *Server) renderForm(w http.ResponseWriter, r *http.Request, f form, err error) error {
	f.Action, f.Invalid = "/employees", &directory.InvalidError{}
	title, status := "Add an employee", http.StatusOK
	if f.Employee.Version > 0 {
		f.Action += "/" + f.Employee.ID
		title = "Edit " + f.Employee.FullName
	} else if f.Key == "" {
		f.Key = directory.NewID()
	}
	for _, b := range directory.Badges {
		f.Badges = append(f.Badges, badgeChoice{b, slices.Contains(f.Employee.Badges, b.ID)})
	}
	if err != nil {
		problem := statusOf(err)
		s.logFailure(r.Context(), r.URL.Path, problem)
		status, f.Message = problem.status, problem.message
		f.Invalid = fieldsOf(err)
		problem.setHeader(w.Header())
	}
	return s.render(w, r, status, "form", title, formPage(title, f))
}

// Same reports whether the form says what is stored now.
func (f form) Same() bool { return f.Employee.Same(*f.Stored) && !f.RemovePhoto }

// fieldsOf are the fields that err is about.
func fieldsOf(err error) *directory.InvalidError {
	fields := &directory.InvalidError{}
	var invalid *directory.InvalidError
	if errors.As(err, &invalid) {
		fields.Fields = append(fields.Fields, invalid.Fields...)
	}
	switch problem := statusOf(err); problem.status {
	case http.StatusUnsupportedMediaType, http.StatusRequestEntityTooLarge:
		fields.Fields = append(fields.Fields, directory.FieldError{Field: "photo", Message: problem.message})
	}
	return fields
}

func (s *Server) newForm(w http.ResponseWriter, r *http.Request) error {
	return s.renderForm(w, r, form{}, nil)
}

func (s *Server) editForm(w http.ResponseWriter, r *http.Request) error {
	e, err := s.Employees.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.renderForm(w, r, form{Employee: e, Base: e, HasBase: true}, nil)
}

func (s *Server) create(w http.ResponseWriter, r *http.Request) error {
	sent, upload, err := s.readForm(r)
	defer upload.Close()
	sent.Employee.Version = 0
	if err == nil {
		sent.Employee, err = s.add(r.Context(), sent.Employee, sent.Key, upload)
	}
	if err == nil {
		s.setFlash(w, r, "added")
		http.Redirect(w, r, "/employees/"+sent.Employee.ID, http.StatusSeeOther)
		return nil
	}
	var before *sentBeforeError
	if errors.As(err, &before) {
		sent.Key = "" // the next attempt is meant to make another one
	}
	return s.renderForm(w, r, sent, err)
}

// update keeps what was typed whatever comes of it: a form is read before the
// stores are asked for its employee.
func (s *Server) update(w http.ResponseWriter, r *http.Request) error {
	sent, upload, err := s.readForm(r)
	defer upload.Close()
	id := r.PathValue("id")
	stored, storedErr := s.Employees.Get(r.Context(), id)
	sent.Employee.ID, sent.Employee.Photo = id, stored.Photo
	if err = errors.Join(err, storedErr); err == nil && sent.Employee.Version != stored.Version {
		// Before the photo is looked at.
		if err = sent.Employee.Normalized().Validate(); err == nil {
			err = directory.ErrConflict
		}
	}
	if err == nil {
		if sent.RemovePhoto {
			sent.Employee.Photo = directory.Photo{}
		}
		sent.Employee, err = s.save(r.Context(), sent.Employee, stored, upload, s.Employees.Update)
	}
	if err == nil {
		s.setFlash(w, r, "saved")
		http.Redirect(w, r, "/employees/"+id, http.StatusSeeOther)
		return nil
	}
	sent.Employee.Photo = stored.Photo
	if errors.Is(err, directory.ErrConflict) {
		if stored, storedErr = s.Employees.Get(r.Context(), id); storedErr != nil {
			err = storedErr
		} else {
			sent.merge(stored)
		}
	}
	if errors.Is(err, directory.ErrNotFound) {
		err = sent.addAgain(err)
	} else {
		// A form that did not say its version goes on as one of the first, which
		// is stale unless it is right.
		sent.Employee.Version = max(sent.Employee.Version, 1)
	}
	return s.renderForm(w, r, sent, err)
}

// addAgain makes of the form of an employee whom someone deleted one that adds it
// again, and returns err as the form says it.
func (f *form) addAgain(err error) error {
	f.Employee.Version, f.Employee.Photo, f.HasBase = 0, directory.Photo{}, false
	return &statusError{http.StatusNotFound, "Someone else deleted this employee meanwhile. Save adds it again.", err}
}

// deleteForm asks before a deletion.
func (s *Server) deleteForm(w http.ResponseWriter, r *http.Request) error {
	e, err := s.Employees.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "delete", "Delete "+e.FullName, deletePage(deletion{Employee: e}))
}

// deletion is the page that asks before a deletion.
type deletion struct {
	directory.Employee
	// Changed reports whether someone changed the employee since the page was opened.
	Changed bool
}

func (s *Server) delete(w http.ResponseWriter, r *http.Request) error {
	if err := readSmallForm(w, r); err != nil {
		return err
	}
	version, err := strconv.ParseInt(r.PostForm.Get("version"), 10, 64)
	if err != nil || version < 1 {
		return &statusError{http.StatusBadRequest, "The form's version is not a number; open the form again.", err}
	}
	id := r.PathValue("id")
	if err := s.remove(r.Context(), id, version); errors.Is(err, directory.ErrConflict) {
		return s.deleteChanged(w, r)
	} else if err != nil {
		return err
	}
	s.setFlash(w, r, "deleted")
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

// deleteChanged asks again: the employee is not the one that was seen.
func (s *Server) deleteChanged(w http.ResponseWriter, r *http.Request) error {
	e, err := s.Employees.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusConflict, "delete", "Delete "+e.FullName, deletePage(deletion{Employee: e, Changed: true}))
}
