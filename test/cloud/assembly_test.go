package cloud_test

import (
	"context"
	"maps"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/internal/build"
	"github.com/archipelago-cdk/archipelago/internal/matrix"
	"github.com/archipelago-cdk/archipelago/stacks"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"
)

// madeDir is where the programs and the assemblies are that the tests deploy.
var madeDir string

func TestMain(m *testing.M) {
	// An operator's command is for what runs here.
	os.Unsetenv("AWS_PROFILE")
	os.Unsetenv("AWS_ACCESS_KEY_ID")
	var err error
	if madeDir, err = os.MkdirTemp("", "archipelago-cloud-"); err != nil {
		panic(err)
	}
	code := m.Run()
	jsii.Close()
	_ = os.RemoveAll(madeDir)
	os.Exit(code)
}

// built are the programs of the checkout, made once, for this machine.
var built = sync.OnceValues(func() (stacks.Builds, error) {
	d := build.Deployment{Root: "../..", Dir: madeDir, Package: "./cmd/directory", Instances: runtime.GOARCH, Functions: runtime.GOARCH}
	architecture := awslambda.Architecture_X86_64()
	if runtime.GOARCH == "arm64" {
		architecture = awslambda.Architecture_ARM_64()
	}
	return stacks.Builds{
		Service:              d.Service(),
		Pulse:                d.Pulse(),
		Function:             d.Function,
		FunctionArchitecture: architecture,
	}, d.Build(context.Background(), nil)
})

// assembly is what a configuration is made into, in the background.
type assembly struct {
	settings []string
	made     chan struct{}
	dir      string
	err      error
}

// synthesizing is held while one is made: CDK's process has one conversation.
var synthesizing sync.Mutex

// synthesize begins to make assemblies, each of cdk.json with settings laid over, as
// the CLI's -c does, one after the other.
func synthesize(t *testing.T, settings ...[]string) []*assembly {
	t.Helper()
	shipped, err := matrix.ShippedContext()
	if err != nil {
		t.Fatal(err)
	}
	var list []*assembly
	for _, s := range settings {
		list = append(list, &assembly{settings: append([]string{
			"archipelago.protect=false", // a protected region leaves by a procedure: TestLives
		}, s...), made: make(chan struct{})})
	}
	done := make(chan struct{})
	t.Cleanup(func() { <-done })
	go func() {
		defer close(done)
		synthesizing.Lock()
		defer synthesizing.Unlock()
		for _, a := range list {
			a.dir, a.err = a.make(maps.Clone(shipped))
			close(a.made)
		}
	}()
	return list
}

func (a *assembly) make(settings map[string]any) (string, error) {
	builds, err := built()
	if err != nil {
		return "", err
	}
	for _, setting := range a.settings {
		key, value, _ := strings.Cut(setting, "=")
		settings[key] = value
	}
	return synth(settings, builds)
}

// synth makes an assembly of a context and returns its folder.
func synth(settings map[string]any, builds stacks.Builds) (string, error) {
	deployment, err := config.Parse(maps.Clone(settings), matrix.Account)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(madeDir, "cdk.out.")
	if err != nil {
		return "", err
	}
	app := awscdk.NewApp(&awscdk.AppProps{Context: &settings, Outdir: &dir, AnalyticsReporting: jsii.Bool(false)})
	stacks.Add(app, deployment, builds)
	app.Synth(nil)
	return dir, nil
}

// await returns the folder of the assembly once it is made.
func (a *assembly) await(t *testing.T) string {
	t.Helper()
	<-a.made
	if a.err != nil {
		t.Fatal(a.err)
	}
	return a.dir
}
