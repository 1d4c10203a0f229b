package web

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/danielgtaylor/huma/v2"
)

// retryAfter is how many seconds a client should wait for a store to recover.
const retryAfter = "5"

// statusError is an answer with an error's status.
type statusError struct {
	status  int
	message string
	err     error
}

func (e *statusError) Error() string {
	if e.err != nil {
		return e.message + " " + e.err.Error()
	}
	return e.message
}

func (e *statusError) Unwrap() error { return e.err }

// challenge says how to sign in, to programs: nothing that browsers ask for.
const challenge = `Cookie realm="directory", form-action="` + signInPath + `"`

// setHeader says what a client can do about e.
func (e *statusError) setHeader(h http.Header) {
	var tooMany *tooManyError
	switch {
	case e.status == http.StatusRequestTimeout:
		h.Set("Connection", "close")
	case e.status == http.StatusServiceUnavailable:
		h.Set("Retry-After", retryAfter)
	case e.status == http.StatusUnauthorized:
		h.Set("WWW-Authenticate", challenge)
	case errors.As(e.err, &tooMany):
		h.Set("Retry-After", strconv.Itoa(wholeSeconds(tooMany.after)))
	}
}

// errors turns a handler's error into an answer.
func (s *Server) errors(h func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.fail(w, r, err)
		}
	})
}

// statusClientGone is the status of a request whose client did not wait for the
// answer. Only the log has it; the number is nginx's.
const statusClientGone = 499

// statusOf maps what went wrong to what the client is told: the one place.
func statusOf(err error) *statusError {
	var status *statusError
	var invalid *directory.InvalidError
	var before *sentBeforeError
	var tooLarge *http.MaxBytesError
	var tooMany *tooManyError
	switch {
	case errors.As(err, &status):
		return status
	case errors.Is(err, context.Canceled):
		return &statusError{statusClientGone, "The request was given up.", err}
	case errors.As(err, &invalid):
		return &statusError{http.StatusUnprocessableEntity, "Some fields need another look.", err}
	case errors.As(err, &before):
		return &statusError{http.StatusUnprocessableEntity, before.Error(), nil}
	case errors.As(err, &tooLarge):
		return &statusError{http.StatusRequestEntityTooLarge, tooManyBytes, err}
	case errors.As(err, &tooMany):
		return &statusError{http.StatusTooManyRequests, tooMany.Error(), err}
	case errors.Is(err, directory.ErrNotFound):
		return &statusError{http.StatusNotFound, "There is no such employee, or no longer.", err}
	case errors.Is(err, directory.ErrConflict):
		return &statusError{http.StatusConflict, "Someone else changed this employee meanwhile.", err}
	case errors.Is(err, directory.ErrInvalidCursor):
		return &statusError{http.StatusBadRequest, "There is no such page of the list; start from its beginning.", err}
	case errors.Is(err, directory.ErrFull):
		return &statusError{http.StatusInsufficientStorage, "The directory's disk is full: nothing can be saved until its operator makes room. Nothing that was saved is lost, and reading goes on.", err}
	case errors.Is(err, directory.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		return &statusError{http.StatusServiceUnavailable, "The directory's data cannot be reached at the moment. Try again in a few seconds.", err}
	default:
		return &statusError{http.StatusInternalServerError, "Something went wrong on our side.", err}
	}
}

// failure is the page of an answer with an error's status.
type failure struct {
	Message string
	// RequestID is what the log has the request by where the fault is this
	// side's, else "".
	RequestID string
	// Again reports whether the same request may succeed later.
	Again bool
}

// fail answers with err, as a page or as problem+json.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	e := statusOf(err)
	s.logFailure(r.Context(), r.URL.Path, e)
	e.setHeader(w.Header())
	w.Header().Set("Cache-Control", "no-store")
	if strings.HasPrefix(r.URL.Path, "/api/") {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(e.status)
		problem := huma.ErrorModel{Status: e.status, Title: http.StatusText(e.status), Detail: e.message}
		if err := json.NewEncoder(w).Encode(problem); err != nil {
			s.Log.LogAttrs(r.Context(), slog.LevelWarn, "answer not sent", slog.String("error", err.Error()))
		}
		return
	}
	f := failure{Message: e.message, Again: isRead(r.Method) && (e.status >= http.StatusInternalServerError || e.status == http.StatusTooManyRequests)}
	if e.status >= http.StatusInternalServerError {
		f.RequestID = requestID(r.Context())
	}
	if err := s.render(w, r, e.status, "error", heading(e.status), errorPage(heading(e.status), f)); err != nil {
		s.Log.LogAttrs(r.Context(), slog.LevelError, "page failed", slog.String("error", err.Error()))
	}
}

// logFailure keeps the cause of what is this side's fault.
func (s *Server) logFailure(ctx context.Context, path string, e *statusError) {
	if e.status >= http.StatusInternalServerError && e.err != nil {
		s.Log.LogAttrs(ctx, slog.LevelError, "request failed",
			slog.String("request", requestID(ctx)), slog.String("path", cut(path)), slog.String("error", e.err.Error()))
	}
}

// unknown answers for every path that has no route, and for methods that a
// route does not take.
func (s *Server) unknown(mux *http.ServeMux) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		var allowed []string
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			other := r.Clone(r.Context())
			other.Method = method
			if _, pattern := mux.Handler(other); pattern != "/" {
				allowed = append(allowed, method)
			}
		}
		if len(allowed) > 0 {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			return &statusError{status: http.StatusMethodNotAllowed, message: "This address takes " + strings.Join(allowed, ", ") + "."}
		}
		return &statusError{status: http.StatusNotFound, message: "There is no page at this address."}
	}
}
