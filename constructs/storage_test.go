package constructs_test

import (
	"testing"

	"github.com/archipelago-cdk/archipelago/constructs/buckets"
	"github.com/archipelago-cdk/archipelago/constructs/fleet"
	"github.com/archipelago-cdk/archipelago/constructs/logs"
	"github.com/archipelago-cdk/archipelago/constructs/tables"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"
)

func TestStrongTable(t *testing.T) {
	for name, test := range map[string]struct {
		regions  []string
		witness  string
		replicas int
		want     any
	}{
		"of three regions":  {[]string{"eu-west-1", "eu-west-2", "eu-west-3"}, "", 3, assertions.Match_Absent()},
		"of two, a witness": {[]string{"eu-west-1", "eu-west-2"}, "eu-west-3", 2, []any{properties{"Region": "eu-west-3"}}},
	} {
		t.Run(name, func(t *testing.T) {
			template := newTable(func(p *tables.Props) {
				p.Regions, p.MultiRegionStrongConsistency, p.Witness = test.regions, true, test.witness
			})
			has(template, "AWS::DynamoDB::GlobalTable", properties{
				"MultiRegionConsistency": "STRONG", "GlobalTableWitnesses": test.want,
			})
			for _, table := range *template.FindResources(str("AWS::DynamoDB::GlobalTable"), nil) {
				if got := len((*table)["Properties"].(properties)["Replicas"].([]any)); got != test.replicas {
					t.Errorf("got %d replicas, want %d", got, test.replicas)
				}
			}
		})
	}
}

func TestLogsBucketTakesWhatAWSDelivers(t *testing.T) {
	stack := newStack()
	logs.NewBucket(stack, "Logs", &logs.BucketProps{Name: "logs", Protect: true})
	template := assertions.Template_FromStack(stack, nil)
	template.HasResource(str("AWS::S3::Bucket"), properties{
		"DeletionPolicy": "Retain",
		"Properties": assertions.Match_ObjectLike(&properties{
			// A load balancer writes with no other key.
			"BucketEncryption": properties{"ServerSideEncryptionConfiguration": []any{
				properties{"ServerSideEncryptionByDefault": properties{"SSEAlgorithm": "AES256"}}}},
			"LifecycleConfiguration": properties{"Rules": []any{assertions.Match_ObjectLike(&properties{"ExpirationInDays": 90})}},
		}),
	})
	var allowed []string
	for _, policy := range *template.FindResources(str("AWS::S3::BucketPolicy"), nil) {
		for _, s := range (*policy)["Properties"].(properties)["PolicyDocument"].(properties)["Statement"].([]any) {
			statement := s.(properties)
			if statement["Effect"] == "Deny" {
				if diff := cmp.Diff(properties{"Bool": properties{"aws:SecureTransport": "false"}}, statement["Condition"]); diff != "" {
					t.Errorf("denied (-want +got):\n%s", diff)
				}
				continue
			}
			allowed = append(allowed, statement["Principal"].(properties)["Service"].(string)+" "+
				statement["Action"].(string)+" "+flatten(statement["Resource"]))
		}
	}
	if diff := cmp.Diff([]string{
		"logdelivery.elasticloadbalancing.amazonaws.com s3:PutObject /AWSLogs/123456789012/*",
		"delivery.logs.amazonaws.com s3:PutObject /AWSLogs/123456789012/*",
		"delivery.logs.amazonaws.com s3:GetBucketAcl ",
	}, allowed); diff != "" {
		t.Errorf("allowed (-want +got):\n%s", diff)
	}
}

func TestOldVersionsExpire(t *testing.T) {
	stack := newStack()
	buckets.New(stack, "Photos", &buckets.Props{Name: "photos", Logs: logsBucket(stack), LogsPrefix: "photos/"})
	has(assertions.Template_FromStack(stack, nil), "AWS::S3::Bucket", properties{
		"LifecycleConfiguration": properties{"Rules": []any{properties{
			"Id": "ExpireOldVersions", "Status": "Enabled",
			"NoncurrentVersionExpiration":    properties{"NoncurrentDays": 30},
			"ExpiredObjectDeleteMarker":      true,
			"AbortIncompleteMultipartUpload": properties{"DaysAfterInitiation": 1},
		}}},
		"LoggingConfiguration": properties{"DestinationBucketName": "logs", "LogFilePrefix": "photos/"},
	})
}

// TestCallsLogIntoWhatIsThereBeforeThem: a function whose log group comes after
// it may make its own first, and the stack fails.
func TestCallsLogIntoWhatIsThereBeforeThem(t *testing.T) {
	stack := newStack()
	fleet.NewInstanceTypeParameter(stack, "InstanceType", &fleet.InstanceTypeParameterProps{Name: "/test/fleet/instance-type", StartAt: "m7g.medium"})
	template := assertions.Template_FromStack(stack, nil)
	count(template, "AWS::Logs::LogGroup", 1)
	for id := range *template.FindResources(jsii.String("AWS::Logs::LogGroup"), nil) {
		has(template, "AWS::Lambda::Function", properties{"LoggingConfig": properties{"LogGroup": properties{"Ref": id}}})
	}
}
