package constructs_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/constructs/fleet"
	"github.com/archipelago-cdk/archipelago/constructs/lighthouse"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
)

// withPulse has a fleet's instances say that stores answer them.
func withPulse(p *fleet.Props) {
	stack := awscdk.Stack_Of(p.VPC)
	p.Pulse = &fleet.Pulse{Binary: "pulse_test.go", Stores: []fleet.Store{ // any file
		{Part: "table prices", Table: tableNamed(stack, "prices"), PartitionKey: "sku", ReadOnly: true},
		{Part: "bucket files", Bucket: bucketNamed(stack, "files")},
		{Part: "table orders", Table: tableNamed(stack, "orders"), PartitionKey: "customer", SortKey: "number"},
		{Part: "table notes", Table: tableNamed(stack, "notes"), PartitionKey: "id"},
	}}
}

// programs are what instances may read of the bootstrap's bucket, which has more.
var programs = "arn:aws:s3:::cdk-hnb659fds-assets-123456789012-eu-west-1/" + strings.Repeat("?", 64)

// TestPulseTouchesOnlyItsOwn: it writes one item of the first table that may be written.
func TestPulseTouchesOnlyItsOwn(t *testing.T) {
	template := newFleet(t, withPulse)
	own := properties{"ForAllValues:StringEquals": properties{"dynamodb:LeadingKeys": []any{"pulse#eu-west-1"}}}
	for _, statement := range []properties{
		{"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": []any{
			"arn:aws:dynamodb:eu-west-1:123456789012:table/notes", "arn:aws:dynamodb:eu-west-1:123456789012:table/prices",
		}, "Condition": own},
		{"Effect": "Allow", "Action": "s3:GetObject", "Resource": []any{
			programs + ".bin", programs + ".go", "arn:aws:s3:::files/lighthouse/eu-west-1",
		}},
		{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::files"},
		{"Effect": "Allow", "Action": []any{"dynamodb:GetItem", "dynamodb:UpdateItem"}, "Resource": "arn:aws:dynamodb:eu-west-1:123456789012:table/orders", "Condition": own},
	} {
		has(template, "AWS::IAM::Policy", properties{"PolicyDocument": assertions.Match_ObjectLike(&properties{
			"Statement": assertions.Match_ArrayWith(&[]any{statement}),
		})})
	}
	may := actions(template)
	for action := range may {
		switch action {
		case "dynamodb:GetItem", "dynamodb:UpdateItem", "s3:GetObject", "s3:ListBucket":
		default:
			t.Errorf("the role may %s", action)
		}
	}
}

// TestPulseStartsBesideTheService: after it and before what waits for its first answer,
// and with what the lighthouse is told.
func TestPulseStartsBesideTheService(t *testing.T) {
	script := userData(newFleet(t, func(p *fleet.Props) {
		withPulse(p)
		p.Agent = agentOf(p)
	}))
	const start = "systemctl enable --now --no-block directory"
	service, pulse, agent := strings.Index(script, start+".service\n"), strings.Index(script, start+"-pulse.service\n"), strings.Index(script, "# What may wait")
	if service < 0 || pulse < service || agent < pulse {
		t.Errorf("want the service, its pulse, then the agent, got %s", script)
	}
	for _, want := range []string{
		"AWS_REGION=eu-west-1\nWATCHED=\"[{\\\"part\\\":\\\"table prices\\\",\\\"table\\\":\\\"prices\\\"", "aws s3 cp --region eu-west-1 's3://cdk-hnb659fds-assets-123456789012-eu-west-1/",
		"ExecStart=/usr/local/bin/directory-pulse\n", "CPUQuota=", "MemoryMax=64M",
	} {
		if !strings.Contains(script, want) {
			t.Errorf("the user data lacks %q:\n%s", want, script)
		}
	}
	if strings.Contains(script, "@PULSE") || strings.Contains(script, "\nPULSE=") {
		t.Errorf("a placeholder is left in\n%s", script)
	}
}

// TestFleetWithoutATableHasNoPulse: there is nowhere to write it.
func TestFleetWithoutATableHasNoPulse(t *testing.T) {
	template := newFleet(t, func(p *fleet.Props) {
		withPulse(p)
		p.Pulse.Stores = p.Pulse.Stores[:2]
	})
	if script := userData(template); strings.Contains(script, "Description=Pulse") || !strings.Contains(script, "\nPULSE=\"absent\"\n") {
		t.Errorf("it has one, or its service does not learn that there is none:\n%s", script)
	}
	if actions(template)["dynamodb:GetItem"] {
		t.Error("the role may read tables")
	}
}

// TestPulseNeedsNamesThatAreKnown: the user data cannot quote what CloudFormation fills in.
func TestPulseNeedsNamesThatAreKnown(t *testing.T) {
	defer func() {
		if got := fmt.Sprint(recover()); !strings.HasPrefix(got, "fleet: Pulse.Stores: want names") {
			t.Errorf("got %s", got)
		}
	}()
	newFleet(t, func(p *fleet.Props) {
		withPulse(p)
		p.Pulse.Stores[1].Bucket = awss3.NewBucket(awscdk.Stack_Of(p.VPC), str("Made"), nil)
	})
}

// TestLighthouseHearsThePulse: it reads the item of the first table that may be written,
// and asks which instances run.
func TestLighthouseHearsThePulse(t *testing.T) {
	template := lighthouseTemplate(t, func(p *lighthouse.Props) { p.PulseGroup = "test-fleet" })
	has(template, "AWS::Lambda::Function", properties{
		"Environment": properties{"Variables": assertions.Match_ObjectLike(&properties{"PULSE_GROUP": "test-fleet"})},
	})
	for _, statement := range []properties{
		{
			"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": "arn:aws:dynamodb:eu-west-1:123456789012:table/orders",
			"Condition": properties{"ForAllValues:StringEquals": properties{"dynamodb:LeadingKeys": []any{"pulse#eu-west-1"}}},
		},
		{"Effect": "Allow", "Action": "autoscaling:DescribeAutoScalingGroups", "Resource": "*"},
	} {
		has(template, "AWS::IAM::Policy", properties{"PolicyDocument": assertions.Match_ObjectLike(&properties{
			"Statement": assertions.Match_ArrayWith(&[]any{statement}),
		})})
	}
	without := lighthouseTemplate(t, func(p *lighthouse.Props) { p.PulseGroup, p.Stores = "test-fleet", p.Stores[1:] })
	if actions(without)["autoscaling:DescribeAutoScalingGroups"] {
		t.Error("it may ask for the fleet, of which it hears nothing")
	}
}
