package stacks

import (
	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/constructs/buckets"
	"github.com/archipelago-cdk/archipelago/constructs/lighthouse"
	"github.com/archipelago-cdk/archipelago/constructs/observability"
	"github.com/archipelago-cdk/archipelago/constructs/tables"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
)

// stores are the tables and buckets of a configuration, as each stack needs them.
type stores struct {
	config.Config
}

// replicate places the replication of every bucket, and returns what depends on it.
func (s stores) replicate(scope constructs.Construct) []constructs.IDependable {
	this := constructs.NewConstruct(scope, new("Replication"))
	var all []constructs.IDependable
	for _, b := range s.Buckets {
		var regional []buckets.RegionalBucket
		for _, region := range s.RegionNames() {
			regional = append(regional, buckets.RegionalBucket{Bucket: s.Names().Bucket(b.Name, region), Region: region})
		}
		if replication := buckets.NewReplication(this, config.ConstructID(b.Name), buckets.ReplicationProps{Buckets: regional, Prefix: b.Prefix}); replication != nil {
			all = append(all, replication)
		}
	}
	return all
}

// tables places every table, with its replicas, after what it depends on.
func (s stores) tables(scope constructs.Construct, after []constructs.IDependable) {
	for _, t := range s.Tables {
		props := tables.Props{
			Name:                         s.Names().Table(t.Name),
			PartitionKey:                 attribute(t.PartitionKey),
			SortKey:                      attribute(t.SortKey),
			TimeToLive:                   t.TTL,
			Regions:                      s.RegionNames(),
			MultiRegionStrongConsistency: s.Strong(t),
			Ephemeral:                    t.Ephemeral,
			Protect:                      s.Protect,
		}
		if s.Strong(t) {
			props.Witness = s.Witness
		}
		for _, index := range t.Indexes {
			props.Indexes = append(props.Indexes, &awsdynamodb.GlobalSecondaryIndexPropsV2{
				IndexName:      &index.Name,
				PartitionKey:   attribute(index.PartitionKey),
				SortKey:        attribute(index.SortKey),
				ProjectionType: awsdynamodb.ProjectionType_ALL,
			})
		}
		tables.New(scope, config.ConstructID(t.Name), props).Node().AddDependency(after...)
	}
}

// attribute is a key's, nil where there is none.
func attribute(k config.Key) *awsdynamodb.Attribute {
	if k.Name == "" {
		return nil
	}
	return &awsdynamodb.Attribute{Name: &k.Name, Type: map[string]awsdynamodb.AttributeType{
		"S": awsdynamodb.AttributeType_STRING,
		"N": awsdynamodb.AttributeType_NUMBER,
		"B": awsdynamodb.AttributeType_BINARY,
	}[k.Type]}
}

// grant lets the service of a region use its own stores, and read other regions'
// where the configuration says so.
func (s stores) grant(scope constructs.Construct, region string, role awsiam.IGrantable) {
	for _, t := range s.Tables {
		tables.Grant(scope, role, s.Names().Table(t.Name), t.IndexNames(), t.Actions)
	}
	for _, b := range s.Buckets {
		for _, other := range s.RegionNames() {
			switch name := s.Names().Bucket(b.Name, other); {
			case other == region:
				buckets.GrantReadWrite(role, name, b.Prefix)
			case b.Everywhere:
				buckets.GrantRead(role, name, b.Prefix)
			}
		}
	}
}

// names are those of a region's tables and buckets.
func (s stores) names(region string) (tableNames, bucketNames []string) {
	for _, t := range s.Tables {
		tableNames = append(tableNames, s.Names().Table(t.Name))
	}
	for _, b := range s.Buckets {
		bucketNames = append(bucketNames, s.Names().Bucket(b.Name, region))
	}
	return tableNames, bucketNames
}

// watched are the stores that a region's lighthouse tries.
func (s stores) watched(region string) []lighthouse.Store {
	var list []lighthouse.Store
	for _, t := range s.WatchedTables() {
		list = append(list, lighthouse.Store{
			Part: "table " + t.Name, Table: s.Names().Table(t.Name),
			PartitionKey: t.PartitionKey.Name, SortKey: t.SortKey.Name, ReadOnly: t.Watch == config.WatchRead,
		})
	}
	for _, b := range s.WatchedBuckets() {
		list = append(list, lighthouse.Store{
			Part: "bucket " + b.Name, Bucket: s.Names().Bucket(b.Name, region), ReadOnly: b.Watch == config.WatchRead,
		})
	}
	return list
}

// observed are the watched stores as alarms and dashboards show them.
func (s stores) observed() (observedTables []observability.Table, observedBuckets []observability.Bucket) {
	for _, t := range s.WatchedTables() {
		observedTables = append(observedTables, observability.Table{
			ID: config.ConstructID(t.Name), Name: s.Names().Table(t.Name), Indexes: t.IndexNames(),
			MultiRegionStrongConsistency: s.Strong(t), WrittenAlways: t.Watch == config.WatchWrite,
		})
	}
	for _, b := range s.WatchedBuckets() {
		observedBuckets = append(observedBuckets, observability.Bucket{
			ID:   config.ConstructID(b.Name),
			Name: func(region string) string { return s.Names().Bucket(b.Name, region) },
		})
	}
	return observedTables, observedBuckets
}
