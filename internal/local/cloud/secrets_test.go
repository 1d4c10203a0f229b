package cloud

import (
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// withSecrets are three secrets, of which two have a value on this machine.
func withSecrets(key, password string) config.Config {
	return config.Config{
		Regions: []config.Region{{Name: "eu-west-1"}, {Name: "us-east-1"}, {Name: "us-west-2", Retired: true}},
		Service: config.Service{
			Secrets: map[string]string{"API_KEY": "/hello/api-key", "PASSWORD": "secret:hello/database", "OTHER": "/hello/other"},
			Local:   config.LocalService{Secrets: map[string]string{"API_KEY": key, "PASSWORD": password}},
		},
	}
}

// TestSecretsAreMade: each deployment gives those that have a value on this machine that
// value, where instances look for them, and leaves all others to who makes them.
func TestSecretsAreMade(t *testing.T) {
	c := emulatortest.Shared(t)
	for _, values := range [][]string{{"key 1", "password 1"}, {"key 2", "password 2"}} {
		if err := makeSecrets(t.Context(), c.URL, withSecrets(values[0], values[1])); err != nil {
			t.Fatal(err)
		}
		for _, region := range []string{"eu-west-1", "us-east-1"} {
			at := emulatortest.Config(c, region)
			parameter, err := ssm.NewFromConfig(at).GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/hello/api-key"), WithDecryption: aws.Bool(true)})
			if err != nil {
				t.Fatal(err)
			}
			if p := parameter.Parameter; *p.Value != values[0] || p.Type != ssmtypes.ParameterTypeSecureString {
				t.Errorf("%s: the parameter is a %s of %q, want %q", region, p.Type, *p.Value, values[0])
			}
			secret, err := secretsmanager.NewFromConfig(at).GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("hello/database")})
			if err != nil {
				t.Fatal(err)
			}
			if *secret.SecretString != values[1] {
				t.Errorf("%s: the secret is %q, want %q", region, *secret.SecretString, values[1])
			}
		}
	}
	held, err := c.Resources(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range held {
		if strings.Contains(line, "hello/other") || strings.Contains(line, "us-west-2") && strings.Contains(line, "hello/") {
			t.Errorf("%s was made", line)
		}
	}
}

// TestSecretThatCannotBeMade is named by its key, without its value.
func TestSecretThatCannotBeMade(t *testing.T) {
	c := emulatortest.Shared(t)
	one := withSecrets("hush", "hush")
	one.Service.Secrets["API_KEY"] = "/aws/key" // which the configuration refuses before
	err := makeSecrets(t.Context(), c.URL, one)
	if err == nil || !strings.Contains(err.Error(), "service.local.secrets.API_KEY cannot be made in eu-west-1: ") || strings.Contains(err.Error(), "hush") {
		t.Errorf("got %v", err)
	}
}
