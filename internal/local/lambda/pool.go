package lambda

import (
	"context"
	"errors"
	"io"
	"log"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

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
	due     map[string]time.Time // when the next invocation of a schedule is, by its ARN
	going   map[string]bool      // whether one of a schedule goes on or waits, by its ARN
	queued  []*queued            // in the order of their coming
	failed  []*queued            // on which their function failed, and which are tried again
	invoked sync.WaitGroup
}

// queued is an asynchronous event that its function has not taken yet.
type queued struct {
	function string // its ARN
	payload  []byte
	ended    func(error)
	since    time.Time // on the emulator's clock, as all of these
	next     time.Time // when it is tried
	wait     time.Duration
	failures int // of the function on it
}

// How Lambda keeps events. Source: AWS Lambda Developer Guide, "How Lambda handles errors
// and retries with asynchronous invocation".
const (
	firstWait   = time.Second
	longestWait = 5 * time.Minute
)

// retries are after how long a function is handed an event again that it failed on.
var retries = []time.Duration{time.Minute, 2 * time.Minute}

// NewPool returns a pool without functions. Their code is put below dir, and what one
// prints is written to what output returns for it.
func NewPool(control emulator.Control, dir string, output func(emulator.Function) io.Writer, log *log.Logger) *Pool {
	return &Pool{control: control, dir: dir, output: output, log: log, running: map[string]*Function{}, going: map[string]bool{}}
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

var errNoFunction = errors.New("there is no such function")

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
		return nil, errNoFunction
	}
	return function.Invoke(ctx, event)
}

// errGone is the outcome of an event that got too old.
var errGone = errors.New("the function had no time for an event, or failed on it, until it was too old")

// queue keeps an asynchronous event until its function takes it. ended is called with each
// outcome: there may be further ones after a failure.
func (p *Pool) queue(now time.Time, function string, payload []byte, ended func(error)) {
	p.queued = append(p.queued, &queued{function: function, payload: payload, ended: ended, since: now, next: now, wait: firstWait})
}

// Deliver gives functions the asynchronous events that are to be tried now. One that finds
// the function's reserved concurrency used up is tried again after a second, and after twice
// as long each time, five minutes at most: meanwhile a later one may be taken before it (rule
// R35). One that the function fails on is tried again after a minute, and after another two,
// as often as the function's configuration says. None is tried that is older than that says
// (rule R37).
func (p *Pool) Deliver(ctx context.Context, now time.Time) {
	p.mu.Lock()
	for _, q := range p.failed {
		q.next, q.wait = now.Add(retries[q.failures-1]), firstWait
		p.queued = append(p.queued, q)
	}
	p.failed = nil
	p.mu.Unlock()
	p.queued = slices.DeleteFunc(p.queued, func(q *queued) bool {
		function := p.function(q.function)
		if function != nil && q.next.Sub(q.since) > time.Duration(function.MaxEventAge)*time.Second {
			q.ended(errGone)
			return true
		}
		if now.Before(q.next) {
			return false
		}
		if function != nil && !function.take(true) {
			q.next, q.wait = now.Add(q.wait), min(2*q.wait, longestWait)
			return false
		}
		p.invoked.Go(func() {
			err := errNoFunction
			if function != nil {
				_, err = function.invoke(ctx, q.payload)
			}
			q.ended(err)
			if err != nil && function != nil && q.failures < min(function.RetryAttempts, len(retries)) {
				q.failures++
				p.mu.Lock()
				defer p.mu.Unlock()
				p.failed = append(p.failed, q)
			}
		})
		return true
	})
}

// Handle invokes the functions of custom resources, which must be taken before what
// is deployed is read. It does not wait: the stack waits for what a function puts to
// the response URL, and not for its answer.
func (p *Pool) Handle(ctx context.Context, now time.Time, taken []emulator.Invocation) {
	for _, i := range taken {
		p.queue(now, i.Function, []byte(i.Payload), func(err error) {
			if err != nil && ctx.Err() == nil {
				p.log.Printf("%s: %v", i.Function, err)
			}
		})
	}
}

// scheduledTime is what an input has where the time of the invocation belongs.
// Source: EventBridge Scheduler User Guide, "Adding context attributes".
const scheduledTime = "<aws.scheduler.scheduled-time>"

// Schedule invokes the functions that are due now, on the emulator's clock, each for the
// first time one interval after its schedule was seen. While one goes on, or is kept for
// the function, the next one waits: for the last of the times that came meanwhile. Lambda
// keeps those before it, too.
func (p *Pool) Schedule(ctx context.Context, now time.Time, schedules []emulator.Schedule) {
	due := map[string]time.Time{}
	for _, s := range schedules {
		every := time.Duration(s.Every) * time.Second
		at, known := p.due[s.ARN]
		switch {
		case !known:
			at = now.Add(every)
		case !now.Before(at) && p.goes(s.ARN):
			at = at.Add(now.Sub(at).Truncate(every))
			p.invokeAt(ctx, now, s, at)
			at = at.Add(every)
		}
		due[s.ARN] = at
	}
	p.due = due
}

// goes reports whether the invocation of a schedule goes on from here: none before it
// does.
func (p *Pool) goes(schedule string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.going[schedule] {
		return false
	}
	p.going[schedule] = true
	return true
}

func (p *Pool) ended(schedule string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.going, schedule)
}

func (p *Pool) invokeAt(ctx context.Context, now time.Time, s emulator.Schedule, at time.Time) {
	input := strings.ReplaceAll(s.Input, scheduledTime, at.UTC().Format(time.RFC3339))
	p.queue(now, s.Target, []byte(input), func(err error) {
		p.ended(s.ARN)
		if err != nil && ctx.Err() == nil {
			p.log.Printf("%s: %v", s.ARN, err)
		}
	})
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
	p.invoked.Wait()
}
