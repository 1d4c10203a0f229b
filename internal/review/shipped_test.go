package review

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/cost"
	"github.com/archipelago-cdk/archipelago/internal/matrix"
	"github.com/archipelago-cdk/archipelago/internal/setting"
)

// inCorpus is a change of the corpus.
func inCorpus(t *testing.T, name string) change {
	t.Helper()
	i := slices.IndexFunc(corpus, func(c change) bool { return c.name == name })
	if i < 0 {
		t.Fatalf("the corpus has no %q", name)
	}
	return corpus[i]
}

// review compares a change's base and head.
func (c change) review(t *testing.T, d *Differ) (Report, string) {
	t.Helper()
	base, head := c.both(t)
	return compare(t, d, base, head)
}

// compare returns the report on two assemblies, and its comment.
func compare(t *testing.T, d *Differ, base, head *Assembly) (Report, string) {
	t.Helper()
	r, err := d.Compare(base, head)
	if err != nil {
		t.Fatal(err)
	}
	comment, err := r.Markdown()
	if err != nil {
		t.Fatal(err)
	}
	return r, comment
}

// part is a section of a comment.
func part(comment, title string) string {
	_, of, _ := strings.Cut(comment, "\n## "+title+"\n")
	of, _, _ = strings.Cut(of, "\n## ")
	return of
}

// TestLaunchesAndMinutesAreTheRollouts: which fleets are refreshed, by how many launches
// and for how long is what the scaler's rules give for the head's own maximum and guard.
// That a deployment in the emulator takes so long is tested in cmd/scaler.
func TestLaunchesAndMinutesAreTheRollouts(t *testing.T) {
	d := newDiffer(t)
	image := inCorpus(t, "a pinned image")
	for name, c := range map[string]change{
		"an image":                   image,
		"an image of a larger fleet": {from: options{"regions[0].ami": "ami-0123456789abcdef0", "fleet.max": "9"}, to: image.to},
		"an image without a guard":   {from: options{"regions[0].ami": "ami-0123456789abcdef0", "fleet.guard": false}, to: image.to},
		"the program":                inCorpus(t, "the program"),
		"an image and a new maximum": {from: image.from, to: options{"regions[0].ami": "ami-0fedcba9876543210", "fleet.max": "4"}},
	} {
		t.Run(name, func(t *testing.T) {
			r, comment := c.review(t, d)
			settings, err := config.Parse(c.context(t, true), matrix.Account)
			if err != nil {
				t.Fatal(err)
			}
			n, guarded := settings.Fleet.Max, settings.Fleet.Guard
			minutes := setting.RolloutMinutes(n, guarded)
			where, why := []string{"eu-west-1"}, "`ImageId` changes"
			if name == "the program" {
				where, why = []string{"eu-west-1", "us-east-1"}, "`UserData` changes"
			}
			i := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.Verdict == Instances })
			if i < 0 || r.Findings[i].Launches != n || r.Findings[i].Minutes != minutes || !slices.Equal(r.Findings[i].Regions, where) {
				t.Errorf("got %+v, want %d launches and %d minutes in %v", r.Findings, n, minutes, where)
			}
			want := fmt.Sprintf("the fleet `archipelago-fleet` is replaced, a quarter first and then all others at once, because %s: with the %d of `fleet.max` these are %s, and about %d minutes%s",
				why, n, launches(n), minutes, in(where, 2))
			if !strings.Contains(part(comment, "Instances"), want) {
				t.Errorf("the comment lacks %q:\n%s", want, part(comment, "Instances"))
			}
			guard := fmt.Sprintf("new instances are not healthy or the deployment alarm is in ALARM, about %d minutes", minutes)
			if !guarded {
				guard = fmt.Sprintf("new instances are not healthy, about %d minutes; no alarm is looked at", minutes)
			}
			if !strings.Contains(part(comment, "Plan"), guard) {
				t.Errorf("the plan lacks %q:\n%s", guard, part(comment, "Plan"))
			}
		})
	}
	// Where CloudFormation makes the group again, all of its instances are.
	r, comment := inCorpus(t, "the Auto Scaling group's name").review(t, d)
	if i := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.Section == Fleets }); i < 0 || r.Findings[i].Launches != 6 {
		t.Errorf("a fleet that is made again: %+v", r.Findings)
	}
	if want := "the fleet `another` is made again, with 6 launches at `fleet.max`, and all instances of the old one end (in both islands)"; !strings.Contains(part(comment, "Instances"), want) {
		t.Errorf("the comment lacks %q:\n%s", want, comment)
	}
}

// TestUsersAreToldForHowLong: what is out of reach, for how many minutes, and in which
// islands at once.
func TestUsersAreToldForHowLong(t *testing.T) {
	d := newDiffer(t)
	rollout := wayMinutes + setting.RolloutMinutes(6, true)
	for name, want := range map[string]struct {
		people, users string
		minutes       int
	}{
		"a region's addresses": { // instances are replaced, too
			people:  fmt.Sprintf("users of `us-east-1` lose that island, or a part of what it does, while it is deployed, about %d minutes; the other islands serve on", rollout),
			users:   fmt.Sprintf("the deployment fails and is rolled back (`us-east-1`); for about %d minutes\n", rollout),
			minutes: rollout,
		},
		"the load balancer's name": { // and are not here
			people:  fmt.Sprintf("users of one island after the other lose the service, or a part of it, while it is deployed, about %d minutes;", wayMinutes),
			users:   fmt.Sprintf("`LoadBalancer/Alb (Name)`; where a new part cannot be made beside the old one, the deployment fails and is rolled back (in both islands); for about %d minutes, one island after the other\n", wayMinutes),
			minutes: wayMinutes,
		},
		"a network that exists already": {
			people:  fmt.Sprintf("users of `us-east-1` lose that island, or a part of what it does, while it is deployed, about %d minutes;", rollout),
			users:   fmt.Sprintf("`Network/Vpc/S3` goes with its network: what users ask of it fails, unless the network in its place has a way to the same (`us-east-1`); for about %d minutes\n", rollout),
			minutes: rollout,
		},
		"the accelerator is off": {
			people: "users of every island lose the service, or a part of it, from then on, until this is undone.",
			users:  "users reach no island by it (in all islands at once); from then on, until this is undone\n",
		},
		"the way to S3 is removed": {
			people: "users of every island lose the service, or a part of it, from then on, until this is undone.",
			users:  "leads to: what users ask of it fails (in both islands); from then on, until this is undone, one island after the other\n",
		},
		"an island leaves the entry": {
			people: "users of `us-east-1` lose that island, or a part of what it does, from then on, until this is undone; the other islands serve on",
			users:  "by what is removed: `Endpoint/Group` (`us-east-1`); from then on, until this is undone\n",
		},
		"a region is drained": { // others serve them
			people: "users who are nearest to `us-east-1` are served by another island, farther away.",
			users:  "serves 0 % of those that are nearest to it, previously 100 % (`us-east-1`)\n",
		},
		"an index's key": {
			people: "users of every island lose the service, or a part of it, while it is deployed.",
			users:  "until DynamoDB has filled it again, minutes or, of millions of items, hours, and CloudFormation refuses that in one update: add one of another name first (in all islands at once)\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, comment := inCorpus(t, name).review(t, d)
			if !strings.Contains(comment, "\n- People: "+want.people) || !strings.Contains(part(comment, "Users")+"\n", want.users) {
				t.Errorf("want\n%s\n%s\ngot:\n%s", want.people, want.users, comment)
			}
			for _, f := range r.Findings {
				if f.Section == Users && f.Verdict == IslandDown && f.Minutes != want.minutes {
					t.Errorf("got %d minutes, want %d: %s", f.Minutes, want.minutes, f.What)
				}
			}
		})
	}
}

// TestCostIsThatOfTheChange: before and after at each load are what `make cost` says of
// both, and what is between them is what the change adds by the price list.
func TestCostIsThatOfTheChange(t *testing.T) {
	d := newDiffer(t)
	prices, err := cost.ReadPrices()
	if err != nil {
		t.Fatal(err)
	}
	// both is what something costs in both regions together.
	both := func(what string) float64 {
		sum := 0.0
		for _, region := range []string{"eu-west-1", "us-east-1"} {
			of, err := prices.Of(region, what)
			if err != nil {
				t.Fatal(err)
			}
			sum += of[0]
		}
		return sum
	}
	const hours = 730
	larger := (both(cost.Instance("m7g.large")) - both(cost.Instance("m7g.medium"))) * hours // an instance in each region
	more := both(cost.Instance("m7g.medium")) * hours
	addresses, accelerator := 3*both("public address")*hours, both("accelerator")/2*hours
	for name, test := range map[string]struct {
		change
		// want are the least and the most of the difference at 1, 20 and 400 requests a second.
		want [3][2]float64
	}{
		"a larger first type": {change{to: options{"fleet.ladder": "m7g.large,m7g.xlarge"}},
			[3][2]float64{{2 * larger, 2 * larger}, {2 * larger, 2 * larger}, {6 * larger, 6 * larger}}},
		"fleet.min": {inCorpus(t, "fleet.min"), // with its volume, metrics, pulse and logs
			[3][2]float64{{more, 1.15 * more}, {more, 1.15 * more}, {0, 0}}},
		"fleet.max": {inCorpus(t, "fleet.max"), [3][2]float64{{0, 0}, {0, 0}, {6 * more, 6 * 1.15 * more}}},
		"another entry": {inCorpus(t, "another entry"), // no accelerator, nor what passes through it
			[3][2]float64{{addresses - accelerator - 0.3, addresses - accelerator - 0.2}, {addresses - accelerator - 6, addresses - accelerator - 4}, {addresses - accelerator - 120, addresses - accelerator - 80}}},
		"the program": {inCorpus(t, "the program"), [3][2]float64{}},
	} {
		t.Run(name, func(t *testing.T) {
			base, head := test.both(t)
			r, comment := compare(t, d, base, head)
			if len(r.Cost) != 3 || r.CostUnknown != "" {
				t.Fatalf("got %+v, %s", r.Cost, r.CostUnknown)
			}
			for i, requests := range []float64{1, 20, 400} {
				c := r.Cost[i]
				for _, side := range []struct {
					dir string
					got float64
				}{{base.Dir, c.Before}, {head.Dir, c.After}} {
					of, err := cost.Read(side.dir)
					if err != nil {
						t.Fatal(err)
					}
					e, err := prices.Estimate(of, cost.Loads[i])
					if err != nil || math.Abs(e.Total()-side.got) > 0.006 {
						t.Errorf("at %v a second: got %v, and it costs %v: %v", requests, side.got, e.Total(), err)
					}
				}
				if diff := c.After - c.Before; c.Requests != requests || diff < test.want[i][0]-0.02 || diff > test.want[i][1]+0.02 {
					t.Errorf("at %v a second it is %.2f more, want %v", c.Requests, diff, test.want[i])
				}
				if row := fmt.Sprintf("| %g | %.2f | %.2f | %+.2f |\n", requests, c.Before, c.After, c.After-c.Before); !strings.Contains(part(comment, "Cost")+"\n", row) {
					t.Errorf("the comment lacks %q:\n%s", row, comment)
				}
			}
		})
	}
	// A rise of more than a tenth is to be decided by who pays.
	r, _ := inCorpus(t, "fleet.min").review(t, d)
	rise := fmt.Sprintf("it costs $%.0f a month more at 1 request a second: $%.0f, previously $%.0f", r.Cost[0].After-r.Cost[0].Before, r.Cost[0].After, r.Cost[0].Before)
	if !slices.Contains(r.Who, "the people who pay for it") || !strings.Contains(strings.Join(r.Decide, "\n"), rise) {
		t.Errorf("got %v, %q", r.Who, r.Decide)
	}
}

// TestPlan: stacks are in the order in which the CDK CLI deploys them, each with what
// guards it, below what to do first and above how to go back.
func TestPlan(t *testing.T) {
	d := newDiffer(t)
	minutes := setting.RolloutMinutes(6, true)
	const fails = "CloudFormation rolls it back when the change of a resource fails"
	guard := fmt.Sprintf("rolled back when new instances are not healthy or the deployment alarm is in ALARM, about %d minutes", minutes)
	const back = "Back: deploy the base again: `git revert` this change, then `cdk deploy --all`."
	for name, want := range map[string]string{
		// All stacks, each after those that it depends on.
		"a tag": "1. `archipelago-storage-REGION`, one after the other until one fails (in both islands): " + fails + "\n" +
			"2. `archipelago-global` (`eu-west-1`): " + fails + "\n" +
			"3. `archipelago-entry` (`eu-west-1`): " + fails + "\n" +
			"4. `archipelago-region-REGION`, one after the other until one fails (in both islands): " + guard + "\n\n" + back + "\n",
		// Nothing is replaced, so that nothing looks at instances.
		"the load balancer's port": "1. `archipelago-region-REGION`, one after the other until one fails (in both islands): " + fails + "\n\n" + back + "\n",
		// Users are moved away before, and the way back is as long.
		"a region's addresses": "First: `make drain REGION=…` for each region under Users; afterwards the same with `OFF=1` where it is to serve again.\n\n" +
			"1. `archipelago-region-us-east-1` (`us-east-1`): " + guard + "\n\n" +
			back + " But:\n\n- what users pass is replaced again, with another outage: move them away before that too\n",
		// A backup does not bring back what is left as it was.
		"a table's construct id": "First: a copy of that data to where the service will read, such as by an export and an import, or `cdk import` of the old resource in place of the new one.\n\n" +
			"1. `archipelago-global` (`eu-west-1`): " + fails + "\n\n" +
			back + " But:\n\n- the old resource stays outside of any stack, and has to be brought back into one: see *Restore data* in docs/operations.md\n",
		"a table is removed with its data": "First: a backup of what may be deleted.\n\n" +
			"1. `archipelago-global` (`eu-west-1`): " + fails + "\n\n" +
			back + " But:\n\n- it brings resources back, not what was in them: see *Restore data* in docs/operations.md\n",
		"metadata": "Nothing is deployed.\n",
	} {
		t.Run(name, func(t *testing.T) {
			base, head := inCorpus(t, name).both(t)
			r, comment := compare(t, d, base, head)
			if got := part(comment, "Plan"); got != "\n"+want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
			done := map[string]bool{}
			for _, s := range r.Plan {
				for _, before := range head.Stacks[s.Stack].DependsOn {
					if !done[before] && slices.ContainsFunc(r.Plan, func(other Step) bool { return other.Stack == before }) {
						t.Errorf("%s comes before %s, which it depends on", s.Stack, before)
					}
				}
				done[s.Stack] = true
			}
		})
	}
	// What is new can only fail.
	_, comment := inCorpus(t, "a region is added").review(t, d)
	if want := "`archipelago-region-us-west-2` (`us-west-2`): fails, and is deleted, when its first instances are not healthy"; !strings.Contains(part(comment, "Plan"), want) {
		t.Errorf("the plan lacks %q:\n%s", want, comment)
	}
}

// ten are the regions of bench_test.go: the primary is not the first by its name.
const ten = "eu-west-1,us-east-1,us-east-2,us-west-2,eu-central-1,eu-west-2,ap-northeast-1,ap-southeast-2,ca-central-1,sa-east-1"

// TestRegionsAreSaidOnce: what is the same in all islands of the shipped deployment is said
// once, in the findings, in the list of changes and in the diff, whether they are three or
// ten: the comment has the same lines, of which only numbers are others, but for what
// changes in each replica of a table.
func TestRegionsAreSaidOnce(t *testing.T) {
	d := newDiffer(t)
	in := func(c change, regions string) change {
		from := options{"regions": regions}
		for key, value := range c.from {
			from[key] = value
		}
		c.from = from
		return c
	}
	r, comment := in(inCorpus(t, "fleet.max"), "eu-west-1,us-east-1,us-west-2").review(t, d)
	const once = "the fleet has at most 12 instances, previously 6 (in all 3 islands)"
	if strings.Count(part(comment, "Instances"), "at most 12") != 1 || !strings.Contains(part(comment, "Instances"), once) {
		t.Errorf("want %q once, got:\n%s", once, comment)
	}
	if len(r.Changes) != 1 || len(r.Changes[0].Regions) != 3 || strings.Count(comment, "\n+   MaxSize: 12\n") != 1 || strings.Count(comment, "(in all 3 islands)") < 4 {
		t.Errorf("the change is not said once:\n%s", comment)
	}
	// Numbers, and what names how many islands there are, have other digits.
	numbers := regexp.MustCompile(`[+-]?\d[\d,.]*`)
	neutral := func(comment string) string {
		comment = strings.ReplaceAll(comment, "(in both islands)", "(in all 2 islands)")
		return numbers.ReplaceAllString(comment, "N")
	}
	// each is what each region more adds to the diff: the replicas of a table are parts of
	// one resource, whose lines are all shown.
	for name, each := range map[string]int{"a setting of the service": 0, "everything is retained no longer": 0, "a table loses its backups": 250} {
		c := inCorpus(t, name)
		_, two := in(c, "eu-west-1,us-east-1").review(t, d)
		_, many := in(c, ten).review(t, d)
		t.Logf("%s: %d bytes for two regions, %d for ten", name, len(two), len(many))
		// Prices of most regions have to be looked up.
		for _, title := range []string{"Data", "Users", "Instances", "Security", "Plan", "Changes", "Diff", "Blind spots"} {
			if got, want := part(neutral(many), title), part(neutral(two), title); got != want && (title != "Diff" || each == 0) {
				t.Errorf("%s: for ten regions it is\n%s\nfor two\n%s", name, got, want)
			}
		}
		if n := len(strings.ReplaceAll(many, "(in all 10 islands)", "(in both islands)")); n > len(two)+8*each {
			t.Errorf("%s: %d bytes for two regions, %d for ten", name, len(two), n)
		}
	}
}

// TestPoliciesAreLineDiffs, as user data is; a hash of other lines has no diff.
func TestPoliciesAreLineDiffs(t *testing.T) {
	d := newDiffer(t)
	for name, want := range map[string]string{
		"a policy is narrowed":     "\n-         Action: [\"s3:DeleteObject\",\"s3:PutObject\"]\n+         Action: s3:PutObject\n          Effect: Allow\n",
		"a setting of the service": "          PORT=\"8080\"\n-         READS=\"open\"\n+         READS=\"signed-in\"\n          SESSIONS_TABLE=",
	} {
		_, comment := inCorpus(t, name).review(t, d)
		lines := part(comment, "Diff")
		if !strings.Contains(lines, want) || strings.Count(lines, "\n- ") != 1 || strings.Count(lines, "\n+ ") != 1 {
			t.Errorf("%s: want the diff\n%s\ngot:\n%s", name, want, lines)
		}
	}
}
