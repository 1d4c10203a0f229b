// Package pulse is what a fleet's instances say of the stores that their island cannot
// work without, and what the island's lighthouse makes of it: whether the fleet
// reaches them by its own way and role.
package pulse

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"
)

const (
	// Every is how often an instance beats.
	Every = 10 * time.Second
	// silentAfter is how old a beat may be: five may be missed.
	silentAfter = time.Minute
	// inARow is how many beats an instance has to give after it was silent.
	inARow = 3
	// lately is how old the beat may be of an instance that is believed to run, while
	// Auto Scaling does not say which ones do.
	lately = 5 * time.Minute
	// oldAtOnce is how many instances' last beats are taken away with one beat: an
	// expression of DynamoDB has 4 KB. Source: Amazon DynamoDB Developer Guide, "Quotas".
	oldAtOnce = 100
	// keptFor is how long the last beat of an instance is kept: one that was silent for
	// so long is as good as one that was never heard.
	keptFor = time.Hour
)

// Beat is the last one of an instance.
type Beat struct {
	At time.Time
	// InARow is how many came without silence in between, at most as many as are needed.
	// An instance that is new was not silent: it begins with as many.
	InARow int
	// Given is how many the instance gave at all, at most as many as are needed.
	Given int
}

// fresh reports whether the beat is not too old.
func (b Beat) fresh(now time.Time) bool { return now.Sub(b.At) <= silentAfter }

// count is how many of the beats that an instance has to give it gave.
func (b Beat) count() int { return min(b.InARow, b.Given) }

// Next is what an instance says now, after last: its own from before, nil if it gave
// none.
func Next(last *Beat, now time.Time) Beat {
	switch {
	case last == nil:
		return Beat{now, inARow, 1}
	case !last.fresh(now):
		return Beat{now, 1, min(last.Given+1, inARow)}
	default:
		return Beat{now, min(last.InARow+1, inARow), min(last.Given+1, inARow)}
	}
}

// Silence returns why the fleet is taken not to reach its stores, "" if it does, or an
// error if that cannot be told: no instance that runs now has ever beaten, as when a
// build without a pulse is deployed. One instance that beats is enough, once it gave
// three; before that, one that is new is while none that runs is or was silent. running
// returns the ids of those in service and is asked only when that matters, so that an
// island that is well hangs on no control plane.
func Silence(beats map[string]Beat, running func() ([]string, error), now time.Time) (string, error) {
	beats = maps.Clone(beats)
	// A clock that is fast would have an instance beat long after its end.
	maps.DeleteFunc(beats, func(_ string, b Beat) bool { return b.At.Sub(now) > silentAfter })
	for _, b := range beats {
		if b.fresh(now) && b.count() >= inARow {
			return "", nil
		}
	}
	if len(beats) == 0 {
		return "", fmt.Errorf("no instance has ever said that it reaches the stores")
	}
	ids, err := running()
	if err != nil {
		for id, b := range beats {
			if now.Sub(b.At) <= lately {
				ids = append(ids, id)
			}
		}
	}
	var newest Beat
	wasSilent := false
	for _, id := range ids {
		if b, ok := beats[id]; ok {
			wasSilent = wasSilent || !b.fresh(now) || b.InARow < inARow
			if b.At.After(newest.At) {
				newest = b
			}
		}
	}
	switch age := now.Sub(newest.At).Round(time.Second); {
	case newest.At.IsZero() && err != nil:
		return "", fmt.Errorf("no instance has lately said that it reaches the stores, and which ones run cannot be learned: %w", err)
	case newest.At.IsZero():
		return "", fmt.Errorf("no instance that runs has ever said that it reaches the stores")
	case !newest.fresh(now):
		return fmt.Sprintf("no instance has said for %s that it reaches the stores", age), nil
	case wasSilent:
		return fmt.Sprintf("the instances reach the stores again: %d beats of %d", newest.count(), inARow), nil
	default:
		return "", nil
	}
}

// Old are the instances whose beats are no longer kept, as many as one beat can take
// away.
func Old(beats map[string]Beat, now time.Time) []string {
	var ids []string
	for id, b := range beats {
		if now.Sub(b.At) > keptFor {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids[:min(len(ids), oldAtOnce)]
}

// Throttled reports whether a store refused a call only since there are too many: it
// answers, and how many there are is its users' doing.
func Throttled(err error) bool {
	return retry.IsErrorThrottles(retry.DefaultThrottles).IsErrorThrottle(err) == aws.TrueTernary
}

// Now is when DynamoDB answered, by its own clock, or own where it does not say: what
// instances say and what their lighthouse makes of it is told by one clock, whatever
// theirs show.
func Now(answer middleware.Metadata, own time.Time) time.Time {
	if at, ok := awsmiddleware.GetServerTime(answer); ok {
		return at
	}
	return own
}

// Key is that of the one item, in a table, of a region's beats.
func Key(table setting.Store, region string) map[string]types.AttributeValue {
	key := map[string]types.AttributeValue{table.PartitionKey: &types.AttributeValueMemberS{Value: setting.PulseItem(region)}}
	if table.SortKey != "" {
		key[table.SortKey] = &types.AttributeValueMemberS{Value: "pulse"}
	}
	return key
}

// Value is a beat as the attribute of the item that is called like its instance: the
// second of it, how many were in a row, and how many there were.
func (b Beat) Value() types.AttributeValue {
	return &types.AttributeValueMemberS{Value: fmt.Sprintf("%d %d %d", b.At.Unix(), b.InARow, b.Given)}
}

// Parse reads the beats of an item. What is not a beat, such as its key, is not among them.
// Another version's may lack the third number, whose instances have given enough, or have
// more behind it.
func Parse(item map[string]types.AttributeValue) map[string]Beat {
	beats := map[string]Beat{}
	for id, value := range item {
		text, ok := value.(*types.AttributeValueMemberS)
		if !ok || !strings.HasPrefix(id, "i-") {
			continue
		}
		fields := strings.Fields(text.Value)
		if len(fields) < 2 {
			continue
		}
		second, err := strconv.ParseInt(fields[0], 10, 64)
		if err != nil {
			continue
		}
		n, err := strconv.Atoi(fields[1])
		if err != nil {
			continue
		}
		given := inARow
		if len(fields) > 2 {
			if g, err := strconv.Atoi(fields[2]); err == nil {
				given = g
			}
		}
		beats[id] = Beat{time.Unix(second, 0), n, given}
	}
	return beats
}
