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
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/child"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/service/setting"
)

// Machine is one instance.
type Machine struct {
	emulator.Instance
	// Addr is where the service listens: on AWS the instance's address and the
	// target group's port, here a port of loopback.
	Addr string

	url    string // the emulator's
	root   string
	log    *log.Logger
	output io.Writer
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu      sync.Mutex
	service *service
	pid     int // of the service's process, the last one
	starts  int // of the service
}

// service is a unit that was started, with what it runs with.
type service struct {
	program     string
	environment []string
}

// Start boots instance in a folder below dir, and returns at once. What goes on
// is written to output.
func Start(ctx context.Context, instance emulator.Instance, url, dir string, output io.Writer) (*Machine, error) {
	port, err := emulator.FreePort()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	m := &Machine{
		Instance: instance,
		Addr:     "127.0.0.1:" + strconv.Itoa(port),
		url:      url,
		root:     filepath.Join(dir, instance.ID),
		output:   output,
		log:      log.New(output, instance.ID+" ", log.Lmsgprefix),
		cancel:   cancel,
	}
	metadata, err := m.serveMetadata(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	m.done.Go(func() {
		if err := m.boot(ctx, metadata); err != nil && ctx.Err() == nil {
			m.log.Printf("first boot failed: %v", err)
		}
	})
	return m, nil
}

// Stop shuts the machine down as EC2 does: units are asked to stop and given
// the time that they state. It returns when nothing of the machine is left.
func (m *Machine) Stop() {
	m.cancel()
	m.done.Wait()
	if err := os.RemoveAll(m.root); err != nil {
		m.log.Print(err)
	}
}

// boot runs the user data; the units that it starts go on.
func (m *Machine) boot(ctx context.Context, metadata string) error {
	start := func(unit string) error {
		u, err := readUnit(filepath.Join(m.root, "etc/systemd/system", unit))
		if err != nil {
			return err
		}
		if err := u.check(m.root); err != nil {
			return err
		}
		environment, err := m.environment(u, metadata)
		if err != nil {
			return err
		}
		m.mu.Lock()
		m.service = &service{filepath.Join(m.root, u.execStart[0]), environment}
		m.mu.Unlock()
		m.done.Go(func() { u.supervise(ctx, m.root, environment, m.output, m.log, m.started) })
		return nil
	}
	return runUserData(ctx, m.UserData, shell{root: m.root, url: m.url, addr: m.Addr, credentials: m.assumeRole(), output: m.output, start: start})
}

func (m *Machine) started(pid int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pid = pid
	m.starts++
}

// Restarts is how many times the service was started again after it ended.
func (m *Machine) Restarts() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return max(0, m.starts-1)
}

// Run runs the program of the machine's service once, with arguments and what it
// reads, as an operator does who has the service's settings. Its error has what
// the program printed.
func (m *Machine) Run(ctx context.Context, stdin io.Reader, arguments ...string) error {
	m.mu.Lock()
	s := m.service
	m.mu.Unlock()
	if s == nil {
		return fmt.Errorf("%s has not started its service yet", m.ID)
	}
	cmd := exec.Command(s.program, arguments...)
	cmd.Env = s.environment
	cmd.Stdin = stdin
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := <-child.Run(ctx, cmd, time.Second); err != nil {
		return fmt.Errorf("%s %s: %w: %s", filepath.Base(s.program), strings.Join(arguments, " "), err, bytes.TrimSpace(output.Bytes()))
	}
	return nil
}

// environment is the unit's own, but for what differs from AWS: where the
// service listens, where its load balancer is, and where AWS and the instance's
// metadata are.
func (m *Machine) environment(u *unit, metadata string) ([]string, error) {
	environment, err := u.environment(m.root)
	if err != nil {
		return nil, fmt.Errorf("the unit's environment: %w", err)
	}
	return append(environment,
		setting.Listen+"="+m.Addr,
		setting.TrustedProxies+"=127.0.0.0/8",
		// A larger instance is a process with more CPU.
		"GOMAXPROCS="+strconv.Itoa(m.VCPU()),
		"AWS_ENDPOINT_URL="+m.url,
		"AWS_EC2_METADATA_SERVICE_ENDPOINT="+metadata,
		"AWS_CONFIG_FILE="+os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE="+os.DevNull,
	), nil
}
