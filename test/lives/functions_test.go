package lives_test

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"sync"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/build"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/lambda"
	"github.com/archipelago-cdk/archipelago/internal/matrix"
	"github.com/archipelago-cdk/archipelago/internal/synth"
	"github.com/archipelago-cdk/archipelago/stacks"
)

// scalerZip builds the one function that deployments wait for, for this machine.
var scalerZip = sync.OnceValues(func() (string, error) {
	root, err := matrix.Root()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "archipelago-lives-")
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "scaler")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, "./cmd/scaler")
	cmd.Dir, cmd.Stderr = root, os.Stderr
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if err := cmd.Run(); err != nil {
		return "", err
	}
	return program + ".zip", build.Package(program, program+".zip")
})

// builds are stand-ins for all that is deployed but the scaler.
func builds(t *testing.T, architecture string) stacks.Builds {
	t.Helper()
	b, err := synth.StandIns(t.TempDir(), architecture)
	if err != nil {
		t.Fatal(err)
	}
	scaler, err := scalerZip()
	if err != nil {
		t.Fatal(err)
	}
	standIn := b.Function
	b.Function = func(name string) string {
		if name == "scaler" {
			return scaler
		}
		return standIn(name)
	}
	return b
}

// functions runs those that custom resources ask for.
type functions struct {
	control emulator.Control
	dir     string
	running map[string]*lambda.Function
	done    sync.WaitGroup
}

// handle takes the invocations that are due.
func (f *functions) handle(ctx context.Context, deployed []emulator.Function) error {
	taken, err := f.control.TakeInvocations(ctx)
	if err != nil {
		return err
	}
	for _, i := range taken {
		for _, function := range deployed {
			if function.ARN != i.Function {
				continue
			}
			running := f.running[i.Function]
			if running != nil && !reflect.DeepEqual(running.Function, function) {
				running.Stop()
				running = nil
			}
			if running == nil {
				if running, err = lambda.Start(function, f.control.URL, f.dir, io.Discard); err != nil {
					return err
				}
				f.running[i.Function] = running
			}
			f.done.Go(func() {
				if _, err := running.Invoke(ctx, []byte(i.Payload)); err != nil && ctx.Err() == nil {
					_ = f.control.FailInvocation(ctx, i.ID)
				}
			})
		}
	}
	return nil
}

func (f *functions) stop() {
	for _, running := range f.running {
		running.Stop()
	}
	f.done.Wait()
}
