package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// systemd plays the part of systemd that units notify, and returns what they
// say.
func systemd(t *testing.T) <-chan string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOTIFY_SOCKET", path)
	said := make(chan string, 1000)
	go func() {
		for b := make([]byte, 1000); ; {
			n, err := socket.Read(b)
			if err != nil {
				return
			}
			said <- string(b[:n])
		}
	}()
	t.Cleanup(func() { socket.Close() })
	return said
}

// hear returns what a unit says next.
func hear(t *testing.T, said <-chan string) string {
	t.Helper()
	select {
	case text := <-said:
		return text
	case <-time.After(10 * time.Second):
		t.Fatal("systemd is told nothing")
		return ""
	}
}

func TestWatchdogIsFedWhileTheServiceAnswers(t *testing.T) {
	said := systemd(t)
	t.Setenv("WATCHDOG_USEC", "200000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	var stuck atomic.Bool
	hangs, release := make(chan struct{}, 1000), make(chan struct{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/livez" {
			t.Errorf("%s is asked", r.URL.Path)
		}
		if stuck.Load() {
			hangs <- struct{}{}
			<-release
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		watch(ctx, handler, slog.New(slog.NewTextHandler(io.Discard, nil)))
		close(ended)
	}()
	for range 3 {
		if got := hear(t, said); got != "WATCHDOG=1" {
			t.Errorf("systemd is told %q", got)
		}
	}
	stuck.Store(true)
	<-hangs
	notify("MARK=1", slog.New(slog.DiscardHandler)) // what was on its way is before it
	for hear(t, said) != "MARK=1" {
	}
	select {
	case got := <-said:
		t.Errorf("systemd is told %q by a service that does not answer", got)
	case <-time.After(300 * time.Millisecond):
	}
	stuck.Store(false)
	close(release)
	if got := hear(t, said); got != "WATCHDOG=1" {
		t.Errorf("systemd is told %q by a service that answers again", got)
	}
	cancel()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("it goes on")
	}
}

func TestNoWatchdogIsFedUnlessAskedFor(t *testing.T) {
	said := systemd(t)
	watch(t.Context(), http.NotFoundHandler(), slog.New(slog.NewTextHandler(io.Discard, nil)))
	if len(said) > 0 {
		t.Errorf("systemd is told %q", <-said)
	}
}
