package cloud

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/balancer"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/progress"
)

// tellEvery is how often events are told: those between are told together.
const tellEvery = time.Second

// scene is what events are told of: what is deployed and how it is.
type scene struct {
	deployment int
	regions    []string
	stacks     map[stack]string        // their status
	instances  map[string]instance     // by id
	groups     map[string]groupSetting // by region
	lit        map[string]bool         // by region
}

type stack struct{ region, name string }

type instance struct {
	region, kind string
	health       string
	restarts     int
}

type groupSetting struct {
	desired    int
	refreshing bool
}

// newScene is of what the emulator says and how the fleet plays it.
func newScene(deployed emulator.Fleet, health map[string]balancer.State, restarts map[string]int, lit map[string]bool) scene {
	s := scene{
		deployment: deployed.Deployment, regions: deployed.Regions,
		stacks: map[stack]string{}, instances: map[string]instance{}, groups: map[string]groupSetting{}, lit: lit,
	}
	for _, of := range deployed.Stacks {
		s.stacks[stack{of.Region, of.Name}] = of.Status
	}
	for _, i := range deployed.Instances {
		s.instances[i.ID] = instance{i.Region, i.Type, health[i.ID].String(), restarts[i.ID]}
	}
	for _, g := range deployed.Groups {
		s.groups[g.Region] = groupSetting{g.Desired, g.Refreshing}
	}
	return s
}

// events are what happened between two scenes, a line for each kind of event in a
// region.
func events(before, now scene) []string {
	var lines []string
	for _, of := range sorted(before.stacks, now.stacks) {
		if line := stackEvent(of, before.stacks[of], now.stacks[of]); line != "" {
			lines = append(lines, line)
		}
	}
	regions := map[string]bool{}
	for _, s := range []scene{before, now} {
		for _, i := range s.instances {
			regions[i.region] = true
		}
		for region := range s.lit {
			regions[region] = true
		}
	}
	for _, region := range slices.Sorted(maps.Keys(regions)) {
		for _, what := range fleetEvents(before, now, region) {
			lines = append(lines, region+": "+what)
		}
		switch was, is := before.lit[region], now.lit[region]; {
		case is && !was:
			lines = append(lines, region+": lit: it takes users")
		case was && !is:
			lines = append(lines, region+": dark: users go elsewhere")
		}
	}
	if now.deployment > before.deployment {
		lines = append(lines, fmt.Sprintf("deployment %d has ended: %s", now.deployment, strings.Join(now.regions, ", ")))
	}
	return lines
}

func stackEvent(of stack, before, now string) string {
	name := of.region + ": stack " + of.name
	switch {
	case before == now:
		return ""
	case now == "":
		return name + ": deleted"
	case strings.Contains(now, "ROLLBACK_IN_PROGRESS"):
		return name + ": it failed, and is rolled back"
	case strings.HasSuffix(now, "_IN_PROGRESS") && !strings.HasPrefix(now, "REVIEW"):
		return name + ": being deployed"
	case strings.HasSuffix(now, "ROLLBACK_COMPLETE"):
		return name + ": rolled back"
	case strings.HasSuffix(now, "_COMPLETE"):
		return name + ": deployed"
	case strings.HasSuffix(now, "_FAILED"):
		return name + ": " + now
	}
	return ""
}

// fleetEvents are those of a region's instances.
func fleetEvents(before, now scene, region string) []string {
	launched := map[string][]string{} // by type
	happened := map[string][]string{} // by what
	for _, id := range sorted(before.instances, now.instances) {
		was, existed := before.instances[id]
		is, exists := now.instances[id]
		if was.region != region && is.region != region {
			continue
		}
		if !existed {
			launched[is.kind] = append(launched[is.kind], id)
		}
		switch {
		case !exists && now.groups[region].desired < before.groups[region].desired:
			happened["ended"] = append(happened["ended"], id)
		case !exists && (now.groups[region].refreshing || before.groups[region].refreshing):
			happened["replaced"] = append(happened["replaced"], id)
		case !exists:
			happened["lost"] = append(happened["lost"], id)
		case is.health == was.health:
		case is.health == balancer.Healthy.String(), was.health == balancer.Healthy.String(): // not one that still boots
			happened[is.health] = append(happened[is.health], id)
		}
		if exists && is.restarts > was.restarts {
			happened["service ended and started again"] = append(happened["service ended and started again"], id)
		}
	}
	var lines []string
	if was, is := before.groups[region].desired, now.groups[region].desired; was != is && was > 0 && is > 0 {
		lines = append(lines, fmt.Sprintf("instances wanted: %d instead of %d", is, was))
	}
	for _, kind := range slices.Sorted(maps.Keys(launched)) {
		lines = append(lines, fmt.Sprintf("launched %s: %s", kind, strings.Join(launched[kind], ", ")))
	}
	for _, what := range slices.Sorted(maps.Keys(happened)) {
		lines = append(lines, what+": "+strings.Join(happened[what], ", "))
	}
	return lines
}

// typeOf is the instance type of a region's instances, "" while they have several.
func typeOf(s scene, region string) string {
	kind := ""
	for _, i := range s.instances {
		switch {
		case i.region != region:
		case kind != "" && kind != i.kind:
			return ""
		default:
			kind = i.kind
		}
	}
	return kind
}

// sorted are the keys of both maps, each once.
func sorted[K stack | string, V any](a, b map[K]V) []K {
	both := map[K]bool{}
	for key := range a {
		both[key] = true
	}
	for key := range b {
		both[key] = true
	}
	return slices.SortedFunc(maps.Keys(both), func(a, b K) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
}

// teller turns scenes into lines. Of the first one it reports the instances only:
// the lines before have shown how the stacks were deployed.
type teller struct {
	began  bool
	before scene
	kinds  map[string]string // by region: the last type that all instances had
}

// next returns what happened since the scene before: events, and of a region whose
// instances have another type than before that they have.
func (t *teller) next(now scene) []string {
	if !t.began {
		t.began, t.before = true, scene{deployment: now.deployment, stacks: now.stacks}
	}
	lines := events(t.before, now)
	for _, region := range slices.Sorted(maps.Keys(now.groups)) {
		kind := typeOf(now, region)
		if kind == "" {
			continue
		}
		if before := t.kinds[region]; before != "" && before != kind {
			lines = append(lines, fmt.Sprintf("%s: all instances are %s instead of %s", region, kind, before))
		}
		t.kinds[region] = kind
	}
	t.before = now
	return lines
}

// tell prints what happens until ctx ends.
func (f *fleet) tell(ctx context.Context, out *progress.Printer) {
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	for t := (teller{kinds: map[string]string{}}); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			now := f.scene()
			if now.deployment == 0 {
				continue // the first deployment's steps are told as they go on
			}
			for _, line := range t.next(now) {
				out.Printf("%s %s", time.Now().Format(time.TimeOnly), line)
			}
		}
	}
}

// scene is what the fleet plays now.
func (f *fleet) scene() scene {
	health := f.health()
	f.mu.Lock()
	defer f.mu.Unlock()
	restarts, lit := map[string]int{}, map[string]bool{}
	for id, m := range f.machines {
		restarts[id] = m.Restarts()
	}
	for _, b := range f.balancers {
		lit[b.Region] = b.Healthy()
	}
	return newScene(f.deployed, health, restarts, lit)
}
