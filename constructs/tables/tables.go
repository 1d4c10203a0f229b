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

// EmployeesProps configure the Employees table.
type EmployeesProps struct {
	// Name is the table's name, the same in every region. Required: a name that
	// CloudFormation made could not be known in the other regions.
	Name string
	// Regions are where it has replicas, besides the stack's own, which may be
	// among them.
	Regions []string
	// Protect retains the table and forbids its deletion. Default: false.
	Protect bool
}

// NewEmployees creates the global table of employees in scope's region, with a
// replica in each other one. Once it exists, CloudFormation adds or removes one
// replica per update.
func NewEmployees(scope constructs.Construct, id string, props EmployeesProps) awsdynamodb.TableV2 {
	home := *awscdk.Stack_Of(scope).Region()
	recovery := &awsdynamodb.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: jsii.Bool(true)}
	var replicas []*awsdynamodb.ReplicaTableProps
	for _, region := range slices.DeleteFunc(slices.Clone(props.Regions), func(r string) bool { return r == home }) {
		replicas = append(replicas, &awsdynamodb.ReplicaTableProps{
			Region:                           &region,
			DeletionProtection:               &props.Protect,
			PointInTimeRecoverySpecification: recovery,
		})
	}
	removal := awscdk.RemovalPolicy_DESTROY
	if props.Protect {
		removal = awscdk.RemovalPolicy_RETAIN
	}
	return awsdynamodb.NewTableV2(scope, &id, &awsdynamodb.TablePropsV2{
		TableName:    &props.Name,
		PartitionKey: key("pk"),
		SortKey:      key("sk"),
		// Employees in the order of their names: lists read pages of it.
		GlobalSecondaryIndexes: &[]*awsdynamodb.GlobalSecondaryIndexPropsV2{{
			IndexName:      jsii.String("byName"),
			PartitionKey:   key("gpk"),
			SortKey:        key("gsk"),
			ProjectionType: awsdynamodb.ProjectionType_ALL,
		}},
		Billing:                          awsdynamodb.Billing_OnDemand(nil),
		Encryption:                       awsdynamodb.TableEncryptionV2_DynamoOwnedKey(),
		PointInTimeRecoverySpecification: recovery,
		DeletionProtection:               &props.Protect,
		RemovalPolicy:                    removal,
		Replicas:                         &replicas,
	})
}

func key(name string) *awsdynamodb.Attribute {
	return &awsdynamodb.Attribute{Name: &name, Type: awsdynamodb.AttributeType_STRING}
}

// GrantReadWrite lets grantee read and write items of the table called name in
// scope's own region, its replica there and no other.
func GrantReadWrite(scope constructs.Construct, name string, grantee awsiam.IGrantable) {
	stack := awscdk.Stack_Of(scope)
	table := stack.FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("dynamodb"), Resource: jsii.String("table"), ResourceName: &name,
	})
	awsiam.Grant_AddToPrincipal(&awsiam.GrantOnPrincipalOptions{
		Grantee: grantee,
		Actions: jsii.Strings(
			"dynamodb:DeleteItem", "dynamodb:DescribeTable", "dynamodb:GetItem",
			"dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"),
		ResourceArns: &[]*string{table, jsii.String(*table + "/index/*")},
	}).AssertSuccess()
}
