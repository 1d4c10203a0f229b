package matrix

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/google/go-cmp/cmp"
)

// option is a key of the configuration, or several of one matter.
type option struct {
	key string
	// values are those that are told apart.
	values []string
	// of returns those that a configuration has: one, or of a region's key one for
	// each region.
	of func(config.Config) []string
	// regions is true of what only a deployment of several regions can have.
	regions bool
}

func enum(key string, of func(config.Config) string, values ...string) option {
	return option{key: key, values: values, of: func(c config.Config) []string { return []string{of(c)} }}
}

func boolean(key string, of func(config.Config) bool) option {
	return enum(key, func(c config.Config) string { return fmt.Sprint(of(c)) }, "false", "true")
}

func setting(name string, values ...string) option {
	return enum("service.environment."+name, func(c config.Config) string { return c.Service.Environment[name] }, values...)
}

// changed tells the shipped value from any other.
func changed(key string, of func(config.Config) any) option {
	return enum(key, func(c config.Config) string {
		if reflect.DeepEqual(of(c), of(shipped)) {
			return "default"
		}
		return "other"
	}, "default", "other")
}

func ofRegions(key string, of func(config.Region) string, values ...string) option {
	return option{key: key, values: values, of: func(c config.Config) []string {
		var all []string
		for _, r := range c.Regions {
			all = append(all, of(r))
		}
		return all
	}}
}

// several marks an option that only several regions can have.
func several(o option) option {
	o.regions = true
	return o
}

func either(is bool, yes, no string) string {
	if is {
		return yes
	}
	return no
}

var shipped = func() config.Config {
	c, err := Parse("shipped")
	if err != nil {
		panic(err)
	}
	return c
}()

// matrixOptions are all options, account aside, which is another for each user.
var matrixOptions = []option{
	changed("name", func(c config.Config) any { return c.Name }),
	several(enum("regions", func(c config.Config) string { return []string{"1", "2", "more"}[min(len(c.Regions), 3)-1] }, "1", "2", "more")),
	ofRegions("regions.zones", func(r config.Region) string {
		return either(r.Zones.Count > 0 && r.Zones.Letters == nil, "number", "letters")
	}, "number", "letters"),
	ofRegions("regions.cidr", func(r config.Region) string { return either(strings.HasSuffix(r.CIDR, ".0.0/16"), "default", "other") }, "default", "other"),
	ofRegions("regions.vpc", func(r config.Region) string { return either(r.VPC.Set(), "existing", "own") }, "own", "existing"),
	ofRegions("regions.ami", func(r config.Region) string { return either(r.AMI == "", "latest", "pinned") }, "latest", "pinned"),
	several(ofRegions("regions.weight", func(r config.Region) string {
		return either(r.Weight > 0 && r.Weight < 100, "part", fmt.Sprint(r.Weight))
	}, "0", "part", "100")),
	several(ofRegions("regions.retired", func(r config.Region) string { return fmt.Sprint(r.Retired) }, "false", "true")),
	enum("domain", func(c config.Config) string {
		return either(c.Domain.CertificateARNs != nil, "certified", fmt.Sprint(c.Domain.Set()))
	}, "false", "true", "certified"),
	enum("entry", func(c config.Config) string { return c.Entry }, config.EntryAccelerator, config.EntryDNS, config.EntryNone, config.EntryInternal),
	several(enum("consistency", func(c config.Config) string { return c.Consistency }, config.ConsistencyEventual, config.ConsistencyStrong)),
	several(boolean("witness", func(c config.Config) bool { return c.Witness != "" })),
	changed("fleet.min", func(c config.Config) any { return c.Fleet.Min }),
	changed("fleet.max", func(c config.Config) any { return c.Fleet.Max }),
	enum("fleet.ladder", func(c config.Config) string { return c.Fleet.Architecture() }, "arm64", "x86_64"),
	enum("fleet.startAt", func(c config.Config) string { return either(c.Fleet.StartAt == c.Fleet.Ladder[0], "first", "other") }, "first", "other"),
	changed("fleet.cpuTarget", func(c config.Config) any { return c.Fleet.CPUTarget }),
	enum("fleet.vertical", func(c config.Config) string { return c.Fleet.Vertical }, config.VerticalOff, config.VerticalAdvise, config.VerticalAuto),
	changed("fleet.window", func(c config.Config) any { return c.Fleet.Window }),
	changed("fleet.requestsPerTarget", func(c config.Config) any { return c.Fleet.RequestsPerTarget }),
	boolean("fleet.schedule", func(c config.Config) bool { return len(c.Fleet.Schedule) > 0 }),
	boolean("fleet.guard", func(c config.Config) bool { return c.Fleet.Guard }),
	enum("egress", func(c config.Config) string { return c.Egress }, config.EgressNone, config.EgressNAT),
	boolean("flowLogs", func(c config.Config) bool { return c.FlowLogs }),
	boolean("waf.enabled", func(c config.Config) bool { return c.WAF.Enabled }),
	enum("waf.common", func(c config.Config) string { return c.WAF.Common }, config.ModeBlock, config.ModeCount),
	enum("waf.badInputs", func(c config.Config) string { return c.WAF.BadInputs }, config.ModeBlock, config.ModeCount),
	enum("waf.ipReputation", func(c config.Config) string { return c.WAF.IPReputation }, config.ModeBlock, config.ModeCount),
	enum("waf.rate", func(c config.Config) string { return c.WAF.Rate }, config.ModeBlock, config.ModeCount),
	changed("waf.rateLimit", func(c config.Config) any { return c.WAF.RateLimit }),
	boolean("alarms", func(c config.Config) bool { return len(c.Alarms) > 0 }),
	enum("logs", func(c config.Config) string { return c.Logs }, config.LogsBucket, config.LogsCloudWatch, config.LogsOff),
	boolean("ssm", func(c config.Config) bool { return c.SSM }),
	boolean("protect", func(c config.Config) bool { return c.Protect }),
	boolean("tags", func(c config.Config) bool { return len(c.Tags) > 0 }),
	setting("ALLOW_CLEARTEXT", "false", "true"),
	setting("READS", "open", "signed-in"),
	setting("LOAD_GENERATOR", "false", "true"),
}

// impossible are the pairs that config.Parse refuses, or that say nothing.
var impossible = pairs{
	{"entry=dns", "domain=false"}:                    true, // there is no name to have records for
	{"regions.weight=part", "entry=dns"}:             true, // only an accelerator takes a part of the users elsewhere
	{"regions.weight=part", "entry=none"}:            true,
	{"regions.weight=part", "entry=internal"}:        true,
	{"regions.zones=number", "regions.vpc=existing"}: true, // its subnets are of zones
	{"egress=nat", "regions.vpc=existing"}:           true, // its routes stay as they are
	{"waf.enabled=false", "waf.common=count"}:        true, // nothing counts
	{"waf.enabled=false", "waf.badInputs=count"}:     true,
	{"waf.enabled=false", "waf.ipReputation=count"}:  true,
	{"waf.enabled=false", "waf.rate=count"}:          true,
	{"waf.enabled=false", "waf.rateLimit=other"}:     true,
	{"regions=1", "regions.weight=0"}:                true, // nobody would get users
	{"regions=1", "regions.retired=true"}:            true, // the primary stays
	{"regions=1", "consistency=strong"}:              true, // that takes three regions, or two and a witness
	{"regions=1", "witness=true"}:                    true,
	{"regions=more", "witness=true"}:                 true,
	{"consistency=eventual", "witness=true"}:         true,
	{"consistency=strong", "regions.retired=true"}:   true, // a strong table keeps its regions
	{"witness=true", "regions.retired=true"}:         true,
}

// onlyByAll are possible pairs that no configuration of the gate has.
var onlyByAll = pairs{
	{"domain=true", "entry=none"}: true,
}

// pairs are pairs of values, each as key=value, in the order of their options.
type pairs map[[2]string]bool

func (p pairs) has(a, b string) bool { return p[[2]string{a, b}] || p[[2]string{b, a}] }

// covered returns the values that configurations have, and the pairs of them that
// one of them has.
func covered(t *testing.T, names []string) (map[string]bool, pairs) {
	t.Helper()
	values, all := map[string]bool{}, pairs{}
	for _, name := range names {
		c, err := Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, a := range matrixOptions {
			for _, x := range a.of(c) {
				if !slices.Contains(a.values, x) {
					t.Fatalf("%s: %s is %q, want one of %q", name, a.key, x, a.values)
				}
				values[a.key+"="+x] = true
				for _, b := range matrixOptions[:i] {
					for _, y := range b.of(c) {
						all[[2]string{b.key + "=" + y, a.key + "=" + x}] = true
					}
				}
			}
		}
	}
	return values, all
}

// TestConfigurationsCoverPairs: each value of an option occurs in the gate, and
// each pair of values that may go together in one of all configurations. The gate
// has those of options that a single region may have too, but for onlyByAll.
func TestConfigurationsCoverPairs(t *testing.T) {
	gate := slices.DeleteFunc(Names(), func(name string) bool { return !Configurations[name].Gate })
	values, gatePairs := covered(t, gate)
	_, allPairs := covered(t, Names())
	needed, n := pairs{}, 0
	for i, a := range matrixOptions {
		for _, x := range a.values {
			x = a.key + "=" + x
			if !values[x] {
				t.Errorf("no configuration of the gate has %s", x)
			}
			for _, b := range matrixOptions[:i] {
				for _, y := range b.values {
					y = b.key + "=" + y
					if impossible.has(x, y) {
						needed[[2]string{x, y}] = true
						if allPairs.has(x, y) {
							t.Errorf("%s and %s do go together", x, y)
						}
						continue
					}
					if !allPairs.has(x, y) {
						t.Errorf("no configuration has %s and %s", x, y)
					}
					if a.regions || b.regions {
						continue
					}
					n++
					if onlyByAll.has(x, y) {
						needed[[2]string{x, y}] = true
					}
					if gatePairs.has(x, y) == onlyByAll.has(x, y) {
						t.Errorf("the gate has %s and %s: %t; among those that only -all proves: %t", x, y, gatePairs.has(x, y), onlyByAll.has(x, y))
					}
				}
			}
		}
	}
	for _, list := range []pairs{impossible, onlyByAll} {
		for p := range list {
			if !needed.has(p[0], p[1]) {
				t.Errorf("there are no values %s and %s", p[0], p[1])
			}
		}
	}
	t.Logf("%d configurations have %d pairs of the options of a region, %d aside; %d have all", len(gate), n, len(onlyByAll), len(Configurations))
}

// withOthers are keys that say nothing by themselves: who may use the entry
// "internal", and other defaults of other keys.
var withOthers = []string{"internalFrom", "profile"}

// byThemselves are keys that change an attribute or a resource of their own, whatever the
// others say: each value is in a snapshot, and no pair of it is looked for.
var byThemselves = []string{"waf.failOpen", "fleet.goal", "fleet.goalMilliseconds", "goals.available", "zonalAutoshift", "regions.kms.decrypt", "regions.kms.volume", "github.repository", "github.branch", "github.environments", "github.providerExists"}

// theShippedOnes are keys whose values are the same in all configurations: those of
// the service and its stores, but for the service's settings.
var theShippedOnes = []string{"service.", "tables.", "buckets."}

// inNoTemplate are keys that leave whole stacks out and change none: the lives have them.
var inNoTemplate = []string{"regions.lost"}

// TestMatrixHasEveryOption: what joins the configuration joins the matrix.
func TestMatrixHasEveryOption(t *testing.T) {
	var keys []string
	for _, o := range matrixOptions {
		keys = append(keys, o.key)
	}
	for _, key := range leaves(reflect.TypeFor[config.Config](), "") {
		if key == "account" || key == "regions.name" || slices.Contains(withOthers, key) || slices.Contains(inNoTemplate, key) || slices.Contains(byThemselves, key) || slices.ContainsFunc(theShippedOnes, func(k string) bool { return strings.HasPrefix(key, k) }) {
			continue
		}
		if !slices.ContainsFunc(keys, func(k string) bool { return key == k || strings.HasPrefix(key, k+".") && k != "regions" }) {
			t.Errorf("the matrix has no option %q", key)
		}
	}
}

// leaves returns the keys of a configuration's values.
func leaves(of reflect.Type, path string) []string {
	for of.Kind() == reflect.Slice {
		of = of.Elem()
	}
	var keys []string
	if of.Kind() == reflect.Struct {
		for i := range of.NumField() {
			if name := of.Field(i).Tag.Get("json"); name != "" {
				keys = append(keys, leaves(of.Field(i).Type, strings.TrimPrefix(path+"."+name, "."))...)
			}
		}
	}
	if keys == nil {
		return []string{path}
	}
	return keys
}

// TestShardsAreAllConfigurations: each once, in parts that weigh about the same.
func TestShardsAreAllConfigurations(t *testing.T) {
	for _, n := range []int{1, 3, 8} {
		var got []string
		var loads []int
		for i := range n {
			part := part(Names(), Weight, shardOf{number: i, of: n})
			load := 0
			for _, name := range part {
				load += Weight(name)
			}
			got, loads = append(got, part...), append(loads, load)
		}
		slices.Sort(got)
		if diff := cmp.Diff(Names(), got); diff != "" {
			t.Errorf("in %d shards: %s", n, diff)
		}
		heaviest := Weight(slices.MaxFunc(Names(), func(a, b string) int { return Weight(a) - Weight(b) }))
		if slices.Max(loads)-slices.Min(loads) > heaviest {
			t.Errorf("%d shards weigh %v", n, loads)
		}
	}
}

func TestShardIsRead(t *testing.T) {
	for text, want := range map[string]shardOf{"0/8": {0, 8, true}, "7/8": {7, 8, true}, "0/1": {0, 1, true}} {
		var got shardOf
		if err := got.Set(text); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "1", "8/8", "-1/8", "0/0", "1/2/3", "1/2 ", "a/b"} {
		got := shardOf{of: 1}
		if err := got.Set(text); err == nil || got != (shardOf{of: 1}) {
			t.Errorf("%q is taken for %+v", text, got)
		}
	}
}

// TestFactsAreReadBack: what a run writes of an assembly, tests find again.
func TestFactsAreReadBack(t *testing.T) {
	a := Committed(t, "leaving")
	want := slices.Sorted(maps.Keys(a.Stacks))
	names := a.Config.Names()
	var got []string
	for _, region := range a.Config.Regions {
		got = append(got, names.StorageStack(region.Name))
		if a.Stacks[names.StorageStack(region.Name)].Region != region.Name {
			t.Errorf("%s is in %s", names.StorageStack(region.Name), a.Stacks[names.StorageStack(region.Name)].Region)
		}
	}
	for _, region := range a.Config.RegionNames() {
		got = append(got, names.RegionStack(region))
	}
	got = append(got, names.GlobalStack(), names.EntryStack())
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
