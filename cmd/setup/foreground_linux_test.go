package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// runs, set, makes this test binary run a program in the foreground.
const runs = "SETUP_TEST_RUNS"

func TestMain(m *testing.M) {
	if script := os.Getenv(runs); script != "" {
		os.Exit(foreground([]string{"sh", "-c", script}))
	}
	os.Exit(m.Run())
}

// TestInterruptIsTheProgramsAlone presses Ctrl-C on a terminal where a shell, as
// make does, waits for this program: the shell goes on and sees its status.
func TestInterruptIsTheProgramsAlone(t *testing.T) {
	terminal, name := openTerminal(t)
	slave, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	shell := exec.Command("sh", "-c", os.Args[0]+"; echo status $?")
	shell.Env = append(os.Environ(), runs+"=trap 'exit 0' INT; echo up; while :; do sleep 0.05; done")
	shell.Stdin, shell.Stdout, shell.Stderr = slave, slave, slave
	shell.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = shell.Process.Kill(); _ = shell.Wait() }()
	lines := make(chan string)
	go func() {
		defer close(lines)
		for read := bufio.NewScanner(terminal); read.Scan(); {
			lines <- strings.TrimSpace(read.Text())
		}
	}()
	for _, want := range []string{"up", "status 0"} {
		select {
		case got := <-lines:
			if strings.TrimPrefix(got, "^C") != want {
				t.Fatalf("got %q, want %q", got, want)
			}
		case <-time.After(time.Minute):
			t.Fatalf("no %q within a minute", want)
		}
		if want == "up" {
			if _, err := terminal.Write([]byte{3}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// openTerminal returns a pseudoterminal: what a person types and reads, and the
// name of the other end.
func openTerminal(t *testing.T) (*os.File, string) {
	t.Helper()
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = terminal.Close() })
	if err := unix.IoctlSetPointerInt(int(terminal.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetUint32(int(terminal.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	return terminal, fmt.Sprintf("/dev/pts/%d", n)
}

func TestStatusIsTheProgramsOwn(t *testing.T) {
	for script, want := range map[string]int{"exit 3": 3, "kill -TERM $$": 128 + 15} {
		if got := foreground([]string{"sh", "-c", script}); got != want {
			t.Errorf("%s: got %d, want %d", script, got, want)
		}
	}
}
