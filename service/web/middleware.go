package web

import (
	"context"
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
		if stateOf(r.Context()).overTLS {
			h["Strict-Transport-Security"] = headers.overTLS
		}
		island := s.Island()
		state := stateOf(r.Context())
		state.region[0], state.instance[0] = island.Region, island.Instance
		h["X-Island"], h["X-Instance"] = state.region[:], state.instance[:]
		joinTags(r.Header)
		if !isRead(r.Method) {
			r.Body = http.MaxBytesReader(w, paced(w, r), maxBody)
			r = s.withRecent(w, r)
		}
		next.ServeHTTP(w, r)
	})
}

// joinTags makes one line of lists of entity tags that came as several, which mean
// the same. Source: RFC 9110, 5.3.
func joinTags(h http.Header) {
	for _, name := range []string{"If-Match", "If-None-Match"} {
		if lines := h[name]; len(lines) > 1 {
			h[name] = []string{strings.Join(lines, ", ")}
		}
	}
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

// guardCleartext refuses changes, and passwords, that anybody on the network path could
// have read; pages then offer none.
func (s *Server) guardCleartext(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.inTheClear(r) {
			next.ServeHTTP(w, r)
			return
		}
		r = r.WithContext(context.WithValue(r.Context(), readOnlyKey{}, true))
		if !isRead(r.Method) || r.URL.Path == signInPath {
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

type readOnlyKey struct{}

// isReadOnly reports whether pages have to say that nothing can be changed.
func isReadOnly(ctx context.Context) bool { return ctx.Value(readOnlyKey{}) != nil }

// inTheClear reports whether a request came over the network without TLS, where
// that is not allowed.
func (s *Server) inTheClear(r *http.Request) bool {
	o := stateOf(r.Context()).origin
	return !s.AllowCleartext && !o.overTLS && !o.client.IsLoopback()
}

func isRead(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// origin is where a request comes from.
type origin struct {
	// client is the address that a trusted load balancer saw, which is the last
	// one of its header, since what stands before it the client may have written;
	// else the peer's. It is the zero one where the header has no address.
	client netip.Addr
	// fromProxy reports whether the peer is a trusted load balancer.
	fromProxy bool
	// overTLS reports whether the client's connection is encrypted.
	overTLS bool
}

// originOf finds out where a request comes from, once for all that ask.
func (s *Server) originOf(r *http.Request) origin {
	o := origin{client: peer(r), overTLS: r.TLS != nil}
	o.fromProxy = slices.ContainsFunc(s.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(o.client) })
	if !o.fromProxy {
		return o
	}
	o.overTLS = o.overTLS || r.Header.Get("X-Forwarded-Proto") == "https"
	if lines := r.Header["X-Forwarded-For"]; len(lines) > 0 {
		last := lines[len(lines)-1]
		// An invalid address is the zero one.
		address, _ := netip.ParseAddr(strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:]))
		o.client = address.Unmap()
	}
	return o
}

// peer is the address at the connection's other end; the zero one where that
// is not an address.
func peer(r *http.Request) netip.Addr {
	address, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return address.Addr().Unmap()
}
