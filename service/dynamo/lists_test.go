package dynamo_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/dynamo"
	"github.com/archipelago-cdk/archipelago/service/storetest"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// quiet returns the store without its log.
func quiet(client dynamo.Client, table string) *dynamo.Employees {
	s := dynamo.NewEmployees(client, table)
	s.Log = slog.New(slog.DiscardHandler)
	return s
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func valueOf(av types.AttributeValue) string {
	s, ok := av.(*types.AttributeValueMemberS)
	if !ok {
		return ""
	}
	return s.Value
}

// items are all of a table, by their keys.
func items(t *testing.T, client *dynamodb.Client, table string) map[[2]string]map[string]types.AttributeValue {
	t.Helper()
	all := map[[2]string]map[string]types.AttributeValue{}
	pages := dynamodb.NewScanPaginator(client, &dynamodb.ScanInput{TableName: &table, ConsistentRead: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Items {
			all[[2]string{valueOf(item["pk"]), valueOf(item["sk"])}] = item
		}
	}
	return all
}

// notes are how many notes a table has.
func notes(t *testing.T, client *dynamodb.Client, table string) int {
	t.Helper()
	n := 0
	for _, item := range items(t, client, table) {
		if valueOf(item["gpk"]) == "notes" {
			n++
		}
	}
	return n
}

// everybody are the employees of these ids that there are.
func everybody(t *testing.T, s directory.Employees, ids ...string) []directory.Employee {
	t.Helper()
	var all []directory.Employee
	for _, id := range ids {
		e, err := s.Get(t.Context(), id)
		if errors.Is(err, directory.ErrNotFound) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// through returns a client of the same service whose requests go through do.
func through(client *dynamodb.Client, do func(*http.Request) (*http.Response, error)) *dynamodb.Client {
	o := client.Options()
	o.HTTPClient = doer(do)
	o.RetryMaxAttempts = 1
	return dynamodb.New(o)
}

type doer func(*http.Request) (*http.Response, error)

func (do doer) Do(r *http.Request) (*http.Response, error) { return do(r) }

var errDown = errors.New("the network is down")

// TestEveryCrashIsRepaired ends the network after each call of each change. What
// was acknowledged is there, what was not is as before or as after, and once the
// notes are due all lists agree.
func TestEveryCrashIsRepaired(t *testing.T) {
	client := dynalite(t)
	ada := directory.Employee{ID: "ada", FullName: "Josefa", Location: "Lisbon", JobTitle: "Pilot", Badges: []string{"linux", "apple"}}
	changed := directory.Employee{ID: "ada", FullName: "Zoë", Location: "Porto", JobTitle: "Pilot", Badges: []string{"linux", "camera"}, Version: 1}
	changes := map[string]struct {
		exists bool
		do     func(context.Context, directory.Employees) error
		done   func([]directory.Employee) bool
	}{
		"create": {false, func(ctx context.Context, s directory.Employees) error {
			_, err := s.Create(ctx, ada)
			return err
		}, func(all []directory.Employee) bool { return len(all) == 1 }},
		"update": {true, func(ctx context.Context, s directory.Employees) error {
			_, err := s.Update(ctx, changed)
			return err
		}, func(all []directory.Employee) bool { return len(all) == 1 && all[0].Version == 2 }},
		"delete": {true, func(ctx context.Context, s directory.Employees) error {
			return s.Delete(ctx, "ada", 1)
		}, func(all []directory.Employee) bool { return len(all) == 0 }},
	}
	for name, change := range changes {
		for _, lost := range []string{"request", "answer"} {
			whole := false
			for calls := int64(0); !whole; calls++ {
				t.Run(fmt.Sprintf("%s/%s-%d", name, lost, calls), func(t *testing.T) {
					table := newTable(t, client, true)
					s := quiet(client, table)
					if change.exists {
						if _, err := s.Create(t.Context(), ada); err != nil {
							t.Fatal(err)
						}
					}
					var made atomic.Int64
					broken := quiet(through(client, func(r *http.Request) (*http.Response, error) {
						n := made.Add(1)
						if n > calls && (lost == "request" || n > calls+1) {
							return nil, errDown
						}
						res, err := http.DefaultClient.Do(r)
						if n > calls && err == nil {
							_, _ = io.Copy(io.Discard, res.Body)
							res.Body.Close()
							return nil, errDown
						}
						return res, err
					}), table)
					err := change.do(t.Context(), broken)
					whole = made.Load() <= calls
					if err != nil && !errors.Is(err, directory.ErrUnavailable) {
						t.Errorf("got error %v, want %v", err, directory.ErrUnavailable)
					}
					if whole && err != nil {
						t.Errorf("with a network that holds the change fails: %v", err)
					}
					all := everybody(t, s, "ada")
					if err == nil && !change.done(all) {
						t.Errorf("what was acknowledged is lost: %+v", all)
					}
					if err := s.Repair(t.Context(), time.Now().Add(2*time.Minute)); err != nil {
						t.Fatal(err)
					}
					if again := everybody(t, s, "ada"); !reflect.DeepEqual(all, again) {
						t.Errorf("the repair changed the employee from %+v to %+v", all, again)
					}
					storetest.CompareLists(t, s, all)
				})
			}
		}
	}
}

// TestNotesWaitAndGo: a change that still runs is not disturbed, and notes do
// not pile up.
func TestNotesWaitAndGo(t *testing.T) {
	client := dynalite(t)
	table := newTable(t, client, true)
	s := quiet(client, table)
	now := time.Now()
	e := directory.Employee{ID: "ada", FullName: "Ada", Location: "Lisbon", JobTitle: "Pilot"}
	if _, err := s.Create(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if got := notes(t, client, table); got != 1 {
		t.Errorf("a change left %d notes, want 1", got)
	}
	// A copy that no change made: the repair shows by its going.
	stray := items(t, client, table)[[2]string{"employee#ada", "employee"}]
	stray["sk"], stray["gpk"] = text("list linux"), text("employees linux")
	for _, test := range []struct {
		after    time.Duration
		repaired bool
		notes    int
	}{
		{30 * time.Second, false, 1}, {2 * time.Minute, true, 1}, {30 * time.Minute, false, 1},
		{2 * time.Hour, true, 1}, {20 * time.Hour, false, 1}, {27 * time.Hour, true, 0},
	} {
		if _, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: stray}); err != nil {
			t.Fatal(err)
		}
		if err := s.Repair(t.Context(), now.Add(test.after)); err != nil {
			t.Fatal(err)
		}
		page, err := s.Page(t.Context(), directory.Query{Badge: "linux", Limit: 1})
		if err != nil || (len(page.Employees) == 0) != test.repaired {
			t.Errorf("after %s the list is %+v, %v; want it repaired: %t", test.after, page, err, test.repaired)
		}
		if got := notes(t, client, table); got != test.notes {
			t.Errorf("after %s there are %d notes, want %d", test.after, got, test.notes)
		}
	}
}

func TestRefusedChangesLeaveNoNotes(t *testing.T) {
	client := dynalite(t)
	table := newTable(t, client, true)
	s := quiet(client, table)
	e := directory.Employee{ID: "ada", FullName: "Ada", Location: "Lisbon", JobTitle: "Pilot", Version: 1}
	if _, err := s.Update(t.Context(), e); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("got error %v, want %v", err, directory.ErrNotFound)
	}
	if err := s.Delete(t.Context(), "ada", 0); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("got error %v, want %v", err, directory.ErrNotFound)
	}
	if got := items(t, client, table); len(got) != 0 {
		t.Errorf("the table has %v", got)
	}
}

// TestRegionsThatChangeOneEmployeeAgree lets two regions change the same
// employees while they do not see each other. Then the last writer of each item
// wins, and which one that is differs from item to item.
func TestRegionsThatChangeOneEmployeeAgree(t *testing.T) {
	client := dynalite(t)
	seeds := uint64(3)
	if *all {
		seeds = 15
	}
	for seed := range seeds {
		random := rand.New(rand.NewPCG(seed, 0))
		ids := []string{"a", "b", "c"}
		somebody := func(id string) directory.Employee {
			e := directory.Employee{ID: id, JobTitle: "Pilot"}
			e.FullName = []string{"Jo", "José", "Zoë"}[random.IntN(3)]
			e.Location = []string{"Lisbon", "LISBON", "Porto"}[random.IntN(3)]
			e.Badges = [][]string{nil, {"apple"}, {"linux"}, {"apple", "linux"}}[random.IntN(4)]
			return e
		}
		here, there := newTable(t, client, true), newTable(t, client, true)
		now := time.Now()
		for _, id := range ids {
			if _, err := quiet(client, here).Create(t.Context(), somebody(id)); err != nil {
				t.Fatal(err)
			}
		}
		before := items(t, client, here)
		replace(t, client, there, before)
		for _, table := range []string{here, there} {
			s := quiet(client, table)
			for _, id := range ids {
				e := somebody(id)
				e.Version = 1
				var err error
				if random.IntN(4) == 0 {
					err = s.Delete(t.Context(), id, 1)
				} else {
					_, err = s.Update(t.Context(), e)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			// Each region repairs what it sees.
			if err := s.Repair(t.Context(), now.Add(2*time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		a, b := items(t, client, here), items(t, client, there)
		merged := map[[2]string]map[string]types.AttributeValue{}
		keys := map[[2]string]bool{}
		for _, all := range []map[[2]string]map[string]types.AttributeValue{before, a, b} {
			for k := range all {
				keys[k] = true
			}
		}
		for _, k := range slices.SortedFunc(maps.Keys(keys), func(x, y [2]string) int { return slices.Compare(x[:], y[:]) }) {
			winner := a[k]
			changedHere, changedThere := !reflect.DeepEqual(a[k], before[k]), !reflect.DeepEqual(b[k], before[k])
			if changedThere && (!changedHere || random.IntN(2) == 0) {
				winner = b[k]
			}
			if winner != nil {
				merged[k] = winner
			}
		}
		replace(t, client, here, merged)
		s := quiet(client, here)
		all := everybody(t, s, ids...)
		if err := s.Repair(t.Context(), now.Add(2*time.Hour)); err != nil {
			t.Fatal(err)
		}
		storetest.CompareLists(t, s, all)
		for days := range 4 { // a repair of a location leaves a note about it
			if err := s.Repair(t.Context(), now.Add(time.Duration(2+2*days)*24*time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		storetest.CompareLists(t, s, all)
		if got := notes(t, client, here); got != 0 {
			t.Errorf("%d notes are left", got)
		}
		if t.Failed() {
			t.Fatalf("so it is with seed %d", seed)
		}
	}
}

// replace makes a table's items those of want.
func replace(t *testing.T, client *dynamodb.Client, table string, want map[[2]string]map[string]types.AttributeValue) {
	t.Helper()
	for k := range items(t, client, table) {
		if want[k] == nil {
			_, err := client.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{
				TableName: &table, Key: map[string]types.AttributeValue{"pk": text(k[0]), "sk": text(k[1])},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, item := range want {
		if _, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLostAnswerIsNotAConflict: the SDK repeats a call whose answer it did not get.
// The repeated call then meets what the first one wrote.
func TestLostAnswerIsNotAConflict(t *testing.T) {
	client := dynalite(t)
	table := newTable(t, client, true)
	lost := 0
	losing := through(client, func(r *http.Request) (*http.Response, error) {
		res, err := http.DefaultClient.Do(r)
		_, call, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		writes := call == "PutItem" || call == "UpdateItem" || call == "BatchWriteItem"
		if err == nil && writes && strings.HasPrefix(r.Header.Get("Amz-Sdk-Request"), "attempt=1;") {
			lost++
			res.StatusCode = http.StatusInternalServerError
			res.Body = io.NopCloser(bytes.NewReader(nil))
		}
		return res, err
	})
	o := losing.Options()
	o.RetryMaxAttempts = 0
	o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = 10 * time.Millisecond })
	s := quiet(dynamodb.New(o), table)
	e, err := s.Create(t.Context(), directory.Employee{ID: "ada", FullName: "Ada", Location: "Lisbon", JobTitle: "Pilot", Badges: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	e.FullName = "Augusta"
	if e, err = s.Update(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if e.Version != 2 {
		t.Errorf("got version %d, want 2", e.Version)
	}
	storetest.CompareLists(t, s, []directory.Employee{e})
	account := directory.Account{Name: "ada", Changed: time.Now().UTC()}
	if err := dynamo.NewAccounts(dynamodb.New(o), table).CreateAccount(t.Context(), account); err != nil {
		t.Error(err)
	}
	if lost < 7 { // a note, the employee and its copies, twice, and the account
		t.Errorf("%d answers were lost", lost)
	}
}

// TestUpdateLeavesWhatALaterVersionKeeps: attributes that this one does not know
// stay, and are in the lists' copies for the later one to read.
func TestUpdateLeavesWhatALaterVersionKeeps(t *testing.T) {
	client := dynalite(t)
	table := newTable(t, client, true)
	s := quiet(client, table)
	e, err := s.Create(t.Context(), directory.Employee{ID: "ada", FullName: "Ada", Location: "Lisbon", JobTitle: "Pilot", Badges: []string{"linux"}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: &table, Key: map[string]types.AttributeValue{"pk": text("employee#ada"), "sk": text("employee")},
		UpdateExpression:          aws.String("SET pronouns = :p"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":p": text("she/her")},
	})
	if err != nil {
		t.Fatal(err)
	}
	e.Location, e.Badges = "Porto", nil
	if _, err := s.Update(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	copies := 0
	for k, item := range items(t, client, table) {
		if k[0] != "employee#ada" || strings.HasPrefix(k[1], "note ") {
			continue
		}
		copies++
		if got := valueOf(item["pronouns"]); got != "she/her" {
			t.Errorf("%q keeps %q", k, got)
		}
		if item["badges"] != nil || valueOf(item["location"]) != "Porto" {
			t.Errorf("%q is not updated: %v", k, item)
		}
	}
	if copies != 2 { // the employee, and its copy at its location
		t.Errorf("there are %d items of the employee, want 2", copies)
	}
}

// TestItemOfTheFirstVersion: an employee without copies, without a thumbnail and
// with badges that are null is read and changed as any other.
func TestItemOfTheFirstVersion(t *testing.T) {
	client := dynalite(t)
	table := newTable(t, client, true)
	s := quiet(client, table)
	updated := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	_, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: map[string]types.AttributeValue{
		"pk": text("employee#ada"), "sk": text("employee"), "gpk": text("employees"), "gsk": text("ada\x01ada"),
		"id": text("ada"), "fullName": text("Ada"), "location": text("Lisbon"), "jobTitle": text("Pilot"),
		"badges": &types.AttributeValueMemberNULL{Value: true}, "version": &types.AttributeValueMemberN{Value: "7"},
		"updated": text(updated.Format(time.RFC3339Nano)), "photoKey": text("employees/ada/x.jpg"), "photoRegion": text("eu-west-1"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := directory.Employee{
		ID: "ada", FullName: "Ada", Location: "Lisbon", JobTitle: "Pilot", Version: 7, Updated: updated,
		Photo: directory.Photo{Key: "employees/ada/x.jpg", Region: "eu-west-1"},
	}
	got, err := s.Get(t.Context(), "ada")
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	page, err := s.Page(t.Context(), directory.Query{Limit: 10})
	if err != nil || !reflect.DeepEqual(page.Employees, []directory.Employee{want}) {
		t.Errorf("got the list %+v, %v", page, err)
	}
	got.Badges = []string{"linux"}
	got, err = s.Update(t.Context(), got)
	if err != nil {
		t.Fatal(err)
	}
	storetest.CompareLists(t, s, []directory.Employee{got})
}

// unprocessing is a client whose batches are done by halves.
type unprocessing struct {
	dynamo.Client
	batches int
}

func (c *unprocessing) BatchWriteItem(ctx context.Context, in *dynamodb.BatchWriteItemInput, o ...func(*dynamodb.Options)) (*dynamodb.BatchWriteItemOutput, error) {
	c.batches++
	left := map[string][]types.WriteRequest{}
	for table, requests := range in.RequestItems {
		half := (len(requests) + 1) / 2
		in.RequestItems[table] = requests[:half]
		if half < len(requests) {
			left[table] = requests[half:]
		}
	}
	out, err := c.Client.BatchWriteItem(ctx, in, o...)
	if err == nil {
		out.UnprocessedItems = left
	}
	return out, err
}

func TestUnprocessedItemsAreWrittenAgain(t *testing.T) {
	client := dynalite(t)
	half := &unprocessing{Client: client}
	s := quiet(half, newTable(t, client, true))
	e := directory.Employee{ID: "ada", FullName: "Ada", Location: "Lisbon", JobTitle: "Pilot"}
	for _, b := range directory.Badges {
		e.Badges = append(e.Badges, b.ID)
	}
	e, err := s.Create(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	storetest.CompareLists(t, s, []directory.Employee{e})
	if half.batches < 3 {
		t.Errorf("all was written in %d batches", half.batches)
	}
}

// metered counts the capacity that queries take, as they say themselves.
type metered struct {
	dynamo.Client
	units float64
}

func (c *metered) Query(ctx context.Context, in *dynamodb.QueryInput, o ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
	out, err := c.Client.Query(ctx, in, o...)
	if err == nil {
		c.units += *out.ConsumedCapacity.CapacityUnits
	}
	return out, err
}

// TestPagesCostWhatTheyHold: whatever is asked for, a page costs no more than
// three times what it takes to read the employees on it, and one that is empty
// no more than three of the smallest reads.
func TestPagesCostWhatTheyHold(t *testing.T) {
	client := dynalite(t)
	table := newTable(t, client, true)
	meter := &metered{Client: client}
	s := quiet(meter, table)
	for i := range 300 {
		e := directory.Employee{
			ID: fmt.Sprint("id", i), FullName: fmt.Sprintf("%s %03d", []string{"Ada", "José", "Zoë"}[i%3], i),
			Location: fmt.Sprint("Location ", i%2), JobTitle: "Engineer", Badges: [][]string{nil, {"linux"}, {"linux", "camera"}}[i/2%3],
		}
		if _, err := s.Create(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	size := map[string]int{} // of each employee's item, in bytes
	for k, item := range items(t, client, table) {
		if k[1] == "employee" {
			size[valueOf(item["id"])] = bytesOf(item)
		}
	}
	worst := 0.0
	for _, prefix := range []string{"", "jose", "jose 1", "nobody"} {
		for _, location := range []string{"", "location 1", "nowhere"} {
			for _, badge := range []string{"", "linux", "camera", "plane"} {
				for _, after := range []string{"", "jose 1", "jose 2", "zz"} {
					for _, limit := range []int{1, 20, directory.MaxLimit} {
						q := directory.Query{Prefix: prefix, Location: location, Badge: badge, Limit: limit}
						if after == "jose 2" {
							q.Before = directory.Cursor(after)
						} else if after != "" {
							q.After = directory.Cursor(after)
						}
						meter.units = 0
						page, err := s.Page(t.Context(), q)
						if err != nil {
							t.Fatal(err)
						}
						total := 0
						for _, e := range page.Employees {
							total += size[e.ID]
						}
						// Half a unit reads up to 4 KB from an index.
						cost := 0.5 * max(1, float64((total+4095)/4096))
						worst = max(worst, meter.units/cost)
						if meter.units > 3*cost {
							t.Errorf("%+v costs %g units, its %d employees %g", q, meter.units, len(page.Employees), cost)
						}
					}
				}
			}
		}
	}
	t.Logf("the dearest page costs %.2f times what reading its employees does", worst)
}

// bytesOf is the size of an item as DynamoDB counts it, roughly.
func bytesOf(item map[string]types.AttributeValue) int {
	total := 0
	for name, value := range item {
		total += len(name)
		switch v := value.(type) {
		case *types.AttributeValueMemberS:
			total += len(v.Value)
		case *types.AttributeValueMemberN:
			total += len(v.Value)/2 + 1
		case *types.AttributeValueMemberL:
			total += 3
			for _, one := range v.Value {
				total += len(valueOf(one)) + 1
			}
		}
	}
	return total
}

// TestGarbageIsNotFound: what DynamoDB would refuse as a key is not found.
func TestGarbageIsNotFound(t *testing.T) {
	client := dynalite(t)
	s := quiet(client, newTable(t, client, true))
	long := strings.Repeat("a", 5000)
	if _, err := s.Get(t.Context(), long); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("got error %v, want %v", err, directory.ErrNotFound)
	}
	if _, err := dynamo.NewAccounts(client, "accounts").Account(t.Context(), long); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("got error %v, want %v", err, directory.ErrNotFound)
	}
	for _, q := range []directory.Query{{Badge: long}, {Location: long}, {Prefix: long}, {After: directory.Cursor(long[:1000])}, {Before: directory.Cursor(long[:1000])}} {
		q.Limit = 10
		if page, err := s.Page(t.Context(), q); err != nil || len(page.Employees) != 0 {
			t.Errorf("got %+v, %v, want an empty page", page, err)
		}
	}
}
