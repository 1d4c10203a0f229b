package web_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// nowhere is an answer that nobody reads.
type nowhere struct{ header http.Header }

func (w *nowhere) Header() http.Header         { return w.header }
func (w *nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (w *nowhere) WriteHeader(int)             {}

// BenchmarkKeptPages is what the service itself does for a page that it keeps.
func BenchmarkKeptPages(b *testing.B) {
	s := newSite(b, nil)
	res, _ := s.submit("/employees", ada(), nil)
	for name, path := range map[string]string{"list": "/", "detail": res.Header.Get("Location")} {
		for who, session := range map[string]string{"nobody": "", "signed-in": s.session} {
			b.Run(name+"/"+who, func(b *testing.B) {
				r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, path, nil)
				r.RemoteAddr = "127.0.0.1:4711"
				r.Header.Set("Accept-Encoding", "gzip")
				if session != "" {
					r.Header.Set("Cookie", session)
				}
				b.ReportAllocs()
				for b.Loop() {
					s.handler.ServeHTTP(&nowhere{http.Header{}}, r)
				}
			})
		}
	}
}
