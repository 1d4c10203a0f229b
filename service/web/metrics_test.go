package web_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/service/web"
)

// scrape returns the metrics by name and labels.
func scrape(t *testing.T, s *site) map[string]string {
	t.Helper()
	w := httptest.NewRecorder()
	s.handler.Metrics().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	b, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	line := regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*(?:\{.*\})?) ([-+0-9.eEInfNa]+)$`)
	for text := range strings.Lines(string(b)) {
		text = strings.TrimSuffix(text, "\n")
		m := line.FindStringSubmatch(text)
		if m == nil {
			t.Errorf("%q is no line of Prometheus", text)
			continue
		}
		values[m[1]] = m[2]
	}
	return values
}

func wantMetrics(t *testing.T, got map[string]string, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %q, want %q", name, got[name], value)
		}
	}
}

func TestRequestsAreCountedByRoute(t *testing.T) {
	s := newSite(t, nil)
	for _, path := range []string{"/employees/a", "/employees/b", "/employees/c?x=y"} {
		s.get(path)
	}
	s.get("/")
	s.get("/api/island")
	s.do(http.MethodPatch, "/api/employees/a", "application/json", "{}")
	s.do("PROPFIND", "/nothing", "", "")
	s.do(http.MethodPost, "/employees", "text/plain", "", "Sec-Fetch-Site", "cross-site")
	wantMetrics(t, scrape(t, s), map[string]string{
		`directory_http_requests_total{route="/employees/{id}",method="GET",status="4xx"}`:               "3",
		`directory_http_requests_total{route="/{$}",method="GET",status="2xx"}`:                          "1",
		`directory_http_requests_total{route="/api/island",method="GET",status="2xx"}`:                   "1",
		`directory_http_requests_total{route="/api/employees/{id}",method="PATCH",status="4xx"}`:         "1",
		`directory_http_requests_total{route="/",method="other",status="4xx"}`:                           "1",
		`directory_http_requests_total{route="none",method="POST",status="4xx"}`:                         "1",
		`directory_http_request_duration_seconds_count{route="/employees/{id}",method="GET"}`:            "3",
		`directory_http_request_duration_seconds_bucket{route="/employees/{id}",method="GET",le="+Inf"}`: "3",
		`directory_http_requests_in_flight`:                                                              "0",
		`directory_store_calls_total{store="employees",operation="get",result="refused"}`:                "3",
		`directory_store_calls_total{store="employees",operation="page",result="ok"}`:                    "1",
		`directory_store_calls_total{store="employees",operation="page",result="unavailable"}`:           "0",
		`directory_store_call_duration_seconds_bucket{store="employees",operation="get",le="10"}`:        "3",
	})
}

func TestFailuresOfStoresAreCounted(t *testing.T) {
	s := newSite(t, func(o *web.Options) { o.Employees = broken{} })
	s.get("/")
	wantMetrics(t, scrape(t, s), map[string]string{
		`directory_http_requests_total{route="/{$}",method="GET",status="5xx"}`:                "1",
		`directory_store_calls_total{store="employees",operation="page",result="unavailable"}`: "1",
	})
}

func TestMetricsTellOfTheProcess(t *testing.T) {
	got := scrape(t, newSite(t, nil))
	for _, name := range []string{"process_resident_memory_bytes", "process_cpu_seconds_total", "go_goroutines", `directory_cache_lookups_total{result="hit"}`} {
		if got[name] == "" {
			t.Errorf("there is no %s", name)
		}
	}
	var built bool
	for name := range got {
		built = built || strings.HasPrefix(name, `directory_build_info{version="test",go="go1.`)
	}
	if !built {
		t.Error("there is no directory_build_info")
	}
}

// TestMetricsStayFew: a client cannot make more of them.
func TestMetricsStayFew(t *testing.T) {
	s := newSite(t, nil)
	ask := func(from, to byte) int {
		for c := from; c < to; c++ {
			s.get("/employees/" + string(c))
			s.get("/photos/" + string(c) + "/x")
			s.get("/nothing/" + string(c))
			s.do("M"+string(c), "/", "", "")
		}
		return len(slices.Collect(func(yield func(string) bool) {
			for name := range scrape(t, s) {
				if strings.HasPrefix(name, "directory_") && !yield(name) {
					return
				}
			}
		}))
	}
	if few, more := ask('a', 'b'), ask('b', 'z'); more != few {
		t.Errorf("there are %d metrics after more addresses, %d before", more, few)
	}
}

func TestMetricsAreNotPublic(t *testing.T) {
	s := newSite(t, nil)
	res, body := s.get("/metrics")
	wantStatus(t, res, http.StatusNotFound)
	if strings.Contains(body, "directory_") {
		t.Errorf("/metrics answers %s", body)
	}
}
