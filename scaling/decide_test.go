package scaling_test

import (
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/scaling"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// minutely is a metric that had a value for each of the last minutes.
func minutely(value float64, last time.Duration) scaling.Series {
	var s scaling.Series
	for at := noon.Add(-last); at.Before(noon); at = at.Add(time.Minute) {
		s = append(s, scaling.Point{At: at, Value: value})
	}
	return s
}

// rising is a metric that changed evenly.
func rising(from, to float64, last time.Duration) scaling.Series {
	s := minutely(0, last)
	for i := range s {
		s[i].Value = from + (to-from)*float64(i)/float64(len(s)-1)
	}
	return s
}

func ladder(t rapid.TB) scaling.Ladder {
	l, err := scaling.NewLadder([]string{"m7g.medium", "m7g.large", "m7g.xlarge", "m7g.2xlarge"})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// calm is a fleet of m7g.large with nothing to do: three of 2 to 6 at 40 %.
func calm() scaling.Observation {
	return scaling.Observation{
		Parameter: "m7g.large",
		Launches:  "m7g.large",
		Instances: map[string]int{"m7g.large": 3},
		Min:       2,
		Max:       6,
		Count:     minutely(3, time.Hour),
		CPU:       minutely(40, time.Hour),
		Offered:   map[string]bool{"m7g.medium": true, "m7g.large": true, "m7g.xlarge": true, "m7g.2xlarge": true},
	}
}

// hot is calm, but has to step up; cool to step down; leaking to be recycled.
func hot(o *scaling.Observation) {
	o.Count, o.CPU = minutely(5, time.Hour), minutely(56, time.Hour)
}

func cool(o *scaling.Observation) {
	o.Count, o.CPU = minutely(2, time.Hour), minutely(20, time.Hour)
}

func leaking(o *scaling.Observation) {
	o.Memory, o.Requests = rising(40, 90, 30*time.Hour), minutely(9000, 30*time.Hour)
}

func unknown(o *scaling.Observation) { o.ShiftUnknown = "denied" }

type change = func(o *scaling.Observation)

func TestDecide(t *testing.T) {
	off := func(o *scaling.Observation) {}
	for name, c := range map[string]struct {
		policy  scaling.Policy
		changes []change
		want    scaling.Kind
		to      string
		code    scaling.Code
	}{
		"nothing to do": {changes: []change{off}, want: scaling.Stay, to: "m7g.large", code: scaling.Steady},

		"hot":                        {changes: []change{hot}, want: scaling.Up, to: "m7g.xlarge", code: scaling.Hot},
		"hot for too short a time":   {changes: []change{hot, func(o *scaling.Observation) { o.Count[len(o.Count)-10].Value = 4 }}, want: scaling.Stay, to: "m7g.large", code: scaling.Steady},
		"hot for just long enough":   {changes: []change{hot, func(o *scaling.Observation) { o.Count[len(o.Count)-11].Value = 4 }}, want: scaling.Up, to: "m7g.xlarge", code: scaling.Hot},
		"79 % of the most instances": {changes: []change{hot, func(o *scaling.Observation) { o.Max = 7 }}, want: scaling.Stay, to: "m7g.large", code: scaling.Steady},
		"80 % of the most instances": {changes: []change{hot, func(o *scaling.Observation) { o.Max, o.Count = 10, minutely(8, time.Hour) }}, want: scaling.Up, to: "m7g.xlarge", code: scaling.Hot},
		"full, but not hot":          {changes: []change{hot, func(o *scaling.Observation) { o.CPU = minutely(54, time.Hour) }}, want: scaling.Stay, to: "m7g.large", code: scaling.Steady},
		"hot by another target":      {policy: scaling.Policy{CPUTarget: 50}, changes: []change{hot, func(o *scaling.Observation) { o.CPU = minutely(54, time.Hour) }}, want: scaling.Up, to: "m7g.xlarge", code: scaling.Hot},
		"hot on the largest rung":    {changes: []change{hot, on("m7g.2xlarge")}, want: scaling.Stay, to: "m7g.2xlarge", code: scaling.Top},

		"cool":                      {changes: []change{cool}, want: scaling.Down, to: "m7g.medium", code: scaling.Cool},
		"cool for too short a time": {changes: []change{cool, func(o *scaling.Observation) { o.Count[len(o.Count)-30].Value = 3 }}, want: scaling.Stay, to: "m7g.large", code: scaling.Steady},
		"cool for long enough":      {changes: []change{cool, func(o *scaling.Observation) { o.Count[len(o.Count)-31].Value = 3 }}, want: scaling.Down, to: "m7g.medium", code: scaling.Cool},
		"too hot meanwhile":         {changes: []change{cool, func(o *scaling.Observation) { o.CPU = minutely(30.1, time.Hour) }}, want: scaling.Stay, to: "m7g.large", code: scaling.TooSmall},
		"not too hot meanwhile":     {changes: []change{cool, func(o *scaling.Observation) { o.CPU = minutely(29.9, time.Hour) }}, want: scaling.Down, to: "m7g.medium", code: scaling.Cool},
		"no margin one rung lower": {changes: []change{cool, func(o *scaling.Observation) { o.Max, o.CPU = 2, minutely(22.1, time.Hour) }},
			want: scaling.Stay, to: "m7g.large", code: scaling.TooSmall},
		"just enough margin": {changes: []change{cool, func(o *scaling.Observation) { o.Max, o.CPU = 2, minutely(21.9, time.Hour) }},
			want: scaling.Down, to: "m7g.medium", code: scaling.Cool},
		"cool, but memory is not": {changes: []change{cool, func(o *scaling.Observation) { o.Memory = minutely(41, time.Hour) }},
			want: scaling.Stay, to: "m7g.large", code: scaling.TooSmall},
		"cool above the minimum":     {changes: []change{cool, func(o *scaling.Observation) { o.Min = 1 }}, want: scaling.Stay, to: "m7g.large", code: scaling.Steady},
		"cool on the smallest rung":  {changes: []change{cool, on("m7g.medium")}, want: scaling.Stay, to: "m7g.medium", code: scaling.Steady},
		"as many as may be, but hot": {changes: []change{hot, func(o *scaling.Observation) { o.Min = 5 }}, want: scaling.Up, to: "m7g.xlarge", code: scaling.Hot},

		"leak":                     {changes: []change{leaking}, want: scaling.Recycle, to: "m7g.large", code: scaling.Leak},
		"leak while hot":           {changes: []change{hot, leaking}, want: scaling.Recycle, to: "m7g.large", code: scaling.Leak},
		"leak, told by CPU":        {changes: []change{leaking, func(o *scaling.Observation) { o.Requests, o.CPU = nil, minutely(40, 30*time.Hour) }}, want: scaling.Recycle, to: "m7g.large", code: scaling.Leak},
		"leak, no matter yet":      {changes: []change{leaking, func(o *scaling.Observation) { o.Memory = rising(40, 79, 30*time.Hour) }}, want: scaling.Stay, to: "m7g.large", code: scaling.Steady},
		"memory grows with load":   {changes: []change{leaking, func(o *scaling.Observation) { o.Requests = rising(9000, 18000, 30*time.Hour) }}, want: scaling.Up, to: "m7g.xlarge", code: scaling.MemoryHigh},
		"memory with load, no way": {changes: []change{on("m7g.2xlarge"), leaking, func(o *scaling.Observation) { o.Requests = rising(9000, 18000, 30*time.Hour) }}, want: scaling.Stay, to: "m7g.2xlarge", code: scaling.Top},
		"memory is high as ever":   {changes: []change{leaking, func(o *scaling.Observation) { o.Memory = minutely(90, 30*time.Hour) }}, want: scaling.Stay, to: "m7g.large", code: scaling.MemoryHigh},
		"leak, just recycled": {changes: []change{leaking, func(o *scaling.Observation) {
			o.Memory, o.LastStep = rising(0, 99, 2*time.Hour), noon.Add(-50*time.Minute)
		}}, want: scaling.Stay, to: "m7g.large", code: scaling.MemoryHigh},
		"leak, recycled an hour ago": {changes: []change{leaking, func(o *scaling.Observation) {
			o.Memory, o.LastStep = rising(0, 99, 2*time.Hour), noon.Add(-65*time.Minute)
		}}, want: scaling.Recycle, to: "m7g.large", code: scaling.Leak},

		"another type": {changes: []change{func(o *scaling.Observation) { o.Instances = map[string]int{"m7g.large": 2, "m7g.xlarge": 1} }},
			want: scaling.Reconcile, to: "m7g.large", code: scaling.Mismatch},
		"another type to launch": {changes: []change{func(o *scaling.Observation) { o.Launches = "m7g.xlarge" }},
			want: scaling.Reconcile, to: "m7g.large", code: scaling.Mismatch},
		"another type, right after a step": {changes: []change{func(o *scaling.Observation) {
			o.Instances, o.LastStep = map[string]int{"m7g.medium": 3}, noon.Add(-time.Minute)
		}}, want: scaling.Reconcile, to: "m7g.large", code: scaling.Mismatch},
		"another type, not offered": {changes: []change{func(o *scaling.Observation) {
			o.Instances, o.Offered = map[string]int{"m7g.medium": 3}, map[string]bool{"m7g.medium": true}
		}}, want: scaling.Stay, to: "m7g.large", code: scaling.NotOffered},
		"no instance": {changes: []change{func(o *scaling.Observation) { o.Instances = nil }}, want: scaling.Stay, to: "m7g.large", code: scaling.Empty},
		"no rung":     {changes: []change{func(o *scaling.Observation) { o.Parameter = "c7g.large" }}, want: scaling.Stay, code: scaling.OffLadder},

		"up in the cooldown":    {changes: []change{hot, func(o *scaling.Observation) { o.LastStep = noon.Add(-14 * time.Minute) }}, want: scaling.Stay, to: "m7g.large", code: scaling.Cooldown},
		"up after the cooldown": {changes: []change{hot, func(o *scaling.Observation) { o.LastStep = noon.Add(-15 * time.Minute) }}, want: scaling.Up, to: "m7g.xlarge", code: scaling.Hot},
		"down in the cooldown":  {changes: []change{cool, func(o *scaling.Observation) { o.LastStep = noon.Add(-59 * time.Minute) }}, want: scaling.Stay, to: "m7g.large", code: scaling.Cooldown},
		"down after it":         {changes: []change{cool, func(o *scaling.Observation) { o.LastStep = noon.Add(-60 * time.Minute) }}, want: scaling.Down, to: "m7g.medium", code: scaling.Cool},

		"outside the window":          {policy: scaling.Policy{Window: window(t, "12:01-14:00")}, changes: []change{hot}, want: scaling.Stay, to: "m7g.large", code: scaling.OutsideWindow},
		"in the window":               {policy: scaling.Policy{Window: window(t, "12:00-14:00")}, changes: []change{hot}, want: scaling.Up, to: "m7g.xlarge", code: scaling.Hot},
		"leak outside the window":     {policy: scaling.Policy{Window: window(t, "12:01-14:00")}, changes: []change{leaking}, want: scaling.Recycle, to: "m7g.large", code: scaling.Leak},
		"not offered":                 {changes: []change{hot, func(o *scaling.Observation) { o.Offered["m7g.xlarge"] = false }}, want: scaling.Stay, to: "m7g.large", code: scaling.NotOffered},
		"nobody knows what's offered": {changes: []change{cool, func(o *scaling.Observation) { o.Offered = nil }}, want: scaling.Stay, to: "m7g.large", code: scaling.NotOffered},

		"cool, a shift unknown":         {changes: []change{cool, unknown}, want: scaling.Stay, to: "m7g.large", code: scaling.ShiftUnknown},
		"hot, a shift unknown":          {changes: []change{hot, unknown}, want: scaling.Up, to: "m7g.xlarge", code: scaling.Hot},
		"leak, a shift unknown":         {changes: []change{leaking, unknown}, want: scaling.Recycle, to: "m7g.large", code: scaling.Leak},
		"another type, a shift unknown": {changes: []change{unknown, func(o *scaling.Observation) { o.Launches = "m7g.xlarge" }}, want: scaling.Reconcile, to: "m7g.large", code: scaling.Mismatch},

		"failed an hour ago, less": {changes: []change{hot, failed("m7g.xlarge", 59*time.Minute, 1)}, want: scaling.Stay, to: "m7g.large", code: scaling.FailedBefore},
		"failed an hour ago":       {changes: []change{hot, failed("m7g.xlarge", time.Hour, 1)}, want: scaling.Up, to: "m7g.xlarge", code: scaling.Hot},
		"failed three times":       {changes: []change{hot, failed("m7g.xlarge", 239*time.Minute, 3)}, want: scaling.Stay, to: "m7g.large", code: scaling.FailedBefore},
		"failed three times ago":   {changes: []change{hot, failed("m7g.xlarge", 4*time.Hour, 3)}, want: scaling.Up, to: "m7g.xlarge", code: scaling.Hot},
		"failed often":             {changes: []change{hot, failed("m7g.xlarge", 24*time.Hour, 100)}, want: scaling.Up, to: "m7g.xlarge", code: scaling.Hot},
		"failed the other way":     {changes: []change{cool, failed("m7g.xlarge", time.Minute, 1)}, want: scaling.Down, to: "m7g.medium", code: scaling.Cool},
		"recycling failed":         {changes: []change{leaking, failed("m7g.large", time.Minute, 1)}, want: scaling.Stay, to: "m7g.large", code: scaling.FailedBefore},

		"no CPU":          {changes: []change{hot, func(o *scaling.Observation) { o.CPU = nil }}, want: scaling.Stay, to: "m7g.large", code: scaling.Missing},
		"no count":        {changes: []change{hot, func(o *scaling.Observation) { o.Count = nil }}, want: scaling.Stay, to: "m7g.large", code: scaling.Missing},
		"old CPU":         {changes: []change{hot, func(o *scaling.Observation) { o.CPU = o.CPU[:len(o.CPU)-5] }}, want: scaling.Stay, to: "m7g.large", code: scaling.Missing},
		"CPU with a gap":  {changes: []change{hot, func(o *scaling.Observation) { o.CPU = append(o.CPU[:50:50], o.CPU[53:]...) }}, want: scaling.Stay, to: "m7g.large", code: scaling.Missing},
		"a small gap":     {changes: []change{hot, func(o *scaling.Observation) { o.CPU = append(o.CPU[:50:50], o.CPU[52:]...) }}, want: scaling.Up, to: "m7g.xlarge", code: scaling.Hot},
		"cool, but a gap": {changes: []change{cool, func(o *scaling.Observation) { o.CPU = append(o.CPU[:32:32], o.CPU[40:]...) }}, want: scaling.Stay, to: "m7g.large", code: scaling.Missing},
		"no memory":       {changes: []change{leaking, func(o *scaling.Observation) { o.Memory = nil }}, want: scaling.Stay, to: "m7g.large", code: scaling.Steady},
		"old memory":      {changes: []change{leaking, func(o *scaling.Observation) { o.Memory = o.Memory[:len(o.Memory)-5] }}, want: scaling.Stay, to: "m7g.large", code: scaling.Steady},
	} {
		t.Run(name, func(t *testing.T) {
			o := calm()
			for _, change := range c.changes {
				change(&o)
			}
			c.policy.Mode = scaling.Auto
			got := scaling.Decide(ladder(t), c.policy, o, noon)
			if got.Kind != c.want || got.To.Type != c.to || got.Reason.Code != c.code {
				t.Errorf("got %s %q because of %q (%s), want %s %q because of %q", got.Kind, got.To.Type, got.Reason.Code, got.Reason, c.want, c.to, c.code)
			}
			if got.Advice {
				t.Error("it is called advice")
			}
			if s := got.Reason.String(); s == "" || s == string(got.Reason.Code) || strings.Contains(s, "%!") {
				t.Errorf("the reason %q is not a sentence", s)
			}
		})
	}
}

func on(instanceType string) change {
	return func(o *scaling.Observation) {
		o.Parameter, o.Launches, o.Instances = instanceType, instanceType, map[string]int{instanceType: 3}
	}
}

func failed(to string, ago time.Duration, attempts int) change {
	return func(o *scaling.Observation) {
		o.Failed = &scaling.Failure{To: to, At: noon.Add(-ago), Attempts: attempts}
	}
}

func window(t *testing.T, text string) scaling.Window {
	t.Helper()
	w, err := scaling.ParseWindow(text)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestNothingIsDoneMeanwhile: what is going on stops every action.
func TestNothingIsDoneMeanwhile(t *testing.T) {
	wrong := func(o *scaling.Observation) { o.Instances = map[string]int{"m7g.medium": 3} }
	for state, c := range map[string]struct {
		policy scaling.Policy
		change change
		code   scaling.Code
	}{
		"off":            {scaling.Policy{Mode: scaling.Off}, func(*scaling.Observation) {}, scaling.Disabled},
		"no mode":        {scaling.Policy{}, func(*scaling.Observation) {}, scaling.Disabled},
		"frozen":         {scaling.Policy{Mode: scaling.Auto}, func(o *scaling.Observation) { o.Frozen = true }, scaling.Frozen},
		"refreshing":     {scaling.Policy{Mode: scaling.Auto}, func(o *scaling.Observation) { o.Refreshing = true }, scaling.Refreshing},
		"alarm":          {scaling.Policy{Mode: scaling.Auto}, func(o *scaling.Observation) { o.Alarm = true }, scaling.InAlarm},
		"zonal shift":    {scaling.Policy{Mode: scaling.Auto}, func(o *scaling.Observation) { o.ZonalShift = true }, scaling.ZonalShift},
		"stack updating": {scaling.Policy{Mode: scaling.Auto}, func(o *scaling.Observation) { o.StackUpdating = true }, scaling.StackUpdating},
	} {
		for name, wanted := range map[string]change{"hot": hot, "cool": cool, "leaking": leaking, "another type": wrong} {
			o := calm()
			wanted(&o)
			if a := scaling.Decide(ladder(t), scaling.Policy{Mode: scaling.Auto}, o, noon); a.Kind == scaling.Stay {
				t.Fatalf("%s: nothing would be done anyway: %s", name, a.Reason)
			}
			c.change(&o)
			if a := scaling.Decide(ladder(t), c.policy, o, noon); a.Kind != scaling.Stay || a.Reason.Code != c.code {
				t.Errorf("%s, %s: got %s because of %q, want to stay because of %q", state, name, a.Kind, a.Reason.Code, c.code)
			}
		}
	}
}

// TestWhatStandsInTheWayIsSaid: to stay says what would have been done, and until
// when it is not.
func TestWhatStandsInTheWayIsSaid(t *testing.T) {
	o := calm()
	hot(&o)
	o.LastStep = noon.Add(-10 * time.Minute)
	got := scaling.Decide(ladder(t), scaling.Policy{Mode: scaling.Auto}, o, noon)
	want := "would step up to m7g.xlarge (hot), not before 2026-03-02 12:05 UTC: the last step was too recent"
	if got.Reason.String() != want || got.Reason.Wants != scaling.Up {
		t.Errorf("got %q, want %q", got.Reason, want)
	}
}

func TestAdviceIsCalledSo(t *testing.T) {
	o := calm()
	hot(&o)
	if a := scaling.Decide(ladder(t), scaling.Policy{Mode: scaling.Advise}, o, noon); a.Kind != scaling.Up || !a.Advice {
		t.Errorf("got %+v", a)
	}
}

// TestBurstableTypesAreJudgedByTheirBaseline: below it they cost nothing more.
func TestBurstableTypesAreJudgedByTheirBaseline(t *testing.T) {
	l, err := scaling.NewLadder([]string{"t4g.medium", "t4g.large", "m7g.large"})
	if err != nil {
		t.Fatal(err)
	}
	decide := func(at string, cpu float64) scaling.Kind {
		o := calm()
		on(at)(&o)
		o.Max = 2
		o.Count, o.CPU = minutely(2, time.Hour), minutely(cpu, time.Hour)
		o.Offered = map[string]bool{"t4g.medium": true, "t4g.large": true, "m7g.large": true}
		return scaling.Decide(l, scaling.Policy{Mode: scaling.Auto, CPUTarget: 55}, o, noon).Kind
	}
	for _, c := range []struct {
		at   string
		cpu  float64
		want scaling.Kind
	}{
		{"t4g.large", 31, scaling.Up}, // its baseline is 30 % of two vCPUs
		{"t4g.large", 29, scaling.Stay},
		{"t4g.large", 17, scaling.Stay}, // t4g.medium has 20 %, and 80 % of that is 16
		{"t4g.large", 15, scaling.Down},
		{"m7g.large", 25, scaling.Stay}, // of t4g.large's 30 %, 80 % is 24
		{"m7g.large", 23, scaling.Down},
	} {
		if got := decide(c.at, c.cpu); got != c.want {
			t.Errorf("%s at %g %% CPU: got %s, want %s", c.at, c.cpu, got, c.want)
		}
	}
}

// TestDecideKeepsItsRules holds for whatever is observed; that there are actions
// at all is TestDecide's.
func TestDecideKeepsItsRules(t *testing.T) {
	l := ladder(t)
	types := []string{"m7g.medium", "m7g.large", "m7g.xlarge", "m7g.2xlarge"}
	rapid.Check(t, func(t *rapid.T) {
		series := func(name string) func(level float64) scaling.Series {
			since := rapid.SampledFrom([]time.Duration{26 * time.Hour, 2 * time.Hour, time.Hour, 9 * time.Minute, 0}).Draw(t, name+" since")
			late := rapid.SampledFrom([]int{0, 0, 0, 0, 6}).Draw(t, name+" late")
			return func(level float64) scaling.Series {
				s := minutely(level, since)
				return s[:len(s)-min(len(s), late)]
			}
		}
		flag := func(name string) bool { return rapid.IntRange(0, 19).Draw(t, name) == 7 }
		o := scaling.Observation{
			Parameter: rapid.SampledFrom(append(types, "c7g.large")).Draw(t, "parameter"),
			Instances: map[string]int{}, Offered: map[string]bool{},
			Min: rapid.IntRange(1, 4).Draw(t, "min"), Max: rapid.IntRange(4, 10).Draw(t, "max"),
			Refreshing: flag("refreshing"), Alarm: flag("alarm"), ZonalShift: flag("shift"), StackUpdating: flag("stack"), Frozen: flag("frozen"),
		}
		o.Instances[o.Parameter] = 3
		if rapid.IntRange(0, 3).Draw(t, "mixed") == 1 {
			o.Instances["m7g.medium"]++
		}
		for _, offered := range types {
			o.Offered[offered] = !flag(offered + " is not offered")
		}
		if rapid.Bool().Draw(t, "stepped") {
			o.LastStep = noon.Add(-time.Duration(rapid.IntRange(0, 90).Draw(t, "ago")) * time.Minute)
		}
		mode := rapid.SampledFrom([]scaling.Mode{scaling.Auto, scaling.Advise, scaling.Off}).Draw(t, "mode")
		count, cpu := series("count"), series("CPU")
		for _, instances := range []int{o.Min, o.Max} {
			for _, use := range []float64{1, 20, 23, 50, 56, 90} {
				o.Count, o.CPU = count(float64(instances)), cpu(use)
				got := scaling.Decide(l, scaling.Policy{Mode: mode}, o, noon)
				checkRules(t, l, mode, o, got)
			}
		}
	})
}

func checkRules(t *rapid.T, l scaling.Ladder, mode scaling.Mode, o scaling.Observation, got scaling.Action) {
	if diff := cmp.Diff(got, scaling.Decide(l, scaling.Policy{Mode: mode}, o, noon)); diff != "" {
		t.Fatalf("the same observation gives another action: %s", diff)
	}
	at, to := l.Find(o.Parameter), l.Find(got.To.Type)
	if got.Kind == scaling.Stay {
		if at != to {
			t.Fatalf("stays at %q, but is at %s", got.To.Type, o.Parameter)
		}
		return
	}
	if mode == scaling.Off || o.Refreshing || o.Alarm || o.ZonalShift || o.StackUpdating || o.Frozen {
		t.Fatalf("%s although it must not: %+v", got.Kind, o)
	}
	step := map[scaling.Kind]int{scaling.Up: 1, scaling.Down: -1}[got.Kind]
	if several := got.Reason.Code == scaling.Surge && to > at; to-at != step && !several {
		t.Fatalf("%s from rung %d to %d", got.Kind, at, to)
	}
	if !o.Offered[got.To.Type] {
		t.Fatalf("%s to %s, which is not offered", got.Kind, got.To.Type)
	}
	if step == 0 {
		return
	}
	if ago := noon.Sub(o.LastStep); !o.LastStep.IsZero() && ago < 15*time.Minute {
		t.Fatalf("%s only %s after the last step", got.Kind, ago)
	}
	if last := o.CPU[len(o.CPU)-1]; noon.Sub(last.At) > 5*time.Minute {
		t.Fatalf("%s by metrics of %s", got.Kind, last.At)
	}
}
