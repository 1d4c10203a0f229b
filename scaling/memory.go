package scaling

import "time"

// memoryUse is what memory says: it is high because of load, or because of a
// leak, or neither.
type memoryUse struct {
	high, load, leaks bool
	now, before       float64 // percent
	over              time.Duration
}

const (
	// compared is how much of each end of LeakWindow is compared.
	compared = 10 * time.Minute
	// leakMinimum is the least time in which a leak can be told from a warm-up.
	leakMinimum = time.Hour
	// grown is by how much more load memory may grow.
	grown = 1.1
)

// memory compares memory and load now with those of a window ago, or right after
// the last step if that is later: the same hour of yesterday has the same load.
func (d *decision) memory() memoryUse {
	o, p := d.observed, d.policy
	recent, ok := o.Memory.recent(d.now, compared, p.Stale)
	if !ok || recent.mean() < p.MemoryHigh {
		return memoryUse{}
	}
	use := memoryUse{high: true, now: recent.mean()}
	since := d.now.Add(-p.LeakWindow)
	if o.LastStep.After(since) {
		since = o.LastStep
	}
	before := o.Memory.first(since)
	if len(before) == 0 || recent[len(recent)-1].At.Sub(before[0].At) < leakMinimum {
		return use
	}
	use.before, use.over = before.mean(), recent[len(recent)-1].At.Sub(before[0].At)
	load := o.Requests
	if len(load) == 0 {
		load = o.CPU
	}
	loadNow, ok := load.recent(d.now, compared, p.Stale)
	loadBefore := load.first(since)
	if !ok || len(loadBefore) == 0 {
		return use
	}
	more := loadNow.mean() > grown*loadBefore.mean()
	use.load = more
	use.leaks = !more && use.now-use.before >= p.LeakRise
	return use
}

// first returns the points of the first minutes after t.
func (s Series) first(t time.Time) Series {
	s = s.After(t)
	if len(s) == 0 {
		return nil
	}
	return s[:len(s)-len(s.After(s[0].At.Add(compared)))]
}

func (m memoryUse) reason(code Code) Reason {
	return Reason{Code: code, Memory: m.now, MemoryBefore: m.before, Over: m.over}
}
