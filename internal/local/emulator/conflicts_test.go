package emulator_test

import (
	"errors"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// TestStrongTableRefusesWritesOfTwoRegionsAtOnce: the second of one item, until the first
// has been replicated, and of no other table.
func TestStrongTableRefusesWritesOfTwoRegionsAtOnce(t *testing.T) {
	const here, there = "eu-west-1", "eu-west-2"
	s := newStack(t)
	emulatortest.Set(t, s.control, emulator.Settings{StrongWrite: 60})
	defer emulatortest.Set(t, s.control, emulator.Settings{})
	table := func(name, consistency string) map[string]any {
		return resource("AWS::DynamoDB::GlobalTable", map[string]any{
			"TableName": name, "BillingMode": "PAY_PER_REQUEST", "MultiRegionConsistency": consistency,
			"AttributeDefinitions": []any{map[string]any{"AttributeName": "id", "AttributeType": "S"}},
			"KeySchema":            []any{map[string]any{"AttributeName": "id", "KeyType": "HASH"}},
			"Replicas":             []any{map[string]any{"Region": here}, map[string]any{"Region": there}, map[string]any{"Region": "eu-west-3"}},
		})
	}
	strong, eventual := s.name+"-strong", s.name+"-eventual"
	s.deploy(t, cloudformationtypes.StackStatusCreateComplete, resources{"Strong": table(strong, "STRONG"), "Eventual": table(eventual, "EVENTUAL")})
	put := func(region, table, id string) error {
		client := dynamodb.NewFromConfig(emulatortest.Config(s.control, region), func(o *dynamodb.Options) { o.RetryMaxAttempts = 1 })
		_, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: id}}})
		return err
	}
	remove := func(region, id string) error {
		client := dynamodb.NewFromConfig(emulatortest.Config(s.control, region), func(o *dynamodb.Options) { o.RetryMaxAttempts = 1 })
		_, err := client.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{strong: {{
			DeleteRequest: &types.DeleteRequest{Key: map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: id}}},
		}}}})
		return err
	}
	for _, step := range []struct {
		what    string
		err     error
		refused bool
	}{
		{"the first write", put(here, strong, "a"), false},
		{"another one there", put(here, strong, "a"), false},
		{"one elsewhere", put(there, strong, "a"), true},
		{"a batch elsewhere", remove(there, "a"), true},
		{"of another item", put(there, strong, "b"), false},
		{"of an eventual table", errors.Join(put(here, eventual, "a"), put(there, eventual, "a")), false},
	} {
		var conflict *types.ReplicatedWriteConflictException
		if refused := errors.As(step.err, &conflict); refused != step.refused || !refused && step.err != nil {
			t.Errorf("%s: %v", step.what, step.err)
		}
	}
	emulatortest.Advance(t, s.control, 61*time.Second)
	if err := put(there, strong, "a"); err != nil {
		t.Errorf("when the first has been replicated: %v", err)
	}
}
