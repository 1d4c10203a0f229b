// Package observability shows how a deployment does, and says so when something
// is wrong: alarms with a way out each, and dashboards.
package observability

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Runbook is the page that says what to do about each alarm.
const Runbook = "https://github.com/archipelago-cdk/archipelago/blob/main/docs/operations.md"

func orRunbook(address string) string {
	if address == "" {
		return Runbook
	}
	return address
}

// watch makes alarms and keeps them.
type watch struct {
	scope   constructs.Construct
	runbook string
	action  awscloudwatch.IAlarmAction // nil where nobody is to be told
	alarms  []awscloudwatch.IAlarm
}

// alarm says when an alarm goes off: when its metric was above or below a number in
// breaching of the last periods.
type alarm struct {
	name   string // Default: one of CloudFormation's
	anchor string // of the runbook
	says   string
	metric awscloudwatch.IMetric
	above  float64
	below  float64 // instead of above, where it is not 0
	// periods are of the metric's own length.
	periods, breaching int
	// silence is what no data means. Default: nothing is wrong.
	silence awscloudwatch.TreatMissingData
	// quiet alarms tell nobody by themselves.
	quiet bool
}

// describe says what is wrong and where it is written what to do.
func (w *watch) describe(says, anchor string) *string {
	return jsii.String(says + ". What to do: " + w.runbook + "#" + anchor)
}

func (w *watch) alarm(id string, a alarm) awscloudwatch.Alarm {
	props := &awscloudwatch.AlarmProps{
		AlarmDescription:   w.describe(a.says, a.anchor),
		Metric:             a.metric,
		Threshold:          &a.above,
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD,
		EvaluationPeriods:  jsii.Number(a.periods),
		DatapointsToAlarm:  jsii.Number(a.breaching),
		TreatMissingData:   a.silence,
	}
	if a.name != "" {
		props.AlarmName = &a.name
	}
	if a.below != 0 {
		props.Threshold = &a.below
		props.ComparisonOperator = awscloudwatch.ComparisonOperator_LESS_THAN_THRESHOLD
	}
	if a.silence == "" {
		props.TreatMissingData = awscloudwatch.TreatMissingData_NOT_BREACHING
	}
	made := awscloudwatch.NewAlarm(w.scope, &id, props)
	if w.action != nil && !a.quiet {
		made.AddAlarmAction(w.action)
	}
	w.alarms = append(w.alarms, made)
	return made
}

func minute() awscdk.Duration      { return awscdk.Duration_Minutes(jsii.Number(1)) }
func fiveMinutes() awscdk.Duration { return awscdk.Duration_Minutes(jsii.Number(5)) }

// every says how a metric is read. The label "" is the metric's own name.
func every(period func() awscdk.Duration, statistic, label string) *awscloudwatch.MetricOptions {
	options := &awscloudwatch.MetricOptions{Period: period(), Statistic: &statistic}
	if label != "" {
		options.Label = &label
	}
	return options
}
