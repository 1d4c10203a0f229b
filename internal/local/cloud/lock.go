package cloud

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// lock keeps other processes from building and deploying in the same clone, until
// unlock, which may be called again, or until this process ends.
func lock(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		defer f.Close()
		return nil, fmt.Errorf("process %s builds and deploys in this clone: when it says that it is ready, run this again", owner(f.Name()))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", f.Name(), err), f.Close())
	}
	if err := errors.Join(f.Truncate(0), writePID(f)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return sync.OnceFunc(func() { _ = f.Close() }), nil
}

func writePID(f *os.File) error {
	_, err := fmt.Fprintln(f, os.Getpid())
	return err
}

// owner is the process that holds a lock, as far as it has said so.
func owner(path string) string {
	b, _ := os.ReadFile(path) // it may be about to be written
	if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
		return strconv.Itoa(pid)
	}
	return "of another terminal"
}
