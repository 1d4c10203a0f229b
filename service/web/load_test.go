package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/service/web"
)

func burn(share, seconds string) url.Values {
	return url.Values{"share": {share}, "seconds": {seconds}}
}

func TestLoadIsOffUnlessItIsSwitchedOn(t *testing.T) {
	s := newSite(t, nil)
	_, body := s.get("/island")
	if strings.Contains(body, "/island/load") {
		t.Errorf("the page offers a load:\n%s", body)
	}
	for _, path := range []string{"/island/load", "/island/load/stop"} {
		res, _ := s.form(path, burn("10", "1"))
		wantStatus(t, res, http.StatusNotFound)
	}
}

func TestLoad(t *testing.T) {
	s := newSite(t, func(o *web.Options) { o.LoadGenerator = true })
	t.Cleanup(s.handler.Drain)
	_, body := s.get("/island")
	wantText(t, body, "burns nothing", `action="/island/load"`)
	_, body = s.as(t, "").get("/island")
	wantText(t, body, "burns nothing", `href="/sign-in?next=/island"`)

	for _, wrong := range []url.Values{
		burn("9", "10"), burn("101", "10"), burn("50", "0"), burn("50", "601"), burn("-50", "10"), burn("half", "10"), burn("50", "1e2"), nil,
	} {
		res, body := s.form("/island/load", wrong)
		wantStatus(t, res, http.StatusUnprocessableEntity)
		wantText(t, body, "Choose a share from 10 to 100 % and a time from 1 to 600 seconds.", "burns nothing")
	}

	res, body := s.form("/island/load", burn("10", "600"))
	wantStatus(t, res, http.StatusOK)
	wantText(t, body, "Instance <strong>i-1</strong> burns 10 % of its CPU until", "for tester.", `action="/island/load/stop"`)
	_, body = s.as(t, "").get("/island")
	wantText(t, body, "burns 10 % of its CPU")
	res, body = s.form("/island/load", burn("20", "600"))
	wantStatus(t, res, http.StatusConflict)
	wantText(t, body, "one load at a time", "burns 10 % of its CPU")

	res, body = s.form("/island/load/stop", nil)
	wantStatus(t, res, http.StatusOK)
	wantText(t, body, "The load has ended.", "burns nothing")
	res, body = s.form("/island/load/stop", nil)
	wantStatus(t, res, http.StatusOK)
	wantText(t, body, "This instance burns nothing. If another one does")
}

func TestLoadEndsWithTheService(t *testing.T) {
	s := newSite(t, func(o *web.Options) { o.LoadGenerator = true })
	res, _ := s.form("/island/load", burn("10", "600"))
	wantStatus(t, res, http.StatusOK)
	s.handler.Drain()
	_, body := s.get("/island")
	wantText(t, body, "burns nothing")
	res, body = s.form("/island/load", burn("10", "600"))
	wantStatus(t, res, http.StatusServiceUnavailable)
	wantText(t, body, "shutting down", "burns nothing")
	if res.Header.Get("Retry-After") == "" {
		t.Error("there is no Retry-After")
	}
}
