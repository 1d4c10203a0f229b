package web

import (
	"bytes"
	"context"
	_ "embed"
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/a-h/templ"
	"github.com/archipelago-cdk/archipelago/service/directory"
)

// Pages are made from *.templ; what is generated from them stands beside them.
//go:generate go tool -modfile=../../tools.mod templ generate -include-version=false

// icons are the drawings that pages refer to by <use>: the badges under their ids. They
// are in each page, so that no policy and no second request stands between.
//
//go:embed icons.svg
var icons string

// shownBadges is how many badges of a person the list shows.
const shownBadges = 3

func badgeName(id string) string {
	name, _ := directory.BadgeName(id)
	return name
}

// current marks a link of the layout to the page that it is on.
func current(page, link string) templ.Attributes {
	if page != link {
		return nil
	}
	return templ.Attributes{"aria-current": "page"}
}

// moreBadges says how many badges of a person the list does not show.
func moreBadges(n int) string {
	if n == 1 {
		return "1 more badge"
	}
	return strconv.Itoa(n) + " more badges"
}

// employeeURL is the address of an employee's page.
func employeeURL(e directory.Employee) string { return "/employees/" + e.ID }

// at is the address of the list of those at a location.
func at(location string) string { return address(directory.Query{Location: location}, 1) }

// tints is how many colours and shapes style.css has for people.
const tints = 6

// tint is the class of one of them, chosen by an employee's id, which never changes.
func tint(id string) string {
	h := fnv.New32a()
	h.Write([]byte(id))
	return "tint-" + strconv.Itoa(int(h.Sum32()%tints))
}

// initials stand in for a photo: the first letters of the first and last word
// that have any, or else the first character.
func initials(name string) string {
	var letters []string
	for _, word := range strings.Fields(name) {
		if i := strings.IndexFunc(word, unicode.IsLetter); i >= 0 {
			letter, _ := utf8.DecodeRuneInString(word[i:])
			letters = append(letters, string(unicode.ToUpper(letter)))
		}
	}
	switch len(letters) {
	case 0:
		return string([]rune(name)[:min(1, utf8.RuneCountInString(name))])
	case 1:
		return letters[0]
	default:
		return letters[0] + letters[len(letters)-1]
	}
}

// pageBytes is more than a page of the list has.
const pageBytes = 48 << 10

// body is a page.
func (s *Server) body(ctx context.Context, page, title string, content templ.Component) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(pageBytes)
	err := layout(page, title, content).Render(context.WithoutCancel(ctx), &b) // what came too late is answered too
	return readable(b.Bytes()), err
}

// readable returns a copy of a page, which is kept without what its buffer has left,
// with U+FFFD for what HTML has no room for: NUL, and bytes that are not UTF-8. They
// come with what was asked for or typed, never with what is stored.
func readable(page []byte) []byte {
	if utf8.Valid(page) && bytes.IndexByte(page, 0) < 0 {
		return bytes.Clone(page)
	}
	lost := []byte(string(utf8.RuneError))
	return bytes.ReplaceAll(bytes.ToValidUTF8(page, lost), []byte{0}, lost)
}

// render writes a page that nobody keeps, whole or not at all.
func (s *Server) render(w http.ResponseWriter, r *http.Request, status int, page, title string, content templ.Component) error {
	body, err := s.body(r.Context(), page, title, content)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	return send(w, r, status, body)
}

// heading is what a status means to a person.
func heading(status int) string {
	switch {
	case status == http.StatusNotFound:
		return "Not on the map"
	case status == http.StatusServiceUnavailable:
		return "Out of reach for a moment"
	case status == http.StatusInsufficientStorage:
		return "No room"
	case status >= http.StatusInternalServerError:
		return "Something went wrong"
	default:
		return http.StatusText(status)
	}
}
