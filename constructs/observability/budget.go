package observability

import (
	"fmt"
	"math"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	elb "github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/jsii-runtime-go"
)

// fewErrors are too few to say anything of a percentage, in the longer of two windows.
const fewErrors = 10

// burn is how fast errors use up what an objective leaves for 30 days: at rate 1 all of
// it in 30 days. The long window says that it matters, the short one that it goes on;
// both slide from minute to minute. Sources: Google, "The Site Reliability Workbook",
// chapter 5, "Multiwindow, Multi-Burn-Rate Alerts"; Amazon CloudWatch User Guide,
// "Alarm evaluation window".
type burn struct {
	id, says    string
	rate        float64
	long, short int // minutes
}

var burns = []burn{
	{"FastBurn", "In the last hour errors used up 2 % of what the goal allows for 30 days, and go on", 14.4, 60, 5},
	{"SlowBurn", "In the last six hours errors used up 5 % of what the goal allows for 30 days, and go on", 6, 360, 30},
}

// watchBudget adds alarms for errors that would break the promise of 30 days, and are
// too few for the alarm on a minute's.
func (r *region) watchBudget() {
	for _, b := range burns {
		threshold := math.Round(b.rate*(100-r.Available)*1e6) / 1e6 // without what binary fractions add
		part := func(window string, minutes, few int) awscloudwatch.IAlarmRule {
			alarm := r.alarm(b.id+window, alarm{
				anchor: "goal-at-risk", says: fmt.Sprintf("Errors of %d minutes are %g times what the goal allows", minutes, b.rate),
				metric: r.failed(minutes, few), above: threshold, periods: 1, breaching: 1, quiet: true,
			})
			return awscloudwatch.AlarmRule_FromAlarm(alarm, awscloudwatch.AlarmState_ALARM)
		}
		risk := awscloudwatch.NewCompositeAlarm(r.scope, &b.id, &awscloudwatch.CompositeAlarmProps{
			AlarmDescription: r.describe(b.says, "goal-at-risk"),
			AlarmRule:        awscloudwatch.AlarmRule_AllOf(part("Long", b.long, fewErrors), part("Short", b.short, 1)),
		})
		if r.action != nil {
			risk.AddAlarmAction(r.action)
		}
		r.alarms = append(r.alarms, risk)
	}
}

// failed is the percentage of requests that were answered with a 5xx, 0 where fewer
// than few were. The load balancer does not count its own among the requests.
func (r *region) failed(minutes, few int) awscloudwatch.IMetric {
	period := awscdk.Duration_Minutes(jsii.Number(minutes))
	options := &awscloudwatch.MetricOptions{Period: period, Statistic: awscloudwatch.Stats_SUM()}
	metrics := r.LoadBalancer.Metrics()
	return awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Expression: jsii.Sprintf("IF(FILL(t, 0) + FILL(e, 0) >= %d, 100 * (FILL(t, 0) + FILL(e, 0)) / (FILL(r, 0) + FILL(e, 0)), 0)", few),
		Label:      jsii.String("failed requests, %"),
		Period:     period,
		UsingMetrics: &map[string]awscloudwatch.IMetric{
			"r": metrics.RequestCount(options),
			"t": metrics.HttpCodeTarget(elb.HttpCodeTarget_TARGET_5XX_COUNT, options),
			"e": metrics.HttpCodeElb(elb.HttpCodeElb_ELB_5XX_COUNT, options),
		},
	})
}
