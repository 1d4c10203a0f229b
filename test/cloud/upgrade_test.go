package cloud_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/matrix"
	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// TestUpgradeUnderLoad deploys the last release, of which a fleet grows in number and
// size, and what is here on top of it, as CHANGELOG.md says, while people read: no
// request fails, the fleet keeps its size and type, and what was written is there. The
// release's templates, roles and user data run today's programs, since its own are not in
// the checkout; its scaler does nothing but fail.
func TestUpgradeUnderLoad(t *testing.T) {
	if !matrix.All() {
		t.Skip("it takes minutes: make shard SHARD=7")
	}
	const count = 3
	d := &day{dir: t.TempDir(), passed: map[string]bool{}}
	next := synthesize(t, []string{"archipelago.protect=true", fmt.Sprintf("archipelago.fleet.min=%d", count)})[0]
	d.running = up(t, options(d.dir, releasedAssembly(t)))
	d.control = emulator.Control{URL: d.running.Emulator}
	d.session = signIn(t, d.running.URL, d.running)
	d.path, d.photo = addEmployee(t, d.running.URL, d.session, ada)

	load := startPlainLoad(t, d.running)
	d.pace(t, building)
	d.growReleased(t, count)
	before := theGroup(t, d.running)
	sent, failed := load.sent.Load(), load.failed.Load()
	began := d.clock(t).Now
	d.deploy(t, next)
	took := d.clock(t).Now.Sub(began)
	sent, failed = load.sent.Load()-sent, load.failed.Load()-failed
	t.Logf("upgraded in %s at pace %d; %d of %d requests failed", took.Round(time.Second), building, failed, sent)
	if failed > 0 || sent == 0 {
		t.Errorf("%d of %d requests failed: %q", failed, sent, load.why())
	}
	after := theGroup(t, d.running)
	if *after.AutoScalingGroupName == *before.AutoScalingGroupName {
		t.Errorf("the group is still %s: the upgrade was to replace it", *after.AutoScalingGroupName)
	}
	if err := isOf(after, count, grown); err != nil {
		t.Error(err)
	}
	load.stop()
	if err := d.control.UnregisterLoad(t.Context(), loadClient); err != nil {
		t.Fatal(err)
	}
	d.replicates(t) // the employee and the photo, in every region
	if err := signedIn(t, d.running.URL, d.session); err != nil {
		t.Error(err)
	}
}

// isOf returns why a group is not of so many instances of a type.
func isOf(g types.AutoScalingGroup, count int, instanceType string) error {
	if int(*g.DesiredCapacity) != count || len(g.Instances) != count || slices.ContainsFunc(g.Instances, func(i types.Instance) bool { return *i.InstanceType != instanceType }) {
		return fmt.Errorf("%d instances are wanted and there are %+v, want %d of %s", *g.DesiredCapacity, g.Instances, count, instanceType)
	}
	return nil
}

// growReleased grows the fleet of eu-west-1 as the release's scaler and its schedules
// did: by the group's minimum, a refresh, and the parameter of the type.
func (d *day) growReleased(t *testing.T, count int) {
	t.Helper()
	client := autoscaling.NewFromConfig(administrator(d.running, "eu-west-1"))
	g := theGroup(t, d.running)
	if _, err := client.UpdateAutoScalingGroup(t.Context(), &autoscaling.UpdateAutoScalingGroupInput{
		AutoScalingGroupName: g.AutoScalingGroupName, MinSize: sdk.Int32(int32(count)), DesiredCapacity: sdk.Int32(int32(count)),
	}); err != nil {
		t.Fatal(err)
	}
	policy := g.MixedInstancesPolicy
	policy.LaunchTemplate.LaunchTemplateSpecification.LaunchTemplateName = nil // or its id
	policy.LaunchTemplate.Overrides = []types.LaunchTemplateOverrides{{InstanceType: sdk.String(grown)}}
	if _, err := client.StartInstanceRefresh(t.Context(), &autoscaling.StartInstanceRefreshInput{
		AutoScalingGroupName: g.AutoScalingGroupName, DesiredConfiguration: &types.DesiredConfiguration{MixedInstancesPolicy: policy},
		Preferences: &types.RefreshPreferences{SkipMatching: sdk.Bool(true), MinHealthyPercentage: sdk.Int32(100), MaxHealthyPercentage: sdk.Int32(150), InstanceWarmup: sdk.Int32(240)},
	}); err != nil {
		t.Fatal(err)
	}
	awaitFor(t, 6*time.Minute, func() error { return isOf(theGroup(t, d.running), count, grown) })
	name := "/archipelago/fleet/instance-type"
	if _, err := ssm.NewFromConfig(administrator(d.running, "eu-west-1")).PutParameter(t.Context(), &ssm.PutParameterInput{
		Name: &name, Value: sdk.String(grown), Overwrite: sdk.Bool(true),
	}); err != nil {
		t.Fatal(err)
	}
}

// releasedAssembly is the last release's, with programs for this machine in place of
// the stand-ins that the checkout has of its own.
func releasedAssembly(t *testing.T) string {
	t.Helper()
	const released = "../../stacks/testdata/released"
	builds, err := built()
	if err != nil {
		t.Fatal(err)
	}
	dir, machine := t.TempDir(), "x86_64"
	if runtime.GOARCH == "arm64" {
		machine = "aarch64"
	}
	if err := os.CopyFS(dir, os.DirFS(released)); err != nil {
		t.Fatal(err)
	}
	programs := map[string]string{
		"Fleet/Service-aarch64":    builds.Service,
		"Lighthouse/Function/Code": builds.Function("lighthouse"),
		"Scaler/Function/Code":     failingScaler(t, builds.Function)("scaler"),
	}
	for _, region := range []string{"eu-west-1", "us-east-1"} {
		stack := filepath.Join(dir, "archipelago-region-"+region)
		replaceIn(t, stack+".template.json", `\naarch64) binary=`, `\n`+machine+`) binary=`)
		var assets struct {
			Files map[string]struct {
				DisplayName string
				Source      struct{ Path string }
			}
		}
		b, err := os.ReadFile(stack + ".assets.json")
		if err == nil {
			err = json.Unmarshal(b, &assets)
		}
		if err != nil {
			t.Fatal(err)
		}
		replaced := 0
		for _, file := range assets.Files {
			if program := programs[file.DisplayName]; program != "" {
				copyFile(t, program, filepath.Join(dir, file.Source.Path))
				replaced++
			}
		}
		if replaced != len(programs) {
			t.Fatalf("%s publishes %d of the programs, want %d", stack, replaced, len(programs))
		}
	}
	return dir
}

func replaceIn(t *testing.T, path, before, after string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if before != after && !bytes.Contains(b, []byte(before)) {
		t.Fatalf("%s has no %s", path, before)
	}
	if err := os.WriteFile(path, bytes.ReplaceAll(b, []byte(before), []byte(after)), 0o644); err != nil {
		t.Fatal(err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}
