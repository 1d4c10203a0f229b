// Package answers counts what a load balancer answers users.
package answers

import (
	"fmt"

	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	elb "github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/jsii-runtime-go"
)

// All are the requests of a period, and Errors those of them that got a 5xx, from the
// service or one of setting.BalancerErrors from the load balancer itself. Those of them that
// are setting.Uncounted are added to the requests.
var (
	All    = sum("r", setting.Uncounted())
	Errors = sum("t", setting.BalancerErrors())
)

func sum(metric string, own []int) string {
	expression := "FILL(" + metric + ", 0)"
	for _, status := range own {
		expression += fmt.Sprintf(" + FILL(e%d, 0)", status)
	}
	return expression
}

// FailedPercent is the percentage that Errors are of All in so many minutes, and 0 where
// fewer than few are of what is counted, All or Errors.
func FailedPercent(balancer elb.IApplicationLoadBalancer, minutes int, counted string, few int) awscloudwatch.MathExpression {
	options := &awscloudwatch.MetricOptions{
		Period:    awscdk.Duration_Minutes(jsii.Number(minutes)),
		Statistic: awscloudwatch.Stats_SUM(),
	}
	metrics := balancer.Metrics()
	using := map[string]awscloudwatch.IMetric{
		"r": metrics.RequestCount(options),
		"t": metrics.HttpCodeTarget(elb.HttpCodeTarget_TARGET_5XX_COUNT, options),
	}
	for _, status := range setting.BalancerErrors() {
		using[fmt.Sprintf("e%d", status)] = metrics.Custom(jsii.Sprintf("HTTPCode_ELB_%d_Count", status), options)
	}
	return awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Expression:   jsii.Sprintf("IF(%s >= %d, 100 * (%s) / (%s), 0)", counted, few, Errors, All),
		Label:        jsii.String("failed requests, %"),
		Period:       options.Period,
		UsingMetrics: &using,
	})
}

// BrokenPercent is the percentage of a minute's requests that the load balancer answered
// with 500, and 0 where there are fewer than few of these answers. They are of its web
// ACL or its identity provider, which no user can make fail. Its 502, 503 and 504 are
// left out: they follow from the service or from who asks. Source:
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
func BrokenPercent(balancer elb.IApplicationLoadBalancer, few int) awscloudwatch.MathExpression {
	options := &awscloudwatch.MetricOptions{
		Period:    awscdk.Duration_Minutes(jsii.Number(1)),
		Statistic: awscloudwatch.Stats_SUM(),
	}
	metrics := balancer.Metrics()
	return awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		// The requests are those for which a target was chosen.
		Expression: jsii.Sprintf("IF(FILL(e, 0) >= %d, 100 * FILL(e, 0) / (FILL(r, 0) + FILL(e, 0)), 0)", few),
		Label:      jsii.String("requests that the load balancer failed, %"),
		Period:     options.Period,
		UsingMetrics: &map[string]awscloudwatch.IMetric{
			"r": metrics.RequestCount(options),
			"e": metrics.HttpCodeElb(elb.HttpCodeElb_ELB_500_COUNT, options),
		},
	})
}
