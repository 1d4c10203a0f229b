package observability

import (
	"fmt"
	"math"

	"github.com/archipelago-cdk/archipelago/constructs/internal/answers"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
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
		part := func(window string, minutes, errors int) awscloudwatch.IAlarmRule {
			alarm := r.alarm(b.id+window, alarm{
				anchor: "goal-at-risk", says: fmt.Sprintf("Errors of %d minutes are %g times what the goal allows", minutes, b.rate),
				metric: answers.FailedPercent(r.LoadBalancer, minutes, answers.Errors, errors), above: threshold, periods: 1, breaching: 1, quiet: true,
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
