package fleet

import (
	"fmt"

	"github.com/archipelago-cdk/archipelago/constructs/internal/answers"
	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// newDeploymentAlarm creates the alarm that stops a deployment: two of three minutes in
// which more than 5 % of the requests got a 5xx, from the service or one of
// setting.BalancerErrors from the load balancer itself.
func newDeploymentAlarm(scope constructs.Construct, props *Props) awscloudwatch.Alarm {
	description := fmt.Sprintf("More than %d %% of the answers are errors", setting.AlarmPercent)
	if props.Runbook != "" {
		description += ". What to do: " + props.Runbook
	}
	return awscloudwatch.NewAlarm(scope, jsii.String("DeploymentAlarm"), &awscloudwatch.AlarmProps{
		AlarmDescription:   &description,
		Metric:             answers.FailedPercent(props.LoadBalancer, 1, answers.All, setting.AlarmRequests),
		Threshold:          jsii.Number(setting.AlarmPercent),
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD,
		EvaluationPeriods:  jsii.Number(setting.AlarmMinutes),
		DatapointsToAlarm:  jsii.Number(2),
		TreatMissingData:   awscloudwatch.TreatMissingData_NOT_BREACHING,
	})
}
