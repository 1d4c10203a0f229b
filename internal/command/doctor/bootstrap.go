package doctor

import (
	"context"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// bootstrapVersion is the least that CDK's default synthesizer works with. A test
// compares it with the rule that every template has.
const bootstrapVersion = 6

// bootstrap looks for that of the CDK CLI: its version, which CloudFormation reads from
// a parameter and refuses a stack without, and the bucket that assets are published to
// and that instances read the service from.
func bootstrap(ctx context.Context, s *site) []Line {
	name := "/cdk-bootstrap/" + s.qualifier + "/version"
	command := fmt.Sprintf("cdk bootstrap aws://%s/%s", s.config.Account, s.region.Name)
	found, err := s.parameters(ctx, name)
	if err != nil {
		return []Line{notLookedAt("the bootstrap's version", err)}
	}
	switch version, err := strconv.Atoi(found[name]); {
	case found[name] == "":
		return []Line{fail("it is not bootstrapped, there is no parameter %s: %s", name, command)}
	case err != nil || version < bootstrapVersion:
		return []Line{fail("the bootstrap has version %s, and CDK wants %d at least: %s", found[name], bootstrapVersion, command)}
	}
	lines := []Line{ok("version %s", found[name])}
	bucket := fmt.Sprintf("cdk-%s-assets-%s-%s", s.qualifier, s.config.Account, s.region.Name)
	encryption, err := s.s3().GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: &bucket})
	switch {
	case refusedWith(err, "NoSuchBucket"):
		return append(lines, fail("the bucket %s is missing, to which programs are published: delete the stack CDKToolkit, and %s", bucket, command))
	case err != nil:
		return append(lines, notLookedAt("the key of the bucket "+bucket, err))
	default:
		for _, rule := range encryption.ServerSideEncryptionConfiguration.Rules {
			if by := rule.ApplyServerSideEncryptionByDefault; by != nil && by.SSEAlgorithm == types.ServerSideEncryptionAwsKms {
				lines = append(lines, s.decryption(ctx, "the bootstrap's bucket "+bucket, aws.ToString(by.KMSMasterKeyID))...)
			}
		}
	}
	return lines
}
