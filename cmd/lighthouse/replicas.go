package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/pulse"
	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// replicasEvery is how often other regions' items are read, and replicasWithin how long
// that may take, in what a look leaves of the function's time.
const (
	replicasEvery  = time.Minute
	replicasWithin = time.Second
)

// replicas are the tables as other regions' lighthouses write them, each an item of its own
// at least four times a minute: how old that is here is how far replication is behind, also
// where CloudWatch has no metric of it.
type replicas struct {
	client interface {
		GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	}
	tables  []setting.Store
	regions []string // the others
	now     func() time.Time

	mu    sync.Mutex
	asked time.Time
}

// ages returns how old the last write is that has arrived, by what it is of, at most once
// a minute and else nothing. What has never been written, or cannot be read, is left out.
func (r *replicas) ages(ctx context.Context) map[string]time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if len(r.regions) == 0 || now.Sub(r.asked) < replicasEvery {
		return nil
	}
	r.asked = now
	ctx, cancel := context.WithTimeout(ctx, replicasWithin)
	defer cancel()
	ages := map[string]time.Duration{}
	for _, t := range r.tables {
		for _, region := range r.regions {
			if age, err := r.age(ctx, t, region); err == nil {
				ages[t.Part+" from "+region] = age
			}
		}
	}
	return ages
}

func (r *replicas) age(ctx context.Context, t setting.Store, region string) (time.Duration, error) {
	read, err := r.client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &t.Table, Key: lighthouseKey(t, region)})
	if err != nil {
		return 0, err
	}
	at, ok := read.Item[lookedAt].(*types.AttributeValueMemberN)
	if !ok {
		return 0, fmt.Errorf("%s has written nothing yet", region)
	}
	nanoseconds, err := strconv.ParseInt(at.Value, 10, 64)
	if err != nil {
		return 0, err
	}
	return max(0, pulse.Now(read.ResultMetadata, r.now()).Sub(time.Unix(0, nanoseconds))), nil
}
