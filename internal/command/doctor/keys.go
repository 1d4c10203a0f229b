package doctor

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	acmtypes "github.com/aws/aws-sdk-go-v2/service/acm/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sns"
)

// ebsKey looks at the key that volumes are encrypted with, which the launch template
// leaves to the account. Source: Amazon EC2 Auto Scaling User Guide, "Required AWS KMS
// key policy for use with encrypted volumes".
func ebsKey(ctx context.Context, s *site) []Line {
	out, err := ec2.NewFromConfig(s.here).GetEbsDefaultKmsKeyId(ctx, &ec2.GetEbsDefaultKmsKeyIdInput{})
	if err != nil {
		return []Line{notLookedAt("the default key of EBS", err)}
	}
	key := aws.ToString(out.KmsKeyId)
	if key == "" || strings.HasSuffix(key, "alias/aws/ebs") {
		return []Line{ok("AWS's own")}
	}
	return []Line{warn("volumes are encrypted with %s: its policy, or a grant, has to let arn:aws:iam::%s:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling use it, or no instance launches", key, s.config.Account)}
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
		if _, there := found[parameter]; err == nil && !there {
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
		}
	}
	if lines == nil {
		lines = append(lines, ok("%s", strings.Join(sources, ", ")))
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
	topics, err := s.resources(ctx, s.names().RegionStack(s.region.Name), "AWS::SNS::Topic")
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
