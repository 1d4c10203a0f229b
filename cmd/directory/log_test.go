package main

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// written is what a log's reader has.
type written struct {
	mu     sync.Mutex
	b      bytes.Buffer
	writes int
	err    error
}

func (w *written) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes++
	if w.err != nil {
		return 0, w.err
	}
	return w.b.Write(b)
}

func (w *written) lines() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Count(w.b.String(), "\n")
}

func TestLinesWaitForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w written
		log, _ := newLog(&w)
		for round := 1; round <= 3; round++ {
			for range 10 {
				log.Info("line")
			}
			if got, want := w.lines(), 10*(round-1); got != want {
				t.Errorf("%d lines are written at once, want %d", got, want)
			}
			time.Sleep(flushAfter)
			synctest.Wait()
			if got, want := w.lines(), 10*round; got != want || w.writes != round {
				t.Errorf("%d lines are written after a moment by %d writes, want %d by %d", got, w.writes, want, round)
			}
		}
	})
}

func TestAnErrorIsWrittenAtOnce(t *testing.T) {
	var w written
	log, _ := newLog(&w)
	log.Info("before")
	log.With("key", "value").WithGroup("group").Error("now")
	if got := w.lines(); got != 2 {
		t.Errorf("%d lines are written, want the error and what was before it", got)
	}
}

func TestManyLinesAreWrittenAtOnce(t *testing.T) {
	var w written
	log, _ := newLog(&w)
	for range flushAt / 1000 {
		log.Info(strings.Repeat("x", 1000))
	}
	if w.lines() == 0 {
		t.Error("nothing is written")
	}
}

func TestTheLastLinesAreWritten(t *testing.T) {
	var w written
	log, flush := newLog(&w)
	log.Info("last")
	if err := flush(); err != nil || w.lines() != 1 {
		t.Errorf("got %v and %d lines", err, w.lines())
	}
	if err := flush(); err != nil || w.writes != 1 {
		t.Errorf("with nothing to write there were %d writes, %v", w.writes, err)
	}
}

func TestALogWhoseReaderIsGoneFillsNoMemory(t *testing.T) {
	w := written{err: errors.New("broken pipe")}
	b := &buffer{out: &w}
	for range 100 {
		_, _ = b.Write(make([]byte, flushAt))
	}
	if len(b.waiting) > 0 || w.writes != 100 {
		t.Errorf("%d bytes wait after %d writes", len(b.waiting), w.writes)
	}
	if err := slog.New(flushing{slog.NewJSONHandler(b, nil), b}).Handler().Handle(t.Context(), slog.NewRecord(time.Now(), slog.LevelError, "x", 0)); err == nil {
		t.Error("the error is not told")
	}
}

// TestManyWriteAtOnce is for the race detector; no line is lost or broken.
func TestManyWriteAtOnce(t *testing.T) {
	var w written
	log, flush := newLog(&w)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 500 {
				log.Info(fmt.Sprint("line ", i, " ", j))
				if j%100 == 0 {
					log.Error("error")
				}
			}
		})
	}
	all.Wait()
	if err := flush(); err != nil {
		t.Error(err)
	}
	if got, want := w.lines(), 8*505; got != want {
		t.Errorf("%d lines are written, want %d", got, want)
	}
	for line := range strings.Lines(w.b.String()) {
		if !strings.HasPrefix(line, `{"time":`) || !strings.HasSuffix(line, "}\n") {
			t.Fatalf("%q is not a line", line)
		}
	}
}
