package machine

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// passCredentials has each message come with the id of the process that sent it.
func passCredentials(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1) }); err != nil {
		return err
	}
	return failed
}

// sender is the id of the process that sent a message; 0 if it is not known.
func sender(oob []byte) int {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0
	}
	for _, m := range messages {
		if credentials, err := unix.ParseUnixCredentials(&m); err == nil {
			return int(credentials.Pid)
		}
	}
	return 0
}

// numbers are the kernel's of the resources that directives bound.
var numbers = map[string]int{"LimitNOFILE": unix.RLIMIT_NOFILE, "LimitFSIZE": unix.RLIMIT_FSIZE, "LimitCORE": unix.RLIMIT_CORE}

// limit bounds a resource of a process, and returns an error if this process may
// not raise the bound that far: then it is as far as it can be.
func limit(pid int, directive string, most uint64) error {
	want := unix.Rlimit{Cur: most, Max: most}
	err := unix.Prlimit(pid, numbers[directive], &want, nil)
	if err == nil {
		return nil
	}
	var has unix.Rlimit
	if err := unix.Prlimit(pid, numbers[directive], nil, &has); err != nil {
		return err
	}
	if lowered := (unix.Rlimit{Cur: has.Max, Max: has.Max}); has.Max < most {
		if err := unix.Prlimit(pid, numbers[directive], &lowered, nil); err != nil {
			return err
		}
		return fmt.Errorf("%w: this machine allows %d", err, has.Max)
	}
	return err
}

// memoryOf is how many bytes of memory that cannot be taken from them a process
// and those that it started use: what a control group would count, but for what
// the kernel keeps for them.
func memoryOf(pid int) uint64 {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return 0 // it has ended
	}
	var used uint64
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		if name == "RssAnon" || name == "RssShmem" {
			kilobytes, _ := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			used += kilobytes << 10
		}
	}
	threads, _ := filepath.Glob(filepath.Join(dir, "task/*/children"))
	for _, path := range threads {
		children, _ := os.ReadFile(path)
		for _, word := range bytes.Fields(children) {
			if n, err := strconv.Atoi(string(word)); err == nil {
				used += memoryOf(n)
			}
		}
	}
	return used
}
