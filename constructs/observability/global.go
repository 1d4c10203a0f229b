package observability

import (
	"github.com/archipelago-cdk/archipelago/constructs/internal/required"
	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// GlobalProps configure the dashboard over all regions.
type GlobalProps struct {
	// Deployment is the deployment's name. Required.
	Deployment string `required:"true"`
	// Dashboard is the dashboard's name, of the account's. Required.
	Dashboard string `required:"true"`
	// Impaired is the name of the alarm that sums up a region's. Required.
	Impaired string `required:"true"`
	// Regions are the deployment's. Required.
	Regions []string `required:"true"`
	// LoadBalancer is the name of every region's load balancer. Required.
	LoadBalancer string `required:"true"`
	// Group is the name of every region's Auto Scaling group. Required.
	Group string `required:"true"`
	// Tables and Buckets are shown. Default: none.
	Tables  []Table
	Buckets []Bucket
	// Accelerator is the id of the accelerator. Default: no accelerator.
	Accelerator string
	// Runbook is the address of the page that says what to do. Default: Runbook.
	Runbook string
}

// acceleratorMetrics is where AWS publishes those of every accelerator. Source:
// AWS Global Accelerator Developer Guide, "Using Amazon CloudWatch with AWS
// Global Accelerator".
const acceleratorMetrics = "us-west-2"

// NewGlobal creates the dashboard over all regions. It needs none of them: what
// only a region knows, it searches there. It returns what holds the dashboard.
func NewGlobal(scope constructs.Construct, id string, props *GlobalProps) constructs.Construct {
	required.Check("observability", props)
	this := constructs.NewConstruct(scope, &id)
	each := func(metrics func(region string) []awscloudwatch.IMetric) []awscloudwatch.IMetric {
		var all []awscloudwatch.IMetric
		for _, region := range props.Regions {
			all = append(all, metrics(region)...)
		}
		return all
	}
	ofBalancers := func(name, statistic string) []awscloudwatch.IMetric {
		return each(func(region string) []awscloudwatch.IMetric {
			return []awscloudwatch.IMetric{search(region, "AWS/ApplicationELB,LoadBalancer", "LoadBalancer=app/"+props.LoadBalancer, name, statistic, region)}
		})
	}
	ofFleets := func(namespace, name, statistic string) []awscloudwatch.IMetric {
		return each(func(region string) []awscloudwatch.IMetric {
			return []awscloudwatch.IMetric{ofGroup(namespace, name, props.Group, region, statistic, region)}
		})
	}
	ofLighthouses := func(name string) []awscloudwatch.IMetric {
		return each(func(region string) []awscloudwatch.IMetric {
			return []awscloudwatch.IMetric{published(name, props.Deployment, region, minute, region)}
		})
	}
	between := func(lag func(from, to string) awscloudwatch.Metric) []awscloudwatch.IMetric {
		return each(func(to string) []awscloudwatch.IMetric {
			var all []awscloudwatch.IMetric
			for _, from := range props.Regions {
				if from != to {
					all = append(all, lag(from, to))
				}
			}
			return all
		})
	}
	rows := []*[]awscloudwatch.IWidget{
		state(orRunbook(props.Runbook), impaired(this, props)),
		row(
			graph("Requests a minute", ofBalancers("RequestCount", "Sum")...),
			graph("Errors of the service a minute", ofBalancers("HTTPCode_Target_5XX_Count", "Sum")...),
			graph("Errors of the load balancers a minute", ofBalancers("HTTPCode_ELB_5XX_Count", "Sum")...),
		),
		row(
			graph("Time to answer, p50, s", ofBalancers("TargetResponseTime", "p50")...),
			graph("Time to answer, p99, s", ofBalancers("TargetResponseTime", "p99")...),
		),
		row(
			graph("Instances in service", ofFleets("AWS/AutoScaling", "GroupInServiceInstances", "Average")...),
			graph("CPU, %", ofFleets("AWS/EC2", "CPUUtilization", "Average")...),
			graph("Surplus CPU credits", ofFleets("AWS/EC2", "CPUSurplusCreditBalance", "Average")...),
		),
		row(
			graph("Lighthouses, parts that fail", ofLighthouses(setting.FailingMetric)...),
			graph("Lighthouses, drained", ofLighthouses(setting.DrainedMetric)...),
		),
	}
	for _, table := range props.Tables {
		graphs := []*awscloudwatch.GraphWidgetProps{graph(table.ID+", refused requests a minute", each(func(region string) []awscloudwatch.IMetric {
			return []awscloudwatch.IMetric{
				labelled(throttles(table.Name, "", "ReadThrottleEvents", region), region+", reads"),
				labelled(throttles(table.Name, "", "WriteThrottleEvents", region), region+", writes"),
			}
		})...)}
		if len(props.Regions) > 1 && !table.MultiRegionStrongConsistency {
			graphs = append(graphs, graph(table.ID+" behind, ms", between(func(from, to string) awscloudwatch.Metric { return tableLag(table.Name, from, to) })...))
		}
		rows = append(rows, row(graphs...))
	}
	if len(props.Regions) > 1 {
		for _, bucket := range props.Buckets {
			rows = append(rows, row(graph(bucket.ID+" behind, s", between(func(from, to string) awscloudwatch.Metric { return bucketLag(bucket, from, to) })...)))
		}
	}
	if props.Accelerator != "" {
		ofAccelerator := func(name string) awscloudwatch.IMetric {
			return metric("AWS/GlobalAccelerator", name, map[string]string{"Accelerator": props.Accelerator}, acceleratorMetrics, every(minute, "Sum", ""))
		}
		rows = append(rows, row(
			graph("New connections at the entry a minute", ofAccelerator("NewFlowCount")),
			graph("Bytes through the entry a minute", ofAccelerator("ProcessedBytesIn"), ofAccelerator("ProcessedBytesOut")),
		))
	}
	newDashboard(this, props.Dashboard, rows...)
	return this
}

func labelled(m awscloudwatch.Metric, label string) awscloudwatch.IMetric {
	return m.With(&awscloudwatch.MetricOptions{Label: &label})
}

// impaired are the regions' alarms, by the name that each of them has.
func impaired(scope constructs.Construct, props *GlobalProps) []awscloudwatch.IAlarm {
	var alarms []awscloudwatch.IAlarm
	for _, region := range props.Regions {
		arn := awscdk.Stack_Of(scope).FormatArn(&awscdk.ArnComponents{
			Service: jsii.String("cloudwatch"), Region: &region, Resource: jsii.String("alarm"), ResourceName: &props.Impaired,
			ArnFormat: awscdk.ArnFormat_COLON_RESOURCE_NAME,
		})
		alarms = append(alarms, awscloudwatch.Alarm_FromAlarmArn(scope, jsii.String("Impaired"+region), arn))
	}
	return alarms
}
