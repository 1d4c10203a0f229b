package web

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/photo"
)

// spool keeps a photo that is sent on the disk, nil where it has no bytes.
func (s *Server) spool(r io.Reader) (*photo.Upload, error) {
	upload, err := s.Processor.Spool(r)
	switch {
	case errors.Is(err, photo.ErrNoRoom) && (errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)):
		return nil, &statusError{http.StatusInsufficientStorage, "The disk is full: no photo can be taken until the directory's operator makes room. Save without it.", err}
	case errors.Is(err, photo.ErrTooManyBytes), errors.Is(err, photo.ErrNoRoom):
		return nil, unusable(err)
	case err != nil:
		return nil, unreadable(err)
	case upload.Size() == 0:
		return nil, upload.Close()
	}
	return upload, nil
}

// unusable is what the client is told of an error of the package photo.
func unusable(err error) error {
	var kind *photo.UnsupportedError
	var pixels *photo.TooManyPixelsError
	switch {
	case errors.As(err, &kind) && kind.Kind != "":
		return &statusError{http.StatusUnsupportedMediaType, "The photo is " + kind.Kind + ", which cannot be shown. Save it as a JPEG, PNG, WebP or GIF image and choose that.", err}
	case errors.As(err, &pixels):
		return &statusError{http.StatusRequestEntityTooLarge, tooManyPixels(pixels), err}
	}
	for _, known := range []struct {
		err     error
		status  int
		message string
	}{
		{photo.ErrUnsupported, http.StatusUnsupportedMediaType, "The photo must be a JPEG, PNG, WebP or GIF image."},
		{photo.ErrProfile, http.StatusUnsupportedMediaType, "The photo has a colour profile that cannot be converted. Save it with the profile sRGB and choose that."},
		{photo.ErrDamaged, http.StatusUnsupportedMediaType, "The photo is damaged or incomplete. Choose another, or open it in a program and save it again."},
		{photo.ErrTooManyBytes, http.StatusRequestEntityTooLarge, tooManyBytes},
		{photo.ErrTooLong, http.StatusRequestEntityTooLarge, "The photo is too long or too wide: 65,535 pixels at most."},
		{photo.ErrNoRoom, http.StatusServiceUnavailable, "The photo cannot be taken at the moment. Try again in a few seconds, or save without it."},
	} {
		if errors.Is(err, known.err) {
			return &statusError{known.status, known.message, err}
		}
	}
	if errors.Is(err, photo.ErrBusy) { // which does not make the service a failing one
		return &tooManyError{"Many photos are being worked on at the moment.", busyFor}
	}
	return err
}

// tooManyBytes is what the client is told of a photo, or a request, that is
// larger than directory.MaxPhotoBytes.
const tooManyBytes = "The photo is too large: 20 MB at most."

func tooManyPixels(e *photo.TooManyPixelsError) string {
	most := "50 megapixels at most."
	if e.Most < directory.MaxJPEGPixels {
		most = "16 megapixels at most, or 50 as a JPEG."
	}
	return fmt.Sprintf("The photo has too many pixels, %d × %d: %s", e.Width, e.Height, most)
}

// photo serves a photo. What is under its address never changes. One that has
// not been replicated to this region yet is fetched from the region of its upload.
func (s *Server) photo(w http.ResponseWriter, r *http.Request) error {
	key := directory.PhotoPrefix + r.PathValue("id") + "/" + r.PathValue("file")
	if !directory.ValidPhotoKey(key) {
		return s.placeholder(w, r, directory.ErrNotFound)
	}
	h := w.Header()
	etag := `"` + r.PathValue("file") + `"`
	// A copy is good only while the photo is there: who has one of an erased photo
	// would keep it for another day, each day.
	content, err := s.Photos.Get(r.Context(), key)
	if err != nil {
		return s.photoElsewhere(w, r, key, etag, err)
	}
	s.cachePhoto(h, etag)
	if hasTag(r.Header.Get("If-None-Match"), etag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Type", directory.ContentType(key))
	h.Set("Content-Disposition", "inline")
	ignoreOtherUnits(r)
	// ServeContent answers ranges and HEAD.
	http.ServeContent(w, r, "", zeroTime, bytes.NewReader(content))
	return nil
}

// ignoreOtherUnits removes a Range of a unit that nobody knows, as RFC 9110, 14.2,
// asks for: http.ServeContent would refuse it.
func ignoreOtherUnits(r *http.Request) {
	if unit, _, _ := strings.Cut(r.Header.Get("Range"), "="); !strings.EqualFold(strings.TrimSpace(unit), "bytes") {
		r.Header.Del("Range")
	}
}

// hasTag reports whether a list of entity tags, as If-None-Match has it, has one:
// compared weakly, and "*" has every one. Source: RFC 9110, 13.1.2.
func hasTag(list, etag string) bool {
	for tag := range strings.SplitSeq(list, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || strings.TrimPrefix(tag, "W/") == strings.TrimPrefix(etag, "W/") {
			return true
		}
	}
	return false
}

// photoKept is how long a photo may be kept: what is under its address never
// changes, and is to be gone in a day where it is erased.
const photoKept = ", max-age=86400, immutable"

// cachePhoto lets a photo be kept, by browsers only where it takes an account to
// see it.
func (s *Server) cachePhoto(h http.Header, etag string) {
	whose := "public"
	if s.SignedInReads {
		whose = "private"
	}
	h.Set("Cache-Control", whose+photoKept)
	h.Set("ETag", etag)
}

// photoElsewhere sends a client to the region of a photo's upload, since this
// region's store has answered with missing.
func (s *Server) photoElsewhere(w http.ResponseWriter, r *http.Request, key, etag string, missing error) error {
	employee, err := s.Employees.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return s.placeholder(w, r, err)
	}
	if key != employee.Photo.Key && key != employee.Photo.Thumbnail {
		return s.placeholder(w, r, missing)
	}
	if hasTag(r.Header.Get("If-None-Match"), etag) {
		s.cachePhoto(w.Header(), etag)
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	url, err := s.Photos.URL(r.Context(), directory.Photo{Key: key, Region: employee.Photo.Region})
	if errors.Is(err, directory.ErrNotFound) {
		err = missing
	}
	if err != nil {
		return s.placeholder(w, r, err)
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, url, http.StatusFound)
	return nil
}

// placeholderSVG is somebody without a face, in gray: it is seen on light and
// on dark.
const placeholderSVG = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" width="192" height="192">` +
	`<rect width="64" height="64" fill="#888"/><g fill="#bbb"><circle cx="32" cy="25" r="11"/><path d="M10 64a22 20 0 0 1 44 0z"/></g></svg>`

// placeholder answers with a picture, which browsers show whatever the status,
// and with the status of err, which programs go by.
func (s *Server) placeholder(w http.ResponseWriter, r *http.Request, err error) error {
	e := statusOf(err)
	s.logFailure(r.Context(), r.URL.Path, e)
	h := w.Header()
	e.setHeader(h)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "image/svg+xml")
	w.WriteHeader(e.status)
	_, err = io.WriteString(w, placeholderSVG)
	return err
}

// photoURL is the address of an employee's photo, or "".
func photoURL(e directory.Employee) string { return addressOfPhoto(e.Photo.Key) }

// thumbnailURL is the address of an employee's photo as lists show it, or "".
func thumbnailURL(e directory.Employee) string {
	if e.Photo.Thumbnail == "" {
		return photoURL(e)
	}
	return addressOfPhoto(e.Photo.Thumbnail)
}

func addressOfPhoto(key string) string {
	if key == "" {
		return ""
	}
	return "/photos/" + strings.TrimPrefix(key, directory.PhotoPrefix)
}
