package constructs_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestExamplesAreSynthesizedByAnotherModule: the Example of each package, in a module
// that has this one as a dependency, and no more of it than a package of constructs
// needs. One process makes all: each that speaks to CDK takes seconds to start.
func TestExamplesAreSynthesizedByAnotherModule(t *testing.T) {
	examples, err := filepath.Glob("*/example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	packages, err := filepath.Glob("*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range packages {
		if want := filepath.Join(filepath.Dir(file), "example_test.go"); !slices.Contains(examples, want) {
			t.Errorf("%s is missing", want)
		}
	}
	dir := t.TempDir()
	var calls strings.Builder
	for _, path := range examples {
		content := string(read(t, path))
		name := "example_" + filepath.Dir(path)
		content = regexp.MustCompile(`(?m)^package .*`).ReplaceAllString(content, "package main")
		content = strings.Replace(content, "func Example()", "func "+name+"()", 1)
		save(t, filepath.Join(dir, name+".go"), content)
		fmt.Fprintf(&calls, "\t%s()\n", name)
		for _, built := range regexp.MustCompile(`dist/[\w.]+`).FindAllString(content, -1) {
			save(t, filepath.Join(dir, built), built)
		}
	}
	save(t, filepath.Join(dir, "main.go"), "package main\n\nfunc main() {\n"+calls.String()+"}\n")
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	// The versions that this module is tested with.
	mod := regexp.MustCompile(`(?m)^module .*`).ReplaceAllString(string(read(t, "../go.mod")), "module example.com/shop")
	const ours = "github.com/archipelago-cdk/archipelago"
	save(t, filepath.Join(dir, "go.mod"), mod+"\nrequire "+ours+" v0.0.0\n\nreplace "+ours+" => "+root+"\n")
	save(t, filepath.Join(dir, "go.sum"), string(read(t, "../go.sum")))
	run := func(arguments ...string) string {
		t.Helper()
		cmd := exec.Command("go", arguments...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod -trimpath", "GOWORK=off", "CDK_VALIDATION=false")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(arguments, " "), err, out)
		}
		return string(out)
	}
	major := regexp.MustCompile(`/v\d+\b`)
	modules := strings.Fields(major.ReplaceAllString(run("list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", "."), ""))
	slices.Sort(modules)
	want := []string{
		"github.com/Masterminds/semver", "github.com/agnivade/levenshtein", ours, "github.com/aws/aws-cdk-go/awscdk", "github.com/aws/constructs-go/constructs",
		"github.com/aws/jsii-runtime-go", "github.com/cdklabs/awscdk-asset-awscli-go/awscliv1",
		"github.com/cdklabs/awscdk-asset-node-proxy-agent-go/nodeproxyagentv6", "github.com/cdklabs/cloud-assembly-schema-go/awscdkcloudassemblyschema",
	}
	if diff := cmp.Diff(want, slices.Compact(modules)); diff != "" {
		t.Errorf("the modules that an app with constructs compiles (-want +got):\n%s", diff)
	}
	run("run", ".")
}

// TestFleetBehindALoadBalancerOfYourOwn: a module of its own places a fleet and a scaler
// behind a load balancer of CDK's, in a VPC that exists; it needs no network or
// loadbalancer of ours, and downloads what it compiles and nothing else, into a cache
// that is empty before: no browser driver, plot library or SQLite. The example of scaler
// is its program.
func TestFleetBehindALoadBalancerOfYourOwn(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	program := string(read(t, "scaler/example_test.go"))
	for _, want := range []string{"fleet.New(", "scaler.New(", "elb.NewApplicationLoadBalancer(", "awsec2.Vpc_FromVpcAttributes("} {
		if !strings.Contains(program, want) {
			t.Errorf("the program has no %s", want)
		}
	}
	program = regexp.MustCompile(`(?m)^package .*`).ReplaceAllString(program, "package main")
	save(t, filepath.Join(dir, "main.go"), strings.Replace(program, "func Example()", "func main()", 1))
	for _, built := range []string{"shop", "scaler.zip"} {
		save(t, filepath.Join(dir, "dist", built), built)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	const ours = "github.com/archipelago-cdk/archipelago"
	version := regexp.MustCompile(`(?m)^go .*`).FindString(string(read(t, "../go.mod")))
	save(t, filepath.Join(dir, "go.mod"), "module example.com/shop\n\n"+version+"\n\nrequire "+ours+" v0.0.0\n\nreplace "+ours+" => "+root+"\n")
	save(t, filepath.Join(dir, "go.sum"), string(read(t, "../go.sum")))
	run := func(environment []string, arguments ...string) string {
		t.Helper()
		cmd := exec.Command("go", arguments...)
		cmd.Dir = dir
		cmd.Env = append(append(os.Environ(), "GOFLAGS=-mod=mod -modcacherw -trimpath", "GOWORK=off", "GOTOOLCHAIN=local", "CDK_VALIDATION=false", "CDK_OUTDIR=cdk.out"), environment...)
		var said strings.Builder
		cmd.Stderr = &said
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(arguments, " "), err, said.String())
		}
		return string(out)
	}
	// The registry is what this checkout's tests have downloaded.
	registry := "GOPROXY=file://" + filepath.Join(strings.TrimSpace(run(nil, "env", "GOMODCACHE")), "cache", "download")
	packages := run([]string{"GOMODCACHE=" + cache, registry, "GONOSUMDB=*"}, "list", "-deps", ".")
	for _, other := range []string{"network", "loadbalancer"} {
		if strings.Contains(packages, ours+"/constructs/"+other+"\n") {
			t.Errorf("it compiles constructs/%s", other)
		}
	}
	var downloaded []string
	if err := filepath.WalkDir(filepath.Join(cache, "cache", "download"), func(path string, _ fs.DirEntry, err error) error {
		if module, _, ok := strings.Cut(strings.TrimPrefix(path, filepath.Join(cache, "cache", "download")+"/"), "/@v/"); ok && filepath.Ext(path) == ".zip" {
			downloaded = append(downloaded, regexp.MustCompile(`/v\d+$`).ReplaceAllString(module, ""))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"github.com/!masterminds/semver", "github.com/agnivade/levenshtein", "github.com/aws/aws-cdk-go/awscdk", "github.com/aws/constructs-go/constructs", "github.com/aws/jsii-runtime-go",
		"github.com/cdklabs/awscdk-asset-awscli-go/awscliv1", "github.com/cdklabs/awscdk-asset-node-proxy-agent-go/nodeproxyagentv6",
		"github.com/cdklabs/cloud-assembly-schema-go/awscdkcloudassemblyschema",
	}
	if diff := cmp.Diff(want, downloaded); diff != "" {
		t.Errorf("the modules that it downloads (-want +got):\n%s", diff)
	}
	run(nil, "run", ".")
	template := string(read(t, filepath.Join(dir, "cdk.out", "Shop.template.json")))
	for _, want := range []string{"AWS::AutoScaling::AutoScalingGroup", "AWS::ElasticLoadBalancingV2::LoadBalancer", "Custom::FleetHold", "Custom::FleetRollout", `"subnet-0123456789abcdef1"`, `"vpc-0123456789abcdef0"`} {
		if !strings.Contains(template, want) {
			t.Errorf("its template lacks %s", want)
		}
	}
	if strings.Contains(template, `"AWS::EC2::VPC"`) {
		t.Error("its template has a VPC")
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func save(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
