package constructs_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/constructs/fleet"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"
)

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// preferences matches those of the group's instance refresh.
func preferences(want properties) any {
	return properties{"UpdatePolicy": properties{"AutoScalingInstanceRefresh": properties{
		"Strategy": "Rolling", "Preferences": assertions.Match_ObjectLike(&want),
	}}}
}

func TestDeploymentTriesAQuarterFirst(t *testing.T) {
	newFleet(t, nil).HasResource(str("AWS::AutoScaling::AutoScalingGroup"), preferences(properties{
		"CheckpointPercentages": []any{25, 100}, "CheckpointDelay": 180, "BakeTime": 180, "SkipMatching": true,
	}))
}

func TestGuardStopsADeployment(t *testing.T) {
	template := newFleet(t, nil)
	for id := range *template.FindResources(str("AWS::CloudWatch::Alarm"), properties{
		"Properties": properties{"Threshold": 5, "TreatMissingData": "notBreaching"},
	}) {
		template.HasResource(str("AWS::AutoScaling::AutoScalingGroup"), preferences(properties{
			"AlarmSpecification": properties{"Alarms": []any{properties{"Ref": id}}},
		}))
		return
	}
	t.Error("there is no alarm")
}

func TestDeploymentWithoutAlarmRepairsWhatFails(t *testing.T) {
	newFleet(t, func(p *fleet.Props) { p.DisableDeploymentAlarm = true }).HasResource(str("AWS::AutoScaling::AutoScalingGroup"),
		preferences(properties{"AlarmSpecification": assertions.Match_Absent()}))
}

func TestInstancesDoNotGrowOld(t *testing.T) {
	has(newFleet(t, nil), "AWS::AutoScaling::AutoScalingGroup", properties{"MaxInstanceLifetime": 14 * 24 * 60 * 60})
}

func TestGroupFollowsAZonalShift(t *testing.T) {
	has(newFleet(t, nil), "AWS::AutoScaling::AutoScalingGroup", properties{
		"AvailabilityZoneImpairmentPolicy": properties{"ZonalShiftEnabled": true, "ImpairedZoneHealthCheckBehavior": "IgnoreUnhealthy"},
		"AvailabilityZoneDistribution":     properties{"CapacityDistributionStrategy": "balanced-best-effort"},
	})
}

func TestDisksAreEncrypted(t *testing.T) {
	has(newFleet(t, nil), "AWS::EC2::LaunchTemplate", properties{
		"LaunchTemplateData": assertions.Match_ObjectLike(&properties{
			"BlockDeviceMappings": []any{assertions.Match_ObjectLike(&properties{
				"Ebs": assertions.Match_ObjectLike(&properties{"Encrypted": true, "VolumeType": "gp3"}),
			})},
		}),
	})
}

// metric matches a target tracking policy.
func metric(name string, target int) properties {
	return properties{
		"PolicyType": "TargetTrackingScaling",
		"TargetTrackingConfiguration": assertions.Match_ObjectLike(&properties{
			"PredefinedMetricSpecification": assertions.Match_ObjectLike(&properties{"PredefinedMetricType": name}),
			"TargetValue":                   target,
		}),
	}
}

func TestFleetFollowsItsCPU(t *testing.T) {
	template := newFleet(t, nil)
	count(template, "AWS::AutoScaling::ScalingPolicy", 1)
	has(template, "AWS::AutoScaling::ScalingPolicy", metric("ASGAverageCPUUtilization", 55))
}

func TestFleetFollowsItsRequestsAndTheClock(t *testing.T) {
	template := newFleet(t, func(p *fleet.Props) {
		p.CPUTarget, p.RequestsPerTarget = 40, 6000
		p.Schedule = []fleet.Schedule{{Name: "Morning", Cron: "0 7 * * 1-5", Timezone: "Europe/Madrid", Min: 4}}
	})
	has(template, "AWS::AutoScaling::ScalingPolicy", metric("ASGAverageCPUUtilization", 40))
	has(template, "AWS::AutoScaling::ScalingPolicy", metric("ALBRequestCountPerTarget", 6000))
	has(template, "AWS::AutoScaling::ScheduledAction", properties{
		"Recurrence": "0 7 * * 1-5", "TimeZone": "Europe/Madrid", "MinSize": 4,
		"MaxSize": assertions.Match_Absent(), "DesiredCapacity": assertions.Match_Absent(),
	})
	// A deployment leaves the bounds that the clock has set.
	template.HasResource(str("AWS::AutoScaling::AutoScalingGroup"), properties{
		"UpdatePolicy": assertions.Match_ObjectLike(&properties{
			"AutoScalingScheduledAction": properties{"IgnoreUnmodifiedGroupSizeProperties": true},
		}),
	})
}

// agentOf sends what a fleet's instances print to a log group.
func agentOf(p *fleet.Props) *fleet.Agent {
	return &fleet.Agent{LogGroup: awslogs.LogGroup_FromLogGroupName(awscdk.Stack_Of(p.VPC), str("ServiceLog"), str("/test/service")), Deployment: "test"}
}

// actions are those that the fleet's role may use.
func actions(template assertions.Template) map[string]bool {
	found := map[string]bool{}
	for _, policy := range *template.FindResources(str("AWS::IAM::Policy"), nil) {
		for _, s := range (*policy)["Properties"].(properties)["PolicyDocument"].(properties)["Statement"].([]any) {
			switch a := s.(properties)["Action"].(type) {
			case string:
				found[a] = true
			case []any:
				for _, action := range a {
					found[action.(string)] = true
				}
			}
		}
	}
	return found
}

func TestSessionManagerIsOffUnlessAskedFor(t *testing.T) {
	const open = "ssmmessages:OpenDataChannel"
	if actions(newFleet(t, nil))[open] {
		t.Error("a plain fleet opens sessions")
	}
	if !actions(newFleet(t, func(p *fleet.Props) { p.SessionManager = true }))[open] {
		t.Errorf("a fleet with sessions may not %s", open)
	}
}

// userData is the script of a fleet's instances.
func userData(template assertions.Template) string {
	for _, r := range *template.FindResources(str("AWS::EC2::LaunchTemplate"), nil) {
		data := (*r)["Properties"].(properties)["LaunchTemplateData"].(properties)
		script, _ := data["UserData"].(properties)["Fn::Base64"].(string)
		return script
	}
	return ""
}

func TestAgentWritesItsLogAndMetricsOnly(t *testing.T) {
	template := newFleet(t, func(p *fleet.Props) { p.Agent = agentOf(p) })
	statement := func(s properties) {
		t.Helper()
		has(template, "AWS::IAM::Policy", properties{"PolicyDocument": assertions.Match_ObjectLike(&properties{
			"Statement": assertions.Match_ArrayWith(&[]any{s}),
		})})
	}
	statement(properties{
		"Action": []any{"logs:CreateLogStream", "logs:PutLogEvents"}, "Effect": "Allow",
		"Resource": "arn:aws:logs:eu-west-1:123456789012:log-group:/test/service:*",
	})
	statement(properties{
		"Action": "cloudwatch:PutMetricData", "Effect": "Allow", "Resource": "*",
		"Condition": properties{"StringEquals": properties{"cloudwatch:namespace": "Archipelago"}},
	})
}

// TestInstancesPutTheirLogs: into the bucket, below the service's name and nowhere
// else, and from before the service is fetched.
func TestInstancesPutTheirLogs(t *testing.T) {
	template := newFleet(t, func(p *fleet.Props) { p.LogsBucket = bucketNamed(awscdk.Stack_Of(p.VPC), "test-logs") })
	objects := properties{"Fn::Join": []any{"", []any{"arn:", properties{"Ref": "AWS::Partition"}, ":s3:::test-logs/instances/directory/*"}}}
	has(template, "AWS::IAM::Policy", properties{"PolicyDocument": assertions.Match_ObjectLike(&properties{
		"Statement": assertions.Match_ArrayWith(&[]any{properties{"Action": "s3:PutObject", "Effect": "Allow", "Resource": objects}}),
	})})
	has(template, "AWS::EC2::VPCEndpoint", properties{"PolicyDocument": assertions.Match_ObjectLike(&properties{
		"Statement": assertions.Match_ArrayWith(&[]any{assertions.Match_ObjectLike(&properties{"Action": "s3:*", "Resource": assertions.Match_ArrayWith(&[]any{objects})})}),
	})})
	script := userData(template)
	puts, fetches := strings.Index(script, "s3://test-logs/instances/directory/"), strings.Index(script, "s3://cdk-hnb659fds-assets-")
	if puts < 0 || fetches < puts || strings.Contains(script, "@NAME@") {
		t.Errorf("got %s", script)
	}
}

// TestInstancesFetchTheirSecrets: before the unit is started, which hands copies on,
// and only those that are named.
func TestInstancesFetchTheirSecrets(t *testing.T) {
	template := newFleet(t, func(p *fleet.Props) {
		p.Service.Secrets = map[string]string{"PASSWORD": "secret:hello/db+1", "API_KEY": "/hello/api-key", "OTHER": "/hello/other"}
	})
	for _, s := range []properties{{
		"Action": "ssm:GetParameter", "Effect": "Allow",
		"Resource": []any{"arn:aws:ssm:eu-west-1:123456789012:parameter/hello/api-key", "arn:aws:ssm:eu-west-1:123456789012:parameter/hello/other"},
	}, {
		"Action": "secretsmanager:GetSecretValue", "Effect": "Allow",
		"Resource": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:hello/db+1-??????",
	}} {
		has(template, "AWS::IAM::Policy", properties{"PolicyDocument": assertions.Match_ObjectLike(&properties{
			"Statement": assertions.Match_ArrayWith(&[]any{s}),
		})})
	}
	script := userData(template)
	from := 0
	for _, want := range []string{
		"chmod 0700 /etc/archipelago/secrets\n",
		`until value="$(aws "${@:2}" --region eu-west-1 --output text)"; do sleep 2; done` + "\n",
		"secret API_KEY ssm get-parameter --with-decryption --query Parameter.Value --name '/hello/api-key'\n",
		"secret OTHER ssm get-parameter --with-decryption --query Parameter.Value --name '/hello/other'\n",
		"secret PASSWORD secretsmanager get-secret-value --query SecretString --secret-id 'hello/db+1'\n",
		"\nLoadCredential=API_KEY:/etc/archipelago/secrets/API_KEY\nEnvironment=API_KEY_FILE=%d/API_KEY\n",
		"systemctl enable --now",
	} {
		at := strings.Index(script[from:], want)
		if at < 0 {
			t.Fatalf("want %q after the first %d bytes of\n%s", want, from, script)
		}
		from += at
	}
}

// TestCustomersKeys: instances decrypt by what they read from, and launch with the key
// that is named.
func TestCustomersKeys(t *testing.T) {
	const arn = "arn:aws:kms:eu-west-1:123456789012:key/12345678-1234-1234-1234-12345678901"
	template := newFleet(t, func(p *fleet.Props) {
		stack := awscdk.Stack_Of(p.VPC)
		p.DecryptionKeys = []awskms.IKey{awskms.Key_FromKeyArn(stack, jsii.String("Bootstrap"), jsii.String(arn+"1")), awskms.Key_FromKeyArn(stack, jsii.String("Secrets"), jsii.String(arn+"2"))}
		p.VolumeKey = awskms.Key_FromKeyArn(stack, jsii.String("Volumes"), jsii.String(arn+"3"))
	})
	has(template, "AWS::IAM::Policy", properties{"PolicyDocument": assertions.Match_ObjectLike(&properties{
		"Statement": assertions.Match_ArrayWith(&[]any{properties{
			"Action": "kms:Decrypt", "Effect": "Allow", "Resource": []any{arn + "1", arn + "2"},
			"Condition": properties{"StringEquals": properties{"kms:ViaService": []any{"s3.eu-west-1.amazonaws.com", "ssm.eu-west-1.amazonaws.com", "secretsmanager.eu-west-1.amazonaws.com"}}},
		}}),
	})})
	has(template, "AWS::EC2::LaunchTemplate", properties{"LaunchTemplateData": assertions.Match_ObjectLike(&properties{
		"BlockDeviceMappings": assertions.Match_ArrayWith(&[]any{assertions.Match_ObjectLike(&properties{
			"Ebs": assertions.Match_ObjectLike(&properties{"Encrypted": true, "KmsKeyId": arn + "3"}),
		})}),
	})})
}

// TestSecretsNamedLikePlaces: what a source says is not taken for a place in the script,
// where a setting would end the quotes around it, as root.
func TestSecretsNamedLikePlaces(t *testing.T) {
	script := userData(newFleet(t, func(p *fleet.Props) {
		p.Service.Secrets = map[string]string{"A": "secret:@ENVIRONMENT@", "B": "secret:@NAME@/@CREDENTIALS@"}
		p.Service.Environment = map[string]string{"X": "'; id; '", "Y": "@NAME@ @FETCHES@"}
	}))
	for _, want := range []string{"--secret-id '@ENVIRONMENT@'\n", "--secret-id '@NAME@/@CREDENTIALS@'\n", "\nX=\"'; id; '\"\n", "\nY=\"@NAME@ @FETCHES@\"\n"} {
		if strings.Count(script, want) != 1 {
			t.Errorf("want %q once in\n%s", want, script)
		}
	}
}

func TestSecretsThatNoScriptCanHoldAreRefused(t *testing.T) {
	for name, test := range map[string]struct{ name, source, want string }{
		"a name":      {"A-B", "/a", "want keys of Service.Secrets"},
		"a quote":     {"A", "/a'; id; '", "want a parameter's path"},
		"no path":     {"A", "a", "want a parameter's path"},
		"no name":     {"A", "secret:", "want a parameter's path"},
		"a setting's": {"B", "/b", "has B_FILE; leave it out"},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, test.want) {
					t.Errorf("got %s, want %q", got, test.want)
				}
			}()
			placeFleet(newStack(), t.TempDir(), func(p *fleet.Props) {
				p.Service.Environment = map[string]string{"B_FILE": "/b"}
				p.Service.Secrets = map[string]string{test.name: test.source}
			})
		})
	}
}

// TestAgentSendsOneMetricOfAllInstances: memory has no dimension but the
// deployment, the disk's others are dropped, and none is asked of EC2.
func TestAgentSendsOneMetricOfAllInstances(t *testing.T) {
	script := userData(newFleet(t, func(p *fleet.Props) { p.Agent = agentOf(p) }))
	_, rest, _ := strings.Cut(script, "cat >/etc/archipelago/agent.json <<'END'\n")
	text, _, found := strings.Cut(rest, "\nEND\n")
	if !found {
		t.Fatalf("no configuration of the agent in\n%s", script)
	}
	type input struct {
		Measurement []string
		Append      map[string]string `json:"append_dimensions"`
		Dropped     []string          `json:"drop_original_metrics"`
	}
	var c struct {
		Agent struct {
			Region       string
			OmitHostname bool `json:"omit_hostname"`
		}
		Metrics struct {
			Namespace  string
			Append     map[string]string         `json:"append_dimensions"`
			Aggregated [][]string                `json:"aggregation_dimensions"`
			Collected  struct{ Mem, Disk input } `json:"metrics_collected"`
		}
		Logs struct {
			Collected struct {
				Files struct {
					List []struct {
						Path  string `json:"file_path"`
						Group string `json:"log_group_name"`
					} `json:"collect_list"`
				}
			} `json:"logs_collected"`
		}
	}
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if c.Agent.Region != "eu-west-1" || !c.Agent.OmitHostname || c.Metrics.Append != nil || c.Metrics.Namespace != "Archipelago" {
		t.Errorf("got %+v", c)
	}
	ours := map[string]string{"Deployment": "test"}
	mem, disk := c.Metrics.Collected.Mem, c.Metrics.Collected.Disk
	if !maps.Equal(mem.Append, ours) || !maps.Equal(disk.Append, ours) || !slices.Equal(mem.Measurement, []string{"mem_used_percent"}) {
		t.Errorf("got %+v and %+v", mem, disk)
	}
	if len(mem.Dropped) > 0 || !slices.Equal(disk.Dropped, disk.Measurement) ||
		len(c.Metrics.Aggregated) != 1 || !slices.Equal(c.Metrics.Aggregated[0], []string{"Deployment"}) {
		t.Errorf("want the disk's metric aggregated and dropped, and memory as it is; got %+v", c.Metrics)
	}
	list := c.Logs.Collected.Files.List
	if len(list) != 1 || list[0].Group != "/test/service" || !strings.Contains(script, "StandardOutput=truncate:"+list[0].Path+"\nLimitFSIZE=") {
		t.Errorf("want the file that the log's unit writes, got %+v", list)
	}
}

// TestUserDataWithoutLogsHasNothingOfThem: an option that is off replaces no
// instance.
func TestUserDataWithoutLogsHasNothingOfThem(t *testing.T) {
	script := userData(newFleet(t, nil))
	if script == "" || strings.Contains(script, "agent") || strings.Contains(script, "secrets") || strings.Contains(script, "@") || strings.Contains(strings.ToLower(script), "journal") || !strings.HasSuffix(strings.TrimSpace(script), "systemctl enable --now --no-block directory.service") {
		t.Errorf("got %s", script)
	}
}

// TestFleetSurges: a minute near all of its CPU is enough for three times as many.
func TestFleetSurges(t *testing.T) {
	template := newFleet(t, func(props *fleet.Props) { props.Surge = true })
	has(template, "AWS::AutoScaling::ScalingPolicy", properties{
		"PolicyType": "StepScaling", "AdjustmentType": "PercentChangeInCapacity",
		"StepAdjustments": []any{properties{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 200}},
	})
	has(template, "AWS::CloudWatch::Alarm", properties{
		"MetricName": "CPUUtilization", "Period": 60, "EvaluationPeriods": 1, "Threshold": 85,
		"ComparisonOperator": "GreaterThanOrEqualToThreshold", "AlarmActions": []any{properties{}},
	})
}
