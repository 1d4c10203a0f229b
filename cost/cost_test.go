package cost

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// assembly writes templates as a synth does, by their stack and region, and
// returns their folder.
func assembly(t *testing.T, stacks map[[2]string]string) string {
	t.Helper()
	dir := t.TempDir()
	artifacts := map[string]any{"assets": map[string]any{"type": "cdk:asset-manifest"}}
	for stack, resources := range stacks {
		name, region := stack[0], stack[1]
		artifacts[name] = map[string]any{
			"type": "aws:cloudformation:stack", "environment": "aws://123456789012/" + region,
			"properties": map[string]any{"templateFile": name + ".template.json"},
		}
		if err := os.WriteFile(filepath.Join(dir, name+".template.json"), []byte(`{"Resources": {`+resources+`}}`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	manifest, err := json.Marshal(map[string]any{"artifacts": artifacts})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "manifest.json"), manifest, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

const (
	storage = `"Type": {"Type": "Custom::AWS", "Properties": {"Create": "{\"action\": \"putParameter\", \"parameters\": {\"Name\": \"/a/fleet/instance-type\", \"Value\": \"m7g.large\"}}"}}`
	global  = `"Table": {"Type": "AWS::DynamoDB::GlobalTable"},
		"Replication": {"Type": "Custom::AWS", "Properties": {"Create": {"Fn::Join": ["", ["{\"action\": \"putBucketReplication\"", {"Ref": "Role"}, "}"]]}}},
		"Accelerator": {"Type": "AWS::GlobalAccelerator::Accelerator"},
		"Dashboard": {"Type": "AWS::CloudWatch::Dashboard"}`
	island = `"Group": {"Type": "AWS::AutoScaling::AutoScalingGroup", "Properties": {"MinSize": "2", "MaxSize": "6"}},
		"Template": {"Type": "AWS::EC2::LaunchTemplate", "Properties": {"LaunchTemplateData": {"Monitoring": {"Enabled": true}, "UserData": {"Fn::Base64": "systemctl enable app-journal.service; Description=Pulse of app; dnf install amazon-cloudwatch-agent"}, "BlockDeviceMappings": [{"Ebs": {"VolumeSize": 8}}]}}},
		"Alb": {"Type": "AWS::ElasticLoadBalancingV2::LoadBalancer", "Properties": {"Scheme": "internet-facing", "Subnets": [{"Ref": "A"}, {"Ref": "B"}]}},
		"Fleet": {"Type": "AWS::ElasticLoadBalancingV2::TargetGroup", "Properties": {"TargetType": "instance", "HealthCheckIntervalSeconds": 5}},
		"Lights": {"Type": "AWS::ElasticLoadBalancingV2::TargetGroup", "Properties": {"TargetType": "lambda", "HealthCheckIntervalSeconds": 20}},
		"Lighthouse": {"Type": "AWS::Lambda::Function", "Properties": {"Runtime": "provided.al2023", "MemorySize": 256}},
		"Schedule": {"Type": "AWS::Scheduler::Schedule", "Properties": {"ScheduleExpression": "rate(5 minutes)"}},
		"Deployments": {"Type": "AWS::Scheduler::Schedule", "Properties": {"ScheduleExpression": "rate(1 minute)"}},
		"Helper": {"Type": "AWS::Lambda::Function", "Properties": {"Runtime": {"Fn::FindInMap": ["a", "b", "c"]}, "MemorySize": 512}},
		"Eip": {"Type": "AWS::EC2::EIP"},
		"Nat": {"Type": "AWS::EC2::NatGateway"},
		"Gateway": {"Type": "AWS::EC2::VPCEndpoint", "Properties": {"VpcEndpointType": "Gateway"}},
		"Logs": {"Type": "AWS::EC2::VPCEndpoint", "Properties": {"VpcEndpointType": "Interface", "SubnetIds": [{"Ref": "A"}, {"Ref": "B"}]}},
		"WebACL": {"Type": "AWS::WAFv2::WebACL", "Properties": {"Rules": [{}, {}, {}]}},
		"Key": {"Type": "AWS::KMS::Key"},
		"Simple": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"MetricName": "A"}},
		"Share": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Metrics": [{"Expression": "a / b"}, {"MetricStat": {}}, {"MetricStat": {}}]}},
		"Impaired": {"Type": "AWS::CloudWatch::CompositeAlarm"}`
)

func twoRegions(t *testing.T) Deployment {
	t.Helper()
	d, err := Read(assembly(t, map[[2]string]string{
		{"a-storage-eu-west-1", "eu-west-1"}: storage, {"a-storage-us-east-1", "us-east-1"}: storage,
		{"a-global", "eu-west-1"}:           global,
		{"a-region-eu-west-1", "eu-west-1"}: island, {"a-region-us-east-1", "us-east-1"}: island,
	}))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestPrivateNetworksHaveTheirOwnPrices: what crosses them to users is not known here.
func TestPrivateNetworksHaveTheirOwnPrices(t *testing.T) {
	prices, err := ReadPrices()
	if err != nil {
		t.Fatal(err)
	}
	for scheme, want := range map[string]bool{"internet-facing": true, "internal": false} {
		d, err := Read(assembly(t, map[[2]string]string{
			{"a-storage-eu-west-1", "eu-west-1"}: storage,
			{"a-region-eu-west-1", "eu-west-1"}:  strings.Replace(island, "internet-facing", scheme, 1),
		}))
		if err != nil {
			t.Fatal(err)
		}
		estimate, err := prices.Estimate(d, Loads[1])
		if err != nil {
			t.Fatal(err)
		}
		if got := estimate.Of("eu-west-1", "transfer to users") > 0; got != want {
			t.Errorf("%s: there is a transfer to users: %t, want %t", scheme, got, want)
		}
	}
}

func TestWhatCostsMoneyIsRead(t *testing.T) {
	d := twoRegions(t)
	want := Region{
		InstanceType: "m7g.large", Min: 2, Max: 6, VolumeGB: 8, Monitored: true, LoadBalancers: 1, Zones: 2,
		Public: true, PublicAddresses: 3, NATGateways: 1, InterfaceEndpoints: 2, WebACLs: 1, WebACLRules: 3, Keys: 1,
		AlarmMetrics: 3, CompositeAlarms: 1, LooksEvery: 20, FunctionMemoryMiB: 256, ScalerRuns: 1.2, Agents: true, LogsPut: true, Pulse: true,
	}
	if got := *d.Regions["us-east-1"]; got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if d.Home != "eu-west-1" || d.Accelerators != 1 || !d.Replicated || d.Regions["eu-west-1"].Dashboards != 1 {
		t.Errorf("got %+v, want one accelerator and a dashboard at home, and replication", d)
	}
}

// prices are round, so that sums can be done in the head.
func roundPrices(p Prices) Prices {
	for region, prices := range p.Regions {
		for what := range prices {
			p.Regions[region][what] = Price{USD: 1}
		}
	}
	return p
}

func TestEstimate(t *testing.T) {
	d := twoRegions(t)
	prices, err := ReadPrices()
	if err != nil {
		t.Fatal(err)
	}
	low, err := roundPrices(prices).Estimate(d, Load{Requests: 2, TablesGB: 3, BucketsGB: 4})
	if err != nil {
		t.Fatal(err)
	}
	const requests = 2628e3        // a month's, of one region: one a second
	const looks = 2 * 2628e3 / 20  // two nodes, every 20 s
	const runs = 2628e3 / 60 * 1.2 // each fifth minute for a decision, each minute for deployments
	const beats = 2 * 2628e3 / 10  // two instances, every 10 s
	for what, want := range map[string]float64{
		"instances, m7g.large":             2 * 730,
		"their volumes":                    2 * 8,
		"their metrics by the minute":      2 * 7,
		"their log and agents' metrics":    requests*350/1e9 + 2,
		"logs":                             2*730*60/1e3 + requests*324/1e9*3,
		"load balancer":                    730 + 730*requests*answerBytes/1e9/730,
		"public addresses":                 3 * 730,
		"NAT gateways":                     730,
		"interface endpoints":              2 * 730,
		"web ACL":                          1 + 3 + requests/1e6,
		"tables":                           (requests*2+looks)/1e6 + (2*requests*0.02*4+2*looks)/1e6 + 3*2,
		"buckets":                          4 + 2*requests*0.001*2/1e3 + requests*0.3/1e3,
		"their replication":                requests*0.001*300e3/1e9*2 + 4,
		"alarms":                           3 + 1,
		"scaler":                           runs/1e6 + runs*256/1024 + runs*1000/1e9 + 5,
		"pulse":                            (beats+looks)*0.5/1e6 + 2*beats/1e6 + beats/1e3,
		"keys":                             1,
		"transfer to users":                requests * answerBytes / 1e9,
		"transfer through the accelerator": requests * answerBytes / 1e9,
	} {
		if got := low.Of("us-east-1", what); math.Abs(got-want) > 1e-6*want {
			t.Errorf("%s: got %f, want %f", what, got, want)
		}
	}
	if got := low.Of("eu-west-1", "accelerator"); got != 730 {
		t.Errorf("the accelerator costs %f, want 730, once", got)
	}
	if got := low.Of("us-east-1", "accelerator"); got != 0 {
		t.Errorf("the accelerator costs %f in another region too", got)
	}
	high, err := prices.Estimate(d, Load{Requests: 2, Full: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := high.Of("us-east-1", "instances, m7g.large"); got != 6*730 {
		t.Errorf("a full fleet costs %f, want %d", got, 6*730)
	}
	if low.Total() != low.OfRegion("eu-west-1")+low.OfRegion("us-east-1") {
		t.Error("the total is not the regions' sum")
	}
}

// TestMissingPrices: whatever is missing is said at once, with the command that adds it,
// or the file where there is none.
func TestMissingPrices(t *testing.T) {
	const sources = ": add to cost/prices.json what AWS's price lists say, each with its source"
	for name, test := range map[string]struct {
		region, kind string
		want         []string
	}{
		"a region": {"ap-south-1", "m7g.large", []string{
			"no price in ap-south-1 of instance m7g.large, volume, NAT gateway: make prices adds what AWS's price list of EC2 has",
			"no price in ap-south-1 of metric, logs, ", sources,
		}},
		"an instance's type": {"eu-west-1", "m8g.large", []string{
			"no price in eu-west-1 of instance m8g.large: make prices adds what AWS's price list of EC2 has",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := Read(assembly(t, map[[2]string]string{
				{"a-storage", test.region}: strings.Replace(storage, "m7g.large", test.kind, 1),
				{"a-region", test.region}:  island,
			}))
			if err != nil {
				t.Fatal(err)
			}
			prices, err := ReadPrices()
			if err != nil {
				t.Fatal(err)
			}
			_, err = prices.Estimate(d, Loads[0])
			if err == nil {
				t.Fatal("it is estimated")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q", err, want)
				}
			}
			if got, want := len(strings.Split(err.Error(), "\n")), len(test.want)/2+1; got != want {
				t.Errorf("got %d sentences, want %d: %v", got, want, err)
			}
		})
	}
}

// TestListOverTableByHand: what make prices read is what counts.
func TestListOverTableByHand(t *testing.T) {
	file := listFile
	defer func() { listFile = file }()
	listFile = []byte("price,eu-west-1,sa-east-1\nsource,a list,another\nread,2026-11-20,2026-11-21\nNAT gateway,0.05,\ninstance m8g.large,,0.1\n")
	prices, err := ReadPrices()
	if err != nil {
		t.Fatal(err)
	}
	if got := prices.Regions["eu-west-1"]["NAT gateway"]; got != (Price{USD: 0.05, Per: "hour", Source: "ec2-eu-west-1"}) {
		t.Errorf("got %+v", got)
	}
	if usd, err := prices.Of("sa-east-1", Instance("m8g.large")); err != nil || usd[0] != 0.1 {
		t.Errorf("got %v, %v", usd, err)
	}
	if usd, err := prices.Of("eu-west-1", Instance("m8g.large"), NATGateway); err == nil || usd[0] != 0 || usd[1] != 0.05 {
		t.Errorf("got %v, %v; want no price and one", usd, err)
	}
	if prices.Newest() != "2026-11-21" {
		t.Errorf("the newest is of %s", prices.Newest())
	}
}

// TestListIsAsItIsWritten, so that make prices changes only prices.
func TestListIsAsItIsWritten(t *testing.T) {
	list, err := ParseList(bytes.NewReader(listFile))
	if err != nil {
		t.Fatal(err)
	}
	again, err := list.Format()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again, listFile) {
		t.Errorf("%s is\n%s\nand would be written as\n%s", ListFile, listFile, again)
	}
}

func TestListsAreRefused(t *testing.T) {
	const head = "price,eu-west-1\nsource,a list\nread,2026-11-20\n"
	for list, want := range map[string]string{
		"":                              "want the lines price, source and read first",
		"price,eu-west-1\nread,today\n": "want the lines price, source and read first",
		head + "volume\n":               "wrong number of fields",
		head + "volume,cheap\n":         `volume, eu-west-1: want a price that make prices reads, of more than 0, got "cheap"`,
		head + "volume,-1\n":            `got "-1"`,
		head + "load balancer,0.0252\n": "load balancer, eu-west-1: want a price that make prices reads",
	} {
		if _, err := ParseList(strings.NewReader(list)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", list, err, want)
		}
	}
}

func TestFolderWithoutTemplates(t *testing.T) {
	if _, err := Read(t.TempDir()); err == nil || !strings.Contains(err.Error(), "run `make synth` first") {
		t.Errorf("got %v", err)
	}
}

// TestEveryPriceHasItsSource: and every source a price, and a day that can be read. Of what
// is kept by hand, each region has all.
func TestEveryPriceHasItsSource(t *testing.T) {
	all, err := ReadPrices()
	if err != nil {
		t.Fatal(err)
	}
	for region, table := range all.Regions {
		for what, price := range table {
			if all.Sources[price.Source].What == "" || price.USD <= 0 || price.Per == "" {
				t.Errorf("%s, %s: %+v has no source, price or unit", region, what, price)
			}
		}
	}
	var byHand Prices
	if err := json.Unmarshal(pricesFile, &byHand); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for region, table := range byHand.Regions {
		for what, price := range table {
			used[price.Source] = true
			for other := range byHand.Regions {
				if byHand.Regions[other][what].USD == 0 {
					t.Errorf("%s has no %q, %s has", other, what, region)
				}
			}
		}
	}
	for name := range byHand.Sources {
		if !used[name] {
			t.Errorf("nothing is of the source %s", name)
		}
	}
	for name, source := range all.Sources {
		if _, err := time.Parse(time.DateOnly, source.Read); source.Read != "" && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPricesOfARepository go over those that come with the program, each by itself.
func TestPricesOfARepository(t *testing.T) {
	dir := t.TempDir()
	before, err := ReadPrices()
	if err != nil {
		t.Fatal(err)
	}
	same, err := ReadPricesIn(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, same); diff != "" {
		t.Errorf("without tables (-program +repository):\n%s", diff)
	}
	list := List{"eu-central-1": {Source: Source{What: "a list", Read: "2026-11-28"}, USD: map[string]float64{Instance("m7g.medium"): 0.5}}}
	table, err := list.Format()
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		KeptFile: `{"sources": {"own": {"what": "a page"}}, "regions": {"eu-central-1": {"load balancer": {"usd": 7, "per": "hour", "source": "own"}}}}`,
		ListFile: string(table),
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := ReadPricesIn(dir)
	if err != nil {
		t.Fatal(err)
	}
	usd, err := got.Of("eu-central-1", Instance("m7g.medium"), "load balancer")
	if err != nil || usd[0] != 0.5 || usd[1] != 7 {
		t.Errorf("got %v, %v", usd, err)
	}
	if usd, err := got.Of("eu-west-1", Instance("m7g.medium")); err != nil || usd[0] != before.Regions["eu-west-1"][Instance("m7g.medium")].USD {
		t.Errorf("the program's own: got %v, %v", usd, err)
	}
	if err := os.WriteFile(filepath.Join(dir, KeptFile), []byte(`{"currency": "EUR"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadPricesIn(dir); err == nil || !strings.Contains(err.Error(), KeptFile+": want prices in USD") {
		t.Errorf("got %v", err)
	}
}
