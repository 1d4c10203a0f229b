package fleet

import (
	"fmt"
	"github.com/archipelago-cdk/archipelago/internal/setting"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	elb "github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// newDeploymentAlarm creates the alarm that stops a deployment: two of three minutes in
// which more than 5 % of the requests got a 5xx, from the service or from the
// load balancer itself, which does not count its own among the requests.
func newDeploymentAlarm(scope constructs.Construct, props *Props) awscloudwatch.Alarm {
	description := fmt.Sprintf("More than %d %% of the answers are errors", setting.AlarmPercent)
	if props.Runbook != "" {
		description += ". What to do: " + props.Runbook
	}
	options := &awscloudwatch.MetricOptions{
		Period:    awscdk.Duration_Minutes(jsii.Number(1)),
		Statistic: awscloudwatch.Stats_SUM(),
	}
	metrics := props.LoadBalancer.Metrics()
	share := awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Expression: jsii.Sprintf("IF(FILL(r, 0) + FILL(e, 0) >= %d, 100 * (FILL(t, 0) + FILL(e, 0)) / (FILL(r, 0) + FILL(e, 0)), 0)", setting.AlarmRequests),
		Label:      jsii.String("failed requests, %"),
		Period:     options.Period,
		UsingMetrics: &map[string]awscloudwatch.IMetric{
			"r": metrics.RequestCount(options),
			"t": metrics.HttpCodeTarget(elb.HttpCodeTarget_TARGET_5XX_COUNT, options),
			"e": metrics.HttpCodeElb(elb.HttpCodeElb_ELB_5XX_COUNT, options),
		},
	})
	return awscloudwatch.NewAlarm(scope, jsii.String("DeploymentAlarm"), &awscloudwatch.AlarmProps{
		AlarmDescription:   &description,
		Metric:             share,
		Threshold:          jsii.Number(setting.AlarmPercent),
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD,
		EvaluationPeriods:  jsii.Number(setting.AlarmMinutes),
		DatapointsToAlarm:  jsii.Number(2),
		TreatMissingData:   awscloudwatch.TreatMissingData_NOT_BREACHING,
	})
}
