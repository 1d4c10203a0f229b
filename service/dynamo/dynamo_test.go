package dynamo_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/child"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/dynamo"
	"github.com/archipelago-cdk/archipelago/service/storetest"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// all tries what is random with all seeds, of which `make test` tries a few.
var all = flag.Bool("all", false, "try what is random with all seeds")

func newClient(endpoint string) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region: "eu-west-1", BaseEndpoint: &endpoint,
		Credentials: credentials.NewStaticCredentialsProvider("emulator", "emulator", ""),
	})
}

// moto returns a client of the emulator that the local cloud runs on.
func moto(t *testing.T) *dynamodb.Client {
	t.Helper()
	return newClient(emulatortest.Start(t, emulator.Options{}).URL)
}

// dynalite returns a client of an implementation of DynamoDB that checks every
// call as DynamoDB does and counts the capacity that it takes.
func dynalite(t *testing.T) *dynamodb.Client {
	t.Helper()
	port, err := emulator.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("../../node_modules/.bin/node", "../../node_modules/dynalite/cli.js",
		"--host", "127.0.0.1", "--port", strconv.Itoa(port), "--createTableMs", "0")
	var output bytes.Buffer
	cmd.Stderr = &output
	ctx, cancel := context.WithCancel(context.Background())
	ended := child.Run(ctx, cmd, time.Second)
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if conn, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", port)); err == nil {
			conn.Close()
			return newClient(fmt.Sprint("http://127.0.0.1:", port))
		}
		select {
		case err := <-ended:
			t.Fatalf("dynalite ended: %v; `make setup` fetches it\n%s", err, output.String())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("dynalite does not start\n%s", output.String())
		}
	}
}

// implementations are of DynamoDB.
var implementations = map[string]func(*testing.T) *dynamodb.Client{"moto": moto, "dynalite": dynalite}

// newTable makes a table with the keys that the tables construct gives it, and
// the index of names if it is the employees'.
func newTable(t *testing.T, client *dynamodb.Client, indexed bool) string {
	t.Helper()
	name := directory.NewID()
	keys := func(hash, sort string) []types.KeySchemaElement {
		return []types.KeySchemaElement{
			{AttributeName: &hash, KeyType: types.KeyTypeHash}, {AttributeName: &sort, KeyType: types.KeyTypeRange},
		}
	}
	input := &dynamodb.CreateTableInput{TableName: &name, BillingMode: types.BillingModePayPerRequest, KeySchema: keys("pk", "sk")}
	attributes := []string{"pk", "sk"}
	if indexed {
		attributes = append(attributes, "gpk", "gsk")
		input.GlobalSecondaryIndexes = []types.GlobalSecondaryIndex{{
			IndexName: aws.String("byName"), KeySchema: keys("gpk", "gsk"),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
		}}
	}
	for _, a := range attributes {
		input.AttributeDefinitions = append(input.AttributeDefinitions,
			types.AttributeDefinition{AttributeName: &a, AttributeType: types.ScalarAttributeTypeS})
	}
	_, err := client.CreateTable(t.Context(), input)
	var made *types.ResourceInUseException // by a call whose answer was lost
	if err != nil && !errors.As(err, &made) {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		out, err := client.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &name})
		if err != nil {
			t.Fatal(err)
		}
		if out.Table.TableStatus != types.TableStatusCreating {
			return name
		}
	}
	t.Fatal("the table is not made")
	return name
}

func TestStores(t *testing.T) {
	for name, start := range implementations {
		t.Run(name, func(t *testing.T) {
			client := start(t)
			t.Run("employees", func(t *testing.T) {
				storetest.Employees(t, func(t *testing.T) directory.Employees {
					return dynamo.NewEmployees(client, newTable(t, client, true))
				})
			})
			t.Run("accounts", func(t *testing.T) {
				storetest.Accounts(t, func(t *testing.T) directory.Accounts {
					return dynamo.NewAccounts(client, newTable(t, client, true))
				})
			})
			t.Run("sessions", func(t *testing.T) {
				storetest.Sessions(t, func(t *testing.T, now func() time.Time) directory.Sessions {
					s := dynamo.NewSessions(client, newTable(t, client, false))
					s.Now = now
					return s
				})
			})
		})
	}
}

func TestEmployeesFollowModel(t *testing.T) {
	if !*all {
		checks := flag.Lookup("rapid.checks").Value
		before := checks.String()
		t.Cleanup(func() { checks.Set(before) })
		if err := checks.Set("10"); err != nil {
			t.Fatal(err)
		}
	}
	client := dynalite(t)
	storetest.EmployeesFollowModel(t, dynamo.NewEmployees(client, newTable(t, client, true)))
}

// TestItemsOfTheSessionsTableExpire: every item has the second after which
// DynamoDB removes it, in the attribute that the tables construct names.
func TestItemsOfTheSessionsTableExpire(t *testing.T) {
	client := dynalite(t)
	table := newTable(t, client, false)
	s := dynamo.NewSessions(client, table)
	now := time.Date(2026, 7, 1, 12, 0, 30, 500, time.UTC)
	s.Now = func() time.Time { return now }
	if err := s.PutSession(t.Context(), "hash", []byte("data"), now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Count(t.Context(), "address", time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := s.PutHeartbeat(t.Context(), directory.Heartbeat{Region: "eu-west-1", At: now}); err != nil {
		t.Fatal(err)
	}
	want := map[string]time.Time{
		"session":   time.Date(2026, 7, 1, 13, 0, 31, 0, time.UTC),
		"count":     time.Date(2026, 7, 1, 12, 1, 0, 0, time.UTC),
		"eu-west-1": time.Date(2026, 7, 2, 12, 0, 31, 0, time.UTC),
	}
	for k, item := range items(t, client, table) {
		expires, ok := item["expires"].(*types.AttributeValueMemberN)
		if seconds := strconv.FormatInt(want[k[1]].Unix(), 10); !ok || expires.Value != seconds {
			t.Errorf("%q expires at %v, want %s", k, item["expires"], seconds)
		}
		delete(want, k[1])
	}
	if len(want) != 0 {
		t.Errorf("there are no items of %v", want)
	}
}
