package lives_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/build"
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
func builds(t *testing.T) stacks.Builds {
	t.Helper()
	b, err := synth.StandIns(t.TempDir())
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
