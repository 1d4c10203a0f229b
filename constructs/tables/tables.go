// Package tables gives a deployment its DynamoDB global tables.
package tables

import (
	"maps"
	"slices"

	"github.com/archipelago-cdk/archipelago/constructs/internal/required"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Props configure a global table.
type Props struct {
	// Name is the table's name, the same in every region. Required: a name that
	// CloudFormation made could not be known in the other regions.
	Name string `required:"true"`
	// PartitionKey is the attribute of its partition key. Required.
	PartitionKey *awsdynamodb.Attribute `required:"true"`
	// SortKey is the attribute of its sort key. Default: none.
	SortKey *awsdynamodb.Attribute
	// TimeToLive is the attribute that holds when an item expires. Default: none.
	TimeToLive string
	// Indexes are its global secondary indexes. Default: none.
	Indexes []*awsdynamodb.GlobalSecondaryIndexPropsV2
	// Regions are where it has replicas, besides the stack's own, which may be
	// among them.
	Regions []string
	// MultiRegionStrongConsistency makes each write in two regions before it is
	// answered. It takes three regions of one set, or two and Witness, and stays for
	// the table's life. Default: false, writes replicate within about a second.
	MultiRegionStrongConsistency bool
	// Witness is the region of a strong table that keeps its log and no replica.
	// Default: none.
	Witness string
	// Ephemeral says that nothing in it is worth recovering: it has no
	// point-in-time recovery. Default: false.
	Ephemeral bool
	// Protect forbids the deletion of the replica in the stack's own region, without
	// which DynamoDB deletes no table, and retains the table. The other replicas may
	// be deleted, so that adding one can be rolled back, and one can be removed.
	// Default: false.
	Protect bool
	// Tags are, by their region, what replicas are tagged with in place of the stack's
	// tags of the same keys. Default: none, they have the stack's.
	Tags map[string]map[string]string
}

// New creates a global table in scope's region, with a replica in each other one.
// Once it exists, CloudFormation adds or removes one replica of an eventual table
// per update, and none of a strong one.
func New(scope constructs.Construct, id string, props *Props) awsdynamodb.TableV2 {
	required.Check("tables", props)
	home := *awscdk.Stack_Of(scope).Region()
	recovery := &awsdynamodb.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: jsii.Bool(!props.Ephemeral)}
	var replicas []*awsdynamodb.ReplicaTableProps
	for _, region := range slices.DeleteFunc(slices.Clone(props.Regions), func(r string) bool { return r == home }) {
		replicas = append(replicas, &awsdynamodb.ReplicaTableProps{
			Region:                           &region,
			DeletionProtection:               jsii.Bool(false),
			PointInTimeRecoverySpecification: recovery,
			Tags:                             tags(props.Tags[region]),
		})
	}
	table := &awsdynamodb.TablePropsV2{
		TableName:                        &props.Name,
		PartitionKey:                     props.PartitionKey,
		SortKey:                          props.SortKey,
		Billing:                          awsdynamodb.Billing_OnDemand(nil),
		Encryption:                       awsdynamodb.TableEncryptionV2_DynamoOwnedKey(),
		PointInTimeRecoverySpecification: recovery,
		DeletionProtection:               &props.Protect,
		// Replication reads it. It is there from the beginning, since it only changes
		// while there is one replica: a second region is one update.
		DynamoStream:  awsdynamodb.StreamViewType_NEW_AND_OLD_IMAGES,
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
		Tags:          tags(props.Tags[home]),
		Replicas:      &replicas,
	}
	if props.TimeToLive != "" {
		table.TimeToLiveAttribute = &props.TimeToLive
	}
	if len(props.Indexes) > 0 {
		table.GlobalSecondaryIndexes = &props.Indexes
	}
	if props.MultiRegionStrongConsistency {
		table.MultiRegionConsistency = awsdynamodb.MultiRegionConsistency_STRONG
	}
	if props.Witness != "" {
		table.WitnessRegion = &props.Witness
	}
	if props.Protect {
		table.RemovalPolicy = awscdk.RemovalPolicy_RETAIN
	}
	return awsdynamodb.NewTableV2(scope, &id, table)
}

// tags are a replica's own, in the order of their keys.
func tags(values map[string]string) *[]*awscdk.CfnTag {
	var list []*awscdk.CfnTag
	for _, key := range slices.Sorted(maps.Keys(values)) {
		list = append(list, &awscdk.CfnTag{Key: &key, Value: jsii.String(values[key])})
	}
	return &list
}

// Grant lets grantee make the calls called actions, such as "GetItem", of table: of an
// imported one, its replica in the stack's own region and no other. Of an index only
// "Query" and "Scan" are granted, where actions have them.
func Grant(table awsdynamodb.ITable, grantee awsiam.IGrantable, indexes, actions []string) {
	grant(grantee, *table.TableArn(), actions)
	reads := slices.DeleteFunc(slices.Clone(actions), func(action string) bool { return action != "Query" && action != "Scan" })
	for _, index := range indexes {
		if len(reads) > 0 {
			grant(grantee, *table.TableArn()+"/index/"+index, reads)
		}
	}
}

func grant(grantee awsiam.IGrantable, resource string, actions []string) {
	var qualified []*string
	for _, action := range actions {
		qualified = append(qualified, jsii.String("dynamodb:"+action))
	}
	awsiam.Grant_AddToPrincipal(&awsiam.GrantOnPrincipalOptions{
		Grantee: grantee, Actions: &qualified, ResourceArns: jsii.Strings(resource),
	}).AssertSuccess()
}
