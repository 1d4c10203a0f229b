package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// alarmFor is how long an alarm's state is remembered, and alarmKeptFor how long while
// CloudWatch does not answer. alarmWithin is how long that is waited for: less than a look
// may take, so that what is known without it counts.
const (
	alarmFor     = 30 * time.Second
	alarmKeptFor = 5 * time.Minute
	alarmWithin  = 2 * time.Second
)

// balancer hears the alarm on what the load balancer fails by itself.
type balancer struct {
	client cloudwatch.DescribeAlarmsAPIClient
	alarm  string // its name
	now    func() time.Time

	mu     sync.Mutex
	reason string
	err    error
	asked  time.Time // for both
	heard  time.Time // reason, without an error
}

// failure is a lighthouse's Balancer. An answer stands for a while, an error too, and the
// last answer longer where there is no other, so that an island that is dark is not lit by
// one call that fails.
func (b *balancer) failure(ctx context.Context) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if b.asked.IsZero() || now.Sub(b.asked) >= alarmFor {
		reason, err := b.ask(ctx)
		b.asked = now
		switch {
		case err == nil:
			b.reason, b.err, b.heard = reason, nil, now
		case b.heard.IsZero() || now.Sub(b.heard) >= alarmKeptFor:
			b.reason, b.err = "", err
		}
	}
	return b.reason, b.err
}

func (b *balancer) ask(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, alarmWithin)
	defer cancel()
	out, err := b.client.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{b.alarm}})
	if err != nil {
		return "", err
	}
	if len(out.MetricAlarms) != 1 {
		return "", fmt.Errorf("there is no alarm %s", b.alarm)
	}
	switch state := out.MetricAlarms[0].StateValue; state {
	case types.StateValueOk:
		return "", nil
	case types.StateValueAlarm:
		return fmt.Sprintf("it answers users with 500 by itself, by the alarm %s", b.alarm), nil
	default:
		return "", fmt.Errorf("the alarm %s is in %s", b.alarm, state)
	}
}
