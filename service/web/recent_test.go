package web_test

import (
	"context"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/web"
)

// lagging is a store whose index shows nothing that came after it stopped.
type lagging struct {
	directory.Employees
	stopped directory.Page
}

// newLagging is a site whose lists lag behind, and its store.
func newLagging(t *testing.T) (*site, *lagging) {
	t.Helper()
	var index *lagging
	s := newSite(t, func(o *web.Options) {
		index = &lagging{Employees: o.Employees}
		o.Employees = index
	})
	return s.withCookies(), index
}

func (l *lagging) Page(context.Context, directory.Query) (directory.Page, error) {
	return directory.Page{Employees: append([]directory.Employee(nil), l.stopped.Employees...), Next: l.stopped.Next}, nil
}

// withCookies makes the site's client keep cookies, as a browser does.
func (s *site) withCookies() *site {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Client().Jar = jar
	return s
}

func adaWith(name string) url.Values {
	fields := ada()
	fields.Set("fullName", name)
	return fields
}

func TestOwnWritesAreListedAtOnce(t *testing.T) {
	s, index := newLagging(t)
	listed := func(want, never string) {
		t.Helper()
		_, body := s.get("/")
		wantText(t, body, want)
		if strings.Contains(body, never) {
			t.Errorf("the list has %q still", never)
		}
		_, body = s.get("/api/employees")
		wantText(t, body, want)
	}

	res, _ := s.submit("/employees", adaWith("Berta Benz"), nil)
	wantStatus(t, res, http.StatusSeeOther)
	listed("Berta Benz", "Nobody is here yet")

	path := res.Header.Get("Location")
	index.stopped, _ = index.Employees.Page(t.Context(), directory.Query{Limit: 10})
	fields := adaWith("Cleo Cole")
	fields.Set("version", "1")
	res, _ = s.submit(path, fields, nil)
	wantStatus(t, res, http.StatusSeeOther)
	listed("Cleo Cole", "Berta Benz")
	_, body := s.get("/?name=berta")
	if strings.Contains(body, "Cleo") || strings.Contains(body, "Berta") {
		t.Error("the list by name has who is not called so any more")
	}
	_, body = s.get(path)
	wantText(t, body, "Cleo Cole")

	res, _ = s.do(http.MethodPost, path+"/delete", "application/x-www-form-urlencoded", "version=2")
	wantStatus(t, res, http.StatusSeeOther)
	listed("", "Cleo Cole")
}

// TestPagesGoOnBehindOwnWrites: one that was just added does not push another
// off both pages.
func TestPagesGoOnBehindOwnWrites(t *testing.T) {
	s, index := newLagging(t)
	for _, name := range []string{"A", "B", "C"} {
		s.submit("/employees", adaWith(name), nil)
	}
	index.stopped, _ = index.Employees.Page(t.Context(), directory.Query{Limit: 2})
	s.submit("/employees", adaWith("AA"), nil)
	_, body := s.get("/api/employees?limit=2")
	wantText(t, body, `"fullName":"A"`, `"fullName":"AA"`)
	if strings.Contains(body, `"fullName":"B"`) {
		t.Fatalf("the page is longer than its limit: %s", body)
	}
	next := decode(t, body).Next
	index.stopped, _ = index.Employees.Page(t.Context(), directory.Query{Limit: 2, After: next})
	_, body = s.get("/api/employees?limit=2&after=" + next)
	wantText(t, body, `"fullName":"B"`, `"fullName":"C"`)
}

// counting counts how often the list is read.
type counting struct {
	directory.Employees
	pages atomic.Int64
}

func (c *counting) Page(ctx context.Context, q directory.Query) (directory.Page, error) {
	c.pages.Add(1)
	return c.Employees.Page(ctx, q)
}

func TestManyReadersAskTheStoreOnce(t *testing.T) {
	var store *counting
	s := newSite(t, func(o *web.Options) {
		store = &counting{Employees: o.Employees}
		o.Employees = store
	})
	first, _ := s.get("/")
	for range 20 {
		s.get("/")
	}
	if n := store.pages.Load(); n > 2 { // a second may have passed meanwhile
		t.Errorf("the store was asked %d times for one page", n)
	}
	res, body := s.do(http.MethodGet, "/", "", "", "If-None-Match", first.Header.Get("ETag"))
	wantStatus(t, res, http.StatusNotModified)
	if body != "" {
		t.Errorf("an unchanged page was sent again: %s", body)
	}
}

func TestOthersSeeAWriteOfTheSameInstance(t *testing.T) {
	s := newSite(t, nil)
	s.get("/")
	s.submit("/employees", adaWith("Berta Benz"), nil)
	_, body := s.get("/") // without the cookie
	wantText(t, body, "Berta Benz")
}

func TestFormThatIsSentTwiceAddsOne(t *testing.T) {
	s := newSite(t, nil)
	fields := ada()
	fields.Set("key", "k1")
	first, _ := s.submit("/employees", fields, nil)
	second, _ := s.submit("/employees", fields, nil)
	if a, b := first.Header.Get("Location"), second.Header.Get("Location"); a != b || a == "" {
		t.Errorf("the first went to %q, the second to %q", a, b)
	}
	fields.Set("location", "Rome")
	res, body := s.submit("/employees", fields, nil)
	wantStatus(t, res, http.StatusUnprocessableEntity)
	wantText(t, body, "This was sent before", `value="Rome"`)
	if strings.Contains(body, `value="k1"`) {
		t.Error("the form would be refused for ever")
	}
	if got := s.names(); len(got) != 1 {
		t.Errorf("there are %q", got)
	}
}

func TestIdempotencyKey(t *testing.T) {
	s := newSite(t, nil)
	post := func(body string) (*http.Response, record) {
		res, answer := s.do(http.MethodPost, "/api/employees", "application/json", body, "Idempotency-Key", "k")
		return res, decode(t, answer)
	}
	_, a := post(adaJSON)
	res, b := post(adaJSON)
	wantStatus(t, res, http.StatusCreated)
	if a.ID != b.ID {
		t.Errorf("two employees were added: %q, %q", a.ID, b.ID)
	}
	res, _ = post(strings.Replace(adaJSON, "London", "Rome", 1))
	wantStatus(t, res, http.StatusUnprocessableEntity)
}

// TestAnswerMayBeSentBack: a program changes a field of what it was given.
func TestAnswerMayBeSentBack(t *testing.T) {
	s := newSite(t, nil)
	res, body := s.do(http.MethodPost, "/api/employees", "application/json", adaJSON)
	res, body = s.do(http.MethodPut, res.Header.Get("Location"), "application/json", strings.Replace(body, "London", "Rome", 1))
	wantStatus(t, res, http.StatusOK)
	wantText(t, body, `"location":"Rome"`, `"version":2`)
}

func TestETags(t *testing.T) {
	s := newSite(t, nil)
	res, _ := s.do(http.MethodPost, "/api/employees", "application/json", adaJSON)
	path, first := res.Header.Get("Location"), res.Header.Get("ETag")
	if first != `"1"` {
		t.Errorf("the first version's ETag is %q", first)
	}
	res, _ = s.do(http.MethodGet, path, "", "", "If-None-Match", first)
	wantStatus(t, res, http.StatusNotModified)
	res, body := s.do(http.MethodPatch, path, "application/json", `{"location": "Rome"}`, "If-Match", first)
	wantStatus(t, res, http.StatusOK)
	wantText(t, body, `"fullName":"Ada"`, `"location":"Rome"`, `"jobTitle":"Analyst"`, `"badges":["linux"]`, `"version":2`)
	for name, test := range map[string]struct {
		method, body, ifMatch string
		status                int
	}{
		"an update of a stale version":   {http.MethodPut, adaJSON, first, http.StatusPreconditionFailed},
		"a patch of a stale version":     {http.MethodPatch, `{"location": "Oslo"}`, first, http.StatusPreconditionFailed},
		"a deletion of a stale version":  {http.MethodDelete, "", first, http.StatusPreconditionFailed},
		"a patch of no version":          {http.MethodPatch, `{"location": "Oslo"}`, "", http.StatusPreconditionRequired},
		"an invalid ETag":                {http.MethodPatch, `{"location": "Oslo"}`, `"x"`, http.StatusPreconditionFailed},
		"a deletion of version 0":        {http.MethodDelete, "", `"0"`, http.StatusPreconditionFailed},
		"a stale version in the body":    {http.MethodPatch, `{"location": "Oslo", "version": 1}`, "", http.StatusConflict},
		"a version that is not the ETag": {http.MethodPatch, `{"location": "Oslo", "version": 1}`, `"2"`, http.StatusPreconditionFailed},
	} {
		t.Run(name, func(t *testing.T) {
			headers := []string{}
			if test.ifMatch != "" {
				headers = append(headers, "If-Match", test.ifMatch)
			}
			res, _ := s.do(test.method, path, "application/json", test.body, headers...)
			wantStatus(t, res, test.status)
			_, now := s.get(path)
			wantText(t, now, `"location":"Rome"`, `"version":2`)
		})
	}
	res, _ = s.do(http.MethodDelete, path, "", "", "If-Match", `"2"`)
	wantStatus(t, res, http.StatusNoContent)
}

func TestDeletionOfWhatChangedMeanwhile(t *testing.T) {
	s := newSite(t, nil)
	res, _ := s.submit("/employees", ada(), nil)
	path := res.Header.Get("Location")
	fields := adaWith("Berta Benz")
	fields.Set("version", "1")
	s.submit(path, fields, nil)
	res, body := s.do(http.MethodPost, path+"/delete", "application/x-www-form-urlencoded", "version=1")
	wantStatus(t, res, http.StatusConflict)
	wantText(t, body, "Berta Benz", "Nothing was deleted", `name="version" value="2"`)
	if got := s.names(); len(got) != 1 {
		t.Errorf("there are %q", got)
	}
}

// TestDeletionOfNoVersion: what is not a form of a deletion deletes nothing.
func TestDeletionOfNoVersion(t *testing.T) {
	s := newSite(t, nil)
	res, _ := s.submit("/employees", ada(), nil)
	path := res.Header.Get("Location") + "/delete"
	for name, fields := range map[string]url.Values{
		"none":      nil,
		"zero":      {"version": {"0"}},
		"too large": {"version": {"1"}, "more": {strings.Repeat("x", 16<<10)}},
	} {
		res, _ := s.form(path, fields)
		want := http.StatusBadRequest
		if name == "too large" {
			want = http.StatusRequestEntityTooLarge
		}
		if res.StatusCode != want || len(s.names()) != 1 {
			t.Errorf("%s: got status %d, and there are %q", name, res.StatusCode, s.names())
		}
	}
}

// TestEditOfWhatWasDeletedMeanwhile: what was typed is kept, and can be added.
func TestEditOfWhatWasDeletedMeanwhile(t *testing.T) {
	s := newSite(t, nil)
	res, _ := s.submit("/employees", ada(), nil)
	path := res.Header.Get("Location")
	s.form(path+"/delete", url.Values{"version": {"1"}})
	fields := adaWith("Berta Benz")
	fields.Set("version", "1")
	res, body := s.submit(path, fields, nil)
	wantStatus(t, res, http.StatusNotFound)
	wantText(t, body, "Someone else deleted this employee meanwhile.", `value="Berta Benz"`, `action="/employees"`, `name="key"`)
	if got := s.names(); len(got) > 0 {
		t.Errorf("there are %q", got)
	}
}

// TestInvalidEditIsAnsweredWithItsForm, and not with the form of a new employee.
func TestInvalidEditIsAnsweredWithItsForm(t *testing.T) {
	s := newSite(t, nil)
	res, _ := s.submit("/employees", ada(), nil)
	path := res.Header.Get("Location")
	res, body := s.do(http.MethodPost, path, "text/plain", "hello")
	wantStatus(t, res, http.StatusBadRequest)
	wantText(t, body, `action="`+path+`"`, `name="version" value="1"`)
}

// TestValidationKeepsTheVersion: a form that comes back for another reason must
// not become newer by it.
func TestValidationKeepsTheVersion(t *testing.T) {
	s := newSite(t, nil)
	res, _ := s.submit("/employees", ada(), nil)
	path := res.Header.Get("Location")
	fields := adaWith("Berta Benz")
	fields.Set("version", "1")
	s.submit(path, fields, nil)
	fields = adaWith("")
	fields.Set("version", "1")
	res, body := s.submit(path, fields, nil)
	wantStatus(t, res, http.StatusUnprocessableEntity)
	wantText(t, body, `name="version" value="1"`)
}

func FuzzRecentCookie(f *testing.F) {
	f.Add("a.b.c")
	f.Add(strings.Repeat("a.", 5000))
	f.Fuzz(func(t *testing.T, value string) {
		ids := web.RecentIDs(value)
		if len(ids) > 8 {
			t.Errorf("%d ids", len(ids))
		}
		for _, id := range ids {
			if !directory.ValidID(id) {
				t.Errorf("%q is not an id", id)
			}
		}
	})
}
