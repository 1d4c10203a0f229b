package cloud

import (
	"context"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
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
	regions []string
	dir     string
	output  io.Writer
	log     *log.Logger

	mu        sync.Mutex
	machines  map[string]*machine.Machine
	balancers map[string]*balancer.Balancer // by ARN
	entered   bool                          // whether there is an accelerator

	cancel context.CancelFunc
	done   sync.WaitGroup
}

// newFleet starts to play. regions are in the order of the configuration.
func newFleet(ctx context.Context, url string, regions []string, listener net.Listener, dir string, output io.Writer) (*fleet, error) {
	dir = filepath.Join(dir, "machines")
	if err := os.RemoveAll(dir); err != nil { // of one that was killed
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	f := &fleet{
		control:   emulator.Control{URL: url},
		port:      listener.Addr().(*net.TCPAddr).Port,
		regions:   regions,
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
			err = f.reportHealth(ctx)
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
	for _, region := range f.regions {
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

func (f *fleet) reportHealth(ctx context.Context) error {
	health := emulator.Health{}
	for id, state := range f.health() {
		health[id] = state.String()
	}
	return f.control.Report(ctx, health)
}

// awaitHealthy returns when every instance is healthy and there are some in
// every region.
func (f *fleet) awaitHealthy(ctx context.Context) error {
	return poll(ctx, func() (bool, error) {
		for _, state := range f.health() {
			if state != balancer.Healthy {
				return false, nil
			}
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		regions := map[string]bool{}
		for _, m := range f.machines {
			regions[m.Region] = true
		}
		return len(regions) == len(f.regions), nil
	})
}

// urls are the load balancers' addresses by region.
func (f *fleet) urls() map[string]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	urls := map[string]string{}
	for _, b := range f.balancers {
		urls[b.Region] = b.URL
	}
	return urls
}

// url is the way in: the entry's, or the first region's where there is none.
func (f *fleet) url() string {
	if f.entered {
		return "http://localhost:" + strconv.Itoa(f.port)
	}
	return f.urls()[f.regions[0]]
}
