package dynamo

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// partition is the partition of the index that a list is.
func partition(list string) string {
	if list == "" {
		return "employees"
	}
	return "employees " + list
}

const (
	listPrefix = "list "
	notePrefix = "note "
)

// Page implements directory.Employees. It reads the index, which follows the
// table within moments.
func (s *Employees) Page(ctx context.Context, q directory.Query) (directory.Page, error) {
	part, err := q.Part()
	if err != nil {
		return directory.Page{}, err
	}
	if part.Empty() || len(part.List) > longest {
		return q.Page(nil, "", "", false), nil
	}
	limit := q.Limit + 1 // one more than the page shows whether the list goes on
	if part.Backwards {
		limit++ // who is at Before may be among them
	}
	out, err := s.client.Query(ctx, s.query(part, limit))
	if err != nil {
		return directory.Page{}, unavailable(err)
	}
	items := slices.DeleteFunc(out.Items, func(item attributes) bool { return part.Backwards && textOf(item, "gsk") == part.Before })
	more := out.LastEvaluatedKey != nil // beyond what DynamoDB returns at once
	if len(items) > q.Limit {
		items, more = items[:q.Limit], true
	}
	if len(items) == 0 {
		return q.Page(nil, "", "", false), nil
	}
	if part.Backwards {
		slices.Reverse(items)
	}
	employees := make([]directory.Employee, len(items))
	for i, item := range items {
		if employees[i], err = employeeOf(item); err != nil {
			return directory.Page{}, err
		}
	}
	return q.Page(employees, textOf(items[0], "gsk"), textOf(items[len(items)-1], "gsk"), more), nil
}

// Total implements directory.Employees. DynamoDB reads what it counts: half a read
// unit for 4 kB, so that 15,000 employees of some 300 bytes each take about 560 units,
// in five calls, each of at most 1 MB.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Other.html
func (s *Employees) Total(ctx context.Context, q directory.Query) (int, error) {
	q.After, q.Before = "", ""
	part, err := q.Part()
	if err != nil || part.Empty() || len(part.List) > longest {
		return 0, err
	}
	query := s.query(part, 0)
	query.Select = types.SelectCount
	total := 0
	for pages := dynamodb.NewQueryPaginator(s.client, query); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return 0, unavailable(err)
		}
		total += int(page.Count)
	}
	return total, nil
}

// query asks the index for part, and for limit items of it, or all where that is 0.
func (s *Employees) query(part directory.Part, limit int) *dynamodb.QueryInput {
	condition, values := "gpk = :list", attributes{":list": text(partition(part.List))}
	switch {
	case part.Before != "":
		// BETWEEN has its ends in it: what is right behind After begins it. Before is a
		// sort key only where it comes from a cursor.
		condition += " AND gsk BETWEEN :behind AND :before"
		values[":behind"], values[":before"] = text(part.After+"\x01"), text(part.Before)
	case part.After != "":
		condition += " AND gsk > :after"
		values[":after"] = text(part.After)
	}
	query := &dynamodb.QueryInput{
		TableName: &s.table, IndexName: aws.String(byName), ScanIndexForward: aws.Bool(!part.Backwards),
		KeyConditionExpression: &condition, ExpressionAttributeValues: values,
	}
	if limit > 0 {
		query.Limit = aws.Int32(int32(limit))
	}
	return query
}

// change does a change of one employee's item, then of its copies in lists. The
// note that it puts first brings Repair to the employee, should this process not
// come to the end. It returns once the item is changed: what is wrong with the
// copies then is logged.
func (s *Employees) change(ctx context.Context, id string, write func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, changeWithin)
	defer cancel()
	pk := employeePrefix + id
	note, err := s.note(ctx, pk)
	if err != nil {
		return unavailable(err)
	}
	if err := write(ctx); err != nil {
		// Unless the answer says that nothing was changed, that is not known.
		if errors.Is(err, directory.ErrConflict) || errors.Is(err, directory.ErrNotFound) {
			_ = s.forget(ctx, note) // Repair would find nothing to do
		}
		return err
	}
	// A client that goes away leaves the copies behind no more.
	deadline, _ := ctx.Deadline()
	finishing, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	defer cancel()
	if err := s.settle(finishing, pk); err != nil {
		s.Log.Warn("lists follow a change late", "employee", id, "error", err.Error())
	}
	return nil
}

// settle makes an employee's copies in lists what its item says, and the
// locations that it came to or left what their lists say.
func (s *Employees) settle(ctx context.Context, pk string) error {
	stored, err := s.collection(ctx, pk)
	if err != nil {
		return err
	}
	employee := stored[employeeSK]
	delete(stored, employeeSK)
	wanted, err := copies(employee)
	if err != nil {
		return err
	}
	var requests []types.WriteRequest
	for sk, item := range wanted {
		if !reflect.DeepEqual(stored[sk], item) {
			requests = append(requests, put(item))
		}
	}
	left := map[string]bool{}
	for sk, item := range stored {
		if wanted[sk] == nil {
			requests = append(requests, types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: key(pk, sk)}})
			left[directory.Fold(textOf(item, "location"))] = true
		}
	}
	if employee != nil {
		location := textOf(employee, "location")
		requests = append(requests, put(locationItem(location)))
		delete(left, directory.Fold(location))
	}
	for folded := range left {
		if _, err := s.note(ctx, locationPrefix+folded); err != nil {
			return err
		}
	}
	if err := s.writeAll(ctx, requests); err != nil {
		return err
	}
	for folded := range left {
		if err := s.settleLocation(ctx, folded, pk); err != nil {
			return err
		}
	}
	return nil
}

// collection returns the item of an employee and its copies, as they are now, by
// their sort keys.
func (s *Employees) collection(ctx context.Context, pk string) (map[string]attributes, error) {
	pages := dynamodb.NewQueryPaginator(s.client, &dynamodb.QueryInput{
		TableName: &s.table, ConsistentRead: aws.Bool(true),
		KeyConditionExpression:    aws.String("pk = :pk AND sk < :notes"),
		ExpressionAttributeValues: attributes{":pk": text(pk), ":notes": text(notePrefix)},
	})
	items := map[string]attributes{}
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, item := range page.Items {
			items[textOf(item, "sk")] = item
		}
	}
	return items, nil
}

// copies are the items of an employee's lists, by their sort keys, but for the
// list of all: its own item is in that. A nil employee has none. What else
// a later version of the service keeps in the item is copied, too.
func copies(employee attributes) (map[string]attributes, error) {
	items := map[string]attributes{}
	if employee == nil {
		return items, nil
	}
	e, err := employeeOf(employee)
	if err != nil {
		return nil, err
	}
	for _, list := range e.Lists() {
		if list == "" {
			continue
		}
		item := maps.Clone(employee)
		item["sk"], item["gpk"] = text(listPrefix+list), text(partition(list))
		items[listPrefix+list] = item
	}
	return items, nil
}

func put(item attributes) types.WriteRequest {
	return types.WriteRequest{PutRequest: &types.PutRequest{Item: item}}
}

// batch is how many items DynamoDB writes with one call.
const batch = 25

// writeAll writes all requests, and again what DynamoDB had no capacity for,
// until the context ends.
func (s *Employees) writeAll(ctx context.Context, requests []types.WriteRequest) error {
	for wait := 20 * time.Millisecond; len(requests) > 0; {
		some := requests[:min(batch, len(requests))]
		out, err := s.client.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{
			RequestItems: map[string][]types.WriteRequest{s.table: some},
		})
		if err != nil {
			return err
		}
		unprocessed := out.UnprocessedItems[s.table]
		requests = append(requests[len(some):], unprocessed...)
		if len(unprocessed) == 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(rand.N(wait)):
			wait = min(2*wait, time.Second)
		}
	}
	return nil
}
