package web_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

func TestAssetsAreKeptForGoodUnderTheirPresentAddress(t *testing.T) {
	s := newSite(t, nil)
	_, page := s.get("/")
	types := map[string]string{"style.css": "text/css; charset=utf-8", "list.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml"}
	for name, contentType := range types {
		address := regexp.MustCompile(`/static/` + name + `\?v=[\w-]+`).FindString(page)
		if address == "" {
			t.Fatalf("the page does not refer to %s", name)
		}
		for path, want := range map[string]string{address: "public, max-age=31536000, immutable", "/static/" + name: "public, max-age=3600", "/static/" + name + "?v=old": "no-cache"} {
			res, body := s.get(path)
			wantStatus(t, res, http.StatusOK)
			if res.Header.Get("Cache-Control") != want || res.Header.Get("Content-Type") != contentType || body == "" {
				t.Errorf("%s: headers are %v", path, res.Header)
			}
		}
		res, _ := s.get(address)
		res, _ = s.do(http.MethodGet, address, "", "", "If-None-Match", res.Header.Get("ETag"))
		wantStatus(t, res, http.StatusNotModified)
	}
}

// TestNothingComesFromElsewhere looks for what the policy would refuse.
func TestNothingComesFromElsewhere(t *testing.T) {
	s := newSite(t, nil)
	for _, path := range []string{"/", "/employees/new", "/island", "/islands", "/nothing"} {
		res, body := s.get(path)
		for _, directive := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'"} {
			if policy := res.Header.Get("Content-Security-Policy"); !strings.Contains(policy, directive) || strings.Contains(policy, "unsafe") {
				t.Errorf("%s: the policy is %q", path, policy)
			}
		}
		for _, inline := range []string{` style="`, "<style", "<script>", "http://", "https://", ` onclick`} {
			if strings.Contains(body, inline) {
				t.Errorf("%s holds %q", path, inline)
			}
		}
	}
}
