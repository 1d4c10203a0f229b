package directory

// Badge is something an employee may wear.
type Badge struct {
	// ID is what is stored.
	ID string
	// Name is what people read.
	Name string
}

// Badges are all there are, in the order they are shown.
var Badges = []Badge{
	{"first-aid", "First aid"},
	{"fire-warden", "Fire warden"},
	{"mentor", "Mentor"},
	{"speaker", "Speaker"},
	{"author", "Author"},
	{"inventor", "Inventor"},
	{"polyglot", "Polyglot"},
	{"photographer", "Photographer"},
	{"musician", "Musician"},
	{"runner", "Runner"},
	{"cyclist", "Cyclist"},
	{"gardener", "Gardener"},
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
