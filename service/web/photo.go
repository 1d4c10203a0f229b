package web

import (
	"bytes"
	"errors"
	"image"
	_ "image/jpeg" // the kinds of photo
	_ "image/png"
	"net/http"
	"strings"

	"github.com/archipelago-cdk/archipelago/service/directory"
	_ "golang.org/x/image/webp"
)

// checkPhoto returns the file extension of a photo by its content, or an error
// that says what it should be. Its size is read before it is decoded.
func checkPhoto(content []byte) (string, error) {
	unsupported := &statusError{
		status:  http.StatusUnsupportedMediaType,
		message: "The photo must be a JPEG, PNG or WebP image.",
	}
	if len(content) > directory.MaxPhotoBytes {
		return "", &http.MaxBytesError{Limit: directory.MaxPhotoBytes}
	}
	config, format, err := image.DecodeConfig(bytes.NewReader(content))
	if err != nil {
		unsupported.err = err
		return "", unsupported
	}
	if config.Width < 1 || config.Height < 1 || config.Width > directory.MaxPhotoPixels/config.Height {
		return "", &statusError{
			status:  http.StatusRequestEntityTooLarge,
			message: "The photo has too many pixels: 16 megapixels at most.",
		}
	}
	if _, _, err := image.Decode(bytes.NewReader(content)); err != nil {
		unsupported.message = "The photo is damaged: " + strings.ToUpper(format) + " data that cannot be decoded."
		unsupported.err = err
		return "", unsupported
	}
	if format == "jpeg" {
		return "jpg", nil
	}
	return format, nil
}

// photo serves a photo. What is under its address never changes. One that has
// not been replicated to this region yet is had from the region of its upload.
func (s *Server) photo(w http.ResponseWriter, r *http.Request) error {
	key := directory.PhotoPrefix + r.PathValue("id") + "/" + r.PathValue("file")
	if !directory.ValidPhotoKey(key) {
		return directory.ErrNotFound
	}
	etag := `"` + r.PathValue("file") + `"`
	content, err := s.Photos.Get(r.Context(), key)
	if errors.Is(err, directory.ErrNotFound) {
		return s.photoElsewhere(w, r, key)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", directory.ContentType(key))
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Header().Set("ETag", etag)
	// ServeContent answers conditions and ranges.
	http.ServeContent(w, r, "", zeroTime, bytes.NewReader(content))
	return nil
}

func (s *Server) photoElsewhere(w http.ResponseWriter, r *http.Request, key string) error {
	employee, err := s.Employees.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	if employee.Photo.Key != key {
		return directory.ErrNotFound
	}
	url, err := s.Photos.URL(r.Context(), employee.Photo)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, url, http.StatusFound)
	return nil
}

// photoURL is the address of an employee's photo, or "".
func photoURL(e directory.Employee) string {
	if e.Photo.Key == "" {
		return ""
	}
	return "/photos/" + strings.TrimPrefix(e.Photo.Key, directory.PhotoPrefix)
}
