package emulator_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/aws/aws-sdk-go-v2/aws"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

const autoScalingRole = "arn:aws:iam::123456789012:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"

// newKey is a customer's key whose policy leaves it to the account's own.
func newKey(t *testing.T, c aws.Config) string {
	t.Helper()
	out, err := kms.NewFromConfig(c).CreateKey(t.Context(), &kms.CreateKeyInput{Policy: aws.String(
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "kms:*", "Resource": "*"}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	return *out.KeyMetadata.Arn
}

// idOf is the id in a key's ARN.
func idOf(arn string) *string { return aws.String(arn[strings.LastIndex(arn, "/")+1:]) }

// TestVolumesOfACustomersKey are made only where Auto Scaling may use it.
func TestVolumesOfACustomersKey(t *testing.T) {
	here := emulatortest.Config(emulatortest.Shared(t), "eu-west-1")
	volume := `{"ImageId": "ami-12c6146b", "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8, "Encrypted": true%s}}]}`
	key := newKey(t, here)
	g := newGroupOf(t, fmt.Sprintf(volume, `, "KmsKeyId": "`+key+`"`))
	if n, why := g.desire(t, 3); n != 0 || !strings.Contains(why, "Client.InternalError: Client error on launch") {
		t.Errorf("there are %d instances: %s", n, why)
	}
	if _, err := kms.NewFromConfig(here).CreateGrant(t.Context(), &kms.CreateGrantInput{KeyId: &key, GranteePrincipal: aws.String(autoScalingRole), Operations: []kmstypes.GrantOperation{
		kmstypes.GrantOperationDecrypt, kmstypes.GrantOperationGenerateDataKeyWithoutPlaintext, kmstypes.GrantOperationCreateGrant,
	}}); err != nil {
		t.Fatal(err)
	}
	emulatortest.Advance(t, g.control, 2*time.Minute)
	if n := len(g.now(t).Instances); n != 3 {
		t.Errorf("there are %d instances when there is a grant", n)
	}
	// The account's default key is of all that name none.
	launched := func(name, key string, want int) {
		t.Run(name, func(t *testing.T) {
			if n := len(newGroupOf(t, fmt.Sprintf(volume, key)).now(t).Instances); n != want {
				t.Errorf("there are %d instances, want %d", n, want)
			}
		})
	}
	launched("AWS's own key", "", 2)
	machines, other := ec2.NewFromConfig(here), newKey(t, here)
	before, err := machines.GetEbsDefaultKmsKeyId(t.Context(), &ec2.GetEbsDefaultKmsKeyIdInput{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := machines.ModifyEbsDefaultKmsKeyId(t.Context(), &ec2.ModifyEbsDefaultKmsKeyIdInput{KmsKeyId: &other}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := machines.ModifyEbsDefaultKmsKeyId(context.WithoutCancel(t.Context()), &ec2.ModifyEbsDefaultKmsKeyIdInput{KmsKeyId: before.KmsKeyId}); err != nil {
			t.Error(err)
		}
	})
	launched("a default key that Auto Scaling may not use", "", 0)
	exists := strings.Replace(key, key[strings.LastIndex(key, "/"):], "/12345678-1234-1234-1234-123456789012", 1)
	if err := g.control.Make(t.Context(), emulator.Existing{Keys: []string{exists}}); err != nil {
		t.Fatal(err)
	}
	launched("a key that exists for the fleet", `, "KmsKeyId": "`+exists+`"`, 2)
	launched("a key that does not exist", `, "KmsKeyId": "`+exists+`0"`, 0)
	if _, err := kms.NewFromConfig(here).DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: idOf(exists)}); err != nil {
		t.Fatal(err)
	}
	launched("a key that is disabled", `, "KmsKeyId": "`+exists+`"`, 0)
}

// TestReadersOfWhatACustomersKeyEncrypts need to decrypt, by the service that they read.
func TestReadersOfWhatACustomersKeyEncrypts(t *testing.T) {
	control := emulatortest.Shared(t)
	a := account{control, emulatortest.Config(control, "us-east-1")}
	key, name := newKey(t, a.Config), "/keys/parameter"
	store := s3.NewFromConfig(a.Config, pathStyle)
	bucket := "encrypted"
	for _, err := range []error{
		func() error {
			_, err := store.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket})
			return err
		}(),
		func() error {
			_, err := store.PutBucketEncryption(t.Context(), &s3.PutBucketEncryptionInput{Bucket: &bucket, ServerSideEncryptionConfiguration: &types.ServerSideEncryptionConfiguration{
				Rules: []types.ServerSideEncryptionRule{{ApplyServerSideEncryptionByDefault: &types.ServerSideEncryptionByDefault{SSEAlgorithm: types.ServerSideEncryptionAwsKms, KMSMasterKeyID: &key}}},
			}})
			return err
		}(),
		func() error {
			_, err := store.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("a"), Body: strings.NewReader("a")})
			return err
		}(),
		func() error {
			_, err := ssm.NewFromConfig(a.Config).PutParameter(t.Context(), &ssm.PutParameterInput{Name: &name, Type: ssmtypes.ParameterTypeSecureString, KeyId: &key, Value: aws.String("x")})
			return err
		}(),
		func() error {
			_, err := secretsmanager.NewFromConfig(a.Config).CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("keys/secret"), KmsKeyId: &key, SecretString: aws.String("x")})
			return err
		}(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	reads := map[string]func(aws.Config) error{
		"s3": func(c aws.Config) error {
			_, err := s3.NewFromConfig(c, pathStyle).GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: aws.String("a")})
			return err
		},
		"ssm": func(c aws.Config) error {
			_, err := ssm.NewFromConfig(c).GetParameter(t.Context(), &ssm.GetParameterInput{Name: &name, WithDecryption: aws.Bool(true)})
			return err
		},
		"secretsmanager": func(c aws.Config) error {
			_, err := secretsmanager.NewFromConfig(c).GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("keys/secret")})
			return err
		},
	}
	may := allow("s3:* ssm:* secretsmanager:*", "*")
	for by, read := range reads {
		t.Run(by, func(t *testing.T) {
			t.Run("nothing", func(t *testing.T) {
				if read(a.role(t, may)) == nil {
					t.Error("it is read without decrypting")
				}
			})
			for via := range reads {
				t.Run(via, func(t *testing.T) {
					err := read(a.role(t, may, conditional("kms:Decrypt", key, "StringEquals", "kms:ViaService", via+".us-east-1.amazonaws.com")))
					if (err == nil) != (via == by) {
						t.Errorf("got %v", err)
					}
				})
			}
		})
	}
	if _, err := kms.NewFromConfig(a.Config).DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: idOf(key)}); err != nil {
		t.Fatal(err)
	}
	for by, read := range reads {
		t.Run(by+" with a key that is disabled", func(t *testing.T) {
			if read(a.role(t, may, allow("kms:Decrypt", key))) == nil {
				t.Error("it is read")
			}
		})
	}
}

// TestBucketThatEncryptsByKMS: who may not use its key writes nothing into it, its objects
// are not replicated, and no load balancer logs into it.
func TestBucketThatEncryptsByKMS(t *testing.T) {
	control := emulatortest.Shared(t)
	const home, other, source, destination = "eu-west-1", "us-east-1", "kms-home", "kms-other"
	a := account{control, emulatortest.Config(control, home)}
	store, key := photos(control, home), newKey(t, a.Config)
	makeBucket(t, control, home, source)
	makeBucket(t, control, other, destination)
	replicate(t, control, home, source, destination, "")
	encrypt := func(algorithm types.ServerSideEncryption, key *string) {
		t.Helper()
		if _, err := store.PutBucketEncryption(t.Context(), &s3.PutBucketEncryptionInput{Bucket: aws.String(source), ServerSideEncryptionConfiguration: &types.ServerSideEncryptionConfiguration{
			Rules: []types.ServerSideEncryptionRule{{ApplyServerSideEncryptionByDefault: &types.ServerSideEncryptionByDefault{SSEAlgorithm: algorithm, KMSMasterKeyID: key}}},
		}}); err != nil {
			t.Fatal(err)
		}
	}
	put := func(c aws.Config, key string) error {
		c.Region = home
		_, err := s3.NewFromConfig(c, pathStyle).PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(source), Key: &key, Body: strings.NewReader("x")})
		return err
	}
	logged := network(twoZones...).with(facing("internal"))
	logged["Balancer"].(map[string]any)["Properties"].(map[string]any)["LoadBalancerAttributes"] = []any{
		map[string]any{"Key": "access_logs.s3.enabled", "Value": "true"}, map[string]any{"Key": "access_logs.s3.bucket", "Value": source},
	}
	const denied = "Access Denied for bucket: " + source
	for name, test := range map[string]struct {
		algorithm types.ServerSideEncryption
		key       *string
		logs      string
		// writes is whether a role that may use no key does.
		writes, replicated bool
	}{
		"s3":          {types.ServerSideEncryptionAes256, nil, "", true, true},
		"aws's key":   {types.ServerSideEncryptionAwsKms, nil, denied, true, false},
		"a key":       {types.ServerSideEncryptionAwsKms, &key, denied, false, false},
		"a key twice": {types.ServerSideEncryptionAwsKmsDsse, &key, denied, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			encrypt(test.algorithm, test.key)
			may := allow("s3:*", "*")
			t.Run("a role that may use no key", func(t *testing.T) {
				if err := put(a.role(t, may), "role"); (err == nil) != test.writes {
					t.Errorf("it writes: %v", err)
				}
			})
			t.Run("one that may", func(t *testing.T) {
				if err := put(a.role(t, may, allow("kms:GenerateDataKey", key)), name); err != nil {
					t.Error(err)
				}
			})
			emulatortest.Advance(t, control, emulatortest.ReplicationDelay+time.Minute)
			_, err := photos(control, other).HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(destination), Key: &name})
			if (err == nil) != test.replicated {
				t.Errorf("it is replicated: %v", err)
			}
			made(t, test.logs, logged)
		})
	}
	// What logs already is asked nothing more.
	encrypt(types.ServerSideEncryptionAes256, nil)
	s := newStack(t)
	s.deploy(t, cloudformationtypes.StackStatusCreateComplete, logged)
	encrypt(types.ServerSideEncryptionAwsKms, nil)
	logged["Balancer"].(map[string]any)["Properties"].(map[string]any)["Tags"] = []any{map[string]any{"Key": "a", "Value": "b"}}
	s.deploy(t, cloudformationtypes.StackStatusUpdateComplete, logged)
}
