package web

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

// beats are heartbeats in memory.
type beats struct {
	directory.Sessions
	mu   sync.Mutex
	kept []directory.Heartbeat
	asks int
	err  error
}

func (b *beats) PutHeartbeat(_ context.Context, h directory.Heartbeat) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.kept = append(b.kept, h)
	}
	return b.err
}

func (b *beats) Heartbeats(context.Context) ([]directory.Heartbeat, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asks++
	return b.kept, b.err
}

func islandOptions(region string, b *beats, log *bytes.Buffer) Options {
	return Options{
		Sessions: b,
		Now:      time.Now,
		Island:   func() Island { return Island{Region: region, Zone: region + "a", Instance: "i-1", Version: "1"} },
		Log:      slog.New(slog.NewTextHandler(log, nil)),
	}
}

func TestBeat(t *testing.T) {
	now := time.Now()
	for name, test := range map[string]struct {
		region string
		kept   []directory.Heartbeat
		want   bool
	}{
		"the first":                {"eu-west-1", nil, true},
		"after another instance":   {"eu-west-1", []directory.Heartbeat{{Region: "eu-west-1", At: now.Add(-7 * time.Second)}}, false},
		"after a while":            {"eu-west-1", []directory.Heartbeat{{Region: "eu-west-1", At: now.Add(-8 * time.Second)}}, true},
		"beside another region":    {"eu-west-1", []directory.Heartbeat{{Region: "us-east-1", At: now}}, true},
		"beyond AWS there is none": {"", nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := &beats{kept: test.kept}
			if err := (&Server{Options: islandOptions(test.region, b, &bytes.Buffer{})}).beat(t.Context(), now); err != nil {
				t.Fatal(err)
			}
			if got := len(b.kept) > len(test.kept); got != test.want {
				t.Fatalf("a heartbeat was put: %v, want %v", got, test.want)
			}
			if want := (directory.Heartbeat{Region: test.region, Zone: test.region + "a", Instance: "i-1", Version: "1", At: now.UTC()}); test.want && b.kept[len(b.kept)-1] != want {
				t.Errorf("got %+v, want %+v", b.kept[len(b.kept)-1], want)
			}
		})
	}
}

// TestBeatGoesOn plays two minutes, in the first of which the store is down.
func TestBeatGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		b := &beats{err: errors.New("down")}
		s := &Server{Options: islandOptions("eu-west-1", b, &log)}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.Beat(ctx)
		}()
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := strings.Count(log.String(), "no heartbeat"); n < 5 || n > 8 {
			t.Errorf("%d lines tell of a failed heartbeat, want one for each ten seconds:\n%s", n, log.String())
		}
		b.mu.Lock()
		b.err = nil
		b.mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(b.kept); n < 5 || n > 8 {
			t.Errorf("%d heartbeats in a minute, want one for each ten seconds", n)
		}
		cancel()
		<-done
	})
}

func TestHeartbeatsAreKeptForAMoment(t *testing.T) {
	now := time.Now()
	b := &beats{kept: []directory.Heartbeat{{Region: "us-east-1", At: now}}}
	var k sightings
	for _, after := range []time.Duration{0, time.Second, 1999 * time.Millisecond} {
		if _, err := k.get(t.Context(), b, now.Add(after)); err != nil || b.asks != 1 {
			t.Errorf("after %s the store was asked %d times, %v", after, b.asks, err)
		}
	}
	b.err = errors.New("down")
	got, err := k.get(t.Context(), b, now.Add(2*time.Second))
	if err == nil || len(got) != 1 || b.asks != 2 {
		t.Errorf("got %+v, %v after %d questions, want what was last known and an error", got, err, b.asks)
	}
	b.err = nil
	if _, err := k.get(t.Context(), b, now.Add(5*time.Second)); err != nil {
		t.Errorf("once the store is back: %v", err)
	}
}

func TestIslandsPage(t *testing.T) {
	now := time.Now()
	b := &beats{kept: []directory.Heartbeat{
		{Region: "ap-southeast-2", Instance: "i-ap", At: now.Add(-3 * time.Minute)},
		{Region: "eu-west-1", Instance: "i-other", At: now.Add(-time.Second)},
		{Region: "us-east-1", Instance: "i-us", At: now.Add(-4 * time.Second)},
	}}
	s := New(islandOptions("eu-west-1", b, &bytes.Buffer{}))
	page := func() string {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/islands", nil))
		if w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("got status %d, headers %v", w.Code, w.Header())
		}
		return w.Body.String()
	}
	body := page()
	for _, want := range []string{"Answered you just now", "Silent for 3 min", "Seen 4 s ago", "i-us", "i-ap"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(body, "i-other") {
		t.Error("this island is listed twice")
	}
	const absent = "A check is absent here"
	if strings.Contains(body, absent) {
		t.Error("a check is absent, though something says what the fleet reaches")
	}
	s.Unheard = true
	if !strings.Contains(page(), absent) {
		t.Error("the page does not say that a check is absent")
	}
	s.sightings.asked, b.err = time.Time{}, errors.New("secret detail")
	body = page()
	if !strings.Contains(body, "last known") || !strings.Contains(body, "i-us") || strings.Contains(body, "secret") {
		t.Errorf("with the store down the page is\n%s", body)
	}
}

func TestSince(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-2 * time.Second: "0 s", 4900 * time.Millisecond: "4 s", 59 * time.Second: "59 s",
		time.Minute: "1 min", 59 * time.Minute: "59 min", 25 * time.Hour: "25 h",
	} {
		if got := since(d); got != want {
			t.Errorf("since(%s) = %q, want %q", d, got, want)
		}
	}
}
