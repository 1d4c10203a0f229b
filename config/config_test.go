package config

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/scaling"
	"github.com/google/go-cmp/cmp"
)

const account = "123456789012"

// service is one for configurations that are about something else.
const service = `{"name": "hello", "package": "./service", "port": 8080, "health": "/healthz"}`

// existing is a VPC of two zones.
const existing = `{"id": "vpc-0123456789abcdef0", "fleetSubnets": {"a": "subnet-0123456789abcdef0", "b": "subnet-0123456789abcdef1"},
	"loadBalancerSubnets": {"a": "subnet-01234567", "b": "subnet-89abcdef"}}`

// parse reads the configuration out of a context written as in cdk.json. It adds a
// service to one that has none.
func parse(t *testing.T, context string) (Config, error) {
	t.Helper()
	var values map[string]any
	if err := json.Unmarshal([]byte(context), &values); err != nil {
		t.Fatal(err)
	}
	if tree, ok := values[ContextKey].(map[string]any); ok && tree["service"] == nil {
		var hello any
		if err := json.Unmarshal([]byte(service), &hello); err != nil {
			t.Fatal(err)
		}
		tree["service"] = hello
	}
	return Parse(values, account)
}

func TestDefaults(t *testing.T) {
	got, err := parse(t, `{"archipelago": {"regions": ["eu-west-1", {"name": "us-west-1"}]}}`)
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Name:    "archipelago",
		Account: account,
		Regions: []Region{
			{Name: "eu-west-1", Zones: Zones{Count: 3}, CIDR: "10.24.0.0/16", Weight: 100},
			{Name: "us-west-1", Zones: Zones{Count: 2}, CIDR: "10.2.0.0/16", Weight: 100},
		},
		Fleet: Fleet{
			Min: 2, Max: 6,
			Ladder:    []string{"m7g.medium", "m7g.large", "m7g.xlarge", "m7g.2xlarge"},
			StartAt:   "m7g.medium",
			CPUTarget: scaling.DefaultCPUTarget,
			Guard:     true,
			Vertical:  VerticalOff,
			Goal:      99.9, GoalMilliseconds: 100,
		},
		Entry:       EntryAccelerator,
		Consistency: ConsistencyEventual,
		Egress:      EgressNone,
		Profile:     ProfileFull,
		FlowLogs:    true,
		Logs:        LogsBucket,
		WAF:         WAF{Enabled: true, Common: ModeBlock, BadInputs: ModeBlock, IPReputation: ModeBlock, Rate: ModeBlock, RateLimit: 10000, FailOpen: true},
		Protect:     true,
		Service:     Service{Name: "hello", Package: "./service", Port: 8080, Health: "/healthz"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}

func TestEveryKeyIsRead(t *testing.T) {
	got, err := parse(t, `{"archipelago": {
		"name": "shop", "account": "210987654321", "entry": "dns", "protect": false,
		"github": {"repository": "octo-org@1/shop@2", "branch": "release/2", "environments": ["production"], "providerExists": true},
		"service": {"name": "shop", "package": "./cmd/shop", "port": 9000, "health": "/up", "notify": true,
			"environment": {"STOCK": "{table:stock}", "LEVEL": "info"},
			"local": {"environment": {"LEVEL": "debug"}, "setup": ["seed", "--small"]}},
		"tables": [{"name": "stock", "partitionKey": {"name": "id", "type": "N"}, "sortKey": "part", "indexes": [{"name": "byPart", "partitionKey": "part", "sortKey": {"name": "id", "type": "N"}}], "actions": ["Query", "Scan"]},
			{"name": "carts", "partitionKey": {"name": "id"}, "ttl": "expires", "ephemeral": true, "watch": "read"}],
		"buckets": [{"name": "pictures", "prefix": "public/stock/", "everywhere": true, "watch": true}],
		"domain": {"zone": "example.com", "zoneId": "Z0123", "host": "shop.example.com"},
		"consistency": "strong", "witness": "eu-west-3", "egress": "nat",
		"alarms": ["ops@example.com"], "zonalAutoshift": true, "goals": {"available": 99.95}, "logs": "cloudwatch", "ssm": true,
		"tags": {"cost-center": "1234"}, "flowLogs": false,
		"waf": {"enabled": false, "common": "count", "badInputs": "count", "ipReputation": "count", "rate": "count", "rateLimit": 99, "failOpen": false},
		"regions": [{"name": "eu-west-1", "zones": ["a", "c"], "cidr": "10.7.0.0/20", "ami": "ami-0123456789abcdef0"},
			{"name": "eu-west-2", "zones": 2, "weight": 0}],
		"fleet": {"min": 3, "max": 9, "ladder": ["c7g.large", "c7g.xlarge"], "startAt": "c7g.xlarge",
			"cpuTarget": 40, "requestsPerTarget": 6000, "guard": false, "vertical": "auto", "goal": 99.95, "goalMilliseconds": 250, "window": "01:00-05:00",
			"schedule": [{"name": "Morning", "cron": "0 7 * * 1-5", "timezone": "Europe/Madrid", "min": 4, "max": 12}]}}}`)
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Name: "shop", Account: "210987654321", Entry: EntryDNS, Profile: ProfileFull,
		Tags:   map[string]string{"cost-center": "1234"},
		GitHub: GitHub{Repository: "octo-org@1/shop@2", Branch: "release/2", Environments: []string{"production"}, ProviderExists: true},
		Service: Service{
			Name: "shop", Package: "./cmd/shop", Port: 9000, Health: "/up", Notify: true,
			Environment: map[string]string{"STOCK": "{table:stock}", "LEVEL": "info"},
			Local:       LocalService{Environment: map[string]string{"LEVEL": "debug"}, Setup: []string{"seed", "--small"}},
		},
		Tables: []Table{
			{
				Name: "stock", PartitionKey: Key{"id", "N"}, SortKey: Key{"part", "S"},
				Indexes: []Index{{"byPart", Key{"part", "S"}, Key{"id", "N"}}}, Actions: []string{"Query", "Scan"},
			},
			{
				Name: "carts", PartitionKey: Key{"id", "S"}, TTL: "expires", Ephemeral: true, Watch: WatchRead,
				Actions: []string{"GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "ConditionCheckItem"},
			},
		},
		Buckets:     []Bucket{{Name: "pictures", Prefix: "public/stock/", Everywhere: true, Watch: WatchWrite}},
		Domain:      Domain{Zone: "example.com", ZoneID: "Z0123", Host: "shop.example.com"},
		Consistency: ConsistencyStrong, Witness: "eu-west-3", Egress: EgressNAT,
		Alarms: []string{"ops@example.com"}, ZonalAutoshift: true, Goals: Goals{Available: 99.95}, Logs: LogsCloudWatch, SSM: true,
		WAF: WAF{Common: ModeCount, BadInputs: ModeCount, IPReputation: ModeCount, Rate: ModeCount, RateLimit: 99},
		Regions: []Region{
			{Name: "eu-west-1", Zones: Zones{Count: 2, Letters: []string{"a", "c"}}, CIDR: "10.7.0.0/20", AMI: "ami-0123456789abcdef0", Weight: 100},
			{Name: "eu-west-2", Zones: Zones{Count: 2}, CIDR: "10.25.0.0/16"},
		},
		Fleet: Fleet{
			Min: 3, Max: 9, Ladder: []string{"c7g.large", "c7g.xlarge"}, StartAt: "c7g.xlarge",
			Goal: 99.95, GoalMilliseconds: 250, CPUTarget: 40, RequestsPerTarget: 6000, Vertical: VerticalAuto, Window: "01:00-05:00",
			Schedule: []Schedule{{Name: "Morning", Cron: "0 7 * * 1-5", Timezone: "Europe/Madrid", Min: 4, Max: 12}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
}

func TestNetworkThatExistsIsRead(t *testing.T) {
	got, err := parse(t, `{"archipelago": {"entry": "internal", "internalFrom": ["10.0.0.0/8", "192.168.7.0/24"],
		"domain": {"zone": "corp.example", "zoneId": "Z0123", "host": "shop.corp.example", "private": true,
			"certificateArns": {"eu-west-1": "arn:aws:acm:eu-west-1:123456789012:certificate/1234-ab"}},
		"regions": [{"name": "eu-west-1", "cidr": "172.31.0.0/26", "vpc": `+existing+`}]}}`)
	if err != nil {
		t.Fatal(err)
	}
	want := Region{
		Name: "eu-west-1", CIDR: "172.31.0.0/26", Weight: 100,
		VPC: VPC{
			ID:                  "vpc-0123456789abcdef0",
			FleetSubnets:        Subnets{"a": "subnet-0123456789abcdef0", "b": "subnet-0123456789abcdef1"},
			LoadBalancerSubnets: Subnets{"a": "subnet-01234567", "b": "subnet-89abcdef"},
		},
	}
	if diff := cmp.Diff([]Region{want}, got.Regions); diff != "" {
		t.Errorf("regions (-want +got):\n%s", diff)
	}
	wantDomain := Domain{
		Zone: "corp.example", ZoneID: "Z0123", Host: "shop.corp.example", Private: true,
		CertificateARNs: map[string]string{"eu-west-1": "arn:aws:acm:eu-west-1:123456789012:certificate/1234-ab"},
	}
	if diff := cmp.Diff(wantDomain, got.Domain); diff != "" {
		t.Errorf("domain (-want +got):\n%s", diff)
	}
	if want := []string{"10.0.0.0/8", "192.168.7.0/24"}; !cmp.Equal(want, got.InternalFrom) {
		t.Errorf("got %q, want %q", got.InternalFrom, want)
	}
}

// TestNetworksThatExistMayOverlap: the default VPCs of all regions do.
func TestNetworksThatExistMayOverlap(t *testing.T) {
	if _, err := parse(t, `{"archipelago": {"regions": [{"name": "eu-west-1", "cidr": "172.31.0.0/16", "vpc": `+existing+`},
		{"name": "eu-west-2", "cidr": "172.31.0.0/16", "vpc": `+existing+`}]}}`); err != nil {
		t.Error(err)
	}
}

// TestTrialHasOtherDefaults, over which written keys win.
func TestTrialHasOtherDefaults(t *testing.T) {
	got, err := parse(t, `{"archipelago": {"regions": ["eu-west-1"], "fleet": {"vertical": "auto", "min": 3}, "waf": {"rateLimit": 99}},
		"archipelago.profile": "trial", "archipelago.protect": true}`)
	if err != nil {
		t.Fatal(err)
	}
	if got.Entry != EntryNone || got.WAF.Enabled || got.FlowLogs || got.Fleet.CPUTarget != 20 || !cmp.Equal(got.Fleet.Ladder, []string{"t4g.small", "t4g.large"}) {
		t.Errorf("got %+v, want the trial's defaults", got)
	}
	if !got.Protect || got.Fleet.Min != 3 || got.WAF.RateLimit != 99 || got.Fleet.Vertical != VerticalAuto {
		t.Errorf("got %+v, want what is written", got)
	}
	if got.Fleet.Max != 6 || got.WAF.Common != ModeBlock {
		t.Errorf("got %+v, want the other defaults as ever", got)
	}
}

// TestTrialKeepsProblems: what is of a wrong type stays wrong.
func TestTrialKeepsProblems(t *testing.T) {
	_, err := parse(t, `{"archipelago": {"profile": "trial", "regions": ["eu-west-1"], "waf": "off"}}`)
	if want := `archipelago.waf: want an object, got "off"`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestTags(t *testing.T) {
	got, err := parse(t, `{"archipelago": {"name": "shop", "regions": ["eu-west-1"], "tags": {"team": "a b"}}}`)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"project": "archipelago", "deployment": "shop", "region": "eu-west-1", "team": "a b"}
	if diff := cmp.Diff(want, got.AllTags("eu-west-1")); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
}

func TestDottedKeysReplaceOneLeaf(t *testing.T) {
	got, err := parse(t, `{
		"archipelago": {"regions": ["eu-west-1", "us-east-1"], "fleet": {"min": 3}},
		"archipelago.fleet.max": "8",
		"archipelago.protect": "false",
		"archipelago.fleet.ladder": "m7g.large, m7g.xlarge",
		"archipelago.regions[1].ami": "ami-01234567",
		"archipelago.regions.0.zones": "[\"b\",\"c\"]"}`)
	if err != nil {
		t.Fatal(err)
	}
	if got.Fleet.Max != 8 || got.Fleet.Min != 3 || got.Protect {
		t.Errorf("got max %d, min %d, protect %t; want 8, 3, false", got.Fleet.Max, got.Fleet.Min, got.Protect)
	}
	if want := []string{"m7g.large", "m7g.xlarge"}; !cmp.Equal(got.Fleet.Ladder, want) {
		t.Errorf("got ladder %q, want %q", got.Fleet.Ladder, want)
	}
	if got.Regions[1].Name != "us-east-1" || got.Regions[1].AMI != "ami-01234567" {
		t.Errorf("got %+v, want us-east-1 with the image", got.Regions[1])
	}
	if want := []string{"b", "c"}; !cmp.Equal(got.Regions[0].Zones.Letters, want) {
		t.Errorf("got zones %q, want %q", got.Regions[0].Zones.Letters, want)
	}
}

func TestRetiredRegionsAreNotIslands(t *testing.T) {
	got, err := parse(t, `{"archipelago": {"regions": ["eu-west-1", {"name": "us-east-1", "retired": true}, "us-west-2"]}}`)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"eu-west-1", "us-west-2"}; !cmp.Equal(got.RegionNames(), want) {
		t.Errorf("got %q, want %q", got.RegionNames(), want)
	}
}

// TestParseLeavesTheContext: one dotted key may reach into the value of another.
func TestParseLeavesTheContext(t *testing.T) {
	context := map[string]any{
		ContextKey: map[string]any{"regions": []any{"eu-west-1"}}, ContextKey + ".tags": map[string]any{"team": "a"}, ContextKey + ".tags.owner": "b",
	}
	_, _ = Parse(context, account)
	want := map[string]any{
		ContextKey: map[string]any{"regions": []any{"eu-west-1"}}, ContextKey + ".tags": map[string]any{"team": "a"}, ContextKey + ".tags.owner": "b",
	}
	if diff := cmp.Diff(want, context); diff != "" {
		t.Errorf("context (-before +after):\n%s", diff)
	}
}

func TestDottedKeysReachIntoAListThatIsOneToo(t *testing.T) {
	got, err := parse(t, `{
		"archipelago": {},
		"archipelago.regions": "eu-west-1, us-east-1",
		"archipelago.regions[1].zones": "2"}`)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Regions) != 2 || got.Regions[1].Name != "us-east-1" || got.Regions[1].Zones.Count != 2 {
		t.Errorf("got %+v, want two zones in us-east-1", got.Regions)
	}
}

func TestRefusals(t *testing.T) {
	tests := map[string]struct {
		context string
		want    []string
	}{
		"nothing configured": {
			`{}`,
			[]string{`archipelago.regions: want at least one region, such as ["eu-west-1", "us-east-1"], got nothing`},
		},
		"not an object": {
			`{"archipelago": "eu-west-1"}`,
			[]string{`archipelago: want an object such as {"regions": ["eu-west-1"]}, got "eu-west-1"`},
		},
		"no regions": {
			`{"archipelago": {"regions": []}}`,
			[]string{`archipelago.regions: want at least one region`},
		},
		"more regions than were measured": {
			`{"archipelago": {"regions": "us-east-1,us-east-2,us-west-1,us-west-2,ca-central-1,eu-west-1,eu-west-2,eu-west-3,eu-central-1,eu-north-1,ap-south-1,ap-southeast-1,ap-southeast-2,ap-northeast-1,ap-northeast-2,sa-east-1"}}`,
			[]string{`archipelago.regions: want at most 15 regions, since nothing was measured with more, got 16`},
		},
		"a region without Global Accelerator": {
			`{"archipelago": {"regions": ["eu-west-1", "mx-central-1"]}}`,
			[]string{`archipelago.regions[1].name: want a region in which Global Accelerator has endpoints, or archipelago.entry: "dns", "none" or "internal", got "mx-central-1"`},
		},
		"a region twice": {
			`{"archipelago": {"regions": ["eu-west-1", {"name": "eu-west-1"}]}}`,
			[]string{`archipelago.regions[1].name: want a region once, it is regions[0] already, got "eu-west-1"`},
		},
		"an unknown region": {
			`{"archipelago": {"regions": ["eu-west-1", "europe"]}}`,
			[]string{`archipelago.regions[1].name: want an AWS region such as "eu-west-1", got "europe"`},
		},
		"a misspelled region": {
			`{"archipelago": {"regions": ["us-esat-1"]}}`,
			[]string{`(did you mean "us-east-1"?), got "us-esat-1"`},
		},
		"overlapping ranges": {
			`{"archipelago": {"regions": [{"name": "eu-west-1", "cidr": "10.0.0.0/16"}, {"name": "eu-west-2", "cidr": "10.0.8.0/21"}]}}`,
			[]string{`archipelago.regions[1].cidr: want a range apart from regions[0].cidr, 10.0.0.0/16, got "10.0.8.0/21"`},
		},
		"an invalid range": {
			`{"archipelago": {"regions": [{"name": "eu-west-1", "cidr": "10.0.0.1/16"}]}}`,
			[]string{`archipelago.regions[0].cidr: want an IPv4 range from /16 to /24, such as "10.1.0.0/16", got "10.0.0.1/16"`},
		},
		"one zone": {
			`{"archipelago": {"regions": [{"name": "eu-west-1", "zones": 1}]}}`,
			[]string{`archipelago.regions[0].zones: want 2 to 6 zones, as a number or as letters such as ["a", "b", "c"], got 1`},
		},
		"more zones than there are": {
			`{"archipelago": {"regions": [{"name": "eu-west-1", "zones": 6}, {"name": "us-east-1", "zones": 6}]}}`,
			[]string{`archipelago.regions[0].zones: want at most 3, which is all that config/region_table.go knows of, got 6`},
		},
		"invalid zones": {
			`{"archipelago": {"regions": [{"name": "eu-west-1", "zones": ["a", "eu-west-1b", "a"]}]}}`,
			[]string{
				`archipelago.regions[0].zones[1]: want a zone's letter, such as "a" for eu-west-1a, got "eu-west-1b"`,
				`archipelago.regions[0].zones[2]: want each zone once, got "a"`,
			},
		},
		"an invalid image": {
			`{"archipelago": {"regions": [{"name": "eu-west-1", "ami": "al2023"}]}}`,
			[]string{`archipelago.regions[0].ami: want an image's id, such as "ami-0123456789abcdef0", got "al2023"`},
		},
		"min above max": {
			`{"archipelago": {"regions": ["eu-west-1"], "fleet": {"min": 7}}}`,
			[]string{`archipelago.fleet.max: want at least fleet.min, 7, got 6`},
		},
		"a fleet of one": {
			`{"archipelago": {"regions": ["eu-west-1"], "fleet": {"min": 1}}}`,
			[]string{`archipelago.fleet.min: want at least 2, one in each of two zones, so that one is left when a zone fails, got 1`},
		},
		"two architectures": {
			`{"archipelago": {"regions": ["eu-west-1"], "fleet": {"ladder": ["m7g.medium", "m7i.large"]}}}`,
			[]string{`archipelago.fleet.ladder[1]: want one architecture, got m7i.large (x86_64) after m7g.medium (arm64)`},
		},
		"an invalid type": {
			`{"archipelago": {"regions": ["eu-west-1"], "fleet": {"ladder": ["m7g.medium", "large"]}}}`,
			[]string{`archipelago.fleet.ladder[1]: want an instance type whose size is known`, `got "large"`},
		},
		"a ladder that leads down": {
			`{"archipelago": {"regions": ["eu-west-1"], "fleet": {"ladder": ["m7g.large", "m7g.medium"]}}}`,
			[]string{`archipelago.fleet.ladder[1]: want the smallest first, each with more CPU and no less memory, got m7g.medium (1 vCPU, 4 GiB) after m7g.large (2 vCPU, 8 GiB)`},
		},
		"a rung twice": {
			`{"archipelago": {"regions": ["eu-west-1"], "fleet": {"ladder": ["m7g.large", "m7g.large"]}}}`,
			[]string{`archipelago.fleet.ladder[1]: want each instance type once, got m7g.large again`},
		},
		"nothing to climb, at no time that there is": {
			`{"archipelago": {"regions": ["eu-west-1"], "fleet": {"ladder": ["m7g.large"], "vertical": "auto", "window": "at night"}}}`,
			[]string{
				`archipelago.fleet.ladder: want two rungs at least for "auto", got 1`,
				`archipelago.fleet.window: want a part of the day such as "01:00-05:00" or "22:00-04:30 Europe/Madrid", got "at night"`,
			},
		},
		"an invalid mode": {
			`{"archipelago": {"regions": ["eu-west-1"], "fleet": {"vertical": "automatic"}}}`,
			[]string{`archipelago.fleet.vertical: want "off", "advise" or "auto"`, `got "automatic"`},
		},
		"credits that would be paid for": {
			`{"archipelago": {"regions": ["eu-west-1"], "fleet": {"ladder": ["t4g.medium", "t4g.large"], "vertical": "auto"}}}`,
			[]string{`archipelago.fleet.ladder[0]: want a CPU target of at most 20 %, which t4g.medium may use for ever, got 55 %`},
		},
		"a start off the ladder": {
			`{"archipelago": {"regions": ["eu-west-1"], "fleet": {"startAt": "m7g.lage"}}}`,
			[]string{`archipelago.fleet.startAt: want a rung of fleet.ladder (did you mean "m7g.large"?), got "m7g.lage"`},
		},
		"misspelled keys": {
			`{"archipelago": {"regoins": ["eu-west-1"], "regions": [{"name": "eu-west-1", "zoness": 3}], "fleet": {"mim": 2}}}`,
			[]string{
				`archipelago.regoins: there is no such key (did you mean "regions"?)`,
				`archipelago.regions[0].zoness: there is no such key (did you mean "zones"?)`,
				`archipelago.fleet.mim: there is no such key (did you mean "min"?)`,
			},
		},
		"a misspelled override": {
			`{"archipelago": {"regions": ["eu-west-1"]}, "archipelago.fleet.maximum": "8"}`,
			[]string{`archipelago.fleet.maximum: there is no such key`},
		},
		"an override of a region that is not there": {
			`{"archipelago": {"regions": ["eu-west-1"]}, "archipelago.regions[3].ami": "ami-01234567"}`,
			[]string{`archipelago.regions[3].ami: want an index from 0 to 0, got "3"`},
		},
		"wrong types": {
			`{"archipelago": {"regions": [1], "name": 7, "protect": "yes", "fleet": {"min": "two", "max": 2.5}}}`,
			[]string{
				`archipelago.regions[0]: want a region's name or an object such as {"name": "eu-west-1"}, got 1`,
				`archipelago.name: want a string, got 7`,
				`archipelago.protect: want true or false, got "yes"`,
				`archipelago.fleet.min: want a whole number, got "two"`,
				`archipelago.fleet.max: want a whole number, got 2.5`,
			},
		},
		"names that no bucket can have": {
			`{"archipelago": {"regions": ["eu-west-1"], "name": "Shop_of_Everything", "account": "12"}}`,
			[]string{
				`archipelago.name: want 1 to 28 lower-case letters, digits and hyphens, a letter first, got "Shop_of_Everything"`,
				`archipelago.account: want the 12 digits of an AWS account, here or from the credentials of the CDK CLI, got "12"`,
			},
		},
		"names that AWS keeps": {
			`{"archipelago": {"regions": ["eu-west-1"], "name": "internal-shop"}}`,
			[]string{`archipelago.name: want one that does not begin with "internal-", which AWS keeps for itself, got "internal-shop"`},
		},
		"a name that no parameter may begin with": {
			`{"archipelago": {"regions": ["eu-west-1"], "name": "awsome"}}`,
			[]string{`archipelago.name: want one that does not begin with "aws", which AWS keeps for itself, got "awsome"`},
		},
		"addresses that no network may have": {
			`{"archipelago": {"regions": [{"name": "eu-west-1", "cidr": "127.0.0.0/16"}, {"name": "eu-west-2", "cidr": "224.1.0.0/16"}]}}`,
			[]string{
				`archipelago.regions[0].cidr: want addresses that a network may have, such as "10.1.0.0/16", got "127.0.0.0/16"`,
				`archipelago.regions[1].cidr: want addresses that a network may have`,
			},
		},
		"a host too long for a certificate": {
			`{"archipelago": {"regions": ["eu-west-1"], "domain": {"zone": "example.com", "zoneId": "Z1", "host": "a23456789012345678901234567890123456789012345678901234.example.com"}}}`,
			[]string{`archipelago.domain.host: want at most 64 characters, since a certificate is for no longer name, got`},
		},
		"a repository without its owner": {
			`{"archipelago": {"regions": ["eu-west-1"], "github": {"repository": "shop", "branch": "main", "environments": ["production"]}}}`,
			[]string{`archipelago.github.repository: want a repository as tokens' subjects name it, "octo-org/shop" or "octo-org@123456/shop@456789", without wildcards, got "shop"`},
		},
		"wildcards that would trust others": {
			`{"archipelago": {"regions": ["eu-west-1"], "github": {"repository": "octo-org/*", "branch": "release/*", "environments": ["prod?", "production:x", "${aws:username}"]}}}`,
			[]string{
				`archipelago.github.repository: want a repository as tokens' subjects name it`,
				`archipelago.github.branch: want a branch of letters, digits and . _ / -, such as "main", without wildcards, got "release/*"`,
				`archipelago.github.environments[0]: want environments of letters, digits and . _ -`,
				`archipelago.github.environments[1]: want environments of letters, digits and . _ -, such as ["production-shared", "production"], without wildcards, got "production:x"`,
				`archipelago.github.environments[2]: want environments of letters`,
			},
		},
		"ids of a half of a repository": {
			`{"archipelago": {"regions": ["eu-west-1"], "github": {"repository": "octo-org@1/shop", "branch": "main", "environments": ["production"]}}}`,
			[]string{`archipelago.github.repository: want a repository as tokens' subjects name it`},
		},
		"a branch's ref, and an environment twice": {
			`{"archipelago": {"regions": ["eu-west-1"], "github": {"repository": "octo-org/shop", "branch": "refs/heads/main", "environments": ["production", "production"]}}}`,
			[]string{
				`archipelago.github.branch: want the branch's name alone, "main", got "refs/heads/main"`,
				`archipelago.github.environments[1]: want each environment once, got "production"`,
			},
		},
		"more environments than a trust policy may name": {
			fmt.Sprintf(`{"archipelago": {"regions": ["eu-west-1"], "github": {"repository": "octo-org/shop", "branch": "main", "environments": ["a%[1]s", "b%[1]s", "c%[1]s", "d%[1]s", "e%[1]s", "f%[1]s"]}}}`, strings.Repeat("x", 239)),
			[]string{`archipelago.github.environments: want shorter names, or fewer of them: with the repository's and the branch's they make a trust policy of 2051 characters, and IAM takes 2048`},
		},
		"a provider for nobody": {
			`{"archipelago": {"regions": ["eu-west-1"], "github": {"providerExists": true}}}`,
			[]string{
				`archipelago.github.repository: want a repository`,
				`archipelago.github.branch: want a branch`,
				`archipelago.github.environments: want environments`,
			},
		},
		"an unknown entry": {
			`{"archipelago": {"regions": ["eu-west-1"], "entry": "cloudfront"}}`,
			[]string{`archipelago.entry: want "accelerator", "dns", "none" or "internal", got "cloudfront"`},
		},
		"records without a domain": {
			`{"archipelago": {"regions": ["eu-west-1"], "entry": "dns"}}`,
			[]string{`archipelago.entry: want "accelerator", "none" or "internal", or set archipelago.domain, whose records make the entry, got "dns"`},
		},
		"an internal entry for nobody": {
			`{"archipelago": {"regions": ["eu-west-1"], "entry": "internal"}}`,
			[]string{`archipelago.internalFrom: want the ranges that users of the entry "internal" come from, such as ["10.0.0.0/8"], got nothing`},
		},
		"an internal entry for everybody, and twice": {
			`{"archipelago": {"regions": ["eu-west-1"], "entry": "internal", "internalFrom": ["0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/8", "10.0.0.1/8", "fd00::/8"]}}`,
			[]string{
				`archipelago.internalFrom[0]: want an IPv4 range of a network of yours, such as "10.0.0.0/8", got "0.0.0.0/0"`,
				`archipelago.internalFrom[2]: want each range once, got "10.0.0.0/8"`,
				`archipelago.internalFrom[3]: want an IPv4 range`,
				`archipelago.internalFrom[4]: want an IPv4 range`,
			},
		},
		"ranges of a public entry": {
			`{"archipelago": {"regions": ["eu-west-1"], "internalFrom": ["10.0.0.0/8"]}}`,
			[]string{`archipelago.internalFrom: want nothing, since only the entry "internal" has it, got ["10.0.0.0/8"]`},
		},
		"a private zone of a public entry, without certificates": {
			`{"archipelago": {"regions": ["eu-west-1"], "domain": {"zone": "corp.example", "zoneId": "Z1", "host": "shop.corp.example", "private": true}}}`,
			[]string{
				`archipelago.domain.private: want false: only the entry "internal" has users who see a private zone, got true`,
				`archipelago.domain.certificateArns: want a certificate for each region: the records that prove one have to be in a public zone, got nothing`,
			},
		},
		"certificates of elsewhere": {
			`{"archipelago": {"regions": ["eu-west-1", "us-east-1", "us-west-2", {"name": "eu-west-2", "retired": true}], "domain": {"zone": "example.com", "zoneId": "Z1", "host": "shop.example.com",
				"certificateArns": {"eu-west-1": "arn:aws:acm:us-east-1:123456789012:certificate/12", "us-west-2": "arn:aws:acm:us-west-2:210987654321:certificate/12", "us-est-1": "x"}}}}`,
			[]string{
				`archipelago.domain.certificateArns.us-east-1: want the ARN of a certificate in that region, as the others have, got nothing`,
				`archipelago.domain.certificateArns.us-est-1: want a region of archipelago.regions as the key (did you mean "us-east-1"?), got "us-est-1"`,
				`archipelago.domain.certificateArns.eu-west-1: want a certificate's ARN of that region and of the account, such as "arn:aws:acm:eu-west-1:123456789012:certificate/12345678-1234-1234-1234-123456789012", got "arn:aws:acm:us-east-1:123456789012:certificate/12"`,
				`archipelago.domain.certificateArns.us-west-2: want a certificate's ARN of that region`,
			},
		},
		"a key of CDK's": {
			`{"archipelago": {"permissionsBoundary": "Boundary"}}`,
			[]string{`archipelago.permissionsBoundary: there is no such key: CDK has it, as "@aws-cdk/core:permissionsBoundary" beside archipelago`},
		},
		"keys that no region has": {
			`{"archipelago": {"regions": [{"name": "eu-west-1", "kms": {"volume": "alias/own", "decrypt": ["arn:aws:kms:us-east-1:123456789012:key/12345678-1234-1234-1234-123456789012", "arn:aws:kms:eu-west-1:123456789012:key/12345678-1234-1234-1234-123456789012",
				"arn:aws:kms:eu-west-1:123456789012:key/12345678-1234-1234-1234-123456789012", "arn:aws:kms:eu-west-1:123456789012:alias/own"]}}]}}`,
			[]string{
				`archipelago.regions[0].kms.decrypt[0]: want a key's ARN of that region, and no alias, such as "arn:aws:kms:eu-west-1:123456789012:key/12345678-1234-1234-1234-123456789012", got "arn:aws:kms:us-east-1:123456789012:key/12345678-1234-1234-1234-123456789012"`,
				`archipelago.regions[0].kms.decrypt[2]: want each key once`,
				`archipelago.regions[0].kms.decrypt[3]: want a key's ARN of that region`,
				`archipelago.regions[0].kms.volume: want a key's ARN of that region, and no alias`,
			},
		},
		"a VPC without anything": {
			`{"archipelago": {"regions": [{"name": "eu-west-1", "vpc": {"id": "main"}}]}}`,
			[]string{
				`archipelago.regions[0].cidr: want the range of the VPC that holds the load balancer's subnets, from /16 to /28, such as "10.1.0.0/16", got nothing`,
				`archipelago.regions[0].vpc.id: want a VPC's id, such as "vpc-0123456789abcdef0", got "main"`,
				`archipelago.regions[0].vpc.fleetSubnets: want subnets of two zones at least, such as {"a": "subnet-0123456789abcdef0", "b": "subnet-0123456789abcdef1"}, got nothing`,
				`archipelago.regions[0].vpc.loadBalancerSubnets: want subnets of two zones`,
			},
		},
		"a VPC of no use": {
			`{"archipelago": {"egress": "nat", "regions": [{"name": "eu-west-1", "zones": ["a", "b"], "cidr": "10.0.0.0/29", "vpc": {"id": "vpc-01234567",
				"fleetSubnets": {"a": "subnet-01234567", "b": "subnet-01234567", "c": "subnet-x", "eu-west-1a": "subnet-01234567"},
				"loadBalancerSubnets": {"b": "subnet-01234567", "c": "subnet-89abcdef"}}},
				{"name": "eu-west-2", "cidr": "10.1.0.0/16", "vpc": {"id": "vpc-01234567", "fleetSubnets": {"a": "subnet-01234567"}, "loadBalancerSubnets": {}}}]}}`,
			[]string{
				`archipelago.egress: want "none", since no gateway is made in regions[0].vpc: its own routes say where instances may go, got "nat"`,
				`archipelago.regions[0].zones: want nothing, since the zones are those of vpc's subnets, got ["a","b"]`,
				`archipelago.regions[0].cidr: want the range of the VPC that holds the load balancer's subnets, from /16 to /28`,
				`archipelago.regions[0].vpc.fleetSubnets.b: want each subnet once, got "subnet-01234567"`,
				`archipelago.regions[0].vpc.fleetSubnets.c: want a subnet's id, such as "subnet-0123456789abcdef0", got "subnet-x"`,
				`archipelago.regions[0].vpc.fleetSubnets.eu-west-1a: want a zone's letter as the key, such as "a" for eu-west-1a, got "eu-west-1a"`,
				`archipelago.regions[0].vpc.loadBalancerSubnets.a: want a subnet, since a load balancer sends no requests to the fleet's zones that it has none in, got nothing`,
				`archipelago.regions[1].vpc.fleetSubnets: want subnets of two zones at least`,
				`archipelago.regions[1].vpc.loadBalancerSubnets: want subnets of two zones at least`,
			},
		},
		"tags that AWS refuses": {
			`{"archipelago": {"regions": ["eu-west-1"], "tags": {"Region": "x", "AWS:x": "y", "a;b": "z", "Team": "a", "team": "b", "empty": "", "long": 5}}}`,
			[]string{
				`archipelago.tags.Region: want another key: the deployment's own tags are project, deployment and region, got "Region"`,
				`archipelago.tags.AWS:x: want a key that does not begin with "aws:", which AWS keeps for itself, got "AWS:x"`,
				`archipelago.tags.a;b: want a key of 1 to 128 letters, digits, spaces and _ . : / = + - @, got "a;b"`,
				`archipelago.tags.team: want each key once, in one case, got "team"`,
				`archipelago.tags.empty: want a value of 1 to 256 letters, digits, spaces and _ . : / = + - @, got nothing`,
				`archipelago.tags.long: want a string, got 5`,
			},
		},
		"an unknown profile": {
			`{"archipelago": {"regions": ["eu-west-1"], "profile": "cheap"}}`,
			[]string{`archipelago.profile: want "full" or "trial", got "cheap"`},
		},
		"half a domain": {
			`{"archipelago": {"regions": ["eu-west-1"], "domain": {"host": "staff"}}}`,
			[]string{
				`archipelago.domain.zone: want the name of a hosted zone, such as "example.com", got nothing`,
				`archipelago.domain.zoneId: want the id of that hosted zone, such as "Z0123456789ABCDEFGHIJ", got nothing`,
				`archipelago.domain.host: want a name in the zone, such as "staff.example.com", got "staff"`,
			},
		},
		"a host of another zone": {
			`{"archipelago": {"regions": ["eu-west-1"], "domain": {"zone": "example.com", "zoneId": "Z1", "host": "staff.badexample.com"}}}`,
			[]string{`archipelago.domain.host: want a name in the zone, "example.com" or one that ends in ".example.com", got "staff.badexample.com"`},
		},
		"strong in two regions": {
			`{"archipelago": {"regions": ["eu-west-1", "eu-west-2"], "consistency": "strong"}}`,
			[]string{`archipelago.consistency: want "eventual", or for "strong" three regions, or two and archipelago.witness, got ["eu-west-1","eu-west-2"]`},
		},
		"strong in four regions": {
			`{"archipelago": {"regions": ["eu-west-1", "eu-west-2", "eu-west-3"], "witness": "eu-central-1", "consistency": "strong"}}`,
			[]string{`archipelago.consistency: want "eventual", or for "strong" three regions, or two and archipelago.witness`},
		},
		"strong over two sets": {
			`{"archipelago": {"regions": ["eu-west-1", "eu-west-2"], "witness": "us-east-1", "consistency": "strong"}}`,
			[]string{`regions of one set: us-east-1, us-east-2, us-west-2; or eu-west-1, eu-west-2, eu-west-3, eu-central-1; or ap-northeast-1, ap-northeast-2, ap-northeast-3, got ["eu-west-1","eu-west-2","us-east-1"]`},
		},
		"a witness with a replica": {
			`{"archipelago": {"regions": ["eu-west-1", "eu-west-2"], "witness": "eu-west-2", "consistency": "strong"}}`,
			[]string{`archipelago.witness: want a region that is not among archipelago.regions, which have replicas, got "eu-west-2"`},
		},
		"a witness of nothing": {
			`{"archipelago": {"regions": ["eu-west-1"], "witness": "eu-west-2"}}`,
			[]string{`archipelago.witness: want nothing, since only the consistency "strong" has one, got "eu-west-2"`},
		},
		"a strong table that loses a region": {
			`{"archipelago": {"regions": ["eu-west-1", "eu-west-2", {"name": "eu-west-3", "retired": true}], "consistency": "strong"}}`,
			[]string{`archipelago.regions[2].retired: want false: a strong table keeps its regions for life, got true`},
		},
		"an unknown consistency": {
			`{"archipelago": {"regions": ["eu-west-1"], "consistency": "stong"}}`,
			[]string{`archipelago.consistency: want "eventual" or "strong" (did you mean "strong"?), got "stong"`},
		},
		"an unknown egress": {
			`{"archipelago": {"regions": ["eu-west-1"], "egress": "igw"}}`,
			[]string{`archipelago.egress: want "none" or "nat", got "igw"`},
		},
		"a range too small for its zones": {
			`{"archipelago": {"regions": [{"name": "eu-west-1", "cidr": "10.0.0.0/24"}]}}`,
			[]string{`archipelago.regions[0].cidr: want a range that holds fleet.max, 6 instances, and as many again while a deployment replaces them, in 3 zones with one lost: /23 at least, got "10.0.0.0/24"`},
		},
		"a fleet that no range holds": {
			`{"archipelago": {"regions": ["eu-west-1"], "fleet": {"max": 100000}}}`,
			[]string{`archipelago.regions[0].cidr: want a range that holds fleet.max, 100000 instances, and as many again while a deployment replaces them, in 3 zones with one lost: there is none, so lower fleet.max`},
		},
		"invalid weights": {
			`{"archipelago": {"regions": ["eu-west-1", {"name": "us-east-1", "weight": 101}]}}`,
			[]string{`archipelago.regions[1].weight: want 0 to 100 percent, got 101`},
		},
		"part of the users by records": {
			`{"archipelago": {"regions": ["eu-west-1", {"name": "us-east-1", "weight": 50}], "entry": "none"}}`,
			[]string{`archipelago.regions[1].weight: want 0 or 100, since only the entry "accelerator" takes a part of a region's users elsewhere, got 50`},
		},
		"everything drained": {
			`{"archipelago": {"regions": [{"name": "eu-west-1", "weight": 0}, {"name": "us-east-1", "retired": true}]}}`,
			[]string{`archipelago.regions: want a region with a weight above 0, got 0`},
		},
		"a region that is lost and retired": {
			`{"archipelago": {"regions": ["eu-west-1", {"name": "us-east-1", "lost": true, "retired": true}]}}`,
			[]string{`archipelago.regions[1].retired: want false while it is lost, since to take it out of the tables and buckets calls it, got true`},
		},
		"everything lost": {
			`{"archipelago": {"regions": [{"name": "eu-west-1", "lost": true}, {"name": "us-east-1", "retired": true}]}}`,
			[]string{`archipelago.regions: want a region that is neither lost nor retired, got 2`},
		},
		"a retired primary": {
			`{"archipelago": {"regions": [{"name": "eu-west-1", "retired": true}, "us-east-1"]}}`,
			[]string{`archipelago.regions[0].retired: want false: the first region is the primary, which holds the stack that spans the regions, got true`},
		},
		"invalid targets": {
			`{"archipelago": {"regions": ["eu-west-1"], "fleet": {"cpuTarget": 100, "requestsPerTarget": -1, "goal": 100.5}, "goals": {"available": 100.5}}}`,
			[]string{
				`archipelago.fleet.cpuTarget: want 10 to 90 percent, got 100`,
				`archipelago.fleet.goal: want 0 to 100 percent of minutes, such as 99.9; 0 for none, got 100.5`,
				`archipelago.fleet.requestsPerTarget: want requests a minute that an instance takes on, or 0 to leave it to the CPU, got -1`,
				`archipelago.goals.available: want less than 100 percent of requests, such as 99.95; 0 for no such alarms, got 100.5`,
			},
		},
		"a promise that nothing keeps": {
			`{"archipelago": {"regions": ["eu-west-1"], "goals": {"available": 100}}}`,
			[]string{`archipelago.goals.available: want less than 100 percent of requests, such as 99.95; 0 for no such alarms, got 100`},
		},
		"an invalid schedule": {
			`{"archipelago": {"regions": ["eu-west-1"], "fleet": {"schedule": [
				{"name": "early", "cron": "7 o'clock", "timezone": "Madrid", "min": 1},
				{"name": "early", "cron": "0 7 * * *"},
				{"name": "no one", "cron": "0 7 * * *", "min": 5, "max": 4},
				{"name": "more", "cron": "0 7 * * *", "min": 7},
				{"name": "less", "cron": "0 7 * * *", "max": 1}, 7]}}}`,
			[]string{
				`archipelago.fleet.schedule[0].cron: want five fields`,
				`archipelago.fleet.schedule[0].timezone: want a time zone such as "Europe/Madrid", got "Madrid"`,
				`archipelago.fleet.schedule[0].min: want at least 2`,
				`archipelago.fleet.schedule[1].name: want each name once, got "early"`,
				`archipelago.fleet.schedule[1]: want a min or a max`,
				`archipelago.fleet.schedule[2].name: want 1 to 32 letters and digits, a letter first, such as "Morning", got "no one"`,
				`archipelago.fleet.schedule[2].max: want at least the min of that time, 5, got 4`,
				`archipelago.fleet.schedule[3].min: want at most fleet.max, 6, or a max with it, got 7`,
				`archipelago.fleet.schedule[4].max: want at least fleet.min, 2, or a min with it, got 1`,
				`archipelago.fleet.schedule[5]: want an object such as`,
			},
		},
		"hours that no day has": {
			`{"archipelago": {"regions": ["eu-west-1"], "fleet": {"schedule": [
				{"name": "Late", "cron": "0 24 * * *", "min": 3}, {"name": "Never", "cron": "*/0 7 * * *", "min": 3}]}}}`,
			[]string{
				`archipelago.fleet.schedule[0].cron: want five fields: minute, hour, day of the month, month, day of the week, such as "0 7 * * 1-5" (end of range (24) above maximum (23): 24), got "0 24 * * *"`,
				`archipelago.fleet.schedule[1].cron: want five fields`,
			},
		},
		"an invalid web ACL": {
			`{"archipelago": {"regions": ["eu-west-1"], "waf": {"common": "off", "rateLimit": 9, "rat": "count"}}}`,
			[]string{
				`archipelago.waf.common: want "block" or "count", got "off"`,
				`archipelago.waf.rateLimit: want 10 to 2000000000 requests of an address in five minutes, got 9`,
				`archipelago.waf.rat: there is no such key (did you mean "rate"?)`,
			},
		},
		"invalid addresses": {
			`{"archipelago": {"regions": ["eu-west-1"], "alarms": ["ops", "Ops <ops@example.com>", "ops@example.com", "ops@example.com"]}}`,
			[]string{
				`archipelago.alarms[0]: want an e-mail address such as "ops@example.com", got "ops"`,
				`archipelago.alarms[1]: want an e-mail address`,
				`archipelago.alarms[3]: want each address once, got "ops@example.com"`,
			},
		},
		"a name too long for a bucket": {
			`{"archipelago": {"regions": ["eu-west-1"], "name": "abcdefghijklmnopqrstuvwxyz012"}}`,
			[]string{`archipelago.name: want at most 28 characters, since a bucket's name may have 63 and is made of it, an account and a region, got "abcdefghijklmnopqrstuvwxyz012"`},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := parse(t, test.context)
			if err == nil {
				t.Fatal("the configuration was accepted")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error lacks %q:\n%v", want, err)
				}
			}
		})
	}
}

// TestTypesWithoutAPriceAreTaken: only what is estimated needs one.
func TestTypesWithoutAPriceAreTaken(t *testing.T) {
	for ladder, want := range map[string]string{`"m8g.medium", "r8g.large"`: "arm64", `"t3.small", "t3a.large", "m8a.large"`: "x86_64"} {
		c, err := parse(t, `{"archipelago": {"regions": ["eu-west-1"], "fleet": {"ladder": [`+ladder+`], "cpuTarget": 15}}}`)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Fleet.Architecture(); got != want || c.Fleet.Burstable() != (want == "x86_64") {
			t.Errorf("%s is of %s, burstable %t", ladder, got, c.Fleet.Burstable())
		}
	}
}

func TestOneProblemIsReportedOnce(t *testing.T) {
	for keys, want := range map[string]int{
		`"regions": ["eu-west-1", "us-east-1", "us-east-1"], "fleet": {"min": 7}`: 2,
		`"regions": ["eu-west-1"], "fleet": {"max": 1}`:                           1, // below fleet.min, and below any
	} {
		_, err := parse(t, `{"archipelago": {`+keys+`}}`)
		if got := strings.Count(err.Error(), "\n") + 1; got != want {
			t.Errorf("got %d problems, want %d:\n%v", got, want, err)
		}
	}
}

// TestWrongTypesAreNotMissedToo: what is said of a value is not said of its keys.
func TestWrongTypesAreNotMissedToo(t *testing.T) {
	_, err := parse(t, `{"archipelago": {"regions": [1], "service": 2, "tables": [3, null], "buckets": 4, "fleet": {"schedule": [5], "min": "x"}, "domain": {"zone": 6, "zoneId": "Z1", "host": "staff.example.com"}}}`)
	if got := strings.Count(err.Error(), "\n") + 1; got != 8 {
		t.Errorf("got %d problems, want one for each value:\n%v", got, err)
	}
}
