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
