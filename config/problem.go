package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/agnivade/levenshtein"
)

// problem is what is wrong with the value at a path.
type problem struct{ path, text string }

func (p problem) Error() string { return p.path + ": " + p.text }

// problems collects what is wrong below one path.
type problems struct {
	path string
	all  *[]problem
}

func newProblems() problems { return problems{ContextKey, new([]problem)} }

// under returns the same problems below a key, or an index such as "[0]".
func (p problems) under(key string) problems {
	if key != "" && !strings.HasPrefix(key, "[") {
		key = "." + key
	}
	return problems{p.path + key, p.all}
}

// add says what is wanted of the value of a key, "" for that at p's own path.
func (p problems) add(key, want string, got any) {
	p.under(key).say(fmt.Sprintf("want %s, got %s", want, show(got)))
}

func (p problems) say(text string) { *p.all = append(*p.all, problem{p.path, text}) }

// addAll adds errors that begin with the key or the index below p's path that they
// are about, such as "[1]: want" or "ladder: want"; or with a colon.
func (p problems) addAll(err error) {
	for _, e := range separate(err) {
		below, text, _ := strings.Cut(e.Error(), ": ")
		p.under(below).say(text)
	}
}

// separate returns the errors that were joined.
func separate(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err != nil {
		return []error{err}
	}
	return nil
}

// has reports whether there is a problem with the value at p's path.
func (p problems) has() bool {
	return slices.ContainsFunc(*p.all, func(o problem) bool { return o.path == p.path })
}

// explains reports whether a problem is a part of one of these: a value of another
// kind than an object lacks all its keys.
func (p problems) explains(o problem) bool {
	return slices.ContainsFunc(*p.all, func(known problem) bool {
		rest, ok := strings.CutPrefix(o.path, known.path)
		return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
	})
}

func (p problems) error() error {
	errs := make([]error, len(*p.all))
	for i, problem := range *p.all {
		errs[i] = problem
	}
	return errors.Join(errs...)
}

// oneOf says which values there are.
func oneOf(got string, choices []string) string {
	quoted := make([]string, len(choices))
	for i, choice := range choices {
		quoted[i] = strconv.Quote(choice)
	}
	last := len(quoted) - 1
	return strings.Join(quoted[:last], ", ") + " or " + quoted[last] + didYouMean(got, choices)
}

// didYouMean names the nearest of known words, if one is near.
func didYouMean(word string, known []string) string {
	best, distance := "", 1+len(word)/3
	for _, k := range known {
		if d := levenshtein.ComputeDistance(strings.ToLower(word), strings.ToLower(k)); d <= distance && k != word {
			best, distance = k, d-1
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// show is a value as a person wrote it in cdk.json; what does not show is escaped.
func show(v any) string {
	if v == nil || v == "" {
		return "nothing"
	}
	b, err := json.Marshal(v)
	if err != nil || string(b) == "null" {
		return "nothing"
	}
	var shown strings.Builder
	for _, r := range string(b) {
		if unicode.IsPrint(r) {
			shown.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&shown, `\u%04x`, unit)
		}
	}
	return shown.String()
}
