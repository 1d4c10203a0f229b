// Package setting names what the deployment's functions are told by their
// environment: what the constructs, which write it, and the functions, which read
// it, share.
package setting

import (
	"encoding/json"
	"fmt"
)

// Region is the AWS region that a function runs in, such as "eu-west-1": Lambda
// sets it.
const Region = "AWS_REGION"

// Names of the lighthouse's settings, as environment variables. It also reads
// Region.
const (
	// Watched are the stores that the island cannot work without: a list of Store as
	// JSON. Default: none, the island is lit unless it is drained.
	Watched = "WATCHED"
	// Deployment is the deployment's name, a dimension of the lighthouse's
	// metrics. Required.
	Deployment = "DEPLOYMENT"
	// Drained set to "true" keeps the island dark. Default: "false".
	Drained = "DRAINED"
	// DrainParameter is the SSM parameter with which an operator darkens the
	// island: it does while it holds "true". Required; the parameter need not
	// exist.
	DrainParameter = "DRAIN_PARAMETER"
	// PulseGroup is the name of the Auto Scaling group whose instances have a pulse.
	// Default: none, nothing is made of what instances say.
	PulseGroup = "PULSE_GROUP"
	// BalancerAlarm is the name of the alarm on the load balancer's own failure, which
	// darkens the island. Default: none, nobody is asked.
	BalancerAlarm = "BALANCER_ALARM"
	// ReplicaRegions are the other regions that replicate the watched tables to this one,
	// with commas between them. Default: none, nothing is made of what arrives.
	ReplicaRegions = "REPLICA_REGIONS"
)

// LighthousePath is where a load balancer asks whether its island is lit.
const LighthousePath = "/lighthouse"

// Store is a table or a bucket that a lighthouse tries.
type Store struct {
	// Part is what reports call it, such as "table orders".
	Part string `json:"part"`
	// Table is the table's name, and PartitionKey and SortKey the attributes of its
	// key, which are strings. It may have no SortKey.
	Table        string `json:"table,omitempty"`
	PartitionKey string `json:"partitionKey,omitempty"`
	SortKey      string `json:"sortKey,omitempty"`
	// Bucket is the name of this region's bucket.
	Bucket string `json:"bucket,omitempty"`
	// ReadOnly has it read and not written.
	ReadOnly bool `json:"readOnly,omitempty"`
}

// ParseWatched reads the value of Watched.
func ParseWatched(value string) ([]Store, error) {
	if value == "" {
		return nil, nil
	}
	var stores []Store
	if err := json.Unmarshal([]byte(value), &stores); err != nil {
		return nil, fmt.Errorf("%s: want a list of stores as JSON: %w", Watched, err)
	}
	for _, s := range stores {
		if (s.Table == "") == (s.Bucket == "") || s.Part == "" || s.Table != "" && s.PartitionKey == "" {
			return nil, fmt.Errorf("%s: want a part with a table and its partitionKey, or a part with a bucket, got %+v", Watched, s)
		}
	}
	return stores, nil
}

// PulseTable is the one of the stores that takes the pulse of the fleet: the first table
// that may be written. Without one the fleet has none.
func PulseTable(stores []Store) (table Store, ok bool) {
	for _, s := range stores {
		if s.Table != "" && !s.ReadOnly {
			return s, true
		}
	}
	return Store{}, false
}

// PulseItem is the partition key of the one item that a region's instances read in each
// watched table, and write in that of their pulse. Its sort key is "pulse".
func PulseItem(region string) string { return "pulse#" + region }

// LighthouseItem is the partition key of the one item of each watched table that
// region's lighthouse reads and writes. Its sort key is "lighthouse".
func LighthouseItem(region string) string { return "lighthouse#" + region }

// LighthouseObject is the key of the one object of each watched bucket that
// region's lighthouse reads and writes.
func LighthouseObject(region string) string { return "lighthouse/" + region }

// Metrics of ours, in the namespace MetricNamespace with the one
// dimension MetricDimension, whose value is the deployment's name.
const (
	MetricNamespace = "Archipelago"
	MetricDimension = "Deployment"
	// FailingMetric counts the parts of the island that fail: 0 while all is well.
	FailingMetric = "Failing"
	// DrainedMetric is 1 while the island is dark because somebody wants it so.
	DrainedMetric = "Drained"
	// UnknownMetric counts what the lighthouse could not learn: what the fleet reaches,
	// how the load balancer does, or whether the island is drained.
	UnknownMetric = "Unknown"
	// ReplicationAgeMetric is how old, in seconds, the last write of another region's
	// lighthouse is that has arrived here: of the table and the region of which it is oldest.
	ReplicationAgeMetric = "ReplicationAge"
	// MemoryMetric and DiskMetric are how much of an instance's memory and of its
	// disk is used, in percent. Their names are the CloudWatch agent's.
	MemoryMetric = "mem_used_percent"
	DiskMetric   = "disk_used_percent"
)
