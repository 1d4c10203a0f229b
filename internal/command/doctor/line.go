package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/aws/smithy-go"
)

// Level is what a line means for a deployment.
type Level string

// The levels.
const (
	// OK is as it should be.
	OK Level = "ok"
	// Warning is what fails no deployment, or what could not be looked at.
	Warning Level = "warning"
	// Fail is what a deployment would fail at.
	Fail Level = "fail"
)

// Line says one thing of an account.
type Line struct {
	Level Level
	// Region is where, "" for what belongs to the account.
	Region string
	// Check is what was looked at, in a word.
	Check string
	// Text is what there is, and what to do about it.
	Text string
}

func ok(format string, args ...any) Line { return Line{Level: OK, Text: fmt.Sprintf(format, args...)} }
func warn(format string, args ...any) Line {
	return Line{Level: Warning, Text: fmt.Sprintf(format, args...)}
}
func fail(format string, args ...any) Line {
	return Line{Level: Fail, Text: fmt.Sprintf(format, args...)}
}

// notLookedAt says that a call had no answer, and why. what is the question that it
// leaves open.
func notLookedAt(what string, err error) Line {
	if lost := lostError(""); errors.As(err, &lost) {
		return warn("not looked at: %s: %s", what, lost)
	}
	call := "a call"
	if op := (*smithy.OperationError)(nil); errors.As(err, &op) {
		call = op.Service() + " " + op.Operation()
	}
	why := err.Error()
	switch api := smithy.APIError(nil); {
	case errors.Is(err, context.DeadlineExceeded):
		why = "no answer in time"
	case errors.As(err, &api):
		why = api.ErrorCode()
		if message := api.ErrorMessage(); message != "" {
			why += ": " + message
		}
	}
	return warn("not looked at: %s: %s: %s", what, call, why)
}

// refusedWith reports whether AWS answered with one of these codes.
func refusedWith(err error, codes ...string) bool {
	var api smithy.APIError
	return errors.As(err, &api) && slices.Contains(codes, api.ErrorCode())
}

// report prints the lines and how many there are of each level. It returns an error
// where a deployment would fail.
func report(out io.Writer, lines []Line) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	count := map[Level]int{}
	for _, l := range lines {
		count[l.Level]++
		where := l.Region
		if where == "" {
			where = "account"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", l.Level, where, l.Check, l.Text)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "\n%d lines: %d ok, %d warning, %d fail\n", len(lines), count[OK], count[Warning], count[Fail]); err != nil {
		return err
	}
	if count[Fail] > 0 {
		return errors.New("a deployment would fail: do first what the lines with `fail` say")
	}
	return nil
}
