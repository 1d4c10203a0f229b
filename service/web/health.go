package web

import (
	"context"
	"io"
	"net/http"
	"time"
)

// readyWithin bounds how long the stores may take to answer.
const readyWithin = 2 * time.Second

// live says that the process serves. It asks no store: the Auto Scaling group
// would replace the whole fleet when a store blinks.
func (s *Server) live(w http.ResponseWriter, _ *http.Request) error {
	return plain(w, "live\n")
}

// ready says that the stores answer too, and that the process is not ending.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) error {
	if s.draining.Load() {
		return &statusError{status: http.StatusServiceUnavailable, message: "This instance is shutting down."}
	}
	ctx, cancel := context.WithTimeout(r.Context(), readyWithin)
	defer cancel()
	if err := s.Employees.Ping(ctx); err != nil {
		return err
	}
	if err := s.Photos.Ping(ctx); err != nil {
		return err
	}
	return plain(w, "ready\n")
}

func plain(w http.ResponseWriter, text string) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, err := io.WriteString(w, text)
	return err
}
