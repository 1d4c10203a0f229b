// Package cloud brings a deployment up on this machine: the CDK CLI deploys it
// into the emulator, and what it calls for is played.
package cloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/internal/local/balancer"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/progress"
	"golang.org/x/sync/errgroup"
)

// account is the one that the emulator knows.
const account = "123456789012"

// How long the steps may take: bounds for what hangs, not for a machine that is
// busy. The first build compiles everything.
const (
	buildWithin     = 30 * time.Minute
	emulatorWithin  = 5 * time.Minute
	synthWithin     = 20 * time.Minute
	bootstrapWithin = 10 * time.Minute
	deployWithin    = 20 * time.Minute
	fleetWithin     = 10 * time.Minute
	setupWithin     = 2 * time.Minute
)

// Options configure the local cloud.
type Options struct {
	// Root is the checkout, with cdk.json and node_modules. Default: the
	// working directory.
	Root string
	// Dir keeps logs, the templates and what is running. Default: .archipelago
	// in Root.
	Dir string
	// Port is where the entry answers on loopback; 0 is any free one. One that
	// runs stays where it is: if PortGiven, somebody is told so.
	Port      int
	PortGiven bool
	// Assembly is a folder with synthesized stacks, which are deployed instead of the
	// checkout's. Default: the checkout is synthesized.
	Assembly string
	// Context are settings of the configuration, as of the CLI's -c:
	// "archipelago.fleet.min=3".
	Context []string
	// Tags are what every stack is tagged with, "KEY=VALUE", as of the CLI's --tags.
	Tags []string
	// ReplicationDelay is how long an object of a bucket takes to another region, on the
	// emulator's clock. Default: a second.
	ReplicationDelay time.Duration
	// Pace is how many seconds pass on the emulator's clock in one of this
	// machine's: as many times as often as the templates say health checks and
	// schedules run, and as many minutes of metrics one minute makes. Default: 1, as
	// on AWS.
	Pace int
	// CPUScale returns how many times the CPU that an instance uses counts at this
	// moment, so that a test loads a fleet with little of this machine. Default: once.
	CPUScale func() float64
	// Out takes the progress. Required.
	Out io.Writer
	// Ready is called when everything is healthy. Default: nothing.
	Ready func(Running)

	printer *progress.Printer // on Out
}

// Running says where a local cloud answers.
type Running struct {
	// Emulator is the endpoint for AWS clients.
	Emulator string
	// URL is the way in: the entry, or the first region where there is none.
	URL string
	// Regions are the load balancers' addresses by their region.
	Regions map[string]string
	// Setup is what the service's program printed when it was set up.
	Setup string
}

// Up deploys the checkout. If a local cloud is running already it deploys into
// that one and returns; else it starts one and plays it until ctx ends. It
// leaves nothing running.
func Up(ctx context.Context, o Options) error {
	if err := o.complete(); err != nil {
		return err
	}
	// A wrong key is known before anything is built.
	configuration, err := o.configuration()
	if err != nil {
		return err
	}
	unlock, err := lock(o.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	if running, ok := find(ctx, o.Dir); ok {
		return redeploy(ctx, o, configuration, running)
	}
	return start(ctx, o, configuration, unlock)
}

// complete fills in defaults, and names the tools that are missing.
func (o *Options) complete() error {
	if o.Root == "" {
		o.Root = "."
	}
	if o.Dir == "" {
		o.Dir = filepath.Join(o.Root, ".archipelago")
	}
	var err error
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return err
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return err
	}
	if o.printer == nil {
		o.printer = progress.New(o.Out)
	}
	return checkTools(o.Root)
}

// configuration is that of the checkout with the options' settings.
func (o *Options) configuration() (config.Config, error) {
	c, err := config.Read(o.Root, o.Context, account)
	if err != nil {
		return c, fmt.Errorf("the configuration is not valid\n%w", err)
	}
	return c, nil
}

// Diff shows on o.Out what a deployment of the checkout would change: on AWS with
// the environment's credentials, else in the running local cloud.
func Diff(ctx context.Context, o Options) error {
	if err := o.complete(); err != nil {
		return err
	}
	configuration, err := o.configuration()
	if err != nil {
		return err
	}
	url := ""
	if !OnAWS() {
		running, ok := find(ctx, o.Dir)
		if !ok {
			return errors.New("nothing runs here to compare with: run `make up` first; to compare with AWS set AWS_PROFILE")
		}
		url = running.Emulator
	}
	unlock, err := lock(o.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	steps, err := newSteps(o.Dir, "diff.log", o.printer)
	if err != nil {
		return err
	}
	defer steps.close()
	return newCLI(o, configuration.Service.Package, url, steps).diff(ctx, o.Out)
}

// Synth writes the templates to cdk.out in the checkout, for an AWS account, and
// to o.Out what CDK warns of, each warning once.
func Synth(ctx context.Context, o Options, account string) error {
	if err := o.complete(); err != nil {
		return err
	}
	configuration, err := o.configuration()
	if err != nil {
		return err
	}
	unlock, err := lock(o.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	steps, err := newSteps(o.Dir, "synth.log", o.printer)
	if err != nil {
		return err
	}
	defer steps.close()
	cli := newCLI(o, configuration.Service.Package, "", steps)
	var printed strings.Builder
	err = steps.run(ctx, "synthesize the stacks", synthWithin, cli.doing.now, func(ctx context.Context) error {
		return cli.runTo(ctx, &printed, append([]string{"synth", "--quiet", "-c", "archipelago.account=" + account}, cli.settings()...)...)
	})
	if err != nil {
		return err
	}
	_, err = io.WriteString(o.Out, tidy(printed.String()))
	return err
}

// start starts a local cloud and plays it until ctx ends. It calls unlock when
// others may deploy into it.
func start(ctx context.Context, o Options, configuration config.Config, unlock func()) (err error) {
	for _, r := range configuration.Regions {
		if r.Lost {
			return fmt.Errorf("archipelago.regions: %s is lost, and what goes on without it was deployed before: begin with it, as `make up ARGS='-c archipelago.regions=%s'` does", r.Name, strings.Join(configuration.RegionNames(), ","))
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(o.Port))
	if !errors.Is(err, syscall.EADDRINUSE) && err != nil {
		return fmt.Errorf("port %d cannot be listened on: choose one from 1024 to 65535, such as `make up PORT=8080` (%w)", o.Port, err)
	}
	if err != nil {
		return fmt.Errorf("port %d is taken: choose another one, such as `make up PORT=%d` (%w)", o.Port, o.Port+1, err)
	}
	defer listener.Close()
	steps, err := newSteps(o.Dir, "up.log", o.printer)
	if err != nil {
		return err
	}
	defer steps.close()
	port, err := emulator.FreePort()
	if err != nil {
		return err
	}
	cdk := newCLI(o, configuration.Service.Package, emulator.URL(port), steps)
	var assembly *assembly
	var server *emulator.Server
	group, either := errgroup.WithContext(ctx)
	group.Go(func() error {
		var err error
		assembly, err = cdk.synthesize(either)
		return err
	})
	group.Go(func() error {
		err := steps.run(either, "start the AWS emulator", emulatorWithin, nil, func(context.Context) error {
			var err error
			server, err = emulator.Start(ctx, emulator.Options{Port: port, Log: steps.log, ReplicationDelay: o.ReplicationDelay, Pace: o.Pace})
			return err
		})
		if err != nil {
			return err
		}
		beside := cdk // the synth
		beside.doing = &doing{}
		return beside.bootstrap(either, environmentsOf(configuration))
	})
	err = group.Wait()
	if server != nil {
		defer func() { err = errors.Join(err, server.Stop()) }()
	}
	if err != nil {
		return err
	}
	go func() {
		// The CLI would retry for minutes.
		cancel(fmt.Errorf("the AWS emulator ended by itself (%w): run `make up` again; what it printed is in %s", <-server.Done(), steps.path))
	}()
	if err := (emulator.Control{URL: server.URL}).Make(ctx, emulator.ExistingOf(configuration)); err != nil {
		return err
	}
	if err := makeSecrets(ctx, server.URL, configuration); err != nil {
		return err
	}
	control := emulator.Control{URL: server.URL}
	if o.Pace <= 1 {
		// AWS's minutes are for tests of a rollout, which set a pace.
		if err := control.Set(ctx, emulator.Settings{Hurry: true}); err != nil {
			return err
		}
	}
	// A stack waits for what its custom resources' functions answer, and these for
	// instances.
	fleet, err := newFleet(ctx, server.URL, listener, o, settings(configuration), steps.log)
	if err != nil {
		return err
	}
	defer fleet.stop()
	deploying, stop := context.WithCancelCause(ctx)
	go func() { stop(watchDeployment(deploying, control, fleet)) }()
	err = cdk.deploy(deploying, assembly)
	stop(nil)
	if cause := context.Cause(deploying); ctx.Err() == nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	if err != nil {
		return err
	}
	var playing emulator.Status
	waiting := &waiting{}
	err = steps.run(ctx, "start the fleets", fleetWithin, waiting.now, func(ctx context.Context) error {
		var err error
		playing, err = awaitFleets(ctx, control, assembly.regions, waiting, fleet.unwell(time.Now()))
		return err
	})
	if err != nil {
		return err
	}
	r := running{PID: os.Getpid(), Emulator: server.URL}
	if setup := configuration.Service.Local.Setup; len(setup) > 0 {
		err := steps.run(ctx, "set the service up", setupWithin, nil, func(ctx context.Context) error {
			var err error
			r.Setup, err = fleet.run(ctx, setup...)
			return err
		})
		if err != nil {
			return err
		}
	}
	forget, err := remember(o.Dir, r)
	if err != nil {
		return err
	}
	defer forget()
	if err := report(ctx, o.printer, r, playing, assembly.regions); err != nil {
		return err
	}
	unlock()
	if o.Ready != nil {
		o.Ready(Running{Emulator: server.URL, URL: playing.URL, Regions: playing.Regions, Setup: r.Setup})
	}
	<-ctx.Done()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	o.printer.Printf("stopping")
	return nil
}

// settings returns what differs here from the service's environment on AWS, in a
// region that may have joined since.
func settings(c config.Config) func(region string) []string {
	return func(name string) []string {
		region := config.Region{Name: name}
		for _, r := range c.Regions {
			if r.Name == name {
				region = r
			}
		}
		values := c.LocalEnvironment(region)
		var pairs []string
		for _, name := range slices.Sorted(maps.Keys(c.Service.Local.Environment)) {
			pairs = append(pairs, name+"="+values[name])
		}
		return pairs
	}
}

// redeploy deploys into a local cloud that another process plays.
func redeploy(ctx context.Context, o Options, configuration config.Config, running running) error {
	control := emulator.Control{URL: running.Emulator}
	playing, err := control.Status(ctx)
	if err != nil {
		return err
	}
	o.printer.Printf("deploying into what runs as process %d, at %s", running.PID, playing.URL)
	if o.PortGiven && o.Port != 0 && !strings.HasSuffix(playing.URL, ":"+strconv.Itoa(o.Port)) {
		o.printer.Printf("PORT=%d is ignored: to serve there, end that process first", o.Port)
	}
	steps, err := newSteps(o.Dir, "redeploy.log", o.printer)
	if err != nil {
		return err
	}
	defer steps.close()
	cdk := newCLI(o, configuration.Service.Package, running.Emulator, steps)
	assembly, err := cdk.synthesize(ctx)
	if err != nil {
		return err
	}
	if err := control.Make(ctx, emulator.ExistingOf(configuration)); err != nil {
		return err
	}
	if err := makeSecrets(ctx, running.Emulator, configuration); err != nil {
		return err
	}
	if err := cdk.deploy(ctx, assembly); err != nil {
		return err
	}
	waiting := &waiting{}
	err = steps.run(ctx, "wait for the fleets", fleetWithin, waiting.now, func(ctx context.Context) error {
		var err error
		playing, err = awaitFleets(ctx, control, assembly.regions, waiting, func() error { return nil })
		return err
	})
	if err != nil {
		return err
	}
	return report(ctx, o.printer, running, playing, assembly.regions)
}

// waiting says how many instances are healthy.
type waiting struct{ healthy, of atomic.Int64 }

func (w *waiting) now() string {
	return fmt.Sprintf("%d of %d instances are healthy", w.healthy.Load(), w.of.Load())
}

// awaitFleets says that a deployment to regions has ended, and returns when what
// it calls for is played: every instance is healthy and has started, each region has
// some, and its lighthouse was asked, which may be dark on purpose. It gives up with unwell's
// error while no instance has been healthy.
func awaitFleets(ctx context.Context, control emulator.Control, regions []string, waiting *waiting, unwell func() error) (emulator.Status, error) {
	deployment, err := control.Deployed(ctx, regions)
	if err != nil {
		return emulator.Status{}, err
	}
	var playing emulator.Status
	ever := false
	err = poll(ctx, func() (bool, error) {
		deployed, err := control.Fleet(ctx)
		if err != nil {
			return false, err
		}
		if playing, err = control.Status(ctx); err != nil || playing.Deployment < deployment {
			return false, err
		}
		serves := func(id string) bool {
			return playing.Health[id] == balancer.Healthy.String() && !slices.Contains(playing.Starting, id)
		}
		healthy := 0
		for _, i := range deployed.Instances {
			if serves(i.ID) {
				healthy++
			}
		}
		waiting.healthy.Store(int64(healthy))
		if ever = ever || healthy > 0; !ever {
			if err := unwell(); err != nil {
				return false, err
			}
		}
		waiting.of.Store(int64(len(deployed.Instances)))
		if err := refused(playing.Refused); err != nil {
			return false, err
		}
		served := map[string]bool{}
		for _, i := range deployed.Instances {
			if !serves(i.ID) {
				return false, nil
			}
			served[i.Region] = playing.Regions[i.Region] != ""
		}
		for _, f := range deployed.Functions {
			if playing.Health[f.ARN] == balancer.Initial.String() {
				return false, nil
			}
		}
		for _, region := range regions {
			if !served[region] {
				return false, nil
			}
		}
		return playing.URL != "", nil
	})
	return playing, err
}

// watchDeployment returns why a deployment waits without success, or nil once an instance has
// been healthy: CloudFormation would wait for a quarter of an hour and roll back.
func watchDeployment(ctx context.Context, control emulator.Control, fleet *fleet) error {
	var unwell func() error
	err := poll(ctx, func() (bool, error) {
		deployed, err := control.Fleet(ctx)
		if err != nil {
			return false, ctx.Err() // the deployment says why
		}
		status, err := control.Status(ctx)
		if err != nil {
			return false, ctx.Err()
		}
		for _, i := range deployed.Instances {
			if status.Health[i.ID] == balancer.Healthy.String() {
				return true, nil
			}
		}
		if err := refused(status.Refused); err != nil {
			return false, err
		}
		if unwell == nil && len(deployed.Instances) > 0 {
			unwell = fleet.unwell(time.Now())
		}
		if unwell == nil {
			return false, nil
		}
		return false, unwell()
	})
	if err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// refused is the error of what could not run on AWS.
func refused(why map[string]string) error {
	var errs []error
	for _, id := range slices.Sorted(maps.Keys(why)) {
		errs = append(errs, fmt.Errorf("%s: %s", id, why[id]))
	}
	return errors.Join(errs...)
}

// pollEvery is how often something is looked at that is waited for.
const pollEvery = 100 * time.Millisecond

// poll calls done until it is true or fails, or ctx ends.
func poll(ctx context.Context, done func() (bool, error)) error {
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pollEvery):
		}
	}
}

// discard is for what nobody reads.
var discard = log.New(io.Discard, "", 0)
