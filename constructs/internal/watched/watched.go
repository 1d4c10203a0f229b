// Package watched is the tables and buckets that an island cannot work without, as
// constructs are given them and tell their programs of them.
package watched

import (
	"encoding/json"
	"fmt"

	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
)

// Store is a table or a bucket of the island's region, of which the lighthouse
// reads and writes an item or object of its own, and instances read one.
type Store struct {
	// Part is what reports call it, such as "table orders". Required.
	Part string `required:"true"`
	// Table is a table whose keys are strings, the attributes PartitionKey and, where
	// it has one, SortKey. Required, if not Bucket is.
	Table                 awsdynamodb.ITable
	PartitionKey, SortKey string
	// Bucket is a bucket.
	Bucket awss3.IBucket
	// ReadOnly has it read and not written. Default: false.
	ReadOnly bool
}

// Check panics with one sentence, that begins with construct, where one of the stores in
// the field of its props has neither a table with its key nor a bucket.
func Check(construct, field string, stores []Store) {
	for i, s := range stores {
		if (s.Table == nil || s.PartitionKey == "") && s.Bucket == nil {
			panic(fmt.Sprintf("%s: want a Table with its PartitionKey, or a Bucket, in %s[%d]", construct, field, i))
		}
	}
}

// PulseTable is the store that takes the pulse of the fleet, nil where none does.
func PulseTable(stores []Store) *Store {
	table, ok := setting.PulseTable(settings(stores))
	for i := range stores {
		if ok && stores[i].Part == table.Part {
			return &stores[i]
		}
	}
	return nil
}

// Setting is the value of setting.Watched.
func Setting(stores []Store) string {
	if len(stores) == 0 {
		return ""
	}
	b, err := json.Marshal(settings(stores))
	if err != nil {
		panic(err) // strings and booleans
	}
	return string(b)
}

func settings(stores []Store) []setting.Store {
	var list []setting.Store
	for _, s := range stores {
		told := setting.Store{Part: s.Part, PartitionKey: s.PartitionKey, SortKey: s.SortKey, ReadOnly: s.ReadOnly}
		if s.Table != nil {
			told.Table = *s.Table.TableName()
		} else {
			told.Bucket = *s.Bucket.BucketName()
		}
		list = append(list, told)
	}
	return list
}

// GrantItem lets role make the calls called actions of one item of the store's table,
// whatever its sort key.
func (s Store) GrantItem(role awsiam.Role, partitionKey string, actions ...string) {
	s.GrantItems(role, []string{partitionKey}, actions...)
}

// GrantItems is GrantItem of several.
func (s Store) GrantItems(role awsiam.Role, partitionKeys []string, actions ...string) {
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings(actions...),
		Resources: &[]*string{s.Table.TableArn()},
		Conditions: &map[string]any{
			"ForAllValues:StringEquals": map[string]any{"dynamodb:LeadingKeys": partitionKeys},
		},
	}))
}

// GrantObject lets role make the calls called actions of the lighthouse's object in
// the store's bucket.
func (s Store) GrantObject(role awsiam.Role, region string, actions ...string) {
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings(actions...),
		Resources: &[]*string{s.Bucket.ArnForObjects(jsii.String(setting.LighthouseObject(region)))},
	}))
}

// GrantList lets role list the store's bucket: S3 says that an object is missing to who
// may list, and that it is forbidden to others.
func (s Store) GrantList(role awsiam.Role) {
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings("s3:ListBucket"),
		Resources: &[]*string{s.Bucket.BucketArn()},
	}))
}
