// Command pulse runs beside the service on each instance of a fleet. Every ten seconds
// it reads the stores that the island cannot work without and, if all of them answer,
// says so in a table, from which the island's lighthouse learns what the fleet reaches.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/pulse"
	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// beatWithin is less than pulse.Every, so that what hangs is one beat that is missed.
const beatWithin = 8 * time.Second

// patience is how a table is asked: more often than usual, so that one that refuses most
// calls for being too many still takes a beat, and soon enough for two calls, each of which
// is tried again for 3.5 s at most.
func patience() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.MaxBackoff, o.RateLimiter = 8, 500*time.Millisecond, ratelimit.None
	})
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Getenv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "pulse:", err)
		os.Exit(1)
	}
}

// run beats until ctx ends.
func run(ctx context.Context, getenv func(string) string, out io.Writer) error {
	region := getenv(setting.Region)
	if region == "" {
		return fmt.Errorf("%s is not set", setting.Region)
	}
	stores, err := setting.ParseWatched(getenv(setting.Watched))
	if err != nil {
		return err
	}
	table, ok := setting.PulseTable(stores)
	if !ok {
		return fmt.Errorf("%s: want a table that may be written", setting.Watched)
	}
	settings, err := config.LoadDefaultConfig(ctx, config.WithRegion(region))
	if err != nil {
		return fmt.Errorf("the AWS configuration cannot be read: %w", err)
	}
	h := &heart{
		tables: dynamodb.NewFromConfig(settings, func(o *dynamodb.Options) { o.Retryer = patience() }),
		buckets: s3.NewFromConfig(settings, func(o *s3.Options) {
			o.UsePathStyle = settings.BaseEndpoint != nil // an emulator's has no name for each bucket
			// An object without a checksum is no news, each ten seconds in the service's log.
			o.DisableLogOutputChecksumValidationSkipped = true
		}),
		metadata: imds.NewFromConfig(settings),
		stores:   stores, table: table, region: region, now: time.Now,
	}
	ticks := time.NewTicker(pulse.Every)
	defer ticks.Stop()
	var failing time.Time
	for {
		within, cancel := context.WithTimeout(ctx, beatWithin)
		err := h.beat(within)
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && failing.IsZero():
			failing = h.now()
			fmt.Fprintf(out, "pulse: it misses a beat: %v\n", err)
		case err == nil && !failing.IsZero():
			fmt.Fprintf(out, "pulse: it beats again after %s\n", h.now().Sub(failing).Round(time.Second))
			failing = time.Time{}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
		}
	}
}
