package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/stacks"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the snapshots in stacks/testdata instead of comparing with them")

// configurations are those that are snapshot, by name: the shipped one, and one
// for each option that changes it.
var configurations = map[string]map[string]any{
	"shipped":     {},
	"one-region":  {"regions": "eu-west-1"},
	"named-zones": {"regions": []any{map[string]any{"name": "us-east-1", "zones": []any{"a", "b", "d"}, "cidr": "10.9.0.0/20"}}},
	"pinned-ami":  {"regions": []any{map[string]any{"name": "us-west-1", "ami": "ami-0123456789abcdef0"}}},
	"no-entry":    {"entry": "none"},
	"unprotected": {"protect": "false"},
	"cleartext":   {"allowCleartext": "true"},
	"sized":       {"name": "shop", "fleet.min": "3", "fleet.max": "12", "fleet.ladder": "c7i.large,c7i.xlarge", "fleet.startAt": "c7i.xlarge"},
}

// shippedContext is the context of cdk.json: go test does not read it by itself.
func shippedContext(t *testing.T) map[string]any {
	t.Helper()
	var file struct{ Context map[string]any }
	b, err := os.ReadFile("cdk.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatalf("cdk.json: %v", err)
	}
	return file.Context
}

// synthesize returns the folder of the templates of cdk.json's configuration
// with options laid over it, and the configuration.
func synthesize(t *testing.T, options map[string]any) (string, stacks.Config) {
	t.Helper()
	context := shippedContext(t)
	for key, value := range options {
		context[stacks.ContextKey+"."+key] = value
	}
	config, err := stacks.ParseConfig(context, "123456789012")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	standIns := map[string]string{}
	for machine, path := range binaries {
		standIns[machine] = filepath.Join(dir, filepath.Base(path))
		if err := os.WriteFile(standIns[machine], []byte(machine), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	app := awscdk.NewApp(&awscdk.AppProps{
		Context:            &context,
		Outdir:             jsii.String(filepath.Join(dir, "cdk.out")),
		AnalyticsReporting: jsii.Bool(false),
	})
	stacks.Add(app, config, standIns)
	return *app.Synth(nil).Directory(), config
}

// hash is what changes with the content of an asset.
var hash = regexp.MustCompile(`[0-9a-f]{64}`)

func TestSnapshots(t *testing.T) {
	for name, options := range configurations {
		t.Run(name, func(t *testing.T) {
			dir, _ := synthesize(t, options)
			got := map[string][]byte{}
			for _, path := range templates(t, dir) {
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				got[filepath.Base(path)] = hash.ReplaceAll(b, []byte("HASH"))
			}
			compare(t, filepath.Join("stacks", "testdata", name), got)
		})
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
	want := templates(t, dir)
	if len(want) != len(got) {
		t.Errorf("%s holds %d templates, the configuration makes %d: %v", dir, len(want), len(got), slices.Sorted(maps.Keys(got)))
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

func templates(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.template.json"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// TestTemplatesPassCfnLint runs cfn-lint over every configuration's templates
// for that configuration's regions. Warnings are of CDK's own custom resources.
func TestTemplatesPassCfnLint(t *testing.T) {
	python := os.Getenv("PYTHON")
	if python == "" {
		python = "python3"
	}
	for name, options := range configurations {
		t.Run(name, func(t *testing.T) {
			dir, config := synthesize(t, options)
			arguments := append([]string{"-c", "import sys, cfnlint.runner; sys.exit(cfnlint.runner.main())", "--non-zero-exit-code", "error", "--regions"}, config.RegionNames()...)
			arguments = append(append(arguments, "--template"), templates(t, dir)...)
			if out, err := exec.Command(python, arguments...).CombinedOutput(); err != nil {
				t.Errorf("cfn-lint: %v (is it missing? `make setup` fetches it)\n%s", err, out)
			}
		})
	}
}

// TestStacksNeedNoOtherRegion: a stack that refers to another region's could
// not be deployed while that region is down.
func TestStacksNeedNoOtherRegion(t *testing.T) {
	dir, _ := synthesize(t, nil)
	for _, path := range templates(t, dir) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, reference := range []string{"Fn::ImportValue", "Fn::GetStackOutput", "Custom::CrossRegionExport"} {
			if bytes.Contains(b, []byte(reference)) {
				t.Errorf("%s has a %s", filepath.Base(path), reference)
			}
		}
	}
}

// TestStacksAreDeployedInOrder: storage, then global, then one region after the
// other.
func TestStacksAreDeployedInOrder(t *testing.T) {
	dir, config := synthesize(t, nil)
	b, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		Artifacts map[string]struct{ Dependencies []string }
	}
	if err := json.Unmarshal(b, &manifest); err != nil {
		t.Fatal(err)
	}
	names, regions := config.Names(), config.RegionNames()
	for _, want := range []struct{ stack, after string }{
		{names.GlobalStack(), names.StorageStack(regions[0])},
		{names.GlobalStack(), names.StorageStack(regions[1])},
		{names.RegionStack(regions[0]), names.GlobalStack()},
		{names.RegionStack(regions[1]), names.RegionStack(regions[0])},
	} {
		if got := manifest.Artifacts[want.stack].Dependencies; !slices.Contains(got, want.after) {
			t.Errorf("%s depends on %q, want %s among them", want.stack, got, want.after)
		}
	}
}

// TestImportsRunOneWay guards the layers: main, stacks, constructs, CDK on one
// side, commands, pages, stores, domain on the other.
func TestImportsRunOneWay(t *testing.T) {
	const module = "github.com/archipelago-cdk/archipelago"
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}} {{join .Imports \" \"}}", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	cdk := []string{"github.com/aws/aws-cdk-go", "github.com/aws/jsii-runtime-go", "github.com/aws/constructs-go"}
	infrastructure := append([]string{module + "/stacks", module + "/constructs"}, cdk...)
	forbidden := []struct {
		from string
		to   []string
	}{
		{module + "/constructs", []string{module + "/stacks", module + "/local", module + "/service/directory", module + "/service/web"}},
		{module + "/stacks", []string{module + "/local", module + "/service/directory", module + "/service/web"}},
		{module + "/service", append([]string{module + "/local", module + "/cmd"}, infrastructure...)},
		{module + "/cmd", infrastructure},
		{module + "/local", append([]string{module + "/service/directory", module + "/service/web"}, infrastructure...)},
		{module + "/service/directory", []string{module + "/service/web", module + "/service/sqlite", module + "/service/dynamo", module + "/service/s3", "github.com/aws", "net/http"}},
		{module + "/service/web", []string{module + "/service/sqlite", module + "/service/dynamo", module + "/service/s3", "github.com/aws"}},
		{module + "/service/sqlite", []string{module + "/service/web", module + "/service/dynamo", module + "/service/s3"}},
		{module + "/service/dynamo", []string{module + "/service/web", module + "/service/sqlite", module + "/service/s3"}},
		{module + "/service/s3", []string{module + "/service/web", module + "/service/sqlite", module + "/service/dynamo"}},
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		for _, rule := range forbidden {
			if !within(words[0], rule.from) {
				continue
			}
			seen[rule.from] = true
			for _, imported := range words[1:] {
				for _, to := range rule.to {
					if within(imported, to) {
						t.Errorf("%s imports %s", words[0], imported)
					}
				}
			}
		}
	}
	for _, rule := range forbidden {
		if !seen[rule.from] {
			t.Errorf("no package is within %s: the rule guards nothing", rule.from)
		}
	}
}

// within tells whether a package is path or below it.
func within(pkg, path string) bool {
	return pkg == path || strings.HasPrefix(pkg, path+"/")
}

// TestConfigErrorsStopSynth runs the program as the CDK CLI does.
func TestConfigErrorsStopSynth(t *testing.T) {
	executable := filepath.Join(t.TempDir(), "archipelago")
	if out, err := exec.Command("go", "build", "-o", executable, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	context, err := json.Marshal(map[string]any{"archipelago": map[string]any{"regions": []string{"eu-west-1"}, "fleet": map[string]any{"min": 9}}})
	if err != nil {
		t.Fatal(err)
	}
	outdir := t.TempDir()
	cmd := exec.Command(executable)
	cmd.Env = append(os.Environ(), "CDK_DEFAULT_ACCOUNT=123456789012", "CDK_OUTDIR="+outdir, "CDK_CONTEXT_JSON="+string(context))
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Error("the program accepted the configuration")
	}
	if want := "archipelago.fleet.max: want at least fleet.min, 9, got 6"; !strings.Contains(string(out), want) {
		t.Errorf("output lacks %q:\n%s", want, out)
	}
	if made := templates(t, outdir); len(made) > 0 {
		t.Errorf("templates were made: %v", made)
	}
}

// TestMain ends CDK's own process, which removes its files.
func TestMain(m *testing.M) {
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}
