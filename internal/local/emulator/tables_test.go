package emulator_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// table is a stack with a global table in regions.
func table(consistency string, regions ...string) string {
	var replicas []string
	for _, region := range regions {
		replicas = append(replicas, fmt.Sprintf(`{"Region": %q, "DeletionProtectionEnabled": true}`, region))
	}
	return fmt.Sprintf(`{"Resources": {"Table": {"Type": "AWS::DynamoDB::GlobalTable", "DeletionPolicy": "Retain", "Properties": {
		"TableName": "t", "BillingMode": "PAY_PER_REQUEST", "MultiRegionConsistency": %q, "Replicas": [%s],
		"KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
		"AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}]}}}}`, consistency, strings.Join(replicas, ","))
}

// TestTablesChangeOneReplicaAtATime, as on AWS: the reference of
// AWS::DynamoDB::GlobalTable, on Replicas.
func TestTablesChangeOneReplicaAtATime(t *testing.T) {
	c := emulatortest.Shared(t)
	call := func(action, stack, template string) error {
		form := url.Values{"Action": {action}, "Version": {"2010-05-15"}, "StackName": {stack}, "TemplateBody": {template}}
		_, err := emulatortest.Query(t, c, "cloudformation", "eu-west-1", form)
		return err
	}
	for _, test := range []struct {
		name, action, template, refusal string
	}{
		{"two at creation", "CreateStack", table("EVENTUAL", "eu-west-1", "us-east-1"), ""},
		{"two more", "UpdateStack", table("EVENTUAL", "eu-west-1", "us-east-1", "us-east-2", "us-west-2"), "only one replica"},
		{"one for another", "UpdateStack", table("EVENTUAL", "eu-west-1", "us-east-2"), "only one replica"},
		{"one that is protected", "UpdateStack", table("EVENTUAL", "eu-west-1"), "DeletionProtectionEnabled"},
		{"one more", "UpdateStack", table("EVENTUAL", "eu-west-1", "us-east-1", "us-east-2"), ""},
		{"one of a strong table", "UpdateStack", table("STRONG", "eu-west-1", "us-east-1"), "fixed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := call(test.action, "tables", test.template)
			if test.refusal == "" && err != nil {
				t.Error(err)
			}
			if test.refusal != "" && (err == nil || !strings.Contains(err.Error(), test.refusal)) {
				t.Errorf("want it refused with %q, got %v", test.refusal, err)
			}
		})
	}
}

// TestReplicasHaveTheirOwnRecovery: as the template says of each, and what a call changes
// stays until the template changes.
func TestReplicasHaveTheirOwnRecovery(t *testing.T) {
	c := emulatortest.Shared(t)
	deploy := func(action, here, there string) {
		t.Helper()
		template := strings.ReplaceAll(table("EVENTUAL", "eu-west-1", "us-east-1"), `"t"`, `"recovered"`)
		for region, on := range map[string]string{"eu-west-1": here, "us-east-1": there} {
			template = strings.Replace(template, `"`+region+`",`, `"`+region+`", "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": `+on+`},`, 1)
		}
		form := url.Values{"Action": {action}, "Version": {"2010-05-15"}, "StackName": {"recovered"}, "TemplateBody": {template}}
		if _, err := emulatortest.Query(t, c, "cloudformation", "eu-west-1", form); err != nil {
			t.Fatal(err)
		}
	}
	client := func(region string) *dynamodb.Client { return dynamodb.NewFromConfig(emulatortest.Config(c, region)) }
	want := func(here, there bool) {
		t.Helper()
		for region, on := range map[string]bool{"eu-west-1": here, "us-east-1": there} {
			out, err := client(region).DescribeContinuousBackups(t.Context(), &dynamodb.DescribeContinuousBackupsInput{TableName: aws.String("recovered")})
			if err != nil {
				t.Fatal(err)
			}
			if got := out.ContinuousBackupsDescription.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus == types.PointInTimeRecoveryStatusEnabled; got != on {
				t.Errorf("%s: point-in-time recovery is on: %t, want %t", region, got, on)
			}
		}
	}
	deploy("CreateStack", "true", "true")
	want(true, true)
	if _, err := client("us-east-1").UpdateContinuousBackups(t.Context(), &dynamodb.UpdateContinuousBackupsInput{
		TableName: aws.String("recovered"), PointInTimeRecoverySpecification: &types.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: aws.Bool(false)},
	}); err != nil {
		t.Fatal(err)
	}
	want(true, false)
	deploy("UpdateStack", "false", "true")
	want(false, false)
}
