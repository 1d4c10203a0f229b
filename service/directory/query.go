package directory

import (
	"slices"
	"strings"
)

// Query selects a part of the list of employees, which is ordered by name.
// Every combination costs as much as any other: a store answers it from an
// index, not by looking through employees that do not match.
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
}
