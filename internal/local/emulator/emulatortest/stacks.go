package emulatortest

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Publish uploads what a stack's asset manifest, at path, names and is not there yet,
// as the CDK CLI does.
func Publish(t testing.TB, c emulator.Control, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var assets struct {
		Files map[string]struct {
			Source       struct{ Path, Packaging string }
			Destinations map[string]struct{ BucketName, ObjectKey, Region string }
		}
	}
	if err := json.Unmarshal(b, &assets); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	for _, file := range assets.Files {
		source := filepath.Join(filepath.Dir(path), file.Source.Path)
		for _, to := range file.Destinations {
			client := s3.NewFromConfig(Config(c, to.Region), func(o *s3.Options) { o.UsePathStyle = true })
			if _, err := client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &to.BucketName, Key: &to.ObjectKey}); err == nil {
				continue
			}
			read := os.ReadFile
			if file.Source.Packaging == "zip" {
				read = zipped
			}
			body, err := read(source)
			if err == nil {
				_, err = client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &to.BucketName, Key: &to.ObjectKey, Body: bytes.NewReader(body)})
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

func zipped(dir string) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	err := errors.Join(w.AddFS(os.DirFS(dir)), w.Close())
	return b.Bytes(), err
}

// ChangeStack makes and executes a change set, and waits until the stack is at rest, so
// long at most. It returns the stack's status and its events of failures, the newest
// first.
func ChangeStack(t testing.TB, client *cloudformation.Client, change *cloudformation.CreateChangeSetInput, within time.Duration) (types.StackStatus, []types.StackEvent) {
	t.Helper()
	if _, err := client.CreateChangeSet(t.Context(), change); err != nil {
		t.Fatalf("%s: %v", *change.StackName, err)
	}
	if _, err := client.ExecuteChangeSet(t.Context(), &cloudformation.ExecuteChangeSetInput{StackName: change.StackName, ChangeSetName: change.ChangeSetName}); err != nil {
		t.Fatalf("%s: %v", *change.StackName, err)
	}
	status := AwaitStack(t, client, *change.StackName, within)
	return status, failures(t, client, *change.StackName)
}

// failures are a stack's events of what failed.
func failures(t testing.TB, client *cloudformation.Client, name string) []types.StackEvent {
	t.Helper()
	out, err := client.DescribeStackEvents(t.Context(), &cloudformation.DescribeStackEventsInput{StackName: &name})
	if err != nil {
		t.Fatal(err)
	}
	var failed []types.StackEvent
	for _, e := range out.StackEvents {
		if strings.HasSuffix(string(e.ResourceStatus), "_FAILED") {
			failed = append(failed, e)
		}
	}
	return failed
}

// AwaitStack waits until a stack is at rest, so long at most, and returns its status.
func AwaitStack(t testing.TB, client *cloudformation.Client, name string, within time.Duration) types.StackStatus {
	t.Helper()
	for start := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		status := StackStatus(t, client, name)
		if !strings.HasSuffix(string(status), "_IN_PROGRESS") {
			return status
		}
		if time.Since(start) > within {
			for _, e := range failures(t, client, name) {
				t.Logf("%s %s: %s", aws.ToString(e.LogicalResourceId), e.ResourceStatus, aws.ToString(e.ResourceStatusReason))
			}
			t.Fatalf("%s stays %s", name, status)
		}
	}
}

// StackStatus is a stack's, or "" where there is none.
func StackStatus(t testing.TB, client *cloudformation.Client, name string) types.StackStatus {
	t.Helper()
	out, err := client.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: &name})
	if err != nil {
		return ""
	}
	return out.Stacks[0].StackStatus
}
