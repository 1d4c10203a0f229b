package directory

import "strings"

// Badge is something an employee may wear.
type Badge struct {
	// ID is what is stored.
	ID string
	// Name is what people read.
	Name string
}

// Badges are all there are, in the order they are shown. The first twelve ids are
// those of the employee directory that this one replaces, so that an import keeps
// them; each has a symbol badge-ID in service/web/icons.svg.
var Badges = []Badge{
	{"apple", "Mac user"},
	{"windows", "Windows user"},
	{"linux", "Linux user"},
	{"video-camera", "Film maker"},
	{"trophy", "Employee of the month"},
	{"camera", "Photographer"},
	{"plane", "Frequent flyer"},
	{"paperclip", "Paperclip collector"},
	{"coffee", "Coffee lover"},
	{"gamepad", "Gamer"},
	{"bug", "Bug hunter"},
	{"umbrella", "Seattle fan"},
}

// badgeIDs lists the ids of Badges, for people.
func badgeIDs() string {
	ids := make([]string, 0, len(Badges))
	for _, b := range Badges {
		ids = append(ids, b.ID)
	}
	return strings.Join(ids, ", ")
}

// BadgeName returns the name of a badge, and whether there is one.
func BadgeName(id string) (string, bool) {
	for _, b := range Badges {
		if b.ID == id {
			return b.Name, true
		}
	}
	return "", false
}
