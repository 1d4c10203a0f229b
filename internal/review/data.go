package review

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// What a revert does not undo.
const (
	backKept      = "what is deleted by then stays deleted"
	backReplicas  = "objects that are written until then are not replicated by it: S3 Batch Replication does that"
	backArchived  = "objects that are archived by then stay there: each has to be restored and copied back, which takes hours and costs"
	backRecovery  = "there is no recovery to a time before it: the backups begin again"
	backOverwrite = "what is overwritten or deleted until then has no older version"
	backLocked    = "objects that are written until then keep the shorter lock, or none"
	backOneZone   = "objects that have moved by then stay in one zone: each has to be copied back"
)

// data judges a resource that holds some.
func (j *judge) data(base, head *Stack, c delta) {
	s, r := c.stack, c.is()
	name := code(s.titleOf(r))
	risk := func(format string, arguments ...any) {
		j.say(s, Data, DataAtRisk, true, format, arguments...)
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
	case c.removed() && j.another(base, head, c) != nil:
		twin := j.another(base, head, c)
		risk("%s", leftBehind(name, nameIn(c.old), code(head.titleOf(*twin)), nameIn(*twin), ""))
		j.found[len(j.found)-1].Kept = true
		return
	case c.removed() && j.takenOver(base, c.old):
		return
	case c.removed():
		j.say(s, Data, InPlace, true, "%s stays with what is in it, as its DeletionPolicy says, and no stack has it any more", name)
		return
	case c.replaced:
		what, stays := "what was in it is deleted", c.old.policy("UpdateReplacePolicy") != "Delete"
		if stays {
			what = "the old one stays with its data, as its UpdateReplacePolicy says, and the service no longer reads it"
		}
		risk("%s is replaced by an empty one, since %s %s; %s", code(base.titleOf(c.old)), codes(c.names), verb(len(c.names), "changes"), what)
		j.found[len(j.found)-1].Kept = stays
		return
	}
	var lapsed, later []string
	for _, policy := range []string{"DeletionPolicy", "UpdateReplacePolicy"} {
		was, is := c.old.policy(policy), c.new.policy(policy)
		if was != is && is == "Delete" {
			lapsed = append(lapsed, policy)
			later = append(later, map[string]string{"DeletionPolicy": "removes it or its stack", "UpdateReplacePolicy": "replaces it"}[policy])
		} else if was != is {
			j.say(s, Data, InPlace, false, "the %s of %s was %s and is %s", policy, name, code(was), code(is))
		}
	}
	if len(lapsed) > 0 {
		words := strings.Join(later, ", or that ")
		if len(later) > 1 {
			words += ","
		}
		j.unguard(s, "", "%s is no longer retained: a later change that %s deletes it with what is in it, by its %s", name, words, listed(lapsed))
	}
	if encoded(c.old.all["Condition"]) != encoded(c.new.all["Condition"]) {
		risk("%s is there only where the condition %s holds, previously %s: where that does not hold, it is removed with what is in it", name, code(short(c.new.all["Condition"])), holding(c.old.all["Condition"]))
	}
	if r.kind == stackType && c.has("TemplateURL") {
		risk("what changes in the nested stack %s is not seen here: look at its template", name)
	}
	j.table(c, name, risk)
	j.bucket(c, name, risk)
	for _, property := range protections {
		if on(deep(c.old.props, property)) && !on(deep(c.new.props, property)) {
			j.unguard(s, "", "%s loses its protection from deletion", name)
		}
	}
	if get(c.old.props, "BackupPolicy", "Status") == "ENABLED" && get(c.new.props, "BackupPolicy", "Status") != "ENABLED" {
		j.unguard(s, "", "%s gets no more backups", name)
	}
	for _, k := range kept {
		before, after := deep(c.old.props, k.property), deep(c.new.props, k.property)
		if encoded(before) == encoded(after) {
			continue
		}
		was, is := number(before, k.otherwise), number(after, k.otherwise)
		switch {
		case computed(after):
			risk("%s of %s may be kept for less than now, which is %v %s: for how long is decided by %s", k.what, name, was, k.unit, decider(after))
			j.back(backKept)
		case is < was:
			risk("%s of %s are kept for %v %s, previously for %v %s", k.what, name, is, k.unit, was, k.unit)
			j.back(backKept)
		}
	}
	if r.kind == "AWS::KMS::Key" && c.has("Enabled") && c.new.props["Enabled"] != nil && !on(c.new.props["Enabled"]) {
		risk("what is encrypted by %s cannot be read: it is disabled", name)
	}
	if c.has("RetentionInDays") {
		was, is := number(c.old.props["RetentionInDays"], math.Inf(1)), number(c.new.props["RetentionInDays"], math.Inf(1))
		switch {
		case computed(c.new.props["RetentionInDays"]):
			risk("the log group %s may keep lines for less than now, which is %s: for how long is decided by %s", name, days(was), decider(c.new.props["RetentionInDays"]))
			j.back(backKept)
		case is < was:
			risk("the log group %s keeps lines for %s, previously for %s: what is older is deleted", name, days(is), days(was))
			j.back(backKept)
		case math.IsInf(is, 1):
			j.say(s, Data, InPlace, true, "nothing deletes lines of the log group %s any more, previously after %s: %s", name, days(was), forEver)
		default:
			j.say(s, Data, InPlace, false, "the log group %s keeps lines for %s, previously for %s", name, days(is), days(was))
		}
	}
}

// forEver is what it means that nothing deletes some data any more.
const forEver = "all of it is kept for ever, which costs more with each month, and may be longer than people were promised"

// verb is one of one thing or of several.
func verb(n int, one string) string {
	if n == 1 {
		return one
	}
	return strings.TrimSuffix(one, "s")
}

// holding is what a resource was there by.
func holding(condition any) string {
	if condition == nil {
		return "always"
	}
	return "where " + code(short(condition)) + " does"
}

// leftBehind is what becomes of a resource that keeps its data and that another one takes
// the place of, by their titles, and by the names that templates give them.
func leftBehind(old, name, twin, twinName, where string) string {
	if name != "" && name == twinName {
		return fmt.Sprintf("%s stays where it is and is no longer the stack's, and another one of the same name%s is to take its place: the deployment fails while the old one is there, and only its deletion, with what is in it, makes room", old, where)
	}
	return fmt.Sprintf("the service no longer reads %s, which stays with what is in it, and begins with %s%s, which is empty", old, twin, where)
}

// decider is what decides a value that a template does not have.
func decider(v any) string {
	var names []string
	var find func(v any)
	find = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, each := range v {
				if name := text(each); key == "Ref" && name != "" {
					names = append(names, name)
				}
				find(each)
			}
		case []any:
			for _, each := range v {
				find(each)
			}
		}
	}
	find(v)
	if len(names) == 0 {
		return "what only the deployment computes, and this review cannot see"
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) == 1 {
		return "the parameter or resource " + code(names[0]) + ", whose value this review cannot see"
	}
	return "the parameters or resources " + codes(names) + ", whose values this review cannot see"
}

// protections are the properties that keep something from being deleted. Those of a global
// table are its replicas': see table.
var protections = []string{"DeletionProtection", "DeletionProtectionEnabled", "TerminationProtected"}

// deep is the property of a name, wherever it is, but for those of replicas.
func deep(props map[string]any, name string) any {
	if v, ok := props[name]; ok {
		return v
	}
	for _, key := range slices.Sorted(maps.Keys(props)) {
		if fields := fieldsOf(props[key]); fields != nil {
			if v := deep(fields, name); v != nil {
				return v
			}
		}
	}
	return nil
}

// kept are the properties that say how long something is kept, and AWS's defaults. See
// data for those of logs, and lifecycle for those of objects.
var kept = []struct {
	property, what, unit string
	otherwise            float64
}{
	{"BackupRetentionPeriod", "backups", "days", 1},
	{"AutomatedSnapshotRetentionPeriod", "snapshots", "days", 1},
	{"AutomaticBackupReplicationRetentionPeriod", "backups elsewhere", "days", 7},
	{"AutomaticBackupRetentionDays", "backups", "days", 30},
	{"SnapshotCopyRetentionPeriod", "snapshots elsewhere", "days", 7},
	{"SnapshotRetentionLimit", "snapshots", "days", 0},
	{"MessageRetentionPeriod", "messages", "seconds", 345600},
	{"RetentionPeriodHours", "records", "hours", 24},
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
	switch {
	case math.IsInf(n, 1):
		return "ever"
	case n == 1:
		return "1 day"
	}
	return fmt.Sprintf("%v days", n)
}

// after is when something is done to an object of that age.
func after(n float64) string {
	if math.IsInf(n, 1) {
		return "never"
	}
	return "after " + days(n)
}

// guards reports whether a key encrypts what keeps data.
func (j *judge) guards(s *Stack, key string) bool {
	for id, r := range s.resources() {
		if id != key && j.answer.Stateful[r.kind] && refersTo(r.props, key) {
			return true
		}
	}
	return refersTo(s.Template["Outputs"], key) // another stack's may be encrypted by it
}

// another is the head's new resource of the type that c removes, nil for none: the one
// of the same name, if there is one.
func (j *judge) another(base, head *Stack, c delta) *resource {
	old, now := base.resources(), head.resources()
	var found *resource
	for _, id := range slices.Sorted(maps.Keys(now)) {
		r := now[id]
		if _, was := old[id]; was || !sameKind(r.kind, c.old.kind) {
			continue
		}
		if found == nil || nameIn(r) != "" && nameIn(r) == nameIn(c.old) {
			found = &r
		}
	}
	return found
}

// takenOver says that another stack has a new resource in place of one that s no longer
// has, and reports whether there is such a one: of the same name or, in the same region,
// of the same type. Of logs and keys there are many, so that it takes the same id.
func (j *judge) takenOver(s *Stack, r resource) bool {
	many := r.kind == "AWS::Logs::LogGroup" || r.kind == "AWS::KMS::Key"
	var best string
	rank := 0
	for _, name := range slices.Sorted(maps.Keys(j.head.Stacks)) {
		other := j.head.Stacks[name]
		if name == s.Name {
			continue
		}
		old, now := j.base.Stacks[name].resources(), other.resources()
		for _, id := range slices.Sorted(maps.Keys(now)) {
			twin := now[id]
			if _, was := old[id]; was || !sameKind(twin.kind, r.kind) {
				continue
			}
			if other.Region == s.Region && (id == r.id || !many) || nameIn(r) != "" && nameIn(r) == nameIn(twin) {
				// The likeliest is the one of the same name, then that of the same id.
				likely := 1
				if id == r.id {
					likely = 2
				}
				if nameIn(r) != "" && nameIn(r) == nameIn(twin) {
					likely = 3
				}
				if likely > rank {
					rank = likely
					best = leftBehind(code(s.titleOf(r)), nameIn(r), code(other.titleOf(twin)), nameIn(twin), " in the stack "+code(other.Name))
				}
			}
		}
	}
	if rank == 0 {
		return false
	}
	j.say(s, Data, DataAtRisk, true, "%s", best)
	j.found[len(j.found)-1].Kept = true
	return true
}

// sameKind reports whether two types hold the same data.
func sameKind(a, b string) bool {
	return a == b || strings.HasPrefix(a, "AWS::DynamoDB::") && strings.HasPrefix(b, "AWS::DynamoDB::")
}

// nameIn is the name that a resource's own properties give it, if any.
func nameIn(r resource) string {
	return cmp.Or(text(r.props["TableName"]), text(r.props["BucketName"]))
}

// on reports whether a template says that something is, as CloudFormation reads it.
func on(v any) bool { return v == true || v == "true" || v == "ACTIVE" }

// computed reports whether v has what only a deployment computes.
func computed(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for key, each := range v {
			if key == "Ref" || strings.HasPrefix(key, "Fn::") || computed(each) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, computed)
	}
	return false
}

// table judges what makes a table's items safe.
func (j *judge) table(c delta, name string, risk func(string, ...any)) {
	if !strings.HasPrefix(c.new.kind, "AWS::DynamoDB::") {
		return
	}
	types, now := keyTypes(c.old), keyTypes(c.new)
	for _, attribute := range slices.Sorted(maps.Keys(types)) {
		if is, ok := now[attribute]; ok && is != types[attribute] {
			risk("the attribute %s of %s, a key of it or of an index, was of the type %s and is %s: that replaces the table by an empty one, or is refused", code(attribute), name, code(types[attribute]), code(is))
		}
	}
	old, new := replicas(c.old), replicas(c.new)
	if c.has("Replicas") && (len(new) == 0 || new[""] != nil) && c.new.kind == "AWS::DynamoDB::GlobalTable" {
		risk("replicas of %s may be deleted, each with its region's copy of all items: which of them stay is decided by %s", name, decider(c.new.props["Replicas"]))
		return
	}
	for _, region := range slices.Sorted(maps.Keys(old)) {
		was, is := old[region], new[region]
		place := func() {
			if region != "" {
				j.place(region)
			}
		}
		if is == nil {
			j.say(c.stack, Data, InPlace, true, "the replica of %s is deleted; all items stay in %s", name, plural(len(new), "other region"))
			place()
			continue
		}
		if on(was["DeletionProtectionEnabled"]) && !on(is["DeletionProtectionEnabled"]) {
			j.unguard(c.stack, "", "%s loses its protection from deletion", name)
			place()
		}
		if on(get(was, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled")) && !on(get(is, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled")) {
			risk("%s loses its point-in-time recovery: its backups of up to 35 days are deleted", name)
			j.back(backRecovery)
			place()
		}
		if number(get(is, "PointInTimeRecoverySpecification", "RecoveryPeriodInDays"), 35) < number(get(was, "PointInTimeRecoverySpecification", "RecoveryPeriodInDays"), 35) {
			risk("the recovery of %s reaches back less far", name)
			j.back(backRecovery)
			place()
		}
		if !on(get(was, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled")) && on(get(is, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled")) {
			j.say(c.stack, Data, InPlace, false, "%s gets point-in-time recovery", name)
			place()
		}
	}
	for _, region := range slices.Sorted(maps.Keys(new)) {
		if old[region] == nil {
			j.say(c.stack, Data, InPlace, false, "%s gets a replica: the deployment waits until all items are copied there, for large tables some hours, and all replicas serve meanwhile", name)
			if region != "" {
				j.place(region)
			}
		}
	}
	was, is := c.old.props["TimeToLiveSpecification"], c.new.props["TimeToLiveSpecification"]
	if get(is, "Enabled") != nil && get(is, "Enabled") != false && get(is, "Enabled") != "false" && (!on(get(was, "Enabled")) || get(was, "AttributeName") != get(is, "AttributeName")) {
		risk("DynamoDB begins to delete items of %s, each at the time that its attribute %s says", name, code(text(get(is, "AttributeName"))))
		j.back(backKept)
	}
	if on(get(was, "Enabled")) && !on(get(is, "Enabled")) && !computed(is) {
		j.say(c.stack, Data, InPlace, true, "nothing deletes items of %s any more, previously at the time that their attribute %s says: %s", name, code(text(get(was, "AttributeName"))), forEver)
	}
	for _, property := range []string{"MultiRegionConsistency", "GlobalTableWitnesses"} {
		if c.has(property) {
			risk("the change of %s of %s is refused by DynamoDB: only a new table, which is empty, can have another one", code(property), name)
			j.found[len(j.found)-1].Kept = true
		}
	}
	before, after := indexes(c.old), indexes(c.new)
	for _, index := range slices.Sorted(maps.Keys(after)) {
		if before[index] == "" {
			j.say(c.stack, Data, InPlace, false, "%s gets the index %s, and the deployment waits until it is filled; nothing fails meanwhile", name, code(index))
		}
	}
}

// keyTypes are the types of a table's attributes that are keys.
func keyTypes(r resource) map[string]string {
	all := map[string]string{}
	for _, a := range itemsOf(r.props["AttributeDefinitions"]) {
		all[text(get(a, "AttributeName"))] = short(get(a, "AttributeType"))
	}
	return all
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
		j.unguard(c.stack, backOverwrite, "%s keeps no more old versions: what is overwritten or deleted from then on is lost at once, and nothing is copied to other regions", name)
	}
	if c.has("LifecycleConfiguration") {
		j.lifecycle(c, name, risk)
		j.longer(c, name)
		j.archived(c, name)
		j.colder(c, name)
	}
	if was, is := c.old.props["ObjectLockConfiguration"], c.new.props["ObjectLockConfiguration"]; was != nil {
		switch mode := get(was, "Rule", "DefaultRetention", "Mode"); {
		case is == nil:
			j.unguard(c.stack, backLocked, "%s no longer locks objects that are written from then on: they may be deleted or overwritten at once", name)
		case locked(is) < locked(was) || mode == "COMPLIANCE" && get(is, "Rule", "DefaultRetention", "Mode") != mode:
			j.unguard(c.stack, backLocked, "%s locks objects that are written from then on for less: they may be deleted or overwritten earlier", name)
		}
	}
	if was := itemsOf(get(c.old.props, "ReplicationConfiguration", "Rules")); len(lost(was, itemsOf(get(c.new.props, "ReplicationConfiguration", "Rules")))) > 0 {
		j.unguard(c.stack, backReplicas, "objects of %s are no longer copied to another bucket, or not all of them: what is written from then on is in one place only, and lost with it", name)
	}
}

// locked is for how many days a bucket locks an object.
func locked(v any) float64 {
	retention := get(v, "Rule", "DefaultRetention")
	return number(get(retention, "Days"), 0) + 365*number(get(retention, "Years"), 0)
}

// lifecycle judges whether a bucket's objects are deleted earlier, or more of them.
func (j *judge) lifecycle(c delta, name string, risk func(string, ...any)) {
	if computed(c.new.props["LifecycleConfiguration"]) {
		risk("objects in %s, or their old versions, may be deleted earlier than now: when is decided by %s", name, decider(c.new.props["LifecycleConfiguration"]))
		j.back(backKept)
		return
	}
	// before is the least of what covered a scope.
	before := func(all map[scope]float64, s scope) float64 {
		least := math.Inf(1)
		for other, n := range all {
			if other.covers(s) {
				least = min(least, n)
			}
		}
		return least
	}
	for _, l := range []struct {
		what string
		of   func(any) float64
	}{{"objects", expires}, {"old versions", oldExpire}} {
		was, is := lifetimes(c.old, l.of), lifetimes(c.new, l.of)
		for _, s := range slices.SortedFunc(maps.Keys(is), scope.compare) {
			if before := before(was, s); is[s] < before {
				risk("%s%s in %s are deleted %s, previously %s", l.what, s.words(), name, after(is[s]), after(before))
				j.back(backKept)
			}
		}
	}
	was, is := lifetimes(c.old, newestKept), lifetimes(c.new, newestKept)
	for _, s := range slices.SortedFunc(maps.Keys(is), scope.compare) {
		if before := before(was, s); is[s] < before && !math.IsInf(before, 1) {
			risk("of the old versions%s in %s only the newest %v stay, previously %v: the others are deleted", s.words(), name, is[s], before)
			j.back(backKept)
		}
	}
	dates := map[string]bool{}
	for _, rule := range itemsOf(get(c.old.props, "LifecycleConfiguration", "Rules")) {
		dates[encoded([]any{scopeOf(rule), get(rule, "ExpirationDate"), get(rule, "Status")})] = true
	}
	for _, rule := range itemsOf(get(c.new.props, "LifecycleConfiguration", "Rules")) {
		if date := get(rule, "ExpirationDate"); date != nil && get(rule, "Status") == "Enabled" && !dates[encoded([]any{scopeOf(rule), date, get(rule, "Status")})] {
			risk("objects%s in %s are deleted from %s on", scopeOf(rule).words(), name, code(short(date)))
			j.back(backKept)
		}
	}
}

// longer reports what of a bucket is kept for longer, and what nothing deletes any more.
func (j *judge) longer(c delta, name string) {
	if computed(c.new.props["LifecycleConfiguration"]) {
		return
	}
	for _, l := range []struct {
		what string
		of   func(any) float64
	}{{"objects", expires}, {"old versions", oldExpire}} {
		was, is := lifetimes(c.old, l.of), lifetimes(c.new, l.of)
		for _, s := range slices.SortedFunc(maps.Keys(was), scope.compare) {
			now := math.Inf(1)
			for other, n := range is {
				if other.covers(s) {
					now = min(now, n)
				}
			}
			switch {
			case now <= was[s]:
			case math.IsInf(now, 1):
				j.say(c.stack, Data, InPlace, true, "nothing deletes %s%s in %s any more, or not all of them, previously %s: %s", l.what, s.words(), name, after(was[s]), forEver)
			default:
				j.say(c.stack, Data, InPlace, false, "%s%s in %s are kept for longer: they are deleted %s, previously %s", l.what, s.words(), name, after(now), after(was[s]))
			}
		}
	}
	was, is := lifetimes(c.old, newestKept), lifetimes(c.new, newestKept)
	for _, s := range slices.SortedFunc(maps.Keys(was), scope.compare) {
		if now, ok := is[s]; ok && now > was[s] && !math.IsInf(now, 1) {
			j.say(c.stack, Data, InPlace, false, "of the old versions%s in %s the newest %v stay, previously %v", s.words(), name, now, was[s])
		}
	}
}

// colder reports which objects go to where they are read at once, and are kept for less.
// ONEZONE_IA is lost with its zone:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html
func (j *judge) colder(c delta, name string) {
	moves := func(r resource) map[string]bool {
		all := map[string]bool{}
		for _, rule := range itemsOf(get(r.props, "LifecycleConfiguration", "Rules")) {
			for _, t := range append(itemsOf(get(rule, "Transitions")), get(rule, "Transition")) {
				if class := text(get(t, "StorageClass")); class != "" && !archive[class] && get(rule, "Status") == "Enabled" {
					all[fmt.Sprintf("objects%s in %s go to %s %s", scopeOf(rule).words(), name, code(class), after(number(get(t, "TransitionInDays"), 0)))] = class == "ONEZONE_IA"
				}
			}
		}
		return all
	}
	was := moves(c.old)
	is := moves(c.new)
	for _, move := range slices.Sorted(maps.Keys(is)) {
		if _, known := was[move]; known {
			continue
		}
		if is[move] {
			j.unguard(c.stack, backOneZone, "%s: they are lost with the one zone that they are in then", move)
			continue
		}
		j.say(c.stack, Data, InPlace, false, "%s: users get them as before, and they are billed otherwise", move)
	}
}

// archived judges whether a bucket's objects go to where nobody reads them at once.
func (j *judge) archived(c delta, name string) {
	was, is := lifetimes(c.old, archives), lifetimes(c.new, archives)
	for _, s := range slices.SortedFunc(maps.Keys(is), scope.compare) {
		before := math.Inf(1)
		for other, n := range was {
			if other.covers(s) {
				before = min(before, n)
			}
		}
		if is[s] < before {
			j.lose(c.stack, "objects%s in %s go to an archive %s, previously %s: users do not get them from then on, until somebody restores each, which takes hours", s.words(), name, after(is[s]), after(before))
			j.back(backArchived)
		}
	}
}

// archive are the classes of objects that somebody has to restore before they are read.
var archive = map[string]bool{"GLACIER": true, "DEEP_ARCHIVE": true}

// archives is when a rule moves objects to an archive.
func archives(rule any) float64 {
	least := math.Inf(1)
	for _, transition := range append(itemsOf(get(rule, "Transitions")), get(rule, "Transition")) {
		if archive[text(get(transition, "StorageClass"))] {
			least = min(least, number(get(transition, "TransitionInDays"), 0))
		}
	}
	return least
}

// scope is what a rule of a bucket's lifecycle is about: objects by the beginning of
// their names and by the rest of its filters.
type scope struct{ Prefix, Filters string }

func scopeOf(rule any) scope {
	s := scope{Prefix: text(get(rule, "Prefix"))}
	for _, filter := range []string{"Filter", "TagFilters", "ObjectSizeGreaterThan", "ObjectSizeLessThan"} {
		if v := get(rule, filter); v != nil {
			s.Filters += filter + " " + encoded(v)
		}
	}
	return s
}

// covers reports whether all that other is about, s is about too.
func (s scope) covers(other scope) bool {
	return strings.HasPrefix(other.Prefix, s.Prefix) && (s.Filters == "" || s.Filters == other.Filters)
}

func (s scope) compare(other scope) int {
	return cmp.Or(cmp.Compare(s.Prefix, other.Prefix), cmp.Compare(s.Filters, other.Filters))
}

func (s scope) words() string {
	if s.Prefix+s.Filters == "" {
		return ""
	}
	return " of " + code(strings.TrimSpace(s.Prefix+" "+s.Filters))
}

// lifetimes are the least that of says of a bucket's rules, by what they are about.
func lifetimes(r resource, of func(any) float64) map[scope]float64 {
	all := map[scope]float64{}
	for _, rule := range itemsOf(get(r.props, "LifecycleConfiguration", "Rules")) {
		if get(rule, "Status") != "Enabled" {
			continue
		}
		s := scopeOf(rule)
		if n, ok := all[s]; !ok || of(rule) < n {
			all[s] = of(rule)
		}
	}
	return all
}

func expires(rule any) float64 { return number(get(rule, "ExpirationInDays"), math.Inf(1)) }

func oldExpire(rule any) float64 {
	return min(number(get(rule, "NoncurrentVersionExpiration", "NoncurrentDays"), math.Inf(1)), number(get(rule, "NoncurrentVersionExpirationInDays"), math.Inf(1)))
}

// newestKept is how many of an object's old versions stay, however old.
func newestKept(rule any) float64 {
	if math.IsInf(oldExpire(rule), 1) {
		return math.Inf(1)
	}
	return number(get(rule, "NoncurrentVersionExpiration", "NewerNoncurrentVersions"), 0)
}

// lost are the buckets that S3 copied objects to by the rules of was, and does not by
// those of is, or not all.
func lost(was, is []any) []string {
	type copies struct {
		bucket string
		scope
	}
	read := func(rule any) (c copies, enabled bool) {
		c.bucket, _ = joined(get(rule, "Destination", "Bucket"))
		c.Prefix = cmp.Or(text(get(rule, "Filter", "Prefix")), text(get(rule, "Filter", "And", "Prefix")), text(get(rule, "Prefix")))
		for _, tags := range []any{get(rule, "Filter", "And", "Tags"), get(rule, "Filter", "And", "TagFilters"), get(rule, "Filter", "Tag"), get(rule, "Filter", "TagFilter")} {
			if tags != nil {
				c.Filters += encoded(tags)
			}
		}
		return c, get(rule, "Status") == "Enabled"
	}
	var all []string
	for _, rule := range was {
		c, enabled := read(rule)
		if enabled && !slices.ContainsFunc(is, func(other any) bool {
			o, enabled := read(other)
			return enabled && o.bucket == c.bucket && o.covers(c.scope)
		}) {
			all = append(all, c.bucket)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// replication judges calls that have S3 copy objects to other regions, which no
// property of a bucket says.
func (j *judge) replication(changes []delta) {
	for _, c := range changes {
		if c.added() {
			continue
		}
		was, is := replicationOf(c.old), replicationOf(c.new)
		if was == nil || j.left(text(get(was, "parameters", "Bucket"))) {
			continue
		}
		rules := func(call any) []any { return itemsOf(get(call, "parameters", "ReplicationConfiguration", "Rules")) }
		before, now := rules(was), rules(is)
		if !c.removed() && encoded(get(was, "physicalResourceId")) != encoded(get(is, "physicalResourceId")) {
			now = nil // what is deleted after the update is the replication that it made
		}
		for _, bucket := range lost(before, now) {
			if !j.left(bucket) {
				_, name, _ := strings.Cut(bucket, ":::")
				j.unguard(c.stack, backReplicas, "objects are no longer copied to %s by %s, or not all of them: what is written from then on is in one region only, and lost with it", code(cmp.Or(name, bucket)), code(c.stack.titleOf(c.is())))
			}
		}
	}
}

// replicationOf is the call by which a custom resource has a bucket replicated, nil
// for none.
func replicationOf(r resource) any {
	for _, when := range []string{"Update", "Create"} {
		t, _ := joined(r.props[when])
		var call map[string]any
		if json.Unmarshal([]byte(t), &call) == nil && call["action"] == "putBucketReplication" {
			return call
		}
	}
	return nil
}

// left reports whether a bucket, by its name or ARN, is that of a region whose island
// the head no longer has.
func (j *judge) left(bucket string) bool {
	for name, s := range j.base.Stacks {
		if strings.HasSuffix(bucket, "-"+s.Region) && len(s.of(scalingGroup)) > 0 && len(j.head.Stacks[name].of(scalingGroup)) == 0 {
			return true
		}
	}
	return false
}

// autoDelete is CDK's resource that empties a bucket when the resource is deleted and
// the bucket has its tag.
const autoDelete = "Custom::S3AutoDeleteObjects"

// emptied judges what empties buckets.
func (j *judge) emptied(base, head *Stack, c delta) {
	if c.is().kind != autoDelete {
		return
	}
	id := text(get(c.is().props, "BucketName", "Ref"))
	was, before := base.resources()[id]
	is, after := head.resources()[id]
	tagged := slices.ContainsFunc(itemsOf(is.props["Tags"]), func(t any) bool { return get(t, "Key") == "aws-cdk:auto-delete-objects" })
	switch {
	case c.added() && before:
		j.unguard(head, "", "%s is to be emptied before it is deleted: a later change that removes it, its stack or %s deletes what is in it", code(base.titleOf(was)), code(c.stack.titleOf(c.new)))
	case c.gone() && after && tagged:
		j.say(head, Data, DataAtRisk, true, "all that is in %s is deleted: %s, which is removed or replaced, empties it when it goes", code(head.titleOf(is)), code(c.stack.titleOf(c.is())))
	}
}

// replicated are the regions of a global table's replicas, as they are and were.
func replicated(c delta) []string {
	all := map[string]bool{}
	for _, r := range []resource{c.old, c.new} {
		if r.kind == "AWS::DynamoDB::GlobalTable" {
			for region := range replicas(r) {
				all[region] = true
			}
		}
	}
	delete(all, "")
	return slices.Sorted(maps.Keys(all))
}

func islands(a *Assembly) int {
	n := 0
	for _, s := range a.Stacks {
		n += len(s.of(scalingGroup))
	}
	return n
}
