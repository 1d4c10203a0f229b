package directory

import (
	"errors"
	"slices"
	"strings"
	"testing"
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
	for _, name := range []string{"", "\u200b", "\u2060 \u00ad", "\u202e"} {
		e := valid()
		e.FullName = name
		var invalid *InvalidError
		if err := e.Validate(); !errors.As(err, &invalid) || invalid.Message("fullName") != "Enter the full name." {
			t.Errorf("%q: got %v", name, err)
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
		if err == nil && len(key) > 1024 {
			t.Errorf("a key of %d bytes", len(key))
		}
		if err != nil && !errors.Is(err, ErrInvalidCursor) {
			t.Errorf("unexpected error %v", err)
		}
	})
}
