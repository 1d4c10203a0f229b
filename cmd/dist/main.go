// Command dist builds what deployments publish into dist, for the architectures
// that its arguments name. The CDK app does so itself; this is for what runs the
// programs without it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/internal/build"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "dist:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	d := build.Deployment{Root: "."}
	flags := flag.NewFlagSet("dist", flag.ContinueOnError)
	flags.StringVar(&d.Dir, "dir", "dist", "`directory` to build into")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return fmt.Errorf("name the architectures to build for, of %q", build.Architectures)
	}
	c, err := config.Read(".", nil, config.NoAccount)
	if err != nil {
		return err
	}
	d.Package = c.Service.Package
	for _, architecture := range flags.Args() {
		d.Instances, d.Functions = architecture, architecture
		if err := d.Build(ctx, nil); err != nil {
			return err
		}
	}
	return nil
}
