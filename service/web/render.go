package web

import (
	"bytes"
	"context"
	"embed"
	"html/template"
	"io/fs"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

// zeroTime keeps http.ServeContent from sending a Last-Modified.
var zeroTime time.Time

var templates = parseTemplates()

// parseTemplates returns each page with the layout around it.
func parseTemplates() map[string]*template.Template {
	pages := map[string]*template.Template{}
	functions := template.FuncMap{"photoURL": photoURL, "initials": initials, "badgeName": badgeName}
	for _, name := range []string{"list", "detail", "form", "delete", "island", "error"} {
		pages[name] = template.Must(template.New(name).Funcs(functions).
			ParseFS(templateFiles, "templates/layout.html", "templates/"+name+".html"))
	}
	return pages
}

func badgeName(id string) string {
	name, _ := directory.BadgeName(id)
	return name
}

// initials stand in for a photo: the first letters of the first and last word.
func initials(name string) string {
	words := strings.Fields(name)
	if len(words) == 0 {
		return "?"
	}
	letters := []rune{[]rune(words[0])[0]}
	if len(words) > 1 {
		letters = append(letters, []rune(words[len(words)-1])[0])
	}
	return strings.Map(unicode.ToUpper, string(letters))
}

// view is what every page is rendered from.
type view struct {
	Title  string
	Island Island
	// Account is the name of the account that is signed in, or "".
	Account string
	// Flash is what was just done, told on the page that follows, or "".
	Flash string
	Data  any
}

// body is a page.
func (s *Server) body(ctx context.Context, page, title string, data any) ([]byte, error) {
	var b bytes.Buffer
	v := view{Title: title, Island: s.Island(), Account: accountOf(ctx), Data: data}
	err := templates[page].ExecuteTemplate(&b, "layout", v)
	return b.Bytes(), err
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
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	_, err = w.Write(body)
	return err
}

func static() http.Handler {
	files, err := fs.Sub(staticFiles, "static")
	if err != nil {
		panic(err) // the folder is embedded
	}
	server := http.StripPrefix("/static/", http.FileServerFS(files))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=3600")
		server.ServeHTTP(w, r)
	})
}
