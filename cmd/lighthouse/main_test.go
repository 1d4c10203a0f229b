package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/archipelago-cdk/archipelago/internal/pulse"
	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/archipelago-cdk/archipelago/service/lighthouse"
	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	autoscalingtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"
)

var settings = map[string]string{
	setting.Region: "us-east-1",
	setting.Watched: `[
		{"part": "table orders", "table": "orders", "partitionKey": "pk", "sortKey": "sk"},
		{"part": "table prices", "table": "prices", "partitionKey": "sku", "readOnly": true},
		{"part": "bucket files", "bucket": "files"},
		{"part": "bucket manuals", "bucket": "manuals", "readOnly": true}]`,
	setting.Deployment:     "archipelago",
	setting.DrainParameter: "/archipelago/island/drained",
	setting.ReplicaRegions: "eu-west-1,ap-southeast-2",
}

// island is an emulated region with a table and a bucket, and the function that
// looks at it, whose clock the test moves.
type island struct {
	*handler
	aws aws.Config
	now time.Time
	out bytes.Buffer
}

func newIsland(t *testing.T) *island {
	t.Helper()
	for _, pair := range emulator.Environment(emulatortest.Start(t, emulator.Options{}).URL) {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	loaded, err := config.LoadDefaultConfig(t.Context(), config.WithRegion("us-east-1"))
	if err != nil {
		t.Fatal(err)
	}
	i := &island{aws: loaded, now: time.Now()}
	keys := func(names ...string) (schema []types.KeySchemaElement, attributes []types.AttributeDefinition) {
		for n, name := range names {
			schema = append(schema, types.KeySchemaElement{AttributeName: &name, KeyType: []types.KeyType{types.KeyTypeHash, types.KeyTypeRange}[n]})
			attributes = append(attributes, types.AttributeDefinition{AttributeName: &name, AttributeType: types.ScalarAttributeTypeS})
		}
		return schema, attributes
	}
	for table, key := range map[string][]string{"orders": {"pk", "sk"}, "prices": {"sku"}} {
		schema, attributes := keys(key...)
		if _, err := dynamodb.NewFromConfig(i.aws).CreateTable(t.Context(), &dynamodb.CreateTableInput{
			TableName: &table, KeySchema: schema, AttributeDefinitions: attributes, BillingMode: types.BillingModePayPerRequest,
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, bucket := range []string{"files", "manuals"} {
		if _, err := i.s3().CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
			t.Fatal(err)
		}
	}
	i.handler, err = newHandler(t.Context(), func(name string) string { return settings[name] }, &i.out, func() time.Time { return i.now })
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func (i *island) s3() *s3.Client {
	return s3.NewFromConfig(i.aws, func(o *s3.Options) { o.UsePathStyle = true })
}

// look asks as the load balancer does.
func (i *island) look(t *testing.T) (int, lighthouse.Report) {
	t.Helper()
	answer, err := i.handle(t.Context(), events.ALBTargetGroupRequest{
		HTTPMethod: http.MethodGet, Path: setting.LighthousePath, Headers: map[string]string{"user-agent": "ELB-HealthChecker/2.0"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := map[int]string{200: "200 OK", 503: "503 Service Unavailable"}[answer.StatusCode]; answer.StatusDescription != want {
		t.Errorf("the description of %d is %q", answer.StatusCode, answer.StatusDescription)
	}
	var report lighthouse.Report
	if err := json.Unmarshal([]byte(answer.Body), &report); err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, report
}

func TestLookAtAnIsland(t *testing.T) {
	i := newIsland(t)
	for range 3 { // the first writes what the others compare
		if status, report := i.look(t); status != http.StatusOK || report.Failing != 0 || len(report.Parts) != 4 {
			t.Fatalf("got %d, %+v; want all well", status, report)
		}
	}
	versions, err := i.s3().ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: aws.String("files")})
	if err != nil {
		t.Fatal(err)
	}
	if manuals, err := i.s3().ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: aws.String("manuals")}); err != nil || len(manuals.Versions) > 0 {
		t.Errorf("the bucket that is to be read only holds %d versions, %v", len(manuals.Versions), err)
	}
	if len(versions.Versions) != 1 || *versions.Versions[0].Key != "lighthouse/us-east-1" {
		t.Errorf("the bucket holds %d versions, want one of the lighthouse's own object", len(versions.Versions))
	}

	// What was written is only read for a while, and an object that went is
	// written again.
	if _, err := i.s3().DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("files"), Key: aws.String("lighthouse/us-east-1")}); err != nil {
		t.Fatal(err)
	}
	if status, report := i.look(t); status != http.StatusServiceUnavailable || !strings.Contains(report.Parts["bucket files"], "NoSuchKey") {
		t.Errorf("without its object: got %d, %+v", status, report)
	}
	i.now = i.now.Add(writeEvery)
	if status, report := i.look(t); status != http.StatusOK {
		t.Errorf("a minute later: got %d, %+v", status, report)
	}

	drain := func(value string) {
		t.Helper()
		if _, err := ssm.NewFromConfig(i.aws).PutParameter(t.Context(), &ssm.PutParameterInput{
			Name: aws.String("/archipelago/island/drained"), Type: ssmtypes.ParameterTypeString, Value: &value, Overwrite: aws.Bool(true),
		}); err != nil {
			t.Fatal(err)
		}
		i.now = i.now.Add(drainFor)
	}
	drain("true")
	if status, report := i.look(t); status != http.StatusServiceUnavailable || !report.Drained || report.Failing != 0 {
		t.Errorf("drained: got %d, %+v", status, report)
	}
	drain("false")
	if status, report := i.look(t); status != http.StatusOK || report.Drained {
		t.Errorf("no longer drained: got %d, %+v", status, report)
	}

	if _, err := dynamodb.NewFromConfig(i.aws).DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: aws.String("prices")}); err != nil {
		t.Fatal(err)
	}
	i.out.Reset()
	status, report := i.look(t)
	if status != http.StatusServiceUnavailable || report.Parts["bucket files"] != "ok" || !strings.Contains(report.Parts["table prices"], "ResourceNotFound") {
		t.Errorf("without a table: got %d, %+v", status, report)
	}
	var line struct {
		AWS struct {
			CloudWatchMetrics []struct {
				Namespace  string
				Dimensions [][]string
				Metrics    []struct{ Name string }
			}
		} `json:"_aws"`
		Deployment string
		Failing    int
		Drained    int
	}
	if err := json.Unmarshal(i.out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	if len(line.AWS.CloudWatchMetrics) != 1 || line.AWS.CloudWatchMetrics[0].Namespace != "Archipelago" ||
		line.Deployment != "archipelago" || line.Failing != 1 || line.Drained != 0 {
		t.Errorf("the line of metrics is %s", i.out.String())
	}
}

// groups is an Auto Scaling that has one group.
type groups struct {
	err       error
	instances []autoscalingtypes.Instance
	asked     int
}

func (g *groups) DescribeAutoScalingGroups(_ context.Context, in *autoscaling.DescribeAutoScalingGroupsInput, _ ...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingGroupsOutput, error) {
	g.asked++
	if g.err != nil {
		return nil, g.err
	}
	return &autoscaling.DescribeAutoScalingGroupsOutput{AutoScalingGroups: []autoscalingtypes.AutoScalingGroup{
		{AutoScalingGroupName: &in.AutoScalingGroupNames[0], Instances: g.instances},
	}}, nil
}

// pulses is a table that holds beats.
type pulses struct {
	item map[string]types.AttributeValue
	err  error
	key  map[string]types.AttributeValue
}

func (p *pulses) GetItem(_ context.Context, in *dynamodb.GetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	p.key = in.Key
	return &dynamodb.GetItemOutput{Item: p.item}, p.err
}

// TestFleetIsHeard: of the instances in service, and who they are is asked in silence
// only.
func TestFleetIsHeard(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	beat := func(ago time.Duration) types.AttributeValue {
		return pulse.Beat{At: now.Add(-ago), InARow: 3, Given: 3}.Value()
	}
	table, g := &pulses{}, &groups{instances: []autoscalingtypes.Instance{
		{InstanceId: aws.String("i-1"), LifecycleState: autoscalingtypes.LifecycleStateInService},
		{InstanceId: aws.String("i-2"), LifecycleState: autoscalingtypes.LifecycleStateTerminating},
	}}
	f := fleet{
		tables: table, groups: g, table: setting.Store{Table: "orders", PartitionKey: "pk"}, hasTable: true,
		region: "eu-west-1", group: "archipelago-fleet", now: func() time.Time { return now },
	}
	var refusal error
	f.try = func(context.Context) error { return refusal }
	want := func(silent bool, unknown string, asked int) {
		t.Helper()
		silence, err := f.silence(t.Context())
		if (silence != "") != silent || (err != nil) != (unknown != "") || err != nil && !strings.Contains(err.Error(), unknown) || g.asked != asked {
			t.Errorf("got %q, %v after %d questions; want silence %t, an error %q, %d questions", silence, err, g.asked, silent, unknown, asked)
		}
	}
	want(false, "no instance has ever", 0)
	table.item = map[string]types.AttributeValue{"i-1": beat(time.Second)}
	want(false, "", 0)
	if key := table.key["pk"].(*types.AttributeValueMemberS).Value; key != "pulse#eu-west-1" {
		t.Errorf("it reads %q", key)
	}
	table.item = map[string]types.AttributeValue{"i-2": beat(2 * time.Minute)}
	want(false, "no instance that runs", 1)
	table.item["i-1"] = beat(61 * time.Second)
	want(true, "", 2)
	refusal = &types.ThrottlingException{} // beats may be refused, too
	want(false, "no instance has said for 1m1s that it reaches the stores, but the table refuses calls", 3)
	refusal = &types.ResourceNotFoundException{}
	want(true, "", 4)
	refusal = nil
	g.err = errors.New("throttled")
	want(true, "", 5) // it ran lately
	table.item = map[string]types.AttributeValue{"i-1": beat(6 * time.Minute)}
	want(false, "throttled", 6)
	table.err = errors.New("no table")
	want(false, "no table", 6)
	f.hasTable = false
	want(false, "no watched table may be written", 6)
}

// TestFleetIsAskedWhereItHasAPulse is the whole handler: a silent fleet darkens the
// island and counts as what fails.
func TestFleetIsAskedWhereItHasAPulse(t *testing.T) {
	i := newIsland(t)
	var err error
	i.handler, err = newHandler(t.Context(), func(name string) string {
		if name == setting.PulseGroup {
			return "archipelago-fleet"
		}
		return settings[name]
	}, &i.out, func() time.Time { return i.now })
	if err != nil {
		t.Fatal(err)
	}
	if status, report := i.look(t); status != http.StatusOK || !strings.HasPrefix(report.Parts["fleet"], "unknown: no instance has ever") {
		t.Errorf("without a beat: got %d, %+v", status, report)
	}
	if !strings.Contains(i.out.String(), `"Unknown":1`) {
		t.Errorf("without a beat the line of metrics is %s", i.out.String())
	}
	i.out.Reset()
	orders := setting.Store{Table: "orders", PartitionKey: "pk", SortKey: "sk"}
	beat := func(ago time.Duration) {
		t.Helper()
		if _, err := dynamodb.NewFromConfig(i.aws).UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: &orders.Table, Key: pulse.Key(orders, "us-east-1"), UpdateExpression: aws.String("SET #me = :beat"),
			ExpressionAttributeNames:  map[string]string{"#me": "i-1"},
			ExpressionAttributeValues: map[string]types.AttributeValue{":beat": pulse.Beat{At: time.Now().Add(-ago), InARow: 3, Given: 3}.Value()},
		}); err != nil {
			t.Fatal(err)
		}
	}
	beat(0)
	i.now = i.now.Add(-10 * time.Minute) // a clock that is slow: DynamoDB's counts
	if status, report := i.look(t); status != http.StatusOK || report.Parts["fleet"] != "ok" {
		t.Errorf("with a beat: got %d, %+v", status, report)
	}
	if !strings.Contains(i.out.String(), `"Unknown":0`) {
		t.Errorf("with a beat the line of metrics is %s", i.out.String())
	}
	beat(2 * time.Minute)
	i.lighthouse.Fleet = fleet{
		tables: dynamodb.NewFromConfig(i.aws), groups: &groups{err: errors.New("down")}, table: orders, hasTable: true,
		region: "us-east-1", group: "archipelago-fleet", now: func() time.Time { return i.now },
		try: func(context.Context) error { return nil },
	}.silence
	i.out.Reset()
	if status, report := i.look(t); status != http.StatusServiceUnavailable || report.Failing != 1 || !strings.HasPrefix(report.Parts["fleet"], "no instance has said for 2m") {
		t.Errorf("in silence: got %d, %+v", status, report)
	}
	if !strings.Contains(i.out.String(), `"Failing":1`) {
		t.Errorf("the line of metrics is %s", i.out.String())
	}
}

// TestThrottledTableDarkensNothing is the whole handler: users can cause it, and then beats
// may be refused as well.
func TestThrottledTableDarkensNothing(t *testing.T) {
	i := newIsland(t)
	cloud := emulator.Control{URL: os.Getenv("AWS_ENDPOINT_URL")}
	throttle := func(tables ...string) {
		t.Helper()
		if err := cloud.Set(t.Context(), emulator.Settings{Throttled: map[string][]string{"us-east-1": tables}}); err != nil {
			t.Fatal(err)
		}
	}
	orders := setting.Store{Table: "orders", PartitionKey: "pk", SortKey: "sk"}
	i.lighthouse.Fleet = fleet{
		tables: &pulses{item: map[string]types.AttributeValue{"i-1": pulse.Beat{At: i.now.Add(-2 * time.Minute), InARow: 3, Given: 3}.Value()}},
		groups: &groups{err: errors.New("down")}, table: orders, hasTable: true, region: "us-east-1", group: "archipelago-fleet",
		now: func() time.Time { return i.now },
		try: table{client: dynamodb.NewFromConfig(i.aws), store: orders, region: "us-east-1", now: func() time.Time { return i.now }}.try,
	}.silence
	if status, report := i.look(t); status != http.StatusServiceUnavailable || report.Failing != 1 || report.Parts["table orders"] != "ok" {
		t.Errorf("in silence: got %d, %+v", status, report)
	}
	throttle("orders", "prices")
	status, report := i.look(t)
	if status != http.StatusOK || report.Parts["table orders"] != "ok" || report.Parts["table prices"] != "ok" || report.Unknown != 1 ||
		!strings.Contains(report.Parts["fleet"], "but the table refuses calls for being too many") {
		t.Errorf("throttled: got %d, %+v", status, report)
	}
	throttle()
	if status, _ := i.look(t); status != http.StatusServiceUnavailable {
		t.Errorf("in silence again: got %d", status)
	}
}

// alarms is a CloudWatch that has one alarm.
type alarms struct {
	state cloudwatchtypes.StateValue // "" where it has none
	err   error
	asked int
}

func (a *alarms) DescribeAlarms(_ context.Context, in *cloudwatch.DescribeAlarmsInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.DescribeAlarmsOutput, error) {
	a.asked++
	out := &cloudwatch.DescribeAlarmsOutput{}
	if a.state != "" {
		out.MetricAlarms = []cloudwatchtypes.MetricAlarm{{AlarmName: &in.AlarmNames[0], StateValue: a.state}}
	}
	return out, a.err
}

// TestLoadBalancerIsHeard: at most twice a minute, and what is not known is no reason.
func TestLoadBalancerIsHeard(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	a := &alarms{state: cloudwatchtypes.StateValueOk}
	b := &balancer{client: a, alarm: "archipelago-balancer-failing", now: func() time.Time { return now }}
	want := func(fails bool, unknown string, asked int) {
		t.Helper()
		reason, err := b.failure(t.Context())
		if (reason != "") != fails || (err != nil) != (unknown != "") || err != nil && !strings.Contains(err.Error(), unknown) || a.asked != asked {
			t.Errorf("got %q, %v after %d calls; want a reason %t, an error %q, %d calls", reason, err, a.asked, fails, unknown, asked)
		}
	}
	want(false, "", 1)
	a.state = cloudwatchtypes.StateValueAlarm
	now = now.Add(alarmFor - time.Second)
	want(false, "", 1) // remembered
	now = now.Add(time.Second)
	want(true, "", 2)
	a.err = errors.New("throttled")
	now = now.Add(alarmFor)
	want(true, "", 3) // the last answer stands
	now = now.Add(alarmKeptFor - alarmFor)
	want(false, "throttled", 4) // not for ever
	a.err = nil
	want(false, "throttled", 4) // remembered too
	now = now.Add(alarmFor)
	want(true, "", 5)
	a.state = cloudwatchtypes.StateValueInsufficientData
	now = now.Add(alarmKeptFor)
	want(false, "INSUFFICIENT_DATA", 6)
	a.state = ""
	now = now.Add(alarmFor)
	want(false, "there is no alarm archipelago-balancer-failing", 7)
	a.state = cloudwatchtypes.StateValueOk
	now = now.Add(alarmFor)
	want(false, "", 8)
	a.err = errors.New("throttled")
	now = now.Add(alarmFor)
	want(false, "", 9)
}

// TestLoadBalancerThatFailsDarkens is the whole handler.
func TestLoadBalancerThatFailsDarkens(t *testing.T) {
	i := newIsland(t)
	var err error
	i.handler, err = newHandler(t.Context(), func(name string) string {
		if name == setting.BalancerAlarm {
			return "archipelago-balancer-failing"
		}
		return settings[name]
	}, &i.out, func() time.Time { return i.now })
	if err != nil {
		t.Fatal(err)
	}
	if status, report := i.look(t); status != http.StatusOK || report.Parts["load balancer"] != "unknown: there is no alarm archipelago-balancer-failing" {
		t.Errorf("without the alarm: got %d, %+v", status, report)
	}
	client := cloudwatch.NewFromConfig(i.aws)
	if _, err := client.PutMetricAlarm(t.Context(), &cloudwatch.PutMetricAlarmInput{
		AlarmName: aws.String("archipelago-balancer-failing"), Namespace: aws.String("Test"), MetricName: aws.String("x"),
		Statistic: cloudwatchtypes.StatisticSum, Period: aws.Int32(60), EvaluationPeriods: aws.Int32(1), Threshold: aws.Float64(1),
		ComparisonOperator: cloudwatchtypes.ComparisonOperatorGreaterThanThreshold,
	}); err != nil {
		t.Fatal(err)
	}
	set := func(state cloudwatchtypes.StateValue) {
		t.Helper()
		if _, err := client.SetAlarmState(t.Context(), &cloudwatch.SetAlarmStateInput{
			AlarmName: aws.String("archipelago-balancer-failing"), StateValue: state, StateReason: aws.String("test"),
		}); err != nil {
			t.Fatal(err)
		}
		i.now = i.now.Add(alarmFor)
	}
	set(cloudwatchtypes.StateValueAlarm)
	i.out.Reset()
	if status, report := i.look(t); status != http.StatusServiceUnavailable || report.Failing != 1 || !strings.HasPrefix(report.Parts["load balancer"], "it answers users with 500") {
		t.Errorf("in ALARM: got %d, %+v", status, report)
	}
	if !strings.Contains(i.out.String(), `"Failing":1`) {
		t.Errorf("the line of metrics is %s", i.out.String())
	}
	set(cloudwatchtypes.StateValueOk)
	if status, report := i.look(t); status != http.StatusOK || report.Parts["load balancer"] != "ok" {
		t.Errorf("in OK: got %d, %+v", status, report)
	}
}

func TestSettingsThatAreMissing(t *testing.T) {
	for name := range settings {
		if name == setting.Watched || name == setting.ReplicaRegions {
			continue // an island that watches nothing, or is the only one
		}
		_, err := newHandler(t.Context(), func(n string) string {
			if n == name {
				return ""
			}
			return settings[n]
		}, nil, time.Now)
		if err == nil || err.Error() != name+" is not set" {
			t.Errorf("without %s: got %v", name, err)
		}
	}
}

func TestSettingsThatCannotBeRead(t *testing.T) {
	for _, watched := range []string{`{}`, `[{"part": "table orders"}]`, `[{"part": "table orders", "table": "orders"}]`, `[{"table": "orders", "partitionKey": "pk"}]`} {
		if _, err := setting.ParseWatched(watched); err == nil || !strings.HasPrefix(err.Error(), "WATCHED: want ") {
			t.Errorf("%s: got %v", watched, err)
		}
	}
}

func TestWeightZeroDrains(t *testing.T) {
	d := &drainSwitch{always: true}
	if drained, err := d.drained(t.Context()); !drained || err != nil {
		t.Errorf("got %t, %v", drained, err)
	}
}

// parameters is an SSM of one parameter.
type parameters struct {
	value string
	err   error
	hangs bool
	asked int
}

func (p *parameters) GetParameter(ctx context.Context, _ *ssm.GetParameterInput, _ ...func(*ssm.Options)) (*ssm.GetParameterOutput, error) {
	p.asked++
	if p.hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return &ssm.GetParameterOutput{Parameter: &ssmtypes.Parameter{Value: &p.value}}, p.err
}

func TestDrainSwitch(t *testing.T) {
	now := time.Now()
	p := &parameters{err: errors.New("down")}
	d := &drainSwitch{client: p, now: func() time.Time { return now }}
	want := func(drained, failed bool, asked int) {
		t.Helper()
		got, err := d.drained(t.Context())
		if got != drained || (err != nil) != failed || p.asked != asked {
			t.Errorf("got %t, %v after %d calls; want %t, an error %t, %d calls", got, err, p.asked, drained, failed, asked)
		}
	}
	want(false, true, 1) // nothing is known
	p.value, p.err = "true", nil
	want(true, false, 2)
	p.value = "false"
	now = now.Add(drainFor - time.Second)
	want(true, false, 2) // remembered
	now = now.Add(time.Second)
	want(false, false, 3)
	p.value = "true"
	now = now.Add(drainFor)
	want(true, false, 4)
	p.err = errors.New("down")
	now = now.Add(drainFor)
	want(true, false, 5) // the last answer stands
	p.err = &ssmtypes.ParameterNotFound{}
	want(false, false, 6)
}

// TestDrainedIslandStaysDark where Systems Manager does not answer within a look.
func TestDrainedIslandStaysDark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &parameters{value: "true"}
		d := &drainSwitch{client: p, now: time.Now}
		if _, err := d.drained(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.hangs = true
		time.Sleep(drainFor)
		look, cancel := context.WithTimeout(t.Context(), lookWithin)
		defer cancel()
		if drained, err := d.drained(look); !drained || err != nil || look.Err() != nil {
			t.Errorf("got %t, %v, and of the look %v; want that it is drained before the look is over", drained, err, look.Err())
		}
	})
}

// contested is a table that somebody else always writes first.
type contested struct{ err error }

func (contested) GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	return &dynamodb.GetItemOutput{}, nil
}

func (c contested) UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	return nil, c.err
}

func TestTableThatRefusesAWrite(t *testing.T) {
	check := func(err error) error {
		return unlessThrottled(table{client: contested{err}, now: time.Now}.try)(t.Context())
	}
	if err := check(&types.ConditionalCheckFailedException{}); err != nil {
		t.Errorf("another look's write: got %v", err)
	}
	if err := check(&types.ProvisionedThroughputExceededException{}); err != nil {
		t.Errorf("a table that users throttle darkens the island: %v", err)
	}
	if err := check(&types.ResourceNotFoundException{}); err == nil {
		t.Error("a table that is gone passes")
	}
}

// limited is a bucket that refuses calls for being too many.
type limited struct{ code string }

func (l limited) PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	return nil, &smithy.GenericAPIError{Code: l.code}
}

func (l limited) GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	return nil, &smithy.GenericAPIError{Code: l.code}
}

func TestBucketThatIsAskedTooOften(t *testing.T) {
	check := func(code string) error {
		return unlessThrottled((&bucket{client: limited{code}, now: time.Now}).try)(t.Context())
	}
	if err := check("SlowDown"); err != nil {
		t.Errorf("a bucket that users throttle darkens the island: %v", err)
	}
	if err := check("AccessDenied"); err == nil {
		t.Error("a bucket that refuses passes")
	}
}
