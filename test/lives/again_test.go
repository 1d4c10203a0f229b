package lives_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/matrix"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// TestStacksAreMadeAgain fails the creation of each stack: of the storage stack and the
// global one at something that somebody else has under its name, after what it retains
// was made. What holds data is taken over as docs/operations.md says; the others are
// made again by the same command.
func TestStacksAreMadeAgain(t *testing.T) {
	t.Parallel()
	l := begin(t, serveApp(t), "nat")
	region, names := l.regions()[0], l.config.Names()
	const exists, goOn, takeOver, look, removePolicy = "already exists", 1, 2, 3, 5
	page := procedure(t, "Recover from a failed deployment", l.names(region))
	if want := "cdk deploy --all --import-existing-resources"; strings.TrimSpace(page[takeOver]) != want {
		t.Fatalf("docs/operations.md takes over by %q, want %q", page[takeOver], want)
	}

	// The storage stack: the bucket of logs and the log group are there when it fails.
	bucket := aws.String(names.Bucket("photos", region))
	if _, err := l.s3(region).CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket: bucket, CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: s3types.BucketLocationConstraint(region)},
	}); err != nil {
		t.Fatal(err)
	}
	l.refused("cdk deploy --all", *bucket+"' "+exists)
	if _, err := l.s3(region).DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}

	// Somebody's flow log goes to the bucket of logs, which was kept, and AWS writes a policy.
	l.logFlows(names.LogsBucket(region))
	storage := strings.Replace(page[takeOver], "--all", names.StorageStack(region), 1)
	l.refused(strings.TrimSpace(storage), "bucket policy "+exists+" on bucket "+names.LogsBucket(region))
	l.run(strings.Replace(page[removePolicy], "BUCKET", names.LogsBucket(region), 1))

	// The global stack: the employees' table is there. The storage stack is taken over.
	l.makeTable(names.Table("sessions"))
	l.clean(l.run(storage))
	l.refused("cdk deploy --all", names.Table("sessions")+"' "+exists)
	if _, err := l.dynamoDB(region).DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: aws.String(names.Table("sessions"))}); err != nil {
		t.Fatal(err)
	}

	// What was written meanwhile stays.
	l.written = append(l.written, "before")
	if _, err := l.dynamoDB(region).PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(names.Table("employees")), Item: employee("before")}); err != nil {
		t.Fatal(err)
	}
	// The command as it is written takes the global stack over, and goes on to the entry
	// stack. That one and a region's keep nothing.
	l.failOnce(names.EntryStack(), "AWS::CloudWatch::Dashboard", emulator.Before)
	l.refused(strings.TrimSpace(page[takeOver]), "fails before its effect")
	l.run(page[look])
	l.failOnce(names.RegionStack(region), "AWS::AutoScaling::ScalingPolicy", emulator.Before)
	l.refused("cdk deploy --all", "fails before its effect")
	l.deploy()
	l.write("after")

	// The group cannot be updated, and not back: the rollback fails, and goes on.
	const group = "AWS::AutoScaling::AutoScalingGroup"
	l.failOnce(names.RegionStack(region), group, emulator.Before, emulator.Back)
	l.set("fleet.max", fmt.Sprint(l.config.Fleet.Max+1))
	l.refused("cdk deploy --all", "UPDATE_ROLLBACK_FAILED")
	l.refused("cdk deploy --all", "UPDATE_ROLLBACK_FAILED")
	l.run(strings.Replace(page[goOn], "STACK", names.RegionStack(region), 1))
	l.deploy()
	l.write("after a rollback that failed")
}

// logFlows has the flows of the default VPC logged in a bucket.
func (l *life) logFlows(bucket string) {
	l.t.Helper()
	client := ec2.NewFromConfig(l.aws(l.regions()[0]))
	out, err := client.DescribeVpcs(l.t.Context(), &ec2.DescribeVpcsInput{})
	if err == nil {
		_, err = client.CreateFlowLogs(l.t.Context(), &ec2.CreateFlowLogsInput{
			ResourceType: ec2types.FlowLogsResourceTypeVpc, ResourceIds: []string{*out.Vpcs[0].VpcId}, TrafficType: ec2types.TrafficTypeAll,
			LogDestinationType: ec2types.LogDestinationTypeS3, LogDestination: aws.String("arn:aws:s3:::" + bucket),
		})
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

// failOnce has the resource of a type fail once at each of these.
func (l *life) failOnce(stack, resourceType string, whens ...emulator.When) {
	l.t.Helper()
	for id, r := range matrix.Committed(l.t, "nat").Stacks[stack].Resources(l.t) {
		if r.Type == resourceType {
			settings := variant()
			for _, when := range whens {
				settings.FailAt = append(settings.FailAt, emulator.Failure{Stack: stack, Resource: id, When: when})
			}
			if err := l.control.Set(l.t.Context(), settings); err != nil {
				l.t.Fatal(err)
			}
			return
		}
	}
	l.t.Fatalf("%s has no %s", stack, resourceType)
}

// makeTable makes a table by hand.
func (l *life) makeTable(name string) {
	l.t.Helper()
	if _, err := l.dynamoDB(l.regions()[0]).CreateTable(l.t.Context(), &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest,
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash}},
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("pk"), AttributeType: types.ScalarAttributeTypeS}},
	}); err != nil {
		l.t.Fatal(err)
	}
}
