package web_test

import (
	"context"
	"errors"
	"image/png"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/web"
)

// photoOf returns the addresses of an employee's photo and thumbnail.
func (s *site) photosOf(path string) []string {
	s.t.Helper()
	_, body := s.get("/api" + path)
	r := decode(s.t, body)
	return []string{r.PhotoURL, r.ThumbnailURL}
}

// TestErasedIsErased changes a photo in every way: what was there is gone from its
// addresses at once, every region is asked to erase it, and what stays stays.
func TestErasedIsErased(t *testing.T) {
	first, second := picture(t, 300, 200, png.Encode), picture(t, 200, 300, png.Encode)
	for name, change := range map[string]func(s *site, path string) (*http.Response, bool){
		"deletion of the employee": func(s *site, path string) (*http.Response, bool) {
			res, _ := s.form(path+"/delete", url.Values{"version": {"1"}})
			return res, false
		},
		"deletion by the API": func(s *site, path string) (*http.Response, bool) {
			res, _ := s.do(http.MethodDelete, "/api"+path, "", "")
			return res, false
		},
		"removal in the form": func(s *site, path string) (*http.Response, bool) {
			_, body := s.get(path + "/edit")
			wantText(s.t, body, `name="removePhoto"`, "erased in every region within seconds", "for a day", "30 days")
			fields := ada()
			fields.Set("version", "1")
			fields.Set("removePhoto", "true")
			res, _ := s.submit(path, fields, nil)
			return res, false
		},
		"removal by the API": func(s *site, path string) (*http.Response, bool) {
			res, _ := s.do(http.MethodDelete, "/api"+path+"/photo", "", "", "If-Match", `"1"`)
			return res, false
		},
		"another photo in the form": func(s *site, path string) (*http.Response, bool) {
			fields := ada()
			fields.Set("version", "1")
			fields.Set("removePhoto", "true") // the new one wins
			res, _ := s.submit(path, fields, second)
			return res, true
		},
		"another photo by the API": func(s *site, path string) (*http.Response, bool) {
			res, _ := s.do(http.MethodPut, "/api"+path+"/photo", "image/png", string(second))
			return res, true
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, nil)
			res, _ := s.submit("/employees", ada(), first)
			path := res.Header.Get("Location")
			before := s.photosOf(path)
			other, _ := s.submit("/employees", adaWith("Somebody else"), first)
			kept := s.photosOf(other.Header.Get("Location"))
			for _, address := range before {
				res, _ := s.get(address)
				wantStatus(t, res, http.StatusOK)
				wantText(t, res.Header.Get("Cache-Control"), "max-age=86400")
			}
			res, replaced := change(s, path)
			if res.StatusCode >= 400 {
				t.Fatalf("got %s", res.Status)
			}
			for _, address := range before {
				res, _ := s.get(address)
				wantStatus(t, res, http.StatusNotFound)
				wantText(t, res.Header.Get("Cache-Control"), "no-store")
				// Who has a copy is not told that it is still good.
				for _, tag := range []string{`"` + filepath.Base(address) + `"`, "*"} {
					res, _ = s.do(http.MethodGet, address, "", "", "If-None-Match", tag)
					wantStatus(t, res, http.StatusNotFound)
				}
			}
			if replaced {
				kept = append(kept, s.photosOf(path)...)
			}
			for _, address := range kept {
				res, _ := s.get(address)
				wantStatus(t, res, http.StatusOK)
			}
			erasures, err := s.store.Erasures(t.Context(), time.Time{})
			if err != nil || len(erasures) != 2 {
				t.Fatalf("the regions are asked to erase %v, %v", erasures, err)
			}
			for _, e := range erasures {
				if address := "/photos/" + strings.TrimPrefix(e.Key, directory.PhotoPrefix); address != before[0] && address != before[1] {
					t.Errorf("the regions are asked to erase %s", e.Key)
				}
			}
		})
	}
}

// TestSamePhotoAgainStays: it replaces itself.
func TestSamePhotoAgainStays(t *testing.T) {
	s := newSite(t, nil)
	content := picture(t, 9, 9, png.Encode)
	res, _ := s.submit("/employees", ada(), content)
	path := res.Header.Get("Location")
	before := s.photosOf(path)
	res, _ = s.do(http.MethodPut, "/api"+path+"/photo", "image/png", string(content))
	wantStatus(t, res, http.StatusOK)
	for _, address := range before {
		res, _ := s.get(address)
		wantStatus(t, res, http.StatusOK)
	}
}

// forgetful sessions take no erasures.
type forgetful struct{ directory.Sessions }

func (forgetful) PutErasure(context.Context, directory.Erasure) error {
	return errors.Join(directory.ErrUnavailable, errDown)
}

// TestDeletionThatCannotBeRecordedIsRefused: else a photo could stay in another region.
func TestDeletionThatCannotBeRecordedIsRefused(t *testing.T) {
	s := newSite(t, func(o *web.Options) { o.Sessions = forgetful{o.Sessions} })
	res, _ := s.submit("/employees", ada(), picture(t, 9, 9, png.Encode))
	path := res.Header.Get("Location")
	before := s.photosOf(path)
	res, _ = s.do(http.MethodDelete, "/api"+path, "", "")
	wantStatus(t, res, http.StatusServiceUnavailable)
	res, _ = s.get(before[0])
	wantStatus(t, res, http.StatusOK)
	if len(s.names()) != 1 {
		t.Error("the employee is gone")
	}
}

// TestConflictIsMergedThreeWays: each side's own changes stay, and only what both
// changed is asked.
func TestConflictIsMergedThreeWays(t *testing.T) {
	base := url.Values{"base.fullName": {"Ada <Lovelace>"}, "base.location": {"London"}, "base.jobTitle": {"Analyst"}, "base.badges": {"linux", "bug"}}
	for name, test := range map[string]struct {
		typed, stored url.Values
		want, not     []string
	}{
		"other fields": {
			typed: url.Values{"location": {"Rome"}}, stored: url.Values{"jobTitle": {"Countess"}},
			want: []string{`name="jobTitle" value="Countess"`, `name="location" value="Rome"`, "<strong>Job title</strong>", "Nothing else was changed by both"},
			not:  []string{"Stored now", "Analyst"},
		},
		"the same field": {
			typed: url.Values{"location": {"Rome"}}, stored: url.Values{"location": {"Oslo"}, "jobTitle": {"Countess"}},
			want: []string{`name="jobTitle" value="Countess"`, `name="location" value="Rome"`, "Stored now", `data-value="Oslo"`, "<bdi>Oslo</bdi>"},
			not:  []string{`data-field="jobTitle"`},
		},
		"the same change": {
			typed: url.Values{"location": {"Rome"}}, stored: url.Values{"location": {"Rome"}},
			want: []string{`name="location" value="Rome"`, "Both say the same"}, not: []string{"Stored now"},
		},
		"badges one by one": {
			typed: url.Values{"badges": {"linux", "coffee"}}, stored: url.Values{"badges": {"linux", "bug", "plane"}},
			want: []string{`value="linux" checked`, `value="coffee" checked`, `value="plane" checked`, "<strong>Badges</strong>"},
			not:  []string{`value="bug" checked`, "Stored now"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, nil)
			res, _ := s.submit("/employees", ada(), nil)
			path := res.Header.Get("Location")
			_, body := s.get(path + "/edit")
			for field, values := range base {
				for _, value := range values {
					wantText(t, body, `name="`+field+`" value="`+strings.NewReplacer("<", "&lt;", ">", "&gt;").Replace(value)+`"`)
				}
			}
			send := func(changed url.Values, version string) (*http.Response, string) {
				fields := ada()
				for _, more := range []url.Values{base, changed, {"version": {version}}} {
					for field, values := range more {
						fields[field] = values
					}
				}
				return s.submit(path, fields, nil)
			}
			res, _ = send(test.stored, "1")
			wantStatus(t, res, http.StatusSeeOther)
			res, body = send(test.typed, "1")
			wantStatus(t, res, http.StatusConflict)
			wantText(t, body, append(test.want, `name="version" value="2"`)...)
			for _, text := range test.not {
				if strings.Contains(body, text) {
					t.Errorf("the page holds %q", text)
				}
			}
		})
	}
}

// TestRepeatedFormBringsNoPhotoBack: who sends the form of a new employee again, as
// browsers do, puts no photo that was erased meanwhile.
func TestRepeatedFormBringsNoPhotoBack(t *testing.T) {
	s := newSite(t, nil)
	fields, content := ada(), picture(t, 300, 200, png.Encode)
	fields.Set("key", "k1")
	res, _ := s.submit("/employees", fields, content)
	path := res.Header.Get("Location")
	photos := s.photosOf(path)
	res, _ = s.do(http.MethodDelete, "/api"+path+"/photo", "", "")
	wantStatus(t, res, http.StatusNoContent)
	res, _ = s.submit("/employees", fields, content)
	wantStatus(t, res, http.StatusSeeOther)
	if got := res.Header.Get("Location"); got != path {
		t.Errorf("it leads to %s, want %s", got, path)
	}
	for _, address := range photos {
		res, _ = s.get(address)
		wantStatus(t, res, http.StatusNotFound)
	}
}

// TestFormIsKeptThroughTheSignIn: nothing is typed twice, and nothing is saved
// before it is looked at.
func TestFormIsKeptThroughTheSignIn(t *testing.T) {
	s := newSite(t, nil)
	res, _ := s.submit("/employees", ada(), nil)
	path := res.Header.Get("Location")
	for action, version := range map[string]string{"/employees": "", path: "1"} {
		fields := adaWith(`Berta "B" <Benz>`)
		fields.Set("key", "k1")
		if version != "" {
			fields.Set("version", version)
			fields.Set("base.fullName", "Ada <Lovelace>")
		}
		res, body := s.as(t, "").submit(action, fields, picture(t, 99, 99, png.Encode))
		wantStatus(t, res, http.StatusUnauthorized)
		wantText(t, body, "Nothing was saved", "What you typed is not lost", `name="kept.fullName" value="Berta &#34;B&#34; &lt;Benz&gt;"`)
		hidden := credentials(accountName, "wrong")
		for _, input := range strings.Split(body, `<input type="hidden" name="`)[1:] {
			name, rest, _ := strings.Cut(input, `" value="`)
			value, _, _ := strings.Cut(rest, `">`)
			hidden.Add(name, strings.NewReplacer("&#34;", `"`, "&lt;", "<", "&gt;", ">").Replace(value))
		}
		// A wrong password loses nothing either.
		res, body = s.as(t, "").form("/sign-in", hidden)
		wantStatus(t, res, http.StatusUnauthorized)
		wantText(t, body, `name="kept.fullName" value="Berta &#34;B&#34; &lt;Benz&gt;"`, `name="kept.badges" value="bug"`)
		hidden.Set("password", password)
		res, body = s.as(t, "").form("/sign-in", hidden)
		wantStatus(t, res, http.StatusOK)
		wantText(t, body, "Nothing is saved yet", `name="fullName" value="Berta &#34;B&#34; &lt;Benz&gt;"`, `value="bug" checked`, `action="`+action+`"`)
		if version != "" {
			wantText(t, body, `name="version" value="1"`, `name="base.fullName" value="Ada &lt;Lovelace&gt;"`)
		} else {
			wantText(t, body, `name="key" value="k1"`)
		}
		if len(res.Cookies()) < 2 || len(s.names()) != 1 || s.names()[0] != "Ada <Lovelace>" {
			t.Errorf("the cookies are %v, the employees %q", res.Cookies(), s.names())
		}
	}
	// An employee whom someone deleted meanwhile is to be added again.
	gone := url.Values{"kept.id": {strings.TrimPrefix(path, "/employees/")}, "kept.version": {"1"}, "kept.fullName": {"Berta"}}
	for name, values := range credentials(accountName, password) {
		gone[name] = values
	}
	res, _ = s.do(http.MethodDelete, "/api"+path, "", "")
	wantStatus(t, res, http.StatusNoContent)
	res, body := s.as(t, "").form("/sign-in", gone)
	wantStatus(t, res, http.StatusNotFound)
	wantText(t, body, "Save adds it again", `name="fullName" value="Berta"`, `action="/employees"`)
	// What is not a form of an employee leads back to its page.
	res, body = s.as(t, "").form(path+"/delete", url.Values{"version": {"1"}})
	wantStatus(t, res, http.StatusUnauthorized)
	wantText(t, body, `name="next" value="`+path+`/delete"`)
}

// TestPeopleKeepTheirOwnAccount: another password, and the end of all sessions.
func TestPeopleKeepTheirOwnAccount(t *testing.T) {
	s := newSite(t, nil)
	other := signIn(t, s.handler)
	_, body := s.get("/account")
	wantText(t, body, `autocomplete="new-password"`, "Sign out everywhere", `minlength="12"`)
	const replacement = "twelve purple kites sang"
	change := func(current, replacement, again string) (*http.Response, string) {
		return s.form("/account/password", url.Values{"current": {current}, "new": {replacement}, "again": {again}})
	}
	for want, test := range map[string][3]string{
		"present password is wrong": {"wrong", replacement, replacement},
		"differ":                    {password, replacement, replacement + "x"},
		"harder to guess":           {password, "password1234", "password1234"},
		"12 to 128 characters":      {password, "short", "short"},
	} {
		res, body := change(test[0], test[1], test[2])
		wantText(t, body, want, "Nothing was changed")
		if res.StatusCode < 400 || res.StatusCode >= 500 || strings.Contains(body, test[1]) {
			t.Errorf("%s: got %s, and the page may hold the password", want, res.Status)
		}
	}
	wantSignedIn(t, s.handler, other, true)
	res, _ := change(password, replacement, replacement)
	wantStatus(t, res, http.StatusSeeOther)
	fresh := res.Cookies()[0].Name + "=" + res.Cookies()[0].Value
	wantSignedIn(t, s.handler, other, false)
	wantSignedIn(t, s.handler, s.session, false)
	wantSignedIn(t, s.handler, fresh, true)
	res, _ = s.as(t, "").form("/sign-in", credentials(accountName, password))
	wantStatus(t, res, http.StatusUnauthorized)
	res, _ = s.as(t, "").form("/sign-in", credentials(accountName, replacement))
	wantStatus(t, res, http.StatusSeeOther)
	second := res.Cookies()[0].Name + "=" + res.Cookies()[0].Value

	res, _ = s.as(t, fresh).form("/account/sign-out-everywhere", nil)
	wantStatus(t, res, http.StatusSeeOther)
	for _, h := range []http.Handler{s.handler, s.elsewhere(nil)} {
		wantSignedIn(t, h, fresh, false)
		wantSignedIn(t, h, second, false)
	}
}

// fullStore is an embedded store on a full disk.
type fullStore struct{ directory.Employees }

func (fullStore) Ping(context.Context) error {
	return errors.Join(directory.ErrUnavailable, directory.ErrFull)
}

func (fullStore) Create(context.Context, directory.Employee) (directory.Employee, error) {
	return directory.Employee{}, errors.Join(directory.ErrUnavailable, directory.ErrFull)
}

func TestFullDiskIsSaidToBeOne(t *testing.T) {
	s := newSite(t, func(o *web.Options) { o.Employees = fullStore{o.Employees} })
	for _, ask := range []func() (*http.Response, string){
		func() (*http.Response, string) { return s.get("/readyz") },
		func() (*http.Response, string) { return s.submit("/employees", ada(), nil) },
		func() (*http.Response, string) {
			return s.do(http.MethodPost, "/api/employees", "application/json", adaJSON)
		},
	} {
		res, body := ask()
		wantStatus(t, res, http.StatusInsufficientStorage)
		wantText(t, body, "disk is full", "reading goes on")
	}
	res, _ := s.get("/")
	wantStatus(t, res, http.StatusOK)
	res, _ = s.get("/employees/")
	if res.StatusCode != http.StatusMovedPermanently || res.Header.Get("Location") != "/" {
		t.Errorf("/employees/ leads to %q with %s", res.Header.Get("Location"), res.Status)
	}
}
