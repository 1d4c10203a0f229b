// Command setup fetches and builds what the targets of the Makefile need, and runs
// what is to run then. It compiles in seconds: nothing but the standard library is
// in it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/archipelago-cdk/archipelago/internal/command/setup"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	program, err := setup.Run(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp), err == nil && len(program) == 0:
	case errors.Is(err, context.Canceled):
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "make:", err)
		os.Exit(1)
	default:
		os.Exit(foreground(program))
	}
}
