package cost

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
)

// Load is how much a deployment has to do, all regions together.
type Load struct {
	// Name is what it is called.
	Name string
	// Requests is the mean over the month, in a second.
	Requests float64
	// Full means that every fleet is at its maximum; else it is at its minimum.
	Full bool
	// TablesGB and BucketsGB are what is stored, once for each region.
	TablesGB, BucketsGB float64
}

// Loads are the ones that are estimated.
var Loads = []Load{
	{Name: "low", Requests: 1, TablesGB: 0.1, BucketsGB: 2},
	{Name: "expected", Requests: 20, TablesGB: 1, BucketsGB: 20},
	{Name: "high", Requests: 400, Full: true, TablesGB: 10, BucketsGB: 200},
}

// What a request takes, of the shipped service as it is. Another service's differs.
const (
	hours              = 730.0 // of a month
	seconds            = hours * 3600
	gb                 = 1e9
	perConnection      = 5 // requests
	readUnits          = 2.0
	writesPerRequest   = 0.02
	writeUnits         = 4.0 // an item, its place in the index, and what signing in keeps
	objectReads        = 0.3 // per request, from a bucket
	uploadsPerRequest  = 0.001
	uploadBytes        = 300e3 // of both objects
	uploadObjects      = 2
	monitoringMetrics  = 7   // of an instance
	replicationMetrics = 4   // of a rule
	lineBytes          = 324 // of a request's in the log
	lineOverhead       = 26  // that CloudWatch counts for each
	agentMetrics       = 2   // of a fleet
	logsKept           = 3.0 // months in the log bucket, 90 days
)

// What requests are for, in shares of all. The rest are answers of next to nothing:
// that the browser's copy is current, or a redirect.
const (
	listRequests   = 0.4
	detailRequests = 0.1
	styleRequests  = 0.02 // kept for a year
	headerBytes    = 700  // of any answer
	objectBytes    = 9e3  // of one that a browser gets
)

// answersFile holds the bytes of answers' bodies on the wire, compressed, as a test
// of the service measures them.
//
//go:embed answers.json
var answersFile []byte

// answerBytes are those of an answer on average, with its header.
var answerBytes = func() float64 {
	var bodies struct{ List, Detail, Style float64 }
	if err := json.Unmarshal(answersFile, &bodies); err != nil {
		panic(err) // the file is embedded
	}
	return headerBytes + listRequests*bodies.List + detailRequests*bodies.Detail + styleRequests*bodies.Style + objectReads*objectBytes
}()

// What a lighthouse's look takes.
const (
	lookSeconds    = 0.05
	lookLogBytes   = 400
	lookMetrics    = 3                // that it prints
	replicaMetrics = 1                // where there are other regions
	writesPerMonth = 2 * seconds / 60 // of its object, by two environments
)

// What a beat of an instance takes, with one table and one bucket that are watched.
const (
	beatsEvery = 10.0 // seconds
	beatBytes  = 32.0 // of its attribute
	beatsRead  = 0.5  // units, for the instance or for a lighthouse's look
	unitBytes  = 1024 // of an item, for a write
)

// What a run of the scaler takes.
const (
	runSeconds  = 1.0
	runLogBytes = 1000
	runMetrics  = 5 // that it prints
)

// Line is one of an estimate: what it is, and its cost in a month.
type Line struct {
	What string
	USD  float64
}

// Estimate is a month of a deployment at one load: the lines by region. What
// spans the regions is under Home.
type Estimate map[string][]Line

// Of is one line of a region, 0 where it has none of that name.
func (e Estimate) Of(region, what string) float64 {
	for _, l := range e[region] {
		if l.What == what {
			return l.USD
		}
	}
	return 0
}

// OfRegion is the sum of a region's lines.
func (e Estimate) OfRegion(region string) float64 {
	sum := 0.0
	for _, l := range e[region] {
		sum += l.USD
	}
	return sum
}

// Total is the sum of all.
func (e Estimate) Total() float64 {
	sum := 0.0
	for region := range e {
		sum += e.OfRegion(region)
	}
	return sum
}

// LeftOut is what no estimate has, as it is little or cannot be told before.
const LeftOut = "steps to another instance type, the metrics that the scaler reads, data between zones, VPC flow logs and access logs, NAT and endpoint data, a VPC that exists already and the way from it to users, S3's old versions, KMS and SSM calls, Route 53, the free allowances, tax"

// Estimate returns what d costs in a month at load l. It fails where a price is
// missing.
func (p Prices) Estimate(d Deployment, l Load) (Estimate, error) {
	e := Estimate{}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(d.Regions)) {
		prices := p.in(name)
		e[name] = d.region(name, prices, l)
		errs = append(errs, prices.err())
	}
	return e, errors.Join(errs...)
}

// region estimates one region, which takes its share of the load.
func (d Deployment) region(name string, prices *regionPrices, l Load) []Line {
	r := d.Regions[name]
	regions := float64(len(d.Regions))
	others := regions - 1
	month := l.Requests * seconds // all regions'
	requests := month / regions
	var lines []Line
	add := func(usd float64, format string, arguments ...any) {
		if usd > 0 {
			lines = append(lines, Line{fmt.Sprintf(format, arguments...), usd})
		}
	}
	price := prices.of
	times := func(n int, what string, each float64) float64 {
		if n == 0 {
			return 0 // what is not there needs no price
		}
		return float64(n) * each * price(what)
	}

	instances := r.instances(l)
	add(times(instances, Instance(r.InstanceType), hours), "instances, %s", r.InstanceType)
	add(times(instances, Volume, float64(r.VolumeGB)), "their volumes")
	if r.Monitored {
		add(times(instances, "metric", monitoringMetrics), "their metrics by the minute")
	}
	if r.Agents {
		add(requests*(lineBytes+lineOverhead)/gb*price("logs")+agentMetrics*price("metric"), "their log and agents' metrics")
	}
	if r.LogsPut { // each minute, since load balancers ask for health more often
		add(times(instances, "object write", seconds/60/1e3)+requests*lineBytes/gb*logsKept*price("object storage"), "logs")
	}
	add(times(r.LoadBalancers, "load balancer", hours)+times(r.LoadBalancers, "load balancer unit", hours*units(requests)), "load balancer")
	add(times(r.PublicAddresses, "public address", hours), "public addresses")
	add(times(r.NATGateways, NATGateway, hours), "NAT gateways")
	add(times(r.InterfaceEndpoints, "interface endpoint", hours), "interface endpoints")
	if r.WebACLs > 0 {
		add(times(r.WebACLs, "web ACL", 1)+times(r.WebACLRules, "web ACL rule", 1)+requests/1e6*price("web ACL request"), "web ACL")
	}

	looks := d.looks(name)
	allLooks := 0.0
	for other := range d.Regions {
		allLooks += d.looks(other)
	}
	writes := month*writesPerRequest*writeUnits + allLooks // every region takes every write
	add((requests*readUnits+looks)/1e6*price("table read")+writes/1e6*price("table write")+
		l.TablesGB*(price("table storage")+price("table recovery")), "tables")
	uploads := month * uploadsPerRequest // every region keeps every object
	add(l.BucketsGB*price("object storage")+uploads*uploadObjects/1e3*price("object write")+
		requests*objectReads/1e3*price("object read"), "buckets")
	if d.Replicated {
		sent := uploads / regions * uploadBytes * others / gb
		add(sent*(price("replication")+price("transfer to a region"))+others*replicationMetrics*price("metric"), "their replication")
	}
	if looks > 0 {
		add(looks/1e6*price("function call")+looks*lookSeconds*float64(r.FunctionMemoryMiB)/1024*price("function second")+
			looks*lookLogBytes/gb*price("logs")+(lookMetrics+replicaMetrics*min(1, others))*price("metric")+
			looks/1e3*price("object read")+writesPerMonth/1e3*price("object write"), "lighthouse")
	}
	written := 0.0 // every region takes every write
	for _, other := range d.Regions {
		written += other.beats(l) * math.Ceil(beatBytes*float64(other.instances(l))/unitBytes)
	}
	if beats := r.beats(l); beats > 0 {
		add((beats+looks)*beatsRead/1e6*price("table read")+written/1e6*price("table write")+beats/1e3*price("object read"), "pulse")
	}
	if r.ScalerRuns > 0 {
		runs := seconds / 60 * r.ScalerRuns
		add(runs/1e6*price("function call")+runs*runSeconds*float64(r.FunctionMemoryMiB)/1024*price("function second")+
			runs*runLogBytes/gb*price("logs")+runMetrics*price("metric"), "scaler")
	}
	add(times(r.AlarmMetrics, "alarm", 1)+times(r.CompositeAlarms, "composite alarm", 1), "alarms")
	add(times(r.Dashboards, "dashboard", 1), "dashboards")
	add(times(r.Keys, "key", 1), "keys")
	out := requests * answerBytes / gb
	if r.Public || d.Accelerators > 0 { // a private network's way to its users has its own price
		add(out*price("transfer out"), "transfer to users")
	}
	if d.Accelerators > 0 {
		add(out*price("accelerator transfer"), "transfer through the accelerator")
		if name == d.Home {
			add(times(d.Accelerators, "accelerator", hours), "accelerator")
		}
	}
	return lines
}

// instances are those of a region's fleet.
func (r *Region) instances(l Load) int {
	if l.Full {
		return r.Max
	}
	return r.Min
}

// beats are those of a region's instances in a month.
func (r *Region) beats(l Load) float64 {
	if !r.Pulse {
		return 0
	}
	return float64(r.instances(l)) * seconds / beatsEvery
}

// looks are a region's lighthouse's in a month: each of the load balancer's
// nodes asks, one in each zone.
func (d Deployment) looks(region string) float64 {
	r := d.Regions[region]
	if r.LooksEvery == 0 {
		return 0
	}
	return float64(r.Zones) * seconds / float64(r.LooksEvery)
}

// units are a load balancer's, of which the dimension that is used most counts:
// 25 new connections a second, or a gigabyte an hour.
func units(requests float64) float64 {
	return max(requests/seconds/perConnection/25, requests*answerBytes/gb/hours)
}
