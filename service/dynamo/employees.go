// Package dynamo keeps employees in a DynamoDB table, the replica of its own
// region.
package dynamo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Client are the calls that the store makes.
type Client interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
}

// byName is the index that lists read.
const byName = "byName"

// item is an employee as it is stored.
type item struct {
	PK       string   `dynamodbav:"pk"`
	SK       string   `dynamodbav:"sk"`
	GPK      string   `dynamodbav:"gpk"`
	GSK      string   `dynamodbav:"gsk"`
	ID       string   `dynamodbav:"id"`
	FullName string   `dynamodbav:"fullName"`
	Location string   `dynamodbav:"location"`
	JobTitle string   `dynamodbav:"jobTitle"`
	Badges   []string `dynamodbav:"badges"`
	// PhotoKey and PhotoRegion are absent where there is no photo.
	PhotoKey    string    `dynamodbav:"photoKey,omitempty"`
	PhotoRegion string    `dynamodbav:"photoRegion,omitempty"`
	Version     int64     `dynamodbav:"version"`
	Updated     time.Time `dynamodbav:"updated"`
}

// everyone is the partition of the index that all employees are in.
const everyone = "employees"

func keyOf(id string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		"pk": &types.AttributeValueMemberS{Value: "employee#" + id},
		"sk": &types.AttributeValueMemberS{Value: "employee"},
	}
}

func itemOf(e directory.Employee) (map[string]types.AttributeValue, error) {
	return attributevalue.MarshalMap(item{
		PK: "employee#" + e.ID, SK: "employee", GPK: everyone, GSK: e.SortKey(),
		ID: e.ID, FullName: e.FullName, Location: e.Location, JobTitle: e.JobTitle, Badges: e.Badges,
		PhotoKey: e.Photo.Key, PhotoRegion: e.Photo.Region, Version: e.Version, Updated: e.Updated,
	})
}

func employeeOf(av map[string]types.AttributeValue) (directory.Employee, error) {
	var i item
	if err := attributevalue.UnmarshalMap(av, &i); err != nil {
		return directory.Employee{}, fmt.Errorf("an item of the table is no employee: %w", err)
	}
	return directory.Employee{
		ID: i.ID, FullName: i.FullName, Location: i.Location, JobTitle: i.JobTitle, Badges: i.Badges,
		Photo:   directory.Photo{Key: i.PhotoKey, Region: i.PhotoRegion},
		Version: i.Version, Updated: i.Updated.UTC(),
	}, nil
}

// Employees is a directory.Employees in a DynamoDB table.
type Employees struct {
	client Client
	table  string
	now    func() time.Time
}

// NewEmployees returns the store in the table called table.
func NewEmployees(client Client, table string) *Employees {
	return &Employees{client: client, table: table, now: time.Now}
}

// Get implements directory.Employees.
func (s *Employees) Get(ctx context.Context, id string) (directory.Employee, error) {
	out, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.table, Key: keyOf(id), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return directory.Employee{}, unavailable(err)
	}
	if out.Item == nil {
		return directory.Employee{}, directory.ErrNotFound
	}
	return employeeOf(out.Item)
}

// Page implements directory.Employees. It reads the index of names, which
// follows the table within moments.
func (s *Employees) Page(ctx context.Context, q directory.Query) (directory.Page, error) {
	after, err := directory.SortKeyOf(q.After)
	if err != nil {
		return directory.Page{}, err
	}
	condition := "gpk = :everyone"
	values := map[string]types.AttributeValue{":everyone": &types.AttributeValueMemberS{Value: everyone}}
	if after != "" {
		condition += " AND gsk > :after"
		values[":after"] = &types.AttributeValueMemberS{Value: after}
	}
	out, err := s.client.Query(ctx, &dynamodb.QueryInput{
		TableName: &s.table, IndexName: aws.String(byName),
		KeyConditionExpression: &condition, ExpressionAttributeValues: values,
		Limit: aws.Int32(int32(q.Limit)),
	})
	if err != nil {
		return directory.Page{}, unavailable(err)
	}
	var page directory.Page
	for _, av := range out.Items {
		e, err := employeeOf(av)
		if err != nil {
			return directory.Page{}, err
		}
		page.Employees = append(page.Employees, e)
	}
	if out.LastEvaluatedKey != nil && len(page.Employees) > 0 {
		page.Next = directory.Cursor(page.Employees[len(page.Employees)-1].SortKey())
	}
	return page, nil
}

// Create implements directory.Employees.
func (s *Employees) Create(ctx context.Context, e directory.Employee) (directory.Employee, error) {
	e.Version, e.Updated = 1, s.stamp()
	return e, s.put(ctx, e, "attribute_not_exists(pk)", nil)
}

// Update implements directory.Employees.
func (s *Employees) Update(ctx context.Context, e directory.Employee) (directory.Employee, error) {
	stale, err := attributevalue.Marshal(e.Version)
	if err != nil {
		return directory.Employee{}, err
	}
	e.Version, e.Updated = e.Version+1, s.stamp()
	return e, s.put(ctx, e, "attribute_exists(pk) AND version = :stale", map[string]types.AttributeValue{":stale": stale})
}

func (s *Employees) put(ctx context.Context, e directory.Employee, condition string, values map[string]types.AttributeValue) error {
	item, err := itemOf(e)
	if err != nil {
		return err
	}
	_, err = s.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &s.table, Item: item, ConditionExpression: &condition, ExpressionAttributeValues: values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	return refused(err)
}

// refused tells a condition that failed from a store that does not answer.
func refused(err error) error {
	var failed *types.ConditionalCheckFailedException
	switch {
	case errors.As(err, &failed) && failed.Item == nil:
		return directory.ErrNotFound
	case errors.As(err, &failed):
		return directory.ErrConflict
	default:
		return unavailable(err)
	}
}

// Locations implements directory.Employees.
func (s *Employees) Locations(ctx context.Context, limit int) ([]string, error) {
	page, err := s.Page(ctx, directory.Query{Limit: limit})
	var locations []string
	for _, e := range page.Employees {
		locations = append(locations, e.Location)
	}
	slices.Sort(locations)
	return slices.Compact(locations), err
}

// Delete implements directory.Employees.
func (s *Employees) Delete(ctx context.Context, id string, version int64) error {
	condition, values := "attribute_exists(pk)", map[string]types.AttributeValue(nil)
	if version != 0 {
		condition += " AND version = :stale"
		values = map[string]types.AttributeValue{":stale": &types.AttributeValueMemberN{Value: strconv.FormatInt(version, 10)}}
	}
	_, err := s.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &s.table, Key: keyOf(id), ConditionExpression: &condition, ExpressionAttributeValues: values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	return refused(err)
}

// Ping implements directory.Employees.
func (s *Employees) Ping(ctx context.Context) error {
	_, err := s.Page(ctx, directory.Query{Limit: 1})
	return err
}

// stamp is the present, as exactly as it is stored.
func (s *Employees) stamp() time.Time { return s.now().UTC().Truncate(time.Millisecond) }

func unavailable(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", directory.ErrUnavailable, err)
}
