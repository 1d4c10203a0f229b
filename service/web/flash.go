package web

import (
	"context"
	"net/http"
)

// Names of the cookie that carries what was just done to the page that follows,
// as a code.
const (
	secureFlashCookie = "__Host-flash"
	clearFlashCookie  = "flash"
)

// flashFor is how long, in seconds, a code waits for that page.
const flashFor = 60

// flashes are what pages say, by code. What a client sends is never shown.
var flashes = map[string]string{
	"added":                 "Added.",
	"saved":                 "Saved.",
	"deleted":               "Deleted.",
	"signed-in":             "You are signed in.",
	"password-changed":      "Your password is changed, and your other sessions end within seconds.",
	"signed-out-everywhere": "You are signed out everywhere, within seconds.",
	"signed-out":            "You are signed out, everywhere within seconds.",
	"signed-out-here": "You are signed out of this browser. The session itself could not be ended and ends within 12 hours: " +
		"the directory's data does not take changes at the moment.",
}

type flashKey struct{}

// flashCookie is the cookie of a code; of none, so that the browser forgets it.
func (s *Server) flashCookie(r *http.Request, code string) *http.Cookie {
	cookie := &http.Cookie{
		Name: clearFlashCookie, Value: code, Path: "/", MaxAge: flashFor,
		HttpOnly: true, Secure: stateOf(r.Context()).overTLS, SameSite: http.SameSiteLaxMode,
	}
	if cookie.Secure {
		cookie.Name = secureFlashCookie
	}
	if code == "" {
		cookie.MaxAge = -1
	}
	return cookie
}

// setFlash lets the page that follows say what the code stands for.
func (s *Server) setFlash(w http.ResponseWriter, r *http.Request, code string) {
	http.SetCookie(w, s.flashCookie(r, code))
}

// flash is what a request brings to say, or "".
func (s *Server) flash(r *http.Request) string {
	if !mayBring(r, clearFlashCookie) { // a part of the other name
		return ""
	}
	cookie, err := r.Cookie(s.flashCookie(r, "").Name)
	if err != nil {
		return ""
	}
	return flashes[cookie.Value]
}

// withFlash lets the page that r asks for say what r brings, once: the browser
// is told to forget it as soon as a page says it.
func (s *Server) withFlash(w http.ResponseWriter, r *http.Request) *http.Request {
	text := s.flash(r)
	if text == "" {
		return r
	}
	take := func() string {
		s.setFlash(w, r, "")
		return text
	}
	return r.WithContext(context.WithValue(r.Context(), flashKey{}, take))
}

// takeFlash returns what a page has to say, or "".
func takeFlash(ctx context.Context) string {
	if take, ok := ctx.Value(flashKey{}).(func() string); ok {
		return take()
	}
	return ""
}

// hasFlash reports whether a page would have something to say.
func hasFlash(ctx context.Context) bool { return ctx.Value(flashKey{}) != nil }
