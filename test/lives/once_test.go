package lives_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/archipelago-cdk/archipelago/internal/matrix"
	"github.com/archipelago-cdk/archipelago/internal/synth"
	"github.com/archipelago-cdk/archipelago/stacks"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	autoscalingtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	gocmp "github.com/google/go-cmp/cmp"
)

// TestEverythingFailsOnce makes the shipped deployment and changes it, and each
// resource fails once on the way: an attempt at the first that has not failed yet, and
// the next one goes on. The change sets go straight to the emulator. One region's
// stack stands for all. With -all or -shard each resource fails, else one of each type.
func TestEverythingFailsOnce(t *testing.T) {
	t.Parallel()
	start := time.Now()
	o := beginOnce(t)
	for _, part := range []struct {
		name string
		do   func()
	}{
		{"create", o.create},
		{"service", o.changeService},
		{"tag", o.changeTag},
		{"maximum", o.changeMaximum},
		{"region", o.addRegion},
		{"delete", o.delete},
	} {
		if !t.Run(part.name, func(t *testing.T) { o.in(t, func(*life) { part.do() }) }) {
			return
		}
	}
	if o.recovered != o.failed {
		t.Errorf("%d of %d resources that failed once recovered", o.recovered, o.failed)
	}
	t.Logf("resources failed once: %d of %d recovered, in %.0f s", o.recovered, o.failed, time.Since(start).Seconds())
}

// once is a life that is deployed by change sets, as the CDK CLI makes them.
type once struct {
	*life
	builds stacks.Builds
	dir    string     // the assembly's
	stacks []artifact // in their order
	sets   int
	// retained are the stacks whose creation has failed: what they kept is imported.
	retained map[string]bool
	// size is the fleet's that is watched, nil before there is one.
	size              *size
	failed, recovered int
	// build is the live one's, which a rollback keeps, "" before there is one.
	build string
	// of are the types that have failed in a part, and considered counts all.
	of         map[string]bool
	considered int
}

// size is what a fleet has that is not in its template.
type size struct {
	instanceType string
	count        int
}

// artifact is a stack of an assembly.
type artifact struct {
	Type        string
	Environment string // aws://ACCOUNT/REGION
	Properties  struct {
		TemplateFile                string
		StackTemplateAssetObjectURL string
		Tags                        map[string]string
	}
	Dependencies []string
	name, region string
	resources    map[string]matrix.Resource
}

func beginOnce(t *testing.T) *once {
	t.Helper()
	o := &once{life: begin(t, serveApp(t), "shipped"), builds: builds(t), retained: map[string]bool{}}
	// Alarms are evaluated each minute.
	if err := o.control.SetPace(t.Context(), 20); err != nil {
		t.Fatal(err)
	}
	return o
}

// synth synthesizes what cdk.json says, and publishes it.
func (o *once) synth() {
	o.t.Helper()
	dir, err := os.MkdirTemp(o.life.dir, "assembly-")
	if err == nil {
		err = synth.App(maps.Clone(o.context), matrix.Account, dir, o.builds, nil)
	}
	if err != nil {
		o.t.Fatal(err)
	}
	o.dir, o.of = dir, map[string]bool{}
	var manifest struct{ Artifacts map[string]artifact }
	o.read("manifest.json", &manifest)
	o.stacks = nil
	var place func(name string)
	place = func(name string) {
		a := manifest.Artifacts[name]
		if a.Type != "aws:cloudformation:stack" || slices.ContainsFunc(o.stacks, func(s artifact) bool { return s.name == name }) {
			return
		}
		for _, before := range a.Dependencies {
			place(before)
		}
		var template struct{ Resources map[string]matrix.Resource }
		o.read(a.Properties.TemplateFile, &template)
		a.name, a.region, a.resources = name, a.Environment[strings.LastIndex(a.Environment, "/")+1:], template.Resources
		o.stacks = append(o.stacks, a)
	}
	for _, name := range slices.Sorted(maps.Keys(manifest.Artifacts)) {
		place(name)
	}
	for _, s := range o.stacks {
		emulatortest.Publish(o.t, o.control, filepath.Join(dir, s.name+".assets.json"))
	}
}

// read reads a file of the assembly.
func (o *once) read(name string, to any) {
	o.t.Helper()
	b, err := os.ReadFile(filepath.Join(o.dir, name))
	if err == nil {
		err = json.Unmarshal(b, to)
	}
	if err != nil {
		o.t.Fatalf("%s: %v", name, err)
	}
}

// try deploys a stack as the CDK CLI does, and returns how it ended, and why.
func (o *once) try(s artifact) (types.StackStatus, string) {
	o.t.Helper()
	client, kind := cloudformation.NewFromConfig(o.aws(s.region)), types.ChangeSetTypeUpdate
	switch emulatortest.StackStatus(o.t, client, s.name) {
	case types.StackStatusRollbackComplete, types.StackStatusRollbackFailed:
		o.drop(s)
		fallthrough
	case "":
		kind = types.ChangeSetTypeCreate
	}
	o.sets++
	set := fmt.Sprintf("set-%d", o.sets)
	// The CLI names the object by its address, too.
	bucket, key, _ := strings.Cut(strings.TrimPrefix(s.Properties.StackTemplateAssetObjectURL, "s3://"), "/")
	var tags []types.Tag
	for name, value := range s.Properties.Tags {
		tags = append(tags, types.Tag{Key: &name, Value: &value})
	}
	status, failed := emulatortest.ChangeStack(o.t, client, &cloudformation.CreateChangeSetInput{
		StackName: &s.name, ChangeSetName: &set, ChangeSetType: kind, Tags: tags,
		TemplateURL:             aws.String(o.control.URL + "/" + bucket + "/" + key),
		Capabilities:            []types.Capability{types.CapabilityCapabilityNamedIam},
		ImportExistingResources: aws.Bool(o.retained[s.name]),
	}, commandWithin)
	var why []string
	for _, e := range failed {
		why = append(why, fmt.Sprintf("%s %s %s", aws.ToString(e.LogicalResourceId), e.ResourceStatus, aws.ToString(e.ResourceStatusReason)))
	}
	return status, strings.Join(why, "\n")
}

// drop deletes a stack.
func (o *once) drop(s artifact) {
	o.t.Helper()
	client := cloudformation.NewFromConfig(o.aws(s.region))
	if _, err := client.DeleteStack(o.t.Context(), &cloudformation.DeleteStackInput{StackName: &s.name}); err != nil {
		o.t.Fatal(err)
	}
	if status := emulatortest.AwaitStack(o.t, client, s.name, commandWithin); status != "" {
		o.t.Fatalf("%s cannot be deleted: it is %s", s.name, status)
	}
}

// deploy deploys a stack in which nothing fails.
func (o *once) deploy(s artifact) {
	o.t.Helper()
	if status, why := o.try(s); status != types.StackStatusCreateComplete && status != types.StackStatusUpdateComplete {
		o.t.Fatalf("%s is %s: %s", s.name, status, why)
	}
}

// mayBeThere are the types whose failed resources may be there all the same, in the way of
// the next attempt.
var mayBeThere = []string{
	"AWS::AutoScaling::AutoScalingGroup", "AWS::DynamoDB::GlobalTable", "AWS::ElasticLoadBalancingV2::LoadBalancer", "AWS::GlobalAccelerator::EndpointGroup",
}

// moves are the types on whose updates and rollbacks the fleet's size hangs, and the
// replicas: one of each fails in each update, in each way that AWS may go.
var moves = []string{
	"AWS::AutoScaling::AutoScalingGroup", "AWS::DynamoDB::GlobalTable", "AWS::EC2::LaunchTemplate", "Custom::FleetHold", "Custom::FleetRollout",
}

// failures are those of a stack's resources that this run has fail.
func (o *once) failures(s artifact, creating bool) []emulator.Failure {
	var list []emulator.Failure
	for _, id := range slices.Sorted(maps.Keys(s.resources)) {
		kind := s.resources[id].Type
		o.considered++
		first := !o.of[kind] && (creating && !matrix.All() || !creating && slices.Contains(moves, kind))
		if !first && !(matrix.All() && matrix.Mine(o.considered)) {
			continue
		}
		o.of[kind] = true
		whens := []emulator.When{emulator.Before}
		if creating && strings.HasPrefix(id, "Employees") {
			whens = append(whens, emulator.Between) // one table lacks replicas, the other has all
		}
		if slices.Contains(mayBeThere, kind) {
			whens = append(whens, emulator.After)
		}
		for _, when := range whens {
			list = append(list, emulator.Failure{Stack: s.name, Resource: id, When: when})
		}
	}
	return list
}

// late is after how many seconds what a stack permits a role holds: what asks before that
// and does not ask again fails.
const late = 30

// failAt has these fail, while a permission holds after so many seconds.
func (o *once) failAt(delay float64, wanted ...emulator.Failure) {
	o.t.Helper()
	settings := variant()
	settings.FailAt, settings.PermissionDelay = wanted, delay
	if err := o.control.Set(o.t.Context(), settings); err != nil {
		o.t.Fatal(err)
	}
}

// former reports whether Fn::GetAtt in a rollback is what it was before.
func (o *once) former() bool { return variant().RollbackReadsFormer }

// chain deploys a stack until it succeeds, and each of its resources fails once.
// check looks at what a rollback leaves. It returns what has failed.
func (o *once) chain(s artifact, check func()) []emulator.Failure {
	o.t.Helper()
	start, here := time.Now(), 0
	creating := emulatortest.StackStatus(o.t, cloudformation.NewFromConfig(o.aws(s.region)), s.name) == ""
	wanted := o.failures(s, creating)
	var all []emulator.Failure
	delay := float64(late)
	if creating && s.name == o.config.Names().RegionStack(s.region) {
		delay = 0 // each of many attempts would wait for the scaler; the other region's stack is made late
	}
	o.failAt(delay, wanted...)
	for {
		status, why := o.try(s)
		settings, err := o.control.Settings(o.t.Context())
		if err != nil {
			o.t.Fatal(err)
		}
		left := settings.FailAt
		if status == types.StackStatusCreateComplete || status == types.StackStatusUpdateComplete {
			if creating && len(left) > 0 {
				o.t.Errorf("%s: these were not made, so they did not fail: %v", s.name, left)
			}
			break
		}
		o.failed++
		var failed emulator.Failure
		for _, f := range wanted {
			if !slices.Contains(left, f) {
				failed = f
			}
		}
		back := types.StackStatusRollbackComplete
		if !creating {
			back = types.StackStatusUpdateRollbackComplete
		}
		if len(left) != len(wanted)-1 || status != back {
			o.t.Fatalf("%s is %s after %s failed %s its effect: %s", s.name, status, failed.Resource, failed.When, why)
		}
		here++
		all = append(all, failed)
		wanted, o.retained[s.name] = left, creating
		check()
	}
	o.recovered += here
	o.failAt(late)
	o.t.Logf("%5.1f s  %s: %d failed once", time.Since(start).Seconds(), s.name, here)
	return all
}

// create makes everything.
func (o *once) create() {
	o.synth()
	c, primary := o.config, o.regions()[0]
	for _, s := range o.stacks {
		switch s.name {
		case c.Names().StorageStack(primary):
			o.chain(s, o.keepPhoto)
		case c.Names().GlobalStack():
			o.chain(s, o.keepEmployee)
			o.addReplicas()
		case c.Names().EntryStack(), c.Names().RegionStack(primary):
			o.chain(s, func() {})
		default:
			o.deploy(s)
		}
	}
	o.write("created")
	o.runs()
	o.grow(3, "m7g.large")
}

// keepPhoto writes an object as soon as its bucket is there.
func (o *once) keepPhoto() {
	region, name := o.regions()[0], "of a failed deployment"
	if len(o.photos[region]) > 0 {
		return
	}
	key := object(region, name)
	_, err := o.s3(region).PutObject(o.t.Context(), &s3.PutObjectInput{Bucket: aws.String(o.config.Names().Bucket("photos", region)), Key: &key, Body: strings.NewReader(name)})
	if err == nil {
		o.photos[region] = append(o.photos[region], key)
	}
}

// keepEmployee writes an item as soon as its table is there.
func (o *once) keepEmployee() {
	name := "of a failed deployment"
	if len(o.written) > 0 {
		return
	}
	_, err := o.dynamoDB(o.regions()[0]).PutItem(o.t.Context(), &dynamodb.PutItemInput{TableName: aws.String(o.config.Names().Table("employees")), Item: employee(name)})
	if err == nil {
		o.written = append(o.written, name)
	}
}

// addReplicas adds those that a table lacks which was taken over, as
// docs/operations.md says.
func (o *once) addReplicas() {
	o.t.Helper()
	const add = 4
	for _, table := range []string{"employees", "sessions"} {
		name := o.config.Names().Table(table)
		for _, region := range o.regions() {
			if _, err := o.dynamoDB(region).DescribeTable(o.t.Context(), &dynamodb.DescribeTableInput{TableName: &name}); err == nil {
				continue
			}
			o.run(strings.Replace(procedure(o.t, "Recover from a failed deployment", o.names(region))[add], "TABLE", name, 1))
		}
	}
}

// group is a region's.
func (o *once) group(region string) autoscalingtypes.AutoScalingGroup {
	o.t.Helper()
	out, err := autoscaling.NewFromConfig(o.aws(region)).DescribeAutoScalingGroups(o.t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{
		AutoScalingGroupNames: []string{o.config.Names().Group()},
	})
	if err != nil || len(out.AutoScalingGroups) != 1 {
		o.t.Fatalf("the groups of %s are %v, %v", region, out, err)
	}
	return out.AutoScalingGroups[0]
}

// grow brings the fleet of the primary region to a size that no template knows: its
// count, as scaling does, and its type by a step of the scaler's, whose end nobody has
// seen yet.
func (o *once) grow(count int, instanceType string) {
	o.t.Helper()
	region, names := o.regions()[0], o.config.Names()
	groups, parameters := autoscaling.NewFromConfig(o.aws(region)), ssm.NewFromConfig(o.aws(region))
	group := names.Group()
	if _, err := groups.SetDesiredCapacity(o.t.Context(), &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: &group, DesiredCapacity: aws.Int32(int32(count))}); err != nil {
		o.t.Fatal(err)
	}
	remembered := names.ScalingParameter()
	out, err := parameters.GetParameter(o.t.Context(), &ssm.GetParameterInput{Name: &remembered})
	if err != nil {
		o.t.Fatal(err)
	}
	memory := map[string]any{}
	if err := json.Unmarshal([]byte(*out.Parameter.Value), &memory); err != nil {
		o.t.Fatal(err)
	}
	clock, err := o.control.Clock(o.t.Context())
	if err != nil {
		o.t.Fatal(err)
	}
	memory["step"] = map[string]any{"kind": "up", "from": o.config.Fleet.StartAt, "to": instanceType, "at": clock.Now}
	b, err := json.Marshal(memory)
	if err != nil {
		o.t.Fatal(err)
	}
	if _, err := parameters.PutParameter(o.t.Context(), &ssm.PutParameterInput{Name: &remembered, Value: aws.String(string(b)), Overwrite: aws.Bool(true)}); err != nil {
		o.t.Fatal(err)
	}
	policy := o.group(region).MixedInstancesPolicy
	policy.LaunchTemplate.LaunchTemplateSpecification.LaunchTemplateName = nil // or its id
	policy.LaunchTemplate.Overrides = []autoscalingtypes.LaunchTemplateOverrides{{InstanceType: &instanceType}}
	if _, err := groups.StartInstanceRefresh(o.t.Context(), &autoscaling.StartInstanceRefreshInput{
		AutoScalingGroupName: &group, DesiredConfiguration: &autoscalingtypes.DesiredConfiguration{MixedInstancesPolicy: policy},
		Preferences: &autoscalingtypes.RefreshPreferences{SkipMatching: aws.Bool(true), MinHealthyPercentage: aws.Int32(100), MaxHealthyPercentage: aws.Int32(150)},
	}); err != nil {
		o.t.Fatal(err)
	}
	for start := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		out, err := groups.DescribeInstanceRefreshes(o.t.Context(), &autoscaling.DescribeInstanceRefreshesInput{AutoScalingGroupName: &group})
		if err != nil {
			o.t.Fatal(err)
		}
		if r := out.InstanceRefreshes[0]; r.Status == autoscalingtypes.InstanceRefreshStatusSuccessful {
			break
		} else if r.EndTime != nil || time.Since(start) > commandWithin {
			o.t.Fatalf("the step is %s: %s", r.Status, aws.ToString(r.StatusReason))
		}
	}
	o.size, o.build = &size{instanceType, count}, o.buildOf(o.group(region).Instances[0])
	o.sized()
}

// buildOf is an instance's: the description of the version that it was launched from.
func (o *once) buildOf(i autoscalingtypes.Instance) string {
	o.t.Helper()
	out, err := ec2.NewFromConfig(o.aws(o.regions()[0])).DescribeLaunchTemplateVersions(o.t.Context(), &ec2.DescribeLaunchTemplateVersionsInput{
		LaunchTemplateId: i.LaunchTemplate.LaunchTemplateId, Versions: []string{aws.ToString(i.LaunchTemplate.Version)},
	})
	if err != nil || len(out.LaunchTemplateVersions) != 1 {
		o.t.Fatalf("the version of %s: %v, %v", aws.ToString(i.InstanceId), out, err)
	}
	return aws.ToString(out.LaunchTemplateVersions[0].VersionDescription)
}

// sized checks that the fleet of the primary region has its present size and build, and
// serves. What a rollback wrote into the group otherwise, as it may where Fn::GetAtt is
// what Hold had answered before, replaces nothing, and the scaler takes it back within
// five minutes.
func (o *once) sized() {
	o.t.Helper()
	for start := time.Now(); ; time.Sleep(200 * time.Millisecond) {
		group, got := o.group(o.regions()[0]), map[string]int{}
		status, err := o.control.Status(o.t.Context())
		if err != nil {
			o.t.Fatal(err)
		}
		builds := map[string]bool{}
		for _, i := range group.Instances {
			// InService, of AWS's, says that it runs, and not that it serves.
			got[fmt.Sprintf("%s %s %s", i.LifecycleState, status.Health[aws.ToString(i.InstanceId)], aws.ToString(i.InstanceType))]++
			builds[o.buildOf(i)] = true
		}
		if !maps.Equal(builds, map[string]bool{o.build: true}) {
			o.t.Fatalf("the fleet runs the builds %v, want the one before, %q", builds, o.build)
		}
		if diff := gocmp.Diff(map[string]int{"InService healthy " + o.size.instanceType: o.size.count}, got); diff != "" || aws.ToInt32(group.DesiredCapacity) != int32(o.size.count) {
			o.t.Fatalf("the fleet has %d instances, want what it had before: %s", aws.ToInt32(group.DesiredCapacity), diff)
		}
		saved := aws.ToString(group.MixedInstancesPolicy.LaunchTemplate.Overrides[0].InstanceType)
		if saved == o.size.instanceType {
			return
		}
		if !o.former() || time.Since(start) > commandWithin {
			o.t.Fatalf("the fleet launches %s, want %s", saved, o.size.instanceType)
		}
	}
}

// runs checks that every stack is complete, every instance healthy, and each region
// behind the entry.
func (o *once) runs() {
	o.t.Helper()
	c := o.config
	for start := time.Now(); ; time.Sleep(200 * time.Millisecond) {
		deployed, err := o.control.Fleet(o.t.Context())
		if err != nil {
			o.t.Fatal(err)
		}
		status, err := o.control.Status(o.t.Context())
		if err != nil {
			o.t.Fatal(err)
		}
		var wrong []string
		for _, s := range deployed.Stacks {
			if !strings.HasSuffix(s.Status, "CREATE_COMPLETE") && !strings.HasSuffix(s.Status, "UPDATE_COMPLETE") {
				wrong = append(wrong, s.Name+" is "+s.Status)
			}
		}
		healthy, entered := map[string]int{}, []string{}
		for _, i := range deployed.Instances {
			if status.Health[i.ID] == "healthy" {
				healthy[i.Region]++
			}
		}
		for _, g := range deployed.Groups {
			if healthy[g.Region] != g.Desired || g.Desired < c.Fleet.Min || g.Refreshing {
				wrong = append(wrong, fmt.Sprintf("%s has %d healthy instances of %d", g.Region, healthy[g.Region], g.Desired))
			}
		}
		for _, e := range deployed.EndpointGroups {
			entered = append(entered, e.Region)
		}
		slices.Sort(entered)
		if want := slices.Sorted(slices.Values(c.RegionNames())); !slices.Equal(entered, want) || len(deployed.Groups) != len(want) {
			wrong = append(wrong, fmt.Sprintf("%d fleets, and users enter in %v, want %v", len(deployed.Groups), entered, want))
		}
		if len(wrong) == 0 {
			break
		}
		if time.Since(start) > commandWithin {
			o.t.Fatal(strings.Join(wrong, "; "))
		}
	}
	o.intact()
	for region, keys := range o.photos {
		for _, key := range keys {
			o.hasPhoto(region, key, true)
		}
	}
}

// update deploys what cdk.json says now: the stacks that are named chain, all others
// at once. What the update does not touch does not fail; of what it has to touch, moved are
// the types.
func (o *once) update(moved []string, chained ...string) {
	o.t.Helper()
	o.synth()
	failed := map[string]bool{}
	for _, s := range o.stacks {
		if slices.Contains(chained, s.name) {
			for _, f := range o.chain(s, o.sized) {
				failed[s.resources[f.Resource].Type] = true
			}
			o.retained[s.name] = false
		} else {
			o.deploy(s)
		}
	}
	// Which resources each shard has fail is by their number.
	if got := slices.Sorted(maps.Keys(failed)); !matrix.All() && !slices.Equal(got, moved) {
		o.t.Errorf("updates of %q failed, want of %q", got, moved)
	}
	if former := o.build; slices.Contains(moved, "AWS::EC2::LaunchTemplate") {
		if o.build = o.buildOf(o.group(o.regions()[0]).Instances[0]); o.build == former {
			o.t.Errorf("the fleet runs the build %q still", former)
		}
	}
	o.sized()
	o.runs()
}

// changeService deploys another build of the service.
func (o *once) changeService() {
	path := filepath.Join(o.life.dir, "another")
	if err := os.WriteFile(path, []byte("another build"), 0o644); err != nil {
		o.t.Fatal(err)
	}
	o.builds.Service = path
	o.update([]string{"AWS::EC2::LaunchTemplate", "Custom::FleetRollout"}, o.config.Names().RegionStack(o.regions()[0]))
}

// changeTag tags everything.
func (o *once) changeTag() {
	o.set("tags", map[string]any{"team": "staff"})
	names, primary := o.config.Names(), o.regions()[0]
	o.update(moves, names.StorageStack(primary), names.GlobalStack(), names.EntryStack(), names.RegionStack(primary))
}

func (o *once) changeMaximum() {
	o.set("fleet.max", fmt.Sprint(o.config.Fleet.Max+1))
	o.update([]string{"AWS::AutoScaling::AutoScalingGroup", "Custom::FleetHold"}, o.config.Names().RegionStack(o.regions()[0]))
}

// addRegion adds one.
func (o *once) addRegion() {
	region := o.joining()
	o.setRegions(func(regions []any) []any { return append(regions, region) })
	o.kept = append(o.kept, region)
	held := o.held()
	o.run("cdk bootstrap aws://" + matrix.Account + "/" + region)
	for _, resource := range o.held() {
		if !slices.Contains(held, resource) {
			o.before = append(o.before, resource)
		}
	}
	names := o.config.Names()
	former := o.callers()
	o.update([]string{"AWS::DynamoDB::GlobalTable"}, names.GlobalStack(), names.EntryStack(), names.RegionStack(o.regions()[0]))
	for id, want := range former {
		if got := o.callers()[id]; got != want {
			o.t.Errorf("another region makes another role of %s: %s, want %s", id, got, want)
		}
	}
	o.write("with another region")
}

// callers are the roles of the functions that make the stacks' calls, with their policies.
func (o *once) callers() map[string]string {
	o.t.Helper()
	of := map[string]string{}
	for _, s := range o.stacks {
		for id, r := range s.resources {
			if strings.HasPrefix(id, "AwsCallRole") {
				b, err := json.Marshal(r.Properties)
				if err != nil {
					o.t.Fatal(err)
				}
				of[s.name+" "+id] = string(b)
			}
		}
	}
	if len(of) == 0 {
		o.t.Fatal("no stack has a role for its calls")
	}
	return of
}

// delete deletes all, and checks that nothing is left but what is worth keeping.
func (o *once) delete() {
	for _, s := range slices.Backward(o.stacks) {
		o.drop(s)
	}
	want := o.retains()
	for _, region := range o.config.RegionNames() {
		want = append(want, "ssm "+region+" _parameters/"+o.config.Names().ScalingParameter()) // what its scaler remembers
	}
	o.leaves(want)
}
