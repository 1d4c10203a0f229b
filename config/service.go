package config

// Service is the program that the instances run.
type Service struct {
	// Name is what it is called on the instance and in its log. Required.
	Name string `json:"name" jsonschema:"required"`
	// Package is the Go package that is built for the instances, as a path below the
	// folder of cdk.json. Required.
	Package string `json:"package" jsonschema:"required"`
	// Port is the TCP port that it listens on, from 1024. Required.
	Port int `json:"port" jsonschema:"required,minimum=1024,maximum=65535"`
	// Health is the path on which it answers 200 while it can serve. Required.
	Health string `json:"health" jsonschema:"required"`
	// Notify says that it tells systemd when it is ready and that it lives, by
	// NOTIFY_SOCKET; one that does not is not started then. Default: false.
	Notify bool `json:"notify"`
	// Environment are its settings, in which {table:NAME}, {bucket:NAME},
	// {buckets:NAME}, {region}, {cidr} and {name} are filled in. Default: none.
	Environment map[string]string `json:"environment"`
	// Local is what differs where it runs on this machine. Default: nothing.
	Local LocalService `json:"local"`
}

// LocalService is what differs from AWS in the local cloud.
type LocalService struct {
	// Environment are settings that replace those of the service. Default: none.
	Environment map[string]string `json:"environment"`
	// Setup are the arguments of the service's program with which it runs once, on
	// one instance, before users come. Default: none, nothing is run.
	Setup []string `json:"setup"`
}

// Table is a DynamoDB global table with a replica in each region.
type Table struct {
	// Name is what the configuration calls it. Required.
	Name string `json:"name" jsonschema:"required"`
	// PartitionKey is the attribute of its partition key: its name, of a string, or
	// {"name": "n", "type": "N"}. Required.
	PartitionKey Key `json:"partitionKey" jsonschema:"required"`
	// SortKey is the attribute of its sort key. Default: none.
	SortKey Key `json:"sortKey"`
	// TTL is the attribute that holds when an item expires. Default: none.
	TTL string `json:"ttl"`
	// Ephemeral says that nothing in it is worth recovering: there is no recovery,
	// and it is deleted with the deployment. Default: false.
	Ephemeral bool `json:"ephemeral"`
	// Watch has the island's health depend on it: true, its lighthouse writes and
	// reads an item of its own; or "read", it reads one. Default: false.
	Watch Watch `json:"watch"`
	// Indexes are its global secondary indexes, each {name, partitionKey, sortKey}.
	// Default: none.
	Indexes []Index `json:"indexes"`
	// Actions are what the service may do with it. Default: GetItem, BatchGetItem,
	// Query, PutItem, UpdateItem, DeleteItem, BatchWriteItem, ConditionCheckItem.
	Actions []string `json:"actions"`
}

// Index is a global secondary index of a table; it holds whole items.
type Index struct {
	// Name is the index's name. Required.
	Name string `json:"name" jsonschema:"required"`
	// PartitionKey is the attribute of its partition key. Required.
	PartitionKey Key `json:"partitionKey" jsonschema:"required"`
	// SortKey is the attribute of its sort key. Default: none.
	SortKey Key `json:"sortKey"`
}

// Key is an attribute that is part of a key.
type Key struct {
	// Name is the attribute's name. Required.
	Name string `json:"name" jsonschema:"required"`
	// Type is "S", a string; "N", a number; or "B", bytes. Default: "S".
	Type string `json:"type" jsonschema:"enum=S,enum=N,enum=B"`
}

// Bucket is an S3 bucket in each region, each replicated to all others.
type Bucket struct {
	// Name is what the configuration calls it. Required.
	Name string `json:"name" jsonschema:"required"`
	// Prefix is what the keys of the service's objects begin with: it may use and
	// replicates no others. Default: none, all objects.
	Prefix string `json:"prefix"`
	// Everywhere lets the service read the other regions' copies too. Default:
	// false.
	Everywhere bool `json:"everywhere"`
	// Watch has the island's health depend on it: true, its lighthouse writes and
	// reads an object of its own; or "read", it reads one. Default: false.
	Watch Watch `json:"watch"`
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
