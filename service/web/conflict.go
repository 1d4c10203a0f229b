package web

import (
	"slices"
	"strings"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

// difference is a field in which what was typed is not what is stored.
type difference struct {
	// Field is the field's name in the form, Label what people read.
	Field, Label string
	// Typed and Stored are what people read of both.
	Typed, Stored string
	// Value is what the field has to hold for what is stored.
	Value string
}

// Differences are the fields in which the form and what is stored now differ.
func (f form) Differences() []difference {
	typed, stored := f.Employee, *f.Stored
	all := []difference{
		{"fullName", "Full name", typed.FullName, stored.FullName, stored.FullName},
		{"jobTitle", "Job title", typed.JobTitle, stored.JobTitle, stored.JobTitle},
		{"location", "Location", typed.Location, stored.Location, stored.Location},
		{"badges", "Badges", badgeNames(typed.Badges), badgeNames(stored.Badges), strings.Join(stored.Badges, " ")},
	}
	return slices.DeleteFunc(all, func(d difference) bool { return d.Typed == d.Stored })
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
