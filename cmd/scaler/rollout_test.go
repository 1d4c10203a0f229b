package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/archipelago-cdk/archipelago/internal/matrix"
	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/archipelago-cdk/archipelago/scaling"
	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go/middleware"
)

// stack is CloudFormation: it sends requests to the function and takes its answers.
type stack struct {
	*island
	url string

	mu      sync.Mutex
	answers []cfn.Response
	broken  int // how many answers are not taken
	number  int
}

func newStack(t testing.TB, name string) *stack {
	t.Helper()
	s := &stack{island: newIsland(t, name)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.broken > 0 {
			s.broken--
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		var answer cfn.Response
		if err := json.NewDecoder(r.Body).Decode(&answer); err != nil || r.Method != http.MethodPut {
			t.Errorf("%s: %v", r.Method, err)
		}
		s.answers = append(s.answers, answer)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	s.setAlarm(t, cloudwatchtypes.StateValueOk)
	return s
}

// version makes a version of the template with a description.
func (s *stack) version(t *testing.T, build string) {
	t.Helper()
	_, err := ec2.NewFromConfig(s.config(nil)).CreateLaunchTemplateVersion(t.Context(), &ec2.CreateLaunchTemplateVersionInput{
		LaunchTemplateId: &s.settings.template, VersionDescription: &build,
		LaunchTemplateData: &ec2types.RequestLaunchTemplateData{ImageId: aws.String("ami-12c6146b")},
	})
	must(t, err)
}

// request is one to a custom resource.
func (s *stack) request(kind cfn.RequestType, resource, build string) cfn.Event {
	s.number++
	e := cfn.Event{
		RequestType: kind, RequestID: fmt.Sprint("request-", s.number), ResponseURL: s.url, ResourceType: resource,
		LogicalResourceID: "Resource", StackID: "stack", ResourceProperties: map[string]any{"Build": build},
	}
	if kind != cfn.RequestCreate {
		e.PhysicalResourceID = "Resource"
	}
	return e
}

// send gives the function a request, and leaves the rest to the schedule.
func (s *stack) send(t *testing.T, e cfn.Event) error {
	t.Helper()
	return s.sendBy(t, nil, e)
}

func (s *stack) sendBy(t *testing.T, k *killer, e cfn.Event) error {
	t.Helper()
	c := s.controller(k)
	p, err := c.parameters(t.Context())
	if err != nil {
		return err
	}
	if err := c.accept(t.Context(), &p, e); err != nil || p.memory.Pending == nil {
		return err
	}
	_, err = c.advance(t.Context(), &p, time.Time{})
	return err
}

// answered runs the schedule until a request has its answer, and plays the load
// balancer and the time in between.
func (s *stack) answered(t *testing.T, e cfn.Event) cfn.Response {
	t.Helper()
	began := s.now(t)
	for s.now(t).Before(began.Add(70 * time.Minute)) {
		s.mu.Lock()
		for _, a := range s.answers {
			if a.RequestID == e.RequestID {
				s.mu.Unlock()
				t.Logf("after %s: %s %s %v", s.now(t).Sub(began).Round(time.Second), a.Status, a.Reason, a.Data)
				return a
			}
		}
		s.mu.Unlock()
		s.minute(t)
	}
	t.Fatalf("no answer: %+v", s.state(t).Remembered.Pending)
	return cfn.Response{}
}

// minute lets one go by.
func (s *stack) minute(t *testing.T) {
	t.Helper()
	emulatortest.Advance(t, s.control, time.Minute)
	s.report(t)
	if err := s.controller(nil).tend(t.Context(), s.now(t)); err != nil && !strings.Contains(err.Error(), "did not take the answer") {
		t.Fatal(err)
	}
}

// report says which instances are healthy: all but the sick ones.
func (s *stack) report(t *testing.T) {
	t.Helper()
	f, err := s.controller(nil).fleet(t.Context())
	if missing := (*noGroupError)(nil); !errors.As(err, &missing) {
		must(t, err)
	}
	health := map[string]string{}
	for _, i := range f.Instances {
		health[*i.InstanceId] = "healthy"
		if *i.InstanceType == s.sick || aws.ToString(i.LaunchTemplate.Version) == s.sick {
			health[*i.InstanceId] = "unhealthy"
		}
	}
	must(t, s.control.Report(t.Context(), emulator.Status{Health: health}))
}

// runs checks what all instances run, that they are as many as there were and healthy, and
// what the group would launch.
func (s *stack) runs(t *testing.T, version, instanceType string) {
	t.Helper()
	want := live{Template: s.settings.template, Version: version, Type: instanceType}
	if got := s.wholly(t); !got.same(want) {
		t.Errorf("the fleet has %s, want %s", got, want)
	}
}

// wholly returns what the group has saved, and checks that its instances have it, are as
// many as there were, and that the load balancer sends them requests.
func (s *stack) wholly(t *testing.T) live {
	t.Helper()
	c := s.controller(nil)
	f, err := c.fleet(t.Context())
	must(t, err)
	saved := f.saved()
	if !f.only(saved) || f.launched(saved) != s.size || int(*f.DesiredCapacity) != s.size {
		t.Errorf("the group has %s and wants %d instances, its instances are %+v; want %d of it", saved, *f.DesiredCapacity, f.Instances, s.size)
	}
	out, err := c.elb.DescribeTargetHealth(t.Context(), &elb.DescribeTargetHealthInput{TargetGroupArn: &c.targetGroupARN})
	must(t, err)
	serve := map[string]bool{}
	for _, target := range out.TargetHealthDescriptions {
		serve[*target.Target.Id] = target.TargetHealth.State == elbtypes.TargetHealthStateEnumHealthy
	}
	for _, i := range f.Instances {
		if !serve[*i.InstanceId] {
			t.Errorf("%s does not serve: %+v", *i.InstanceId, out.TargetHealthDescriptions)
		}
	}
	return saved
}

// deployed brings the fleet to a build, which succeeds.
func (s *stack) deployed(t *testing.T, kind cfn.RequestType, build string) {
	t.Helper()
	e := s.request(kind, setting.RolloutType, build)
	must(t, s.send(t, e))
	if a := s.answered(t, e); a.Status != cfn.StatusSuccess {
		t.Fatalf("got %+v", a)
	}
}

// rollsBack sends what CloudFormation does when a stack returns to a build.
func (s *stack) rollsBack(t *testing.T, build string) cfn.Event {
	t.Helper()
	e := s.request(cfn.RequestUpdate, setting.RolloutType, build)
	c := s.controller(nil)
	p, err := c.parameters(t.Context())
	must(t, err)
	must(t, c.accept(t.Context(), &p, e))
	p.memory.Pending.Kind = restore // as the stack's status says
	must(t, c.remember(t.Context(), p.memory))
	return e
}

// made is a fleet whose stack has been made.
func (s *stack) made(t *testing.T) {
	t.Helper()
	s.deployed(t, cfn.RequestCreate, "one")
	emulatortest.Advance(t, s.control, 4*time.Hour) // no step comes soon after a refresh
}

// grown is a fleet whose stack has been made for two to four instances, and has three by
// now, so that what is written of its size is seen.
func (s *stack) grown(t *testing.T) {
	t.Helper()
	s.resize(t, 2, 4, 2)
	s.made(t)
	s.resize(t, 2, 4, 3)
	s.settings.policy.FullShare = 0.75 // of which a step may come
	s.minutes(t, 3)
	s.runs(t, "1", "m7g.medium")
}

func TestFirstDeploymentWaitsForHealthyInstances(t *testing.T) {
	s := newStack(t, "first")
	s.sick = "1"
	e := s.request(cfn.RequestCreate, setting.RolloutType, "one")
	must(t, s.send(t, e))
	for range 5 {
		s.minute(t)
	}
	if len(s.answers) > 0 {
		t.Fatalf("got %+v while no instance is healthy", s.answers)
	}
	s.sick = ""
	if a := s.answered(t, e); a.Status != cfn.StatusSuccess || a.PhysicalResourceID == "" {
		t.Errorf("got %+v", a)
	}
	if l := s.state(t).Remembered.Live; l == nil || l.Build != "one" || l.Type != "m7g.medium" {
		t.Errorf("live is %+v", l)
	}
	s.runs(t, "1", "m7g.medium")
}

func TestFirstDeploymentFailsWithTheReason(t *testing.T) {
	s := newStack(t, "never")
	s.sick = "1"
	e := s.request(cfn.RequestCreate, setting.RolloutType, "one")
	must(t, s.send(t, e))
	a := s.answered(t, e)
	if a.Status != cfn.StatusFailed || !strings.Contains(a.Reason, "0 of 2 instances are healthy") || !strings.Contains(a.Reason, "Health checks failed") {
		t.Errorf("got %+v", a)
	}
}

func TestDeploymentKeepsTheLiveType(t *testing.T) {
	s := newStack(t, "good")
	s.made(t)
	s.use(t, 60)
	s.run(t, nil) // a step to m7g.large
	s.version(t, "two")
	e := s.request(cfn.RequestUpdate, setting.RolloutType, "two")
	must(t, s.send(t, e))
	if a := s.answered(t, e); a.Status != cfn.StatusSuccess || a.Data["Type"] != "m7g.large" || a.Data["Version"] != "2" {
		t.Errorf("got %+v", a)
	}
	s.runs(t, "2", "m7g.large")

	// The stack's rollback: the same build has another version by then.
	s.version(t, "three")
	s.version(t, "one")
	s.deployed(t, cfn.RequestUpdate, "one")
	s.runs(t, "4", "m7g.large")
}

// TestRollbackKeepsAStepThatNobodySawEnd: it has ended since the last run.
func TestRollbackKeepsAStepThatNobodySawEnd(t *testing.T) {
	s := newStack(t, "unseen")
	s.made(t)
	s.use(t, 60)
	c := s.controller(nil)
	_, err := c.run(t.Context(), s.now(t)) // a step to m7g.large
	must(t, err)
	s.settled(t)
	p, err := c.parameters(t.Context())
	must(t, err)
	must(t, c.accept(t.Context(), &p, s.request(cfn.RequestUpdate, setting.RolloutType, "one")))
	p.memory.Pending.Kind = restore
	if done, err := c.advance(t.Context(), &p, s.now(t)); !done || err != nil {
		t.Errorf("the rollback replaces instances: %v", err)
	}
	s.runs(t, "1", "m7g.large")
}

// TestInstanceTypeThatIsGone: somebody has deleted the parameter, which no deployment puts
// again that does not change it.
func TestInstanceTypeThatIsGone(t *testing.T) {
	s := newStack(t, "gone")
	s.forget(t)
	s.made(t)
	s.runs(t, "1", "m7g.medium")
	s.use(t, 60)
	s.run(t, nil) // a step to m7g.large
	s.forget(t)
	s.version(t, "two")
	s.deployed(t, cfn.RequestUpdate, "two")
	s.runs(t, "2", "m7g.large")
}

// TestDeploymentOfASuspendedGroup fails at once, and not when it has waited for instances.
func TestDeploymentOfASuspendedGroup(t *testing.T) {
	s := newStack(t, "suspended")
	s.made(t)
	client, processes := autoscaling.NewFromConfig(s.config(nil)), []string{"Terminate"}
	_, err := client.SuspendProcesses(t.Context(), &autoscaling.SuspendProcessesInput{AutoScalingGroupName: &s.settings.group, ScalingProcesses: processes})
	must(t, err)
	s.version(t, "two")
	e := s.request(cfn.RequestUpdate, setting.RolloutType, "two")
	must(t, s.send(t, e))
	if len(s.answers) != 2 || s.answers[1].Status != cfn.StatusFailed || !strings.Contains(s.answers[1].Reason, "Terminate is suspended") {
		t.Errorf("got %+v", s.answers)
	}
	if e := s.rollsBack(t, "one"); s.answered(t, e).Status != cfn.StatusSuccess {
		t.Error("its rollback fails")
	}
	s.runs(t, "1", "m7g.medium")
	_, err = client.ResumeProcesses(t.Context(), &autoscaling.ResumeProcessesInput{AutoScalingGroupName: &s.settings.group, ScalingProcesses: processes})
	must(t, err)
	s.deployed(t, cfn.RequestUpdate, "two")
	s.runs(t, "2", "m7g.medium")
}

// forget deletes the parameter of the instance type.
func (s *stack) forget(t *testing.T) {
	t.Helper()
	_, err := ssm.NewFromConfig(s.config(nil)).DeleteParameter(t.Context(), &ssm.DeleteParameterInput{Name: &s.settings.instanceType})
	must(t, err)
}

// TestTypeThatIsNoLongerARungIsLeft: the function may launch the ladder's types only.
func TestTypeThatIsNoLongerARungIsLeft(t *testing.T) {
	s := newStack(t, "ladder")
	s.made(t)
	ladder, err := scaling.NewLadder([]string{"m7g.large", "m7g.xlarge"})
	must(t, err)
	s.settings.ladder, s.settings.startAt = ladder, ladder[1]
	s.version(t, "two")
	s.deployed(t, cfn.RequestUpdate, "two")
	s.runs(t, "2", "m7g.xlarge")
}

func TestSameBuildMovesNothing(t *testing.T) {
	s := newStack(t, "same")
	s.made(t)
	s.version(t, "one") // as a rollback of the template makes
	e := s.request(cfn.RequestUpdate, setting.RolloutType, "one")
	must(t, s.send(t, e))
	if len(s.answers) != 2 || s.answers[1].Status != cfn.StatusSuccess {
		t.Errorf("got %+v, want success at once", s.answers)
	}
	s.runs(t, "1", "m7g.medium")
}

func TestBuildThatIsNeverHealthyIsRolledBack(t *testing.T) {
	s := newStack(t, "sick")
	s.made(t)
	s.version(t, "two")
	s.sick = "2"
	e := s.request(cfn.RequestUpdate, setting.RolloutType, "two")
	must(t, s.send(t, e))
	began := s.now(t)
	a := s.answered(t, e)
	if a.Status != cfn.StatusFailed || !strings.Contains(a.Reason, "not healthy after") || !strings.Contains(a.Reason, "Health checks failed") {
		t.Errorf("got %+v", a)
	}
	if took := s.now(t).Sub(began); took > 12*time.Minute {
		t.Errorf("it took %s, want at most 12 minutes", took)
	}
	s.runs(t, "1", "m7g.medium")
}

// TestReplacedInstanceIsNotProgress: the group ends an instance that stays unhealthy, and
// for a while there is no new one.
func TestReplacedInstanceIsNotProgress(t *testing.T) {
	s := newStack(t, "replaced")
	s.made(t)
	c := s.controller(nil)
	p, err := c.parameters(t.Context())
	must(t, err)
	must(t, c.accept(t.Context(), &p, s.request(cfn.RequestUpdate, setting.RolloutType, "two")))
	to := live{Template: "lt-two", Version: "2", Type: "m7g.medium"}
	launched := func(ids ...string) fleet {
		var f fleet
		for _, id := range ids {
			f.Instances = append(f.Instances, types.Instance{
				InstanceId: aws.String(id), InstanceType: &to.Type, LifecycleState: types.LifecycleStateInService,
				LaunchTemplate: &types.LaunchTemplateSpecification{LaunchTemplateId: &to.Template, Version: &to.Version},
			})
		}
		return f
	}
	began := s.now(t)
	for _, look := range []struct {
		after time.Duration
		fleet fleet
		fails bool
	}{
		{0, launched(), false},
		{time.Minute, launched("i-first"), false},
		{4 * time.Minute, launched(), false},
		{5 * time.Minute, launched("i-second"), false},
		{6 * time.Minute, launched("i-second"), true},
	} {
		why, err := c.failing(t.Context(), look.fleet, &p, to, types.InstanceRefresh{}, began.Add(look.after))
		must(t, err)
		if fails := strings.Contains(why, "not healthy after"); fails != look.fails {
			t.Errorf("after %s: got %q, want it to fail: %t", look.after, why, look.fails)
		}
	}
}

// TestQuarterThenAllOthersAtOnce: an error that only all show is seen the sooner.
func TestQuarterThenAllOthersAtOnce(t *testing.T) {
	s := newStack(t, "quarter")
	s.resize(t, 8, 8, 8)
	s.made(t)
	s.version(t, "two")
	e := s.request(cfn.RequestUpdate, setting.RolloutType, "two")
	must(t, s.send(t, e))
	began := s.now(t)
	var seen []string // old and new instances, whenever they change
	for len(s.answers) < 2 {
		s.minute(t)
		f, err := s.controller(nil).fleet(t.Context())
		must(t, err)
		count := map[string]int{}
		for _, i := range f.Instances {
			count[aws.ToString(i.LaunchTemplate.Version)]++
		}
		if now := fmt.Sprintf("%d+%d", count["1"], count["2"]); len(seen) == 0 || seen[len(seen)-1] != now {
			seen = append(seen, now)
		}
		if s.now(t).Sub(began) > time.Hour {
			t.Fatalf("it goes on: %v", seen)
		}
	}
	t.Logf("after %s: %v", s.now(t).Sub(began).Round(time.Second), seen)
	if want := []string{"8+2", "6+2", "6+8", "0+8"}; !slices.Equal(seen, want) {
		t.Errorf("old and new instances were %v, want %v", seen, want)
	}
	s.took(t, s.now(t).Sub(began), 8, true)
	s.runs(t, "2", "m7g.medium")
}

// took is what reviews say of a deployment of n instances, by AWS's clock: the schedule's
// minutes come on top.
func (s *stack) took(t *testing.T, took time.Duration, n int, guarded bool) {
	t.Helper()
	want := time.Duration(setting.RolloutMinutes(n, guarded)) * time.Minute
	if took < want-time.Minute || took > want+time.Minute {
		t.Errorf("%d instances took %s, and reviews say %s", n, took.Round(time.Second), want)
	}
}

// TestReviewsSayHowLongADeploymentTakes: the rules that setting.RolloutMinutes adds up are
// those by which the fleet is replaced, each instance by one launch.
func TestReviewsSayHowLongADeploymentTakes(t *testing.T) {
	for _, n := range []int32{1, 3} {
		for _, guarded := range []bool{true, false} {
			s := newStack(t, fmt.Sprintf("minutes-%d-%t", n, guarded))
			s.settings.unguarded = !guarded
			s.resize(t, n, n, n)
			s.made(t)
			s.version(t, "two")
			must(t, s.send(t, s.request(cfn.RequestUpdate, setting.RolloutType, "two")))
			began, launched := s.now(t), map[string]bool{}
			for len(s.answers) < 2 && s.now(t).Sub(began) < time.Hour {
				s.minute(t)
				f, err := s.controller(nil).fleet(t.Context())
				must(t, err)
				for _, i := range f.Instances {
					if aws.ToString(i.LaunchTemplate.Version) == "2" {
						launched[aws.ToString(i.InstanceId)] = true
					}
				}
			}
			if len(launched) != int(n) {
				t.Errorf("%d of %d instances were launched", len(launched), n)
			}
			s.took(t, s.now(t).Sub(began), int(n), guarded)
			s.runs(t, "2", "m7g.medium")
		}
	}
}

// TestBuildThatFailsOneInTen puts the guard in ALARM once its instances are alone, the
// latest that more than half of the answers are theirs, and is back within the bound of
// docs/rollout.md.
func TestBuildThatFailsOneInTen(t *testing.T) {
	s := newStack(t, "one-in-ten")
	s.resize(t, 6, 6, 6)
	s.made(t)
	s.version(t, "two")
	e := s.request(cfn.RequestUpdate, setting.RolloutType, "two")
	must(t, s.send(t, e))
	began := s.now(t)
	for bad := 0; len(s.answers) < 2; {
		s.minute(t)
		f, err := s.controller(nil).fleet(t.Context())
		must(t, err)
		if f.only(live{Template: s.settings.template, Version: "2", Type: "m7g.medium"}) {
			bad++
		} else {
			bad = 0
		}
		if bad == 2 { // of three minutes, as the alarm has it
			s.setAlarm(t, cloudwatchtypes.StateValueAlarm)
		}
		if s.now(t).Sub(began) > time.Hour {
			t.Fatal("it goes on")
		}
	}
	took := s.now(t).Sub(began)
	t.Logf("after %s: %s", took.Round(time.Second), s.answers[1].Reason)
	if a := s.answers[1]; a.Status != cfn.StatusFailed || !strings.Contains(a.Reason, "in ALARM") {
		t.Errorf("got %+v", a)
	}
	if took > 20*time.Minute {
		t.Errorf("it took %s, want at most 20 minutes", took)
	}
	s.runs(t, "1", "m7g.medium")
}

// TestBuildThatFailsIsBackInTime, within the bounds of docs/rollout.md: one that answers
// with errors as soon as its quarter serves, and one that finds no capacity.
func TestBuildThatFailsIsBackInTime(t *testing.T) {
	for name, test := range map[string]struct {
		full   bool
		says   string
		within time.Duration
	}{"errors": {false, "in ALARM", 20 * time.Minute}, "full": {true, "no instance was replaced for 20m0s", 45 * time.Minute}} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t, "back-"+name)
			s.made(t)
			s.version(t, "two")
			if test.full {
				full := []string{"m7g.medium"}
				emulatortest.Set(t, s.control, emulator.Settings{NoCapacity: map[string][]string{region + "a": full, region + "b": full}})
			}
			must(t, s.send(t, s.request(cfn.RequestUpdate, setting.RolloutType, "two")))
			began, bad := s.now(t), 0
			for len(s.answers) < 2 {
				s.minute(t)
				f, err := s.controller(nil).fleet(t.Context())
				must(t, err)
				if f.launched(live{Template: s.settings.template, Version: "2", Type: "m7g.medium"}) > 0 {
					bad++
				}
				if bad == 4 { // booted in two, and two of the alarm's three
					s.setAlarm(t, cloudwatchtypes.StateValueAlarm)
				}
				if s.now(t).Sub(began) > time.Hour {
					t.Fatal("it goes on")
				}
			}
			took := s.now(t).Sub(began)
			t.Logf("after %s: %s", took.Round(time.Second), s.answers[1].Reason)
			if a := s.answers[1]; a.Status != cfn.StatusFailed || !strings.Contains(a.Reason, test.says) {
				t.Errorf("got %+v", a)
			}
			if took > test.within {
				t.Errorf("it took %s, want at most %s", took, test.within)
			}
			s.runs(t, "1", "m7g.medium")
		})
	}
}

// TestRepairIsJudgedByWhatItServes: a fleet that fails more and more before the build
// serves is no reason to take the build back, and one that does after is.
func TestRepairIsJudgedByWhatItServes(t *testing.T) {
	for name, test := range map[string]struct {
		after float64 // percent of requests that fail once the build serves
		want  cfn.StatusType
	}{"repairs": {0, cfn.StatusSuccess}, "worsens": {90, cfn.StatusFailed}} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t, name)
			s.made(t)
			balancer := []cloudwatchtypes.Dimension{{Name: aws.String("LoadBalancer"), Value: aws.String(fullName(s.settings.loadBalancerARN))}}
			fails := func(percent float64) { // in the minute before this one
				at := s.now(t).Truncate(time.Minute).Add(-time.Minute)
				_, err := s.controller(nil).cloudwatch.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: aws.String("AWS/ApplicationELB"), MetricData: []cloudwatchtypes.MetricDatum{
					{MetricName: aws.String("RequestCount"), Dimensions: balancer, Timestamp: &at, Value: aws.Float64(100)},
					{MetricName: aws.String("HTTPCode_Target_5XX_Count"), Dimensions: balancer, Timestamp: &at, Value: &percent},
				}})
				must(t, err)
			}
			fails(10)
			s.setAlarm(t, cloudwatchtypes.StateValueAlarm)
			s.version(t, "two")
			s.sick = "2" // boots
			e := s.request(cfn.RequestUpdate, setting.RolloutType, "two")
			must(t, s.send(t, e))
			for minute := 0; len(s.answers) < 2; minute++ {
				if minute == 3 {
					s.sick = ""
				}
				if minute > 60 {
					t.Fatal("it goes on")
				}
				emulatortest.Advance(t, s.control, time.Minute)
				if minute <= 3 {
					fails(50)
				} else {
					fails(test.after)
				}
				s.report(t)
				must(t, s.controller(nil).tend(t.Context(), s.now(t)))
			}
			a := s.answers[1]
			t.Logf("%s %s", a.Status, a.Reason)
			if a.Status != test.want || test.want == cfn.StatusFailed && !strings.Contains(a.Reason, "% of requests fail, and 50.0 % did before") {
				t.Errorf("got %+v", a)
			}
		})
	}
}

// TestFailuresAreCountedAsTheAlarmDoes: errors of the load balancer that a request alone
// makes do not count.
func TestFailuresAreCountedAsTheAlarmDoes(t *testing.T) {
	for name, want := range map[string]float64{
		"HTTPCode_Target_5XX_Count": 50, "HTTPCode_ELB_502_Count": 50, "HTTPCode_ELB_504_Count": 50, // of the 200 that had a target
		"HTTPCode_ELB_500_Count": 100. / 3, "HTTPCode_ELB_503_Count": 100. / 3,
		"HTTPCode_ELB_5XX_Count": 0,
	} {
		s := newStack(t, strings.ReplaceAll(name, "_", "-"))
		now := s.now(t)
		balancer := []cloudwatchtypes.Dimension{{Name: aws.String("LoadBalancer"), Value: aws.String(fullName(s.settings.loadBalancerARN))}}
		for metric, value := range map[string]float64{"RequestCount": 200, name: 100} {
			_, err := s.controller(nil).cloudwatch.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: aws.String("AWS/ApplicationELB"), MetricData: []cloudwatchtypes.MetricDatum{
				{MetricName: &metric, Dimensions: balancer, Timestamp: aws.Time(now.Truncate(time.Minute).Add(-time.Minute)), Value: &value},
			}})
			must(t, err)
		}
		if got, err := s.controller(nil).failedShare(t.Context(), now); err != nil || math.Abs(got-want) > 1e-9 {
			t.Errorf("with 100 of %s it is %g %%, %v, want %g", name, got, err, want)
		}
	}
}

// TestFailuresThatCannotBeReadAreAnError: they are not none.
func TestFailuresThatCannotBeReadAreAnError(t *testing.T) {
	for _, code := range []cloudwatchtypes.StatusCode{cloudwatchtypes.StatusCodeInternalError, cloudwatchtypes.StatusCodeForbidden} {
		c := &controller{cloudwatch: cloudwatch.NewFromConfig(aws.Config{Region: region, APIOptions: []func(*middleware.Stack) error{func(s *middleware.Stack) error {
			return s.Initialize.Add(middleware.InitializeMiddlewareFunc("answer", func(context.Context, middleware.InitializeInput, middleware.InitializeHandler) (out middleware.InitializeOutput, _ middleware.Metadata, _ error) {
				out.Result = &cloudwatch.GetMetricDataOutput{MetricDataResults: []cloudwatchtypes.MetricDataResult{{Id: aws.String("r"), StatusCode: code}}}
				return out, middleware.Metadata{}, nil
			}), middleware.Before)
		}}})}
		if failed, err := c.failedShare(t.Context(), time.Now()); err == nil {
			t.Errorf("%s: got %g %%, want an error", code, failed)
		}
	}
}

// TestRunOfCloudFormationJudges by AWS's time as one of the schedule does: it may go on
// for most of a minute, in which no other one runs.
func TestRunOfCloudFormationJudges(t *testing.T) {
	s := newStack(t, "at-once")
	s.made(t)
	s.version(t, "two")
	before := s.now(t).Truncate(time.Second)
	must(t, s.send(t, s.request(cfn.RequestUpdate, setting.RolloutType, "two")))
	if got := s.state(t).Remembered.Pending.Asked; got.Before(before) || got.After(s.now(t)) {
		t.Errorf("it counts from %s, want since %s", got, before)
	}
}

// TestRunThatComesLateDoesNotJudge: runs of the schedule wait while another one goes on,
// and what they see is of the time at which they look.
func TestRunThatComesLateDoesNotJudge(t *testing.T) {
	s := newStack(t, "late")
	s.made(t)
	s.version(t, "two")
	s.sick = "2" // boots
	e := s.request(cfn.RequestUpdate, setting.RolloutType, "two")
	must(t, s.send(t, e))
	for s.state(t).Instances["m7g.medium"] < 3 {
		s.minute(t)
	}
	launched := s.now(t)
	tend := func(late time.Duration) {
		t.Helper()
		s.report(t)
		must(t, s.controller(nil).tend(t.Context(), s.now(t).Add(-late)))
	}
	judged := func() *pending { return s.state(t).Remembered.Pending }
	before := *judged()
	tend(10 * time.Minute)
	if got := *judged(); got.Unwell != before.Unwell || got.Moved != before.Moved {
		t.Errorf("a run that came late wrote %+v over %+v", got, before)
	}
	emulatortest.Advance(t, s.control, time.Minute)
	tend(time.Minute) // as late as the schedule may be
	if got := judged(); got.Failing != "" || got.Unwell.Before(launched.Add(-time.Minute)) {
		t.Errorf("an instance that was launched at %s is not healthy since %s: %q", launched, got.Unwell, got.Failing)
	}
	s.sick = ""
	if a := s.answered(t, e); a.Status != cfn.StatusSuccess {
		t.Errorf("a good build: got %+v", a)
	}
	s.runs(t, "2", "m7g.medium")
}

func TestAnswerIsTriedUntilItIsTaken(t *testing.T) {
	s := newStack(t, "deaf")
	s.broken = 3
	s.made(t)
	if p := s.state(t).Remembered.Pending; p != nil || len(s.answers) != 1 {
		t.Errorf("pending is %+v, %d answers; want none, one", p, len(s.answers))
	}
}

func TestSameRequestTwiceIsOne(t *testing.T) {
	s := newStack(t, "twice")
	e := s.request(cfn.RequestCreate, setting.RolloutType, "one")
	for range 2 {
		must(t, s.send(t, e))
	}
	s.answered(t, e)
	must(t, s.send(t, e))
	if len(s.answers) != 1 {
		t.Errorf("got %d answers, want 1", len(s.answers))
	}
}

func TestHoldAnswersWhatIsLive(t *testing.T) {
	s := newStack(t, "hold")
	s.made(t)
	s.use(t, 60)
	_, err := s.controller(nil).run(t.Context(), s.now(t)) // a step begins
	must(t, err)
	for range 10 {
		s.minute(t)
	}
	e := s.request(cfn.RequestUpdate, setting.HoldType, "")
	must(t, s.send(t, e))
	if len(s.answers) != 1 {
		t.Errorf("it answered while a step goes on: %+v", s.answers)
	}
	if a := s.answered(t, e); a.Status != cfn.StatusSuccess || a.Data["Type"] != "m7g.large" || a.Data["Version"] != "1" || a.Data["Template"] != s.settings.template {
		t.Errorf("got %+v", a)
	}
	if got := s.state(t); got.Parameter != "m7g.large" || got.Remembered.Step != nil {
		t.Errorf("the step was not seen to its end: %+v", got)
	}
}

func TestHoldRollsAStuckStepBack(t *testing.T) {
	s := newStack(t, "stuck")
	s.made(t)
	s.use(t, 60)
	s.sick = "m7g.large"
	_, err := s.controller(nil).run(t.Context(), s.now(t))
	must(t, err)
	e := s.request(cfn.RequestUpdate, setting.HoldType, "")
	must(t, s.send(t, e))
	if a := s.answered(t, e); a.Status != cfn.StatusSuccess || a.Data["Type"] != "m7g.medium" {
		t.Errorf("got %+v", a)
	}
	s.runs(t, "1", "m7g.medium")
}

func TestHoldComesBeforeTheGroup(t *testing.T) {
	s := newStack(t, "before")
	s.remove(t)
	s.write(t, s.settings.instanceType, "m7g.large")
	e := s.request(cfn.RequestCreate, setting.HoldType, "")
	must(t, s.send(t, e))
	if len(s.answers) != 1 || s.answers[0].Data["Version"] != "1" || s.answers[0].Data["Type"] != "m7g.large" || s.answers[0].Data["Template"] != s.settings.template {
		t.Errorf("got %+v", s.answers)
	}
}

// TestHoldFollowsAnotherGroupOfTheTemplate: the stack replaces the group by one of another
// name, as the upgrade from v0.2.0 does, and what users have is not the first version.
func TestHoldFollowsAnotherGroupOfTheTemplate(t *testing.T) {
	s := newStack(t, "another")
	s.made(t)
	s.version(t, "two")
	s.deployed(t, cfn.RequestUpdate, "two")
	s.settings.group = "not-yet"
	s.write(t, s.settings.instanceType, "m7g.large") // which the fleet does not have
	e := s.request(cfn.RequestCreate, setting.HoldType, "")
	must(t, s.send(t, e))
	if a := s.answered(t, e); a.Data["Version"] != "2" || a.Data["Type"] != "m7g.medium" || a.Data["Template"] != s.settings.template {
		t.Errorf("got %+v", a)
	}
}

func TestDeleteIsAnsweredAtOnce(t *testing.T) {
	s := newStack(t, "delete")
	s.made(t)
	for n, resource := range []string{setting.RolloutType, setting.HoldType} {
		must(t, s.send(t, s.request(cfn.RequestDelete, resource, "one")))
		if len(s.answers) != n+2 || s.answers[n+1].Status != cfn.StatusSuccess {
			t.Errorf("%s: got %+v", resource, s.answers)
		}
	}
	if l := s.state(t).Remembered.Live; l != nil {
		t.Errorf("live is still %+v", l)
	}
}

// TestDriftIsBroughtBack: whatever writes another version or type into the group.
func TestDriftIsBroughtBack(t *testing.T) {
	s := newStack(t, "drift")
	s.made(t)
	s.version(t, "two")
	s.save(t, "2", "m7g.xlarge")
	for range bringBackEvery {
		s.minute(t)
	}
	s.settled(t)
	s.run(t, nil)
	s.runs(t, "1", "m7g.medium")
}

// TestRefreshOfSomebodyElseIsAdopted: one that succeeded is what is live.
func TestRefreshOfSomebodyElseIsAdopted(t *testing.T) {
	s := newStack(t, "adopt")
	s.made(t)
	s.version(t, "two")
	emulatortest.Advance(t, s.control, time.Minute)
	c := s.controller(nil)
	f, err := c.fleet(t.Context())
	must(t, err)
	to := f.saved()
	to.Version, to.Type = "2", "m7g.large"
	_, err = c.start(t.Context(), f, to, preferences{})
	must(t, err)
	if got := s.settled(t); got != types.InstanceRefreshStatusSuccessful {
		t.Fatalf("it is %s", got)
	}
	for range bringBackEvery {
		s.minute(t)
	}
	if l := s.state(t).Remembered.Live; l == nil || l.Version != "2" || l.Build != "two" {
		t.Errorf("live is %+v, want what was adopted", l)
	}
	s.run(t, nil) // decides
	s.settled(t)
	s.runs(t, "2", "m7g.large")
}

// TestDeploymentRightAfterARefreshOfSomebodyElse keeps its type, also where no run
// has looked in between.
func TestDeploymentRightAfterARefreshOfSomebodyElse(t *testing.T) {
	s := newStack(t, "right-after")
	s.made(t)
	s.version(t, "two")
	emulatortest.Advance(t, s.control, time.Minute)
	c := s.controller(nil)
	f, err := c.fleet(t.Context())
	must(t, err)
	to := f.saved()
	to.Type = "m7g.large"
	_, err = c.start(t.Context(), f, to, preferences{})
	must(t, err)
	if got := s.settled(t); got != types.InstanceRefreshStatusSuccessful {
		t.Fatalf("it is %s", got)
	}
	s.deployed(t, cfn.RequestUpdate, "two")
	s.runs(t, "2", "m7g.large")
	if got := s.state(t).Parameter; got != "m7g.large" {
		t.Errorf("the parameter is %s, so the next decision takes the type back", got)
	}
}

// TestDeploymentThatIsKilledEndsTheSame at every call.
func TestDeploymentThatIsKilledEndsTheSame(t *testing.T) {
	emulatortest.Set(t, emulatortest.Shared(t), emulator.Settings{Hurry: true}) // how long instances take is not what this is about
	for killed, at := true, 1; killed; at++ {
		for _, answered := range endings(at) {
			s := newStack(t, fmt.Sprintf("killed-%v-%d", answered, at))
			s.made(t)
			s.version(t, "two")
			e := s.request(cfn.RequestUpdate, setting.RolloutType, "two")
			k := &killer{at: at, answered: answered}
			if err := s.sendBy(t, k, e); err != nil && !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			killed = k.ended
			must(t, s.send(t, e)) // Lambda tries again
			if a := s.answered(t, e); a.Status != cfn.StatusSuccess {
				t.Errorf("killed at call %d: %+v", at, a)
			}
			s.runs(t, "2", "m7g.medium")
			f, err := s.controller(nil).fleet(t.Context())
			must(t, err)
			if n := len(f.refreshes); n != 2 { // the rehearsal and this one
				t.Errorf("killed at call %d: %d refreshes, want 2", at, n)
			}
			s.remove(t)
		}
	}
}

// TestRunsThatAreKilledEndTheSame: each second run of the schedule is killed at a call,
// before it is made or before its answer comes, in a deployment and in its rollback, Hold
// and the group before Rollout: with -all each call in each way, and else in one.
func TestRunsThatAreKilledEndTheSame(t *testing.T) {
	emulatortest.Set(t, emulatortest.Shared(t), emulator.Settings{Hurry: true}) // how long instances take is not what this is about
	for killed, at := true, 1; killed; at++ {
		killed = false
		for _, answered := range endings(at) {
			for n, w := range ways {
				if !matrix.All() && n != at%len(ways) {
					continue
				}
				s := newStack(t, fmt.Sprintf("runs-killed-%v-%d-%d", answered, at, n))
				s.made(t)
				s.version(t, "two")
				pursue := func(e cfn.Event) cfn.Response {
					t.Helper()
					a, k := s.pursued(t, e, at, answered)
					if killed = killed || k; a.Status != cfn.StatusSuccess {
						t.Errorf("%v, killed at call %d: got %+v", w, at, a)
					}
					return a
				}
				e := s.request(cfn.RequestUpdate, setting.RolloutType, "two")
				s.asked(t, e)
				pursue(e)
				s.runs(t, "2", "m7g.medium")
				s.rollsBackBy(t, w, pursue)
				s.serves(t, "one", "m7g.medium")
				if f, err := s.controller(nil).fleet(t.Context()); err != nil || len(f.refreshes) != 3 { // the rehearsal, there and back
					t.Errorf("%v, killed at call %d: %d refreshes, want 3: %v", w, at, len(f.refreshes), err)
				}
				s.remove(t)
			}
		}
	}
}

// pursued runs the schedule until a request has its answer. Each second run is killed at
// a call, before it is made or before its answer comes, if it makes so many; pursued
// reports whether one was.
func (s *stack) pursued(t *testing.T, e cfn.Event, at int, answered bool) (a cfn.Response, killed bool) {
	t.Helper()
	for range 40 {
		k := &killer{at: at, answered: answered}
		emulatortest.Advance(t, s.control, time.Minute)
		s.report(t)
		err := s.controller(k).tend(t.Context(), s.now(t))
		if err != nil && !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		killed = killed || err != nil
		if s.remembered(t).Pending == nil {
			break
		}
		s.minute(t)
	}
	return s.answered(t, e), killed
}

func (s *stack) remembered(t *testing.T) memory {
	t.Helper()
	p, err := s.controller(nil).parameters(t.Context())
	must(t, err)
	return p.memory
}

// asked has the function take a request, and be gone then.
func (s *stack) asked(t *testing.T, e cfn.Event) {
	t.Helper()
	c := s.controller(nil)
	p, err := c.parameters(t.Context())
	must(t, err)
	must(t, c.accept(t.Context(), &p, e))
}

// TestAnswerComesWithinTheHour in which CloudFormation waits, where a call fails each time:
// also when the request was in Lambda's queue for four minutes, tried for the ninth time
// then, its run saw nothing more, and those of the schedule are as late as they may be.
func TestAnswerComesWithinTheHour(t *testing.T) {
	const queued = 255 * time.Second // 1 + 2 + 4 … + 128
	s := newStack(t, "hour")
	s.made(t)
	s.version(t, "two")
	s.settings.deploymentAlarm = "none"
	sent := s.now(t)
	e := s.request(cfn.RequestUpdate, setting.RolloutType, "two")
	emulatortest.Advance(t, s.control, queued)
	s.asked(t, e)
	for before := len(s.answers); len(s.answers) == before; {
		emulatortest.Advance(t, s.control, time.Minute)
		err := s.controller(nil).tend(t.Context(), s.now(t).Add(-lateAfter+time.Second))
		if err != nil && !strings.Contains(err.Error(), "there is no alarm") {
			t.Fatal(err)
		}
		if s.now(t).Sub(sent) > 2*time.Hour {
			t.Fatal("it goes on")
		}
	}
	a, took := s.answers[len(s.answers)-1], s.now(t).Sub(sent)
	t.Logf("after %s: %s %s", took.Round(time.Second), a.Status, a.Reason)
	if a.Status != cfn.StatusFailed || took >= time.Hour {
		t.Errorf("it is answered %+v after %s, want a failure within the hour", a, took)
	}
}

// TestHourIsKept in which CloudFormation waits, whatever does not end; and the rollback of a
// stack never fails, which would be UPDATE_ROLLBACK_FAILED.
func TestHourIsKept(t *testing.T) {
	const medium, large = "m7g.medium", "m7g.large"
	full := func(s *stack, t *testing.T, types ...string) {
		emulatortest.Set(t, s.control, emulator.Settings{NoCapacity: map[string][]string{region + "a": types, region + "b": types}})
	}
	two := func(s *stack, t *testing.T) { // is live
		s.version(t, "two")
		s.deployed(t, cfn.RequestUpdate, "two")
	}
	for i, test := range []struct {
		name string
		// begin sends a request, with what stands in its way.
		begin  func(*stack, *testing.T) cfn.Event
		status cfn.StatusType
		says   string
		// from and to are when it is answered, which is a minute after a bound at most.
		from, to time.Duration
	}{
		{"rollback to a build that is sick", func(s *stack, t *testing.T) cfn.Event {
			two(s, t)
			s.sick = "1"
			return s.rollsBack(t, "one")
		}, cfn.StatusSuccess, "", restoreWithin, restoreWithin + 2*time.Minute},
		{"rollback without capacity", func(s *stack, t *testing.T) cfn.Event {
			two(s, t)
			full(s, t, medium)
			return s.rollsBack(t, "one")
		}, cfn.StatusSuccess, "", restoreWithin, restoreWithin + 2*time.Minute},
		{"rollback whose calls fail", func(s *stack, t *testing.T) cfn.Event {
			e := s.rollsBack(t, "two")
			s.settings.group = "none"
			return e
		}, cfn.StatusSuccess, "", answerWithin, answerWithin + 2*time.Minute},
		{"Hold with a step that goes neither on nor back", func(s *stack, t *testing.T) cfn.Event {
			s.step(t)
			for s.state(t).Instances[large] == 0 {
				s.minute(t)
			}
			full(s, t, medium, large)
			e := s.request(cfn.RequestUpdate, setting.HoldType, "")
			must(t, s.send(t, e))
			return e
		}, cfn.StatusFailed, "does not end", answerWithin, answerWithin + 2*time.Minute},
		{"a build that crawls, there and back", func(s *stack, t *testing.T) cfn.Event {
			emulatortest.Set(t, s.control, emulator.Settings{VCPUs: s.running(t) + 1})
			s.version(t, "two")
			e := s.request(cfn.RequestUpdate, setting.RolloutType, "two")
			must(t, s.send(t, e))
			return e
		}, cfn.StatusFailed, "not replaced within 45m0s; its rollback goes on", answerWithin, answerWithin + 2*time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStack(t, fmt.Sprint("bound-", i))
			if strings.Contains(test.name, "crawls") {
				s.resize(t, crawls, crawls, crawls)
			}
			s.made(t)
			e := test.begin(s, t)
			began := s.now(t)
			var a *cfn.Response
			for a == nil && s.now(t).Sub(began) < 65*time.Minute {
				emulatortest.Advance(t, s.control, time.Minute)
				s.report(t)
				_ = s.controller(nil).tend(t.Context(), s.now(t)) // its calls may fail
				s.mu.Lock()
				if i := slices.IndexFunc(s.answers, func(a cfn.Response) bool { return a.RequestID == e.RequestID }); i >= 0 {
					a = &s.answers[i]
				}
				s.mu.Unlock()
			}
			took := s.now(t).Sub(began)
			if a == nil {
				t.Fatalf("no answer after %s", took)
			}
			t.Logf("after %s: %s %s", took.Round(time.Second), a.Status, a.Reason)
			if a.Status != test.status || !strings.Contains(a.Reason, test.says) {
				t.Errorf("got %s %q, want %s %q", a.Status, a.Reason, test.status, test.says)
			}
			if took < test.from || took > test.to {
				t.Errorf("after %s, want from %s to %s", took, test.from, test.to)
			}
		})
	}
}

// running is how many instances run in the region, each of one vCPU.
func (s *stack) running(t *testing.T) int {
	t.Helper()
	out, err := ec2.NewFromConfig(s.config(nil)).DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{
		Filters: []ec2types.Filter{{Name: aws.String("instance-state-name"), Values: []string{"running"}}},
	})
	must(t, err)
	n := 0
	for _, r := range out.Reservations {
		n += len(r.Instances)
	}
	return n
}

// crawls is how many instances take more than 45 minutes one after the other.
const crawls = 12

// TestAlarmWithoutDataIsWaitedFor, five minutes: then a build goes without it.
func TestAlarmWithoutDataIsWaitedFor(t *testing.T) {
	for minutes, guarded := range map[int]bool{3: true, 6: false} {
		t.Run(fmt.Sprint(minutes), func(t *testing.T) {
			s := newStack(t, fmt.Sprint("no-data-", minutes))
			s.made(t)
			s.missing(t, "missing")
			s.version(t, "two")
			e := s.request(cfn.RequestUpdate, setting.RolloutType, "two")
			must(t, s.send(t, e))
			for minute := 1; ; minute++ {
				if minute == minutes {
					s.missing(t, "notBreaching")
				}
				s.minute(t)
				w := s.state(t).Remembered.Pending
				if w.Began {
					if want := min(minutes, int(alarmWithin/time.Minute)); minute < want || minute > want+1 || w.Unguarded == guarded {
						t.Errorf("it began after %d minutes, with the alarm: %t; want %d, %t", minute, !w.Unguarded, want, guarded)
					}
					break
				}
				if minute > 10 {
					t.Fatal("it does not begin")
				}
			}
			if a := s.answered(t, e); a.Status != cfn.StatusSuccess {
				t.Errorf("got %+v", a)
			}
			s.runs(t, "2", "m7g.medium")
		})
	}
}

// missing has the alarm take minutes without data in a way.
func (s *stack) missing(t *testing.T, way string) {
	t.Helper()
	c := s.controller(nil)
	out, err := c.cloudwatch.DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{s.settings.deploymentAlarm}})
	must(t, err)
	a := out.MetricAlarms[0]
	_, err = c.cloudwatch.PutMetricAlarm(t.Context(), &cloudwatch.PutMetricAlarmInput{
		AlarmName: a.AlarmName, MetricName: a.MetricName, Namespace: a.Namespace, Dimensions: a.Dimensions, Threshold: a.Threshold,
		ComparisonOperator: a.ComparisonOperator, EvaluationPeriods: a.EvaluationPeriods, Period: a.Period, Statistic: a.Statistic, TreatMissingData: &way,
	})
	must(t, err)
	emulatortest.Advance(t, s.control, time.Minute) // until it has been evaluated
}

// TestUnreadableMemoryIsAnswered: silence would cost an hour.
func TestUnreadableMemoryIsAnswered(t *testing.T) {
	s := newStack(t, "unreadable")
	s.write(t, s.settings.remembered, "no JSON")
	h := &handler{s.controller(nil), io.Discard}
	for kind, want := range map[cfn.RequestType]cfn.StatusType{cfn.RequestUpdate: cfn.StatusFailed, cfn.RequestDelete: cfn.StatusSuccess} {
		e := s.request(kind, setting.RolloutType, "one")
		message, err := json.Marshal(e)
		must(t, err)
		if _, err := h.handle(t.Context(), message); err != nil {
			t.Fatal(err)
		}
		if got := s.answered(t, e); got.Status != want || want == cfn.StatusFailed && !strings.Contains(got.Reason, "cannot be read") {
			t.Errorf("%s: got %+v, want %s", kind, got, want)
		}
	}
}

// TestUnreachableMemoryAnswersNothing: Lambda tries the request again, and what is live is not
// forgotten by a deletion that the memory never heard of.
func TestUnreachableMemoryAnswersNothing(t *testing.T) {
	s := newStack(t, "unreachable")
	for kind, resource := range map[cfn.RequestType]string{cfn.RequestUpdate: setting.HoldType, cfn.RequestDelete: setting.RolloutType} {
		message, err := json.Marshal(s.request(kind, resource, "one"))
		must(t, err)
		h := &handler{s.controller(&killer{ended: true}), io.Discard}
		if _, err := h.handle(t.Context(), message); !errors.Is(err, errKilled) || len(s.answers) > 0 {
			t.Errorf("%s of %s: got %v and the answers %+v, want the error alone", kind, resource, err, s.answers)
		}
	}
}

// TestRollbackFindsItsBuildLater: a build that cannot be looked for may be there.
func TestRollbackFindsItsBuildLater(t *testing.T) {
	s := newStack(t, "found")
	s.made(t)
	s.version(t, "two")
	s.deployed(t, cfn.RequestUpdate, "two")
	e := s.rollsBack(t, "one")
	before := len(s.answers)
	must(t, s.control.Fail(t.Context(), emulator.Failing{region: {"ec2"}}))
	err := s.controller(nil).tend(t.Context(), s.now(t))
	must(t, s.control.Fail(t.Context(), emulator.Failing{}))
	if err == nil || len(s.answers) > before {
		t.Errorf("without EC2: got %v and %+v, want the error alone", err, s.answers[before:])
	}
	if a := s.answered(t, e); a.Status != cfn.StatusSuccess {
		t.Errorf("got %+v", a)
	}
	s.runs(t, "1", "m7g.medium")
}

// TestRollbackWithoutItsBuild leaves what is live: there is nothing to return to.
func TestRollbackWithoutItsBuild(t *testing.T) {
	s := newStack(t, "lost")
	s.made(t)
	e := s.rollsBack(t, "zero")
	must(t, s.controller(nil).tend(t.Context(), s.now(t)))
	if a := s.answers[len(s.answers)-1]; a.RequestID != e.RequestID || a.Status != cfn.StatusSuccess {
		t.Errorf("got %+v", a)
	}
	s.runs(t, "1", "m7g.medium")
}

// TestBuildThatIsUnknownIsNotAdopted: what is kept without its build would never have one.
func TestBuildThatIsUnknownIsNotAdopted(t *testing.T) {
	s := newStack(t, "unknown")
	e := s.request(cfn.RequestCreate, setting.RolloutType, "one")
	s.asked(t, e)
	must(t, s.control.Fail(t.Context(), emulator.Failing{region: {"ec2"}}))
	for range 2 { // one counts from when it looked
		if err := s.controller(nil).tend(t.Context(), s.now(t)); err != nil {
			t.Log(err)
		}
		emulatortest.Advance(t, s.control, answerWithin)
	}
	must(t, s.control.Fail(t.Context(), emulator.Failing{}))
	if a := s.answered(t, e); a.Status != cfn.StatusFailed || s.remembered(t).Live != nil {
		t.Errorf("got %+v, and live is %+v; want a failure, and nothing", a, s.remembered(t).Live)
	}
}

// TestOneRunTendsAndDecides: each whether the other succeeds or not. With "off" nothing is
// decided.
func TestOneRunTendsAndDecides(t *testing.T) {
	s := newStack(t, "both")
	c := s.controller(nil)
	p, err := c.parameters(t.Context())
	must(t, err)
	e := s.request(cfn.RequestUpdate, "Custom::Other", "one")
	e.ResponseURL = "http://127.0.0.1:1" // where nobody takes the answer
	must(t, c.accept(t.Context(), &p, e))
	for mode, decides := range map[scaling.Mode]bool{scaling.Auto: true, scaling.Off: false} {
		c.policy.Mode = mode
		var out bytes.Buffer
		_, err := (&handler{c, &out}).handle(t.Context(), schedule(s.now(t)))
		if err == nil || !strings.Contains(err.Error(), "did not take the answer") {
			t.Errorf("%s: got %v, want what it did for deployments", mode, err)
		}
		if got := strings.Contains(out.String(), `"says"`); got != decides {
			t.Errorf("%s: it decides: %v, want %v: %s", mode, got, decides, out.String())
		}
	}
}
