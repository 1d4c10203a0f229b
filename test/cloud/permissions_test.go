package cloud_test

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/cloud"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/archipelago-cdk/archipelago/internal/local/lambda"
	"github.com/archipelago-cdk/archipelago/internal/local/machine"
	"github.com/archipelago-cdk/archipelago/internal/matrix"
	"github.com/archipelago-cdk/archipelago/internal/pulse"
	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/dynamo"
	"github.com/archipelago-cdk/archipelago/service/s3"
	"github.com/archipelago-cdk/archipelago/service/sweep"
	sdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	objects "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// permissions takes every permission away that the deployed roles' own policies
// give, one action on one resource after the other, and does what the role is
// there for: something has to fail each time, and nothing once it is back. Without
// -all it does so with one role of each kind.
func permissions(t *testing.T, running cloud.Running, session string) {
	w := &walk{running: running, photo: remotePhotos(t, running, session)}
	roles := rolesOf(t, running)
	if len(roles) == 0 {
		t.Fatal("there are no roles")
	}
	walked := map[string]bool{}
	for _, r := range roles {
		if walked[r.kind()] && !matrix.All() {
			continue
		}
		walked[r.kind()] = true
		t.Run(r.name, func(t *testing.T) {
			switch region := r.region(); {
			case strings.Contains(r.name, "-FleetRole"):
				w.walk(t, r, func() error { return w.serve(t, region, r) })
			case strings.Contains(r.name, "-LighthouseRole"):
				w.walk(t, r, func() error { return w.shine(t, region, r) })
			case strings.Contains(r.name, "-ScalerRole"):
				w.scale(t, region, r)
			case strings.Contains(r.name, "-ScalerScheduleRole"):
				t.Log("the local cloud runs the schedule without a role: it needs no permission")
			case strings.Contains(r.name, "-ReplicationPhotosRole"):
				w.replicate(t, r)
			default:
				w.walk(t, r, func() error { return w.deploy(t) })
			}
		})
	}
}

// openDir is a folder that everyone may enter, as programs run that do not run as
// root: the parent of t.TempDir is for its owner alone.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "archipelago-test-")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// walk is one through all permissions.
type walk struct {
	running cloud.Running
	// photo is, by region, the address of a photo that it does not have.
	photo   map[string]string
	clients atomic.Int32
}

// role is one with its own policies.
type role struct {
	name     string
	policies map[string]document // by name
}

func (r role) arn() string { return "arn:aws:iam::123456789012:role/" + r.name }

// region is that of the role's stack, "" where it spans all.
func (r role) region() string {
	for _, region := range []string{"eu-west-1", "us-east-1"} {
		if strings.Contains(r.name, "-region-"+region+"-") {
			return region
		}
	}
	return ""
}

// kind is what the role has in common with that of another region.
func (r role) kind() string {
	name := r.name[:strings.LastIndex(r.name, "-")] // without what makes it unique
	return strings.NewReplacer("eu-west-1", "", "us-east-1", "").Replace(name)
}

// document is a policy.
type document struct {
	Version   string
	Statement []rule
}

// rule is a statement of a policy.
type rule struct {
	Effect    string
	Action    words
	Resource  words
	Condition any `json:",omitempty"`
}

// words are one or more.
type words []string

func (w *words) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*w = words{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(w))
}

// permission is an action on one resource.
type permission struct{ action, resource string }

func (p permission) String() string { return p.action + " on " + p.resource }

// without returns the document less a permission.
func (d document) without(p permission) document {
	less := document{Version: d.Version}
	for _, s := range d.Statement {
		if !slices.Contains(s.Action, p.action) || !slices.Contains(s.Resource, p.resource) {
			less.Statement = append(less.Statement, s)
			continue
		}
		others, elsewhere := s, s
		others.Action = slices.DeleteFunc(slices.Clone(s.Action), func(a string) bool { return a == p.action })
		elsewhere.Action = words{p.action}
		elsewhere.Resource = slices.DeleteFunc(slices.Clone(s.Resource), func(r string) bool { return r == p.resource })
		for _, kept := range []rule{others, elsewhere} {
			if len(kept.Action) > 0 && len(kept.Resource) > 0 {
				less.Statement = append(less.Statement, kept)
			}
		}
	}
	return less
}

// permissions are all that the role's policies give. Several may give the same.
func (r role) permissions() []permission {
	var all []permission
	for _, d := range r.policies {
		for _, s := range d.Statement {
			for _, action := range s.Action {
				for _, resource := range s.Resource {
					if p := (permission{action, resource}); !slices.Contains(all, p) {
						all = append(all, p)
					}
				}
			}
		}
	}
	return all
}

// rolesOf reads the deployment's roles that have policies of their own.
func rolesOf(t *testing.T, running cloud.Running) []role {
	t.Helper()
	var roles []role
	for _, name := range iam(t, running, "ListRoles", url.Values{"MaxItems": {"1000"}}, "Roles>member>RoleName") {
		if !strings.HasPrefix(name, "archipelago-") {
			continue
		}
		r := role{name, map[string]document{}}
		for _, p := range iam(t, running, "ListRolePolicies", url.Values{"RoleName": {name}}, "PolicyNames>member") {
			encoded := iam(t, running, "GetRolePolicy", url.Values{"RoleName": {name}, "PolicyName": {p}}, "PolicyDocument")
			text, err := url.QueryUnescape(strings.Join(encoded, ""))
			if err != nil {
				t.Fatal(err)
			}
			var d document
			if err := json.Unmarshal([]byte(text), &d); err != nil {
				t.Fatal(err)
			}
			r.policies[p] = d
		}
		if len(r.policies) > 0 {
			roles = append(roles, r)
		}
	}
	return roles
}

// iam makes a call of IAM and returns the texts at a path of its result.
func iam(t *testing.T, running cloud.Running, action string, parameters url.Values, path string) []string {
	t.Helper()
	parameters.Set("Action", action)
	parameters.Set("Version", "2010-05-08")
	d := xml.NewDecoder(bytes.NewReader(aws(t, running, "iam", "us-east-1", parameters)))
	var at, texts []string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return texts
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			at = append(at, token.Name.Local)
		case xml.EndElement:
			at = at[:len(at)-1]
		case xml.CharData:
			if strings.HasSuffix(strings.Join(at, ">"), action+"Result>"+path) {
				texts = append(texts, string(token))
			}
		}
	}
}

// put makes d a policy of the role.
func (w *walk) put(t *testing.T, r role, policy string, d document) {
	t.Helper()
	parameters := url.Values{"RoleName": {r.name}, "PolicyName": {policy}}
	if len(d.Statement) == 0 {
		iam(t, w.running, "DeleteRolePolicy", parameters, "")
		return
	}
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	parameters.Set("PolicyDocument", string(text))
	iam(t, w.running, "PutRolePolicy", parameters, "")
}

// lacking calls f while the role lacks a permission.
func (w *walk) lacking(t *testing.T, r role, p permission, f func()) {
	t.Helper()
	for name, d := range r.policies {
		w.put(t, r, name, d.without(p))
	}
	defer func() {
		for name, d := range r.policies {
			w.put(t, r, name, d)
		}
	}()
	f()
}

// walk expects that use fails without any of the role's permissions, and passes
// with all.
func (w *walk) walk(t *testing.T, r role, use func() error) {
	t.Helper()
	await(t, use)
	for _, p := range r.permissions() {
		w.lacking(t, r, p, func() {
			if err := use(); err == nil {
				t.Errorf("nothing needs %s", p)
			} else {
				t.Logf("without %s: %v", p, err)
			}
		})
	}
	await(t, use)
}

// as returns how clients with the role's credentials are made.
func (w *walk) as(region string, r role) sdk.Config {
	c := w.administrator(region)
	c.Credentials = sdk.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(c), r.arn()))
	return c
}

func (w *walk) administrator(region string) sdk.Config { return administrator(w.running, region) }

func administrator(running cloud.Running, region string) sdk.Config {
	return emulatortest.Config(emulator.Control{URL: running.Emulator}, region)
}

func bucketOf(region string) string { return "archipelago-photos-123456789012-" + region }

func pathStyle(o *objects.Options) { o.UsePathStyle = true }

// remotePhotos adds an employee in each region, and takes the photo out of the
// other region's bucket once it is there.
func remotePhotos(t *testing.T, running cloud.Running, session string) map[string]string {
	t.Helper()
	photos := map[string]string{}
	for region, other := range map[string]string{"eu-west-1": "us-east-1", "us-east-1": "eu-west-1"} {
		path, photo := addEmployee(t, running.Regions[other], session, "Radia Perlman")
		emulatortest.Advance(t, emulator.Control{URL: running.Emulator}, replicationDelay)
		awaitEmployee(t, running.Regions[region], path, "Radia Perlman", photo, region)
		e := employee(t, running.Regions[region], path)
		photos[region] = e.PhotoURL
		client := objects.NewFromConfig(administrator(running, region), pathStyle)
		bucket, key := bucketOf(region), "employees/"+strings.TrimPrefix(e.PhotoURL, "/photos/")
		found, err := client.ListObjectVersions(t.Context(), &objects.ListObjectVersionsInput{Bucket: &bucket, Prefix: &key})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range found.Versions { // a version that goes is not replicated
			if _, err := client.DeleteObject(t.Context(), &objects.DeleteObjectInput{Bucket: &bucket, Key: v.Key, VersionId: v.VersionId}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := client.HeadObject(t.Context(), &objects.HeadObjectInput{Bucket: &bucket, Key: &key}); err == nil {
			t.Fatalf("%s still has %s after %d versions were deleted", bucket, key, len(found.Versions))
		}
	}
	return photos
}

// serve boots one more machine as the region's launch template says, does with its
// service what users do, and sweeps the photos as it does itself once a day. A new
// machine remembers nothing from before.
func (w *walk) serve(t *testing.T, region string, r role) error {
	t.Helper()
	instances := deployed(t, w.running).Instances
	instance := instances[slices.IndexFunc(instances, func(i emulator.Instance) bool { return i.Region == region })]
	n := w.clients.Add(1)
	instance.ID = fmt.Sprintf("i-%017d", n)
	// Its log is put each minute: nobody waits for that here.
	instance.UserData = strings.Replace(instance.UserData, "sleep 60", "sleep 1", 1)
	var output lockedBuffer
	m, err := machine.Start(t.Context(), instance, machine.Options{
		URL: w.running.Emulator, Dir: openDir(t), Output: &output,
		Environment: []string{"TRUSTED_PROXIES=127.0.0.0/8"},
	})
	if err != nil {
		t.Fatal(err)
	}
	stopped := make(chan struct{})
	t.Cleanup(func() { <-stopped })
	defer func() {
		go func() { m.Stop(); close(stopped) }()
	}()
	u := newUser(t, "http://"+m.Addr, net.IPv4(127, 0, 1, byte(n)))
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if _, err := u.ask(http.MethodGet, "/livez", "", nil); err == nil {
			break
		}
		if strings.Contains(output.String(), "AccessDenied") || time.Now().After(deadline) {
			return fmt.Errorf("it does not boot: %s", output.String())
		}
	}
	if err := u.use(w.running, w.photo[region]); err != nil {
		return err
	}
	if err := w.hasLog(t, region, instance.ID, &output); err != nil {
		return err
	}
	if err := w.hasPulse(t, region, instance.ID, &output); err != nil {
		return err
	}
	// Somebody's photo that no employee has, as of an upload that was killed.
	stray := directory.PhotoKey("stray", []byte(fmt.Sprint(n)), "jpg")
	bucket := bucketOf(region)
	if _, err := objects.NewFromConfig(w.administrator(region), pathStyle).PutObject(t.Context(), &objects.PutObjectInput{
		Bucket: &bucket, Key: &stray, Body: strings.NewReader("a photo"),
	}); err != nil {
		t.Fatal(err)
	}
	config := w.as(region, r)
	sweeper := &sweep.Sweeper{
		Photos:    s3.NewPhotos(config, bucketOf(region)),
		Employees: dynamo.NewEmployees(dynamodb.NewFromConfig(config), "archipelago-employees"),
		Now:       func() time.Time { return time.Now().Add(2 * sweep.Grace) },
		Log:       slog.New(slog.DiscardHandler),
	}
	counts, err := sweeper.Sweep(t.Context())
	if err == nil && counts.Deleted == 0 {
		err = errors.New("the sweep found no photo that no employee has")
	}
	return err
}

// hasLog waits until the instance has put its log into the region's log bucket, or
// was not allowed to.
func (w *walk) hasLog(t *testing.T, region, id string, output *lockedBuffer) error {
	t.Helper()
	bucket := "archipelago-logs-123456789012-" + region
	client := objects.NewFromConfig(w.administrator(region), pathStyle)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		found, err := client.ListObjectsV2(t.Context(), &objects.ListObjectsV2Input{Bucket: &bucket, Prefix: sdk.String("instances/directory/")})
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range found.Contents {
			if strings.HasSuffix(*object.Key, "Z-"+id+".log") {
				return nil
			}
		}
		if strings.Contains(output.String(), "AccessDenied") || time.Now().After(deadline) {
			return fmt.Errorf("its log is not in the bucket: %s", output.String())
		}
	}
}

// hasPulse waits until the instance has said that it reaches its stores, or was not
// allowed to.
func (w *walk) hasPulse(t *testing.T, region, id string, output *lockedBuffer) error {
	t.Helper()
	client := dynamodb.NewFromConfig(w.administrator(region))
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		found, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{
			TableName: sdk.String("archipelago-employees"), Key: pulse.Key(setting.Store{PartitionKey: "pk", SortKey: "sk"}, region),
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := pulse.Parse(found.Item)[id]; ok {
			return nil
		}
		if strings.Contains(output.String(), "AccessDenied") || time.Now().After(deadline) {
			return fmt.Errorf("it has no pulse: %s", output.String())
		}
	}
}

// user is somebody who uses a machine's service.
type user struct {
	t       *testing.T
	address string
	session string
	client  *http.Client
}

// newUser is one who comes from an address: the service counts sign-ins by it.
func newUser(t *testing.T, address string, from net.IP) *user {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: from}}
	return &user{t: t, address: address, client: &http.Client{
		Transport:     &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true},
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// ask returns an error for what is not answered as it should be.
func (u *user) ask(method, path, contentType string, body []byte) (answer []byte, err error) {
	res, answer, err := u.answer(method, path, contentType, body)
	if err == nil && res.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s %s: %s", method, path, res.Status)
	}
	return answer, err
}

func (u *user) answer(method, path, contentType string, body []byte) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(u.t.Context(), method, u.address+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Cookie", u.session)
	res, err := u.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if cookie, ok := strings.CutPrefix(path, "/api/session"); ok && cookie == "" {
		u.session, _, _ = strings.Cut(res.Header.Get("Set-Cookie"), ";")
	}
	return res, answer, err
}

// use does all that users can do. elsewhere is the address of a photo that the
// region's bucket does not have.
func (u *user) use(running cloud.Running, elsewhere string) error {
	if _, err := u.ask(http.MethodGet, "/readyz", "", nil); err != nil {
		return err
	}
	credentials, err := account(running, "")
	if err != nil {
		return err
	}
	// Attempts that fail are counted.
	wrong, err := account(running, "not ")
	if err != nil {
		return err
	}
	refused, _, err := u.answer(http.MethodPost, "/api/session", "application/json", wrong)
	if err != nil {
		return err
	}
	if refused.StatusCode != http.StatusUnauthorized {
		return fmt.Errorf("a wrong password: %s", refused.Status)
	}
	if _, err := u.ask(http.MethodPost, "/api/session", "application/json", credentials); err != nil {
		return err
	}
	badge, name := "bug", "Edsger "+rand.Text()
	fields, err := json.Marshal(map[string]any{"fullName": name, "location": name, "jobTitle": "Analyst", "badges": []string{badge}})
	if err != nil {
		return err
	}
	added, err := u.ask(http.MethodPost, "/api/employees", "application/json", fields)
	if err != nil {
		return err
	}
	var e record
	if err := json.Unmarshal(added, &e); err != nil {
		return err
	}
	path := "/api/employees/" + e.ID
	withPhoto, err := u.ask(http.MethodPut, path+"/photo", "image/jpeg", testPhoto(u.t))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(withPhoto, &e); err != nil {
		return err
	}
	if _, err := u.ask(http.MethodGet, e.PhotoURL, "", nil); err != nil {
		return err
	}
	for _, list := range []string{"", "name=Edsger", "location=" + url.QueryEscape(name), "badge=" + badge} {
		page, err := u.ask(http.MethodGet, "/api/employees?limit=100&"+list, "", nil)
		if err != nil {
			return err
		}
		if !bytes.Contains(page, []byte(e.ID)) {
			return fmt.Errorf("the list %q lacks %s", list, name)
		}
	}
	if locations, err := u.ask(http.MethodGet, "/api/locations", "", nil); err != nil || !bytes.Contains(locations, []byte(name)) {
		return cmp.Or(err, errors.New("the locations lack the new one"))
	}
	for region := range running.Regions {
		if islands, err := u.ask(http.MethodGet, "/islands", "", nil); err != nil || !bytes.Contains(islands, []byte(region)) {
			return cmp.Or(err, fmt.Errorf("the islands lack %s", region))
		}
	}
	if err := u.see(elsewhere); err != nil {
		return err
	}
	if _, err := u.ask(http.MethodDelete, path, "", nil); err != nil {
		return err
	}
	_, err = u.ask(http.MethodDelete, "/api/session", "", nil)
	return err
}

// see follows the service's redirect to a photo in another region's bucket.
func (u *user) see(photo string) error {
	res, _, err := u.answer(http.MethodGet, photo, "", nil)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusFound {
		return fmt.Errorf("a photo elsewhere: %s", res.Status)
	}
	res, err = http.Get(res.Header.Get("Location"))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the address of a photo elsewhere: %s", res.Status)
	}
	return nil
}

// shine starts the region's lighthouse, as it is deployed, looks at it, and logs
// as Lambda does for it.
func (w *walk) shine(t *testing.T, region string, r role) error {
	t.Helper()
	functions := deployed(t, w.running).Functions
	function := functions[slices.IndexFunc(functions, func(f emulator.Function) bool {
		return f.Region == region && strings.HasSuffix(f.Name, "-lighthouse")
	})]
	var output lockedBuffer
	f, err := lambda.Start(function, w.running.Emulator, openDir(t), &output)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Stop()
	answer, err := f.Invoke(t.Context(), []byte(`{"httpMethod": "GET", "path": "/lighthouse"}`))
	if err != nil {
		return err
	}
	var response struct{ Body string }
	if err := json.Unmarshal(answer, &response); err != nil {
		return err
	}
	var l look
	if err := json.Unmarshal([]byte(response.Body), &l); err != nil {
		return err
	}
	for part, said := range l.Parts {
		if said != "ok" {
			return fmt.Errorf("%s: %s", part, said)
		}
	}
	if !strings.Contains(output.String(), `"`+setting.ReplicationAgeMetric+`":`) {
		return errors.New("it does not read what another region writes")
	}
	// It asks who runs only when nobody beats.
	if _, err := autoscaling.NewFromConfig(w.as(region, r)).DescribeAutoScalingGroups(t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{}); err != nil {
		return err
	}
	return w.logs(t, region, r, output.String()+".")
}

// logs writes a message into the log group of the role's function, as Lambda does.
func (w *walk) logs(t *testing.T, region string, r role, message string) error {
	t.Helper()
	stream := map[string]any{"logGroupName": logGroupOf(r), "logStreamName": rand.Text()}
	if err := w.log(t, region, r, "CreateLogStream", stream); err != nil {
		return err
	}
	stream["logEvents"] = []any{map[string]any{"timestamp": time.Now().UnixMilli(), "message": message}}
	return w.log(t, region, r, "PutLogEvents", stream)
}

// logGroupOf returns the name of the log group that the role may write to.
func logGroupOf(r role) string {
	for _, d := range r.policies {
		for _, s := range d.Statement {
			for _, resource := range s.Resource {
				if _, name, ok := strings.Cut(resource, ":log-group:"); ok {
					return strings.TrimSuffix(name, ":*")
				}
			}
		}
	}
	return ""
}

// log makes a call of CloudWatch Logs with the role's credentials.
func (w *walk) log(t *testing.T, region string, r role, action string, in any) error {
	t.Helper()
	c, err := w.as(region, r).Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.running.Emulator, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "Logs_20140328."+action)
	if err := v4.NewSigner().SignHTTP(t.Context(), c, req, "UNSIGNED-PAYLOAD", "logs", region, time.Now()); err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		answer, _ := io.ReadAll(res.Body)
		return fmt.Errorf("%s: %s: %s", action, res.Status, answer)
	}
	return nil
}

// deploy makes the calls of all custom resources again, those of their deletion
// first.
func (w *walk) deploy(t *testing.T) error {
	t.Helper()
	for _, request := range []string{"Delete", "Create", "Update"} {
		failures, err := emulator.Control{URL: w.running.Emulator}.InvokeCustomResources(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		if len(failures) > 0 {
			return errors.New(strings.Join(failures, "; "))
		}
	}
	return nil
}

// replicate puts and deletes photos in both regions while S3's role lacks a
// permission. What S3 was not allowed to replicate then, it never does: when a
// photo is there that came afterwards, something of before is missing.
func (w *walk) replicate(t *testing.T, r role) {
	t.Helper()
	regions := []string{"eu-west-1", "us-east-1"}
	put := func(region, key string) {
		t.Helper()
		bucket := bucketOf(region)
		if _, err := objects.NewFromConfig(w.administrator(region), pathStyle).PutObject(t.Context(), &objects.PutObjectInput{
			Bucket: &bucket, Key: &key, Body: strings.NewReader(key),
		}); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(region, key string) {
		t.Helper()
		bucket := bucketOf(region)
		if _, err := objects.NewFromConfig(w.administrator(region), pathStyle).DeleteObject(t.Context(), &objects.DeleteObjectInput{Bucket: &bucket, Key: &key}); err != nil {
			t.Fatal(err)
		}
	}
	has := func(region, key string) bool {
		bucket := bucketOf(region)
		_, err := objects.NewFromConfig(w.administrator(region), pathStyle).HeadObject(t.Context(), &objects.HeadObjectInput{Bucket: &bucket, Key: &key})
		return err == nil
	}
	// One for each region that it is put in.
	photo := func(n int, what, region string) string { return fmt.Sprintf("employees/%s/%s-%d", region, what, n) }
	replicated := func(n int, what string) error {
		return errors.Join(missing(has, "us-east-1", photo(n, what, "eu-west-1")), missing(has, "eu-west-1", photo(n, what, "us-east-1")))
	}
	permissions := r.permissions()
	last := len(permissions)
	for n := range permissions {
		for _, region := range regions {
			put(region, photo(n, "old", region))
		}
	}
	emulatortest.Advance(t, emulator.Control{URL: w.running.Emulator}, replicationDelay)
	await(t, func() error { return replicated(last-1, "old") })
	for n, p := range permissions {
		w.lacking(t, r, p, func() {
			for _, region := range regions {
				put(region, photo(n, "new", region))
				remove(region, photo(n, "old", region))
			}
		})
	}
	for _, region := range regions {
		put(region, photo(last, "new", region))
	}
	emulatortest.Advance(t, emulator.Control{URL: w.running.Emulator}, replicationDelay)
	await(t, func() error { return replicated(last, "new") })
	for n, p := range permissions {
		if replicated(n, "new") == nil && !has("us-east-1", photo(n, "old", "eu-west-1")) && !has("eu-west-1", photo(n, "old", "us-east-1")) {
			t.Errorf("nothing needs %s", p)
		}
	}
}

// missing returns an error if a region has no photo of the key.
func missing(has func(region, key string) bool, region, key string) error {
	if has(region, key) {
		return nil
	}
	return fmt.Errorf("%s lacks %s", region, key)
}

// observed is what the scaler needs at each run; a step needs the rest.
var observed = []string{
	"arc-zonal-shift:GetManagedResource", "autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeInstanceRefreshes", "cloudformation:DescribeStacks",
	"cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData", "ec2:DescribeInstanceTypeOfferings", "ssm:GetParameters",
}

// scale takes away what the scaler needs to look at its fleet, and to change it.
func (w *walk) scale(t *testing.T, region string, r role) {
	t.Helper()
	functions := deployed(t, w.running).Functions
	function := functions[slices.IndexFunc(functions, func(f emulator.Function) bool {
		return f.Region == region && strings.HasSuffix(f.Name, "-scaler")
	})]
	look := func() error {
		var output lockedBuffer
		f, err := lambda.Start(function, w.running.Emulator, openDir(t), &output)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Stop()
		report, err := f.Invoke(t.Context(), []byte("{}"))
		if err == nil && bytes.Contains(report, []byte(`"shiftUnknown"`)) { // which ends no run
			err = fmt.Errorf("it reports %s", report)
		}
		return err
	}
	step := func() error { return w.step(t, region, r, function) }
	await(t, look)
	await(t, step)
	// Whatever AWS's documents leave open of what a call asks for (rules 24 and 25).
	for reading := range 4 {
		emulatortest.Set(t, emulator.Control{URL: w.running.Emulator}, emulator.Settings{DryRunNamesTemplate: reading&1 != 0, ZonalShiftNamesGroup: reading&2 != 0})
		if err := errors.Join(look(), step()); err != nil {
			t.Errorf("reading %d of AWS's documents: %v", reading, err)
		}
	}
	emulatortest.Set(t, emulator.Control{URL: w.running.Emulator}, emulator.Settings{})
	for _, p := range r.permissions() {
		use := step
		if slices.Contains(observed, p.action) {
			use = look
		}
		w.lacking(t, r, p, func() {
			if err := use(); err == nil {
				t.Errorf("nothing needs %s", p)
			} else {
				t.Logf("without %s: %v", p, err)
			}
		})
	}
	await(t, look)
	await(t, step)
}

// looksAtRollout makes the calls of a deployment that a step does not make.
func (w *walk) looksAtRollout(t *testing.T, region string, r role, group string, environment map[string]string) error {
	t.Helper()
	config := w.as(region, r)
	scaling := autoscaling.NewFromConfig(config)
	if _, err := scaling.DescribeScalingActivities(t.Context(), &autoscaling.DescribeScalingActivitiesInput{AutoScalingGroupName: &group}); err != nil {
		return err
	}
	if _, err := ec2.NewFromConfig(config).DescribeLaunchTemplateVersions(t.Context(), &ec2.DescribeLaunchTemplateVersionsInput{
		LaunchTemplateId: sdk.String(environment[setting.Template]),
	}); err != nil {
		return err
	}
	if _, err := elasticloadbalancingv2.NewFromConfig(config).DescribeTargetHealth(t.Context(), &elasticloadbalancingv2.DescribeTargetHealthInput{
		TargetGroupArn: sdk.String(environment[setting.TargetGroupARN]),
	}); err != nil {
		return err
	}
	var none *types.ActiveInstanceRefreshNotFoundFault // the step's has ended, or cannot go back
	var irreversible *types.IrreversibleInstanceRefreshFault
	_, err := scaling.RollbackInstanceRefresh(t.Context(), &autoscaling.RollbackInstanceRefreshInput{AutoScalingGroupName: &group})
	if err != nil && !errors.As(err, &none) && !errors.As(err, &irreversible) {
		return err
	}
	_, err = scaling.CancelInstanceRefresh(t.Context(), &autoscaling.CancelInstanceRefreshInput{AutoScalingGroupName: &group})
	if err != nil && !errors.As(err, &none) {
		return err
	}
	return nil
}

// step makes the calls of a step, one to what the fleet has already, and logs as
// Lambda does for the function.
func (w *walk) step(t *testing.T, region string, r role, function emulator.Function) error {
	t.Helper()
	group := groupOf(t, w.running, region)
	administrator := autoscaling.NewFromConfig(w.administrator(region))
	described, err := administrator.DescribeAutoScalingGroups(t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{group}})
	if err != nil {
		t.Fatal(err)
	}
	await(t, func() error {
		out, err := administrator.DescribeInstanceRefreshes(t.Context(), &autoscaling.DescribeInstanceRefreshesInput{AutoScalingGroupName: &group})
		for _, refresh := range out.InstanceRefreshes {
			if refresh.EndTime == nil {
				return errors.New("instances are being replaced")
			}
		}
		return err
	})
	if _, err := autoscaling.NewFromConfig(w.as(region, r)).StartInstanceRefresh(t.Context(), &autoscaling.StartInstanceRefreshInput{
		AutoScalingGroupName: &group,
		DesiredConfiguration: &types.DesiredConfiguration{MixedInstancesPolicy: described.AutoScalingGroups[0].MixedInstancesPolicy},
		Preferences:          &types.RefreshPreferences{SkipMatching: sdk.Bool(true)},
	}); err != nil {
		return err
	}
	if err := w.looksAtRollout(t, region, r, group, function.Environment); err != nil {
		return err
	}
	parameters := ssm.NewFromConfig(w.as(region, r))
	for name, value := range map[string]*string{
		function.Environment[setting.InstanceTypeParameter]: described.AutoScalingGroups[0].MixedInstancesPolicy.LaunchTemplate.Overrides[0].InstanceType,
		function.Environment[setting.ScalingParameter]:      sdk.String("{}"),
	} {
		if _, err := parameters.PutParameter(t.Context(), &ssm.PutParameterInput{
			Name: &name, Value: value, Type: ssmtypes.ParameterTypeString, Overwrite: sdk.Bool(true),
		}); err != nil {
			return err
		}
	}
	return w.logs(t, region, r, "a step")
}
