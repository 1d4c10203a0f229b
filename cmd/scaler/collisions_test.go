package main

import (
	"fmt"
	"strings"
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
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// minutes lets some go by.
func (s *stack) minutes(t *testing.T, n int) {
	t.Helper()
	for range n {
		s.minute(t)
	}
}

// step begins one to m7g.large.
func (s *stack) step(t *testing.T) {
	t.Helper()
	s.use(t, 60)
	if _, err := s.controller(nil).run(t.Context(), s.now(t)); err != nil {
		t.Fatal(err)
	}
	if got := s.state(t).Remembered.Step; got == nil || got.To != "m7g.large" {
		t.Fatalf("no step has begun: %+v", got)
	}
}

// TestDeploymentMeetsAStep, without Hold, as one of the service alone: it waits ten
// minutes for one that ends by then, and has one rolled back that does not. This one takes
// some fifteen, of which eight are over.
func TestDeploymentMeetsAStep(t *testing.T) {
	for name, test := range map[string]struct {
		sick, want string
	}{"ends": {"", "m7g.large"}, "does not end": {"m7g.large", "m7g.medium"}} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t, "step-"+name[:4])
			s.grown(t)
			s.step(t)
			s.sick = test.sick
			s.minutes(t, 8)
			s.version(t, "two")
			s.deployed(t, cfn.RequestUpdate, "two")
			s.runs(t, "2", test.want)
			if got := s.state(t); got.Parameter != test.want || got.Remembered.Step != nil {
				t.Errorf("the parameter is %s, and the step %+v", got.Parameter, got.Remembered.Step)
			}
		})
	}
}

// TestStepMeetsADeployment: none begins while CloudFormation waits.
func TestStepMeetsADeployment(t *testing.T) {
	s := newStack(t, "hot-deployment")
	s.grown(t)
	s.version(t, "two")
	e := s.request(cfn.RequestUpdate, setting.RolloutType, "two")
	must(t, s.send(t, e))
	for range 5 {
		s.minutes(t, 3)
		s.use(t, 60)
		r, err := s.controller(nil).run(t.Context(), s.now(t))
		must(t, err)
		if r.Kind != scaling.Stay {
			t.Errorf("a step begins in a deployment: %+v", r)
		}
	}
	if a := s.answered(t, e); a.Status != cfn.StatusSuccess {
		t.Errorf("got %+v", a)
	}
	s.runs(t, "2", "m7g.medium")
	if f, err := s.controller(nil).fleet(t.Context()); err != nil || len(f.refreshes) != 2 {
		t.Errorf("%d refreshes, want the rehearsal and the deployment's: %v", len(f.refreshes), err)
	}
}

// TestRollbackMeetsADeployment in each of its phases, as one that is cancelled.
func TestRollbackMeetsADeployment(t *testing.T) {
	for phase, minutes := range map[string]int{"quarter": 2, "checkpoint": 6, "others": 9, "bake": 14} {
		t.Run(phase, func(t *testing.T) {
			s := newStack(t, "cancelled-"+phase)
			s.grown(t)
			s.version(t, "two")
			must(t, s.send(t, s.request(cfn.RequestUpdate, setting.RolloutType, "two")))
			s.minutes(t, minutes)
			if a := s.answered(t, s.rollsBack(t, "one")); a.Status != cfn.StatusSuccess {
				t.Errorf("got %+v", a)
			}
			s.runs(t, "1", "m7g.medium")
		})
	}
}

// TestRollbackMeetsAStep: it ends as it was before.
func TestRollbackMeetsAStep(t *testing.T) {
	s := newStack(t, "step-cancelled")
	s.grown(t)
	s.step(t)
	s.minutes(t, 5)
	if a := s.answered(t, s.rollsBack(t, "one")); a.Status != cfn.StatusSuccess {
		t.Errorf("got %+v", a)
	}
	s.minute(t)
	s.runs(t, "1", "m7g.medium")
	if got := s.state(t); got.Parameter != "m7g.medium" {
		t.Errorf("the parameter is %s", got.Parameter)
	}
}

// TestEachModeDeploys, and rolls back.
func TestEachModeDeploys(t *testing.T) {
	for name, arrange := range map[string]func(*testing.T, *stack){
		"off":    func(_ *testing.T, s *stack) { s.settings.policy.Mode = scaling.Off },
		"advise": func(_ *testing.T, s *stack) { s.settings.policy.Mode = scaling.Advise },
		"frozen": func(t *testing.T, s *stack) { s.write(t, s.settings.frozen, "true") },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t, "mode-"+name)
			arrange(t, s)
			s.grown(t)
			s.version(t, "two")
			s.deployed(t, cfn.RequestUpdate, "two")
			s.runs(t, "2", "m7g.medium")
			s.version(t, "three")
			s.sick = "3"
			e := s.request(cfn.RequestUpdate, setting.RolloutType, "three")
			must(t, s.send(t, e))
			if a := s.answered(t, e); a.Status != cfn.StatusFailed {
				t.Errorf("got %+v", a)
			}
			s.runs(t, "2", "m7g.medium")
		})
	}
}

// TestDeploymentMeetsAnOperatorsRefresh, which has nothing to go back to: it is
// cancelled once a deployment has waited for it.
func TestDeploymentMeetsAnOperatorsRefresh(t *testing.T) {
	s := newStack(t, "operator")
	s.grown(t)
	s.replace(t)
	s.version(t, "two")
	s.deployed(t, cfn.RequestUpdate, "two")
	s.runs(t, "2", "m7g.medium")
}

// TestOperatorCancelsADeployment: it fails, and its stack's rollback brings back what
// was replaced.
func TestOperatorCancelsADeployment(t *testing.T) {
	s := newStack(t, "cancels")
	s.grown(t)
	s.version(t, "two")
	e := s.request(cfn.RequestUpdate, setting.RolloutType, "two")
	must(t, s.send(t, e))
	s.minutes(t, 6)
	_, err := s.controller(nil).autoscaling.CancelInstanceRefresh(t.Context(), &autoscaling.CancelInstanceRefreshInput{AutoScalingGroupName: &s.settings.group})
	must(t, err)
	if a := s.answered(t, e); a.Status != cfn.StatusFailed || !strings.Contains(a.Reason, "is Cancelled") {
		t.Errorf("got %+v", a)
	}
	if f, err := s.controller(nil).fleet(t.Context()); err != nil || f.only(f.saved()) {
		t.Errorf("nothing was replaced before, so nothing is brought back: %v", err)
	}
	if a := s.answered(t, s.rollsBack(t, "one")); a.Status != cfn.StatusSuccess {
		t.Errorf("got %+v", a)
	}
	s.runs(t, "1", "m7g.medium")
}

// TestControllerThatFailsIsTakenBack: a new version of it fails at every event, at once or
// after it has begun. CloudFormation gives up after an hour, by when a refresh has ended,
// and the version before it brings the fleet back.
func TestControllerThatFailsIsTakenBack(t *testing.T) {
	for name, arrange := range map[string]func(*testing.T, *stack, cfn.Event){
		"at once":  func(*testing.T, *stack, cfn.Event) {},
		"accepted": func(t *testing.T, s *stack, e cfn.Event) { s.asked(t, e) },
		"begun":    func(t *testing.T, s *stack, e cfn.Event) { must(t, s.send(t, e)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t, "fails-"+name[:2])
			s.grown(t)
			s.version(t, "two")
			arrange(t, s, s.request(cfn.RequestUpdate, setting.RolloutType, "two"))
			for range 60 {
				emulatortest.Advance(t, s.control, time.Minute)
				s.report(t)
			}
			if a := s.answered(t, s.rollsBack(t, "one")); a.Status != cfn.StatusSuccess {
				t.Errorf("got %+v", a)
			}
			s.runs(t, "1", "m7g.medium")
			s.version(t, "three")
			s.deployed(t, cfn.RequestUpdate, "three")
			s.runs(t, "3", "m7g.medium")
		})
	}
}

// way is what CloudFormation does in a stack's rollback, where AWS's documents leave open
// what it does.
type way struct {
	// further has the launch template have a further version of the former content, and
	// not the former version again.
	further bool
	// writes is what it writes into the group after Hold has answered: nothing, what Hold
	// answers now, or what Hold had answered to the deployment before.
	writes string
}

// ways are all of them: those of emulator.Settings, which make three of what is written.
var ways = []way{{false, "nothing"}, {true, "nothing"}, {false, "now"}, {true, "now"}, {false, "former"}, {true, "former"}}

// rollsBackBy is a stack's rollback to the build "one", Hold and the group before
// Rollout, whose answers await waits for. The deployment before had version 1 on
// m7g.medium.
func (s *stack) rollsBackBy(t *testing.T, w way, await func(cfn.Event) cfn.Response) cfn.Response {
	t.Helper()
	if w.further {
		s.version(t, "one")
	}
	hold := s.request(cfn.RequestUpdate, setting.HoldType, "")
	s.asked(t, hold)
	held := await(hold)
	if held.Status != cfn.StatusSuccess {
		t.Fatalf("Hold: got %+v", held)
	}
	if w.writes != "nothing" {
		version, instanceType := "1", "m7g.medium"
		if w.writes == "now" {
			version, instanceType = held.Data["Version"].(string), held.Data["Type"].(string)
		}
		s.save(t, version, instanceType)
	}
	return await(s.rollsBack(t, "one"))
}

// save writes a version and a type into the group, and replaces nothing.
func (s *stack) save(t *testing.T, version, instanceType string) {
	t.Helper()
	f, err := s.controller(nil).fleet(t.Context())
	must(t, err)
	policy := f.MixedInstancesPolicy
	specification := policy.LaunchTemplate.LaunchTemplateSpecification
	specification.LaunchTemplateName = nil // or its id
	specification.Version, policy.LaunchTemplate.Overrides[0].InstanceType = &version, &instanceType
	_, err = s.controller(nil).autoscaling.UpdateAutoScalingGroup(t.Context(), &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: &s.settings.group, MixedInstancesPolicy: policy})
	must(t, err)
}

// replace has an operator begin a refresh, which has nothing to go back to and takes hours.
func (s *stack) replace(t *testing.T) {
	t.Helper()
	_, err := s.controller(nil).autoscaling.StartInstanceRefresh(t.Context(), &autoscaling.StartInstanceRefreshInput{
		AutoScalingGroupName: &s.settings.group,
		Preferences:          &types.RefreshPreferences{MinHealthyPercentage: aws.Int32(100), MaxHealthyPercentage: aws.Int32(150), InstanceWarmup: aws.Int32(3000)},
	})
	must(t, err)
}

// TestHoldTakesACancelledDeploymentBackAtOnce: it gives a step ten minutes, in which a
// build that somebody has cancelled would come to serve alone.
func TestHoldTakesACancelledDeploymentBackAtOnce(t *testing.T) {
	s := newStack(t, "at-once-hold")
	s.grown(t)
	s.version(t, "two")
	must(t, s.send(t, s.request(cfn.RequestUpdate, setting.RolloutType, "two")))
	s.minutes(t, 6)
	began, hold := s.now(t), s.request(cfn.RequestUpdate, setting.HoldType, "")
	must(t, s.send(t, hold))
	if a := s.answered(t, hold); a.Status != cfn.StatusSuccess || a.Data["Version"] != "1" {
		t.Errorf("got %+v", a)
	}
	if took := s.now(t).Sub(began); took >= stepWithin {
		t.Errorf("it took %s, want less than it gives a step", took)
	}
	s.runs(t, "1", "m7g.medium")
}

// grow brings the fleet to m7g.large.
func (s *stack) grow(t *testing.T) {
	t.Helper()
	s.step(t)
	for s.state(t).Parameter != "m7g.large" {
		s.minute(t)
		_, err := s.controller(nil).run(t.Context(), s.now(t))
		must(t, err)
	}
}

// serves checks that a build and a type are all that the group has and launches, on as many
// instances as there were.
func (s *stack) serves(t *testing.T, want, instanceType string) {
	t.Helper()
	saved := s.wholly(t)
	build, err := s.controller(nil).build(t.Context(), saved)
	must(t, err)
	if build != want || saved.Type != instanceType {
		t.Errorf("the fleet has %s, the build %q; want %q on %s", saved, build, want, instanceType)
	}
}

// inEachWay has a stack roll back to the build "one" after what arrange does, in each way
// with -all, and else in the n-th: whatever CloudFormation writes, the fleet ends at that
// build and its present type.
func inEachWay(t *testing.T, n int, name, instanceType string, arrange func(*testing.T, *stack), after func(*testing.T, *stack)) {
	for i, w := range ways {
		if !matrix.All() && i != n%len(ways) {
			continue
		}
		t.Run(fmt.Sprintf("%s/%v", name, w), func(t *testing.T) {
			s := newStack(t, fmt.Sprintf("way-%s-%d", strings.ReplaceAll(name, " ", "-"), i))
			s.grown(t)
			arrange(t, s)
			if a := s.rollsBackBy(t, w, func(e cfn.Event) cfn.Response { return s.answered(t, e) }); a.Status != cfn.StatusSuccess {
				t.Errorf("got %+v", a)
			}
			s.minutes(t, 2*bringBackEvery) // what was written last is brought back, too
			s.serves(t, "one", instanceType)
			after(t, s)
			s.remove(t)
		})
	}
}

// TestRollbacksInEachWay are those that meet a deployment or a step, and with -all also a
// controller that an operator has stopped, their refresh, and a group that they wrote.
func TestRollbacksInEachWay(t *testing.T) {
	begin := func(t *testing.T, s *stack, minutes int) {
		s.version(t, "two")
		must(t, s.send(t, s.request(cfn.RequestUpdate, setting.RolloutType, "two")))
		s.minutes(t, minutes)
	}
	for n, met := range []struct {
		name    string
		arrange func(*testing.T, *stack)
		want    string // the type
		further bool   // with -all
	}{
		{"quarter", func(t *testing.T, s *stack) { s.grow(t); begin(t, s, 2) }, "m7g.large", false},
		{"others", func(t *testing.T, s *stack) { begin(t, s, 9) }, "m7g.medium", false},
		{"deployed", func(t *testing.T, s *stack) { s.grow(t); s.version(t, "two"); s.deployed(t, cfn.RequestUpdate, "two") }, "m7g.large", false},
		{"cancelled", func(t *testing.T, s *stack) {
			s.grow(t)
			begin(t, s, 6)
			_, err := s.controller(nil).autoscaling.CancelInstanceRefresh(t.Context(), &autoscaling.CancelInstanceRefreshInput{AutoScalingGroupName: &s.settings.group})
			must(t, err)
			s.minutes(t, 2)
		}, "m7g.large", false},
		{"step", func(t *testing.T, s *stack) { s.step(t); s.minutes(t, 5) }, "m7g.large", false}, // which Hold waits for
		{"ended", func(t *testing.T, s *stack) { s.step(t); s.settled(t) }, "m7g.large", false},   // a step, unseen
		{"frozen", func(t *testing.T, s *stack) { s.grow(t); s.write(t, s.settings.frozen, "true"); begin(t, s, 9) }, "m7g.large", false},
		{"advise", func(t *testing.T, s *stack) { s.grow(t); s.settings.policy.Mode = scaling.Advise; begin(t, s, 9) }, "m7g.large", true},
		{"off", func(t *testing.T, s *stack) { s.grow(t); s.settings.policy.Mode = scaling.Off; begin(t, s, 9) }, "m7g.large", true},
		{"operator", func(t *testing.T, s *stack) { s.grow(t); s.replace(t); s.minutes(t, 5) }, "m7g.large", true},
		{"drifted", func(t *testing.T, s *stack) {
			s.grow(t)
			s.version(t, "two")
			s.save(t, "2", "m7g.xlarge")
			s.minutes(t, 2)
		}, "m7g.large", true},
		{"drifted deployment", func(t *testing.T, s *stack) {
			s.grow(t)
			s.version(t, "two")
			s.deployed(t, cfn.RequestUpdate, "two")
			s.save(t, "1", "m7g.xlarge")
		}, "m7g.large", true},
	} {
		if met.further && !matrix.All() {
			continue
		}
		inEachWay(t, n+1, met.name, met.want, met.arrange, func(*testing.T, *stack) {})
	}
}

// TestBadBuildsInEachWay are those of a deployment that fails, of each kind that the
// scaler can tell from the others: what TestBuilds of test/cloud has run, it sees as one
// of these. The next good build is deployed. The first in one way, all in each with -all.
func TestBadBuildsInEachWay(t *testing.T) {
	for n, bad := range []struct {
		name string
		// behave is called in each minute, with how many there were, how many of them had
		// an instance of the build, and how many no other ones.
		behave func(t *testing.T, s *stack, minute, some, alone int)
		says   string // "" has no answer within CloudFormation's hour
	}{
		{"never healthy", func(_ *testing.T, s *stack, _, _, _ int) { s.sick = "2" }, "not healthy after"},
		{"healthy late", func(_ *testing.T, s *stack, _, some, _ int) { s.sick = map[bool]string{some <= 5: "2"}[true] }, "not healthy after"},
		{"errors", func(t *testing.T, s *stack, _, some, _ int) {
			if some == 4 { // booted in two, and two of the alarm's three
				s.setAlarm(t, cloudwatchtypes.StateValueAlarm)
			}
		}, "in ALARM"},
		{"one in ten", func(t *testing.T, s *stack, _, _, alone int) {
			if alone == 2 {
				s.setAlarm(t, cloudwatchtypes.StateValueAlarm)
			}
		}, "in ALARM"},
		{"no capacity", func(t *testing.T, s *stack, minute, _, _ int) {
			if types := []string{"m7g.large"}; minute == 0 {
				emulatortest.Set(t, s.control, emulator.Settings{NoCapacity: map[string][]string{region + "a": types, region + "b": types}})
			}
		}, "no instance was replaced"},
		{"no scaler", func(*testing.T, *stack, int, int, int) {}, ""},
	} {
		if n > 0 && !matrix.All() {
			continue
		}
		inEachWay(t, n, bad.name, "m7g.large", func(t *testing.T, s *stack) {
			s.grow(t)
			s.version(t, "two")
			e := s.request(cfn.RequestUpdate, setting.RolloutType, "two")
			bad.behave(t, s, 0, 0, 0)
			must(t, s.send(t, e))
			before, some, alone := len(s.answers), 0, 0
			for minute := 1; len(s.answers) == before && minute < 60; minute++ {
				if bad.says == "" {
					emulatortest.Advance(t, s.control, time.Minute)
					s.report(t)
					continue
				}
				s.minute(t)
				f, err := s.controller(nil).fleet(t.Context())
				must(t, err)
				two := live{Template: s.settings.template, Version: "2", Type: "m7g.large"}
				if f.launched(two) > 0 {
					some++
				}
				if f.only(two) {
					alone++
				}
				bad.behave(t, s, minute, some, alone)
			}
			switch answers := s.answers[before:]; {
			case bad.says == "" && len(answers) > 0:
				t.Errorf("got %+v", answers)
			case bad.says != "" && (len(answers) != 1 || answers[0].Status != cfn.StatusFailed || !strings.Contains(answers[0].Reason, bad.says)):
				t.Errorf("got %+v, want it to say %q", answers, bad.says)
			}
			emulatortest.Set(t, s.control, emulator.Settings{})
			s.setAlarm(t, cloudwatchtypes.StateValueOk) // the build is gone
		}, func(t *testing.T, s *stack) {
			s.sick = ""
			s.version(t, "three")
			s.deployed(t, cfn.RequestUpdate, "three")
			s.serves(t, "three", "m7g.large")
		})
	}
}

// TestEachPhaseThatIsKilledEndsTheSame, at each call, as TestRunsThatAreKilledEndTheSame
// has it of good deployments and of rollbacks: a Hold before there is a group, a first
// deployment, a Hold that waits for a step and one that has it rolled back, and a build that
// is never healthy, this one with -all.
func TestEachPhaseThatIsKilledEndsTheSame(t *testing.T) {
	step := func(sick string) func(*testing.T, *stack) cfn.Event {
		return func(t *testing.T, s *stack) cfn.Event {
			s.made(t)
			s.step(t)
			s.sick = sick
			return s.request(cfn.RequestUpdate, setting.HoldType, "")
		}
	}
	for name, test := range map[string]struct {
		arrange   func(*testing.T, *stack) cfn.Event // returns the request
		hurry     bool
		fails     bool
		want      string // the type
		refreshes int    // at most: a rehearsal whose start nobody noted is made again
	}{
		"first": {func(t *testing.T, s *stack) cfn.Event {
			s.remove(t)
			return s.request(cfn.RequestCreate, setting.HoldType, "")
		}, true, false, "m7g.medium", 0},
		"create": {func(_ *testing.T, s *stack) cfn.Event {
			return s.request(cfn.RequestCreate, setting.RolloutType, "one")
		}, true, false, "m7g.medium", 2},
		"hold":  {step(""), true, false, "m7g.large", 2},
		"stuck": {step("m7g.large"), false, false, "m7g.medium", 2},
		"sick": {func(t *testing.T, s *stack) cfn.Event {
			s.made(t)
			s.version(t, "two")
			s.sick = "2"
			return s.request(cfn.RequestUpdate, setting.RolloutType, "two")
		}, false, true, "m7g.medium", 2},
	} {
		if test.fails && !matrix.All() { // it is rolled back as what is stuck is
			continue
		}
		t.Run(name, func(t *testing.T) {
			emulatortest.Set(t, emulatortest.Shared(t), emulator.Settings{Hurry: test.hurry})
			for killed, at := true, 1; killed; at++ {
				killed = false
				for _, answered := range endings(at) {
					s := newStack(t, fmt.Sprintf("%s-killed-%v-%d", name, answered, at))
					e := test.arrange(t, s)
					s.asked(t, e)
					a, k := s.pursued(t, e, at, answered)
					killed = killed || k
					if test.fails && (a.Status != cfn.StatusFailed || !strings.Contains(a.Reason, "not healthy after")) ||
						!test.fails && (a.Status != cfn.StatusSuccess || a.Data["Version"] != "1" || a.Data["Type"] != test.want) {
						t.Errorf("killed at call %d: got %+v", at, a)
					}
					if !s.removed {
						s.runs(t, "1", test.want)
					}
					if got := s.remembered(t); got.Live == nil || got.Live.Type != test.want || got.Step != nil {
						t.Errorf("killed at call %d: it remembers %+v", at, got)
					}
					if f, err := s.controller(nil).fleet(t.Context()); err != nil && !s.removed || len(f.refreshes) > test.refreshes {
						t.Errorf("killed at call %d: %d refreshes, want at most %d: %v", at, len(f.refreshes), test.refreshes, err)
					}
					s.remove(t)
				}
			}
		})
	}
}
