package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	acmtypes "github.com/aws/aws-sdk-go-v2/service/acm/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// ebsKey looks at the key that volumes are encrypted with: the configuration's, or else
// the account's. Source: Amazon EC2 Auto Scaling User Guide, "Required AWS KMS key policy
// for use with encrypted volumes".
func ebsKey(ctx context.Context, s *site) []Line {
	id := s.region.KMS.Volume
	if id == "" {
		out, err := ec2.NewFromConfig(s.here).GetEbsDefaultKmsKeyId(ctx, &ec2.GetEbsDefaultKmsKeyIdInput{})
		if err != nil {
			return []Line{notLookedAt("the default key of EBS", err)}
		}
		id = aws.ToString(out.KmsKeyId)
	}
	if id == "" || strings.HasSuffix(id, "alias/aws/ebs") {
		return []Line{ok("AWS's own")}
	}
	key, err := s.key(ctx, id)
	if refusedWith(err, "NotFoundException") {
		return []Line{fail("there is no key %s, with which volumes are encrypted: correct archipelago.regions[].kms.volume", id)}
	}
	if err != nil {
		return []Line{notLookedAt("the key "+id, err)}
	}
	if key.state != kmstypes.KeyStateEnabled {
		return []Line{fail("the key %s, with which volumes are encrypted, is %s: enable it, or correct archipelago.regions[].kms.volume", id, key.state)}
	}
	role := fmt.Sprintf("arn:aws:iam::%s:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling", s.config.Account)
	granted, err := s.granted(ctx, key.arn, role)
	switch {
	case key.aws || granted || key.names(role) || key.names("*"):
		return []Line{ok("%s", id)}
	case err != nil:
		return []Line{notLookedAt("the grants of the key "+id, err)}
	}
	return []Line{fail("volumes are encrypted with %s, which Auto Scaling may not use, so no instance launches: aws kms create-grant --region %s --key-id %[1]s --grantee-principal %[3]s --operations Encrypt Decrypt ReEncryptFrom ReEncryptTo GenerateDataKey GenerateDataKeyWithoutPlaintext DescribeKey CreateGrant", key.arn, s.region.Name, role)}
}

// key is one of AWS KMS.
type key struct {
	arn string
	// aws reports whether AWS made it.
	aws   bool
	state kmstypes.KeyState
	// allows are the principals of the policy's statements that allow something.
	allows []string
}

// names reports whether the key's policy lets a principal do something with it.
func (k key) names(principal string) bool { return slices.Contains(k.allows, principal) }

// key returns one by its id, ARN or alias.
func (s *site) key(ctx context.Context, id string) (key, error) {
	client := kms.NewFromConfig(s.here)
	known, err := client.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &id})
	if err != nil {
		return key{}, err
	}
	k := key{arn: aws.ToString(known.KeyMetadata.Arn), aws: known.KeyMetadata.KeyManager == kmstypes.KeyManagerTypeAws, state: known.KeyMetadata.KeyState}
	out, err := client.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: &k.arn, PolicyName: aws.String("default")})
	if err != nil {
		return key{}, err
	}
	var policy struct {
		Statement []struct {
			Effect    string
			Principal any
		}
	}
	if err := json.Unmarshal([]byte(aws.ToString(out.Policy)), &policy); err != nil {
		return key{}, fmt.Errorf("the policy of %s: %w", k.arn, err)
	}
	for _, statement := range policy.Statement {
		if statement.Effect != "Allow" {
			continue
		}
		principal := statement.Principal // "*", or by their kind one or several
		if of, ok := principal.(map[string]any); ok {
			principal = of["AWS"]
		}
		switch p := principal.(type) {
		case string:
			k.allows = append(k.allows, p)
		case []any:
			for _, one := range p {
				k.allows = append(k.allows, fmt.Sprint(one))
			}
		}
	}
	return k, nil
}

// granted reports whether a grant lets a principal use a key.
func (s *site) granted(ctx context.Context, arn, principal string) (bool, error) {
	pages := kms.NewListGrantsPaginator(kms.NewFromConfig(s.here), &kms.ListGrantsInput{KeyId: &arn})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return false, err
		}
		for _, g := range page.Grants {
			if aws.ToString(g.GranteePrincipal) == principal {
				return true, nil
			}
		}
	}
	return false, nil
}

// decryption says why instances could not read what a key encrypts, or nothing.
func (s *site) decryption(ctx context.Context, what, id string) []Line {
	if id == "" || strings.Contains(id, "alias/aws/") {
		return nil
	}
	key, err := s.key(ctx, id)
	switch {
	case refusedWith(err, "NotFoundException"):
		return []Line{fail("%s is encrypted with %s, and there is no such key", what, id)}
	case err != nil:
		return []Line{notLookedAt(fmt.Sprintf("the key %s of %s", id, what), err)}
	case key.state != kmstypes.KeyStateEnabled:
		return []Line{fail("%s is encrypted with the key %s, which is %s: enable it, or encrypt with another one", what, key.arn, key.state)}
	// The key that the bootstrap makes lets the whole account read by S3, as AWS's own
	// do. Source: aws-cdk-cli, bootstrap-template.yaml, and aws-cdk#25100.
	case key.aws, key.names("*"), slices.Contains(s.region.KMS.Decrypt, key.arn):
		return nil
	}
	return []Line{fail("%s is encrypted with the key %s, and no instance may decrypt it: add that to archipelago.regions[].kms.decrypt of %s", what, key.arn, s.region.Name)}
}

// certificate looks for the one that the configuration names in the region.
func certificate(ctx context.Context, s *site) []Line {
	arn, given := s.config.Domain.CertificateARNs[s.region.Name]
	if !given {
		return nil
	}
	out, err := acm.NewFromConfig(s.here).DescribeCertificate(ctx, &acm.DescribeCertificateInput{CertificateArn: &arn})
	if refusedWith(err, "ResourceNotFoundException") {
		return []Line{fail("there is no %s: correct archipelago.domain.certificateArns.%s", arn, s.region.Name)}
	}
	if err != nil {
		return []Line{notLookedAt(arn, err)}
	}
	c, host := out.Certificate, s.config.Domain.Host
	covers := slices.ContainsFunc(append(c.SubjectAlternativeNames, aws.ToString(c.DomainName)), func(name string) bool {
		_, parent, _ := strings.Cut(host, ".")
		return name == host || name == "*."+parent
	})
	switch {
	case c.Status != acmtypes.CertificateStatusIssued:
		return []Line{fail("%s is %s, and a load balancer takes ISSUED ones: have it validated, or import it again", arn, c.Status)}
	case !covers:
		return []Line{warn("%s is for %s and not for %s, which browsers refuse: name another one", arn, aws.ToString(c.DomainName), host)}
	case c.Type == acmtypes.CertificateTypeImported && c.NotAfter != nil && time.Until(*c.NotAfter) < renewal:
		return []Line{warn("%s ends on %s, and nothing renews what was imported: import its successor under the same ARN", arn, c.NotAfter.Format(time.DateOnly))}
	}
	return []Line{ok("%s is issued for %s", arn, host)}
}

// renewal is how long before its end a certificate is told of: as long as ACM's own
// events do. Source: AWS Certificate Manager User Guide, "Amazon EventBridge support".
const renewal = 45 * 24 * time.Hour

// secrets looks for those that an instance fetches at its boot, which fails without
// one.
func secrets(ctx context.Context, s *site) []Line {
	sources := slices.Sorted(maps.Values(s.config.Service.Secrets))
	if len(sources) == 0 {
		return nil
	}
	var parameters []string
	for _, source := range sources {
		if !strings.HasPrefix(source, config.SecretsManager) {
			parameters = append(parameters, source)
		}
	}
	var lines []Line
	found, err := s.parameters(ctx, parameters...)
	if err != nil {
		lines = append(lines, notLookedAt(strings.Join(parameters, ", "), err))
	}
	for _, parameter := range parameters {
		if _, there := found[parameter]; there {
			lines = append(lines, s.parameterKey(ctx, parameter)...)
		} else if err == nil {
			lines = append(lines, fail("there is no parameter %s, without which no instance boots: aws ssm put-parameter --region %s --name %[1]s --type SecureString --value …", parameter, s.region.Name))
		}
	}
	for _, source := range sources {
		name, managed := strings.CutPrefix(source, config.SecretsManager)
		if !managed {
			continue
		}
		out, err := secretsmanager.NewFromConfig(s.here).DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &name})
		switch {
		case refusedWith(err, "ResourceNotFoundException"):
			lines = append(lines, fail("there is no secret %s, without which no instance boots: aws secretsmanager create-secret --region %s --name %[1]s --secret-string …", name, s.region.Name))
		case err != nil:
			lines = append(lines, notLookedAt("the secret "+name, err))
		case out.DeletedDate != nil:
			lines = append(lines, fail("the secret %s is to be deleted: aws secretsmanager restore-secret --region %s --secret-id %[1]s", name, s.region.Name))
		default:
			lines = append(lines, s.decryption(ctx, "the secret "+name, aws.ToString(out.KmsKeyId))...)
		}
	}
	if lines == nil {
		lines = append(lines, ok("%s", strings.Join(sources, ", ")))
	}
	return lines
}

// parameterKey looks at the key of a parameter that there is.
func (s *site) parameterKey(ctx context.Context, name string) []Line {
	out, err := ssm.NewFromConfig(s.here).DescribeParameters(ctx, &ssm.DescribeParametersInput{
		ParameterFilters: []ssmtypes.ParameterStringFilter{{Key: aws.String("Name"), Values: []string{name}}},
	})
	if err != nil {
		return []Line{notLookedAt("the key of the parameter "+name, err)}
	}
	var lines []Line
	for _, p := range out.Parameters {
		lines = append(lines, s.decryption(ctx, "the parameter "+name, aws.ToString(p.KeyId))...)
	}
	return lines
}

// subscriptions looks whether those whom alarms are sent to have confirmed that they
// want them.
func subscriptions(ctx context.Context, s *site) []Line {
	if len(s.config.Alarms) == 0 || s.local {
		return nil
	}
	status, err := s.regionStack(ctx)
	if err != nil {
		return []Line{notLookedAt("who gets alarms", err)}
	}
	if status == "" {
		return nil // AWS asks them when the topic is made
	}
	topics, err := s.resources(ctx, s.here, s.names().RegionStack(s.region.Name), "AWS::SNS::Topic")
	if err != nil {
		return []Line{notLookedAt("who gets alarms", err)}
	}
	confirmed, pending := map[string]bool{}, map[string]bool{}
	for _, topic := range topics {
		for pages := sns.NewListSubscriptionsByTopicPaginator(sns.NewFromConfig(s.here), &sns.ListSubscriptionsByTopicInput{TopicArn: &topic}); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return []Line{notLookedAt("who gets alarms", err)}
			}
			for _, sub := range page.Subscriptions {
				to := confirmed
				if !strings.HasPrefix(aws.ToString(sub.SubscriptionArn), "arn:") { // "PendingConfirmation", "Deleted"
					to = pending
				}
				to[aws.ToString(sub.Endpoint)] = true
			}
		}
	}
	var lines []Line
	for _, address := range s.config.Alarms {
		switch {
		case confirmed[address]:
		case pending[address]:
			lines = append(lines, warn("%s has not confirmed: follow the link in AWS's message", address))
		default:
			lines = append(lines, warn("%s gets no alarms: it unsubscribed, or did not confirm within two days: take it out of archipelago.alarms, deploy, and add it again", address))
		}
	}
	if lines == nil {
		lines = append(lines, ok("%d confirmed", len(s.config.Alarms)))
	}
	return lines
}
