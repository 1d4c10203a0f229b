package web

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// Answers are compressed although some are sent over TLS with what a client typed:
// none holds a secret beside it that could be guessed byte by byte (BREACH), since
// forms need no token against other sites, and a session's id is in headers only.

// zippedFrom is the least number of bytes that are compressed: fewer fit into one
// packet either way.
const zippedFrom = 1024

// zippers make pages smaller. Level 4 takes half the time of the usual one, and is
// two per cent larger.
var zippers = sync.Pool{New: func() any {
	z, err := gzip.NewWriterLevel(nil, 4)
	if err != nil {
		panic(err) // there is such a level
	}
	return z
}}

// zip compresses a body that is sent at once.
func zip(body []byte) []byte {
	var b bytes.Buffer
	z := zippers.Get().(*gzip.Writer)
	defer zippers.Put(z)
	z.Reset(&b)
	_, _ = z.Write(body) // a buffer takes all
	_ = z.Close()
	return bytes.Clone(b.Bytes())
}

// zipBest compresses a body that is kept for long.
func zipBest(body []byte) []byte {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		panic(err) // there is such a level
	}
	_, _ = z.Write(body)
	_ = z.Close()
	return b.Bytes()
}

// takesGzip reports whether a client takes an answer compressed by gzip. Source:
// RFC 9110, 12.5.3.
func takesGzip(r *http.Request) bool {
	for _, line := range r.Header["Accept-Encoding"] {
		for coding := range strings.SplitSeq(line, ",") {
			name, weight, weighted := strings.Cut(coding, ";")
			if name = strings.TrimSpace(name); !strings.EqualFold(name, "gzip") && !strings.EqualFold(name, "x-gzip") {
				continue
			}
			if !weighted {
				return true
			}
			q, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(weight), "q="), 64)
			return err == nil && q > 0
		}
	}
	return false
}

var (
	gzipEncoding   = []string{"gzip"}
	variesEncoding = []string{"Accept-Encoding"}
)

// send writes a body that no copy is kept of, compressed where that helps.
func send(w http.ResponseWriter, r *http.Request, status int, body []byte) error {
	h := w.Header()
	h.Add("Vary", variesEncoding[0])
	if len(body) >= zippedFrom && takesGzip(r) {
		body = zip(body)
		h["Content-Encoding"] = gzipEncoding
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := w.Write(body)
	return err
}
