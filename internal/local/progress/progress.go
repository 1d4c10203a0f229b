// Package progress shows a person what a program does: on a terminal a line that
// is always current, in a log lines that are never more than five seconds apart.
package progress

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

const (
	// redrawEvery is how often the current line of a terminal is drawn.
	redrawEvery = 500 * time.Millisecond
	// silentFor is how long a log has no line before one says what goes on.
	silentFor = 4 * time.Second
)

// Printer prints lines, and what goes on between them. It is a writer of whole
// lines. Its methods may be called at the same time.
type Printer struct {
	out   io.Writer
	width func() int // of the terminal; 0 in a log

	mu      sync.Mutex
	running []*step
	printed time.Time // when the last line was
	drawn   bool      // whether the current line is on the terminal
	stop    chan struct{}
}

// step is what goes on.
type step struct {
	name   string
	since  time.Time
	detail func() string
}

// New returns a Printer that takes out for a terminal if it is one.
func New(out io.Writer) *Printer {
	p := &Printer{out: out, width: func() int { return 0 }}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.width = func() int {
			if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
				return columns
			}
			return 80
		}
	}
	return p
}

// SilentFor says how long nothing was printed before: by the process that started this
// one.
func (p *Printer) SilentFor(silence time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.printed = time.Now().Add(-silence)
}

// Printf prints a line.
func (p *Printer) Printf(format string, a ...any) { _, _ = fmt.Fprintf(p, format+"\n", a...) }

// Write prints whole lines.
func (p *Printer) Write(lines []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.printed = time.Now()
	n, err := p.out.Write(lines)
	p.draw()
	return n, err
}

// Run does what name says, and prints how long it took if it ends well. detail
// says what it is doing at a moment, "" if nothing is known; it may be nil.
// Several may run at once.
func (p *Printer) Run(name string, detail func() string, do func() error) error {
	since := time.Now()
	err := p.RunQuietly(name, detail, do)
	if err == nil {
		p.Printf("  %-30s %5.1f s", name, time.Since(since).Seconds())
	}
	return err
}

// RunQuietly is Run for what most often takes no time: its end is not printed.
func (p *Printer) RunQuietly(name string, detail func() string, do func() error) error {
	s := &step{name, time.Now(), detail}
	p.begin(s)
	defer p.end(s)
	return do()
}

func (p *Printer) begin(s *step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.running) == 0 {
		p.stop = make(chan struct{})
		if p.printed.IsZero() {
			p.printed = time.Now()
		}
		go p.beat(p.stop)
	}
	p.running = append(p.running, s)
}

func (p *Printer) end(s *step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.running = slices.DeleteFunc(p.running, func(r *step) bool { return r == s })
	if len(p.running) == 0 {
		close(p.stop)
	}
}

// beat shows what goes on until stop is closed.
func (p *Printer) beat(stop chan struct{}) {
	tick := time.NewTicker(redrawEvery)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			p.mu.Lock()
			if p.width() > 0 {
				p.clear()
				p.draw()
			} else if len(p.running) > 0 && time.Since(p.printed) >= silentFor {
				p.printed = time.Now()
				_, _ = fmt.Fprintf(p.out, "  … %s\n", p.current())
			}
			p.mu.Unlock()
		}
	}
}

// current says what goes on: each step with its seconds, and its detail.
func (p *Printer) current() string {
	var parts []string
	for _, s := range p.running {
		part := fmt.Sprintf("%s, %.0f s", s.name, time.Since(s.since).Seconds())
		if s.detail != nil {
			if detail := printable(s.detail()); detail != "" {
				part += ": " + detail
			}
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, " · ")
}

// draw puts the current line on a terminal.
func (p *Printer) draw() {
	width := p.width()
	if width == 0 || len(p.running) == 0 {
		return
	}
	line := []rune("  … " + p.current())
	if len(line) >= width {
		line = append(line[:max(0, width-2)], '…')
	}
	_, _ = io.WriteString(p.out, string(line))
	p.drawn = true
}

// clear takes it away.
func (p *Printer) clear() {
	if p.drawn {
		_, _ = io.WriteString(p.out, "\r\x1b[K")
		p.drawn = false
	}
}

// printable drops control characters of what other programs print.
func printable(s string) string {
	return string(bytes.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, []byte(s)))
}
