package web

import (
	"bytes"
	"context"
	"embed"
	"hash/fnv"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

//go:embed templates/*.html
var templateFiles embed.FS

var templates = parseTemplates()

// parts are the templates that pages share; every other file is a page.
var parts = []string{"templates/layout.html", "templates/icons.html", "templates/badge.html", "templates/load.html"}

// parseTemplates returns each page with the layout around it.
func parseTemplates() map[string]*template.Template {
	pages := map[string]*template.Template{}
	functions := template.FuncMap{
		"asset": assetURL, "photoURL": photoURL, "thumbnailURL": thumbnailURL, "tint": tint,
		"initials": initials, "badgeName": badgeName, "badge": badgeItem, "shown": shown, "others": others, "at": at,
	}
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for _, file := range files {
		if slices.Contains(parts, file) {
			continue
		}
		name := strings.TrimSuffix(path.Base(file), ".html")
		pages[name] = template.Must(template.New(name).Funcs(functions).ParseFS(templateFiles, append(slices.Clone(parts), file)...))
	}
	return pages
}

// badgeItems are the badges as items of a list, by id: a page of the list shows
// many of them.
var badgeItems = func() map[string]template.HTML {
	item := template.Must(template.ParseFS(templateFiles, "templates/badge.html"))
	items := map[string]template.HTML{}
	for _, badge := range directory.Badges {
		var b bytes.Buffer
		if err := item.Execute(&b, badge); err != nil {
			panic(err) // the template is embedded
		}
		items[badge.ID] = template.HTML(b.String()) // the template escaped it
	}
	return items
}()

// shownBadges is how many badges of a person a list shows.
const shownBadges = 3

func shown(badges []string) []string { return badges[:min(len(badges), shownBadges)] }

func others(badges []string) int { return max(0, len(badges)-shownBadges) }

func badgeItem(id string) template.HTML { return badgeItems[id] }

func badgeName(id string) string {
	name, _ := directory.BadgeName(id)
	return name
}

// at is the address of the list of those at a location.
func at(location string) string { return address(directory.Query{Location: location}, 1) }

// tints is how many colours and shapes style.css has for people.
const tints = 6

// tint chooses one of them by an employee's id, which never changes.
func tint(id string) int {
	h := fnv.New32a()
	h.Write([]byte(id))
	return int(h.Sum32() % tints)
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

// view is what every page is rendered from.
type view struct {
	// Page is the name of its template.
	Page   string
	Title  string
	Island Island
	// Account is the name of the account that is signed in, or "".
	Account string
	// ReadOnly reports whether nothing can be changed, and nobody can sign in.
	ReadOnly bool
	// Flash is what was just done, told on the page that follows, or "".
	Flash string
	Data  any
}

// pageBytes is more than a page of the list has.
const pageBytes = 48 << 10

// body is a page.
func (s *Server) body(ctx context.Context, page, title string, data any) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(pageBytes)
	v := view{Page: page, Title: title, Island: s.Island(), Account: accountOf(ctx), ReadOnly: isReadOnly(ctx), Flash: takeFlash(ctx), Data: data}
	err := templates[page].ExecuteTemplate(&b, "layout", v)
	return bytes.Clone(b.Bytes()), err // it is kept, without what b has left
}

// render writes a page whole or not at all.
func (s *Server) render(w http.ResponseWriter, r *http.Request, status int, page, title string, data any) error {
	body, err := s.body(r.Context(), page, title, data)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if w.Header().Get("Cache-Control") == "" {
		w.Header().Set("Cache-Control", "no-cache")
	}
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
