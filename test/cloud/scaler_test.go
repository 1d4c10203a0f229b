package cloud_test

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/cloud"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/archipelago-cdk/archipelago/scaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// scaledFleet is the fleet of eu-west-1 as AWS's calls show it.
type scaledFleet struct {
	*testing.T
	running cloud.Running
	dir     string
}

type fleetState struct {
	Parameter, Override string
	Remembered          string
	Desired             int
	Instances           []string // id and type
}

// failure is the last step that failed, as the scaler remembers it.
func (s fleetState) failure() (*scaling.Failure, error) {
	var memory struct{ Failed *scaling.Failure }
	err := json.Unmarshal([]byte(s.Remembered), &memory)
	return memory.Failed, err
}

// rests reports whether all of the fleet is of a type, and the scaler remembers no step
// that has not ended.
func (s fleetState) rests(instanceType string) error {
	for _, i := range s.Instances {
		if !strings.HasSuffix(i, " "+instanceType) {
			return fmt.Errorf("the fleet is %+v, want all of it to be %s", s, instanceType)
		}
	}
	if s.Parameter != instanceType || s.Override != instanceType || len(s.Instances) != s.Desired || strings.Contains(s.Remembered, `"step":`) {
		return fmt.Errorf("the fleet is %+v, want %s, and no step that has not ended", s, instanceType)
	}
	return nil
}

func (f *scaledFleet) state() fleetState {
	f.Helper()
	var s fleetState
	parameters, err := ssm.NewFromConfig(administrator(f.running, "eu-west-1")).GetParameters(f.Context(), &ssm.GetParametersInput{
		Names: []string{"/archipelago/fleet/instance-type", scalingParameter},
	})
	if err != nil {
		f.Fatal(err)
	}
	for _, p := range parameters.Parameters {
		if *p.Name == scalingParameter {
			s.Remembered = *p.Value
		} else {
			s.Parameter = *p.Value
		}
	}
	g := theGroup(f.T, f.running)
	s.Desired, s.Override = int(*g.DesiredCapacity), *g.MixedInstancesPolicy.LaunchTemplate.Overrides[0].InstanceType
	for _, i := range g.Instances {
		s.Instances = append(s.Instances, *i.InstanceId+" "+*i.InstanceType)
	}
	slices.Sort(s.Instances)
	return s
}

// theGroup is that of eu-west-1.
func theGroup(t *testing.T, running cloud.Running) types.AutoScalingGroup {
	t.Helper()
	groups, err := autoscaling.NewFromConfig(administrator(running, "eu-west-1")).DescribeAutoScalingGroups(t.Context(), nil)
	if err != nil || len(groups.AutoScalingGroups) != 1 {
		t.Fatalf("%v: %+v", err, groups)
	}
	return groups.AutoScalingGroups[0]
}

// scalingParameter is what the scaler remembers by.
const scalingParameter = "/archipelago/fleet/scaling"

// forget has the scaler forget what it remembers.
func (f *scaledFleet) forget() {
	f.Helper()
	name := scalingParameter
	if _, err := ssm.NewFromConfig(administrator(f.running, "eu-west-1")).DeleteParameter(f.Context(), &ssm.DeleteParameterInput{Name: &name}); err != nil {
		f.Fatal(err)
	}
}

// template is what the deployed template says of the group.
func (f *scaledFleet) template() string {
	f.Helper()
	answer := aws(f.T, f.running, "cloudformation", "eu-west-1", url.Values{
		"Action": {"GetTemplate"}, "Version": {"2010-05-15"}, "StackName": {"archipelago-region-eu-west-1"},
	})
	var body struct {
		Body string `xml:"GetTemplateResult>TemplateBody"`
	}
	if err := xml.Unmarshal(answer, &body); err != nil {
		f.Fatal(err)
	}
	var template struct {
		Resources map[string]struct {
			Type       string
			Properties json.RawMessage
		}
	}
	if err := json.Unmarshal([]byte(body.Body), &template); err != nil {
		f.Fatalf("%v: %.200s", err, body.Body)
	}
	for _, r := range template.Resources {
		if r.Type == "AWS::AutoScaling::AutoScalingGroup" {
			return string(r.Properties)
		}
	}
	f.Fatal("the template has no group")
	return ""
}

// await waits for a state; a step takes its time on a slow machine.
func (f *scaledFleet) await(what string, check func(fleetState) error) {
	f.Helper()
	var err error
	for deadline := time.Now().Add(10 * time.Minute); time.Now().Before(deadline); time.Sleep(500 * time.Millisecond) {
		if err = check(f.state()); err == nil {
			f.Logf("%s: %+v", what, f.state())
			return
		}
	}
	f.Fatalf("%s: %v\nThe scaler says:\n%s", what, err, f.says())
}

// says are the last lines that the scaler printed.
func (f *scaledFleet) says() string {
	log, err := os.ReadFile(filepath.Join(f.dir, "up.log"))
	if err != nil {
		f.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, `"says":`) || strings.Contains(line, `"level":"ERROR","error"`) || strings.Contains(line, "scaler") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-12):], "")
}

// stays checks that a state lasts until a time of the emulator's clock.
func (f *scaledFleet) stays(until time.Time, check func(fleetState) error) {
	f.Helper()
	control := emulator.Control{URL: f.running.Emulator}
	for ; emulatortest.Now(f, control).Before(until); time.Sleep(500 * time.Millisecond) {
		if err := check(f.state()); err != nil {
			f.Fatal(err)
		}
	}
}

// load is constant: people who read, and one who adds employees. It is the same on
// a slow machine, and leaves the emulator time for its other callers: what heats
// the fleet is that its CPU counts cpuScale times.
type load struct {
	running cloud.Running
	control emulator.Control
	end     chan struct{}
	ended   sync.Once
	workers sync.WaitGroup
	read    atomic.Int64
	late    atomic.Int64 // answers that ask to try again

	mu     sync.Mutex
	failed []string
	added  []string // paths of the employees that were acknowledged
}

const (
	readers    = 6
	readEvery  = 150 * time.Millisecond // each reader
	addEvery   = 500 * time.Millisecond
	cpuScale   = 25
	loadClient = "readers and a writer"
)

// underLoad is whether a load runs.
var underLoad atomic.Bool

// scaleCPU heats a fleet by the load alone: threads that wait since this machine does
// something else count as busy, and would have a fleet grow that nobody uses.
func scaleCPU() float64 {
	if underLoad.Load() {
		return cpuScale
	}
	return 0
}

func startLoad(t *testing.T, running cloud.Running) *load {
	t.Helper()
	l := &load{running: running, control: emulator.Control{URL: running.Emulator}, end: make(chan struct{})}
	if err := l.control.RegisterLoad(t.Context(), loadClient); err != nil {
		t.Fatal(err)
	}
	session := signIn(t, running.URL, running)
	underLoad.Store(true)
	for range readers {
		l.workers.Go(func() { l.repeat(readEvery, l.readPage) })
	}
	l.workers.Go(func() { l.repeat(addEvery, func() { l.add(session) }) })
	return l
}

func (l *load) repeat(every time.Duration, do func()) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-l.end:
			return
		case <-tick.C:
			do()
		}
	}
}

func (l *load) stop(t *testing.T) {
	t.Helper()
	l.ended.Do(func() {
		close(l.end)
		l.workers.Wait()
		underLoad.Store(false)
		if err := l.control.UnregisterLoad(t.Context(), loadClient); err != nil {
			t.Error(err)
		}
	})
}

func (l *load) fail(format string, arguments ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = append(l.failed, fmt.Sprintf(format, arguments...))
}

// ask sends a request as often as its answer asks to: the service does so when its
// stores took too long, as the emulator does on a busy machine. A load balancer, whose
// answers this is about, never does.
func (l *load) ask(method, url, session, body string) (*http.Response, error) {
	for deadline := time.Now().Add(time.Minute); ; l.late.Add(1) {
		req, err := http.NewRequest(method, url, strings.NewReader(body))
		if err != nil {
			return nil, err
		}
		if session != "" {
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Cookie", session)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil || res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || time.Now().After(deadline) {
			return res, err
		}
		_ = res.Body.Close()
		time.Sleep(time.Second)
	}
}

func (l *load) readPage() {
	res, err := l.ask(http.MethodGet, l.running.URL+"/?q="+fmt.Sprint(l.read.Add(1)%1000), "", "")
	if err != nil {
		l.fail("%v", err)
		return
	}
	defer res.Body.Close()
	if page, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK {
		l.fail("%s, %v: %.300s", res.Status, err, page)
	}
}

func (l *load) add(session string) {
	body := `{"fullName": "Grace Hopper", "location": "Arlington", "jobTitle": "Rear admiral"}`
	res, err := l.ask(http.MethodPost, l.running.URL+"/api/employees", session, body)
	if err != nil {
		l.fail("adding: %v", err)
		return
	}
	defer res.Body.Close()
	answer, _ := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusCreated {
		l.fail("adding: %s: %s", res.Status, answer)
		return
	}
	l.mu.Lock()
	l.added = append(l.added, res.Header.Get("Location"))
	l.mu.Unlock()
}

// unharmed checks that no request has failed so far.
func (l *load) unharmed(t *testing.T, when string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.failed) > 0 {
		t.Errorf("%s %d requests failed, such as %q", when, len(l.failed), l.failed[:min(3, len(l.failed))])
		l.failed = nil
	}
}

// nothingLost checks that every employee whose addition was acknowledged is there.
func (l *load) nothingLost(t *testing.T) {
	t.Helper()
	if len(l.added) == 0 {
		t.Error("nobody was added")
	}
	for _, path := range l.added {
		if e := employee(t, l.running.URL, path); e.FullName != "Grace Hopper" {
			t.Errorf("%s is lost", path)
		}
	}
	t.Logf("%d pages read, %d employees added; %d answers asked to try again", l.read.Load(), len(l.added), l.late.Load())
}

// makeOperator runs an operator's command as on AWS, which is the emulator.
func makeOperator(t *testing.T, running cloud.Running, arguments ...string) {
	t.Helper()
	cmd := exec.Command("make", arguments...)
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), emulator.Environment(running.Emulator)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make %s: %v\n%s", strings.Join(arguments, " "), err, out)
	}
}
