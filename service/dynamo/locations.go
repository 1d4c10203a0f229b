package dynamo

import (
	"context"

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
	// An index has no empty keys, and what is folded may be.
	item["gsk"] = text(folded + " ")
	return item
}

// Locations implements directory.Employees.
func (s *Employees) Locations(ctx context.Context, limit int) ([]string, error) {
	out, err := s.client.Query(ctx, &dynamodb.QueryInput{
		TableName: &s.table, IndexName: aws.String(byName), Limit: aws.Int32(int32(limit)),
		KeyConditionExpression:    aws.String("gpk = :locations"),
		ExpressionAttributeValues: attributes{":locations": text(locations)},
	})
	if err != nil {
		return nil, unavailable(err)
	}
	var names []string
	for _, item := range out.Items {
		names = append(names, textOf(item, "location"))
	}
	return names, nil
}

// settleLocation keeps the location while anybody has it but the employee who
// just left it, whom the index may still show there. What it does not show yet,
// the note of the employee who came repairs.
func (s *Employees) settleLocation(ctx context.Context, folded, left string) error {
	part, err := directory.Query{Location: folded}.Part()
	if err != nil {
		return err
	}
	out, err := s.query(ctx, part, 2)
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
