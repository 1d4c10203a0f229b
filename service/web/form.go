package web

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

// maxFormField is the most bytes of a field that are read: more than any field
// may have.
const maxFormField = 8 << 10

// readForm returns the form that was sent, and a photo, nil where none was
// chosen. What was read is returned with the error too, so that nothing
// that was typed is lost: the photo comes last in the form.
func readForm(r *http.Request) (form, []byte, error) {
	var f form
	var photo []byte
	parts, err := r.MultipartReader()
	if err != nil {
		return f, nil, unreadable(err)
	}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return f, photo, nil
		}
		if err != nil {
			return f, nil, unreadable(err)
		}
		if part.FormName() == "photo" {
			photo, err = readPhoto(part)
		} else {
			err = readField(part, &f)
		}
		if err != nil {
			return f, nil, err
		}
	}
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
		e.Badges = append(e.Badges, value)
	case "key":
		f.Key = value
	case "version":
		if e.Version, err = strconv.ParseInt(value, 10, 64); err != nil {
			return &statusError{http.StatusBadRequest, "The form's version is no number; open the form anew.", err}
		}
	}
	return nil
}

// readPhoto reads what was chosen as a photo. One that is too large is read to
// its end all the same: a browser shows the answer only once it has sent all.
func readPhoto(part io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(part, directory.MaxPhotoBytes+1))
	if err != nil {
		return nil, unreadable(err)
	}
	if len(b) > directory.MaxPhotoBytes {
		_, err := io.Copy(io.Discard, part)
		return nil, errors.Join(&http.MaxBytesError{Limit: directory.MaxPhotoBytes}, err)
	}
	if len(b) == 0 {
		return nil, nil
	}
	return b, nil
}

// unreadable is a form that ended early or never was one, unless it was too
// large.
func unreadable(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return err
	}
	return &statusError{http.StatusBadRequest, "The form could not be read; send it once more.", err}
}
