package web

import "net/http"

// RecentIDs is for its fuzz test.
var RecentIDs = recentIDs

// LocalPath is for its tests.
var LocalPath = localPath

// Network is for its test.
var Network = network

// Protected lets those through to h who have an account, for its benchmark.
func (s *Server) Protected(h http.Handler) http.Handler {
	protected := s.protect(members, h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protected.ServeHTTP(w, r.WithContext(&requestState{Context: r.Context(), origin: s.originOf(r)}))
	})
}
