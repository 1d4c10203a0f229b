package cloud

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/local/balancer"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
)

// play is a fleet as an emulator and balancers would tell of it.
type play struct {
	emulator.Fleet
	health   map[string]balancer.State
	restarts map[string]int
	lit      map[string]bool
}

func (p play) scene() scene { return newScene(p.Fleet, p.health, p.restarts, p.lit) }

// fleetOf has instances "id type health" in one region.
func fleetOf(desired int, refreshing, lit bool, instances ...string) play {
	const region = "eu-west-1"
	p := play{health: map[string]balancer.State{}, lit: map[string]bool{region: lit}}
	p.Groups = []emulator.Group{{Name: "group", Region: region, Desired: desired, Refreshing: refreshing}}
	states := map[string]balancer.State{"initial": balancer.Initial, "healthy": balancer.Healthy, "unhealthy": balancer.Unhealthy}
	for _, i := range instances {
		words := strings.Fields(i)
		p.Instances = append(p.Instances, emulator.Instance{ID: words[0], Region: region, Type: words[1]})
		p.health[words[0]] = states[words[2]]
	}
	return p
}

// TestEventsAreTold: what an operator sees, from one second to the next.
func TestEventsAreTold(t *testing.T) {
	both := fleetOf(2, false, true, "i-1 m7g.medium healthy", "i-2 m7g.medium healthy")
	with := func(p play, change func(*play)) play {
		p.restarts, p.lit = maps.Clone(p.restarts), maps.Clone(p.lit)
		change(&p)
		return p
	}
	stack := func(status string) play { // of a stack that existed before
		return with(both, func(p *play) {
			p.Stacks = []emulator.Stack{{Name: "archipelago-region-eu-west-1", Region: "eu-west-1", Status: status}}
		})
	}
	for name, test := range map[string]struct {
		plays []play
		want  []string
	}{
		"nothing": {[]play{both, both}, nil},
		"a start": {
			[]play{{}, fleetOf(2, false, false, "i-1 m7g.medium initial", "i-2 m7g.medium initial"), fleetOf(2, false, false, "i-1 m7g.medium unhealthy", "i-2 m7g.medium initial"), both},
			[]string{"eu-west-1: launched m7g.medium: i-1, i-2", "eu-west-1: healthy: i-1, i-2", "eu-west-1: lit: it takes users"},
		},
		"an instance is lost and replaced": {
			[]play{
				both, fleetOf(2, false, true, "i-2 m7g.medium healthy"),
				fleetOf(2, false, true, "i-2 m7g.medium healthy", "i-3 m7g.medium initial"), fleetOf(2, false, true, "i-2 m7g.medium healthy", "i-3 m7g.medium healthy"),
			},
			[]string{"eu-west-1: lost: i-1", "eu-west-1: launched m7g.medium: i-3", "eu-west-1: healthy: i-3"},
		},
		"a process is killed": {
			[]play{both, with(both, func(p *play) { p.restarts = map[string]int{"i-2": 1} })},
			[]string{"eu-west-1: service ended and started again: i-2"},
		},
		"an instance does not answer": {
			[]play{both, fleetOf(2, false, true, "i-1 m7g.medium unhealthy", "i-2 m7g.medium healthy"), both},
			[]string{"eu-west-1: unhealthy: i-1", "eu-west-1: healthy: i-1"},
		},
		"a refresh to another size": {
			[]play{
				both, fleetOf(2, true, true, "i-1 m7g.medium healthy", "i-2 m7g.medium healthy", "i-3 m7g.large initial"),
				fleetOf(2, true, true, "i-2 m7g.medium healthy", "i-3 m7g.large healthy"), fleetOf(2, false, true, "i-3 m7g.large healthy", "i-4 m7g.large healthy"),
			},
			[]string{
				"eu-west-1: launched m7g.large: i-3", "eu-west-1: healthy: i-3", "eu-west-1: replaced: i-1",
				"eu-west-1: launched m7g.large: i-4", "eu-west-1: healthy: i-4", "eu-west-1: replaced: i-2",
				"eu-west-1: all instances are m7g.large instead of m7g.medium",
			},
		},
		"fewer": {
			[]play{both, fleetOf(1, false, true, "i-1 m7g.medium healthy")},
			[]string{"eu-west-1: instances wanted: 1 instead of 2", "eu-west-1: ended: i-2"},
		},
		"an island goes dark and comes back": {
			[]play{both, with(both, func(p *play) { p.lit["eu-west-1"] = false }), both},
			[]string{"eu-west-1: dark: users go elsewhere", "eu-west-1: lit: it takes users"},
		},
		"a deployment": {
			[]play{
				stack("CREATE_COMPLETE"), stack("UPDATE_IN_PROGRESS"), stack("UPDATE_COMPLETE"),
				with(stack("UPDATE_COMPLETE"), func(p *play) { p.Deployment, p.Regions = 2, []string{"eu-west-1"} }),
			},
			[]string{
				"eu-west-1: stack archipelago-region-eu-west-1: being deployed", "eu-west-1: stack archipelago-region-eu-west-1: deployed",
				"deployment 2 has ended: eu-west-1",
			},
		},
		"a deployment that fails": {
			[]play{stack("CREATE_COMPLETE"), stack("UPDATE_IN_PROGRESS"), stack("UPDATE_ROLLBACK_IN_PROGRESS"), stack("UPDATE_ROLLBACK_COMPLETE")},
			[]string{
				"eu-west-1: stack archipelago-region-eu-west-1: being deployed", "eu-west-1: stack archipelago-region-eu-west-1: it failed, and is rolled back",
				"eu-west-1: stack archipelago-region-eu-west-1: rolled back",
			},
		},
	} {
		told := teller{kinds: map[string]string{}}
		before := told.next(test.plays[0].scene())
		if want := 3; name != "a start" && len(before) != want {
			t.Errorf("%s: of what is there got %q, want %d lines: launched, healthy, lit", name, before, want)
		}
		var got []string
		for _, p := range test.plays[1:] {
			got = append(got, told.next(p.scene())...)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(test.want, "\n"))
		}
	}
}
