package fleet

import (
	_ "embed"
	"encoding/json"

	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"
)

// Agent is what each instance's CloudWatch agent sends: the service's log, and
// how much of its memory and of its disk is used, in percent, each minute, as
// setting.MemoryMetric and setting.DiskMetric of the whole fleet.
type Agent struct {
	// LogGroup takes the log, a stream for each instance. Required.
	LogGroup awslogs.ILogGroup `required:"true"`
	// Deployment is the deployment's name, the metrics' one dimension. Required.
	Deployment string `required:"true"`
}

//go:embed agent.sh
var agentScript string

// configuration is the agent's. The region is stated and no dimension is asked
// of EC2, so that the agent needs the endpoints of logs and metrics and no
// other. Source: Amazon CloudWatch User Guide, "Manually create or edit the
// CloudWatch agent configuration file".
func (a Agent) configuration(service, region string) string {
	dimensions := map[string]string{setting.MetricDimension: a.Deployment}
	b, err := json.MarshalIndent(map[string]any{
		"agent": map[string]any{
			"region":                      region,
			"metrics_collection_interval": 60,
			// Without the host, all instances' numbers are one metric.
			"omit_hostname": true,
		},
		"metrics": map[string]any{
			"namespace": setting.MetricNamespace,
			"metrics_collected": map[string]any{
				"mem": map[string]any{
					"measurement":       []string{setting.MemoryMetric},
					"append_dimensions": dimensions,
				},
				"disk": map[string]any{
					"resources":         []string{"/"},
					"measurement":       []string{setting.DiskMetric},
					"append_dimensions": dimensions,
					"drop_device":       true,
					// A disk's metric has its path and file system too; only what is
					// made of it below is sent.
					"drop_original_metrics": []string{setting.DiskMetric},
				},
			},
			"aggregation_dimensions": [][]string{{setting.MetricDimension}},
		},
		"logs": map[string]any{
			"logs_collected": map[string]any{"files": map[string]any{"collect_list": []any{map[string]any{
				"file_path":       "/var/log/" + service + ".log",
				"log_group_name":  a.LogGroup.LogGroupName(),
				"log_stream_name": "{instance_id}",
			}}}},
		},
	}, "", "  ")
	if err != nil {
		panic(err) // maps of strings, numbers and booleans
	}
	return string(b)
}

// grant lets the agent write the log and its metrics, and nothing else.
func (a Agent) grant(role awsiam.Role) {
	a.LogGroup.GrantWrite(role)
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:    jsii.Strings("cloudwatch:PutMetricData"),
		Resources:  jsii.Strings("*"), // the action knows no resources
		Conditions: &map[string]any{"StringEquals": map[string]any{"cloudwatch:namespace": setting.MetricNamespace}},
	}))
}
