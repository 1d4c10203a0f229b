package bench

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/dynamo"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// latency is what a call of DynamoDB takes from within a region.
const latency = 5 * time.Millisecond

// BenchmarkRemotePages reads the list's first page from a service whose tables
// are behind the latency of a network, and counts the calls that it makes: a page
// that was kept makes none.
func BenchmarkRemotePages(b *testing.B) {
	endpoint, calls := slow(b, dynalite(b))
	client := dynamodb.New(dynamodb.Options{
		Region: "eu-west-1", BaseEndpoint: &endpoint,
		Credentials: credentials.NewStaticCredentialsProvider("bench", "bench", ""),
	})
	createTable(b, client, "employees", "pk", "sk", "gpk", "gsk")
	createTable(b, client, "sessions", "pk", "sk")
	employees := dynamo.NewEmployees(client, "employees")
	for i := range 100 {
		e := directory.Employee{ID: directory.NewID(), FullName: fmt.Sprintf("Employee %03d", i), Location: "Lisbon", JobTitle: "Engineer"}
		if _, err := employees.Create(b.Context(), e); err != nil {
			b.Fatal(err)
		}
	}
	service := serve(b, directoryBinary(b),
		"AWS_REGION=eu-west-1", "EMPLOYEES_TABLE=employees", "SESSIONS_TABLE=sessions", "PHOTOS_BUCKET=photos-{region}",
		"AWS_ENDPOINT_URL="+endpoint, "AWS_ACCESS_KEY_ID=bench", "AWS_SECRET_ACCESS_KEY=bench", "AWS_EC2_METADATA_DISABLED=true")
	var last load
	before := calls.Load()
	for b.Loop() {
		last = wrk(b, service.url+"/", "")
	}
	b.ReportMetric(last.perSecond, "req/s")
	b.ReportMetric(float64(last.p99.Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(calls.Load()-before)/b.Elapsed().Seconds(), "calls/s")
	b.ReportMetric(0, "ns/op")
}

// slow puts latency before each call of a server, and counts the calls.
func slow(b *testing.B, address string) (endpoint string, calls *atomic.Int64) {
	b.Helper()
	target, err := url.Parse(address)
	if err != nil {
		b.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	calls = new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		time.Sleep(latency)
		proxy.ServeHTTP(w, r)
	}))
	b.Cleanup(server.Close)
	return server.URL, calls
}

// dynalite starts an implementation of DynamoDB and returns its address.
func dynalite(b *testing.B) string {
	b.Helper()
	address := freeAddress(b)
	_, port, _ := net.SplitHostPort(address)
	modules := filepath.Join(root, "node_modules")
	cmd := exec.Command(filepath.Join(modules, ".bin", "node"), filepath.Join(modules, "dynalite", "cli.js"),
		"--host", "127.0.0.1", "--port", port, "--createTableMs", "0")
	if err := cmd.Start(); err != nil {
		b.Fatalf("%v: run `make setup`", err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return "http://" + address
		}
		if time.Now().After(deadline) {
			b.Fatal("dynalite does not start")
		}
	}
}

func freeAddress(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// createTable makes a table with a key of two attributes and, where there are
// two more, the index by them.
func createTable(b *testing.B, client *dynamodb.Client, name string, attributes ...string) {
	b.Helper()
	in := &dynamodb.CreateTableInput{TableName: &name, BillingMode: types.BillingModePayPerRequest, KeySchema: keys(attributes)}
	for _, a := range attributes {
		in.AttributeDefinitions = append(in.AttributeDefinitions,
			types.AttributeDefinition{AttributeName: &a, AttributeType: types.ScalarAttributeTypeS})
	}
	if len(attributes) > 2 {
		in.GlobalSecondaryIndexes = []types.GlobalSecondaryIndex{{
			IndexName: aws.String("byName"), KeySchema: keys(attributes[2:]),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
		}}
	}
	if _, err := client.CreateTable(b.Context(), in); err != nil {
		b.Fatal(err)
	}
	if err := dynamodb.NewTableExistsWaiter(client).Wait(b.Context(), &dynamodb.DescribeTableInput{TableName: &name}, 10*time.Second); err != nil {
		b.Fatal(err)
	}
}

func keys(attributes []string) []types.KeySchemaElement {
	return []types.KeySchemaElement{
		{AttributeName: &attributes[0], KeyType: types.KeyTypeHash}, {AttributeName: &attributes[1], KeyType: types.KeyTypeRange},
	}
}
