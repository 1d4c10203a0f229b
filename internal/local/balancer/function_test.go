package balancer

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/aws/aws-lambda-go/events"
)

// lighthouse is a function whose answer the test sets, and which remembers what
// it was asked.
type lighthouse struct {
	mu     sync.Mutex
	status int
	asked  events.ALBTargetGroupRequest
}

func (l *lighthouse) set(status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status = status
}

func (l *lighthouse) last() events.ALBTargetGroupRequest {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asked
}

func (l *lighthouse) Invoke(_ context.Context, event []byte) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := json.Unmarshal(event, &l.asked); err != nil {
		return nil, err
	}
	if l.status == 0 {
		return nil, errors.New("it crashed")
	}
	return json.Marshal(events.ALBTargetGroupResponse{
		StatusCode: l.status, Headers: map[string]string{"Content-Type": "application/json"}, Body: `{"lit": true}`,
	})
}

// newIsland returns a balancer in front of an instance and a lighthouse.
func newIsland(t *testing.T) (*Balancer, *lighthouse, func()) {
	t.Helper()
	l := &lighthouse{status: http.StatusOK}
	a := newInstance(t, "a")
	group := func(arn, kind, path, target string) emulator.TargetGroup {
		return emulator.TargetGroup{
			ARN: arn, Type: kind, Targets: []string{target}, Path: path, Status: "200",
			Interval: 5, Timeout: 2, HealthyAfter: 2, UnhealthyAfter: 2,
		}
	}
	b, round := balancerOf(t, "eu-west-1", emulator.LoadBalancer{
		Groups: []emulator.TargetGroup{group("fleet", "instance", "/livez", "a"), group("lights", "lambda", "/lighthouse", "arn:l")},
		Rules:  []emulator.Rule{{Paths: []string{"/lighthouse", "/light/*"}, Group: "lights"}, {Group: "fleet"}},
	}, map[string]Target{"a": {Addr: a.Listener.Addr().String()}, "arn:l": {Function: l}})
	return b, l, round
}

func TestRegionIsUnhealthyWhileItsLighthouseIsDark(t *testing.T) {
	b, l, round := newIsland(t)
	if b.Healthy() {
		t.Error("healthy before anything was asked")
	}
	round()
	if !b.Healthy() {
		t.Fatalf("not healthy: %v", b.Health())
	}
	for _, status := range []int{http.StatusServiceUnavailable, 0} {
		l.set(status)
		round()
		round()
		if b.Healthy() {
			t.Errorf("healthy with a lighthouse that answers %d", status)
		}
		if got := b.Health()["a"]; got != Healthy {
			t.Errorf("the instance is %s: a dark lighthouse is not its fault", got)
		}
		if status, got := get(t, b.URL); status != http.StatusOK || got != "a" {
			t.Errorf("a user who is there gets %d %q, want the instance's answer", status, got)
		}
		l.set(http.StatusOK)
		round()
		round()
		if !b.Healthy() {
			t.Error("not healthy again")
		}
	}
}

func TestHealthCheckOfAFunction(t *testing.T) {
	_, l, round := newIsland(t)
	round()
	got := l.last()
	if got.HTTPMethod != http.MethodGet || got.Path != "/lighthouse" || got.Headers["user-agent"] != "ELB-HealthChecker/2.0" ||
		got.RequestContext.ELB.TargetGroupArn != "lights" || got.Body != "" {
		t.Errorf("it was asked %+v", got)
	}
}

func TestRulesSendAPathToTheFunction(t *testing.T) {
	b, l, round := newIsland(t)
	round()
	for _, path := range []string{"/lighthouse", "/light/a/b"} {
		res, err := http.Post(b.URL+path+"?n=1&n=2", "text/plain", strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK || string(body) != `{"lit": true}` || res.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: got %s, %q, %v", path, res.Status, body, err)
		}
		got := l.last()
		if got.HTTPMethod != http.MethodPost || got.Path != path || got.QueryStringParameters["n"] != "2" ||
			got.Headers["content-type"] != "text/plain" || !got.IsBase64Encoded || got.Body != "aGVsbG8=" {
			t.Errorf("%s: the function was handed %+v", path, got)
		}
	}
	if _, got := get(t, b.URL+"/lighthouses"); got != "a" {
		t.Errorf("another path is answered by %q, want the instance", got)
	}
	l.set(0)
	if status, _ := get(t, b.URL+"/lighthouse"); status != http.StatusBadGateway {
		t.Errorf("a function that fails: got status %d, want 502", status)
	}
}

// TestChecksGoByTheClock that Check is given, whose jump is one interval: what was
// not asked meanwhile says nothing.
func TestChecksGoByTheClock(t *testing.T) {
	l := &lighthouse{status: http.StatusOK}
	b, _ := balancerOf(t, "eu-west-1", emulator.LoadBalancer{Groups: []emulator.TargetGroup{{
		ARN: "lights", Targets: []string{"arn:l"}, Status: "200", Interval: 10, Timeout: 2, HealthyAfter: 2, UnhealthyAfter: 2,
	}}}, map[string]Target{"arn:l": {Function: l}})
	now := time.Now()
	after := func(wait time.Duration) State {
		now = now.Add(wait)
		check(t, b, now)
		return b.Health()["arn:l"]
	}
	after(0)
	l.set(http.StatusServiceUnavailable)
	if got := after(time.Hour); got != Healthy {
		t.Errorf("got %s after one miss in an hour, want healthy", got)
	}
	if got := after(5 * time.Second); got != Healthy {
		t.Errorf("got %s within the interval of ten seconds, want healthy", got)
	}
	if got := after(5 * time.Second); got != Unhealthy {
		t.Errorf("got %s after two misses, want unhealthy", got)
	}
}
