package web

import (
	"fmt"
	"html/template"
	"strings"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

// LocationOptions are the locations to choose from. One that was asked for is
// there even if nobody is at it.
func (l list) LocationOptions() template.HTML {
	var b strings.Builder
	wanted := directory.Fold(l.Query.Location)
	found := wanted == ""
	for _, location := range l.Locations {
		selected := !found && directory.Fold(location) == wanted
		found = found || selected
		writeOption(&b, location, location, selected)
	}
	if !found {
		writeOption(&b, l.Query.Location, l.Query.Location, true)
	}
	return template.HTML(b.String()) // every part is escaped
}

// BadgeOptions are the badges to choose from.
func (l list) BadgeOptions() template.HTML {
	var b strings.Builder
	for _, badge := range l.Badges {
		writeOption(&b, badge.ID, badge.Name, badge.ID == l.Query.Badge)
	}
	return template.HTML(b.String()) // every part is escaped
}

// MaxLocations is how many locations there may be to choose from; of more, one
// is typed.
func (l list) MaxLocations() int { return maxLocations }

// FirstURL is the address of the first page of what was asked for.
func (l list) FirstURL() string {
	q := l.Query
	q.After = ""
	return address(q)
}

// Summary says how many employees the page shows, and whether there are more.
func (l list) Summary() string {
	n := len(l.Employees)
	switch {
	case l.Query.After != "" && n > 0:
		return fmt.Sprintf("%d more", n)
	case l.Next != "":
		return fmt.Sprintf("The first %d, by name", n)
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
