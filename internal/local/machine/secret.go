package machine

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/archipelago-cdk/archipelago/internal/local/nobody"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// secretFlags are those of the AWS CLI's commands that print a secret.
type secretFlags struct {
	region, id string
	decrypt    bool
}

// parseSecret reads the flags of a command that names the secret by idFlag and
// prints the value at query.
func parseSecret(args []string, idFlag, query string) (secretFlags, error) {
	var f secretFlags
	flags := flag.NewFlagSet("aws", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&f.region, "region", "", "")
	flags.StringVar(&f.id, idFlag, "", "")
	flags.BoolVar(&f.decrypt, "with-decryption", false, "")
	got, output := flags.String("query", "", ""), flags.String("output", "", "")
	if err := flags.Parse(args); err != nil {
		return f, err
	}
	if f.region == "" || f.id == "" || *got != query || *output != "text" || flags.NArg() > 0 {
		return f, fmt.Errorf("the local cloud wants --region, --%s, --query %s and --output text", idFlag, query)
	}
	return f, nil
}

// getParameter is aws ssm get-parameter.
func (sh shell) getParameter(ctx context.Context, out io.Writer, args []string) error {
	f, err := parseSecret(args, "name", "Parameter.Value")
	if err != nil {
		return err
	}
	client := ssm.New(ssm.Options{Region: f.region, BaseEndpoint: &sh.url, Credentials: sh.credentials})
	got, err := client.GetParameter(ctx, &ssm.GetParameterInput{Name: &f.id, WithDecryption: &f.decrypt})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, aws.ToString(got.Parameter.Value))
	return err
}

// getSecret is aws secretsmanager get-secret-value. As the AWS CLI, it prints None
// for a binary secret.
func (sh shell) getSecret(ctx context.Context, out io.Writer, args []string) error {
	f, err := parseSecret(args, "secret-id", "SecretString")
	if err != nil {
		return err
	}
	client := secretsmanager.New(secretsmanager.Options{Region: f.region, BaseEndpoint: &sh.url, Credentials: sh.credentials})
	got, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &f.id})
	if err != nil {
		return err
	}
	value := "None"
	if got.SecretString != nil {
		value = *got.SecretString
	}
	_, err = fmt.Fprintln(out, value)
	return err
}

// credential is a file that a unit's program gets a copy of.
type credential struct{ id, path string }

// addCredential takes ID:PATH.
func (u *unit) addCredential(value string) error {
	id, path, _ := strings.Cut(value, ":")
	if _, err := single(id); err != nil {
		return err
	}
	if _, err := absolute(path); err != nil {
		return err
	}
	u.credentials = append(u.credentials, credential{id, path})
	return nil
}

// credentialsDirectory is what %d stands for. Source: systemd.exec(5),
// LoadCredential=, version 252, that of Amazon Linux 2023.
func (u *unit) credentialsDirectory(root string) string {
	return filepath.Join(root, "run/credentials", u.name)
}

// loadCredentials copies the credentials to where only the unit's user reads them, at
// each start.
func (u *unit) loadCredentials(root string) error {
	if u.credentials == nil {
		return nil
	}
	dir := u.credentialsDirectory(root)
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := u.makeFolder(dir); err != nil {
		return err
	}
	for _, c := range u.credentials {
		b, err := os.ReadFile(filepath.Join(root, c.path))
		if err != nil {
			return fmt.Errorf("%s: %w", c.path, withoutPath(err))
		}
		file := filepath.Join(dir, c.id)
		if err := os.WriteFile(file, b, 0o400); err != nil {
			return err
		}
		if u.dynamicUser {
			if err := nobody.Give(file); err != nil {
				return err
			}
		}
	}
	return nil
}

// withoutPath is an error of a file without its path, which is one of this machine.
func withoutPath(err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}
