package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/archipelago-cdk/archipelago/stacks"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"
)

// configuration is one that is proved: linted, checked by cdk-nag, measured.
type configuration struct {
	// options are laid over the shipped configuration.
	options map[string]any
	// snapshot has its templates compared with those in stacks/testdata.
	snapshot bool
}

type options = map[string]any

var (
	domainOptions = options{"domain.zone": "example.com", "domain.zoneId": "Z0123456789ABCDEFGHIJ", "domain.host": "staff.example.com"}
	tenRegions    = "eu-west-1,us-east-1,us-west-2,ap-southeast-2,ap-northeast-1,sa-east-1,ca-central-1,eu-central-1,ap-south-1,af-south-1"
)

// configurations are the matrix, by name: the shipped one, one for each option
// that changes it, and those at the limits.
var configurations = map[string]configuration{
	"shipped":       {snapshot: true},
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

// synthesis is what a configuration was made into.
type synthesis struct {
	dir    string // of the templates
	config stacks.Config
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

var made = struct {
	sync.Mutex
	dir  string // TestMain removes it
	once map[string]synthesis
}{once: map[string]synthesis{}}

// synthesize makes the templates of a configuration, once for all tests, without
// credentials, and has cdk-nag report on them.
func synthesize(t *testing.T, name string) synthesis {
	t.Helper()
	made.Lock()
	defer made.Unlock()
	if s, ok := made.once[name]; ok {
		return s
	}
	c, ok := configurations[name]
	if !ok {
		t.Fatalf("there is no configuration %q", name)
	}
	context := shippedContext(t)
	for key, value := range c.options {
		context[stacks.ContextKey+"."+key] = value
	}
	// What cdk-nag finds is read from the assembly, by TestCdkNagFindsNothingNew,
	// instead of failing the synth.
	context["@aws-cdk/core:annotationsInValidationReport"] = false
	config, err := stacks.ParseConfig(context, "123456789012")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(made.dir, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	standIns := stacks.Builds{Service: map[string]string{}, Lighthouse: filepath.Join(dir, "lighthouse"), Scaler: filepath.Join(dir, "scaler")}
	for machine, path := range builds.Service {
		standIns.Service[machine] = filepath.Join(dir, filepath.Base(path))
		if err := os.WriteFile(standIns.Service[machine], []byte(machine), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, function := range []string{standIns.Lighthouse, standIns.Scaler} {
		if err := os.CopyFS(function, fstest.MapFS{"bootstrap": {Data: []byte(filepath.Base(function)), Mode: 0o755}}); err != nil {
			t.Fatal(err)
		}
	}
	app := awscdk.NewApp(&awscdk.AppProps{
		Context:            &context,
		Outdir:             jsii.String(filepath.Join(dir, "cdk.out")),
		AnalyticsReporting: jsii.Bool(false),
	})
	stacks.Add(app, config, standIns)
	awscdk.Aspects_Of(app).Add(cdknag.NewAwsSolutionsChecks(&cdknag.NagPackProps{Reports: jsii.Bool(false)}), nil)
	s := synthesis{dir: *app.Synth(nil).Directory(), config: config}
	made.once[name] = s
	return s
}

// each runs a test for every configuration.
func each(t *testing.T, test func(t *testing.T, name string, s synthesis)) {
	for _, name := range slices.Sorted(maps.Keys(configurations)) {
		t.Run(name, func(t *testing.T) { test(t, name, synthesize(t, name)) })
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

// resource is one of a template.
type resource struct {
	Type       string
	Properties map[string]any
	DependsOn  []string
}

// resources reads those of a template.
func resources(t *testing.T, path string) map[string]resource {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var template struct{ Resources map[string]resource }
	if err := json.Unmarshal(b, &template); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return template.Resources
}

// stackOf is the name of a template's stack.
func stackOf(path string) string { return strings.TrimSuffix(filepath.Base(path), ".template.json") }
