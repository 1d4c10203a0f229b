package setting

import "time"

// Names of the scaler's settings, as environment variables. It also reads
// Deployment.
const (
	// ScalerMode is "off", "advise" or "auto": whether the scaler decides on the
	// instance type, and whether it does what it decided. Required.
	ScalerMode = "MODE"
	// Ladder are the instance types, the smallest first, between commas. Required.
	Ladder = "LADDER"
	// StartAt is the rung that RequestsPerTarget is right for. Required.
	StartAt = "START_AT"
	// CPUTarget is the average CPU use, in percent, that the number of instances
	// is held to. Required.
	CPUTarget = "CPU_TARGET"
	// Goal is the percentage of minutes in which 99 % of requests are to be answered
	// within GoalMilliseconds. Default: 0, there is no goal.
	Goal             = "GOAL"
	GoalMilliseconds = "GOAL_MILLISECONDS"
	// RequestsPerTarget is how many requests a minute an instance of StartAt takes
	// on. Default: 0, there is no such policy.
	RequestsPerTarget = "REQUESTS_PER_TARGET"
	// Window is when steps may begin, such as "01:00-05:00 Europe/Madrid".
	// Default: always.
	Window = "WINDOW"
	// Template is the id of the launch template that deployments make versions of.
	// Required.
	Template = "TEMPLATE"
	// Group is the Auto Scaling group's name. Required.
	Group = "GROUP"
	// Stack is the id of the group's stack. Required.
	Stack = "STACK"
	// DeploymentAlarm is the name of the alarm that stops a step and a deployment.
	// Required.
	DeploymentAlarm = "DEPLOYMENT_ALARM"
	// LoadBalancerARN is the load balancer's. Required.
	LoadBalancerARN = "LOAD_BALANCER_ARN"
	// TargetGroup is the full name of the fleet's target group, as metrics have it.
	// Required.
	TargetGroup = "TARGET_GROUP"
	// TargetGroupARN is that target group's ARN. Required.
	TargetGroupARN = "TARGET_GROUP_ARN"
	// Unguarded set to "true" lets a deployment go on while too many requests fail.
	// Default: "false".
	Unguarded = "UNGUARDED"
	// InstanceTypeParameter, ScalingParameter and FrozenParameter are SSM
	// parameters: the fleet's instance type, what the scaler remembers, and the
	// switch that freezes it while it holds "true". Required; the last two need
	// not exist.
	InstanceTypeParameter = "INSTANCE_TYPE_PARAMETER"
	ScalingParameter      = "SCALING_PARAMETER"
	FrozenParameter       = "FROZEN_PARAMETER"
	// Topic is the ARN of the SNS topic that hears of steps. Default: none.
	Topic = "TOPIC"
	// KnowsMemory set to "true" says that instances publish their memory's use.
	// Default: "false".
	KnowsMemory = "KNOWS_MEMORY"
)

// Types of the scaler's custom resources.
const (
	HoldType    = "Custom::FleetHold"
	RolloutType = "Custom::FleetRollout"
)

// The scaler's metrics, in the namespace and with the dimension of the
// lighthouse's, one value for each run.
const (
	// RungMetric is the place of the fleet's instance type on the ladder, from 1.
	RungMetric = "Rung"
	// StepsMetric is 1 when a run began to replace the fleet's instances.
	StepsMetric = "Steps"
	// WantedMetric is 1 when a run would have, and something kept it from that.
	WantedMetric = "StepsWanted"
	// FailedMetric is 1 while a step that failed is remembered.
	FailedMetric = "StepFailed"
	// TopMetric is 1 while the fleet is hot on the largest rung.
	TopMetric = "HotAtTheTop"
)

// Facts of the fleet that its construct writes into the template, and its scaler
// counts on.
const (
	// GracePeriod is how long the load balancer's word on a new instance does not
	// count, from when it runs: as long as a boot takes.
	GracePeriod = 3 * time.Minute
	// RefreshWarmup is how long an instance refresh waits after an instance runs
	// before it goes on. It is longer than the grace period and two health checks, so
	// that no old instance ends before a new one was asked whether it is well.
	RefreshWarmup = 4 * time.Minute
	// DeploymentPercent is how many instances there are at most while a deployment
	// replaces a fleet, in percent of it: after the first quarter all others are launched
	// at once. AWS takes no more where none is to be missing. Source: Amazon EC2 Auto
	// Scaling API Reference, RefreshPreferences.
	DeploymentPercent = 200
	// SurgeCPU is the CPU use, in percent, from which on one minute is enough to have
	// SurgeTimes as many instances: beyond it requests wait.
	SurgeCPU   = 85
	SurgeTimes = 3
	// AlarmMinutes is how long the deployment alarm takes to see that requests fail,
	// with a minute to spare.
	AlarmMinutes = 3
	// AlarmPercent of failed requests are too many.
	AlarmPercent = 5
	// AlarmRequests a minute are too few to judge by.
	AlarmRequests = 20
)

// BalancerErrors are what a load balancer answers by itself that counts as an error. What
// else it answers with 5xx the request alone makes: 501 for its transfer coding, 505 for its
// version, 507 for its length and 561 for its sign-in. Source:
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
func BalancerErrors() []int { return []int{500, 502, 503, 504} }

// Uncounted are those of BalancerErrors that a load balancer answers before it has chosen a
// target, so that RequestCount does not have them. Source:
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
func Uncounted() []int { return []int{500, 503} }

// Replacing are the processes of an Auto Scaling group without which a refresh replaces no
// instance, or with one that gets no requests. Source: Amazon EC2 Auto Scaling User Guide,
// "How suspended processes affect other processes".
func Replacing() []string {
	return []string{"AddToLoadBalancer", "InstanceRefresh", "Launch", "Terminate"}
}

// Checkpoints are how many of a fleet's instances, in percent, a deployment has replaced
// before it waits for the alarm.
func Checkpoints() []int32 { return []int32{25, 100} }

// RolloutMinutes is about how long a deployment takes to replace n instances, from the
// first launch: each launch warms up, the alarm has its time after each checkpoint and,
// where it may stop the deployment, again at the end.
func RolloutMinutes(n int, guarded bool) int {
	atOnce := max(1, n*(DeploymentPercent-100)/100)
	minutes, replaced := 0, 0
	for _, percent := range Checkpoints() {
		due := (n*int(percent) + 99) / 100
		minutes += (due-replaced+atOnce-1)/atOnce*int(RefreshWarmup.Minutes()) + AlarmMinutes
		replaced = due
	}
	if guarded {
		minutes += AlarmMinutes
	}
	return minutes
}
