package templates_test

import (
	"bytes"
	"os"
	"slices"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/matrix"
)

// TestStacksNeedNoOtherRegion: a stack that refers to another region's could
// not be deployed while that region is down.
func TestStacksNeedNoOtherRegion(t *testing.T) {
	matrix.Each(t, func(t *testing.T, a matrix.Assembly) {
		for name, stack := range a.Stacks {
			b, err := os.ReadFile(stack.Template)
			if err != nil {
				t.Fatal(err)
			}
			for _, reference := range []string{"Fn::ImportValue", "Fn::GetStackOutput", "Custom::CrossRegionExport"} {
				if bytes.Contains(b, []byte(reference)) {
					t.Errorf("%s has a %s", name, reference)
				}
			}
		}
	})
}

// TestCleartextIsWarnedOf: it is meant for trying things.
func TestCleartextIsWarnedOf(t *testing.T) {
	matrix.Each(t, func(t *testing.T, a matrix.Assembly) {
		warned := slices.ContainsFunc(a.Stacks[a.Config.Names().GlobalStack()].Findings, func(f matrix.Finding) bool { return f.Rule == "allowCleartext" })
		if warned != a.Config.AllowCleartext {
			t.Errorf("allowCleartext is %t, and the deployment is warned of it: %t", a.Config.AllowCleartext, warned)
		}
	})
}

// TestStacksAreDeployedInOrder: storage, then global, then one region after the
// other.
func TestStacksAreDeployedInOrder(t *testing.T) {
	matrix.Each(t, func(t *testing.T, a matrix.Assembly) {
		names := a.Config.Names()
		after := func(stack, before string) {
			if got := a.Stacks[stack].DependsOn; !slices.Contains(got, before) {
				t.Errorf("%s depends on %q, want %s among them", stack, got, before)
			}
		}
		for _, region := range a.Config.Regions {
			after(names.GlobalStack(), names.StorageStack(region.Name))
		}
		previous := names.GlobalStack()
		for _, region := range a.Config.RegionNames() {
			after(names.RegionStack(region), previous)
			previous = names.RegionStack(region)
		}
	})
}

func TestMain(m *testing.M) { matrix.Run(m) }
