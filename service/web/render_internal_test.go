package web

import (
	"slices"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

func TestInitials(t *testing.T) {
	for name, want := range map[string]string{
		"Ada Lovelace": "AL", "ada": "A", "José María Ñandú": "JÑ", "(Bob) O’Neill": "BO", "👩‍🚀 Sally Ride": "SR",
		"فاطمة الفهري": "فا", "李 小龍": "李小", "42": "4", "🦊": "🦊", "": "",
	} {
		if got := initials(name); got != want {
			t.Errorf("initials(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestEveryBadgeHasItsIcon(t *testing.T) {
	icons, err := templateFiles.ReadFile("templates/icons.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, badge := range directory.Badges {
		if !strings.Contains(string(icons), `id="badge-`+badge.ID+`"`) {
			t.Errorf("there is no icon of the badge %q", badge.ID)
		}
	}
}

func TestThumbnailURL(t *testing.T) {
	e := directory.Employee{}
	if got := thumbnailURL(e); got != "" {
		t.Errorf("without a photo: %q", got)
	}
	e.Photo.Key = "employees/a/1.jpg"
	if got := thumbnailURL(e); got != "/photos/a/1.jpg" {
		t.Errorf("of before there were thumbnails: %q", got)
	}
	e.Photo.Thumbnail = "employees/a/2.jpg"
	if got := thumbnailURL(e); got != "/photos/a/2.jpg" {
		t.Errorf("got %q", got)
	}
}

func TestListSummary(t *testing.T) {
	people := func(n int) directory.Page { return directory.Page{Employees: make([]directory.Employee, n)} }
	more := people(50)
	more.Next = "next"
	for want, l := range map[string]list{
		"No employees":          {},
		"1 employee":            {Page: people(1)},
		"12 employees":          {Page: people(12)},
		"The first 50, by name": {Page: more},
		"7 more":                {Page: people(7), Query: directory.Query{After: "x"}},
		"Nobody matches":        {Query: directory.Query{Badge: "bug"}},
	} {
		if got := l.Summary(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestListKeepsALocationThatItDoesNotOffer(t *testing.T) {
	l := list{Locations: directory.LocationPage{Locations: []string{"London", "São Paulo"}}, Query: directory.Query{Location: "sao paulo"}}
	offered := func() (all, selected []string) {
		for _, o := range l.LocationOptions() {
			if all = append(all, o.Value); o.Selected {
				selected = append(selected, o.Value)
			}
		}
		return all, selected
	}
	if all, selected := offered(); !slices.Equal(selected, []string{"São Paulo"}) || len(all) != 2 {
		t.Errorf("a location is not found without its accents: %q of %q", selected, all)
	}
	l.Query.Location = "Atlantis"
	if all, selected := offered(); !slices.Equal(selected, []string{"Atlantis"}) || len(all) != 3 {
		t.Errorf("got %q of %q", selected, all)
	}
	l.Query.Location = ""
	if _, selected := offered(); len(selected) > 0 {
		t.Errorf("got %q", selected)
	}
}

// TestCardIsEscaped tries text that would end an element or an attribute
// wherever a card shows any.
func TestCardIsEscaped(t *testing.T) {
	of := func(text string) string {
		var b strings.Builder
		err := templates["list"].ExecuteTemplate(&b, "card", directory.Employee{
			ID: "1", FullName: text, JobTitle: text, Location: text, Badges: []string{text, "bug"},
			Photo: directory.Photo{Thumbnail: directory.PhotoPrefix + text},
		})
		if err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	evil, plain := of(`"><script>alert('1')</script>&`), of("plain")
	for _, mark := range []string{"<", ">", `"`, "'"} {
		if got, want := strings.Count(evil, mark), strings.Count(plain, mark); got != want {
			t.Errorf("the card holds %d of %s, want %d: %s", got, mark, want, evil)
		}
	}
	if !strings.Contains(plain, "Bug hunter") {
		t.Errorf("the card lacks the badge: %s", plain)
	}
}
