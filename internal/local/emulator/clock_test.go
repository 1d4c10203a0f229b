package emulator_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/middleware"
)

// TestTimeline runs the clock's own tests, in Python.
func TestTimeline(t *testing.T) { unittest(t, "clock_test") }

// TestQueriesAreMotos compares the plugin's Query with moto's own, in Python.
func TestQueriesAreMotos(t *testing.T) { unittest(t, "queries_test") }

func TestSharedIsReadWhileItGrows(t *testing.T) { unittest(t, "shared_test") }

// unittest runs a module of tests in Python.
func unittest(t *testing.T, module string) {
	t.Helper()
	python := "python3"
	if p := os.Getenv("PYTHON"); p != "" {
		python = p
	}
	cmd := exec.CommandContext(t.Context(), python, "-m", "unittest", module)
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestClockRunsAtAPace(t *testing.T) {
	c := emulatortest.Shared(t)
	for _, pace := range []float64{1, 1000, 60} {
		emulatortest.SetPace(t, c, pace)
		// Real time from before the first look and after the second one is too
		// much, from after the first and before the second too little.
		before := time.Now()
		from := emulatortest.Now(t, c)
		within := time.Now()
		for time.Since(within) < 20*time.Millisecond {
		}
		least := time.Since(within).Seconds() * pace
		passed := emulatortest.Now(t, c).Sub(from).Seconds()
		if most := time.Since(before).Seconds() * pace; passed < least || passed > most {
			t.Errorf("at pace %g %g s passed, want %g to %g", pace, passed, least, most)
		}
	}
}

// TestAnswersAreDated: Auto Scaling's by the emulator's clock, which the controller knows
// AWS's time from, and others by this machine's, since a pulse beats at that pace and
// clients correct their clocks.
func TestAnswersAreDated(t *testing.T) {
	c := emulatortest.Shared(t)
	emulatortest.Advance(t, c, time.Hour) // away from this machine's
	for service, test := range map[string]struct {
		now  func() time.Time
		call func(aws.Config) (middleware.Metadata, error)
	}{
		"Auto Scaling": {func() time.Time { return emulatortest.Now(t, c) }, func(of aws.Config) (middleware.Metadata, error) {
			out, err := autoscaling.NewFromConfig(of).DescribeAutoScalingGroups(t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{})
			return out.ResultMetadata, err
		}},
		"CloudFormation": {time.Now, func(of aws.Config) (middleware.Metadata, error) {
			out, err := cloudformation.NewFromConfig(of).ListStacks(t.Context(), &cloudformation.ListStacksInput{})
			return out.ResultMetadata, err
		}},
		"DynamoDB": {time.Now, func(of aws.Config) (middleware.Metadata, error) {
			out, err := dynamodb.NewFromConfig(of).ListTables(t.Context(), &dynamodb.ListTablesInput{})
			return out.ResultMetadata, err
		}},
	} {
		before := test.now().Truncate(time.Second)
		answer, err := test.call(emulatortest.Config(c, "eu-west-1"))
		if err != nil {
			t.Fatal(err)
		}
		if at, ok := awsmiddleware.GetServerTime(answer); !ok || at.Before(before) || at.After(test.now()) {
			t.Errorf("an answer of %s has the date %s, want one since %s", service, at, before)
		}
	}
}

// TestClockJumpsUnlessItIsMeasured: a load client would measure time that did not
// pass.
func TestClockJumpsUnlessItIsMeasured(t *testing.T) {
	c := emulatortest.Shared(t)
	jump := func(want string) {
		t.Helper()
		from := emulatortest.Now(t, c)
		err := c.Advance(t.Context(), time.Hour)
		switch passed := emulatortest.Now(t, c).Sub(from); {
		case want == "" && (err != nil || passed < time.Hour):
			t.Errorf("%s passed: %v", passed, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || passed >= time.Hour):
			t.Errorf("%s passed: got %v, want it refused for %q", passed, err, want)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	jump("")
	must(c.RegisterLoad(t.Context(), "readers"))
	must(c.RegisterLoad(t.Context(), "writers"))
	jump("the clock cannot jump while a load client is registered (readers, writers)")
	if err := c.RegisterLoad(t.Context(), "readers"); err == nil || !strings.Contains(err.Error(), "readers is registered already") {
		t.Errorf("registered twice: %v", err)
	}
	must(c.UnregisterLoad(t.Context(), "readers"))
	jump("registered (writers)")
	must(c.UnregisterLoad(t.Context(), "writers"))
	jump("")
	if err := c.UnregisterLoad(t.Context(), "writers"); err == nil || !strings.Contains(err.Error(), "no load client writers is registered") {
		t.Errorf("unregistered twice: %v", err)
	}
}

func TestClockRefusesWhatNoClockDoes(t *testing.T) {
	c := emulatortest.Shared(t)
	if err := c.Advance(t.Context(), -time.Second); err == nil || !strings.Contains(err.Error(), "cannot jump by -1 s: want 0 or more") {
		t.Errorf("a jump back: %v", err)
	}
	if err := c.SetPace(t.Context(), 0.5); err == nil || !strings.Contains(err.Error(), "cannot run at pace 0.5: want 1, as on AWS, or more") {
		t.Errorf("a slow clock: %v", err)
	}
}

func TestGearsAreSaid(t *testing.T) {
	for want, clock := range map[string]emulator.Clock{
		"pace 1, no jump":             {Pace: 1, Slowest: 1, Fastest: 1},
		"pace 1 to 60, no jump":       {Pace: 1, Slowest: 1, Fastest: 60},
		"pace 10, 2h10m0s jumped":     {Pace: 10, Slowest: 10, Fastest: 10, Jumped: 7800.2},
		"pace 10 to 60, 1m30s jumped": {Pace: 60, Slowest: 10, Fastest: 60, Jumped: 90},
	} {
		if got := clock.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	c := emulatortest.Shared(t)
	before, err := c.Clock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	emulatortest.Advance(t, c, time.Hour)
	emulatortest.SetPace(t, c, before.Fastest+1)
	after, err := c.Clock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if jumped := after.Jumped - before.Jumped; jumped < 3000 || jumped > 3600 || after.Pace != before.Fastest+1 || after.Fastest != after.Pace || after.Slowest != 1 {
		t.Errorf("after a jump of an hour and a faster pace %+v became %+v", before, after)
	}
}

// TestGraceIsOfTheClock: an instance is not judged before its grace period ends.
func TestGraceIsOfTheClock(t *testing.T) {
	g := newGroup(t)
	if _, err := g.UpdateAutoScalingGroup(t.Context(), &autoscaling.UpdateAutoScalingGroupInput{
		AutoScalingGroupName: &g.name, HealthCheckType: aws.String("ELB"), HealthCheckGracePeriod: aws.Int32(3600),
	}); err != nil {
		t.Fatal(err)
	}
	before := instanceIDs(g.now(t))
	sick := before[0]
	health := map[string]string{sick: "unhealthy", before[1]: "healthy"}
	for _, step := range []struct {
		jump time.Duration
		left int
	}{{0, 2}, {50 * time.Minute, 2}, {15 * time.Minute, 1}} {
		emulatortest.Advance(t, g.control, step.jump)
		if err := g.control.Report(t.Context(), emulator.Status{Health: health}); err != nil {
			t.Fatal(err)
		}
		left := 0
		for _, i := range g.now(t).Instances {
			if i.LifecycleState == types.LifecycleStateInService && (*i.InstanceId == sick || *i.InstanceId == before[1]) {
				left++
			}
		}
		if left != step.left {
			t.Errorf("%s later %d of the two are there, want %d", step.jump, left, step.left)
		}
	}
}

func TestZonalShiftsExpire(t *testing.T) {
	c := emulatortest.Shared(t)
	const path = "/managedresources/arn%3Aaws%3Aelasticloadbalancing%3A%3Alb%2Fshifted"
	start := func(expires string) error {
		_, err := emulatortest.Rest(t, c, "arc-zonal-shift", "eu-west-1", "POST", "/zonalshifts",
			`{"resourceIdentifier": "arn:aws:elasticloadbalancing::lb/shifted", "awayFrom": "euw1-az1", "expiresIn": "`+expires+`"}`)
		return err
	}
	shifted := func() bool {
		t.Helper()
		answer, err := emulatortest.Rest(t, c, "arc-zonal-shift", "eu-west-1", "GET", path, "")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(answer), "awayFrom")
	}
	if err := start("soon"); err == nil || !strings.Contains(err.Error(), "expiresIn: want minutes or hours") {
		t.Errorf("got %v", err)
	}
	if err := start("90m"); err != nil {
		t.Fatal(err)
	}
	emulatortest.Advance(t, c, 80*time.Minute)
	if !shifted() {
		t.Error("it ended early")
	}
	emulatortest.Advance(t, c, 11*time.Minute)
	if shifted() {
		t.Error("it has not ended")
	}
}
