package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/archipelago-cdk/archipelago/internal/matrix"
	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/archipelago-cdk/archipelago/scaling"
	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/arczonalshift"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const region = "eu-west-1"

// island is a fleet of two instances of m7g.medium in the emulator that all tests
// share, and what a deployment makes for its scaler.
type island struct {
	control  emulator.Control
	settings settings
	size     int      // how many instances the fleet has
	sick     string   // the type whose instances are never healthy
	sent     []string // notifications
	inAlarm  bool     // the alarm is
	removed  bool
}

func newIsland(t testing.TB, name string) *island {
	t.Helper()
	i := &island{control: emulatortest.Shared(t), size: 2}
	// The metrics of the islands before are out of sight, and not looked through.
	emulatortest.Advance(t, i.control, 4*time.Hour)
	c := i.controller(nil)
	_, err := c.cloudformation.CreateStack(t.Context(), &cloudformation.CreateStackInput{
		StackName: &name, TemplateBody: aws.String(fmt.Sprintf(`{"Resources": {"Template": {"Type": "AWS::EC2::LaunchTemplate",
			"Properties": {"LaunchTemplateName": %q, "VersionDescription": "one", "LaunchTemplateData": {"ImageId": "ami-12c6146b"}}}}}`, name)),
	})
	must(t, err)
	templates, err := ec2.NewFromConfig(i.config(nil)).DescribeLaunchTemplates(t.Context(), &ec2.DescribeLaunchTemplatesInput{LaunchTemplateNames: []string{name}})
	must(t, err)
	targets, err := c.elb.CreateTargetGroup(t.Context(), &elb.CreateTargetGroupInput{Name: &name, Protocol: "HTTP", Port: aws.Int32(8080), VpcId: aws.String(vpc(t, i))})
	must(t, err)
	_, err = c.autoscaling.CreateAutoScalingGroup(t.Context(), &autoscaling.CreateAutoScalingGroupInput{
		TargetGroupARNs: []string{*targets.TargetGroups[0].TargetGroupArn},
		HealthCheckType: aws.String("ELB"), HealthCheckGracePeriod: aws.Int32(int32(setting.GracePeriod.Seconds())),
		AutoScalingGroupName: &name, MinSize: aws.Int32(2), MaxSize: aws.Int32(2), AvailabilityZones: []string{region + "a", region + "b"},
		MixedInstancesPolicy: &types.MixedInstancesPolicy{LaunchTemplate: &types.LaunchTemplate{
			LaunchTemplateSpecification: &types.LaunchTemplateSpecification{LaunchTemplateId: templates.LaunchTemplates[0].LaunchTemplateId, Version: aws.String("1")},
			Overrides:                   []types.LaunchTemplateOverrides{{InstanceType: aws.String("m7g.medium")}},
		}},
	})
	must(t, err)
	_, err = c.autoscaling.PutScalingPolicy(t.Context(), &autoscaling.PutScalingPolicyInput{
		AutoScalingGroupName: &name, PolicyName: aws.String(name), PolicyType: aws.String("TargetTrackingScaling"),
		TargetTrackingConfiguration: &types.TargetTrackingConfiguration{
			TargetValue: aws.Float64(600),
			PredefinedMetricSpecification: &types.PredefinedMetricSpecification{
				PredefinedMetricType: types.MetricTypeALBRequestCountPerTarget, ResourceLabel: aws.String("app/alb/0/targetgroup/fleet/0"),
			},
		},
	})
	must(t, err)
	_, err = c.cloudwatch.PutMetricAlarm(t.Context(), &cloudwatch.PutMetricAlarmInput{
		AlarmName: &name, MetricName: aws.String("Errors"), Namespace: aws.String("Test"),
		Dimensions: []cloudwatchtypes.Dimension{{Name: aws.String("Island"), Value: &name}}, Threshold: aws.Float64(1),
		ComparisonOperator: cloudwatchtypes.ComparisonOperatorGreaterThanThreshold, EvaluationPeriods: aws.Int32(1),
		Period: aws.Int32(60), Statistic: cloudwatchtypes.StatisticSum, TreatMissingData: aws.String("notBreaching"),
	})
	must(t, err)
	t.Cleanup(func() { i.remove(t) })
	emulatortest.Advance(t, i.control, 2*time.Minute) // until it has been evaluated
	topic, err := c.sns.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: &name})
	must(t, err)
	i.settings, err = readSettings(func(key string) string {
		return map[string]string{
			setting.Region: region, setting.Deployment: name, setting.ScalerMode: "auto",
			setting.Ladder: "m7g.medium,m7g.large,m7g.xlarge", setting.StartAt: "m7g.medium", setting.CPUTarget: "55", setting.RequestsPerTarget: "600",
			setting.Template: *templates.LaunchTemplates[0].LaunchTemplateId, setting.TargetGroupARN: *targets.TargetGroups[0].TargetGroupArn,
			setting.Group: name, setting.Stack: name, setting.DeploymentAlarm: name,
			setting.LoadBalancerARN: "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/" + name + "/0", setting.TargetGroup: "targetgroup/" + name + "/0",
			setting.InstanceTypeParameter: "/" + name + "/fleet/instance-type", setting.ScalingParameter: "/" + name + "/fleet/scaling", setting.FrozenParameter: "/" + name + "/fleet/frozen",
			setting.Topic: *topic.TopicArn,
		}[key]
	})
	must(t, err)
	i.write(t, i.settings.instanceType, "m7g.medium")
	return i
}

// resize gives the fleet a size, and the group its bounds.
func (i *island) resize(t testing.TB, least, most, size int32) {
	t.Helper()
	i.size = int(size)
	_, err := i.controller(nil).autoscaling.UpdateAutoScalingGroup(t.Context(), &autoscaling.UpdateAutoScalingGroupInput{
		AutoScalingGroupName: &i.settings.group, MinSize: &least, MaxSize: &most, DesiredCapacity: &size,
	})
	must(t, err)
}

// remove ends what would else be looked at in each minute of the tests to come.
func (i *island) remove(t testing.TB) {
	t.Helper()
	if i.removed {
		return
	}
	i.removed = true
	c := i.controller(nil)
	_, err := c.cloudwatch.DeleteAlarms(context.Background(), &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{i.settings.deploymentAlarm}})
	must(t, err)
	_, err = c.autoscaling.DeleteAutoScalingGroup(context.Background(), &autoscaling.DeleteAutoScalingGroupInput{
		AutoScalingGroupName: &i.settings.stack, ForceDelete: aws.Bool(true),
	})
	must(t, err)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// controller is one whose calls go through k, if there is one.
func (i *island) controller(k *killer) *controller {
	if k == nil {
		k = &killer{}
	}
	k.island = i
	return newController(i.settings, i.config(k))
}

// config is that of clients whose calls go through k, if there is one.
func (i *island) config(k *killer) aws.Config {
	if k == nil {
		k = &killer{island: i}
	}
	return aws.Config{
		Region: region, BaseEndpoint: &i.control.URL, HTTPClient: &http.Client{Transport: k},
		Credentials: credentials.NewStaticCredentialsProvider("emulator", "emulator", ""),
		Retryer:     func() aws.Retryer { return retry.AddWithMaxBackoffDelay(retry.NewStandard(), time.Millisecond) },
	}
}

// schedule is what the schedule sends.
func schedule(at time.Time) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"time": %q}`, at.UTC().Format(time.RFC3339)))
}

// vpc is the default one.
func vpc(t testing.TB, i *island) string {
	t.Helper()
	out, err := ec2.NewFromConfig(i.config(nil)).DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{})
	must(t, err)
	return *out.Vpcs[0].VpcId
}

// killer ends the function at a call: none that comes later is made. Without -all only
// calls that may change something count: ended before one that reads, the function has
// left what it left before the last that changed something.
type killer struct {
	island *island
	// at is the number of the call, from 1; 0 is never.
	at int
	// answered means that the call is made, and only its answer is lost.
	answered bool
	calls    int
	ended    bool
}

// endings are the ways in which the function ends at a call: before it, and, answered, after it.
// Without -all the first call alone has both: before another is after the one before it.
func endings(at int) []bool {
	if at == 1 || matrix.All() {
		return []bool{false, true}
	}
	return []bool{true}
}

// reads reports whether a call changes nothing.
func reads(r *http.Request) bool {
	operation := awsmiddleware.GetOperationName(r.Context())
	return strings.HasPrefix(operation, "Describe") || strings.HasPrefix(operation, "Get") || strings.HasPrefix(operation, "List")
}

// transport opens a connection for each call: the emulator closes them anyway.
var transport = &http.Transport{DisableKeepAlives: true}

var errKilled = errors.New("the function was killed")

func (k *killer) RoundTrip(r *http.Request) (*http.Response, error) {
	if k.ended {
		return nil, errKilled
	}
	if matrix.All() || !reads(r) {
		k.calls++
		k.ended = k.calls == k.at
	}
	if k.ended && !k.answered {
		return nil, errKilled
	}
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		if strings.Contains(string(body), "Action=Publish") {
			k.island.sent = append(k.island.sent, string(body))
		}
		// The SDK closes its own body when an answer's header is there, which net/http
		// may take for a failure: the call would be made a second time.
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	res, err := transport.RoundTrip(r)
	if err == nil && k.ended {
		_, err = io.Copy(io.Discard, res.Body)
		return nil, errors.Join(errKilled, err, res.Body.Close())
	}
	return res, err
}

func (i *island) write(t testing.TB, name, value string) {
	t.Helper()
	_, err := i.controller(nil).ssm.PutParameter(t.Context(), &ssm.PutParameterInput{
		Name: &name, Value: &value, Type: ssmtypes.ParameterTypeString, Overwrite: aws.Bool(true),
	})
	must(t, err)
}

// now is the emulator's time.
func (i *island) now(t testing.TB) time.Time {
	t.Helper()
	return emulatortest.Now(t, i.control)
}

// use fills the last minutes with a CPU use.
func (i *island) use(t testing.TB, percent float64) {
	t.Helper()
	end := i.now(t).Truncate(time.Minute)
	dimension := []cloudwatchtypes.Dimension{{Name: aws.String("AutoScalingGroupName"), Value: &i.settings.group}}
	var cpu, count []cloudwatchtypes.MetricDatum
	for at := end.Add(-45 * time.Minute); at.Before(end); at = at.Add(time.Minute) {
		cpu = append(cpu, cloudwatchtypes.MetricDatum{MetricName: aws.String("CPUUtilization"), Dimensions: dimension, Value: &percent, Timestamp: aws.Time(at)})
		count = append(count, cloudwatchtypes.MetricDatum{MetricName: aws.String("GroupInServiceInstances"), Dimensions: dimension, Value: aws.Float64(float64(i.size)), Timestamp: aws.Time(at)})
	}
	for namespace, data := range map[string][]cloudwatchtypes.MetricDatum{"AWS/EC2": cpu, "AWS/AutoScaling": count} {
		_, err := i.controller(nil).cloudwatch.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: &namespace, MetricData: data})
		must(t, err)
	}
}

// setAlarm has the alarm be in a state: in ALARM for the minutes to come, which have too
// many errors.
func (i *island) setAlarm(t testing.TB, state cloudwatchtypes.StateValue) {
	t.Helper()
	const minutes = 4
	now := i.now(t).Truncate(time.Minute)
	var errors []cloudwatchtypes.MetricDatum
	for minute := range minutes {
		at := now.Add(time.Duration(minute-1) * time.Minute)
		errors = append(errors, cloudwatchtypes.MetricDatum{
			MetricName: aws.String("Errors"), Value: aws.Float64(10), Timestamp: &at,
			Dimensions: []cloudwatchtypes.Dimension{{Name: aws.String("Island"), Value: &i.settings.group}},
		})
	}
	switch {
	case state == cloudwatchtypes.StateValueAlarm:
		_, err := i.controller(nil).cloudwatch.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: aws.String("Test"), MetricData: errors})
		must(t, err)
		i.inAlarm = true
	case i.inAlarm:
		emulatortest.Advance(t, i.control, (minutes+1)*time.Minute)
		i.inAlarm = false
	}
	_, err := i.controller(nil).cloudwatch.SetAlarmState(t.Context(), &cloudwatch.SetAlarmStateInput{
		AlarmName: &i.settings.deploymentAlarm, StateValue: state, StateReason: aws.String("test"),
	})
	must(t, err)
}

// state is what a run leaves behind.
type state struct {
	Parameter, Launches string
	Instances           map[string]int
	Remembered          memory
	Target              float64
}

func (i *island) state(t testing.TB) state {
	t.Helper()
	c := i.controller(nil)
	p, err := c.parameters(t.Context())
	must(t, err)
	f, err := c.fleet(t.Context())
	must(t, err)
	policies, err := c.autoscaling.DescribePolicies(t.Context(), &autoscaling.DescribePoliciesInput{AutoScalingGroupName: &c.group})
	must(t, err)
	return state{p.instanceType, f.launches(), f.instances(), p.memory, *policies.ScalingPolicies[0].TargetTrackingConfiguration.TargetValue}
}

// settled plays the load balancer until no refresh goes on, and returns how the last
// one ended. Where a type is sick the guard is in ALARM.
func (i *island) settled(t testing.TB) types.InstanceRefreshStatus {
	t.Helper()
	for {
		f, err := i.controller(nil).fleet(t.Context())
		must(t, err)
		if len(f.refreshes) == 0 {
			return ""
		}
		if !f.refreshing() {
			return f.refreshes[0].Status
		}
		if i.sick != "" {
			i.setAlarm(t, cloudwatchtypes.StateValueAlarm)
		}
		health := map[string]string{}
		for _, instance := range f.Instances {
			if *instance.InstanceType != i.sick {
				health[*instance.InstanceId] = "healthy"
			}
		}
		must(t, i.control.Report(t.Context(), emulator.Status{Health: health}))
		emulatortest.Advance(t, i.control, 5*time.Minute)
	}
}

// run runs the function until it has nothing left to do, k's end included.
func (i *island) run(t testing.TB, k *killer) *report {
	t.Helper()
	for range 10 {
		r, err := i.controller(k).run(t.Context(), i.now(t))
		if err != nil && !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		k = nil
		i.settled(t)
		i.setAlarm(t, cloudwatchtypes.StateValueOk)
		if err == nil && r.Kind == scaling.Stay && i.state(t).Remembered.Step == nil {
			return r
		}
	}
	t.Fatal("it does not come to rest")
	return nil
}

// TestLostTopicHoldsNothingUp: who cannot be told is said by a run that fails, which
// reports what it decided, and the step is seen to its end all the same.
func TestLostTopicHoldsNothingUp(t *testing.T) {
	i := newIsland(t, "untold")
	i.settings.topic += "-gone"
	i.use(t, 60)
	for _, what := range []string{"begins", "is done"} {
		var out bytes.Buffer
		if _, err := (&handler{i.controller(nil), &out}).handle(t.Context(), schedule(i.now(t))); err == nil || !strings.Contains(err.Error(), "SNS") {
			t.Errorf("a step %s: got %v, want that SNS failed", what, err)
		}
		if decided := what == "begins"; strings.Contains(out.String(), setting.RungMetric) != decided {
			t.Errorf("a step %s: its metrics are printed: %t, want %t: %s", what, !decided, decided, out.String())
		}
		i.settled(t)
	}
	if got := i.state(t); got.Parameter != "m7g.large" || got.Remembered.Step != nil {
		t.Errorf("the step is not done: %+v", got)
	}
	if _, err := i.controller(nil).run(t.Context(), i.now(t)); err != nil {
		t.Errorf("the next run: %v", err)
	}
}

func TestHotFleetStepsUp(t *testing.T) {
	i := newIsland(t, "hot")
	i.use(t, 60)
	var out bytes.Buffer
	h := &handler{i.controller(nil), &out}
	r, err := h.handle(t.Context(), schedule(i.now(t)))
	must(t, err)
	if r.Kind != scaling.Up || r.To != "m7g.large" || r.Reason.Code != scaling.Hot {
		t.Fatalf("got %+v", r)
	}
	if got := i.state(t); got.Parameter != "m7g.medium" || got.Remembered.Step == nil {
		t.Errorf("before the refresh has succeeded: %+v", got)
	}
	i.run(t, nil)
	want := state{Parameter: "m7g.large", Launches: "m7g.large", Instances: map[string]int{"m7g.large": 2}, Target: 1200}
	if got := i.state(t); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if len(i.sent) != 2 || !strings.Contains(i.sent[0], "begins") || !strings.Contains(i.sent[1], "done") {
		t.Errorf("the notifications are %q", i.sent)
	}
	var line struct {
		AWS struct {
			CloudWatchMetrics []struct {
				Namespace  string
				Dimensions [][]string
				Metrics    []struct{ Name string }
			}
		} `json:"_aws"`
		Deployment                                        string
		Rung, Steps, StepsWanted, StepFailed, HotAtTheTop *int
		Says                                              string
	}
	must(t, json.Unmarshal(out.Bytes(), &line))
	if m := line.AWS.CloudWatchMetrics; len(m) != 1 || m[0].Namespace != "Archipelago" || len(m[0].Metrics) != 5 || line.Deployment != "hot" ||
		line.Rung == nil || *line.Rung != 1 || line.Steps == nil || *line.Steps != 1 || line.StepsWanted == nil || line.StepFailed == nil || line.HotAtTheTop == nil {
		t.Errorf("the line of metrics is %s", out.String())
	}
}

// TestStepWithoutCapacityEndsSoon: not after the hour that Auto Scaling waits. One that
// waits for instances to be well goes on.
func TestStepWithoutCapacityEndsSoon(t *testing.T) {
	i := newIsland(t, "starved")
	i.use(t, 60)
	emulatortest.Set(t, i.control, emulator.Settings{NoCapacity: map[string][]string{region + "a": {"m7g.large"}, region + "b": {"m7g.large"}}})
	_, err := i.controller(nil).run(t.Context(), i.now(t))
	must(t, err)
	minutes := 0
	for ; i.state(t).Remembered.Step != nil; minutes++ {
		if minutes > 10 {
			t.Fatal("the step goes on")
		}
		emulatortest.Advance(t, i.control, time.Minute)
		_, err := i.controller(nil).run(t.Context(), i.now(t))
		must(t, err)
	}
	t.Logf("it ended after %d minutes", minutes)
	if minutes < 3 || minutes > 6 {
		t.Errorf("it ended after %d minutes, want 3 to 6", minutes)
	}
	got := i.state(t)
	if failed := got.Remembered.Failed; got.Parameter != "m7g.medium" || got.Instances["m7g.medium"] != 2 || failed == nil || failed.To != "m7g.large" {
		t.Errorf("the fleet is not as it was: %+v", got)
	}
	if len(i.sent) != 3 || !strings.Contains(i.sent[1], "nothing+could+be+launched+for+3m0s") || !strings.Contains(i.sent[1], "m7g.large") || !strings.Contains(i.sent[2], "failed") {
		t.Errorf("the notifications are %q", i.sent)
	}

	emulatortest.Set(t, i.control, emulator.Settings{NoCapacity: map[string][]string{region + "a": {"m7g.large"}}}) // another zone has it
	emulatortest.Advance(t, i.control, 2*time.Hour)
	i.use(t, 60)
	_, err = i.controller(nil).run(t.Context(), i.now(t))
	must(t, err)
	for range 5 {
		emulatortest.Advance(t, i.control, time.Minute)
		_, err := i.controller(nil).run(t.Context(), i.now(t))
		must(t, err)
	}
	if f, err := i.controller(nil).fleet(t.Context()); err != nil || !f.refreshing() || f.refreshes[0].Status != types.InstanceRefreshStatusInProgress {
		t.Errorf("a step whose instances boot does not go on: %v, %+v", err, f.refreshes)
	}
	emulatortest.Set(t, i.control, emulator.Settings{})
	i.run(t, nil)
}

// TestKilledAtEachCall kills the function at each of its calls, before and after
// the call takes effect: run again, it ends where it would have.
func TestKilledAtEachCall(t *testing.T) {
	emulatortest.Set(t, emulatortest.Shared(t), emulator.Settings{Hurry: true}) // how long instances take is not what this is about
	for name, sick := range map[string]string{"up": "", "failing": "m7g.large"} {
		t.Run(name, func(t *testing.T) {
			end := func(t *testing.T, name string, first, second *killer) state {
				i := newIsland(t, name)
				defer i.remove(t)
				i.sick = sick
				i.use(t, 60)
				// Two runs are what a step takes: one begins it, one sees its end.
				for _, k := range []*killer{first, second} {
					if _, err := i.controller(k).run(t.Context(), i.now(t)); err != nil && !errors.Is(err, errKilled) {
						t.Fatal(err)
					}
					i.settled(t)
					i.setAlarm(t, cloudwatchtypes.StateValueOk)
				}
				i.run(t, nil)
				got := i.state(t)
				if got.Remembered.Failed != nil {
					got.Remembered.Failed = &scaling.Failure{To: got.Remembered.Failed.To, Attempts: got.Remembered.Failed.Attempts} // not when
				}
				return got
			}
			show := func(s state) string {
				b, err := json.Marshal(s)
				must(t, err)
				return string(b)
			}
			counted := [2]*killer{{}, {}}
			want := show(end(t, name, counted[0], counted[1]))
			if sick == "" && !strings.Contains(want, `"Parameter":"m7g.large"`) || sick != "" && !strings.Contains(want, `"Attempts":1`) {
				t.Fatalf("unkilled it ends at %s", want)
			}
			for run, counter := range counted {
				if sick != "" && run == 0 { // the same calls as of a step that succeeds
					continue
				}
				for at := 1; at <= counter.calls; at++ {
					for _, answered := range endings(at) {
						killers := [2]*killer{{}, {}}
						killers[run] = &killer{at: at, answered: answered}
						if got := show(end(t, fmt.Sprintf("%s-%d-%d-%t", name, run, at, answered), killers[0], killers[1])); got != want {
							t.Errorf("killed in run %d at call %d of %d (answered: %t): got %s, want %s", run+1, at, counter.calls, answered, got, want)
						}
					}
				}
			}
		})
	}
}

// TestFailingCallsChangeNothing: what cannot be read is no reason to act.
func TestFailingCallsChangeNothing(t *testing.T) {
	i := newIsland(t, "blind")
	i.use(t, 60)
	before := fmt.Sprint(i.state(t))
	for _, service := range []string{"ssm", "autoscaling", "monitoring", "ec2", "cloudformation", "arc-zonal-shift"} {
		must(t, i.control.Fail(t.Context(), emulator.Failing{region: {service}}))
		var out bytes.Buffer
		h := &handler{i.controller(nil), &out}
		if _, err := h.handle(t.Context(), schedule(i.now(t))); err == nil || !strings.Contains(out.String(), `"level":"ERROR"`) {
			t.Errorf("without %s: got %v and %s", service, err, out.String())
		}
		must(t, i.control.Fail(t.Context(), emulator.Failing{}))
		if after := fmt.Sprint(i.state(t)); after != before {
			t.Errorf("without %s: %s became %s", service, before, after)
		}
	}
	if len(i.sent) > 0 {
		t.Errorf("it told of %q", i.sent)
	}
}

// TestShiftThatMayNotBeRead stops a step down alone, is in each run's report, and is told
// once while it is so. A shift of what may be read is seen.
func TestShiftThatMayNotBeRead(t *testing.T) {
	i := newIsland(t, "denied")
	i.use(t, 30)
	i.write(t, i.settings.instanceType, "m7g.large")
	i.run(t, nil)
	i.sent = nil
	i.settings.policy.Mode = scaling.Advise // so that each run sees the same fleet
	iam := func(action string, parameters url.Values) {
		t.Helper()
		parameters.Set("Action", action)
		parameters.Set("Version", "2010-05-08")
		parameters.Set("RoleName", "denied")
		_, err := emulatortest.Query(t, i.control, "iam", region, parameters)
		must(t, err)
	}
	iam("CreateRole", url.Values{"AssumeRolePolicyDocument": {`{"Version": "2012-10-17", "Statement": []}`}})
	assumed, err := sts.NewFromConfig(i.config(nil)).AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::123456789012:role/denied"), RoleSessionName: aws.String("scaler"),
	})
	must(t, err)
	const nothing, everything = "arn:aws:s3:::none", "*"
	balancer := i.settings.loadBalancerARN
	for n, test := range []struct {
		may     string // the resource of the right
		shifted bool   // the load balancer, from then on
		percent float64
		code    scaling.Code
		unknown bool
		told    int
	}{
		{everything, false, 5, scaling.Cool, false, 0},
		{nothing, false, 5, scaling.ShiftUnknown, true, 1},
		{nothing, false, 60, scaling.Hot, true, 1},
		{balancer, false, 5, scaling.ShiftUnknown, true, 1}, // the group may be shifted
		{balancer, true, 60, scaling.ZonalShift, false, 1},
		{nothing, true, 60, scaling.Hot, true, 2},
	} {
		iam("PutRolePolicy", url.Values{"PolicyName": {"policy"}, "PolicyDocument": {
			fmt.Sprintf(`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "arc-zonal-shift:GetManagedResource", "Resource": %q}]}`, test.may),
		}})
		if test.shifted {
			body := fmt.Sprintf(`{"resourceIdentifier": %q, "awayFrom": "euw1-az1", "expiresIn": "72h", "comment": "test"}`, balancer)
			_, err := emulatortest.Rest(t, i.control, "arc-zonal-shift", region, http.MethodPost, "/zonalshifts", body)
			must(t, err)
		}
		emulatortest.Advance(t, i.control, time.Hour)
		i.use(t, test.percent)
		c := i.controller(nil)
		config := i.config(nil)
		config.Credentials = credentials.NewStaticCredentialsProvider(*assumed.Credentials.AccessKeyId, *assumed.Credentials.SecretAccessKey, *assumed.Credentials.SessionToken)
		c.zonalshift = arczonalshift.NewFromConfig(config)
		var out bytes.Buffer
		r, err := (&handler{c, &out}).handle(t.Context(), schedule(i.now(t)))
		must(t, err)
		if r.Reason.Code != test.code {
			t.Errorf("run %d: got %s: %s, want %s", n, r.Reason.Code, r.Says, test.code)
		}
		if unknown := strings.Contains(out.String(), `"shiftUnknown":"not authorized to perform: arc-zonal-shift:GetManagedResource`); unknown != test.unknown || !strings.Contains(out.String(), setting.RungMetric) {
			t.Errorf("run %d: it printed %s", n, out.String())
		}
		if len(i.sent) != test.told {
			t.Errorf("after run %d %d messages were sent: %q", n, len(i.sent), i.sent)
		}
	}
}

func TestReasonsToStay(t *testing.T) {
	for name, test := range map[string]struct {
		arrange func(t *testing.T, i *island)
		want    scaling.Code
	}{
		"no-metrics": {func(*testing.T, *island) {}, scaling.Missing},
		"cool":       {func(t *testing.T, i *island) { i.use(t, 20) }, scaling.Steady},
		"frozen": {func(t *testing.T, i *island) {
			i.use(t, 60)
			i.write(t, i.settings.frozen, "true")
		}, scaling.Frozen},
		"alarm": {func(t *testing.T, i *island) {
			i.use(t, 60)
			i.setAlarm(t, cloudwatchtypes.StateValueAlarm)
		}, scaling.InAlarm},
		"zonal-shift": {func(t *testing.T, i *island) {
			i.use(t, 60)
			body := fmt.Sprintf(`{"resourceIdentifier": %q, "awayFrom": "euw1-az1", "expiresIn": "1h", "comment": "test"}`, i.settings.loadBalancerARN)
			_, err := emulatortest.Rest(t, i.control, "arc-zonal-shift", region, http.MethodPost, "/zonalshifts", body)
			must(t, err)
		}, scaling.ZonalShift},
		"not-offered": {func(t *testing.T, i *island) {
			i.use(t, 60)
			i.settings.ladder = slices.Clone(i.settings.ladder)
			i.settings.ladder[1].Type = "m7g.tiny"
		}, scaling.NotOffered},
		"off-ladder": {func(t *testing.T, i *island) { i.write(t, i.settings.instanceType, "c7g.large") }, scaling.OffLadder},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIsland(t, name)
			test.arrange(t, i)
			before := fmt.Sprint(i.state(t))
			r, err := i.controller(nil).run(t.Context(), i.now(t))
			must(t, err)
			if r.Kind != scaling.Stay || r.Reason.Code != test.want {
				t.Errorf("got %s: %s, want %s", r.Reason.Code, r.Says, test.want)
			}
			if after := fmt.Sprint(i.state(t)); after != before {
				t.Errorf("%s became %s", before, after)
			}
		})
	}
}

func TestAdviceIsOnlySaid(t *testing.T) {
	i := newIsland(t, "advised")
	i.use(t, 60)
	i.settings.policy.Mode = scaling.Advise
	before := fmt.Sprint(i.state(t))
	r, err := i.controller(nil).run(t.Context(), i.now(t))
	must(t, err)
	if r.Kind != scaling.Up || !r.Advice || r.Steps != 0 || r.StepsWanted != 1 {
		t.Errorf("got %+v", r)
	}
	if after := fmt.Sprint(i.state(t)); after != before || len(i.sent) > 0 {
		t.Errorf("%s became %s, and it told of %q", before, after, i.sent)
	}
}

// TestFleetReturnsToItsParameter: a stack that rolled back, or an operator, left
// the group at another type.
func TestFleetReturnsToItsParameter(t *testing.T) {
	i := newIsland(t, "rolled-back")
	i.use(t, 30)
	i.write(t, i.settings.instanceType, "m7g.large")
	i.run(t, nil)
	want := state{Parameter: "m7g.large", Launches: "m7g.large", Instances: map[string]int{"m7g.large": 2}, Target: 1200}
	if got := i.state(t); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestMemoryThatCannotBeReadStops(t *testing.T) {
	i := newIsland(t, "forgetful")
	i.write(t, i.settings.remembered, "{")
	if _, err := i.controller(nil).run(t.Context(), i.now(t)); err == nil || !strings.Contains(err.Error(), "/forgetful/fleet/scaling cannot be read: delete it") {
		t.Errorf("got %v", err)
	}
}

func TestSettingsThatAreMissingAreNamedAtOnce(t *testing.T) {
	_, err := readSettings(func(string) string { return "" })
	for _, name := range []string{setting.Ladder, setting.Group, setting.ScalerMode, setting.CPUTarget} {
		if err == nil || !strings.Contains(err.Error(), name+" is not set") {
			t.Errorf("%s is not among %v", name, err)
		}
	}
}

func TestSettingsThatAreWrongAreNamedAtOnce(t *testing.T) {
	unknown := map[string]string{setting.ScalerMode: "auto", setting.CPUTarget: "much", setting.Ladder: "m7g.huge", setting.StartAt: "m7g.large"}
	short := map[string]string{setting.ScalerMode: "auto", setting.CPUTarget: "55", setting.Ladder: "m7g.medium", setting.StartAt: "m7g.large"}
	for _, test := range []struct {
		set  map[string]string
		want []string
	}{
		{unknown, []string{"GROUP is not set", "CPU_TARGET: want a number", "LADDER[0]: want an instance type"}},
		{short, []string{"GROUP is not set", "ladder: want two rungs at least", `START_AT: want a rung of m7g.medium, got "m7g.large"`}},
	} {
		_, err := readSettings(func(name string) string { return test.set[name] })
		for _, want := range test.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not among %v", want, err)
			}
		}
	}
}

func TestSettingsOfAGoalAreNumbers(t *testing.T) {
	_, err := readSettings(func(name string) string {
		return map[string]string{setting.Goal: "much", setting.GoalMilliseconds: "0"}[name]
	})
	for _, want := range []string{`GOAL: want a number of percent, got "much"`, `GOAL_MILLISECONDS: want a whole number above 0, got "0"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not among %v", want, err)
		}
	}
}
