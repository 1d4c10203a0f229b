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

// TestCleartextIsWarnedOf: an entry without a domain has no TLS.
func TestCleartextIsWarnedOf(t *testing.T) {
	matrix.Each(t, func(t *testing.T, a matrix.Assembly) {
		warned := slices.ContainsFunc(a.Stacks[a.Config.Names().EntryStack()].Findings, func(f matrix.Finding) bool { return f.Rule == "cleartext" })
		if want := !a.Config.Domain.Set(); warned != want {
			t.Errorf("the entry has a domain: %t, and the deployment is warned: %t", !want, warned)
		}
	})
}

// TestStacksAreDeployedInOrder: storage, then global, then the entry, then one
// region after the other.
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
		after(names.EntryStack(), names.GlobalStack())
		previous := names.EntryStack()
		for _, region := range a.Config.RegionNames() {
			after(names.RegionStack(region), previous)
			previous = names.RegionStack(region)
		}
	})
}

func TestMain(m *testing.M) { matrix.Run(m) }
