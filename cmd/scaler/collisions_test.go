package main

import (
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/scaling"
	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
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
// ten, of which three are over.
func TestDeploymentMeetsAStep(t *testing.T) {
	for name, test := range map[string]struct {
		sick, want string
	}{"ends": {"", "m7g.large"}, "does not end": {"m7g.large", "m7g.medium"}} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t, "step-"+name[:4])
			s.made(t)
			s.step(t)
			s.sick = test.sick
			s.minutes(t, 3)
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
	s.made(t)
	s.version(t, "two")
	e := s.request(cfn.RequestUpdate, rolloutType, "two")
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
			s.made(t)
			s.version(t, "two")
			must(t, s.send(t, s.request(cfn.RequestUpdate, rolloutType, "two")))
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
	s.made(t)
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
			s.made(t)
			s.version(t, "two")
			s.deployed(t, cfn.RequestUpdate, "two")
			s.runs(t, "2", "m7g.medium")
			s.version(t, "three")
			s.sick = "3"
			e := s.request(cfn.RequestUpdate, rolloutType, "three")
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
	s.made(t)
	_, err := s.controller(nil).autoscaling.StartInstanceRefresh(t.Context(), &autoscaling.StartInstanceRefreshInput{
		AutoScalingGroupName: &s.settings.group,
		Preferences:          &types.RefreshPreferences{MinHealthyPercentage: aws.Int32(100), MaxHealthyPercentage: aws.Int32(150), InstanceWarmup: aws.Int32(3000)},
	})
	must(t, err)
	s.version(t, "two")
	s.deployed(t, cfn.RequestUpdate, "two")
	s.runs(t, "2", "m7g.medium")
}

// TestOperatorCancelsADeployment: it fails, and its stack's rollback brings back what
// was replaced.
func TestOperatorCancelsADeployment(t *testing.T) {
	s := newStack(t, "cancels")
	s.made(t)
	s.version(t, "two")
	e := s.request(cfn.RequestUpdate, rolloutType, "two")
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
