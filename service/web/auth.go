package web

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/archipelago-cdk/archipelago/service/account"
	"github.com/archipelago-cdk/archipelago/service/setting"
	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// Addresses by which people and programs sign in and out.
const (
	signInPath  = "/sign-in"
	signOutPath = "/sign-out"
	sessionPath = "/api/session"
)

const (
	// maxSmallBody is the most bytes of what is read into memory: JSON, and a form
	// without files.
	maxSmallBody = 16 << 10
	// signInWithin bounds a sign-in, with the wait for others' hashes.
	signInWithin = 2500 * time.Millisecond
)

// anonymous reports whether a request is answered alike for every user.
func (s *Server) anonymous(r *http.Request) bool {
	path := r.URL.Path
	return path == setting.LivePath || path == setting.ReadyPath || strings.HasPrefix(path, "/static/") ||
		(!s.SignedInReads && isRead(r.Method) && strings.HasPrefix(path, "/photos/"))
}

// isSignInOrOut reports whether a request is one that nobody has to be signed in
// for, since it is how one gets there and back.
func isSignInOrOut(r *http.Request) bool {
	return r.URL.Path == signInPath || r.URL.Path == signOutPath || r.URL.Path == sessionPath
}

// authorize asks for an account where one is needed.
func (s *Server) authorize(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.anonymous(r) || isSignInOrOut(r) || (isRead(r.Method) && !s.SignedInReads) {
			next.ServeHTTP(w, r)
			return
		}
		name, err := signedIn(r.Context())
		if err == nil && !isRead(r.Method) {
			err = s.writes.take(name, s.Now())
		}
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// signIn is the page on which people sign in.
type signIn struct {
	// Name is what was typed as the account's.
	Name string
	// Next is the path to go on with.
	Next string
	// Message is what was wrong, or "".
	Message string
	// Unsent reports whether a form was sent that needs an account: the page
	// stands where its answer would.
	Unsent bool
}

// refuse answers a request that err keeps from what it asks for: people who are
// to sign in can do so.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	page := !strings.HasPrefix(r.URL.Path, "/api/") && !strings.HasPrefix(r.URL.Path, "/photos/")
	if page && !isRead(r.Method) {
		// A browser shows an answer only once it has sent all.
		_, _ = io.Copy(io.Discard, r.Body)
	}
	switch {
	case !page || !errors.Is(err, errNotSignedIn):
		s.fail(w, r, err)
	case isRead(r.Method):
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, signInPath+"?"+url.Values{"next": {r.URL.RequestURI()}}.Encode(), http.StatusSeeOther)
	default:
		s.errors(func(w http.ResponseWriter, r *http.Request) error {
			return s.renderSignIn(w, r, signIn{Next: "/", Unsent: true}, err)
		}).ServeHTTP(w, r)
	}
}

// withSignIn is a page that is of use only to those who are signed in.
func (s *Server) withSignIn(h func(http.ResponseWriter, *http.Request) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		if _, err := signedIn(r.Context()); err != nil {
			s.refuse(w, r, err)
			return nil
		}
		return h(w, r)
	}
}

func (s *Server) signInForm(w http.ResponseWriter, r *http.Request) error {
	next := localPath(r.URL.Query().Get("next"))
	switch _, err := signedIn(r.Context()); {
	case err == nil:
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, next, http.StatusSeeOther)
		return nil
	case errors.Is(err, errNotSignedIn):
		return s.renderSignIn(w, r, signIn{Next: next}, nil)
	default:
		return err
	}
}

// renderSignIn shows f, and what err says is wrong with it.
func (s *Server) renderSignIn(w http.ResponseWriter, r *http.Request, f signIn, err error) error {
	status := http.StatusOK
	if err != nil {
		problem := statusOf(err)
		s.logFailure(r.Context(), r.URL.Path, problem)
		problem.setHeader(w.Header())
		status, f.Message = problem.status, problem.message
	}
	w.Header().Set("Cache-Control", "no-store")
	return s.render(w, r, status, "sign-in", "Sign in", f)
}

// readSmallForm reads a form without files into r.PostForm.
func readSmallForm(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxSmallBody)
	if err := r.ParseForm(); err != nil {
		return &statusError{http.StatusBadRequest, "The form could not be read; open it again.", err}
	}
	return nil
}

// signIn signs a person in.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request) error {
	if err := readSmallForm(w, r); err != nil {
		return err
	}
	f := signIn{Name: strings.TrimSpace(r.PostForm.Get("name")), Next: localPath(r.PostForm.Get("next"))}
	cookie, _, err := s.beginSession(r, f.Name, r.PostForm.Get("password"))
	if err != nil {
		return s.renderSignIn(w, r, f, err)
	}
	http.SetCookie(w, cookie)
	s.setFlash(w, r, "signed-in")
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, f.Next, http.StatusSeeOther)
	return nil
}

// signOut ends the session of a person.
func (s *Server) signOut(w http.ResponseWriter, r *http.Request) error {
	if err := s.endSession(r); err != nil {
		return err
	}
	http.SetCookie(w, sessionCookie(r, ""))
	s.setFlash(w, r, "signed-out")
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

// beginSession returns the cookie of a new session and the session's end if the
// password is the account's.
func (s *Server) beginSession(r *http.Request, name, password string) (*http.Cookie, signedInAs, error) {
	ctx, cancel := context.WithTimeout(r.Context(), signInWithin)
	defer cancel()
	name = strings.ToLower(strings.TrimSpace(name))
	if err := s.countAttempt(ctx, exchangeOf(ctx).client, name); err != nil {
		return nil, signedInAs{}, err
	}
	who, err := s.accounts.SignIn(ctx, name, password)
	if errors.Is(err, account.ErrRefused) {
		return nil, signedInAs{}, &statusError{http.StatusUnauthorized, "The name or the password is wrong.", err}
	}
	if err != nil {
		return nil, signedInAs{}, err
	}
	token, expiry, err := s.sessions.begin(ctx, s.token(r), who)
	if err != nil {
		return nil, signedInAs{}, err
	}
	s.Log.LogAttrs(ctx, slog.LevelInfo, "signed in", slog.String("account", who.Name), slog.String("client", exchangeOf(ctx).client.String()))
	return sessionCookie(r, token), signedInAs{who.Name, expiry}, nil
}

// endSession ends the session that a request brings, if it brings one.
func (s *Server) endSession(r *http.Request) error {
	token := s.token(r)
	if token == "" {
		return nil
	}
	return s.sessions.end(r.Context(), token)
}

// localPath is next if it is a path on this service, else "/". Browsers read
// "//host", and a backslash for any slash of it, as another site's address.
func localPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" ||
		!strings.HasPrefix(next, "/") || strings.HasPrefix(u.Path, "//") || strings.Contains(u.Path, `\`) {
		return "/"
	}
	return u.RequestURI()
}

// signedInAs is what a program learns of its session.
type signedInAs struct {
	Account string    `json:"account" doc:"Name of the account"`
	Expires time.Time `json:"expires" doc:"When the session ends"`
}

type (
	signInInput struct {
		Body struct {
			Name     string `json:"name" doc:"Name of the account"`
			Password string `json:"password" format:"password" doc:"Its password"`
		}
	}
	signInOutput struct {
		SetCookie string `header:"Set-Cookie" doc:"The session, to be sent with what needs an account"`
		Body      signedInAs
	}
	signOutOutput struct {
		SetCookie string `header:"Set-Cookie" doc:"Tells the client to forget the session"`
	}
)

// requestKey is the context's key of the request, for the operations that need
// more of it than their input says.
type requestKey struct{}

// sessionScheme is the session's name in the OpenAPI document.
const sessionScheme = "session"

// withoutValues keeps what a client sent, a password for one, out of the errors
// about it.
func withoutValues(_ huma.Context, _ string, answer any) (any, error) {
	if problem, ok := answer.(*huma.ErrorModel); ok {
		for _, detail := range problem.Errors {
			detail.Value = nil
		}
	}
	return answer, nil
}

// apiSession adds the operations by which programs sign in and out.
func (s *Server) apiSession(api huma.API) {
	withRequest := func(ctx huma.Context, next func(huma.Context)) {
		r, _ := humago.Unwrap(ctx)
		next(huma.WithValue(ctx, requestKey{}, r))
	}
	huma.Register(api, huma.Operation{
		Method: http.MethodPost, Path: sessionPath, OperationID: "sign-in", Summary: "Sign in",
		DefaultStatus: http.StatusCreated, MaxBodyBytes: maxSmallBody, BodyReadTimeout: ReadTimeout,
		Middlewares: huma.Middlewares{withRequest},
	}, func(ctx context.Context, in *signInInput) (*signInOutput, error) {
		cookie, session, err := s.beginSession(requestOf(ctx), in.Body.Name, in.Body.Password)
		if err != nil {
			return nil, s.problem(ctx, sessionPath, err)
		}
		return &signInOutput{cookie.String(), session}, nil
	})
	huma.Register(api, huma.Operation{
		Method: http.MethodDelete, Path: sessionPath, OperationID: "sign-out", Summary: "Sign out",
		DefaultStatus: http.StatusNoContent,
		Middlewares:   huma.Middlewares{withRequest},
	}, func(ctx context.Context, _ *struct{}) (*signOutOutput, error) {
		r := requestOf(ctx)
		if err := s.endSession(r); err != nil {
			return nil, s.problem(ctx, sessionPath, err)
		}
		return &signOutOutput{sessionCookie(r, "").String()}, nil
	})
}

func requestOf(ctx context.Context) *http.Request {
	r, _ := ctx.Value(requestKey{}).(*http.Request)
	return r
}
