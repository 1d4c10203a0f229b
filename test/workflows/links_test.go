package workflows

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestLinksAreFollowed: a page that is gone is named, and so is a host that does not
// answer; one that moved, takes no HEAD or wants to know who asks is there.
func TestLinksAreFollowed(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/moved":
			http.Redirect(w, r, "/there", http.StatusMovedPermanently)
		case r.URL.Path == "/away":
			http.Redirect(w, r, "/gone", http.StatusFound)
		case r.URL.Path == "/secret":
			w.WriteHeader(http.StatusForbidden)
		case r.URL.Path == "/get" && r.Method == http.MethodHead:
			w.WriteHeader(http.StatusMethodNotAllowed)
		case r.URL.Path == "/gone" || r.Method == http.MethodHead && r.URL.Path == "/late":
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer server.Close()
	nobody := httptest.NewServer(nil)
	nobody.Close()
	for paths, want := range map[string][]string{
		"/there /moved /get /secret /late": nil,
		"/there /gone /away":               {"404 " + server.URL + "/gone", "404 " + server.URL + "/away"},
		nobody.URL:                         {"000 " + nobody.URL},
	} {
		page := filepath.Join(t.TempDir(), "page.md")
		var text strings.Builder
		for path := range strings.FieldsSeq(paths) {
			if strings.HasPrefix(path, "/") {
				path = server.URL + path
			}
			fmt.Fprintf(&text, "See [it](%s#there) and [this](other.md), `%s/code`.\n", path, server.URL)
		}
		if err := os.WriteFile(page, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(folder+"scripts/links.sh", page)
		cmd.Env = append(os.Environ(), "no_proxy=127.0.0.1")
		out, err := cmd.CombinedOutput()
		said := string(out)
		ended := fmt.Sprintf("%d links, %d of them lead nowhere\n", len(strings.Fields(paths)), len(want))
		if (err == nil) != (want == nil) || !strings.HasSuffix(said, ended) || strings.Count(said, "\n") != len(want)+1 {
			t.Errorf("%s: %v, want %q, got\n%s", paths, err, ended, said)
		}
		for _, line := range want {
			if !strings.Contains(said, line+"\n") {
				t.Errorf("%s: want %q in\n%s", paths, line, said)
			}
		}
	}
}
