package directory

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func valid() Employee {
	return Employee{ID: NewID(), FullName: "Ada Lovelace", Location: "London", JobTitle: "Analyst"}
}

func TestValidateReportsAllFieldsAtOnce(t *testing.T) {
	e := Employee{FullName: strings.Repeat("ß", MaxField+1), JobTitle: "a\x00b", Badges: []string{"linux", "pilot"}}
	var invalid *InvalidError
	if err := e.Validate(); !errors.As(err, &invalid) {
		t.Fatalf("got %v, want an InvalidError", err)
	}
	for _, field := range []string{"fullName", "location", "jobTitle", "badges"} {
		if invalid.Message(field) == "" {
			t.Errorf("%s is not reported: %v", field, invalid)
		}
	}
}

func TestFieldsThatCannotBeSeenAreEmpty(t *testing.T) {
	for _, name := range []string{
		"", "\u200b", "\u2060 \u00ad", "\u202e",
		"\u3164\uffa0", // Hangul fillers, which are letters
		"\u2800",       // Braille without dots
		"\u0301",       // a mark on nothing
		"\ufe0f",       // a variation of nothing
	} {
		e := valid()
		e.FullName = name
		var invalid *InvalidError
		if err := e.Validate(); !errors.As(err, &invalid) || invalid.Message("fullName") != "Enter the full name." {
			t.Errorf("%q: got %v", name, err)
		}
	}
}

func TestFieldsOfAllScriptsAreSeen(t *testing.T) {
	for _, name := range []string{"\u2801", "\u05d0\u05b8", "\u202eAda", "\u0e01\u0e34\u0e48", "\U00020bb7"} {
		e := valid()
		e.FullName = name
		if err := e.Validate(); err != nil {
			t.Errorf("%+q: got %v", name, err)
		}
	}
}

func TestValidateAcceptsTheLongestFields(t *testing.T) {
	e := valid()
	e.FullName = strings.Repeat("ß", MaxField)
	e.Badges = []string{"linux", "camera"}
	if err := e.Validate(); err != nil {
		t.Error(err)
	}
}

func TestNormalized(t *testing.T) {
	e := valid()
	e.FullName = "  Ada \t"
	e.Badges = []string{"camera", "linux", "camera"}
	e = e.Normalized()
	if e.FullName != "Ada" || !slices.Equal(e.Badges, []string{"linux", "camera"}) {
		t.Errorf("got %q and %q", e.FullName, e.Badges)
	}
}

func TestNamesSortWithoutCaseAndAccents(t *testing.T) {
	names := []string{"zoe", "José B", "Jose", "jose a", "Ñandú", "Nando", "Åsa"}
	slices.SortFunc(names, func(a, b string) int {
		return strings.Compare(Employee{FullName: a}.SortKey(), Employee{FullName: b}.SortKey())
	})
	want := []string{"Åsa", "Jose", "jose a", "José B", "Nando", "Ñandú", "zoe"}
	if !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}

func TestFold(t *testing.T) {
	for text, want := range map[string]string{
		"Ada Lovelace":     "ada lovelace",
		"José Ñandú":       "jose nandu",
		"Jose\u0301":       "jose",
		"Straße, STRAẞE":   "strasse, strasse",
		"Søren Ærø":        "soren aero",
		"Łukasz Đorđević":  "lukasz dordevic",
		"İpek Işık":        "ipek isik",
		"Þóra Guðmunds":    "thora gudmunds",
		"Œuvre":            "oeuvre",
		"ﬁne ＡＢＣ":          "fine abc",
		"Αλέξης ΣΟΦΟΣ":     "αλεξησ σοφοσ",
		"Ёлкин":            "елкин",
		"山田 太郎":            "山田 太郎",
		"soft\u00adhyphen": "softhyphen",
		"a\x01b":           "ab",
		"":                 "",
	} {
		if got := Fold(text); got != want {
			t.Errorf("%q folds to %q, want %q", text, got, want)
		}
	}
	if Fold("が") == Fold("か") {
		t.Error("two letters of Japanese are one")
	}
}

func TestSortKeysFitIntoDynamoDB(t *testing.T) {
	for _, longest := range []string{strings.Repeat("ﷺ", MaxField), strings.Repeat("각", MaxField), strings.Repeat("🐧", MaxField)} {
		e := Employee{ID: NewID(), FullName: longest, Location: longest, Badges: []string{"video-camera"}}
		if key := e.SortKey(); len(key) > maxSortKey || !utf8.ValidString(key) || !strings.HasSuffix(key, e.ID) {
			t.Errorf("the sort key of %.6s… has %d bytes: %.20q…", longest, len(key), key)
		}
		for _, list := range e.Lists() {
			if len(list) > maxSortKey || !utf8.ValidString(list) {
				t.Errorf("the name of a list of %.6s… has %d bytes", longest, len(list))
			}
		}
		if !strings.HasPrefix(e.SortKey(), Fold(longest+"more")) {
			t.Errorf("a search of more than is sorted by does not find %.6s…", longest)
		}
	}
}

func TestListsOfAnEmployee(t *testing.T) {
	e := Employee{Location: "São Tomé", Badges: []string{"linux", "camera", "linux"}}
	var want []string
	for _, q := range []Query{
		{}, {Location: "sao tome"}, {Badge: "linux"}, {Badge: "camera"},
		{Badge: "linux", Location: "SÃO TOMÉ"}, {Badge: "camera", Location: "São Tomé"},
	} {
		part, err := q.Part()
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, part.List)
	}
	slices.Sort(want)
	if got := e.Lists(); !slices.Equal(got, want) {
		t.Errorf("got the lists %q, want %q", got, want)
	}
	// A location whose characters are all invisible is one all the same.
	if got := (Employee{Location: "\u200b"}).Lists(); len(got) != 2 {
		t.Errorf("got the lists %q, want that of all and that of the location", got)
	}
}

func TestPartsBeginAndEndWithAPrefix(t *testing.T) {
	e := func(name string) string { return Employee{ID: "id", FullName: name}.SortKey() }
	for _, test := range []struct {
		prefix, after string
		in, out       []string
	}{
		{"", "", []string{"a", "z", "\U0010ffff"}, nil},
		{"Jo", "", []string{"jo", "Jo\u0301", "joz", "jo\U0010ffff"}, []string{"jn", "jp", "j"}},
		{"jo", "jom", []string{"jon", "joz"}, []string{"jom", "joa", "jp"}},
		{"jo", "a", []string{"jo", "joa"}, []string{"b", "jp"}},
		{"jo", "z", nil, []string{"jo", "joa", "z", "zz"}},
		{"\ud7ff", "", []string{"\ud7ffa"}, []string{"\ue000", "\ud7fe"}},
		{"a\U0010ffff", "", []string{"a\U0010ffffz"}, []string{"az", "b"}},
		{"\U0010ffff", "", []string{"\U0010ffff1"}, []string{"z"}},
	} {
		q := Query{Prefix: test.prefix}
		if test.after != "" {
			q.After = Cursor(e(test.after))
		}
		part, err := q.Part()
		if err != nil {
			t.Fatal(err)
		}
		has := func(name string) bool {
			key := e(name)
			return key > part.After && (part.Before == "" || key < part.Before) && !part.Empty()
		}
		for _, name := range test.in {
			if !has(name) {
				t.Errorf("prefix %q after %q lacks %q", test.prefix, test.after, name)
			}
		}
		for _, name := range test.out {
			if has(name) {
				t.Errorf("prefix %q after %q has %q", test.prefix, test.after, name)
			}
		}
	}
}

// FuzzFold checks what sort keys and lists' names rely on.
func FuzzFold(f *testing.F) {
	f.Add("José")
	f.Add("a\u0591\u200d\u05b0") // marks that only something invisible keeps apart
	f.Add("İ\xff\x01ﷺ")
	f.Fuzz(func(t *testing.T, s string) {
		folded := Fold(s)
		if !utf8.ValidString(folded) || len(folded) > maxFolded || strings.Contains(folded, separator) {
			t.Errorf("%q folds to %q", s, folded)
		}
		if again := Fold(folded); again != folded {
			t.Errorf("%q folds to %q, and that to %q", s, folded, again)
		}
		if end := behind(folded); end != "" && (end <= folded || strings.HasPrefix(end, folded) && folded != "") {
			t.Errorf("%q is behind all that begin with %q", end, folded)
		}
	})
}

func TestPhotoKeysNameTheirContent(t *testing.T) {
	a, b := PhotoKey("abc", []byte("1"), "jpg"), PhotoKey("abc", []byte("2"), "jpg")
	if a == b {
		t.Error("two contents have one key")
	}
	if !ValidPhotoKey(a) || ContentType(a) != "image/jpeg" {
		t.Errorf("%q is not valid, or no JPEG", a)
	}
	for _, key := range []string{"", "employees/a/../b.jpg", "employees/a/" + strings.Repeat("0", 64) + ".svg"} {
		if ValidPhotoKey(key) {
			t.Errorf("%q is valid", key)
		}
	}
}

func FuzzSortKeyOf(f *testing.F) {
	f.Add(Cursor(valid().SortKey()))
	f.Add("%%%")
	f.Fuzz(func(t *testing.T, cursor string) {
		key, err := SortKeyOf(cursor)
		if err == nil && len(key) > maxSortKey {
			t.Errorf("a key of %d bytes", len(key))
		}
		if err != nil && !errors.Is(err, ErrInvalidCursor) {
			t.Errorf("unexpected error %v", err)
		}
	})
}
