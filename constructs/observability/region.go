package observability

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/archipelago-cdk/archipelago/constructs/internal/answers"
	"github.com/archipelago-cdk/archipelago/constructs/internal/required"
	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsautoscaling"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	elb "github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// RegionProps configure what watches one region.
type RegionProps struct {
	// Deployment is the deployment's name. Required.
	Deployment string `required:"true"`
	// Dashboard is the dashboard's name, of the account's. Required.
	Dashboard string `required:"true"`
	// Impaired is the name of the alarm that sums up the others. Required: the
	// other regions have to know it.
	Impaired string `required:"true"`
	// BalancerAlarm is the name of the alarm on what the load balancer fails by itself: a
	// lighthouse has to know it. Default: one of CloudFormation's.
	BalancerAlarm string
	// Regions are those of the deployment, this one among them. Required.
	Regions []string `required:"true"`
	// LoadBalancer is this region's, and TargetGroup its group of the fleet's
	// instances. Required.
	LoadBalancer elb.IApplicationLoadBalancer `required:"true"`
	TargetGroup  elb.IApplicationTargetGroup  `required:"true"`
	// Group is the fleet's Auto Scaling group. Required.
	Group awsautoscaling.IAutoScalingGroup `required:"true"`
	// DeploymentAlarm is on the share of errors among the answers: one of the alarms
	// that say that users are not served. Required.
	DeploymentAlarm awscloudwatch.IAlarm `required:"true"`
	// Burstable reports whether the fleet's instances run on CPU credits. Default: false.
	Burstable bool
	// Vertical adds the alarms of the scaler, which changes the fleet's instance
	// type or advises to. Default: false.
	Vertical bool
	// CPUTarget is the average CPU use, in percent, that the fleet is held to.
	// Required.
	CPUTarget int `required:"true"`
	// Available is the percentage of requests that are promised to be answered, such as
	// 99.95, of 30 days. Default: 0, nothing is promised.
	Available float64
	// Tables and Buckets are watched. Default: none.
	Tables  []Table
	Buckets []Bucket
	// ReplicationAge reports whether the region's lighthouse publishes how old the last
	// writes are that other regions' have sent. Default: false.
	ReplicationAge bool
	// Agent reports whether the instances have a CloudWatch agent, which publishes
	// their use of memory and disk. Default: false.
	Agent bool
	// Emails are the addresses that alarms are sent to. Default: none.
	Emails []string
	// Runbook is the address of the page that says what to do. Default: Runbook.
	Runbook string
}

// Region watches one region.
type Region struct {
	// Construct holds all of it.
	Construct constructs.Construct
	// Topic tells Emails of the alarms, nil where there are none.
	Topic awssns.ITopic
}

// NewRegion creates the alarms and the dashboard of scope's region.
func NewRegion(scope constructs.Construct, id string, props *RegionProps) *Region {
	required.Check("observability", props)
	this := constructs.NewConstruct(scope, &id)
	made := &Region{Construct: this}
	r := &region{
		RegionProps: *props,
		watch:       &watch{scope: this, runbook: orRunbook(props.Runbook)},
		name:        *awscdk.Stack_Of(this).Region(),
	}
	if len(props.Emails) > 0 {
		made.Topic = newTopic(this, props.Emails)
		r.action = awscloudwatchactions.NewSnsAction(made.Topic)
	}
	r.watchIsland()
	if r.Available > 0 {
		r.watchBudget()
	}
	r.watchFleet()
	if r.Vertical {
		r.watchScaler()
	}
	r.watchData()
	r.dashboard(this)
	return made
}

// region is one region while its watch is made.
type region struct {
	RegionProps
	*watch
	name string
}

// others are the deployment's other regions.
func (r *region) others() []string {
	return slices.DeleteFunc(slices.Clone(r.Regions), func(name string) bool { return name == r.name })
}

// fewTimed are too few answers of a minute for their 99th percentile: of fewer it is the
// slowest one. CloudWatch's own setting for few samples keeps the state that there was,
// below 1,000 of them: source: CloudWatch User Guide, "Percentile-based alarms and low data
// samples".
const fewTimed = 100

// fewBroken are too few answers of a minute to say that a load balancer is broken.
const fewBroken = 10

// watchIsland adds alarms for users who are not served as they should be. One
// alarm sums up the others, so that one fault sends one message.
func (r *region) watchIsland() {
	slow := r.alarm("Latency", alarm{
		anchor: "slow-answers", says: "One answer in a hundred takes longer than 2 s",
		metric: awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
			Expression: jsii.String(fmt.Sprintf("IF(FILL(requests, 0) >= %d, seconds, 0)", fewTimed)),
			UsingMetrics: &map[string]awscloudwatch.IMetric{
				"requests": r.LoadBalancer.Metrics().RequestCount(every(minute, "Sum", "")),
				"seconds":  r.LoadBalancer.Metrics().TargetResponseTime(every(minute, "p99", "")),
			},
			Label:  jsii.String("99 % are answered within, seconds"),
			Period: minute(),
		}), above: 2, periods: 5, breaching: 3, quiet: true,
	})
	hosts := r.TargetGroup.Metrics().HealthyHostCount(every(minute, "Minimum", ""))
	nobody := r.alarm("NoHosts", alarm{
		anchor: "no-healthy-instance", says: "No instance is healthy",
		metric: hosts, below: 1, periods: 2, breaching: 2, silence: awscloudwatch.TreatMissingData_BREACHING, quiet: true,
	})
	// The load balancer has the lighthouse look at least four times a minute: no
	// data is a lighthouse that does not run, and so a dark island.
	dark := r.alarm("Dark", alarm{
		anchor: "island-failing", says: "A table, a bucket or the load balancer of the region fails, or nobody can tell: the island is dark and its users are elsewhere",
		metric: published(setting.FailingMetric, r.Deployment, r.name, minute, ""), above: 0, periods: 5, breaching: 3,
		silence: awscloudwatch.TreatMissingData_BREACHING, quiet: true,
	})
	// Two hours are more than a rollout from a build without a pulse takes.
	r.alarm("HealthUnknown", alarm{
		anchor: "health-unknown", says: "For two hours the lighthouse has not learned what the fleet reaches, how the load balancer does, or whether the island is drained: that would not darken it",
		metric: metric(setting.MetricNamespace, setting.UnknownMetric, map[string]string{setting.MetricDimension: r.Deployment}, r.name, every(fiveMinutes, "Minimum", "")),
		above:  0, periods: 24, breaching: 24,
	})
	broken := r.alarm("BalancerFailing", alarm{
		name: r.BalancerAlarm, anchor: "balancer-failing", says: "The load balancer answers users with 500 by itself: its web ACL fails",
		metric: answers.BrokenPercent(r.LoadBalancer, fewBroken), above: 25, periods: 30, breaching: 5, quiet: true,
	})
	var rules []awscloudwatch.IAlarmRule
	for _, cause := range []awscloudwatch.IAlarm{r.DeploymentAlarm, slow, nobody, dark, broken} {
		rules = append(rules, awscloudwatch.AlarmRule_FromAlarm(cause, awscloudwatch.AlarmState_ALARM))
	}
	impaired := awscloudwatch.NewCompositeAlarm(r.scope, jsii.String("Impaired"), &awscloudwatch.CompositeAlarmProps{
		CompositeAlarmName: &r.Impaired,
		AlarmDescription:   r.describe("The island is impaired", "island-impaired"),
		AlarmRule:          awscloudwatch.AlarmRule_AnyOf(rules...),
	})
	if r.action != nil {
		impaired.AddAlarmAction(r.action)
		impaired.AddOkAction(r.action)
	}
	r.alarms = append([]awscloudwatch.IAlarm{impaired, r.DeploymentAlarm}, r.alarms...)
}

// watchFleet adds alarms for a fleet that is too small, too busy or too dear.
func (r *region) watchFleet() {
	group := *r.Group.AutoScalingGroupName()
	// The bounds are those of the moment: a schedule changes them.
	bound := func(name string) awscloudwatch.IMetric {
		return ofGroup("AWS/AutoScaling", name, group, r.name, "Minimum", "")
	}
	r.alarm("FewHosts", alarm{
		anchor: "too-few-instances", says: "Fewer instances are healthy than the fleet's minimum",
		metric: holds("healthy < least", map[string]awscloudwatch.IMetric{
			"healthy": r.TargetGroup.Metrics().HealthyHostCount(every(minute, "Minimum", "")),
			"least":   bound("GroupMinSize"),
		}), above: 0, periods: 10, breaching: 10,
	})
	r.alarm("AtMaximum", alarm{
		anchor: "fleet-at-its-maximum", says: "The fleet has held its maximum",
		// A fleet of a fixed size is always at its maximum.
		metric: holds("inService >= most AND most > least", map[string]awscloudwatch.IMetric{
			"inService": bound("GroupInServiceInstances"),
			"least":     bound("GroupMinSize"),
			"most":      bound("GroupMaxSize"),
		}), above: 0, periods: 15, breaching: 15,
	})
	r.alarm("Busy", alarm{
		anchor: "fleet-busy", says: "The fleet's CPU is busier than 85 %",
		metric: ofGroup("AWS/EC2", "CPUUtilization", group, r.name, "Average", ""), above: 85, periods: 15, breaching: 15,
	})
	if r.Agent {
		r.alarm("Memory", alarm{
			anchor: "memory-high", says: "An instance has little memory left",
			metric: ofInstances(setting.MemoryMetric, r.Deployment, r.name, "Maximum", ""), above: 90, periods: 15, breaching: 15,
		})
		r.alarm("Disk", alarm{
			anchor: "disk-filling", says: "An instance's disk fills",
			metric: ofInstances(setting.DiskMetric, r.Deployment, r.name, "Maximum", ""), above: 85, periods: 15, breaching: 15,
		})
	}
	if r.Burstable {
		r.alarm("SurplusCredits", alarm{
			anchor: "surplus-credits", says: "Instances use more CPU than their type includes, and AWS bills it",
			metric: metric("AWS/EC2", "CPUSurplusCreditsCharged", map[string]string{"AutoScalingGroupName": group}, r.name, every(fiveMinutes, "Maximum", "")),
			above:  0, periods: 3, breaching: 3,
		})
	}
}

// watchScaler adds alarms for an instance type that is not what it should be
// while nothing changes it.
func (r *region) watchScaler() {
	r.alarm("TopRung", alarm{
		anchor: "top-rung", says: "The fleet is hot on the largest instance type of its ladder",
		metric: published(setting.TopMetric, r.Deployment, r.name, fiveMinutes, ""), above: 0, periods: 3, breaching: 3,
	})
	r.alarm("StepFailed", alarm{
		anchor: "step-failed", says: "A change of the instance type failed and was rolled back",
		metric: published(setting.FailedMetric, r.Deployment, r.name, fiveMinutes, ""), above: 0, periods: 1, breaching: 1,
	})
	// The rung is 0 where the instance type is not in the ladder.
	r.alarm("ScalerSilent", alarm{
		anchor: "scaler-silent", says: "Nobody looks after the instance type: the scaler fails, the type is not a rung of the ladder, or no rung is offered in every zone, of which another message names the zones",
		metric: published(setting.RungMetric, r.Deployment, r.name, fiveMinutes, ""), below: 1, periods: 6, breaching: 6,
		silence: awscloudwatch.TreatMissingData_BREACHING,
	})
}

// whileReplicationIsSilent keeps the state of an alarm on a bucket's replication, whose
// metrics come by best effort, and on a table's, of which CloudWatch does so whatever the
// alarm says. Source: Amazon S3 User Guide, "Metrics and dimensions"; Amazon CloudWatch API
// Reference, "PutMetricAlarm".
const whileReplicationIsSilent = awscloudwatch.TreatMissingData_IGNORE

// watchData adds alarms for tables that refuse requests and copies that lag.
func (r *region) watchData() {
	for _, table := range r.Tables {
		r.watchTable(table)
	}
	if r.ReplicationAge {
		r.alarm("ReplicationAge", alarm{
			anchor: "table-replication-silent", says: "Of a table, nothing that another region writes each minute has arrived for five minutes",
			metric: metric(setting.MetricNamespace, setting.ReplicationAgeMetric, map[string]string{setting.MetricDimension: r.Deployment}, r.name, every(fiveMinutes, "Minimum", "")),
			above:  5 * 60, periods: 2, breaching: 2,
		})
	}
	for _, bucket := range r.Buckets {
		for _, other := range r.others() {
			r.alarm(bucket.ID+"LagFrom"+other, alarm{
				anchor: "bucket-replication-lag", says: bucket.ID + " from " + other + " take longer than the 15 minutes that AWS promises",
				metric: bucketLag(bucket, other, r.name), above: 15 * 60, periods: 2, breaching: 2,
				silence: whileReplicationIsSilent,
			})
			r.alarm(bucket.ID+"FailsTo"+other, alarm{
				anchor: "bucket-replication-failed", says: bucket.ID + " were not replicated to " + other + ", and will not be by themselves",
				metric: bucketFailures(bucket, r.name, other), above: 0, periods: 1, breaching: 1,
				silence: whileReplicationIsSilent,
			})
		}
	}
}

// maxMetrics is how many metrics an alarm may be of. Source: CloudWatch User Guide, "Limits".
const maxMetrics = 10

func (r *region) watchTable(table Table) {
	// An alarm has reads and writes of so many parts, which are the table and its indexes.
	for n, parts := range slices.Collect(slices.Chunk(append([]string{""}, table.Indexes...), maxMetrics/2)) {
		refused := map[string]awscloudwatch.IMetric{}
		var terms []string
		for i, index := range parts {
			for _, kind := range []string{"Read", "Write"} {
				term := fmt.Sprintf("%ss%d", strings.ToLower(kind), i)
				refused[term] = throttles(table.Name, index, kind+"ThrottleEvents", r.name)
				terms = append(terms, "FILL("+term+", 0)")
			}
		}
		id := table.ID + "Throttled"
		if n > 0 {
			id += strconv.Itoa(n + 1)
		}
		r.alarm(id, alarm{
			anchor: "table-throttled", says: "The table " + table.ID + " refuses requests for being too many",
			metric: awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
				Expression:   jsii.String(strings.Join(terms, " + ")),
				UsingMetrics: &refused,
				Label:        jsii.String("throttled requests"),
				Period:       minute(),
			}),
			above: 0, periods: 5, breaching: 3,
		})
	}
	if table.MultiRegionStrongConsistency {
		return
	}
	for _, other := range r.others() {
		r.alarm(table.ID+"LagTo"+other, alarm{
			anchor: "table-replication-lag", says: "Writes to the table " + table.ID + " take longer than a minute to " + other,
			metric: tableLag(table.Name, r.name, other), above: 60_000, periods: 3, breaching: 3,
			silence: whileReplicationIsSilent,
		})
	}
}
