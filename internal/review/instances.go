package review

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/archipelago-cdk/archipelago/internal/setting"
)

const (
	launchTemplate = "AWS::EC2::LaunchTemplate"
	scalingGroup   = "AWS::AutoScaling::AutoScalingGroup"
)

// instances judges whether a stack's fleet is replaced, and how it is bounded.
func (j *judge) instances(base, head *Stack, changes []delta, replaced map[string]bool) {
	var why []string
	for _, c := range changes {
		switch r := c.is(); {
		case c.added() || c.removed():
		case r.kind == launchTemplate:
			old, new := fieldsOf(c.old.props["LaunchTemplateData"]), fieldsOf(c.new.props["LaunchTemplateData"])
			for _, name := range slices.Sorted(maps.Keys(merged(old, new))) {
				if encoded(old[name]) != encoded(new[name]) {
					why = append(why, name)
				}
			}
		case r.kind == setting.RolloutType && c.has("Build"):
			why = append(why, "Build")
		}
	}
	// What a launch template refers to is another one.
	for _, template := range head.of(launchTemplate) {
		for _, id := range slices.Sorted(maps.Keys(replaced)) {
			if replaced[id] && refersTo(template.props, id) {
				why = append(why, id)
			}
		}
	}
	for _, group := range head.of(scalingGroup) {
		subnets := group.props["VPCZoneIdentifier"]
		if slices.ContainsFunc(slices.Collect(maps.Keys(replaced)), func(id string) bool { return replaced[id] && refersTo(subnets, id) }) {
			why = append(why, "VPCZoneIdentifier")
		}
	}
	for _, c := range changes {
		if c.is().kind != scalingGroup || c.added() || c.removed() {
			continue
		}
		if c.replaced {
			n := int(number(c.new.props["MaxSize"], 1))
			j.say(head, Fleets, Instances, true, "the fleet %s is made again, with %s at %s, and all instances of the old one end", code(fleetName(head, c.new)), launches(n), code("fleet.max"))
			j.found[len(j.found)-1].Launches = n
		}
		low, high := number(c.new.props["MinSize"], 0), number(c.new.props["MaxSize"], 0)
		if was := number(c.old.props["MaxSize"], 0); was != high {
			j.say(head, Fleets, InPlace, high < was, "the fleet has at most %v instances, previously %v", high, was)
		}
		if was := number(c.old.props["MinSize"], 0); was != low {
			j.say(head, Fleets, InPlace, low < was, "the fleet has at least %v instances, previously %v", low, was)
		}
		for _, subnet := range itemsOf(c.old.props["VPCZoneIdentifier"]) {
			if !slices.ContainsFunc(itemsOf(c.new.props["VPCZoneIdentifier"]), func(v any) bool { return encoded(v) == encoded(subnet) }) {
				j.say(head, Fleets, Instances, true, "instances leave a subnet of the fleet, and others are launched in those that remain")
			}
		}
	}
	if len(why) == 0 {
		return
	}
	slices.Sort(why)
	if other := slices.DeleteFunc(slices.Clone(why), func(w string) bool { return w == "Build" }); len(other) > 0 {
		why = other // of which the build is a hash
	}
	why = slices.Compact(why)
	for _, group := range head.of(scalingGroup) {
		n := int(number(group.props["MaxSize"], 1))
		minutes := setting.RolloutMinutes(n, guarded(head))
		j.say(head, Fleets, Instances, false, "every instance of the fleet %s is replaced, a quarter first and then all others at once, because %s %s: with the %d of %s these are %s, and about %d minutes", code(fleetName(head, group)), codes(why), verb(len(why), "changes"), n, code("fleet.max"), launches(n), minutes)
		last := &j.found[len(j.found)-1]
		last.Launches, last.Minutes = n, minutes
		j.rollouts[head.Name] = max(j.rollouts[head.Name], minutes)
	}
}

// fleetName is what a reader knows an Auto Scaling group by.
func fleetName(s *Stack, group resource) string {
	return cmp.Or(text(group.props["AutoScalingGroupName"]), s.titleOf(group))
}

func launches(n int) string {
	if n == 1 {
		return "1 launch"
	}
	return fmt.Sprintf("%d launches", n)
}

// guarded reports whether the deployment alarm may stop the replacement of a stack's
// instances.
func guarded(s *Stack) bool {
	return !slices.ContainsFunc(s.of("AWS::Lambda::Function"), func(r resource) bool {
		return get(r.props, "Environment", "Variables", setting.Unguarded) == "true"
	})
}

func merged(a, b map[string]any) map[string]any {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]any{}
	}
	maps.Copy(all, b)
	return all
}

// watch judges what reports trouble, and what stops it.
func (j *judge) watch(c delta) {
	s, r := c.stack, c.is()
	name := code(s.titleOf(r))
	switch r.kind {
	case "AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm":
		switch {
		case c.removed():
			j.say(s, Watch, InPlace, true, "the alarm %s is removed", name)
		case c.added():
			j.say(s, Watch, InPlace, false, "the alarm %s is new", name)
		case c.has("Threshold") || c.has("ActionsEnabled") || c.has("EvaluationPeriods") || c.has("DatapointsToAlarm"):
			j.say(s, Watch, InPlace, true, "the alarm %s goes to ALARM under another condition than now: it has another %s", name, codes(c.names))
		case c.has("AlarmActions"):
			if len(itemsOf(c.new.props["AlarmActions"])) == 0 {
				j.say(s, Watch, InPlace, true, "the alarm %s notifies nobody any more when it goes to ALARM", name)
			} else {
				j.say(s, Watch, InPlace, false, "the alarm %s notifies others than now when it goes to ALARM", name)
			}
		}
	case "AWS::EC2::FlowLog":
		if c.removed() {
			j.say(s, Watch, InPlace, true, "connections are no longer logged: %s (FlowLog) is removed", name)
		}
	case "AWS::Lambda::Function":
		was, is := get(c.old.props, "Environment", "Variables", setting.Unguarded), get(c.new.props, "Environment", "Variables", setting.Unguarded)
		if !c.added() && !c.removed() && is == "true" && was != "true" {
			j.say(s, Watch, InPlace, true, "deployments lose their guard: they go on, and are not rolled back, while requests of users fail")
		}
	}
	if was, is := get(c.old.props, "LoadBalancerAttributes"), get(c.new.props, "LoadBalancerAttributes"); !c.added() && !c.removed() && encoded(was) != encoded(is) {
		for _, attribute := range itemsOf(was) {
			key := get(attribute, "Key")
			if (key == "access_logs.s3.enabled" || key == "deletion_protection.enabled") && get(attribute, "Value") == "true" && !strings.Contains(encoded(is), encoded(attribute)) {
				j.say(s, Watch, InPlace, true, "the load balancer %s loses %s", name, code(text(key)))
			}
		}
	}
}
