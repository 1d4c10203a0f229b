package pulse

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

var now = time.Unix(1_800_000_000, 0)

func ago(d time.Duration, n int) Beat { return Beat{now.Add(-d), n, inARow} }

// newly is the nth beat of an instance that was never silent.
func newly(d time.Duration, n int) Beat { return Beat{now.Add(-d), inARow, n} }

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
		"a silent one, and a new one's first beat":         {beats: map[string]Beat{"i-1": ago(2*time.Minute, 3), "i-2": newly(0, 1)}, running: []string{"i-1", "i-2"}, silence: "the instances reach the stores again: 1 beats of 3"},
		"a silent one, and a new one's second beat":        {beats: map[string]Beat{"i-1": ago(2*time.Minute, 3), "i-2": newly(0, 2)}, running: []string{"i-1", "i-2"}, silence: "the instances reach the stores again: 2 beats of 3"},
		"a silent one, and a new one's third beat":         {beats: map[string]Beat{"i-1": ago(2*time.Minute, 3), "i-2": newly(0, 3)}, running: []string{"i-1", "i-2"}},
		"one that was silent, and a new one's first beat":  {beats: map[string]Beat{"i-1": ago(10*time.Second, 1), "i-2": newly(0, 1)}, running: []string{"i-1", "i-2"}, silence: "the instances reach the stores again: 1 beats of 3"},
		"new ones only":                                    {beats: map[string]Beat{"i-2": newly(0, 1), "i-3": newly(0, 2)}, running: []string{"i-1", "i-2", "i-3"}},
		"a new one in place of one that has ended":         {beats: map[string]Beat{"i-1": ago(2*time.Minute, 3), "i-2": newly(0, 1)}, running: []string{"i-2"}},
		"a new one that was silent":                        {beats: map[string]Beat{"i-2": {now, 1, 2}}, running: []string{"i-2"}, silence: "the instances reach the stores again: 1 beats of 3"},
		"new, and the group does not answer":               {beats: map[string]Beat{"i-1": ago(4*time.Minute, 3), "i-2": newly(0, 1)}, err: down, silence: "the instances reach the stores again: 1 beats of 3"},
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
	random := rand.New(rand.NewPCG(1, 1))
	if dark, _ := history(t, time.Hour, func(time.Duration) bool { return random.IntN(20) == 0 }); dark > 0 {
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

// TestNewInstanceLightsADarkIslandAfterThreeBeats, as one that was silent does: it comes at
// 700 s to an instance that is silent from 600 s on.
func TestNewInstanceLightsADarkIslandAfterThreeBeats(t *testing.T) {
	beats := map[string]Beat{"i-1": {now.Add(590 * time.Second), inARow, inARow}}
	for at, dark := range map[time.Duration]bool{699 * time.Second: true, 700 * time.Second: true, 710 * time.Second: true, 719 * time.Second: true, 720 * time.Second: false} {
		var last *Beat
		for b := 700 * time.Second; b <= at; b += Every {
			next := Next(last, now.Add(b))
			last = &next
		}
		beats := maps.Clone(beats)
		if last != nil {
			beats["i-2"] = Parse(map[string]types.AttributeValue{"i-2": last.Value()})["i-2"]
		}
		silence, err := Silence(beats, func() ([]string, error) { return []string{"i-1", "i-2"}, nil }, now.Add(at))
		if (silence != "") != dark || err != nil {
			t.Errorf("after %s: got %q, %v, want it dark: %t", at, silence, err, dark)
		}
	}
}

func TestThrottledIsAnAnswer(t *testing.T) {
	for _, err := range []error{
		&types.ProvisionedThroughputExceededException{}, &types.ThrottlingException{}, &types.RequestLimitExceeded{},
		fmt.Errorf("exceeded attempts: %w", &smithy.GenericAPIError{Code: "SlowDown"}),
	} {
		if !Throttled(err) {
			t.Errorf("%v is taken for a failure", err)
		}
	}
	for _, err := range []error{
		nil, errors.New("no route"), &types.InternalServerError{}, &types.ResourceNotFoundException{},
		&smithy.GenericAPIError{Code: "AccessDeniedException"}, &smithy.GenericAPIError{Code: "ServiceUnavailable"},
	} {
		if Throttled(err) {
			t.Errorf("%v is taken for an answer", err)
		}
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
	item["i-10"] = &types.AttributeValueMemberS{Value: fmt.Sprintf("%d 3", now.Unix())} // of the release before
	item["i-9"] = newly(0, 2).Value()
	beats := Parse(item)
	if len(beats) != 5 || beats["i-9"] != newly(0, 2) || !beats["i-1"].At.Equal(now.Add(-time.Second)) || beats["i-1"].InARow != 2 ||
		beats["i-8"].InARow != 3 || beats["i-8"].Given != 3 || beats["i-10"].Given != 3 {
		t.Errorf("got %v", beats)
	}
	if old := Old(beats, now); len(old) != 1 || old[0] != "i-2" {
		t.Errorf("%q are old", old)
	}
}
