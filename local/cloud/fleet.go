package cloud

import (
	"context"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/archipelago-cdk/archipelago/local/balancer"
	"github.com/archipelago-cdk/archipelago/local/emulator"
	"github.com/archipelago-cdk/archipelago/local/machine"
)

// fleet plays what the emulator says is deployed: a machine for each instance,
// a balancer for each load balancer, and the entry.
type fleet struct {
	control emulator.Control
	entry   *balancer.Entry
	port    int // the entry's
	dir     string
	output  io.Writer
	log     *log.Logger

	mu        sync.Mutex
	machines  map[string]*machine.Machine
	balancers map[string]*balancer.Balancer // by ARN
	entered   bool                          // whether there is an accelerator
	deployed  emulator.Fleet                // what is followed

	cancel context.CancelFunc
	done   sync.WaitGroup
}

// newFleet starts to play.
func newFleet(ctx context.Context, url string, listener net.Listener, dir string, output io.Writer) (*fleet, error) {
	dir = filepath.Join(dir, "machines")
	if err := os.RemoveAll(dir); err != nil { // of one that was killed
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	f := &fleet{
		control:   emulator.Control{URL: url},
		port:      listener.Addr().(*net.TCPAddr).Port,
		dir:       dir,
		output:    output,
		log:       log.New(output, "fleet: ", log.Lmsgprefix),
		machines:  map[string]*machine.Machine{},
		balancers: map[string]*balancer.Balancer{},
		cancel:    cancel,
	}
	f.entry = balancer.NewEntry(ctx, listener, f.log)
	f.done.Go(func() { f.play(ctx) })
	return f, nil
}

// stop stops every machine and waits for it.
func (f *fleet) stop() {
	f.cancel()
	f.done.Wait()
	if err := os.RemoveAll(f.dir); err != nil {
		f.log.Print(err)
	}
}

// play follows the emulator until ctx ends.
func (f *fleet) play(ctx context.Context) {
	for tick := time.NewTicker(pollEvery); ; {
		deployed, err := f.control.Fleet(ctx)
		if err == nil {
			f.follow(ctx, deployed)
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
	for _, config := range deployed.LoadBalancers {
		f.updateBalancer(ctx, config)
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
	// A machine ends when it is stopped, after its balancer let go of it, and
	// not with the context.
	m, err := machine.Start(context.Background(), instance, f.control.URL, f.dir, f.output)
	if err != nil {
		f.log.Printf("%s: %v", instance.ID, err)
		return
	}
	f.machines[instance.ID] = m
}

// stopMachine lets the requests in flight end first, unless all is to end.
func (f *fleet) stopMachine(ctx context.Context, m *machine.Machine) {
	var waits []func()
	for _, b := range f.balancers {
		waits = append(waits, b.Drop(m.ID))
	}
	f.done.Go(func() {
		for _, wait := range waits {
			if ctx.Err() == nil {
				wait()
			}
		}
		m.Stop()
	})
}

func (f *fleet) updateBalancer(ctx context.Context, config emulator.LoadBalancer) {
	b := f.balancers[config.ARN]
	if b == nil {
		var err error
		if b, err = balancer.Listen(ctx, config.Region, discard); err != nil {
			f.log.Print(err)
			return
		}
		f.balancers[config.ARN] = b
	}
	b.Update(config, func(id string) string {
		if m := f.machines[id]; m != nil {
			return m.Addr
		}
		return ""
	})
	b.Check(ctx, time.Now())
}

// updateEntry registers the regions' load balancers, nearest first.
func (f *fleet) updateEntry(groups []emulator.EndpointGroup) {
	var registered []*balancer.Balancer
	for _, region := range f.deployed.Regions {
		for _, group := range groups {
			if group.Region != region {
				continue
			}
			for _, arn := range group.LoadBalancers {
				if b := f.balancers[arn]; b != nil {
					registered = append(registered, b)
				}
			}
		}
	}
	f.entered = len(registered) > 0
	f.entry.Update(registered)
}

// health is what the balancers say of the machines that run.
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

// report tells the emulator what is played.
func (f *fleet) report(ctx context.Context) error {
	p := emulator.Playing{Health: map[string]string{}, Regions: map[string]string{}}
	for id, state := range f.health() {
		p.Health[id] = state.String()
	}
	f.mu.Lock()
	p.Deployment = f.deployed.Deployment
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
