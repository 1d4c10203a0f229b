package cloud

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/archipelago-cdk/archipelago/internal/local/progress"
	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// playVariable makes this program the function that a custom resource has.
const playVariable = "PLAY_THE_CUSTOM_RESOURCE"

func TestMain(m *testing.M) {
	if os.Getenv(playVariable) == "" {
		os.Exit(m.Run())
	}
	lambda.Start(cfn.LambdaWrap(func(_ context.Context, e cfn.Event) (string, map[string]any, error) {
		return "held", map[string]any{"Answer": fmt.Sprintf("%s %s of %s", e.RequestType, e.ResourceProperties["Size"], e.LogicalResourceID)}, nil
	}))
}

// TestCustomResourceRunsItsFunction: a stack's custom resource is made by the program
// that the stack deploys as a Lambda function, while the stack is deployed.
func TestCustomResourceRunsItsFunction(t *testing.T) {
	control := emulatortest.Start(t, emulator.Options{})
	config := emulatortest.Config(control, "eu-west-1")
	putProgram(t, emulatortest.Config(control, "us-east-1"))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	var log bytes.Buffer
	f, err := newFleet(t.Context(), control.URL, listener, Options{Dir: t.TempDir(), printer: progress.New(io.Discard)}, func(string) []string { return nil }, &log)
	if err != nil {
		t.Fatal(err)
	}
	client, name := cloudformation.NewFromConfig(config), aws.String("held")
	for _, step := range []struct {
		kind   cloudformationtypes.ChangeSetType
		size   int
		status cloudformationtypes.StackStatus
		want   string
	}{
		{cloudformationtypes.ChangeSetTypeCreate, 2, cloudformationtypes.StackStatusCreateComplete, "Create 2 of Hold"},
		{cloudformationtypes.ChangeSetTypeUpdate, 3, cloudformationtypes.StackStatusUpdateComplete, "Update 3 of Hold"},
	} {
		set := aws.String(fmt.Sprintf("set-%d", step.size))
		if _, err := client.CreateChangeSet(t.Context(), &cloudformation.CreateChangeSetInput{
			StackName: name, ChangeSetName: set, ChangeSetType: step.kind, TemplateBody: aws.String(fmt.Sprintf(held, step.size)),
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := client.ExecuteChangeSet(t.Context(), &cloudformation.ExecuteChangeSetInput{StackName: name, ChangeSetName: set}); err != nil {
			t.Fatal(err)
		}
		var status cloudformationtypes.StackStatus
		for end := time.Now().Add(time.Minute); status != step.status; time.Sleep(pollEvery) {
			out, err := client.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: name})
			if err != nil {
				t.Fatal(err)
			}
			if status = out.Stacks[0].StackStatus; !strings.HasSuffix(string(status), "_IN_PROGRESS") && status != step.status || time.Now().After(end) {
				f.stop()
				t.Fatalf("the stack is %s: %s", status, log.String())
			}
		}
		out, err := ssm.NewFromConfig(config).GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/held/answer")})
		if err != nil {
			t.Fatal(err)
		}
		if got := *out.Parameter.Value; got != step.want {
			t.Errorf("the function answered %q, want %q", got, step.want)
		}
	}
	f.stop()
}

const held = `{"Resources": {
	"Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}]}}},
	"Function": {"Type": "AWS::Lambda::Function", "Properties": {
		"FunctionName": "holder", "Runtime": "provided.al2023", "Handler": "bootstrap", "Timeout": 30, "MemorySize": 128,
		"Environment": {"Variables": {"` + playVariable + `": "yes"}},
		"Role": {"Fn::GetAtt": ["Role", "Arn"]}, "Code": {"S3Bucket": "code", "S3Key": "code.zip"}}},
	"Hold": {"Type": "Custom::Hold", "Properties": {"ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]}, "Size": %d}},
	"Answer": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/held/answer", "Type": "String", "Value": {"Fn::GetAtt": ["Hold", "Answer"]}}}}}`

// putProgram uploads this program as a function's code.
func putProgram(t *testing.T, config aws.Config) {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(executable)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	header := &zip.FileHeader{Name: "bootstrap"}
	header.SetMode(0o755)
	file, err := w.CreateHeader(header)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(program); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	client := s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("code")}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("code"), Key: aws.String("code.zip"), Body: bytes.NewReader(b.Bytes())}); err != nil {
		t.Fatal(err)
	}
}
