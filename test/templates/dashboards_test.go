package templates_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/matrix"
)

// TestDashboardsNameWhatExists: a graph of a name that nothing has is empty for ever, and
// neither CloudFormation nor CloudWatch says so. What a stack itself fills in is not
// looked at.
func TestDashboardsNameWhatExists(t *testing.T) {
	properties := map[string][2]string{ // by their dimensions
		"AutoScalingGroupName": {"AWS::AutoScaling::AutoScalingGroup", "AutoScalingGroupName"},
		"TableName":            {"AWS::DynamoDB::GlobalTable", "TableName"},
		"SourceBucket":         {"AWS::S3::Bucket", "BucketName"},
		"DestinationBucket":    {"AWS::S3::Bucket", "BucketName"},
	}
	seen := map[string]bool{}
	matrix.Each(t, func(t *testing.T, a matrix.Assembly) {
		exists := map[[2]string]map[any]bool{}
		for _, stack := range a.Stacks {
			for _, r := range stack.Resources(t) {
				for _, property := range properties {
					if r.Type == property[0] {
						if exists[property] == nil {
							exists[property] = map[any]bool{}
						}
						exists[property][r.Properties[property[1]]] = true
					}
				}
			}
		}
		for name, stack := range a.Stacks {
			for id, r := range stack.Resources(t) {
				if r.Type != "AWS::CloudWatch::Dashboard" {
					continue
				}
				for _, metric := range metricsOf(t, r.Properties["DashboardBody"]) {
					for i := 2; i+1 < len(metric); i += 2 {
						property, ok := properties[fmt.Sprint(metric[i])]
						if !ok || metric[i+1] == filledIn {
							continue
						}
						seen[fmt.Sprint(metric[i])] = true
						if !exists[property][metric[i+1]] {
							t.Errorf("%s, %s: %v, of which there is none", name, id, metric)
						}
					}
				}
			}
		}
	})
	if matrix.Whole() && len(seen) < len(properties) {
		t.Errorf("only %v have been seen", seen)
	}
}

// filledIn stands for what CloudFormation fills in.
const filledIn = "FILLED IN"

// metricsOf are the metrics of a dashboard's graphs, as CloudWatch takes them: a
// namespace, a name, and dimensions and their values in turn.
func metricsOf(t *testing.T, body any) (metrics [][]any) {
	t.Helper()
	parts, ok := body.(map[string]any)["Fn::Join"].([]any)
	if !ok {
		t.Fatalf("want a dashboard that is joined, got %v", body)
	}
	var text strings.Builder
	for _, part := range parts[1].([]any) {
		if literal, ok := part.(string); ok {
			text.WriteString(literal)
		} else {
			text.WriteString(filledIn)
		}
	}
	var dashboard struct {
		Widgets []struct {
			Properties struct{ Metrics [][]any }
		}
	}
	if err := json.Unmarshal([]byte(text.String()), &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, widget := range dashboard.Widgets {
		metrics = append(metrics, widget.Properties.Metrics...)
	}
	return metrics
}
