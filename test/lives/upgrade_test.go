package lives_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/matrix"
	"github.com/archipelago-cdk/archipelago/internal/synth"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// releasedDir has the assembly of the last release, with stand-ins for what it
// publishes.
const releasedDir = "../../stacks/testdata/released"

var release = flag.Bool("release", false, "write the assembly of this release to stacks/testdata/released")

// TestUpgrade deploys the last release, grows its fleets, writes data, follows
// CHANGELOG.md to what is here, and reads everything back. TestUpgradeUnderLoad of
// test/cloud has people read meanwhile.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	if *release {
		writeRelease(t)
	}
	assembly := t.TempDir() // the CLI writes to it
	if err := os.CopyFS(assembly, os.DirFS(releasedDir)); err != nil {
		t.Fatal(err)
	}
	l := begin(t, serveApp(t), "shipped")
	l.run("cdk deploy --all --app " + assembly)
	l.write("of the release")
	l.groups(func(client *autoscaling.Client, g types.AutoScalingGroup) {
		if _, err := client.SetDesiredCapacity(t.Context(), &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: g.AutoScalingGroupName, DesiredCapacity: aws.Int32(grownTo)}); err != nil {
			t.Fatal(err)
		}
	})
	for _, commands := range upgrade(t) {
		l.clean(l.run(commands))
	}
	l.groups(func(_ *autoscaling.Client, g types.AutoScalingGroup) {
		if name, n := *g.AutoScalingGroupName, *g.DesiredCapacity; name != l.config.Names().Group() || n != grownTo || len(g.Instances) != grownTo || int(*g.MinSize) != l.config.Fleet.Min {
			t.Errorf("the group %s has %d instances of %d and %d at least, want %d and %d", name, len(g.Instances), n, *g.MinSize, grownTo, l.config.Fleet.Min)
		}
	})
	l.intact()
	for region, keys := range l.photos {
		for _, key := range keys {
			l.hasPhoto(region, key, true)
		}
	}
	l.write("of this one")
}

// grownTo is how many instances each region of the release has, more than its template's.
const grownTo = 3

// groups calls do with the one group of each region.
func (l *life) groups(do func(*autoscaling.Client, types.AutoScalingGroup)) {
	l.t.Helper()
	for _, region := range l.regions() {
		client := autoscaling.NewFromConfig(l.aws(region))
		out, err := client.DescribeAutoScalingGroups(l.t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{})
		if err != nil || len(out.AutoScalingGroups) != 1 {
			l.t.Fatalf("%s has the groups %+v: %v", region, out, err)
		}
		do(client, out.AutoScalingGroups[0])
	}
}

// upgrade are the commands of CHANGELOG.md that take the last release to this one.
func upgrade(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile("../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	_, newest, found := strings.Cut(string(page), "\n## ")
	if !found {
		t.Fatal("CHANGELOG.md has no release")
	}
	newest, _, _ = strings.Cut(newest, "\n## ")
	_, text, found := strings.Cut(newest, "\n### Upgrade\n")
	if !found {
		t.Fatal("CHANGELOG.md does not say how to come to the newest release")
	}
	var all []string
	for _, block := range commandBlock.FindAllStringSubmatch(text, -1) {
		all = append(all, block[1])
	}
	if len(all) == 0 {
		t.Fatal("CHANGELOG.md has no commands under Upgrade")
	}
	return all
}

// writeRelease synthesizes the shipped configuration into releasedDir, without what
// no deployment reads, and with a stand-in for CDK's own functions too.
func writeRelease(t *testing.T) {
	t.Helper()
	context, err := matrix.Context("shipped")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.Abs(releasedDir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := synth.App(context, matrix.Account, dir, builds(t), nil); err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"tree.json", "validation-report.json", "*.metadata.json"} {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	functions, err := filepath.Glob(filepath.Join(dir, "asset.*", "*.js"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range functions {
		if err := os.WriteFile(path, []byte("exports.handler = async () => {};\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	withoutMetadata(t, filepath.Join(dir, "manifest.json"))
}

// withoutMetadata takes out of a manifest what names files of metadata.
func withoutMetadata(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var manifest map[string]any
	if err := json.Unmarshal(b, &manifest); err != nil {
		t.Fatal(err)
	}
	artifacts := manifest["artifacts"].(map[string]any)
	delete(artifacts, "Tree")
	for _, artifact := range artifacts {
		a := artifact.(map[string]any)
		delete(a, "metadata")
		if p, ok := a["properties"].(map[string]any); ok {
			delete(p, "additionalMetadataFile")
		}
		delete(a, "additionalMetadataFile")
	}
	if b, err = json.MarshalIndent(manifest, "", " "); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}
