package machine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/child"
	"github.com/archipelago-cdk/archipelago/internal/local/nobody"
	systemd "github.com/coreos/go-systemd/v22/unit"
)

// unit is what a systemd service file says, as far as it is played here.
type unit struct {
	execStart        []string
	dynamicUser      bool
	environmentFile  string
	stateDirectory   string
	workingDirectory string
	restart          bool
	restartDelay     time.Duration
	stopTimeout      time.Duration
}

func readUnit(path string) (*unit, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	options, err := systemd.DeserializeOptions(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	u := &unit{restartDelay: 100 * time.Millisecond, stopTimeout: 90 * time.Second}
	for _, o := range options {
		if o.Section != "Service" {
			continue
		}
		var err error
		switch o.Name {
		case "ExecStart":
			u.execStart = strings.Fields(o.Value)
		case "DynamicUser":
			u.dynamicUser, err = strconv.ParseBool(o.Value)
		case "EnvironmentFile":
			u.environmentFile = o.Value
		case "StateDirectory":
			u.stateDirectory = o.Value
		case "WorkingDirectory":
			u.workingDirectory = o.Value
		case "Restart":
			u.restart, err = restarts(o.Value)
		case "RestartSec":
			u.restartDelay, err = seconds(o.Value)
		case "TimeoutStopSec":
			u.stopTimeout, err = seconds(o.Value)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", filepath.Base(path), o.Name, err)
		}
	}
	if len(u.execStart) == 0 {
		return nil, fmt.Errorf("%s has no ExecStart", filepath.Base(path))
	}
	return u, nil
}

// restarts reports whether a unit runs again after it ended by itself. The other
// policies of systemd would need the way it ended.
func restarts(policy string) (bool, error) {
	switch policy {
	case "always", "no":
		return policy == "always", nil
	default:
		return false, fmt.Errorf("the local cloud knows always and no, got %q", policy)
	}
}

func seconds(value string) (time.Duration, error) {
	n, err := strconv.Atoi(value)
	return time.Duration(n) * time.Second, err
}

// environment reads the unit's environment file.
func (u *unit) environment(root string) ([]string, error) {
	if u.environmentFile == "" {
		return nil, nil
	}
	f, err := os.Open(filepath.Join(root, u.environmentFile))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var environment []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if !strings.Contains(line, "=") {
			return nil, fmt.Errorf("want NAME=VALUE, got %q", line)
		}
		environment = append(environment, line)
	}
	return environment, lines.Err()
}

// check returns an error if systemd could not run the unit's program: a dynamic
// user owns no program.
func (u *unit) check(root string) error {
	if !u.dynamicUser {
		return nil
	}
	info, err := os.Stat(filepath.Join(root, u.execStart[0]))
	if err != nil {
		return err
	}
	return nobody.CheckExecute(u.execStart[0], info.Mode())
}

// makeState makes the unit's own folder.
func (u *unit) makeState(dir string) error {
	if err := nobody.MkdirAll(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if u.dynamicUser {
		return nobody.Give(dir)
	}
	return nil
}

// supervise runs the unit until ctx ends, and again whenever it ends by itself,
// if it says so.
// started is told the id of each process.
func (u *unit) supervise(ctx context.Context, root string, environment []string, output io.Writer, log *log.Logger, started func(pid int)) {
	if u.stateDirectory != "" {
		if err := u.makeState(filepath.Join(root, "var/lib", u.stateDirectory)); err != nil {
			log.Print(err)
			return
		}
	}
	for {
		cmd := exec.Command(filepath.Join(root, u.execStart[0]), u.execStart[1:]...)
		cmd.Dir = filepath.Join(root, u.workingDirectory)
		cmd.Env = environment
		if u.dynamicUser {
			nobody.Become(cmd)
		}
		cmd.Stdout, cmd.Stderr = output, output
		err := <-child.RunNoting(ctx, cmd, u.stopTimeout, started)
		if ctx.Err() != nil {
			return
		}
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			log.Printf("the unit does not start: %v", err)
		} else {
			log.Printf("the unit ended: %v", err)
		}
		if !u.restart {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(u.restartDelay):
		}
	}
}
