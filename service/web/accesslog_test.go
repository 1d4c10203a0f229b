package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/web"
)

// journal is a log that a test reads.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

// lines returns the lines with a message, and fails where one is not JSON.
func (j *journal) lines(t *testing.T, message string) []map[string]any {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	var lines []map[string]any
	for text := range strings.Lines(j.b.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Errorf("%v in the line %q", err, text)
			continue
		}
		if line["msg"] == message {
			lines = append(lines, line)
		}
	}
	return lines
}

// newJournaled returns a site and its log. Proxies of 127.0.0.0/8 are trusted.
func newJournaled(t *testing.T, change func(*web.Options)) (*site, *journal) {
	t.Helper()
	j := &journal{}
	return newSite(t, func(o *web.Options) {
		o.Log = slog.New(slog.NewJSONHandler(j, nil))
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		if change != nil {
			change(o)
		}
	}), j
}

const trace = "Self=1-67891234-12456789abcdef012345678;Root=1-67891233-abcdef012345678912345678;Parent=1"

func TestEveryRequestIsALine(t *testing.T) {
	s, j := newJournaled(t, func(o *web.Options) { o.AllowCleartext = true })
	_, body := s.do(http.MethodGet, "/nothing?q=secret", "", "", "X-Forwarded-For", "192.0.2.1, 203.0.113.7", "X-Amzn-Trace-Id", trace, "Accept-Encoding", "identity")
	lines := j.lines(t, "request")
	if len(lines) != 1 {
		t.Fatalf("got %d lines, want one: %v", len(lines), lines)
	}
	line := lines[0]
	for key, want := range map[string]any{
		"level": "INFO", "method": "GET", "path": "/nothing", "status": 404.0, "bytes": float64(len(body)),
		"client": "203.0.113.7", "trace": trace, "request": "1-67891233-abcdef012345678912345678", "account": accountName,
	} {
		if line[key] != want {
			t.Errorf("%s is %v, want %v", key, line[key], want)
		}
	}
	if took, ok := line["took"].(float64); !ok || took <= 0 {
		t.Errorf("took is %v, want nanoseconds", line["took"])
	}
}

func TestNobodyHasNoAccountInALine(t *testing.T) {
	s, j := newJournaled(t, nil)
	s.as(t, "").get("/")
	if account, there := j.lines(t, "request")[0]["account"]; there {
		t.Errorf("the line has the account %v", account)
	}
}

// TestNoSecretIsLogged: neither a password nor a session, nor what was searched
// for.
func TestNoSecretIsLogged(t *testing.T) {
	s, j := newJournaled(t, func(o *web.Options) { o.Employees = broken{} })
	_, token, _ := strings.Cut(s.session, "=")
	s.get("/?name=confidential")
	s.do(http.MethodPost, "/sign-in", "application/x-www-form-urlencoded", url.Values{"name": {accountName}, "password": {password}}.Encode())
	s.do(http.MethodPost, "/api/session", "application/json", `{"name": "`+accountName+`", "password": "`+password+`"}`)
	if got := len(j.lines(t, "request")); got != 3 {
		t.Errorf("the log has %d requests, want 3", got)
	}
	for _, secret := range []string{password, token, "confidential"} {
		if strings.Contains(j.String(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}

func TestHealthChecksAreNotLogged(t *testing.T) {
	s, j := newJournaled(t, nil)
	s.get("/livez")
	if lines := j.lines(t, "request"); len(lines) > 0 {
		t.Errorf("got %v", lines)
	}
}

func TestNothingOfAClientBreaksALine(t *testing.T) {
	j := &journal{}
	handler := newSite(t, func(o *web.Options) {
		o.Log = slog.New(slog.NewJSONHandler(j, nil))
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} // httptest's
	}).handler
	wicked := []string{
		"\n{\"level\":\"ERROR\",\"msg\":\"request\"}\n", "\x00\x1b[31m\r\n", `"},{"a":"`, "\xff\xfe", "\u2028\u2029\u202e", strings.Repeat("x", 10_000),
	}
	for _, text := range wicked {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.Method = text
		r.URL = &url.URL{Path: "/employees/" + text}
		r.Header["X-Forwarded-For"] = []string{text}
		r.Header["X-Amzn-Trace-Id"] = []string{"Root=" + text}
		handler.ServeHTTP(httptest.NewRecorder(), r)
	}
	j.mu.Lock()
	count := bytes.Count(j.b.Bytes(), []byte("\n"))
	longest := slices.MaxFunc(bytes.Split(j.b.Bytes(), []byte("\n")), func(a, b []byte) int { return len(a) - len(b) })
	control := bytes.ContainsFunc(j.b.Bytes(), func(r rune) bool { return r < ' ' && r != '\n' || r == '\u2028' || r == '\u2029' })
	j.mu.Unlock()
	if count != len(wicked) || len(j.lines(t, "request")) != len(wicked) {
		t.Errorf("%d requests made %d lines", len(wicked), count)
	}
	if len(longest) > 4_000 {
		t.Errorf("a line has %d bytes", len(longest))
	}
	if control {
		t.Error("the log has control characters")
	}
}

func TestRequestID(t *testing.T) {
	made := regexp.MustCompile(`^[0-9a-f]{24}$`)
	tests := map[string]struct {
		trace   string
		trusted bool
		want    string
	}{
		"of a trusted load balancer": {trace, true, "1-67891233-abcdef012345678912345678"},
		"of anybody else":            {trace, false, ""},
		"none":                       {"", true, ""},
		"malformed":                  {"Root=1-67891233-abcdef01234567891234567;Root=1-6789123g-abcdef012345678912345678", true, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s, j := newJournaled(t, func(o *web.Options) {
				if !test.trusted {
					o.TrustedProxies = nil
				}
			})
			res, _ := s.do(http.MethodGet, "/", "", "", "X-Amzn-Trace-Id", test.trace)
			got := res.Header.Get("X-Request-Id")
			if got != test.want && (test.want != "" || !made.MatchString(got)) {
				t.Errorf("the request's id is %q, want %q or a new one", got, test.want)
			}
			if lines := j.lines(t, "request"); len(lines) != 1 || lines[0]["request"] != got {
				t.Errorf("the log has %v, want the id %q", lines, got)
			}
		})
	}
}

func TestRequestIDsDiffer(t *testing.T) {
	s := newSite(t, nil)
	seen := map[string]bool{}
	for range 100 {
		res, _ := s.get("/livez")
		seen[res.Header.Get("X-Request-Id")] = true
	}
	if len(seen) != 100 {
		t.Errorf("100 requests have %d ids", len(seen))
	}
}

func TestClientAddressIsTheLoadBalancers(t *testing.T) {
	s, j := newJournaled(t, func(o *web.Options) { o.TrustedProxies = nil })
	s.do(http.MethodGet, "/", "", "", "X-Forwarded-For", "203.0.113.7")
	if got := j.lines(t, "request")[0]["client"]; got != "127.0.0.1" {
		t.Errorf("the client is %v, want the peer: it is not a trusted load balancer", got)
	}
}

func TestFailedPagesNameTheirRequest(t *testing.T) {
	s, j := newJournaled(t, func(o *web.Options) { o.Employees = broken{} })
	res, body := s.get("/")
	id := res.Header.Get("X-Request-Id")
	wantText(t, body, id)
	failures := j.lines(t, "request failed")
	if len(failures) != 1 || failures[0]["request"] != id {
		t.Errorf("the log has %v, want the failure of %q", failures, id)
	}
	res, body = s.get("/nothing")
	if strings.Contains(body, res.Header.Get("X-Request-Id")) {
		t.Error("a page that is not there names its request, as if something had failed")
	}
}

// panicking is a store with a defect.
type panicking struct{ directory.Employees }

func (panicking) Get(context.Context, string) (directory.Employee, error) { panic("a defect") }

func TestPanicIsAFailureAsAnyOther(t *testing.T) {
	s, j := newJournaled(t, func(o *web.Options) { o.Employees = panicking{} })
	res, body := s.get("/employees/someone")
	wantStatus(t, res, http.StatusInternalServerError)
	wantText(t, body, "Something went wrong on our side.")
	if strings.Contains(body, "defect") {
		t.Error("the page shows the defect")
	}
	failures := j.lines(t, "request failed")
	if len(failures) != 1 || !strings.Contains(failures[0]["error"].(string), "accesslog_test.go") {
		t.Errorf("the log has %v, want the defect and where it is", failures)
	}
	if lines := j.lines(t, "request"); len(lines) != 1 || lines[0]["status"] != 500.0 {
		t.Errorf("the log has %v", lines)
	}
}

// slow is a store that answers when its request is over.
type slow struct{ directory.Employees }

func (slow) Get(ctx context.Context, _ string) (directory.Employee, error) {
	<-ctx.Done()
	return directory.Employee{}, ctx.Err()
}

func TestAbortedRequestIsNotAFailure(t *testing.T) {
	j := &journal{}
	handler := newSite(t, func(o *web.Options) {
		o.Employees = slow{}
		o.Log = slog.New(slog.NewJSONHandler(j, nil))
	}).handler
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/employees/someone", nil))
	if lines := j.lines(t, "request"); len(lines) != 1 || lines[0]["status"] != 499.0 {
		t.Errorf("the log has %v, want status 499", lines)
	}
	if failures := j.lines(t, "request failed"); len(failures) > 0 {
		t.Errorf("the log has %v", failures)
	}
}
