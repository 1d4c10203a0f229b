package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/build"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/matrix"
	"github.com/archipelago-cdk/archipelago/internal/synth"
	"github.com/archipelago-cdk/archipelago/stacks"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the snapshots in stacks/testdata instead of comparing with them")

// TestSnapshots compares what the configurations of the gate are made into with
// stacks/testdata, from which the tests in test/templates read it. None would be
// made if it broke one of CDK's rules, as TestTemplatesPassCDKsRules shows.
func TestSnapshots(t *testing.T) {
	root, err := matrix.Root()
	if err != nil {
		t.Fatal(err)
	}
	var gate []string
	for _, name := range matrix.Names() {
		if !matrix.Configurations[name].Gate {
			continue
		}
		gate = append(gate, name)
		t.Run(name, func(t *testing.T) {
			got, err := synth.Facts(name)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, matrix.Snapshot(root, name), got)
		})
	}
	all := filepath.Dir(matrix.Snapshot(root, "any"))
	entries, err := os.ReadDir(all)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.Contains(gate, e.Name()) && e.Name() != "released" { // test/lives has that
			t.Errorf("%s is of no configuration: remove it", filepath.Join(all, e.Name()))
		}
	}
}

// compare reports each file of got that is not as in dir, and each that is in
// one of them only. With -update it makes dir the same.
func compare(t *testing.T, dir string, got map[string][]byte) {
	t.Helper()
	if *update {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, content := range got {
			if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	want, err := os.ReadDir(dir)
	if err != nil {
		t.Errorf("%v; if the configuration is new, run `go test . -update`", err)
		return
	}
	if len(want) != len(got) {
		t.Errorf("%s holds %d files, the configuration makes %d: %v", dir, len(want), len(got), slices.Sorted(maps.Keys(got)))
	}
	for name, content := range got {
		expected, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
			continue
		}
		if diff := cmp.Diff(strings.Split(string(expected), "\n"), strings.Split(string(content), "\n")); diff != "" {
			t.Errorf("%s changed; if that is meant, review it and run `go test . -update`:\n%s", filepath.Join(dir, name), diff)
		}
	}
}

// program builds this one, once for all tests.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(madeDir, "archipelago")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

// runApp runs the program in dir as the CDK CLI does, with settings laid over
// cdk.json's. It returns where templates go, and what it printed.
func runApp(t *testing.T, dir string, settings map[string]any, variables []string, flags ...string) (outdir, output string, err error) {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	shipped, err := matrix.ShippedContext()
	if err != nil {
		t.Fatal(err)
	}
	settings = maps.Clone(settings)
	for key, value := range shipped {
		if _, ok := settings[key]; !ok {
			settings[key] = value
		}
	}
	context, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	outdir = t.TempDir()
	cmd := exec.Command(path, flags...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "CDK_DEFAULT_ACCOUNT="+matrix.Account, "CDK_OUTDIR="+outdir, "CDK_CONTEXT_JSON="+string(context)), variables...)
	out, err := cmd.CombinedOutput()
	return outdir, string(out), err
}

func TestConfigErrorsStopSynth(t *testing.T) {
	outdir, out, err := runApp(t, ".", map[string]any{"archipelago": map[string]any{"regions": []string{"eu-west-1"}, "fleet": map[string]any{"min": 9}}}, nil)
	if err == nil {
		t.Error("the program accepted the configuration")
	}
	if want := "archipelago.fleet.max: want at least fleet.min, 9, got 6"; !strings.Contains(out, want) {
		t.Errorf("output lacks %q:\n%s", want, out)
	}
	if made := templates(t, outdir); len(made) > 0 {
		t.Errorf("templates were made: %v", made)
	}
}

// TestLocalTemplatesDifferByTheMachine: those that `make up` deploys are those of
// `cdk deploy`, but for the architecture of what is built, and its hashes. The
// ladder here is not of this machine's architecture.
func TestLocalTemplatesDifferByTheMachine(t *testing.T) {
	dir := t.TempDir()
	for _, architecture := range build.Architectures {
		for _, name := range []string{"directory", "pulse", "lighthouse.zip", "scaler.zip"} {
			path := filepath.Join(dir, "dist", "linux-"+architecture, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(architecture+" "+name), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	// By the architecture as Go spells it: a ladder of the other one, and what
	// Lambda calls it.
	others := map[string]string{"amd64": "m7g.medium,m7g.large", "arm64": "m7i.large,m7i.xlarge"}
	other := map[string]string{"amd64": "arm64", "arm64": "amd64"}[runtime.GOARCH]
	lambda := map[string]string{"amd64": "x86_64", "arm64": "arm64"}

	settings := map[string]any{"archipelago.regions": "eu-west-1", "archipelago.fleet.ladder": others[runtime.GOARCH]}
	lines, assets := map[string][]string{}, map[string][]string{}
	for _, flags := range [][]string{{"-built"}, {"-local", "-built"}} {
		outdir, out, err := runApp(t, dir, settings, []string{"CDK_VALIDATION=false"}, flags...)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		lines[flags[0]], assets[flags[0]] = templateLines(t, outdir), builtAssets(t, outdir)
	}
	want := map[string][]string{
		"-built": {other + " directory", other + " pulse", "arm64 lighthouse.zip", "arm64 scaler.zip"},
		"-local": {runtime.GOARCH + " directory", runtime.GOARCH + " pulse", runtime.GOARCH + " lighthouse.zip", runtime.GOARCH + " scaler.zip"},
	}
	for flag, want := range want {
		if slices.Sort(want); !slices.Equal(assets[flag], want) {
			t.Errorf("%s publishes %q, want %q", flag, assets[flag], want)
		}
	}

	changes := map[string]int{}
	deployed, local := lines["-built"], lines["-local"]
	if len(deployed) != len(local) {
		t.Fatalf("the templates of the local cloud have %d lines, want those of a deployment, %d", len(local), len(deployed))
	}
	for i := range deployed {
		if deployed[i] != local[i] {
			changes[deployed[i]+" -> "+local[i]]++
		}
	}
	expected := map[string]int{}
	if runtime.GOARCH != "arm64" {
		expected[`"arm64" -> "`+lambda[runtime.GOARCH]+`"`] = 2
	}
	if diff := cmp.Diff(expected, changes); diff != "" {
		t.Errorf("from a deployment's templates to the local cloud's (-want +got):\n%s", diff)
	}
}

// buildHash is the hash in a build's name, of a launch template's content.
var buildHash = regexp.MustCompile(`"[0-9a-f]{16}"`)

// templateLines are those of all templates, with the lines of texts, and without
// hashes.
func templateLines(t *testing.T, dir string) []string {
	t.Helper()
	var lines []string
	for _, path := range templates(t, dir) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b = buildHash.ReplaceAll(matrix.Hash.ReplaceAll(b, []byte("HASH")), []byte(`"HASH"`))
		text := strings.ReplaceAll(string(b), `\n`, "\n")
		for line := range strings.Lines(text) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// builtAssets are the contents of the files that an assembly publishes and that
// are not CDK's.
func builtAssets(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "asset.*"))
	if err != nil {
		t.Fatal(err)
	}
	var contents []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.IsDir() { // CDK's own functions
			continue
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		contents = append(contents, string(b))
	}
	slices.Sort(contents)
	return contents
}

// TestPermissionsBoundaryIsOnEveryRole: CDK's own setting in cdk.json, as
// docs/network.md says, reaches the roles of CDK's helpers too.
func TestPermissionsBoundaryIsOnEveryRole(t *testing.T) {
	context, err := matrix.Context("unprotected") // its buckets are emptied by one of CDK's helpers
	if err != nil {
		t.Fatal(err)
	}
	context["@aws-cdk/core:permissionsBoundary"] = map[string]any{"name": "Boundary"}
	builds, err := synth.StandIns(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := synth.App(context, matrix.Account, dir, builds, nil); err != nil {
		t.Fatal(err)
	}
	roles, helpers := 0, 0
	for _, path := range templates(t, dir) {
		var template struct {
			Resources map[string]struct {
				Type       string
				Properties struct{ PermissionsBoundary any }
			}
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &template); err != nil {
			t.Fatal(err)
		}
		for id, resource := range template.Resources {
			if resource.Type != "AWS::IAM::Role" {
				continue
			}
			roles++
			if strings.Contains(id, "CustomResourceProvider") || strings.HasPrefix(id, "AwsCallRole") {
				helpers++
			}
			if got := fmt.Sprint(resource.Properties.PermissionsBoundary); !strings.Contains(got, ":policy/Boundary") {
				t.Errorf("%s: %s has the boundary %s", filepath.Base(path), id, got)
			}
		}
	}
	if roles == helpers || helpers < 3 {
		t.Errorf("got %d roles, %d of them of CDK's helpers: want both, and those that make calls, empty buckets and close security groups", roles, helpers)
	}
}

// TestDrainedRegionLeavesAnAcceleratorOfFour: no endpoint group of its own is among the
// three that the accelerator tries.
func TestDrainedRegionLeavesAnAcceleratorOfFour(t *testing.T) {
	context, err := matrix.ShippedContext()
	if err != nil {
		t.Fatal(err)
	}
	context["archipelago.regions"] = []any{"eu-west-1", "us-east-1", map[string]any{"name": "us-west-2", "weight": "0"}, "ap-southeast-2"}
	builds, err := synth.StandIns(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := synth.App(context, matrix.Account, dir, builds, nil); err != nil {
		t.Fatal(err)
	}
	for region, want := range map[string]bool{"eu-west-1": true, "us-east-1": true, "us-west-2": false, "ap-southeast-2": true} {
		b, err := os.ReadFile(filepath.Join(dir, "archipelago-region-"+region+".template.json"))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(b), `"AWS::GlobalAccelerator::EndpointGroup"`); got != want {
			t.Errorf("%s is in the accelerator: %t, want %t", region, got, want)
		}
	}
}

// TestDeployAppliesCDKsRules runs the CDK CLI as a user does, who sets no
// variable, on an app with a property that CloudFormation does not know: it is
// refused before anything is asked of AWS. For the local cloud it is not.
func TestDeployAppliesCDKsRules(t *testing.T) {
	source, err := os.ReadFile("stacks/storage.go")
	if err != nil {
		t.Fatal(err)
	}
	const broken = `	id, bucket := "Broken", "AWS::S3::Bucket"
	awscdk.NewCfnResource(stack, &id, &awscdk.CfnResourceProps{Type: &bucket, Properties: &map[string]any{"BucketNaem": "photos"}})
	return stack
`
	dir := t.TempDir()
	replaced := strings.Replace(string(source), "\treturn stack\n", broken, 1)
	if replaced == string(source) {
		t.Fatal("stacks/storage.go returns no stack: the test breaks nothing")
	}
	original, err := filepath.Abs("stacks/storage.go")
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{original: filepath.Join(dir, "storage.go")}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"storage.go": replaced, "overlay.json": string(overlay)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cdk := func(variables []string, arguments ...string) (string, error) {
		cmd := exec.Command("node_modules/.bin/cdk", append(arguments, "--no-notices", "--output", filepath.Join(dir, "cdk.out"),
			"-c", "archipelago.regions=eu-west-1", "-c", "archipelago.account="+matrix.Account)...)
		// Nothing answers at the address that is to be AWS.
		cmd.Env = append(append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "CDK_VALIDATION=") }),
			emulator.Environment("http://127.0.0.1:1")...), "AWS_REGION=eu-west-1", "GOFLAGS=-trimpath -overlay="+filepath.Join(dir, "overlay.json"),
			"CDK_DISABLE_CLI_TELEMETRY=true", "CDK_DISABLE_VERSION_CHECK=1", "CI=true", "NO_COLOR=1")
		cmd.Env = append(cmd.Env, variables...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := cdk(nil, "deploy", "--all"); err == nil || !strings.Contains(out, "BucketNaem") || strings.Contains(out, "127.0.0.1:1") {
		t.Errorf("got %v, want the property refused before AWS is asked:\n%s", err, out)
	}
	if out, err := cdk([]string{"CDK_VALIDATION=false"}, "synth", "--quiet", "--app", "go run . -local"); err != nil {
		t.Errorf("as in the local cloud: %v\n%s", err, out)
	}
	templates := templateLines(t, filepath.Join(dir, "cdk.out"))
	if !slices.Contains(templates, `"BucketNaem": "photos"`) {
		t.Error("the app was not broken: the test proves nothing")
	}
}

// templates are the paths of those in dir.
func templates(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.template.json"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// TestTemplatesPassCDKsRules: TestSnapshots would not synthesize a template that
// breaks one of CDK's rules, as it does not this one.
func TestTemplatesPassCDKsRules(t *testing.T) {
	context, err := matrix.ShippedContext()
	if err != nil {
		t.Fatal(err)
	}
	app := awscdk.NewApp(&awscdk.AppProps{Context: &context, Outdir: jsii.String(t.TempDir()), AnalyticsReporting: jsii.Bool(false)})
	awscdk.NewCfnResource(awscdk.NewStack(app, jsii.String("Broken"), nil), jsii.String("Bucket"), &awscdk.CfnResourceProps{
		Type: jsii.String("AWS::S3::Bucket"), Properties: &map[string]any{"BucketNaem": "photos"},
	})
	defer func() {
		if recover() == nil {
			t.Error("a template with an unknown property is made: CDK's rules are off")
		}
	}()
	app.Synth(nil)
}

// TestAcknowledgedRulesApplyElsewhere: CDK's flow logs acknowledge that properties
// may be unknown, which is theirs alone.
func TestAcknowledgedRulesApplyElsewhere(t *testing.T) {
	context, err := matrix.ShippedContext()
	if err != nil {
		t.Fatal(err)
	}
	app := awscdk.NewApp(&awscdk.AppProps{Context: &context, Outdir: jsii.String(t.TempDir()), AnalyticsReporting: jsii.Bool(false)})
	stack := awscdk.NewStack(app, jsii.String("Broken"), nil)
	breaks := func(scope constructs.Construct) {
		awscdk.NewCfnResource(scope, jsii.String("Bucket"), &awscdk.CfnResourceProps{
			Type: jsii.String("AWS::S3::Bucket"), Properties: &map[string]any{"BucketNaem": "photos"},
		})
	}
	breaks(stack)
	knowing := constructs.NewConstruct(stack, jsii.String("Knowing"))
	awscdk.Validations_Of(knowing).Acknowledge(&awscdk.Acknowledgment{
		Id: jsii.String("CloudFormation-Validate::F3002"), Reason: jsii.String("the test breaks it"),
	})
	breaks(knowing)
	_, err = stacks.Synth(app)
	if err == nil || !strings.Contains(err.Error(), "Broken/Bucket: BucketNaem") || strings.Contains(err.Error(), "Knowing") {
		t.Errorf("got %v, want the bucket that nobody acknowledges, and no other", err)
	}
}

// madeDir is a folder that TestMain removes.
var madeDir string

// TestMain ends CDK's own process, which removes its files.
func TestMain(m *testing.M) {
	var err error
	if madeDir, err = os.MkdirTemp("", "archipelago-test-"); err != nil {
		panic(err)
	}
	code := m.Run()
	jsii.Close()
	_ = os.RemoveAll(madeDir)
	os.Exit(code)
}
