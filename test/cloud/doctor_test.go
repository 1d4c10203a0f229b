package cloud_test

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/command/doctor"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/archipelago-cdk/archipelago/internal/matrix"
	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// illness is what an account may have at which no resource of a stack fails, but its fleet:
// instances do not boot, or are not launched.
type illness struct {
	name string
	// fall makes the account ill, and returns keys of the configuration that say what it has
	// not: of the service, or of the region. It has until the test ends to recover.
	fall func(t *testing.T, a *ill) (service, region map[string]any)
	// doctor is what the doctor's line says, and fails what the deployment's failure does.
	doctor, fails string
	// prints is what an instance's console has of it, where there is one.
	prints string
	gate   bool
}

const (
	notHealthy  = "a new instance is not healthy"
	notReplaced = "no instance was replaced"
)

var illnesses = []illness{
	{name: "lacks a secret", doctor: "there is no secret hello/lacking, without which no instance boots", fails: notHealthy, prints: "not authorized to perform: secretsmanager:GetSecretValue on resource: hello/lacking", gate: true,
		fall: func(*testing.T, *ill) (service, region map[string]any) {
			return secret("secret:hello/lacking"), nil
		}},
	{name: "lacks a parameter", doctor: "there is no parameter /hello/lacking, without which no instance boots", fails: notHealthy, prints: "ParameterNotFound",
		fall: func(*testing.T, *ill) (service, region map[string]any) {
			return secret("/hello/lacking"), nil
		}},
	{name: "deletes a secret", doctor: "the secret hello/deleted is to be deleted", fails: notHealthy, prints: "InvalidRequestException",
		fall: func(t *testing.T, a *ill) (service, region map[string]any) {
			a.makeSecret(t, "hello/deleted", nil)
			_, err := a.secrets().DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: sdk.String("hello/deleted")})
			must(t, err)
			return secret("secret:hello/deleted"), nil
		}},
	{name: "has a secret with a key that instances may not use", doctor: "and no instance may decrypt it", fails: notHealthy, prints: "AccessDenied",
		fall: func(t *testing.T, a *ill) (service, region map[string]any) {
			a.makeSecret(t, "hello/closed", sdk.String(a.makeKey(t)))
			return secret("secret:hello/closed"), nil
		}},
	{name: "has a secret with a key that is disabled", doctor: "which is Disabled: enable it, or encrypt with another one", fails: notHealthy, prints: "AccessDenied",
		fall: func(t *testing.T, a *ill) (service, region map[string]any) {
			key := a.makeKey(t)
			a.makeSecret(t, "hello/disabled", &key)
			a.disable(t, key)
			return secret("secret:hello/disabled"), map[string]any{"kms": map[string]any{"decrypt": []any{key}}}
		}},
	{name: "has a secret whose key is gone", doctor: "and there is no such key", fails: notHealthy, prints: "AccessDenied",
		fall: func(t *testing.T, a *ill) (service, region map[string]any) {
			key := a.makeKey(t) + "0"
			a.makeSecret(t, "hello/gone", &key)
			return secret("secret:hello/gone"), nil
		}},
	{name: "has no way to S3", doctor: "there is no way from subnet-0d0c2a00 to com.amazonaws.eu-west-1.s3, so no instance gets the service", fails: notHealthy, prints: "aws s3 cp --region eu-west-1 s3://cdk-hnb659fds-assets-",
		fall: func(t *testing.T, a *ill) (service, region map[string]any) {
			client := ec2.NewFromConfig(administrator(a.running, "eu-west-1"))
			out, err := client.DescribeRouteTables(t.Context(), &ec2.DescribeRouteTablesInput{Filters: []ec2types.Filter{{Name: sdk.String("vpc-id"), Values: []string{existingVPC}}}})
			must(t, err)
			everywhere := sdk.String("0.0.0.0/0")
			for _, table := range out.RouteTables {
				for _, r := range table.Routes {
					if sdk.ToString(r.DestinationCidrBlock) != *everywhere {
						continue
					}
					_, err := client.DeleteRoute(t.Context(), &ec2.DeleteRouteInput{RouteTableId: table.RouteTableId, DestinationCidrBlock: everywhere})
					must(t, err)
					t.Cleanup(func() {
						_, err := client.CreateRoute(context.Background(), &ec2.CreateRouteInput{RouteTableId: table.RouteTableId, DestinationCidrBlock: everywhere, GatewayId: r.GatewayId})
						must(t, err)
					})
				}
			}
			return nil, nil
		}},
	{name: "has volumes with a key that Auto Scaling may not use", doctor: "which Auto Scaling may not use, so no instance launches", fails: notReplaced,
		fall: func(t *testing.T, a *ill) (service, region map[string]any) {
			return nil, volumes(a.makeKey(t))
		}},
	{name: "has volumes with a key that is disabled", doctor: "with which volumes are encrypted, is Disabled", fails: notReplaced,
		fall: func(t *testing.T, a *ill) (service, region map[string]any) {
			key := a.makeKey(t)
			a.disable(t, key)
			return nil, volumes(key)
		}},
	{name: "has volumes with a key that there is not", doctor: ", with which volumes are encrypted: correct archipelago.regions[].kms.volume", fails: notReplaced,
		fall: func(*testing.T, *ill) (service, region map[string]any) {
			return nil, volumes("arn:aws:kms:eu-west-1:" + matrix.Account + ":key/12345678-1234-1234-1234-123456789012")
		}},
	{name: "has suspended launches", doctor: "Launch of archipelago-fleet is suspended, so no instance is replaced", fails: "Launch is suspended, so that no instance is replaced",
		fall: func(t *testing.T, a *ill) (service, region map[string]any) {
			client := autoscaling.NewFromConfig(administrator(a.running, "eu-west-1"))
			group, processes := sdk.String("archipelago-fleet"), []string{"Launch"}
			_, err := client.SuspendProcesses(t.Context(), &autoscaling.SuspendProcessesInput{AutoScalingGroupName: group, ScalingProcesses: processes})
			must(t, err)
			t.Cleanup(func() {
				_, err := client.ResumeProcesses(context.Background(), &autoscaling.ResumeProcessesInput{AutoScalingGroupName: group, ScalingProcesses: processes})
				must(t, err)
			})
			return nil, nil
		}},
	{name: "may run no more vCPUs", doctor: "are taken by fleet.min of m7g.medium and one more", fails: notReplaced,
		fall: func(t *testing.T, a *ill) (service, region map[string]any) {
			emulatortest.Set(t, a.control, emulator.Settings{VCPUs: 2})
			return nil, nil
		}},
	{name: "has no zone that offers the type", doctor: "none of its zones offers m7g.medium", fails: notReplaced,
		fall: func(t *testing.T, a *ill) (service, region map[string]any) {
			emulatortest.Set(t, a.control, emulator.Settings{NotOffered: map[string][]string{"eu-west-1a": {"m7g.medium"}, "eu-west-1b": {"m7g.medium"}}})
			return nil, nil
		}},
}

// TestWhatTheDoctorForbids: where the doctor says that a deployment would fail, and no
// resource of a stack is refused, one does fail: its new instances are never healthy, or
// never launched, and the fleet is back at what it ran.
func TestWhatTheDoctorForbids(t *testing.T) {
	t.Parallel()
	a := beginIll(t)
	for _, i := range illnesses {
		if !i.gate && !matrix.All() {
			continue
		}
		t.Run("an account that "+i.name, func(t *testing.T) {
			service, region := i.fall(t, a)
			configuration := a.configuration(i.name, service, region)
			if said := a.diagnosis(t, configuration); !strings.Contains(said, i.doctor) {
				t.Errorf("the doctor does not say %q:\n%s", i.doctor, said)
			}
			before, pace := a.consoles(t), float64(building)
			if i.fails == notReplaced { // nothing boots meanwhile
				pace = busy
			}
			a.pace(t, pace)
			took, why := a.update(t, serveWith(t, configuration))
			a.pace(t, building)
			t.Logf("rolled back after %s at pace %.0f: %s", took, pace, why)
			if !strings.Contains(why, i.fails) {
				t.Errorf("the failure is %q, want it to say %q", why, i.fails)
			}
			for _, console := range a.consoles(t) {
				printed, err := os.ReadFile(console)
				must(t, err)
				if !slices.Contains(before, console) && !strings.Contains(string(printed), i.prints) {
					t.Errorf("an instance did not print %q:\n%s", i.prints, printed)
				}
			}
			if err := allHealthy(t, a.running, 2); err != nil {
				t.Error(err)
			}
		})
	}
	if said := a.diagnosis(t, a.configuration("well", nil, nil)); !strings.Contains(said, " 0 fail\n") {
		t.Errorf("it is well again, and the doctor says:\n%s", said)
	}
}

// ill is an account, with the service of ./serve in a network that exists.
type ill struct {
	*day
	root string
}

const existingVPC = "vpc-0d0c2000"

var existingSubnets = map[string]any{"a": "subnet-0d0c2a00", "b": "subnet-0d0c2b00"}

func beginIll(t *testing.T) *ill {
	a := &ill{root: t.TempDir()}
	modules, err := filepath.Abs("../../node_modules")
	must(t, err)
	must(t, os.Symlink(modules, filepath.Join(a.root, "node_modules")))
	well := a.configuration("well", nil, nil)
	a.write(t, well)
	o := options(t.TempDir(), serveWith(t, well))
	o.Root = a.root
	running := up(t, o)
	a.day = &day{dir: o.Dir, running: running, control: emulator.Control{URL: running.Emulator}}
	return a
}

// configuration is one with keys of the service and of the region laid over.
func (a *ill) configuration(build string, service, region map[string]any) map[string]any {
	s := map[string]any{
		"name": "serve", "package": "./test/cloud/serve", "port": 8080.0, "health": "/health",
		"environment": map[string]any{"BEHAVIOUR": "an account that " + build},
	}
	maps.Copy(s, service)
	r := map[string]any{"name": "eu-west-1", "cidr": "172.23.0.0/16", "vpc": map[string]any{
		"id": existingVPC, "fleetSubnets": existingSubnets, "loadBalancerSubnets": existingSubnets,
	}}
	maps.Copy(r, region)
	return map[string]any{
		"regions": []any{r}, "profile": "trial", "service": s,
		"fleet": map[string]any{"min": 2.0, "max": 2.0, "ladder": []any{"m7g.medium"}, "startAt": "m7g.medium", "vertical": "off"},
	}
}

// write has a configuration be that of the checkout.
func (a *ill) write(t *testing.T, configuration map[string]any) {
	t.Helper()
	b, err := json.Marshal(map[string]any{"context": map[string]any{"archipelago": configuration}})
	must(t, err)
	must(t, os.WriteFile(filepath.Join(a.root, "cdk.json"), b, 0o644))
}

// diagnosis is what the doctor says of a configuration.
func (a *ill) diagnosis(t *testing.T, configuration map[string]any) string {
	t.Helper()
	a.write(t, configuration)
	var output bytes.Buffer
	err := doctor.Run(t.Context(), []string{"-root", a.root, "-dir", a.dir}, &output)
	if said := output.String(); (err == nil) != strings.Contains(said, " 0 fail\n") || strings.Contains(said, "not looked at") {
		t.Errorf("%v:\n%s", err, said)
	}
	return output.String()
}

// consoles are the files of what the instances print, the ended ones' too.
func (a *ill) consoles(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(a.dir, "logs", "eu-west-1", "*.log"))
	must(t, err)
	return paths
}

func (a *ill) secrets() *secretsmanager.Client {
	return secretsmanager.NewFromConfig(administrator(a.running, "eu-west-1"))
}

func (a *ill) makeSecret(t *testing.T, name string, key *string) {
	t.Helper()
	_, err := a.secrets().CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: sdk.String("x"), KmsKeyId: key})
	must(t, err)
}

// makeKey makes one whose policy leaves it to IAM's who may use it, and returns its ARN.
func (a *ill) makeKey(t *testing.T) string {
	t.Helper()
	policy := `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::` + matrix.Account + `:root"}, "Action": "kms:*", "Resource": "*"}]}`
	out, err := kms.NewFromConfig(administrator(a.running, "eu-west-1")).CreateKey(t.Context(), &kms.CreateKeyInput{Policy: &policy})
	must(t, err)
	return *out.KeyMetadata.Arn
}

func (a *ill) disable(t *testing.T, key string) {
	t.Helper()
	_, err := kms.NewFromConfig(administrator(a.running, "eu-west-1")).DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: sdk.String(key[strings.LastIndex(key, "/")+1:])})
	must(t, err)
}

func secret(source string) map[string]any {
	return map[string]any{"secrets": map[string]any{"TOKEN": source}}
}

func volumes(key string) map[string]any {
	return map[string]any{"kms": map[string]any{"volume": key}}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
