package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"time"
)

//go:embed static
var assetFiles embed.FS

// zeroTime keeps http.ServeContent from sending a Last-Modified.
var zeroTime time.Time

// assets are the files that pages refer to, by name.
var assets = readAssets()

type asset struct {
	content     []byte
	contentType string
	// version is a hash of the content.
	version string
}

func readAssets() map[string]asset {
	read := map[string]asset{}
	entries, err := fs.ReadDir(assetFiles, "static")
	if err != nil {
		panic(err) // the folder is embedded
	}
	for _, entry := range entries {
		content, err := fs.ReadFile(assetFiles, "static/"+entry.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(content)
		read[entry.Name()] = asset{content, mime.TypeByExtension(path.Ext(entry.Name())), base64.RawURLEncoding.EncodeToString(sum[:9])}
	}
	return read
}

// assetURL is the address of a file, which changes with its content. The
// version is not part of the path: while a new version of the service replaces
// an old one, either may be asked for the other's file.
func assetURL(name string) (string, error) {
	a, ok := assets[name]
	if !ok {
		return "", fmt.Errorf("there is no file %q in static", name)
	}
	return "/static/" + name + "?v=" + a.version, nil
}

// static serves a file: for good under its present address, else for an hour.
func (s *Server) static(w http.ResponseWriter, r *http.Request) error {
	a, ok := assets[r.PathValue("file")]
	if !ok {
		return &statusError{status: http.StatusNotFound, message: "There is no file at this address."}
	}
	w.Header().Set("Content-Type", a.contentType)
	w.Header().Set("ETag", `"`+a.version+`"`)
	switch r.URL.Query().Get("v") {
	case a.version:
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	case "":
		w.Header().Set("Cache-Control", "public, max-age=3600")
	default:
		w.Header().Set("Cache-Control", "no-cache")
	}
	http.ServeContent(w, r, "", zeroTime, bytes.NewReader(a.content))
	return nil
}
