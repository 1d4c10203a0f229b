// Package dynamo keeps employees, accounts and sessions in DynamoDB tables, the
// replicas of its own region.
//
// The table of employees and accounts has the keys pk and sk and the index
// byName with the keys gpk and gsk. Its items:
//
//	pk            sk           gpk               gsk
//	employee#ID   employee     employees         sort key   an employee, in the list of all
//	employee#ID   list NAME    employees NAME    sort key   its copy in another list
//	employee#ID   note TOKEN   notes             time       to check its copies then
//	location#KEY  location     locations         KEY        a location that somebody has
//	location#KEY  note TOKEN   notes             time       to check then whether anybody has
//	account#NAME  account      accounts          NAME       an account
//
// A page of a list is one query of the index, and its total one that reads all of it.
package dynamo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Client are the calls that the stores make.
type Client interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	BatchWriteItem(context.Context, *dynamodb.BatchWriteItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchWriteItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
}

// byName is the index that lists read.
const byName = "byName"

// longest is how long a part of a key may be, in bytes: DynamoDB refuses longer
// ones, so there are none. Its own limit is 1024 for sort keys.
const longest = 1000

// attributes are an item as it is stored.
type attributes = map[string]types.AttributeValue

func key(pk, sk string) attributes { return attributes{"pk": text(pk), "sk": text(sk)} }

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

// textOf returns the text of an attribute, or "" where it has none.
func textOf(item attributes, name string) string {
	if s, ok := item[name].(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

// updateOf is the update that gives an item the attributes of item, takes those
// called optional from it that item lacks, and leaves all others.
func updateOf(table string, item attributes, optional ...string) *dynamodb.UpdateItemInput {
	names, values := map[string]string{}, attributes{}
	var set, remove []string
	for i, name := range slices.Sorted(maps.Keys(item)) {
		if name == "pk" || name == "sk" {
			continue
		}
		n, v := fmt.Sprint("#s", i), fmt.Sprint(":s", i)
		names[n], values[v] = name, item[name]
		set = append(set, n+" = "+v)
	}
	for i, name := range optional {
		if item[name] == nil {
			n := fmt.Sprint("#r", i)
			names[n] = name
			remove = append(remove, n)
		}
	}
	expression := "SET " + strings.Join(set, ", ")
	if len(remove) > 0 {
		expression += " REMOVE " + strings.Join(remove, ", ")
	}
	return &dynamodb.UpdateItemInput{
		TableName: &table, Key: attributes{"pk": item["pk"], "sk": item["sk"]},
		UpdateExpression: &expression, ExpressionAttributeNames: names, ExpressionAttributeValues: values,
	}
}

// refused reports whether a call's condition did not hold.
func refused(err error) bool {
	var failed *types.ConditionalCheckFailedException
	return errors.As(err, &failed)
}

// unavailable is what a call that failed means: that the table cannot be used, or where
// another region wrote the same item of a strong table at once, a conflict.
func unavailable(err error) error {
	if err == nil {
		return nil
	}
	var conflict *types.ReplicatedWriteConflictException
	if errors.As(err, &conflict) {
		return fmt.Errorf("%w: %w", directory.ErrConflict, err)
	}
	return fmt.Errorf("%w: %w", directory.ErrUnavailable, err)
}
