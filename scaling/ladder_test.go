package scaling_test

import (
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/scaling"
)

func TestLaddersAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		types []string
		want  []string
	}{
		"empty":               {nil, []string{"want at least one instance type"}},
		"mixed architectures": {[]string{"m7g.large", "m7i.xlarge"}, []string{"[1]: want one architecture, got m7i.xlarge (x86_64) after m7g.large (arm64)"}},
		"unknown":             {[]string{"m7g.lrge"}, []string{`[0]: want an instance type whose size is known (did you mean "m7g.large"?), got "m7g.lrge"; make types adds those that EC2 has since`}},
		"mixed burstable":     {[]string{"t3.large", "t4g.xlarge"}, []string{"[1]: want one architecture, got t4g.xlarge (arm64) after t3.large (x86_64)"}},
		"wrong order":         {[]string{"m7g.large", "m7g.medium"}, []string{"[1]: want the smallest first, each with more CPU and no less memory, got m7g.medium (1 vCPU, 4 GiB) after m7g.large (2 vCPU, 8 GiB)"}},
		"no more CPU":         {[]string{"m7g.large", "r7g.large"}, []string{"[1]: want the smallest first"}},
		"less memory":         {[]string{"m7g.large", "c7g.xlarge", "c7g.2xlarge", "r7g.large"}, []string{"[3]: want the smallest first"}},
		"twice":               {[]string{"m7g.medium", "m7g.large", "m7g.medium"}, []string{"[2]: want each instance type once, got m7g.medium again"}},
		"all at once": {[]string{"m7g.large", "nothing", "m7i.xlarge", "m7g.large"}, []string{
			`[1]: want an instance type whose size is known, got "nothing"; make types adds those that EC2 has since`, "[2]: want one architecture", "[3]: want each instance type once",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := scaling.NewLadder(c.types)
			if err == nil {
				t.Fatalf("it is taken: %v", l)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error lacks %q:\n%v", want, err)
				}
			}
			if got := len(strings.Split(err.Error(), "\n")); got != len(c.want) {
				t.Errorf("%d problems, want %d:\n%v", got, len(c.want), err)
			}
		})
	}
}

// TestBurstableTypesAreOrderedByWhatTheyMayUse: two vCPUs at 30 % are more than
// two at 20 %, and less than one whole.
func TestBurstableTypesAreOrderedByWhatTheyMayUse(t *testing.T) {
	if _, err := scaling.NewLadder([]string{"t4g.medium", "t4g.large", "r7g.medium", "r7g.large"}); err != nil {
		t.Error(err)
	}
	if _, err := scaling.NewLadder([]string{"m7g.medium", "t4g.large"}); err == nil {
		t.Error("m7g.medium, then t4g.large is taken")
	}
}

func TestRequestsPerTargetFollowTheCPU(t *testing.T) {
	l := ladder(t)
	for _, c := range []struct{ perTarget, of, to, want int }{
		{6000, 0, 0, 6000}, {6000, 0, 1, 12000}, {6000, 0, 3, 48000}, {6001, 1, 0, 3000}, {1, 3, 0, 1}, {0, 0, 3, 0},
	} {
		if got := scaling.RequestsPerTarget(c.perTarget, l[c.of], l[c.to]); got != c.want {
			t.Errorf("%d for %s is %d for %s, want %d", c.perTarget, l[c.of].Type, got, l[c.to].Type, c.want)
		}
	}
}

func TestPoliciesAreRefused(t *testing.T) {
	one, err := scaling.NewLadder([]string{"t4g.medium"})
	if err != nil {
		t.Fatal(err)
	}
	bad := scaling.Policy{Mode: "maybe", CPUTarget: 55, CoolShare: 1, FullShare: 2, MaxCPUAfterDown: 100, UpCooldown: 1, DownCooldown: 1}
	err = bad.Validate(one)
	if err == nil {
		t.Fatal("it is taken")
	}
	for _, want := range []string{
		`mode: want "off", "advise" or "auto", got "maybe"`,
		`ladder: want two rungs at least for "maybe", got 1`,
		"ladder[0]: want a CPU target of at most 20 %, which t4g.medium may use for ever, got 55 %",
		"coolShare: want more than 0 and less than 1, got 1",
		"maxCPUAfterDown: want more than 0 and less than 100 percent, got 100",
		"fullShare: want more than 0 and at most 1, got 2",
		"upCooldown: want at least upAfter, 10m0s",
		"downCooldown: want at least downAfter, 30m0s",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
	if err := (scaling.Policy{Mode: scaling.Auto}).Validate(ladder(t)); err != nil {
		t.Error(err)
	}
	if err := (scaling.Policy{}).Validate(ladder(t)[:1]); err != nil {
		t.Errorf("one rung without vertical scaling: %v", err)
	}
}
