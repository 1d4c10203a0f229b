package web_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/service/web"
)

// cookie is what an answer sets under a name.
func cookie(res *http.Response, name string) *http.Cookie {
	for _, c := range res.Cookies() {
		if c.Name == name {
			return c
		}
	}
	return nil
}

func TestWhatWasDoneIsToldOnce(t *testing.T) {
	s := newSite(t, nil)
	res, _ := s.submit("/employees", ada(), nil)
	set := cookie(res, "flash")
	if set == nil || !set.HttpOnly || set.SameSite != http.SameSiteLaxMode {
		t.Fatalf("the cookie is %v", set)
	}
	// An answer without a page leaves it for the page.
	res, _ = s.do(http.MethodGet, "/employees/nobody", "", "", "Cookie", "flash="+set.Value)
	if cookie(res, "flash") != nil {
		t.Error("an address without a page took what was to be told")
	}
	res, body := s.do(http.MethodGet, "/", "", "", "Cookie", "flash="+set.Value)
	wantText(t, body, "Added.")
	if forgotten := cookie(res, "flash"); forgotten == nil || forgotten.MaxAge >= 0 {
		t.Errorf("the cookie is %v, want it forgotten", forgotten)
	}
	_, body = s.get("/")
	if strings.Contains(body, "Added.") {
		t.Error("another person is told of it, from a page that was kept")
	}
}

func TestFlashOverTLSComesFromThisHostOnly(t *testing.T) {
	s := newSite(t, func(o *web.Options) { o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	const proto, host = "X-Forwarded-Proto", "__Host-flash"
	_, body := s.do(http.MethodGet, "/", "", "", proto, "https", "Cookie", "flash=added")
	if strings.Contains(body, "Added.") {
		t.Error("a cookie that another host may have set is told of")
	}
	res, body := s.do(http.MethodGet, "/", "", "", proto, "https", "Cookie", host+"=added")
	wantText(t, body, "Added.")
	if forgotten := cookie(res, host); forgotten == nil || forgotten.MaxAge >= 0 || !forgotten.Secure {
		t.Errorf("the cookie is %v, want it forgotten", forgotten)
	}
}

func TestFlashHasNoTextOfTheClient(t *testing.T) {
	s := newSite(t, nil)
	for _, value := range []string{"", "hello", "%3Cb%3E", strings.Repeat("x", 4000)} {
		_, body := s.do(http.MethodGet, "/", "", "", "Cookie", "flash="+value)
		if strings.Contains(body, `class="flash"`) {
			t.Errorf("the page shows %q", value)
		}
	}
}
