package main

import (
	"bytes"
	"context"
	"image/jpeg"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// putOriginal makes what the original has in an emulator, and lets the SDK of
// this process reach that.
func putOriginal(t *testing.T) {
	t.Helper()
	server := emulatortest.Start(t, emulator.Options{})
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_ACCESS_KEY_ID": "emulator", "AWS_SECRET_ACCESS_KEY": "emulator",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	config := aws.Config{
		Region: "us-east-1", BaseEndpoint: &server.URL,
		Credentials: credentials.NewStaticCredentialsProvider("emulator", "emulator", ""),
	}
	tables, objects := dynamodb.NewFromConfig(config), s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true })
	_, err := tables.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: aws.String("Employees"), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := objects.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("pictures")}); err != nil {
		t.Fatal(err)
	}
	text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	for _, item := range []map[string]types.AttributeValue{
		{
			"id": text("a-1"), "full_name": text("Ada Lovelace"), "location": text("London"), "job_title": text("Analyst"),
			"object_key": text("employee_pic/ada.png"), "badges": &types.AttributeValueMemberSS{Value: []string{"linux", "unicorn"}},
		},
		{
			"id": text("b-2"), "full_name": text("Grace Hopper"), "location": text("New York"), "job_title": text("Admiral"),
			"object_key": text("employee_pic/notes.txt"), "badges": text("bug,trophy"),
		},
		{"id": text("c-3"), "full_name": text(""), "location": text("Nowhere"), "job_title": text("Ghost")},
	} {
		if _, err := tables.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("Employees"), Item: item}); err != nil {
			t.Fatal(err)
		}
	}
	for key, content := range map[string][]byte{"employee_pic/ada.png": picture(t), "employee_pic/notes.txt": []byte("notes")} {
		if _, err := objects.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("pictures"), Key: &key, Body: bytes.NewReader(content)}); err != nil {
			t.Fatal(err)
		}
	}
}

// importing runs an import into an embedded store, and returns what it printed.
func importing(ctx context.Context, dir string, args ...string) (stdout, stderr string, err error) {
	var out, progress bytes.Buffer
	i := &importer{stdout: &out, stderr: &progress}
	err = i.run(ctx, args, environment(map[string]string{"DATA_DIR": dir}))
	return out.String(), progress.String(), err
}

func TestImport(t *testing.T) {
	putOriginal(t)
	t.Run("into the embedded store", testImportIntoTheEmbeddedStore)
	t.Run("interrupted", testImportThatIsInterrupted)
	t.Run("of what is not there", testImportOfWhatIsNotThere)
}

func testImportIntoTheEmbeddedStore(t *testing.T) {
	dir := t.TempDir()
	arguments := []string{"--from-bucket", "pictures", "--from-region", "us-east-1"}
	stdout, stderr, err := importing(t.Context(), dir, arguments...)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Imported into " + dir + ": employees 2, photos 1. Here already, and left as they are: employees 0.\nLeft out:\n",
		`badge of "Ada Lovelace", whose id is "a-1": there is no badge "unicorn"`,
		`photo of "Grace Hopper", whose id is "b-2": not a JPEG, PNG, WebP or GIF image`,
		`employee of "", whose id is "c-3": fullName: Enter the full name.`,
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the summary lacks %q:\n%s", want, stdout)
		}
	}
	if !strings.Contains(stderr, "imported, 0 were here") {
		t.Errorf("the progress is %q", stderr)
	}

	stdout, _, err = importing(t.Context(), dir, arguments...)
	if want := "employees 0, photos 0. Here already, and left as they are: employees 2."; err != nil || !strings.Contains(stdout, want) {
		t.Errorf("the second time: %v\n%s\nwant %s", err, stdout, want)
	}

	stores, err := openStores(t.Context(), &stored{dataDir: dir}, slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	defer stores.close()
	page, err := stores.employees.Page(t.Context(), directory.Query{Limit: 10})
	if err != nil || len(page.Employees) != 2 {
		t.Fatalf("got %+v, %v; want two employees", page, err)
	}
	ada, grace := page.Employees[0], page.Employees[1]
	if grace.Photo.Key != "" || grace.JobTitle != "Admiral" || strings.Join(grace.Badges, " ") != "trophy bug" {
		t.Errorf("got %+v", grace)
	}
	for _, key := range []string{ada.Photo.Key, ada.Photo.Thumbnail} {
		content, err := stores.photos.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := jpeg.Decode(bytes.NewReader(content)); err != nil {
			t.Errorf("%s is not a JPEG: %v", key, err)
		}
	}
}

func testImportThatIsInterrupted(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	i := &importer{stdout: &out, stderr: writer(func() { cancel() })}
	err := i.run(ctx, []string{"--from-region", "us-east-1"}, environment(map[string]string{"DATA_DIR": dir}))
	if err == nil || err.Error() != "the import was interrupted; run it again, and it goes on" || !strings.Contains(out.String(), "photos 0.") {
		t.Errorf("got %v, want the next step and the summary:\n%s", err, &out)
	}
	if stdout, _, err := importing(t.Context(), dir, "--from-region", "us-east-1"); err != nil || !strings.Contains(stdout, "c-3") {
		t.Errorf("the second time: %v\n%s", err, stdout)
	}
}

// writer does something with each line that is written.
type writer func()

func (w writer) Write(b []byte) (int, error) {
	w()
	return len(b), nil
}

func testImportOfWhatIsNotThere(t *testing.T) {
	stdout, _, err := importing(t.Context(), t.TempDir(), "--from-table", "Nobodies", "--from-region", "us-east-1")
	if err == nil || !strings.Contains(err.Error(), "the table Nobodies cannot be read") || !strings.Contains(stdout, "employees 0, photos 0.") {
		t.Errorf("got %v\n%s", err, stdout)
	}
}

func TestArgumentsOfAnImport(t *testing.T) {
	var out bytes.Buffer
	i := &importer{stdout: &out, stderr: io.Discard}
	err := i.run(t.Context(), []string{"--from-table", "", "surplus"}, environment(map[string]string{"EMPLOYEES_TABLE": "e"}))
	for _, want := range []string{`want flags only, got "surplus"`, "--from-region: want the AWS region", "--from-table: want the name", "AWS_REGION: want a value", "PHOTOS_BUCKET: want a value"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
	if err := i.run(t.Context(), []string{"--help"}, environment(nil)); err != nil || !strings.Contains(out.String(), "Usage: directory import --from-bucket BUCKET") {
		t.Errorf("--help: %v\n%s", err, &out)
	}
}
