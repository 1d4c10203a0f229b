package observability

import (
	"fmt"

	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	elb "github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/interfaces/interfacesawscloudwatch"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// width is that of a dashboard's row.
const width = 24

// row is a row of graphs of one width.
func row(graphs ...*awscloudwatch.GraphWidgetProps) *[]awscloudwatch.IWidget {
	var widgets []awscloudwatch.IWidget
	for _, g := range graphs {
		g.Width, g.Height = jsii.Number(width/len(graphs)), jsii.Number(6)
		widgets = append(widgets, awscloudwatch.NewGraphWidget(g))
	}
	return &widgets
}

// graph shows metrics on the left axis, from 0.
func graph(title string, metrics ...awscloudwatch.IMetric) *awscloudwatch.GraphWidgetProps {
	return &awscloudwatch.GraphWidgetProps{
		Title: &title, Left: &metrics, LeftYAxis: &awscloudwatch.YAxisProps{Min: jsii.Number(0), ShowUnits: jsii.Bool(false)},
	}
}

// state shows alarms and where to read on.
func state(runbook string, alarms []awscloudwatch.IAlarm) *[]awscloudwatch.IWidget {
	var shown []interfacesawscloudwatch.IAlarmRef
	for _, a := range alarms {
		shown = append(shown, a)
	}
	return &[]awscloudwatch.IWidget{
		awscloudwatch.NewAlarmStatusWidget(&awscloudwatch.AlarmStatusWidgetProps{
			Title: jsii.String("Alarms"), Alarms: &shown, Width: jsii.Number(width - 6), Height: jsii.Number(4),
		}),
		awscloudwatch.NewTextWidget(&awscloudwatch.TextWidgetProps{
			Markdown: jsii.String("[What to do about each alarm](" + runbook + "#alarms)"), Width: jsii.Number(6), Height: jsii.Number(4),
		}),
	}
}

func newDashboard(scope constructs.Construct, name string, rows ...*[]awscloudwatch.IWidget) {
	awscloudwatch.NewDashboard(scope, jsii.String("Dashboard"), &awscloudwatch.DashboardProps{
		DashboardName:   &name,
		DefaultInterval: awscdk.Duration_Hours(jsii.Number(6)),
		Widgets:         &rows,
	})
}

// dashboard is one region's.
func (r *region) dashboard(scope constructs.Construct) {
	traffic, targets := r.LoadBalancer.Metrics(), r.TargetGroup.Metrics()
	group := *r.Group.AutoScalingGroupName()
	instances := func(name, label string) awscloudwatch.IMetric {
		return ofGroup("AWS/AutoScaling", name, group, r.name, "Average", label)
	}
	credits := func(name, label string) awscloudwatch.IMetric {
		return ofGroup("AWS/EC2", name, group, r.name, "Average", label)
	}
	rows := []*[]awscloudwatch.IWidget{
		state(r.runbook, r.alarms),
		row(
			graph("Requests a minute", traffic.RequestCount(every(minute, "Sum", "requests"))),
			graph("Errors a minute",
				traffic.HttpCodeTarget(elb.HttpCodeTarget_TARGET_5XX_COUNT, every(minute, "Sum", "5xx of the service")),
				traffic.HttpCodeElb(elb.HttpCodeElb_ELB_5XX_COUNT, every(minute, "Sum", "5xx of the load balancer")),
				traffic.HttpCodeTarget(elb.HttpCodeTarget_TARGET_4XX_COUNT, every(minute, "Sum", "4xx"))),
			graph("Time to answer, s",
				traffic.TargetResponseTime(every(minute, "p50", "p50")),
				traffic.TargetResponseTime(every(minute, "p99", "p99"))),
		),
		row(
			graph("Instances",
				targets.HealthyHostCount(every(minute, "Minimum", "healthy")),
				targets.UnhealthyHostCount(every(minute, "Maximum", "unhealthy")),
				instances("GroupDesiredCapacity", "desired"),
				instances("GroupMaxSize", "most")),
			graph("CPU, %", ofGroup("AWS/EC2", "CPUUtilization", group, r.name, "Average", "average"),
				ofGroup("AWS/EC2", "CPUUtilization", group, r.name, "Maximum", "busiest")),
			graph("Surplus CPU credits", credits("CPUSurplusCreditBalance", "spent beyond what was earned"), credits("CPUSurplusCreditsCharged", "billed")),
		),
		row(
			graph("Lighthouse",
				published(setting.FailingMetric, r.Deployment, r.name, minute, "parts that fail"),
				published(setting.DrainedMetric, r.Deployment, r.name, minute, "drained"),
				published(setting.UnknownMetric, r.Deployment, r.name, minute, "parts that are unknown")),
		),
	}
	if r.Agent {
		used := func(title, name string) *awscloudwatch.GraphWidgetProps {
			return graph(title, ofInstances(name, r.Deployment, r.name, "Average", "average"),
				ofInstances(name, r.Deployment, r.name, "Maximum", "fullest"))
		}
		rows = append(rows, row(used("Memory, %", setting.MemoryMetric), used("Disk, %", setting.DiskMetric)))
	}
	for _, table := range r.Tables {
		rows = append(rows, r.tableRow(table))
	}
	for _, bucket := range r.Buckets {
		var lags []awscloudwatch.IMetric
		for _, other := range r.others() {
			lags = append(lags, bucketLag(bucket, other, r.name))
		}
		if len(lags) > 0 {
			rows = append(rows, row(graph(fmt.Sprintf("%s, from the others to %s, s", bucket.ID, r.name), lags...)))
		}
	}
	if r.Vertical {
		rows = append(rows, r.scalerRow(group))
	}
	newDashboard(scope, r.Dashboard, rows...)
}

// tableRow shows one table.
func (r *region) tableRow(table Table) *[]awscloudwatch.IWidget {
	var refused []awscloudwatch.IMetric
	for _, index := range append([]string{""}, table.Indexes...) {
		refused = append(refused, throttles(table.Name, index, "ReadThrottleEvents", r.name), throttles(table.Name, index, "WriteThrottleEvents", r.name))
	}
	units := func(name, label string) awscloudwatch.IMetric {
		return metric("AWS/DynamoDB", name, map[string]string{"TableName": table.Name}, r.name, every(minute, "Sum", label))
	}
	graphs := []*awscloudwatch.GraphWidgetProps{
		graph(table.ID+", refused requests a minute", refused...),
		graph(table.ID+", units a minute", units("ConsumedReadCapacityUnits", "read"), units("ConsumedWriteCapacityUnits", "written")),
	}
	var lags []awscloudwatch.IMetric
	for _, other := range r.others() {
		lags = append(lags, tableLag(table.Name, r.name, other))
	}
	if len(lags) > 0 && !table.MultiRegionStrongConsistency {
		graphs = append(graphs, graph(fmt.Sprintf("%s, from %s to the others, ms", table.ID, r.name), lags...))
	}
	return row(graphs...)
}

// scalerRow shows both axes: how many instances, of which rung, how busy, and what
// was decided.
func (r *region) scalerRow(group string) *[]awscloudwatch.IWidget {
	decided := func(name, label string) awscloudwatch.IMetric {
		return published(name, r.Deployment, r.name, fiveMinutes, label)
	}
	use := graph("Utilisation, CPU %", ofGroup("AWS/EC2", "CPUUtilization", group, r.name, "Average", "average"))
	use.LeftAnnotations = &[]*awscloudwatch.HorizontalAnnotation{{Value: jsii.Number(r.CPUTarget), Label: jsii.String("target")}}
	return row(
		graph("Count", ofGroup("AWS/AutoScaling", "GroupInServiceInstances", group, r.name, "Average", "in service")),
		graph("Rung", decided(setting.RungMetric, "of the ladder")),
		use,
		graph("Decisions",
			decided(setting.StepsMetric, "step begun"), decided(setting.WantedMetric, "step wanted"),
			decided(setting.FailedMetric, "step failed"), decided(setting.TopMetric, "hot on the largest rung")),
	)
}
