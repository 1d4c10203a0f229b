package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/archipelago-cdk/archipelago/service/account"
	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/sqlite"
	"golang.org/x/sys/unix"
)

// service is the service, as a process of its own.
type service struct {
	url  string
	cpus int
	cmd  *exec.Cmd
}

// locations are those of the employees.
var locations = []string{"Lisbon", "London", "Oslo", "Rome"}

// fill makes an embedded store of count employees in dir and an account, and
// returns the employees' ids.
func fill(ctx context.Context, dir string, count int, name, password string) ([]string, error) {
	store, err := sqlite.Open(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	ids := make([]string, count)
	for i := range ids {
		ids[i] = directory.NewID()
		_, err := store.Create(ctx, directory.Employee{
			ID: ids[i], FullName: fmt.Sprintf("%c Employee %04d", 'A'+i%26, i), Location: locations[i%len(locations)], JobTitle: "Engineer",
			Badges: []string{directory.Badges[i%len(directory.Badges)].ID},
		})
		if err != nil {
			return nil, err
		}
	}
	return ids, account.New(store, nil, time.Now).Add(ctx, name, password)
}

// build builds the service into dir.
func build(ctx context.Context, dir string) (string, error) {
	program := filepath.Join(dir, "directory")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", program, "./cmd/directory")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the service does not build; run this in the repository: %w\n%s", err, out)
	}
	return program, nil
}

// start runs the service with the first cpus CPUs of this machine, and leaves the
// others to the load, where there are others.
func start(program, dir string, cpus int) (*service, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := listener.Addr().String()
	listener.Close()
	cmd := exec.Command(program)
	cmd.Env = []string{
		"LISTEN=" + address, "DATA_DIR=" + dir, "GOMAXPROCS=" + strconv.Itoa(cpus),
		"WRITE_RATE=100000", // one account writes for all
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe() // the access log goes where somebody reads it
	if err != nil {
		return nil, err
	}
	if err := startOn(cmd, cpus); err != nil {
		return nil, err
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	s := &service{url: "http://" + address, cpus: cpus, cmd: cmd}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if res, err := http.Get(s.url + "/livez"); err == nil {
			res.Body.Close()
			return s, nil
		}
	}
	s.stop()
	return nil, errors.New("the service does not answer within 10 s")
}

// startOn starts a process on the first cpus CPUs: it inherits them from the
// thread that starts it, which then keeps to the others, as this program's later
// threads do.
func startOn(cmd *exec.Cmd, cpus int) error {
	if cpus >= runtime.NumCPU() {
		return cmd.Start()
	}
	var first, others unix.CPUSet
	for i := range runtime.NumCPU() {
		if i < cpus {
			first.Set(i)
		} else {
			others.Set(i)
		}
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.SchedSetaffinity(0, &first); err != nil {
		return fmt.Errorf("keeping the service to %d CPUs: %w", cpus, err)
	}
	err := cmd.Start()
	threads, _ := filepath.Glob("/proc/self/task/*")
	for _, thread := range threads {
		if id, bad := strconv.Atoi(filepath.Base(thread)); bad == nil {
			err = errors.Join(err, unix.SchedSetaffinity(id, &others))
		}
	}
	return err
}

// stop ends the service.
func (s *service) stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// cpu is the CPU time that the service has used. Source: proc_pid_stat(5), in
// ticks of USER_HZ, which is 100 on Linux.
func (s *service) cpu() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("the service has ended: %w", err)
	}
	_, rest, _ := strings.Cut(string(b), ") ") // its name may have spaces
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc says of the service %q", b)
	}
	user, errUser := strconv.Atoi(fields[11])
	system, errSystem := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / 100, errors.Join(errUser, errSystem)
}

// signIn returns the cookie of a session.
func (s *service) signIn(name, password string) (string, error) {
	res, err := http.Post(s.url+"/api/session", "application/json", strings.NewReader(fmt.Sprintf(`{"name": %q, "password": %q}`, name, password)))
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	for _, cookie := range res.Cookies() {
		if cookie.Name == "session" {
			return cookie.Name + "=" + cookie.Value, nil
		}
	}
	return "", fmt.Errorf("signing in: the service answers %s", res.Status)
}
