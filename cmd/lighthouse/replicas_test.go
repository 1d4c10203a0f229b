package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// TestAgeOfReplicas is that of the other region whose last write is the oldest, once a
// minute; a region that has never written has none, and nothing of it darkens the island.
func TestAgeOfReplicas(t *testing.T) {
	i := newIsland(t)
	written := func(region string, ago time.Duration) {
		t.Helper()
		item := lighthouseKey(setting.Store{PartitionKey: "pk", SortKey: "sk"}, region)
		item[lookedAt] = &types.AttributeValueMemberN{Value: strconv.FormatInt(time.Now().Add(-ago).UnixNano(), 10)}
		if _, err := dynamodb.NewFromConfig(i.aws).PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("orders"), Item: item}); err != nil {
			t.Fatal(err)
		}
	}
	says := func(when string, oldest time.Duration, of ...string) {
		t.Helper()
		i.out.Reset()
		if _, report := i.look(t); !report.Lit {
			t.Errorf("%s: it is dark: %+v", when, report)
		}
		var line struct {
			AWS struct {
				CloudWatchMetrics []struct{ Metrics []struct{ Name string } }
			} `json:"_aws"`
			ReplicationAge *float64
			Replicas       map[string]string
		}
		if err := json.Unmarshal(i.out.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		told := slices.ContainsFunc(line.AWS.CloudWatchMetrics[0].Metrics, func(m struct{ Name string }) bool { return m.Name == setting.ReplicationAgeMetric })
		if got := slices.Sorted(maps.Keys(line.Replicas)); !slices.Equal(got, of) || told != (len(of) > 0) || told != (line.ReplicationAge != nil) {
			t.Errorf("%s: it says %s, want %q", when, i.out.String(), of)
		} else if told && time.Duration(*line.ReplicationAge*float64(time.Second)).Round(time.Minute) != oldest {
			t.Errorf("%s: the oldest is %g s old, want about %s", when, *line.ReplicationAge, oldest)
		}
	}
	says("before anybody has written", 0)
	i.now = i.now.Add(replicasEvery)
	written("eu-west-1", 10*time.Minute)
	says("when one has", 10*time.Minute, "table orders from eu-west-1")
	says("within the minute", 0)
	i.now = i.now.Add(replicasEvery)
	written("ap-southeast-2", 0)
	says("when both have", 10*time.Minute, "table orders from ap-southeast-2", "table orders from eu-west-1")
	i.now = i.now.Add(replicasEvery)
	written("eu-west-1", 0)
	says("when it arrives", 0, "table orders from ap-southeast-2", "table orders from eu-west-1")
}
