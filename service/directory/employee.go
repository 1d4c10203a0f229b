// Package directory is the employee directory itself: what an employee is, and
// what the stores that keep employees and photos promise.
package directory

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// MaxField is the longest a name, location or job title may be, in characters.
const MaxField = 200

// Employee is one person of the directory.
type Employee struct {
	// ID is unique and never changes; see NewID.
	ID string
	// FullName, Location and JobTitle are required, each at most MaxField
	// characters.
	FullName string
	Location string
	JobTitle string
	// Badges are ids of Badges, each once.
	Badges []string
	// Photo is the zero value where there is none.
	Photo Photo
	// Version counts the changes, from 1. A store sets it.
	Version int64
	// Updated is the time of the last change, in UTC.
	Updated time.Time
}

// NewID returns an id that no other employee has: 130 random bits.
func NewID() string { return strings.ToLower(rand.Text()) }

// employeeID is what NewID and IDFor return.
var employeeID = regexp.MustCompile(`^[a-z0-9]{1,64}$`)

// ValidID reports whether id could be an employee's.
func ValidID(id string) bool { return employeeID.MatchString(id) }

// IDFor returns the id of the employee that an account creates with a key of
// its own, the same each time: a caller that creates one again, not knowing
// whether the first time succeeded, gets ErrConflict instead of a second one.
func IDFor(account, key string) string {
	sum := sha256.Sum256([]byte(account + "\x00" + key))
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16]))
}

// Same reports whether two employees say the same, in whatever version.
func (e Employee) Same(other Employee) bool {
	e, other = e.Normalized(), other.Normalized()
	return e.FullName == other.FullName && e.Location == other.Location && e.JobTitle == other.JobTitle &&
		slices.Equal(e.Badges, other.Badges) && e.Photo.Key == other.Photo.Key
}

// Normalized returns e with surrounding space removed from its fields and its
// badges in the order of Badges.
func (e Employee) Normalized() Employee {
	e.FullName = strings.TrimSpace(e.FullName)
	e.Location = strings.TrimSpace(e.Location)
	e.JobTitle = strings.TrimSpace(e.JobTitle)
	badges := make([]string, 0, len(e.Badges))
	for _, b := range Badges {
		if slices.Contains(e.Badges, b.ID) {
			badges = append(badges, b.ID)
		}
	}
	for _, id := range e.Badges {
		if _, known := BadgeName(id); !known {
			badges = append(badges, id) // for Validate to refuse
		}
	}
	e.Badges = badges
	return e
}

// Validate returns a *InvalidError with every field that is wrong, or nil.
func (e Employee) Validate() error {
	invalid := &InvalidError{}
	for _, f := range []struct{ field, label, value string }{
		{"fullName", "the full name", e.FullName},
		{"jobTitle", "the job title", e.JobTitle},
		{"location", "the location", e.Location},
	} {
		switch {
		case !strings.ContainsFunc(f.value, visible):
			invalid.add(f.field, "Enter "+f.label+".")
		// U+FFFD stands where something was lost, half a character of JSON for one.
		case !utf8.ValidString(f.value) || strings.ContainsRune(f.value, utf8.RuneError) || strings.ContainsFunc(f.value, unicode.IsControl):
			invalid.add(f.field, "Use printable characters only.")
		case utf8.RuneCountInString(f.value) > MaxField:
			invalid.add(f.field, fmt.Sprintf("Use at most %d characters, not %d.", MaxField, utf8.RuneCountInString(f.value)))
		}
	}
	for _, id := range e.Badges {
		if _, known := BadgeName(id); !known {
			invalid.add("badges", fmt.Sprintf("There is no badge %q. There are %s.", id, badgeIDs()))
		}
	}
	if len(invalid.Fields) > 0 {
		return invalid
	}
	return nil
}

// blankBraille is a Braille pattern without dots, which Unicode counts as a symbol.
const blankBraille = '\u2800'

// visible reports whether a character can be seen by itself: it is not a space, a
// mark on another character, or one that fonts leave out, such as those that only
// join or direct others.
func visible(r rune) bool {
	return unicode.IsGraphic(r) && !unicode.IsSpace(r) && r != blankBraille &&
		!unicode.In(r, unicode.Cf, unicode.M, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// Employees keeps employees. Every method returns ErrUnavailable, wrapped, when
// the store does not answer.
type Employees interface {
	// Get returns the employee as of the last change in this region, or
	// ErrNotFound.
	Get(ctx context.Context, id string) (Employee, error)
	// Page returns the employees that q selects, or ErrInvalidCursor. It may
	// miss changes of the last moments.
	Page(ctx context.Context, q Query) (Page, error)
	// Total returns how many employees q selects on all its pages: After, Before and
	// Limit do not matter. It may miss changes of the last moments, and may have to
	// read the whole list.
	Total(ctx context.Context, q Query) (int, error)
	// Locations returns the locations that q selects, each in the spelling of one
	// of the employees there, or ErrInvalidCursor. It may miss changes of the last
	// moments.
	Locations(ctx context.Context, q LocationQuery) (LocationPage, error)
	// Create keeps e as version 1 and returns it, or ErrConflict if there is an
	// employee with that id.
	Create(ctx context.Context, e Employee) (Employee, error)
	// Update replaces the employee's fields if the stored version is e.Version
	// and returns it with the next one. Otherwise it changes nothing and returns
	// ErrConflict, or ErrNotFound where there is no such employee. What a newer
	// version of the service keeps with an employee stays as it is.
	Update(ctx context.Context, e Employee) (Employee, error)
	// Delete removes the employee if the stored version is version, or whatever
	// it is if version is 0. Otherwise it changes nothing and returns
	// ErrConflict, or ErrNotFound where there is no such employee.
	Delete(ctx context.Context, id string, version int64) error
	// Ping returns nil if the store can read and has its data; ErrFull, wrapped, if
	// it can but has no room for changes.
	Ping(ctx context.Context) error
}
