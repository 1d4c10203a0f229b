package templates_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/internal/matrix"
)

// TestRetiredRegionKeepsItsStorageOnly is the step of a region's removal in
// which nothing refers to it any more.
func TestRetiredRegionKeepsItsStorageOnly(t *testing.T) {
	retired := 0
	matrix.Each(t, func(t *testing.T, a matrix.Assembly) {
		for _, region := range a.Config.Regions {
			if !region.Retired {
				continue
			}
			retired++
			var of []string
			for _, name := range a.Names() {
				b, err := os.ReadFile(a.Stacks[name].Template)
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(string(b), region.Name) {
					of = append(of, name)
				}
			}
			if len(of) != 1 || of[0] != a.Config.Names().StorageStack(region.Name) {
				t.Errorf("%q name the retired region %s, want its storage stack alone", of, region.Name)
			}
		}
	})
	if matrix.Whole() && retired == 0 {
		t.Error("no configuration has a retired region")
	}
}

// TestDrainedRegionIsDeployed: it gets no users, and can have them back at once.
func TestDrainedRegionIsDeployed(t *testing.T) {
	weights := map[int]bool{}
	matrix.Each(t, func(t *testing.T, a matrix.Assembly) {
		if a.Config.Entry != config.EntryAccelerator {
			return
		}
		want, dials := map[any]any{}, map[any]any{}
		for _, region := range a.Config.Islands() {
			if a.Config.Accelerated(region) {
				want[region.Name] = float64(region.Weight)
			}
			weights[region.Weight] = true
			for _, r := range a.Stacks[a.Config.Names().RegionStack(region.Name)].Resources(t) {
				if r.Type == "AWS::GlobalAccelerator::EndpointGroup" {
					dials[r.Properties["EndpointGroupRegion"]] = r.Properties["TrafficDialPercentage"]
				}
			}
		}
		if fmt.Sprint(dials) != fmt.Sprint(want) {
			t.Errorf("got the dials %v, want %v", dials, want)
		}
	})
	if matrix.Whole() && (!weights[0] || !weights[100]) {
		t.Errorf("there are the weights %v, want 0 and 100 among them", weights)
	}
}
