package progress

import (
	"bytes"
	"regexp"
	"strings"
	"sync"
)

// Tail is a writer that remembers the last line of what a program prints, as a
// step's detail.
type Tail struct {
	mu   sync.Mutex
	last string
	part []byte // of a line that has not ended
}

// Write never fails.
func (t *Tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.part = append(t.part, b...)
	for {
		end := bytes.IndexByte(t.part, '\n')
		if end < 0 {
			break
		}
		if line := strings.TrimSpace(string(t.part[:end])); line != "" {
			t.last = line
		}
		t.part = t.part[end+1:]
	}
	const most = 4096
	if len(t.part) > most {
		t.part = nil
	}
	return len(b), nil
}

// Reset forgets what was printed before.
func (t *Tail) Reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last, t.part = "", nil
}

// stackEvent is a line of the CDK CLI: the stack, how many of its resources are
// done, the time, the state, the resource's type, and its path.
var stackEvent = regexp.MustCompile(`^(\S+) \| +(\d+/\d+|\d+) \| [^|]* \| (\S+) *\| (\S+) *\| (.*?)(?: \([^()]*\))?$`)

// Last returns the last line, an event of a stack without the time.
func (t *Tail) Last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if m := stackEvent.FindStringSubmatch(t.last); m != nil {
		return strings.Join([]string{m[1], m[2], m[4], m[5]}, " ")
	}
	return t.last
}
