package balancer

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/archipelago-cdk/archipelago/local/emulator"
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

	mu      sync.Mutex
	config  emulator.LoadBalancer
	targets map[string]*target
}

// target is an instance behind the balancer.
type target struct {
	addr     string
	health   Health
	checking bool
	inFlight int
}

// Listen starts a balancer on a free port of loopback; it ends with ctx.
func Listen(ctx context.Context, region string, errorLog *log.Logger) (*Balancer, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &Balancer{
		Addr:    listener.Addr().String(),
		URL:     "http://localhost:" + fmt.Sprint(listener.Addr().(*net.TCPAddr).Port),
		Region:  region,
		targets: map[string]*target{},
		client:  &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	}
	b.proxy = &httputil.ReverseProxy{
		Rewrite:      b.rewrite,
		ErrorLog:     errorLog,
		ErrorHandler: badGateway,
		Transport:    &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: 60 * time.Second},
	}
	b.server = &http.Server{Handler: b, ReadHeaderTimeout: 10 * time.Second, ErrorLog: errorLog}
	go func() { _ = b.server.Serve(listener) }()
	context.AfterFunc(ctx, b.Close)
	return b, nil
}

// Close ends the balancer: it was deleted.
func (b *Balancer) Close() { _ = b.server.Close() }

// Update takes the settings and the targets that the emulator has now. addr
// returns an instance's address, or "" while it has none.
func (b *Balancer) Update(config emulator.LoadBalancer, addr func(id string) string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.config = config
	for id := range b.targets {
		if !slices.Contains(config.Targets, id) {
			delete(b.targets, id)
		}
	}
	for _, id := range config.Targets {
		if a := addr(id); b.targets[id] == nil && a != "" {
			b.targets[id] = &target{addr: a}
		}
	}
}

// Check runs the health checks that are due.
func (b *Balancer) Check(ctx context.Context, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, t := range b.targets {
		if t.checking || !t.health.Due(now) {
			continue
		}
		t.checking = true
		config := b.config
		go func() {
			passed := b.passes(ctx, t.addr, config)
			b.mu.Lock()
			defer b.mu.Unlock()
			t.checking = false
			t.health = t.health.Next(passed, now, config)
		}()
	}
}

// passes asks a target once.
func (b *Balancer) passes(ctx context.Context, addr string, config emulator.LoadBalancer) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(config.Timeout)*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+config.Path, nil)
	if err != nil {
		return false
	}
	req.Header.Set("User-Agent", "ELB-HealthChecker/2.0")
	res, err := b.client.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	return fmt.Sprint(res.StatusCode) == config.Status
}

// Health returns the state of every target by its instance's id.
func (b *Balancer) Health() map[string]State {
	b.mu.Lock()
	defer b.mu.Unlock()
	states := map[string]State{}
	for id, t := range b.targets {
		states[id] = t.health.State
	}
	return states
}

// Healthy tells whether a target is.
func (b *Balancer) Healthy() bool {
	for _, state := range b.Health() {
		if state == Healthy {
			return true
		}
	}
	return false
}

// Drop takes a target out, so that it gets no more requests. The function that
// it returns waits until none is in flight, for the deregistration delay at most.
func (b *Balancer) Drop(id string) (wait func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t, delay := b.targets[id], time.Duration(b.config.DeregistrationDelay)*time.Second
	delete(b.targets, id)
	return func() {
		for deadline := time.Now().Add(delay); t != nil && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			b.mu.Lock()
			idle := t.inFlight == 0
			b.mu.Unlock()
			if idle {
				return
			}
		}
	}
}

// pick returns the target with the fewest requests in flight among the healthy
// ones, or among all when none is: a load balancer fails open.
func (b *Balancer) pick() *target {
	b.mu.Lock()
	defer b.mu.Unlock()
	var best *target
	for _, t := range b.targets {
		switch {
		case best == nil,
			t.health.State == Healthy && best.health.State != Healthy,
			(t.health.State == Healthy) == (best.health.State == Healthy) && t.inFlight < best.inFlight:
			best = t
		}
	}
	if best != nil {
		best.inFlight++
	}
	return best
}

type targetKey struct{}

// ServeHTTP implements http.Handler.
func (b *Balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t := b.pick()
	if t == nil {
		http.Error(w, "503 Service Temporarily Unavailable: no target is registered", http.StatusServiceUnavailable)
		return
	}
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		t.inFlight--
	}()
	b.proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), targetKey{}, t)))
}

// rewrite adds the headers that a load balancer adds.
func (b *Balancer) rewrite(r *httputil.ProxyRequest) {
	t := r.In.Context().Value(targetKey{}).(*target)
	r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
	r.SetURL(&url.URL{Scheme: "http", Host: t.addr})
	r.SetXForwarded()
	r.Out.Host = r.In.Host
	r.Out.Header.Set("X-Forwarded-Port", b.Addr[strings.LastIndex(b.Addr, ":")+1:])
	r.Out.Header.Del("X-Forwarded-Host") // not one of a load balancer's
	var id [12]byte
	_, _ = rand.Read(id[:]) // it never fails
	r.Out.Header.Set("X-Amzn-Trace-Id", fmt.Sprintf("Root=1-%08x-%x", time.Now().Unix(), id))
}

func badGateway(w http.ResponseWriter, _ *http.Request, _ error) {
	http.Error(w, "502 Bad Gateway: the target did not answer", http.StatusBadGateway)
}
