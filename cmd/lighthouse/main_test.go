package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/archipelago-cdk/archipelago/service/lighthouse"
	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

var settings = map[string]string{
	setting.Region: "us-east-1",
	setting.Watched: `[
		{"part": "table orders", "table": "orders", "partitionKey": "pk", "sortKey": "sk"},
		{"part": "table prices", "table": "prices", "partitionKey": "sku", "readOnly": true},
		{"part": "bucket files", "bucket": "files"},
		{"part": "bucket manuals", "bucket": "manuals", "readOnly": true}]`,
	setting.Deployment:     "archipelago",
	setting.DrainParameter: "/archipelago/island/drained",
}

// island is an emulated region with a table and a bucket, and the function that
// looks at it, whose clock the test moves.
type island struct {
	*handler
	aws aws.Config
	now time.Time
	out bytes.Buffer
}

func newIsland(t *testing.T) *island {
	t.Helper()
	server, err := emulator.Start(t.Context(), emulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	for _, pair := range emulator.Environment(server.URL) {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	i := &island{now: time.Now()}
	if i.aws, err = config.LoadDefaultConfig(t.Context(), config.WithRegion("us-east-1")); err != nil {
		t.Fatal(err)
	}
	keys := func(names ...string) (schema []types.KeySchemaElement, attributes []types.AttributeDefinition) {
		for n, name := range names {
			schema = append(schema, types.KeySchemaElement{AttributeName: &name, KeyType: []types.KeyType{types.KeyTypeHash, types.KeyTypeRange}[n]})
			attributes = append(attributes, types.AttributeDefinition{AttributeName: &name, AttributeType: types.ScalarAttributeTypeS})
		}
		return schema, attributes
	}
	for table, key := range map[string][]string{"orders": {"pk", "sk"}, "prices": {"sku"}} {
		schema, attributes := keys(key...)
		if _, err := dynamodb.NewFromConfig(i.aws).CreateTable(t.Context(), &dynamodb.CreateTableInput{
			TableName: &table, KeySchema: schema, AttributeDefinitions: attributes, BillingMode: types.BillingModePayPerRequest,
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, bucket := range []string{"files", "manuals"} {
		if _, err := i.s3().CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
			t.Fatal(err)
		}
	}
	i.handler, err = newHandler(t.Context(), func(name string) string { return settings[name] }, &i.out, func() time.Time { return i.now })
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func (i *island) s3() *s3.Client {
	return s3.NewFromConfig(i.aws, func(o *s3.Options) { o.UsePathStyle = true })
}

// look asks as the load balancer does.
func (i *island) look(t *testing.T) (int, lighthouse.Report) {
	t.Helper()
	answer, err := i.handle(t.Context(), events.ALBTargetGroupRequest{
		HTTPMethod: http.MethodGet, Path: setting.LighthousePath, Headers: map[string]string{"user-agent": "ELB-HealthChecker/2.0"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := map[int]string{200: "200 OK", 503: "503 Service Unavailable"}[answer.StatusCode]; answer.StatusDescription != want {
		t.Errorf("the description of %d is %q", answer.StatusCode, answer.StatusDescription)
	}
	var report lighthouse.Report
	if err := json.Unmarshal([]byte(answer.Body), &report); err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, report
}

func TestLookAtAnIsland(t *testing.T) {
	i := newIsland(t)
	for range 3 { // the first writes what the others compare
		if status, report := i.look(t); status != http.StatusOK || report.Failing != 0 || len(report.Parts) != 4 {
			t.Fatalf("got %d, %+v; want all well", status, report)
		}
	}
	versions, err := i.s3().ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: aws.String("files")})
	if err != nil {
		t.Fatal(err)
	}
	if manuals, err := i.s3().ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: aws.String("manuals")}); err != nil || len(manuals.Versions) > 0 {
		t.Errorf("the bucket that is to be read only holds %d versions, %v", len(manuals.Versions), err)
	}
	if len(versions.Versions) != 1 || *versions.Versions[0].Key != "lighthouse/us-east-1" {
		t.Errorf("the bucket holds %d versions, want one of the lighthouse's own object", len(versions.Versions))
	}

	// What was written is only read for a while, and an object that went is
	// written again.
	if _, err := i.s3().DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("files"), Key: aws.String("lighthouse/us-east-1")}); err != nil {
		t.Fatal(err)
	}
	if status, report := i.look(t); status != http.StatusServiceUnavailable || !strings.Contains(report.Parts["bucket files"], "NoSuchKey") {
		t.Errorf("without its object: got %d, %+v", status, report)
	}
	i.now = i.now.Add(writeEvery)
	if status, report := i.look(t); status != http.StatusOK {
		t.Errorf("a minute later: got %d, %+v", status, report)
	}

	drain := func(value string) {
		t.Helper()
		if _, err := ssm.NewFromConfig(i.aws).PutParameter(t.Context(), &ssm.PutParameterInput{
			Name: aws.String("/archipelago/island/drained"), Type: ssmtypes.ParameterTypeString, Value: &value, Overwrite: aws.Bool(true),
		}); err != nil {
			t.Fatal(err)
		}
		i.now = i.now.Add(drainFor)
	}
	drain("true")
	if status, report := i.look(t); status != http.StatusServiceUnavailable || !report.Drained || report.Failing != 0 {
		t.Errorf("drained: got %d, %+v", status, report)
	}
	drain("false")
	if status, report := i.look(t); status != http.StatusOK || report.Drained {
		t.Errorf("no longer drained: got %d, %+v", status, report)
	}

	if _, err := dynamodb.NewFromConfig(i.aws).DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: aws.String("prices")}); err != nil {
		t.Fatal(err)
	}
	i.out.Reset()
	status, report := i.look(t)
	if status != http.StatusServiceUnavailable || report.Parts["bucket files"] != "ok" || !strings.Contains(report.Parts["table prices"], "ResourceNotFound") {
		t.Errorf("without a table: got %d, %+v", status, report)
	}
	var line struct {
		AWS struct {
			CloudWatchMetrics []struct {
				Namespace  string
				Dimensions [][]string
				Metrics    []struct{ Name string }
			}
		} `json:"_aws"`
		Deployment string
		Failing    int
		Drained    int
	}
	if err := json.Unmarshal(i.out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	if len(line.AWS.CloudWatchMetrics) != 1 || line.AWS.CloudWatchMetrics[0].Namespace != "Archipelago" ||
		line.Deployment != "archipelago" || line.Failing != 1 || line.Drained != 0 {
		t.Errorf("the line of metrics is %s", i.out.String())
	}
}

func TestSettingsThatAreMissing(t *testing.T) {
	for name := range settings {
		if name == setting.Watched {
			continue // an island that watches nothing
		}
		_, err := newHandler(t.Context(), func(n string) string {
			if n == name {
				return ""
			}
			return settings[n]
		}, nil, time.Now)
		if err == nil || err.Error() != name+" is not set" {
			t.Errorf("without %s: got %v", name, err)
		}
	}
}

func TestSettingsThatCannotBeRead(t *testing.T) {
	for _, watched := range []string{`{}`, `[{"part": "table orders"}]`, `[{"part": "table orders", "table": "orders"}]`, `[{"table": "orders", "partitionKey": "pk"}]`} {
		if _, err := setting.ParseWatched(watched); err == nil || !strings.HasPrefix(err.Error(), "WATCHED: want ") {
			t.Errorf("%s: got %v", watched, err)
		}
	}
}

func TestWeightZeroDrains(t *testing.T) {
	d := &drainSwitch{always: true}
	if drained, err := d.drained(t.Context()); !drained || err != nil {
		t.Errorf("got %t, %v", drained, err)
	}
}

// parameters is an SSM of one parameter.
type parameters struct {
	value string
	err   error
	asked int
}

func (p *parameters) GetParameter(context.Context, *ssm.GetParameterInput, ...func(*ssm.Options)) (*ssm.GetParameterOutput, error) {
	p.asked++
	return &ssm.GetParameterOutput{Parameter: &ssmtypes.Parameter{Value: &p.value}}, p.err
}

func TestDrainSwitch(t *testing.T) {
	now := time.Now()
	p := &parameters{err: errors.New("down")}
	d := &drainSwitch{client: p, now: func() time.Time { return now }}
	want := func(drained, failed bool, asked int) {
		t.Helper()
		got, err := d.drained(t.Context())
		if got != drained || (err != nil) != failed || p.asked != asked {
			t.Errorf("got %t, %v after %d calls; want %t, an error %t, %d calls", got, err, p.asked, drained, failed, asked)
		}
	}
	want(false, true, 1) // nothing is known
	p.value, p.err = "true", nil
	want(true, false, 2)
	p.value = "false"
	now = now.Add(drainFor - time.Second)
	want(true, false, 2) // remembered
	now = now.Add(time.Second)
	want(false, false, 3)
	p.value = "true"
	now = now.Add(drainFor)
	want(true, false, 4)
	p.err = errors.New("down")
	now = now.Add(drainFor)
	want(true, false, 5) // the last answer stands
	p.err = &ssmtypes.ParameterNotFound{}
	want(false, false, 6)
}

// contested is a table that somebody else always writes first.
type contested struct{ err error }

func (contested) GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	return &dynamodb.GetItemOutput{}, nil
}

func (c contested) UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	return nil, c.err
}

func TestTableThatRefusesAWrite(t *testing.T) {
	check := func(err error) error { return table{client: contested{err}, now: time.Now}.check(t.Context()) }
	if err := check(&types.ConditionalCheckFailedException{}); err != nil {
		t.Errorf("another look's write: got %v", err)
	}
	if err := check(&types.ProvisionedThroughputExceededException{}); err == nil {
		t.Error("a table that throttles passes")
	}
}
