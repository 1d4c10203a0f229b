package dynamo

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// notes is the partition of the index that all notes are in, by the time when
// they are due.
const notes = "notes"

// dues are when what a note is about is checked, after the note or the check
// before. The first is for a process that did not come to the end, and longer
// than any call takes. The others are for regions that both changed an employee,
// or its copies, while they did not see each other: once they do, the last
// writer of each item wins, and so the items of one employee may be of both.
var dues = []time.Duration{time.Minute, time.Hour, 24 * time.Hour}

// due writes a time such that times sort as texts do.
func due(t time.Time) types.AttributeValue { return text(t.UTC().Format(time.RFC3339)) }

// note puts a note about the employee or location of pk, and returns it.
func (s *Employees) note(ctx context.Context, pk string) (attributes, error) {
	item := key(pk, notePrefix+directory.NewID())
	item["gpk"], item["gsk"], item["checks"] = text(notes), due(s.Now().Add(dues[0])), number(0)
	_, err := s.client.PutItem(ctx, &dynamodb.PutItemInput{TableName: &s.table, Item: item})
	return item, err
}

// forget removes a note.
func (s *Employees) forget(ctx context.Context, note attributes) error {
	_, err := s.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &s.table, Key: attributes{"pk": note["pk"], "sk": note["sk"]},
	})
	return err
}

// Repair makes lists and locations agree with the employees that changes left
// notes of which are due at now. Every 15 seconds is often enough, in any number
// of processes. What fails is tried again the next time.
func (s *Employees) Repair(ctx context.Context, now time.Time) error {
	pages := dynamodb.NewQueryPaginator(s.client, &dynamodb.QueryInput{
		TableName: &s.table, IndexName: aws.String(byName), Limit: aws.Int32(100),
		KeyConditionExpression:    aws.String("gpk = :notes AND gsk <= :now"),
		ExpressionAttributeValues: attributes{":notes": text(notes), ":now": due(now)},
	})
	var errs []error
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return errors.Join(append(errs, unavailable(err))...)
		}
		for _, note := range page.Items {
			if err := s.check(ctx, note, now); err != nil {
				errs = append(errs, unavailable(err))
			}
		}
	}
	return errors.Join(errs...)
}

// check does what a note asks for, and puts the note off or removes it.
func (s *Employees) check(ctx context.Context, note attributes, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, changeWithin)
	defer cancel()
	pk := textOf(note, "pk")
	var err error
	if folded, ok := strings.CutPrefix(pk, locationPrefix); ok {
		err = s.settleLocation(ctx, folded, "")
	} else {
		err = s.settle(ctx, pk)
	}
	if err != nil {
		return err
	}
	checks := 1
	if n, ok := note["checks"].(*types.AttributeValueMemberN); ok {
		if before, err := strconv.Atoi(n.Value); err == nil {
			checks += before
		}
	}
	if checks >= len(dues) {
		return s.forget(ctx, note)
	}
	_, err = s.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.table, Key: attributes{"pk": note["pk"], "sk": note["sk"]},
		UpdateExpression: aws.String("SET gsk = :due, checks = :checks"),
		// Another process may have been first.
		ConditionExpression:       aws.String("gsk = :seen"),
		ExpressionAttributeValues: attributes{":due": due(now.Add(dues[checks])), ":checks": number(int64(checks)), ":seen": note["gsk"]},
	})
	if refused(err) {
		return nil
	}
	return err
}
