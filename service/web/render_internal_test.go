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
	for _, badge := range directory.Badges {
		if !strings.Contains(icons, `id="badge-`+badge.ID+`"`) {
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
	people := func(n int, previous, next string) directory.Page {
		return directory.Page{Employees: make([]directory.Employee, n), Previous: previous, Next: next}
	}
	for want, l := range map[string]list{
		"No employees":                {},
		"1 employee":                  {Page: people(1, "", "")},
		"12 employees":                {Page: people(12, "", "")},
		"Nobody matches":              {Query: directory.Query{Badge: "bug"}},
		"No more employees":           {Page: people(0, "p", ""), Query: directory.Query{After: "x"}},
		"1–24 of 15,000 employees":    {Page: people(24, "", "n"), From: 1, Total: 15000},
		"25–48 of 312 employees":      {Page: people(24, "p", "n"), From: 25, Total: 312},
		"289–312 of 312 employees":    {Page: people(24, "p", ""), From: 289, Total: 312},
		"312 of 312 employees":        {Page: people(1, "p", ""), Total: 312},
		"23 of 312 employees":         {Page: people(23, "p", "n"), Total: 312},
		"24 of 313 employees":         {Page: people(24, "p", "n"), From: 999, Total: 313}, // it cannot be
		"The first 24, by name":       {Page: people(24, "", "n"), From: 1},
		"1,201–1,224, by name":        {Page: people(24, "p", "n"), From: 1201},
		"24 employees, by name":       {Page: people(24, "p", "n")},
		"The first 22, by name":       {Page: people(22, "", "n"), From: 1, Total: 3}, // counted before others came
		"1–22 of 1,234,567 employees": {Page: people(22, "", "n"), From: 1, Total: 1234567},
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
		e := directory.Employee{
			ID: "1", FullName: text, JobTitle: text, Location: text, Badges: []string{text, "bug"},
			Photo: directory.Photo{Thumbnail: directory.PhotoPrefix + text},
		}
		if err := card(e).Render(t.Context(), &b); err != nil {
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
