package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/local/cloud"
	"github.com/archipelago-cdk/archipelago/local/emulator"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
)

// The regions of the shipped configuration, the nearest first.
const near, far = "eu-west-1", "us-east-1"

// TestIslands deploys the shipped configuration and does to it, one after the
// other, what islands are for. The steps build on each other.
func TestIslands(t *testing.T) {
	dir := t.TempDir()
	islands, stop := up(t, dir)
	photo := readPhoto(t)

	id := add(t, islands.URL, photo)
	for _, region := range []string{near, far} {
		wantEmployee(t, islands.Regions[region], region, id, photo)
	}

	t.Log("an instance dies: another one takes its place")
	killed := instances(t, islands, near)[0]
	if _, err := ec2Client(islands, near).TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{killed}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the fleet is back", func() error { return wantHealthy(t, islands, near, 2, killed) })
	wantEmployee(t, islands.URL, near, id, photo)

	t.Log("a changed configuration replaces the instances")
	before := instances(t, islands, far)
	var out bytes.Buffer
	if err := run(t.Context(), arguments(dir, "-c", "archipelago.allowCleartext=true"), &out, nil); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	if err := wantHealthy(t, islands, far, 2, before...); err != nil {
		t.Error(err)
	}
	wantEmployee(t, islands.URL, near, id, photo)

	t.Log("a region loses its fleet: the other one answers")
	group := fleet(t, islands).Instances[0].Group
	_, err := scalingClient(islands, near).UpdateAutoScalingGroup(t.Context(), &autoscaling.UpdateAutoScalingGroupInput{
		AutoScalingGroupName: &group, MinSize: aws.Int32(0), DesiredCapacity: aws.Int32(0),
	})
	if err != nil {
		t.Fatal(err)
	}
	wantEmployee(t, islands.URL, far, id, photo)

	stop()
	wantNothingLeft(t, islands, dir)
}

// TestRefusesBadConfiguration deploys nothing.
func TestRefusesBadConfiguration(t *testing.T) {
	dir := t.TempDir()
	err := run(t.Context(), arguments(dir, "-c", "archipelago.regions=europe"), io.Discard, nil)
	if err == nil || !strings.Contains(err.Error(), `archipelago.regions[0]`) || strings.Contains(err.Error(), "goroutine") {
		t.Errorf("got %v, want the key that is wrong", err)
	}
	wantNoProcesses(t, dir)
}

func arguments(dir string, more ...string) []string {
	return append([]string{"-root", "../..", "-dir", dir, "-port", "0", "-replication-delay", "500ms"}, more...)
}

// up runs the program until everything is healthy. stop ends it and waits.
func up(t *testing.T, dir string) (islands cloud.Running, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ready := make(chan cloud.Running, 1)
	ended := make(chan error, 1)
	var out bytes.Buffer
	go func() { ended <- run(ctx, arguments(dir), &out, func(r cloud.Running) { ready <- r }) }()
	stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("%v\n%s", err, &out)
		}
	}
	select {
	case islands = <-ready:
	case err := <-ended:
		cancel()
		t.Fatalf("%v\n%s", err, &out)
	}
	t.Cleanup(cancel)
	return islands, stop
}

func readPhoto(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(runtime.GOROOT(), "src/image/testdata/video-001.jpeg"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// add adds an employee with a photo and returns the id.
func add(t *testing.T, url string, photo []byte) string {
	t.Helper()
	var employee struct{ ID string }
	body := []byte(`{"fullName":"Ada Lovelace","location":"London","jobTitle":"Analyst"}`)
	send(t, http.MethodPost, url+"/api/employees", "application/json", body, &employee)
	send(t, http.MethodPut, url+"/api/employees/"+employee.ID+"/photo", "application/octet-stream", photo, &employee)
	return employee.ID
}

func send(t *testing.T, method, url, contentType string, body []byte, answer any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		t.Fatalf("%s %s: %s %s %v", method, url, res.Status, b, err)
	}
	if err := json.Unmarshal(b, answer); err != nil {
		t.Fatal(err)
	}
}

// wantEmployee waits until the employee and the photo are read at url and
// region is the one that answers.
func wantEmployee(t *testing.T, url, region, id string, photo []byte) {
	t.Helper()
	eventually(t, region+" answers at "+url, func() error {
		var employee struct{ FullName, PhotoURL string }
		b, err := get(t, url+"/api/employees/"+id, region)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(b, &employee); err != nil || employee.FullName != "Ada Lovelace" {
			return fmt.Errorf("got %s, %v", b, err)
		}
		b, err = get(t, url+employee.PhotoURL, region)
		if err != nil {
			return err
		}
		if !bytes.Equal(b, photo) {
			return fmt.Errorf("got a photo of %d bytes, want the %d that were sent", len(b), len(photo))
		}
		return nil
	})
}

// get reads url, which region must answer itself.
func get(t *testing.T, url, region string) ([]byte, error) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Close = true // the entry takes each connection to a region anew
	client := http.Client{Timeout: 5 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if got := res.Header.Get("X-Island"); err == nil && (res.StatusCode != http.StatusOK || got != region) {
		return nil, fmt.Errorf("%s: got %s from %q, want 200 from %s", url, res.Status, got, region)
	}
	return b, err
}

func fleet(t *testing.T, islands cloud.Running) emulator.Fleet {
	t.Helper()
	fleet, err := emulator.Control{URL: islands.Emulator}.Fleet(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return fleet
}

// instances are the ids of a region's instances.
func instances(t *testing.T, islands cloud.Running, region string) []string {
	t.Helper()
	var ids []string
	for _, i := range fleet(t, islands).Instances {
		if i.Region == region {
			ids = append(ids, i.ID)
		}
	}
	return ids
}

// wantHealthy tells whether a region has count healthy instances, and none of
// those that are gone.
func wantHealthy(t *testing.T, islands cloud.Running, region string, count int, gone ...string) error {
	t.Helper()
	health, err := emulator.Control{URL: islands.Emulator}.Health(t.Context())
	if err != nil {
		return err
	}
	ids := instances(t, islands, region)
	for _, id := range ids {
		if health[id] != "healthy" || strings.Contains(strings.Join(gone, " "), id) {
			return fmt.Errorf("%s: %s is %s; want new, healthy instances", region, id, health[id])
		}
	}
	if len(ids) != count {
		return fmt.Errorf("%s: got %d instances, want %d", region, len(ids), count)
	}
	return nil
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, condition func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if err = condition(); err == nil {
			return
		}
	}
	t.Fatalf("not so within 30 s: %s: %v", what, err)
}

func ec2Client(islands cloud.Running, region string) *ec2.Client {
	return ec2.New(ec2.Options{Region: region, BaseEndpoint: &islands.Emulator, Credentials: credential})
}

func scalingClient(islands cloud.Running, region string) *autoscaling.Client {
	return autoscaling.New(autoscaling.Options{Region: region, BaseEndpoint: &islands.Emulator, Credentials: credential})
}

var credential = credentials.NewStaticCredentialsProvider("testing", "testing", "")

// wantNothingLeft checks that no address answers and no process runs.
func wantNothingLeft(t *testing.T, islands cloud.Running, dir string) {
	t.Helper()
	for _, url := range []string{islands.URL, islands.Emulator, islands.Regions[near], islands.Regions[far]} {
		if res, err := http.Get(url); err == nil {
			res.Body.Close()
			t.Errorf("%s still answers", url)
		}
	}
	wantNoProcesses(t, dir)
}

// wantNoProcesses checks that no program runs out of dir.
func wantNoProcesses(t *testing.T, dir string) {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, dir) {
			t.Errorf("%s still runs as %s", target, link)
		}
	}
}
