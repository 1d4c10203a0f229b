package balancer

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
)

// Balancer plays an Application Load Balancer.
type Balancer struct {
	// URL is its address.
	URL string
	// Addr is the host and port of URL.
	Addr string
	// Region is where it stands.
	Region string

	server *http.Server
	proxy  *httputil.ReverseProxy
	client *http.Client

	mu     sync.Mutex
	groups map[string]*group // by ARN
	rules  []rule
	limits emulator.Limits
	broken bool
}

// Listen starts a balancer on a free port of loopback; it ends with ctx.
func Listen(ctx context.Context, region string, errorLog *log.Logger) (*Balancer, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &Balancer{
		Addr:   listener.Addr().String(),
		URL:    "http://localhost:" + fmt.Sprint(listener.Addr().(*net.TCPAddr).Port),
		Region: region,
		groups: map[string]*group{},
		client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	}
	b.proxy = &httputil.ReverseProxy{
		Rewrite:        b.rewrite,
		ErrorLog:       errorLog,
		ModifyResponse: b.answered,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			b.refuse(r.URL.Path, http.StatusBadGateway)
			badGateway(w, r, err)
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: 60 * time.Second},
	}
	b.server = &http.Server{Handler: b, ReadHeaderTimeout: 10 * time.Second, ErrorLog: errorLog}
	go func() { _ = b.server.Serve(countingListener{listener.(*net.TCPListener), b}) }()
	context.AfterFunc(ctx, b.Close)
	return b, nil
}

// countingListener counts what net/http answers before a handler has the request: 501 to
// a transfer coding that it does not know, 505 to another version of HTTP, as a load
// balancer does (rule R43).
type countingListener struct {
	*net.TCPListener
	balancer *Balancer
}

// Accept implements net.Listener.
func (l countingListener) Accept() (net.Conn, error) {
	c, err := l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	return countingConn{c, l.balancer}, nil
}

type countingConn struct {
	*net.TCPConn
	balancer *Balancer
}

// Write implements net.Conn. What net/http answers by itself comes in one write, and, other
// than what a handler does, without a date.
func (c countingConn) Write(p []byte) (int, error) {
	if answer, ok := bytes.CutPrefix(p, []byte("HTTP/1.1 5")); ok && !bytes.Contains(p, []byte("\r\nDate: ")) {
		var status int
		if _, err := fmt.Sscanf("5"+string(answer[:2]), "%d", &status); err == nil {
			c.balancer.refuse("/", status)
		}
	}
	return c.TCPConn.Write(p)
}

// Close ends the balancer: it was deleted.
func (b *Balancer) Close() { _ = b.server.Close() }

// Update takes the settings and the targets that the emulator has now. find
// returns a target, or false while it cannot be asked.
func (b *Balancer) Update(config emulator.LoadBalancer, find func(id string) (Target, bool)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.EqualFunc(b.rules, config.Rules, rule.same) {
		b.rules = nil
		for _, r := range config.Rules {
			b.rules = append(b.rules, newRule(r))
		}
	}
	b.limits, b.broken = config.Limits, config.Broken
	for arn := range b.groups {
		if !slices.ContainsFunc(config.Groups, func(g emulator.TargetGroup) bool { return g.ARN == arn }) {
			delete(b.groups, arn)
		}
	}
	for _, g := range config.Groups {
		if b.groups[g.ARN] == nil {
			b.groups[g.ARN] = &group{targets: map[string]*target{}}
		}
		b.groups[g.ARN].update(g, find)
	}
}

// Check runs the health checks that are due at now, on the emulator's clock. An
// answer may take its timeout on this machine's.
func (b *Balancer) Check(ctx context.Context, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, g := range b.groups {
		checks := Checks{
			Interval:     time.Duration(g.config.Interval) * time.Second,
			HealthyAfter: g.config.HealthyAfter, UnhealthyAfter: g.config.UnhealthyAfter,
		}
		for _, t := range g.targets {
			if t.checking || !t.health.Due(now) {
				continue
			}
			t.checking = true
			config := g.config
			go func() {
				passed := b.passes(ctx, t.Target, config)
				b.mu.Lock()
				defer b.mu.Unlock()
				t.checking = false
				t.health = t.health.Next(passed, now, checks)
			}()
		}
	}
}

// Health returns the state of every target by its instance's id or its
// function's ARN.
func (b *Balancer) Health() map[string]State {
	b.mu.Lock()
	defer b.mu.Unlock()
	states := map[string]State{}
	for _, g := range b.groups {
		for id, t := range g.targets {
			states[id] = t.health.State
		}
	}
	return states
}

// Answers are how requests for a target group were answered.
type Answers struct {
	// Requests is how many there were, and Failed how many a target answered with 5xx.
	Requests, Failed int
	// Refused are how many got each 5xx of the load balancer's own.
	Refused map[int]int
	// Times are how many answers of targets took so many milliseconds.
	Times map[int]int
}

// Minus is what a has more than before.
func (a Answers) Minus(before Answers) Answers {
	return Answers{
		Requests: max(0, a.Requests-before.Requests), Failed: max(0, a.Failed-before.Failed),
		Refused: minus(a.Refused, before.Refused), Times: minus(a.Times, before.Times),
	}
}

func minus(a, before map[int]int) map[int]int {
	less := map[int]int{}
	for of, n := range a {
		if more := n - before[of]; more > 0 {
			less[of] = more
		}
	}
	return less
}

// Answers returns how requests were answered so far, by the target group's ARN.
func (b *Balancer) Answers() map[string]Answers {
	b.mu.Lock()
	defer b.mu.Unlock()
	answers := map[string]Answers{}
	for arn, g := range b.groups {
		a := g.answers
		a.Refused, a.Times = maps.Clone(a.Refused), maps.Clone(a.Times)
		answers[arn] = a
	}
	return answers
}

// note counts a target's answer to a request that began at a time.
func (b *Balancer) note(group string, status int, began time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.groups[group]
	if g == nil {
		return
	}
	if status >= http.StatusInternalServerError {
		g.answers.Failed++
	}
	if g.answers.Times == nil {
		g.answers.Times = map[int]int{}
	}
	g.answers.Times[int(time.Since(began).Milliseconds())]++
}

// Healthy reports whether the entry may send users here: each target group has a
// healthy target. Source: AWS Global Accelerator, "Changing health check
// options".
func (b *Balancer) Healthy() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, g := range b.groups {
		if !g.healthy() {
			return false
		}
	}
	return len(b.groups) > 0
}

// Drop takes a target out, so that it gets no more requests. The function that
// it returns waits until none is in flight, for the deregistration delay at most.
func (b *Balancer) Drop(id string) (wait func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var dropped []*target
	var delay time.Duration
	for _, g := range b.groups {
		if t := g.targets[id]; t != nil {
			delete(g.targets, id)
			dropped = append(dropped, t)
			delay = max(delay, time.Duration(g.config.DeregistrationDelay)*time.Second)
		}
	}
	return func() {
		for deadline := time.Now().Add(delay); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			b.mu.Lock()
			busy := slices.ContainsFunc(dropped, func(t *target) bool { return t.inFlight > 0 })
			b.mu.Unlock()
			if !busy {
				return
			}
		}
	}
}

// pick returns the target for a request.
func (b *Balancer) pick(path string) *target {
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.groupOf(path)
	if g == nil {
		return nil
	}
	t := g.pick()
	if t != nil {
		t.inFlight++
		g.answers.Requests++
	}
	return t
}

// groupOf returns that of the first rule whose path a request has.
func (b *Balancer) groupOf(path string) *group {
	for _, rule := range b.rules {
		if rule.paths.MatchString(path) {
			return b.groups[rule.Group]
		}
	}
	return nil
}

// fails reports whether the load balancer fails all requests by itself.
func (b *Balancer) fails() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.broken
}

// refuse counts a 5xx of the load balancer's own to a request for a path.
func (b *Balancer) refuse(path string, status int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.groupOf(path)
	if g == nil {
		return
	}
	if g.answers.Refused == nil {
		g.answers.Refused = map[int]int{}
	}
	g.answers.Refused[status]++
}

// rule is a listener's rule with its path patterns compiled, since every request
// is matched against them.
type rule struct {
	emulator.Rule
	paths *regexp.Regexp
}

// wildcards are those of a path pattern as a regular expression has them, quoted.
var wildcards = strings.NewReplacer(`\*`, ".*", `\?`, ".")

func newRule(r emulator.Rule) rule {
	patterns := slices.Clone(r.Paths)
	if len(patterns) == 0 {
		patterns = []string{"*"}
	}
	for i, pattern := range patterns {
		patterns[i] = wildcards.Replace(regexp.QuoteMeta(pattern))
	}
	return rule{r, regexp.MustCompile("(?s)^(?:" + strings.Join(patterns, "|") + ")$")}
}

// same reports whether the rule was made of other.
func (r rule) same(other emulator.Rule) bool {
	return r.Group == other.Group && slices.Equal(r.Paths, other.Paths)
}

type targetKey struct{}

type beganKey struct{}

// ServeHTTP implements http.Handler.
func (b *Balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if b.fails() {
		b.refuse(r.URL.Path, http.StatusInternalServerError)
		http.Error(w, "500 Internal Server Error", http.StatusInternalServerError)
		return
	}
	if b.blocks(r) {
		http.Error(w, "403 Forbidden", http.StatusForbidden)
		return
	}
	t := b.pick(r.URL.Path)
	if t == nil {
		b.refuse(r.URL.Path, http.StatusServiceUnavailable)
		http.Error(w, "503 Service Temporarily Unavailable: no target is registered", http.StatusServiceUnavailable)
		return
	}
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		t.inFlight--
	}()
	if t.Function != nil {
		serveFunction(w, r, t.Function, t.group)
		return
	}
	ctx := context.WithValue(context.WithValue(r.Context(), targetKey{}, t), beganKey{}, time.Now())
	b.proxy.ServeHTTP(w, r.WithContext(ctx))
}

// blocks reports whether the web ACL blocks a request for the size of one of its parts
// (rule R25).
func (b *Balancer) blocks(r *http.Request) bool {
	b.mu.Lock()
	most := b.limits
	b.mu.Unlock()
	over := func(size, limit int) bool { return limit > 0 && size > limit }
	if over(len(r.URL.EscapedPath()), most.Path) || over(len(r.URL.RawQuery), most.Query) ||
		over(len(strings.Join(r.Header["Cookie"], "; ")), most.Cookies) {
		return true
	}
	if most.Body == 0 {
		return false
	}
	begin := bufio.NewReaderSize(r.Body, most.Body+1)
	_, err := begin.Peek(most.Body + 1)
	r.Body = struct {
		io.Reader
		io.Closer
	}{begin, r.Body}
	return err == nil
}

// rewrite adds the headers that a load balancer adds.
func (b *Balancer) rewrite(r *httputil.ProxyRequest) {
	t := r.In.Context().Value(targetKey{}).(*target)
	r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
	r.SetURL(&url.URL{Scheme: "http", Host: t.Addr})
	r.SetXForwarded()
	r.Out.Host = r.In.Host
	r.Out.Header.Set("X-Forwarded-Port", b.Addr[strings.LastIndex(b.Addr, ":")+1:])
	r.Out.Header.Del("X-Forwarded-Host") // not one of a load balancer's
	var id [12]byte
	_, _ = rand.Read(id[:]) // it never fails
	r.Out.Header.Set("X-Amzn-Trace-Id", fmt.Sprintf("Root=1-%08x-%x", time.Now().Unix(), id))
}

// answered counts a target's answer.
func (b *Balancer) answered(r *http.Response) error {
	ctx := r.Request.Context()
	b.note(ctx.Value(targetKey{}).(*target).group, r.StatusCode, ctx.Value(beganKey{}).(time.Time))
	return nil
}

func badGateway(w http.ResponseWriter, _ *http.Request, _ error) {
	http.Error(w, "502 Bad Gateway: the target did not answer", http.StatusBadGateway)
}
