package web

import (
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/archipelago-cdk/archipelago/service/setting"
)

// headers are what every answer says to browsers. Their values are made once and
// shared by all answers.
type headers struct {
	always map[string][]string
	// overTLS is said over TLS only.
	overTLS []string
}

func newHeaders(o Options) headers {
	policy := []string{
		"default-src 'none'",
		"script-src 'self'",
		"style-src 'self'",
		// Photos that were not replicated to this region yet come from another.
		strings.Join(append([]string{"img-src 'self'"}, o.ImageSources...), " "),
		"connect-src 'self'",
		"form-action 'self'",
		"base-uri 'none'",
		"frame-ancestors 'none'",
	}
	return headers{
		always: map[string][]string{
			"Content-Security-Policy":    {strings.Join(policy, "; ")},
			"Cross-Origin-Opener-Policy": {"same-origin"},
			"Permissions-Policy":         {"camera=(), geolocation=(), microphone=()"},
			"Referrer-Policy":            {"same-origin"},
			"X-Content-Type-Options":     {"nosniff"},
			"X-Frame-Options":            {"DENY"},
		},
		overTLS: []string{"max-age=31536000"}, // a year
	}
}

// secure sets what every answer says to browsers, and who answers.
func (s *Server) secure(next http.Handler) http.Handler {
	headers := newHeaders(s.Options)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		maps.Copy(h, headers.always)
		if s.overTLS(r) {
			h["Strict-Transport-Security"] = headers.overTLS
		}
		island := s.Island()
		h.Set("X-Island", island.Region)
		h.Set("X-Instance", island.Instance)
		if !isRead(r.Method) {
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			r = withRecent(w, r)
		}
		next.ServeHTTP(w, r)
	})
}

// refuseOtherSites refuses what another site makes a browser send here.
func (s *Server) refuseOtherSites(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(s.errors(func(http.ResponseWriter, *http.Request) error {
		return &statusError{
			status:  http.StatusForbidden,
			message: "This came from another site's page, and nothing was done. Open the directory itself and do it there.",
		}
	}))
	return protection.Handler(next)
}

// guardCleartext refuses changes, and passwords, that anybody on the way could
// have read.
func (s *Server) guardCleartext(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if (!isRead(r.Method) || r.URL.Path == signInPath) && s.inTheClear(r) {
			s.fail(w, r, &statusError{
				status: http.StatusForbidden,
				message: "The directory is read-only here, and nobody can sign in: the connection is not encrypted. " +
					"Its operator can set up HTTPS, name the load balancer that has it in " + setting.TrustedProxies +
					", or set " + setting.AllowCleartext + "=true.",
			})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// inTheClear tells whether a request came over the network without TLS, where
// that is not allowed.
func (s *Server) inTheClear(r *http.Request) bool {
	return !s.AllowCleartext && !s.overTLS(r) && !s.clientAddress(r).IsLoopback()
}

// overTLS tells whether the client's connection is encrypted.
func (s *Server) overTLS(r *http.Request) bool {
	return r.TLS != nil || (r.Header.Get("X-Forwarded-Proto") == "https" && s.fromProxy(r))
}

func isRead(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// fromProxy tells whether a request comes from a load balancer that is trusted.
func (s *Server) fromProxy(r *http.Request) bool {
	if len(s.TrustedProxies) == 0 {
		return false
	}
	address := peer(r)
	return slices.ContainsFunc(s.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(address) })
}

// peer is the address at the connection's other end; the zero one where it is
// none.
func peer(r *http.Request) netip.Addr {
	address, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return address.Addr().Unmap()
}

// clientAddress is the address that a trusted load balancer saw, which is the
// last one of its header, since what stands before it the client may have
// written; else the peer's. It is the zero one where the header has no address.
func (s *Server) clientAddress(r *http.Request) netip.Addr {
	lines := r.Header["X-Forwarded-For"]
	if len(lines) == 0 || !s.fromProxy(r) {
		return peer(r)
	}
	last := lines[len(lines)-1]
	address, err := netip.ParseAddr(strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:]))
	if err != nil {
		return netip.Addr{}
	}
	return address.Unmap()
}

// client is the client's address for the log.
func (s *Server) client(r *http.Request) string { return s.clientAddress(r).String() }
