package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/archipelago-cdk/archipelago/scaling"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
)

// report is what a run decided, and why.
type report struct {
	Kind         scaling.Kind   `json:"kind"`
	InstanceType string         `json:"instanceType"`
	To           string         `json:"to"`
	Advice       bool           `json:"advice,omitempty"`
	Says         string         `json:"says"`
	Reason       scaling.Reason `json:"reason"`

	// Planned says what a run planned for the goal.
	Planned string `json:"planned,omitempty"`
	// ShiftUnknown is why it is not known whether a zone is avoided.
	ShiftUnknown string `json:"shiftUnknown,omitempty"`

	// The metrics, by the names that package setting has.
	Rung        int `json:"Rung"`
	Steps       int `json:"Steps"`
	StepsWanted int `json:"StepsWanted"`
	StepFailed  int `json:"StepFailed"`
	HotAtTheTop int `json:"HotAtTheTop"`
}

// failedFor is how long a step that failed is shown.
const failedFor = time.Hour

func newReport(l scaling.Ladder, o scaling.Observation, a scaling.Action, now time.Time) *report {
	one := func(yes bool) int {
		if yes {
			return 1
		}
		return 0
	}
	return &report{
		Kind: a.Kind, InstanceType: o.Parameter, To: a.To.Type, Advice: a.Advice, Says: a.Reason.String(), Reason: a.Reason,
		ShiftUnknown: o.ShiftUnknown,
		Rung:         l.Find(o.Parameter) + 1,
		Steps:        one(a.Kind != scaling.Stay && !a.Advice),
		StepsWanted:  one(a.Kind != scaling.Stay && a.Advice || a.Reason.Wants != ""),
		StepFailed:   one(o.Failed != nil && now.Before(o.Failed.At.Add(failedFor))),
		HotAtTheTop:  one(a.Reason.Code == scaling.Top),
	}
}

// print prints the report as a line that CloudWatch Logs turns into metrics.
// Source: Amazon CloudWatch User Guide, "Specification: Embedded metric format".
func (h *handler) print(r *report, now time.Time) error {
	type metric struct{ Name, Unit string }
	var metrics []metric
	for _, name := range []string{setting.RungMetric, setting.StepsMetric, setting.WantedMetric, setting.FailedMetric, setting.TopMetric} {
		metrics = append(metrics, metric{name, "Count"})
	}
	return json.NewEncoder(h.out).Encode(struct {
		AWS        map[string]any `json:"_aws"`
		Deployment string         `json:"Deployment"` // setting.MetricDimension
		*report
	}{
		AWS: map[string]any{
			"Timestamp": now.UnixMilli(),
			"CloudWatchMetrics": []any{map[string]any{
				"Namespace": setting.MetricNamespace, "Dimensions": [][]string{{setting.MetricDimension}}, "Metrics": metrics,
			}},
		},
		Deployment: h.controller.deployment,
		report:     r,
	})
}

// tell sends word of a step to those who get the alarms. They may hear of one
// twice.
func (c *controller) tell(ctx context.Context, what, text string) error {
	return c.send(ctx, "a change of the instance type "+what, text)
}

// sayOnce tells those who get the alarms of something, once while why is the same; said,
// of m, holds it. An empty why is that there is nothing to tell.
func (c *controller) sayOnce(ctx context.Context, m *memory, said *string, why, subject, text string) error {
	if why == *said {
		return nil
	}
	if why != "" {
		if err := c.send(ctx, subject, text); err != nil {
			return err
		}
	}
	*said = why
	return c.remember(ctx, *m)
}

func (c *controller) send(ctx context.Context, subject, text string) error {
	if c.topic == "" {
		return nil
	}
	_, err := c.sns.Publish(ctx, &sns.PublishInput{
		TopicArn: &c.topic,
		Subject:  aws.String(fmt.Sprintf("%s in %s: %s", c.deployment, c.region, subject)),
		Message:  aws.String(text + "\n"),
	})
	return err
}
