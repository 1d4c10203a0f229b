package review

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// data judges a resource that holds some.
func (j *judge) data(base, head *Stack, c delta) {
	s, r := c.stack, c.is()
	name := code(s.titleOf(r))
	risk := func(format string, arguments ...any) {
		j.say(s, Data, DataAtRisk, true, "%s", fmt.Sprintf(format, arguments...))
	}
	if c.added() {
		j.say(s, Data, InPlace, false, "%s is new", name)
		return
	}
	if r.kind == "AWS::KMS::Key" && c.gone() && !j.guards(base, r.id) {
		j.say(s, Security, InPlace, true, "the key %s, by which nothing is encrypted that keeps data, is removed or replaced", name)
		return
	}
	switch {
	case c.removed() && c.old.policy("DeletionPolicy") == "Delete" && ownLog(base, head, c.old):
		j.say(s, Data, InPlace, true, "the log %s is deleted with the function that wrote it", name)
		return
	case c.removed() && c.old.policy("DeletionPolicy") == "Delete":
		risk("%s is deleted with what is in it", name)
		return
	case c.removed() && j.another(base, head, c):
		risk("%s is left behind with what is in it, and a new one takes its place: one of the same name cannot be made, any other is empty", name)
		return
	case c.removed():
		j.say(s, Data, InPlace, true, "%s is left behind with what is in it, as its DeletionPolicy says: the deployment no longer has it", name)
		return
	case c.replaced:
		kept := "what was in it is deleted"
		if p := c.old.policy("UpdateReplacePolicy"); p != "Delete" {
			kept = "the old one stays with its data, as its UpdateReplacePolicy says, and nobody reads it"
		}
		risk("%s is replaced by an empty one, since %s changes; %s", name, codes(c.names), kept)
		return
	}
	for _, policy := range []string{"DeletionPolicy", "UpdateReplacePolicy"} {
		was, is := c.old.policy(policy), c.new.policy(policy)
		if was != is && is == "Delete" {
			later := map[string]string{"DeletionPolicy": "removes it, or its stack,", "UpdateReplacePolicy": "replaces it"}[policy]
			risk("%s is no longer retained: a later change that %s deletes it with what is in it; its %s is %s, previously %s", name, later, policy, code(is), code(was))
		} else if was != is {
			j.say(s, Data, InPlace, false, "the %s of %s was %s and is %s", policy, name, code(was), code(is))
		}
	}
	j.table(c, name, risk)
	j.bucket(c, name, risk)
	for _, property := range []string{"DeletionProtection", "DeletionProtectionEnabled"} {
		if c.old.props[property] == true && c.new.props[property] != true {
			risk("%s loses its protection from deletion", name)
		}
	}
	if c.has("BackupRetentionPeriod") && number(c.new.props["BackupRetentionPeriod"], 0) < number(c.old.props["BackupRetentionPeriod"], 0) {
		risk("backups of %s are kept for %v days, previously for %v", name, c.new.props["BackupRetentionPeriod"], c.old.props["BackupRetentionPeriod"])
	}
	if r.kind == "AWS::KMS::Key" && c.has("Enabled") && c.new.props["Enabled"] == false {
		risk("what is encrypted by %s cannot be read: it is disabled", name)
	}
	if c.has("RetentionInDays") {
		was, is := number(c.old.props["RetentionInDays"], math.Inf(1)), number(c.new.props["RetentionInDays"], math.Inf(1))
		if is < was {
			risk("the log group %s keeps lines for %s, previously for %s: what is older is deleted", name, days(is), days(was))
		} else {
			j.say(s, Data, InPlace, false, "the log group %s keeps lines for %s, previously for %s", name, days(is), days(was))
		}
	}
}

// ownLog reports whether a log group is that of a function which is removed too, and
// of nothing else.
func ownLog(base, head *Stack, group resource) bool {
	if group.kind != "AWS::Logs::LogGroup" {
		return false
	}
	now, writers := head.resources(), 0
	for id, r := range base.resources() {
		if id == group.id || !refersTo(r.props, group.id) {
			continue
		}
		if _, stays := now[id]; r.kind != "AWS::Lambda::Function" || stays {
			return false
		}
		writers++
	}
	return writers > 0
}

func days(n float64) string {
	if math.IsInf(n, 1) {
		return "ever"
	}
	return fmt.Sprintf("%v days", n)
}

// guards reports whether a key encrypts what keeps data.
func (j *judge) guards(s *Stack, key string) bool {
	for id, r := range s.resources() {
		if id != key && j.answer.Stateful[r.kind] && refersTo(r.props, key) {
			return true
		}
	}
	return false
}

// another reports whether the head has a new resource of the type that c removes.
func (j *judge) another(base, head *Stack, c delta) bool {
	old := base.resources()
	for id, r := range head.resources() {
		if _, was := old[id]; !was && r.kind == c.old.kind {
			return true
		}
	}
	return false
}

// table judges what makes a table's items safe.
func (j *judge) table(c delta, name string, risk func(string, ...any)) {
	if !strings.HasPrefix(c.new.kind, "AWS::DynamoDB::") {
		return
	}
	old, new := replicas(c.old), replicas(c.new)
	for _, region := range slices.Sorted(maps.Keys(old)) {
		was, is := old[region], new[region]
		where := ""
		if region != "" {
			where = " in " + code(region)
		}
		if is == nil {
			j.say(c.stack, Data, InPlace, true, "the replica of %s%s is deleted; %d remain, with all items", name, where, len(new))
			continue
		}
		if was["DeletionProtectionEnabled"] == true && is["DeletionProtectionEnabled"] != true {
			risk("%s loses its protection from deletion%s", name, where)
		}
		if get(was, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled") == true && get(is, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled") != true {
			risk("%s loses its point-in-time recovery%s: its backups of up to 35 days go", name, where)
		}
		if number(get(is, "PointInTimeRecoverySpecification", "RecoveryPeriodInDays"), 35) < number(get(was, "PointInTimeRecoverySpecification", "RecoveryPeriodInDays"), 35) {
			risk("the recovery of %s%s reaches back less far", name, where)
		}
	}
	for _, region := range slices.Sorted(maps.Keys(new)) {
		if old[region] == nil {
			j.say(c.stack, Data, InPlace, false, "%s gets a replica in %s, and the deployment waits until it is copied, for large tables some hours", name, code(region))
		}
	}
	was, is := c.old.props["TimeToLiveSpecification"], c.new.props["TimeToLiveSpecification"]
	if get(is, "Enabled") == true && (get(was, "Enabled") != true || get(was, "AttributeName") != get(is, "AttributeName")) {
		risk("items of %s begin to expire, by their attribute %s", name, code(text(get(is, "AttributeName"))))
	}
	for _, property := range []string{"MultiRegionConsistency", "GlobalTableWitnesses"} {
		if c.has(property) {
			risk("%s of %s is chosen once, for the table's life: DynamoDB refuses another one, and a table that is made again is empty", property, name)
		}
	}
	before, now := indexes(c.old), indexes(c.new)
	for _, index := range slices.Sorted(maps.Keys(now)) {
		if before[index] == "" {
			j.say(c.stack, Data, InPlace, false, "%s gets the index %s, and the deployment waits until it is filled", name, code(index))
		}
	}
}

// replicas are a table's, by their regions; a table of one region is its own, by "".
func replicas(r resource) map[string]map[string]any {
	if r.kind != "AWS::DynamoDB::GlobalTable" {
		return map[string]map[string]any{"": r.props}
	}
	all := map[string]map[string]any{}
	for _, replica := range itemsOf(r.props["Replicas"]) {
		all[text(get(replica, "Region"))] = fieldsOf(replica)
	}
	return all
}

// bucket judges what makes a bucket's objects safe.
func (j *judge) bucket(c delta, name string, risk func(string, ...any)) {
	if c.new.kind != "AWS::S3::Bucket" {
		return
	}
	if get(c.old.props, "VersioningConfiguration", "Status") == "Enabled" && get(c.new.props, "VersioningConfiguration", "Status") != "Enabled" {
		risk("%s keeps no more versions: what is overwritten or deleted is lost, and nothing is replicated from it", name)
	}
	if c.has("LifecycleConfiguration") {
		what := []string{"objects", "old versions"}
		for i, of := range []func(any) float64{expires, oldExpire} {
			was, is := lifetimes(c.old, of), lifetimes(c.new, of)
			for _, scope := range slices.Sorted(maps.Keys(is)) {
				before := math.Inf(1)
				for other, days := range was {
					if other == scope || strings.HasPrefix(scope, other) {
						before = min(before, days)
					}
				}
				if is[scope] < before {
					where := ""
					if scope != "" {
						where = " of " + code(scope)
					}
					risk("%s%s in %s are deleted after %s, previously after %s", what[i], where, name, days(is[scope]), strings.Replace(days(before), "ever", "no time", 1))
				}
			}
		}
	}
	if c.has("ObjectLockConfiguration") && c.new.props["ObjectLockConfiguration"] == nil {
		risk("%s no longer locks its objects", name)
	}
	if c.has("ReplicationConfiguration") && c.new.props["ReplicationConfiguration"] == nil {
		risk("objects of %s are no longer replicated", name)
	}
}

// lifetimes are how many days a bucket keeps objects, by the prefix or filter of its rules.
func lifetimes(r resource, of func(any) float64) map[string]float64 {
	all := map[string]float64{}
	for _, rule := range itemsOf(get(r.props, "LifecycleConfiguration", "Rules")) {
		if get(rule, "Status") != "Enabled" {
			continue
		}
		scope := text(get(rule, "Prefix"))
		for _, filter := range []string{"Filter", "TagFilters", "ObjectSizeGreaterThan", "ObjectSizeLessThan"} {
			if v := get(rule, filter); v != nil {
				scope += encoded(v)
			}
		}
		if days, ok := all[scope]; !ok || of(rule) < days {
			all[scope] = of(rule)
		}
	}
	return all
}

func expires(rule any) float64 {
	if get(rule, "ExpirationDate") != nil {
		return 0
	}
	return number(get(rule, "ExpirationInDays"), math.Inf(1))
}

func oldExpire(rule any) float64 {
	return min(number(get(rule, "NoncurrentVersionExpiration", "NoncurrentDays"), math.Inf(1)), number(get(rule, "NoncurrentVersionExpirationInDays"), math.Inf(1)))
}

// replication judges calls that have S3 copy objects to other regions, which no
// property of a bucket says.
func (j *judge) replication(base, head *Stack, changes []delta) {
	if islands(j.head) < islands(j.base) {
		return // there are fewer regions to copy to
	}
	for _, c := range changes {
		if c.added() || !strings.Contains(encoded(c.old.props), "putBucketReplication") {
			continue
		}
		if was, is := destinations(c.old), destinations(c.new); is < was {
			j.say(c.stack, Data, DataAtRisk, true, "%s: objects are replicated to %d other regions, previously to %d: with this region, those that are in no other one would be lost", code(c.stack.titleOf(c.is())), is, was)
		}
	}
}

func islands(a *Assembly) int {
	n := 0
	for _, s := range a.Stacks {
		n += len(s.of(scalingGroup))
	}
	return n
}

func destinations(r resource) int { return strings.Count(encoded(r.props["Create"]), "Destination") }
