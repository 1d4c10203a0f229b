package directory

import (
	"slices"
	"strings"
)

// Query selects a part of the list of employees, which is ordered by name.
// A page of any combination costs as much as of any other: a store answers it from
// an index, not by looking through employees that do not match.
type Query struct {
	// Prefix is how the full name begins, whatever the case and the accents of
	// its letters. Default: any name.
	Prefix string
	// Location is where the employees are, whatever the case and the accents of
	// its letters. Default: anywhere.
	Location string
	// Badge is the id of a badge that the employees wear. Default: any or none.
	Badge string
	// After is a Page's Next: the page begins behind it. Default: the first page.
	After string
	// Before is a Page's Previous: the page ends before it. Only one of After and
	// Before may be set.
	Before string
	// Limit is the most employees of the page, from 1 to MaxLimit. Required.
	Limit int
}

// Match reports whether q selects e, wherever its page begins.
func (q Query) Match(e Employee) bool {
	return strings.HasPrefix(Fold(e.FullName), Fold(q.Prefix)) &&
		(q.Location == "" || Fold(e.Location) == Fold(q.Location)) &&
		(q.Badge == "" || slices.Contains(e.Badges, q.Badge))
}

// LocationQuery selects a part of the list of locations, which is ordered by
// name.
type LocationQuery struct {
	// Prefix is how the location begins, whatever the case and the accents of its
	// letters. Default: any location.
	Prefix string
	// After is a LocationPage's Next. Default: the first page.
	After string
	// Limit is the most locations of the page, from 1 to MaxLocations. Required.
	Limit int
}

// MaxLocations is the most locations of one page.
const MaxLocations = 200

// LocationPage is a part of the list of locations, by name.
type LocationPage struct {
	Locations []string
	// Next is the cursor of the page that follows, or "" on the last page.
	Next string
}

// LocationRange is a part of the list of folded locations: those behind After,
// from From on, and before Before, which is "" where nothing ends the part.
type LocationRange struct{ After, From, Before string }

// Range returns the part of the list of locations from which a page answers q, or
// ErrInvalidCursor.
func (q LocationQuery) Range() (LocationRange, error) {
	after, err := SortKeyOf(q.After)
	if err != nil {
		return LocationRange{}, err
	}
	prefix := strings.TrimRight(Fold(q.Prefix), " ")
	return LocationRange{After: after, From: prefix, Before: behind(prefix)}, nil
}

// MaxLimit is the most employees of one page.
const MaxLimit = 100

// Page is a part of the list of employees, by name.
type Page struct {
	Employees []Employee
	// Next is the cursor of the page that follows, or "" on the last page.
	Next string
	// Previous is the cursor of the page that comes before, or "" on the first page.
	//
	// In the direction that the query does not look, a page is taken to be there as
	// long as the query names a cursor: who was at it may be gone meanwhile.
	Previous string
}

// Page returns the page of employees, which a store read as the part of q and has in
// order. first and last are the sort keys that the store keeps of the first and the
// last of them, and more reports whether the list goes on where q looks: before
// them where q has Before, else behind them.
func (q Query) Page(employees []Employee, first, last string, more bool) Page {
	page := Page{Employees: employees}
	if len(employees) == 0 {
		if after, err := SortKeyOf(q.After); err == nil && after != "" {
			page.Previous = Cursor(after + separator) // with who is at the cursor
		}
		return page
	}
	if more || q.Before != "" {
		page.Next = Cursor(last)
	}
	if q.After != "" || more && q.Before != "" {
		page.Previous = Cursor(first)
	}
	return page
}
