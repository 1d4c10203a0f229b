package machine

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// note is what a process tells systemd.
type note struct {
	pid  int
	text string
}

// notifySocket is where the processes of a unit tell systemd how they are.
// Source: sd_notify(3).
type notifySocket struct {
	path  string
	notes <-chan note

	conn   *net.UnixConn
	closed chan struct{}
}

// listenNotify listens until close. The socket is in a folder of its own, below
// the one for temporary files: a socket's path has 107 bytes at most.
func listenNotify() (*notifySocket, error) {
	dir, err := os.MkdirTemp("", "archipelago-notify-")
	if err != nil {
		return nil, err
	}
	s := &notifySocket{path: filepath.Join(dir, "notify"), closed: make(chan struct{})}
	if err := s.listen(dir); err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("NOTIFY_SOCKET: %w", err)
	}
	notes := make(chan note)
	s.notes = notes
	go s.read(notes)
	return s, nil
}

func (s *notifySocket) listen(dir string) (err error) {
	if s.conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: s.path, Net: "unixgram"}); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = s.conn.Close()
		}
	}()
	// The unit's user is another one.
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	if err := os.Chmod(s.path, 0o777); err != nil {
		return err
	}
	return passCredentials(s.conn)
}

func (s *notifySocket) read(notes chan<- note) {
	text, oob := make([]byte, 4096), make([]byte, 4096)
	for {
		n, oobn, _, _, err := s.conn.ReadMsgUnix(text, oob)
		if err != nil {
			return // it is closed
		}
		select {
		case notes <- note{pid: sender(oob[:oobn]), text: string(text[:n])}:
		case <-s.closed:
			return
		}
	}
}

func (s *notifySocket) close() {
	close(s.closed)
	_ = s.conn.Close()
	_ = os.RemoveAll(filepath.Dir(s.path))
}
