package main

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/archipelago-cdk/archipelago/service/setting"
	"github.com/coreos/go-systemd/v22/daemon"
)

// watch tells systemd that the service is alive, three times in the time that the unit's
// WatchdogSec allows and until ctx ends, for as long as its own handler answers.
// A service that does not answer is killed by systemd, and started again.
func watch(ctx context.Context, handler http.Handler, log *slog.Logger) {
	within, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("the watchdog's settings are wrong", "error", err.Error())
	}
	if within <= 0 {
		return
	}
	ticks := time.NewTicker(within / 3)
	defer ticks.Stop()
	for {
		if answers(ctx, handler, within/4) {
			notify(daemon.SdNotifyWatchdog, log)
		} else if ctx.Err() == nil {
			log.Error("the service does not answer itself; systemd will end it if that goes on")
		}
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}

// answers reports whether handler answers in time that it is alive.
func answers(ctx context.Context, handler http.Handler, within time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, setting.LivePath, nil)
	if err != nil {
		return false
	}
	r.RemoteAddr = "127.0.0.1:0"
	answered := make(chan int, 1)
	go func() {
		w := &statusOnly{header: http.Header{}, status: http.StatusOK}
		handler.ServeHTTP(w, r)
		answered <- w.status
	}()
	select {
	case status := <-answered:
		return status == http.StatusOK
	case <-ctx.Done():
		return false
	}
}

// statusOnly is an answer of which only the status matters.
type statusOnly struct {
	header http.Header
	status int
}

func (w *statusOnly) Header() http.Header         { return w.header }
func (w *statusOnly) Write(b []byte) (int, error) { return len(b), nil }
func (w *statusOnly) WriteHeader(status int)      { w.status = status }
