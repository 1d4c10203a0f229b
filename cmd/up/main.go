// Command up brings all islands up on this machine: the CDK CLI deploys them
// into an AWS emulator, and the instances that they call for run the service. It
// also has an operator's commands, for what runs here or on AWS.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/cloud"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, nil); err != nil && !errors.Is(err, flag.ErrHelp) && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// command is something that the program does besides bringing the islands up.
type command struct {
	name, summary string
	// add adds the command's own flags and returns what it does with them.
	add func(*flag.FlagSet) func(context.Context, cloud.Options) error
}

// commands are chosen by the first argument.
func commands() []command {
	return []command{
		{"diff", "show what a deployment into the running local cloud would change", func(*flag.FlagSet) func(context.Context, cloud.Options) error { return cloud.Diff }},
		{"synth", "write the CloudFormation templates to cdk.out", synth},
		{"drain", "move users away from a region, or with -off back", turn(cloud.Drained, "drained: users move within a minute or two", "no longer drained: users come back within a minute or two")},
		{"freeze", "keep the instance type of a region's fleet, or with -off let it change", turn(cloud.Frozen, "frozen: its instance type stays; a change that has begun goes on to its end", "no longer frozen: its instance type may change")},
		{"logs", "show what the instances of a region print", logs},
	}
}

// run does what the first argument says, or else brings the islands up and, where
// none were, plays them until ctx ends. ready is called when they are healthy; it
// may be nil.
func run(ctx context.Context, args []string, stdout io.Writer, ready func(cloud.Running)) error {
	chosen := command{name: "up", add: func(*flag.FlagSet) func(context.Context, cloud.Options) error { return cloud.Up }}
	for _, c := range commands() {
		if len(args) > 0 && args[0] == c.name {
			chosen, args = c, args[1:]
		}
	}
	o := cloud.Options{Out: stdout, Ready: ready}
	flags := flag.NewFlagSet(chosen.name, flag.ContinueOnError)
	flags.Usage = func() { usage(flags) }
	flags.StringVar(&o.Root, "root", ".", "`directory` of the checkout")
	flags.StringVar(&o.Dir, "dir", "", "`directory` for logs and templates (default .archipelago in the checkout)")
	do := chosen.add(flags)
	if slices.Contains([]string{"up", "diff", "synth"}, chosen.name) {
		deploymentFlags(flags, &o)
	}
	port := flags.Lookup("port")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%s takes flags only, got %q", chosen.name, flags.Args())
	}
	o.PortGiven = false
	flags.Visit(func(f *flag.Flag) { o.PortGiven = o.PortGiven || f == port })
	if err := do(ctx, o); err != nil {
		return fmt.Errorf("%s: %w", chosen.name, err)
	}
	return nil
}

func usage(flags *flag.FlagSet) {
	out := flags.Output()
	fmt.Fprintf(out, "Usage: up [COMMAND] [flags]\n\nWithout a command it deploys the islands into an emulator on this machine.\n\n")
	for _, c := range commands() {
		fmt.Fprintf(out, "  %-7s %s\n", c.name, c.summary)
	}
	fmt.Fprintf(out, "\nFlags of %s:\n", flags.Name())
	flags.PrintDefaults()
}

// deploymentFlags are those of what is deployed, and of how it is played.
func deploymentFlags(flags *flag.FlagSet, o *cloud.Options) {
	flags.IntVar(&o.Port, "port", 8080, "`port` of the entry on loopback; 0 is any free one")
	flags.DurationVar(&o.ReplicationDelay, "replication-delay", time.Second, "how long a photo takes to another region, on the local cloud's clock")
	flags.IntVar(&o.Pace, "pace", 1, "how many `times` as fast as this machine's the local cloud's clock runs: health checks, schedules, minutes of metrics")
	flags.Func("c", "`setting` of the configuration, such as archipelago.fleet.min=3; may be repeated", func(s string) error {
		o.Context = append(o.Context, s)
		return nil
	})
	flags.Func("tag", "`KEY=VALUE` that every stack is tagged with; may be repeated", func(s string) error {
		o.Tags = append(o.Tags, s)
		return nil
	})
}

func synth(flags *flag.FlagSet) func(context.Context, cloud.Options) error {
	account := flags.String("account", "123456789012", "AWS `account` that is written into names")
	return func(ctx context.Context, o cloud.Options) error { return cloud.Synth(ctx, o, *account) }
}

// turn is a command that turns a switch of a region and says what comes of it.
func turn(s cloud.Switch, turnedOn, turnedOff string) func(*flag.FlagSet) func(context.Context, cloud.Options) error {
	return func(flags *flag.FlagSet) func(context.Context, cloud.Options) error {
		region := flags.String("region", "", "`region` that it is about; required")
		name := flags.String("name", "archipelago", "`name` of the deployment")
		off := flags.Bool("off", false, "end it")
		return func(ctx context.Context, o cloud.Options) error {
			if *region == "" {
				return fmt.Errorf("name the region: make %s REGION=eu-west-1, and the same with OFF=1 to end it", flags.Name())
			}
			if err := cloud.Turn(ctx, o, *name, *region, s, !*off); err != nil {
				return err
			}
			is := turnedOn
			if *off {
				is = turnedOff
			}
			_, err := fmt.Fprintf(o.Out, "%s in %s of %s is %s\n", *name, *region, where(), is)
			return err
		}
	}
}

func where() string {
	if cloud.OnAWS() {
		return "AWS"
	}
	return "the local cloud"
}

func logs(flags *flag.FlagSet) func(context.Context, cloud.Options) error {
	region := flags.String("region", "", "`region` whose instances are meant; required")
	name := flags.String("name", "archipelago", "`name` of the deployment")
	follow := flags.Bool("follow", false, "go on until it is interrupted")
	return func(ctx context.Context, o cloud.Options) error {
		if *region == "" {
			return errors.New("name the region: make logs REGION=eu-west-1, and with FOLLOW=1 it goes on")
		}
		if cloud.OnAWS() {
			return fmt.Errorf("on AWS the log is in CloudWatch where the configuration has `\"logs\": true`, and only in the instances' journals without it: aws logs filter-log-events --region %s --log-group-name /%s/service", *region, *name)
		}
		return cloud.Logs(ctx, o, *region, *follow)
	}
}
