package dynamo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// heartbeats is the partition key of all heartbeats, whose sort key is the
// region.
const heartbeats = "heartbeats"

// Sessions is a directory.Sessions in a DynamoDB table of its own, with the keys
// pk and sk. DynamoDB removes an item some time, days even, after the second in
// its attribute expires.
type Sessions struct {
	// Now returns the present. Default: time.Now.
	Now func() time.Time

	client Client
	table  string
}

// NewSessions returns the store in the table called table.
func NewSessions(client Client, table string) *Sessions {
	return &Sessions{Now: time.Now, client: client, table: table}
}

// seconds is t in the whole seconds that DynamoDB wants, the next one where t is
// between two.
func seconds(t time.Time) int64 { return t.Add(time.Second - 1).Unix() }

func sessionKey(hash string) attributes { return key("session#"+hash, "session") }

// PutSession implements directory.Sessions. Of expiry it keeps seconds.
func (s *Sessions) PutSession(ctx context.Context, key string, data []byte, expiry time.Time) error {
	item := sessionKey(key)
	item["data"], item["expires"] = &types.AttributeValueMemberB{Value: data}, number(seconds(expiry))
	_, err := s.client.PutItem(ctx, &dynamodb.PutItemInput{TableName: &s.table, Item: item})
	return unavailable(err)
}

// Session implements directory.Sessions.
func (s *Sessions) Session(ctx context.Context, key string) ([]byte, error) {
	out, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.table, Key: sessionKey(key), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return nil, unavailable(err)
	}
	var stored struct {
		Data    []byte `dynamodbav:"data"`
		Expires int64  `dynamodbav:"expires"`
	}
	if err := attributevalue.UnmarshalMap(out.Item, &stored); err != nil {
		return nil, fmt.Errorf("decode session item: %w", err)
	}
	if s.Now().Unix() >= stored.Expires { // so it is where there is no item
		return nil, directory.ErrNotFound
	}
	return stored.Data, nil
}

// DeleteSession implements directory.Sessions.
func (s *Sessions) DeleteSession(ctx context.Context, key string) error {
	_, err := s.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &s.table, Key: sessionKey(key)})
	return unavailable(err)
}

// Count implements directory.Sessions. Counts of one key in two regions at once
// may miss each other.
func (s *Sessions) Count(ctx context.Context, name string, window time.Duration) (int64, error) {
	pk, end := countKey(name, window, s.Now())
	out, err := s.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.table, Key: key(pk, "count"),
		UpdateExpression:         aws.String("ADD #count :one SET expires = :end"),
		ExpressionAttributeNames: map[string]string{"#count": "count"},
		ExpressionAttributeValues: attributes{
			":one": number(1), ":end": number(seconds(end)),
		},
		ReturnValues: types.ReturnValueUpdatedNew,
	})
	if err != nil {
		return 0, unavailable(err)
	}
	var stored struct {
		Count int64 `dynamodbav:"count"`
	}
	if err := attributevalue.UnmarshalMap(out.Attributes, &stored); err != nil {
		return 0, fmt.Errorf("decode count item: %w", err)
	}
	return stored.Count, nil
}

// Counted implements directory.Sessions.
func (s *Sessions) Counted(ctx context.Context, name string, window time.Duration) (int64, error) {
	pk, _ := countKey(name, window, s.Now())
	out, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.table, Key: key(pk, "count"), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return 0, unavailable(err)
	}
	var stored struct {
		Count int64 `dynamodbav:"count"`
	}
	if err := attributevalue.UnmarshalMap(out.Item, &stored); err != nil {
		return 0, fmt.Errorf("decode count item: %w", err)
	}
	return stored.Count, nil
}

// countKey is the key of the item that counts name now: a window has an item of
// its own, which is over when the window is.
func countKey(name string, window time.Duration, now time.Time) (pk string, end time.Time) {
	n := now.UnixNano() / int64(window)
	return fmt.Sprintf("count#%s#%s#%d", name, window, n), time.Unix(0, (n+1)*int64(window))
}

// erasures is the partition key of all erasures, whose sort key is their time and
// the photo's key.
const erasures = "erasures"

// erasureTime writes a time, in whole milliseconds, such that times sort as texts
// do.
const erasureTime = "2006-01-02T15:04:05.000Z"

// PutErasure implements directory.Sessions.
func (s *Sessions) PutErasure(ctx context.Context, e directory.Erasure) error {
	item := key(erasures, e.At.UTC().Format(erasureTime)+" "+e.Key)
	item["expires"] = number(seconds(e.At.Add(directory.ErasuresWithin)))
	_, err := s.client.PutItem(ctx, &dynamodb.PutItemInput{TableName: &s.table, Item: item})
	return unavailable(err)
}

// Erasures implements directory.Sessions.
func (s *Sessions) Erasures(ctx context.Context, since time.Time) ([]directory.Erasure, error) {
	if day := s.Now().Add(-directory.ErasuresWithin); since.Before(day) {
		since = day
	}
	pages := dynamodb.NewQueryPaginator(s.client, &dynamodb.QueryInput{
		TableName: &s.table, KeyConditionExpression: aws.String("pk = :erasures AND sk > :since"),
		// What is behind the keys of since's own millisecond: a space is before it.
		ExpressionAttributeValues: attributes{":erasures": text(erasures), ":since": text(since.UTC().Format(erasureTime) + "!")},
	})
	var all []directory.Erasure
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, unavailable(err)
		}
		for _, item := range page.Items {
			at, photo, _ := strings.Cut(textOf(item, "sk"), " ")
			asked, err := time.Parse(erasureTime, at)
			if err != nil {
				return nil, fmt.Errorf("decode erasure item: %w", err)
			}
			all = append(all, directory.Erasure{Key: photo, At: asked})
		}
	}
	return all, nil
}

// heartbeatItem is a heartbeat as it is stored.
type heartbeatItem struct {
	PK       string    `dynamodbav:"pk"`
	SK       string    `dynamodbav:"sk"`
	Zone     string    `dynamodbav:"zone"`
	Instance string    `dynamodbav:"instance"`
	Version  string    `dynamodbav:"version"`
	At       time.Time `dynamodbav:"at"`
	Expires  int64     `dynamodbav:"expires"`
}

// PutHeartbeat implements directory.Sessions.
func (s *Sessions) PutHeartbeat(ctx context.Context, h directory.Heartbeat) error {
	item, err := attributevalue.MarshalMap(heartbeatItem{
		PK: heartbeats, SK: h.Region, Zone: h.Zone, Instance: h.Instance, Version: h.Version,
		At: h.At.UTC(), Expires: seconds(h.At.Add(directory.HeartbeatsWithin)),
	})
	if err != nil {
		return err
	}
	_, err = s.client.PutItem(ctx, &dynamodb.PutItemInput{TableName: &s.table, Item: item})
	return unavailable(err)
}

// Heartbeats implements directory.Sessions.
func (s *Sessions) Heartbeats(ctx context.Context) ([]directory.Heartbeat, error) {
	out, err := s.client.Query(ctx, &dynamodb.QueryInput{
		TableName: &s.table, KeyConditionExpression: aws.String("pk = :heartbeats"),
		ExpressionAttributeValues: attributes{":heartbeats": text(heartbeats)},
	})
	if err != nil {
		return nil, unavailable(err)
	}
	var all []directory.Heartbeat
	for _, stored := range out.Items {
		var i heartbeatItem
		if err := attributevalue.UnmarshalMap(stored, &i); err != nil {
			return nil, fmt.Errorf("decode heartbeat item: %w", err)
		}
		if i.At.After(s.Now().Add(-directory.HeartbeatsWithin)) {
			all = append(all, directory.Heartbeat{Region: i.SK, Zone: i.Zone, Instance: i.Instance, Version: i.Version, At: i.At.UTC()})
		}
	}
	return all, nil
}
