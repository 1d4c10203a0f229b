package legacy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/legacy"
	"github.com/archipelago-cdk/archipelago/service/sqlite"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
)

// old is the original's data in the emulator.
type old struct {
	legacy.Source
	t       *testing.T
	tables  *dynamodb.Client
	objects *s3.Client
}

func newOld(t *testing.T) old {
	t.Helper()
	config := aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(emulatortest.Shared(t).URL),
		Credentials: credentials.NewStaticCredentialsProvider("emulator", "emulator", ""),
	}
	o := old{t: t, tables: dynamodb.NewFromConfig(config), objects: s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true })}
	name := directory.NewID()
	o.Source = legacy.Source{Tables: o.tables, Objects: o.objects, Table: "Employees-" + name, Bucket: "pictures-" + name}
	_, err := o.tables.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: &o.Table, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.objects.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &o.Bucket}); err != nil {
		t.Fatal(err)
	}
	return o
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

// put keeps an employee as the original does. What is "" is absent.
func (o old) put(id, name, location, title, objectKey string, badges types.AttributeValue) {
	o.t.Helper()
	item := map[string]types.AttributeValue{}
	for key, value := range map[string]string{"id": id, "full_name": name, "location": location, "job_title": title, "object_key": objectKey} {
		if value != "" {
			item[key] = text(value)
		}
	}
	if badges != nil {
		item["badges"] = badges
	}
	if _, err := o.tables.PutItem(o.t.Context(), &dynamodb.PutItemInput{TableName: &o.Table, Item: item}); err != nil {
		o.t.Fatal(err)
	}
}

func (o old) putPhoto(key string, content []byte) {
	o.t.Helper()
	_, err := o.objects.PutObject(o.t.Context(), &s3.PutObjectInput{Bucket: &o.Bucket, Key: &key, Body: bytes.NewReader(content)})
	if err != nil {
		o.t.Fatal(err)
	}
}

// target is a new directory that takes photos whose content begins with
// "photo".
func target(t *testing.T) legacy.Target {
	t.Helper()
	store, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return legacy.Target{Employees: store, Photo: func(_ context.Context, id string, content []byte) (directory.Photo, error) {
		if !bytes.HasPrefix(content, []byte("photo")) {
			return directory.Photo{}, errors.New("not an image")
		}
		return directory.Photo{Key: directory.PhotoKey(id, content, "jpg")}, nil
	}}
}

func run(t *testing.T, from legacy.Source, to legacy.Target) legacy.Summary {
	t.Helper()
	summary, err := legacy.Import(t.Context(), from, to, func(legacy.Summary) {})
	if err != nil {
		t.Fatal(err)
	}
	return summary
}

// people are the employees that are here.
func people(t *testing.T, to legacy.Target) []directory.Employee {
	t.Helper()
	page, err := to.Employees.Page(t.Context(), directory.Query{Limit: directory.MaxLimit})
	if err != nil {
		t.Fatal(err)
	}
	return page.Employees
}

func TestImport(t *testing.T) {
	o, to := newOld(t), target(t)
	o.putPhoto("employee_pic/ada.png", []byte("photo of Ada"))
	o.putPhoto("employee_pic/grace.png", []byte("photo of Grace"))
	o.putPhoto("employee_pic/notes.png", []byte("%PDF"))
	o.putPhoto("employee_pic/large.png", append([]byte("photo"), make([]byte, directory.MaxPhotoBytes)...))
	o.put("1", "Ada", "London", "Analyst", "employee_pic/ada.png", &types.AttributeValueMemberSS{Value: []string{"linux", "bug"}})
	o.put("2", "Björn", "Oslo", "Pilot", "grace.png", &types.AttributeValueMemberL{Value: []types.AttributeValue{text("coffee"), text("trophy")}})
	o.put("3", " Cleo ", "Paris", "Queen", "", text("plane, unicorn,,camera"))
	o.put("4", "Dora", "Rome", "Cook", "employee_pic/notes.png", nil)
	o.put("5", "Emil", "Rome", "Cook", "employee_pic/large.png", nil)
	o.put("6", "Finn", "Rome", "Cook", "employee_pic/gone.png", nil)
	o.put("7", "Gone", "", "Cook", "", nil)

	summary := run(t, o.Source, to)
	if summary.Imported != 6 || summary.Present != 0 || summary.Photos != 2 {
		t.Errorf("got %+v, want 6 employees and 2 photos", summary)
	}
	var notes []string
	for _, n := range summary.Notes {
		notes = append(notes, fmt.Sprintf("%s of %q (%s): %s", n.What, n.Name, n.ID, strings.ReplaceAll(n.Why, o.Bucket, "pictures")))
	}
	slices.Sort(notes)
	want := []string{
		`badge of " Cleo " (3): there is no badge "unicorn"`,
		`employee of "Gone" (7): location: Enter the location.`,
		`photo of "Dora" (4): not an image`,
		`photo of "Emil" (5): s3://pictures/employee_pic/large.png is too large: 20 MB at most`,
		`photo of "Finn" (6): s3://pictures/employee_pic/gone.png is missing`,
	}
	if diff := cmp.Diff(want, notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	var got []string
	for _, e := range people(t, to) {
		got = append(got, fmt.Sprintf("%s, %s, %s, %s, %t", e.FullName, e.Location, e.JobTitle, strings.Join(e.Badges, " "), e.Photo.Key != ""))
	}
	if diff := cmp.Diff([]string{
		"Ada, London, Analyst, linux bug, true",
		"Björn, Oslo, Pilot, trophy coffee, true",
		"Cleo, Paris, Queen, camera plane, false",
		"Dora, Rome, Cook, , false", "Emil, Rome, Cook, , false", "Finn, Rome, Cook, , false",
	}, got); diff != "" {
		t.Errorf("employees (-want +got):\n%s", diff)
	}
}

func TestImportTwiceChangesNothing(t *testing.T) {
	o, to := newOld(t), target(t)
	o.putPhoto("employee_pic/ada.png", []byte("photo of Ada"))
	o.put("1", "Ada", "London", "Analyst", "employee_pic/ada.png", nil)
	o.put("2", "Bert", "London", "Analyst", "employee_pic/gone.png", text("unicorn"))
	o.put("3", "Cleo", "Paris", "Queen", "", nil)
	run(t, o.Source, to)
	before := people(t, to)
	edited := before[2]
	edited.FullName = "Cleopatra"
	if _, err := to.Employees.Update(t.Context(), edited); err != nil {
		t.Fatal(err)
	}
	before = people(t, to)

	summary := run(t, o.Source, to)
	if summary.Imported != 0 || summary.Present != 3 || summary.Photos != 0 {
		t.Errorf("got %+v, want three that are present", summary)
	}
	if diff := cmp.Diff(before, people(t, to)); diff != "" {
		t.Errorf("employees (-before +after):\n%s", diff)
	}

	o.putPhoto("employee_pic/gone.png", []byte("photo of Bert"))
	if summary = run(t, o.Source, to); summary.Photos != 1 {
		t.Errorf("got %+v, want the photo that it has now", summary)
	}
	if now := people(t, to); now[1].Photo.Key == "" || now[1].FullName != "Bert" {
		t.Errorf("got %+v, want Bert with a photo", now[1])
	}
}

// TestImportReadsEveryPage: DynamoDB answers 1 MB at a time.
func TestImportReadsEveryPage(t *testing.T) {
	o, to := newOld(t), target(t)
	for i := range 30 {
		o.put(fmt.Sprint(i), fmt.Sprint("Employee ", i), "London", "Analyst", "", text(strings.Repeat("x", 100_000)))
	}
	if summary := run(t, o.Source, to); summary.Imported != 30 {
		t.Errorf("got %d employees, want 30", summary.Imported)
	}
}

func TestInterruptedImportGoesOn(t *testing.T) {
	o, to := newOld(t), target(t)
	for i := range 10 {
		o.put(fmt.Sprint(i), fmt.Sprint("Employee ", i), "London", "Analyst", "", nil)
	}
	ctx, cancel := context.WithCancel(t.Context())
	summary, err := legacy.Import(ctx, o.Source, to, func(s legacy.Summary) {
		if s.Imported == 4 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || summary.Imported != 4 || len(people(t, to)) != 4 {
		t.Errorf("got %+v and %v, want the four of before", summary, err)
	}
	if summary := run(t, o.Source, to); summary.Imported != 6 || summary.Present != 4 || len(people(t, to)) != 10 {
		t.Errorf("got %+v, want the rest", summary)
	}
}

func TestImportThatCannotReadOrKeep(t *testing.T) {
	o, to := newOld(t), target(t)
	o.putPhoto("employee_pic/ada.png", []byte("photo of Ada"))
	o.put("1", "Ada", "London", "Analyst", "employee_pic/ada.png", nil)
	nothing := func(legacy.Summary) {}

	from := o.Source
	from.Table = "Nobodies"
	if _, err := legacy.Import(t.Context(), from, to, nothing); err == nil || !strings.Contains(err.Error(), "the table Nobodies cannot be read") {
		t.Errorf("got %v, want that there is no such table", err)
	}
	from = o.Source
	from.Bucket = "nowhere"
	if _, err := legacy.Import(t.Context(), from, to, nothing); err == nil || !strings.Contains(err.Error(), "s3://nowhere/employee_pic/ada.png cannot be read") {
		t.Errorf("got %v, want that there is no such bucket", err)
	}
	full := to
	full.Photo = func(context.Context, string, []byte) (directory.Photo, error) {
		return directory.Photo{}, fmt.Errorf("%w: disk full", directory.ErrUnavailable)
	}
	if _, err := legacy.Import(t.Context(), o.Source, full, nothing); !errors.Is(err, directory.ErrUnavailable) {
		t.Errorf("got %v, want that the photo could not be kept", err)
	}
	if got := people(t, to); len(got) > 0 {
		t.Errorf("got %+v, want nobody by halves", got)
	}
	from.Bucket = ""
	if summary := run(t, from, to); summary.Imported != 1 || summary.Photos != 0 || len(summary.Notes) > 0 {
		t.Errorf("got %+v, want one without a photo", summary)
	}
}
