package directory

// Badge is something an employee may wear.
type Badge struct {
	// ID is what is stored.
	ID string
	// Name is what people read.
	Name string
}

// Badges are all there are, in the order they are shown. The ids are those of
// the employee directory that this one replaces, so that an import keeps them.
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

// BadgeName returns the name of a badge, and whether there is one.
func BadgeName(id string) (string, bool) {
	for _, b := range Badges {
		if b.ID == id {
			return b.Name, true
		}
	}
	return "", false
}
