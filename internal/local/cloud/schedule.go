package cloud

import (
	"context"
	"strings"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
)

// scheduledTime is what an input has where the time of the invocation belongs.
// Source: EventBridge Scheduler User Guide, "Adding context attributes".
const scheduledTime = "<aws.scheduler.scheduled-time>"

// invoke calls the functions that are due, each for the first time one interval
// after its schedule was seen. One that fails is not tried again before its next
// time.
func (f *fleet) invoke(ctx context.Context, deployed emulator.Fleet) {
	now, due := deployed.Clock.Now, map[string]time.Time{}
	for _, s := range deployed.Schedules {
		every := time.Duration(s.Every) * time.Second
		at, known := f.due[s.ARN]
		switch {
		case !known:
			at = now.Add(every)
		case !now.Before(at):
			f.invokeOne(ctx, s, at)
			at = at.Add(every)
			if at.Before(now) { // times that nobody was there for
				at = now.Add(every)
			}
		}
		due[s.ARN] = at
	}
	f.due = due
}

func (f *fleet) invokeOne(ctx context.Context, s emulator.Schedule, at time.Time) {
	input := strings.ReplaceAll(s.Input, scheduledTime, at.UTC().Format(time.RFC3339))
	f.done.Go(func() {
		if _, err := f.functions.Invoke(ctx, s.Target, []byte(input)); err != nil && ctx.Err() == nil {
			f.log.Printf("%s: %v", s.ARN, err)
		}
	})
}
