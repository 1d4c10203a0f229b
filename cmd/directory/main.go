// Command directory serves the employee directory.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/archipelago-cdk/archipelago/service/web"
	"github.com/coreos/go-systemd/v22/daemon"
)

// version is the service's. It is written here, not taken from the checkout, so
// that an unchanged service is the same binary.
const version = "0.1.0"

const (
	// lameDuck is how long the service serves on after it was told to end, so
	// that a load balancer learns of it first.
	lameDuck = 2 * time.Second
	// drainWithin bounds the requests in flight; the unit's TimeoutStopSec is
	// longer.
	drainWithin = 45 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "directory:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends and every request in flight is answered.
func run(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	settings, err := parseSettings(args, getenv, stdout)
	if err != nil || settings == nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(stdout, nil))
	listener, err := net.Listen("tcp", settings.listen)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w; choose another address with LISTEN or --listen, such as LISTEN=127.0.0.1:8081", settings.listen, err)
	}
	island := newIsland(ctx, settings, log)
	stores, err := openStores(ctx, settings)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer stores.close()
	handler := web.New(web.Options{
		Employees:      stores.employees,
		Photos:         stores.photos,
		Island:         island.get,
		AllowCleartext: settings.allowCleartext,
		Log:            log,
	})
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       web.ReadTimeout,
		WriteTimeout:      web.ReadTimeout,
		// Longer than the 60 s of a load balancer, which else may send a
		// request just as the connection closes.
		IdleTimeout:    75 * time.Second,
		MaxHeaderBytes: 16 << 10,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	log.Info("serving", "url", "http://"+listener.Addr().String(), "store", settings.store(), "version", version)
	notify(daemon.SdNotifyReady, log)
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	return drain(server, handler, log)
}

// drain goes on serving for a moment, and then until nothing is in flight.
func drain(server *http.Server, handler *web.Server, log *slog.Logger) error {
	log.Info("draining")
	notify(daemon.SdNotifyStopping, log)
	handler.Drain()
	time.Sleep(lameDuck)
	ctx, cancel := context.WithTimeout(context.Background(), drainWithin)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return fmt.Errorf("requests were still in flight after %s: %w", drainWithin, err)
	}
	log.Info("stopped")
	return nil
}

// notify tells systemd, if it is there.
func notify(state string, log *slog.Logger) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn("systemd was not told", "state", state, "error", err.Error())
	}
}
