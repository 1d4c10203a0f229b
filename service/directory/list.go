package directory

import (
	"slices"
	"unicode/utf8"
)

// A store keeps a list for each set of employees that a Query can ask for: all,
// those at a location, those with a badge, and those at a location with a badge.
// A page is a part of one list, which is ordered by SortKey.

// separator is between the parts of a list's name and of a sort key: it is in
// none of them, and comes before all that may be.
const separator = "\x01"

// SortKey orders employees by name, whatever the case and the accents of its
// letters, and is unique.
func (e Employee) SortKey() string { return Fold(e.FullName) + separator + e.ID }

// Lists are the names of the lists that e is in, each once, in order.
func (e Employee) Lists() []string {
	lists := []string{listName("", ""), listName("", e.Location)}
	for _, badge := range e.Badges {
		lists = append(lists, listName(badge, ""), listName(badge, e.Location))
	}
	slices.Sort(lists)
	return slices.Compact(lists)
}

// listName is "" for the list of all employees.
func listName(badge, location string) string {
	if location == "" {
		return badge
	}
	return badge + separator + Fold(location)
}

// Part is a part of a list.
type Part struct {
	// List is the list's name.
	List string
	// After and Before are sort keys that the part is between; they are not in
	// it. Before is "" where it goes on to the list's end.
	After, Before string
	// Backwards reports whether the page is the end of the part and not its
	// beginning.
	Backwards bool
}

// Part returns the part of a list from which a page answers q, or
// ErrInvalidCursor.
func (q Query) Part() (Part, error) {
	after, err := SortKeyOf(q.After)
	if err != nil {
		return Part{}, err
	}
	before, err := SortKeyOf(q.Before)
	if err != nil || q.After != "" && q.Before != "" {
		return Part{}, ErrInvalidCursor
	}
	prefix := Fold(q.Prefix)
	part := Part{List: listName(q.Badge, q.Location), After: max(after, prefix), Before: behind(prefix), Backwards: q.Before != ""}
	if part.Backwards && (part.Before == "" || before < part.Before) {
		part.Before = before
	}
	return part, nil
}

// Empty reports whether there is nothing between After and Before: no sort key has a
// character before the separator.
func (p Part) Empty() bool { return p.Before != "" && p.After+separator > p.Before }

// behind returns the first text behind all that begin with prefix, or "" where
// nothing is.
func behind(prefix string) string {
	for prefix != "" {
		r, size := utf8.DecodeLastRuneInString(prefix)
		prefix = prefix[:len(prefix)-size]
		switch {
		case r == 0xd7ff: // what follows are not characters
			return prefix + "\ue000"
		case r < utf8.MaxRune:
			return prefix + string(r+1)
		}
	}
	return ""
}
