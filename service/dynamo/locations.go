package dynamo

import (
	"context"
	"strings"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

const (
	locationPrefix = "location#"
	locationSK     = "location"
	// locations is the partition of the index that all locations are in.
	locations = "locations"
)

func locationItem(location string) attributes {
	folded := directory.Fold(location)
	item := key(locationPrefix+folded, locationSK)
	item["gpk"], item["location"] = text(locations), text(location)
	item["gsk"] = text(locationGSK(folded))
	return item
}

// locationGSK is the sort key of a location in the index, which has no empty keys,
// and what is folded may be.
func locationGSK(folded string) string { return folded + " " }

// Locations implements directory.Employees.
func (s *Employees) Locations(ctx context.Context, q directory.LocationQuery) (directory.LocationPage, error) {
	part, err := q.Range()
	if err != nil || len(part.After) > longest {
		return directory.LocationPage{}, err
	}
	condition, values := "gpk = :locations", attributes{":locations": text(locations)}
	from := part.From
	if part.After != "" { // no key is between that of After and what is right behind it
		from = max(from, locationGSK(part.After)+"\x01")
	}
	switch {
	case part.Before != "" && from >= part.Before:
		return directory.LocationPage{}, nil
	case part.Before != "":
		condition += " AND gsk BETWEEN :from AND :before" // no key is Before: all end in a space
		values[":from"], values[":before"] = text(from), text(part.Before)
	case from != "":
		condition += " AND gsk >= :from"
		values[":from"] = text(from)
	}
	out, err := s.client.Query(ctx, &dynamodb.QueryInput{
		TableName: &s.table, IndexName: aws.String(byName), Limit: aws.Int32(int32(q.Limit + 1)),
		KeyConditionExpression: &condition, ExpressionAttributeValues: values,
	})
	if err != nil {
		return directory.LocationPage{}, unavailable(err)
	}
	var page directory.LocationPage
	more := out.LastEvaluatedKey != nil
	if len(out.Items) > q.Limit {
		out.Items, more = out.Items[:q.Limit], true
	}
	for _, item := range out.Items {
		page.Locations = append(page.Locations, textOf(item, "location"))
		if more {
			page.Next = directory.Cursor(strings.TrimSuffix(textOf(item, "gsk"), " "))
		}
	}
	return page, nil
}

// settleLocation keeps the location while anybody has it but the employee who
// just left it, whom the index may still show there. What it does not show yet,
// the note of the employee who came repairs.
func (s *Employees) settleLocation(ctx context.Context, folded, left string) error {
	part, err := directory.Query{Location: folded}.Part()
	if err != nil {
		return err
	}
	out, err := s.client.Query(ctx, s.query(part, 2))
	if err != nil {
		return err
	}
	for _, item := range out.Items {
		if textOf(item, "pk") == left {
			continue
		}
		_, err := s.client.PutItem(ctx, &dynamodb.PutItemInput{TableName: &s.table, Item: locationItem(textOf(item, "location"))})
		return err
	}
	_, err = s.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &s.table, Key: key(locationPrefix+folded, locationSK)})
	return err
}
