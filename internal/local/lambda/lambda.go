// Package lambda runs Lambda functions on this machine: a function's own code,
// with the environment and the credentials of its role, against a runtime API.
package lambda

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/child"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/nobody"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// ErrTimedOut is the result of an event that took longer than the function may.
var ErrTimedOut = errors.New("the function took longer than its time limit")

var errStopped = errors.New("the function was stopped")

// bootstrap is the program of a deployment package.
const bootstrap = "bootstrap"

// restartAfter is how long an environment that ended waits for its next start.
const restartAfter = 100 * time.Millisecond

// maxEnvironments is how many events a function handles at once, unless its reserved
// concurrency is less; more of them wait.
const maxEnvironments = 5

// Function is a Lambda function. It has one environment, and another one
// whenever an event finds none that is idle.
type Function struct {
	emulator.Function

	url    string // the emulator's
	root   string // where its code is
	output io.Writer
	log    *log.Logger
	events chan *event

	fetching     sync.Mutex
	fetched      bool
	mu           sync.Mutex
	environments int
	handling     int   // events
	refused      error // why it cannot run

	ctx    context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// event is one invocation.
type event struct {
	payload []byte
	result  chan result // takes one
}

type result struct {
	payload []byte
	err     error
}

// Start fetches function's code into a folder below dir, and returns at once.
// What the function prints is written to output.
func Start(function emulator.Function, url, dir string, output io.Writer) (*Function, error) {
	ctx, cancel := context.WithCancel(context.Background())
	f := &Function{
		Function: function,
		url:      url,
		root:     filepath.Join(dir, function.Region+"."+function.Name),
		output:   output,
		log:      log.New(output, function.Name+" in "+function.Region+" ", log.Lmsgprefix),
		events:   make(chan *event),
		ctx:      ctx,
		cancel:   cancel,
	}
	return f, f.grow()
}

// Refused returns why the function cannot run on AWS, or nil if nothing is known
// against it.
func (f *Function) Refused() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.refused
}

func (f *Function) refuse(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refused = err
}

// Stop ends the function and waits until nothing of it is left.
func (f *Function) Stop() {
	f.mu.Lock()
	f.cancel() // from here on it does not grow
	f.mu.Unlock()
	f.done.Wait()
	if err := os.RemoveAll(f.root); err != nil {
		f.log.Print(err)
	}
}

// Invoke hands the function one event and returns its answer. An answer that
// takes longer than the function's time limit ends the environment, as on AWS;
// a caller that leaves does not.
func (f *Function) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	f.take(false)
	return f.invoke(ctx, payload)
}

// take begins with an event, and reports whether it does: asynchronous events find no
// environment where the reserved concurrency is used up.
func (f *Function) take(asynchronous bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if asynchronous && f.Concurrency > 0 && f.handling >= f.Concurrency {
		return false
	}
	f.handling++
	return true
}

// invoke is Invoke with an event that was taken.
func (f *Function) invoke(ctx context.Context, payload []byte) ([]byte, error) {
	defer func() {
		f.mu.Lock()
		f.handling--
		f.mu.Unlock()
	}()
	e := &event{payload: payload, result: make(chan result, 1)}
	select {
	case f.events <- e:
	default:
		if err := f.grow(); err != nil {
			return nil, err
		}
		select {
		case f.events <- e:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-f.ctx.Done():
			return nil, errStopped
		}
	}
	select {
	case r := <-e.result:
		return r.payload, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-f.ctx.Done():
		return nil, errStopped
	}
}

// grow starts another environment, unless there are enough.
func (f *Function) grow() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ctx.Err() != nil {
		return errStopped
	}
	if f.refused != nil {
		return f.refused
	}
	if f.environments == maxEnvironments || f.Concurrency > 0 && f.environments >= f.Concurrency {
		return nil
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	f.environments++
	v := &environment{Function: f, api: listener.Addr().String()}
	server := &http.Server{Handler: v.runtimeAPI(), ReadHeaderTimeout: 5 * time.Second}
	f.done.Go(func() { _ = server.Serve(listener) })
	context.AfterFunc(f.ctx, func() { _ = server.Close() })
	f.done.Go(func() { v.supervise(f.ctx) })
	return nil
}

// environment handles one event after the other.
type environment struct {
	*Function
	api string // host and port of its runtime API

	mu      sync.Mutex
	handled *event // the one in progress
	id      int64  // of the last one
	kill    context.CancelFunc
}

// begin records the invocation in progress and arms its timeout.
func (v *environment) begin(e *event) (id string, deadline time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.handled = e
	v.id++
	limit := time.Duration(v.Timeout) * time.Second
	time.AfterFunc(limit, func() { v.expire(e) })
	return strconv.FormatInt(v.id, 10), time.Now().Add(limit)
}

// expire ends the environment if it is still at e.
func (v *environment) expire(e *event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.handled == e {
		v.handled = nil
		e.result <- result{err: ErrTimedOut}
		v.kill()
	}
}

// end gives the result of the invocation in progress. It reports whether that is
// the event of the id.
func (v *environment) end(id string, r result) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.handled == nil || id != strconv.FormatInt(v.id, 10) {
		return false
	}
	v.handled.result <- r
	v.handled = nil
	return true
}

// supervise fetches the code and runs it until ctx ends, and again whenever it
// ends by itself.
func (v *environment) supervise(ctx context.Context) {
	for {
		err := v.fetchOnce(ctx)
		if err == nil {
			err = v.run(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		v.log.Printf("the function ended: %v", err)
		if errors.Is(err, errRefused) {
			v.refuse(err)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(restartAfter):
		}
	}
}

// run runs the function's bootstrap once. The event that it handles is then lost.
func (v *environment) run(ctx context.Context) error {
	variables, err := v.variables(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	v.mu.Lock()
	v.kill = cancel
	v.mu.Unlock()
	cmd := exec.Command(filepath.Join(v.root, bootstrap))
	nobody.Become(cmd)
	cmd.Dir = v.root
	cmd.Env = variables
	cmd.Stdout, cmd.Stderr = v.output, v.output
	err = <-child.Run(ctx, cmd, 0)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.handled != nil {
		v.handled.result <- result{err: fmt.Errorf("the function ended before it answered: %v", err)}
		v.handled = nil
	}
	return err
}

// variables are what AWS gives a function, and where AWS is.
func (v *environment) variables(ctx context.Context) ([]string, error) {
	client := sts.New(sts.Options{
		Region: v.Region, BaseEndpoint: &v.url,
		Credentials: credentials.NewStaticCredentialsProvider(emulator.AccessKey, emulator.AccessKey, ""),
	})
	out, err := client.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: &v.Role, RoleSessionName: &v.Name})
	if err != nil {
		return nil, err
	}
	variables := []string{
		"PATH=/usr/local/bin:/usr/bin:/bin",
		"LAMBDA_TASK_ROOT=" + v.root,
		"_HANDLER=" + v.Handler,
		"AWS_LAMBDA_RUNTIME_API=" + v.api,
		"AWS_LAMBDA_FUNCTION_NAME=" + v.Name,
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=" + strconv.Itoa(v.Memory),
		"AWS_REGION=" + v.Region,
		"AWS_DEFAULT_REGION=" + v.Region,
		"AWS_ACCESS_KEY_ID=" + *out.Credentials.AccessKeyId,
		"AWS_SECRET_ACCESS_KEY=" + *out.Credentials.SecretAccessKey,
		"AWS_SESSION_TOKEN=" + *out.Credentials.SessionToken,
		"AWS_ENDPOINT_URL=" + v.url,
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=" + os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
	}
	for name, value := range v.Environment {
		variables = append(variables, name+"="+value)
	}
	return variables, nil
}
