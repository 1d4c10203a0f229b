package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
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
	// tokenLength is the length of a session's id: 256 bits in base64.
	tokenLength = 43
)

// Names of the cookie that holds a session's id. Browsers take one that begins
// with __Host- over TLS only, and from this very host.
const (
	secureCookie = "__Host-session"
	clearCookie  = "session"
)

// What a session holds.
const (
	accountValue = "account"
	// changedValue is the account's Changed when the session began: the session
	// is over once it is another.
	changedValue = "changed"
)

// accountKey is the context's key of the account's name that is signed in.
type accountKey struct{}

// unidentifiedKey is the context's key of why nobody knows who is signed in.
type unidentifiedKey struct{}

// accountOf returns the name of the account that a request is signed in with,
// or "".
func accountOf(ctx context.Context) string {
	name, _ := ctx.Value(accountKey{}).(string)
	return name
}

// withAccount returns a context of a request that is signed in with an account.
func withAccount(ctx context.Context, name string) context.Context {
	if x := exchangeOf(ctx); x != nil {
		x.account = name
	}
	return context.WithValue(ctx, accountKey{}, name)
}

// errNotSignedIn asks for an account.
var errNotSignedIn = &statusError{status: http.StatusUnauthorized, message: "Sign in first."}

// signedIn returns the name of the account that a request is signed in with, or
// errNotSignedIn, or why that is not known.
func signedIn(ctx context.Context) (string, error) {
	if name := accountOf(ctx); name != "" {
		return name, nil
	}
	if err, ok := ctx.Value(unidentifiedKey{}).(error); ok {
		return "", err
	}
	return "", errNotSignedIn
}

// identify finds out who sends a request. A store that does not answer harms
// only what needs an account.
func (s *Server) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token := s.token(r); token != "" && !s.anonymous(r) {
			name, err := s.sessions.account(r.Context(), token)
			switch {
			case err != nil:
				r = r.WithContext(context.WithValue(r.Context(), unidentifiedKey{}, err))
			case name != "":
				r = r.WithContext(withAccount(r.Context(), name))
			}
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
	if exchangeOf(r.Context()).overTLS {
		return secureCookie
	}
	return clearCookie
}

// sessionCookie hands a session's id to the browser, or with none makes it forget the
// one that it has.
func sessionCookie(r *http.Request, token string) *http.Cookie {
	cookie := &http.Cookie{
		Name: cookieName(r), Value: token, Path: "/",
		MaxAge: int(sessionLifetime.Seconds()), HttpOnly: true, Secure: exchangeOf(r.Context()).overTLS, SameSite: http.SameSiteLaxMode,
	}
	if token == "" {
		cookie.MaxAge = -1
	}
	return cookie
}

// sessions are who is signed in.
type sessions struct {
	manager  *scs.SessionManager
	accounts directory.Accounts
	known    *lru.Cache[string, identified]
	now      func() time.Time
	log      *slog.Logger
}

// identified is whose a session is, as far as it is known.
type identified struct {
	account string
	until   time.Time
}

func newSessions(o Options) *sessions {
	manager := scs.New()
	manager.Store = sessionStore{o.Sessions}
	manager.Codec = sessionCodec{}
	manager.HashTokenInStore = true
	known, err := lru.New[string, identified](mostIdentified)
	if err != nil {
		panic(err) // the size is right
	}
	return &sessions{manager: manager, accounts: o.Accounts, known: known, now: o.Now, log: o.Log}
}

// account returns the name of the account that a session belongs to, or "".
func (s *sessions) account(ctx context.Context, token string) (string, error) {
	now := s.now()
	if known, ok := s.known.Get(token); ok && now.Before(known.until) {
		return known.account, nil
	}
	ctx, cancel := context.WithTimeout(ctx, identifyWithin)
	defer cancel()
	name, deadline, err := s.find(ctx, token)
	if err != nil || name == "" {
		s.known.Remove(token)
		return "", err
	}
	until := now.Add(identifiedFor)
	if deadline.Before(until) {
		until = deadline
	}
	// The token is part of a header, which shall not be kept with it.
	s.known.Add(strings.Clone(token), identified{name, until})
	return name, nil
}

// find asks the stores whose a session is and when it ends. The session is
// invalid once the account was removed or has another password.
func (s *sessions) find(ctx context.Context, token string) (name string, deadline time.Time, err error) {
	ctx, err = s.load(ctx, token)
	if err != nil {
		return "", time.Time{}, err
	}
	name = s.manager.GetString(ctx, accountValue)
	if name == "" {
		return "", time.Time{}, nil
	}
	account, err := s.accounts.Account(ctx, name)
	if errors.Is(err, directory.ErrNotFound) {
		return "", time.Time{}, nil
	}
	if err != nil {
		return "", time.Time{}, fmt.Errorf("account of a session: %w", err)
	}
	deadline = s.manager.Deadline(ctx)
	if account.Changed.UnixNano() != s.manager.GetInt64(ctx, changedValue) || !s.now().Before(deadline) {
		return "", time.Time{}, nil
	}
	return name, deadline, nil
}

// load returns a context with the session of a token; with a new one where the
// the token is unknown or its stored session cannot be decoded.
func (s *sessions) load(ctx context.Context, token string) (context.Context, error) {
	loaded, err := s.manager.Load(ctx, token)
	if errors.Is(err, errUnreadableSession) {
		s.log.LogAttrs(ctx, slog.LevelWarn, "session not readable", slog.String("error", err.Error()))
		loaded, err = s.manager.Load(ctx, "")
	}
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	return loaded, nil
}

// errUnreadableSession means that a store answered, but not with a session.
var errUnreadableSession = errors.New("unreadable session")

// sessionCodec is scs's own, and tells its errors from the stores'.
type sessionCodec struct{ scs.GobCodec }

// Decode implements scs.Codec.
func (c sessionCodec) Decode(b []byte) (time.Time, map[string]any, error) {
	deadline, values, err := c.GobCodec.Decode(b)
	if err != nil {
		err = fmt.Errorf("%w: %w", errUnreadableSession, err)
	}
	return deadline, values, err
}

// begin begins a session of an account in place of the one that the browser had,
// and returns its id: never one that somebody else may have chosen.
func (s *sessions) begin(ctx context.Context, old string, account directory.Account) (token string, expiry time.Time, err error) {
	ctx, err = s.load(ctx, old)
	if err != nil {
		return "", time.Time{}, err
	}
	if err := s.manager.RenewToken(ctx); err != nil {
		return "", time.Time{}, fmt.Errorf("session: %w", err)
	}
	s.known.Remove(old)
	s.manager.SetDeadline(ctx, s.now().Add(sessionLifetime).UTC())
	s.manager.Put(ctx, accountValue, account.Name)
	s.manager.Put(ctx, changedValue, account.Changed.UnixNano())
	if token, expiry, err = s.manager.Commit(ctx); err != nil {
		return "", time.Time{}, fmt.Errorf("session: %w", err)
	}
	return token, expiry, nil
}

// end ends a session. One that there is not has ended.
func (s *sessions) end(ctx context.Context, token string) error {
	ctx, err := s.load(ctx, token)
	if err == nil {
		err = s.manager.Destroy(ctx)
	}
	if err != nil {
		return fmt.Errorf("sign-out: %w", err)
	}
	s.known.Remove(token)
	return nil
}

// sessionStore is a directory.Sessions as scs asks for it.
type sessionStore struct{ directory.Sessions }

// FindCtx implements scs.CtxStore.
func (s sessionStore) FindCtx(ctx context.Context, key string) ([]byte, bool, error) {
	data, err := s.Session(ctx, key)
	if errors.Is(err, directory.ErrNotFound) {
		return nil, false, nil
	}
	return data, err == nil, err
}

// CommitCtx implements scs.CtxStore.
func (s sessionStore) CommitCtx(ctx context.Context, key string, data []byte, expiry time.Time) error {
	return s.PutSession(ctx, key, data, expiry)
}

// DeleteCtx implements scs.CtxStore.
func (s sessionStore) DeleteCtx(ctx context.Context, key string) error {
	return s.DeleteSession(ctx, key)
}

// Find, Commit and Delete are for callers without a context, of which there are
// none.
func (s sessionStore) Find(key string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), key)
}

// Commit implements scs.Store.
func (s sessionStore) Commit(key string, data []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), key, data, expiry)
}

// Delete implements scs.Store.
func (s sessionStore) Delete(key string) error { return s.DeleteCtx(context.Background(), key) }
