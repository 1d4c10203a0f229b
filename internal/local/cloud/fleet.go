package cloud

import (
	"cmp"
	"context"
	"crypto/sha256"
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
	"sync"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/balancer"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/lambda"
	"github.com/archipelago-cdk/archipelago/internal/local/machine"
	"github.com/archipelago-cdk/archipelago/internal/local/nobody"
)

// fleet plays what the emulator says is deployed: a machine for each instance,
// a process for each function, a balancer for each load balancer, and the entry.
type fleet struct {
	control emulator.Control
	entry   *balancer.Entry
	port    int // the entry's
	dir     string
	own     bool // whether dir is the fleet's alone
	logDir  string
	output  io.Writer
	log     *log.Logger
	// settings returns what differs here from the service's environment in a region.
	settings func(region string) []string
	// cpuScale is Options.CPUScale.
	cpuScale func() float64

	mu        sync.Mutex
	machines  map[string]*machine.Machine
	logs      map[string]io.Closer // of the machines
	functions *lambda.Pool
	balancers map[string]*balancer.Balancer // by ARN
	taken     []emulator.Invocation         // which the emulator does not tell again
	entered   bool                          // whether there is an accelerator
	deployed  emulator.Fleet                // what is followed

	cancel context.CancelFunc
	done   sync.WaitGroup
}

// Folders, below the local cloud's, of what the fleet runs and of what its
// instances print, which is kept until the next start.
const (
	machinesDir  = "machines"
	functionsDir = "functions"
	logsDir      = "logs"
)

// runningDir returns the folder for what a fleet runs: dir, or one below the
// system's temporary folder where it runs as a user who cannot enter dir.
func runningDir(dir string) (string, error) {
	if nobody.Reaches(dir) {
		return dir, nil
	}
	sum := sha256.Sum256([]byte(dir))
	dir = filepath.Join(os.TempDir(), fmt.Sprintf("archipelago-%x", sum[:6]))
	if err := os.RemoveAll(dir); err != nil { // left by a process that was killed
		return "", err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

// newFleet starts to play what url deploys, and prints what happens there as o says.
func newFleet(ctx context.Context, url string, listener net.Listener, o Options, settings func(region string) []string, output io.Writer) (*fleet, error) {
	runs, err := runningDir(o.Dir)
	if err != nil {
		return nil, err
	}
	for _, path := range []string{filepath.Join(runs, machinesDir), filepath.Join(runs, functionsDir), filepath.Join(o.Dir, logsDir)} {
		if err := os.RemoveAll(path); err != nil { // of one that was killed
			return nil, err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	f := &fleet{
		control:   emulator.Control{URL: url},
		port:      listener.Addr().(*net.TCPAddr).Port,
		dir:       runs,
		own:       runs != o.Dir,
		logDir:    filepath.Join(o.Dir, logsDir),
		output:    output,
		log:       log.New(output, "fleet: ", log.Lmsgprefix),
		settings:  settings,
		cpuScale:  o.CPUScale,
		machines:  map[string]*machine.Machine{},
		logs:      map[string]io.Closer{},
		balancers: map[string]*balancer.Balancer{},
		cancel:    cancel,
	}
	f.functions = lambda.NewPool(f.control, filepath.Join(runs, functionsDir), func(function emulator.Function) io.Writer {
		return io.MultiWriter(output, f.metricsOf(function))
	}, f.log)
	f.entry = balancer.NewEntry(ctx, listener, f.log)
	f.done.Go(func() { f.play(ctx) })
	f.done.Go(func() { f.measure(ctx) })
	f.done.Go(func() { f.tell(ctx, o.printer) })
	return f, nil
}

// stop stops every machine and function and waits for it.
func (f *fleet) stop() {
	f.cancel()
	f.done.Wait()
	f.functions.Stop()
	for _, of := range []string{machinesDir, functionsDir} {
		if err := os.RemoveAll(filepath.Join(f.dir, of)); err != nil {
			f.log.Print(err)
		}
	}
	if f.own {
		if err := os.Remove(f.dir); err != nil {
			f.log.Print(err)
		}
	}
}

// play follows the emulator until ctx ends.
func (f *fleet) play(ctx context.Context) {
	for tick := time.NewTicker(pollEvery); ; {
		// Taken before the functions are read, so that theirs is among them.
		taken, err := f.control.TakeInvocations(ctx)
		f.taken = append(f.taken, taken...)
		var deployed emulator.Fleet
		if err == nil {
			deployed, err = f.control.Fleet(ctx)
		}
		if err == nil {
			f.follow(ctx, deployed)
			f.functions.Schedule(ctx, deployed.Clock.Now, deployed.Schedules)
			f.functions.Handle(ctx, deployed.Clock.Now, f.taken)
			f.functions.Deliver(ctx, deployed.Clock.Now)
			f.taken = nil
			err = f.report(ctx)
		}
		if err != nil && ctx.Err() == nil {
			f.log.Print(err)
		}
		select {
		case <-ctx.Done():
			f.follow(ctx, emulator.Fleet{})
			return
		case <-tick.C:
		}
	}
}

// follow starts and stops what differs from what is deployed.
func (f *fleet) follow(ctx context.Context, deployed emulator.Fleet) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.deployed = deployed
	wanted := map[string]bool{}
	for _, instance := range deployed.Instances {
		wanted[instance.ID] = true
		if f.machines[instance.ID] == nil {
			f.startMachine(instance)
		}
	}
	for id, m := range f.machines {
		if !wanted[id] {
			delete(f.machines, id)
			f.stopMachine(ctx, m)
		}
	}
	f.functions.Update(deployed.Functions)
	for _, config := range deployed.LoadBalancers {
		f.updateBalancer(ctx, config, deployed.Clock.Now)
	}
	for arn := range f.balancers {
		if !slices.ContainsFunc(deployed.LoadBalancers, func(b emulator.LoadBalancer) bool { return b.ARN == arn }) {
			f.balancers[arn].Close()
			delete(f.balancers, arn)
		}
	}
	f.updateEntry(deployed.EndpointGroups)
}

func (f *fleet) startMachine(instance emulator.Instance) {
	log, err := createLog(f.logDir, instance)
	if err != nil {
		f.log.Printf("%s: %v", instance.ID, err)
		return
	}
	// A machine ends when it is stopped, after its balancer let go of it, and
	// not with the context.
	m, err := machine.Start(context.Background(), instance, machine.Options{
		URL: f.control.URL, Dir: filepath.Join(f.dir, machinesDir), Output: io.MultiWriter(f.output, log),
		Environment: f.settings(instance.Region),
	})
	if err != nil {
		log.Close()
		f.log.Printf("%s: %v", instance.ID, err)
		return
	}
	f.machines[instance.ID], f.logs[instance.ID] = m, log
}

// stopMachine lets the requests in flight end first, unless all is to end.
func (f *fleet) stopMachine(ctx context.Context, m *machine.Machine) {
	var waits []func()
	for _, b := range f.balancers {
		waits = append(waits, b.Drop(m.ID))
	}
	log := f.logs[m.ID]
	delete(f.logs, m.ID)
	f.done.Go(func() {
		for _, wait := range waits {
			if ctx.Err() == nil {
				wait()
			}
		}
		m.Stop()
		log.Close()
	})
}

// functionTarget is the function of an ARN as it is deployed when it is asked.
type functionTarget struct {
	functions *lambda.Pool
	arn       string
}

// Invoke implements balancer.Function.
func (t functionTarget) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	return t.functions.Invoke(ctx, t.arn, event)
}

// target returns what a load balancer sends requests to.
func (f *fleet) target(id string) (balancer.Target, bool) {
	if m := f.machines[id]; m != nil {
		return balancer.Target{Addr: m.Addr}, true
	}
	if f.functions.Has(id) {
		return balancer.Target{Function: functionTarget{f.functions, id}}, true
	}
	return balancer.Target{}, false
}

func (f *fleet) updateBalancer(ctx context.Context, config emulator.LoadBalancer, now time.Time) {
	b := f.balancers[config.ARN]
	if b == nil {
		var err error
		if b, err = balancer.Listen(ctx, config.Region, discard); err != nil {
			f.log.Print(err)
			return
		}
		f.balancers[config.ARN] = b
	}
	b.Update(config, f.target)
	b.Check(ctx, now)
}

// updateEntry registers the regions' load balancers, nearest first.
func (f *fleet) updateEntry(groups []emulator.EndpointGroup) {
	var registered []balancer.Endpoint
	for _, region := range f.deployed.Regions {
		for _, group := range groups {
			if group.Region != region {
				continue
			}
			for _, arn := range group.LoadBalancers {
				if b := f.balancers[arn]; b != nil {
					registered = append(registered, balancer.Endpoint{Balancer: b, Dial: group.Dial, Lost: group.Lost, Record: group.Record})
				}
			}
		}
	}
	f.entered = len(registered) > 0
	f.entry.Update(registered)
}

// health is what the balancers say of the machines and functions that run.
func (f *fleet) health() map[string]balancer.State {
	f.mu.Lock()
	defer f.mu.Unlock()
	health := map[string]balancer.State{}
	for id := range f.machines {
		health[id] = balancer.Initial
	}
	for _, b := range f.balancers {
		for id, state := range b.Health() {
			health[id] = state
		}
	}
	return health
}

// How a service is known that will not serve: it ended so often, or no instance was
// healthy for so long, a bound for what hangs and not for a machine that is busy; and
// before the deployment gives up, which at a pace is sooner and cannot say what an
// instance printed.
const (
	endedOften    = 5
	unwellForLong = 4 * time.Minute
	givesUpAfter  = 15 * time.Minute // of the emulator's clock: cmd/scaler's createWithin
)

// unwell returns what says, while no instance has been healthy since began, that none
// will be, with the last lines that one of them printed.
func (f *fleet) unwell(began time.Time) func() error {
	return func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		within := min(unwellForLong, time.Duration(0.9*float64(givesUpAfter)/max(1, f.deployed.Clock.Pace)))
		for _, id := range slices.Sorted(maps.Keys(f.machines)) {
			m := f.machines[id]
			why := ""
			switch {
			case m.Restarts() >= endedOften:
				why = fmt.Sprintf("its service ended %d times", m.Restarts()+1)
			case time.Since(began) >= within:
				why = fmt.Sprintf("in %s it was not healthy: a service has to listen on $LISTEN, and to answer its health path with 200", within)
			default:
				continue
			}
			return fmt.Errorf("no instance serves. Of %s in %s, %s; it printed last:\n  %s", id, m.Region, why, strings.Join(m.LastLines(), "\n  "))
		}
		return nil
	}
}

// run runs the service's program once, on any of the machines.
func (f *fleet) run(ctx context.Context, arguments ...string) (string, error) {
	f.mu.Lock()
	var chosen *machine.Machine
	for _, m := range f.machines {
		chosen = m
	}
	f.mu.Unlock()
	if chosen == nil {
		return "", errors.New("there is no instance")
	}
	return chosen.Run(ctx, arguments...)
}

// report tells the emulator what is played.
func (f *fleet) report(ctx context.Context) error {
	p := emulator.Status{Health: map[string]string{}, Regions: map[string]string{}, Refused: f.functions.Refused()}
	for id, state := range f.health() {
		p.Health[id] = state.String()
	}
	refused := ""
	f.mu.Lock()
	p.Deployment = f.deployed.Deployment
	for _, id := range slices.Sorted(maps.Keys(f.machines)) {
		if f.machines[id].Booted() {
			p.Booted = append(p.Booted, id)
		}
		switch f.machines[id].State() {
		case machine.Starting:
			p.Starting = append(p.Starting, id)
		case machine.TimedOut:
			p.Starting = append(p.Starting, id)
			refused = cmp.Or(refused, id)
		}
	}
	if m := f.machines[refused]; m != nil { // one says it for all
		p.Refused[m.ID] = fmt.Sprintf("its service, in %s, did not tell systemd in time that it is ready, as service.notify has it; it printed last:\n  %s",
			m.Region, strings.Join(m.LastLines(), "\n  "))
	}
	for _, b := range f.balancers {
		p.Regions[b.Region] = b.URL
	}
	if f.entered {
		p.URL = "http://localhost:" + strconv.Itoa(f.port)
	} else if len(f.deployed.Regions) > 0 {
		p.URL = p.Regions[f.deployed.Regions[0]]
	}
	f.mu.Unlock()
	return f.control.Report(ctx, p)
}
