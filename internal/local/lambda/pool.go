package lambda

import (
	"context"
	"errors"
	"io"
	"log"
	"reflect"
	"sync"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
)

// Pool is the functions that are deployed.
type Pool struct {
	control emulator.Control
	dir     string
	output  func(emulator.Function) io.Writer
	log     *log.Logger
	mu      sync.Mutex
	running map[string]*Function // by ARN
	handled sync.WaitGroup
}

// NewPool returns a pool without functions. Their code is put below dir, and what one
// prints is written to what output returns for it.
func NewPool(control emulator.Control, dir string, output func(emulator.Function) io.Writer, log *log.Logger) *Pool {
	return &Pool{control: control, dir: dir, output: output, log: log, running: map[string]*Function{}}
}

// Update starts what is deployed, restarts what was deployed again and stops the rest.
func (p *Pool) Update(deployed []emulator.Function) {
	p.mu.Lock()
	defer p.mu.Unlock()
	wanted := map[string]emulator.Function{}
	for _, function := range deployed {
		wanted[function.ARN] = function
	}
	for arn, running := range p.running {
		if !reflect.DeepEqual(running.Function, wanted[arn]) {
			delete(p.running, arn)
			running.Stop()
		}
	}
	for arn, function := range wanted {
		if p.running[arn] != nil {
			continue
		}
		started, err := Start(function, p.control.URL, p.dir, p.output(function))
		if err != nil {
			p.log.Printf("%s: %v", arn, err)
			continue
		}
		p.running[arn] = started
	}
}

// Has reports whether the function runs.
func (p *Pool) Has(arn string) bool { return p.function(arn) != nil }

func (p *Pool) function(arn string) *Function {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running[arn]
}

// Invoke hands an event to the function as it is deployed now.
func (p *Pool) Invoke(ctx context.Context, arn string, event []byte) ([]byte, error) {
	function := p.function(arn)
	if function == nil {
		return nil, errors.New("there is no such function")
	}
	return function.Invoke(ctx, event)
}

// Handle invokes the functions of custom resources, which must be taken before what
// is deployed is read. It does not wait: the stack waits for what a function puts to
// the response URL, and not for its answer.
func (p *Pool) Handle(ctx context.Context, taken []emulator.Invocation) {
	for _, i := range taken {
		p.handled.Go(func() {
			_, err := p.Invoke(ctx, i.Function, []byte(i.Payload))
			if err == nil || ctx.Err() != nil {
				return
			}
			p.log.Printf("%s: %v", i.Function, err)
			if err := p.control.FailInvocation(ctx, i.ID); err != nil && ctx.Err() == nil {
				p.log.Print(err)
			}
		})
	}
}

// Refused returns why functions cannot run on AWS, by their ARNs.
func (p *Pool) Refused() map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	refused := map[string]string{}
	for arn, function := range p.running {
		if err := function.Refused(); err != nil {
			refused[arn] = err.Error()
		}
	}
	return refused
}

// Stop stops all functions and waits until nothing of them is left.
func (p *Pool) Stop() {
	p.Update(nil)
	p.handled.Wait()
}
