package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	// sessionLifetime is how long a session lasts from its sign-in.
	sessionLifetime = 12 * time.Hour
	// identifiedFor is how long an instance knows whose a session is without
	// asking the stores again. An end of it holds everywhere within five seconds:
	// these, and the time that a change takes to reach the other regions.
	identifiedFor = 2 * time.Second
	// identifyWithin bounds the stores' answer to whose a session is: a call that
	// is lost is made again, and time is left for the page.
	identifyWithin = 1500 * time.Millisecond
	// mostIdentified is how many sessions an instance knows at once.
	mostIdentified = 4096
	// tokenBytes is how many random bytes a session's id has, and tokenLength its
	// length in base64.
	tokenBytes  = 32
	tokenLength = 43
)

// Names of the cookie that holds a session's id. Browsers take one that begins
// with __Host- over TLS only, and from this very host.
const (
	secureCookie = "__Host-session"
	clearCookie  = "session"
)

// accountKey is the context's key of the account's name for work that is for no one
// request: see forEverybody.
type accountKey struct{}

// accountOf returns the name of the account that a request is signed in with,
// or "".
func accountOf(ctx context.Context) string {
	if state := stateOf(ctx); state != nil {
		return state.account
	}
	name, _ := ctx.Value(accountKey{}).(string)
	return name
}

// errNotSignedIn asks for an account.
var errNotSignedIn = &statusError{status: http.StatusUnauthorized, message: "Sign in first."}

// signedIn returns the name of the account that a request is signed in with, or
// errNotSignedIn, or why that is not known.
func signedIn(ctx context.Context) (string, error) {
	if name := accountOf(ctx); name != "" {
		return name, nil
	}
	if state := stateOf(ctx); state != nil && state.unidentified != nil {
		return "", state.unidentified
	}
	return "", errNotSignedIn
}

// identify finds out who sends a request. A store that does not answer harms
// only what needs an account.
func (s *Server) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token := s.token(r); token != "" {
			state := stateOf(r.Context())
			state.account, state.unidentified = s.sessions.account(r.Context(), token)
		}
		next.ServeHTTP(w, r)
	})
}

// token returns the id of the session that a request brings, or "". One that
// anybody on the network path could have read does not count.
func (s *Server) token(r *http.Request) string {
	if !mayBring(r, clearCookie) || s.inTheClear(r) {
		return ""
	}
	cookie, err := r.Cookie(cookieName(r))
	if err != nil || len(cookie.Value) != tokenLength {
		return ""
	}
	return cookie.Value
}

// mayBring reports whether cookies have to be parsed to find the one whose name
// holds name: most requests bring one of several, or none.
func mayBring(r *http.Request, name string) bool {
	for _, line := range r.Header["Cookie"] {
		if strings.Contains(line, name) {
			return true
		}
	}
	return false
}

// cookieName is that of the cookie, as the connection lets it be.
func cookieName(r *http.Request) string {
	if stateOf(r.Context()).overTLS {
		return secureCookie
	}
	return clearCookie
}

// sessionCookie hands a session's id to the browser, or with none makes it forget the
// one that it has.
func sessionCookie(r *http.Request, token string) *http.Cookie {
	cookie := &http.Cookie{
		Name: cookieName(r), Value: token, Path: "/",
		MaxAge: int(sessionLifetime.Seconds()), HttpOnly: true, Secure: stateOf(r.Context()).overTLS, SameSite: http.SameSiteLaxMode,
	}
	if token == "" {
		cookie.MaxAge = -1
	}
	return cookie
}

// Names of the cookie that makes a browser a known device of the account that it
// signed in with last: see account.Attempt.
const (
	secureDeviceCookie = "__Host-device"
	clearDeviceCookie  = "device"
	// deviceFor is how long, in seconds, it is known: half a year from each sign-in.
	deviceFor = 180 * 24 * 60 * 60
)

// deviceCookie lets the browser keep what makes it known.
func deviceCookie(r *http.Request, device string) *http.Cookie {
	cookie := &http.Cookie{
		Name: clearDeviceCookie, Value: device, Path: "/", MaxAge: deviceFor,
		HttpOnly: true, Secure: stateOf(r.Context()).overTLS, SameSite: http.SameSiteStrictMode,
	}
	if cookie.Secure {
		cookie.Name = secureDeviceCookie
	}
	return cookie
}

// device returns what makes a browser known, or "".
func device(r *http.Request) string {
	cookie, err := r.Cookie(deviceCookie(r, "").Name)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// sessions are who is signed in.
type sessions struct {
	store    directory.Sessions
	accounts directory.Accounts
	known    *lru.Cache[string, identified]
	now      func() time.Time
	log      *slog.Logger
}

// session is what is stored of one.
type session struct {
	Account string `json:"account"`
	// Changed is the account's Changed when the session began, in nanoseconds of
	// the Unix epoch: the session is over once it is another.
	Changed int64     `json:"changed"`
	Expires time.Time `json:"expires"`
}

// identified is whose a session is, as far as it is known; "" where it is invalid.
type identified struct {
	account string
	until   time.Time
}

func newSessions(o Options) *sessions {
	known, err := lru.New[string, identified](mostIdentified)
	if err != nil {
		panic(err) // the size is right
	}
	return &sessions{store: o.Sessions, accounts: o.Accounts, known: known, now: o.Now, log: o.Log}
}

// sessionKey is what a session is stored under: who reads the store cannot take
// part in one.
func sessionKey(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// account returns the name of the account that a session belongs to, or "".
func (s *sessions) account(ctx context.Context, token string) (string, error) {
	now := s.now()
	if known, ok := s.known.Get(token); ok && now.Before(known.until) {
		return known.account, nil
	}
	ctx, cancel := context.WithTimeout(ctx, identifyWithin)
	defer cancel()
	found, err := s.find(ctx, token)
	if err != nil || found.Account == "" {
		s.known.Remove(token)
		return "", err
	}
	until := now.Add(identifiedFor)
	if found.Expires.Before(until) {
		until = found.Expires
	}
	// The token is part of a header, which must not be kept with it.
	s.known.Add(strings.Clone(token), identified{found.Account, until})
	return found.Account, nil
}

// find returns the session of a token, the zero one where there is none. It is
// over once the account was removed or changed.
func (s *sessions) find(ctx context.Context, token string) (session, error) {
	data, err := s.store.Session(ctx, sessionKey(token))
	if errors.Is(err, directory.ErrNotFound) {
		return session{}, nil
	}
	if err != nil {
		return session{}, fmt.Errorf("session: %w", err)
	}
	var found session
	if err := json.Unmarshal(data, &found); err != nil { // of another version of the service
		s.log.LogAttrs(ctx, slog.LevelWarn, "session not readable", slog.String("error", err.Error()))
		return session{}, nil
	}
	account, err := s.accounts.Account(ctx, found.Account)
	if errors.Is(err, directory.ErrNotFound) {
		return session{}, nil
	}
	if err != nil {
		return session{}, fmt.Errorf("account of a session: %w", err)
	}
	if account.Changed.UnixNano() != found.Changed || !s.now().Before(found.Expires) {
		return session{}, nil
	}
	return found, nil
}

// begin begins a session of an account in place of the one that the browser had,
// and returns its id: never one that somebody else may have chosen.
func (s *sessions) begin(ctx context.Context, old string, account directory.Account) (token string, expiry time.Time, err error) {
	if old != "" {
		if err := s.store.DeleteSession(ctx, sessionKey(old)); err != nil {
			return "", time.Time{}, fmt.Errorf("session: %w", err)
		}
		s.known.Remove(old)
	}
	id := make([]byte, tokenBytes)
	_, _ = rand.Read(id) // it never fails
	token = base64.RawURLEncoding.EncodeToString(id)
	expiry = s.now().Add(sessionLifetime).UTC()
	data, err := json.Marshal(session{Account: account.Name, Changed: account.Changed.UnixNano(), Expires: expiry})
	if err != nil {
		return "", time.Time{}, err
	}
	if err := s.store.PutSession(ctx, sessionKey(token), data, expiry); err != nil {
		return "", time.Time{}, fmt.Errorf("session: %w", err)
	}
	return token, expiry, nil
}

// end ends a session. One that there is not has ended. Where the store does not
// take it, this instance at least knows the session no more.
func (s *sessions) end(ctx context.Context, token string) error {
	if err := s.store.DeleteSession(ctx, sessionKey(token)); err != nil {
		s.known.Add(strings.Clone(token), identified{until: s.now().Add(sessionLifetime)})
		return fmt.Errorf("sign-out: %w", err)
	}
	s.known.Remove(token)
	return nil
}
