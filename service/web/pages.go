package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

// list is the page of the list.
type list struct {
	directory.Page
	// Query is what was asked for.
	Query directory.Query
	// Locations and Badges are what may be asked for.
	Locations []string
	Badges    []directory.Badge
	// NextURL is the address of the page that follows, "" on the last.
	NextURL string
}

// Filtered tells whether the list is of some employees only.
func (l list) Filtered() bool {
	return l.Query.Prefix != "" || l.Query.Location != "" || l.Query.Badge != ""
}

// maxLocations is how many locations the list offers to choose from.
const maxLocations = 200

// queryOf is what the address of a list asks for.
func queryOf(values url.Values) directory.Query {
	return directory.Query{
		Prefix:   strings.TrimSpace(values.Get("name")),
		Location: strings.TrimSpace(values.Get("location")),
		Badge:    values.Get("badge"),
		After:    values.Get("after"),
		Limit:    pageSize,
	}
}

// address is the list's that q asks for.
func address(q directory.Query) string {
	values := url.Values{}
	for name, value := range map[string]string{"name": q.Prefix, "location": q.Location, "badge": q.Badge, "after": q.After} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if len(values) == 0 {
		return "/"
	}
	return "/?" + values.Encode()
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) error {
	l := list{Query: queryOf(r.URL.Query()), Badges: directory.Badges}
	var err error
	if l.Page, err = s.Employees.Page(r.Context(), l.Query); err != nil {
		return err
	}
	if l.Locations, err = s.Employees.Locations(r.Context(), maxLocations); err != nil {
		return err
	}
	if l.Next != "" {
		next := l.Query
		next.After = l.Next
		l.NextURL = address(next)
	}
	return s.render(w, r, http.StatusOK, "list", "Employees", l)
}

func (s *Server) detail(w http.ResponseWriter, r *http.Request) error {
	e, err := s.Employees.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "detail", e.FullName, e)
}

// form is the page on which an employee is typed.
type form struct {
	Employee directory.Employee
	Badges   []badgeChoice
	Action   string
	// Key makes one employee of a form that is sent twice.
	Key string
	// Stored is the employee as stored now where someone else changed it
	// meanwhile, else nil. The form holds what was typed.
	Stored *directory.Employee
	// Message is what is wrong with the whole, "" where nothing is.
	Message string
	Invalid *directory.InvalidError
}

type badgeChoice struct {
	directory.Badge
	Chosen bool
}

func (s *Server) renderForm(w http.ResponseWriter, r *http.Request, e directory.Employee, err error) error {
	f := form{Employee: e, Action: "/employees", Invalid: &directory.InvalidError{}}
	title, status := "Add an employee", http.StatusOK
	if e.Version > 0 {
		f.Action += "/" + e.ID
		title = "Edit " + e.FullName
	}
	for _, b := range directory.Badges {
		f.Badges = append(f.Badges, badgeChoice{b, slices.Contains(e.Badges, b.ID)})
	}
	if err != nil {
		problem := statusOf(err)
		s.logFailure(r.Context(), r.URL.Path, problem)
		status, f.Message = problem.status, problem.message
		f.Invalid = fieldsOf(err)
	}
	return s.render(w, r, status, "form", title, f)
}

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
	return s.renderForm(w, r, directory.Employee{}, nil)
}

func (s *Server) editForm(w http.ResponseWriter, r *http.Request) error {
	e, err := s.Employees.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.renderForm(w, r, e, nil)
}

func (s *Server) create(w http.ResponseWriter, r *http.Request) error {
	e, photo, err := readForm(r)
	if err == nil {
		e.ID = directory.NewID()
		e, err = s.save(r.Context(), e, photo, s.Employees.Create)
	}
	if err != nil {
		e.Version = 0
		return s.renderForm(w, r, e, err)
	}
	http.Redirect(w, r, "/employees/"+e.ID, http.StatusSeeOther)
	return nil
}

func (s *Server) update(w http.ResponseWriter, r *http.Request) error {
	stored, err := s.Employees.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	e, photo, err := readForm(r)
	e.ID, e.Photo = stored.ID, stored.Photo
	if err == nil {
		_, err = s.save(r.Context(), e, photo, s.Employees.Update)
	}
	if err != nil {
		// The next attempt is made knowingly, over what is stored now.
		e.Version = stored.Version
		return s.renderForm(w, r, e, err)
	}
	http.Redirect(w, r, "/employees/"+e.ID, http.StatusSeeOther)
	return nil
}

// deleteForm asks before a deletion.
func (s *Server) deleteForm(w http.ResponseWriter, r *http.Request) error {
	e, err := s.Employees.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "delete", "Delete "+e.FullName, e)
}

func (s *Server) delete(w http.ResponseWriter, r *http.Request) error {
	if err := s.Employees.Delete(r.Context(), r.PathValue("id"), 0); err != nil {
		return err
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}
