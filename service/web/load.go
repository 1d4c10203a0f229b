package web

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"time"
)

// Limits of the load that people may make on purpose.
const (
	minLoadShare = 10 // percent
	maxLoadShare = 100
	// maxLoadSeconds is ten minutes.
	maxLoadSeconds = 600
	// loadPeriod is the time of which a share is burnt.
	loadPeriod = 100 * time.Millisecond
)

// load burns a share of this instance's CPU, one at a time and for a bounded
// time, so that scaling can be seen.
type load struct {
	// spin keeps a core busy for d.
	spin func(d time.Duration)

	mu      sync.Mutex
	burning *burning
	// stop ends the load that is being made, and done is closed when it has.
	stop context.CancelFunc
	done chan struct{}
	// closed reports whether the service is ending.
	closed bool
}

// burning is a load that is being made.
type burning struct {
	// Share is of the CPU, in percent.
	Share int
	// Until is when it ends.
	Until time.Time
	// Account is whose it is.
	Account string
}

func newLoad(spin func(time.Duration)) *load { return &load{spin: spin} }

// spin burns a core for d.
func spin(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
	}
}

// state returns the load that is being made, or nil.
func (l *load) state() *burning {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.burning
}

// start begins a load for some time, if there is none.
func (l *load) start(b burning, length time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return &statusError{status: http.StatusServiceUnavailable, message: "This instance is shutting down."}
	}
	if l.burning != nil {
		return &statusError{status: http.StatusConflict, message: "This instance is busy: one load at a time. Stop it, or wait for its end."}
	}
	ctx, cancel := context.WithTimeout(context.Background(), length)
	done := make(chan struct{})
	l.burning, l.stop, l.done = &b, cancel, done
	var cores sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		cores.Go(func() { l.burn(ctx, b.Share) })
	}
	go func() {
		cores.Wait()
		cancel()
		l.mu.Lock()
		defer l.mu.Unlock()
		l.burning, l.stop = nil, nil
		close(done)
	}()
	return nil
}

// burn burns a share of one core until ctx ends.
func (l *load) burn(ctx context.Context, share int) {
	busy := loadPeriod * time.Duration(share) / 100
	for ctx.Err() == nil {
		l.spin(busy)
		select {
		case <-ctx.Done():
		case <-time.After(loadPeriod - busy):
		}
	}
}

// end ends the load that is being made, within loadPeriod, and returns false
// where there is none.
func (l *load) end() bool {
	l.mu.Lock()
	stop, done := l.stop, l.done
	l.mu.Unlock()
	if stop == nil {
		return false
	}
	stop()
	<-done
	return true
}

// close ends the load and takes no other.
func (l *load) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.end()
}

// notOnAWS stands where only AWS would say something.
const notOnAWS = "none: not on AWS"

// loadForm is the part of the island's page from which a load is made.
type loadForm struct {
	// Offered reports whether loads may be made here at all.
	Offered bool
	// Burning is the load that is being made on this instance, or nil.
	Burning *burning
	// Share and Seconds are what was asked for, or what is offered.
	Share   int
	Seconds int
	// Message is what came of it, or "".
	Message string
}

// renderIsland shows the island with what came of a load. The answer to a load
// is not a redirect: the load balancer may send that to another instance.
func (s *Server) renderIsland(w http.ResponseWriter, r *http.Request, status int, f loadForm) error {
	f.Offered = s.LoadGenerator
	f.Burning = s.load.state()
	if f.Share == 0 {
		f.Share, f.Seconds = 80, 300
	}
	return s.render(w, r, status, "island", "This island", islandPage(s.Island(), f))
}

// startLoad begins to burn CPU.
func (s *Server) startLoad(w http.ResponseWriter, r *http.Request) error {
	if err := readSmallForm(w, r); err != nil {
		return err
	}
	f := loadForm{}
	var shareErr, secondsErr error
	f.Share, shareErr = strconv.Atoi(r.PostForm.Get("share"))
	f.Seconds, secondsErr = strconv.Atoi(r.PostForm.Get("seconds"))
	if shareErr != nil || secondsErr != nil || f.Share < minLoadShare || f.Share > maxLoadShare ||
		f.Seconds < 1 || f.Seconds > maxLoadSeconds {
		f.Message = fmt.Sprintf("Choose a share from %d to %d %% and a time from 1 to %d seconds.", minLoadShare, maxLoadShare, maxLoadSeconds)
		return s.renderIsland(w, r, http.StatusUnprocessableEntity, f)
	}
	length := time.Duration(f.Seconds) * time.Second
	b := burning{Share: f.Share, Until: s.Now().Add(length).UTC(), Account: accountOf(r.Context())}
	if err := s.load.start(b, length); err != nil {
		problem := statusOf(err)
		problem.setHeader(w.Header())
		f.Message = problem.message
		return s.renderIsland(w, r, problem.status, f)
	}
	s.Log.LogAttrs(r.Context(), slog.LevelWarn, "load begun", slog.String("account", b.Account),
		slog.Int("share", f.Share), slog.Int("seconds", f.Seconds))
	return s.renderIsland(w, r, http.StatusOK, f)
}

// stopLoad ends what startLoad began, on this instance.
func (s *Server) stopLoad(w http.ResponseWriter, r *http.Request) error {
	f := loadForm{Message: "This instance burns nothing. If another one does, try again: the load balancer chooses which one answers."}
	if s.load.end() {
		f.Message = "The load has ended."
		s.Log.LogAttrs(r.Context(), slog.LevelInfo, "load stopped", slog.String("account", accountOf(r.Context())))
	}
	return s.renderIsland(w, r, http.StatusOK, f)
}
