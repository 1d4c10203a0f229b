package web

import "net/http"

// RecentIDs is for its fuzz test.
var RecentIDs = recentIDs

// LocalPath is for its tests.
var LocalPath = localPath

// Network is for its test.
var Network = network

// Protected lets those through to h who have an account, for its benchmark.
func (s *Server) Protected(h http.Handler) http.Handler { return s.protect(members, h) }
