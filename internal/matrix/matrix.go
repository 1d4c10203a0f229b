// Package matrix holds the configurations that are proved, and reads what was
// made of them. It reads no CDK.
package matrix

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/archipelago-cdk/archipelago/config"
)

// Account is the AWS account that templates are made for.
const Account = "123456789012"

// Root returns the folder of the module.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for from := dir; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s is not within the module", from)
		}
	}
}

// ShippedContext returns the context of cdk.json, which go test does not read by
// itself.
func ShippedContext() (map[string]any, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	var file struct{ Context map[string]any }
	b, err := os.ReadFile(filepath.Join(root, "cdk.json"))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &file); err != nil {
		return nil, fmt.Errorf("cdk.json: %w", err)
	}
	return file.Context, nil
}

// Context returns the CDK context of a configuration.
func Context(name string) (map[string]any, error) {
	c, ok := Configurations[name]
	if !ok {
		return nil, fmt.Errorf("there is no configuration %q", name)
	}
	context, err := ShippedContext()
	if err != nil {
		return nil, err
	}
	for key, value := range c.Options {
		context[config.ContextKey+"."+key] = value
	}
	return context, nil
}

// Parse reads a configuration.
func Parse(name string) (config.Config, error) {
	context, err := Context(name)
	if err != nil {
		return config.Config{}, err
	}
	c, err := config.Parse(context, Account)
	if err != nil {
		return c, fmt.Errorf("configuration %q: %w", name, err)
	}
	return c, nil
}

// Snapshot returns the folder of a gate's configuration in stacks/testdata.
func Snapshot(root, name string) string { return filepath.Join(root, "stacks", "testdata", name) }

// Each runs a test for every configuration of this run, as -all and -shard say.
// The assembly of one in the gate is its snapshot, which TestSnapshots proves to
// be what is synthesized; those of others are synthesized once for a package.
func Each(t *testing.T, test func(t *testing.T, a Assembly)) {
	t.Helper()
	dir := ""
	for _, name := range Chosen() {
		if !Configurations[name].Gate {
			var err error
			if dir, err = synthesized(); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	for _, name := range Chosen() {
		t.Run(name, func(t *testing.T) {
			if Configurations[name].Gate {
				test(t, Committed(t, name))
			} else {
				test(t, read(t, name, filepath.Join(dir, name)))
			}
		})
	}
}

// Committed returns the assembly of a configuration of the gate.
func Committed(t testing.TB, name string) Assembly {
	t.Helper()
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	if !Configurations[name].Gate {
		t.Fatalf("the gate has no configuration %q", name)
	}
	return read(t, name, Snapshot(root, name))
}

// synthesized makes the assemblies of this run's configurations outside the gate,
// in another process: this one links no CDK.
var synthesized = sync.OnceValues(func() (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "archipelago-assemblies-")
	if err != nil {
		return "", err
	}
	made = dir
	arguments := []string{"run", "./internal/synth/assemblies", dir}
	for _, name := range Chosen() {
		if !Configurations[name].Gate {
			arguments = append(arguments, name)
		}
	}
	cmd := exec.Command("go", arguments...)
	cmd.Dir = root
	// TestSnapshots applies CDK's rules to the gate's, and this to all others,
	// whatever the environment says.
	cmd.Env = append(os.Environ(), "CDK_VALIDATION=true")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(arguments, " "), err, out)
	}
	return dir, nil
})

// made is the folder of what was synthesized, "" for none.
var made string

// Run runs a package's tests, then removes what was synthesized for them. It is
// for TestMain.
func Run(m *testing.M) {
	code := m.Run()
	if made != "" {
		_ = os.RemoveAll(made)
	}
	os.Exit(code)
}

// Names returns those of all configurations, sorted.
func Names() []string { return slices.Sorted(maps.Keys(Configurations)) }
