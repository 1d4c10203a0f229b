// Package cdkapp runs a program that uses CDK so that nothing of it is left
// behind, however it ends.
package cdkapp

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"github.com/aws/jsii-runtime-go"
)

// Stderr is this process's standard error, for what there is to say after Run.
var Stderr = os.Stderr

// Run runs build, which may use CDK, and ends the process that CDK is in, which
// jsii starts before main and which has a temporary folder of 2 MB. What CDK
// throws, which jsii turns into a panic, is an error. Afterwards os.Stderr takes
// nothing any more.
func Run(build func() error) (err error) {
	flush, err := filterStderr()
	if err != nil {
		return err
	}
	defer flush()
	defer onSignal(jsii.Close)()
	defer jsii.Close()
	defer func() {
		switch thrown := recover().(type) {
		case nil:
		case runtime.Error: // a mistake of this program's: its trace is wanted
			jsii.Close()
			panic(thrown)
		default:
			err = explain(fmt.Sprint(thrown))
		}
	}()
	return build()
}

// cacheRoot is the variable that says where jsii keeps the libraries that it has
// unpacked, if not in the home.
const cacheRoot = "JSII_RUNTIME_PACKAGE_CACHE_ROOT"

// explain adds what to do to what CDK has thrown.
func explain(thrown string) error {
	if strings.Contains(thrown, "package-cache") {
		return fmt.Errorf("CDK: %s\nThe home cannot be written: name another folder in %s", thrown, cacheRoot)
	}
	return fmt.Errorf("CDK: %s", thrown)
}

// onSignal calls clean when this process is interrupted, and ends it.
func onSignal(clean func()) (stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		if s, ok := <-signals; ok {
			clean()
			os.Exit(128 + int(s.(syscall.Signal)))
		}
	}()
	return func() { signal.Stop(signals); close(signals) }
}

// waitedTwice is what jsii prints now and then at the end of a run that went
// well: its Close waits for CDK's process beside the goroutine that does so all
// the time, and one of the two comes too late. Source: jsii-runtime-go 1.139.0,
// internal/kernel/process, ensureStarted and Close.
const waitedTwice = "Runtime process exited abnormally: waitid: no child processes"

// filterStderr drops waitedTwice from what this process writes to os.Stderr until flush,
// and all of it then: jsii may say it after its Close, and looks for os.Stderr then.
func filterStderr() (flush func(), err error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		filter(Stderr, reader)
	}()
	os.Stderr = writer
	return func() {
		writer.Close()
		<-done
		reader.Close()
	}, nil
}

func filter(to io.Writer, from io.Reader) {
	for lines := bufio.NewReader(from); ; {
		line, err := lines.ReadBytes('\n')
		_, _ = to.Write(bytes.ReplaceAll(line, []byte(waitedTwice), nil)) // nobody is left to tell
		if err != nil {
			return
		}
	}
}
