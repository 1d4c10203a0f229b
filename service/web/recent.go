package web

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

const (
	// recentCookie names, in a browser, the employees that it changed lately:
	// the lists that it reads are corrected by them, on whatever instance.
	recentCookie = "recent"
	// recentFor is how long, in seconds, an index may take to follow a change.
	recentFor = 10
	// mostRecent is how many changes are remembered.
	mostRecent = 8
)

type recentKey struct{}

// withRecent lets a request that writes tell the browser what it wrote.
func (s *Server) withRecent(w http.ResponseWriter, r *http.Request) *http.Request {
	wrote := func(id string) {
		ids := append([]string{id}, slices.DeleteFunc(recent(r), func(other string) bool { return other == id })...)
		http.SetCookie(w, &http.Cookie{
			Name: recentCookie, Value: strings.Join(ids[:min(len(ids), mostRecent)], "."), Path: "/",
			MaxAge: recentFor, HttpOnly: true, Secure: exchangeOf(r.Context()).overTLS, SameSite: http.SameSiteLaxMode,
		})
	}
	return r.WithContext(context.WithValue(r.Context(), recentKey{}, wrote))
}

// wrote says that an employee was created, updated or deleted.
func (s *Server) wrote(ctx context.Context, id string) {
	s.pages.forget()
	if tell, ok := ctx.Value(recentKey{}).(func(string)); ok {
		tell(id)
	}
}

// recent are the ids of the employees that the browser changed lately.
func recent(r *http.Request) []string {
	if !mayBring(r, recentCookie) {
		return nil
	}
	cookie, err := r.Cookie(recentCookie)
	if err != nil {
		return nil
	}
	return recentIDs(cookie.Value)
}

// recentIDs reads the cookie's value.
func recentIDs(value string) []string {
	ids := strings.Split(value, ".")
	return slices.DeleteFunc(ids[:min(len(ids), mostRecent)], func(id string) bool { return !directory.ValidID(id) })
}

// page returns what q selects, with the employees ids as they are now: an index
// may not have followed their last changes yet.
func (s *Server) page(ctx context.Context, q directory.Query, ids []string) (directory.Page, error) {
	page, err := s.Employees.Page(ctx, q)
	if err != nil || len(ids) == 0 {
		return page, err
	}
	after, err := directory.SortKeyOf(q.After)
	if err != nil {
		return page, err
	}
	end, err := directory.SortKeyOf(page.Next)
	if err != nil {
		return page, err
	}
	for _, id := range ids {
		page.Employees = slices.DeleteFunc(page.Employees, func(e directory.Employee) bool { return e.ID == id })
		e, err := s.Employees.Get(ctx, id)
		if errors.Is(err, directory.ErrNotFound) {
			continue
		}
		if err != nil {
			return directory.Page{}, err
		}
		if key := e.SortKey(); q.Match(e) && key > after && (end == "" || key <= end) {
			page.Employees = append(page.Employees, e)
		}
	}
	slices.SortFunc(page.Employees, func(a, b directory.Employee) int { return strings.Compare(a.SortKey(), b.SortKey()) })
	if len(page.Employees) > q.Limit {
		page.Employees = page.Employees[:q.Limit]
		page.Next = directory.Cursor(page.Employees[q.Limit-1].SortKey())
	}
	return page, nil
}
