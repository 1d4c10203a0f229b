package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/archipelago-cdk/archipelago/service/account"
	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/danielgtaylor/huma/v2"
)

// accountPath is the page on which people keep their own account.
const accountPath = "/account"

// accountForm is that page.
type accountForm struct {
	// Message is what was wrong with a change of the password, or "".
	Message string
	// Shortest and Longest are how many characters a password may have.
	Shortest, Longest int
}

func (s *Server) accountPage(w http.ResponseWriter, r *http.Request) error {
	return s.renderAccount(w, r, nil)
}

// renderAccount shows the page, and what err says is wrong.
func (s *Server) renderAccount(w http.ResponseWriter, r *http.Request, err error) error {
	f, status := accountForm{Shortest: account.MinPassword, Longest: account.MaxPassword}, http.StatusOK
	if err != nil {
		problem := statusOf(err)
		s.logFailure(r.Context(), r.URL.Path, problem)
		problem.setHeader(w.Header())
		status, f.Message = problem.status, problem.message
	}
	return s.render(w, r, status, "account", "Your account", accountPage(f))
}

// changePassword sets another password of the person who is signed in.
func (s *Server) changePassword(w http.ResponseWriter, r *http.Request) error {
	if err := readSmallForm(w, r); err != nil {
		return err
	}
	replacement := r.PostForm.Get("new")
	if replacement != r.PostForm.Get("again") {
		return s.renderAccount(w, r, &statusError{status: http.StatusUnprocessableEntity, message: "The new password and its repetition differ. Nothing was changed."})
	}
	begun, err := s.replacePassword(r, r.PostForm.Get("current"), replacement)
	if err != nil {
		return s.renderAccount(w, r, err)
	}
	setCookies(w, begun.cookies...)
	s.setFlash(w, r, "password-changed")
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, accountPath, http.StatusSeeOther)
	return nil
}

// replacePassword sets another password of the account that r is signed in with,
// which ends its sessions, and begins a session with it.
func (s *Server) replacePassword(r *http.Request, current, replacement string) (begun, error) {
	ctx := r.Context()
	changed, device, err := s.accounts.ChangePassword(ctx, attempt(r, accountOf(ctx), current), replacement)
	var wrong *account.PasswordError
	switch {
	case errors.As(err, &wrong):
		return begun{}, &statusError{http.StatusUnprocessableEntity, "The new password does not do: " + wrong.Message + ". Nothing was changed.", err}
	case errors.Is(err, account.ErrRefused):
		return begun{}, &statusError{http.StatusForbidden, "The present password is wrong. Nothing was changed.", err}
	case errors.Is(err, directory.ErrConflict):
		return begun{}, &statusError{http.StatusConflict, "The account was changed meanwhile, elsewhere. Sign in and try again.", err}
	case err != nil:
		return begun{}, refusal(err)
	}
	s.Log.LogAttrs(ctx, slog.LevelInfo, "password changed", slog.String("account", changed.Name), slog.String("client", stateOf(ctx).client.String()))
	s.sessions.known.Purge()
	return s.enter(ctx, r, changed, device)
}

// signOutEverywhere ends all sessions of the person who is signed in, this one too.
func (s *Server) signOutEverywhere(w http.ResponseWriter, r *http.Request) error {
	if err := s.endSessions(r.Context()); err != nil {
		return s.renderAccount(w, r, err)
	}
	http.SetCookie(w, sessionCookie(r, ""))
	s.setFlash(w, r, "signed-out-everywhere")
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

// endSessions ends all sessions of the account that is signed in: on this instance
// at once, elsewhere as soon as it asks again.
func (s *Server) endSessions(ctx context.Context) error {
	name := accountOf(ctx)
	if err := s.accounts.EndSessions(ctx, name); err != nil {
		return err
	}
	s.sessions.known.Purge()
	s.Log.LogAttrs(ctx, slog.LevelInfo, "signed out everywhere", slog.String("account", name))
	return nil
}

// Addresses of a person's own account in the API.
const (
	passwordPath = "/api/password"
	sessionsPath = "/api/sessions"
)

type passwordInput struct {
	Body struct {
		Current string `json:"current" format:"password" doc:"The present password"`
		New     string `json:"new" format:"password" doc:"The one to set: 12 to 128 characters, and none that is easy to guess"`
	}
}

// apiAccount adds the operations by which programs keep their own account.
func (s *Server) apiAccount(api huma.API) {
	security := []map[string][]string{{sessionScheme: {}}}
	huma.Register(api, huma.Operation{
		Method: http.MethodPut, Path: passwordPath, OperationID: "change-password",
		Summary:       "Set another password of one's own account, which ends its other sessions",
		DefaultStatus: http.StatusOK, MaxBodyBytes: maxSmallBody, BodyReadTimeout: ReadTimeout,
		Security: security, Middlewares: huma.Middlewares{withRequest},
	}, func(ctx context.Context, in *passwordInput) (*signInOutput, error) {
		begun, err := s.replacePassword(requestOf(ctx), in.Body.Current, in.Body.New)
		if err != nil {
			return nil, s.problem(ctx, passwordPath, err)
		}
		return &signInOutput{begun.cookies, begun.signedInAs}, nil
	})
	huma.Register(api, huma.Operation{
		Method: http.MethodDelete, Path: sessionsPath, OperationID: "sign-out-everywhere",
		Summary:       "End all sessions of one's own account",
		DefaultStatus: http.StatusNoContent, Security: security, Middlewares: huma.Middlewares{withRequest},
	}, func(ctx context.Context, _ *struct{}) (*signOutOutput, error) {
		if err := s.endSessions(ctx); err != nil {
			return nil, s.problem(ctx, sessionsPath, err)
		}
		return &signOutOutput{sessionCookie(requestOf(ctx), "").String()}, nil
	})
}
