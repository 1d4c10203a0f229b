package cloud_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image/jpeg"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/cloud"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/service/photo/phototest"
)

// TestFailuresAreSaid: what goes wrong before anything answers is named, with
// where to read on, and nothing goes on.
func TestFailuresAreSaid(t *testing.T) {
	t.Parallel()
	half := synthesize(t, []string{"archipelago.regions=eu-west-1,us-east-1", `archipelago.regions[1].zones=["a","z"]`})[0]
	for name, test := range map[string]struct {
		options func(t *testing.T, dir string) cloud.Options
		want    []string
	}{
		// By the CLI's own synth, as cdk.json has it.
		"a wrong configuration": {
			func(_ *testing.T, dir string) cloud.Options {
				o := options(dir, "")
				o.Context = []string{"archipelago.fleet.min=9", "archipelago.fleet.mx=3"}
				return o
			},
			[]string{
				"the configuration is not valid",
				"archipelago.fleet.max: want at least fleet.min, 9, got 6",
				`archipelago.fleet.mx: there is no such key (did you mean "max"?)`,
			},
		},
		// The emulator knows no such zone; neither would AWS.
		"a deployment that fails half-way": {
			func(t *testing.T, dir string) cloud.Options { return options(dir, half.await(t)) },
			[]string{"could not deploy the stacks", "archipelago-region-us-east-1", "us-east-1z", "up.log"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			o := test.options(t, dir)
			o.Out, o.Ready = io.Discard, func(cloud.Running) { t.Error("it is ready") }
			err := cloud.Up(t.Context(), o)
			if err == nil {
				t.Fatal("it ended well")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error lacks %q:\n%v", want, err)
				}
			}
			if strings.Contains(err.Error(), "goroutine") || strings.Contains(err.Error(), "Traceback") {
				t.Errorf("want no stack trace, got %v", err)
			}
			nothingRuns(t, dir)
		})
	}
}

// testPhoto is a JPEG of the Go distribution's own tests.
func testPhoto(t *testing.T) []byte {
	t.Helper()
	photo, err := os.ReadFile(filepath.Join(phototest.GoTestdata(t), "video-001.jpeg"))
	if err != nil {
		t.Fatal(err)
	}
	return photo
}

// replicationDelay is how long a photo takes to another region: as long as nobody
// advances the clock it is not there.
const replicationDelay = time.Hour

// options are those of a local cloud in dir that deploys an assembly.
func options(dir, assembly string) cloud.Options {
	return cloud.Options{Root: "../..", Dir: dir, Assembly: assembly, ReplicationDelay: replicationDelay, Pace: calm, CPUScale: scaleCPU}
}

// up runs a local cloud until the test ends, and checks that it then leaves nothing
// behind.
func up(t *testing.T, o cloud.Options) cloud.Running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready := make(chan cloud.Running, 1)
	ended := make(chan error, 1)
	var output lockedBuffer
	o.Out, o.Ready = &output, func(r cloud.Running) { ready <- r }
	go func() { ended <- cloud.Up(ctx, o) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("up ended with %v", err)
		}
		if _, err := os.Stat(filepath.Join(o.Dir, "machines")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("machines are left: %v", err)
		}
		nothingRuns(t, o.Dir)
	})
	select {
	case running := <-ready:
		want := "ready: " + running.URL + "\n" + running.Setup
		if !strings.Contains(output.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, output.String())
		}
		return running
	case err := <-ended:
		ended <- err
		t.Fatalf("up ended before it was ready: %v\n%s", err, output.String())
		return cloud.Running{}
	}
}

// nothingRuns checks that no program of dir runs: its machines run theirs there.
func nothingRuns(t *testing.T, dir string) {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if program, err := os.Readlink(link); err == nil && strings.HasPrefix(program, dir) {
			t.Errorf("%s still runs, as %s", program, link)
		}
	}
}

// lockedBuffer takes the program's output while the test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

type answer struct {
	status int
	island string
	body   []byte
}

// fetch opens a new connection each time: an accelerator moves new connections only.
func fetch(t *testing.T, address string) answer {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	res, err := client.Get(address)
	if err != nil {
		return answer{}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{}
	}
	return answer{res.StatusCode, res.Header.Get("X-Island"), body}
}

type record struct {
	ID       string `json:"id"`
	FullName string `json:"fullName"`
	PhotoURL string `json:"photoUrl"`
}

// added is what setting up the directory prints.
var added = regexp.MustCompile(`^Account (\S+) was added\. .*\n\n  (\S+)\n`)

// account returns the credentials of the account that setting up has added, as JSON,
// with what comes before its password.
func account(running cloud.Running, before string) ([]byte, error) {
	said := added.FindStringSubmatch(running.Setup)
	if said == nil {
		return nil, fmt.Errorf("setting up printed %q, want an account and its password", running.Setup)
	}
	return json.Marshal(map[string]string{"name": said[1], "password": before + said[2]})
}

// signIn returns a new session as a header Cookie has it.
func signIn(t *testing.T, address string, running cloud.Running) string {
	t.Helper()
	session, _ := signInAt(t, address, running)
	return session
}

// signInAt returns the instance, too, that the session began on.
func signInAt(t *testing.T, address string, running cloud.Running) (session, instance string) {
	t.Helper()
	credentials, err := account(running, "")
	if err != nil {
		t.Fatal(err)
	}
	res, _ := send(t, http.MethodPost, address+"/api/session", "", "application/json", credentials)
	session, _, _ = strings.Cut(res.Header.Get("Set-Cookie"), ";")
	return session, res.Header.Get("X-Instance")
}

// signedIn returns nil if the page that takes an account is shown.
func signedIn(t *testing.T, address, session string) error {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/employees/new", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Cookie", session)
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req) // follows no redirect
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusSeeOther:
		return fmt.Errorf("the session is not known at %s", address)
	default:
		t.Fatalf("%s: status %d", req.URL, res.StatusCode)
		return nil
	}
}

func employee(t *testing.T, address, path string) record {
	t.Helper()
	var e record
	if a := fetch(t, address+path); a.status == http.StatusOK {
		if err := json.Unmarshal(a.body, &e); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

// addEmployee adds one with a photo and returns its path in the API, and the
// photo as it is kept.
func addEmployee(t *testing.T, address, session, name string) (path string, photo []byte) {
	t.Helper()
	fields, err := json.Marshal(map[string]any{"fullName": name, "location": "London", "jobTitle": "Analyst", "badges": []string{"bug"}})
	if err != nil {
		t.Fatal(err)
	}
	res, _ := send(t, http.MethodPost, address+"/api/employees", session, "application/json", fields)
	path = res.Header.Get("Location")
	_, answer := send(t, http.MethodPut, address+path+"/photo", session, "image/jpeg", testPhoto(t))
	var e record
	if err := json.Unmarshal(answer, &e); err != nil {
		t.Fatal(err)
	}
	kept := fetch(t, address+e.PhotoURL)
	if _, err := jpeg.Decode(bytes.NewReader(kept.body)); err != nil {
		t.Fatalf("the photo: status %d, %v", kept.status, err)
	}
	return path, kept.body
}

func send(t *testing.T, method, address, session, contentType string, body []byte) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Cookie", session)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		t.Fatalf("%s %s: %s, %v: %s", method, address, res.Status, err, answer)
	}
	return res, answer
}

// awaitEmployee waits until an employee and the photo are read at an address,
// answered by a region.
func awaitEmployee(t *testing.T, address, path, name string, photo []byte, region string) {
	t.Helper()
	await(t, func() error {
		a := fetch(t, address+path)
		if a.island != region {
			return fmt.Errorf("status %d from region %q, want %q", a.status, a.island, region)
		}
		e := employee(t, address, path)
		if e.FullName != name || e.PhotoURL == "" {
			return fmt.Errorf("got %+v, want %s with a photo", e, name)
		}
		if p := fetch(t, address+e.PhotoURL); p.island != region || !bytes.Equal(p.body, photo) {
			return fmt.Errorf("the photo: status %d from %q with %d bytes, want %d from %q", p.status, p.island, len(p.body), len(photo), region)
		}
		return nil
	})
}

// await repeats check until it passes.
func await(t *testing.T, check func() error) {
	t.Helper()
	awaitFor(t, time.Minute, check)
}

func awaitFor(t *testing.T, d time.Duration, check func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(d); time.Now().Before(deadline); time.Sleep(250 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Fatal(err)
}

func deployed(t *testing.T, running cloud.Running) emulator.Fleet {
	t.Helper()
	fleet, err := emulator.Control{URL: running.Emulator}.Fleet(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return fleet
}

// fleetOf returns the ids of a region's instances.
func fleetOf(t *testing.T, running cloud.Running, region string) []string {
	t.Helper()
	var ids []string
	for _, i := range deployed(t, running).Instances {
		if i.Region == region {
			ids = append(ids, i.ID)
		}
	}
	return ids
}

func groupOf(t *testing.T, running cloud.Running, region string) string {
	t.Helper()
	for _, i := range deployed(t, running).Instances {
		if i.Region == region {
			return i.Group
		}
	}
	t.Fatalf("%s has no instance", region)
	return ""
}

func playing(t *testing.T, running cloud.Running) emulator.Status {
	t.Helper()
	p, err := emulator.Control{URL: running.Emulator}.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// allHealthy reports whether eu-west-1 has count instances, all healthy.
func allHealthy(t *testing.T, running cloud.Running, count int) error {
	t.Helper()
	health := playing(t, running).Health
	ids := fleetOf(t, running, "eu-west-1")
	for _, id := range ids {
		if health[id] != "healthy" {
			return fmt.Errorf("%s is %q", id, health[id])
		}
	}
	if len(ids) != count {
		return fmt.Errorf("there are %d instances, want %d", len(ids), count)
	}
	return nil
}

// aws makes a call of a query API, as an operator would with the AWS CLI.
func aws(t *testing.T, running cloud.Running, service, region string, parameters url.Values) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, running.Emulator, strings.NewReader(parameters.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	req.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=test/20260101/%s/%s/aws4_request, SignedHeaders=host, Signature=none", region, service))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s: %s", parameters.Get("Action"), res.Status, body)
	}
	return body
}
