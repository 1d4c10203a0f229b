package templates_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/matrix"
)

// suppression is a finding of cdk-nag that is meant to be.
type suppression struct {
	// finding is the rule with what it found in brackets, resource the path of
	// the construct within its stack.
	finding, resource string
	// reason is why it is right.
	reason string
}

// suppressions are all findings that are meant to be, in any configuration.
var suppressions = []suppression{
	{`AwsSolutions-AS3`, `Fleet/Group/ASG`,
		"That the fleet grows and shrinks is its work: it is in the group's activities and metrics. Alarms tell of what somebody has to look at."},
	{`CdkNagValidationFailure\[AwsSolutions-EC26\]`, `Fleet/Group/ASG`,
		"The rule cannot follow a mixed instances policy to its launch template. TestDisksAreEncrypted does."},
	{`AwsSolutions-EC23`, `LoadBalancer/SecurityGroup/Resource`,
		"The load balancer serves the world, on its listeners' ports alone; an accelerator keeps clients' addresses, so an internal one sees them too."},
	{`AwsSolutions-IAM5\[Resource::\*\]`, `Lighthouse/Role/DefaultPolicy/Resource`,
		"Auto Scaling tells which instances a group has by an action that knows no resources."},
	{`AwsSolutions-VPC7`, `Network/Vpc/Resource`,
		"Only without flowLogs."},
	{`AwsSolutions-IAM4\[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole\]`, `AwsCallRole/Resource`,
		"CDK's own function, which makes a deployment's calls: the policy lets it write its log. What it calls is in statements written out."},
	{`AwsSolutions-IAM5\[Resource::arn:aws:ssm:\*:\d+:parameter/[a-z0-9-]+/entry/listener-arn\]`, `AwsCallRole/DefaultPolicy/Resource`,
		"The listener is published under one name in every region. A region that joins changes no policy, which would be in force too late; see docs/decisions.md."},
	{`AwsSolutions-IAM5\[Resource::arn:<AWS::Partition>:s3:::[a-z0-9-]+-photos-\d+-\*(/employees/\*)?\]`, `(AwsCallRole/DefaultPolicy|Replication/Photos/Policy|Fleet/Role/DefaultPolicy)/Resource`,
		"The photo buckets of all regions, which differ in the region at the end of their names, for the same reason."},
	{`AwsSolutions-IAM5\[Resource::arn:<AWS::Partition>:s3:::[a-z0-9-]+-photos-\d+-[a-z0-9-]+/employees/\*\]`, `Fleet/Role/DefaultPolicy/Resource`,
		"A photo's key is made of its content: all of this prefix, and nothing else in the bucket, are photos."},
	{`AwsSolutions-IAM5\[Resource::arn:aws:ec2:[a-z0-9-]+:\d+:instance/\*\]`, `Fleet/Role/DefaultPolicy/Resource`,
		"Only with ssm: an instance's agent registers itself, and the instance's id is not known before it starts."},
	{`AwsSolutions-IAM5\[Resource::arn:aws:logs:[a-z0-9-]+:\d+:log-group:/[a-z0-9-]+/service:\*\]`, `Fleet/Role/DefaultPolicy/Resource`,
		"Only with logs in CloudWatch: the streams of the service's log group, one for each instance, whose id is not known before it starts."},
	{`AwsSolutions-IAM5\[Resource::arn:<AWS::Partition>:s3:::[a-z0-9-]+-logs-\d+-[a-z0-9-]+/instances/directory/\*\]`, `Fleet/Role/DefaultPolicy/Resource`,
		"An instance puts its log, of a name with the time and its id, below the service's prefix, which holds nothing else."},
	{`AwsSolutions-IAM5\[Resource::\*\]`, `Fleet/Role/DefaultPolicy/Resource`,
		"Only with ssm and with logs in CloudWatch: the actions of ssmmessages that open a session, and cloudwatch:PutMetricData, know no resources. The latter is bound to our namespace."},
	{`AwsSolutions-IAM5\[Resource::\*\]`, `Scaler/Role/DefaultPolicy/Resource`,
		"Descriptions of Auto Scaling, load balancers and EC2, and CloudWatch's metrics, know no resources; a zonal shift's is bound by a condition."},
	{`AwsSolutions-IAM5\[Resource::arn:aws:cloudwatch:[a-z0-9-]+:\d+:alarm:\*\]`, `(Lighthouse|Scaler)/Role/DefaultPolicy/Resource`,
		"To describe an alarm by its name is to list alarms."},
	{`AwsSolutions-IAM5\[Resource::arn:aws:autoscaling:[a-z0-9-]+:\d+:autoScalingGroup:\*:autoScalingGroupName/[a-z0-9-]+-fleet\]`, `Scaler/Role/DefaultPolicy/Resource`,
		"The fleet's group and no other: what is open is the id that AWS gives it, beside its name."},
	{`AwsSolutions-IAM5\[Resource::arn:aws:ec2:[a-z0-9-]+:\d*:(instance|volume|network-interface|image)/\*\]`, `Scaler/Role/DefaultPolicy/Resource`,
		"An instance refresh takes the right to launch from the fleet's launch template. Conditions bind it to that template, to images of Amazon and of the account, and to the ladder's types."},
	{`AwsSolutions-IAM5\[Resource::\*\]`, `GitHub/Read/Resource`,
		"Only with github: descriptions of the account, of quotas and of what may be in a deployment's way, as for the doctor. None reads data, and decryption is denied."},
	{`AwsSolutions-IAM5\[Resource::arn:aws:(cloudformation:\*:\d+:stack/[a-z0-9-]+-\*|dynamodb:\*:\d+:table/[a-z0-9-]+-\*|sns:\*:\d+:[a-z0-9-]+-\*|s3:::[a-z0-9-]+-\*|ssm:\*:\d+:parameter/[a-z0-9/-]+(/\*)?)\]`, `GitHub/Read/Resource`,
		"Only with github: what the deployment's name, or the bootstrap's, begins, in every region. A region that joins changes no policy."},
	{`AwsSolutions-IAM5\[Resource::arn:aws:iam::\d+:role/cdk-[a-z0-9]+-(deploy|file-publishing|lookup)-role-\d+-\*\]`, `GitHub/Deployer/DefaultPolicy/Resource`,
		"Only with github: the roles that CDK's bootstrap has for deployments, in every region."},
}

// matches reports whether s is about a finding.
func (s suppression) matches(finding, resource string) bool {
	whole := func(pattern, text string) bool { return regexp.MustCompile("^(?:" + pattern + ")$").MatchString(text) }
	return whole(s.finding, finding) && whole(s.resource, resource)
}

// TestCdkNagFindsNothingNew checks every configuration against the rules of
// AWS Solutions.
func TestCdkNagFindsNothingNew(t *testing.T) {
	used := map[int]bool{}
	matrix.Each(t, func(t *testing.T, a matrix.Assembly) {
		found := 0
		for name, stack := range a.Stacks {
			for _, f := range stack.Findings {
				if !strings.HasPrefix(f.Rule, "AwsSolutions-") && !strings.HasPrefix(f.Rule, "CdkNag") {
					continue
				}
				found++
				i := slices.IndexFunc(suppressions, func(s suppression) bool { return s.matches(f.Rule, f.Resource) })
				used[i] = true
				if i < 0 {
					t.Errorf("%s/%s: %s: %s", name, f.Resource, f.Rule, f.Message)
				}
			}
		}
		if found == 0 {
			t.Error("cdk-nag found nothing, not even what is suppressed: did it run?")
		}
	})
	for i, s := range suppressions {
		if matrix.Whole() && !used[i] {
			t.Errorf("%s of %s suppresses nothing that none before it does: remove it", s.finding, s.resource)
		}
	}
}
