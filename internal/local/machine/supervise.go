package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/child"
	"github.com/archipelago-cdk/archipelago/internal/local/nobody"
)

// supervisor runs a unit as systemd does, and says what happens in its words.
type supervisor struct {
	unit        *unit
	root        string
	environment []string
	// memory is how many bytes the unit may use. 0 is without a bound.
	memory uint64
	// memoryEvery is how often its use is looked at.
	memoryEvery time.Duration
	output      io.Writer
	log         *log.Logger
	started     func(pid int)
	// becomes is told how the start of the program goes. Default: nobody is.
	becomes func(State)
	// script runs a script of the machine with arguments.
	script func(ctx context.Context, command []string) error

	job chan error // the result of the first start, once
}

func newSupervisor(u *unit, root string, environment []string, memory uint64, output io.Writer, log *log.Logger, started func(pid int)) *supervisor {
	return &supervisor{
		unit: u, root: root, environment: environment, memory: u.memoryMax.of(memory), memoryEvery: time.Second,
		output: output, log: log, started: started, becomes: func(State) {}, job: make(chan error, 1),
	}
}

// State is how the start of a service goes.
type State int

// Values of State.
const (
	// Starting has not ended; with Type=notify it lasts until the service says READY=1.
	Starting State = iota
	// Started has.
	Started
	// TimedOut took longer than TimeoutStartSec, and is tried again.
	TimedOut
)

// Results of a run, as systemd calls them. Source: systemd.exec(5),
// $SERVICE_RESULT.
const (
	success       = "success"
	protocol      = "protocol"
	timeout       = "timeout"
	exitCode      = "exit-code"
	bySignal      = "signal"
	watchdog      = "watchdog"
	resources     = "resources"
	oomKill       = "oom-kill"
	startLimitHit = "start-limit-hit"
)

// startLimit is how many starts a unit may have in an interval. Without an
// interval or a burst it has any number.
type startLimit struct {
	interval time.Duration
	burst    int

	begin  time.Time
	starts int
}

// allows counts a start, unless the limit is hit: as systemd's ratelimit_below
// does, from the first start of an interval on.
func (l *startLimit) allows(now time.Time) bool {
	if l.interval == 0 || l.burst == 0 {
		return true
	}
	if l.begin.IsZero() || now.Sub(l.begin) > l.interval {
		l.begin, l.starts = now, 0
	}
	if l.starts >= l.burst {
		return false
	}
	l.starts++
	return true
}

// run runs the unit until ctx ends, and again whenever it ends by itself, if it
// says so.
func (s *supervisor) run(ctx context.Context) {
	defer s.finishJob(errors.New("the machine is stopped"))
	limit := s.unit.startLimit
	for restarts := 1; ; restarts++ {
		result := startLimitHit
		if limit.allows(time.Now()) {
			result = s.runOnce(ctx)
		} else {
			s.say("Start request repeated too quickly.")
		}
		if ctx.Err() != nil {
			return
		}
		if result != success {
			s.say("Failed with result '%s'.", result)
			s.finishJob(fmt.Errorf("the start of %s failed with result '%s'", s.unit.name, result))
		}
		if !s.unit.restart || result == startLimitHit {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(s.unit.restartDelay):
		}
		s.say("Scheduled restart job, restart counter is at %d.", restarts)
	}
}

func (s *supervisor) say(format string, args ...any) {
	s.log.Printf(s.unit.name+": "+format, args...)
}

// finishJob gives the first start a result, once.
func (s *supervisor) finishJob(err error) {
	select {
	case s.job <- err:
	default:
	}
}

// runOnce runs the unit's program once.
func (s *supervisor) runOnce(ctx context.Context) (result string) {
	u := s.unit
	if err := u.makeFolders(s.root); err != nil {
		s.say("%v", err)
		return resources
	}
	if err := u.loadCredentials(s.root); err != nil {
		s.say("Failed to set up credentials: %v", err)
		return exitCode
	}
	if u.execStopPost != nil {
		defer s.stopPost(ctx)
	}
	if u.isScript() {
		return s.runScript(ctx)
	}
	if err := checkProgram(filepath.Join(s.root, u.execStart[0])); err != nil {
		s.say("Failed at step EXEC spawning %s: %v", u.execStart[0], err)
		return exitCode
	}
	environment := s.environment
	var notes <-chan note
	if u.kind == "notify" || u.watchdog > 0 {
		socket, err := listenNotify()
		if err != nil {
			s.say("%v", err)
			return resources
		}
		defer socket.close()
		notes = socket.notes
		environment = append(environment[:len(environment):len(environment)], "NOTIFY_SOCKET="+socket.path)
	}
	if u.watchdog > 0 {
		environment = append(environment, "WATCHDOG_USEC="+strconv.FormatInt(u.watchdog.Microseconds(), 10))
	}
	cmd := u.command(s.root)
	cmd.Dir = filepath.Join(s.root, u.workingDirectory)
	cmd.Env = environment
	if u.dynamicUser {
		nobody.Become(cmd)
	}
	cmd.Stdout, cmd.Stderr = s.output, s.output
	return s.follow(ctx, cmd, notes)
}

// checkProgram returns an error unless the kernel can run a program: the shell
// that becomes it would run any text.
func checkProgram(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return errors.Unwrap(err)
	}
	defer f.Close()
	begins := make([]byte, 4)
	n, _ := io.ReadFull(f, begins)
	if text := string(begins[:n]); !strings.HasPrefix(text, "#!") && text != "\x7fELF" {
		return syscall.ENOEXEC
	}
	return nil
}

// process is a run of a unit's program.
type process struct {
	*supervisor
	pid   int
	end   func() // asks it to end, and kills it when TimeoutStopSec is over
	ready bool
	why   string // the result, where it is known before the program ends

	starting, living, killing *time.Timer
}

// follow starts cmd and follows it to its end.
func (s *supervisor) follow(ctx context.Context, cmd *exec.Cmd, notes <-chan note) (result string) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	pids := make(chan int, 1)
	done := child.RunNoting(ctx, cmd, s.stopWithin(), func(pid int) {
		s.started(pid)
		pids <- pid
	})
	p := &process{supervisor: s, end: end, starting: newTimer(s.unit.startTimeout), living: newTimer(0), killing: newTimer(0)}
	select {
	case p.pid = <-pids:
		s.becomes(Starting)
	case err := <-done:
		select {
		case p.pid = <-pids:
			return p.ended(err)
		default:
			s.say("Failed at step EXEC spawning %s: %v", s.unit.execStart[0], err)
			return exitCode
		}
	}
	if s.unit.kind != "notify" {
		p.becomeReady()
	}
	memory := time.NewTicker(s.memoryEvery)
	defer memory.Stop()
	for {
		select {
		case n := <-notes:
			p.hear(n)
		case <-p.starting.C:
			p.giveUp()
		case <-p.living.C:
			p.miss()
		case <-p.killing.C:
			p.signal(syscall.SIGKILL)
		case <-memory.C:
			p.checkMemory()
		case err := <-done:
			p.signal(syscall.SIGKILL) // what is left of its group
			return p.ended(err)
		}
	}
}

// never is a time that does not come.
const never = 100 * 365 * 24 * time.Hour

func newTimer(d time.Duration) *time.Timer {
	if d == 0 {
		d = never
	}
	return time.NewTimer(d)
}

func (s *supervisor) stopWithin() time.Duration {
	if s.unit.stopTimeout == 0 {
		return never
	}
	return s.unit.stopTimeout
}

func (p *process) signal(sig syscall.Signal) { _ = syscall.Kill(-p.pid, sig) } // its group may be gone

// becomeReady ends the start, after which the watchdog counts.
func (p *process) becomeReady() {
	p.ready = true
	p.starting.Stop()
	p.becomes(Started)
	p.live()
	p.finishJob(nil)
}

// giveUp ends a program that has not said in time that it is ready.
func (p *process) giveUp() {
	if p.why != "" {
		return
	}
	p.say("start operation timed out. Terminating.")
	p.becomes(TimedOut)
	p.why = timeout
	p.end()
}

// live begins the watchdog's time again.
func (p *process) live() {
	if p.unit.watchdog > 0 && p.why == "" {
		p.living.Reset(p.unit.watchdog)
	}
}

// miss aborts a program that the watchdog has not heard of.
func (p *process) miss() {
	p.say("Watchdog timeout (limit %s)!", p.unit.watchdog)
	p.abort()
}

func (p *process) abort() {
	if p.why != "" {
		return
	}
	p.why = watchdog
	p.signal(syscall.SIGABRT)
	p.killing.Reset(p.stopWithin())
}

// hear does what the program says. Only its first process may speak, as with
// NotifyAccess=main, which is systemd's default.
func (p *process) hear(n note) {
	if n.pid != p.pid {
		p.say("Got notification message from PID %d, but reception only permitted for main PID %d", n.pid, p.pid)
		return
	}
	for line := range strings.Lines(n.text) {
		switch line = strings.TrimSuffix(line, "\n"); {
		case line == "READY=1":
			if !p.ready && p.why == "" {
				p.becomeReady()
			}
		case line == "WATCHDOG=1":
			if p.ready {
				p.live()
			}
		case line == "WATCHDOG=trigger":
			p.say("Watchdog request received.")
			p.abort()
		case line == "STOPPING=1", strings.HasPrefix(line, "STATUS="), strings.HasPrefix(line, "ERRNO="):
		default:
			p.say("The service says %s, which the local cloud does not play.", line)
		}
	}
}

// checkMemory kills a program that uses more than the unit may.
func (p *process) checkMemory() {
	if p.memory == 0 || p.why != "" {
		return
	}
	if used := memoryOf(p.pid); used > p.memory {
		p.say("A process of this unit has been killed by the OOM killer: it uses %d MiB of MemoryMax, %d MiB.", used>>20, p.memory>>20)
		p.why = oomKill
		p.signal(syscall.SIGKILL)
	}
}

// ended is the result of a program that has ended.
func (p *process) ended(err error) (result string) {
	var exit *exec.ExitError
	switch {
	case p.why != "":
		return p.why
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded): // the machine is stopped
		return success
	case errors.As(err, &exit):
		p.say("Main process exited: %v", exit)
		status, ok := exit.Sys().(syscall.WaitStatus)
		switch {
		case ok && !status.Signaled():
			return exitCode
		case ok && !endsWell(status.Signal()):
			return bySignal
		}
	case err != nil && !errors.Is(err, exec.ErrWaitDelay): // a process that it left held its output
		p.say("Main process exited: %v", err)
		return resources
	}
	if !p.ready {
		p.say("Main process exited before it was ready.")
		return protocol
	}
	p.say("Deactivated successfully.")
	return success
}

// endsWell reports whether a signal ends a service as it should. Source:
// systemd.service(5), Restart=.
func endsWell(sig syscall.Signal) bool {
	return sig == syscall.SIGHUP || sig == syscall.SIGINT || sig == syscall.SIGTERM || sig == syscall.SIGPIPE
}
