package simulator

import (
	"slices"

	"github.com/archipelago-cdk/archipelago/scaling"
	"github.com/archipelago-cdk/archipelago/scaling/trace"
)

// instance is a machine of the fleet.
type instance struct {
	rung     int
	zone     int
	launched int     // minute
	service  int     // minute from which on it gets requests
	warm     int     // minute from which on its metrics count
	ready    int     // minute from which on a refresh counts it
	memory   float64 // MiB
	credits  float64 // vCPU-minutes, negative if owed
	failed   bool
	replace  int // minute at which a failed one is replaced
	old      bool
}

func (i *instance) inService(now int) bool { return !i.failed && i.service <= now }

// spend changes the credits of a burstable instance by a minute of use and
// returns the vCPU-minutes that have to be paid for.
func (i *instance) spend(rung scaling.Rung, use float64, serving bool) float64 {
	if !serving {
		use = 0
	}
	most := rung.Capacity() * 60 * creditHours
	i.credits = min(most, i.credits+rung.Capacity()-use*float64(rung.VCPU))
	if surplus := -most - i.credits; surplus > 0 {
		i.credits = -most
		return surplus
	}
	return 0
}

// launch starts an instance in the zone that has the fewest, and reports whether
// there was capacity for it.
func (s *simulation) launch(rung, now int) bool {
	if s.exhausted == s.fleet.Ladder[rung].Type {
		return false
	}
	var perZone [16]int
	for i := range s.instances {
		if !s.instances[i].failed {
			perZone[s.instances[i].zone]++
		}
	}
	first := 0
	if s.lostZone {
		first = 1 // zone 0 is the one that fails
	}
	zone := first
	for z := first; z < s.model.Zones; z++ {
		if perZone[z] < perZone[zone] {
			zone = z
		}
	}
	service := now + minutes(s.model.Boot)
	s.instances = append(s.instances, instance{
		rung: rung, zone: zone, launched: now, memory: s.model.MemoryMiB,
		service: service, warm: service + minutes(s.model.WarmUp), ready: now + minutes(s.model.RefreshWarmUp),
	})
	return true
}

// terminate ends instance i, which drains first. What a burstable one owes is paid then.
func (s *simulation) terminate(i int) {
	s.draining += s.fleet.USDPerHour[s.instances[i].rung] * s.model.Drain.Hours()
	if owed := -s.instances[i].credits; owed > 0 && s.fleet.Ladder[s.instances[i].rung].Burstable() {
		s.result.USD += owed / 60 * s.model.SurplusUSD
	}
	s.instances = slices.Delete(s.instances, i, i+1)
}

// resize launches what is missing of the desired number, and ends what is too much.
func (s *simulation) resize(now int) {
	if s.refresh != nil {
		return // it counts old and new ones itself
	}
	for len(s.instances) < s.desired && s.launch(s.rung, now) {
	}
	for len(s.instances) > s.desired {
		// The newest of the fullest zone: with equal sizes it does not matter which.
		s.terminate(len(s.instances) - 1)
	}
}

// happen does what the trace has for this minute.
func (s *simulation) happen(now int) {
	for len(s.events) > 0 && s.events[0].Minute <= now {
		event := s.events[0]
		s.events = s.events[1:]
		switch event.Kind {
		case trace.Leak:
			s.leak = event.MiBPerHour / 60
		case trace.NoCapacity:
			s.exhausted = event.Type
		case trace.CapacityBack:
			s.exhausted = ""
		case trace.ZoneBack:
			s.lostZone = false
		case trace.ZoneLost:
			s.lostZone = true
			for i := range s.instances {
				if one := &s.instances[i]; one.zone == 0 && !one.failed {
					one.failed, one.replace = true, now+minutes(s.model.Replace)
					s.failed = true // until the load balancer notices
				}
			}
		}
	}
}

// replaceFailed ends failed instances once the group has noticed.
func (s *simulation) replaceFailed(now int) {
	for i := len(s.instances) - 1; i >= 0; i-- {
		if one := s.instances[i]; one.failed && one.replace <= now {
			s.terminate(i)
			if s.refresh == nil {
				s.launch(s.rung, now)
			}
		}
	}
}
