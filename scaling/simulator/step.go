package simulator

import (
	"time"

	"github.com/archipelago-cdk/archipelago/scaling"
)

// refresh replaces all instances, as an instance refresh does: new ones are
// launched first, up to MaxHealthy, and for each that is warm an old one ends.
// Source: EC2 Auto Scaling User Guide, "How an instance refresh works".
type refresh struct {
	to    int // rung
	step  int // index in Result.Steps
	ended int // minute of the last replacement; 0 before
	tried int // minute since which there was no capacity; 0: there is
}

// decide asks the controller, and begins what it wants.
func (s *simulation) decide(now int) {
	if s.refresh != nil {
		return // as it would decide
	}
	clear(s.types)
	s.types[s.fleet.Ladder[s.rung].Type] = len(s.instances) // all have it, but during a refresh
	at := s.at(now)
	o := scaling.Observation{
		Parameter:  s.fleet.Ladder[s.rung].Type,
		Instances:  s.types,
		Min:        s.fleet.Min,
		Max:        s.fleet.Max,
		Count:      s.observed.count.until(at, s.model.MetricDelay),
		CPU:        s.observed.cpu.until(at, s.model.MetricDelay),
		Requests:   s.observed.requests.until(at, s.model.MetricDelay),
		Offered:    s.offered,
		Floor:      s.floor,
		LastStep:   s.lastStep,
		Failed:     s.failure,
		ZonalShift: s.lostZone,
	}
	if s.fleet.Agent {
		o.Memory = s.observed.memory.until(at, s.model.MetricDelay)
	}
	action := scaling.Decide(s.fleet.Ladder, s.policy, o, at)
	if action.Kind == scaling.Stay || action.Advice {
		return
	}
	s.result.Steps = append(s.result.Steps, Step{Minute: now, Action: action})
	s.refresh = &refresh{to: s.fleet.Ladder.Find(action.To.Type), step: len(s.result.Steps) - 1}
	for i := range s.instances {
		s.instances[i].old = true
	}
}

// plan makes the night's plan. A day with more minutes over than the plan before it had
// foreseen has the next plan made for the harsh world; if the load of that day does not
// explain it, as long as that day is replayed. Minutes before the fleet had the plan's
// floor say nothing about the plan.
func (s *simulation) plan(now int) {
	r := &s.result
	world := s.model
	if s.fleet.Believes != nil {
		world = *s.fleet.Believes
	}
	from := max(0, now-PlanDays*24*60)
	past := History{Start: s.at(from), Requests: s.trace.Requests[from:now]}
	if n := len(r.Plans); n > 0 && s.reached >= 0 {
		last := r.Plans[n-1]
		since := max(s.reached, now-24*60)
		if over := over(r.Minutes[since:now]); last.Exceeded(over) {
			r.Exceeded = append(r.Exceeded, now)
			s.harshTill = now + 1
			if last.Replay(past, s.fleet, world, s.at(since)) < over {
				s.harshTill = now + PlanDays*24*60
			}
		}
	}
	p := NewPlan(past, s.fleet, world, now < s.harshTill)
	r.Plans = append(r.Plans, p)
	s.reached = -1
	s.floor = s.fleet.Ladder[s.fleet.Start].Type
	if p.Floor != "" {
		s.floor = p.Floor
	}
}

// advance goes on with a refresh by a minute.
func (s *simulation) advance(now int) {
	r := s.refresh
	old, warm, fresh := 0, 0, 0
	for i := range s.instances {
		one := &s.instances[i]
		switch {
		case one.old:
			old++
		default:
			fresh++
		}
		if one.inService(now) && (one.old || one.ready <= now) {
			warm++
		}
	}
	for i := 0; i < len(s.instances) && old > 0; {
		// As many as are desired stay healthy.
		if one := s.instances[i]; one.old && warm > s.desired {
			if one.inService(now) {
				warm--
			}
			s.terminate(i)
			old--
			continue
		}
		i++
	}
	most := max(s.desired+1, int(float64(s.desired)*s.model.MaxHealthy))
	for fresh < s.desired && len(s.instances) < most {
		if !s.launch(r.to, now) {
			s.starve(now)
			return
		}
		r.tried = 0
		fresh++
	}
	if old > 0 || warm < s.desired {
		return
	}
	if r.ended == 0 {
		r.ended = now
	}
	if now-r.ended >= minutes(s.model.Bake) {
		s.result.Steps[r.step].Ended = now
		s.rung, s.refresh, s.lastStep = r.to, nil, s.at(now)
		if s.failure != nil && s.failure.To == s.fleet.Ladder[r.to].Type {
			s.failure = nil
		}
	}
}

// starve ends a refresh that has found no capacity for long, as the controller does: it
// failed, and its instances are replaced by those of before.
func (s *simulation) starve(now int) {
	r := s.refresh
	if r.tried == 0 {
		r.tried = now
	}
	if now-r.tried < minutes(scaling.StarvesWithin) {
		return
	}
	to := s.fleet.Ladder[r.to].Type
	attempts := 1
	if s.failure != nil && s.failure.To == to {
		attempts += s.failure.Attempts
	}
	s.failure = &scaling.Failure{To: to, At: s.at(now), Attempts: attempts}
	s.result.Steps[r.step].Ended, s.result.Steps[r.step].Failed = now, true
	s.refresh, s.lastStep = nil, s.at(now)
	for i := range s.instances {
		s.instances[i].old = false
	}
}

// history are the metrics that the controller may look back at.
type history struct {
	count, cpu, requests, memory window
}

func newHistory(keep time.Duration) history {
	return history{newWindow(keep), newWindow(keep), newWindow(keep), newWindow(keep)}
}

func (h *history) add(at time.Time, m Minute) {
	h.count.add(at, float64(m.Count))
	h.cpu.add(at, m.CPU)
	h.requests.add(at, 60*m.Load)
	h.memory.add(at, m.Memory)
}

// window keeps the newest points of a series.
type window struct {
	keep   int
	points scaling.Series
}

func newWindow(keep time.Duration) window {
	n := minutes(keep)
	return window{keep: n, points: make(scaling.Series, 0, 2*n)}
}

func (w *window) add(at time.Time, value float64) {
	if len(w.points) == cap(w.points) {
		w.points = w.points[:copy(w.points, w.points[len(w.points)-w.keep:])]
	}
	w.points = append(w.points, scaling.Point{At: at, Value: value})
}

// until are the points that are known at a time.
func (w *window) until(now time.Time, delay time.Duration) scaling.Series {
	n := len(w.points)
	for n > 0 && w.points[n-1].At.After(now.Add(-delay)) {
		n--
	}
	return w.points[:n]
}
