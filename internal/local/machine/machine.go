// Package machine plays an EC2 instance on this machine: its first boot runs
// the instance's own user data, its units are supervised as systemd would, and
// it has a metadata service with the credentials of its role.
package machine

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/child"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
)

// Machine is one instance.
type Machine struct {
	emulator.Instance
	// Addr is where the service listens: on AWS the instance's address and the
	// target group's port, here a port of loopback.
	Addr string

	url      string // the emulator's
	root     string
	settings []string // Options.Environment
	log      *log.Logger
	output   io.Writer
	lines    lines // of output
	journal  journal
	cancel   context.CancelFunc
	runs     sync.WaitGroup // the boot and the units
	done     sync.WaitGroup // the metadata service

	mu      sync.Mutex
	ended   map[string]<-chan struct{} // of units that were started
	service *service                   // the first program that was started; others run beside it
	pid     int                        // of the service's process, the last one
	starts  int                        // of the service
	state   State
}

// service is a unit that was started, with what it runs with.
type service struct {
	program     string
	environment []string
}

// Options are what an instance does not say of itself.
type Options struct {
	// URL is the emulator's. Required.
	URL string
	// Dir is the folder below which each machine has one. Required.
	Dir string
	// Environment are settings, NAME=VALUE, that replace the service's own.
	Environment []string
	// Output is told what goes on. Required.
	Output io.Writer
}

// Start boots instance, and returns at once.
func Start(ctx context.Context, instance emulator.Instance, o Options) (*Machine, error) {
	port, err := emulator.FreePort()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	m := &Machine{
		Instance: instance,
		Addr:     "127.0.0.1:" + strconv.Itoa(port),
		url:      o.URL,
		root:     filepath.Join(o.Dir, instance.ID),
		settings: o.Environment,
		cancel:   cancel,
	}
	m.output = io.MultiWriter(&m.lines, o.Output)
	m.log = log.New(m.output, instance.ID+" ", log.Lmsgprefix)
	serving, off := context.WithCancel(context.WithoutCancel(ctx))
	metadata, err := m.serveMetadata(serving)
	if err != nil {
		cancel()
		off()
		return nil, err
	}
	m.runs.Go(func() {
		if err := m.boot(ctx, metadata); err != nil && ctx.Err() == nil {
			m.log.Printf("first boot failed: %v", err)
			m.journal.add(bootUnit, fmt.Sprintf("first boot failed: %v", err))
		}
	})
	context.AfterFunc(ctx, func() {
		m.runs.Wait() // units ask it while they end
		off()
	})
	return m, nil
}

// Stop shuts the machine down as EC2 does: units are asked to stop and given
// the time that they state. It returns when nothing of the machine is left.
func (m *Machine) Stop() {
	m.cancel()
	m.runs.Wait()
	m.done.Wait()
	if err := os.RemoveAll(m.root); err != nil {
		m.log.Print(err)
	}
}

// LastLines are the last lines, 20 at most, that the boot and the service printed:
// what to show when either fails.
func (m *Machine) LastLines() []string { return m.lines.get() }

// boot runs the user data; the units that it starts go on.
func (m *Machine) boot(ctx context.Context, metadata string) error {
	sh := m.shell(bootUnit, metadata)
	sh.journal = &m.journal
	sh.start = func(unit string) (<-chan error, error) { return m.start(ctx, unit, metadata) }
	return runUserData(ctx, m.UserData, sh)
}

// shell is what scripts of a unit run in.
func (m *Machine) shell(unit, metadata string) shell {
	return shell{root: m.root, url: m.url, addr: m.Addr, metadata: metadata, credentials: m.assumeRole(), output: m.outputOf(unit)}
}

// outputOf takes what a unit prints.
func (m *Machine) outputOf(unit string) io.Writer {
	return io.MultiWriter(m.output, m.journal.of(unit))
}

// start starts a unit, and sends the result when it has started or failed to.
func (m *Machine) start(ctx context.Context, unit, metadata string) (<-chan error, error) {
	u, err := readUnit(filepath.Join(m.root, "etc/systemd/system", unit))
	if err != nil {
		return nil, err
	}
	if err := u.check(m.root); err != nil {
		return nil, err
	}
	environment, err := m.environment(u, metadata)
	if err != nil {
		return nil, err
	}
	output := m.outputOf(u.name)
	s := newSupervisor(u, m.root, environment, m.memory(), output, log.New(output, m.ID+" ", log.Lmsgprefix), func(int) {})
	sh := m.shell(u.name, metadata)
	if !u.dynamicUser || slices.Contains(u.groups, "systemd-journal") {
		sh.journal = &m.journal
	}
	s.script = sh.runFile
	ended := make(chan struct{})
	m.mu.Lock()
	if !u.isScript() && m.service == nil {
		m.service = &service{filepath.Join(m.root, u.execStart[0]), environment}
		s.started, s.becomes = m.started, m.become
	}
	if m.ended == nil {
		m.ended = map[string]<-chan struct{}{}
	}
	m.ended[u.name] = ended
	m.mu.Unlock()
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		m.await(u.before)
		stop()
	})
	m.runs.Go(func() {
		defer close(ended)
		s.run(running)
	})
	return s.job, nil
}

// await returns when units have ended. One that was not started has.
func (m *Machine) await(units []string) {
	for _, unit := range units {
		m.mu.Lock()
		ended := m.ended[unit]
		m.mu.Unlock()
		if ended != nil {
			<-ended
		}
	}
}

func (m *Machine) started(pid int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pid = pid
	m.starts++
}

// become remembers how the service starts: one that is tried again has timed out
// until it has started.
func (m *Machine) become(s State) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s != Starting || m.state != TimedOut {
		m.state = s
	}
}

// State returns how the last start of the service goes.
func (m *Machine) State() State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state
}

// Booted reports whether the service was started.
func (m *Machine) Booted() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.starts > 0
}

// Restarts is how many times the service was started again after it ended.
func (m *Machine) Restarts() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return max(0, m.starts-1)
}

// Run runs the program of the machine's service once, with arguments and the
// service's settings, as an operator does, and returns what it printed. Its error
// has what it printed of errors, too.
func (m *Machine) Run(ctx context.Context, arguments ...string) (string, error) {
	m.mu.Lock()
	s := m.service
	m.mu.Unlock()
	if s == nil {
		return "", fmt.Errorf("%s has not started its service yet", m.ID)
	}
	cmd := exec.Command(s.program, arguments...)
	cmd.Env = s.environment
	var printed, failed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &failed
	if err := <-child.Run(ctx, cmd, time.Second); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", filepath.Base(s.program), strings.Join(arguments, " "), err,
			bytes.TrimSpace(append(printed.Bytes(), failed.Bytes()...)))
	}
	return printed.String(), nil
}

// Names of the settings that say where a service listens.
const (
	listenVariable = "LISTEN" // HOST:PORT
	portVariable   = "PORT"
)

// environment is the unit's own, but for what differs from AWS: the settings that
// are others here, where the service listens, and where AWS and the instance's
// metadata are.
func (m *Machine) environment(u *unit, metadata string) ([]string, error) {
	environment, err := u.environment(m.root)
	if err != nil {
		return nil, fmt.Errorf("the environment of %s: %w", u.name, err)
	}
	return append(append(environment, m.settings...),
		listenVariable+"="+m.Addr,
		portVariable+"="+m.Addr[strings.LastIndexByte(m.Addr, ':')+1:],
		// A larger instance is a process with more CPU.
		"GOMAXPROCS="+strconv.Itoa(m.VCPU()),
		"AWS_ENDPOINT_URL="+m.url,
		"AWS_EC2_METADATA_SERVICE_ENDPOINT="+metadata,
		"AWS_CONFIG_FILE="+os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE="+os.DevNull,
	), nil
}
