package web_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/service/account"
	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/storetest"
	"github.com/archipelago-cdk/archipelago/service/web"
)

const formType = "application/x-www-form-urlencoded"

// form sends a form without files.
func (s *site) form(path string, fields url.Values, headers ...string) (*http.Response, string) {
	s.t.Helper()
	return s.do(http.MethodPost, path, formType, fields.Encode(), headers...)
}

// credentials are what the form of sign-in has.
func credentials(name, word string) url.Values {
	return url.Values{"name": {name}, "password": {word}}
}

// newTimedSite returns a site for which it is now what the clock says.
func newTimedSite(t *testing.T, change func(*web.Options)) (*site, *storetest.Clock) {
	t.Helper()
	clock := storetest.NewClock()
	return newSite(t, func(o *web.Options) {
		o.Now = clock.Now
		if change != nil {
			change(o)
		}
	}), clock
}

// elsewhere is another instance of a site's service, which knows nothing yet.
func (s *site) elsewhere(change func(*web.Options)) *web.Server {
	o := s.handler.Options
	// Not the stores as the other one asks them.
	o.Employees, o.Accounts, o.Sessions = s.store, s.store, s.store
	if change != nil {
		change(&o)
	}
	return web.New(o)
}

// wantSignedIn asks an instance for a form that only who is signed in gets.
func wantSignedIn(t *testing.T, h http.Handler, session string, want bool) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/employees/new", nil)
	r.RemoteAddr = "127.0.0.1:4711"
	r.Header.Set("Cookie", session)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if got := w.Code == http.StatusOK; got != want || (!got && w.Code != http.StatusSeeOther) {
		t.Errorf("got status %d; signed in should be %t", w.Code, want)
	}
}

func TestSignInAndOut(t *testing.T) {
	s := newSite(t, nil).as(t, "")
	res, _ := s.get("/employees/new")
	wantStatus(t, res, http.StatusSeeOther)
	address := res.Header.Get("Location")
	if address != "/sign-in?next=%2Femployees%2Fnew" {
		t.Errorf("asked to sign in at %q", address)
	}
	res, body := s.get(address)
	wantStatus(t, res, http.StatusOK)
	wantText(t, body, `name="next" value="/employees/new"`, `type="password"`, `autocomplete="current-password"`)

	fields := credentials(" Tester ", password)
	fields.Set("next", "/employees/new")
	res, _ = s.form("/sign-in", fields)
	wantStatus(t, res, http.StatusSeeOther)
	if got := res.Header.Get("Location"); got != "/employees/new" {
		t.Errorf("goes on to %q", got)
	}
	cookie := res.Header.Get("Set-Cookie")
	if !regexp.MustCompile(`^session=[\w-]{43}; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax$`).MatchString(cookie) {
		t.Errorf("the cookie is %q", cookie)
	}
	session, _, _ := strings.Cut(cookie, ";")
	s = s.as(t, session)
	res, _ = s.get("/employees/new")
	wantStatus(t, res, http.StatusOK)
	res, _ = s.get("/sign-in?next=/island")
	if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/island" {
		t.Errorf("who is signed in is sent to %q with %s", res.Header.Get("Location"), res.Status)
	}

	res, _ = s.get("/sign-out")
	wantStatus(t, res, http.StatusMethodNotAllowed)
	wantSignedIn(t, s.handler, session, true)
	res, _ = s.form("/sign-out", nil)
	wantStatus(t, res, http.StatusSeeOther)
	if got := res.Header.Get("Set-Cookie"); got != "session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax" {
		t.Errorf("the cookie is %q", got)
	}
	wantSignedIn(t, s.handler, session, false)
	res, _ = s.form("/sign-out", nil)
	wantStatus(t, res, http.StatusSeeOther) // a second time
}

func TestSignInByAPI(t *testing.T) {
	s := newSite(t, nil)
	res, body := s.as(t, "").do(http.MethodPost, "/api/session", "application/json", `{"name": "tester", "password": "`+password+`"}`)
	wantStatus(t, res, http.StatusCreated)
	wantText(t, body, `"account":"tester"`, `"expires":"`)
	if cookies := res.Header["Set-Cookie"]; len(cookies) != 2 || !regexp.MustCompile(`^device=[\w.-]+; Path=/; Max-Age=15552000; HttpOnly; SameSite=Strict$`).MatchString(cookies[1]) {
		t.Errorf("the cookies are %q", cookies)
	}
	session, _, _ := strings.Cut(res.Header.Get("Set-Cookie"), ";")
	wantSignedIn(t, s.handler, session, true)
	res, _ = s.as(t, session).do(http.MethodDelete, "/api/session", "", "")
	wantStatus(t, res, http.StatusNoContent)
	wantText(t, res.Header.Get("Set-Cookie"), "session=; Path=/; Max-Age=0")
	wantSignedIn(t, s.handler, session, false)
	wantSignedIn(t, s.handler, s.session, true) // another session of the account
}

// TestWrongNameAndWrongPasswordLookAlike, so that nobody learns who has an
// account.
func TestWrongNameAndWrongPasswordLookAlike(t *testing.T) {
	s := newSite(t, nil).as(t, "")
	pages, problems := map[string]bool{}, map[string]bool{}
	for _, fields := range []url.Values{
		credentials(accountName, "a wrong password"),
		credentials("nobody", password),
		credentials(`Nobody "<at>" all`, password),
		credentials("", ""),
	} {
		res, body := s.form("/sign-in", fields)
		wantStatus(t, res, http.StatusUnauthorized)
		if res.Header.Get("Set-Cookie") != "" || res.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("the headers are %v", res.Header)
		}
		name := fields.Get("name")
		kept := `value="` + strings.NewReplacer(`"`, "&#34;", "<", "&lt;", ">", "&gt;").Replace(name) + `"`
		wantText(t, body, "The name or the password is wrong.", `name="name" `+kept)
		pages[strings.Replace(body, kept, "", 1)] = true
		res, body = s.do(http.MethodPost, "/api/session", "application/json", fmt.Sprintf(`{"name": %q, "password": %q}`, name, fields.Get("password")))
		wantStatus(t, res, http.StatusUnauthorized)
		problems[body] = true
	}
	if len(pages) != 1 || len(problems) != 1 {
		t.Errorf("there are %d pages and %d problems, want one of each: %v", len(pages), len(problems), problems)
	}
}

// TestSignInGoesOnToAPathOfThisServiceOnly: anything else could be a page that
// asks for the password again.
func TestSignInGoesOnToAPathOfThisServiceOnly(t *testing.T) {
	s := newSite(t, nil)
	for next, want := range map[string]string{
		"":                          "/",
		"/":                         "/",
		"/employees/new":            "/employees/new",
		"/?name=a%20b&badge=linux":  "/?name=a%20b&badge=linux",
		"/employees/a%2Fb/edit":     "/employees/a%2Fb/edit",
		"/island#top":               "/island",
		"employees":                 "/",
		"//evil.example":            "/",
		"///evil.example":           "/",
		"////evil.example":          "/",
		`/\evil.example`:            "/",
		`\\evil.example`:            "/",
		`/\/evil.example`:           "/",
		"/%2Fevil.example":          "/",
		"/%5Cevil.example":          "/",
		"/\t/evil.example":          "/",
		"\t//evil.example":          "/",
		"/\n/evil.example":          "/",
		" //evil.example":           "/",
		"https://evil.example/":     "/",
		"https:/evil.example/":      "/",
		"https:evil.example":        "/",
		"//user@evil.example/":      "/",
		"javascript:alert(1)":       "/",
		"data:text/html,evil":       "/",
		"%2F%2Fevil.example":        "/",
		"%2Fevil.example":           "/",
		"?next=//evil.example":      "/",
		"/x?next=//evil.example":    "/x?next=//evil.example",
		"/\x00/evil.example":        "/",
		"http://[::1]:namedport/":   "/",
		"/%zz":                      "/",
		strings.Repeat("/", 10_000): "/",
	} {
		if got := web.LocalPath(next); got != want {
			t.Errorf("%q leads to %q, want %q", next, got, want)
		}
	}
	res, _ := s.get("/sign-in?next=" + url.QueryEscape("//evil.example"))
	if got := res.Header.Get("Location"); got != "/" {
		t.Errorf("who is signed in is sent to %q", got)
	}
	fields := credentials(accountName, password)
	fields.Set("next", `/\evil.example`)
	res, _ = s.as(t, "").form("/sign-in", fields)
	if got := res.Header.Get("Location"); got != "/" {
		t.Errorf("who signs in is sent to %q", got)
	}
}

// FuzzNext resolves what comes out as a browser does.
func FuzzNext(f *testing.F) {
	for _, next := range []string{"/", "//evil", `/\evil`, "/%2Fevil", "%2Fevil", "/a/..//evil", "/employees/new?x=1", "/;//evil"} {
		f.Add(next)
	}
	base, err := url.Parse("https://directory.example/sign-in")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, next string) {
		got := web.LocalPath(next)
		// Browsers drop tabs and line breaks, and take a backslash for a slash.
		seen := strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(got)
		u, err := base.Parse(seen)
		if err != nil || u.Host != base.Host || u.Scheme != base.Scheme || !strings.HasPrefix(seen, "/") || strings.HasPrefix(seen, "//") {
			t.Errorf("%q leads to %q, at %v, %v", next, got, u, err)
		}
	})
}

// keeping notes what is kept as sessions.
type keeping struct {
	directory.Sessions
	mu   sync.Mutex
	kept []string
}

func (k *keeping) PutSession(ctx context.Context, key string, data []byte, expiry time.Time) error {
	k.mu.Lock()
	k.kept = append(k.kept, key+" "+string(data))
	k.mu.Unlock()
	return k.Sessions.PutSession(ctx, key, data, expiry)
}

// TestSessionIsNotFixed: nobody can make a browser sign in to a session whose id
// they know.
func TestSessionIsNotFixed(t *testing.T) {
	var store *keeping
	s := newSite(t, func(o *web.Options) {
		store = &keeping{Sessions: o.Sessions}
		o.Sessions = store
	})
	chosen := "session=" + strings.Repeat("x", 43)
	signInWith := func(old string) string {
		t.Helper()
		res, _ := s.as(t, old).form("/sign-in", credentials(accountName, password))
		wantStatus(t, res, http.StatusSeeOther)
		session, _, _ := strings.Cut(res.Header.Get("Set-Cookie"), ";")
		return session
	}
	first := signInWith(chosen)
	if first == chosen {
		t.Error("the session has the id that was chosen for it")
	}
	wantSignedIn(t, s.handler, chosen, false)
	second := signInWith(first)
	if second == first {
		t.Error("the id is the same after another sign-in")
	}
	wantSignedIn(t, s.handler, first, false)
	wantSignedIn(t, s.handler, second, true)
	for _, kept := range store.kept {
		for _, session := range []string{first, second} {
			if strings.Contains(kept, strings.TrimPrefix(session, "session=")) {
				t.Errorf("the id of a session is in the store: %q", kept)
			}
		}
	}
}

func TestSessionEnds(t *testing.T) {
	renewed := directory.Account{Name: accountName, PasswordHash: passwordHash, Changed: time.Now().Add(time.Hour)}
	for name, end := range map[string]func(*testing.T, *site, *storetest.Clock) error{
		"by sign-out at another instance": func(t *testing.T, s *site, _ *storetest.Clock) error {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/sign-out", nil)
			r.RemoteAddr = "127.0.0.1:4711"
			r.Header.Set("Cookie", s.session)
			s.elsewhere(nil).ServeHTTP(httptest.NewRecorder(), r)
			return nil
		},
		"by another password": func(t *testing.T, s *site, _ *storetest.Clock) error {
			return s.store.UpdateAccount(t.Context(), renewed, time.Time{})
		},
		"by the account's removal": func(t *testing.T, s *site, _ *storetest.Clock) error {
			return s.store.DeleteAccount(t.Context(), accountName)
		},
		"by an account of the same name": func(t *testing.T, s *site, _ *storetest.Clock) error {
			if err := s.store.DeleteAccount(t.Context(), accountName); err != nil {
				return err
			}
			return s.store.CreateAccount(t.Context(), renewed)
		},
		"after twelve hours": func(_ *testing.T, _ *site, clock *storetest.Clock) error {
			clock.Advance(12*time.Hour - 2*time.Second)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, clock := newTimedSite(t, nil)
			wantSignedIn(t, s.handler, s.session, true)
			if err := end(t, s, clock); err != nil {
				t.Fatal(err)
			}
			clock.Advance(2 * time.Second)
			wantSignedIn(t, s.handler, s.session, false)
			wantSignedIn(t, s.elsewhere(nil), s.session, false)
		})
	}
}

// TestClocksMayDiffer: the operator's clock is an hour ahead of the service's.
func TestClocksMayDiffer(t *testing.T) {
	s := newSite(t, nil)
	ahead := account.New(s.store, s.store, func() time.Time { return time.Now().Add(time.Hour) })
	if err := ahead.SetPassword(t.Context(), accountName, password); err != nil {
		t.Fatal(err)
	}
	fresh := s.elsewhere(nil)
	wantSignedIn(t, fresh, s.session, false)
	wantSignedIn(t, fresh, signIn(t, fresh), true)
}

func TestSessionThatIsNotKnownToThisVersion(t *testing.T) {
	s, _ := newTimedSite(t, func(o *web.Options) { o.Sessions = &garbled{Sessions: o.Sessions} })
	wantSignedIn(t, s.handler, s.session, false)
	res, _ := s.form("/sign-in", credentials(accountName, password))
	wantStatus(t, res, http.StatusSeeOther)
}

// garbled has sessions that cannot be decoded.
type garbled struct{ directory.Sessions }

func (*garbled) Session(context.Context, string) ([]byte, error) { return []byte("no JSON"), nil }

// TestWritesNeedAnAccount tries every way to change something.
func TestWritesNeedAnAccount(t *testing.T) {
	s := newSite(t, func(o *web.Options) { o.LoadGenerator = true })
	res, _ := s.submit("/employees", ada(), nil)
	path := res.Header.Get("Location")
	for _, session := range []string{"", "session=" + strings.Repeat("x", 43), "session=", "__Host-" + s.session} {
		s := s.as(t, session)
		for _, form := range []string{"/employees/new", path + "/edit", path + "/delete"} {
			res, _ := s.get(form)
			if want := "/sign-in?next=" + url.QueryEscape(form); res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != want {
				t.Errorf("%s leads to %q with %s, want %q", form, res.Header.Get("Location"), res.Status, want)
			}
		}
		for _, send := range []func() (*http.Response, string){
			func() (*http.Response, string) { return s.submit("/employees", ada(), nil) },
			func() (*http.Response, string) { return s.submit("/employees", ada(), make([]byte, 5<<20)) },
			func() (*http.Response, string) { return s.submit(path, ada(), nil) },
			func() (*http.Response, string) { return s.form(path+"/delete", url.Values{"version": {"1"}}) },
			func() (*http.Response, string) {
				return s.form("/island/load", url.Values{"share": {"10"}, "seconds": {"1"}})
			},
			func() (*http.Response, string) { return s.form("/island/load/stop", nil) },
			func() (*http.Response, string) { return s.form("/nowhere", nil) },
		} {
			res, body := send()
			wantStatus(t, res, http.StatusUnauthorized)
			wantText(t, body, "Nothing was saved", `action="/sign-in"`)
		}
		for method, at := range map[string]string{"POST": "/api/employees", "PUT": "/api" + path, "PATCH": "/api" + path, "DELETE": "/api" + path} {
			res, body := s.do(method, at, "application/json", adaJSON)
			wantStatus(t, res, http.StatusUnauthorized)
			wantText(t, body, `"status":401`)
			if res.Header.Get("Content-Type") != "application/problem+json" || !strings.HasPrefix(res.Header.Get("WWW-Authenticate"), "Cookie ") {
				t.Errorf("%s: the headers are %v", method, res.Header)
			}
		}
		res, _ := s.do("PUT", "/api"+path+"/photo", "application/octet-stream", "x")
		wantStatus(t, res, http.StatusUnauthorized)
	}
	if got := s.names(); len(got) != 1 || got[0] != "Ada <Lovelace>" {
		t.Errorf("the employees are %q now", got)
	}
	for _, open := range []string{"/", path, "/api/employees", "/island", "/sign-in", "/static/style.css"} {
		res, _ := s.as(t, "").get(open)
		if res.StatusCode != http.StatusOK {
			t.Errorf("%s: got %s", open, res.Status)
		}
	}
}

// TestNothingOfPeopleIsKeptOnTheWay: a cache between, which many use, would give
// what one who is signed in may read to others.
func TestNothingOfPeopleIsKeptOnTheWay(t *testing.T) {
	s := newSite(t, func(o *web.Options) { o.SignedInReads = true })
	res, _ := s.do(http.MethodPost, "/api/employees", "application/json", adaJSON)
	path := res.Header.Get("Location")
	for _, address := range []string{"/", strings.TrimPrefix(path, "/api"), "/api/employees", path, "/api/locations", "/api/employees/nobody"} {
		res, _ := s.get(address)
		if got := res.Header.Get("Cache-Control"); got != "private, no-cache" {
			t.Errorf("%s: Cache-Control is %q", address, got)
		}
	}
	page := strings.TrimPrefix(path, "/api")
	for _, address := range []string{page + "/edit", page + "/delete", "/account", "/islands", "/island", "/nowhere", "/photos/a/b"} {
		res, _ := s.get(address)
		if got := res.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control is %q", address, got)
		}
	}
}

func TestReadsThatNeedAnAccount(t *testing.T) {
	s := newSite(t, func(o *web.Options) { o.SignedInReads = true })
	res, _ := s.submit("/employees", ada(), picture(t, 4, 4, encodeJPEG))
	path := res.Header.Get("Location")
	_, page := s.get(path)
	_, photo, _ := strings.Cut(page, `src="/photos/`)
	photo, _, _ = strings.Cut(photo, `"`)
	want := map[string]int{
		"/": 303, "/?name=a": 303, path: 303, "/island": 303, "/nowhere": 303, "/employees/new": 303,
		"/photos/" + photo: 401, "/api/employees": 401, "/api" + path: 401, "/api/island": 401, "/api/openapi.json": 401, "/api/nowhere": 401,
		"/sign-in": 200, "/static/style.css": 200, "/livez": 200, "/readyz": 200,
	}
	for address, status := range want {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			res, body := s.as(t, "").do(method, address, "", "")
			if res.StatusCode != status || strings.Contains(body, "Lovelace") {
				t.Errorf("%s %s: got %s, want %d:\n%s", method, address, res.Status, status, body)
			}
		}
		res, _ := s.get(address)
		if opened := res.StatusCode; (status == 303 || status == 401) && opened != 200 && opened != 404 && address != "/sign-in" {
			t.Errorf("%s, signed in: got %s", address, res.Status)
		}
	}
	res, _ = s.as(t, "").get("/?name=a&badge=linux")
	if got := res.Header.Get("Location"); got != "/sign-in?next=%2F%3Fname%3Da%26badge%3Dlinux" {
		t.Errorf("asked to sign in at %q", got)
	}
}

// failing is a store of sessions that does not answer while down is set.
type failing struct {
	directory.Sessions
	down *atomic.Bool
}

func (f failing) err() error {
	if f.down.Load() {
		return errDown
	}
	return nil
}

func (f failing) Session(ctx context.Context, key string) ([]byte, error) {
	if err := f.err(); err != nil {
		return nil, err
	}
	return f.Sessions.Session(ctx, key)
}

func (f failing) DeleteSession(ctx context.Context, key string) error {
	if err := f.err(); err != nil {
		return err
	}
	return f.Sessions.DeleteSession(ctx, key)
}

func (f failing) Count(ctx context.Context, key string, window time.Duration) (int64, error) {
	if err := f.err(); err != nil {
		return 0, err
	}
	return f.Sessions.Count(ctx, key, window)
}

// accountStore has another name than one of its methods.
type accountStore = directory.Accounts

// failingAccounts is a store of accounts that does not answer while down is set.
type failingAccounts struct {
	accountStore
	down *atomic.Bool
}

func (f failingAccounts) Account(ctx context.Context, name string) (directory.Account, error) {
	if f.down.Load() {
		return directory.Account{}, errDown
	}
	return f.accountStore.Account(ctx, name)
}

// TestStoreThatDoesNotKnowWhoIsSignedIn is not a sign-out: what needs an account
// says that it is unavailable, and all else goes on.
func TestStoreThatDoesNotKnowWhoIsSignedIn(t *testing.T) {
	for name, breaks := range map[string]func(*web.Options, *atomic.Bool){
		"sessions": func(o *web.Options, down *atomic.Bool) { o.Sessions = failing{o.Sessions, down} },
		"accounts": func(o *web.Options, down *atomic.Bool) { o.Accounts = failingAccounts{o.Accounts, down} },
	} {
		t.Run(name, func(t *testing.T) {
			var down atomic.Bool
			s, clock := newTimedSite(t, func(o *web.Options) { breaks(o, &down) })
			res, _ := s.submit("/employees", ada(), nil)
			path := res.Header.Get("Location")
			down.Store(true)
			res, _ = s.get("/employees/new")
			wantStatus(t, res, http.StatusOK) // it is known for two seconds
			clock.Advance(2 * time.Second)

			for _, address := range []string{"/", path, "/island", "/api/employees", "/livez", "/static/style.css"} {
				res, body := s.get(address)
				if res.StatusCode != http.StatusOK || strings.Contains(body, "secret") {
					t.Errorf("%s: got %s\n%s", address, res.Status, body)
				}
			}
			unavailable := func(res *http.Response, body string) {
				t.Helper()
				if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || res.Header.Get("Set-Cookie") != "" {
					t.Errorf("got %s, headers %v", res.Status, res.Header)
				}
				if strings.Contains(body, "secret") || strings.Contains(body, password) {
					t.Errorf("it tells too much:\n%s", body)
				}
			}
			unavailable(s.get("/employees/new"))
			unavailable(s.get(path + "/edit"))
			unavailable(s.get("/sign-in"))
			unavailable(s.submit("/employees", ada(), nil))
			unavailable(s.form(path+"/delete", url.Values{"version": {"1"}}))
			unavailable(s.do("DELETE", "/api"+path, "", ""))
			unavailable(s.form("/sign-in", credentials(accountName, password)))
			unavailable(s.do("POST", "/api/session", "application/json", `{"name": "tester", "password": "`+password+`"}`))
			res, _ = s.as(t, "").submit("/employees", ada(), nil)
			wantStatus(t, res, http.StatusUnauthorized) // without a session there is nothing to ask

			down.Store(false)
			res, _ = s.get("/employees/new")
			wantStatus(t, res, http.StatusOK)
			if got := s.names(); len(got) != 1 {
				t.Errorf("the employees are %q now", got)
			}
		})
	}
}

// TestSignOutWhileTheStoreTakesNothing: the browser forgets the session, and this
// instance does not know it any more.
func TestSignOutWhileTheStoreTakesNothing(t *testing.T) {
	for name, signOut := range map[string]func(*site) *http.Response{
		"page": func(s *site) *http.Response {
			res, _ := s.form("/sign-out", nil)
			wantStatus(t, res, http.StatusSeeOther)
			_, body := s.as(t, "flash=signed-out-here").get("/")
			wantText(t, body, "signed out of this browser", "ends within 12 hours")
			return res
		},
		"API": func(s *site) *http.Response {
			res, _ := s.do("DELETE", "/api/session", "", "")
			wantStatus(t, res, http.StatusServiceUnavailable)
			return res
		},
	} {
		t.Run(name, func(t *testing.T) {
			var down atomic.Bool
			s := newSite(t, func(o *web.Options) { o.Sessions = failing{o.Sessions, &down} })
			wantSignedIn(t, s.handler, s.session, true)
			down.Store(true)
			res := signOut(s)
			if got := strings.Join(res.Header["Set-Cookie"], "\n"); !strings.Contains(got, "session=; Path=/; Max-Age=0;") {
				t.Errorf("the cookies are %q", got)
			}
			down.Store(false)
			wantSignedIn(t, s.handler, s.session, false)
			wantSignedIn(t, s.handler, signIn(t, s.handler), true)
		})
	}
}

func TestClosedReadsAreUnavailableWithoutTheStoreOfSessions(t *testing.T) {
	var down atomic.Bool
	s, clock := newTimedSite(t, func(o *web.Options) {
		o.Sessions, o.SignedInReads = failing{o.Sessions, &down}, true
	})
	down.Store(true)
	clock.Advance(2 * time.Second)
	for _, path := range []string{"/", "/api/employees", "/photos/a/b"} {
		res, _ := s.get(path)
		wantStatus(t, res, http.StatusServiceUnavailable)
	}
}

// TestOverTLSTheCookieIsTheHosts plays the load balancer that has the
// certificate.
func TestOverTLSTheCookieIsTheHosts(t *testing.T) {
	s := newSite(t, func(o *web.Options) {
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	over := []string{"X-Forwarded-Proto", "https", "X-Forwarded-For", "203.0.113.7"}
	res, _ := s.as(t, "").form("/sign-in", credentials(accountName, password), over...)
	wantStatus(t, res, http.StatusSeeOther)
	cookie := res.Header.Get("Set-Cookie")
	if !regexp.MustCompile(`^__Host-session=[\w-]{43}; Path=/; Max-Age=43200; HttpOnly; Secure; SameSite=Lax$`).MatchString(cookie) {
		t.Errorf("the cookie is %q", cookie)
	}
	session, _, _ := strings.Cut(cookie, ";")
	res, _ = s.as(t, session).do(http.MethodGet, "/employees/new", "", "", over...)
	wantStatus(t, res, http.StatusOK)
	res, _ = s.as(t, session).do(http.MethodPost, "/api/employees", "application/json", adaJSON, over...)
	if recent := res.Header.Get("Set-Cookie"); !strings.HasPrefix(recent, "recent=") || !strings.Contains(recent, "; Secure;") {
		t.Errorf("the cookie of what changed is %q", recent)
	}
	// A cookie that another host, or a page in the clear, may have set is ignored.
	res, _ = s.as(t, strings.TrimPrefix(session, "__Host-")).do(http.MethodGet, "/employees/new", "", "", over...)
	wantStatus(t, res, http.StatusSeeOther)
}

// TestNoSecretIsTold walks with right and wrong passwords, whole and in the
// wrong place, and reads all that the service said and logged.
func TestNoSecretIsTold(t *testing.T) {
	j := &journal{}
	s := newSite(t, func(o *web.Options) { o.Log = slog.New(slog.NewJSONHandler(j, nil)) })
	const wrong = "wr0ng-s3cret-w0rd"
	var told strings.Builder
	tell := func(_ *http.Response, body string) { told.WriteString(body) }
	tell(s.form("/sign-in", credentials(accountName, password)))
	tell(s.form("/sign-in", credentials(accountName, wrong)))
	tell(s.form("/sign-in", credentials("nobody", wrong)))
	tell(s.do("POST", "/sign-in", "text/plain", "name=tester&password="+wrong))
	tell(s.do("POST", "/sign-in", formType, "password="+wrong+"&%zz"))
	tell(s.do("POST", "/sign-in", formType, "password="+wrong+strings.Repeat("x", 1<<20)))
	tell(s.get("/sign-in?name=tester&password=" + wrong))
	for _, body := range []string{
		`{"name": "tester", "password": "` + password + `"}`,
		`{"name": "tester", "password": "` + wrong + `"}`,
		`{"name": 1, "password": "` + wrong + `"}`,
		`{"nane": "tester", "password": "` + wrong + `"}`,
		`{"name": "tester", "password": ["` + wrong + `"]}`,
		`{"name": "tester", "password": "` + wrong + `", "extra": "` + wrong + `"}`,
		`{"name": "tester", "password": "` + wrong,
		`"` + wrong + `"`,
		`{"name": "tester", "password": "` + wrong + strings.Repeat("x", 1<<20) + `"}`,
	} {
		tell(s.do("POST", "/api/session", "application/json", body))
	}
	tell(s.submit("/employees", ada(), nil))
	tell(s.get("/"))
	tell(s.form("/sign-out", nil))
	token := strings.TrimPrefix(s.session, "session=")
	for _, secret := range []string{password, wrong, token, "$argon2id$"} {
		if strings.Contains(told.String(), secret) {
			t.Errorf("an answer tells %q:\n%s", secret, told.String())
		}
		if strings.Contains(j.b.String(), secret) {
			t.Errorf("the log has %q:\n%s", secret, j.b.String())
		}
	}
	if got := j.lines(t, "signed in"); len(got) != 2 || got[0]["account"] != accountName {
		t.Errorf("the log of sign-ins is %v", got)
	}
}

// FuzzSessionCookie sends any header Cookie: nobody gets in by it, and nothing
// breaks.
func FuzzSessionCookie(f *testing.F) {
	s := newSite(f, nil)
	for _, header := range []string{
		s.session, "session", "session=", "=;=", "session=" + strings.Repeat("x", 43), `session="` + strings.Repeat("x", 41) + `"`,
		"session=a; session=b", "recent=a.b; session=" + strings.Repeat("-", 43), "\x00\xff", strings.Repeat("session=a;", 1000),
	} {
		f.Add(header)
	}
	token := strings.TrimPrefix(s.session, "session=")
	f.Fuzz(func(t *testing.T, header string) {
		for method, path := range map[string]string{http.MethodGet: "/employees/new", http.MethodDelete: "/api/employees/nobody"} {
			r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
			r.RemoteAddr = "127.0.0.1:4711"
			r.Header["Cookie"] = []string{header}
			w := httptest.NewRecorder()
			s.handler.ServeHTTP(w, r)
			// A busy machine's store may not answer in time.
			refused := w.Code == http.StatusSeeOther || w.Code == http.StatusUnauthorized || w.Code == http.StatusServiceUnavailable
			if !refused && (w.Code >= 500 || !strings.Contains(header, token)) {
				t.Errorf("%q: got status %d from %s", header, w.Code, path)
			}
		}
	})
}

// BenchmarkIdentify is what it costs to know who sends a request.
func BenchmarkIdentify(b *testing.B) {
	s := newSite(b, nil)
	nothing := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	identified := s.handler.Protected(nothing)
	for name, test := range map[string]struct {
		handler http.Handler
		cookie  string
	}{
		"bare":      {nothing, s.session},
		"nobody":    {identified, ""},
		"signed-in": {identified, s.session},
	} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/", nil)
			r.RemoteAddr = "127.0.0.1:4711"
			if test.cookie != "" {
				r.Header.Set("Cookie", test.cookie)
			}
			w := httptest.NewRecorder()
			b.ReportAllocs()
			for b.Loop() {
				test.handler.ServeHTTP(w, r)
			}
		})
	}
}
