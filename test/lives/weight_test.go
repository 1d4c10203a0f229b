package lives_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/matrix"
)

// TestDrainedOfFourLeavesTheAccelerator, which tries three regions whatever
// their dials, so a fourth that is drained has no endpoint group: its users are elsewhere.
// It comes back by its weight.
func TestDrainedOfFourLeavesTheAccelerator(t *testing.T) {
	if !matrix.All() {
		t.Skip("four regions take minutes: with -all or -shard")
	}
	if !matrix.Mine(0) {
		t.Skip("another part has it")
	}
	t.Parallel()
	regions := []string{"eu-west-1", "us-east-1", "us-east-2", "us-west-2"}
	l := begin(t, serveApp(t), "shipped")
	l.set("regions", strings.Join(regions, ","))
	l.run("cdk bootstrap")
	l.deploy()
	l.write("before")
	weigh := func(weight int) {
		t.Helper()
		l.setRegions(func(list []any) []any {
			list[1] = map[string]any{"name": regions[1], "weight": fmt.Sprint(weight)}
			return list
		})
		l.deploy()
	}
	want := func(groups int, second bool) {
		t.Helper()
		for i, region := range regions {
			l.enters(region, i != 1 || second)
		}
		deployed, err := l.control.Fleet(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := len(deployed.EndpointGroups); got != groups {
			t.Errorf("the accelerator has %d endpoint groups, want %d: %+v", got, groups, deployed.EndpointGroups)
		}
	}
	want(4, true)
	weigh(0)
	want(3, false)
	weigh(100)
	want(4, true)
	l.intact()
}
