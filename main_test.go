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

	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the snapshots in stacks/testdata instead of comparing with them")

// hash is what changes with the content of an asset.
var hash = regexp.MustCompile(`[0-9a-f]{64}`)

func TestSnapshots(t *testing.T) {
	for name, c := range configurations {
		if !c.snapshot {
			continue
		}
		t.Run(name, func(t *testing.T) {
			got := map[string][]byte{}
			for _, path := range templates(t, synthesize(t, name).dir) {
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

// TestStacksNeedNoOtherRegion: a stack that refers to another region's could
// not be deployed while that region is down.
func TestStacksNeedNoOtherRegion(t *testing.T) {
	for _, path := range templates(t, synthesize(t, "shipped").dir) {
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

// TestCleartextIsWarnedOf: it is meant for trying things.
func TestCleartextIsWarnedOf(t *testing.T) {
	warned := func(name string) bool {
		s := synthesize(t, name)
		for _, messages := range annotations(t, s.dir, s.config.Names().GlobalStack()) {
			if slices.ContainsFunc(messages, func(m string) bool { return strings.HasPrefix(m, "allowCleartext: ") }) {
				return true
			}
		}
		return false
	}
	if !warned("cleartext") {
		t.Error("a deployment that takes passwords in the clear is not warned of")
	}
	if warned("shipped") {
		t.Error("the shipped configuration is warned of")
	}
}

// TestStacksAreDeployedInOrder: storage, then global, then one region after the
// other.
func TestStacksAreDeployedInOrder(t *testing.T) {
	shipped := synthesize(t, "shipped")
	b, err := os.ReadFile(filepath.Join(shipped.dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		Artifacts map[string]struct{ Dependencies []string }
	}
	if err := json.Unmarshal(b, &manifest); err != nil {
		t.Fatal(err)
	}
	names, regions := shipped.config.Names(), shipped.config.RegionNames()
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
	// It reads the configuration, and is no part of what is deployed.
	exempt := []string{module + "/cmd/ami"}
	forbidden := []struct {
		from string
		to   []string
	}{
		{module + "/constructs", []string{module + "/stacks", module + "/internal", module + "/service/directory", module + "/service/web"}},
		{module + "/stacks", []string{module + "/internal", module + "/service/directory", module + "/service/web"}},
		{module + "/service", append([]string{module + "/internal", module + "/cmd"}, infrastructure...)},
		{module + "/scaling", append([]string{module + "/internal", module + "/cmd", module + "/service", module + "/cost", "github.com/aws"}, infrastructure...)},
		{module + "/cmd", infrastructure},
		{module + "/internal", append([]string{module + "/service/directory", module + "/service/web"}, infrastructure...)},
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
			if !within(words[0], rule.from) || slices.Contains(exempt, words[0]) {
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
	dir, err := os.MkdirTemp("", "archipelago")
	if err != nil {
		panic(err)
	}
	made.dir = dir
	code := m.Run()
	jsii.Close()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}
