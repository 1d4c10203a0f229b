package emulator_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// stack is one of CloudFormation in eu-west-1, deployed by change sets as the CDK CLI
// does.
type stack struct {
	*cloudformation.Client
	control emulator.Control
	name    string
	sets    int
}

func newStack(t *testing.T) *stack {
	t.Helper()
	control := emulatortest.Shared(t)
	return &stack{
		Client:  cloudformation.NewFromConfig(emulatortest.Config(control, "eu-west-1")),
		control: control, name: plain(t.Name()),
	}
}

// plain is a test's name as a resource may have it.
func plain(name string) string {
	return strings.NewReplacer("/", "-", " ", "-", "_", "-", ",", "").Replace(name)
}

// resources is a template.
type resources map[string]any

func (r resources) String() string {
	b, err := json.Marshal(map[string]any{"Resources": r})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// begin executes a change set, and does not wait for its end.
func (s *stack) begin(t *testing.T, template fmt.Stringer, change ...func(*cloudformation.CreateChangeSetInput)) error {
	t.Helper()
	s.sets++
	in := &cloudformation.CreateChangeSetInput{
		StackName: &s.name, ChangeSetName: aws.String(fmt.Sprintf("set-%d", s.sets)), TemplateBody: aws.String(template.String()),
		ChangeSetType: types.ChangeSetTypeCreate,
	}
	if s.status(t) != "" && s.status(t) != types.StackStatusReviewInProgress {
		in.ChangeSetType = types.ChangeSetTypeUpdate
	}
	for _, c := range change {
		c(in)
	}
	if _, err := s.CreateChangeSet(t.Context(), in); err != nil {
		return err
	}
	_, err := s.ExecuteChangeSet(t.Context(), &cloudformation.ExecuteChangeSetInput{StackName: &s.name, ChangeSetName: in.ChangeSetName})
	return err
}

// deploy executes a change set and waits until the stack has a status.
func (s *stack) deploy(t *testing.T, want types.StackStatus, template fmt.Stringer, change ...func(*cloudformation.CreateChangeSetInput)) {
	t.Helper()
	if err := s.begin(t, template, change...); err != nil {
		t.Fatal(err)
	}
	s.await(t, want)
}

// await waits until the stack has a status.
func (s *stack) await(t *testing.T, want types.StackStatus) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		got := s.status(t)
		if got == want {
			return
		}
		if !strings.HasSuffix(string(got), "_IN_PROGRESS") || time.Now().After(end) {
			t.Fatalf("the stack is %s, want %s: %s", got, want, s.reasons(t))
		}
	}
}

// status is the stack's, or "" where there is none.
func (s *stack) status(t *testing.T) types.StackStatus {
	t.Helper()
	return emulatortest.StackStatus(t, s.Client, s.name)
}

// reasons are those of the stack's events.
func (s *stack) reasons(t *testing.T) string {
	t.Helper()
	out, err := s.DescribeStackEvents(t.Context(), &cloudformation.DescribeStackEventsInput{StackName: &s.name})
	if err != nil {
		t.Fatal(err)
	}
	var reasons []string
	for _, e := range out.StackEvents {
		reasons = append(reasons, fmt.Sprintf("%s %s %s", aws.ToString(e.LogicalResourceId), e.ResourceStatus, aws.ToString(e.ResourceStatusReason)))
	}
	return strings.Join(reasons, "\n")
}

// function is a Lambda function whose code is a program, and its role.
func function(t *testing.T, control emulator.Control, name string) resources {
	t.Helper()
	client := s3.NewFromConfig(emulatortest.Config(control, "us-east-1"), func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("code")}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("code"), Key: aws.String("code.zip"), Body: bytes.NewReader([]byte("a program"))}); err != nil {
		t.Fatal(err)
	}
	trust := map[string]any{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": map[string]any{"Service": "lambda.amazonaws.com"}}
	return resources{
		"Role": map[string]any{"Type": "AWS::IAM::Role", "Properties": map[string]any{
			"AssumeRolePolicyDocument": map[string]any{"Version": "2012-10-17", "Statement": []any{trust}},
		}},
		"Function": map[string]any{"Type": "AWS::Lambda::Function", "Properties": map[string]any{
			"FunctionName": name, "Runtime": "provided.al2023", "Handler": "bootstrap", "Timeout": 30, "MemorySize": 128,
			"Role": getAtt("Role", "Arn"), "Code": map[string]any{"S3Bucket": "code", "S3Key": "code.zip"},
		}},
	}
}

func getAtt(logicalID, attribute string) any {
	return map[string]any{"Fn::GetAtt": []string{logicalID, attribute}}
}

func parameter(name string, value any) map[string]any {
	return map[string]any{"Type": "AWS::SSM::Parameter", "Properties": map[string]any{"Name": name, "Type": "String", "Value": value}}
}

// with is r with further resources, or others of the same names.
func (r resources) with(more resources) resources {
	all := resources{}
	for _, from := range []resources{r, more} {
		for name, resource := range from {
			all[name] = resource
		}
	}
	return all
}

// TestAllVersionsOfALaunchTemplate: EC2 pages them, and says whether there are more.
func TestAllVersionsOfALaunchTemplate(t *testing.T) {
	client := ec2.NewFromConfig(emulatortest.Config(emulatortest.Shared(t), "eu-west-1"))
	data := &ec2types.RequestLaunchTemplateData{ImageId: aws.String("ami-12c6146b")}
	made, err := client.CreateLaunchTemplate(t.Context(), &ec2.CreateLaunchTemplateInput{LaunchTemplateName: aws.String("many"), LaunchTemplateData: data})
	if err != nil {
		t.Fatal(err)
	}
	const more = 20
	for range more {
		if _, err := client.CreateLaunchTemplateVersion(t.Context(), &ec2.CreateLaunchTemplateVersionInput{LaunchTemplateId: made.LaunchTemplate.LaunchTemplateId, LaunchTemplateData: data}); err != nil {
			t.Fatal(err)
		}
	}
	count := 0
	pages := ec2.NewDescribeLaunchTemplateVersionsPaginator(client, &ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: made.LaunchTemplate.LaunchTemplateId})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		count += len(page.LaunchTemplateVersions)
	}
	if count != 1+more {
		t.Errorf("got %d versions, want %d", count, 1+more)
	}
}

// TestChangeSetsOfOneName: there is one, and none but it once it is executed.
func TestChangeSetsOfOneName(t *testing.T) {
	s := newStack(t)
	create := func(name string) error {
		_, err := s.CreateChangeSet(t.Context(), &cloudformation.CreateChangeSetInput{
			StackName: &s.name, ChangeSetName: &name, ChangeSetType: types.ChangeSetTypeCreate,
			TemplateBody: aws.String(resources{"Parameter": parameter("/"+s.name, "value")}.String()),
		})
		return err
	}
	for _, name := range []string{"first", "second"} {
		if err := create(name); err != nil {
			t.Fatal(err)
		}
	}
	wantError(t, create("first"), "AlreadyExistsException", "ChangeSet first already exists")
	if _, err := s.ExecuteChangeSet(t.Context(), &cloudformation.ExecuteChangeSetInput{StackName: &s.name, ChangeSetName: aws.String("second")}); err != nil {
		t.Fatal(err)
	}
	s.await(t, types.StackStatusCreateComplete)
	_, err := s.ExecuteChangeSet(t.Context(), &cloudformation.ExecuteChangeSetInput{StackName: &s.name, ChangeSetName: aws.String("first")})
	wantError(t, err, "ChangeSetNotFound", "does not exist")
}
