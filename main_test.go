package main

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/matrix"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the snapshots in stacks/testdata instead of comparing with them")

func TestSnapshots(t *testing.T) {
	for name, c := range matrix.Configurations {
		if !c.Snapshot {
			continue
		}
		t.Run(name, func(t *testing.T) {
			got := map[string][]byte{}
			for _, path := range matrix.Templates(t, matrix.Synthesize(t, name).Dir) {
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				got[filepath.Base(path)] = matrix.Hash.ReplaceAll(b, []byte("HASH"))
			}
			compare(t, filepath.Join("stacks", "testdata", name), got)
		})
	}
}

// compare reports each file of got that is not as in dir, and each that is in
// one of them only. With -update it makes dir the same.
func compare(t *testing.T, dir string, got map[string][]byte) {
	t.Helper()
	if *update {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, content := range got {
			if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	want := matrix.Templates(t, dir)
	if len(want) != len(got) {
		t.Errorf("%s holds %d templates, the configuration makes %d: %v", dir, len(want), len(got), slices.Sorted(maps.Keys(got)))
	}
	for name, content := range got {
		expected, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
			continue
		}
		if diff := cmp.Diff(strings.Split(string(expected), "\n"), strings.Split(string(content), "\n")); diff != "" {
			t.Errorf("%s changed; if that is meant, review it and run `go test . -update`:\n%s", filepath.Join(dir, name), diff)
		}
	}
}

// TestConfigErrorsStopSynth runs the program as the CDK CLI does.
func TestConfigErrorsStopSynth(t *testing.T) {
	executable := filepath.Join(t.TempDir(), "archipelago")
	if out, err := exec.Command("go", "build", "-o", executable, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	context, err := json.Marshal(map[string]any{"archipelago": map[string]any{"regions": []string{"eu-west-1"}, "fleet": map[string]any{"min": 9}}})
	if err != nil {
		t.Fatal(err)
	}
	outdir := t.TempDir()
	cmd := exec.Command(executable)
	cmd.Env = append(os.Environ(), "CDK_DEFAULT_ACCOUNT=123456789012", "CDK_OUTDIR="+outdir, "CDK_CONTEXT_JSON="+string(context))
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Error("the program accepted the configuration")
	}
	if want := "archipelago.fleet.max: want at least fleet.min, 9, got 6"; !strings.Contains(string(out), want) {
		t.Errorf("output lacks %q:\n%s", want, out)
	}
	if made := matrix.Templates(t, outdir); len(made) > 0 {
		t.Errorf("templates were made: %v", made)
	}
}

func TestMain(m *testing.M) { matrix.Run(m) }
