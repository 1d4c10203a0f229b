package main

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// table tries a table with an item of the lighthouse's own: a consistent read,
// then, unless it is to be read only, a write that only holds if nobody wrote in
// between.
type table struct {
	client interface {
		GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
		UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	}
	store  setting.Store
	region string // whose item it is
	now    func() time.Time
}

// lookedAt is the attribute that a lighthouse writes: when, in nanoseconds since 1970.
const lookedAt = "lookedAt"

// lighthouseKey is that of the one item, in a table, of a region's lighthouse.
func lighthouseKey(t setting.Store, region string) map[string]types.AttributeValue {
	key := map[string]types.AttributeValue{t.PartitionKey: &types.AttributeValueMemberS{Value: setting.LighthouseItem(region)}}
	if t.SortKey != "" {
		key[t.SortKey] = &types.AttributeValueMemberS{Value: "lighthouse"}
	}
	return key
}

func (t table) try(ctx context.Context) error {
	key := lighthouseKey(t.store, t.region)
	read, err := t.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &t.store.Table, Key: key, ConsistentRead: aws.Bool(true),
	})
	if err != nil || t.store.ReadOnly {
		return err
	}
	write := &dynamodb.UpdateItemInput{
		TableName:           &t.store.Table,
		Key:                 key,
		UpdateExpression:    aws.String("SET lookedAt = :now"),
		ConditionExpression: aws.String("attribute_not_exists(lookedAt)"),
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":now": &types.AttributeValueMemberN{Value: strconv.FormatInt(t.now().UnixNano(), 10)},
		},
	}
	if before, ok := read.Item[lookedAt]; ok {
		write.ConditionExpression = aws.String("lookedAt = :before")
		write.ExpressionAttributeValues[":before"] = before
	}
	_, err = t.client.UpdateItem(ctx, write)
	// Each of the load balancer's nodes asks, so two looks may meet: the one that
	// loses has seen a table that compares and writes.
	var lost *types.ConditionalCheckFailedException
	if errors.As(err, &lost) {
		return nil
	}
	return err
}
