package web

import (
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"testing"
)

// discard is an answer that nobody reads.
type discard struct{ header http.Header }

func (d discard) Header() http.Header       { return d.header }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

// BenchmarkAccessLog is what a request costs beyond its handler: its id, its
// line in the log, its place in the metrics.
func BenchmarkAccessLog(b *testing.B) {
	s := New(Options{
		Island:         func() Island { return Island{Region: "eu-west-1", Instance: "i-1"} },
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		Log:            slog.New(slog.NewJSONHandler(io.Discard, nil)),
	})
	page := make([]byte, 20_000)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(page) })
	r, err := http.NewRequest(http.MethodGet, "/employees/abcdefghijklmnopqrstuvwxyz", nil)
	if err != nil {
		b.Fatal(err)
	}
	r.RemoteAddr = "10.0.1.2:4711"
	r.Header.Set("X-Forwarded-For", "203.0.113.7")
	r.Header.Set(traceHeader, "Root=1-67891233-abcdef012345678912345678")
	for name, h := range map[string]http.Handler{"bare": handler, "logged": s.observe(handler)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			w := discard{http.Header{}}
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
		})
	}
}

// FuzzTraceRoot: whatever a header holds, an id is one or none.
func FuzzTraceRoot(f *testing.F) {
	f.Add("Root=1-67891233-abcdef012345678912345678")
	f.Add("Self=1-67891234-12456789abcdef012345678;Root=1-67891233-abcdef012345678912345678;Parent=1")
	f.Add("Root=0-67891233-abcdef012345678912345678")
	f.Add("Root=\n;;=Root=1-")
	valid := regexp.MustCompile(`^(1-[0-9a-f]{8}-[0-9a-f]{24})?$`)
	f.Fuzz(func(t *testing.T, trace string) {
		if root := traceRoot(trace); !valid.MatchString(root) || !strings.Contains(trace, root) {
			t.Errorf("%q is read as %q", trace, root)
		}
	})
}
