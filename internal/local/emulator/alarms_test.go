package emulator_test

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
	"github.com/aws/aws-sdk-go-v2/aws"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// neverEvaluated are the metrics of alarms that nobody produces here, and why.
var neverEvaluated = map[string]string{
	"AWS/DynamoDB ReadThrottleEvents":    "the emulator's tables have no limits",
	"AWS/DynamoDB WriteThrottleEvents":   "the same",
	"AWS/DynamoDB ReplicationLatency":    "its replicas are one table",
	"AWS/S3 OperationsFailedReplication": "its replication never fails",
	"AWS/S3 ReplicationLatency":          "its replication takes as long as a test says",
	"AWS/EC2 CPUSurplusCreditsCharged":   "its instances have no credits",
	"Archipelago mem_used_percent":       "no agent runs on its instances",
	"Archipelago disk_used_percent":      "the same",
}

// TestEveryAlarmIsEvaluated, or is known never to be: those of every template.
func TestEveryAlarmIsEvaluated(t *testing.T) {
	templates, err := filepath.Glob("../../../stacks/testdata/*/*.json")
	if err != nil || len(templates) == 0 {
		t.Fatalf("got %d templates, %v", len(templates), err)
	}
	s := newStack(t)
	alarms, seen := resources{}, map[string]bool{}
	for _, path := range templates {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var template struct{ Resources map[string]map[string]any }
		if err := json.Unmarshal(b, &template); err != nil {
			t.Fatal(err)
		}
		for id, r := range template.Resources {
			kind, _ := r["Type"].(string)
			if kind != "AWS::CloudWatch::Alarm" && kind != "AWS::CloudWatch::CompositeAlarm" {
				continue
			}
			properties := plainly(r["Properties"]).(map[string]any)
			delete(properties, "AlarmName")
			text, err := json.Marshal(properties)
			if err != nil {
				t.Fatal(err)
			}
			if !seen[string(text)] {
				seen[string(text)] = true
				alarms[fmt.Sprintf("%s%d", id, len(alarms))] = map[string]any{"Type": kind, "Properties": properties}
			}
		}
	}
	s.deploy(t, cloudformationtypes.StackStatusCreateComplete, alarms)
	list, err := s.control.Alarms(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	evaluated, never := 0, map[string]bool{}
	for _, a := range list {
		if !strings.HasPrefix(a.Name, s.name) {
			continue
		}
		metrics, lacks := strings.CutPrefix(a.Never, "nobody produces ")
		switch {
		case a.Never == "":
			evaluated++
		case !lacks:
			t.Errorf("%s: %s", a.Name, a.Never)
		default:
			for _, metric := range strings.Split(metrics, ", ") {
				never[metric] = true
			}
		}
	}
	if evaluated == 0 || evaluated == len(alarms) {
		t.Errorf("%d of %d alarms are evaluated", evaluated, len(alarms))
	}
	if got, want := slices.Sorted(maps.Keys(never)), slices.Sorted(maps.Keys(neverEvaluated)); !slices.Equal(got, want) {
		t.Errorf("nobody produces %q, want %q", got, want)
	}
}

// plainly is a part of a template with text in place of CloudFormation's functions.
func plainly(part any) any {
	switch part := part.(type) {
	case []any:
		for i := range part {
			part[i] = plainly(part[i])
		}
	case map[string]any:
		if join, ok := part["Fn::Join"].([]any); ok {
			var text strings.Builder
			for _, piece := range join[1].([]any) {
				fmt.Fprint(&text, plainly(piece))
			}
			return text.String()
		}
		for key, value := range part {
			if key == "Ref" || strings.HasPrefix(key, "Fn::") {
				return fmt.Sprint(value)
			}
			part[key] = plainly(value)
		}
	}
	return part
}

// metrics are those of a namespace of the test's own.
type metrics struct {
	*cloudwatch.Client
	s *stack
}

func newMetrics(t *testing.T) metrics {
	t.Helper()
	s := newStack(t)
	m := metrics{cloudwatch.NewFromConfig(emulatortest.Config(s.control, "eu-west-1")), s}
	// From the beginning of a minute on.
	now := emulatortest.Now(t, s.control)
	emulatortest.Advance(t, s.control, now.Truncate(time.Minute).Add(time.Minute).Sub(now))
	return m
}

// minute puts values and lets a minute pass, with what is evaluated after it.
func (m metrics) minute(t *testing.T, values map[string]float64) {
	t.Helper()
	for name, value := range values {
		if _, err := m.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: &m.s.name, MetricData: []types.MetricDatum{{
			MetricName: &name, Value: &value, Timestamp: aws.Time(emulatortest.Now(t, m.s.control)),
		}}}); err != nil {
			t.Fatal(err)
		}
	}
	emulatortest.Advance(t, m.s.control, time.Minute)
}

// settle lets the alarms be evaluated on the minute that has ended.
func (m metrics) settle(t *testing.T) {
	t.Helper()
	emulatortest.Advance(t, m.s.control, 30*time.Second)
}

func (m metrics) state(t *testing.T, name string) types.StateValue {
	t.Helper()
	out, err := m.DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{name}, AlarmTypes: []types.AlarmType{types.AlarmTypeMetricAlarm, types.AlarmTypeCompositeAlarm}})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range out.MetricAlarms {
		return a.StateValue
	}
	for _, a := range out.CompositeAlarms {
		return a.StateValue
	}
	t.Fatalf("there is no alarm %s", name)
	return ""
}

// put makes an alarm on what is above 1 in m of n minutes.
func (m metrics) put(t *testing.T, name, treatment string, of, n int32) {
	t.Helper()
	if _, err := m.PutMetricAlarm(t.Context(), &cloudwatch.PutMetricAlarmInput{
		AlarmName: &name, Namespace: &m.s.name, MetricName: aws.String("x"), Statistic: types.StatisticSum, Period: aws.Int32(60),
		Threshold: aws.Float64(1), ComparisonOperator: types.ComparisonOperatorGreaterThanThreshold,
		EvaluationPeriods: &n, DatapointsToAlarm: &of, TreatMissingData: &treatment,
	}); err != nil {
		t.Fatal(err)
	}
}

// TestMissingData: the rows are those of AWS's table for alarms on three of three
// points and on two of three: 0 is within the threshold, X is not, - is missing.
func TestMissingData(t *testing.T) {
	const ok, alarm, none = types.StateValueOk, types.StateValueAlarm, types.StateValueInsufficientData
	for _, test := range []struct {
		of                                       int32
		points                                   string
		missing, ignore, breaching, notBreaching types.StateValue
	}{
		{3, "0-X-X", ok, ok, ok, ok},
		{3, "----0", ok, ok, ok, ok},
		{3, "-----", none, none, alarm, ok},
		{3, "0XX-X", alarm, alarm, alarm, alarm},
		{3, "--X--", alarm, none, alarm, ok},
		{2, "0-X-X", alarm, alarm, alarm, alarm},
		{2, "00X0X", alarm, alarm, alarm, alarm},
		{2, "0-X--", ok, ok, alarm, ok},
		{2, "----0", ok, ok, alarm, ok},
		{2, "----X", alarm, none, alarm, ok},
	} {
		t.Run(fmt.Sprintf("%d of 3 %s", test.of, test.points), func(t *testing.T) {
			m := newMetrics(t)
			for _, p := range test.points {
				values := map[string]float64{}
				if p != '-' {
					values["x"] = map[rune]float64{'0': 0, 'X': 2}[p]
				}
				m.minute(t, values)
			}
			want := map[string]types.StateValue{"missing": test.missing, "ignore": test.ignore, "breaching": test.breaching, "notBreaching": test.notBreaching}
			for treatment := range want {
				m.put(t, m.s.name+treatment, treatment, test.of, 3)
			}
			m.settle(t)
			for treatment, state := range want {
				if got := m.state(t, m.s.name+treatment); got != state {
					t.Errorf("with %s it is %s, want %s", treatment, got, state)
				}
			}
		})
	}
}

// TestMetricMathAndComposites: the deployment alarm's expression, and an alarm on it.
func TestMetricMathAndComposites(t *testing.T) {
	m := newMetrics(t)
	query := func(id, name string) map[string]any {
		return map[string]any{"Id": id, "ReturnData": false, "MetricStat": map[string]any{"Period": 60, "Stat": "Sum", "Metric": map[string]any{"Namespace": m.s.name, "MetricName": name}}}
	}
	guard := map[string]any{"Type": "AWS::CloudWatch::Alarm", "Properties": map[string]any{
		"AlarmName": m.s.name, "EvaluationPeriods": 3, "DatapointsToAlarm": 2, "Threshold": 5, "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching",
		"Metrics": []any{
			map[string]any{"Id": "share", "Expression": "IF(FILL(r, 0) + FILL(e, 0) >= 20, 100 * (FILL(t, 0) + FILL(e, 0)) / (FILL(r, 0) + FILL(e, 0)), 0)"},
			query("r", "requests"), query("t", "failed"), query("e", "refused"),
		},
	}}
	impaired := map[string]any{"Type": "AWS::CloudWatch::CompositeAlarm", "Properties": map[string]any{
		"AlarmName": m.s.name + "-impaired", "AlarmRule": map[string]any{"Fn::Sub": `(ALARM("${Guard.Arn}") OR ALARM("missing")) AND NOT ALARM("suppressed")`},
	}}
	m.s.deploy(t, cloudformationtypes.StackStatusCreateComplete, resources{"Guard": guard, "Impaired": impaired})
	if got := m.state(t, m.s.name); got != types.StateValueInsufficientData {
		t.Errorf("a new alarm is %s", got)
	}
	m.settle(t) // to the middle of a minute, so that the one before is evaluated in each
	for i, minute := range []struct {
		values map[string]float64
		want   types.StateValue
	}{
		{map[string]float64{"requests": 100, "failed": 4}, types.StateValueOk},
		{map[string]float64{"requests": 100, "failed": 6}, types.StateValueOk},      // one of three
		{map[string]float64{"requests": 19, "failed": 19}, types.StateValueOk},      // too few to tell
		{map[string]float64{"requests": 100, "refused": 10}, types.StateValueAlarm}, // the second of three
		{nil, types.StateValueOk},
	} {
		m.minute(t, minute.values)
		if got := m.state(t, m.s.name); got != minute.want {
			t.Errorf("after %d minutes it is %s, want %s", i+1, got, minute.want)
		}
		if got := m.state(t, m.s.name+"-impaired"); got != minute.want {
			t.Errorf("after %d minutes the composite is %s, want %s", i+1, got, minute.want)
		}
	}
}

// TestWindowSlides: each minute an alarm looks at the last five, wherever they began.
func TestWindowSlides(t *testing.T) {
	m := newMetrics(t)
	for emulatortest.Now(t, m.s.control).Minute()%5 != 3 {
		m.minute(t, nil)
	}
	if _, err := m.PutMetricAlarm(t.Context(), &cloudwatch.PutMetricAlarmInput{
		AlarmName: &m.s.name, Namespace: &m.s.name, MetricName: aws.String("x"), Statistic: types.StatisticSum, Period: aws.Int32(300),
		Threshold: aws.Float64(3), ComparisonOperator: types.ComparisonOperatorGreaterThanThreshold, EvaluationPeriods: aws.Int32(1),
		TreatMissingData: aws.String("notBreaching"),
	}); err != nil {
		t.Fatal(err)
	}
	for range 4 { // two before the next multiple of five minutes, and two after
		m.minute(t, map[string]float64{"x": 1})
	}
	m.settle(t)
	if got := m.state(t, m.s.name); got != types.StateValueAlarm {
		t.Errorf("after 4 within four minutes it is %s, want %s", got, types.StateValueAlarm)
	}
	for range 2 {
		m.minute(t, nil)
	}
	if got := m.state(t, m.s.name); got != types.StateValueOk {
		t.Errorf("with 3 in the last five minutes it is %s, want %s", got, types.StateValueOk)
	}
}

// TestWhatRunsMakesMetrics: load balancers', and those that functions print.
func TestWhatRunsMakesMetrics(t *testing.T) {
	m := newMetrics(t)
	template := m.s.fleet("m7g.medium")
	template["VPC"] = map[string]any{"Type": "AWS::EC2::VPC", "Properties": map[string]any{"CidrBlock": "10.0.0.0/16"}}
	template["Subnet"] = map[string]any{"Type": "AWS::EC2::Subnet", "Properties": map[string]any{"CidrBlock": "10.0.0.0/24", "VpcId": map[string]any{"Ref": "VPC"}, "AvailabilityZone": "eu-west-1a"}}
	template["Balancer"] = map[string]any{"Type": "AWS::ElasticLoadBalancingV2::LoadBalancer", "Properties": map[string]any{"Subnets": []any{map[string]any{"Ref": "Subnet"}}}}
	template["Targets"] = map[string]any{"Type": "AWS::ElasticLoadBalancingV2::TargetGroup", "Properties": map[string]any{"Port": 80, "Protocol": "HTTP", "VpcId": map[string]any{"Ref": "VPC"}}}
	template["Listener"] = map[string]any{"Type": "AWS::ElasticLoadBalancingV2::Listener", "Properties": map[string]any{
		"LoadBalancerArn": map[string]any{"Ref": "Balancer"}, "Port": 80, "Protocol": "HTTP",
		"DefaultActions": []any{map[string]any{"Type": "forward", "TargetGroupArn": map[string]any{"Ref": "Targets"}}},
	}}
	group := template["Group"].(map[string]any)
	group["DependsOn"] = "Listener"
	properties := group["Properties"].(map[string]any)
	delete(properties, "AvailabilityZones")
	properties["VPCZoneIdentifier"] = []any{map[string]any{"Ref": "Subnet"}}
	properties["TargetGroupARNs"] = []any{map[string]any{"Ref": "Targets"}}
	template["Out"] = parameter("/"+m.s.name, map[string]any{"Ref": "Targets"})
	m.s.deploy(t, cloudformationtypes.StackStatusCreateComplete, template)
	arn := m.s.value(t, "/"+m.s.name)
	health := map[string]string{}
	for _, i := range m.s.group().now(t).Instances {
		health[*i.InstanceId] = "healthy"
	}
	began := emulatortest.Now(t, m.s.control)
	idle := emulator.Usage{CPU: map[string]float64{}, Requests: map[string]int{}}
	for _, usage := range []emulator.Usage{idle, {
		CPU: map[string]float64{}, Requests: map[string]int{arn: 10}, Failed: map[string]int{arn: 3}, Refused: map[string]int{arn: 2}, Times: map[string]map[int]int{arn: {100: 9, 900: 1}},
	}} {
		if err := m.s.control.Report(t.Context(), emulator.Status{Health: health}); err != nil {
			t.Fatal(err)
		}
		if err := m.s.control.Use(t.Context(), usage); err != nil {
			t.Fatal(err)
		}
		emulatortest.Advance(t, m.s.control, time.Minute)
	}
	if err := m.s.control.Use(t.Context(), idle); err != nil {
		t.Fatal(err)
	}
	printed := fmt.Sprintf(`{"_aws": {"CloudWatchMetrics": [{"Namespace": %q, "Dimensions": [["Deployment"]], "Metrics": [{"Name": "Rung"}, {"Name": "Absent"}]}]}, "Deployment": "d", "Rung": 2}`, m.s.name)
	if err := m.s.control.Print(t.Context(), "123456789012", "eu-west-1", printed); err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, of := range []struct {
		namespace, name string
		stat            types.Statistic
	}{
		{"AWS/ApplicationELB", "HealthyHostCount", types.StatisticMaximum},
		{"AWS/ApplicationELB", "RequestCount", types.StatisticSum},
		{"AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", types.StatisticSum},
		{"AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", types.StatisticSum},
		{"AWS/ApplicationELB", "TargetResponseTime", types.StatisticMaximum},
		{m.s.name, "Rung", types.StatisticMaximum},
	} {
		list, err := m.ListMetrics(t.Context(), &cloudwatch.ListMetricsInput{Namespace: &of.namespace, MetricName: &of.name})
		if err != nil || len(list.Metrics) == 0 {
			t.Fatalf("%s: %v, %v", of.name, list, err)
		}
		for _, metric := range list.Metrics {
			if len(metric.Dimensions) == 2 && of.name != "HealthyHostCount" {
				continue // the same with the target group
			}
			out, err := m.GetMetricData(t.Context(), &cloudwatch.GetMetricDataInput{
				StartTime: aws.Time(began.Add(-time.Minute)), EndTime: aws.Time(emulatortest.Now(t, m.s.control).Add(time.Minute)),
				MetricDataQueries: []types.MetricDataQuery{{Id: aws.String("m"), MetricStat: &types.MetricStat{
					Metric: &metric, Period: aws.Int32(60), Stat: aws.String(string(of.stat)),
				}}},
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, value := range out.MetricDataResults[0].Values {
				got[of.name] = max(got[of.name], value)
			}
		}
	}
	want := map[string]float64{"HealthyHostCount": 2, "RequestCount": 10, "HTTPCode_Target_5XX_Count": 3, "HTTPCode_ELB_5XX_Count": 2, "TargetResponseTime": 0.9, "Rung": 2}
	if !maps.Equal(got, want) {
		t.Errorf("the metrics are %v, want %v", got, want)
	}
}
