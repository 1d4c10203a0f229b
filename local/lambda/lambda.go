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

	"github.com/archipelago-cdk/archipelago/local/child"
	"github.com/archipelago-cdk/archipelago/local/emulator"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// ErrTimedOut is the result of an event that took longer than the function may.
var ErrTimedOut = errors.New("the function took longer than its time limit")

// restartAfter is how long a function that ended waits for its next start.
const restartAfter = 100 * time.Millisecond

// Function is a Lambda function with one environment: it handles one event
// after the other.
type Function struct {
	emulator.Function

	url    string // the emulator's
	root   string // where its code is
	api    string // host and port of its runtime API
	output io.Writer
	log    *log.Logger
	events chan *event

	mu      sync.Mutex
	running map[string]*event // by id
	kill    context.CancelFunc

	cancel context.CancelFunc
	done   sync.WaitGroup
}

// event is one invocation.
type event struct {
	id       string
	payload  []byte
	deadline time.Time
	result   chan result // takes one
}

type result struct {
	payload []byte
	err     error
}

// Start fetches function's code into a folder below dir, and returns at once.
// What the function prints is written to output.
func Start(function emulator.Function, url, dir string, output io.Writer) (*Function, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	f := &Function{
		Function: function,
		url:      url,
		root:     filepath.Join(dir, function.Region+"."+function.Name),
		api:      listener.Addr().String(),
		output:   output,
		log:      log.New(output, function.Name+" in "+function.Region+" ", log.Lmsgprefix),
		events:   make(chan *event),
		running:  map[string]*event{},
		kill:     func() {},
		cancel:   cancel,
	}
	server := &http.Server{Handler: f.runtimeAPI(), ReadHeaderTimeout: 5 * time.Second}
	f.done.Go(func() { _ = server.Serve(listener) })
	context.AfterFunc(ctx, func() { _ = server.Close() })
	f.done.Go(func() { f.supervise(ctx) })
	return f, nil
}

// Stop ends the function and waits until nothing of it is left.
func (f *Function) Stop() {
	f.cancel()
	f.done.Wait()
	if err := os.RemoveAll(f.root); err != nil {
		f.log.Print(err)
	}
}

// Invoke hands the function one event and returns its answer. An answer that
// takes longer than the function's time limit ends the function's environment,
// as on AWS; so does, here, a caller that leaves.
func (f *Function) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	limit := time.Duration(f.Timeout) * time.Second
	ctx, cancel := context.WithTimeoutCause(ctx, limit, ErrTimedOut)
	defer cancel()
	e := &event{payload: payload, deadline: time.Now().Add(limit), result: make(chan result, 1)}
	select {
	case f.events <- e:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	select {
	case r := <-e.result:
		return r.payload, r.err
	case <-ctx.Done():
		f.mu.Lock()
		defer f.mu.Unlock()
		f.kill()
		return nil, context.Cause(ctx)
	}
}

// supervise fetches the code and runs it until ctx ends, and again whenever it
// ends by itself.
func (f *Function) supervise(ctx context.Context) {
	fetched := false
	for {
		var err error
		if !fetched {
			err = f.fetch(ctx)
			fetched = err == nil
		}
		if err == nil {
			err = f.run(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		f.log.Printf("the function ended: %v", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(restartAfter):
		}
	}
}

// run runs the function's bootstrap once. What it was at is then lost.
func (f *Function) run(ctx context.Context) error {
	environment, err := f.environment(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f.mu.Lock()
	f.kill = cancel
	f.mu.Unlock()
	cmd := exec.Command(filepath.Join(f.root, "bootstrap"))
	cmd.Dir = f.root
	cmd.Env = environment
	cmd.Stdout, cmd.Stderr = f.output, f.output
	err = <-child.Run(ctx, cmd, 0)
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, e := range f.running {
		delete(f.running, id)
		e.result <- result{err: fmt.Errorf("the function ended before it answered: %v", err)}
	}
	return err
}

// environment is what AWS gives a function, and where AWS is.
func (f *Function) environment(ctx context.Context) ([]string, error) {
	client := sts.New(sts.Options{
		Region: f.Region, BaseEndpoint: &f.url,
		Credentials: credentials.NewStaticCredentialsProvider("emulator", "emulator", ""),
	})
	out, err := client.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: &f.Role, RoleSessionName: &f.Name})
	if err != nil {
		return nil, err
	}
	environment := []string{
		"PATH=/usr/local/bin:/usr/bin:/bin",
		"LAMBDA_TASK_ROOT=" + f.root,
		"_HANDLER=" + f.Handler,
		"AWS_LAMBDA_RUNTIME_API=" + f.api,
		"AWS_LAMBDA_FUNCTION_NAME=" + f.Name,
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=" + strconv.Itoa(f.Memory),
		"AWS_REGION=" + f.Region,
		"AWS_DEFAULT_REGION=" + f.Region,
		"AWS_ACCESS_KEY_ID=" + *out.Credentials.AccessKeyId,
		"AWS_SECRET_ACCESS_KEY=" + *out.Credentials.SecretAccessKey,
		"AWS_SESSION_TOKEN=" + *out.Credentials.SessionToken,
		"AWS_ENDPOINT_URL=" + f.url,
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=" + os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
	}
	for name, value := range f.Environment {
		environment = append(environment, name+"="+value)
	}
	return environment, nil
}
