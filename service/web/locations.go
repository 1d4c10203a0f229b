package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

// locationsPath is the page of all locations.
const locationsPath = "/locations"

// locations is that page: a part of them, each with the way to who is there.
type locations struct {
	directory.LocationPage
	Query directory.LocationQuery
	// NextURL is the address of the page that follows, "" on the last.
	NextURL string
}

// FirstURL is the address of the first page of what was asked for.
func (l locations) FirstURL() string {
	q := l.Query
	q.After = ""
	return locationsAddress(q)
}

// locationsAddress is the page's that q asks for.
func locationsAddress(q directory.LocationQuery) string {
	values := url.Values{}
	for name, value := range map[string]string{"name": q.Prefix, "after": q.After} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if len(values) == 0 {
		return locationsPath
	}
	return locationsPath + "?" + values.Encode()
}

func (s *Server) locations(w http.ResponseWriter, r *http.Request) error {
	values := r.URL.Query()
	q := directory.LocationQuery{Prefix: strings.TrimSpace(values.Get("name")), After: values.Get("after"), Limit: maxLocations}
	return s.cached(w, r, locationsAddress(q), func(ctx context.Context) ([]byte, error) {
		page, err := s.Employees.Locations(ctx, q)
		if err != nil {
			return nil, err
		}
		l := locations{LocationPage: page, Query: q}
		if page.Next != "" {
			next := q
			next.After = page.Next
			l.NextURL = locationsAddress(next)
		}
		return s.body(ctx, "locations", "Locations", locationsPage(l))
	})
}
