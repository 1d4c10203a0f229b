package web

import (
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"

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
		} else if upload == nil {
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
	value, e := string(b), &f.Employee
	switch part.FormName() {
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
	case "version":
		if e.Version, err = strconv.ParseInt(value, 10, 64); err != nil {
			return &statusError{http.StatusBadRequest, "The form's version is not a number; open the form again.", err}
		}
	}
	return nil
}

// unreadable is a body that ended early or is no form, unless it was too large.
func unreadable(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return err
	}
	return &statusError{http.StatusBadRequest, "What was sent could not be read; send it again.", err}
}
