package web

import (
	"slices"
	"strings"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

// difference is a field that two people changed, each in another way.
type difference struct {
	// Field is the field's name in the form, Label what people read.
	Field, Label string
	// Typed and Stored are what people read of both.
	Typed, Stored string
	// Value is what the field has to hold for what is stored.
	Value string
}

// merge makes of a form that someone was faster than one over what is stored now:
// it takes over what only the other one changed, keeps what only this one did, and
// notes what both did. A form that does not say what it was made of is compared
// with what is stored.
func (f *form) merge(stored directory.Employee) {
	f.Stored = &stored
	typed := &f.Employee
	for _, field := range []struct {
		name, label         string
		base, typed, stored *string
	}{
		{"fullName", "Full name", &f.Base.FullName, &typed.FullName, &stored.FullName},
		{"jobTitle", "Job title", &f.Base.JobTitle, &typed.JobTitle, &stored.JobTitle},
		{"location", "Location", &f.Base.Location, &typed.Location, &stored.Location},
	} {
		switch {
		case *field.typed == *field.stored, f.HasBase && *field.stored == *field.base:
		case f.HasBase && *field.typed == *field.base:
			*field.typed = *field.stored
			f.Taken = append(f.Taken, field.label)
		default:
			f.Differences = append(f.Differences, difference{field.name, field.label, *field.typed, *field.stored, *field.stored})
		}
	}
	f.mergeBadges(stored)
	// The next attempt is made knowingly, over what is stored now.
	f.Base, f.HasBase, f.Employee.Version = stored, true, stored.Version
}

// mergeBadges takes over each badge that the other one gave or took. Both cannot
// have changed one badge in different ways.
func (f *form) mergeBadges(stored directory.Employee) {
	if !f.HasBase {
		if badgeNames(f.Employee.Badges) != badgeNames(stored.Badges) {
			f.Differences = append(f.Differences, difference{
				"badges", "Badges", badgeNames(f.Employee.Badges), badgeNames(stored.Badges), strings.Join(stored.Badges, " "),
			})
		}
		return
	}
	merged := slices.Clone(f.Employee.Badges)
	for _, badge := range directory.Badges {
		before, now := slices.Contains(f.Base.Badges, badge.ID), slices.Contains(stored.Badges, badge.ID)
		switch typed := slices.Contains(merged, badge.ID); {
		case before == now, typed == now:
		case now:
			merged = append(merged, badge.ID)
		default:
			merged = slices.DeleteFunc(merged, func(id string) bool { return id == badge.ID })
		}
	}
	if !slices.Equal(merged, f.Employee.Badges) {
		f.Employee.Badges = merged
		f.Taken = append(f.Taken, "Badges")
	}
}

// badgeNames names badges for people.
func badgeNames(ids []string) string {
	if len(ids) == 0 {
		return "none"
	}
	names := make([]string, 0, len(ids))
	for _, id := range ids {
		names = append(names, badgeName(id))
	}
	return strings.Join(names, ", ")
}

// Problems are the fields that are wrong, but for what Message says already.
func (f form) Problems() []directory.FieldError {
	return slices.DeleteFunc(slices.Clone(f.Invalid.Fields), func(e directory.FieldError) bool { return e.Message == f.Message })
}
