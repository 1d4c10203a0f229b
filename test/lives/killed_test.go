package lives_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"
)

// killed runs commands of an operator whose machine fails: they are killed, with what
// they started, after the first call that counts and that no run before has made, and
// run again, until they come to their end. It returns what the last run printed, and
// the calls.
func (l *life) killed(commands string, counts func(call string) bool) (string, []string) {
	l.t.Helper()
	target, err := url.Parse(l.control.URL)
	if err != nil {
		l.t.Fatal(err)
	}
	var mutex sync.Mutex
	var made []string
	seen := map[string]bool{}
	kill := context.CancelFunc(func() {})
	proxy := httputil.NewSingleHostReverseProxy(target)
	// What is killed is in the middle of a request.
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) {}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(w, r)
		call := changing(r, body)
		mutex.Lock()
		defer mutex.Unlock()
		if call != "" && counts(call) && !seen[call] {
			seen[call] = true
			made = append(made, call)
			kill()
		}
	}))
	defer server.Close()
	localhost := strings.Replace(server.URL, "127.0.0.1", "localhost", 1) // as the CLI needs it

	for start := time.Now(); ; {
		ctx, cancel := context.WithTimeout(l.t.Context(), commandWithin)
		mutex.Lock()
		kill = cancel
		before := len(made)
		mutex.Unlock()
		out, err := l.shell(ctx, localhost, commands)
		cancel()
		mutex.Lock()
		failed := len(made) == before
		mutex.Unlock()
		if err == nil {
			l.t.Logf("%5.1f s  %s, killed after each of %d calls", time.Since(start).Seconds(), strings.TrimSpace(commands), len(made))
			return out, made
		}
		if failed {
			l.t.Fatalf("%s: %v after it was killed after %q\n%s", commands, err, made, out)
		}
	}
}

// changing names a call of the CDK CLI that changes something, or is "".
func changing(r *http.Request, body []byte) string {
	if r.Method == http.MethodPut {
		return "PutObject " + strings.TrimPrefix(r.URL.Path, "/")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || form.Get("StackName") == "" {
		return ""
	}
	switch action := form.Get("Action"); action {
	case "CreateChangeSet", "DeleteChangeSet", "ExecuteChangeSet", "DeleteStack", "UpdateTerminationProtection":
		return action + " " + form.Get("StackName")
	}
	return ""
}
