package fleet

import (
	"github.com/archipelago-cdk/archipelago/constructs/loadbalancer"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	elb "github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

const (
	// guardMinutes is how long the guard takes to see that requests fail, with a
	// minute to spare.
	guardMinutes = 3
	// guardPercent of failed requests are too many.
	guardPercent = 5
	// guardRequests a minute are too few to judge by.
	guardRequests = 20
)

// newGuard creates the alarm that stops a deployment: two of three minutes in
// which more than 5 % of the requests got a 5xx, from the service or from the
// load balancer itself, which does not count its own among the requests.
func newGuard(scope constructs.Construct, balancer *loadbalancer.LoadBalancer) awscloudwatch.Alarm {
	options := &awscloudwatch.MetricOptions{
		Period:    awscdk.Duration_Minutes(jsii.Number(1)),
		Statistic: awscloudwatch.Stats_SUM(),
	}
	metrics := balancer.ALB.Metrics()
	share := awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Expression: jsii.Sprintf("IF(FILL(r, 0) + FILL(e, 0) >= %d, 100 * (FILL(t, 0) + FILL(e, 0)) / (FILL(r, 0) + FILL(e, 0)), 0)", guardRequests),
		Label:      jsii.String("failed requests, %"),
		Period:     options.Period,
		UsingMetrics: &map[string]awscloudwatch.IMetric{
			"r": metrics.RequestCount(options),
			"t": metrics.HttpCodeTarget(elb.HttpCodeTarget_TARGET_5XX_COUNT, options),
			"e": metrics.HttpCodeElb(elb.HttpCodeElb_ELB_5XX_COUNT, options),
		},
	})
	return awscloudwatch.NewAlarm(scope, jsii.String("Guard"), &awscloudwatch.AlarmProps{
		AlarmDescription:   jsii.String("Too many requests fail for a deployment to go on"),
		Metric:             share,
		Threshold:          jsii.Number(guardPercent),
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD,
		EvaluationPeriods:  jsii.Number(guardMinutes),
		DatapointsToAlarm:  jsii.Number(2),
		TreatMissingData:   awscloudwatch.TreatMissingData_NOT_BREACHING,
	})
}
