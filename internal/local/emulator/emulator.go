// Package emulator runs an AWS emulator on this machine: moto as a server, with
// a plugin for what it lacks. Its state is in memory and ends with it.
package emulator

import (
	"bufio"
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/child"
)

//go:embed plugin/*.py
var plugin embed.FS

// startWithin bounds the emulator's start, which takes a second or two where
// nothing else runs: one that hangs is meant, not a machine that is busy.
const startWithin = 5 * time.Minute

// Options configure an emulator.
type Options struct {
	// Python is the interpreter, of an environment that has moto. Default: the
	// environment's PYTHON, else "python3".
	Python string
	// Port is the TCP port on loopback. Default: a free one.
	Port int
	// ReplicationDelay is how long an S3 object takes to another region, on the
	// emulator's clock. Default: one second.
	ReplicationDelay time.Duration
	// Pace is how many seconds pass on the emulator's clock in one of this
	// machine's: see Clock. Control.SetPace changes it. Default: 1.
	Pace int
	// Log takes what the emulator prints. Default: nowhere.
	Log io.Writer
}

// Server is a running emulator.
type Server struct {
	// URL is its endpoint for every service and region. It names localhost: the
	// CDK CLI makes template addresses of it that an IP address breaks.
	URL string

	stop func()
	done <-chan error
}

// URL is the endpoint of an emulator at a port.
func URL(port int) string { return "http://localhost:" + strconv.Itoa(port) }

// interpreter is a Python that has the emulator's packages.
func interpreter() string { return cmp.Or(os.Getenv("PYTHON"), "python3") }

// Start starts an emulator and returns when it answers. It ends with Stop, with
// ctx, and with this process, however that ends.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Python == "" {
		o.Python = interpreter()
	}
	if o.ReplicationDelay == 0 {
		o.ReplicationDelay = time.Second
	}
	o.Pace = max(1, o.Pace)
	if o.Log == nil {
		o.Log = io.Discard
	}
	if _, err := exec.LookPath(o.Python); err != nil {
		return nil, fmt.Errorf("%s cannot run the AWS emulator: run `make setup`, which fetches it (%w)", o.Python, err)
	}
	if o.Port == 0 {
		port, err := FreePort()
		if err != nil {
			return nil, err
		}
		o.Port = port
	}
	dir, err := os.MkdirTemp("", "archipelago-emulator-")
	if err != nil {
		return nil, err
	}
	if err := os.CopyFS(dir, plugin); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return start(ctx, o, dir)
}

// start runs the plugin in dir, which goes when it has ended.
func start(ctx context.Context, o Options, dir string) (*Server, error) {
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.Command(o.Python, "-m", "plugin", "--port", strconv.Itoa(o.Port),
		"--replication-delay", strconv.FormatFloat(o.ReplicationDelay.Seconds(), 'f', -1, 64),
		"--pace", strconv.Itoa(o.Pace))
	cmd.Dir = dir
	// It calls itself through the SDK for Python.
	cmd.Env = append(Isolate(os.Environ(), URL(o.Port)), "PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1")
	var said lastLine
	cmd.Stderr = io.MultiWriter(o.Log, &said)
	// The plugin ends when its standard input does, and so with this process.
	if _, err := cmd.StdinPipe(); err != nil {
		cancel()
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	stdout, stdoutWriter := io.Pipe()
	cmd.Stdout = io.MultiWriter(o.Log, stdoutWriter)
	done := make(chan error, 1)
	ended := child.Run(ctx, cmd, 2*time.Second)
	go func() {
		err := <-ended
		_ = stdoutWriter.Close() // ends the goroutine that reads it
		done <- errors.Join(err, os.RemoveAll(dir))
		close(done)
	}()
	ready := make(chan struct{})
	go func() {
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			if lines.Text() == "ready" {
				close(ready)
				break
			}
		}
		_, _ = io.Copy(io.Discard, stdout)
	}()
	s := &Server{URL: URL(o.Port), stop: cancel, done: done}
	select {
	case <-ready:
		// Python has read all of it, and a killed parent would leave it behind.
		return s, os.RemoveAll(dir)
	case err := <-done:
		defer cancel()
		if ctx.Err() == nil {
			err = fmt.Errorf("%s cannot run the AWS emulator: %s (%w)", o.Python, said.text, err)
		}
		return nil, err
	case <-time.After(startWithin):
		cancel()
		<-done
		return nil, fmt.Errorf("the AWS emulator was not ready within %s", startWithin)
	}
}

// Done is closed, with the reason, when the emulator has ended.
func (s *Server) Done() <-chan error { return s.done }

// Stop ends the emulator and waits for it.
func (s *Server) Stop() error {
	s.stop()
	if err := <-s.done; err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// FreePort returns a TCP port that nobody listened on a moment ago.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// lastLine remembers the last line that was written, which says why a program ended.
type lastLine struct{ text string }

func (l *lastLine) Write(b []byte) (int, error) {
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if last := lines[len(lines)-1]; last != "" {
		l.text = last
	}
	return len(b), nil
}
