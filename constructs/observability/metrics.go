package observability

import (
	"github.com/archipelago-cdk/archipelago/constructs/internal/replication"
	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"
)

// Table is a table that is watched, a replica of it in each region.
type Table struct {
	// ID is what ids of alarms begin with and graphs say, such as "Orders". Required.
	ID string `required:"true"`
	// Name is its name. Required.
	Name string `required:"true"`
	// Indexes are the names of its global secondary indexes. Default: none.
	Indexes []string
	// MultiRegionStrongConsistency says that its writes wait for the other regions, so
	// that there is no lag to watch. Default: false.
	MultiRegionStrongConsistency bool
}

// Bucket is a bucket of each region that is watched.
type Bucket struct {
	// ID is what ids of alarms begin with and graphs say, such as "Images". Required.
	ID string `required:"true"`
	// Name returns the name of a region's. Required.
	Name func(region string) string `required:"true"`
}

// metric is one that CDK has no method for. region is where AWS publishes it;
// an alarm can only be there.
func metric(namespace, name string, dimensions map[string]string, region string, options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	values := map[string]*string{}
	for dimension, value := range dimensions {
		values[dimension] = &value
	}
	return awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
		Namespace: &namespace, MetricName: &name, DimensionsMap: &values, Region: &region,
		Period: options.Period, Statistic: options.Statistic, Label: options.Label,
	})
}

// tableLag is how long writes in from take to to, in milliseconds. A strong
// table has no such metric: it waits for the other regions.
func tableLag(table, from, to string) awscloudwatch.Metric {
	return metric("AWS/DynamoDB", "ReplicationLatency",
		map[string]string{"TableName": table, "ReceivingRegion": to}, from,
		every(fiveMinutes, "Average", from+" → "+to))
}

// bucketLag is how far the bucket in to is behind the one in from, in seconds.
// S3 publishes it where the destination is. Source: Amazon S3 User Guide, "Using
// S3 Replication metrics".
func bucketLag(bucket Bucket, from, to string) awscloudwatch.Metric {
	return metric("AWS/S3", "ReplicationLatency",
		map[string]string{"SourceBucket": bucket.Name(from), "DestinationBucket": bucket.Name(to), "RuleId": replication.RuleID(to)}, to,
		every(fiveMinutes, "Maximum", from+" → "+to))
}

// bucketFailures counts what is not replicated from one bucket to the other, and never
// will be by itself. S3 publishes it where the source is. Source: Amazon S3 User Guide,
// "Using S3 Replication metrics".
func bucketFailures(bucket Bucket, from, to string) awscloudwatch.Metric {
	return metric("AWS/S3", "OperationsFailedReplication",
		map[string]string{"SourceBucket": bucket.Name(from), "DestinationBucket": bucket.Name(to), "RuleId": replication.RuleID(to)}, from,
		every(fiveMinutes, "Sum", from+" → "+to))
}

// throttles counts the reads or writes of a table, or of its index, that region
// refused.
func throttles(table, index, name, region string) awscloudwatch.Metric {
	dimensions, label := map[string]string{"TableName": table}, name
	if index != "" {
		dimensions["GlobalSecondaryIndexName"] = index
		label += " of " + index
	}
	return metric("AWS/DynamoDB", name, dimensions, region, every(minute, "Sum", label))
}

// published is one of the metrics that this deployment's functions print.
func published(name, deployment, region string, period func() awscdk.Duration, label string) awscloudwatch.Metric {
	return metric(setting.MetricNamespace, name, map[string]string{setting.MetricDimension: deployment}, region,
		every(period, "Maximum", label))
}

// ofGroup is a metric of an Auto Scaling group.
func ofGroup(namespace, name, group, region, statistic, label string) awscloudwatch.Metric {
	return metric(namespace, name, map[string]string{"AutoScalingGroupName": group}, region, every(minute, statistic, label))
}

// holds is 1 in each minute in which a comparison of metrics holds, and else 0.
func holds(comparison string, of map[string]awscloudwatch.IMetric) awscloudwatch.IMetric {
	return awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Expression:   jsii.String("IF(" + comparison + ", 1, 0)"),
		Label:        &comparison,
		Period:       minute(),
		UsingMetrics: &of,
	})
}

// ofInstances is one that the instances' agents send, all of them as one metric.
func ofInstances(name, deployment, region, statistic, label string) awscloudwatch.Metric {
	return metric(setting.MetricNamespace, name, map[string]string{setting.MetricDimension: deployment}, region,
		every(minute, statistic, label))
}

// search finds a metric in a region whose resources' full names only that
// region knows: what looks like term is part of them.
func search(region, schema, term, name, statistic, label string) awscloudwatch.IMetric {
	return awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Expression:   jsii.String("SEARCH('{" + schema + "} " + term + " MetricName=\"" + name + "\"', '" + statistic + "', 60)"),
		SearchRegion: &region,
		Label:        &label,
		Period:       minute(),
		UsingMetrics: &map[string]awscloudwatch.IMetric{},
	})
}
