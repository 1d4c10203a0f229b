package web_test

import (
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/web"
)

// attempts makes attempts to sign in from an address behind a load balancer,
// until one is one too many, and returns how many were not.
func (s *site) attempts(most int, client, name string) int {
	s.t.Helper()
	for n := range most {
		res, _ := s.form("/sign-in", credentials(name, "a wrong password"), "X-Forwarded-For", client)
		if res.StatusCode == http.StatusTooManyRequests {
			return n
		}
		wantStatus(s.t, res, http.StatusUnauthorized)
	}
	return most
}

func TestAttemptsToSignInAreLimited(t *testing.T) {
	s, clock := newTimedSite(t, func(o *web.Options) {
		o.AllowCleartext = true
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	s.store.Now = clock.Now
	s = s.as(t, "")
	if got := s.attempts(20, "203.0.113.1", accountName); got != 10 {
		t.Errorf("a client may try an account %d times, want 10", got)
	}
	res, body := s.form("/sign-in", credentials("Tester", password), "X-Forwarded-For", "203.0.113.1")
	wantStatus(t, res, http.StatusTooManyRequests)
	wantText(t, body, "There were too many attempts to sign in. Try again in 5 minutes.", `value="Tester"`)
	if got := res.Header.Get("Retry-After"); got != "300" || res.Header.Get("Set-Cookie") != "" {
		t.Errorf("Retry-After is %q, Set-Cookie %q", got, res.Header.Get("Set-Cookie"))
	}
	res, _ = s.do("POST", "/api/session", "application/json", `{"name": "tester", "password": "`+password+`"}`, "X-Forwarded-For", "203.0.113.1")
	wantStatus(t, res, http.StatusTooManyRequests)
	if got := res.Header.Get("Retry-After"); got != "300" {
		t.Errorf("Retry-After is %q", got)
	}
	// 10 attempts failed; names that nobody can have count as well.
	if got := s.attempts(30, "203.0.113.1", "no name at all"); got != 20 {
		t.Errorf("a client may try %d times more, want 20", got)
	}
	// Strangers do not lock anybody out.
	res, _ = s.form("/sign-in", credentials(accountName, password), "X-Forwarded-For", "203.0.113.2")
	wantStatus(t, res, http.StatusSeeOther)
	clock.Advance(5 * time.Minute)
	res, _ = s.form("/sign-in", credentials(accountName, password), "X-Forwarded-For", "203.0.113.1")
	wantStatus(t, res, http.StatusSeeOther)
}

// TestAttemptsAreCountedForAllInstances counts at another one.
func TestAttemptsAreCountedForAllInstances(t *testing.T) {
	s, clock := newTimedSite(t, nil)
	s.store.Now = clock.Now
	wantAttempts(t, s, "failures from 127.0.0.1", 30)
	res, _ := s.form("/sign-in", credentials(accountName, password))
	wantStatus(t, res, http.StatusTooManyRequests)
}

// wantAttempts counts under a key as another instance does.
func wantAttempts(t *testing.T, s *site, key string, count int) {
	t.Helper()
	for range count {
		if _, err := s.store.Count(t.Context(), key, 5*time.Minute); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAttemptsOfManyClientsAtOneAccount(t *testing.T) {
	s, clock := newTimedSite(t, nil)
	s.store.Now = clock.Now
	res, _ := s.as(t, "").form("/sign-in", credentials(accountName, password))
	device := res.Cookies()[1]
	wantAttempts(t, s, "failures at "+accountName, 100)
	res, _ = s.as(t, "").form("/sign-in", credentials(accountName, password))
	wantStatus(t, res, http.StatusTooManyRequests)
	// Who signed in with this browser before gets in, by the page and the API.
	known := s.as(t, device.Name+"="+device.Value)
	res, _ = known.form("/sign-in", credentials(accountName, password))
	wantStatus(t, res, http.StatusSeeOther)
	res, _ = known.do("POST", "/api/session", "application/json", `{"name": "tester", "password": "`+password+`"}`)
	wantStatus(t, res, http.StatusCreated)
}

// TestOfficeSignsInAtNine: many people behind one address, all with the right
// password.
func TestOfficeSignsInAtNine(t *testing.T) {
	s := newSite(t, nil).as(t, "")
	for n := range 70 {
		res, _ := s.form("/sign-in", credentials(accountName, password))
		if res.StatusCode != http.StatusSeeOther {
			t.Fatalf("sign-in %d: %s", n+1, res.Status)
		}
	}
}

// TestWaitingForAHashIsNotAFailure sends far more wrong passwords at once than can be
// checked: no answer is an error of the service's, which would fail a deployment.
func TestWaitingForAHashIsNotAFailure(t *testing.T) {
	s := newSite(t, nil)
	slow := directory.Account{
		Name: "slow", Changed: time.Now(),
		PasswordHash: "$argon2id$v=19$m=65536,t=10,p=1$c2FsdHNhbHRzYWx0c2FsdA$a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2U",
	}
	if err := s.store.CreateAccount(t.Context(), slow); err != nil {
		t.Fatal(err)
	}
	s = s.as(t, "")
	var all sync.WaitGroup
	var busy atomic.Int64
	for range 40 {
		all.Go(func() {
			res, _ := s.do("POST", "/api/session", "application/json", `{"name": "slow", "password": "wrong"}`)
			switch {
			case res.StatusCode == http.StatusTooManyRequests && res.Header.Get("Retry-After") != "":
				busy.Add(1)
			case res.StatusCode != http.StatusUnauthorized:
				t.Errorf("got %s, Retry-After %q", res.Status, res.Header.Get("Retry-After"))
			}
		})
	}
	all.Wait()
	if busy.Load() == 0 {
		t.Error("nobody had to wait too long")
	}
}

func TestNeighboursInIPv6AreOneClient(t *testing.T) {
	for client, want := range map[string]string{
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"2001:db8:1:2::1":      "2001:db8:1:2::/64",
		"fe80::1%eth0":         "fe80::/64",
		"203.0.113.7":          "203.0.113.7",
	} {
		if got := web.Network(netip.MustParseAddr(client)); got != want {
			t.Errorf("%s is of %s, want %s", client, got, want)
		}
	}
}

func TestWritesAreLimited(t *testing.T) {
	s, clock := newTimedSite(t, func(o *web.Options) { o.WriteRate = 0.5 })
	written := 0
	for range 20 {
		res, body := s.do("POST", "/api/employees", "application/json", adaJSON)
		if res.StatusCode == http.StatusTooManyRequests {
			wantText(t, body, "faster than it takes, and nothing was saved. Try again in 2 s.")
			if got := res.Header.Get("Retry-After"); got != "2" {
				t.Errorf("Retry-After is %q", got)
			}
			break
		}
		wantStatus(t, res, http.StatusCreated)
		written++
	}
	if written != 5 || len(s.names()) != written {
		t.Errorf("%d writes were taken at once, %d are stored, want 5", written, len(s.names()))
	}
	res, body := s.submit("/employees", ada(), make([]byte, 5<<20))
	wantStatus(t, res, http.StatusTooManyRequests)
	wantText(t, body, "faster than it takes")
	res, _ = s.get("/employees/new")
	wantStatus(t, res, http.StatusOK)

	other := directory.Account{Name: "other", PasswordHash: passwordHash, Changed: time.Now()}
	if err := s.store.CreateAccount(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	res, _ = s.as(t, "").form("/sign-in", url.Values{"name": {"other"}, "password": {password}})
	wantStatus(t, res, http.StatusSeeOther)
	session := res.Cookies()[0]
	res, _ = s.as(t, session.Name+"="+session.Value).do("POST", "/api/employees", "application/json", adaJSON)
	wantStatus(t, res, http.StatusCreated)

	clock.Advance(2 * time.Second)
	res, _ = s.do("POST", "/api/employees", "application/json", adaJSON)
	wantStatus(t, res, http.StatusCreated)
	res, _ = s.do("POST", "/api/employees", "application/json", adaJSON)
	wantStatus(t, res, http.StatusTooManyRequests)
	res, _ = s.form("/sign-out", nil)
	wantStatus(t, res, http.StatusSeeOther) // not a write
}
