package stacks

import (
	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/constructs/buckets"
	"github.com/archipelago-cdk/archipelago/constructs/lighthouse"
	"github.com/archipelago-cdk/archipelago/constructs/observability"
	"github.com/archipelago-cdk/archipelago/constructs/tables"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
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
		var regional []awss3.IBucket
		for _, region := range s.RegionNames() {
			regional = append(regional, awss3.Bucket_FromBucketAttributes(this, new(config.ConstructID(b.Name)+"In"+region), &awss3.BucketAttributes{
				BucketName: new(s.Names().Bucket(b.Name, region)), Region: &region,
			}))
		}
		if replication := buckets.NewReplication(this, config.ConstructID(b.Name), &buckets.ReplicationProps{
			Buckets: regional, Names: s.Names().Bucket(b.Name, "*"), Prefix: b.Prefix,
		}); replication != nil {
			all = append(all, replication)
		}
	}
	return all
}

// tables places every table, with its replicas, after what it depends on.
func (s stores) tables(scope constructs.Construct, after []constructs.IDependable) {
	for _, t := range s.Tables {
		props := &tables.Props{
			Name:                         s.Names().Table(t.Name),
			PartitionKey:                 attribute(t.PartitionKey),
			SortKey:                      attribute(t.SortKey),
			TimeToLive:                   t.TTL,
			Regions:                      s.RegionNames(),
			MultiRegionStrongConsistency: s.MultiRegionStrongConsistency(t),
			Ephemeral:                    t.Ephemeral,
			Protect:                      s.Protect,
			Tags:                         map[string]map[string]string{},
		}
		for _, region := range s.RegionNames() {
			props.Tags[region] = s.AllTags(region)
		}
		if s.MultiRegionStrongConsistency(t) {
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

// regionalStores are the tables and buckets of one region, as its stack refers to
// what other stacks make.
type regionalStores struct {
	config.Config
	tables  []awsdynamodb.ITable // one for each of Config.Tables
	buckets []awss3.IBucket      // one for each of Config.Buckets
}

func (s stores) in(stack awscdk.Stack, region string) regionalStores {
	r, scope := regionalStores{Config: s.Config}, constructs.NewConstruct(stack, new("Stores"))
	for _, t := range s.Tables {
		r.tables = append(r.tables, awsdynamodb.TableV2_FromTableName(scope, new("Table"+config.ConstructID(t.Name)), new(s.Names().Table(t.Name))))
	}
	for _, b := range s.Buckets {
		r.buckets = append(r.buckets, bucket(scope, "Bucket"+config.ConstructID(b.Name), s.Names().Bucket(b.Name, region)))
	}
	return r
}

// bucket is one that another stack makes.
func bucket(scope constructs.Construct, id, name string) awss3.IBucket {
	return awss3.Bucket_FromBucketName(scope, &id, &name)
}

// grant lets the service use its own stores, and read other regions' where the
// configuration says so.
func (r regionalStores) grant(role awsiam.IGrantable) {
	for i, t := range r.Tables {
		tables.Grant(r.tables[i], role, t.IndexNames(), t.Actions)
	}
	for i, b := range r.Buckets {
		if b.Everywhere {
			// A region that joins changes no policy of the others.
			buckets.GrantReadMatching(r.Names().Bucket(b.Name, "*"), role, b.Prefix)
		} else {
			buckets.GrantRead(r.buckets[i], role, b.Prefix)
		}
		buckets.GrantWrite(r.buckets[i], role, b.Prefix)
	}
}

// watched are the stores that the region's lighthouse tries.
func (r regionalStores) watched() []lighthouse.Store {
	var list []lighthouse.Store
	for i, t := range r.Tables {
		if t.Watch != config.WatchNone {
			list = append(list, lighthouse.Store{
				Part: "table " + t.Name, Table: r.tables[i],
				PartitionKey: t.PartitionKey.Name, SortKey: t.SortKey.Name, ReadOnly: t.Watch == config.WatchRead,
			})
		}
	}
	for i, b := range r.Buckets {
		if b.Watch != config.WatchNone {
			list = append(list, lighthouse.Store{
				Part: "bucket " + b.Name, Bucket: r.buckets[i], ReadOnly: b.Watch == config.WatchRead,
			})
		}
	}
	return list
}

// observed are the watched stores as alarms and dashboards show them.
func (s stores) observed() (observedTables []observability.Table, observedBuckets []observability.Bucket) {
	for _, t := range s.WatchedTables() {
		observedTables = append(observedTables, observability.Table{
			ID: config.ConstructID(t.Name), Name: s.Names().Table(t.Name), Indexes: t.IndexNames(),
			MultiRegionStrongConsistency: s.MultiRegionStrongConsistency(t),
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
