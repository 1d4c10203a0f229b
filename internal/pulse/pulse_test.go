package pulse

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

var now = time.Unix(1_800_000_000, 0)

func ago(d time.Duration, inARow int) Beat { return Beat{now.Add(-d), inARow} }

func TestSilence(t *testing.T) {
	down := errors.New("down")
	for name, test := range map[string]struct {
		beats   map[string]Beat
		running []string
		err     error  // of asking which instances run
		silence string // how it begins
		unknown string // what the error has
	}{
		"all beat":                                         {beats: map[string]Beat{"i-1": ago(5*time.Second, 3), "i-2": ago(9*time.Second, 3)}, err: down},
		"one of three beats":                               {beats: map[string]Beat{"i-1": ago(time.Hour, 3), "i-2": ago(2*time.Minute, 3), "i-3": ago(60*time.Second, 3)}, running: []string{"i-1", "i-2", "i-3"}},
		"never seen":                                       {running: []string{"i-1"}, unknown: "no instance has ever"},
		"seen of a dead instance only":                     {beats: map[string]Beat{"i-1": ago(2*time.Minute, 3)}, running: []string{"i-2"}, unknown: "no instance that runs has ever"},
		"all are silent":                                   {beats: map[string]Beat{"i-1": ago(time.Hour, 3), "i-2": ago(61*time.Second, 3)}, running: []string{"i-1", "i-2"}, silence: "no instance has said for 1m1s"},
		"one of two was never seen":                        {beats: map[string]Beat{"i-1": ago(61*time.Second, 3)}, running: []string{"i-1", "i-2"}, silence: "no instance has said for 1m1s"},
		"healed, one beat":                                 {beats: map[string]Beat{"i-1": ago(time.Second, 1), "i-2": ago(2*time.Minute, 3)}, running: []string{"i-1", "i-2"}, silence: "the instances reach the stores again: 1 beats of 3"},
		"healed, two beats":                                {beats: map[string]Beat{"i-1": ago(time.Second, 2)}, running: []string{"i-1"}, silence: "the instances reach the stores again: 2 beats of 3"},
		"healed, three beats":                              {beats: map[string]Beat{"i-1": ago(time.Second, 3)}, running: []string{"i-1"}},
		"silent, and the group does not answer":            {beats: map[string]Beat{"i-1": ago(5*time.Minute, 3)}, err: down, silence: "no instance has said for 5m0s"},
		"silent for long, and the group does not answer":   {beats: map[string]Beat{"i-1": ago(5*time.Minute+time.Second, 3)}, err: down, unknown: "down"},
		"no instance is in service":                        {beats: map[string]Beat{"i-1": ago(61*time.Second, 3)}, unknown: "no instance that runs has ever"},
		"one of two has a clock that is an hour fast":      {beats: map[string]Beat{"i-1": ago(-time.Hour, 3), "i-2": ago(2*time.Minute, 3)}, running: []string{"i-1", "i-2"}, silence: "no instance has said for 2m0s"},
		"an instance whose clock is ahead of the function": {beats: map[string]Beat{"i-1": ago(-2*time.Second, 3)}},
	} {
		t.Run(name, func(t *testing.T) {
			silence, err := Silence(test.beats, func() ([]string, error) { return test.running, test.err }, now)
			if !strings.HasPrefix(silence, test.silence) || (silence == "") != (test.silence == "") {
				t.Errorf("got %q, want %q", silence, test.silence)
			}
			if (err != nil) != (test.unknown != "") || err != nil && !strings.Contains(err.Error(), test.unknown) {
				t.Errorf("got the error %v, want %q", err, test.unknown)
			}
		})
	}
}

// TestWhoRunsIsAskedInSilenceOnly: an island that is well hangs on no control plane.
func TestWhoRunsIsAskedInSilenceOnly(t *testing.T) {
	_, err := Silence(map[string]Beat{"i-1": ago(time.Minute, 3)}, func() ([]string, error) {
		t.Error("it was asked")
		return nil, nil
	}, now)
	if err != nil {
		t.Error(err)
	}
}

// history is an instance that tries to beat every ten seconds, and the lighthouse that
// looks each second.
func history(t *testing.T, span time.Duration, fails func(at time.Duration) bool) (dark time.Duration, changes int) {
	t.Helper()
	var last *Beat
	was := false
	for at := time.Duration(0); at < span; at += time.Second {
		if at%Every == 0 && !fails(at) {
			b := Next(last, now.Add(at))
			last = &b
		}
		beats := map[string]Beat{}
		if last != nil {
			beats["i-1"] = *last
		}
		silence, _ := Silence(beats, func() ([]string, error) { return []string{"i-1"}, nil }, now.Add(at))
		if is := silence != ""; is != was {
			was, changes = is, changes+1
		}
		if was {
			dark += time.Second
		}
	}
	return dark, changes
}

// TestOneFailedCallInTwentyDoesNotFlap: of an hour, and neither does half a minute.
func TestOneFailedCallInTwentyDoesNotFlap(t *testing.T) {
	if dark, _ := history(t, time.Hour, func(at time.Duration) bool { return at/Every%20 == 7 }); dark > 0 {
		t.Errorf("it is dark for %s", dark)
	}
	if dark, _ := history(t, time.Hour, func(at time.Duration) bool { return at%(5*time.Minute) < 30*time.Second }); dark > 0 {
		t.Errorf("it is dark for %s", dark)
	}
}

// TestDarkAfterAMinuteAndLitAfterThreeBeats: the last beat is at 590 s, the first after
// it at 800 s.
func TestDarkAfterAMinuteAndLitAfterThreeBeats(t *testing.T) {
	dark, changes := history(t, time.Hour, func(at time.Duration) bool { return at >= 600*time.Second && at < 800*time.Second })
	if want := (820 - 651) * time.Second; dark != want || changes != 2 {
		t.Errorf("it is dark for %s and changes %d times, want %s and 2", dark, changes, want)
	}
}

// TestFirstBeatCounts: an instance that boots, or whose pulse begins again, was not
// silent.
func TestFirstBeatCounts(t *testing.T) {
	if dark, _ := history(t, time.Hour, func(at time.Duration) bool { return at < 10*time.Minute }); dark > 0 {
		t.Errorf("it is dark for %s", dark)
	}
}

func TestItemOfBeats(t *testing.T) {
	table := setting.Store{Table: "orders", PartitionKey: "pk", SortKey: "sk"}
	item := Key(table, "eu-west-1")
	if pk, sk := item["pk"].(*types.AttributeValueMemberS).Value, item["sk"].(*types.AttributeValueMemberS).Value; pk != "pulse#eu-west-1" || sk != "pulse" {
		t.Errorf("the key is %q, %q", pk, sk)
	}
	item["i-1"], item["i-2"] = ago(time.Second, 2).Value(), ago(2*time.Hour, 3).Value()
	for id, text := range map[string]string{"i-3": "", "i-4": "1 x", "i-5": "x 1", "i-6": "1", "a": "1 1"} {
		item[id] = &types.AttributeValueMemberS{Value: text}
	}
	item["i-7"] = &types.AttributeValueMemberN{Value: "1"}
	item["i-8"] = &types.AttributeValueMemberS{Value: fmt.Sprintf("%d 3 of another version", now.Unix())}
	beats := Parse(item)
	if len(beats) != 3 || !beats["i-1"].At.Equal(now.Add(-time.Second)) || beats["i-1"].InARow != 2 || beats["i-8"].InARow != 3 {
		t.Errorf("got %v", beats)
	}
	if old := Old(beats, now); len(old) != 1 || old[0] != "i-2" {
		t.Errorf("%q are old", old)
	}
}
