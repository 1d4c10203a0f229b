package web

// RecentIDs is for its fuzz test.
var RecentIDs = recentIDs
