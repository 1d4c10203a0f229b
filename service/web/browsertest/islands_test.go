package browsertest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/service/web"
	"github.com/chromedp/chromedp"
)

// asked stands before a service and is told of each request of the page of all
// islands, numbered from 1. It returns whether the request may pass.
func asked(pass func(n int64, w http.ResponseWriter) bool) func(http.Handler) http.Handler {
	var n atomic.Int64
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/api/island" || pass(n.Add(1), w) {
				next.ServeHTTP(w, r)
			}
		})
	}
}

// TestIslandsThatDie sends requests while one instance dies, and then its region.
func TestIslandsThatDie(t *testing.T) {
	for _, l := range []look{{width: 1280}, {width: 390, dark: true}} {
		t.Run(l.String(), func(t *testing.T) {
			var answered atomic.Int64
			s := serve(t, func(o *web.Options) {
				o.Island = func() web.Island {
					region, n := "eu-west-1", answered.Load()
					if n > 40 {
						region = "us-east-1"
					}
					zone := region + string("ab"[n%2])
					return web.Island{Region: region, Zone: zone, Instance: fmt.Sprintf("i-%s-%d", region[:2], n%2), Version: "1.0.0"}
				}
			}, asked(func(n int64, w http.ResponseWriter) bool {
				if n%10 == 0 { // as a load balancer says it of a dead instance
					http.Error(w, "", http.StatusBadGateway)
					return false
				}
				answered.Add(1)
				return true
			}))
			b := open(t, s, l)
			b.visit("/islands")
			b.run(chromedp.SetValue("[name=requests]", "80"))
			b.run(chromedp.Click("[name=start]"))
			b.await("document.querySelector('.events').innerText.includes('Done')")
			b.wantText("80 of 80 answered", "8 failed attempts", "0 given up", "us-east-1 answers, no longer eu-west-1.", "i-eu-0", "i-us-1", "Trying again.")
			counted := value[int](b, "[...document.querySelectorAll('td.answers')].reduce((sum, cell) => sum + Number(cell.innerText), 0)")
			if counted != 80 {
				t.Errorf("the instances' counts add up to %d, want 80", counted)
			}
			b.wantNoOverflow()
			b.shoot("answers-" + l.String())
			b.wantAccessible()
		})
	}
}

// TestRegionThatIsLost sends requests while a region is lost: new connections go
// to another one, and those that there are to a load balancer without instances.
func TestRegionThatIsLost(t *testing.T) {
	var n, lost atomic.Int64
	type regionKey struct{}
	region := func() string {
		if lost.Load() > 0 {
			return "us-east-1"
		}
		return "eu-west-1"
	}
	islands := map[string]http.Handler{}
	for _, name := range []string{"eu-west-1", "us-east-1"} {
		islands[name] = serve(t, func(o *web.Options) {
			o.Island = func() web.Island {
				return web.Island{Region: name, Zone: name + "a", Instance: "i-1", Version: "1.0.0"}
			}
		}, nil).Config.Handler
	}
	entry := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.Context().Value(regionKey{}).(string)
		if r.URL.Path == "/api/island" && n.Add(1) == 20 {
			lost.Store(1)
		}
		if name != region() {
			http.Error(w, "", http.StatusServiceUnavailable)
			return
		}
		islands[name].ServeHTTP(w, r)
	}))
	entry.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, regionKey{}, region())
	}
	entry.Start()
	t.Cleanup(entry.Close)
	b := open(t, &site{Server: entry}, look{guest: true})
	b.visit("/islands")
	b.run(chromedp.Click("[name=start]"))
	b.await("document.querySelector('.events').innerText.includes('Done')")
	b.wantText("50 of 50 answered", "0 given up", "us-east-1 answers, no longer eu-west-1.")
	if failed := strings.Count(b.text(), "Trying again."); failed > 12 {
		t.Errorf("%d attempts failed, want those that were under way", failed)
	}
	b.shoot("lost")
}

func TestIslandsThatAreGone(t *testing.T) {
	s := serve(t, nil, asked(func(_ int64, w http.ResponseWriter) bool {
		http.Error(w, "", http.StatusServiceUnavailable)
		return false
	}))
	b := open(t, s, look{})
	b.visit("/islands")
	b.run(chromedp.SetValue("[name=requests]", "2"))
	b.run(chromedp.Click("[name=start]"))
	b.await("document.querySelector('.events').innerText.includes('Done')")
	b.wantText("0 of 2 answered", "6 failed attempts", "2 given up", "status 503", "Given up.")
}

func TestRequestsAreStopped(t *testing.T) {
	var most, now atomic.Int64
	s := serve(t, nil, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/api/island" {
				most.Store(max(most.Load(), now.Add(1)))
				time.Sleep(50 * time.Millisecond)
				now.Add(-1)
			}
			next.ServeHTTP(w, r)
		})
	})
	b := open(t, s, look{})
	b.visit("/islands")
	b.run(chromedp.SetValue("[name=requests]", "200"))
	b.run(chromedp.Click("[name=start]"))
	b.await("document.querySelectorAll('td.answers').length > 0")
	b.run(chromedp.Click("[name=stop]"))
	b.await("document.querySelector('.events').innerText.includes('Stopped')")
	if strings.Contains(b.text(), "200 of 200") {
		t.Error("all requests were sent")
	}
	if most.Load() > 6 {
		t.Errorf("%d requests were sent at once, want 6 at most", most.Load())
	}
}

func TestIslandsWithoutScript(t *testing.T) {
	s := serve(t, nil, nil)
	b := open(t, s, look{scriptless: true})
	b.visit("/islands")
	b.wantText("eu-west-1", "Answered you just now", "Ask again, once. With JavaScript")
	if value[bool](b, "document.getElementById('requests').checkVisibility()") {
		t.Error("a form is shown that does nothing")
	}
}
