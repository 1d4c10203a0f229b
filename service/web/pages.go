package web

import (
	"bytes"
	"embed"
	"errors"
	"html/template"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

// zeroTime keeps http.ServeContent from sending a Last-Modified.
var zeroTime time.Time

var templates = parseTemplates()

// parseTemplates returns each page with the layout around it.
func parseTemplates() map[string]*template.Template {
	pages := map[string]*template.Template{}
	functions := template.FuncMap{"photoURL": photoURL, "initials": initials, "badgeName": badgeName}
	for _, name := range []string{"list", "detail", "form", "delete", "island", "error"} {
		pages[name] = template.Must(template.New(name).Funcs(functions).
			ParseFS(templateFiles, "templates/layout.html", "templates/"+name+".html"))
	}
	return pages
}

func badgeName(id string) string {
	name, _ := directory.BadgeName(id)
	return name
}

// initials stand in for a photo: the first letters of the first and last word.
func initials(name string) string {
	words := strings.Fields(name)
	if len(words) == 0 {
		return "?"
	}
	letters := []rune{[]rune(words[0])[0]}
	if len(words) > 1 {
		letters = append(letters, []rune(words[len(words)-1])[0])
	}
	return strings.Map(unicode.ToUpper, string(letters))
}

// view is what every page is rendered from.
type view struct {
	Title  string
	Island Island
	Data   any
}

// render writes a page whole or not at all.
func (s *Server) render(w http.ResponseWriter, r *http.Request, status int, page, title string, data any) error {
	var b bytes.Buffer
	if err := templates[page].ExecuteTemplate(&b, "layout", view{Title: title, Island: s.Island(), Data: data}); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if w.Header().Get("Cache-Control") == "" {
		w.Header().Set("Cache-Control", "no-cache")
	}
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := w.Write(b.Bytes())
	return err
}

func static() http.Handler {
	files, err := fs.Sub(staticFiles, "static")
	if err != nil {
		panic(err) // the folder is embedded
	}
	server := http.StripPrefix("/static/", http.FileServerFS(files))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=3600")
		server.ServeHTTP(w, r)
	})
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) error {
	page, err := s.Employees.Page(r.Context(), directory.Query{After: r.URL.Query().Get("after"), Limit: pageSize})
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "list", "Employees", page)
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
