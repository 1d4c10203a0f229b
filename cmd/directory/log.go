package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"
)

const (
	// flushAfter is how long a line may wait to be written.
	flushAfter = 100 * time.Millisecond
	// flushAt is how many bytes may wait.
	flushAt = 64 << 10
)

// newLog returns a log of JSON lines and what writes the last of them. Lines
// are written together: a busy service makes one system call for hundreds. An
// error is written at once, with what was before it.
func newLog(out io.Writer) (*slog.Logger, func() error) {
	b := &buffer{out: out}
	return slog.New(flushing{slog.NewJSONHandler(b, nil), b}), b.flush
}

// buffer keeps what is written until there is much of it or for a moment.
type buffer struct {
	out io.Writer

	mu      sync.Mutex
	waiting []byte
	timer   *time.Timer
}

// Write implements io.Writer.
func (b *buffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	first := len(b.waiting) == 0
	b.waiting = append(b.waiting, line...)
	switch {
	case len(b.waiting) >= flushAt:
		return len(line), b.write()
	case first && b.timer == nil:
		b.timer = time.AfterFunc(flushAfter, func() { _ = b.flush() })
	case first:
		b.timer.Reset(flushAfter)
	}
	return len(line), nil
}

// flush writes what waits.
func (b *buffer) flush() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.write()
}

// write writes what waits, with mu held. What cannot be written is lost: a log
// whose reader is gone must not fill the memory.
func (b *buffer) write() error {
	if len(b.waiting) == 0 {
		return nil
	}
	_, err := b.out.Write(b.waiting)
	b.waiting = b.waiting[:0]
	return err
}

// flushing is a handler that leaves no error waiting.
type flushing struct {
	slog.Handler
	buffer *buffer
}

// Handle implements slog.Handler.
func (h flushing) Handle(ctx context.Context, r slog.Record) error {
	err := h.Handler.Handle(ctx, r)
	if r.Level >= slog.LevelError {
		err = errors.Join(err, h.buffer.flush())
	}
	return err
}

// WithAttrs implements slog.Handler.
func (h flushing) WithAttrs(attrs []slog.Attr) slog.Handler {
	return flushing{h.Handler.WithAttrs(attrs), h.buffer}
}

// WithGroup implements slog.Handler.
func (h flushing) WithGroup(name string) slog.Handler {
	return flushing{h.Handler.WithGroup(name), h.buffer}
}
