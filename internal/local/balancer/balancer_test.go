package balancer

import (
	"context"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
)

var quiet = log.New(io.Discard, "", 0)

// instance is a target whose health the test sets.
type instance struct {
	*httptest.Server
	sick atomic.Bool
	last atomic.Pointer[http.Request]
}

func newInstance(t *testing.T, name string) *instance {
	t.Helper()
	i := &instance{}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/livez" {
			if i.sick.Load() {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			return
		}
		i.last.Store(r)
		fmt.Fprint(w, name)
	}))
	t.Cleanup(i.Close)
	return i
}

// newBalancer returns a balancer in front of instances, which are named a, b, …
// and its clock: each call is another round of checks.
func newBalancer(t *testing.T, region string, instances ...*instance) (*Balancer, func()) {
	t.Helper()
	fleet := emulator.TargetGroup{
		ARN: "fleet", Path: "/livez", Status: "200", Interval: 5, Timeout: 2, HealthyAfter: 2, UnhealthyAfter: 2, DeregistrationDelay: 10,
	}
	targets := map[string]Target{}
	for i, instance := range instances {
		id := string(rune('a' + i))
		fleet.Targets = append(fleet.Targets, id)
		targets[id] = Target{Addr: instance.Listener.Addr().String()}
	}
	return balancerOf(t, region, emulator.LoadBalancer{
		Groups: []emulator.TargetGroup{fleet}, Rules: []emulator.Rule{{Group: "fleet"}},
	}, targets)
}

// balancerOf returns a balancer with such groups and targets, and its clock.
func balancerOf(t *testing.T, region string, config emulator.LoadBalancer, targets map[string]Target) (*Balancer, func()) {
	t.Helper()
	b, err := Listen(t.Context(), region, quiet)
	if err != nil {
		t.Fatal(err)
	}
	b.Update(config, func(id string) (Target, bool) {
		target, ok := targets[id]
		return target, ok
	})
	now := time.Now()
	return b, func() {
		now = now.Add(6 * time.Second)
		check(t, b, now)
	}
}

// check runs the checks that are due at now and waits for every answer.
func check(t *testing.T, b *Balancer, now time.Time) {
	t.Helper()
	b.Check(t.Context(), now)
	for range 1000 {
		b.mu.Lock()
		busy := false
		for _, group := range b.groups {
			for _, target := range group.targets {
				busy = busy || target.checking
			}
		}
		b.mu.Unlock()
		if !busy {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("a check does not end")
}

func get(t *testing.T, address string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func TestOnlyHealthyTargetsAreAsked(t *testing.T) {
	a, b := newInstance(t, "a"), newInstance(t, "b")
	balancer, round := newBalancer(t, "eu-west-1", a, b)
	a.sick.Store(true)
	round()
	round()
	for range 10 {
		if _, got := get(t, balancer.URL); got != "b" {
			t.Fatalf("%q answered, want b", got)
		}
	}
}

func TestBalancerFailsOpen(t *testing.T) {
	a := newInstance(t, "a")
	balancer, round := newBalancer(t, "eu-west-1", a)
	a.sick.Store(true)
	round()
	round()
	if balancer.Healthy() {
		t.Error("the balancer is healthy without a healthy target")
	}
	if status, got := get(t, balancer.URL); status != http.StatusOK || got != "a" {
		t.Errorf("got %d %q, want the one target's answer", status, got)
	}
}

func TestBalancerWithoutTargets(t *testing.T) {
	balancer, _ := newBalancer(t, "eu-west-1")
	if status, _ := get(t, balancer.URL); status != http.StatusServiceUnavailable {
		t.Errorf("got status %d, want 503", status)
	}
}

func TestTargetThatDoesNotAnswer(t *testing.T) {
	a := newInstance(t, "a")
	balancer, _ := newBalancer(t, "eu-west-1", a)
	a.Close()
	if status, _ := get(t, balancer.URL); status != http.StatusBadGateway {
		t.Errorf("got status %d, want 502", status)
	}
}

func TestHeadersOfALoadBalancer(t *testing.T) {
	a := newInstance(t, "a")
	balancer, _ := newBalancer(t, "eu-west-1", a)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, balancer.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "directory.example"
	req.Header.Set("X-Forwarded-For", "203.0.113.7")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	got := a.last.Load()
	if got.Host != "directory.example" {
		t.Errorf("the host is %q", got.Host)
	}
	if f := got.Header.Get("X-Forwarded-For"); f != "203.0.113.7, 127.0.0.1" {
		t.Errorf("X-Forwarded-For is %q", f)
	}
	if p := got.Header.Get("X-Forwarded-Proto"); p != "http" {
		t.Errorf("X-Forwarded-Proto is %q", p)
	}
	if id := got.Header.Get("X-Amzn-Trace-Id"); !strings.HasPrefix(id, "Root=1-") {
		t.Errorf("X-Amzn-Trace-Id is %q", id)
	}
}

func TestDropWaitsForWhatIsInFlight(t *testing.T) {
	a := newInstance(t, "a")
	balancer, _ := newBalancer(t, "eu-west-1", a)
	target := balancer.pick("/")
	dropped := make(chan struct{})
	wait := balancer.Drop("a")
	go func() {
		wait()
		close(dropped)
	}()
	select {
	case <-dropped:
		t.Fatal("the target was dropped with a request in flight")
	case <-time.After(100 * time.Millisecond):
	}
	balancer.mu.Lock()
	target.inFlight--
	balancer.mu.Unlock()
	<-dropped
}

func TestEntryRoutesToTheNearestHealthyRegion(t *testing.T) {
	europe, america := newInstance(t, "europe"), newInstance(t, "america")
	near, roundNear := newBalancer(t, "eu-west-1", europe)
	far, roundFar := newBalancer(t, "us-east-1", america)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	entry := NewEntry(ctx, listener, quiet)
	entry.Update([]Endpoint{{Balancer: near, Dial: 100}, {Balancer: far, Dial: 100}})
	address := "http://" + listener.Addr().String()
	want := func(name string) {
		t.Helper()
		if _, got := get(t, address); got != name {
			t.Errorf("%q answered, want %s", got, name)
		}
	}
	round := func() {
		roundNear()
		roundFar()
	}
	round()
	want("europe")
	europe.sick.Store(true)
	round()
	round()
	want("america")
	america.sick.Store(true)
	round()
	round()
	want("europe") // with every region sick nobody is locked out
	america.sick.Store(false)
	round()
	round()
	want("america")
}

// newEntry is an entry that listens, and its address.
func newEntry(t *testing.T) (*Entry, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return NewEntry(t.Context(), listener, quiet), "http://" + listener.Addr().String()
}

// threeSick are four regions, of which the closest three are sick: endpoints of an
// accelerator, or records.
func threeSick(t *testing.T, records bool) (regions []Endpoint) {
	t.Helper()
	for _, name := range []string{"first", "second", "third", "fourth"} {
		i := newInstance(t, name)
		b, round := newBalancer(t, name, i)
		i.sick.Store(name != "fourth")
		round()
		round()
		regions = append(regions, Endpoint{Balancer: b, Dial: 100, Record: records})
	}
	return regions
}

// TestEntryFailsOpenAfterThreeRegions: it looks no further, and refuses nobody.
func TestEntryFailsOpenAfterThreeRegions(t *testing.T) {
	entry, address := newEntry(t)
	regions := threeSick(t, false)
	entry.Update(regions)
	if _, got := get(t, address); got != "first" {
		t.Errorf("with the closest three sick %q answered, want the first", got)
	}
	entry.Update(slices.Delete(regions, 1, 2)) // which left the accelerator
	if _, got := get(t, address); got != "fourth" {
		t.Errorf("without the second %q answered, want the fourth", got)
	}
}

// TestEntryTriesAllRecords: Route 53 looks further than an accelerator, and with none
// that is healthy it answers as if all were.
func TestEntryTriesAllRecords(t *testing.T) {
	entry, address := newEntry(t)
	regions := threeSick(t, true)
	entry.Update(regions)
	if _, got := get(t, address); got != "fourth" {
		t.Errorf("with the closest three sick %q answered, want the fourth", got)
	}
	entry.Update(regions[:3])
	if _, got := get(t, address); got != "first" {
		t.Errorf("with all sick %q answered, want the first", got)
	}
}

// TestEntryFailsOverWhateverTheDials: a region's own users follow its dial, and those of a
// region that fails do not, nor is a region that is drained left out of the closest three.
func TestEntryFailsOverWhateverTheDials(t *testing.T) {
	entry, address := newEntry(t)
	var regions []Endpoint
	instances, rounds := map[string]*instance{}, map[string]func(){}
	for _, name := range []string{"first", "second", "third", "fourth"} {
		instances[name] = newInstance(t, name)
		b, round := newBalancer(t, name, instances[name])
		rounds[name] = round
		round()
		regions = append(regions, Endpoint{Balancer: b, Dial: 100})
	}
	sicken := func(names ...string) {
		for _, name := range names {
			instances[name].sick.Store(true)
			rounds[name]()
			rounds[name]()
		}
	}
	want := func(when, name string) {
		t.Helper()
		entry.Update(regions)
		if status, got := get(t, address); status != http.StatusOK || got != name {
			t.Errorf("%s: status %d of %q, want %s", when, status, got, name)
		}
	}
	regions[0].Dial = 0
	want("with the first one's dial at 0", "second")
	sicken("second")
	want("with the second sick", "first")
	sicken("first", "third")
	want("with the closest three sick and the fourth well", "first")
	for i := range regions {
		regions[i].Dial = 0
	}
	sicken("fourth")
	want("with all sick and all dials at 0", "first")
}

// TestEntryOfALostRegion refuses who is sent there, as nothing answers there.
func TestEntryOfALostRegion(t *testing.T) {
	entry, address := newEntry(t)
	near, round := newBalancer(t, "near", newInstance(t, "near"))
	far, roundFar := newBalancer(t, "far", newInstance(t, "far"))
	round()
	roundFar()
	entry.Update([]Endpoint{{Balancer: near, Dial: 100, Lost: true}, {Balancer: far, Dial: 100}})
	if _, got := get(t, address); got != "far" {
		t.Errorf("%q answered, want far", got)
	}
	entry.Update([]Endpoint{{Balancer: near, Dial: 100, Lost: true}})
	if res, err := http.Get(address); err == nil {
		res.Body.Close()
		t.Errorf("a region that is lost answers %s", res.Status)
	}
}

func TestPathPatterns(t *testing.T) {
	for _, c := range []struct {
		patterns   []string
		path       string
		wantsMatch bool
	}{
		{nil, "/anything", true},
		{[]string{"/lighthouse"}, "/lighthouse", true},
		{[]string{"/lighthouse"}, "/lighthouse/", false},
		{[]string{"/lighthouse"}, "/a/lighthouse", false},
		{[]string{"/light/*"}, "/light/", true},
		{[]string{"/light/*"}, "/light/a/b\n", true},
		{[]string{"/light/*"}, "/light", false},
		{[]string{"/a?c"}, "/abc", true},
		{[]string{"/a?c"}, "/ac", false},
		{[]string{"/a.c"}, "/abc", false},
		{[]string{"/a|b"}, "/a", false},
		{[]string{"/x", "/y*"}, "/yes", true},
		{[]string{"/x", "/y*"}, "/no", false},
	} {
		if got := newRule(emulator.Rule{Paths: c.patterns}).paths.MatchString(c.path); got != c.wantsMatch {
			t.Errorf("%q of %q: got %t", c.path, c.patterns, got)
		}
	}
}

// TestRulesAreCompiledWhenTheyChange, and not each time they are read.
func TestRulesAreCompiledWhenTheyChange(t *testing.T) {
	b, _ := newBalancer(t, "eu-west-1")
	update := func(paths ...string) rule {
		b.Update(emulator.LoadBalancer{Rules: []emulator.Rule{{Paths: paths, Group: "g"}}}, nil)
		return b.rules[0]
	}
	first := update("/a")
	if again := update("/a"); again.paths != first.paths {
		t.Error("the same rules are compiled again")
	}
	if other := update("/b"); other.paths.MatchString("/a") || !other.paths.MatchString("/b") {
		t.Errorf("a changed rule matches as %s", other.paths)
	}
}

// TestAnswersAreCounted by who gave them.
func TestAnswersAreCounted(t *testing.T) {
	a := newInstance(t, "a")
	a.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/broken" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	b, _ := newBalancer(t, "eu-west-1", a)
	get := func(path string) {
		t.Helper()
		res, err := http.Get(b.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	get("/")
	before := b.Answers()["fleet"]
	get("/")
	get("/broken")
	a.Close()
	get("/")
	since := b.Answers()["fleet"].Minus(before)
	times := 0
	for _, n := range since.Times {
		times += n
	}
	if since.Requests != 3 || since.Failed != 1 || !maps.Equal(since.Refused, map[int]int{http.StatusBadGateway: 1}) || times != 2 {
		t.Errorf("got %+v", since)
	}
}

// TestWhatNoTargetIsAsked: a load balancer answers by itself what it cannot read, and only
// what it answers by itself is its own error.
func TestWhatNoTargetIsAsked(t *testing.T) {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotImplemented)
	}))
	t.Cleanup(service.Close)
	b, _ := balancerOf(t, "eu-west-1", emulator.LoadBalancer{
		Groups: []emulator.TargetGroup{{ARN: "fleet", Targets: []string{"a"}}}, Rules: []emulator.Rule{{Group: "fleet"}},
	}, map[string]Target{"a": {Addr: service.Listener.Addr().String()}})
	for request, want := range map[string]string{
		"GET / HTTP/1.1\r\nTransfer-Encoding: x\r\n": "501",
		"GET / HTTP/9.9\r\n":                         "505",
		"nonsense\r\n":                               "400",
		"GET / HTTP/1.1\r\n":                         "501", // the service's
	} {
		c, err := net.Dial("tcp", b.Addr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c, request+"Host: x\r\nConnection: close\r\n\r\n")
		answer, err := io.ReadAll(c)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		if !strings.HasPrefix(string(answer), "HTTP/1.1 "+want+" ") {
			t.Errorf("%q is answered with %q, want %s", request, answer, want)
		}
	}
	got := b.Answers()["fleet"]
	if want := map[int]int{http.StatusNotImplemented: 1, http.StatusHTTPVersionNotSupported: 1}; !maps.Equal(got.Refused, want) || got.Requests != 1 || got.Failed != 1 {
		t.Errorf("the answers are %+v, want %v of its own and one of the service", got, want)
	}
}

// TestWebACL: what is larger than a rule lets pass gets 403, and all else reaches the
// service whole.
func TestWebACL(t *testing.T) {
	var got string
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/livez" {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got = fmt.Sprint(len(r.URL.Path), len(r.URL.RawQuery), len(r.Header.Get("Cookie")), len(body))
	}))
	t.Cleanup(service.Close)
	config := func(limits emulator.Limits) emulator.LoadBalancer {
		return emulator.LoadBalancer{
			Groups: []emulator.TargetGroup{{ARN: "fleet", Path: "/livez", Status: "200", Interval: 5, Timeout: 2, HealthyAfter: 1, UnhealthyAfter: 2, Targets: []string{"a"}}},
			Rules:  []emulator.Rule{{Group: "fleet"}}, Limits: limits,
		}
	}
	all := emulator.Limits{Path: 1024, Query: 2048, Cookies: 10240, Body: 8192}
	for name, test := range map[string]struct {
		limits                     emulator.Limits
		path, query, cookies, body int
		want                       int
	}{
		"what they let pass": {all, 1024, 2048, 10240, 8192, http.StatusOK},
		"a path":             {all, 1025, 0, 0, 0, http.StatusForbidden},
		"a query":            {all, 1, 2049, 0, 0, http.StatusForbidden},
		"cookies":            {all, 1, 0, 10241, 0, http.StatusForbidden},
		"a body":             {all, 1, 0, 0, 8193, http.StatusForbidden},
		"no web ACL":         {emulator.Limits{}, 1025, 2049, 10241, 8193, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			got = ""
			b, next := balancerOf(t, "eu-west-1", config(test.limits), map[string]Target{"a": {Addr: service.Listener.Addr().String()}})
			next()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.URL+"/"+strings.Repeat("p", test.path-1)+"?"+strings.Repeat("q", test.query), strings.NewReader(strings.Repeat("b", test.body)))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Cookie", strings.Repeat("c", test.cookies))
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			want := ""
			if test.want == http.StatusOK {
				want = fmt.Sprint(test.path, test.query, test.cookies, test.body)
			}
			if res.StatusCode != test.want || got != want {
				t.Errorf("got %d and %q, want %d and %q", res.StatusCode, got, test.want, want)
			}
		})
	}
}

// TestBalancerThatCannotAskItsWebACL answers with 500 by itself, which counts as no
// target's.
func TestBalancerThatCannotAskItsWebACL(t *testing.T) {
	service := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(service.Close)
	config := emulator.LoadBalancer{
		Groups: []emulator.TargetGroup{{ARN: "fleet", Path: "/livez", Status: "200", Interval: 5, Timeout: 2, HealthyAfter: 1, UnhealthyAfter: 2, Targets: []string{"a"}}},
		Rules:  []emulator.Rule{{Group: "fleet"}},
	}
	find := map[string]Target{"a": {Addr: service.Listener.Addr().String()}}
	b, next := balancerOf(t, "eu-west-1", config, find)
	next()
	for _, broken := range []bool{false, true, false} {
		config.Broken = broken
		b.Update(config, func(id string) (Target, bool) { found, ok := find[id]; return found, ok })
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.URL, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if want := map[bool]int{false: 200, true: 500}[broken]; res.StatusCode != want {
			t.Errorf("got %d, want %d", res.StatusCode, want)
		}
	}
	if a := b.Answers()["fleet"]; a.Requests != 2 || a.Failed != 0 || !maps.Equal(a.Refused, map[int]int{http.StatusInternalServerError: 1}) {
		t.Errorf("the answers are %+v", a)
	}
	if !b.Healthy() {
		t.Error("its health checks pass no web ACL")
	}
}
