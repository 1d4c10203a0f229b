package emulator_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/al2023"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	autoscalingtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"
)

// TestReservedConcurrencyNeedsAQuota that a new account may not have.
func TestReservedConcurrencyNeedsAQuota(t *testing.T) {
	for quota, want := range map[int]types.StackStatus{0: types.StackStatusCreateComplete, 10: types.StackStatusRollbackComplete} {
		t.Run(fmt.Sprint(quota), func(t *testing.T) {
			s := newStack(t)
			emulatortest.Set(t, s.control, emulator.Settings{Concurrency: quota})
			parts := function(t, s.control, s.name)
			parts["Function"].(map[string]any)["Properties"].(map[string]any)["ReservedConcurrentExecutions"] = 1
			s.deploy(t, want, parts)
			if quota > 0 && !strings.Contains(s.reasons(t), "below its minimum value of [10]") {
				t.Errorf("it failed otherwise: %s", s.reasons(t))
			}
		})
	}
}

// TestEventInvokeConfig (rule R37): how long a function's events are kept, and how often
// those that it fails on are tried again, is what the template says, and else Lambda's own.
func TestEventInvokeConfig(t *testing.T) {
	s := newStack(t)
	parts := function(t, s.control, s.name)
	s.deploy(t, types.StackStatusCreateComplete, parts)
	kept := func(age, attempts int) {
		t.Helper()
		fleet, err := s.control.Fleet(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(fleet.Functions, func(f emulator.Function) bool { return f.Name == s.name })
		if f := fleet.Functions[i]; f.MaxEventAge != age || f.RetryAttempts != attempts {
			t.Errorf("events are kept for %d s, and tried again %d times, want %d and %d", f.MaxEventAge, f.RetryAttempts, age, attempts)
		}
	}
	kept(6*3600, 2)
	parts["Config"] = map[string]any{"Type": "AWS::Lambda::EventInvokeConfig", "Properties": map[string]any{
		"FunctionName": map[string]any{"Ref": "Function"}, "Qualifier": "$LATEST", "MaximumEventAgeInSeconds": 900, "MaximumRetryAttempts": 0,
	}}
	s.deploy(t, types.StackStatusUpdateComplete, parts)
	kept(900, 0)
}

// TestQuotasOfVPCsAndAddresses: a stack that needs one more than there may be is rolled
// back.
func TestQuotasOfVPCsAndAddresses(t *testing.T) {
	control := emulatortest.Start(t, emulator.Options{}) // others' VPCs count
	template := resources{
		"VPC": map[string]any{"Type": "AWS::EC2::VPC", "Properties": map[string]any{"CidrBlock": "10.9.0.0/16"}},
		"IP":  map[string]any{"Type": "AWS::EC2::EIP", "DependsOn": "VPC", "Properties": map[string]any{"Domain": "vpc"}},
	}
	for i, test := range []struct {
		settings emulator.Settings
		reason   string // or ""
	}{
		{emulator.Settings{VPCs: 1}, "VpcLimitExceeded"}, // the default one
		{emulator.Settings{VPCs: 2, Addresses: 1}, ""},
		{emulator.Settings{Addresses: 1}, "AddressLimitExceeded"},
	} {
		emulatortest.Set(t, control, test.settings)
		s := &stack{Client: cloudformation.NewFromConfig(emulatortest.Config(control, "eu-west-1")), control: control, name: fmt.Sprintf("quota%d", i)}
		status := types.StackStatusCreateComplete
		if test.reason != "" {
			status = types.StackStatusRollbackComplete
		}
		s.deploy(t, status, template)
		if test.reason != "" && !strings.Contains(s.reasons(t), test.reason) {
			t.Errorf("it failed otherwise than by %s: %s", test.reason, s.reasons(t))
		}
	}
}

// TestRegionThatIsNotEnabled refuses every call, and no table has a replica in it.
func TestRegionThatIsNotEnabled(t *testing.T) {
	const region = "af-south-1"
	s := newStack(t)
	emulatortest.Set(t, s.control, emulator.Settings{NotEnabled: []string{region}})
	there := emulatortest.Config(s.control, region)
	for code, call := range map[string]func() error{
		"InvalidClientTokenId": func() error {
			_, err := cloudformation.NewFromConfig(there).DescribeStacks(t.Context(), nil)
			return err
		},
		"UnrecognizedClientException": func() error {
			_, err := dynamodb.NewFromConfig(there).ListTables(t.Context(), nil)
			return err
		},
		"UnrecognizedClientException of Lambda": func() error {
			_, err := lambda.NewFromConfig(there).ListFunctions(t.Context(), nil)
			return err
		},
		"AuthFailure": func() error {
			_, err := ec2.NewFromConfig(there).DescribeVpcs(t.Context(), nil)
			return err
		},
		"InvalidToken": func() error {
			_, err := s3.NewFromConfig(there, func(o *s3.Options) { o.UsePathStyle = true }).ListBuckets(t.Context(), nil)
			return err
		},
	} {
		var refused smithy.APIError
		code, _, _ = strings.Cut(code, " ")
		if err := call(); !errors.As(err, &refused) || refused.ErrorCode() != code {
			t.Errorf("got %v, want %s", err, code)
		}
	}
	s.deploy(t, types.StackStatusRollbackComplete, s.replicated(false, "eu-west-1", region))
	if !strings.Contains(s.reasons(t), region+" is not enabled") {
		t.Errorf("it failed otherwise: %s", s.reasons(t))
	}
}

// TestCertificateOfAZoneThatIsNotDelegated is never proved.
func TestCertificateOfAZoneThatIsNotDelegated(t *testing.T) {
	for host, want := range map[string]types.StackStatus{"staff.example.com": types.StackStatusRollbackComplete, "staff.myexample.com": types.StackStatusCreateComplete} {
		t.Run(host, func(t *testing.T) {
			s := newStack(t)
			emulatortest.Set(t, s.control, emulator.Settings{NotDelegated: []string{"example.com"}})
			s.deploy(t, want, resources{"Certificate": map[string]any{"Type": "AWS::CertificateManager::Certificate", "Properties": map[string]any{"DomainName": host, "ValidationMethod": "DNS"}}})
			if want == types.StackStatusRollbackComplete && !strings.Contains(s.reasons(t), "VALIDATION_TIMED_OUT") {
				t.Errorf("it failed otherwise: %s", s.reasons(t))
			}
		})
	}
}

// desire sets the group's count and returns it, and why no more could be launched.
func (g *group) desire(t *testing.T, count int32) (int, string) {
	t.Helper()
	if _, err := g.SetDesiredCapacity(t.Context(), &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: &g.name, DesiredCapacity: &count}); err != nil {
		t.Fatal(err)
	}
	out, err := g.DescribeScalingActivities(t.Context(), &autoscaling.DescribeScalingActivitiesInput{AutoScalingGroupName: &g.name, MaxRecords: aws.Int32(1)})
	if err != nil || len(out.Activities) != 1 {
		t.Fatalf("got %v, %v", out, err)
	}
	why := ""
	if a := out.Activities[0]; a.StatusCode == autoscalingtypes.ScalingActivityStatusCodeFailed {
		why = aws.ToString(a.StatusMessage)
	}
	return len(g.now(t).Instances), why
}

func (g *group) zones(t *testing.T) []string {
	t.Helper()
	var zones []string
	for _, i := range g.now(t).Instances {
		zones = append(zones, *i.AvailabilityZone)
	}
	slices.Sort(zones)
	return zones
}

func TestQuotaOfVCPUs(t *testing.T) {
	g := newGroup(t)
	emulatortest.Set(t, g.control, emulator.Settings{VCPUs: 1})
	if n, why := g.desire(t, 3); n != 2 || !strings.Contains(why, "VcpuLimitExceeded") {
		t.Errorf("there are %d instances: %s", n, why)
	}
	// It is tried again.
	emulatortest.Set(t, g.control, emulator.Settings{})
	emulatortest.Advance(t, g.control, 2*time.Minute)
	if n := len(g.now(t).Instances); n != 3 {
		t.Errorf("there are %d instances when there is a quota", n)
	}
}

func TestZonesWithoutATypeOrCapacity(t *testing.T) {
	const a, b, instanceType = "eu-west-1a", "eu-west-1b", "m7g.medium"
	g := newGroup(t)
	if got := g.zones(t); !slices.Equal(got, []string{a, b}) {
		t.Errorf("the instances are in %s", got)
	}
	emulatortest.Set(t, g.control, emulator.Settings{NoCapacity: map[string][]string{a: {instanceType}}})
	if n, why := g.desire(t, 4); n != 4 || why != "" || !slices.Equal(g.zones(t), []string{a, b, b, b}) {
		t.Errorf("the instances are in %s: %s", g.zones(t), why)
	}
	g.desire(t, 2)
	emulatortest.Set(t, g.control, emulator.Settings{NoCapacity: map[string][]string{a: {instanceType}}, NotOffered: map[string][]string{b: {instanceType}}})
	if n, why := g.desire(t, 3); n != 2 || !strings.Contains(why, "InsufficientInstanceCapacity") && !strings.Contains(why, "not supported in your requested Availability Zone") {
		t.Errorf("there are %d instances: %s", n, why)
	}
	out, err := ec2.NewFromConfig(emulatortest.Config(g.control, "eu-west-1")).DescribeInstanceTypeOfferings(t.Context(), &ec2.DescribeInstanceTypeOfferingsInput{
		LocationType: ec2types.LocationTypeAvailabilityZone,
		Filters:      []ec2types.Filter{{Name: aws.String("instance-type"), Values: []string{instanceType}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range out.InstanceTypeOfferings {
		if *o.Location == b {
			t.Error("a type is offered that the zone does not have")
		}
	}
	// A refresh without capacity goes on for an hour, and says why.
	g.desire(t, 2)
	everywhere := map[string][]string{a: {"m7g.large"}, b: {"m7g.large"}}
	emulatortest.Set(t, g.control, emulator.Settings{NoCapacity: everywhere})
	g.setAlarm(t, "OK")
	if err := g.step(t, "m7g.large"); err != nil {
		t.Fatal(err)
	}
	took := g.await(t, autoscalingtypes.InstanceRefreshStatusRollbackSuccessful, 2*time.Hour, none)
	if why := aws.ToString(g.latest(t).RollbackDetails.RollbackReason); took < 59*time.Minute || !strings.Contains(why, "InsufficientInstanceCapacity") {
		t.Errorf("it took %s: %s", took, why)
	}
}

// TestImageOfAnotherArchitecture launches nothing, and says why.
func TestImageOfAnotherArchitecture(t *testing.T) {
	parameters := ssm.NewFromConfig(emulatortest.Config(emulatortest.Shared(t), "eu-west-1"))
	for architecture, want := range map[string]int{"arm64": 3, "x86_64": 0} {
		image, err := parameters.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String(al2023.Parameter(architecture))})
		if err != nil {
			t.Fatal(err)
		}
		t.Run(architecture, func(t *testing.T) {
			n, why := newGroupOf(t, fmt.Sprintf(`{"ImageId": %q}`, *image.Parameter.Value)).desire(t, 3)
			mismatch := strings.Contains(why, "The architecture 'arm64' of the specified instance type does not match the architecture 'x86_64' of the specified AMI.")
			if n != want || mismatch != (want == 0) {
				t.Errorf("there are %d instances of m7g.medium: %s", n, why)
			}
		})
	}
}

// TestZonesInAnotherOrder: an update finds other subnets' zones than the last one.
func TestZonesInAnotherOrder(t *testing.T) {
	s := newStack(t)
	first := func() resources {
		return resources{"Zone": parameter("/"+s.name, map[string]any{"Fn::Select": []any{0, map[string]any{"Fn::GetAZs": ""}}})}
	}
	s.deploy(t, types.StackStatusCreateComplete, first())
	if got := s.value(t, "/"+s.name); got != "eu-west-1a" {
		t.Errorf("the first zone is %s", got)
	}
	emulatortest.Set(t, s.control, emulator.Settings{Zones: map[string][]string{"eu-west-1": {"eu-west-1c", "eu-west-1a"}}})
	s.deploy(t, types.StackStatusUpdateComplete, first().with(resources{"More": parameter("/"+s.name+"/more", "x")}))
	if got := s.value(t, "/"+s.name); got != "eu-west-1c" {
		t.Errorf("the first zone is %s", got)
	}
}

// TestPermissionsHoldAfterADelay: who asks too early is denied what the role has.
func TestPermissionsHoldAfterADelay(t *testing.T) {
	s := newStack(t)
	s.put(t, "/"+s.name, "x")
	emulatortest.Set(t, s.control, emulator.Settings{PermissionDelay: 30})
	a := account{s.control, emulatortest.Config(s.control, "eu-west-1")}
	may := a.role(t, `{"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": "*"}`)
	may.Region = "eu-west-1"
	get := func() error {
		_, err := ssm.NewFromConfig(may).GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/" + s.name)})
		return err
	}
	wantError(t, get(), "AccessDeniedException", "ssm:GetParameter")
	emulatortest.Advance(t, s.control, 31*time.Second)
	if err := get(); err != nil {
		t.Error(err)
	}
}

// TestSecondProviderIsRefused: also where the first is another stack's.
func TestSecondProviderIsRefused(t *testing.T) {
	provider := resources{"Provider": map[string]any{"Type": "AWS::IAM::OIDCProvider", "Properties": map[string]any{
		"Url": "https://token.example.com", "ClientIdList": []string{"sts.amazonaws.com"},
	}}}
	first, second := newStack(t), newStack(t)
	second.name += "-second"
	first.deploy(t, types.StackStatusCreateComplete, provider)
	second.deploy(t, types.StackStatusRollbackComplete, provider)
	first.delete(t)
	second.name += "-again"
	second.deploy(t, types.StackStatusCreateComplete, provider)
	second.delete(t)
}
