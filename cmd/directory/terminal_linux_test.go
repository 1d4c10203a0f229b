package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestTerminalIsToldWhereToGo: a person at a terminal reads an address to open, and a log
// has lines of JSON alone.
func TestTerminalIsToldWhereToGo(t *testing.T) {
	address := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 5000}
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	if err := unix.IoctlSetPointerInt(int(terminal.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetUint32(int(terminal.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer stdout.Close()
	sayWhere(stdout, address)
	fmt.Fprintln(stdout, "the end")
	var said []string
	for read := bufio.NewScanner(terminal); read.Scan() && read.Text() != "the end"; {
		said = append(said, read.Text())
	}
	if got := strings.Join(said, "\n"); got != "\nopen http://127.0.0.1:5000 in a browser; Ctrl-C ends it\n" {
		t.Errorf("a terminal is told %q", got)
	}
	path := filepath.Join(t.TempDir(), "log")
	log, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	sayWhere(log, address)
	if got, err := os.ReadFile(path); err != nil || len(got) > 0 {
		t.Errorf("a log is told %q: %v", got, err)
	}
}
