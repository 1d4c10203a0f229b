package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// answeredWithin bounds every request, whatever fails. The service means to answer
// within three seconds; a slow machine needs longer, and without a limit of the
// service's own an answer would take the SDK's minute.
const answeredWithin = 15 * time.Second

// deployment is the program on AWS's stores, which may fail.
type deployment struct {
	t      *testing.T
	url    string
	dynamo *faulty
	s3     *faulty
	// control is the emulator's, whose table of employees is a strong one.
	control emulator.Control
	// session is a header Cookie of somebody who is signed in.
	session string
}

// deploy starts it on an emulator.
func deploy(t *testing.T) *deployment {
	t.Helper()
	server := emulatortest.Start(t, emulator.Options{})
	createStores(t, server.URL)
	d := &deployment{t: t, control: server, dynamo: newFaulty(t, server.URL, failDynamoDB), s3: newFaulty(t, server.URL, failS3)}
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": d.s3.URL, "AWS_ENDPOINT_URL_DYNAMODB": d.dynamo.URL,
		"AWS_ACCESS_KEY_ID": "emulator", "AWS_SECRET_ACCESS_KEY": "emulator",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
		"AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	address := freeAddress(t)
	settings := environment(map[string]string{
		"LISTEN": address, "AWS_REGION": "eu-west-1", "WRITE_RATE": "1000", "TRUSTED_PROXIES": "127.0.0.0/8",
		"EMPLOYEES_TABLE": "employees", "SESSIONS_TABLE": "sessions", "PHOTOS_BUCKET": "photos-{region}",
	})
	if err := runUser(t.Context(), []string{"add", "--password-stdin", "ada"}, settings, strings.NewReader(password), t.Output()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, nil, settings, t.Output()) }()
	t.Cleanup(func() {
		d.dynamo.set(none)
		d.s3.set(none)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	awaitServing(t, address)
	d.url = "http://" + address
	d.session = d.signIn()
	return d
}

// password is ada's.
const password = "correct horse battery staple"

// signIn returns a new session as a header Cookie has it.
func (d *deployment) signIn() string {
	d.t.Helper()
	r := d.must(route{method: "POST", path: "/api/session", contentType: "application/json", body: []byte(`{"name": "ada", "password": "` + password + `"}`), session: nobody})
	cookie, _, _ := strings.Cut(r.header.Get("Set-Cookie"), ";")
	return cookie
}

// in is the deployment for another test.
func (d *deployment) in(t *testing.T) (*testing.T, *deployment) {
	other := *d
	other.t = t
	return t, &other
}

// createStores makes the tables and the bucket as the constructs do.
func createStores(t *testing.T, endpoint string) {
	t.Helper()
	config := aws.Config{
		Region: "eu-west-1", BaseEndpoint: &endpoint,
		Credentials: credentials.NewStaticCredentialsProvider("emulator", "emulator", ""),
	}
	tables := dynamodb.NewFromConfig(config)
	keys := func(hash, sort string) []types.KeySchemaElement {
		return []types.KeySchemaElement{
			{AttributeName: &hash, KeyType: types.KeyTypeHash}, {AttributeName: &sort, KeyType: types.KeyTypeRange},
		}
	}
	attributes := func(names ...string) (list []types.AttributeDefinition) {
		for _, name := range names {
			list = append(list, types.AttributeDefinition{AttributeName: &name, AttributeType: types.ScalarAttributeTypeS})
		}
		return list
	}
	for _, table := range []*dynamodb.CreateTableInput{
		{
			TableName: aws.String("employees"), AttributeDefinitions: attributes("pk", "sk", "gpk", "gsk"), KeySchema: keys("pk", "sk"),
			GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
				IndexName: aws.String("byName"), KeySchema: keys("gpk", "gsk"),
				Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
			}},
		},
		{TableName: aws.String("sessions"), AttributeDefinitions: attributes("pk", "sk"), KeySchema: keys("pk", "sk")},
	} {
		table.BillingMode = types.BillingModePayPerRequest
		if _, err := tables.CreateTable(t.Context(), table); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tables.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{
		TableName: aws.String("employees"), MultiRegionConsistency: types.MultiRegionConsistencyStrong,
		ReplicaUpdates: []types.ReplicationGroupUpdate{
			{Create: &types.CreateReplicationGroupMemberAction{RegionName: aws.String("eu-west-2")}},
			{Create: &types.CreateReplicationGroupMemberAction{RegionName: aws.String("eu-west-3")}},
		},
	}); err != nil {
		t.Fatal(err)
	}
	_, err := s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true }).CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket:                    aws.String("photos-eu-west-1"),
		CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: s3types.BucketLocationConstraintEuWest1},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// route is a request of a route.
type route struct {
	method, path, contentType string
	body                      []byte
	// dynamo and s3 report whether it cannot be answered without them.
	dynamo, s3 bool
	// marked is what the page says that shows what was known before, where it
	// does so without DynamoDB.
	marked string
	// session is whose it is. Default: the deployment's.
	session string
}

// nobody is the cookie of a session that does not exist.
const nobody = "session=none"

func (r route) String() string { return r.method + " " + r.path }

// reply is what came of a request.
type reply struct {
	status int
	header http.Header
	body   []byte
	took   time.Duration
}

// send sends a request and waits for its answer, however long that takes.
func (d *deployment) send(r route) (reply, error) {
	req, err := http.NewRequestWithContext(d.t.Context(), r.method, d.url+r.path, bytes.NewReader(r.body))
	if err != nil {
		return reply{}, err
	}
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	if r.session == "" {
		r.session = d.session
	}
	req.Header.Set("Cookie", r.session)
	// From many places: one alone may not sign in as often.
	req.Header.Set("X-Forwarded-For", fmt.Sprintf("127.0.%d.%d", rand.IntN(256), rand.IntN(256)))
	start := time.Now()
	res, err := http.DefaultTransport.RoundTrip(req) // follows no redirect
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, content, time.Since(start)}, err
}

func (d *deployment) must(r route) reply {
	d.t.Helper()
	got, err := d.send(r)
	if err != nil || got.status >= 400 {
		d.t.Fatalf("%s: %d, %v: %s", r, got.status, err, got.body)
	}
	return got
}

// add is a route that adds an employee.
func add(name string) route {
	return route{method: "POST", path: "/api/employees", contentType: "application/json", body: fields(name, 0), dynamo: true}
}

// fields is an employee as JSON.
func fields(name string, version int64) []byte {
	e := map[string]any{"fullName": name, "location": "London", "jobTitle": "Analyst", "badges": []string{}}
	if version > 0 {
		e["version"] = version
	}
	b, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	return b
}

// form is an employee as a page's form sends one.
func form(t *testing.T, name string, version int64, photo []byte) (contentType string, body []byte) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for field, value := range map[string]string{"fullName": name, "location": "London", "jobTitle": "Analyst", "version": fmt.Sprint(version)} {
		if err := w.WriteField(field, value); err != nil {
			t.Fatal(err)
		}
	}
	if photo != nil {
		part, err := w.CreateFormFile("photo", "photo.png")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := part.Write(photo); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), b.Bytes()
}

func picture(t *testing.T) []byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 40, 30))
	for i := range img.Pix {
		img.Pix[i] = byte(rand.IntN(256))
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// routes are a request of every route that reads or changes something, of an
// employee with a photo.
func (d *deployment) routes() []route {
	d.t.Helper()
	api := d.must(add("Ada Lovelace")).header.Get("Location")
	photo := picture(d.t)
	var e struct {
		ID       string
		PhotoURL string `json:"photoUrl"`
		Version  int64
	}
	put := d.must(route{method: "PUT", path: api + "/photo", contentType: "image/png", body: photo})
	if err := json.Unmarshal(put.body, &e); err != nil {
		d.t.Fatal(err)
	}
	page := "/employees/" + e.ID
	plainForm, plain := form(d.t, "Somebody", 0, nil)
	photoForm, withPhoto := form(d.t, "Somebody", 0, photo)
	editForm, edit := form(d.t, "Ada King", e.Version, nil)
	const urlencoded = "application/x-www-form-urlencoded"
	signIn := url.Values{"name": {"ada"}, "password": {password}}.Encode()
	get := func(path string, dynamo, s3 bool) route {
		return route{method: "GET", path: path, dynamo: dynamo, s3: s3}
	}
	return []route{
		get("/livez", false, false),
		get("/readyz", true, true),
		get("/static/style.css", false, false),
		get("/island", false, false),
		get("/", true, false),
		get("/?name=ada&location=London", true, false),
		get("/employees/new", true, false),
		get(page, true, false),
		get(page+"/edit", true, false),
		get(page+"/delete", true, false),
		get(e.PhotoURL, false, true),
		{method: "POST", path: "/employees", contentType: plainForm, body: plain, dynamo: true},
		{method: "POST", path: "/employees", contentType: photoForm, body: withPhoto, dynamo: true, s3: true},
		{method: "POST", path: page, contentType: editForm, body: edit, dynamo: true},
		{method: "POST", path: page + "/delete", contentType: urlencoded, body: []byte("version=1"), dynamo: true},
		{method: "POST", path: "/sign-in", contentType: urlencoded, body: []byte(signIn), dynamo: true, session: nobody},
		{method: "POST", path: "/api/session", contentType: "application/json", body: []byte(`{"name": "ada", "password": "` + password + `"}`), dynamo: true, session: nobody},
		{method: "GET", path: "/islands", marked: "cannot be read at the moment"},
		get("/api/island", false, false),
		get("/api/openapi.json", false, false),
		get("/api/employees", true, false),
		get("/api/locations", true, false),
		get(api, true, false),
		add("Somebody"),
		{method: "PUT", path: api, contentType: "application/json", body: fields("Ada King", 1), dynamo: true},
		{method: "PATCH", path: api, contentType: "application/json", body: []byte(`{"location": "Paris", "version": 1}`), dynamo: true},
		{method: "PUT", path: api + "/photo", contentType: "image/png", body: photo, dynamo: true, s3: true},
		{method: "DELETE", path: "/api/employees/nobody", dynamo: true},
	}
}

// TestStoresThatFail is what happens when AWS's services do.
func TestStoresThatFail(t *testing.T) {
	d := deploy(t)
	t.Run("answers that are lost", func(t *testing.T) { testAnswersThatAreLost(d.in(t)) })
	testEveryRoute(t, d)
	t.Run("writes meanwhile", func(t *testing.T) { testWritesMeanwhile(d.in(t)) })
	t.Run("writes of two regions at once", func(t *testing.T) { testWritesOfTwoRegions(d.in(t)) })
}

// testEveryRoute takes every route through every fault of either service: what
// needs it is answered with 503 in time, what does not goes on, and all is well
// by itself when the fault ends.
func testEveryRoute(t *testing.T, d *deployment) {
	routes := d.routes()
	services := map[string]struct {
		proxy  *faulty
		faults []fault
		needs  func(route) bool
	}{
		"DynamoDB": {d.dynamo, faults, func(r route) bool { return r.dynamo }},
		// The clients of both are made alike: what differs is how they fail.
		"S3": {d.s3, []fault{refusing, silent, stalling, failing, throttling}, func(r route) bool { return r.s3 }},
	}
	for name, service := range services {
		for _, fault := range service.faults {
			t.Run(fmt.Sprint(name, " ", fault), func(t *testing.T) {
				t, d := d.in(t)
				walked := routes
				if name == "DynamoDB" {
					walked = append(slices.Clone(routes),
						route{method: "POST", path: "/sign-out", session: d.signIn()}, // at least the cookie is cleared
						route{method: "DELETE", path: "/api/session", dynamo: true, session: d.signIn()})
				}
				service.proxy.set(fault)
				// Pages, readiness and who is signed in are good for up to two
				// seconds.
				time.Sleep(2100 * time.Millisecond)
				each(walked, func(r route) {
					needs := service.needs(r)
					got, err := d.send(r)
					// On a slow machine the other service may take longer than is waited for.
					for end := time.Now().Add(time.Minute); !needs && got.status == http.StatusServiceUnavailable && time.Now().Before(end); {
						got, err = d.send(r)
					}
					switch {
					case err != nil:
						t.Errorf("%s: %v", r, err)
					case got.took > answeredWithin:
						t.Errorf("%s took %s", r, got.took)
					case needs && (got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == ""):
						t.Errorf("%s: status %d with %v; want 503 and when to try again\n%s", r, got.status, got.header, got.body)
					case name == "DynamoDB" && !strings.Contains(string(got.body), r.marked):
						t.Errorf("%s: status %d; want that it says %q\n%s", r, got.status, r.marked, got.body)
					case !needs && got.status >= 500:
						t.Errorf("%s: status %d without %s, which it does not need\n%s", r, got.status, name, got.body)
					}
				})
				service.proxy.set(none)
				d.awaitWell(t, routes)
			})
		}
	}
}

// each calls f for all routes at once.
func each(routes []route, f func(route)) {
	var all sync.WaitGroup
	for _, r := range routes {
		all.Go(func() { f(r) })
	}
	all.Wait()
}

// awaitWell waits until every route that reads answers.
func (d *deployment) awaitWell(t *testing.T, routes []route) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	each(routes, func(r route) {
		for r.method == "GET" {
			got, err := d.send(r)
			if err == nil && got.status == http.StatusOK {
				return
			}
			if time.Now().After(deadline) {
				t.Errorf("%s is not well again: status %d, %v", r, got.status, err)
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
}

// testAnswersThatAreLost: an attempt whose answer is lost is repeated, and finds
// what it wrote itself.
func testAnswersThatAreLost(t *testing.T, d *deployment) {
	d.dynamo.set(forgetful)
	defer d.dynamo.set(none)
	address := d.must(add("Ada")).header.Get("Location")
	d.must(route{method: "PUT", path: address, contentType: "application/json", body: fields("Ada King", 1)})
	if got := d.must(route{method: "GET", path: address}); !strings.Contains(string(got.body), `"version":2`) {
		t.Errorf("got %s, want that each write was made once", got.body)
	}
	d.must(route{method: "POST", path: "/sign-out", session: d.signIn()})
}

// testWritesMeanwhile adds employees while DynamoDB fails now and then: those
// that were acknowledged are there.
func testWritesMeanwhile(t *testing.T, d *deployment) {
	var mu sync.Mutex
	acknowledged := map[string]string{} // names by address
	unavailable := 0
	until := time.Now().Add(10 * time.Second)
	var all sync.WaitGroup
	for writer := range 4 {
		all.Go(func() {
			for i := 0; time.Now().Before(until); i++ {
				name := fmt.Sprintf("Employee %d of %d", i, writer)
				got, err := d.send(add(name))
				if err != nil || got.took > answeredWithin {
					t.Errorf("%s: %v after %s", name, err, got.took)
					return
				}
				mu.Lock()
				switch got.status {
				case http.StatusCreated:
					acknowledged[got.header.Get("Location")] = name
				case http.StatusServiceUnavailable:
					unavailable++
				default:
					t.Errorf("%s: status %d: %s", name, got.status, got.body)
				}
				mu.Unlock()
			}
		})
	}
	for time.Now().Before(until) {
		d.dynamo.set(faults[rand.IntN(len(faults))])
		time.Sleep(time.Duration(rand.IntN(1500)) * time.Millisecond)
		d.dynamo.set(none)
		time.Sleep(time.Duration(rand.IntN(500)) * time.Millisecond)
	}
	all.Wait()
	d.awaitWell(t, d.routes())
	lost := 0
	for address, name := range acknowledged {
		if got := d.must(route{method: "GET", path: address}); !strings.Contains(string(got.body), name) {
			lost++
		}
	}
	t.Logf("%d acknowledged, %d refused, %d lost", len(acknowledged), unavailable, lost)
	if lost > 0 || len(acknowledged) == 0 || unavailable == 0 {
		t.Errorf("%d acknowledged, %d refused, %d lost; want some, some and none", len(acknowledged), unavailable, lost)
	}
}

// testWritesOfTwoRegions: a change of an employee whom another region changes is tried
// again, and a conflict where that does not help; it is made when the other is done.
func testWritesOfTwoRegions(t *testing.T, d *deployment) {
	api := d.must(add("Grace Hopper")).header.Get("Location")
	other := dynamodb.NewFromConfig(emulatortest.Config(d.control, "eu-west-2"), func(o *dynamodb.Options) {
		// The service may write one of its own items just now.
		o.Retryer = retry.AddWithErrorCodes(retry.NewStandard(), (*types.ReplicatedWriteConflictException)(nil).ErrorCode())
	})
	elsewhere := func() { // writes every item as it is
		t.Helper()
		all, err := other.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String("employees")})
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range all.Items {
			if _, err := other.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("employees"), Item: item}); err != nil {
				t.Fatal(err)
			}
		}
	}
	change := func(when string, want int) {
		t.Helper()
		patch := route{method: "PATCH", path: api, contentType: "application/json", body: []byte(`{"location": "Paris", "version": 1}`)}
		if got, err := d.send(patch); err != nil || got.status != want {
			t.Errorf("%s: status %d, %v, want %d: %s", when, got.status, err, want, got.body)
		}
	}
	emulatortest.Advance(t, d.control, time.Second) // the first write is done
	elsewhere()
	emulatortest.Set(t, d.control, emulator.Settings{StrongWrite: 3600})
	change("while another region's write goes on", http.StatusConflict)
	emulatortest.Advance(t, d.control, time.Hour)
	change("when it is done", http.StatusOK)
}
