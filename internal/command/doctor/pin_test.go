package doctor

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/google/go-cmp/cmp"
)

// pinned runs the command over the regions of a cdk.json, and returns what they are then.
func pinned(t *testing.T, p *patient, regions string) (after string, err error) {
	t.Helper()
	asEmulator(t)
	const before, behind = `{"context": {"archipelago": {"regions": `, `, "name": "NAME", "fleet": {"ladder": ["m7g.medium", "m7g.large"]}, "service": {"name": "hello", "package": "./service", "port": 8080, "health": "/healthz"}}}}`
	name := func(s string) string { return strings.ReplaceAll(s, "NAME", p.config.Name) }
	path := filepath.Join(t.TempDir(), "cdk.json")
	if err := os.WriteFile(path, []byte(before+regions+name(behind)), 0o644); err != nil {
		t.Fatal(err)
	}
	reader, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	var out bytes.Buffer
	err = RunZones(t.Context(), []string{"-file", path}, &out)
	if meanwhile, err := io.ReadAll(reader); err != nil || string(meanwhile) != before+regions+name(behind) {
		t.Errorf("who has opened the file before reads %q, %v", meanwhile, err)
	}
	b, readErr := os.ReadFile(path)
	if readErr != nil {
		t.Fatal(readErr)
	}
	after, ok := strings.CutPrefix(string(b), before)
	after, rest := strings.CutSuffix(after, name(behind))
	if !ok || !rest {
		t.Fatalf("more was changed: %s", b)
	}
	return after, err
}

func TestZonesArePinned(t *testing.T) {
	p := newPatient(t, "")
	p.deploy(t, "eu-west-1", p.names().RegionStack("eu-west-1"), subnets("eu-west-1", "c", "a", "b"))
	emulatortest.Set(t, p.control, emulator.Settings{NotOffered: map[string][]string{"us-east-1a": {"m7g.large"}}, ZoneIDs: map[string]string{"us-east-1c": "usw1-az2"}})
	got, err := pinned(t, p, `["eu-west-1", {"name": "us-east-1", "zones": 2, "weight": 100}, {"name": "eu-west-2", "zones": ["c", "a"]}, {"name": "eu-west-3", "retired": true}, {"name": "eu-north-1", "lost": true}]`)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"name": "eu-west-1", "zones": ["c", "a", "b"]}, {"name": "us-east-1", "zones": ["b", "d"], "weight": 100}, {"name": "eu-west-2", "zones": ["c", "a"]}, {"name": "eu-west-3", "retired": true}, {"name": "eu-north-1", "lost": true}]`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("regions (-want +got):\n%s", diff)
	}
}

func TestZonesThatDoNotSuffice(t *testing.T) {
	p := newPatient(t, "")
	emulatortest.Set(t, p.control, emulator.Settings{NotOffered: map[string][]string{"eu-west-2b": {"m7g.large"}}})
	const regions = `["eu-west-1", "eu-west-2"]`
	got, err := pinned(t, p, regions)
	if err == nil || !strings.Contains(err.Error(), `eu-west-2: 2 of its zones offer every rung of archipelago.fleet.ladder, ["a", "c"]`) || got != regions {
		t.Errorf("got %v, and the regions %s", err, got)
	}
}
