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
	"github.com/archipelago-cdk/archipelago/service/directory"
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
	// maxSignIn is the most bytes of the form of a sign-in, which may hold those of
	// the form of an employee twice, as they are typed and as they were.
	maxSignIn = 128 << 10
)

// signIn is the page on which people sign in.
type signIn struct {
	// Name is what was typed as the account's.
	Name string
	// Next is the path to go on with.
	Next string
	// Message is what was wrong, or "".
	Message string
	// Unsent reports whether a form was sent that an account is needed for: the
	// page stands where its answer would.
	Unsent bool
	// Kept are the fields of that form, to be typed no second time.
	Kept []field
}

// refuse answers a request that err keeps from what it asks for: people who are
// to sign in can do so.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	page := !strings.HasPrefix(r.URL.Path, "/api/") && !strings.HasPrefix(r.URL.Path, "/photos/")
	f := signIn{Next: "/", Unsent: true}
	if page && !isRead(r.Method) {
		switch r.Pattern {
		case "POST /employees", "POST /employees/{id}":
			typed, upload, _ := s.readForm(r) // what cannot be read is not kept
			_ = upload.Close()                // there is one where the account writes too often
			f.Kept = typed.kept(r.PathValue("id"))
		case "POST /employees/{id}/delete":
			f.Next = r.URL.EscapedPath()
		}
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
			return s.renderSignIn(w, r, f, err)
		}).ServeHTTP(w, r)
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
	return s.render(w, r, status, "sign-in", "Sign in", signInPage(f))
}

// resume shows a form that was sent without an account, to be sent again.
func (s *Server) resume(w http.ResponseWriter, r *http.Request, f form) error {
	f.Notice = "You are signed in. Nothing is saved yet: look it over and save."
	if f.Employee.Version > 0 {
		stored, err := s.Employees.Get(r.Context(), f.Employee.ID)
		if errors.Is(err, directory.ErrNotFound) {
			err = f.addAgain(err)
		}
		if err != nil {
			return s.renderForm(w, r, f, err) // with what was typed
		}
		f.Employee.Photo = stored.Photo
	}
	return s.renderForm(w, r, f, nil)
}

// readSmallForm reads a form without files into r.PostForm.
func readSmallForm(w http.ResponseWriter, r *http.Request) error {
	return readFormUpTo(w, r, maxSmallBody)
}

// readFormUpTo reads a form of so many bytes without files into r.PostForm.
func readFormUpTo(w http.ResponseWriter, r *http.Request, most int64) error {
	r.Body = http.MaxBytesReader(w, r.Body, most)
	if err := r.ParseForm(); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return &statusError{http.StatusRequestEntityTooLarge, "The form is larger than one of this page can be; open it again.", err}
		}
		return unreadable(err)
	}
	return nil
}

// signIn signs a person in.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request) error {
	if err := readFormUpTo(w, r, maxSignIn); err != nil {
		return err
	}
	typed, kept := keptForm(r.PostForm)
	f := signIn{Kept: kept, Unsent: typed != nil, Name: strings.TrimSpace(r.PostForm.Get("name")), Next: localPath(r.PostForm.Get("next"))}
	begun, err := s.beginSession(r, f.Name, r.PostForm.Get("password"))
	if err != nil {
		return s.renderSignIn(w, r, f, err)
	}
	setCookies(w, begun.cookies...)
	if typed != nil {
		stateOf(r.Context()).account = begun.Account
		return s.resume(w, r, *typed)
	}
	s.setFlash(w, r, "signed-in")
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, f.Next, http.StatusSeeOther)
	return nil
}

func setCookies(w http.ResponseWriter, cookies ...*http.Cookie) {
	for _, cookie := range cookies {
		http.SetCookie(w, cookie)
	}
}

// signOut ends the session of a person. Whatever the store does, the browser
// forgets it: somebody who leaves a desk must not stay signed in because of a full disk.
func (s *Server) signOut(w http.ResponseWriter, r *http.Request) error {
	said := "signed-out"
	if err := s.endSession(r); err != nil {
		s.logFailure(r.Context(), r.URL.Path, statusOf(err))
		said = "signed-out-here"
	}
	http.SetCookie(w, sessionCookie(r, ""))
	s.setFlash(w, r, said)
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

// begun is a session that began.
type begun struct {
	signedInAs
	// cookies hand it to the browser, with what makes the browser known.
	cookies []*http.Cookie
}

// beginSession begins a session if the password is the account's.
func (s *Server) beginSession(r *http.Request, name, password string) (begun, error) {
	ctx := r.Context()
	who, device, err := s.accounts.SignIn(ctx, attempt(r, name, password))
	if err != nil {
		return begun{}, refusal(err)
	}
	s.Log.LogAttrs(ctx, slog.LevelInfo, "signed in", slog.String("account", who.Name), slog.String("client", stateOf(ctx).client.String()))
	return s.enter(ctx, r, who, device)
}

// attempt is one by r to sign in.
func attempt(r *http.Request, name, password string) account.Attempt {
	return account.Attempt{
		Name: strings.ToLower(strings.TrimSpace(name)), Password: password,
		Client: network(stateOf(r.Context()).client), Device: device(r),
	}
}

// enter begins a session of an account.
func (s *Server) enter(ctx context.Context, r *http.Request, who directory.Account, device string) (begun, error) {
	token, expiry, err := s.sessions.begin(ctx, s.token(r), who)
	if err != nil {
		return begun{}, err
	}
	return begun{signedInAs{who.Name, expiry}, []*http.Cookie{sessionCookie(r, token), deviceCookie(r, device)}}, nil
}

// busyFor is how long those wait who cannot sign in since too many do.
const busyFor = 5 * time.Second

// refusal is what a client is told of an error of a sign-in. That many want to sign
// in is not a failure of the service, and does not roll a deployment back.
func refusal(err error) error {
	var tooMany *account.TooManyError
	switch {
	case errors.Is(err, account.ErrRefused):
		return &statusError{http.StatusUnauthorized, "The name or the password is wrong.", err}
	case errors.As(err, &tooMany):
		return &tooManyError{"There were too many attempts to sign in.", tooMany.After}
	case errors.Is(err, account.ErrBusy):
		return &tooManyError{"Many people sign in at the moment.", busyFor}
	}
	return err
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
		SetCookie []*http.Cookie `header:"Set-Cookie" doc:"The session, to be sent with what needs an account, and what makes this client known, to be sent with the next sign-in"`
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
	huma.Register(api, huma.Operation{
		Method: http.MethodPost, Path: sessionPath, OperationID: "sign-in", Summary: "Sign in",
		DefaultStatus: http.StatusCreated, MaxBodyBytes: maxSmallBody, BodyReadTimeout: ReadTimeout,
		Middlewares: huma.Middlewares{withRequest},
	}, func(ctx context.Context, in *signInInput) (*signInOutput, error) {
		begun, err := s.beginSession(requestOf(ctx), in.Body.Name, in.Body.Password)
		if err != nil {
			return nil, s.problem(ctx, sessionPath, err)
		}
		return &signInOutput{begun.cookies, begun.signedInAs}, nil
	})
	huma.Register(api, huma.Operation{
		Method: http.MethodDelete, Path: sessionPath, OperationID: "sign-out", Summary: "Sign out",
		DefaultStatus: http.StatusNoContent,
		Middlewares:   huma.Middlewares{withRequest},
	}, func(ctx context.Context, _ *struct{}) (*signOutOutput, error) {
		r := requestOf(ctx)
		forget := sessionCookie(r, "").String()
		if err := s.endSession(r); err != nil {
			return nil, huma.ErrorWithHeaders(s.problem(ctx, sessionPath, err), http.Header{"Set-Cookie": {forget}})
		}
		return &signOutOutput{forget}, nil
	})
}

// withRequest lets an operation's handler have its request.
func withRequest(ctx huma.Context, next func(huma.Context)) {
	r, _ := humago.Unwrap(ctx)
	next(huma.WithValue(ctx, requestKey{}, r))
}

func requestOf(ctx context.Context) *http.Request {
	r, _ := ctx.Value(requestKey{}).(*http.Request)
	return r
}
