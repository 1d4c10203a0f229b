// Package matrix holds the configurations that are proved, and synthesizes them
// for tests.
package matrix

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/stacks"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"
)

// Configuration is one that is proved: linted, checked by cdk-nag, measured.
type Configuration struct {
	// Options are laid over the shipped configuration, by the path of their keys.
	Options map[string]any
	// Snapshot has its templates compared with those in stacks/testdata.
	Snapshot bool
}

type options = map[string]any

var (
	domainOptions = options{"domain.zone": "example.com", "domain.zoneId": "Z0123456789ABCDEFGHIJ", "domain.host": "staff.example.com"}
	tenRegions    = "eu-west-1,us-east-1,us-west-2,ap-southeast-2,ap-northeast-1,sa-east-1,ca-central-1,eu-central-1,ap-south-1,af-south-1"
)

// Configurations are the matrix, by name: the shipped one, one for each option
// that changes it, and those at the limits.
var Configurations = map[string]Configuration{
	"shipped":       {Snapshot: true},
	"one-region":    {options{"regions": "eu-west-1"}, true},
	"three-regions": {options{"regions": "eu-west-1,us-east-1,ap-southeast-2"}, false},
	"named-zones":   {options{"regions": []any{options{"name": "us-east-1", "zones": []any{"a", "b", "d"}, "cidr": "10.9.0.0/20"}}}, true},
	"pinned-ami":    {options{"regions": []any{options{"name": "us-west-1", "ami": "ami-0123456789abcdef0"}}}, true},
	"no-entry":      {options{"entry": "none"}, true},
	"unprotected":   {options{"protect": "false"}, true},
	"cleartext":     {options{"allowCleartext": "true"}, true},
	"signed-in":     {options{"regions": "eu-west-1", "reads": "signed-in", "loadGenerator": "true"}, true},
	"sized": {options{
		"name": "shop", "fleet.min": "3", "fleet.max": "12", "fleet.ladder": "m7i.large,m7i.xlarge", "fleet.startAt": "m7i.xlarge",
		"fleet.cpuTarget": "40", "fleet.requestsPerTarget": "6000", "fleet.guard": "false",
		"fleet.schedule": []any{options{"name": "Morning", "cron": "0 7 * * 1-5", "timezone": "Europe/Madrid", "min": "6"}},
	}, true},
	"fixed":           {options{"regions": "eu-west-1", "fleet.vertical": "off"}, false},
	"advised":         {options{"regions": "eu-west-1", "fleet.vertical": "advise", "fleet.window": "01:00-05:00 Europe/Madrid", "logs": "true", "alarms": "ops@example.com"}, true},
	"domain":          {domainOptions, true},
	"dns":             {with(domainOptions, options{"entry": "dns"}), true},
	"no-entry-domain": {with(domainOptions, options{"entry": "none"}), false},
	"nat":             {options{"regions": "eu-west-1", "egress": "nat", "logs": "true", "ssm": "true"}, true},
	"nat-no-entry":    {options{"regions": "eu-west-1", "egress": "nat", "entry": "none"}, false},
	"watched":         {options{"regions": "eu-west-1", "logs": "true", "ssm": "true", "alarms": "ops@example.com"}, false},
	"everything": {with(domainOptions, options{
		"entry": "dns", "egress": "nat", "logs": "true", "ssm": "true", "fleet.requestsPerTarget": "6000",
		"fleet.schedule": []any{options{"name": "Night", "cron": "0 22 * * *", "max": "4"}},
	}), false},
	"strong":       {options{"regions": "eu-west-1,eu-west-2,eu-west-3", "consistency": "strong"}, false},
	"witness":      {options{"regions": "us-east-1,us-east-2", "witness": "us-west-2", "consistency": "strong"}, false},
	"leaving":      {options{"regions": []any{"eu-west-1", options{"name": "us-east-1", "weight": "0"}, options{"name": "eu-west-2", "retired": "true"}}}, false},
	"longest-name": {options{"name": "archipelago-of-twenty-eight8", "regions": "ap-southeast-1,ap-northeast-1"}, false},
	"ten-regions": {with(domainOptions, options{
		"regions": tenRegions, "logs": "true", "ssm": "true", "alarms": "ops@example.com", "fleet.requestsPerTarget": "6000",
		"fleet.schedule": []any{options{"name": "Morning", "cron": "0 7 * * 1-5", "min": "4"}, options{"name": "Evening", "cron": "0 19 * * *", "min": "2"}},
	}), false},
}

func with(a, b options) options {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// Synthesis is what a configuration was made into.
type Synthesis struct {
	// Dir holds the assembly.
	Dir string
	// Config is what it was made from.
	Config config.Config
}

// Root is the folder of the module.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("the test does not run within the module")
		}
	}
}

// ShippedContext is the context of cdk.json: go test does not read it by itself.
func ShippedContext(t testing.TB) map[string]any {
	t.Helper()
	var file struct{ Context map[string]any }
	b, err := os.ReadFile(filepath.Join(Root(t), "cdk.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatalf("cdk.json: %v", err)
	}
	return file.Context
}

var made = struct {
	sync.Mutex
	dir  string // Run removes it
	once map[string]Synthesis
}{once: map[string]Synthesis{}}

// Account is the AWS account that templates are made for.
const Account = "123456789012"

// Run runs a package's tests, then ends CDK's own process and removes what was
// synthesized. It is for TestMain.
func Run(m *testing.M) {
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

// Dir is a folder that Run removes.
func Dir() string { return made.dir }

// Synthesize makes the templates of a configuration, once for all tests of a
// package that runs them by Run, without credentials, and has cdk-nag report on
// them.
func Synthesize(t testing.TB, name string) Synthesis {
	t.Helper()
	made.Lock()
	defer made.Unlock()
	if s, ok := made.once[name]; ok {
		return s
	}
	c, ok := Configurations[name]
	if !ok {
		t.Fatalf("there is no configuration %q", name)
	}
	context := ShippedContext(t)
	for key, value := range c.Options {
		context[config.ContextKey+"."+key] = value
	}
	// What cdk-nag finds is read from the assembly, by TestCdkNagFindsNothingNew,
	// instead of failing the synth.
	context["@aws-cdk/core:annotationsInValidationReport"] = false
	deployment, err := config.Parse(context, Account)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(made.dir, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	machine := map[string]string{"arm64": "aarch64", "x86_64": "x86_64"}[deployment.Fleet.Architecture()]
	standIns := stacks.Builds{
		Service:              map[string]string{machine: filepath.Join(dir, "directory")},
		Lighthouse:           filepath.Join(dir, "lighthouse.zip"),
		Scaler:               filepath.Join(dir, "scaler.zip"),
		FunctionArchitecture: awslambda.Architecture_ARM_64(),
	}
	for _, path := range []string{standIns.Service[machine], standIns.Lighthouse, standIns.Scaler} {
		if err := os.WriteFile(path, []byte(filepath.Base(path)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	app := awscdk.NewApp(&awscdk.AppProps{
		Context:            &context,
		Outdir:             jsii.String(filepath.Join(dir, "cdk.out")),
		AnalyticsReporting: jsii.Bool(false),
	})
	stacks.Add(app, deployment, standIns)
	awscdk.Aspects_Of(app).Add(cdknag.NewAwsSolutionsChecks(&cdknag.NagPackProps{Reports: jsii.Bool(false)}), nil)
	assembly, err := stacks.Synth(app)
	if err != nil {
		t.Fatal(err)
	}
	s := Synthesis{Dir: assembly, Config: deployment}
	made.once[name] = s
	return s
}

// Each runs a test for every configuration.
func Each(t *testing.T, test func(t *testing.T, name string, s Synthesis)) {
	for _, name := range slices.Sorted(maps.Keys(Configurations)) {
		t.Run(name, func(t *testing.T) { test(t, name, Synthesize(t, name)) })
	}
}

// Hash is what changes with the content of an asset.
var Hash = regexp.MustCompile(`[0-9a-f]{64}`)

// Templates are the paths of those in dir.
func Templates(t testing.TB, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.template.json"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// Resource is one of a template.
type Resource struct {
	Type       string
	Properties map[string]any
	DependsOn  []string
}

// Resources reads those of a template.
func Resources(t testing.TB, path string) map[string]Resource {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var template struct{ Resources map[string]Resource }
	if err := json.Unmarshal(b, &template); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return template.Resources
}

// StackOf is the name of a template's stack.
func StackOf(path string) string { return strings.TrimSuffix(filepath.Base(path), ".template.json") }
