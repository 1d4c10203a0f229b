// Command lighthouse is the Lambda function that a region's load balancer asks
// whether the island can do its work. It answers 200 or 503, with a JSON body
// that says which part failed, and prints its metrics for CloudWatch.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/pulse"
	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/archipelago-cdk/archipelago/service/lighthouse"
	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// lookWithin is less than the function's own time limit, so that what does not
// answer is named.
const lookWithin = 6 * time.Second

func main() {
	h, err := newHandler(context.Background(), os.Getenv, os.Stdout, time.Now)
	if err != nil {
		fmt.Fprintln(os.Stderr, "lighthouse:", err)
		os.Exit(1)
	}
	lambda.Start(h.handle)
}

// patience is how AWS is asked: a call that failed is made again four times, within a
// second, so that the few calls of a look end within it.
func patience() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.MaxBackoff, o.RateLimiter = 5, 200*time.Millisecond, ratelimit.None
	})
}

// unlessThrottled is a check that also passes where the store refuses calls for being too
// many: users can cause that, and the others' region would be next.
func unlessThrottled(try lighthouse.Check) lighthouse.Check {
	return func(ctx context.Context) error {
		if err := try(ctx); !pulse.Throttled(err) {
			return err
		}
		return nil
	}
}

// handler answers the load balancer.
type handler struct {
	lighthouse lighthouse.Lighthouse
	replicas   *replicas
	deployment string
	out        io.Writer
	now        func() time.Time
}

func newHandler(ctx context.Context, getenv func(string) string, out io.Writer, now func() time.Time) (*handler, error) {
	for _, name := range []string{setting.Region, setting.Deployment, setting.DrainParameter} {
		if getenv(name) == "" {
			return nil, fmt.Errorf("%s is not set", name)
		}
	}
	stores, err := setting.ParseWatched(getenv(setting.Watched))
	if err != nil {
		return nil, err
	}
	region := getenv(setting.Region)
	settings, err := config.LoadDefaultConfig(ctx, config.WithRegion(region), config.WithRetryer(patience))
	if err != nil {
		return nil, fmt.Errorf("the AWS configuration cannot be read: %w", err)
	}
	buckets := s3.NewFromConfig(settings, func(o *s3.Options) {
		o.UsePathStyle = settings.BaseEndpoint != nil      // an emulator's has no name for each bucket
		o.DisableLogOutputChecksumValidationSkipped = true // of an object without one, at each look
	})
	drain := &drainSwitch{
		client:    ssm.NewFromConfig(settings),
		parameter: getenv(setting.DrainParameter),
		always:    getenv(setting.Drained) == "true",
		now:       now,
	}
	tables := dynamodb.NewFromConfig(settings)
	tableOf := func(s setting.Store) table {
		return table{client: tables, store: s, region: region, now: now}
	}
	others := &replicas{client: tables, now: now}
	if regions := getenv(setting.ReplicaRegions); regions != "" {
		others.regions = strings.Split(regions, ",")
	}
	checks := map[string]lighthouse.Check{}
	for _, s := range stores {
		if s.Table != "" && !s.ReadOnly {
			others.tables = append(others.tables, s)
		}
		if s.Table != "" {
			checks[s.Part] = unlessThrottled(tableOf(s).try)
		} else {
			checks[s.Part] = unlessThrottled((&bucket{client: buckets, store: s, key: setting.LighthouseObject(region), content: region, now: now}).try)
		}
	}
	var reaches func(context.Context) (string, error)
	if group := getenv(setting.PulseGroup); group != "" {
		table, ok := setting.PulseTable(stores)
		reaches = fleet{
			tables: tables, groups: autoscaling.NewFromConfig(settings), table: table, hasTable: ok, region: region, group: group, now: now,
			try: tableOf(table).try,
		}.silence
	}
	var fails func(context.Context) (string, error)
	if alarm := getenv(setting.BalancerAlarm); alarm != "" {
		fails = (&balancer{client: cloudwatch.NewFromConfig(settings), alarm: alarm, now: now}).failure
	}
	return &handler{
		lighthouse: lighthouse.Lighthouse{
			Checks:   checks,
			Fleet:    reaches,
			Balancer: fails,
			Drained:  drain.drained,
			Within:   lookWithin,
		},
		replicas:   others,
		deployment: getenv(setting.Deployment),
		out:        out,
		now:        now,
	}, nil
}

// handle answers one request or health check.
func (h *handler) handle(ctx context.Context, _ events.ALBTargetGroupRequest) (events.ALBTargetGroupResponse, error) {
	report := h.lighthouse.Look(ctx)
	if err := h.printMetrics(report, h.replicas.ages(ctx)); err != nil {
		return events.ALBTargetGroupResponse{}, err
	}
	body, err := json.Marshal(report)
	if err != nil {
		return events.ALBTargetGroupResponse{}, err
	}
	status := http.StatusOK
	if !report.Lit {
		status = http.StatusServiceUnavailable
	}
	return events.ALBTargetGroupResponse{
		StatusCode:        status,
		StatusDescription: strconv.Itoa(status) + " " + http.StatusText(status),
		Headers:           map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store"},
		Body:              string(body) + "\n",
	}, nil
}

// printMetrics prints the report as a line that CloudWatch Logs turns into
// metrics. Source: Amazon CloudWatch User Guide, "Specification: Embedded
// metric format".
func (h *handler) printMetrics(report lighthouse.Report, ages map[string]time.Duration) error {
	drained := 0
	if report.Drained {
		drained = 1
	}
	type metric struct{ Name, Unit string }
	metrics := []metric{{setting.FailingMetric, "Count"}, {setting.DrainedMetric, "Count"}, {setting.UnknownMetric, "Count"}}
	var oldest time.Duration
	replicas := map[string]string{}
	for of, age := range ages {
		oldest, replicas[of] = max(oldest, age), age.Round(time.Second).String()
	}
	if len(ages) > 0 {
		metrics = append(metrics, metric{setting.ReplicationAgeMetric, "Seconds"})
	}
	line := map[string]any{
		"_aws": map[string]any{
			"Timestamp": h.now().UnixMilli(),
			"CloudWatchMetrics": []any{map[string]any{
				"Namespace":  setting.MetricNamespace,
				"Dimensions": [][]string{{setting.MetricDimension}},
				"Metrics":    metrics,
			}},
		},
		setting.MetricDimension: h.deployment,
		setting.FailingMetric:   report.Failing,
		setting.DrainedMetric:   drained,
		setting.UnknownMetric:   report.Unknown,
		"parts":                 report.Parts,
	}
	if len(ages) > 0 {
		line[setting.ReplicationAgeMetric], line["replicas"] = oldest.Seconds(), replicas
	}
	return json.NewEncoder(h.out).Encode(line)
}
