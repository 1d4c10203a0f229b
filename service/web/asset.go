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
	content []byte
	// zipped is the content compressed.
	zipped      []byte
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
		read[entry.Name()] = asset{content, zipBest(content), mime.TypeByExtension(path.Ext(entry.Name())), base64.RawURLEncoding.EncodeToString(sum[:9])}
	}
	return read
}

// assetURL is the address of a file, which changes with its content. The
// version is not part of the path: while a new version of the service replaces
// an old one, either may be asked for the other's file.
func assetURL(name string) string {
	a, ok := assets[name]
	if !ok {
		panic(fmt.Sprintf("there is no file %q in static", name)) // names are those that templates say
	}
	return "/static/" + name + "?v=" + a.version
}

// static serves a file: for good under its present address, else for an hour.
func (s *Server) static(w http.ResponseWriter, r *http.Request) error {
	a, ok := assets[r.PathValue("file")]
	if !ok {
		return &statusError{status: http.StatusNotFound, message: "There is no file at this address."}
	}
	content, tag := a.content, a.version
	if takesGzip(r) {
		content, tag = a.zipped, a.version+"-gzip"
		w.Header()["Content-Encoding"] = gzipEncoding
	}
	w.Header()["Vary"] = variesEncoding
	w.Header().Set("Content-Type", a.contentType)
	w.Header().Set("ETag", `"`+tag+`"`)
	switch r.URL.Query().Get("v") {
	case a.version:
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	case "":
		w.Header().Set("Cache-Control", "public, max-age=3600")
	default:
		w.Header().Set("Cache-Control", "no-cache")
	}
	ignoreOtherUnits(r)
	http.ServeContent(w, r, "", zeroTime, bytes.NewReader(content))
	return nil
}
