package fleet

import (
	_ "embed"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/archipelago-cdk/archipelago/internal/envfile"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// secretsManager begins the source of a secret of Secrets Manager.
const secretsManager = "secret:"

// secretSource is a parameter's path or, after "secret:", a secret's name, none of
// whose characters ends the quotes that the script puts around it.
var secretSource = regexp.MustCompile(`^(/[A-Za-z0-9/_.-]+|secret:[A-Za-z0-9/_+=.@-]+)$`)

// secretsScript fetches the secrets into files before the unit is made.
//
//go:embed secrets.sh
var secretsScript string

// placeSecrets has the script fetch the secrets and the unit hand them on, and lets
// role read them. It returns the script with what is to be replaced in it, and by what:
// a source may hold what looks like another's place. A script without secrets is what it
// was before there were any: no instance is replaced.
func (s Service) placeSecrets(scope constructs.Construct, script string, role awsiam.IRole) (placed string, values []string) {
	if len(s.Secrets) == 0 {
		script = strings.Replace(script, "@SECRETS@\n", "", 1)
		return strings.Replace(script, "@CREDENTIALS@\n", "", 1), nil
	}
	var fetches, credentials []string
	for _, name := range slices.Sorted(maps.Keys(s.Secrets)) {
		source := s.Secrets[name]
		_, set := s.Environment[name+"_FILE"]
		switch {
		case !envfile.ValidName(name):
			panic(fmt.Sprintf("fleet: want keys of Service.Secrets of A-Z, a-z, 0-9 and _ that do not begin with a digit, got %q", name))
		case !secretSource.MatchString(source):
			panic(fmt.Sprintf("fleet: Service.Secrets[%q]: want a parameter's path, such as /hello/api-key, or secret: and a secret's name, got %q", name, source))
		case set:
			panic(fmt.Sprintf("fleet: Service.Environment has %s_FILE; leave it out, it has the path of the secret %s", name, name))
		}
		fetch := "ssm get-parameter --with-decryption --query Parameter.Value --name '" + source + "'"
		if id, ok := strings.CutPrefix(source, secretsManager); ok {
			fetch = "secretsmanager get-secret-value --query SecretString --secret-id '" + id + "'"
		}
		fetches = append(fetches, "secret "+name+" "+fetch)
		credentials = append(credentials,
			"LoadCredential="+name+":/etc/archipelago/secrets/"+name,
			"Environment="+name+"_FILE=%d/"+name)
	}
	s.grantSecrets(scope, role)
	return strings.Replace(script, "@SECRETS@\n", secretsScript, 1), []string{
		"@FETCHES@", strings.Join(fetches, "\n"), "@CREDENTIALS@", strings.Join(credentials, "\n"),
	}
}

// grantSecrets lets role read the secrets and no others. It grants no use of a key:
// AWS's own keys of both services allow it to who may read, and Props.DecryptionKeys are
// the account's. Source: AWS KMS Developer Guide, "AWS managed keys".
func (s Service) grantSecrets(scope constructs.Construct, role awsiam.IRole) {
	stack := awscdk.Stack_Of(scope)
	var parameters, secrets []*string
	for _, name := range slices.Sorted(maps.Keys(s.Secrets)) {
		source := s.Secrets[name]
		if id, ok := strings.CutPrefix(source, secretsManager); ok {
			// Secrets Manager adds a hyphen and six characters. Source: AWS Secrets Manager
			// User Guide, "Limiting access to specific secrets".
			secrets = append(secrets, stack.FormatArn(&awscdk.ArnComponents{
				Service: jsii.String("secretsmanager"), Resource: jsii.String("secret"),
				ResourceName: jsii.String(id + "-??????"), ArnFormat: awscdk.ArnFormat_COLON_RESOURCE_NAME,
			}))
			continue
		}
		parameters = append(parameters, stack.FormatArn(&awscdk.ArnComponents{
			Service: jsii.String("ssm"), Resource: jsii.String("parameter"), ResourceName: jsii.String(strings.TrimPrefix(source, "/")),
		}))
	}
	for _, grant := range []struct {
		action    string
		resources []*string
	}{{"ssm:GetParameter", parameters}, {"secretsmanager:GetSecretValue", secrets}} {
		if grant.resources != nil {
			role.AddToPrincipalPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
				Actions:   jsii.Strings(grant.action),
				Resources: &grant.resources,
			}))
		}
	}
}
