package main

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/logging"
)

// How calls of AWS are made for requests. Several attempts fit into the time that
// a request has for its stores, 2.5 s: one that is lost is made up for by the next.
const (
	attempts      = 3
	dialWithin    = 500 * time.Millisecond
	answerWithin  = time.Second // from the end of the request to the answer's headers
	backOffWithin = 100 * time.Millisecond
	// idleConnections are as many as requests may be in flight without a new
	// handshake; the SDK keeps ten.
	idleConnections = 100
)

// impatient are the options of clients that requests wait for.
func impatient(log *slog.Logger) []func(*config.LoadOptions) error {
	client := awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialWithin }).
		WithTransportOptions(func(t *http.Transport) {
			t.TLSHandshakeTimeout = answerWithin
			t.ResponseHeaderTimeout = answerWithin
			t.MaxIdleConnsPerHost = idleConnections
		})
	retryer := func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts = attempts
			// Of a strong table's two writes at once in two regions DynamoDB refuses one,
			// which may be made again; the SDK does not know.
			o.Retryables = append(o.Retryables, retry.RetryableErrorCode{Codes: map[string]struct{}{
				(*types.ReplicatedWriteConflictException)(nil).ErrorCode(): {},
			}})
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return rand.N(backOffWithin), nil })
		})
	}
	return []func(*config.LoadOptions) error{
		config.WithHTTPClient(client), config.WithRetryer(retryer), config.WithLogger(sdkLog{log}),
	}
}

// awsConfig is how AWS's clients are made in region.
func awsConfig(ctx context.Context, region string, options ...func(*config.LoadOptions) error) (aws.Config, error) {
	quiet := []func(*config.LoadOptions) error{config.WithRegion(region), config.WithLogger(logging.Nop{})}
	made, err := config.LoadDefaultConfig(ctx, append(quiet, options...)...)
	if err != nil {
		return aws.Config{}, fmt.Errorf("the AWS configuration cannot be read: %w", err)
	}
	return made, nil
}

// sdkLog takes the warnings of the SDK, which else are written elsewhere and in
// another form.
type sdkLog struct{ log *slog.Logger }

// Logf implements logging.Logger.
func (l sdkLog) Logf(classification logging.Classification, format string, values ...any) {
	if classification == logging.Warn {
		l.log.Warn("the AWS SDK warns", "warning", fmt.Sprintf(format, values...))
	}
}
