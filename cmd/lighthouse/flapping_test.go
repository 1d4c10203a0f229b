package main

import (
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/aws/aws-lambda-go/events"
)

// TestOneFailedCallInTwentyDarkensNothing of an hour's looks by one node of the load
// balancer: each failed call is made again within the look.
func TestOneFailedCallInTwentyDarkensNothing(t *testing.T) {
	newIsland(t)
	target, err := url.Parse(os.Getenv("AWS_ENDPOINT_URL"))
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	var calls, failed atomic.Int32
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(1, 1))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		mu.Lock()
		fails := random.IntN(20) == 0
		mu.Unlock()
		if fails {
			failed.Add(1)
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	defer server.Close()
	for _, pair := range emulator.Environment(strings.Replace(server.URL, "127.0.0.1", "localhost", 1)) {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	const atOnce, looks = 24, 10
	var dark atomic.Int32
	var wait sync.WaitGroup
	for range atOnce {
		h, err := newHandler(t.Context(), func(name string) string { return settings[name] }, io.Discard, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		wait.Go(func() {
			for range looks {
				if answer, err := h.handle(t.Context(), events.ALBTargetGroupRequest{}); err != nil || answer.StatusCode != http.StatusOK {
					dark.Add(1)
					t.Logf("%v: %s", err, answer.Body)
				}
			}
		})
	}
	wait.Wait()
	t.Logf("%d of %d calls failed, and %d of %d looks", failed.Load(), calls.Load(), dark.Load(), atOnce*looks)
	if dark.Load() > 0 || failed.Load() < atOnce*looks/4 {
		t.Error("want many calls that failed and no look")
	}
}
