package web

import (
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/photo"
)

const (
	// maxFormField is the most bytes of a field that are read: more than any
	// field may have.
	maxFormField = 8 << 10
	// maxFormParts is the most fields that are read: more than any form has. A
	// body has room for a million, which takes seconds.
	maxFormParts = 100
)

var errFormParts = fmt.Errorf("a form of more than %d fields", maxFormParts)

// readForm returns the form that was sent, and a photo, nil where none was
// chosen, which the caller closes. The form is read to its end whatever is wrong
// with a part of it, so that nothing that was typed is lost: it is returned with
// the error too.
func (s *Server) readForm(r *http.Request) (form, *photo.Upload, error) {
	var f form
	var upload *photo.Upload
	parts, err := r.MultipartReader()
	if err != nil {
		return f, nil, unreadable(err)
	}
	var wrong []error
	for n := 1; ; n++ {
		part, err := parts.NextPart()
		if err == nil && n > maxFormParts {
			_, _ = io.Copy(io.Discard, r.Body)
			err = errFormParts
		}
		if errors.Is(err, io.EOF) {
			if len(wrong) == 0 {
				return f, upload, nil
			}
			wrong = append(wrong, f.Employee.Normalized().Validate())
			break
		}
		if err != nil {
			wrong = append(wrong, unreadable(err))
			break
		}
		if part.FormName() != "photo" {
			err = readField(part, &f)
		} else if upload == nil && accountOf(r.Context()) != "" {
			upload, err = s.spool(part)
		}
		if err != nil {
			wrong = append(wrong, err)
		}
	}
	return f, nil, errors.Join(append(wrong, upload.Close())...)
}

func readField(part *multipart.Part, f *form) error {
	b, err := io.ReadAll(io.LimitReader(part, maxFormField))
	if err != nil {
		return unreadable(err)
	}
	return f.set(part.FormName(), string(b))
}

// set sets one of the form's fields.
func (f *form) set(name, value string) error {
	e := &f.Employee
	if base, ok := strings.CutPrefix(name, "base."); ok {
		f.HasBase = true
		name, e = base, &f.Base
	}
	switch name {
	case "fullName":
		e.FullName = value
	case "location":
		e.Location = value
	case "jobTitle":
		e.JobTitle = value
	case "badges":
		if len(e.Badges) <= len(directory.Badges) { // more are no help to see what is wrong
			e.Badges = append(e.Badges, value)
		}
	case "key":
		f.Key = value
	case "removePhoto":
		f.RemovePhoto = true
	case "version":
		var err error
		if e.Version, err = strconv.ParseInt(value, 10, 64); err != nil {
			return &statusError{http.StatusBadRequest, "The form's version is not a number; open the form again.", err}
		}
	}
	return nil
}

// field is one of a form's, as it is sent.
type field struct{ Name, Value string }

// keptPrefix is what the names of a form's fields begin with that are kept while
// somebody signs in.
const keptPrefix = "kept."

// kept are the fields of a form of the employee id, "" for a new one, to be kept
// while somebody signs in.
func (f *form) kept(id string) []field {
	var all []field
	add := func(name, value string) { all = append(all, field{keptPrefix + name, value}) }
	employee := func(prefix string, e directory.Employee) {
		add(prefix+"fullName", e.FullName)
		add(prefix+"jobTitle", e.JobTitle)
		add(prefix+"location", e.Location)
		for _, badge := range e.Badges {
			add(prefix+"badges", badge)
		}
	}
	add("id", id)
	employee("", f.Employee)
	if f.HasBase {
		employee("base.", f.Base)
	}
	add("key", f.Key)
	add("version", strconv.FormatInt(f.Employee.Version, 10))
	if f.RemovePhoto {
		add("removePhoto", "true")
	}
	return all
}

// keptForm returns the form whose fields were kept in values, and those fields; nil
// where none was.
func keptForm(values url.Values) (*form, []field) {
	if _, ok := values[keptPrefix+"id"]; !ok {
		return nil, nil
	}
	var f form
	for name, all := range values {
		name, ok := strings.CutPrefix(name, keptPrefix)
		for _, value := range all {
			if ok {
				_ = f.set(name, value) // an invalid version is stale
			}
		}
	}
	f.Employee.ID = values.Get(keptPrefix + "id")
	return &f, f.kept(f.Employee.ID)
}

// unreadable is a body that ended early, came too slowly or is not a form, unless it
// was too large.
func unreadable(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return err
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &statusError{http.StatusRequestTimeout, "What was sent came too slowly. Try again with a better connection, or send a smaller photo.", err}
	}
	return &statusError{http.StatusBadRequest, "What was sent could not be read; send it again.", err}
}
