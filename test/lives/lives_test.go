package lives_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/archipelago-cdk/archipelago/internal/local/lambda"
	"github.com/archipelago-cdk/archipelago/internal/matrix"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	gocmp "github.com/google/go-cmp/cmp"
)

// commandWithin bounds one command of an operator: one that hangs is meant, not a
// machine that is busy.
const commandWithin = 30 * time.Minute

// step is something that an operator does with a deployment.
type step struct {
	name string
	// may reports whether a deployment as it is has the step.
	may func(*life) bool
	do  func(*life)
}

func always(*life) bool { return true }

// steps are all, in their order.
var steps = []step{
	{"deploy", always, func(l *life) { l.deploy(); l.write("before") }},
	{"change", always, (*life).change},
	{"add", func(l *life) bool { return l.joining() != "" }, func(l *life) { l.add(l.joining()); l.write("after") }},
	{"lose the primary", func(l *life) bool { return len(l.config.Islands()) > 1 }, (*life).losePrimary},
	{"lose a secondary", func(l *life) bool { return l.joined != "" }, (*life).loseSecondary},
	{"remove", func(l *life) bool { return l.joined != "" }, func(l *life) { l.remove(l.joined) }},
	{"leave", func(l *life) bool { return l.config.Entry == config.EntryAccelerator }, (*life).leaveAccelerator},
	{"restore", func(l *life) bool { return l.config.Protect }, (*life).restore},
	{"destroy", always, (*life).destroy},
}

// gate are the lives of each run of the tests, and their steps: each step at least
// once, with data that is protected and without.
var gate = map[string][]string{
	"certified": {"deploy", "add", "lose a secondary", "remove", "restore", "destroy"},
	"leaving":   {"deploy", "change", "lose the primary", "leave", "destroy"},
	"private":   {"deploy", "destroy"}, // in a network that exists
}

// TestLives takes configurations through all that an operator does with them, by
// the CDK CLI, the AWS CLI and the commands of docs/operations.md. Each lives in an
// emulator of its own. No instance runs: what they do is TestIslands' business, in
// test/cloud. With -all or -shard each has all steps that it may have.
func TestLives(t *testing.T) {
	app := serveApp(t)
	var names []string
	if matrix.All() {
		names = matrix.Chosen()
	} else {
		names = slices.Sorted(maps.Keys(gate))
	}
	// Those that take longest begin first.
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(matrix.Weight(b), matrix.Weight(a)) })
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			l := begin(t, app, name)
			for _, s := range steps {
				switch listed := slices.Contains(gate[name], s.name); {
				case !matrix.All() && !listed:
					continue
				case !s.may(l):
					if !matrix.All() {
						t.Errorf("the life of %s in the gate has no %s", name, s.name)
					}
					continue
				}
				if !t.Run(s.name, func(t *testing.T) { l.in(t, s.do) }) {
					return
				}
			}
			t.Logf("%s: %.0f s, of the processor %.0f in commands", name, time.Since(start).Seconds(), l.processor.Seconds())
		})
	}
}

// TestGateHasEveryStep: with protected data and without.
func TestGateHasEveryStep(t *testing.T) {
	protected := map[bool]bool{}
	had := map[string]bool{}
	for name, list := range gate {
		c, err := matrix.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		protected[c.Protect] = true
		for _, s := range list {
			had[s] = true
			if !slices.ContainsFunc(steps, func(known step) bool { return known.name == s }) {
				t.Errorf("%s: there is no step %q", name, s)
			}
		}
	}
	for _, s := range steps {
		if !had[s.name] {
			t.Errorf("no life of the gate has the step %q", s.name)
		}
	}
	if !protected[true] || !protected[false] {
		t.Errorf("the lives of the gate are protected: %v, want both", protected)
	}
}

// life is a deployment in an emulator, and the folder that it is operated from.
type life struct {
	t       *testing.T // of the step
	name    string     // of the configuration
	dir     string
	control emulator.Control
	// context is that of cdk.json, and config what it says.
	context map[string]any
	config  config.Config
	// before is what the account held when the life began.
	before []string
	// kept are the regions that had storage.
	kept []string
	// written are the names of the employees that were written, and photos the
	// keys of the photos by their region.
	written []string
	photos  map[string][]string
	// joined is the region that was added, "" for none.
	joined string
	// processor is the time that commands took of it.
	processor time.Duration
}

// in does a step in a test of its own.
func (l *life) in(t *testing.T, do func(*life)) {
	whole := l.t
	defer func() { l.t = whole }()
	l.t = t
	do(l)
}

// variant is what AWS does where its documents leave it open: the first in the gate, and
// another one in each shard. No instance runs in a life, so that there is nothing to
// judge in AWS's minutes.
func variant() emulator.Settings {
	var settings emulator.Settings
	if matrix.All() {
		settings = emulator.RollbackVariant(matrix.Shard() + 1)
	}
	settings.Hurry = true
	return settings
}

// begin starts an emulator, and an operator's folder with a configuration.
func begin(t *testing.T, app, name string) *life {
	server, err := emulator.Start(t.Context(), emulator.Options{ReplicationDelay: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	context, err := matrix.Context(name)
	if err != nil {
		t.Fatal(err)
	}
	control := emulator.Control{URL: server.URL}
	play(t, control)
	if err := control.Set(t.Context(), variant()); err != nil {
		t.Fatal(err)
	}
	l := &life{t: t, name: name, dir: t.TempDir(), control: control, context: context, photos: map[string][]string{}}
	root, err := matrix.Root()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"node_modules", ".venv"} {
		if err := os.Symlink(filepath.Join(root, name), filepath.Join(l.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(l.dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	makeScript := fmt.Sprintf("#!/bin/sh\nPATH=%q\nexec make --directory=%q \"$@\"\n", os.Getenv("PATH"), root)
	for name, script := range map[string]string{"aws": awsCLI, "cdk": cdkCLI, "make": makeScript} {
		if err := os.WriteFile(filepath.Join(l.dir, "bin", name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	l.save(app)
	l.makeExisting()
	l.run("cdk bootstrap")
	l.before = l.held()
	l.kept = l.regions()
	return l
}

// makeExisting makes what the configuration takes as it is.
func (l *life) makeExisting() {
	l.t.Helper()
	if err := l.control.Make(l.t.Context(), emulator.ExistingOf(l.config)); err != nil {
		l.t.Fatal(err)
	}
}

// play keeps instances healthy and functions running until the test ends.
func play(t *testing.T, control emulator.Control) {
	t.Helper()
	dir, err := os.MkdirTemp("", "archipelago-lives-") // anybody may enter: functions run as nobody
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { keepHealthy(ctx, control, dir); close(ended) }()
	t.Cleanup(func() { end(); <-ended; _ = os.RemoveAll(dir) })
}

// keepHealthy says of every instance that it is well, so that those that replace
// others may take their place, and runs the functions that deployments wait for,
// until ctx ends.
func keepHealthy(ctx context.Context, control emulator.Control, dir string) {
	functions := lambda.NewPool(control, dir, func(emulator.Function) io.Writer { return io.Discard }, log.Default())
	defer functions.Stop()
	asked := map[string]bool{} // others are stand-ins, which do not run
	var taken []emulator.Invocation
	for ; ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
		more, _ := control.TakeInvocations(ctx) // the test ends, or its next command says why
		for _, i := range more {
			asked[i.Function] = true
		}
		taken = append(taken, more...)
		deployed, err := control.Fleet(ctx)
		if err != nil {
			continue
		}
		health := map[string]string{}
		for _, instance := range deployed.Instances {
			health[instance.ID] = "healthy"
		}
		_ = control.Report(ctx, emulator.Status{Health: health})
		functions.Update(slices.DeleteFunc(deployed.Functions, func(f emulator.Function) bool { return !asked[f.ARN] }))
		functions.Handle(ctx, deployed.Clock.Now, taken)
		taken = nil
		// What a deployment waits for is looked at by schedule, each minute: that is long
		// where nothing boots, so it is each three seconds of this machine.
		var schedules []emulator.Schedule
		for _, s := range deployed.Schedules {
			if asked[s.Target] {
				s.Every = min(s.Every, int(3*max(1, deployed.Clock.Pace)))
				schedules = append(schedules, s)
			}
		}
		functions.Schedule(ctx, deployed.Clock.Now, schedules)
		functions.Deliver(ctx, deployed.Clock.Now)
	}
}

// The operator's tools; make is the checkout's. The AWS CLI takes an empty profile for a name, and the CDK
// CLI asks on a terminal whether to destroy.
const (
	awsCLI = `#!/bin/sh
unset AWS_PROFILE
exec "${PYTHON:-python3}" -m awscli "$@"
`
	cdkCLI = `#!/bin/sh
test "$1" != destroy || set -- "$@" --force
exec node_modules/.bin/cdk "$@" --no-notices
`
)

// save writes cdk.json, with the app if one is named.
func (l *life) save(app string) {
	l.t.Helper()
	l.parse()
	path := filepath.Join(l.dir, "cdk.json")
	file := map[string]any{"app": app, "requireApproval": "never"}
	if app == "" {
		b, err := os.ReadFile(path)
		if err != nil {
			l.t.Fatal(err)
		}
		if err := json.Unmarshal(b, &file); err != nil {
			l.t.Fatal(err)
		}
	}
	file["context"] = l.context
	b, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		l.t.Fatal(err)
	}
}

// set writes a setting into cdk.json.
func (l *life) set(key string, value any) {
	l.t.Helper()
	l.context[config.ContextKey+"."+key] = value
	l.save("")
}

// parse reads cdk.json's configuration.
func (l *life) parse() {
	l.t.Helper()
	deployment, err := config.Parse(maps.Clone(l.context), matrix.Account)
	if err != nil {
		l.t.Fatal(err)
	}
	l.config = deployment
}

// regions are those that cdk.json has, the retired ones too.
func (l *life) regions() []string {
	var names []string
	for _, r := range l.config.Regions {
		names = append(names, r.Name)
	}
	return names
}

// answering is the first region that is not lost.
func (l *life) answering() string {
	i := slices.IndexFunc(l.config.Regions, func(r config.Region) bool { return !r.Lost })
	return l.config.Regions[i].Name
}

// tryShell runs commands as an operator does, and returns what they print.
func (l *life) tryShell(commands string) (string, error) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), commandWithin)
	defer cancel()
	return l.shell(ctx, l.control.URL, commands)
}

// shell runs commands until ctx ends, with AWS at an address, and returns what they
// print.
func (l *life) shell(ctx context.Context, address, commands string) (string, error) {
	cmd := exec.CommandContext(ctx, "bash", "-euc", commands)
	cmd.Dir = l.dir
	cmd.WaitDelay = 10 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Env = append(append(os.Environ(), emulator.Environment(address)...),
		"PATH="+filepath.Join(l.dir, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"),
		"AWS_REGION="+l.answering(), "AWS_DEFAULT_REGION="+l.answering(), "AWS_PAGER=", "CDK_DISABLE_CLI_TELEMETRY=true", "CDK_DISABLE_VERSION_CHECK=1", "CI=true", "NO_COLOR=1")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState != nil {
		l.processor += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	return string(out), err
}

// run runs commands that must succeed.
func (l *life) run(commands string) string {
	l.t.Helper()
	start := time.Now()
	out, err := l.tryShell(commands)
	if err != nil {
		l.t.Fatalf("%s: %v\n%s", commands, err, out)
	}
	l.t.Logf("%5.1f s  %s", time.Since(start).Seconds(), strings.TrimSpace(commands))
	return out
}

// aws is how the test itself, who is not an operator, asks the emulator.
func (l *life) aws(region string) aws.Config {
	return emulatortest.Config(l.control, region)
}

func (l *life) dynamoDB(region string) *dynamodb.Client {
	return dynamodb.NewFromConfig(l.aws(region))
}

func (l *life) s3(region string) *s3.Client {
	return s3.NewFromConfig(l.aws(region), func(o *s3.Options) { o.UsePathStyle = true })
}

// names fills in what docs/operations.md writes in capitals.
func (l *life) names(region string) *strings.Replacer {
	return strings.NewReplacer("NAME=NAME", "NAME="+l.config.Name, "REGION=REGION", "REGION="+region,
		"NAME", l.config.Name, "REGION", region, "ACCOUNT", matrix.Account, "PRIMARY", l.regions()[0])
}

// held is what the account holds.
func (l *life) held() []string {
	l.t.Helper()
	list, err := l.control.Resources(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	return list
}

// deploy deploys all, and checks that nothing was left behind.
func (l *life) deploy() {
	l.t.Helper()
	l.clean(l.run("cdk deploy --all"))
}

// clean checks that a deployment left nothing behind that it could not delete.
func (l *life) clean(output string) {
	l.t.Helper()
	if strings.Contains(output, "DELETE_FAILED") {
		l.t.Errorf("something was left behind:\n%s", output)
	}
}

// write writes an employee in the primary region, and an object into the bucket
// of each region that serves.
func (l *life) write(name string) {
	l.t.Helper()
	c, names := l.config, l.config.Names()
	l.written = append(l.written, name)
	_, err := l.dynamoDB(l.regions()[0]).PutItem(l.t.Context(), &dynamodb.PutItemInput{
		TableName: aws.String(names.Table("employees")),
		Item:      employee(name),
	})
	if err != nil {
		l.t.Fatal(err)
	}
	for _, region := range c.RegionNames() {
		key := object(region, name)
		l.photos[region] = append(l.photos[region], key)
		_, err := l.s3(region).PutObject(l.t.Context(), &s3.PutObjectInput{Bucket: aws.String(names.Bucket("photos", region)), Key: &key, Body: strings.NewReader(name)})
		if err != nil {
			l.t.Fatal(err)
		}
	}
	l.intact()
}

// employee is an item of the employees' table, or the key of one.
func employee(name string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: name}, "sk": &types.AttributeValueMemberS{Value: "item"}}
}

func object(region, name string) string { return "employees/" + region + "/" + name }

// intact checks that every region that serves has every employee.
func (l *life) intact() {
	l.t.Helper()
	c := l.config
	for _, region := range c.RegionNames() {
		l.hasEmployees(region)
	}
}

// hasEmployees checks that a region has every employee.
func (l *life) hasEmployees(region string) {
	l.t.Helper()
	out, err := l.dynamoDB(region).Scan(l.t.Context(), &dynamodb.ScanInput{TableName: aws.String(l.config.Names().Table("employees"))})
	if err != nil {
		l.t.Fatal(err)
	}
	var got []string
	for _, item := range out.Items {
		got = append(got, item["pk"].(*types.AttributeValueMemberS).Value)
	}
	slices.Sort(got)
	if diff := gocmp.Diff(slices.Sorted(slices.Values(l.written)), got); diff != "" {
		l.t.Errorf("employees in %s: %s", region, diff)
	}
}

// hasPhoto checks that a region's bucket has an object, or that it has not.
func (l *life) hasPhoto(region, key string, want bool) {
	l.t.Helper()
	_, err := l.s3(region).HeadObject(l.t.Context(), &s3.HeadObjectInput{Bucket: aws.String(l.config.Names().Bucket("photos", region)), Key: &key})
	var missing *s3types.NotFound
	if err != nil && !errors.As(err, &missing) {
		l.t.Fatal(err)
	}
	if got := err == nil; got != want {
		l.t.Errorf("the bucket of %s has %s: %t, want %t", region, key, got, want)
	}
}

// change changes what instances need not be replaced for.
func (l *life) change() {
	l.t.Helper()
	most := l.config.Fleet.Max + 1
	l.set("fleet.max", fmt.Sprint(most))
	l.set("alarms", "ops@example.com")
	l.deploy()
	l.intact()
	for _, region := range l.config.RegionNames() {
		l.hasMost(region, most)
	}
}

// hasMost checks the maximum of a region's fleet.
func (l *life) hasMost(region string, most int) {
	l.t.Helper()
	out, err := autoscaling.NewFromConfig(l.aws(region)).DescribeAutoScalingGroups(l.t.Context(), nil)
	if err != nil {
		l.t.Fatal(err)
	}
	if len(out.AutoScalingGroups) != 1 || *out.AutoScalingGroups[0].MaxSize != int32(most) {
		l.t.Errorf("%s: got the fleets %+v, want one with the maximum %d", region, out.AutoScalingGroups, most)
	}
}

// joining is a region that may join, if one may.
func (l *life) joining() string {
	c := l.config
	if c.Consistency == config.ConsistencyStrong {
		return ""
	}
	for _, region := range []string{"ca-central-1", "us-east-2"} {
		if !slices.Contains(l.regions(), region) {
			return region
		}
	}
	return ""
}

// setRegions writes the regions, each as its object, with changes to them.
func (l *life) setRegions(change func([]any) []any) {
	l.t.Helper()
	regions, written := l.context[config.ContextKey+".regions"]
	if !written {
		regions = l.context[config.ContextKey].(map[string]any)["regions"]
	}
	var list []any
	switch r := regions.(type) {
	case string:
		for _, name := range strings.Split(r, ",") {
			list = append(list, name)
		}
	case []any:
		list = slices.Clone(r)
	}
	l.set("regions", change(list))
}

// certificateOf is the key of a region's certificate, where those exist already.
func certificateOf(region string) string {
	return config.ContextKey + ".domain.certificateArns." + region
}

// add adds a region as the operations page says.
func (l *life) add(region string) {
	l.t.Helper()
	l.joined = region
	if l.config.Domain.CertificateARNs != nil {
		l.context[certificateOf(region)] = "arn:aws:acm:" + region + ":" + matrix.Account + ":certificate/12345678"
	}
	l.setRegions(func(regions []any) []any { return append(regions, region) })
	l.kept = append(l.kept, region)
	steps := procedure(l.t, "Add a region", l.names(region))
	const deploy, role, job, noRole = 0, 1, 2, 3
	bootstrap, rest, _ := strings.Cut(steps[deploy], "\n")
	held := l.held()
	l.makeExisting()
	l.run(bootstrap)
	for _, resource := range l.held() {
		if !slices.Contains(held, resource) {
			l.before = append(l.before, resource)
		}
	}
	l.clean(l.interrupted(rest))
	if !strings.Contains(steps[job], "s3control create-job") { // which the emulator lacks
		l.t.Errorf("want the job of S3 Batch Replication, got %s", steps[job])
	}
	l.run(steps[role] + steps[noRole])
	l.intact()
}

// interrupted runs the commands that add a region, which are killed once and run again:
// while the global stack gets its replicas. One life with all steps has them killed after
// every call.
func (l *life) interrupted(commands string) string {
	l.t.Helper()
	every := matrix.All() && l.name == everyCall
	out, calls := l.killed(commands, func(call string) bool {
		return every || call == "ExecuteChangeSet "+l.config.Names().GlobalStack()
	})
	if len(calls) == 0 {
		l.t.Error("no call was killed after")
	}
	l.t.Logf("%q", calls)
	return out
}

// everyCall is the configuration whose region joins by commands that are killed after
// every call.
const everyCall = "nat"

// losePrimary loses the primary, goes on without it as the operations page says, and has
// it back with what was written meanwhile.
func (l *life) losePrimary() {
	l.t.Helper()
	islands := l.config.RegionNames()
	l.without(islands[0], 0, islands[len(islands)-1])
}

// loseSecondary does so with the region that joined.
func (l *life) loseSecondary() {
	l.t.Helper()
	l.without(l.joined, len(l.config.Regions)-1, l.config.RegionNames()[0])
}

// without loses a region, number i of cdk.json, deploys and writes in another, and
// brings it back.
func (l *life) without(lost string, i int, writing string) {
	l.t.Helper()
	const leave, back = 0, 1
	page := procedure(l.t, "Lose a region", l.names(lost))
	names := l.config.Names()
	answer := func(regions ...string) {
		l.t.Helper()
		settings := variant()
		settings.Lost = regions
		if err := l.control.Set(l.t.Context(), settings); err != nil {
			l.t.Fatal(err)
		}
	}
	mark := func(change func(map[string]any)) {
		l.t.Helper()
		l.setRegions(func(regions []any) []any {
			region := map[string]any{"name": regions[i]}
			if settings, ok := regions[i].(map[string]any); ok {
				region = maps.Clone(settings)
			}
			change(region)
			regions[i] = region
			return regions
		})
	}

	answer(lost)
	if weight := l.config.Regions[i].Weight; l.config.Entry == config.EntryAccelerator && weight > 0 {
		const dial = 2
		drain := procedure(l.t, "Drain", l.names(lost))[dial]
		l.enters(lost, true)
		l.run(drain)
		l.enters(lost, false)
		defer func() {
			l.run(strings.Replace(drain, "--traffic-dial-percentage 0", fmt.Sprintf("--traffic-dial-percentage %d", weight), 1))
			l.enters(lost, true)
		}()
	}
	if l.config.Entry == config.EntryDNS && lost != "us-east-1" { // which has the control plane
		const leave, back = 3, 4
		drain := procedure(l.t, "Drain", l.names(lost))
		zone := strings.NewReplacer("ZONE", l.config.Domain.ZoneID, "HOST", l.config.Domain.Host)
		l.enters(lost, true)
		l.run(zone.Replace(drain[leave]))
		l.enters(lost, false)
		defer func() {
			l.enters(lost, false) // no deployment writes it
			l.run(zone.Replace(drain[back]))
			l.enters(lost, true)
		}()
	}
	answer(append([]string{lost}, l.controlPlanes()...)...)
	mark(func(region map[string]any) { region["lost"] = true })
	most := l.config.Fleet.Max + 1
	l.set("fleet.max", fmt.Sprint(most))
	l.clean(l.run(page[leave]))
	l.hasMost(writing, most)

	name := "without " + lost
	l.written = append(l.written, name)
	if _, err := l.dynamoDB(writing).PutItem(l.t.Context(), &dynamodb.PutItemInput{TableName: aws.String(names.Table("employees")), Item: employee(name)}); err != nil {
		l.t.Fatal(err)
	}
	photo := object(writing, name)
	l.photos[writing] = append(l.photos[writing], photo)
	if _, err := l.s3(writing).PutObject(l.t.Context(), &s3.PutObjectInput{Bucket: aws.String(names.Bucket("photos", writing)), Key: &photo, Body: strings.NewReader(name)}); err != nil {
		l.t.Fatal(err)
	}
	for _, region := range l.config.RegionNames() {
		if region != lost {
			l.hasEmployees(region)
		}
	}

	answer()
	mark(func(region map[string]any) { delete(region, "lost") })
	l.clean(l.run(page[back]))
	l.hasMost(lost, most)
	l.intact()
	l.hasPhoto(lost, photo, true)
}

// controlPlanes are the regions of those of global services, but for those that the
// deployment is in: what goes on without a lost region needs none of them.
func (l *life) controlPlanes() []string {
	return slices.DeleteFunc([]string{"us-east-1", "us-west-2"}, func(region string) bool {
		return slices.Contains(l.regions(), region) || region == l.config.Witness
	})
}

// enters checks that users who are near a region are sent there, or that they are not.
func (l *life) enters(region string, want bool) {
	l.t.Helper()
	deployed, err := l.control.Fleet(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	got := slices.ContainsFunc(deployed.EndpointGroups, func(g emulator.EndpointGroup) bool { return g.Region == region && g.Dial > 0 })
	if got != want {
		l.t.Errorf("users are sent to %s: %t, want %t", region, got, want)
	}
}

// remove removes a region as the operations page says.
func (l *life) remove(region string) {
	l.t.Helper()
	retire := func(regions []any) []any {
		return append(regions[:len(regions)-1], map[string]any{"name": region, "retired": true})
	}
	steps := procedure(l.t, "Remove a region", l.names(region))
	l.leaveBehind(region)
	const leave, drop, destroy = 0, 1, 2
	l.clean(l.run(steps[leave]))
	l.setRegions(retire)
	l.clean(l.run(steps[drop]))
	l.intact()
	l.run(steps[destroy])
	delete(l.context, certificateOf(region))
	l.setRegions(func(regions []any) []any { return regions[:len(regions)-1] })
	l.deploy()
	l.intact()
}

// leaveBehind writes what is written while a region lives and no stack has: what its
// scaler remembers, and the operator's switch.
func (l *life) leaveBehind(region string) {
	l.t.Helper()
	names := l.config.Names()
	for _, parameter := range []string{names.ScalingParameter(), names.FrozenParameter()} {
		_, err := ssm.NewFromConfig(l.aws(region)).PutParameter(l.t.Context(), &ssm.PutParameterInput{
			Name: &parameter, Value: aws.String("false"), Type: ssmtypes.ParameterTypeString, Overwrite: aws.Bool(true),
		})
		if err != nil {
			l.t.Fatal(err)
		}
	}
}

// refused checks that commands fail, and why.
func (l *life) refused(commands, why string) {
	l.t.Helper()
	out, err := l.tryShell(commands)
	if err == nil || !strings.Contains(out, why) {
		l.t.Errorf("%s: want it refused for %s, got %v\n%s", commands, why, err, out)
	}
}

// leaveAccelerator goes on without one as the operations page says.
func (l *life) leaveAccelerator() {
	l.t.Helper()
	l.setRegions(func(regions []any) []any {
		for i, region := range regions {
			if settings, ok := region.(map[string]any); ok && l.config.Regions[i].Weight%100 != 0 {
				settings = maps.Clone(settings)
				settings["weight"] = "100"
				regions[i] = settings
			}
		}
		return regions
	})
	steps := procedure(l.t, "Leave the accelerator", l.names(""))
	const regions, rest = 0, 1
	l.clean(l.run(steps[regions]))
	l.set("entry", config.EntryNone)
	l.clean(l.run(steps[rest]))
	for _, resource := range l.held() {
		if strings.Contains(resource, "GlobalAccelerator") {
			l.t.Errorf("left behind: %s", resource)
		}
	}
	l.intact()
}

// restore loses an employee and a photo and brings them back as the operations
// page says.
func (l *life) restore() {
	l.t.Helper()
	c, region := l.config, l.regions()[0]
	steps := procedure(l.t, "Restore data", strings.NewReplacer("ID", region, "PRIMARY", region, "REGION", region, "NAME", c.Name, "ACCOUNT", matrix.Account))
	const restore, copyBack, drop, undelete = 0, 1, 2, 3
	l.run(steps[restore])
	table, photo := aws.String(c.Names().Table("employees")), object(region, "before")
	if _, err := l.dynamoDB(region).DeleteItem(l.t.Context(), &dynamodb.DeleteItemInput{TableName: table, Key: employee("before")}); err != nil {
		l.t.Fatal(err)
	}
	if _, err := l.s3(region).DeleteObject(l.t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(c.Names().Bucket("photos", region)), Key: &photo}); err != nil {
		l.t.Fatal(err)
	}
	l.hasPhoto(region, photo, false)
	l.run(steps[copyBack])
	l.intact()
	l.run(steps[drop])
	l.run(steps[undelete])
	l.hasPhoto(region, photo, true)
}

// destroy destroys all as the operations page says, and checks that nothing is
// left, or with protection what is worth keeping.
func (l *life) destroy() {
	l.t.Helper()
	c := l.config
	steps := procedure(l.t, "Destroy everything", l.names(""))
	const destroy, forgetEach = 0, 1
	for _, region := range c.RegionNames() {
		l.leaveBehind(region)
	}
	l.run(steps[destroy])
	for _, region := range c.RegionNames() {
		l.run(procedure(l.t, "Destroy everything", l.names(region))[forgetEach])
	}
	l.leaves(l.retains())
	if !c.Protect {
		return
	}
	for region, keys := range l.photos {
		for _, key := range keys {
			l.hasPhoto(region, key, true)
		}
	}
	l.intact()
}

// retains is what deleted stacks keep.
func (l *life) retains() []string {
	c, list := l.config, []string{}
	if !c.Protect {
		return list
	}
	for _, region := range c.RegionNames() {
		list = append(list, "dynamodb "+region+" tables/"+c.Names().Table("employees"), "dynamodb "+region+" tables/"+c.Names().Table("sessions"))
	}
	for _, region := range l.kept {
		list = append(list,
			"s3 aws buckets/"+c.Names().Bucket("photos", region),
			"s3 aws buckets/"+c.Names().LogsBucket(region),
			"logs "+region+" groups/"+c.Names().ServiceLog(),
			"ssm "+region+" _parameters/"+c.Names().InstanceTypeParameter())
	}
	return list
}

// leaves checks that this is all that is left.
func (l *life) leaves(want []string) {
	l.t.Helper()
	left := slices.DeleteFunc(l.held(), func(r string) bool { return slices.Contains(l.before, r) })
	left = slices.Compact(left) // a parameter has a line for each of its versions
	slices.Sort(want)
	if diff := gocmp.Diff(want, left); diff != "" {
		l.t.Errorf("what is left: %s", diff)
	}
}
