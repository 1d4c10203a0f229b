package dynamo

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"strconv"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// changeWithin bounds a change from its note to its last call, whatever the
// context allows. It is far shorter than a note waits.
const changeWithin = 10 * time.Second

// item is an employee as it is stored.
type item struct {
	PK       string `dynamodbav:"pk"`
	SK       string `dynamodbav:"sk"`
	GPK      string `dynamodbav:"gpk"`
	GSK      string `dynamodbav:"gsk"`
	ID       string `dynamodbav:"id"`
	FullName string `dynamodbav:"fullName"`
	Location string `dynamodbav:"location"`
	JobTitle string `dynamodbav:"jobTitle"`
	// From here to PhotoRegion are optionalAttributes.
	Badges      []string  `dynamodbav:"badges,omitempty"`
	PhotoKey    string    `dynamodbav:"photoKey,omitempty"`
	Thumbnail   string    `dynamodbav:"thumbnail,omitempty"`
	PhotoWidth  int       `dynamodbav:"photoWidth,omitempty"`
	PhotoHeight int       `dynamodbav:"photoHeight,omitempty"`
	PhotoRegion string    `dynamodbav:"photoRegion,omitempty"`
	Version     int64     `dynamodbav:"version"`
	Updated     time.Time `dynamodbav:"updated"`
}

// optionalAttributes are absent from an item that has none.
var optionalAttributes = []string{"badges", "photoKey", "thumbnail", "photoWidth", "photoHeight", "photoRegion"}

const (
	employeePrefix = "employee#"
	// employeeSK is the sort key of the employee itself, which is before those of
	// its copies, and they are before those of its notes.
	employeeSK = "employee"
)

func keyOf(id string) attributes { return key(employeePrefix+id, employeeSK) }

func itemOf(e directory.Employee) (attributes, error) {
	if len(e.Badges) == 0 {
		e.Badges = nil // absent
	}
	return attributevalue.MarshalMap(item{
		PK: employeePrefix + e.ID, SK: employeeSK, GPK: partition(""), GSK: e.SortKey(),
		ID: e.ID, FullName: e.FullName, Location: e.Location, JobTitle: e.JobTitle, Badges: e.Badges,
		PhotoKey: e.Photo.Key, Thumbnail: e.Photo.Thumbnail, PhotoWidth: e.Photo.Width, PhotoHeight: e.Photo.Height,
		PhotoRegion: e.Photo.Region, Version: e.Version, Updated: e.Updated,
	})
}

func employeeOf(stored attributes) (directory.Employee, error) {
	var i item
	if err := attributevalue.UnmarshalMap(stored, &i); err != nil {
		return directory.Employee{}, fmt.Errorf("decode employee item: %w", err)
	}
	return directory.Employee{
		ID: i.ID, FullName: i.FullName, Location: i.Location, JobTitle: i.JobTitle, Badges: i.Badges,
		Photo: directory.Photo{
			Key: i.PhotoKey, Thumbnail: i.Thumbnail, Width: i.PhotoWidth, Height: i.PhotoHeight, Region: i.PhotoRegion,
		},
		Version: i.Version, Updated: i.Updated.UTC(),
	}, nil
}

// Employees is a directory.Employees in a DynamoDB table. A change of an employee
// is acknowledged once its item is written; its copies in lists follow at once,
// or else with Repair, which is to be called again and again.
type Employees struct {
	// Now returns the present. Default: time.Now.
	Now func() time.Time
	// Log takes what was left to Repair. Default: slog.Default().
	Log *slog.Logger

	client Client
	table  string
}

// NewEmployees returns the store in the table called table.
func NewEmployees(client Client, table string) *Employees {
	return &Employees{Now: time.Now, Log: slog.Default(), client: client, table: table}
}

// Get implements directory.Employees.
func (s *Employees) Get(ctx context.Context, id string) (directory.Employee, error) {
	if !directory.ValidID(id) {
		return directory.Employee{}, directory.ErrNotFound
	}
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

// Create implements directory.Employees.
func (s *Employees) Create(ctx context.Context, e directory.Employee) (directory.Employee, error) {
	e.Version, e.Updated = 1, s.stamp()
	item, err := itemOf(e)
	if err != nil {
		return directory.Employee{}, err
	}
	return e, s.change(ctx, e.ID, func(ctx context.Context) error {
		_, err := s.client.PutItem(ctx, &dynamodb.PutItemInput{
			TableName: &s.table, Item: item, ConditionExpression: aws.String("attribute_not_exists(pk)"),
		})
		if refused(err) {
			return s.unless(ctx, e)
		}
		return unavailable(err)
	})
}

// Update implements directory.Employees.
func (s *Employees) Update(ctx context.Context, e directory.Employee) (directory.Employee, error) {
	if !directory.ValidID(e.ID) {
		return directory.Employee{}, directory.ErrNotFound
	}
	stale := e.Version
	e.Version, e.Updated = stale+1, s.stamp()
	item, err := itemOf(e)
	if err != nil {
		return directory.Employee{}, err
	}
	update := updateOf(s.table, item, optionalAttributes...)
	update.ConditionExpression = aws.String("version = :stale")
	update.ExpressionAttributeValues[":stale"] = number(stale)
	return e, s.change(ctx, e.ID, func(ctx context.Context) error {
		_, err := s.client.UpdateItem(ctx, update)
		if refused(err) {
			return s.unless(ctx, e)
		}
		return unavailable(err)
	})
}

// unless returns nil if e is what is stored, else why it was refused: a call
// whose answer is lost is repeated, and then meets its own change.
func (s *Employees) unless(ctx context.Context, e directory.Employee) error {
	stored, err := s.Get(ctx, e.ID)
	if err != nil {
		return err
	}
	have, err := itemOf(stored)
	if err != nil {
		return err
	}
	want, err := itemOf(e)
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(have, want) {
		return directory.ErrConflict
	}
	return nil
}

// Delete implements directory.Employees.
func (s *Employees) Delete(ctx context.Context, id string, version int64) error {
	if !directory.ValidID(id) {
		return directory.ErrNotFound
	}
	condition, values := "attribute_exists(pk)", attributes(nil)
	if version != 0 {
		condition, values = "version = :stale", attributes{":stale": number(version)}
	}
	return s.change(ctx, id, func(ctx context.Context) error {
		_, err := s.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
			TableName: &s.table, Key: keyOf(id), ConditionExpression: &condition, ExpressionAttributeValues: values,
		})
		if !refused(err) {
			return unavailable(err)
		}
		if _, err := s.Get(ctx, id); err != nil {
			return err
		}
		return directory.ErrConflict
	})
}

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

// Ping implements directory.Employees.
func (s *Employees) Ping(ctx context.Context) error {
	_, err := s.Page(ctx, directory.Query{Limit: 1})
	return err
}

// stamp is the present, as exactly as it is stored.
func (s *Employees) stamp() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }
