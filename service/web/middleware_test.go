package web_test

import (
	"crypto/tls"
	"html"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/archipelago-cdk/archipelago/service/web"
)

// TestWhoMayWriteAndSignIn sends from peers, by load balancers and with and
// without TLS.
func TestWhoMayWriteAndSignIn(t *testing.T) {
	const balancers = "10.24.0.0/16"
	for name, test := range map[string]struct {
		trusted           string
		peer, proto, for_ string
		tls, allowed      bool
		want              bool
	}{
		"from this machine":                             {peer: "127.0.0.1:4711", want: true},
		"from this machine, by IPv6":                    {peer: "[::1]:4711", want: true},
		"from this machine, IPv4 in IPv6":               {peer: "[::ffff:127.0.0.1]:4711", want: true},
		"in the clear":                                  {peer: "203.0.113.7:4711", want: false},
		"in the clear, where allowed":                   {peer: "203.0.113.7:4711", allowed: true, want: true},
		"over TLS":                                      {peer: "203.0.113.7:4711", tls: true, want: true},
		"saying that it is TLS":                         {peer: "203.0.113.7:4711", proto: "https", want: false},
		"saying that it is from this machine":           {peer: "203.0.113.7:4711", for_: "127.0.0.1", want: false},
		"by a load balancer with TLS":                   {trusted: balancers, peer: "10.24.1.2:4711", proto: "https", for_: "203.0.113.7", want: true},
		"by a load balancer without":                    {trusted: balancers, peer: "10.24.1.2:4711", proto: "http", for_: "203.0.113.7", want: false},
		"by a load balancer that nobody trusts":         {peer: "10.24.1.2:4711", proto: "https", for_: "203.0.113.7", want: false},
		"by another than the trusted load balancers":    {trusted: balancers, peer: "10.25.1.2:4711", proto: "https", for_: "203.0.113.7", want: false},
		"lying to a load balancer of its own address":   {trusted: balancers, peer: "10.24.1.2:4711", proto: "http", for_: "127.0.0.1, 203.0.113.7", want: false},
		"by a load balancer on this machine, from here": {trusted: "127.0.0.0/8", peer: "127.0.0.1:4711", proto: "http", for_: "127.0.0.1", want: true},
		"by a load balancer on this machine, from afar": {trusted: "127.0.0.0/8", peer: "127.0.0.1:4711", proto: "http", for_: "203.0.113.7", want: false},
		"by a load balancer that names no address":      {trusted: "127.0.0.0/8", peer: "127.0.0.1:4711", proto: "http", for_: "unknown", want: false},
		"from no address":                               {peer: "@", want: false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, func(o *web.Options) {
				o.AllowCleartext = test.allowed
				if test.trusted != "" {
					o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix(test.trusted)}
				}
			})
			send := func(method, path, contentType, body, cookie string) *httptest.ResponseRecorder {
				r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
				r.RemoteAddr = test.peer
				r.Header.Set("Content-Type", contentType)
				if test.proto != "" {
					r.Header.Set("X-Forwarded-Proto", test.proto)
				}
				if test.for_ != "" {
					r.Header.Set("X-Forwarded-For", test.for_)
				}
				if cookie != "" {
					r.Header.Set("Cookie", cookie)
				}
				if test.tls {
					r.TLS = &tls.ConnectionState{}
				}
				w := httptest.NewRecorder()
				s.handler.ServeHTTP(w, r)
				return w
			}
			signIn := send(http.MethodPost, "/sign-in", formType, credentials(accountName, password).Encode(), "")
			form := send(http.MethodGet, "/sign-in", "", "", "")
			// The session is a true one under any name that the cookie may have.
			write := send(http.MethodPost, "/api/employees", "application/json", adaJSON, s.session+"; __Host-"+s.session)
			if test.want {
				if signIn.Code != http.StatusSeeOther || form.Code != http.StatusOK || write.Code != http.StatusCreated {
					t.Errorf("sign-in is answered by %d, its form by %d, a write by %d", signIn.Code, form.Code, write.Code)
				}
				return
			}
			for _, refused := range []*httptest.ResponseRecorder{signIn, form, write} {
				wantText(t, refused.Body.String(), "read-only here", "HTTPS", "ALLOW_CLEARTEXT=true")
				if refused.Code != http.StatusForbidden || refused.Header().Get("Set-Cookie") != "" {
					t.Errorf("got status %d, headers %v", refused.Code, refused.Header())
				}
			}
			// Reads go on, as anybody's, and their pages say it.
			list := send(http.MethodGet, "/", "", "", s.session+"; __Host-"+s.session)
			wantText(t, list.Body.String(), "Read-only without HTTPS")
			if strings.Contains(list.Body.String(), "/employees/new") {
				t.Error("the list offers to add an employee")
			}
			edit := send(http.MethodGet, "/employees/new", "", "", s.session+"; __Host-"+s.session)
			if list.Code != http.StatusOK || edit.Code != http.StatusSeeOther {
				t.Errorf("the list is answered by %d, a form by %d", list.Code, edit.Code)
			}
		})
	}
}

// TestPagesOfferWhatIsAllowed: a page that is kept for those who may change something
// is not for those who may not, though none of them is signed in.
func TestPagesOfferWhatIsAllowed(t *testing.T) {
	s := newSite(t, nil)
	res, _ := s.do(http.MethodPost, "/api/employees", "application/json", adaJSON)
	employee := strings.TrimPrefix(res.Header.Get("Location"), "/api")
	for range 2 {
		for _, test := range []struct{ peer, path, has, lacks string }{
			{"127.0.0.1:4711", "/", "/employees/new", "Read-only without HTTPS"},
			{"203.0.113.7:4711", "/", "Read-only without HTTPS", "/employees/new"},
			{"127.0.0.1:4711", employee, employee + "/edit", "Read-only without HTTPS"},
			{"203.0.113.7:4711", employee, "Read-only without HTTPS", employee + "/edit"},
		} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, test.path, nil)
			r.RemoteAddr = test.peer
			w := httptest.NewRecorder()
			s.handler.ServeHTTP(w, r)
			wantText(t, w.Body.String(), test.has)
			if w.Code != http.StatusOK || strings.Contains(w.Body.String(), test.lacks) {
				t.Errorf("%s is answered %s by %d, with %q", test.path, test.peer, w.Code, test.lacks)
			}
		}
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	s := newSite(t, func(o *web.Options) {
		o.ImageSources = []string{"https://*.s3.example", "http://localhost:5000"}
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	want := map[string]string{
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; " +
			"img-src 'self' https://*.s3.example http://localhost:5000; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		"Cross-Origin-Opener-Policy": "same-origin",
		"Permissions-Policy":         "camera=(), geolocation=(), microphone=()",
		"Referrer-Policy":            "same-origin",
		"Strict-Transport-Security":  "",
		"X-Content-Type-Options":     "nosniff",
		"X-Frame-Options":            "DENY",
		"X-Island":                   "eu-west-1",
	}
	check := func(name string, res *http.Response) {
		t.Helper()
		for header, value := range want {
			if got := strings.Join(res.Header.Values(header), "|"); got != value {
				t.Errorf("%s: %s is %q, want %q", name, header, got, value)
			}
		}
	}
	for _, path := range []string{"/", "/nowhere", "/static/style.css", "/api/employees", "/api/nowhere", "/sign-in", "/livez", "/photos/a/b"} {
		res, _ := s.get(path)
		check(path, res)
	}
	res, _ := s.as(t, "").form("/employees", nil)
	check("a write of nobody", res)
	want["Strict-Transport-Security"] = "max-age=31536000"
	res, _ = s.do(http.MethodGet, "/", "", "", "X-Forwarded-Proto", "https")
	check("over TLS", res)
}

// TestPagesKeepToTheirPolicy: nothing in them is inline.
func TestPagesKeepToTheirPolicy(t *testing.T) {
	s := newSite(t, func(o *web.Options) { o.LoadGenerator = true })
	res, _ := s.submit("/employees", ada(), nil)
	path := res.Header.Get("Location")
	for _, session := range []string{"", s.session} {
		for _, address := range []string{"/", path, path + "/edit", path + "/delete", "/employees/new", "/sign-in", "/island", "/nowhere"} {
			_, body := s.as(t, session).get(address)
			for _, inline := range []string{"<style", " style=", "<script>", " onclick=", " onsubmit=", "javascript:"} {
				if strings.Contains(body, inline) {
					t.Errorf("%s has %q", address, inline)
				}
			}
		}
	}
}

// TestPagesAreTextWhateverIsSent: a page shows what was asked for or typed, and no
// byte of it that HTML has no room for.
func TestPagesAreTextWhateverIsSent(t *testing.T) {
	s := newSite(t, nil)
	const sent = "a\x00b\xffc\xed\xa0\x80d"
	typed := url.Values{"fullName": {sent}, "jobTitle": {"b"}, "location": {"c"}, "badges": {sent}, "version": {"1"}, "base.fullName": {sent}}
	signIn := url.Values{"name": {sent}, "password": {"x"}, "kept.id": {""}, "kept.jobTitle": {sent}}
	for name, answer := range map[string]func() (*http.Response, string){
		"name":      func() (*http.Response, string) { return s.get("/?" + url.Values{"name": {sent}}.Encode()) },
		"location":  func() (*http.Response, string) { return s.get("/?" + url.Values{"location": {sent}}.Encode()) },
		"locations": func() (*http.Response, string) { return s.get("/locations?" + url.Values{"name": {sent}}.Encode()) },
		"form":      func() (*http.Response, string) { return s.submit("/employees", typed, nil) },
		"unsent":    func() (*http.Response, string) { return s.as(t, "").submit("/employees/x", typed, nil) },
		"sign-in": func() (*http.Response, string) {
			return s.do(http.MethodPost, "/sign-in", "application/x-www-form-urlencoded", signIn.Encode())
		},
	} {
		_, body := answer()
		if !utf8.ValidString(body) || strings.Contains(body, "\x00") {
			t.Errorf("%s: the page is not text", name)
		}
		if !strings.Contains(body, "a\ufffdb\ufffdc\ufffdd") {
			t.Errorf("%s: the page does not show what was sent: %s", name, body)
		}
	}
}

// FuzzQuery asks for lists by any query: the page is text, and its fields hold what was
// asked for.
func FuzzQuery(f *testing.F) {
	s := newSite(f, nil)
	s.submit("/employees", ada(), nil)
	for _, query := range []string{
		"", "name=Ada&location=London&badge=bug", "name=%22%3E%3Cscript%3E", "after=YQ&from=25", "before=YQ&from=-1", "after=!", "name=%00%ff", "name=a;b&&=%", "location=%C3%9F",
	} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		for _, path := range []string{"/", "/locations"} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
			r.URL.RawQuery = query
			r.RemoteAddr = "127.0.0.1:4711"
			w := httptest.NewRecorder()
			s.handler.ServeHTTP(w, r)
			body := w.Body.String()
			if w.Code == http.StatusServiceUnavailable {
				continue // a busy machine's store may not answer in time
			}
			if w.Code != http.StatusOK && w.Code != http.StatusBadRequest {
				t.Errorf("%s?%q: status %d", path, query, w.Code)
			}
			if !utf8.ValidString(body) || strings.Contains(body, "\x00") {
				t.Errorf("%s?%q: the page is not text", path, query)
			}
			if w.Code != http.StatusOK {
				continue
			}
			values, _ := url.ParseQuery(query)
			asked := strings.ReplaceAll(strings.ToValidUTF8(strings.TrimSpace(values.Get("name")), "\ufffd"), "\x00", "\ufffd")
			_, field, _ := strings.Cut(body, `name="name" value="`)
			if field, _, _ = strings.Cut(field, `"`); html.UnescapeString(field) != asked {
				t.Errorf("%s?%q: the field holds %q", path, query, field)
			}
		}
	})
}

func TestOtherSitesMayNotWrite(t *testing.T) {
	s := newSite(t, nil)
	for name, headers := range map[string][]string{
		"another site":       {"Sec-Fetch-Site", "cross-site"},
		"another subdomain":  {"Sec-Fetch-Site", "same-site"},
		"an older browser":   {"Origin", "https://evil.example"},
		"a page of no place": {"Origin", "null"},
	} {
		t.Run(name, func(t *testing.T) {
			s := s.as(t, s.session)
			res, body := s.do(http.MethodPost, "/api/employees", "application/json", adaJSON, headers...)
			wantStatus(t, res, http.StatusForbidden)
			wantText(t, body, "came from another site", `"status":403`)
			for path, fields := range map[string]url.Values{
				"/employees": ada(), "/sign-in": credentials(accountName, password), "/sign-out": nil,
			} {
				res, body = s.form(path, fields, headers...)
				wantStatus(t, res, http.StatusForbidden)
				wantText(t, body, "came from another site", "<!doctype html>")
				if res.Header.Get("Set-Cookie") != "" {
					t.Errorf("%s sets %q", path, res.Header.Get("Set-Cookie"))
				}
			}
			res, _ = s.do(http.MethodGet, "/employees/new", "", "", headers...)
			wantStatus(t, res, http.StatusOK) // a link
		})
	}
	if got := s.names(); len(got) > 0 {
		t.Errorf("%q was saved", got)
	}
	for _, headers := range [][]string{{"Sec-Fetch-Site", "same-origin"}, {"Sec-Fetch-Site", "none"}, {"Origin", s.URL}, nil} {
		res, _ := s.do(http.MethodPost, "/api/employees", "application/json", adaJSON, headers...)
		wantStatus(t, res, http.StatusCreated)
	}
}
