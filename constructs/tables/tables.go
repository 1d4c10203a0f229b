// Package tables gives a deployment its DynamoDB global tables.
package tables

import (
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// EmployeesIndex is the index of the employees by their names.
const EmployeesIndex = "byName"

// Props configure a global table.
type Props struct {
	// Name is the table's name, the same in every region. Required: a name that
	// CloudFormation made could not be known in the other regions.
	Name string
	// Regions are where it has replicas, besides the stack's own, which may be
	// among them.
	Regions []string
	// MultiRegionStrongConsistency makes each write of employees in two regions before it is answered.
	// It takes three regions of one set, or two and Witness, and stays for the
	// table's life. Default: false, writes replicate within about a second.
	MultiRegionStrongConsistency bool
	// Witness is the region of a strong table that keeps its log and no replica.
	// Default: none.
	Witness string
	// Protect forbids the table's deletion, and retains it if it holds what is
	// worth keeping. Default: false.
	Protect bool
}

// NewEmployees creates the global table of employees and accounts in scope's
// region, with a replica in each other one. Once it exists, CloudFormation adds
// or removes one replica of an eventual table per update, and none of a strong
// one.
func NewEmployees(scope constructs.Construct, id string, props Props) awsdynamodb.TableV2 {
	table := props.table(scope, true)
	// Employees in the order of their names: lists read pages of it.
	table.GlobalSecondaryIndexes = &[]*awsdynamodb.GlobalSecondaryIndexPropsV2{{
		IndexName:      jsii.String(EmployeesIndex),
		PartitionKey:   key("gpk"),
		SortKey:        key("gsk"),
		ProjectionType: awsdynamodb.ProjectionType_ALL,
	}}
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

// NewSessions creates the global table of sessions, counts and heartbeats, as
// NewEmployees does that of employees. Nothing in it is worth recovering:
// a user who loses a session signs in again.
func NewSessions(scope constructs.Construct, id string, props Props) awsdynamodb.TableV2 {
	table := props.table(scope, false)
	table.TimeToLiveAttribute = jsii.String("expires")
	return awsdynamodb.NewTableV2(scope, &id, table)
}

// table is what the tables have in common.
func (p Props) table(scope constructs.Construct, recoverable bool) *awsdynamodb.TablePropsV2 {
	home := *awscdk.Stack_Of(scope).Region()
	recovery := &awsdynamodb.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: &recoverable}
	var replicas []*awsdynamodb.ReplicaTableProps
	for _, region := range slices.DeleteFunc(slices.Clone(p.Regions), func(r string) bool { return r == home }) {
		replicas = append(replicas, &awsdynamodb.ReplicaTableProps{
			Region:                           &region,
			DeletionProtection:               &p.Protect,
			PointInTimeRecoverySpecification: recovery,
		})
	}
	return &awsdynamodb.TablePropsV2{
		TableName:                        &p.Name,
		PartitionKey:                     key("pk"),
		SortKey:                          key("sk"),
		Billing:                          awsdynamodb.Billing_OnDemand(nil),
		Encryption:                       awsdynamodb.TableEncryptionV2_DynamoOwnedKey(),
		PointInTimeRecoverySpecification: recovery,
		DeletionProtection:               &p.Protect,
		RemovalPolicy:                    awscdk.RemovalPolicy_DESTROY,
		Replicas:                         &replicas,
	}
}

func key(name string) *awsdynamodb.Attribute {
	return &awsdynamodb.Attribute{Name: &name, Type: awsdynamodb.AttributeType_STRING}
}

// GrantEmployees lets grantee keep employees and accounts in the table called
// name in scope's own region, its replica there and no other.
func GrantEmployees(scope constructs.Construct, name string, grantee awsiam.IGrantable) {
	table := arn(scope, name)
	grant(grantee, table, "DeleteItem", "GetItem", "PutItem", "UpdateItem", "BatchWriteItem", "Query")
	grant(grantee, table+"/index/"+EmployeesIndex, "Query")
}

// GrantSessions lets grantee keep sessions in the table called name in scope's
// own region, its replica there and no other.
func GrantSessions(scope constructs.Construct, name string, grantee awsiam.IGrantable) {
	grant(grantee, arn(scope, name), "DeleteItem", "GetItem", "PutItem", "UpdateItem", "Query")
}

func arn(scope constructs.Construct, name string) string {
	return *awscdk.Stack_Of(scope).FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("dynamodb"), Resource: jsii.String("table"), ResourceName: &name,
	})
}

func grant(grantee awsiam.IGrantable, resource string, calls ...string) {
	var actions []*string
	for _, call := range calls {
		actions = append(actions, jsii.String("dynamodb:"+call))
	}
	awsiam.Grant_AddToPrincipal(&awsiam.GrantOnPrincipalOptions{
		Grantee: grantee, Actions: &actions, ResourceArns: jsii.Strings(resource),
	}).AssertSuccess()
}
