package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/pulse"
	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

const watched = `[
	{"part": "table prices", "table": "prices", "partitionKey": "sku", "readOnly": true},
	{"part": "table orders", "table": "orders", "partitionKey": "pk", "sortKey": "sk"},
	{"part": "table notes", "table": "notes", "partitionKey": "id"},
	{"part": "bucket files", "bucket": "files"}]`

// cloud is the AWS that an instance reaches.
type cloud struct {
	fails  map[string]error // by table or bucket
	item   map[string]types.AttributeValue
	reads  []string
	writes []*dynamodb.UpdateItemInput
}

func (c *cloud) GetMetadata(context.Context, *imds.GetMetadataInput, ...func(*imds.Options)) (*imds.GetMetadataOutput, error) {
	return &imds.GetMetadataOutput{Content: io.NopCloser(strings.NewReader("i-1"))}, c.fails["metadata"]
}

func (c *cloud) GetItem(_ context.Context, in *dynamodb.GetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	c.reads = append(c.reads, *in.TableName)
	out := &dynamodb.GetItemOutput{}
	if *in.TableName == "orders" {
		out.Item = c.item
	}
	return out, c.fails[*in.TableName]
}

func (c *cloud) GetObject(_ context.Context, in *s3.GetObjectInput, _ ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	c.reads = append(c.reads, *in.Bucket+" "+*in.Key)
	return &s3.GetObjectOutput{Body: io.NopCloser(strings.NewReader(""))}, c.fails[*in.Bucket]
}

func (c *cloud) UpdateItem(_ context.Context, in *dynamodb.UpdateItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	c.writes = append(c.writes, in)
	return &dynamodb.UpdateItemOutput{}, c.fails["writes"]
}

func newHeart(t *testing.T, c *cloud) (*heart, time.Time) {
	t.Helper()
	stores, err := setting.ParseWatched(watched)
	if err != nil {
		t.Fatal(err)
	}
	table, _ := setting.PulseTable(stores)
	now := time.Unix(1_800_000_000, 0)
	return &heart{
		tables: c, buckets: c, metadata: c, stores: stores, table: table, region: "eu-west-1", now: func() time.Time { return now },
	}, now
}

// TestBeatComesAfterAllStores: it is one write of its own attribute, into the first
// table that may be written, and takes away what is old.
func TestBeatComesAfterAllStores(t *testing.T) {
	c := &cloud{fails: map[string]error{"files": &s3types.NoSuchKey{}}} // S3 answers
	h, now := newHeart(t, c)
	c.item = map[string]types.AttributeValue{
		"i-1": pulse.Beat{At: now.Add(-2 * time.Minute), InARow: 3, Given: 3}.Value(), // it was silent
		"i-2": pulse.Beat{At: now.Add(-2 * time.Hour), InARow: 3, Given: 3}.Value(),
		"i-3": pulse.Beat{At: now.Add(-time.Second), InARow: 3, Given: 3}.Value(),
		"i-4": pulse.Beat{At: now.Add(-3 * time.Hour), InARow: 3, Given: 3}.Value(),
	}
	if err := h.beat(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := []string{"prices", "orders", "notes", "files lighthouse/eu-west-1"}; !slices.Equal(c.reads, want) {
		t.Errorf("it read %q, want %q", c.reads, want)
	}
	if len(c.writes) != 1 {
		t.Fatalf("it wrote %d times", len(c.writes))
	}
	w := c.writes[0]
	names := w.ExpressionAttributeNames
	if *w.TableName != "orders" || *w.UpdateExpression != "SET #me = :beat REMOVE #old0, #old1" ||
		names["#me"] != "i-1" || names["#old0"] != "i-2" || names["#old1"] != "i-4" {
		t.Errorf("it wrote %s %s %v", *w.TableName, *w.UpdateExpression, names)
	}
	if got := w.ExpressionAttributeValues[":beat"].(*types.AttributeValueMemberS).Value; got != "1800000000 1 3" {
		t.Errorf("the beat is %q, want the first after a silence", got)
	}
}

// TestFirstBeatAfterALongSilence of a large fleet fits DynamoDB's expression: what is old
// is taken away by as many beats as that takes.
func TestFirstBeatAfterALongSilence(t *testing.T) {
	const most = 4 << 10 // bytes of an expression
	c := &cloud{item: map[string]types.AttributeValue{}}
	h, now := newHeart(t, c)
	for i := range 2000 {
		c.item[fmt.Sprintf("i-%017d", i)] = pulse.Beat{At: now.Add(-2 * time.Hour), InARow: 3, Given: 3}.Value()
	}
	if err := h.beat(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w := c.writes[0]; len(*w.UpdateExpression) > most || len(w.ExpressionAttributeNames) < 50 {
		t.Errorf("the expression has %d bytes and takes away %d beats", len(*w.UpdateExpression), len(w.ExpressionAttributeNames)-1)
	}
}

// TestBeatIsOfTheTablesTime, whatever the instance's clock shows.
func TestBeatIsOfTheTablesTime(t *testing.T) {
	h := newHeartOverTLS(t, true)
	h.now = func() time.Time { return time.Now().Add(-10 * time.Minute) }
	var wrote *dynamodb.UpdateItemInput
	h.tables = recorder{h.tables, &wrote}
	if err := h.beat(t.Context()); err != nil {
		t.Fatal(err)
	}
	beat := pulse.Parse(map[string]types.AttributeValue{"i-1": wrote.ExpressionAttributeValues[":beat"]})["i-1"]
	if late := time.Since(beat.At); late.Abs() > time.Minute {
		t.Errorf("the beat is of %s ago", late)
	}
}

// recorder keeps what is written to a table.
type recorder struct {
	tables
	wrote **dynamodb.UpdateItemInput
}

func (r recorder) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, options ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	*r.wrote = in
	return r.tables.UpdateItem(ctx, in, options...)
}

// TestNoBeatWhereAStoreFails: and the error names it.
func TestNoBeatWhereAStoreFails(t *testing.T) {
	for store, part := range map[string]string{
		"prices": "table prices", "orders": "table orders", "notes": "table notes", "files": "bucket files",
		"metadata": "the instance's metadata", "writes": "table orders",
	} {
		c := &cloud{fails: map[string]error{store: errors.New("no route")}}
		h, _ := newHeart(t, c)
		if err := h.beat(t.Context()); err == nil || err.Error() != part+": no route" {
			t.Errorf("%s: got %v", store, err)
		}
		if store != "writes" && len(c.writes) > 0 {
			t.Errorf("%s: it beats", store)
		}
	}
}

// TestThrottledStoreIsReached: how many requests there are is its users' doing.
func TestThrottledStoreIsReached(t *testing.T) {
	c := &cloud{fails: map[string]error{
		"prices": &types.ProvisionedThroughputExceededException{}, "notes": &types.RequestLimitExceeded{},
		"files": &smithy.GenericAPIError{Code: "SlowDown"},
	}}
	h, _ := newHeart(t, c)
	if err := h.beat(t.Context()); err != nil || len(c.writes) != 1 {
		t.Errorf("got %v and %d beats, want one", err, len(c.writes))
	}
	c.fails = map[string]error{"orders": &types.ThrottlingException{}}
	if err := h.beat(t.Context()); err == nil || len(c.writes) != 1 {
		t.Errorf("it does not know how many beats there were: got %v and %d beats", err, len(c.writes))
	}
}

// TestThrottledBeatComesThrough a table that refuses four of five calls.
func TestThrottledBeatComesThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls, beats := 0, 0
		h := &heart{
			tables: dynamodb.New(dynamodb.Options{
				Region: "eu-west-1", Retryer: patience(), Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
				HTTPClient: client(func(r *http.Request) *http.Response {
					calls++
					status, body := http.StatusOK, "{}"
					if calls%5 != 0 {
						status, body = http.StatusBadRequest, `{"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException"}`
					} else if strings.HasSuffix(r.Header.Get("X-Amz-Target"), "UpdateItem") {
						beats++
					}
					return &http.Response{
						StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Request: r,
						Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
					}
				}),
			}),
			stores:   []setting.Store{{Part: "table orders", Table: "orders", PartitionKey: "pk"}},
			table:    setting.Store{Part: "table orders", Table: "orders", PartitionKey: "pk"},
			instance: "i-1", region: "eu-west-1", now: time.Now,
		}
		for range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), beatWithin)
			if err := h.beat(ctx); err != nil {
				t.Error(err)
			}
			cancel()
		}
		if beats != 20 {
			t.Errorf("it gave %d beats of 20", beats)
		}
	})
}

// client is a function as one.
type client func(*http.Request) *http.Response

func (c client) Do(r *http.Request) (*http.Response, error) { return c(r), nil }

func TestSettings(t *testing.T) {
	for want, settings := range map[string]map[string]string{
		"AWS_REGION is not set":                       {},
		"WATCHED: want a list":                        {"AWS_REGION": "eu-west-1", "WATCHED": "{}"},
		"WATCHED: want a table that may be written":   {"AWS_REGION": "eu-west-1", "WATCHED": `[{"part": "bucket files", "bucket": "files"}]`},
		"WATCHED: want a part with a table and its p": {"AWS_REGION": "eu-west-1", "WATCHED": `[{"part": "table a", "table": "a"}]`},
	} {
		err := run(t.Context(), func(name string) string { return settings[name] }, io.Discard)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestRunSaysWhatChanges: nothing of it is reachable here, which is told once.
func TestRunSaysWhatChanges(t *testing.T) {
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	ctx, cancel := context.WithCancel(t.Context())
	var said bytes.Buffer
	err := run(ctx, func(name string) string {
		return map[string]string{"AWS_REGION": "eu-west-1", "WATCHED": watched}[name]
	}, writer(func(b []byte) {
		said.Write(b)
		cancel()
	}))
	if err != nil || strings.Count(said.String(), "it misses a beat: ") != 1 {
		t.Errorf("got %v and %q", err, said.String())
	}
}

// writer is a function as one.
type writer func([]byte)

func (w writer) Write(b []byte) (int, error) { w(b); return len(b), nil }
