package web

// RecentIDs is for its fuzz test.
var RecentIDs = recentIDs

// LocalPath is for its tests.
var LocalPath = localPath

// Network is for its test.
var Network = network

// Identify and Authorize are for their benchmark.
var (
	Identify  = (*Server).identify
	Authorize = (*Server).authorize
)
