package constructs_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/constructs/fleet"
	"github.com/archipelago-cdk/archipelago/constructs/loadbalancer"
	"github.com/archipelago-cdk/archipelago/constructs/observability"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
)

func bucketOf(region string) string { return "photos-" + region }

// watchedRegion is eu-west-1 of two regions, with everything that watches it.
func watchedRegion(t *testing.T, change func(*observability.RegionProps)) assertions.Template {
	t.Helper()
	stack := newStack()
	net := newNetwork(stack, false)
	balancer := loadbalancer.New(stack, "LoadBalancer", loadBalancerProps(net))
	watched := fleetProps(net, balancer)
	watched.Runbook = observability.Runbook + "#errors"
	machines := fleet.New(stack, "Fleet", watched)
	props := &observability.RegionProps{
		Deployment: "test", Dashboard: "test-eu-west-1", Impaired: "test-island-impaired",
		Regions: []string{"eu-west-1", "us-east-1"}, LoadBalancer: balancer.ALB, TargetGroup: balancer.TargetGroup,
		Group: machines.Group, DeploymentAlarm: machines.DeploymentAlarm,
		ReplicationAge: true, Burstable: true, Agent: true, Vertical: true, CPUTarget: 55, Available: 99.95, Tables: []observability.Table{{ID: "Orders", Name: "orders", Indexes: []string{"byDate"}}},
		Buckets: []observability.Bucket{{ID: "Photos", Name: bucketOf}},
	}
	if change != nil {
		change(props)
	}
	observability.NewRegion(stack, "Observability", props)
	return assertions.Template_FromStack(stack, nil)
}

// alarms returns the properties of every alarm, by the start of its logical id.
func alarms(template assertions.Template) map[string]properties {
	found := map[string]properties{}
	for _, kind := range []string{"AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"} {
		for id, resource := range *template.FindResources(&kind, nil) {
			name := strings.TrimPrefix(id, "Observability")
			found[name[:len(name)-8]] = (*resource)["Properties"].(properties)
		}
	}
	return found
}

// headings are the anchors of a page, as GitHub makes them.
func headings(t *testing.T, path string) []string {
	t.Helper()
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var anchors []string
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllSubmatch(page, -1) {
		text := regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(string(heading[1])), "")
		anchors = append(anchors, strings.ReplaceAll(text, " ", "-"))
	}
	return anchors
}

// TestEveryAlarmSaysWhatToDo: its description ends in the address of a section
// that there is.
func TestEveryAlarmSaysWhatToDo(t *testing.T) {
	anchors := headings(t, "../docs/operations.md")
	found := alarms(watchedRegion(t, nil))
	if len(found) < 10 {
		t.Fatalf("there are %d alarms", len(found))
	}
	for name, alarm := range found {
		text, _ := alarm["AlarmDescription"].(string)
		_, anchor, ok := strings.Cut(text, ". What to do: "+observability.Runbook+"#")
		if !ok || !slices.Contains(anchors, anchor) {
			t.Errorf("%s: %q leads to no section of docs/operations.md", name, text)
		}
	}
}

// TestGoalIsInAlarmByHowFastErrorsUseItUp: by both windows of each pair, and only where there
// is a goal.
func TestGoalIsInAlarmByHowFastErrorsUseItUp(t *testing.T) {
	found := alarms(watchedRegion(t, nil))
	for name, want := range map[string]struct {
		seconds, percent float64
		few              string
	}{
		"FastBurnLong": {3600, 0.72, ">= 10"}, "FastBurnShort": {300, 0.72, ">= 1,"},
		"SlowBurnLong": {21600, 0.3, ">= 10"}, "SlowBurnShort": {1800, 0.3, ">= 1,"},
	} {
		got := found[name]
		if got["Threshold"] != want.percent || got["EvaluationPeriods"] != 1.0 {
			t.Errorf("%s: got %v, want above %g %% in one period", name, got, want.percent)
		}
		for _, m := range got["Metrics"].([]any) {
			query := m.(properties)
			if stat, of := query["MetricStat"].(properties); of && stat["Period"] != want.seconds {
				t.Errorf("%s: a period of %v s, want %g", name, stat["Period"], want.seconds)
			} else if text, of := query["Expression"].(string); of && !strings.Contains(text, want.few) {
				t.Errorf("%s: got %s, want %s errors", name, text, want.few)
			}
		}
	}
	for _, name := range []string{"FastBurn", "SlowBurn"} {
		rule := fmt.Sprint(found[name]["AlarmRule"])
		if strings.Count(rule, "ALARM(") != 2 || !strings.Contains(rule, " AND ") {
			t.Errorf("%s is in ALARM by %s, want both of its windows", name, rule)
		}
	}
	for name := range alarms(watchedRegion(t, func(p *observability.RegionProps) { p.Available = 0 })) {
		if strings.Contains(name, "Burn") {
			t.Errorf("without a goal there is %s", name)
		}
	}
}

// TestBoundsAreThoseOfTheMoment: a schedule changes them, and a fleet of a fixed
// size is no news at its maximum.
func TestBoundsAreThoseOfTheMoment(t *testing.T) {
	found := alarms(watchedRegion(t, nil))
	for name, want := range map[string]struct {
		expression string
		metrics    []string
	}{
		"FewHosts":  {"IF(healthy < least, 1, 0)", []string{"GroupMinSize", "HealthyHostCount"}},
		"AtMaximum": {"IF(inService >= most AND most > least, 1, 0)", []string{"GroupInServiceInstances", "GroupMaxSize", "GroupMinSize"}},
	} {
		var expression any
		var metrics []string
		for _, m := range found[name]["Metrics"].([]any) {
			if query := m.(properties); query["MetricStat"] == nil {
				expression = query["Expression"]
			} else {
				metrics = append(metrics, query["MetricStat"].(properties)["Metric"].(properties)["MetricName"].(string))
			}
		}
		slices.Sort(metrics)
		if expression != want.expression || !slices.Equal(metrics, want.metrics) {
			t.Errorf("%s compares %v by %v, want %v by %s", name, metrics, expression, want.metrics, want.expression)
		}
	}
}

// TestTableWithManyIndexesIsWatched: an alarm is of ten metrics at most.
func TestTableWithManyIndexesIsWatched(t *testing.T) {
	indexes := []string{"a", "b", "c", "d", "e", "f"}
	found := alarms(watchedRegion(t, func(props *observability.RegionProps) { props.Tables[0].Indexes = indexes }))
	watched := map[any]bool{}
	for _, name := range []string{"OrdersThrottled", "OrdersThrottled2"} {
		metrics := 0
		for _, query := range found[name]["Metrics"].([]any) {
			if stat, ok := query.(properties)["MetricStat"]; ok {
				metrics++
				for _, dimension := range stat.(properties)["Metric"].(properties)["Dimensions"].([]any) {
					watched[dimension.(properties)["Value"]] = true
				}
			}
		}
		if metrics == 0 || metrics > 10 {
			t.Errorf("%s is of %d metrics", name, metrics)
		}
	}
	for _, index := range append(indexes, "orders") {
		if !watched[index] {
			t.Errorf("%s is not watched", index)
		}
	}
}

// TestWhatIsInAlarm is the whole list, with what silence means to each.
func TestWhatIsInAlarm(t *testing.T) {
	found := alarms(watchedRegion(t, nil))
	for name, want := range map[string]struct {
		comparison string
		threshold  float64
		silence    string
	}{
		"FleetDeploymentAlarm": {"GreaterThanThreshold", 5, "notBreaching"},
		"Latency":              {"GreaterThanThreshold", 2, "notBreaching"},
		"NoHosts":              {"LessThanThreshold", 1, "breaching"},
		"HealthUnknown":        {"GreaterThanThreshold", 0, "notBreaching"},
		"ReplicationAge":       {"GreaterThanThreshold", 300, "notBreaching"},
		"Dark":                 {"GreaterThanThreshold", 0, "breaching"},
		"BalancerFailing":      {"GreaterThanThreshold", 25, "notBreaching"},
		"FewHosts":             {"GreaterThanThreshold", 0, "notBreaching"},
		"AtMaximum":            {"GreaterThanThreshold", 0, "notBreaching"},
		"Busy":                 {"GreaterThanThreshold", 85, "notBreaching"},
		"Memory":               {"GreaterThanThreshold", 90, "notBreaching"},
		"Disk":                 {"GreaterThanThreshold", 85, "notBreaching"},
		"SurplusCredits":       {"GreaterThanThreshold", 0, "notBreaching"},
		"OrdersThrottled":      {"GreaterThanThreshold", 0, "notBreaching"},
		"OrdersLagTouseast1":   {"GreaterThanThreshold", 60_000, "ignore"},
		"PhotosLagFromuseast1": {"GreaterThanThreshold", 900, "ignore"},
		"PhotosFailsTouseast1": {"GreaterThanThreshold", 0, "ignore"},
		"TopRung":              {"GreaterThanThreshold", 0, "notBreaching"},
		"StepFailed":           {"GreaterThanThreshold", 0, "notBreaching"},
		"ScalerSilent":         {"LessThanThreshold", 1, "breaching"},
		"FastBurnLong":         {"GreaterThanThreshold", 0.72, "notBreaching"},
		"FastBurnShort":        {"GreaterThanThreshold", 0.72, "notBreaching"},
		"SlowBurnLong":         {"GreaterThanThreshold", 0.3, "notBreaching"},
		"SlowBurnShort":        {"GreaterThanThreshold", 0.3, "notBreaching"},
		"FastBurn":             {},
		"SlowBurn":             {},
		"Impaired":             {},
	} {
		got, ok := found[name]
		delete(found, name)
		if !ok {
			t.Errorf("there is no %s", name)
		} else if want.comparison != "" && (got["ComparisonOperator"] != want.comparison || got["Threshold"] != want.threshold || got["TreatMissingData"] != want.silence) {
			t.Errorf("%s: got %v %v with silence %v, want %+v", name, got["ComparisonOperator"], got["Threshold"], got["TreatMissingData"], want)
		}
	}
	if len(found) > 0 {
		t.Errorf("there are also %v", found)
	}
}

func TestImpairedSumsUpWhatUsersNotice(t *testing.T) {
	impaired := alarms(watchedRegion(t, nil))["Impaired"]
	rule, err := json.Marshal(impaired["AlarmRule"])
	if err != nil {
		t.Fatal(err)
	}
	for _, cause := range []string{"FleetDeploymentAlarm", "ObservabilityLatency", "ObservabilityNoHosts", "ObservabilityDark", "ObservabilityBalancerFailing"} {
		if !strings.Contains(string(rule), cause) {
			t.Errorf("the rule lacks %s: %s", cause, rule)
		}
	}
	if impaired["AlarmName"] != "test-island-impaired" {
		t.Errorf("it is called %v", impaired["AlarmName"])
	}
}

// TestLoadBalancersOwnFailure: 500 and nothing else, as a share of what users ask, in
// five minutes of the last thirty.
func TestLoadBalancersOwnFailure(t *testing.T) {
	failing := alarms(watchedRegion(t, func(p *observability.RegionProps) { p.BalancerAlarm = "test-balancer-failing" }))["BalancerFailing"]
	for name, want := range map[string]any{
		"AlarmName": "test-balancer-failing", "EvaluationPeriods": 30.0, "DatapointsToAlarm": 5.0,
	} {
		if failing[name] != want {
			t.Errorf("%s is %v, want %v", name, failing[name], want)
		}
	}
	queries := map[string]properties{}
	for _, q := range failing["Metrics"].([]any) {
		query := q.(properties)
		if query["Expression"] == nil {
			queries[query["Id"].(string)] = query["MetricStat"].(properties)
		} else if got, want := query["Expression"], "IF(FILL(e, 0) >= 10, 100 * FILL(e, 0) / (FILL(r, 0) + FILL(e, 0)), 0)"; got != want {
			t.Errorf("it is on %v, want %s", got, want)
		}
	}
	for id, want := range map[string]string{"e": "HTTPCode_ELB_500_Count", "r": "RequestCount"} {
		stat := queries[id]
		metric := stat["Metric"].(properties)
		dimensions := metric["Dimensions"].([]any)
		if metric["Namespace"] != "AWS/ApplicationELB" || metric["MetricName"] != want || stat["Period"] != 60.0 || stat["Stat"] != "Sum" ||
			len(dimensions) != 1 || dimensions[0].(properties)["Name"] != "LoadBalancer" {
			t.Errorf("%s is %v, want a minute's sum of the load balancer's %s", id, stat, want)
		}
	}
}

// TestAlarmsWithoutReaders: nothing to send to makes no topic.
func TestAlarmsWithoutReaders(t *testing.T) {
	template := watchedRegion(t, nil)
	count(template, "AWS::SNS::Topic", 0)
	count(template, "AWS::KMS::Key", 0)
	for name, alarm := range alarms(template) {
		if alarm["AlarmActions"] != nil {
			t.Errorf("%s has an action", name)
		}
	}
}

func TestAlarmsAreSent(t *testing.T) {
	template := watchedRegion(t, func(p *observability.RegionProps) { p.Emails = []string{"a@example.com", "b@example.com"} })
	count(template, "AWS::SNS::Subscription", 2)
	has(template, "AWS::SNS::Subscription", properties{"Protocol": "email", "Endpoint": "b@example.com"})
	has(template, "AWS::SNS::Topic", properties{"KmsMasterKeyId": assertions.Match_AnyValue()})
	ours := properties{
		"StringEquals": properties{"aws:SourceAccount": "123456789012"},
		"ArnLike":      properties{"aws:SourceArn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:*"},
	}
	has(template, "AWS::KMS::Key", properties{
		"EnableKeyRotation": true,
		"KeyPolicy": assertions.Match_ObjectLike(&properties{"Statement": assertions.Match_ArrayWith(&[]any{assertions.Match_ObjectLike(&properties{
			"Action": []any{"kms:Decrypt", "kms:GenerateDataKey"}, "Principal": properties{"Service": "cloudwatch.amazonaws.com"}, "Condition": ours,
		})})}),
	})
	has(template, "AWS::SNS::TopicPolicy", properties{
		"PolicyDocument": assertions.Match_ObjectLike(&properties{"Statement": assertions.Match_ArrayWith(&[]any{
			assertions.Match_ObjectLike(&properties{"Effect": "Deny", "Condition": properties{"Bool": properties{"aws:SecureTransport": "false"}}}),
			assertions.Match_ObjectLike(&properties{
				"Action": "sns:Publish", "Principal": properties{"Service": "cloudwatch.amazonaws.com"}, "Condition": ours,
			}),
		})}),
	})
	for name, alarm := range alarms(template) {
		quiet := slices.Contains([]string{"FleetDeploymentAlarm", "Latency", "NoHosts", "Dark", "BalancerFailing", "FastBurnLong", "FastBurnShort", "SlowBurnLong", "SlowBurnShort"}, name)
		if told := alarm["AlarmActions"] != nil; told == quiet {
			t.Errorf("%s: sends by itself %t, want %t", name, told, !quiet)
		}
	}
}

func TestWhatDoesNotApplyIsNotWatched(t *testing.T) {
	found := alarms(watchedRegion(t, func(p *observability.RegionProps) {
		p.Tables[0].MultiRegionStrongConsistency, p.Burstable, p.Vertical = true, false, false
	}))
	for _, name := range []string{"OrdersLagTouseast1", "SurplusCredits", "TopRung", "StepFailed", "ScalerSilent"} {
		if found[name] != nil {
			t.Errorf("there is %s", name)
		}
	}
	if found["PhotosLagFromuseast1"] == nil {
		t.Error("photos are replicated all the same")
	}
}

// TestLagsAreOfTheReplication: the dimensions are those of the replication rules.
func TestLagsAreOfTheReplication(t *testing.T) {
	found := alarms(watchedRegion(t, nil))
	for name, dimensions := range map[string][]string{
		"PhotosLagFromuseast1": {"SourceBucket Value:photos-us-east-1", "DestinationBucket Value:photos-eu-west-1", "RuleId Value:eu-west-1"},
		"PhotosFailsTouseast1": {"SourceBucket Value:photos-eu-west-1", "DestinationBucket Value:photos-us-east-1", "RuleId Value:us-east-1"},
	} {
		got := fmt.Sprint(found[name]["Metrics"], found[name]["Dimensions"])
		for _, want := range dimensions {
			if !strings.Contains(strings.ReplaceAll(got, " Value:", " Value:"), want) {
				t.Errorf("the metric of %s lacks %s: %s", name, want, got)
			}
		}
	}
}

// body is a dashboard's, references left out.
func body(t *testing.T, template assertions.Template) string {
	t.Helper()
	for _, dashboard := range *template.FindResources(jsii.String("AWS::CloudWatch::Dashboard"), nil) {
		return flatten((*dashboard)["Properties"].(properties)["DashboardBody"])
	}
	t.Fatal("there is no dashboard")
	return ""
}

func TestRegionsDashboard(t *testing.T) {
	got := body(t, watchedRegion(t, nil))
	for _, want := range []string{
		"RequestCount", "HTTPCode_Target_5XX_Count", "HTTPCode_ELB_5XX_Count", `"p50"`, `"p99"`, "HealthyHostCount", "GroupDesiredCapacity",
		"CPUUtilization", "CPUSurplusCreditBalance", "WriteThrottleEvents", "Failing", "Drained", "Rung", "StepsWanted",
		`"ReplicationLatency","ReceivingRegion","us-east-1","TableName","orders"`, `"SourceBucket","photos-us-east-1"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the dashboard lacks %s", want)
		}
	}
}

func TestGlobalDashboard(t *testing.T) {
	stack := newStack()
	observability.NewGlobal(stack, "Observability", &observability.GlobalProps{
		Deployment: "test", Dashboard: "test", Impaired: "test-island-impaired", Regions: []string{"eu-west-1", "us-east-1"},
		LoadBalancer: "test-int", Group: "test-fleet",
		Tables: []observability.Table{{ID: "Orders", Name: "orders"}}, Buckets: []observability.Bucket{{ID: "Photos", Name: bucketOf}}, Accelerator: "12345678",
	})
	got := body(t, assertions.Template_FromStack(stack, nil))
	for _, want := range []string{
		`SEARCH('{AWS/ApplicationELB,LoadBalancer} LoadBalancer=app/test-int MetricName=\"RequestCount\"', 'Sum', 60)`,
		`["AWS/EC2","CPUUtilization","AutoScalingGroupName","test-fleet",{"label":"us-east-1","region":"us-east-1","period":60}]`,
		`"label":"us-east-1","region":"us-east-1"`, `'p99'`, "HTTPCode_Target_5XX_Count", "GroupInServiceInstances", "CPUSurplusCreditBalance",
		"arn:aws:cloudwatch:us-east-1:123456789012:alarm:test-island-impaired", "WriteThrottleEvents", "Failing", "Drained",
		`"ReplicationLatency","ReceivingRegion","eu-west-1","TableName","orders"`, `"SourceBucket","photos-eu-west-1"`,
		`"NewFlowCount","Accelerator","12345678"`, `"region":"us-west-2"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the dashboard lacks %s:\n%s", want, got)
		}
	}
}
