package web

import (
	"fmt"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

// option is something to choose.
type option struct {
	Value, Name string
	Selected    bool
}

// LocationOptions are the locations to choose from. One that was asked for is
// there even if nobody is at it.
func (l list) LocationOptions() []option {
	options := make([]option, 0, len(l.Locations.Locations)+1)
	wanted := directory.Fold(l.Query.Location)
	found := wanted == ""
	for _, location := range l.Locations.Locations {
		selected := !found && directory.Fold(location) == wanted
		found = found || selected
		options = append(options, option{location, location, selected})
	}
	if !found {
		options = append(options, option{l.Query.Location, l.Query.Location, true})
	}
	return options
}

// BadgeOptions are the badges to choose from.
func (l list) BadgeOptions() []option {
	options := make([]option, 0, len(l.Badges))
	for _, badge := range l.Badges {
		options = append(options, option{badge.ID, badge.Name, badge.ID == l.Query.Badge})
	}
	return options
}

// FirstURL is the address of the first page of what was asked for.
func (l list) FirstURL() string {
	q := l.Query
	q.After, q.Before = "", ""
	return address(q, 1)
}

// turn sets the addresses of the pages around this one.
func (l *list) turn() {
	q := l.Query
	if l.Next != "" {
		next := 0
		if l.From > 0 {
			next = l.From + len(l.Employees)
		}
		q.After, q.Before = l.Next, ""
		l.NextURL = address(q, next)
	}
	if l.Previous != "" {
		q.After, q.Before = "", l.Previous
		l.PreviousURL = address(q, l.From-q.Limit)
	}
}

// Summary says which employees the page shows, of how many.
func (l list) Summary() string {
	n := len(l.Employees)
	switch {
	case n > 0 && (l.Next != "" || l.Previous != ""):
		return position(l.From, n, l.Total, l.Next == "")
	case l.Previous != "":
		return "No more employees"
	case n == 0 && l.Filtered():
		return "Nobody matches"
	case n == 0:
		return "No employees"
	case n == 1:
		return "1 employee"
	default:
		return fmt.Sprintf("%d employees", n)
	}
}
