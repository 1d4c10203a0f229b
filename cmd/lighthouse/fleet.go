package main

import (
	"context"
	"fmt"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/pulse"
	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/archipelago-cdk/archipelago/service/lighthouse"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// groupWithin is how long Auto Scaling is waited for: less than a look may take, so
// that what is known without it counts.
const groupWithin = 2 * time.Second

// fleet hears the pulse of the region's instances.
type fleet struct {
	tables interface {
		GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	}
	groups   autoscaling.DescribeAutoScalingGroupsAPIClient
	table    setting.Store // that of the pulse
	hasTable bool
	region   string
	group    string // the Auto Scaling group's name
	now      func() time.Time
	// try reads and writes the table as the lighthouse does.
	try func(context.Context) error
}

// silence is a lighthouse's Fleet. Where the table refuses calls for being too many it may
// have refused the beats.
func (f fleet) silence(ctx context.Context) (string, error) {
	if !f.hasTable {
		return "", lighthouse.Absent("instances say nothing, since no watched table may be written")
	}
	read, err := f.tables.GetItem(ctx, &dynamodb.GetItemInput{TableName: &f.table.Table, Key: pulse.Key(f.table, f.region)})
	if err != nil {
		return "", err
	}
	silence, err := pulse.Silence(pulse.Parse(read.Item), func() ([]string, error) { return f.running(ctx) }, pulse.Now(read.ResultMetadata, f.now()))
	if silence == "" {
		return "", err
	}
	if err := f.try(ctx); pulse.Throttled(err) {
		return "", fmt.Errorf("%s, but the table refuses calls for being too many: %w", silence, err)
	}
	return silence, nil
}

// running are the ids of the group's instances in service.
func (f fleet) running(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, groupWithin)
	defer cancel()
	out, err := f.groups.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{f.group}})
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, g := range out.AutoScalingGroups {
		for _, i := range g.Instances {
			if i.LifecycleState == types.LifecycleStateInService {
				ids = append(ids, *i.InstanceId)
			}
		}
	}
	return ids, nil
}
