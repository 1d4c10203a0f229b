package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Table is a DynamoDB global table with a replica in each region.
type Table struct {
	// Name is what the configuration calls it; on AWS it is DEPLOYMENT-NAME.
	// Required.
	Name string `json:"name" jsonschema:"required,pattern=^[a-z][a-z0-9]*(-[a-z0-9]+)*$,maxLength=32" want:"1 to 32 lower-case letters, digits and single hyphens between them, a letter first, such as \"user-data\""`
	// PartitionKey is the attribute of its partition key: the name of a string, or an
	// object such as {"name": "n", "type": "N"}, where "B" is for bytes. Required.
	PartitionKey Key `json:"partitionKey" jsonschema:"required"`
	// SortKey is the attribute of its sort key. Default: none.
	SortKey Key `json:"sortKey"`
	// TTL is the attribute that says when an item expires, in seconds since 1970.
	// Default: none, items stay.
	TTL string `json:"ttl" jsonschema:"pattern=^[A-Za-z0-9_.:#-]+$,maxLength=255" want:"an attribute's name, of letters, digits and _ . : # -"`
	// Ephemeral marks what is not worth recovering: the table has no backups and is
	// never strong. Default: false.
	Ephemeral bool `json:"ephemeral" default:"false"`
	// Watch makes users leave a region where the table fails: true, the region's
	// lighthouse writes and reads an item of its own; "read", it only reads. Its
	// keys have to be strings. Default: false.
	Watch Watch `json:"watch" default:"false"`
	// Indexes are its global secondary indexes, each {name, partitionKey, sortKey}.
	// Default: none.
	Indexes []Index `json:"indexes" jsonschema:"maxItems=20" wantMost:"at most 20 indexes, which is DynamoDB's limit"`
	// Actions are what the service may do with its items. Default: GetItem,
	// BatchGetItem, Query, PutItem, UpdateItem, DeleteItem, BatchWriteItem,
	// ConditionCheckItem; of all actions on items only Scan has to be named.
	Actions []string `json:"actions" default:"GetItem,BatchGetItem,Query,PutItem,UpdateItem,DeleteItem,BatchWriteItem,ConditionCheckItem" jsonschema:"minItems=1,enum=GetItem,enum=BatchGetItem,enum=Query,enum=Scan,enum=PutItem,enum=UpdateItem,enum=DeleteItem,enum=BatchWriteItem,enum=ConditionCheckItem" want:"at least 1 action, such as [\"GetItem\", \"Query\"]"`
}

// Index is a global secondary index of a table; it holds whole items.
type Index struct {
	// Name is the index's name. Required.
	Name string `json:"name" jsonschema:"required,pattern=^[A-Za-z0-9_.-][A-Za-z0-9_.-][A-Za-z0-9_.-]+$,maxLength=255" want:"3 to 255 letters, digits and _ . -, such as \"byName\""`
	// PartitionKey is the attribute of its partition key. Required.
	PartitionKey Key `json:"partitionKey" jsonschema:"required"`
	// SortKey is the attribute of its sort key. Default: none.
	SortKey Key `json:"sortKey"`
}

// Key is an attribute that is part of a key.
type Key struct {
	// Name is the attribute's name. Required.
	Name string `json:"name" jsonschema:"required,pattern=^[A-Za-z0-9_.:#-]+$,maxLength=255" want:"an attribute's name, of letters, digits and _ . : # -"`
	// Type is "S", a string; "N", a number; or "B", bytes. Default: "S".
	Type string `json:"type" default:"S" jsonschema:"enum=S,enum=N,enum=B"`
}

// Bucket is an S3 bucket in each region, each replicated to all others.
type Bucket struct {
	// Name is what the configuration calls it; on AWS it is
	// DEPLOYMENT-NAME-ACCOUNT-REGION, of which the first two may have 34 characters.
	// Required.
	Name string `json:"name" jsonschema:"required,pattern=^[a-z][a-z0-9]*(-[a-z0-9]+)*$,maxLength=32" want:"1 to 32 lower-case letters, digits and single hyphens between them, a letter first, such as \"user-data\""`
	// Prefix is what the keys of the service's objects begin with, such as
	// "files/": the service may use no others, and no others are replicated.
	// Default: none, all objects.
	Prefix string `json:"prefix" jsonschema:"pattern=^([A-Za-z0-9_][A-Za-z0-9_.-]*/)+$,maxLength=64" want:"nothing, or at most 64 letters, digits and _ . - that end with a slash, such as \"files/\""`
	// Everywhere lets the service of each region read the other regions' copies too,
	// as it must to sign links to them. Default: false.
	Everywhere bool `json:"everywhere" default:"false"`
	// Watch makes users leave a region where the bucket fails: true, the region's
	// lighthouse writes and reads an object of its own; "read", it only reads.
	// Default: false.
	Watch Watch `json:"watch" default:"false"`
}

func (Table) want() string  { return `an object such as {"name": "counters", "partitionKey": "pk"}` }
func (Index) want() string  { return `an object such as {"name": "byName", "partitionKey": "name"}` }
func (Bucket) want() string { return `an object such as {"name": "files"}` }
func (Key) want() string {
	return `the name of a string attribute or an object such as {"name": "n", "type": "N"}`
}

// read takes an attribute's name for a string attribute.
func (k *Key) read(v value) bool {
	if v.raw == nil {
		return false
	}
	v.raw = named(v.raw)
	v.readFields(reflect.ValueOf(k).Elem())
	return true
}

// Watch is how a lighthouse tries a store.
type Watch string

// Values of Watch.
const (
	// WatchNone leaves the store alone.
	WatchNone Watch = ""
	// WatchWrite writes and reads.
	WatchWrite Watch = "write"
	// WatchRead reads.
	WatchRead Watch = "read"
)

// read takes true for WatchWrite.
func (w *Watch) read(v value) bool {
	if v.raw == string(WatchRead) {
		*w = WatchRead
		return true
	}
	on, ok := truth(v.raw)
	if on {
		*w = WatchWrite
	}
	return v.is(ok, `true, false or "read"`)
}

// written is w as in cdk.json.
func (w Watch) written() any {
	if w == WatchRead {
		return string(w)
	}
	return w == WatchWrite
}

// IndexNames returns the names of a table's indexes.
func (t Table) IndexNames() []string {
	var names []string
	for _, index := range t.Indexes {
		names = append(names, index.Name)
	}
	return names
}

// MultiRegionStrongConsistency reports whether a table has DynamoDB's multi-Region strong
// consistency, with which it loses no write with a region.
func (c Config) MultiRegionStrongConsistency(t Table) bool {
	return c.Consistency == ConsistencyStrong && !t.Ephemeral
}

// WatchedTables returns the tables that lighthouses try.
func (c Config) WatchedTables() []Table {
	return slices.DeleteFunc(slices.Clone(c.Tables), func(t Table) bool { return t.Watch == WatchNone })
}

// WatchedBuckets returns the buckets that lighthouses try.
func (c Config) WatchedBuckets() []Bucket {
	return slices.DeleteFunc(slices.Clone(c.Buckets), func(b Bucket) bool { return b.Watch == WatchNone })
}

// ConstructID returns the construct id of a table or bucket: "UserData" for
// "user-data".
func ConstructID(name string) string {
	words := strings.Split(name, "-")
	for i, word := range words {
		if word != "" {
			words[i] = strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return strings.Join(words, "")
}

// takenIDs are construct ids that tables and buckets cannot have: those of others in
// their stacks, and two that CDK leaves out of the ids that it makes of them.
var takenIDs = []string{"Logs", "ServiceLog", "InstanceType", "Replication", "Observability", "Entry", "Default", "Resource"}

const (
	// maxWatched keeps a lighthouse's answer quick and a dashboard readable.
	maxWatched = 4
	// maxBucketName leaves room for an account, the longest region's name and three
	// hyphens in the 63 characters of a bucket's name. Names of load balancers and
	// roles, which have 32 and 64, are left to CloudFormation, which shortens them.
	// Source: Amazon S3 User Guide, "General purpose bucket naming rules".
	maxBucketName = 34
	// maxRules keeps the rules that replicate buckets within a template's 1 MB: with the
	// longest names, one takes 1.6 KB, as it is written for its creation and for its
	// update. Source: AWS CloudFormation User Guide, "CloudFormation quotas".
	maxRules = 600
	// lighthousePrefix begins the keys of the lighthouses' own objects.
	lighthousePrefix = "lighthouse/"
)

func (c Config) validateStores(p problems) {
	ids, watched := map[string]string{}, 0
	for _, id := range takenIDs {
		ids[id] = "something else's"
	}
	check := func(at problems, key, name string, watch Watch) {
		if other, taken := ids[ConstructID(name)]; taken {
			at.add("name", fmt.Sprintf("another name: the construct id that it gives, %q, is %s", ConstructID(name), other), name)
		}
		ids[ConstructID(name)] = "that of " + key
		if watch != WatchNone {
			watched++
		}
		if watch != WatchNone && watched > maxWatched {
			at.add("watch", fmt.Sprintf("false: a lighthouse tries at most %d tables and buckets in all", maxWatched), watch.written())
		}
	}
	for i, t := range c.Tables {
		key := fmt.Sprintf("tables[%d]", i)
		check(p.under(key), key, t.Name, t.Watch)
		c.validateTable(p.under(key), t)
	}
	islands := len(c.Islands())
	if n := len(c.Buckets) * islands * (islands - 1); n > maxRules {
		p.add("buckets", fmt.Sprintf("at most %d for %d regions, since the rules from each bucket to all others have to fit into a template of 1 MB",
			maxRules/islands/(islands-1), islands), len(c.Buckets))
	}
	for i, b := range c.Buckets {
		key := fmt.Sprintf("buckets[%d]", i)
		at := p.under(key)
		check(at, key, b.Name, b.Watch)
		if most := maxBucketName - len(c.Name); most > 0 && len(b.Name) > most && !at.under("name").has() {
			at.add("name", fmt.Sprintf("at most %d characters after the deployment's name, %q, since the bucket's own name may have 63 and is made of both, an account and a region", most, c.Name), b.Name)
		}
		if strings.HasPrefix(b.Prefix, lighthousePrefix) {
			at.add("prefix", fmt.Sprintf("another prefix than %q, which begins the keys of the lighthouse's own objects", lighthousePrefix), b.Prefix)
		}
	}
}

func (c Config) validateTable(p problems, t Table) {
	if t.TTL != "" && c.MultiRegionStrongConsistency(t) {
		p.add("ttl", fmt.Sprintf("nothing, or ephemeral: true: the others are strong with the consistency %q, and a strong table expires nothing", ConsistencyStrong), t.TTL)
	}
	types := map[string]string{}
	keys := func(at problems, partition, sort Key) {
		if sort.Name != "" && sort.Name == partition.Name {
			at.add("sortKey", "another attribute than that of partitionKey", sort.Name)
		}
		for i, key := range []Key{partition, sort} {
			if known, ok := types[key.Name]; ok && key.Name != "" && known != key.Type {
				at.add([]string{"partitionKey", "sortKey"}[i], fmt.Sprintf("type %q for the attribute %q, as elsewhere in the table", known, key.Name), key.Type)
			}
			types[key.Name] = key.Type
		}
	}
	keys(p, t.PartitionKey, t.SortKey)
	for i, index := range t.Indexes {
		at := p.under(fmt.Sprintf("indexes[%d]", i))
		keys(at, index.PartitionKey, index.SortKey)
		if slices.IndexFunc(t.Indexes, func(o Index) bool { return o.Name == index.Name }) < i {
			at.add("name", "each name once", index.Name)
		}
	}
	for _, key := range []Key{t.PartitionKey, t.SortKey} {
		if t.Watch != WatchNone && key.Name != "" && key.Type != "S" {
			p.add("watch", fmt.Sprintf("false: the item of a lighthouse has string keys, and %q is of type %q", key.Name, key.Type), t.Watch.written())
		}
	}
	for i, action := range t.Actions {
		if slices.Index(t.Actions, action) < i {
			p.add(fmt.Sprintf("actions[%d]", i), "each action once", action)
		}
	}
}
