// Command archipelago is the tool of a deployment: it brings all islands up on this
// machine, where the CDK CLI deploys them into an AWS emulator and the instances that
// they call for run the service, and has an operator's commands, for what runs here
// or on AWS.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/internal/command/ami"
	"github.com/archipelago-cdk/archipelago/internal/command/arguments"
	"github.com/archipelago-cdk/archipelago/internal/command/cost"
	"github.com/archipelago-cdk/archipelago/internal/command/diagram"
	"github.com/archipelago-cdk/archipelago/internal/command/doctor"
	"github.com/archipelago-cdk/archipelago/internal/command/prices"
	"github.com/archipelago-cdk/archipelago/internal/command/review"
	"github.com/archipelago-cdk/archipelago/internal/command/setup"
	"github.com/archipelago-cdk/archipelago/internal/command/simulate"
	"github.com/archipelago-cdk/archipelago/internal/command/types"
	"github.com/archipelago-cdk/archipelago/internal/local/cloud"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	code := exitCode(err)
	if code >= 1 && code <= 3 {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// exitCode is that of a program which was interrupted where a command was before it was
// done: `up` that was ready, and logs that were followed, end without an error. It is 2
// where doctor's arguments are wrong, since its 1 says that a deployment would fail, and 3
// where a review was made, and refuses the loss of data.
func exitCode(err error) int {
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, doctor.ErrArguments):
		return 2
	case errors.Is(err, review.ErrDataAtRisk):
		return 3
	case errors.Is(err, context.Canceled):
		return 130
	}
	return 1
}

// command is one of the tool's, which is chosen by the first argument.
type command struct {
	name, summary string
	run           func(ctx context.Context, args []string, stdout io.Writer) error
}

func commands() []command {
	return []command{
		{"setup", "fetch the CDK CLI, Node.js and the AWS emulator into this repository", setup.RunUser},
		{"up", "deploy all islands into an AWS emulator on this machine and serve them", local("up", func(flags *flag.FlagSet, o *cloud.Options) do { deploymentFlags(flags, o); return cloud.Up })},
		{"doctor", "say what a deployment would fail at in this account, and what to do about it", doctor.Run},
		{"diff", "show what a deployment would change: on AWS with AWS_PROFILE or AWS_ACCESS_KEY_ID set, else in what `up` runs", local("diff", func(flags *flag.FlagSet, o *cloud.Options) do { deploymentFlags(flags, o); return cloud.Diff })},
		{"review", "say what a commit does to people and data, what it risks and costs, compared with another one", review.Run},
		{"synth", "write the CloudFormation templates to cdk.out", local("synth", synth)},
		{"cost", "estimate a month's bill of what synth wrote", cost.Run},
		{"diagram", "draw what synth wrote, to docs/islands.svg", diagram.Run},
		{"ami", "pin AWS's latest image of every region in cdk.json", ami.Run},
		{"zones", "pin every region's availability zones in cdk.json", doctor.RunZones},
		{"types", "write the table of instance types that a ladder may have, by what EC2 says", types.Run},
		{"prices", "write the table of EC2's prices, by AWS's public price lists", prices.Run},
		{"simulate", "play a load against the fleet of cdk.json and report on it", simulate.Run},
		{"drain", "move users away from a region, or with -off back", local("drain", turn(cloud.Drained, "drained: users move within a minute or two", "no longer drained: users come back within a minute or two"))},
		{"freeze", "keep the instance type of a region's fleet, or with -off let it change", local("freeze", turn(cloud.Frozen, "frozen: its instance type stays; a change that has begun goes on to its end", "no longer frozen: its instance type may change"))},
		{"scaler", "show the lowest instance type that a region's scaler planned: scaler plan", plan},
		{"logs", "show what the instances of a region print, on AWS of the last hour", local("logs", logs)},
	}
}

// run does what the first argument says.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "-help" || args[0] == "--help" {
		usage(stdout)
		return nil
	}
	var names []string
	for _, c := range commands() {
		if c.name == args[0] {
			if err := c.run(ctx, args[1:], stdout); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			return nil
		}
		names = append(names, c.name)
	}
	return fmt.Errorf("archipelago: there is no command %q; there are %s", args[0], strings.Join(names, ", "))
}

func usage(out io.Writer) {
	fmt.Fprintf(out, "Usage: archipelago COMMAND [flags]; archipelago COMMAND -h lists the flags\n\n")
	for _, c := range commands() {
		fmt.Fprintf(out, "  %-9s %s\n", c.name, c.summary)
	}
}

// do is what a command of the local cloud does once its flags are read.
type do func(context.Context, cloud.Options) error

// local is a command of the local cloud. add adds its own flags.
func local(name string, add func(*flag.FlagSet, *cloud.Options) do) func(context.Context, []string, io.Writer) error {
	return func(ctx context.Context, args []string, stdout io.Writer) error {
		o := cloud.Options{Out: stdout}
		flags := flag.NewFlagSet(name, flag.ContinueOnError)
		flags.StringVar(&o.Root, "root", ".", "`directory` of cdk.json and of the Go module")
		flags.StringVar(&o.Dir, "dir", "", "`directory` for logs and templates (default .archipelago below -root)")
		do := add(flags, &o)
		port := flags.Lookup("port")
		if err := arguments.Parse(flags, args); err != nil {
			return err
		}
		flags.Visit(func(f *flag.Flag) { o.PortGiven = o.PortGiven || f == port })
		return do(ctx, o)
	}
}

// deploymentFlags are those of what is deployed, and of how it is played.
func deploymentFlags(flags *flag.FlagSet, o *cloud.Options) {
	flags.IntVar(&o.Port, "port", 8080, "`port` of the entry on loopback; 0 is any free one")
	flags.DurationVar(&o.ReplicationDelay, "replication-delay", time.Second, "how long an object takes to another region, on the local cloud's clock")
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

// nameFlag adds the flag for the name of the deployment that a command is about, and
// returns what reads it: another deployment's would be turned without a word.
func nameFlag(flags *flag.FlagSet) func(cloud.Options) (string, error) {
	given := flags.String("name", "", "`name` of the deployment (default that of cdk.json)")
	return func(o cloud.Options) (string, error) {
		if *given != "" {
			return *given, nil
		}
		c, err := config.Read(o.Root, nil, config.NoAccount)
		if err != nil {
			return "", fmt.Errorf("name the deployment with -name, since its cdk.json cannot be read: %w", err)
		}
		return c.Name, nil
	}
}

func synth(flags *flag.FlagSet, o *cloud.Options) do {
	deploymentFlags(flags, o)
	account := flags.String("account", "123456789012", "AWS `account` that is written into names")
	return func(ctx context.Context, o cloud.Options) error { return cloud.Synth(ctx, o, *account) }
}

// turn is a command that turns a switch of a region and says what comes of it.
func turn(s cloud.Switch, turnedOn, turnedOff string) func(*flag.FlagSet, *cloud.Options) do {
	return func(flags *flag.FlagSet, _ *cloud.Options) do {
		region := flags.String("region", "", "`region` that it is about; required")
		named := nameFlag(flags)
		off := flags.Bool("off", false, "end it")
		return func(ctx context.Context, o cloud.Options) error {
			if *region == "" {
				return fmt.Errorf("name the region: make %s REGION=eu-west-1, or archipelago %[1]s -region eu-west-1; OFF=1 or -off ends it", flags.Name())
			}
			name, err := named(o)
			if err != nil {
				return err
			}
			if err := cloud.Turn(ctx, o, name, *region, s, !*off); err != nil {
				return err
			}
			is := turnedOn
			if *off {
				is = turnedOff
			}
			_, err = fmt.Fprintf(o.Out, "%s in %s of %s is %s\n", name, *region, where(), is)
			if s == cloud.Drained && !*off && err == nil {
				err = sayWhatStays(o, name, *region)
			}
			return err
		}
	}
}

// sayWhatStays says how a region leaves the entry where that may send users to one that is
// drained.
func sayWhatStays(o cloud.Options, name, region string) error {
	c, err := config.Read(o.Root, nil, config.NoAccount)
	if err != nil || c.Name != name || c.EntryTriesAll() {
		return nil // or it is another one's, of which nothing is known here
	}
	_, err = fmt.Fprintf(o.Out, "The accelerator tries a user's three closest of %d regions, and sends those whose three are dark to the closest one, drained or not. "+
		"To take %s out of it, write \"weight\": 0 beside its name in cdk.json, and cdk deploy --exclusively %s\n",
		len(c.Islands()), region, c.Names().RegionStack(region))
	return err
}

// plan shows what the scaler of a region planned.
func plan(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) == 0 || args[0] != "plan" {
		return fmt.Errorf("want archipelago scaler plan -region eu-west-1, got %q", args)
	}
	return local("scaler plan", func(flags *flag.FlagSet, _ *cloud.Options) do {
		region := flags.String("region", "", "`region` that it is about; required")
		named := nameFlag(flags)
		return func(ctx context.Context, o cloud.Options) error {
			if *region == "" {
				return errors.New("name the region: archipelago scaler plan -region eu-west-1")
			}
			name, err := named(o)
			if err != nil {
				return err
			}
			return cloud.Planned(ctx, o, name, *region)
		}
	})(ctx, args[1:], stdout)
}

func where() string {
	if cloud.OnAWS() {
		return "AWS"
	}
	return "the local cloud"
}

func logs(flags *flag.FlagSet, _ *cloud.Options) do {
	region := flags.String("region", "", "`region` whose instances are meant; required")
	named := nameFlag(flags)
	follow := flags.Bool("follow", false, "go on until it is interrupted")
	return func(ctx context.Context, o cloud.Options) error {
		if *region == "" {
			return errors.New("name the region: make logs REGION=eu-west-1, or archipelago logs -region eu-west-1; with FOLLOW=1 or -follow it goes on")
		}
		name := "" // what runs here is one deployment, whatever cdk.json says by now
		if cloud.OnAWS() {
			var err error
			if name, err = named(o); err != nil {
				return err
			}
		}
		return cloud.Logs(ctx, o, name, *region, *follow)
	}
}
