package scaling

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Decide says what to do with a fleet at a moment, and why. It changes nothing
// and remembers nothing: the same observation gives the same action.
//
//   - Full and hot for long: one rung up. Near what the most instances can do: at once,
//     to the rung that bears it. At the minimum, and one rung lower would do, for
//     longer: one rung down, but never below the floor.
//   - Memory that grows while the load does not is a leak: the instances are
//     recycled.
//   - Instances of another type than the parameter's are brought to it.
//   - Never while instances are replaced, an alarm is in ALARM, a zone is avoided or the
//     stack is updated; never to a type that a zone does not offer; never by
//     metrics that are missing; not again right after a step, or one that failed.
//   - Never down while nobody knows whether a zone is avoided: its instances are idle
//     then, so the means say less than what the others bear. What adds capacity or keeps
//     it, a step up, a recycling or a reconciliation, is done.
//
// now has to be no earlier than what was observed.
func Decide(l Ladder, p Policy, o Observation, now time.Time) Action {
	d := decision{ladder: l, policy: p.WithDefaults(), observed: o, now: now, at: l.Find(o.Parameter)}
	action := d.decide()
	action.Advice = d.policy.Mode == Advise
	return action
}

type decision struct {
	ladder   Ladder
	policy   Policy
	observed Observation
	now      time.Time
	at       int // place on the ladder
}

func (d *decision) decide() Action {
	o, p := d.observed, d.policy
	switch {
	case p.Mode == Off:
		return d.stay(Reason{Code: Disabled})
	case o.Frozen:
		return d.stay(Reason{Code: Frozen})
	case d.at < 0:
		return d.stay(Reason{Code: OffLadder, From: o.Parameter})
	case o.StackUpdating:
		return d.stay(Reason{Code: StackUpdating})
	case o.Refreshing:
		return d.stay(Reason{Code: Refreshing})
	case o.Alarm:
		return d.stay(Reason{Code: InAlarm})
	case o.ZonalShift:
		return d.stay(Reason{Code: ZonalShift})
	}
	if action, ok := d.mismatch(); ok {
		return action
	}
	if len(o.Instances) == 0 {
		return d.stay(Reason{Code: Empty})
	}
	if d.at < d.floor() {
		return d.step(Up, d.floor(), Reason{Code: Floor, Floor: o.Floor})
	}
	memory := d.memory()
	if memory.leaks {
		return d.unlessFailed(Action{Kind: Recycle, To: d.rung(), Reason: memory.reason(Leak)})
	}
	count, cpu, lacking := d.metrics(p.UpAfter)
	if lacking != nil {
		return d.stay(Reason{Code: Missing, Lacking: lacking, Over: p.Stale})
	}
	if to, reason, ok := d.surge(); ok {
		return d.step(Up, to, reason)
	}
	limit := d.target(d.rung())
	full := count.min() >= p.FullShare*float64(o.Max)
	if hot := cpu.mean() >= limit; full && hot {
		return d.step(Up, d.at+1, Reason{Code: Hot, Count: count.min(), Max: o.Max, CPU: cpu.mean(), Limit: limit, Over: p.UpAfter})
	}
	if memory.load {
		return d.step(Up, d.at+1, memory.reason(MemoryHigh))
	}
	steady := Reason{Code: Steady, Count: count[len(count)-1].Value, Min: o.Min, Max: o.Max, CPU: cpu.mean()}
	if memory.high {
		steady = memory.reason(MemoryHigh)
	}
	if d.at == 0 || count.max() > float64(o.Min) {
		return d.stay(steady)
	}
	if d.at == d.floor() {
		return d.stay(Reason{Code: AtFloor, Floor: o.Floor, Min: o.Min})
	}
	return d.shrink(steady)
}

// shrink steps down if that would be cool.
func (d *decision) shrink(steady Reason) Action {
	o, p := d.observed, d.policy
	count, cpu, lacking := d.metrics(p.DownAfter)
	if lacking != nil {
		return d.stay(Reason{Code: Missing, Lacking: lacking, Over: p.Stale})
	}
	if count.max() > float64(o.Min) {
		return d.stay(steady)
	}
	lower := d.ladder[d.at-1]
	// What makes the lower rung step up again, with a share to spare, and as many
	// instances not overloaded until there are enough.
	full := max(float64(o.Min), p.FullShare*float64(o.Max)) / float64(o.Min)
	reason := Reason{
		Code: Cool, Min: o.Min, From: d.rung().Type, To: lower.Type, Over: p.DownAfter,
		CPU:   cpu.mean() * float64(d.rung().VCPU) / float64(lower.VCPU),
		Limit: min(p.MaxCPUAfterDown, p.CoolShare*full*d.target(lower)),
	}
	if memory, ok := o.Memory.recent(d.now, p.DownAfter, p.Stale); ok {
		reason.Memory = memory.mean() * d.rung().MemoryGiB / lower.MemoryGiB
	}
	if reason.CPU > reason.Limit || reason.Memory >= p.MemoryHigh {
		reason.Code = TooSmall
		return d.stay(reason)
	}
	return d.step(Down, d.at-1, reason)
}

// step goes to another rung, unless something keeps it from that.
func (d *decision) step(kind Kind, to int, reason Reason) Action {
	p, o := d.policy, d.observed
	cooldown := p.UpCooldown
	if kind == Down {
		cooldown = p.DownCooldown
	}
	reason.From = d.rung().Type
	if to == len(d.ladder) {
		return d.kept(kind, reason, Top, time.Time{})
	}
	reason.To = d.ladder[to].Type
	if until := o.LastStep.Add(cooldown); !o.LastStep.IsZero() && d.now.Before(until) {
		return d.kept(kind, reason, Cooldown, until)
	}
	if !p.Window.Contains(d.now) {
		return d.kept(kind, reason, OutsideWindow, time.Time{})
	}
	if !o.Offered[reason.To] {
		return d.kept(kind, reason, NotOffered, time.Time{})
	}
	if kind == Down && o.ShiftUnknown != "" {
		return d.kept(kind, reason, ShiftUnknown, time.Time{})
	}
	return d.unlessFailed(Action{Kind: kind, To: d.ladder[to], Reason: reason})
}

// mismatch brings a fleet to its parameter's type, unless that failed lately.
func (d *decision) mismatch() (Action, bool) {
	o, want := d.observed, d.rung().Type
	others := len(o.Instances)
	if o.Instances[want] > 0 {
		others--
	}
	launches := o.Launches != "" && o.Launches != want
	if others == 0 && !launches {
		return Action{}, false
	}
	reason := Reason{Code: Mismatch, From: want, Instances: o.Instances}
	if launches {
		reason.To = o.Launches
	}
	if !o.Offered[want] {
		reason.To = want
		return d.kept(Reconcile, reason, NotOffered, time.Time{}), true
	}
	return d.unlessFailed(Action{Kind: Reconcile, To: d.rung(), Reason: reason}), true
}

// maxBackoff is the longest time after which a failed step is tried again.
const maxBackoff = 24 * time.Hour

// unlessFailed is action, or to stay while one to the same type that failed is
// too recent.
func (d *decision) unlessFailed(action Action) Action {
	failed := d.observed.Failed
	if failed == nil || failed.To != action.To.Type {
		return action
	}
	backoff := d.policy.Backoff
	for n := 1; n < failed.Attempts && backoff < maxBackoff; n++ {
		backoff *= 2
	}
	until := failed.At.Add(min(backoff, maxBackoff))
	if !d.now.Before(until) {
		return action
	}
	action.Reason.To, action.Reason.Attempts = action.To.Type, failed.Attempts
	return d.kept(action.Kind, action.Reason, FailedBefore, until)
}

// kept is to stay, although reason would have something done.
func (d *decision) kept(wants Kind, reason Reason, code Code, until time.Time) Action {
	reason.Wants, reason.WantsCode, reason.Code, reason.Until = wants, reason.Code, code, until
	return d.stay(reason)
}

func (d *decision) stay(reason Reason) Action {
	action := Action{Kind: Stay, Reason: reason}
	if d.at >= 0 {
		action.To = d.rung()
	}
	return action
}

func (d *decision) rung() Rung { return d.ladder[d.at] }

// floor is the place of the floor on the ladder, or -1 if there is none.
func (d *decision) floor() int { return d.ladder.Find(d.observed.Floor) }

// target is the CPU use, in percent, that a rung should have at most: a burstable
// one no more than what it may use for ever.
func (d *decision) target(r Rung) float64 { return min(d.policy.CPUTarget, r.Baseline) }

// metrics returns count and CPU of the last time, or the names of those that do
// not say enough.
func (d *decision) metrics(last time.Duration) (count, cpu Series, lacking []string) {
	count, countOK := d.observed.Count.recent(d.now, last, d.policy.Stale)
	cpu, cpuOK := d.observed.CPU.recent(d.now, last, d.policy.Stale)
	if !countOK {
		lacking = append(lacking, "instances in service")
	}
	if !cpuOK {
		lacking = append(lacking, "CPU")
	}
	return count, cpu, lacking
}

// spell lists instances by type, such as "2 of m7g.large, 1 of m7g.medium".
func spell(instances map[string]int, launches string) string {
	var parts []string
	for _, t := range slices.Sorted(maps.Keys(instances)) {
		parts = append(parts, fmt.Sprintf("%d of %s", instances[t], t))
	}
	if launches != "" {
		parts = append(parts, "and launches "+launches)
	}
	return strings.Join(parts, ", ")
}
