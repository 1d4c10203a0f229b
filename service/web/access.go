package web

import (
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzhttp"
)

// access says who may use a route. Each route is registered with one.
type access int

const (
	// anyone: the answer is the same for all, so nobody is identified.
	anyone access = iota
	// signingIn: no account is needed, since this is how one gets there and back.
	signingIn
	// reading takes an account where Options.SignedInReads says so.
	reading
	// members takes an account whatever the options: it is of no use without.
	members
	// writing takes an account, and counts as a write of it.
	writing
)

// protect lets those through to h who may use it.
func (s *Server) protect(who access, h http.Handler) http.Handler {
	switch {
	case who == anyone:
		return h
	case who == signingIn, who == reading && !s.SignedInReads:
		return s.identify(h)
	default:
		return s.identify(s.authorize(who, h))
	}
}

// authorize asks for an account.
func (s *Server) authorize(who access, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, err := signedIn(r.Context())
		if err == nil && who == writing {
			err = s.writes.take(name, s.Now())
		}
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// apiMux registers the operations of the API: those that change something take an
// account, unless exceptions, by their patterns, say otherwise.
type apiMux struct {
	*http.ServeMux
	server     *Server
	exceptions map[string]access
}

// HandleFunc implements humago.Mux.
func (m apiMux) HandleFunc(pattern string, f func(http.ResponseWriter, *http.Request)) {
	method, path, _ := strings.Cut(pattern, " ")
	who, excepted := m.exceptions[pattern]
	if !excepted {
		who = writing
		if isRead(method) {
			who = reading
		}
	}
	var h http.Handler = http.HandlerFunc(f)
	if !strings.Contains(path, "{id}") { // whose entity tags name versions
		h = gzhttp.GzipHandler(h)
	}
	m.Handle(pattern, m.server.protect(who, h))
}
