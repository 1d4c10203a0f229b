package web

import (
	"cmp"
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
			MaxAge: recentFor, HttpOnly: true, Secure: stateOf(r.Context()).overTLS, SameSite: http.SameSiteLaxMode,
		})
	}
	return r.WithContext(context.WithValue(r.Context(), recentKey{}, wrote))
}

// wrote says that an employee was created, updated or deleted: before or after is
// the zero one where there is none.
func (s *Server) wrote(ctx context.Context, before, after directory.Employee) {
	s.recount(before, after)
	s.pages.values.Purge()
	if tell, ok := ctx.Value(recentKey{}).(func(string)); ok {
		tell(cmp.Or(after.ID, before.ID))
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
	// The page reaches from behind from, or from it on where it is the end of what is
	// before to, and so far to to.
	backwards, more := q.Before != "", page.Next != ""
	from, fromErr := directory.SortKeyOf(q.After)
	to, toErr := directory.SortKeyOf(page.Next)
	if backwards {
		more = page.Previous != ""
		from, fromErr = directory.SortKeyOf(page.Previous)
		to, toErr = directory.SortKeyOf(q.Before)
	}
	if err := cmp.Or(fromErr, toErr); err != nil {
		return page, err
	}
	reaches := func(key string) bool {
		if backwards {
			return key >= from && key < to
		}
		return key > from && (to == "" || key <= to)
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
		if q.Match(e) && reaches(e.SortKey()) {
			page.Employees = append(page.Employees, e)
		}
	}
	employees := page.Employees
	slices.SortFunc(employees, func(a, b directory.Employee) int { return strings.Compare(a.SortKey(), b.SortKey()) })
	switch beyond := len(employees) - q.Limit; {
	case len(employees) == 0:
		return page, nil // the way on is from where the page began and ended
	case beyond > 0 && backwards:
		employees, from, more = employees[beyond:], "", true
	case beyond > 0:
		employees, to, more = employees[:q.Limit], "", true
	}
	// Where the page ends is as the store says, even if who is there was just deleted.
	first, last := employees[0].SortKey(), employees[len(employees)-1].SortKey()
	if backwards && from != "" {
		first = from
	} else if !backwards && to != "" {
		last = to
	}
	return q.Page(employees, first, last, more), nil
}
