// Command directory serves the employee directory, keeps its accounts and backups,
// and imports the data of the one that it replaces.
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
	"runtime/debug"
	"syscall"
	"time"

	"github.com/archipelago-cdk/archipelago/service/photo"
	"github.com/archipelago-cdk/archipelago/service/setting"
	"github.com/archipelago-cdk/archipelago/service/web"
	"github.com/coreos/go-systemd/v22/daemon"
)

// version is the service's. It is written here, not taken from the checkout, so
// that an unchanged service is the same binary.
const version = "0.1.0"

const (
	// memoryLimit is where the garbage collector works harder, unless GOMEMLIMIT
	// says otherwise: what photos are decoded with, and 64 MiB for all else.
	memoryLimit = photo.Memory + 64<<20
	// gcPercent is by how much the heap grows until garbage is collected, unless GOGC
	// says otherwise. Pages leave much of it and little stays: collecting half as often
	// as by default is a tenth more requests (bench, BenchmarkCachedPages). While photos
	// are decoded, whose garbage is large, it is gcPercentOfPhotos.
	gcPercent, gcPercentOfPhotos = 200, 100
	// lameDuck is how long the service serves on after it was told to end, so
	// that a load balancer learns of it first.
	lameDuck = 2 * time.Second
	// drainWithin bounds the requests in flight: the load balancer's
	// deregistration delay, after which it cuts them off itself, and a margin.
	// The unit's TimeoutStopSec is longer than both.
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

// command is something that the program does besides serving.
type command struct {
	name, summary string
	run           func(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout io.Writer) error
}

// commands are chosen by the first argument.
func commands() []command {
	return []command{
		{"user", "keep the accounts of those who may sign in", runUser},
		{"backup", "write the embedded store to a file", runBackup},
		{"restore", "read the embedded store from such a file", runRestore},
		{"import", "import the data of the directory that this one replaces", runImport},
	}
}

// run does what the first argument says, or else serves.
func run(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	for _, c := range commands() {
		if len(args) > 0 && args[0] == c.name {
			return c.run(ctx, args[1:], getenv, os.Stdin, stdout)
		}
	}
	return serve(ctx, args, getenv, stdout)
}

// serve serves until ctx ends and every request in flight is answered.
func serve(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) (err error) {
	settings, err := parseSettings(args, getenv, stdout)
	if err != nil || settings == nil {
		return err
	}
	if getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	decoding := func(bool) {}
	if getenv("GOGC") == "" {
		decoding = func(busy bool) {
			percent := gcPercent
			if busy {
				percent = gcPercentOfPhotos
			}
			debug.SetGCPercent(percent)
		}
		decoding(false)
	}
	log, flush := newLog(stdout)
	defer func() { err = errors.Join(err, flush()) }()
	listener, err := listen(settings.listen)
	if err != nil {
		return err
	}
	defer listener.Close() // where it does not serve
	island := newIsland(ctx, settings, log)
	stores, err := openStores(ctx, &settings.stored, log, impatient(log)...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stores.close()) }()
	handler := newHandler(settings, stores, island, decoding, log)
	server := newServer(handler, log)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	sayWhere(stdout, listener.Addr())
	log.Info("serving", "url", "http://"+listener.Addr().String(), "store", settings.store(), "version", version)
	notify(daemon.SdNotifyReady, log)
	defer background(context.WithoutCancel(ctx), func(ctx context.Context) { watch(ctx, handler, log) })()
	defer background(ctx, append(chores(stores, log), handler.Beat)...)()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	return drain(server, handler, log)
}

// sayWhere says where to go to a person who started the service at a terminal.
func sayWhere(stdout io.Writer, addr net.Addr) {
	if f, ok := stdout.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			fmt.Fprintf(stdout, "\nopen http://%s in a browser; Ctrl-C ends it\n\n", addr)
		}
	}
}

// newHandler tells decoding when photos begin to be decoded, and when none is any more.
func newHandler(s *settings, stores *stores, island *island, decoding func(bool), log *slog.Logger) *web.Server {
	return web.New(web.Options{
		Employees:      stores.employees,
		Photos:         stores.photos,
		Processor:      photo.New(photo.Options{Dir: s.spoolDir, Busy: decoding}),
		Accounts:       stores.accounts,
		Sessions:       stores.sessions,
		Island:         island.get,
		SignedInReads:  s.signedInReads,
		TrustedProxies: s.trustedProxies,
		WriteRate:      s.writeRate,
		LoadGenerator:  s.loadGenerator,
		Unheard:        s.unheard,
		ImageSources:   s.imageSources,
		AllowCleartext: s.allowCleartext,
		Log:            log,
	})
}

func newServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       web.ReadTimeout,
		WriteTimeout:      web.ReadTimeout + web.AnswerTimeout,
		// Longer than the 60 s of a load balancer, which else may send a
		// request just as the connection closes.
		IdleTimeout:    75 * time.Second,
		MaxHeaderBytes: 16 << 10,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

func listen(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w; choose another address, such as %s=127.0.0.1:8081", address, err, setting.Listen)
	}
	return listener, nil
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
