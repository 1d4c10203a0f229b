package trace_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/scaling/trace"
	"github.com/google/go-cmp/cmp"
)

func TestLoadBetweenLinesChangesEvenly(t *testing.T) {
	got, err := trace.Read(strings.NewReader(`time,requests/s,event
2026-01-05T00:00:00Z,10,
2026-01-05T00:02:00Z,20,zone lost
2026-01-05T00:04:00Z,0,leak 40
2026-01-05T00:06:00Z,0,no capacity m7g.large
2026-01-05T00:08:00Z,0,capacity back
`))
	if err != nil {
		t.Fatal(err)
	}
	want := trace.Trace{
		Start:    time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC),
		Requests: []float64{10, 15, 20, 10, 0, 0, 0, 0, 0},
		Every:    2,
		Events: []trace.Event{{Minute: 2, Kind: trace.ZoneLost}, {Minute: 4, Kind: trace.Leak, MiBPerHour: 40},
			{Minute: 6, Kind: trace.NoCapacity, Type: "m7g.large"}, {Minute: 8, Kind: trace.CapacityBack}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var written bytes.Buffer
	if err := got.Write(&written, 2); err != nil {
		t.Fatal(err)
	}
	if again, err := trace.Read(&written); err != nil || !cmp.Equal(again, got) {
		t.Errorf("what was written is read as %+v, %v", again, err)
	}
}

func TestBadTracesAreRefusedWithTheirLines(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"empty":       {"", []string{"line 1: want the header"}},
		"header only": {"time,requests/s\n", []string{"want two lines of load at least after the header, got 0"}},
		"one line":    {"time,requests/s\n2026-01-05T00:00:00Z,1\n", []string{"want two lines of load at least after the header, got 1"}},
		"no header":   {"2026-01-05T00:00:00Z,1\n", []string{`line 1: want the header "time,requests/s"`}},
		"everything at once": {`time,requests/s,event
2026-01-05T00:00:00Z,-1,
2026-01-05T00:01:00Z,NaN,
2026-01-05T00:02:00Z,many,
yesterday,1,
2026-01-05T00:04:00Z,+Inf,
2026-01-05T00:05:00Z,1,earthquake
2026-01-05T00:06:00Z,1,leak -3
2026-01-05T00:07:00Z,1
`, []string{
			`line 2: want requests a second, from 0 to 1e9, got "-1"`,
			`line 3: want requests a second, from 0 to 1e9, got "NaN"`,
			`line 4: want requests a second, from 0 to 1e9, got "many"`,
			`line 5: want a time such as "2026-01-05T00:00:00Z", got "yesterday"`,
			`line 6: want requests a second, from 0 to 1e9, got "+Inf"`,
			`line 7: want "zone lost", "zone back", "leak" with MiB an hour, such as "leak 40", "no capacity" with a type, such as "no capacity m7g.large", or "capacity back", got "earthquake"`,
			`line 8: want "zone lost", "zone back", "leak" with MiB an hour, such as "leak 40", "no capacity" with a type, such as "no capacity m7g.large", or "capacity back", got "leak -3"`,
			`line 9: want 3 columns as in the header, got "2026-01-05T00:07:00Z,1"`,
		}},
		"gap": {"time,requests/s\n2026-01-05T00:00:00Z,1\n2026-01-05T00:01:00Z,1\n2026-01-05T00:03:00Z,1\n2026-01-05T00:04:00Z,x\n", []string{
			"line 4: want lines 1m0s apart as those before, got 2m0s after 2026-01-05T00:01:00Z: the trace has a gap",
			"line 5: want requests a second",
		}},
		"time goes back": {"time,requests/s\n2026-01-05T00:01:00Z,1\n2026-01-05T00:00:00Z,1\n", []string{
			"line 3: want a time after 2026-01-05T00:01:00Z, got 2026-01-05T00:00:00Z",
		}},
		"time stands": {"time,requests/s\n2026-01-05T00:01:00Z,1\n2026-01-05T00:01:00Z,1\n", []string{"line 3: want a time after"}},
		"seconds":     {"time,requests/s\n2026-01-05T00:00:00Z,1\n2026-01-05T00:00:30Z,1\n", []string{"line 3: want lines a whole number of minutes apart, got 30s"}},
		"too long":    {"time,requests/s\n0001-01-05T00:00:00Z,1\n9999-01-05T00:00:00Z,1\n", []string{"line 3: want ten years at most"}},
		"quotes":      {"time,requests/s\n2026-01-05T00:00:00Z,\"1\n", []string{"line 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := trace.Read(strings.NewReader(c.text))
			if err == nil {
				t.Fatal("it is read")
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

func TestALongListOfProblemsIsCut(t *testing.T) {
	_, err := trace.Read(strings.NewReader("time,requests/s\n" + strings.Repeat("x,y\n", 100)))
	if err == nil || !strings.HasSuffix(err.Error(), "and 180 more") {
		t.Errorf("got %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("time,requests/s,event\n2026-01-05T00:00:00Z,10,\n2026-01-05T00:02:00Z,20,zone lost\n")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := trace.Read(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, load := range got.Requests {
			if !(load >= 0 && load <= 1e9) {
				t.Errorf("a load of %g was read", load)
			}
		}
	})
}
