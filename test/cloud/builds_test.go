package cloud_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/build"
	"github.com/archipelago-cdk/archipelago/internal/local/cloud"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/archipelago-cdk/archipelago/internal/matrix"
	"github.com/archipelago-cdk/archipelago/stacks"
	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// badBuilds are what a deployment may bring, and what its failure says.
var badBuilds = []struct {
	name string
	// behaviour is that of the service, which is healthy after so long if after is set.
	behaviour string
	after     time.Duration
	// foreign is whether the program is for another architecture.
	foreign bool
	says    string
	// within is when its stack is back, by AWS's clock: the bounds are those of docs/figures.md,
	// mostly more than twice what it takes, since a busy machine is slower than that clock.
	within time.Duration
	// serves is whether its instances become healthy, so that requests fail on them.
	serves bool
	// full is whether EC2 has no capacity meanwhile.
	full bool
	// scaler is whether the build brings a scaler with it that fails at every event.
	scaler bool
	// cancelled is whether somebody cancels the update, in its first quarter.
	cancelled bool
	gate      bool
}{
	{name: "exits at its start", within: 12 * time.Minute, behaviour: "exits", says: "a new instance is not healthy", gate: true},
	{name: "is healthy after 300 s", within: 12 * time.Minute, after: 300 * time.Second, says: "a new instance is not healthy"},
	{name: "listens elsewhere", within: 12 * time.Minute, behaviour: "elsewhere", says: "a new instance is not healthy"},
	{name: "is for another architecture", within: 12 * time.Minute, foreign: true, says: "a new instance is not healthy"},
	{name: "finds no capacity", within: 45 * time.Minute, says: "no instance was replaced", full: true},
	{name: "has a scaler that fails", within: 90 * time.Minute, scaler: true, says: "did not receive a response"},
	{name: "answers 500", within: 20 * time.Minute, behaviour: "fails 1", says: "alarm", serves: true},
	{name: "answers one in ten with 500", within: 25 * time.Minute, behaviour: "fails 10", says: "alarm", serves: true},
	{name: "is cancelled", within: 26 * time.Minute, behaviour: "good but cancelled", says: "update cancelled", cancelled: true},
}

// TestBuilds deploys bad builds under load into a fleet that grew in number and size:
// each is rolled back, with the size that there is, and the next good build is
// deployed. A good one that takes its time is deployed, and fails no request. Each
// deployment changes the group, too, and each bad one finds AWS going another way where
// its documents leave open which.
func TestBuilds(t *testing.T) {
	t.Parallel()
	d := beginBuilds(t)
	load := startPlainLoad(t, d.running)
	fleet := &builtFleet{day: d}
	fleet.grow(t)
	good := func(t *testing.T, behaviour string) {
		sent, failed := load.sent.Load(), load.failed.Load()
		took, why := fleet.deploy(t, behaviour)
		if why != "" {
			t.Fatalf("a good build is not deployed: %s", why)
		}
		if n := load.failed.Load() - failed; n > 0 {
			t.Errorf("%d of %d requests failed while a good build was deployed: %q", n, load.sent.Load()-sent, load.why())
		}
		t.Logf("a good build: %s at pace %d, %d requests", took.Round(time.Second), building, load.sent.Load()-sent)
		fleet.serves(t, behaviour)
	}
	t.Run("a good build", func(t *testing.T) { good(t, startsAfter(100*time.Second)) }) // long, but not too long
	for i, bad := range badBuilds {
		if !matrix.Mine(i) || !bad.gate && !matrix.All() {
			continue
		}
		t.Run("a build that "+bad.name, func(t *testing.T) {
			before, behaviour := fleet.behaviour, bad.behaviour
			if bad.after > 0 {
				behaviour = startsAfter(bad.after)
			}
			settings := emulator.RollbackVariant(i)
			if bad.full {
				settings.NoCapacity = map[string][]string{"eu-west-1a": {grown}, "eu-west-1b": {grown}, "eu-west-1c": {grown}}
			}
			emulatortest.Set(t, d.control, settings)
			pace, with := float64(building), []func(*stacks.Builds){}
			if bad.foreign {
				with = append(with, func(b *stacks.Builds) { b.Service = foreign(t) })
			}
			if bad.scaler {
				behaviour = "beside a scaler that fails"
				with = append(with, func(b *stacks.Builds) { b.Function = failingScaler(t, b.Function) })
				pace = busy // CloudFormation waits for an hour
			}
			d.pace(t, pace)
			if bad.cancelled {
				go fleet.cancel(t)
			}
			sent, failed := load.sent.Load(), load.failed.Load()
			took, why := fleet.deploy(t, behaviour, with...)
			d.pace(t, building)
			settings.NoCapacity = nil
			emulatortest.Set(t, d.control, settings)
			sent, failed = load.sent.Load()-sent, load.failed.Load()-failed
			t.Logf("rolled back after %s at pace %.0f; %d of %d requests failed: %s", took.Round(time.Second), pace, failed, sent, why)
			if !strings.Contains(why, bad.says) {
				t.Errorf("the failure is %q, want it to say %q", why, bad.says)
			}
			if took > bad.within {
				t.Errorf("it took %s, want at most %s", took, bad.within)
			}
			if failed > 0 && !bad.serves {
				t.Errorf("%d of %d requests failed, though it was never healthy: %q", failed, sent, load.why())
			}
			fleet.serves(t, before)
			t.Run("and the next", func(t *testing.T) { good(t, "good after one that "+bad.name) })
		})
	}
	load.stop()
}

// grown is the type that the fleet grew to, of its ladder.
const grown = "m7g.large"

// beginBuilds brings up one region with the service of ./serve.
func beginBuilds(t *testing.T) *day {
	dir := t.TempDir()
	o := options(dir, behave(t, ""))
	o.CPUScale = func() float64 { return 0 }                   // the count follows the requests
	o.Context = []string{"archipelago.service.local.setup=[]"} // the checkout's is the directory's
	running := up(t, o)
	return &day{dir: dir, running: running, control: emulator.Control{URL: running.Emulator}}
}

// behave makes the assembly of a behaviour, with changes of what it publishes.
func behave(t *testing.T, behaviour string, with ...func(*stacks.Builds)) string {
	t.Helper()
	return serveWith(t, map[string]any{
		"regions": []any{"eu-west-1"}, "profile": "trial",
		"tags": map[string]any{"behaviour": cmp.Or(behaviour, "none")}, // the group's, so that it is updated
		"service": map[string]any{
			"name": "serve", "package": "./test/cloud/serve", "port": 8080.0, "health": "/health",
			"environment": map[string]any{"BEHAVIOUR": behaviour},
		},
		"fleet": map[string]any{
			"min": 2.0, "max": 4.0, "ladder": []any{"m7g.medium", grown}, "startAt": "m7g.medium", "vertical": "auto",
			"requestsPerTarget": float64(perTarget),
		},
	}, with...)
}

// serveWith makes the assembly of a configuration whose service is ./serve, with changes of
// what it publishes.
func serveWith(t *testing.T, configuration map[string]any, with ...func(*stacks.Builds)) string {
	t.Helper()
	builds, err := built()
	if err != nil {
		t.Fatal(err)
	}
	builds.Service = serving(t, runtime.GOARCH)
	for _, change := range with {
		change(&builds)
	}
	synthesizing.Lock()
	defer synthesizing.Unlock()
	dir, err := synth(map[string]any{"archipelago": configuration}, builds)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// serving builds ./serve for an architecture, once.
func serving(t *testing.T, architecture string) string {
	t.Helper()
	serve := build.Deployment{Root: "../..", Dir: madeDir, Package: "./test/cloud/serve", Instances: architecture, Functions: runtime.GOARCH}
	if _, err := os.Stat(serve.Service()); err != nil {
		if err := serve.Build(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
	}
	return serve.Service()
}

// foreign is ./serve for another architecture than this machine's.
func foreign(t *testing.T) string {
	t.Helper()
	return serving(t, map[string]string{"amd64": "arm64", "arm64": "amd64"}[runtime.GOARCH])
}

// failingScaler returns what finds functions' packages, among which the scaler fails at
// every event.
func failingScaler(t *testing.T, function func(string) string) func(string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "scaler.zip")
	if err := build.Package(serving(t, runtime.GOARCH), path); err != nil {
		t.Fatal(err)
	}
	return func(name string) string {
		if name == "scaler" {
			return path
		}
		return function(name)
	}
}

const (
	// building leaves the scaler time: each of its runs, one a minute, takes as long on
	// this machine as at any other pace, and so do the boots of instances, which have
	// four minutes.
	building = 10
	// perSecond is the load in requests, and perTarget what an instance takes of them
	// in a minute at this pace: three instances for a load between 80 and 120 a second.
	perSecond = 100
	perTarget = 40 * 60 / building
)

// plainLoad is people who read.
type plainLoad struct {
	sent, failed atomic.Int64
	stop         func()
	mu           sync.Mutex
	last         []string // what some of the last failures were
}

// why returns it.
func (l *plainLoad) why() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

func (l *plainLoad) fails(began time.Time, res *http.Response, err error) {
	l.failed.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	what := fmt.Sprint(err)
	if err == nil {
		what = res.Status
	}
	l.last = append(l.last[max(0, len(l.last)-4):], fmt.Sprintf("%s: %s after %s", began.Format(time.TimeOnly), what, time.Since(began)))
}

func startPlainLoad(t *testing.T, running cloud.Running) *plainLoad {
	t.Helper()
	control := emulator.Control{URL: running.Emulator}
	if err := control.RegisterLoad(t.Context(), loadClient); err != nil {
		t.Fatal(err)
	}
	l := &plainLoad{}
	ctx, cancel := context.WithCancel(context.Background())
	client := &http.Client{Timeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Second / perSecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			go func() {
				began := time.Now()
				res, err := client.Get(running.URL)
				if err == nil {
					_, err = io.Copy(io.Discard, res.Body)
					res.Body.Close()
				}
				if ctx.Err() != nil {
					return
				}
				l.sent.Add(1)
				if err != nil || res.StatusCode != http.StatusOK {
					l.fails(began, res, err)
				}
			}()
		}
	}()
	l.stop = func() { cancel(); <-done }
	t.Cleanup(l.stop)
	return l
}

// builtFleet is the fleet of eu-west-1, at the pace building.
type builtFleet struct {
	*day
	behaviour string // of the build that serves
}

// startsAfter is the behaviour of a build that is healthy after d of AWS's time.
func startsAfter(d time.Duration) string {
	return fmt.Sprintf("starts-after %s", d/building)
}

// grow waits for the fleet to grow in number by its load, and has an operator's refresh
// bring it to a larger type.
func (f *builtFleet) grow(t *testing.T) {
	t.Helper()
	f.freeze(t, "eu-west-1") // its CPU is idle
	f.pace(t, building)
	client := autoscaling.NewFromConfig(administrator(f.running, "eu-west-1"))
	g := theGroup(t, f.running)
	launched := g.MixedInstancesPolicy.LaunchTemplate
	launched.Overrides = []types.LaunchTemplateOverrides{{InstanceType: sdk.String(grown)}}
	if _, err := client.StartInstanceRefresh(t.Context(), &autoscaling.StartInstanceRefreshInput{
		AutoScalingGroupName: g.AutoScalingGroupName,
		DesiredConfiguration: &types.DesiredConfiguration{MixedInstancesPolicy: &types.MixedInstancesPolicy{LaunchTemplate: launched}},
		Preferences:          &types.RefreshPreferences{MinHealthyPercentage: sdk.Int32(100), MaxHealthyPercentage: sdk.Int32(150), InstanceWarmup: sdk.Int32(240)},
	}); err != nil {
		t.Fatal(err)
	}
	f.serves(t, "")
}

// serves waits until the fleet has its size and type and runs a behaviour, all of it
// healthy: the count may have followed a minute with more or fewer requests.
func (f *builtFleet) serves(t *testing.T, behaviour string) {
	t.Helper()
	awaitFor(t, 6*time.Minute, func() error {
		g := theGroup(t, f.running)
		if n := int(*g.DesiredCapacity); n != 3 || len(g.Instances) != n {
			return fmt.Errorf("%d instances of %d, want 3", len(g.Instances), n)
		}
		for _, i := range g.Instances {
			if *i.InstanceType != grown {
				return fmt.Errorf("%s is a %s, want %s", *i.InstanceId, *i.InstanceType, grown)
			}
		}
		if err := allHealthy(t, f.running, 3); err != nil {
			return err
		}
		for range 6 {
			if a := fetch(t, f.running.URL); strings.TrimSpace(string(a.body)) != behaviour {
				return fmt.Errorf("got %q with status %d, want the build %q", a.body, a.status, behaviour)
			}
		}
		return nil
	})
	f.behaviour = behaviour
}

// cancel cancels an update of the region's stack as soon as some of its instances are
// replaced.
func (f *builtFleet) cancel(t *testing.T) {
	stack, group := "archipelago-region-eu-west-1", "archipelago-fleet"
	fleets := autoscaling.NewFromConfig(administrator(f.running, "eu-west-1"))
	client := cloudformation.NewFromConfig(administrator(f.running, "eu-west-1"))
	for start := time.Now(); time.Since(start) < 10*time.Minute && t.Context().Err() == nil; time.Sleep(100 * time.Millisecond) {
		out, err := fleets.DescribeInstanceRefreshes(t.Context(), &autoscaling.DescribeInstanceRefreshesInput{AutoScalingGroupName: &group})
		if err != nil || len(out.InstanceRefreshes) == 0 {
			continue
		}
		if r := out.InstanceRefreshes[0]; r.Status != types.InstanceRefreshStatusInProgress || sdk.ToInt32(r.PercentageComplete) == 0 {
			continue
		}
		if _, err := client.CancelUpdateStack(t.Context(), &cloudformation.CancelUpdateStackInput{StackName: &stack}); err != nil {
			t.Error(err)
		}
		return
	}
}

// deploy updates the region's stack to a behaviour, as update does.
func (f *builtFleet) deploy(t *testing.T, behaviour string, with ...func(*stacks.Builds)) (time.Duration, string) {
	t.Helper()
	return f.update(t, behave(t, behaviour, with...))
}

// update updates the stack of eu-west-1 to that of the assembly in dir, and returns how long
// it took on the emulator's clock, and why it failed if it did. The CLI is not asked: it polls
// each five seconds, minutes at this pace.
func (d *day) update(t *testing.T, dir string) (time.Duration, string) {
	t.Helper()
	const stack = "archipelago-region-eu-west-1"
	template, err := os.ReadFile(filepath.Join(dir, stack+".template.json"))
	if err != nil {
		t.Fatal(err)
	}
	emulatortest.Publish(t, d.control, filepath.Join(dir, stack+".assets.json"))
	client := cloudformation.NewFromConfig(administrator(d.running, "eu-west-1"))
	deployed, err := client.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: sdk.String(stack)})
	if err != nil {
		t.Fatal(err)
	}
	change := &cloudformation.CreateChangeSetInput{
		StackName: sdk.String(stack), ChangeSetType: cloudformationtypes.ChangeSetTypeUpdate, ChangeSetName: sdk.String(fmt.Sprintf("change-%d", time.Now().UnixNano())),
		TemplateBody: sdk.String(string(template)), Capabilities: []cloudformationtypes.Capability{cloudformationtypes.CapabilityCapabilityNamedIam},
	}
	for _, p := range deployed.Stacks[0].Parameters {
		change.Parameters = append(change.Parameters, cloudformationtypes.Parameter{ParameterKey: p.ParameterKey, UsePreviousValue: sdk.Bool(true)})
	}
	began := emulatortest.Now(t, d.control)
	status, failed := emulatortest.ChangeStack(t, client, change, 20*time.Minute)
	took := emulatortest.Now(t, d.control).Sub(began)
	switch status {
	case cloudformationtypes.StackStatusUpdateComplete:
		return took, ""
	case cloudformationtypes.StackStatusUpdateRollbackComplete:
	default:
		t.Fatalf("the stack is %s", status)
	}
	for _, e := range failed {
		if e.ResourceStatus == cloudformationtypes.ResourceStatusUpdateFailed {
			return took, sdk.ToString(e.ResourceStatusReason)
		}
	}
	t.Fatal("the stack was rolled back, and no event says why")
	return 0, ""
}
