package web

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/archipelago-cdk/archipelago/service/setting"
)

// secure sets what every answer says to browsers, and who answers.
func (s *Server) secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		// Photos of another region come from S3.
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self' https://*.amazonaws.com http://localhost:*; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		island := s.Island()
		h.Set("X-Island", island.Region)
		h.Set("X-Instance", island.Instance)
		if !isRead(r.Method) {
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			r = withRecent(w, r)
		}
		next.ServeHTTP(w, r)
	})
}

// guardWrites refuses changes that came over the network in the clear.
func (s *Server) guardWrites(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isRead(r.Method) || s.AllowCleartext || r.Header.Get("X-Forwarded-Proto") == "https" || fromLoopback(r) {
			next.ServeHTTP(w, r)
			return
		}
		s.fail(w, r, &statusError{
			status: http.StatusForbidden,
			message: "The directory is read-only here: the connection is not encrypted. " +
				"Its operator can set up HTTPS, or set " + setting.AllowCleartext + "=true.",
		})
	})
}

func isRead(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// fromLoopback tells whether the peer is this machine. A load balancer never is.
func fromLoopback(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && peer.Addr().Unmap().IsLoopback()
}

// log writes one line for each request.
func (s *Server) log(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		recorded := &recorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(recorded, r)
		if r.URL.Path == setting.LivePath && recorded.status == http.StatusOK {
			return // one a second from each load balancer's node
		}
		s.Log.LogAttrs(r.Context(), slog.LevelInfo, "request",
			slog.String("method", r.Method),
			slog.String("path", r.URL.Path),
			slog.Int("status", recorded.status),
			slog.Int64("bytes", recorded.bytes),
			slog.Duration("took", time.Since(start)),
			slog.String("client", client(r)),
			slog.String("trace", r.Header.Get("X-Amzn-Trace-Id")),
		)
	})
}

// client is the address that the load balancer saw, which is the last one of
// the header: what stands before it, the client may have written.
func client(r *http.Request) string {
	forwarded := r.Header.Get("X-Forwarded-For")
	if last := strings.TrimSpace(forwarded[strings.LastIndex(forwarded, ",")+1:]); last != "" {
		return last
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
	wrote  bool
}

func (w *recorder) WriteHeader(status int) {
	if !w.wrote {
		w.status, w.wrote = status, true
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	w.wrote = true
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
