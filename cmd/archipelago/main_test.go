package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/command/doctor"
)

// TestExitCodes: doctor's wrong arguments are told apart from an account in which a
// deployment would fail.
func TestExitCodes(t *testing.T) {
	for want, errs := range map[int][]error{
		0:   {nil, flag.ErrHelp},
		1:   {errors.New("the port is taken"), run(t.Context(), []string{"ami", "-x"}, io.Discard)},
		2:   {fmt.Errorf("doctor: %w: -x", doctor.ErrArguments), run(t.Context(), []string{"doctor", "-x"}, io.Discard)},
		130: {fmt.Errorf("up: %w", context.Canceled)},
	} {
		for _, err := range errs {
			if got := exitCode(err); got != want {
				t.Errorf("%v: exit %d, want %d", err, got, want)
			}
		}
	}
}
