package directory

import (
	"errors"
	"strings"
)

var (
	// ErrNotFound means that there is no such employee or photo.
	ErrNotFound = errors.New("not found")
	// ErrConflict means that the employee changed meanwhile, or exists already.
	ErrConflict = errors.New("changed meanwhile")
	// ErrUnavailable means that a store does not answer; later it may.
	ErrUnavailable = errors.New("store unavailable")
	// ErrFull means that a store has no room, and takes nothing until it has.
	ErrFull = errors.New("no room left on the disk")
	// ErrInvalidCursor means that a cursor was not returned by a previous Page.
	ErrInvalidCursor = errors.New("invalid cursor")
)

// InvalidError says which fields of an employee are wrong.
type InvalidError struct {
	Fields []FieldError
}

// FieldError is what is wrong with one field.
type FieldError struct {
	// Field is its name in the API, such as "fullName".
	Field string
	// Message is a sentence for the person who typed it.
	Message string
}

func (e *InvalidError) add(field, message string) {
	e.Fields = append(e.Fields, FieldError{Field: field, Message: message})
}

func (e *InvalidError) Error() string {
	var b strings.Builder
	for i, f := range e.Fields {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(f.Field + ": " + f.Message)
	}
	return b.String()
}

// Message returns what is wrong with field, or "".
func (e *InvalidError) Message(field string) string {
	for _, f := range e.Fields {
		if f.Field == field {
			return f.Message
		}
	}
	return ""
}
