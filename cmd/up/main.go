// Command up brings all islands up on this machine: the CDK CLI deploys them
// into an AWS emulator, and the instances that they call for run the service.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/cloud"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, nil); err != nil && !errors.Is(err, flag.ErrHelp) && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "up:", err)
		os.Exit(1)
	}
}

// run brings the islands up and, where none were, plays them until ctx ends.
// ready is called when they are healthy; it may be nil.
func run(ctx context.Context, args []string, stdout io.Writer, ready func(cloud.Running)) error {
	o := cloud.Options{Out: stdout, Ready: ready}
	flags := flag.NewFlagSet("up", flag.ContinueOnError)
	flags.StringVar(&o.Root, "root", ".", "`directory` of the checkout")
	flags.StringVar(&o.Dir, "dir", "", "`directory` for logs and templates (default .archipelago in the checkout)")
	flags.IntVar(&o.Port, "port", 8080, "`port` of the entry on loopback; 0 is any free one")
	flags.DurationVar(&o.ReplicationDelay, "replication-delay", time.Second, "how long a photo takes to another region")
	flags.IntVar(&o.Pace, "pace", 1, "how many `times` as fast as on AWS health checks, schedules and the minutes of metrics go")
	flags.Func("c", "`setting` of the configuration, such as archipelago.fleet.min=3; may be repeated", func(s string) error {
		o.Context = append(o.Context, s)
		return nil
	})
	flags.Func("tag", "`KEY=VALUE` that every stack is tagged with; may be repeated", func(s string) error {
		o.Tags = append(o.Tags, s)
		return nil
	})
	diff := flags.Bool("diff", false, "show what a deployment into the running local cloud would change, and end")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *diff {
		return cloud.Diff(ctx, o)
	}
	return cloud.Up(ctx, o)
}
