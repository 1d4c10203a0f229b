package machine

import (
	"bytes"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/archipelago-cdk/archipelago/internal/local/nobody"
)

const (
	// bootUnit is what user data runs in: cloud-init's last stage, which passes what it
	// prints on to the journal. Source: cloud-init, "Command output" and
	// systemd/cloud-final.service.
	bootUnit = "cloud-final.service"
	// keptEntries is how many of its last lines a machine's journal has at least, and
	// half of what it has at most.
	keptEntries = 5000
)

// journal has what the units of a machine printed, as journald does.
type journal struct {
	mu      sync.Mutex
	first   int // the number of the first entry
	entries []entry
}

// entry is a line of a unit.
type entry struct{ unit, line string }

// of returns what takes the output of a unit.
func (j *journal) of(unit string) io.Writer { return &unitLines{journal: j, unit: unit} }

func (j *journal) add(unit, line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, entry{unit, line})
	if len(j.entries) > 2*keptEntries {
		j.first += len(j.entries) - keptEntries
		j.entries = slices.Clone(j.entries[len(j.entries)-keptEntries:])
	}
}

// since returns the lines of units from the entry with a number on, and the number of
// the one after the last of them.
func (j *journal) since(number int, units []string) (text string, next int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var b strings.Builder
	next = number
	for i, e := range j.entries {
		if j.first+i >= number && slices.Contains(units, e.unit) {
			b.WriteString(e.line + "\n")
			next = j.first + i + 1
		}
	}
	return b.String(), next
}

// unitLines is a writer that makes entries of lines.
type unitLines struct {
	journal *journal
	unit    string
	mu      sync.Mutex
	part    []byte // of a line that has not ended
}

// Write never fails.
func (l *unitLines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for part := range bytes.Lines(b) {
		l.part = append(l.part, part...)
		if line, ended := bytes.CutSuffix(l.part, []byte("\n")); ended {
			l.journal.add(l.unit, string(line))
			l.part = l.part[:0]
		}
	}
	return len(b), nil
}

// printJournal is journalctl --cursor-file: the lines of units after the cursor in a
// file, which moves on. Source: journalctl(1).
func (sh shell) printJournal(out io.Writer, cursorFile string, units []string) error {
	path := sh.path(cursorFile)
	b, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	number := 0
	if cursor := strings.TrimSpace(string(b)); cursor != "" {
		if number, err = strconv.Atoi(cursor); err != nil {
			return err
		}
	}
	if sh.journal == nil {
		return nil // a user who is not in the journal's group sees an empty one
	}
	text, next := sh.journal.since(number, units)
	if _, err := io.WriteString(out, text); err != nil {
		return err
	}
	f, err := nobody.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(f, strconv.Itoa(next)+"\n"); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}
