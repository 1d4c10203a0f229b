package machine

import (
	"bytes"
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
