package scaling

// saturated is the CPU use, in percent, from which on it tells less than the load is:
// what the instances cannot do is not in it.
const saturated = 90

// surge returns the rung to go to at once: the load is near what the most instances of
// the present one can do, so more of them will not help for long.
func (d *decision) surge() (int, Reason, bool) {
	p, o := d.policy, d.observed
	if d.at == len(d.ladder)-1 {
		return 0, Reason{}, false
	}
	count, cpu, lacking := d.metrics(p.SurgeAfter)
	if lacking != nil || len(count) != len(cpu) {
		return 0, Reason{}, false
	}
	// Where the target is higher than SurgeShare, full and hot comes first.
	limit := max(100*p.SurgeShare, p.CPUTarget)
	if cpu.max()*count.max()/float64(o.Max) < limit && cpu.max() < saturated {
		return 0, Reason{}, false // as it mostly is
	}
	perRequest := d.perRequest()
	least, most := 0.0, 0.0 // percent of the most instances' CPU
	for i := range count {
		use := cpu[i].Value * count[i].Value
		if cpu[i].Value >= saturated {
			use = max(use, perRequest*o.Requests.At(cpu[i].At))
		}
		use /= float64(o.Max)
		if i == 0 || use < least {
			least = use
		}
		most = max(most, use)
	}
	if least < limit {
		return 0, Reason{}, false
	}
	to := d.at + 1
	for i := to; i < len(d.ladder); i++ {
		if i > to && !o.Offered[d.ladder[i].Type] {
			continue
		}
		to = i
		// It is not to be full and hot there.
		if most*float64(d.rung().VCPU)/float64(d.ladder[i].VCPU) < p.FullShare*d.target(d.ladder[i]) {
			break
		}
	}
	return to, Reason{Code: Surge, CPU: least, Limit: limit, Max: o.Max, Over: p.SurgeAfter}, true
}

// perRequest is what a request a minute takes, in percent of an instance's CPU, as the
// minutes of the present rung say in which there was CPU to spare; 0 if none do.
func (d *decision) perRequest() float64 {
	o := d.observed
	if len(o.CPU) == 0 {
		return 0
	}
	since := o.CPU[len(o.CPU)-1].At.Add(-d.policy.DownAfter)
	if o.LastStep.After(since) {
		since = o.LastStep
	}
	use, requests := 0.0, 0.0
	for _, cpu := range o.CPU.After(since) {
		if cpu.Value < saturated {
			use += cpu.Value * o.Count.At(cpu.At)
			requests += o.Requests.At(cpu.At)
		}
	}
	if requests == 0 {
		return 0
	}
	return use / requests
}
