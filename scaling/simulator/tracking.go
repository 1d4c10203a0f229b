package simulator

import "math"

// tracking changes the number of instances as a target tracking policy of EC2
// Auto Scaling does: more once the metric was above the target for three minutes
// in a row, fewer once it was below 70 % of it for fifteen, in proportion to the
// metric.
//
// Sources: EC2 Auto Scaling User Guide, "Target tracking scaling policies" (in
// proportion; instances that warm up do not count for the metric, but as
// capacity) and "Set the default instance warmup". AWS does not document the
// alarms that it makes; for ASGAverageCPUUtilization they are seen to be 3 of 3
// minutes above the target, and 15 of 15 below 70 % of it (52.5 for 75, says
// Amazon's sample "Voice Focus AMI Asynchronous File Processing Infrastructure
// CDK"; others report 35 for 50, 42 for 60), where Application Auto Scaling, which
// does not scale EC2 Auto Scaling groups, takes 90 %.
type tracking struct {
	above, below int // minutes in a row
}

const (
	outAfter = 3
	inAfter  = 15
	inBelow  = 0.7
)

// observe takes a minute's metric into account.
func (t *tracking) observe(metric, target float64) {
	if metric > target {
		t.above++
	} else {
		t.above = 0
	}
	if metric < inBelow*target {
		t.below++
	} else {
		t.below = 0
	}
}

// out reports whether there should be more instances, in whether fewer.
func (t *tracking) out() bool { return t.above >= outAfter }
func (t *tracking) in() bool  { return t.below >= inAfter }

// wanted is how many instances would bring the metric to the target.
func wanted(instances int, metric, target float64) int {
	return int(math.Ceil(float64(instances)*metric/target - 1e-9))
}
