// Command scaler is the Lambda function that gives a region's fleet the instance
// type that its load asks for. A schedule runs it: each time it observes the
// fleet, has package scaling decide, and does what was decided by an instance
// refresh. It prints its decision and its metrics for CloudWatch.
//
// It may die at any moment: what it begins it writes down first, and the next run
// goes on from what it finds.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
	_ "time/tzdata" // windows have time zones, and Lambda may have no table of them

	"github.com/archipelago-cdk/archipelago/scaling"
	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
)

func main() {
	h, err := newHandler(context.Background(), os.Getenv, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "scaler:", err)
		os.Exit(1)
	}
	lambda.Start(h.handle)
}

// attempts is how often the SDK makes a call that is throttled or fails, waiting
// longer each time.
const attempts = 5

func newHandler(ctx context.Context, getenv func(string) string, out io.Writer) (*handler, error) {
	s, err := readSettings(getenv)
	if err != nil {
		return nil, err
	}
	config, err := config.LoadDefaultConfig(ctx, config.WithRetryer(func() aws.Retryer {
		return retry.AddWithMaxAttempts(retry.NewStandard(), attempts)
	}))
	if err != nil {
		return nil, fmt.Errorf("the AWS configuration cannot be read: %w", err)
	}
	return &handler{newController(s, config), out}, nil
}

// handler answers the schedule.
type handler struct {
	controller *controller
	out        io.Writer
}

// event is what the schedule sends. A run that is tried again has the time of the
// first try, so it looks at the same minutes.
type event struct {
	// Time is when the run was due. Default: now, which is right for one that an
	// operator asks for.
	Time time.Time `json:"time"`
}

// handle makes one run and prints what came of it: for the schedule, or for
// CloudFormation, whose requests have a type. A run that failed at what holds nothing up
// has decided, and prints that too.
func (h *handler) handle(ctx context.Context, message json.RawMessage) (*report, error) {
	r, at, err := h.dispatch(ctx, message)
	if r != nil {
		err = errors.Join(err, h.print(r, at))
	}
	if err != nil {
		return nil, errors.Join(err, json.NewEncoder(h.out).Encode(map[string]string{"level": "ERROR", "error": err.Error()}))
	}
	return r, nil
}

func (h *handler) dispatch(ctx context.Context, message json.RawMessage) (*report, time.Time, error) {
	var request cfn.Event
	if err := json.Unmarshal(message, &request); err == nil && request.RequestType != "" {
		return nil, time.Time{}, h.deployment(ctx, request)
	}
	var e event
	if err := json.Unmarshal(message, &e); err != nil {
		return nil, time.Time{}, fmt.Errorf("want a time as {\"time\": \"2026-01-02T15:04:05Z\"}, got %s: %w", message, err)
	}
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	now := e.Time.UTC()
	// Neither waits for what the other one cannot do.
	tended := h.controller.tend(ctx, now)
	if h.controller.policy.Mode == scaling.Off {
		return nil, now, tended
	}
	r, err := h.controller.run(ctx, now)
	return r, now, errors.Join(tended, err)
}
