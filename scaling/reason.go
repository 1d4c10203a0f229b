package scaling

import (
	"fmt"
	"strings"
	"time"
)

// Code names the rule that decided. Codes are stable: alarms and dashboards may
// count by them.
type Code string

// Reasons to act.
const (
	// Hot: the fleet is full, and its CPU is at its target.
	Hot Code = "hot"
	// MemoryHigh: memory is short because there is more load; as a reason to stay,
	// because of neither load nor a leak that can be seen.
	MemoryHigh Code = "memory-high"
	// Surge: the load is near what the most instances can do.
	Surge Code = "surge"
	// Floor: the fleet is below the rung that its plan allows.
	Floor Code = "below-floor"
	// Cool: the fewest instances of one rung lower would do.
	Cool Code = "cool"
	// Leak: memory grows although the load does not.
	Leak Code = "leak"
	// Mismatch: instances have, or get, another type than the parameter holds.
	Mismatch Code = "mismatch"
)

// Reasons to stay.
const (
	// Steady: nothing is wrong with what there is.
	Steady Code = "steady"
	// TooSmall: it is at its minimum, and one rung lower would not be cool.
	TooSmall Code = "too-small"
	// AtFloor: it is at its minimum, and on the lowest rung that its plan allows.
	AtFloor Code = "at-floor"
	// Disabled: the mode is "off".
	Disabled Code = "off"
	// Frozen: an operator has stopped the controller.
	Frozen Code = "frozen"
	// OffLadder: the parameter's type is not a rung.
	OffLadder Code = "off-ladder"
	// Refreshing: instances are being replaced.
	Refreshing Code = "refreshing"
	// InAlarm: an alarm of the fleet is in ALARM.
	InAlarm Code = "alarm"
	// ZonalShift: traffic is kept away from a zone.
	ZonalShift Code = "zonal-shift"
	// ShiftUnknown: whether traffic is kept away from a zone cannot be read.
	ShiftUnknown Code = "zonal-shift-unknown"
	// StackUpdating: CloudFormation changes the stack.
	StackUpdating Code = "stack-updating"
	// Empty: there is no instance.
	Empty Code = "empty"
	// Missing: metrics are missing or old.
	Missing Code = "missing-metrics"
	// Top: it is hot, and there is no larger rung.
	Top Code = "top"
	// Cooldown: it is too early after the last step.
	Cooldown Code = "cooldown"
	// OutsideWindow: it is not the time of day for steps.
	OutsideWindow Code = "outside-window"
	// NotOffered: a zone does not offer the type.
	NotOffered Code = "not-offered"
	// FailedBefore: the step failed, and is not tried again yet.
	FailedBefore Code = "failed-before"
)

// Reason is why Decide decided as it did: a rule and the numbers that it looked
// at. Numbers that a rule did not look at are zero.
type Reason struct {
	Code Code `json:"code"`
	// Wants is what would be done if this reason did not stand in the way, and
	// WantsCode why.
	Wants     Kind `json:"wants,omitempty"`
	WantsCode Code `json:"wantsCode,omitempty"`
	// From is the present type, To that of the step that was looked at.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Floor is the lowest rung of the plan.
	Floor string `json:"floor,omitempty"`
	// Count, Min and Max are instances.
	Count float64 `json:"count,omitempty"`
	Min   int     `json:"min,omitempty"`
	Max   int     `json:"max,omitempty"`
	// CPU is the average use, in percent, and Limit what the rule compares it
	// with. For a step down CPU is what one rung lower would have.
	CPU   float64 `json:"cpu,omitempty"`
	Limit float64 `json:"limit,omitempty"`
	// Memory and MemoryBefore are uses in percent, now and when it was looked back
	// at. For a step down Memory is what one rung lower would have.
	Memory       float64 `json:"memory,omitempty"`
	MemoryBefore float64 `json:"memoryBefore,omitempty"`
	// Over is the time that the numbers are of.
	Over time.Duration `json:"over,omitempty"`
	// Until is when the reason not to act ends.
	Until time.Time `json:"until,omitzero"`
	// Attempts is how many steps failed.
	Attempts int `json:"attempts,omitempty"`
	// Lacking are the metrics that are missing or old.
	Lacking []string `json:"lacking,omitempty"`
	// Instances are those of the fleet by type, where they differ.
	Instances map[string]int `json:"instances,omitempty"`
}

// String says it in a sentence for the operator.
func (r Reason) String() string {
	switch r.Code {
	case Hot:
		return fmt.Sprintf("for %s the fleet had no fewer than %.0f of at most %d instances, at %.0f %% CPU; %.0f %% or more is hot", minutes(r.Over), r.Count, r.Max, r.CPU, r.Limit)
	case MemoryHigh:
		return r.memory()
	case Surge:
		return fmt.Sprintf("for %s the load was %.0f %% or more of what %d instances can do; from %.0f %% on their number will not help for long", minutes(r.Over), r.CPU, r.Max, r.Limit)
	case Floor:
		return fmt.Sprintf("the goal asks for %s at least", r.Floor)
	case AtFloor:
		return fmt.Sprintf("at the minimum of %d instances, and on %s, the lowest that the goal allows", r.Min, r.Floor)
	case Cool:
		return fmt.Sprintf("for %s the fleet was at its minimum of %d instances; %s would have had %.0f %% CPU, up to %.0f %% will do%s", minutes(r.Over), r.Min, r.To, r.CPU, r.Limit, r.andMemory())
	case Leak:
		return fmt.Sprintf("memory is at %.0f %%, it was at %.0f %% %s ago, and the load has not grown: something leaks", r.Memory, r.MemoryBefore, minutes(r.Over))
	case Mismatch:
		return fmt.Sprintf("the parameter says %s, the fleet has %s", r.From, spell(r.Instances, r.To))
	case Steady:
		return fmt.Sprintf("%.0f of %d to %d instances at %.0f %% CPU: their number is enough to scale", r.Count, r.Min, r.Max, r.CPU)
	case TooSmall:
		return fmt.Sprintf("at the minimum of %d instances, but %s would have %.0f %% CPU, up to %.0f %% will do%s", r.Min, r.To, r.CPU, r.Limit, r.andMemory())
	case Disabled:
		return `vertical scaling is off: fleet.vertical is "off"`
	case Frozen:
		return "an operator has frozen the instance type"
	case OffLadder:
		return fmt.Sprintf("the parameter says %q, which is not a rung of the ladder: write one of its types there, or add this one to fleet.ladder", r.From)
	case Refreshing:
		return "instances are being replaced already"
	case InAlarm:
		return "an alarm of the fleet is in ALARM: a step would hide what is wrong, or add to it"
	case ZonalShift:
		return "traffic is shifted away from a zone: the load of the others is not the usual one"
	case StackUpdating:
		return "the stack is being updated"
	case Empty:
		return "the fleet has no instance"
	case Missing:
		return fmt.Sprintf("no decision without metrics: %s missing or older than %s", strings.Join(r.Lacking, ", "), minutes(r.Over))
	case Top:
		if r.WantsCode == MemoryHigh {
			return fmt.Sprintf("memory is at %.0f %% on the largest rung, %s, because of the load; add a rung to fleet.ladder", r.Memory, r.From)
		}
		return fmt.Sprintf("hot on the largest rung: no fewer than %.0f of at most %d instances of %s, at %.0f %% CPU; raise fleet.max or add a rung to fleet.ladder", r.Count, r.Max, r.From, r.CPU)
	case Cooldown:
		return r.wanted() + fmt.Sprintf(", not before %s: the last step was too recent", clock(r.Until))
	case OutsideWindow:
		return r.wanted() + ", in the window only"
	case NotOffered:
		return r.wanted() + fmt.Sprintf(", but a zone of the fleet does not offer %s", r.To)
	case ShiftUnknown:
		return r.wanted() + ", but it is not known whether traffic is shifted away from a zone: its instances would make the others look less busy than they are"
	case FailedBefore:
		return r.wanted() + fmt.Sprintf(", but that failed %s: not again before %s", times(r.Attempts), clock(r.Until))
	}
	return string(r.Code)
}

func (r Reason) memory() string {
	switch {
	case r.To != "":
		return fmt.Sprintf("memory is at %.0f %%, it was at %.0f %% %s ago, and the load has grown with it", r.Memory, r.MemoryBefore, minutes(r.Over))
	case r.MemoryBefore > 0:
		return fmt.Sprintf("memory is at %.0f %%, it was at %.0f %% %s ago: neither load nor a leak that can be seen", r.Memory, r.MemoryBefore, minutes(r.Over))
	}
	return fmt.Sprintf("memory is at %.0f %%, and there is nothing to compare it with yet", r.Memory)
}

func (r Reason) andMemory() string {
	if r.Memory == 0 {
		return ""
	}
	return fmt.Sprintf(", and %.0f %% memory", r.Memory)
}

// wanted is what stands in front of what kept it from being done.
func (r Reason) wanted() string {
	switch r.Wants {
	case Up:
		return fmt.Sprintf("would step up to %s (%s)", r.To, r.WantsCode)
	case Down:
		return fmt.Sprintf("would step down to %s (%s)", r.To, r.WantsCode)
	case Recycle:
		return fmt.Sprintf("would recycle the instances (%s)", r.WantsCode)
	}
	return fmt.Sprintf("would bring the fleet to %s (%s)", r.To, r.WantsCode)
}

func minutes(d time.Duration) string {
	if d >= 2*time.Hour {
		return fmt.Sprintf("%.0f h", d.Hours())
	}
	return fmt.Sprintf("%.0f min", d.Minutes())
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
