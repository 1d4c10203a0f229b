package cloud

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/progress"
)

// steps shows progress: what goes on, and a line for each step with its time.
// What the steps print goes to a file.
type steps struct {
	out  *progress.Printer
	path string
	log  *os.File
}

func newSteps(dir, name string, out *progress.Printer) (*steps, error) {
	path := filepath.Join(dir, name)
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return &steps{out: out, path: path, log: f}, nil
}

func (s *steps) close() { _ = s.log.Close() }

// run does one step within a time. detail says what it is doing, or is nil. The
// error names the file where the rest is.
func (s *steps) run(ctx context.Context, name string, within time.Duration, detail func() string, step func(context.Context) error) error {
	stepCtx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	err := s.out.Run(name, detail, func() error { return step(stepCtx) })
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("not done within %s", within)
	}
	return fmt.Errorf("could not %s: %w\nAll that it printed is in %s", name, err, s.path)
}

// telling returns the lines of what the CLI said that say what went wrong: those that
// CloudFormation marks as failed or else the last few that are neither a stack
// trace nor the CLI's progress.
func telling(said string) string {
	var lines, failed []string
	for line := range strings.Lines(said) {
		line = strings.TrimRight(line, " \n")
		switch trimmed := strings.TrimSpace(line); {
		case trimmed == "", strings.HasPrefix(trimmed, "at "), strings.HasPrefix(trimmed, "exit status"),
			strings.Contains(trimmed, "Subprocess exited"),
			strings.Contains(trimmed, ": start: "), strings.Contains(trimmed, ": success: "):
		case strings.Contains(trimmed, "_FAILED"):
			failed = append(failed, shorten(line))
		default:
			lines = append(lines, shorten(line))
		}
	}
	if len(failed) > 0 {
		lines = failed
	}
	const most = 12
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}

// shorten indents a line and cuts what few would read.
func shorten(line string) string {
	const most = 400
	if runes := []rune(line); len(runes) > most {
		line = string(runes[:most]) + " …"
	}
	return "  " + line
}
