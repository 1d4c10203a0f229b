package emulator_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// bad is a resource that cannot be made, because its name is taken; it comes last.
func (s *stack) bad(t *testing.T, after ...string) resources {
	t.Helper()
	s.put(t, "/taken", "by another")
	broken := parameter("/taken", "mine")
	if after != nil {
		broken["DependsOn"] = after
	}
	return resources{"Bad": broken}
}

func (s *stack) put(t *testing.T, name, value string) {
	t.Helper()
	if _, err := s.parameters().PutParameter(t.Context(), &ssm.PutParameterInput{
		Name: &name, Value: &value, Type: ssmtypes.ParameterTypeString, Overwrite: aws.Bool(true),
	}); err != nil {
		t.Fatal(err)
	}
}

func (s *stack) parameters() *ssm.Client {
	return ssm.NewFromConfig(emulatortest.Config(s.control, "eu-west-1"))
}

// value is a parameter's, or "" where there is none.
func (s *stack) value(t *testing.T, name string) string {
	t.Helper()
	out, err := s.parameters().GetParameter(t.Context(), &ssm.GetParameterInput{Name: &name})
	if err != nil {
		return ""
	}
	return *out.Parameter.Value
}

// delete deletes the stack.
func (s *stack) delete(t *testing.T) error {
	t.Helper()
	_, err := s.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: &s.name})
	return err
}

// parametrized is a template with a parameter of Systems Manager.
type parametrized struct {
	resources
	parameter string
}

func (p parametrized) String() string {
	return fmt.Sprintf(`{"Parameters": {"Type": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": %q}}, %s`,
		p.parameter, strings.TrimPrefix(p.resources.String(), "{"))
}

// TestUpdateThatFailsReturnsToTheValuesOfTheLastDeployment, whatever Systems Manager
// says by then.
func TestUpdateThatFailsReturnsToTheValuesOfTheLastDeployment(t *testing.T) {
	s := newStack(t)
	source, copied := "/"+s.name+"/source", "/"+s.name+"/copy"
	s.put(t, source, "m7g.medium")
	template := parametrized{resources{"Copy": parameter(copied, map[string]any{"Ref": "Type"})}, source}
	s.deploy(t, types.StackStatusCreateComplete, template)
	s.put(t, source, "m7g.2xlarge")
	s.deploy(t, types.StackStatusUpdateRollbackComplete, parametrized{template.resources.with(s.bad(t, "Copy")), source})
	if got := s.value(t, copied); got != "m7g.medium" {
		t.Errorf("the rollback is to %s, want to what the last deployment read, m7g.medium", got)
	}
	// An update that succeeds reads it again.
	s.deploy(t, types.StackStatusUpdateComplete, parametrized{template.resources.with(resources{"More": parameter("/"+s.name+"/more", "x")}), source})
	if got := s.value(t, copied); got != "m7g.2xlarge" {
		t.Errorf("the next update reads %s", got)
	}
}

// TestNewImageIsAChange: of the launch template whose stack reads it from Systems Manager,
// and of what is joined with it, where the template is the same.
func TestNewImageIsAChange(t *testing.T) {
	s := newStack(t)
	source := "/" + s.name + "/image"
	template := parametrized{resources{"Template": map[string]any{"Type": "AWS::EC2::LaunchTemplate", "Properties": map[string]any{
		"LaunchTemplateName": s.name, "VersionDescription": map[string]any{"Fn::Sub": "of ${Type}"}, "LaunchTemplateData": map[string]any{"ImageId": map[string]any{"Ref": "Type"}},
	}}}, source}
	s.put(t, source, "ami-12c6146b")
	s.deploy(t, types.StackStatusCreateComplete, template)
	s.put(t, source, "ami-0")
	s.deploy(t, types.StackStatusUpdateComplete, template)
	out, err := ec2.NewFromConfig(emulatortest.Config(s.control, "eu-west-1")).DescribeLaunchTemplateVersions(t.Context(), &ec2.DescribeLaunchTemplateVersionsInput{
		LaunchTemplateName: &s.name, Versions: []string{"$Latest"},
	})
	if err != nil || len(out.LaunchTemplateVersions) != 1 {
		t.Fatalf("got %v, %v", out, err)
	}
	if v := out.LaunchTemplateVersions[0]; *v.VersionNumber != 2 || *v.LaunchTemplateData.ImageId != "ami-0" || *v.VersionDescription != "of ami-0" {
		t.Errorf("the latest version is %d of %s, %q; want a second one of the new image", *v.VersionNumber, *v.LaunchTemplateData.ImageId, *v.VersionDescription)
	}
}

func TestParametersExistWhenAChangeSetIsMade(t *testing.T) {
	s := newStack(t)
	err := s.begin(t, parametrized{resources{"Copy": parameter("/"+s.name, "x")}, "/missing"})
	wantError(t, err, "ValidationError", "Unable to fetch parameters [/missing]")
}

// TestStackForgetsParameters that its template no longer has: who deploys it with them again,
// as a region that comes back to the accelerator, begins with their default.
func TestStackForgetsParameters(t *testing.T) {
	s := newStack(t)
	source := "/" + s.name + "/source"
	s.put(t, source, "x")
	without := resources{"Kept": parameter("/"+s.name, "x")}
	with := parametrized{without.with(resources{"Copy": parameter("/"+s.name+"/copy", map[string]any{"Ref": "Type"})}), source}
	parameters := func(want int) {
		t.Helper()
		out, err := s.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: &s.name})
		if err != nil || len(out.Stacks[0].Parameters) != want {
			t.Errorf("got %+v, %v, want %d parameters", out, err, want)
		}
	}
	s.deploy(t, types.StackStatusCreateComplete, with)
	parameters(1)
	s.deploy(t, types.StackStatusUpdateComplete, without)
	parameters(0)
	err := s.begin(t, with, func(in *cloudformation.CreateChangeSetInput) {
		in.Parameters = []types.Parameter{{ParameterKey: aws.String("Type"), UsePreviousValue: aws.Bool(true)}}
	})
	wantError(t, err, "ValidationError", "Cannot specify usePreviousValue as true for a parameter key not in the previous template")
	s.deploy(t, types.StackStatusUpdateComplete, with)
	parameters(1)
}

// TestCreationThatFailsIsDeleted, the last first, but for what is retained.
func TestCreationThatFailsIsDeleted(t *testing.T) {
	s := newStack(t)
	bucket := func(name, policy string) map[string]any {
		return map[string]any{"Type": "AWS::S3::Bucket", "DeletionPolicy": policy, "Properties": map[string]any{"BucketName": strings.ToLower(s.name) + name}}
	}
	template := resources{
		"Kept":   bucket("-kept", "Retain"),
		"Except": bucket("-except", "RetainExceptOnCreate"),
		"Gone":   parameter("/"+s.name, "x"),
	}
	s.deploy(t, types.StackStatusRollbackComplete, template.with(s.bad(t, "Kept", "Except", "Gone")))
	if s.value(t, "/"+s.name) != "" {
		t.Error("a parameter is left")
	}
	if got := s.buckets(t); !slices.Equal(got, []string{"-kept"}) {
		t.Errorf("the buckets %s are left, want what is retained", got)
	}
	// Such a stack can only be deleted.
	err := s.begin(t, template)
	wantError(t, err, "ValidationError", "is in ROLLBACK_COMPLETE state and can not be updated")
	if err := s.delete(t); err != nil {
		t.Fatal(err)
	}
	// What it retained is in the way of the next one.
	s.deploy(t, types.StackStatusRollbackComplete, template)
	if got := s.reasons(t); !strings.Contains(got, "-kept' already exists. (HandlerErrorCode: AlreadyExists)") {
		t.Errorf("it failed otherwise: %s", got)
	}
}

// buckets are what the names of the stack's buckets end with.
func (s *stack) buckets(t *testing.T) []string {
	t.Helper()
	out, err := s3.NewFromConfig(emulatortest.Config(s.control, "eu-west-1")).ListBuckets(t.Context(), &s3.ListBucketsInput{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, b := range out.Buckets {
		if rest, ok := strings.CutPrefix(*b.Name, strings.ToLower(s.name)); ok {
			names = append(names, rest)
		}
	}
	return names
}

func importing(in *cloudformation.CreateChangeSetInput) { in.ImportExistingResources = aws.Bool(true) }

// replicated is a table in regions that is retained.
func (s *stack) replicated(protected bool, regions ...string) resources {
	var replicas []any
	for _, region := range regions {
		replicas = append(replicas, map[string]any{"Region": region, "DeletionProtectionEnabled": protected})
	}
	return resources{"Table": map[string]any{"Type": "AWS::DynamoDB::GlobalTable", "DeletionPolicy": "Retain", "Properties": map[string]any{
		"TableName": s.name, "BillingMode": "PAY_PER_REQUEST", "Replicas": replicas,
		"KeySchema":            []any{map[string]any{"AttributeName": "pk", "KeyType": "HASH"}},
		"AttributeDefinitions": []any{map[string]any{"AttributeName": "pk", "AttributeType": "S"}},
	}}}
}

func (s *stack) exists(t *testing.T, region string) bool {
	t.Helper()
	_, err := dynamodb.NewFromConfig(emulatortest.Config(s.control, region)).DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &s.name})
	return err == nil
}

// TestImportTakesOverWhatExists and compares nothing: a replica that the template has
// and the table does not have stays missing.
func TestImportTakesOverWhatExists(t *testing.T) {
	s := newStack(t)
	s.deploy(t, types.StackStatusCreateComplete, s.replicated(true, "eu-west-1"))
	other := &stack{Client: s.Client, control: s.control, name: s.name + "-other"}
	again := s.replicated(true, "eu-west-1", "us-east-1")
	other.deploy(t, types.StackStatusRollbackComplete, again, importing)
	if got := other.reasons(t); !strings.Contains(got, "AlreadyExists") {
		t.Errorf("what another stack has was taken over: %s", got)
	}
	for _, delete := range []*stack{s, other} {
		if err := delete.delete(t); err != nil {
			t.Fatal(err)
		}
	}
	if !s.exists(t, "eu-west-1") {
		t.Fatal("the table is not retained")
	}
	s.deploy(t, types.StackStatusCreateComplete, again, importing)
	if s.exists(t, "us-east-1") {
		t.Error("the import has made a replica")
	}
	// It is one of the stack's now, whose updates do not see what is missing.
	again["Table"].(map[string]any)["Properties"].(map[string]any)["BillingMode"] = "PROVISIONED"
	s.deploy(t, types.StackStatusUpdateComplete, again)
	if s.exists(t, "us-east-1") {
		t.Error("an update has made the replica")
	}
	region := aws.String("us-east-1")
	for _, c := range []struct {
		update  dynamodbtypes.ReplicationGroupUpdate
		replica bool
	}{
		{dynamodbtypes.ReplicationGroupUpdate{Create: &dynamodbtypes.CreateReplicationGroupMemberAction{RegionName: region}}, true},
		{dynamodbtypes.ReplicationGroupUpdate{Delete: &dynamodbtypes.DeleteReplicationGroupMemberAction{RegionName: region}}, false},
	} {
		if _, err := dynamodb.NewFromConfig(emulatortest.Config(s.control, "eu-west-1")).UpdateTable(t.Context(), &dynamodb.UpdateTableInput{
			TableName: &s.name, ReplicaUpdates: []dynamodbtypes.ReplicationGroupUpdate{c.update},
		}); err != nil {
			t.Fatal(err)
		}
		if got := s.exists(t, *region); got != c.replica {
			t.Errorf("there is the replica: %t, want %t", got, c.replica)
		}
	}
}

// TestImportOfATableWithALostReplica into the stack of another region, by both readings of
// what it reads. Either way no update changes its replicas while that one is lost, though
// the stack's template has only those that are left.
func TestImportOfATableWithALostReplica(t *testing.T) {
	const lost, home = "eu-west-1", "us-east-1"
	for oneReplica, want := range map[bool]types.StackStatus{false: types.StackStatusRollbackComplete, true: types.StackStatusCreateComplete} {
		t.Run(fmt.Sprint(oneReplica), func(t *testing.T) {
			s := newStack(t)
			s.deploy(t, types.StackStatusCreateComplete, s.replicated(false, lost, home))
			other := &stack{Client: cloudformation.NewFromConfig(emulatortest.Config(s.control, home)), control: s.control, name: s.name}
			emulatortest.Set(t, s.control, emulator.Settings{Lost: []string{lost}, ImportReadsOneReplica: oneReplica})
			other.deploy(t, want, s.replicated(false, home), importing)
			if !s.exists(t, home) {
				t.Error("the table is gone")
			}
			if !oneReplica {
				if got := other.reasons(t); !strings.Contains(got, "does not answer") {
					t.Errorf("it failed otherwise: %s", got)
				}
				return
			}
			other.deploy(t, types.StackStatusUpdateRollbackFailed, s.replicated(false, home, "us-east-2"))
			emulatortest.Set(t, s.control, emulator.Settings{})
			if _, err := other.ContinueUpdateRollback(t.Context(), &cloudformation.ContinueUpdateRollbackInput{StackName: &other.name}); err != nil {
				t.Fatal(err)
			}
			emulatortest.AwaitStack(t, other.Client, other.name, time.Minute)
			other.deploy(t, types.StackStatusUpdateComplete, s.replicated(false, home, "us-east-2"))
		})
	}
}

// TestDashboardsHaveTheNamesOfAnAccount, not of a region.
func TestDashboardsHaveTheNamesOfAnAccount(t *testing.T) {
	s := newStack(t)
	dashboard := resources{"Dashboard": map[string]any{"Type": "AWS::CloudWatch::Dashboard", "Properties": map[string]any{"DashboardName": s.name, "DashboardBody": "{}"}}}
	s.deploy(t, types.StackStatusCreateComplete, dashboard)
	here := emulatortest.Config(s.control, "us-east-1")
	other := &stack{Client: cloudformation.NewFromConfig(here), control: s.control, name: s.name}
	other.deploy(t, types.StackStatusRollbackComplete, dashboard)
	if got := other.reasons(t); !strings.Contains(got, "AlreadyExists") {
		t.Errorf("it failed otherwise: %s", got)
	}
	if err := other.delete(t); err != nil {
		t.Fatal(err)
	}
	client := cloudwatch.NewFromConfig(here)
	if _, err := client.GetDashboard(t.Context(), &cloudwatch.GetDashboardInput{DashboardName: &s.name}); err != nil {
		t.Errorf("a rollback deleted another stack's: %v", err)
	}
	if _, err := client.DeleteDashboards(t.Context(), &cloudwatch.DeleteDashboardsInput{DashboardNames: []string{s.name}}); err != nil {
		t.Fatal(err)
	}
	other.deploy(t, types.StackStatusCreateComplete, dashboard)
	// A stack deletes what has the name.
	if err := s.delete(t); err != nil {
		t.Fatal(err)
	}
	if _, err := client.GetDashboard(t.Context(), &cloudwatch.GetDashboardInput{DashboardName: &s.name}); err == nil {
		t.Error("there is a dashboard that a stack has deleted")
	}
}

func TestNothingIsImportedThatIsNotRetained(t *testing.T) {
	s := newStack(t)
	s.deploy(t, types.StackStatusCreateComplete, s.replicated(false, "eu-west-1"))
	if err := s.delete(t); err != nil {
		t.Fatal(err)
	}
	template := s.replicated(false, "eu-west-1")
	template["Table"].(map[string]any)["DeletionPolicy"] = "Delete"
	s.deploy(t, types.StackStatusRollbackComplete, template, importing)
}

// TestProtectionIsInTheWayOfARollback, and of a deletion.
func TestProtectionIsInTheWayOfARollback(t *testing.T) {
	for name, parts := range map[string]func(s *stack) resources{
		"table": func(s *stack) resources {
			template := s.replicated(true, "eu-west-1")
			template["Table"].(map[string]any)["DeletionPolicy"] = "Delete"
			return template
		},
		"balancer": func(s *stack) resources {
			return resources{
				"VPC":    map[string]any{"Type": "AWS::EC2::VPC", "Properties": map[string]any{"CidrBlock": "10.0.0.0/16"}},
				"Subnet": map[string]any{"Type": "AWS::EC2::Subnet", "Properties": map[string]any{"CidrBlock": "10.0.0.0/24", "VpcId": map[string]any{"Ref": "VPC"}}},
				"Table": map[string]any{"Type": "AWS::ElasticLoadBalancingV2::LoadBalancer", "Properties": map[string]any{
					"Scheme": "internal", "Subnets": []any{map[string]any{"Ref": "Subnet"}},
					"LoadBalancerAttributes": []any{map[string]any{"Key": "deletion_protection.enabled", "Value": "true"}},
				}},
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t)
			template := parts(s)
			s.deploy(t, types.StackStatusRollbackFailed, template.with(s.bad(t, "Table")))
			if err := s.delete(t); err != nil {
				t.Fatal(err)
			}
			s.await(t, types.StackStatusDeleteFailed)
			wantError(t, s.begin(t, template), "ValidationError", "is in DELETE_FAILED state and can not be updated")
		})
	}
}

// TestProtectedStackCannotBeDeleted, also one whose creation has failed: the CDK CLI
// protects a stack before its first change set runs.
func TestProtectedStackCannotBeDeleted(t *testing.T) {
	s := newStack(t)
	if _, err := s.CreateChangeSet(t.Context(), &cloudformation.CreateChangeSetInput{
		StackName: &s.name, ChangeSetName: aws.String("first"), ChangeSetType: types.ChangeSetTypeCreate, TemplateBody: aws.String(resources(s.bad(t)).String()),
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.UpdateTerminationProtection(t.Context(), &cloudformation.UpdateTerminationProtectionInput{StackName: &s.name, EnableTerminationProtection: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ExecuteChangeSet(t.Context(), &cloudformation.ExecuteChangeSetInput{StackName: &s.name, ChangeSetName: aws.String("first")}); err != nil {
		t.Fatal(err)
	}
	s.await(t, types.StackStatusRollbackComplete)
	wantError(t, s.delete(t), "ValidationError", "cannot be deleted while TerminationProtection is enabled")
}

// TestBucketThatIsNotEmptyStays, in a rollback and in a deletion, until it is: a deleted
// object whose versions are kept is still something.
func TestBucketThatIsNotEmptyStays(t *testing.T) {
	s := newStack(t)
	name := strings.ToLower(s.name)
	template := resources{"Bucket": map[string]any{"Type": "AWS::S3::Bucket", "Properties": map[string]any{
		"BucketName": name, "VersioningConfiguration": map[string]any{"Status": "Enabled"},
	}}}
	s.deploy(t, types.StackStatusCreateComplete, template)
	client := s3.NewFromConfig(emulatortest.Config(s.control, "eu-west-1"), pathStyle)
	object := "photo"
	put, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &name, Key: &object})
	if err != nil {
		t.Fatal(err)
	}
	deletion, err := client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &name, Key: &object})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.delete(t); err != nil {
		t.Fatal(err)
	}
	s.await(t, types.StackStatusDeleteFailed)
	if got := s.reasons(t); !strings.Contains(got, "The bucket you tried to delete is not empty") {
		t.Errorf("it failed otherwise: %s", got)
	}
	for _, version := range []*string{put.VersionId, deletion.VersionId} {
		if _, err := client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &name, Key: &object, VersionId: version}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.delete(t); err != nil {
		t.Fatal(err)
	}
	s.await(t, "")
	if left := s.buckets(t); left != nil {
		t.Errorf("%v is left", left)
	}
}

// TestReplicaInTheWayOfARollback: one that the update added and that is protected.
func TestReplicaInTheWayOfARollback(t *testing.T) {
	s := newStack(t)
	s.deploy(t, types.StackStatusCreateComplete, s.replicated(true, "eu-west-1"))
	s.deploy(t, types.StackStatusUpdateRollbackFailed, s.replicated(true, "eu-west-1", "us-east-1").with(s.bad(t, "Table")))
	wantError(t, s.begin(t, s.replicated(true, "eu-west-1")), "ValidationError", "is in UPDATE_ROLLBACK_FAILED state and can not be updated")
	// It goes on when the replica's protection is gone.
	if _, err := dynamodb.NewFromConfig(emulatortest.Config(s.control, "us-east-1")).UpdateTable(t.Context(), &dynamodb.UpdateTableInput{
		TableName: &s.name, DeletionProtectionEnabled: aws.Bool(false),
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ContinueUpdateRollback(t.Context(), &cloudformation.ContinueUpdateRollbackInput{StackName: &s.name}); err != nil {
		t.Fatal(err)
	}
	s.await(t, types.StackStatusUpdateRollbackComplete)
	if s.exists(t, "us-east-1") {
		t.Error("the replica is left")
	}
	// The primary's is never removed.
	s.deploy(t, types.StackStatusUpdateRollbackComplete, s.replicated(true, "us-east-1"))
	if got := s.reasons(t); !strings.Contains(got, "cannot be removed") {
		t.Errorf("it failed otherwise: %s", got)
	}
}

// TestVersionsInARollback: a launch template has a further one, or the former again.
func TestVersionsInARollback(t *testing.T) {
	for keeps, want := range map[bool]int64{false: 3, true: 1} {
		t.Run(fmt.Sprint(want), func(t *testing.T) {
			s := newStack(t)
			emulatortest.Set(t, s.control, emulator.Settings{RollbackKeepsVersion: keeps})
			template := func(image string) resources {
				return resources{"Template": map[string]any{"Type": "AWS::EC2::LaunchTemplate", "Properties": map[string]any{
					"LaunchTemplateName": s.name, "LaunchTemplateData": map[string]any{"ImageId": image},
				}}}
			}
			s.deploy(t, types.StackStatusCreateComplete, template("ami-12c6146b"))
			s.deploy(t, types.StackStatusUpdateRollbackComplete, template("ami-0").with(s.bad(t, "Template")))
			out, err := ec2.NewFromConfig(emulatortest.Config(s.control, "eu-west-1")).DescribeLaunchTemplateVersions(t.Context(), &ec2.DescribeLaunchTemplateVersionsInput{
				LaunchTemplateName: &s.name, Versions: []string{"$Latest"},
			})
			if err != nil || len(out.LaunchTemplateVersions) != 1 {
				t.Fatalf("got %v, %v", out, err)
			}
			if v := out.LaunchTemplateVersions[0]; *v.VersionNumber != want || *v.LaunchTemplateData.ImageId != "ami-12c6146b" {
				t.Errorf("the latest version is %d of %s, want %d", *v.VersionNumber, *v.LaunchTemplateData.ImageId, want)
			}
		})
	}
}

// fleet is a stack with a group whose update refreshes it by CloudFormation, guarded by
// an alarm.
func (s *stack) fleet(instanceType string) resources {
	return resources{
		"Template": map[string]any{"Type": "AWS::EC2::LaunchTemplate", "Properties": map[string]any{
			"LaunchTemplateName": s.name, "LaunchTemplateData": map[string]any{"ImageId": "ami-12c6146b"},
		}},
		"Group": map[string]any{
			"Type": "AWS::AutoScaling::AutoScalingGroup",
			"Properties": map[string]any{
				"AutoScalingGroupName": s.name, "MinSize": "2", "MaxSize": "4", "AvailabilityZones": []any{"eu-west-1a", "eu-west-1b"},
				"HealthCheckType": "ELB", "HealthCheckGracePeriod": grace,
				"MixedInstancesPolicy": map[string]any{"LaunchTemplate": map[string]any{
					"LaunchTemplateSpecification": map[string]any{"LaunchTemplateId": map[string]any{"Ref": "Template"}, "Version": "1"},
					"Overrides":                   []any{map[string]any{"InstanceType": instanceType}},
				}},
			},
			"UpdatePolicy": map[string]any{"AutoScalingInstanceRefresh": map[string]any{"Strategy": "Rolling", "Preferences": map[string]any{
				"MinHealthyPercentage": 100, "MaxHealthyPercentage": 150, "InstanceWarmup": warmUp,
				"AlarmSpecification": map[string]any{"Alarms": []any{s.name}},
			}}},
		},
	}
}

// TestGuardInAlarmForbidsItsOwnRollback: what it stops stays as it is, with the new
// instances among the others, until an operator acts.
func TestGuardInAlarmForbidsItsOwnRollback(t *testing.T) {
	s := newStack(t)
	g := s.group()
	g.putAlarm(t)
	s.deploy(t, types.StackStatusCreateComplete, s.fleet("m7g.medium"))
	go s.begin(t, s.fleet("m7g.large")) //nolint:errcheck // what it answers late is seen in the stack
	for !slices.Contains(g.types(t), "m7g.large") {
		time.Sleep(20 * time.Millisecond)
	}
	g.setAlarm(t, "ALARM")
	s.await(t, types.StackStatusUpdateRollbackFailed)
	if got := s.reasons(t); !strings.Contains(got, "cannot start while the alarm") {
		t.Errorf("it failed otherwise: %s", got)
	}
}

// TestStackWritesThePolicyWithOtherProperties of a group, or leaves it alone: AWS's
// documents leave it open.
func TestStackWritesThePolicyWithOtherProperties(t *testing.T) {
	for onlyChanged, want := range map[bool]types.StackStatus{false: types.StackStatusUpdateRollbackFailed, true: types.StackStatusUpdateComplete} {
		t.Run(string(want), func(t *testing.T) {
			s := newStack(t)
			emulatortest.Set(t, s.control, emulator.Settings{PolicyWrittenWhenChanged: onlyChanged})
			g := s.group()
			g.putAlarm(t)
			s.deploy(t, types.StackStatusCreateComplete, s.fleet("m7g.medium"))
			if err := g.step(t, "m7g.large"); err != nil {
				t.Fatal(err)
			}
			larger := s.fleet("m7g.medium")
			larger["Group"].(map[string]any)["Properties"].(map[string]any)["MaxSize"] = "5"
			s.deploy(t, want, larger)
			if want == types.StackStatusUpdateRollbackFailed && !strings.Contains(s.reasons(t), "An active instance refresh with a desired configuration exists") {
				t.Errorf("it failed otherwise: %s", s.reasons(t))
			}
			g.cancel(t)
		})
	}
}

// TestResourcesFailOnce before their effect, and after it: what is there of them is
// deleted, unless it is retained.
func TestResourcesFailOnce(t *testing.T) {
	s := newStack(t)
	name := "/" + s.name
	fail := func(id string, when emulator.When) {
		emulatortest.Set(t, s.control, emulator.Settings{FailAt: []emulator.Failure{{Stack: s.name, Resource: id, When: when}}})
	}
	deploy := func(template resources, failed types.StackStatus, change ...func(*cloudformation.CreateChangeSetInput)) {
		t.Helper()
		s.deploy(t, failed, template, change...)
		if left, err := s.control.Settings(t.Context()); err != nil || len(left.FailAt) > 0 {
			t.Errorf("still to fail are %v, %v", left.FailAt, err)
		}
		if failed == types.StackStatusRollbackComplete {
			if err := s.delete(t); err != nil {
				t.Fatal(err)
			}
		}
	}
	template := resources{"Parameter": parameter(name, "x")}
	for _, when := range []emulator.When{emulator.Before, emulator.After} {
		fail("Parameter", when)
		deploy(template, types.StackStatusRollbackComplete)
		if s.value(t, name) != "" {
			t.Errorf("a parameter that failed %s its effect is left", when)
		}
	}
	// A table is kept with the replicas that it has by then.
	table := s.replicated(false, "eu-west-1", "us-east-1")
	for _, c := range []struct {
		when           emulator.When
		table, replica bool
	}{{emulator.Before, false, false}, {emulator.Between, true, false}} {
		fail("Table", c.when)
		deploy(table, types.StackStatusRollbackComplete)
		if table, replica := s.exists(t, "eu-west-1"), s.exists(t, "us-east-1"); table != c.table || replica != c.replica {
			t.Errorf("%s its effect there is the table: %t, and the replica: %t", c.when, table, replica)
		}
	}
	s.deploy(t, types.StackStatusCreateComplete, table.with(template), importing)

	for _, when := range []emulator.When{emulator.Before, emulator.After} {
		fail("Parameter", when)
		deploy(table.with(resources{"Parameter": parameter(name, "y")}), types.StackStatusUpdateRollbackComplete)
		if got := s.value(t, name); got != "x" {
			t.Errorf("an update that failed %s its effect leaves %q", when, got)
		}
	}
	s.deploy(t, types.StackStatusUpdateComplete, table.with(resources{"Parameter": parameter(name, "y")}))
	if got := s.value(t, name); got != "y" {
		t.Errorf("the next update leaves %q", got)
	}
}

// TestTagsChangeASecurityGroupInPlace: what refers to it does not change.
func TestTagsChangeASecurityGroupInPlace(t *testing.T) {
	s := newStack(t)
	template := func(tag string) resources {
		return resources{
			"VPC": map[string]any{"Type": "AWS::EC2::VPC", "Properties": map[string]any{"CidrBlock": "10.0.0.0/16"}},
			"Group": map[string]any{"Type": "AWS::EC2::SecurityGroup", "Properties": map[string]any{
				"GroupDescription": s.name, "VpcId": map[string]any{"Ref": "VPC"}, "Tags": []any{map[string]any{"Key": "team", "Value": tag}},
			}},
		}
	}
	group := func() ec2types.SecurityGroup {
		t.Helper()
		out, err := ec2.NewFromConfig(emulatortest.Config(s.control, "eu-west-1")).DescribeSecurityGroups(t.Context(), &ec2.DescribeSecurityGroupsInput{
			Filters: []ec2types.Filter{{Name: aws.String("description"), Values: []string{s.name}}},
		})
		if err != nil || len(out.SecurityGroups) != 1 {
			t.Fatalf("got %v, %v", out, err)
		}
		return out.SecurityGroups[0]
	}
	s.deploy(t, types.StackStatusCreateComplete, template("one"))
	before := group()
	s.deploy(t, types.StackStatusUpdateComplete, template("two"))
	if after := group(); *after.GroupId != *before.GroupId || *after.Tags[0].Value != "two" {
		t.Errorf("%s has become %s with the tags %v", *before.GroupId, *after.GroupId, after.Tags)
	}
}
