// Command calibrate finds out how many requests a second the service takes on
// one CPU of this machine, and derives from it the targets of horizontal scaling. From a
// load balancer's access logs it learns how much busier than its mean a minute gets.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/archipelago-cdk/archipelago/service/account"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "calibrate:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	goal   time.Duration
	during time.Duration
	from   float64
	most   float64
	cpus   int
	people int
	out    string
	log    string
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	var o options
	flags := flag.NewFlagSet("calibrate", flag.ContinueOnError)
	flags.DurationVar(&o.goal, "goal", 100*time.Millisecond, "`time` within which 99 % of requests should be answered")
	flags.DurationVar(&o.during, "duration", 2*time.Minute, "about how long to measure")
	flags.Float64Var(&o.from, "from", 100, "`requests` a second to begin with")
	flags.Float64Var(&o.most, "max", 20000, "most `requests` a second to try")
	flags.IntVar(&o.cpus, "cpus", 1, "CPUs that the service gets; the load has the others")
	flags.IntVar(&o.people, "employees", 1000, "employees in the store")
	flags.StringVar(&o.out, "out", "calibrate.svg", "`file` to write the plot to, as SVG")
	flags.StringVar(&o.log, "log", "", "measure nothing, but read the busiest seconds of a minute from the load balancer's access logs in this `file` or folder")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := o.check(flags.Args()); err != nil {
		return err
	}
	if o.log != "" {
		b, err := busiestOf(o.log)
		if err != nil {
			return fmt.Errorf("-log: %w", err)
		}
		fmt.Fprint(stdout, b.text())
		return nil
	}
	if err := writable(o.out); err != nil { // minutes before it is needed
		return err
	}
	// In memory: what is to be found is the CPU's knee, and on AWS the disk has no
	// part in it.
	dir, err := os.MkdirTemp("/dev/shm", "calibrate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	measurements, err := o.measure(ctx, dir, stdout)
	if err != nil {
		return err
	}
	if err := draw(o.out, measurements, o.goal); err != nil {
		return err
	}
	a, err := advise(measurements, o.goal, o.cpus)
	if err != nil {
		return err
	}
	fmt.Fprint(stdout, a.findings(o.goal, o.cpus))
	if a.doubtful() {
		return fmt.Errorf("no advice: the service had CPU to spare, %.0f %% were used, so something else slowed it; run this on a machine that is not busy, or with a higher -goal (the plot is in %s)", a.Knee.CPU, o.out)
	}
	fmt.Fprint(stdout, a.text(o.cpus))
	fmt.Fprintf(stdout, "\nThe plot is in %s.\n", o.out)
	return nil
}

// check joins what is wrong with the flags.
func (o options) check(args []string) error {
	var errs []error
	wrong := func(format string, values ...any) { errs = append(errs, fmt.Errorf(format, values...)) }
	if len(args) > 0 {
		wrong("want flags only, got %q", args)
	}
	if o.goal <= 0 {
		wrong("-goal: want more than 0, got %s", o.goal)
	}
	if o.during < 10*time.Second || o.during > time.Hour {
		wrong("-duration: want 10 s to an hour, got %s", o.during)
	}
	if !(o.from >= 1 && o.from < o.most && o.most <= 1e6) {
		wrong("-from, -max: want 1 or more, and less than -max, which is 1e6 at most, got %g and %g", o.from, o.most)
	}
	if o.cpus < 1 || o.cpus > runtime.NumCPU() {
		wrong("-cpus: want 1 to the %d of this machine, got %d", runtime.NumCPU(), o.cpus)
	}
	if o.people < 1 || o.people > 1e6 {
		wrong("-employees: want 1 to 1000000, got %d", o.people)
	}
	return errors.Join(errs...)
}

// writable returns why a file cannot be written. An existing one is left as it is.
func writable(path string) error {
	_, err := os.Stat(path)
	isNew := errors.Is(err, os.ErrNotExist)
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("-out: %w", err)
	}
	if isNew {
		defer os.Remove(path)
	}
	return file.Close()
}

// measure runs the service and loads it more and more.
func (o options) measure(ctx context.Context, dir string, stdout io.Writer) ([]measurement, error) {
	const name = "calibrate"
	password := account.RandomPassword()
	ids, err := fill(ctx, dir, o.people, name, password)
	if err != nil {
		return nil, err
	}
	program, err := build(ctx, dir)
	if err != nil {
		return nil, err
	}
	s, err := start(program, dir, o.cpus)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	session, err := s.signIn(name, password)
	if err != nil {
		return nil, err
	}
	if o.cpus == runtime.NumCPU() {
		fmt.Fprintln(stdout, "The service and the load share this machine's CPUs: it can do more than this shows.")
	}
	targets := mix(s.url, session, ids)
	each := o.during / measured
	if _, err := attack(s, targets, o.from, each); err != nil { // what is slow once
		return nil, err
	}
	fmt.Fprintln(stdout, "OFFERED/S  ANSWERED/S  99 % WITHIN  CPU")
	return search(o.from, o.most, o.goal, func(rate float64) (measurement, error) {
		if err := ctx.Err(); err != nil {
			return measurement{}, err
		}
		m, err := attack(s, targets, rate, each)
		if err == nil {
			fmt.Fprintf(stdout, "%9.0f  %10.0f  %11s  %.0f %%\n", m.Offered, m.Answered, m.P99.Round(100*time.Microsecond), m.CPU)
		}
		return m, err
	})
}

// measured is about how many rates are tried.
const measured = 20

// findings says where the knee is.
func (a advice) findings(goal time.Duration, cpus int) string {
	return fmt.Sprintf(`
Up to %.0f requests a second the service follows, with 99 %% answered within %s
(goal: %s), at %.0f %% of %d CPU(s). At %.0f it does not: %s.
A request takes %s of a CPU: make simulate ARGS="-cpu-per-request %s".
`, a.Knee.Offered, a.Knee.P99.Round(100*time.Microsecond), goal, a.Knee.CPU, cpus, a.Beyond.Offered, a.Beyond.why(goal),
		a.CPUPerRequest.Round(time.Microsecond), a.CPUPerRequest.Round(time.Microsecond))
}

// text says what to write into cdk.json, and why.
func (a advice) text(cpus int) string {
	return fmt.Sprintf(`
An instance is given %.0f %% of that, so that the load may grow by two thirds until
more of them are there. Where fleet.startAt has %d vCPU(s) as fast as this machine's,
in cdk.json:

  "fleet": {
    "cpuTarget": %d,
    "requestsPerTarget": %d
  }

requestsPerTarget is requests a minute of an instance of fleet.startAt. Run this on
one to have its own figures.
`, 100*safeShare, cpus, a.CPUTarget, a.RequestsPerTarget)
}
