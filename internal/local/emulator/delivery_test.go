package emulator_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
)

// TestDeliveryExtendsABucketsPolicy (rule R38) by what it needs, or makes one: an update
// writes the stack's own again, a deletion leaves none, and a stack makes none where there
// is one.
func TestDeliveryExtendsABucketsPolicy(t *testing.T) {
	s := newStack(t)
	config := emulatortest.Config(s.control, "eu-west-1")
	client := s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true })
	sids := func() []string {
		t.Helper()
		out, err := client.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: &s.name})
		if err != nil {
			return nil
		}
		var policy struct{ Statement []struct{ Sid string } }
		if err := json.Unmarshal([]byte(*out.Policy), &policy); err != nil {
			t.Fatal(err)
		}
		var sids []string
		for _, statement := range policy.Statement {
			sids = append(sids, statement.Sid)
		}
		return sids
	}
	check := func(when string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, sids()); diff != "" {
			t.Errorf("%s: %s", when, diff)
		}
	}
	parts := func(sid string) resources {
		return resources{
			"Bucket": map[string]any{"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": map[string]any{"BucketName": s.name}},
			"Policy": map[string]any{"Type": "AWS::S3::BucketPolicy", "Properties": map[string]any{
				"Bucket": map[string]any{"Ref": "Bucket"},
				"PolicyDocument": map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
					"Sid": sid, "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*",
					"Condition": map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}},
				}}},
			}},
		}
	}
	flows := ec2.NewFromConfig(config)
	log := func() {
		t.Helper()
		vpcs, err := flows.CreateVpc(t.Context(), &ec2.CreateVpcInput{CidrBlock: aws.String("10.7.0.0/16")})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := flows.CreateFlowLogs(t.Context(), &ec2.CreateFlowLogsInput{
			ResourceType: ec2types.FlowLogsResourceTypeVpc, ResourceIds: []string{*vpcs.Vpc.VpcId}, TrafficType: ec2types.TrafficTypeAll,
			LogDestinationType: ec2types.LogDestinationTypeS3, LogDestination: aws.String("arn:aws:s3:::" + s.name),
		}); err != nil {
			t.Fatal(err)
		}
	}
	s.deploy(t, types.StackStatusCreateComplete, parts("own"))
	check("made", "own")
	log()
	log()
	check("extended", "own", "AWSLogDeliveryWrite1", "AWSLogDeliveryAclCheck1")
	s.deploy(t, types.StackStatusUpdateComplete, parts("other"))
	check("updated", "other")
	if err := s.delete(t); err != nil {
		t.Fatal(err)
	}
	check("deleted")
	log()
	check("without a stack", "AWSLogDeliveryWrite1", "AWSLogDeliveryAclCheck1")
	again := &stack{Client: s.Client, control: s.control, name: s.name + "-again"}
	again.deploy(t, types.StackStatusRollbackComplete, parts("own"), importing)
	if got := again.reasons(t); !strings.Contains(got, "The bucket policy already exists on bucket "+s.name) {
		t.Errorf("it failed otherwise: %s", got)
	}
	check("refused", "AWSLogDeliveryWrite1", "AWSLogDeliveryAclCheck1")
}
