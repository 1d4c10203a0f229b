package templates_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/matrix"
)

// TestStacksNeedNoOtherRegion: a stack that refers to another region's could
// not be deployed while that region is down.
func TestStacksNeedNoOtherRegion(t *testing.T) {
	for _, path := range matrix.Templates(t, matrix.Synthesize(t, "shipped").Dir) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, reference := range []string{"Fn::ImportValue", "Fn::GetStackOutput", "Custom::CrossRegionExport"} {
			if bytes.Contains(b, []byte(reference)) {
				t.Errorf("%s has a %s", filepath.Base(path), reference)
			}
		}
	}
}

// TestCleartextIsWarnedOf: it is meant for trying things.
func TestCleartextIsWarnedOf(t *testing.T) {
	warned := func(name string) bool {
		s := matrix.Synthesize(t, name)
		for _, messages := range annotations(t, s.Dir, s.Config.Names().GlobalStack()) {
			if slices.ContainsFunc(messages, func(m string) bool { return strings.HasPrefix(m, "allowCleartext: ") }) {
				return true
			}
		}
		return false
	}
	if !warned("cleartext") {
		t.Error("a deployment that takes passwords in the clear is not warned of")
	}
	if warned("shipped") {
		t.Error("the shipped configuration is warned of")
	}
}

// TestStacksAreDeployedInOrder: storage, then global, then one region after the
// other.
func TestStacksAreDeployedInOrder(t *testing.T) {
	shipped := matrix.Synthesize(t, "shipped")
	b, err := os.ReadFile(filepath.Join(shipped.Dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		Artifacts map[string]struct{ Dependencies []string }
	}
	if err := json.Unmarshal(b, &manifest); err != nil {
		t.Fatal(err)
	}
	names, regions := shipped.Config.Names(), shipped.Config.RegionNames()
	for _, want := range []struct{ stack, after string }{
		{names.GlobalStack(), names.StorageStack(regions[0])},
		{names.GlobalStack(), names.StorageStack(regions[1])},
		{names.RegionStack(regions[0]), names.GlobalStack()},
		{names.RegionStack(regions[1]), names.RegionStack(regions[0])},
	} {
		if got := manifest.Artifacts[want.stack].Dependencies; !slices.Contains(got, want.after) {
			t.Errorf("%s depends on %q, want %s among them", want.stack, got, want.after)
		}
	}
}

func TestMain(m *testing.M) { matrix.Run(m) }
