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
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/cloud"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
)

// TestIslands brings two islands up with the real CDK CLI, and takes them
// through what they are there for.
func TestIslands(t *testing.T) {
	dir := t.TempDir()
	running := up(t, options(dir))
	session := signIn(t, running.URL, running)
	path, photo := addEmployee(t, running.URL, session, "Ada Lovelace")

	for region, address := range running.Regions {
		t.Run("read in "+region, func(t *testing.T) {
			awaitEmployee(t, address, path, "Ada Lovelace", photo, region)
		})
	}

	t.Run("every island lists all", func(t *testing.T) {
		for _, address := range running.Regions {
			await(t, func() error {
				a := fetch(t, address+"/islands")
				for region := range running.Regions {
					if !strings.Contains(string(a.body), region) {
						return fmt.Errorf("%s is not among the islands that %s lists", region, a.island)
					}
				}
				return nil
			})
		}
	})

	t.Run("a sign-out holds everywhere", func(t *testing.T) {
		here, there := running.Regions["eu-west-1"], running.Regions["us-east-1"]
		session := signIn(t, here, running)
		if err := signedIn(t, there, session); err != nil {
			t.Fatal(err)
		}
		send(t, http.MethodDelete, here+"/api/session", session, "", nil)
		out := time.Now()
		if signedIn(t, here, session) == nil {
			t.Error("it does not hold where it was done")
		}
		for signedIn(t, there, session) == nil {
			if time.Since(out) > 5*time.Second {
				t.Fatal("it does not hold in the other region after 5 s")
			}
			time.Sleep(100 * time.Millisecond)
		}
	})

	t.Run("an instance that is lost is replaced, and its sessions go on", func(t *testing.T) {
		before := fleetOf(t, running, "eu-west-1")
		session, instance := signInAt(t, running.URL, running)
		aws(t, running, "ec2", "eu-west-1", url.Values{
			"Action": {"TerminateInstances"}, "Version": {"2016-11-15"}, "InstanceId.1": {instance},
		})
		await(t, func() error {
			for _, id := range fleetOf(t, running, "eu-west-1") {
				if id == instance {
					return fmt.Errorf("%s is still there", id)
				}
			}
			return allHealthy(t, running, len(before))
		})
		awaitEmployee(t, running.URL, path, "Ada Lovelace", photo, "eu-west-1")
		if err := signedIn(t, running.URL, session); err != nil {
			t.Error(err)
		}
	})

	t.Run("a photo comes from the other region until it is replicated", func(t *testing.T) {
		path, photo := addEmployee(t, running.Regions["us-east-1"], session, "Grace Hopper")
		e := employee(t, running.Regions["eu-west-1"], path)
		if got := fetch(t, running.Regions["eu-west-1"]+e.PhotoURL); !bytes.Equal(got.body, photo) {
			t.Errorf("got %d bytes with status %d, want the photo's %d", len(got.body), got.status, len(photo))
		}
	})

	t.Run("every permission is needed", func(t *testing.T) { permissions(t, running, session) })

	t.Run("a region joins and leaves, and no other instance is replaced", func(t *testing.T) {
		before := deployed(t, running).Instances
		for _, regions := range []string{"eu-west-1,us-east-1,ap-southeast-2", "eu-west-1,us-east-1", "eu-west-1,us-east-1,ap-southeast-2"} {
			var output bytes.Buffer
			if err := deploy(t, dir, &output, "archipelago.regions="+regions); err != nil {
				t.Fatalf("%s: %v\n%s", regions, err, &output)
			}
			for _, region := range strings.Split(regions, ",") {
				address := playing(t, running).Regions[region]
				if a := fetch(t, address+path); a.island != region {
					t.Errorf("%s: status %d from %q at %q", region, a.status, a.island, address)
				}
			}
		}
		after := deployed(t, running).Instances
		for _, i := range before {
			if !slices.ContainsFunc(after, func(o emulator.Instance) bool { return o.ID == i.ID }) {
				t.Errorf("%s of %s was replaced", i.ID, i.Region)
			}
		}
	})

	t.Run("a second run deploys into the first", func(t *testing.T) {
		before := fleetOf(t, running, "eu-west-1")
		var output bytes.Buffer
		if err := deploy(t, dir, &output, "archipelago.allowCleartext=true", "archipelago.fleet.startAt=m7g.large"); err != nil {
			t.Fatalf("%v\n%s", err, &output)
		}
		if want := "sign in as " + running.Account + " with " + running.Password; !strings.Contains(output.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, &output)
		}
		if err := allHealthy(t, running, len(before)); err != nil {
			t.Error(err)
		}
		for _, id := range fleetOf(t, running, "eu-west-1") {
			if slices.Contains(before, id) {
				t.Errorf("%s is still there, with the old setting", id)
			}
		}
		for _, i := range deployed(t, running).Instances {
			if i.Type != "m7g.medium" {
				t.Errorf("%s is a %s: startAt is for the first deployment only", i.ID, i.Type)
			}
		}
		awaitEmployee(t, running.URL, path, "Ada Lovelace", photo, "eu-west-1")
	})

	lighthouses(t, running, func(address, region string) { awaitEmployee(t, address, path, "Ada Lovelace", photo, region) })

	t.Run("users and their sessions move away from a region that has no fleet", func(t *testing.T) {
		session := signIn(t, running.Regions["eu-west-1"], running)
		group := groupOf(t, running, "eu-west-1")
		aws(t, running, "autoscaling", "eu-west-1", url.Values{
			"Action": {"UpdateAutoScalingGroup"}, "Version": {"2011-01-01"}, "AutoScalingGroupName": {group},
			"MinSize": {"0"}, "DesiredCapacity": {"0"},
		})
		awaitEmployee(t, running.URL, path, "Ada Lovelace", photo, "us-east-1")
		if err := signedIn(t, running.URL, session); err != nil {
			t.Error(err)
		}
	})
}

// TestFailuresAreSaid: what goes wrong before anything answers is named, with
// where to read on, and nothing goes on.
func TestFailuresAreSaid(t *testing.T) {
	for name, test := range map[string]struct{ settings, want []string }{
		"a wrong configuration": {
			[]string{"archipelago.fleet.min=9", "archipelago.fleet.mx=3"},
			[]string{
				"could not synthesize the stacks",
				"archipelago.fleet.max: want at least fleet.min, 9, got 6",
				`archipelago.fleet.mx: there is no such key (did you mean "max"?)`,
			},
		},
		// The emulator knows no such zone; neither would AWS.
		"a deployment that fails half-way": {
			[]string{`archipelago.regions[1].zones=["a","z"]`},
			[]string{"could not deploy the stacks", "archipelago-region-us-east-1", "us-east-1z", "up.log"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			o := options(dir, test.settings...)
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
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	photo, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "src/image/testdata/video-001.jpeg"))
	if err != nil {
		t.Fatal(err)
	}
	return photo
}

// options are those of a local cloud in dir, with settings laid over.
func options(dir string, settings ...string) cloud.Options {
	return cloud.Options{
		Root: "../..", Dir: dir, ReplicationDelay: 30 * time.Second, Pace: 10,
		Context: append([]string{
			"archipelago.regions=eu-west-1,us-east-1",
			"archipelago.protect=false", // a protected region leaves by a procedure: TestLives
		}, settings...),
	}
}

// deploy deploys into the local cloud that runs in dir.
func deploy(t *testing.T, dir string, output io.Writer, settings ...string) error {
	o := options(dir, settings...)
	o.Out = output
	return cloud.Up(t.Context(), o)
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
		want := "ready: " + running.URL + "\nsign in as " + running.Account + " with " + running.Password + "\n"
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

// signIn returns a new session as a header Cookie has it.
func signIn(t *testing.T, address string, running cloud.Running) string {
	t.Helper()
	session, _ := signInAt(t, address, running)
	return session
}

// signInAt returns the instance, too, that the session began on.
func signInAt(t *testing.T, address string, running cloud.Running) (session, instance string) {
	t.Helper()
	credentials, err := json.Marshal(map[string]string{"name": running.Account, "password": running.Password})
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
		return fmt.Errorf("the session is none at %s", address)
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
	var err error
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
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

func playing(t *testing.T, running cloud.Running) emulator.Playing {
	t.Helper()
	p, err := emulator.Control{URL: running.Emulator}.Playing(t.Context())
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
