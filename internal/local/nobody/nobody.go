// Package nobody runs programs as the user nobody where this process is root. AWS
// runs programs as users who do not own them: run here by their owner, those that
// only the owner can execute would seem to work.
package nobody

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
)

// id is the number of the user and of the group nobody.
const id = 65534

// may reports whether this process can start others as nobody. Root cannot
// where no other user is mapped into its namespace.
var may = sync.OnceValue(func() bool {
	return os.Geteuid() == 0 && runsIn("/")
})

func runsIn(dir string) bool {
	cmd := exec.Command("true")
	cmd.Dir = dir
	become(cmd)
	return cmd.Run() == nil
}

func become(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: id, Gid: id}
}

// Become has cmd run as nobody where this process is root, else as this
// process's user.
func Become(cmd *exec.Cmd) {
	if may() {
		become(cmd)
	}
}

// Reaches reports whether a command that Become changed can run in dir.
func Reaches(dir string) bool { return !may() || runsIn(dir) }

// Give makes the user that Become changes to the owner of path.
func Give(path string) error {
	if !may() {
		return nil
	}
	return os.Chown(path, id, id)
}

// CheckRead returns an error unless others than its owner may read a file.
func CheckRead(name string, mode fs.FileMode) error { return check(name, mode, 0o004, "0644") }

// CheckExecute returns an error unless others than its owner may read and
// execute a program, or enter a folder.
func CheckExecute(name string, mode fs.FileMode) error { return check(name, mode, 0o005, "0755") }

func check(name string, mode, needed fs.FileMode, want string) error {
	if mode&needed == needed {
		return nil
	}
	return fmt.Errorf("%s has the mode %04o: AWS runs it as a user who does not own it; want %s", name, mode.Perm(), want)
}

// MkdirAll makes folders that others may enter, whatever this process's umask. Of those
// who make one at the same time all succeed.
func MkdirAll(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	if parent := filepath.Dir(path); parent != path {
		if err := MkdirAll(parent); err != nil {
			return err
		}
	}
	err := os.Mkdir(path, 0o755)
	if errors.Is(err, fs.ErrExist) {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			return nil
		}
	}
	if err != nil {
		return err
	}
	return os.Chmod(path, 0o755)
}

// OpenFile is os.OpenFile with the umask that AWS's machines have, 022.
func OpenFile(path string, flag int, mode fs.FileMode) (*os.File, error) {
	_, err := os.Stat(path)
	made := os.IsNotExist(err)
	f, err := os.OpenFile(path, flag, mode)
	if err != nil || !made {
		return f, err
	}
	if err := f.Chmod(mode &^ 0o022); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}
