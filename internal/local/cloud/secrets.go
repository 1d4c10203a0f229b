package cloud

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	secretstypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// makeSecrets makes the service's secrets that have a value on this machine, in each
// region of the emulator at url.
func makeSecrets(ctx context.Context, url string, c config.Config) error {
	keys := credentials.NewStaticCredentialsProvider(emulator.AccessKey, emulator.AccessKey, "")
	for _, region := range c.RegionNames() {
		parameters := ssm.New(ssm.Options{Region: region, BaseEndpoint: &url, Credentials: keys})
		secrets := secretsmanager.New(secretsmanager.Options{Region: region, BaseEndpoint: &url, Credentials: keys})
		for _, name := range slices.Sorted(maps.Keys(c.Service.Local.Secrets)) {
			source, value := c.Service.Secrets[name], c.Service.Local.Secrets[name]
			var err error
			if id, ok := strings.CutPrefix(source, config.SecretsManager); ok {
				err = putSecret(ctx, secrets, id, value)
			} else {
				_, err = parameters.PutParameter(ctx, &ssm.PutParameterInput{
					Name: &source, Value: &value, Type: ssmtypes.ParameterTypeSecureString, Overwrite: aws.Bool(true),
				})
			}
			if err != nil {
				return fmt.Errorf("service.local.secrets.%s cannot be made in %s: %w", name, region, err)
			}
		}
	}
	return nil
}

// putSecret makes a secret, or gives one that exists another value.
func putSecret(ctx context.Context, client *secretsmanager.Client, id, value string) error {
	_, err := client.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: &id, SecretString: &value})
	var exists *secretstypes.ResourceExistsException
	if errors.As(err, &exists) {
		_, err = client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &id, SecretString: &value})
	}
	return err
}
