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

// requestState is what becomes known of a request while it is answered. It
// is the request's context and the answer's writer at once: one allocation, on
// the way of every request.
type requestState struct {
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

type stateKey struct{}

// stateOf returns the state of the request that ctx belongs to, or nil for work that is
// for no request.
func stateOf(ctx context.Context) *requestState {
	state, _ := ctx.Value(stateKey{}).(*requestState)
	return state
}

// requestID returns the id of the request that ctx belongs to, or "".
func requestID(ctx context.Context) string {
	if state := stateOf(ctx); state != nil {
		return state.id
	}
	return ""
}

// Value implements context.Context.
func (state *requestState) Value(key any) any {
	if _, ok := key.(stateKey); ok {
		return state
	}
	return state.Context.Value(key)
}

// WriteHeader implements http.ResponseWriter.
func (state *requestState) WriteHeader(status int) {
	if !state.wrote && status >= http.StatusOK {
		state.status, state.wrote = status, true
	}
	state.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (state *requestState) Write(b []byte) (int, error) {
	state.wrote = true
	n, err := state.ResponseWriter.Write(b)
	state.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (state *requestState) Unwrap() http.ResponseWriter { return state.ResponseWriter }

// observe gives each request an id, and a line in the log when it is answered.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		state := &requestState{Context: r.Context(), ResponseWriter: w, start: time.Now(), status: http.StatusOK}
		state.origin = s.originOf(r)
		state.id = s.newRequestID(r, state.fromProxy)
		state.idHeader[0] = state.id
		w.Header()[requestIDHeader] = state.idHeader[:]
		r = r.WithContext(state)
		defer s.finish(state, r)
		next.ServeHTTP(state, r)
	})
}

// finish ends a request. A handler that panicked has failed as any other may,
// unless half its answer is out: then the connection is cut.
func (s *Server) finish(state *requestState, r *http.Request) {
	panicked := recover()
	if panicked != nil && panicked != http.ErrAbortHandler {
		err := panicError(panicked)
		if !state.wrote {
			s.fail(state, r, err)
			panicked = nil
		} else {
			s.logFailure(r.Context(), r.URL.Path, statusOf(err))
		}
	}
	s.logRequest(state, r, time.Since(state.start))
	if panicked != nil {
		panic(http.ErrAbortHandler)
	}
}

// panicError is what a handler panicked with, and where. It must be called by
// what recovers.
func panicError(value any) error { return fmt.Errorf("panic: %v\n%s", value, debug.Stack()) }

// logRequest writes the line of a request.
func (s *Server) logRequest(state *requestState, r *http.Request, took time.Duration) {
	if r.URL.Path == setting.LivePath && state.status == http.StatusOK {
		return // one every few seconds from each load balancer's node
	}
	handler := s.Log.Handler()
	if !handler.Enabled(state, slog.LevelInfo) {
		return
	}
	// Not by LogAttrs, which looks for the line of source that logs.
	line := slog.NewRecord(state.start.Add(took), slog.LevelInfo, "request", 0)
	line.AddAttrs(
		slog.String("request", state.id),
		slog.String("method", cut(r.Method)),
		slog.String("path", cut(r.URL.Path)),
		slog.Int("status", state.status),
		slog.Int64("bytes", state.bytes),
		slog.Duration("took", took),
		slog.String("client", state.client.String()),
	)
	if state.account != "" {
		line.AddAttrs(slog.String("account", state.account))
	}
	if trace := r.Header.Get(traceHeader); trace != "" {
		line.AddAttrs(slog.String("trace", cut(trace)))
	}
	_ = handler.Handle(state, line) // there is nowhere to say that a log fails
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
