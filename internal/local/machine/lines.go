package machine

import (
	"bytes"
	"slices"
	"strings"
	"sync"
)

const (
	// keptLines is how many of the last lines that it printed a machine keeps.
	keptLines = 20
	// keptLine is how many bytes of a line it keeps.
	keptLine = 4096
)

// lines is a writer that keeps the last lines.
type lines struct {
	mu   sync.Mutex
	last []string
	part []byte // of a line that has not ended
}

// Write never fails.
func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for part := range bytes.Lines(b) {
		l.part = append(l.part, part[:min(len(part), keptLine-min(keptLine, len(l.part)))]...)
		if part[len(part)-1] == '\n' {
			l.last = append(l.last, strings.TrimRight(string(l.part), "\r\n"))
			l.part = l.part[:0]
		}
	}
	l.last = slices.Clone(l.last[max(0, len(l.last)-keptLines):])
	return len(b), nil
}

func (l *lines) get() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := slices.Clone(l.last)
	if len(l.part) > 0 {
		kept = append(kept, string(l.part))
	}
	return kept[max(0, len(kept)-keptLines):]
}
