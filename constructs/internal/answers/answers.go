// Package answers counts what a load balancer answers users.
package answers

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	elb "github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/jsii-runtime-go"
)

// All are the requests of a period, and Errors those of them that got a 5xx, from the
// service or from the load balancer itself, which does not count its own among the
// requests.
const (
	All    = "FILL(r, 0) + FILL(e, 0)"
	Errors = "FILL(t, 0) + FILL(e, 0)"
)

// FailedPercent is the percentage of the requests of so many minutes that got a 5xx, and
// 0 where fewer than few are of what is counted, All or Errors.
func FailedPercent(balancer elb.IApplicationLoadBalancer, minutes int, counted string, few int) awscloudwatch.MathExpression {
	options := &awscloudwatch.MetricOptions{
		Period:    awscdk.Duration_Minutes(jsii.Number(minutes)),
		Statistic: awscloudwatch.Stats_SUM(),
	}
	metrics := balancer.Metrics()
	return awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Expression: jsii.Sprintf("IF(%s >= %d, 100 * (%s) / (%s), 0)", counted, few, Errors, All),
		Label:      jsii.String("failed requests, %"),
		Period:     options.Period,
		UsingMetrics: &map[string]awscloudwatch.IMetric{
			"r": metrics.RequestCount(options),
			"t": metrics.HttpCodeTarget(elb.HttpCodeTarget_TARGET_5XX_COUNT, options),
			"e": metrics.HttpCodeElb(elb.HttpCodeElb_ELB_5XX_COUNT, options),
		},
	})
}
