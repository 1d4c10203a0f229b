package web

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/archipelago-cdk/archipelago/service/directory"
)

// seconds are the upper bounds of the buckets of durations.
var seconds = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// meters count what the service does, for Prometheus. Their names and labels
// are few, whatever clients ask for.
type meters struct {
	set      *metrics.Set
	inFlight atomic.Int64
	// cacheHits and cacheMisses are lookups of pages in the cache.
	cacheHits, cacheMisses *metrics.Counter

	// routes are replaced whole, with mu held, and read without it.
	routes atomic.Pointer[map[routeKey]routeMeters]
	mu     sync.Mutex
}

// routeKey is one kind of answer.
type routeKey struct {
	// route is a pattern of the routes, and "" for what was refused before one
	// was found.
	route  string
	method string
	// class is the hundreds of the status.
	class int
}

type routeMeters struct {
	requests *metrics.Counter
	duration *metrics.PrometheusHistogram
}

func newMeters(island func() Island) *meters {
	m := &meters{set: metrics.NewSet()}
	m.routes.Store(&map[routeKey]routeMeters{})
	m.set.NewGauge("directory_http_requests_in_flight", func() float64 { return float64(m.inFlight.Load()) })
	m.cacheHits = m.set.NewCounter(`directory_cache_lookups_total{result="hit"}`)
	m.cacheMisses = m.set.NewCounter(`directory_cache_lookups_total{result="miss"}`)
	m.set.NewGauge(fmt.Sprintf(`directory_build_info{version=%q,go=%q}`, island().Version, runtime.Version()), func() float64 { return 1 })
	return m
}

// Metrics returns the handler that Prometheus reads. It is not among the routes:
// it is for another listener, which is not public.
func (s *Server) Metrics() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		s.metrics.set.WritePrometheus(w)
		metrics.WriteProcessMetrics(w)
	})
}

// answered counts an answer.
func (m *meters) answered(x *exchange, method string, took time.Duration) {
	key := routeKey{route: x.route, method: methodLabel(method), class: x.status / 100}
	meters, ok := (*m.routes.Load())[key]
	if !ok {
		meters = m.add(key)
	}
	meters.requests.Inc()
	meters.duration.Update(took.Seconds())
}

// add makes the meters of a kind of answer that there was none of before.
func (m *meters) add(key routeKey) routeMeters {
	m.mu.Lock()
	defer m.mu.Unlock()
	route := key.route[strings.LastIndex(key.route, " ")+1:]
	if route == "" {
		route = "none"
	}
	made := routeMeters{
		requests: m.set.GetOrCreateCounter(fmt.Sprintf(`directory_http_requests_total{route=%q,method=%q,status="%dxx"}`, route, key.method, key.class)),
		duration: m.set.GetOrCreatePrometheusHistogramExt(fmt.Sprintf(`directory_http_request_duration_seconds{route=%q,method=%q}`, route, key.method), seconds),
	}
	routes := maps.Clone(*m.routes.Load())
	routes[key] = made
	m.routes.Store(&routes)
	return made
}

// methodLabel keeps clients from making up methods.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return method
	default:
		return "other"
	}
}

// storeMeters count the calls of one operation of a store.
type storeMeters struct {
	duration *metrics.PrometheusHistogram
	// results are the calls by what resultOf tells.
	results map[string]*metrics.Counter
}

// operations are the meters of a store's operations, each made when it is first
// called.
type operations struct {
	store  string
	meters *meters
	made   sync.Map // of *storeMeters by the operation's name
}

// named returns the meters of an operation.
func (o *operations) named(operation string) *storeMeters {
	if made, ok := o.made.Load(operation); ok {
		return made.(*storeMeters)
	}
	set, of := o.meters.set, fmt.Sprintf("store=%q,operation=%q", o.store, operation)
	m := &storeMeters{
		duration: set.GetOrCreatePrometheusHistogramExt("directory_store_call_duration_seconds{"+of+"}", seconds),
		results:  map[string]*metrics.Counter{},
	}
	for _, result := range []string{"ok", "refused", "unavailable", "canceled", "failed"} {
		m.results[result] = set.GetOrCreateCounter(fmt.Sprintf("directory_store_calls_total{%s,result=%q}", of, result))
	}
	made, _ := o.made.LoadOrStore(operation, m)
	return made.(*storeMeters)
}

// called counts a call.
func (m *storeMeters) called(err error, took time.Duration) {
	m.results[resultOf(err)].Inc()
	m.duration.Update(took.Seconds())
}

// resultOf tells how a call ended: "ok"; "refused", which is a store's answer as
// much; "unavailable"; "canceled" by a client that went away; or "failed" by
// anything else.
func resultOf(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, directory.ErrNotFound), errors.Is(err, directory.ErrConflict), errors.Is(err, directory.ErrInvalidCursor):
		return "refused"
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, directory.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		return "unavailable"
	default:
		return "failed"
	}
}
