package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/archipelago-cdk/archipelago/scaling"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

const (
	// bootsSince is how far back launches are looked at: beside 14 days of the load, more
	// would be a second page of metrics.
	bootsSince = 3 * 24 * time.Hour
	// boots is how many launches tell how long a boot takes.
	boots = 3
	// longestBoot is how long one may take; instances that need more are replaced.
	longestBoot = 15 * time.Minute
)

// change is something that the group began to do: a launch, or anything else.
type change struct {
	at       time.Time
	launches bool
}

// readBoots reads what the group did lately, the oldest first, and how many of its
// instances the load balancer had healthy.
func (c *controller) readBoots(ctx context.Context, p *past) error {
	out, err := c.autoscaling.DescribeScalingActivities(ctx, &autoscaling.DescribeScalingActivitiesInput{
		AutoScalingGroupName: &c.group, MaxRecords: aws.Int32(100),
	})
	if err != nil {
		return err
	}
	for _, a := range slices.Backward(out.Activities) {
		launched := a.StatusCode == types.ScalingActivityStatusCodeSuccessful && strings.HasPrefix(aws.ToString(a.Description), "Launching ")
		p.changes = append(p.changes, change{aws.ToTime(a.StartTime), launched})
	}
	return c.readSeries(ctx, []cloudwatchtypes.MetricDataQuery{
		query("healthy", "AWS/ApplicationELB", "HealthyHostCount", "Minimum", map[string]string{
			"LoadBalancer": fullName(c.loadBalancerARN), "TargetGroup": c.targetGroup,
		}),
	}, p.end.Add(-bootsSince), p.end, map[string]*scaling.Series{"healthy": &p.healthy})
}

// boot is how long instances took from their launch until the load balancer sent them
// requests, in whole minutes: the longest of the launches at which nothing else happened
// for longestBoot before, nor until they were healthy. 0 if there are too few.
func (p *past) boot() time.Duration {
	longest, n := time.Duration(0), 0
	for i := 1; i < len(p.changes); i++ { // what was before the first is not known
		first := p.changes[i]
		if !first.launches || first.at.Sub(p.changes[i-1].at) < longestBoot {
			continue
		}
		together := i + 1
		for together < len(p.changes) && p.changes[together].launches && p.changes[together].at.Sub(first.at) < time.Minute {
			together++
		}
		until := first.at.Add(longestBoot)
		if together < len(p.changes) && p.changes[together].at.Before(until) {
			until = p.changes[together].at
		}
		if took := p.healthyAfter(first.at, until, together-i); took > 0 {
			longest, n = max(longest, took), n+1
		}
	}
	if n < boots {
		return 0
	}
	return (longest + time.Minute - 1).Truncate(time.Minute)
}

// healthyAfter is how long it took from a time on until so many more instances were
// healthy, or 0 if they were not in time.
func (p *past) healthyAfter(from, until time.Time, more int) time.Duration {
	before := p.healthy.At(from.Truncate(time.Minute).Add(-time.Minute))
	if before == 0 {
		return 0
	}
	for _, point := range p.healthy.After(from) {
		if !point.At.Before(until) {
			break
		}
		if point.Value >= before+float64(more) {
			return point.At.Sub(from)
		}
	}
	return 0
}
