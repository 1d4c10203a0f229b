package web

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/archipelago-cdk/archipelago/service/setting"
)

// Headers that tie an answer to its line in the log.
const (
	requestIDHeader = "X-Request-Id"
	traceHeader     = "X-Amzn-Trace-Id"
)

// maxLogged is the most bytes that a line has of anything a client wrote.
const maxLogged = 512

// exchange is a request while it is answered, and what becomes known of it. It
// is the request's context and the answer's writer at once: one allocation, on
// the way of every request.
type exchange struct {
	context.Context
	http.ResponseWriter

	id       string
	idHeader [1]string
	start    time.Time
	origin
	// account is the name of the account that is signed in, or ""; unidentified is
	// why that is not known.
	account      string
	unidentified error
	// region and instance are who answers, as headers keep them.
	region, instance [1]string
	status           int
	bytes            int64
	wrote            bool
	// stores is the time that stores took.
	stores allowance
}

type exchangeKey struct{}

// exchangeOf returns the exchange that ctx belongs to, or nil for work that is
// for no request.
func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// requestID returns the id of the request that ctx belongs to, or "".
func requestID(ctx context.Context) string {
	if x := exchangeOf(ctx); x != nil {
		return x.id
	}
	return ""
}

// Value implements context.Context.
func (x *exchange) Value(key any) any {
	if _, ok := key.(exchangeKey); ok {
		return x
	}
	return x.Context.Value(key)
}

// WriteHeader implements http.ResponseWriter.
func (x *exchange) WriteHeader(status int) {
	if !x.wrote && status >= http.StatusOK {
		x.status, x.wrote = status, true
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (x *exchange) Write(b []byte) (int, error) {
	x.wrote = true
	n, err := x.ResponseWriter.Write(b)
	x.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// observe gives each request an id, and a line in the log when it is answered.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := &exchange{Context: r.Context(), ResponseWriter: w, start: time.Now(), status: http.StatusOK}
		x.origin = s.originOf(r)
		x.id = s.newRequestID(r, x.fromProxy)
		x.idHeader[0] = x.id
		w.Header()[requestIDHeader] = x.idHeader[:]
		r = r.WithContext(x)
		defer s.finish(x, r)
		next.ServeHTTP(x, r)
	})
}

// finish ends an exchange. A handler that panicked has failed as any other may,
// unless half its answer is out: then the connection is cut.
func (s *Server) finish(x *exchange, r *http.Request) {
	panicked := recover()
	if panicked != nil && panicked != http.ErrAbortHandler {
		err := panicError(panicked)
		if !x.wrote {
			s.fail(x, r, err)
			panicked = nil
		} else {
			s.logFailure(r.Context(), r.URL.Path, statusOf(err))
		}
	}
	s.logRequest(x, r, time.Since(x.start))
	if panicked != nil {
		panic(http.ErrAbortHandler)
	}
}

// panicError is what a handler panicked with, and where. It must be called by
// what recovers.
func panicError(value any) error { return fmt.Errorf("panic: %v\n%s", value, debug.Stack()) }

// logRequest writes the line of a request.
func (s *Server) logRequest(x *exchange, r *http.Request, took time.Duration) {
	if r.URL.Path == setting.LivePath && x.status == http.StatusOK {
		return // one every few seconds from each load balancer's node
	}
	handler := s.Log.Handler()
	if !handler.Enabled(x, slog.LevelInfo) {
		return
	}
	// Not by LogAttrs, which looks for the line of source that logs.
	line := slog.NewRecord(x.start.Add(took), slog.LevelInfo, "request", 0)
	line.AddAttrs(
		slog.String("request", x.id),
		slog.String("method", cut(r.Method)),
		slog.String("path", cut(r.URL.Path)),
		slog.Int("status", x.status),
		slog.Int64("bytes", x.bytes),
		slog.Duration("took", took),
		slog.String("client", x.client.String()),
	)
	if x.account != "" {
		line.AddAttrs(slog.String("account", x.account))
	}
	if trace := r.Header.Get(traceHeader); trace != "" {
		line.AddAttrs(slog.String("trace", cut(trace)))
	}
	_ = handler.Handle(x, line) // there is nowhere to say that a log fails
}

// cut shortens what a client wrote. The log's handler escapes the rest.
func cut(s string) string {
	if len(s) > maxLogged {
		return s[:maxLogged]
	}
	return s
}

// newRequestID is the id that a trusted load balancer gave a request, or else a
// new one.
func (s *Server) newRequestID(r *http.Request, fromProxy bool) string {
	if trace := r.Header.Get(traceHeader); trace != "" && fromProxy {
		if root := traceRoot(trace); root != "" {
			return root
		}
	}
	const digits = "0123456789abcdef"
	var id [24]byte
	var bits uint64
	for i := range id {
		if i%16 == 0 {
			bits = rand.Uint64()
		}
		id[i] = digits[bits&15]
		bits >>= 4
	}
	return string(id[:])
}

// traceRoot returns the part of a load balancer's trace header that is the
// request's own, such as "1-67891233-abcdef012345678912345678", or "".
func traceRoot(trace string) string {
	for field := range strings.SplitSeq(trace, ";") {
		if root, ok := strings.CutPrefix(field, "Root="); ok && validRoot(root) {
			return root
		}
	}
	return ""
}

func validRoot(root string) bool {
	if len(root) != len("1-67891233-abcdef012345678912345678") || root[0] != '1' {
		return false
	}
	for i := range len(root) {
		switch c := root[i]; {
		case i == 1 || i == 10:
			if c != '-' {
				return false
			}
		case (c < '0' || c > '9') && (c < 'a' || c > 'f'):
			return false
		}
	}
	return true
}
