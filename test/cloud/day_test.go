package cloud_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/command/doctor"
	"github.com/archipelago-cdk/archipelago/internal/local/cloud"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/archipelago-cdk/archipelago/internal/matrix"
	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// Paces of the day. Instances and functions are programs of this machine, and take
// its time: at pace 10 a health check's interval is still longer than an answer.
const (
	calm = 10
	// busy makes an hour of a minute, and less: what the scaler looks at passes in
	// seconds, and two boots fit between two of its runs.
	busy = 60
	// waiting is for what is sure to fail and only has to be waited for. Functions run
	// on their schedule meanwhile: at a higher pace they keep the emulator from
	// answering the load.
	waiting = 150
)

// day is one of a local cloud, in which one step comes after the other.
type day struct {
	dir     string
	running cloud.Running
	control emulator.Control
	passed  map[string]bool

	// The employee who is looked for all day, and a session of somebody else.
	path    string
	photo   []byte
	session string

	load *load
}

// step is a part of the day. It is skipped, and says why, where a step that it needs
// did not pass: what comes after one that failed is seen all the same.
func (d *day) step(t *testing.T, name string, needs []string, do func(t *testing.T)) {
	t.Run(name, func(t *testing.T) {
		for _, need := range needs {
			if !d.passed[need] {
				t.Skipf("it needs the step %q, which did not pass", need)
			}
		}
		began := time.Now()
		do(t)
		t.Logf("%.1f s; the clock: %s", time.Since(began).Seconds(), d.clock(t))
		d.passed[name] = !t.Failed()
	})
}

// TestIslands brings two islands up with the real CDK CLI, and takes them through
// what they are there for: a day of one local cloud.
func TestIslands(t *testing.T) {
	t.Parallel()
	two, three := "archipelago.regions=eu-west-1,us-east-1", "archipelago.regions=eu-west-1,us-east-1,ap-southeast-2"
	// Full from the start, and hot under little load; without a goal, which would keep it
	// at startAt until it has a past.
	scaled := []string{
		"archipelago.fleet.goal=0",
		"archipelago.fleet.max=2", "archipelago.fleet.cpuTarget=10", "archipelago.fleet.ladder=m7g.medium,m7g.large,m7g.xlarge",
		"archipelago.service.environment.ALLOW_CLEARTEXT=true",
	}
	assemblies := synthesize(t,
		[]string{two}, []string{three}, append([]string{two, "archipelago.fleet.startAt=m7g.large"}, scaled...),
		append([]string{three, "archipelago.waf.rateLimit=9000", "archipelago.fleet.startAt=m7g.xlarge"}, scaled...))
	first, joined, changed, unrelated := assemblies[0], assemblies[1], assemblies[2], assemblies[3]

	d := begin(t, first)
	const (
		replaced = "an instance that is lost is replaced, and its sessions go on"
		second   = "a second run deploys into the first"
		rejoins  = "what has nothing to do with the fleet leaves it as it is, and a region joins again"
	)
	d.step(t, "every region has every employee and photo", nil, d.replicates)
	d.step(t, "every island lists all", nil, d.listsAll)
	d.step(t, "the web ACL lets pass what the service links to and other sites' cookies", nil, d.passesTheWebACL)
	d.step(t, "the doctor looks at everything, and nothing is in a deployment's way", nil, func(t *testing.T) { d.seesADoctor(t, two) })
	d.step(t, "a sign-out holds everywhere", nil, d.signsOut)
	d.step(t, replaced, nil, d.replaces)
	d.step(t, "a photo comes from the other region until it is replicated", nil, d.fetchesPhotos)
	d.step(t, "every permission is needed", nil, func(t *testing.T) { permissions(t, d.running, d.session) })
	for service, part := range map[string]string{"dynamodb": "table employees", "s3": "bucket photos"} {
		d.step(t, "users move away from an island that loses its "+part+", and come back", nil, func(t *testing.T) { d.darkens(t, service, part) })
	}
	for way, cut := range map[string]func(*testing.T, string) func(){"way": d.cutsRoute, "right": d.deniesRole} {
		if way == "way" || matrix.All() {
			d.step(t, "users move away from an island whose fleet alone loses its "+way+" to its table, and come back", nil, func(t *testing.T) { d.losesTable(t, cut) })
		}
	}
	d.step(t, "users move away from an island whose load balancer fails by itself, and come back half an hour later", nil, d.losesWebACL)
	d.step(t, "an operator drains an island, and ends it", nil, d.drains)
	d.step(t, "a region joins and leaves, and no other instance is replaced", nil, func(t *testing.T) {
		d.keepsInstances(t, []string{"eu-west-1", "us-east-1"}, func() {
			d.deploy(t, joined)
			d.serves(t, "eu-west-1", "us-east-1", "ap-southeast-2")
			d.deploy(t, first)
			d.serves(t, "eu-west-1", "us-east-1")
		})
	})
	d.step(t, second, nil, func(t *testing.T) { d.deploysAgain(t, changed) })

	const climbs = "under load the fleet climbs its ladder"
	d.step(t, "under load a step to a type that does not boot is rolled back", []string{second}, d.rollsBack)
	d.step(t, climbs, []string{second}, d.climbs)
	d.endLoad(t)
	d.step(t, rejoins, []string{second}, func(t *testing.T) { d.keepsFleet(t, unrelated) })
	d.step(t, "users and their sessions move away from a region that has no fleet", nil, d.losesFleet)
}

// begin brings the islands up and adds an employee.
func begin(t *testing.T, a *assembly) *day {
	dir := t.TempDir()
	running := up(t, options(dir, a.await(t)))
	d := &day{dir: dir, running: running, control: emulator.Control{URL: running.Emulator}, passed: map[string]bool{}}
	d.session = signIn(t, running.URL, running)
	d.path, d.photo = addEmployee(t, running.URL, d.session, ada)
	return d
}

const ada = "Ada Lovelace"

// clock is the emulator's.
func (d *day) clock(t *testing.T) emulator.Clock {
	t.Helper()
	clock, err := d.control.Clock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return clock
}

// pace has the clock run at pace k.
func (d *day) pace(t *testing.T, k float64) {
	t.Helper()
	if err := d.control.SetPace(t.Context(), k); err != nil {
		t.Fatal(err)
	}
}

// await waits until the employee is read at an address, answered by a region.
func (d *day) await(t *testing.T, address, region string) {
	t.Helper()
	awaitEmployee(t, address, d.path, ada, d.photo, region)
}

// deploy deploys into the local cloud.
func (d *day) deploy(t *testing.T, a *assembly, tags ...string) string {
	t.Helper()
	var output bytes.Buffer
	o := options(d.dir, a.await(t))
	o.Tags, o.Out = tags, &output
	o.Port, o.PortGiven = 1, true // not where the entry is
	if err := cloud.Up(t.Context(), o); err != nil {
		t.Fatalf("%v\n%s", err, &output)
	}
	return output.String()
}

// serves checks that each of the regions answers by itself.
func (d *day) serves(t *testing.T, regions ...string) {
	t.Helper()
	for _, region := range regions {
		address := playing(t, d.running).Regions[region]
		if a := fetch(t, address+d.path); a.island != region {
			t.Errorf("%s: status %d from %q at %q", region, a.status, a.island, address)
		}
	}
}

// keepsInstances checks that do replaces none of these regions. Another one that is
// no longer configured stays deployed, as stacks do, and changes when it is again.
func (d *day) keepsInstances(t *testing.T, regions []string, do func()) {
	t.Helper()
	before := slices.DeleteFunc(deployed(t, d.running).Instances, func(i emulator.Instance) bool { return !slices.Contains(regions, i.Region) })
	do()
	after := deployed(t, d.running).Instances
	for _, i := range before {
		if !slices.ContainsFunc(after, func(o emulator.Instance) bool { return o.ID == i.ID }) {
			t.Errorf("%s of %s was replaced", i.ID, i.Region)
		}
	}
}

// seesADoctor has an operator look over what runs.
func (d *day) seesADoctor(t *testing.T, settings string) {
	var output bytes.Buffer
	err := doctor.Run(t.Context(), []string{"-root", "../..", "-dir", d.dir, "-c", settings}, &output)
	if said := output.String(); err != nil || strings.Contains(said, "not looked at") || !strings.Contains(said, " 0 fail\n") {
		t.Errorf("%v:\n%s", err, said)
	}
}

func (d *day) replicates(t *testing.T) {
	emulatortest.Advance(t, d.control, replicationDelay)
	for region, address := range d.running.Regions {
		d.await(t, address, region)
	}
}

func (d *day) listsAll(t *testing.T) {
	for _, address := range d.running.Regions {
		await(t, func() error {
			a := fetch(t, address+"/islands")
			for region := range d.running.Regions {
				if !strings.Contains(string(a.body), region) {
					return fmt.Errorf("%s is not among the islands that %s lists", region, a.island)
				}
			}
			return nil
		})
	}
}

func (d *day) passesTheWebACL(t *testing.T) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.running.URL+"/?location="+strings.Repeat("%F0%A0%AE%B7", 200), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Cookie", "other="+strings.Repeat("c", 15_000))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("got %s", res.Status)
	}
}

func (d *day) signsOut(t *testing.T) {
	here, there := d.running.Regions["eu-west-1"], d.running.Regions["us-east-1"]
	session := signIn(t, here, d.running)
	if err := signedIn(t, there, session); err != nil {
		t.Fatal(err)
	}
	send(t, "DELETE", here+"/api/session", session, "", nil)
	if signedIn(t, here, session) == nil {
		t.Error("it does not hold where it was done")
	}
	await(t, func() error {
		if signedIn(t, there, session) == nil {
			return errors.New("it does not hold in the other region")
		}
		return nil
	})
}

func (d *day) replaces(t *testing.T) {
	before := fleetOf(t, d.running, "eu-west-1")
	session, instance := signInAt(t, d.running.URL, d.running)
	aws(t, d.running, "ec2", "eu-west-1", url.Values{
		"Action": {"TerminateInstances"}, "Version": {"2016-11-15"}, "InstanceId.1": {instance},
	})
	await(t, func() error {
		if slices.Contains(fleetOf(t, d.running, "eu-west-1"), instance) {
			return fmt.Errorf("%s is still there", instance)
		}
		return allHealthy(t, d.running, len(before))
	})
	d.await(t, d.running.URL, "eu-west-1")
	if err := signedIn(t, d.running.URL, session); err != nil {
		t.Error(err)
	}
}

func (d *day) fetchesPhotos(t *testing.T) {
	const name = "Grace Hopper"
	there := d.running.Regions["eu-west-1"]
	path, photo := addEmployee(t, d.running.Regions["us-east-1"], d.session, name)
	e := employee(t, there, path)
	got := fetch(t, there+e.PhotoURL)
	if !bytes.Equal(got.body, photo) || got.island != "" {
		t.Errorf("got %d bytes with status %d from %q, want the photo's %d from the other region's bucket", len(got.body), got.status, got.island, len(photo))
	}
	emulatortest.Advance(t, d.control, replicationDelay)
	awaitEmployee(t, there, path, name, photo, "eu-west-1")
}

// refusedWithin bounds, by AWS's clock, how long users of a region go without what its
// store refuses to all: two checks of the lighthouse, 30 s, and the entry's own; and
// healedWithin how long they are elsewhere when it is well again.
const (
	refusedWithin = 90 * time.Second
	healedWithin  = 2 * time.Minute
)

// darkens has a region's calls of a service fail. The table's are at AWS's pace, by which
// the time that it takes is measured.
func (d *day) darkens(t *testing.T, service, part string) {
	const region = "eu-west-1"
	d.replicates(t)
	bound := time.Minute
	if service == "dynamodb" {
		d.pace(t, 1)
		defer d.pace(t, calm)
		bound = refusedWithin
	}
	fail := func(failing emulator.Failing) {
		t.Helper()
		if err := d.control.Fail(t.Context(), failing); err != nil {
			t.Fatal(err)
		}
	}
	defer fail(emulator.Failing{})
	unharmed := d.unharmed(t, region)
	fail(emulator.Failing{region: {service}})
	d.within(t, "users have moved", bound, "us-east-1")
	d.await(t, d.running.URL, "us-east-1")
	look := lookAt(t, d.running, region)
	if look.status != 503 || look.Parts[part] == "ok" || look.Failing != 1 {
		t.Errorf("the lighthouse says %+v, want that only %q fails", look, part)
	}
	unharmed()
	fail(emulator.Failing{})
	d.within(t, "users are back", healedWithin, region)
	d.await(t, d.running.URL, region)
	unharmed()
}

// within checks that users are answered by a region, and logs after how much of AWS's time
// they are. bound is of this machine's, which at a pace of 1 is the same.
func (d *day) within(t *testing.T, what string, bound time.Duration, region string) {
	t.Helper()
	began := d.clock(t)
	awaitFor(t, bound, func() error {
		if a := fetch(t, d.running.URL+d.path); a.status != 200 || a.island != region {
			return fmt.Errorf("%s: status %d from %q, want %q", what, a.status, a.island, region)
		}
		return nil
	})
	t.Logf("%s after %.0f s of AWS's time, at pace %.0f", what, d.clock(t).Now.Sub(began.Now).Seconds(), began.Pace)
}

// cutsRoute takes the route tables of a region's fleet out of its endpoint of DynamoDB: its
// calls have no way there. It returns what puts them back.
func (d *day) cutsRoute(t *testing.T, region string) func() {
	client := ec2.NewFromConfig(administrator(d.running, region))
	service := "com.amazonaws." + region + ".dynamodb"
	found, err := client.DescribeVpcEndpoints(t.Context(), &ec2.DescribeVpcEndpointsInput{Filters: []ec2types.Filter{{Name: sdk.String("service-name"), Values: []string{service}}}})
	if err != nil || len(found.VpcEndpoints) != 1 {
		t.Fatalf("got %v, %v, want one endpoint of DynamoDB", found, err)
	}
	endpoint := found.VpcEndpoints[0]
	modify := func(in ec2.ModifyVpcEndpointInput) {
		in.VpcEndpointId = endpoint.VpcEndpointId
		if _, err := client.ModifyVpcEndpoint(t.Context(), &in); err != nil {
			t.Error(err)
		}
	}
	modify(ec2.ModifyVpcEndpointInput{RemoveRouteTableIds: endpoint.RouteTableIds})
	return func() { modify(ec2.ModifyVpcEndpointInput{AddRouteTableIds: endpoint.RouteTableIds}) }
}

// deniesRole takes the role of a region's fleet its tables: its calls are refused. It
// returns what gives them back.
func (d *day) deniesRole(t *testing.T, region string) func() {
	const policy = "NoTables"
	roles := rolesOf(t, d.running)
	fleet := roles[slices.IndexFunc(roles, func(r role) bool { return r.region() == region && strings.Contains(r.name, "-FleetRole") })]
	w := &walk{running: d.running}
	w.put(t, fleet, policy, document{Version: "2012-10-17", Statement: []rule{{Effect: "Deny", Action: words{"dynamodb:*"}, Resource: words{"*"}}}})
	return func() { w.put(t, fleet, policy, document{}) }
}

// losesTable cuts a region's fleet off from its tables, which the lighthouse reaches, and
// puts it back. Beats come by this machine's clock, so that it runs at AWS's pace.
func (d *day) losesTable(t *testing.T, cut func(*testing.T, string) func()) {
	const region = "eu-west-1"
	d.pace(t, 1)
	defer d.pace(t, calm)
	heard := func() error {
		if look := lookAt(t, d.running, region); look.Parts["fleet"] != "ok" {
			return fmt.Errorf("the lighthouse says %+v, want a fleet that reaches its stores", look)
		}
		return nil
	}
	await(t, heard)
	unharmed := d.unharmed(t, region)
	restore := sync.OnceFunc(cut(t, region))
	defer restore()
	d.within(t, "users have moved", 3*time.Minute, "us-east-1")
	if look := lookAt(t, d.running, region); look.status != 503 || look.Failing != 1 || !strings.HasPrefix(look.Parts["fleet"], "no instance has said for ") || look.Parts["table employees"] != "ok" {
		t.Errorf("the lighthouse says %+v, want that only the fleet does not reach its stores", look)
	}
	unharmed()
	restore()
	d.within(t, "users are back", healedWithin, region)
	unharmed()
}

// losesWebACL has a load balancer that may not let requests pass unseen ask a web ACL that
// does not answer: the alarm on its 500s darkens the island after five minutes, and lets it
// be tried again when it has seen half an hour without.
func (d *day) losesWebACL(t *testing.T) {
	const region, part = "eu-west-1", "load balancer"
	client := elasticloadbalancingv2.NewFromConfig(administrator(d.running, region))
	balancers, err := client.DescribeLoadBalancers(t.Context(), nil)
	if err != nil || len(balancers.LoadBalancers) != 1 {
		t.Fatalf("got %v, %v, want one load balancer", balancers, err)
	}
	failsOpen := func(value string) {
		t.Helper()
		if _, err := client.ModifyLoadBalancerAttributes(t.Context(), &elasticloadbalancingv2.ModifyLoadBalancerAttributesInput{
			LoadBalancerArn: balancers.LoadBalancers[0].LoadBalancerArn,
			Attributes:      []elbtypes.LoadBalancerAttribute{{Key: sdk.String("waf.fail_open.enabled"), Value: &value}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	fail := func(failing emulator.Failing) {
		t.Helper()
		if err := d.control.Fail(t.Context(), failing); err != nil {
			t.Fatal(err)
		}
	}
	d.replicates(t)
	unharmed := d.unharmed(t, region)
	defer fail(emulator.Failing{})
	fail(emulator.Failing{region: {"wafv2"}})
	if a := fetch(t, d.running.URL+d.path); a.status != 200 || a.island != region {
		t.Errorf("as it is deployed: status %d from %q, want that requests pass", a.status, a.island)
	}
	failsOpen("false")
	await(t, func() error {
		if a := fetch(t, d.running.URL+d.path); a.status != 500 {
			return fmt.Errorf("status %d from %q, want the load balancer's own 500", a.status, a.island)
		}
		return nil
	})
	d.within(t, "users have moved", 2*time.Minute, "us-east-1")
	fail(emulator.Failing{})
	failsOpen("true")
	d.await(t, d.running.Regions[region], region) // which is dark, and answers who asks it
	await(t, func() error {
		look := lookAt(t, d.running, region)
		if look.status != 503 || look.Failing != 1 || !strings.HasPrefix(look.Parts[part], "it answers users with 500 by itself") {
			return fmt.Errorf("the lighthouse says %+v, want that only the load balancer fails", look)
		}
		return nil
	})
	unharmed()
	d.await(t, d.running.URL, "us-east-1")
	emulatortest.Advance(t, d.control, 30*time.Minute)
	d.within(t, "users are back", 2*time.Minute, region)
	unharmed()
}

func (d *day) drains(t *testing.T) {
	const region = "eu-west-1"
	unharmed := d.unharmed(t, region)
	makeOperator(t, d.running, "drain", "REGION="+region)
	d.await(t, d.running.URL, "us-east-1")
	if look := lookAt(t, d.running, region); look.status != 503 || !look.Drained || look.Failing != 0 {
		t.Errorf("the lighthouse says %+v, want it drained and well", look)
	}
	d.await(t, d.running.Regions[region], region) // users who are there are still answered
	makeOperator(t, d.running, "drain", "REGION="+region, "OFF=1")
	d.await(t, d.running.URL, region)
	unharmed()
}

// unharmed returns what checks that a region's machines are those of now, and well.
func (d *day) unharmed(t *testing.T, region string) func() {
	machines := fleetOf(t, d.running, region)
	return func() {
		t.Helper()
		if after := fleetOf(t, d.running, region); !slices.Equal(after, machines) {
			t.Errorf("the fleet was %v and is %v: a dark island keeps its machines", machines, after)
		}
		if err := allHealthy(t, d.running, len(machines)); err != nil {
			t.Error(err)
		}
	}
}

func (d *day) deploysAgain(t *testing.T, a *assembly) {
	before := fleetOf(t, d.running, "eu-west-1")
	// As `make up` does: instances are replaced as soon as they are healthy, and none
	// is given up on while this machine boots it.
	d.pace(t, 4)
	emulatortest.Set(t, d.control, emulator.Settings{Hurry: true})
	output := d.deploy(t, a)
	emulatortest.Set(t, d.control, emulator.Settings{})
	d.pace(t, calm)
	for _, want := range []string{d.running.Setup, "PORT=1 is ignored: to serve there, end that process first"} {
		if !strings.Contains(output, want) {
			t.Errorf("the output lacks %q:\n%s", want, output)
		}
	}
	if err := allHealthy(t, d.running, len(before)); err != nil {
		t.Error(err)
	}
	for _, id := range fleetOf(t, d.running, "eu-west-1") {
		if slices.Contains(before, id) {
			t.Errorf("%s is still there, with the old setting", id)
		}
	}
	for _, i := range deployed(t, d.running).Instances {
		if i.Type != "m7g.medium" {
			t.Errorf("%s is a %s: startAt is for the first deployment only", i.ID, i.Type)
		}
	}
	d.await(t, d.running.URL, "eu-west-1")
}

// loaded is the fleet of eu-west-1 under load, at the busy pace.
func (d *day) loaded(t *testing.T) *scaledFleet {
	t.Helper()
	d.pace(t, busy)
	if d.load == nil {
		// The other islands share this machine, and are no part of it: one that left the
		// configuration stays deployed.
		d.freeze(t, "us-east-1")
		d.freeze(t, "ap-southeast-2")
		d.load = startLoad(t, d.running)
	}
	return &scaledFleet{t, d.running, d.dir}
}

func (d *day) endLoad(t *testing.T) {
	if d.load != nil {
		d.load.stop(t)
	}
	d.pace(t, calm)
}

// freeze is what `make freeze` does for what runs here.
func (d *day) freeze(t *testing.T, region string) {
	t.Helper()
	if err := cloud.Turn(t.Context(), cloud.Options{Root: "../..", Dir: d.dir}, "archipelago", region, cloud.Frozen, true); err != nil {
		t.Fatal(err)
	}
}

func (d *day) break_(t *testing.T, types ...string) {
	t.Helper()
	if err := d.control.Break(t.Context(), types...); err != nil {
		t.Fatal(err)
	}
}

func (d *day) rollsBack(t *testing.T) {
	d.break_(t, "m7g.large", "m7g.xlarge") // how hot it gets, and so how far it goes, hangs on this machine
	defer d.break_(t)
	fleet := d.loaded(t)
	fleet.await("a step begins", func(s fleetState) error {
		if !slices.ContainsFunc(s.Instances, func(i string) bool { return !strings.HasSuffix(i, " m7g.medium") }) {
			return fmt.Errorf("the fleet is %+v, want an instance of a larger type", s)
		}
		return nil
	})
	var failed time.Time
	rolledBack := func(s fleetState) error {
		failure, err := s.failure()
		if err != nil || failure == nil {
			return fmt.Errorf("the fleet is %+v, want a step that failed: %v", s, err)
		}
		failed = failure.At
		return s.rests("m7g.medium")
	}
	d.pace(t, waiting)
	fleet.await("it is rolled back", rolledBack)
	d.pace(t, busy)
	d.load.unharmed(t, "while a step failed")
	// A quarter of an hour after it failed a step to the other type may begin.
	fleet.stays(failed.Add(10*time.Minute), rolledBack)
}

func (d *day) climbs(t *testing.T) {
	fleet := d.loaded(t)
	// A run of the scaler that is under way may write the failed step again; it is gone when
	// a step to the same type has succeeded.
	fleet.forget()
	fleet.await("the largest rung", func(s fleetState) error {
		if failure, err := s.failure(); err != nil || failure != nil {
			return fmt.Errorf("the fleet is %+v, want no step that failed: %v", s, err)
		}
		return s.rests("m7g.xlarge")
	})
	d.load.stop(t)
	d.load.unharmed(t, "while it climbed")
	d.load.nothingLost(t)
}

// keepsFleet deploys what changes neither what the fleet has nor what its template
// says: another setting, another start, a tag, a region that joins.
func (d *day) keepsFleet(t *testing.T, a *assembly) {
	fleet := &scaledFleet{t, d.running, d.dir}
	d.freeze(t, "eu-west-1")
	before, template := fleet.state(), fleet.template()
	d.keepsInstances(t, []string{"eu-west-1", "us-east-1"}, func() {
		d.deploy(t, a, "cost-center=42")
		d.serves(t, "eu-west-1", "us-east-1", "ap-southeast-2")
	})
	if after := fleet.state(); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the fleet was %v and is %v", before, after)
	}
	if after := fleet.template(); after != template {
		t.Errorf("the template said %s and says %s", template, after)
	}
}

func (d *day) losesFleet(t *testing.T) {
	session := signIn(t, d.running.Regions["eu-west-1"], d.running)
	aws(t, d.running, "autoscaling", "eu-west-1", url.Values{
		"Action": {"UpdateAutoScalingGroup"}, "Version": {"2011-01-01"}, "AutoScalingGroupName": {groupOf(t, d.running, "eu-west-1")},
		"MinSize": {"0"}, "DesiredCapacity": {"0"},
	})
	d.await(t, d.running.URL, "us-east-1")
	if err := signedIn(t, d.running.URL, session); err != nil {
		t.Error(err)
	}
}
