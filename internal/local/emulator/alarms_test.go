package emulator_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	balancers "github.com/archipelago-cdk/archipelago/internal/local/balancer"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/archipelago-cdk/archipelago/internal/matrix"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// neverEvaluated are the metrics of alarms that nobody produces here, and why.
var neverEvaluated = map[string]string{
	"AWS/EC2 CPUSurplusCreditsCharged": "its instances have no credits",
	"Archipelago mem_used_percent":     "no agent runs on its instances",
	"Archipelago disk_used_percent":    "the same",
}

// TestMain removes what was synthesized for the configurations outside the gate.
func TestMain(m *testing.M) { matrix.Run(m) }

// TestEveryAlarmIsEvaluated, or is known never to be: those of every template of the
// configurations of this run.
func TestEveryAlarmIsEvaluated(t *testing.T) {
	s := newStack(t)
	alarms, seen := resources{}, map[string]bool{}
	matrix.Each(t, func(t *testing.T, a matrix.Assembly) {
		for _, stack := range a.Stacks {
			for id, r := range stack.Resources(t) {
				if r.Type != "AWS::CloudWatch::Alarm" && r.Type != "AWS::CloudWatch::CompositeAlarm" {
					continue
				}
				properties := plainly(r.Properties).(map[string]any)
				delete(properties, "AlarmName")
				text, err := json.Marshal(properties)
				if err != nil {
					t.Fatal(err)
				}
				if !seen[string(text)] {
					seen[string(text)] = true
					alarms[fmt.Sprintf("%s%d", id, len(alarms))] = map[string]any{"Type": r.Type, "Properties": properties}
				}
			}
		}
	})
	s.deploy(t, cloudformationtypes.StackStatusCreateComplete, alarms)
	t.Cleanup(func() { // they would be evaluated in each minute of the tests after this one
		if _, err := s.DeleteStack(context.Background(), &cloudformation.DeleteStackInput{StackName: &s.name}); err != nil {
			t.Error(err)
		}
	})
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
	if evaluated == 0 || evaluated == len(alarms) && matrix.Whole() {
		t.Errorf("%d of %d alarms are evaluated", evaluated, len(alarms))
	}
	for metric := range neverEvaluated {
		if !never[metric] && matrix.Whole() {
			t.Errorf("%s has a producer, or no alarm", metric)
		}
		delete(never, metric)
	}
	if len(never) > 0 {
		t.Errorf("nobody produces %q", slices.Sorted(maps.Keys(never)))
	}
	t.Logf("%d of %d alarms are evaluated", evaluated, len(alarms))
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

// TestAlarmOfTooManyMetrics: ten are the most, by a call and by a template. Expressions
// do not count.
func TestAlarmOfTooManyMetrics(t *testing.T) {
	s := newStack(t)
	client := cloudwatch.NewFromConfig(emulatortest.Config(s.control, "eu-west-1"))
	for n, status := range map[int]cloudformationtypes.StackStatus{10: cloudformationtypes.StackStatusCreateComplete, 11: cloudformationtypes.StackStatusRollbackComplete} {
		var ids []string
		var queries []types.MetricDataQuery
		var properties []any
		for i := range n {
			ids = append(ids, fmt.Sprintf("m%d", i))
			queries = append(queries, types.MetricDataQuery{Id: &ids[i], ReturnData: aws.Bool(false), MetricStat: &types.MetricStat{
				Metric: &types.Metric{Namespace: aws.String("a"), MetricName: &ids[i]}, Period: aws.Int32(60), Stat: aws.String("Sum"),
			}})
			properties = append(properties, map[string]any{"Id": ids[i], "ReturnData": false, "MetricStat": map[string]any{
				"Metric": map[string]any{"Namespace": "a", "MetricName": ids[i]}, "Period": 60, "Stat": "Sum",
			}})
		}
		sum := strings.Join(ids, " + ")
		queries = append(queries, types.MetricDataQuery{Id: aws.String("sum"), Expression: &sum})
		properties = append(properties, map[string]any{"Id": "sum", "Expression": sum})
		_, err := client.PutMetricAlarm(t.Context(), &cloudwatch.PutMetricAlarmInput{
			AlarmName: aws.String(s.name), Metrics: queries, Threshold: aws.Float64(1),
			ComparisonOperator: types.ComparisonOperatorGreaterThanThreshold, EvaluationPeriods: aws.Int32(1),
		})
		var refused smithy.APIError
		if is := errors.As(err, &refused) && refused.ErrorCode() == "ValidationError"; is != (n > 10) || !is && err != nil {
			t.Errorf("%d metrics: %v", n, err)
		}
		of := *s
		of.name += fmt.Sprint(n)
		of.deploy(t, status, resources{"Alarm": map[string]any{"Type": "AWS::CloudWatch::Alarm", "Properties": map[string]any{
			"Metrics": properties, "Threshold": 1, "ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1,
		}}})
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

// TestLoadBalancersOwnFailureIsInAlarm is the alarm of a region's template that darkens it:
// after five minutes of 500s, for half an hour, and not for what users or the service do.
func TestLoadBalancersOwnFailureIsInAlarm(t *testing.T) {
	properties := templateAlarm(t, "../../../stacks/testdata/shipped/archipelago-region-eu-west-1.template.json", "ObservabilityBalancerFailing")
	balancer := balancerOf(t, properties)
	m := newMetrics(t)
	properties["AlarmName"] = m.s.name
	m.s.deploy(t, cloudformationtypes.StackStatusCreateComplete, resources{"Alarm": map[string]any{"Type": "AWS::CloudWatch::Alarm", "Properties": properties}})
	minutes := func(n int, values map[string]float64, want types.StateValue) {
		t.Helper()
		for i := range n {
			m.balance(t, balancer, values)
			if got := m.state(t, m.s.name); got != want {
				t.Fatalf("after minute %d of %v it is %s, want %s", i+1, values, got, want)
			}
		}
	}
	const (
		of500 = "HTTPCode_ELB_500_Count"
		ok    = types.StateValueOk
	)
	m.settle(t) // to the middle of a minute, so that the one before is evaluated in each
	minutes(6, map[string]float64{"RequestCount": 100, "HTTPCode_ELB_5XX_Count": 300, "HTTPCode_ELB_502_Count": 100, "HTTPCode_ELB_503_Count": 100, "HTTPCode_ELB_504_Count": 100}, ok)
	minutes(6, map[string]float64{"RequestCount": 5, of500: 9}, ok)     // a handful
	minutes(6, map[string]float64{"RequestCount": 300, of500: 100}, ok) // a quarter
	minutes(4, map[string]float64{of500: 10}, ok)
	minutes(1, map[string]float64{"RequestCount": 290, of500: 100}, types.StateValueAlarm) // the fifth
	minutes(25, nil, types.StateValueAlarm)                                                // dark, so that nobody asks
	minutes(1, nil, ok)
}

// TestGuardCountsEachRequestOnce: RequestCount has those that a target was chosen for, and
// the guard of a region's template adds the others alone.
func TestGuardCountsEachRequestOnce(t *testing.T) {
	properties := templateAlarm(t, "../../../stacks/testdata/shipped/archipelago-region-eu-west-1.template.json", "FleetDeploymentAlarm")
	balancer := balancerOf(t, properties)
	m := newMetrics(t)
	properties["AlarmName"] = m.s.name
	delete(properties, "AlarmActions")
	m.s.deploy(t, cloudformationtypes.StackStatusCreateComplete, resources{"Alarm": map[string]any{"Type": "AWS::CloudWatch::Alarm", "Properties": properties}})
	m.settle(t) // to the middle of a minute, so that the one before is evaluated in each
	for _, minute := range []struct {
		requests float64
		errors   string
		n        float64
		want     types.StateValue
	}{
		{1000, "HTTPCode_Target_5XX_Count", 51, types.StateValueAlarm},
		{1000, "HTTPCode_ELB_502_Count", 51, types.StateValueAlarm},
		{1000, "HTTPCode_ELB_504_Count", 51, types.StateValueAlarm},
		{1000, "HTTPCode_ELB_500_Count", 51, types.StateValueOk}, // of 1,051
		{1000, "HTTPCode_ELB_503_Count", 51, types.StateValueOk},
		{19, "HTTPCode_ELB_502_Count", 19, types.StateValueOk}, // too few
		{10, "HTTPCode_ELB_503_Count", 10, types.StateValueAlarm},
	} {
		for range 2 {
			m.balance(t, balancer, map[string]float64{"RequestCount": minute.requests, minute.errors: minute.n})
		}
		if got := m.state(t, m.s.name); got != minute.want {
			t.Errorf("with %g requests and %g of %s it is %s, want %s", minute.requests, minute.n, minute.errors, got, minute.want)
		}
		for range 3 {
			m.balance(t, balancer, nil)
		}
	}
}

// TestStrangersRaiseNoAlarm: what a load balancer cannot read it answers with 5xx, as many
// as somebody likes, and the alarms of a region's template that count errors stay OK, the
// guard of a deployment first. Those that are not a stranger's put them in ALARM.
func TestStrangersRaiseNoAlarm(t *testing.T) {
	m := newMetrics(t)
	alarms := resources{}
	for id, of := range map[string]string{"DeploymentAlarm": "FleetDeploymentAlarm", "FastBurn": "ObservabilityFastBurnShort", "BalancerFailing": "ObservabilityBalancerFailing"} {
		properties := templateAlarm(t, "../../../stacks/testdata/watched/archipelago-region-eu-west-1.template.json", of)
		properties["AlarmName"] = m.s.name + id
		delete(properties, "AlarmActions")
		for _, q := range properties["Metrics"].([]any) {
			if stat, ok := q.(map[string]any)["MetricStat"].(map[string]any); ok {
				stat["Metric"].(map[string]any)["Dimensions"] = []any{map[string]any{"Name": "LoadBalancer", "Value": map[string]any{"Fn::GetAtt": []string{"Balancer", "LoadBalancerFullName"}}}}
			}
		}
		alarms[id] = map[string]any{"Type": "AWS::CloudWatch::Alarm", "Properties": properties}
	}
	arn := m.balanced(t, alarms)
	b, err := balancers.Listen(t.Context(), "eu-west-1", log.New(io.Discard, "", 0))
	if err != nil {
		t.Fatal(err)
	}
	config := emulator.LoadBalancer{Groups: []emulator.TargetGroup{{ARN: arn}}, Rules: []emulator.Rule{{Group: arn}}}
	ask := func(requests ...string) {
		t.Helper()
		before := b.Answers()[arn]
		for range 30 {
			for _, request := range requests {
				c, err := net.Dial("tcp", b.Addr)
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprint(c, request+"Host: x\r\nConnection: close\r\n\r\n")
				if answer, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 5") {
					t.Fatalf("%q is answered with %q, %v", request, answer, err)
				}
				c.Close()
			}
		}
		if err := m.s.control.Use(t.Context(), emulator.Usage{
			CPU: map[string]float64{}, Requests: map[string]int{},
			Refused: map[string]map[int]int{arn: b.Answers()[arn].Minus(before).Refused},
		}); err != nil {
			t.Fatal(err)
		}
		emulatortest.Advance(t, m.s.control, time.Minute)
	}
	for _, broken := range []bool{false, true} {
		config.Broken = broken
		b.Update(config, func(string) (balancers.Target, bool) { return balancers.Target{}, false })
		want := map[bool]types.StateValue{false: types.StateValueOk, true: types.StateValueAlarm}[broken]
		for range 7 {
			if broken {
				ask("GET / HTTP/1.1\r\n")
			} else {
				ask("GET / HTTP/1.1\r\nTransfer-Encoding: x\r\n", "GET / HTTP/9.9\r\n")
			}
		}
		m.settle(t)
		for id := range alarms {
			if got := m.state(t, m.s.name+id); got != want {
				t.Errorf("where the load balancer is broken: %t, %s is %s, want %s", broken, id, got, want)
			}
		}
	}
}

// balancerOf are the dimensions of the load balancer that an alarm is on.
func balancerOf(t *testing.T, properties map[string]any) []types.Dimension {
	t.Helper()
	for _, q := range properties["Metrics"].([]any) {
		if stat, ok := q.(map[string]any)["MetricStat"].(map[string]any); ok {
			d := stat["Metric"].(map[string]any)["Dimensions"].([]any)[0].(map[string]any)
			return []types.Dimension{{Name: aws.String(d["Name"].(string)), Value: aws.String(d["Value"].(string))}}
		}
	}
	t.Fatal("it is on no metric")
	return nil
}

// balance lets a minute pass with these values of a load balancer's.
func (m metrics) balance(t *testing.T, balancer []types.Dimension, values map[string]float64) {
	t.Helper()
	for name, value := range values {
		if _, err := m.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: aws.String("AWS/ApplicationELB"), MetricData: []types.MetricDatum{{
			MetricName: &name, Value: &value, Dimensions: balancer, Timestamp: aws.Time(emulatortest.Now(t, m.s.control)),
		}}}); err != nil {
			t.Fatal(err)
		}
	}
	emulatortest.Advance(t, m.s.control, time.Minute)
}

// TestHealthThatIsUnknownIsInAlarm is the alarm of a region's template on what its lighthouse
// does not learn: after two hours in which no look learned it.
func TestHealthThatIsUnknownIsInAlarm(t *testing.T) {
	m, properties := alarmOfPublished(t, "ObservabilityHealthUnknown")
	looks := func(minutes int, unknown ...float64) {
		t.Helper()
		for range minutes {
			for _, n := range unknown {
				if _, err := m.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: &m.s.name, MetricData: []types.MetricDatum{{
					MetricName: aws.String(properties["MetricName"].(string)), Value: &n, Timestamp: aws.Time(emulatortest.Now(t, m.s.control)),
				}}}); err != nil {
					t.Fatal(err)
				}
			}
			emulatortest.Advance(t, m.s.control, time.Minute)
		}
	}
	want := func(when string, state types.StateValue) {
		t.Helper()
		if got := m.state(t, m.s.name); got != state {
			t.Errorf("%s: it is %s, want %s", when, got, state)
		}
	}
	m.settle(t)
	looks(115, 1, 2)
	want("not yet two hours", types.StateValueOk)
	looks(10, 1)
	want("two hours", types.StateValueAlarm)
	looks(5, 1, 0)
	looks(2, 1)
	want("one look of five minutes learned it", types.StateValueOk)
}

// TestReplicationThatStandsStillIsInAlarm is the alarm of a region's template on how old the last
// write of another region is: after ten minutes, and not for one that is late once.
func TestReplicationThatStandsStillIsInAlarm(t *testing.T) {
	m, properties := alarmOfPublished(t, "ObservabilityReplicationAge")
	metric := properties["MetricName"].(string)
	m.settle(t)
	for _, step := range []struct {
		minutes int
		age     float64
		want    types.StateValue
	}{
		{15, 15, types.StateValueOk},
		{4, 600, types.StateValueOk},
		{6, 15, types.StateValueOk},
		{16, 600, types.StateValueAlarm},
		{6, 15, types.StateValueOk},
	} {
		for range step.minutes {
			m.minute(t, map[string]float64{metric: step.age})
		}
		if got := m.state(t, m.s.name); got != step.want {
			t.Errorf("after %d minutes of %g s it is %s, want %s", step.minutes, step.age, got, step.want)
		}
	}
}

// TestScalerThatIsSilentIsInAlarm is the alarm of a region's template on a scaler that decides
// nothing, or whose type is not on the ladder: after half an hour.
func TestScalerThatIsSilentIsInAlarm(t *testing.T) {
	m, properties := alarmOfPublished(t, "ObservabilityScalerSilent")
	metric := properties["MetricName"].(string)
	want := func(when string, state types.StateValue) {
		t.Helper()
		if got := m.state(t, m.s.name); got != state {
			t.Errorf("%s: it is %s, want %s", when, got, state)
		}
	}
	runs := func(times int, values map[string]float64) { // each five minutes
		t.Helper()
		for range times {
			m.minute(t, values)
			emulatortest.Advance(t, m.s.control, 4*time.Minute)
		}
	}
	m.settle(t)
	runs(7, map[string]float64{metric: 2})
	want("while it decides", types.StateValueOk)
	runs(5, nil)
	want("silent for less than half an hour", types.StateValueOk)
	runs(3, nil) // CloudWatch looks at a few points more while some are missing
	want("silent for more than half an hour", types.StateValueAlarm)
	runs(2, map[string]float64{metric: 1})
	want("when it decides again", types.StateValueOk)
	runs(8, map[string]float64{metric: 0})
	want("with a type that is not on the ladder", types.StateValueAlarm)
}

// TestTableThatThrottlesIsInAlarm is the alarm of a region's template: in three minutes of five,
// whether reads or writes of the table or of its index are refused.
func TestTableThatThrottlesIsInAlarm(t *testing.T) {
	const table = "archipelago-employees"
	properties := templateAlarm(t, "../../../stacks/testdata/shipped/archipelago-region-eu-west-1.template.json", "ObservabilityEmployeesThrottled")
	c := emulatortest.Start(t, emulator.Options{})
	s := &stack{Client: cloudformation.NewFromConfig(emulatortest.Config(c, "eu-west-1")), control: c, name: "Throttled"}
	m := metrics{cloudwatch.NewFromConfig(emulatortest.Config(c, "eu-west-1")), s}
	properties["AlarmName"] = s.name
	hash, sort := map[string]any{"AttributeName": "pk", "KeyType": "HASH"}, map[string]any{"AttributeName": "sk", "KeyType": "HASH"}
	s.deploy(t, cloudformationtypes.StackStatusCreateComplete, resources{
		"Alarm": map[string]any{"Type": "AWS::CloudWatch::Alarm", "Properties": properties},
		"Table": map[string]any{"Type": "AWS::DynamoDB::Table", "Properties": map[string]any{
			"TableName": table, "BillingMode": "PAY_PER_REQUEST", "KeySchema": []any{hash},
			"AttributeDefinitions":   []any{map[string]any{"AttributeName": "pk", "AttributeType": "S"}, map[string]any{"AttributeName": "sk", "AttributeType": "S"}},
			"GlobalSecondaryIndexes": []any{map[string]any{"IndexName": "byName", "KeySchema": []any{sort}, "Projection": map[string]any{"ProjectionType": "ALL"}}},
		}},
	})
	config := emulatortest.Config(c, "eu-west-1")
	config.RetryMaxAttempts = 1
	tables := dynamodb.NewFromConfig(config)
	key := map[string]dynamodbtypes.AttributeValue{"pk": &dynamodbtypes.AttributeValueMemberS{Value: "a"}}
	put := func() error {
		_, err := tables.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(table), Item: key})
		return err
	}
	get := func() error {
		_, err := tables.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String(table), Key: key})
		return err
	}
	query := func() error {
		_, err := tables.Query(t.Context(), &dynamodb.QueryInput{
			TableName: aws.String(table), IndexName: aws.String("byName"), KeyConditionExpression: aws.String("sk = :sk"),
			ExpressionAttributeValues: map[string]dynamodbtypes.AttributeValue{":sk": key["pk"]},
		})
		return err
	}
	m.settle(t)
	minutes := func(throttled bool, want types.StateValue, calls ...func() error) {
		t.Helper()
		for _, call := range calls {
			var refused *dynamodbtypes.ThrottlingException
			if err := call(); errors.As(err, &refused) != throttled || !throttled && err != nil {
				t.Errorf("throttled %t: got %v", throttled, err)
			}
			emulatortest.Advance(t, c, time.Minute)
		}
		emulatortest.Advance(t, c, 30*time.Second) // the minute's alarms
		if got := m.state(t, s.name); got != want {
			t.Errorf("throttled %t: it is %s, want %s", throttled, got, want)
		}
	}
	minutes(false, types.StateValueOk, put, get, query)
	for _, elsewhere := range []emulator.Settings{{Throttled: map[string][]string{"us-east-1": {table}}}, {Throttled: map[string][]string{"eu-west-1": {"other"}}}} {
		emulatortest.Set(t, c, elsewhere)
		minutes(false, types.StateValueOk, put)
	}
	emulatortest.Set(t, c, emulator.Settings{Throttled: map[string][]string{"eu-west-1": {table}}})
	minutes(true, types.StateValueOk, put, get)
	minutes(true, types.StateValueAlarm, query)
	if list, err := m.ListMetrics(t.Context(), &cloudwatch.ListMetricsInput{Dimensions: []types.DimensionFilter{{Name: aws.String("GlobalSecondaryIndexName"), Value: aws.String("byName")}}}); err != nil || len(list.Metrics) != 1 {
		t.Errorf("of the index there are %v, %v, want its refused reads", list, err)
	}
	emulatortest.Set(t, c, emulator.Settings{})
	minutes(false, types.StateValueOk, put, get, query, put)
}

// TestTableThatLagsIsInAlarm is the alarm of a region's template: of writes that take more than
// a minute for a quarter of an hour. Silence keeps it as it is, as of all DynamoDB's
// metrics: without writes, or where they do not arrive.
func TestTableThatLagsIsInAlarm(t *testing.T) {
	const name, other = "archipelago-employees", "us-east-1"
	c := emulatortest.Start(t, emulator.Options{})
	config := emulatortest.Config(c, "eu-west-1")
	s := &stack{Client: cloudformation.NewFromConfig(config), control: c, name: "Lags"}
	m := metrics{cloudwatch.NewFromConfig(config), s}
	properties := templateAlarm(t, "../../../stacks/testdata/shipped/archipelago-region-eu-west-1.template.json", "ObservabilityEmployeesLagTouseast1")
	properties["AlarmName"] = s.name
	s.deploy(t, cloudformationtypes.StackStatusCreateComplete, resources{
		"Alarm": map[string]any{"Type": "AWS::CloudWatch::Alarm", "Properties": properties},
		"Table": map[string]any{"Type": "AWS::DynamoDB::GlobalTable", "Properties": map[string]any{
			"TableName": name, "BillingMode": "PAY_PER_REQUEST",
			"Replicas":             []any{map[string]any{"Region": "eu-west-1"}, map[string]any{"Region": other}},
			"KeySchema":            []any{map[string]any{"AttributeName": "pk", "KeyType": "HASH"}},
			"AttributeDefinitions": []any{map[string]any{"AttributeName": "pk", "AttributeType": "S"}},
			"StreamSpecification":  map[string]any{"StreamViewType": "NEW_AND_OLD_IMAGES"},
		}},
	})
	tables := dynamodb.NewFromConfig(config)
	quarter := func(what string, writes bool, want types.StateValue) {
		t.Helper()
		for range 16 {
			if writes {
				if _, err := tables.PutItem(t.Context(), &dynamodb.PutItemInput{
					TableName: aws.String(name), Item: map[string]dynamodbtypes.AttributeValue{"pk": &dynamodbtypes.AttributeValueMemberS{Value: "a"}},
				}); err != nil {
					t.Fatal(err)
				}
			}
			emulatortest.Advance(t, c, time.Minute)
		}
		if got := m.state(t, s.name); got != want {
			t.Errorf("%s: it is %s, want %s", what, got, want)
		}
	}
	const ok, alarm = types.StateValueOk, types.StateValueAlarm
	slow := map[string]float64{other: 90}
	m.settle(t)
	quarter("a second", true, ok)
	emulatortest.Set(t, c, emulator.Settings{TableLag: map[string]float64{"eu-west-1": 90}})
	quarter("to here", true, ok)
	emulatortest.Set(t, c, emulator.Settings{TableLag: slow, Lost: []string{other}})
	quarter("to a lost region", true, ok)
	emulatortest.Set(t, c, emulator.Settings{TableLag: slow})
	quarter("nothing", false, ok)
	quarter("a minute and a half", true, alarm)
	quarter("nothing any more", false, alarm)
	emulatortest.Set(t, c, emulator.Settings{})
	quarter("a second again", true, ok)
}

// TestGoalAtRiskIsInAlarm is the fast one of a region's two pairs, each alarm of which looks at
// its own window: at two errors in a hundred, where the goal allows one in 2,000, once
// there are ten in an hour, and until they are few in five minutes.
func TestGoalAtRiskIsInAlarm(t *testing.T) {
	const path = "../../../stacks/testdata/watched/archipelago-region-eu-west-1.template.json"
	m := newMetrics(t)
	windows, pair := []string{"Long", "Short"}, resources{}
	var balancer []types.Dimension
	for _, window := range windows {
		properties := templateAlarm(t, path, "ObservabilityFastBurn"+window)
		balancer = balancerOf(t, properties)
		properties["AlarmName"] = m.s.name + window
		pair[window] = map[string]any{"Type": "AWS::CloudWatch::Alarm", "Properties": properties}
	}
	m.s.deploy(t, cloudformationtypes.StackStatusCreateComplete, pair)
	minutes := func(n int, failed float64, long, short types.StateValue) {
		t.Helper()
		for range n {
			m.balance(t, balancer, map[string]float64{"RequestCount": 100, "HTTPCode_Target_5XX_Count": failed})
		}
		for i, want := range []types.StateValue{long, short} {
			if got := m.state(t, m.s.name+windows[i]); got != want {
				t.Errorf("after %d minutes with %g errors of 100 the %s one is %s, want %s", n, failed, windows[i], got, want)
			}
		}
	}
	const ok, alarm = types.StateValueOk, types.StateValueAlarm
	m.settle(t) // to the middle of a minute, so that the one before is evaluated in each
	minutes(4, 2, ok, alarm)
	minutes(1, 2, alarm, alarm) // the tenth error
	minutes(4, 0, alarm, ok)    // two of 500 are less
	minutes(60, 0, ok, ok)
}

// TestReplicationThatFailsIsInAlarm: the alarms of two regions' templates, on a bucket whose
// objects take ten minutes to the other one's. What is not replicated at all is silence,
// which keeps an alarm as it is.
func TestReplicationThatFailsIsInAlarm(t *testing.T) {
	const (
		home, other = "eu-west-1", "us-east-1"
		name        = "archipelago-photos-123456789012-"
		delay       = 10 * time.Minute
		ok, alarm   = types.StateValueOk, types.StateValueAlarm
	)
	c := emulatortest.Start(t, emulator.Options{ReplicationDelay: delay})
	failed, behind := "Failed", "Behind"
	in := map[string]*cloudwatch.Client{}
	for alarm, where := range map[string][2]string{failed: {home, "ObservabilityPhotosFailsTo"}, behind: {other, "ObservabilityPhotosLagFrom"}} {
		properties := templateAlarm(t, "../../../stacks/testdata/shipped/archipelago-region-"+where[0]+".template.json", where[1])
		properties["AlarmName"] = alarm
		s := &stack{Client: cloudformation.NewFromConfig(emulatortest.Config(c, where[0])), control: c, name: alarm}
		s.deploy(t, cloudformationtypes.StackStatusCreateComplete, resources{"Alarm": map[string]any{"Type": "AWS::CloudWatch::Alarm", "Properties": properties}})
		in[alarm] = cloudwatch.NewFromConfig(emulatortest.Config(c, where[0]))
	}
	want := func(when, name string, state types.StateValue) {
		t.Helper()
		m := metrics{in[name], &stack{control: c}}
		if got := m.state(t, name); got != state {
			t.Errorf("%s: %s is %s, want %s", when, name, got, state)
		}
	}
	for _, region := range []string{home, other} {
		makeBucket(t, c, region, name+region)
	}
	replicate(t, c, home, name+home, name+other, "employees/")
	put := func(key string) {
		t.Helper()
		if _, err := photos(c, home).PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(name + home), Key: &key, Body: strings.NewReader("x")}); err != nil {
			t.Fatal(err)
		}
	}
	pass := func(d time.Duration) { emulatortest.Advance(t, c, d) }
	put("lighthouse/" + home) // no rule has it
	pass(delay + 2*time.Minute)
	want("nothing to replicate", failed, types.StateValueInsufficientData)
	want("nothing to replicate", behind, ok)
	put("employees/1")
	pass(delay + 2*time.Minute)
	want("there", failed, ok)
	want("there", behind, ok)

	for when, broken := range map[string][2]func(){
		"the role is denied": {func() { letReplicate(t, c, "Deny") }, func() { letReplicate(t, c, "Allow") }},
		"the other bucket keeps no versions": {
			func() { keepVersions(t, c, other, name+other, s3types.BucketVersioningStatusSuspended) },
			func() { keepVersions(t, c, other, name+other, s3types.BucketVersioningStatusEnabled) },
		},
	} {
		broken[0]()
		put("employees/2")
		pass(delay + 2*time.Minute)
		want(when, failed, alarm)
		pass(time.Hour)
		want(when+", an hour later", failed, alarm)
		broken[1]()
		put("employees/3")
		pass(delay + 6*time.Minute)
		want("after "+when, failed, ok)
	}

	lose := func(regions ...string) {
		t.Helper()
		if err := c.Set(t.Context(), emulator.Settings{Lost: regions}); err != nil {
			t.Fatal(err)
		}
	}
	put("employees/4")
	lose(home)
	pass(28 * time.Minute)
	lose()
	want("the other region waits", behind, alarm)
	pass(12 * time.Minute)
	want("it has caught up", behind, ok)
	want("it has caught up", failed, ok)
}

// alarmOfPublished deploys an alarm of the shipped region's template on a metric that a
// program of ours publishes: here m does.
func alarmOfPublished(t *testing.T, id string) (m metrics, properties map[string]any) {
	t.Helper()
	properties = templateAlarm(t, "../../../stacks/testdata/shipped/archipelago-region-eu-west-1.template.json", id)
	m = newMetrics(t)
	properties["AlarmName"], properties["Namespace"] = m.s.name, m.s.name
	delete(properties, "Dimensions")
	m.s.deploy(t, cloudformationtypes.StackStatusCreateComplete, resources{"Alarm": map[string]any{"Type": "AWS::CloudWatch::Alarm", "Properties": properties}})
	return m, properties
}

// templateAlarm is an alarm of a template, by the start of its logical id.
func templateAlarm(t *testing.T, path, id string) map[string]any {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var template struct{ Resources map[string]map[string]any }
	if err := json.Unmarshal(b, &template); err != nil {
		t.Fatal(err)
	}
	for name, r := range template.Resources {
		if strings.HasPrefix(name, id) {
			return plainly(r["Properties"]).(map[string]any)
		}
	}
	t.Fatalf("%s has no %s", path, id)
	return nil
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

// TestPointsThatComeLateCount: in their own minute, whatever came before them.
func TestPointsThatComeLateCount(t *testing.T) {
	m := newMetrics(t)
	m.put(t, m.s.name, "notBreaching", 3, 3)
	began := emulatortest.Now(t, m.s.control)
	for _, minute := range []int{2, 0, 1} {
		if _, err := m.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: &m.s.name, MetricData: []types.MetricDatum{{
			MetricName: aws.String("x"), Value: aws.Float64(2), Timestamp: aws.Time(began.Add(time.Duration(minute) * time.Minute)),
		}}}); err != nil {
			t.Fatal(err)
		}
	}
	emulatortest.Advance(t, m.s.control, 3*time.Minute)
	m.settle(t)
	if got := m.state(t, m.s.name); got != types.StateValueAlarm {
		t.Errorf("after three minutes that breach it is %s, want %s", got, types.StateValueAlarm)
	}
}

// balanced deploys a fleet behind a load balancer, with more, and returns the target
// group's ARN.
func (m metrics) balanced(t *testing.T, more resources) string {
	t.Helper()
	template := m.s.fleet("m7g.medium")
	template["VPC"] = map[string]any{"Type": "AWS::EC2::VPC", "Properties": map[string]any{"CidrBlock": "10.0.0.0/16"}}
	template["Subnet"] = map[string]any{"Type": "AWS::EC2::Subnet", "Properties": map[string]any{"CidrBlock": "10.0.0.0/24", "VpcId": map[string]any{"Ref": "VPC"}, "AvailabilityZone": "eu-west-1a"}}
	template["Balancer"] = map[string]any{"Type": "AWS::ElasticLoadBalancingV2::LoadBalancer", "Properties": map[string]any{"Scheme": "internal", "Subnets": []any{map[string]any{"Ref": "Subnet"}}}}
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
	maps.Copy(template, more)
	m.s.deploy(t, cloudformationtypes.StackStatusCreateComplete, template)
	return m.s.value(t, "/"+m.s.name)
}

// TestWhatRunsMakesMetrics: load balancers', and those that functions print.
func TestWhatRunsMakesMetrics(t *testing.T) {
	m := newMetrics(t)
	arn := m.balanced(t, nil)
	health := map[string]string{}
	for _, i := range m.s.group().now(t).Instances {
		health[*i.InstanceId] = "healthy"
	}
	began := emulatortest.Now(t, m.s.control)
	idle := emulator.Usage{CPU: map[string]float64{}, Requests: map[string]int{}}
	for _, usage := range []emulator.Usage{idle, {
		CPU: map[string]float64{}, Requests: map[string]int{arn: 10}, Failed: map[string]int{arn: 3}, Times: map[string]map[int]int{arn: {100: 9, 900: 1}},
		Refused: map[string]map[int]int{arn: {500: 1, 501: 2, 502: 3, 503: 4, 504: 5, 505: 6}},
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
		namespace, name, stat string
	}{
		{"AWS/ApplicationELB", "HealthyHostCount", "Maximum"},
		{"AWS/ApplicationELB", "RequestCount", "Sum"},
		{"AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", "Sum"},
		{"AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", "Sum"},
		{"AWS/ApplicationELB", "HTTPCode_ELB_500_Count", "Sum"},
		{"AWS/ApplicationELB", "HTTPCode_ELB_502_Count", "Sum"},
		{"AWS/ApplicationELB", "HTTPCode_ELB_503_Count", "Sum"},
		{"AWS/ApplicationELB", "HTTPCode_ELB_504_Count", "Sum"},
		{"AWS/ApplicationELB", "TargetResponseTime", "Maximum"},
		{"AWS/ApplicationELB", "TargetResponseTime", "p90"},
		{m.s.name, "Rung", "Maximum"},
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
					Metric: &metric, Period: aws.Int32(60), Stat: &of.stat,
				}}},
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, value := range out.MetricDataResults[0].Values {
				got[of.name+" "+of.stat] = max(got[of.name+" "+of.stat], value)
			}
		}
	}
	want := map[string]float64{
		"HealthyHostCount Maximum": 2, "RequestCount Sum": 10, "HTTPCode_Target_5XX_Count Sum": 3, "HTTPCode_ELB_5XX_Count Sum": 21,
		"HTTPCode_ELB_500_Count Sum": 1, "HTTPCode_ELB_502_Count Sum": 3, "HTTPCode_ELB_503_Count Sum": 4, "HTTPCode_ELB_504_Count Sum": 5,
		"TargetResponseTime Maximum": 0.9, "TargetResponseTime p90": 0.1, "Rung Maximum": 2,
	}
	if !maps.Equal(got, want) {
		t.Errorf("the metrics are %v, want %v", got, want)
	}
}
