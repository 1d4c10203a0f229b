package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	cwltypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// leftovers looks for the region's buckets and its log group: whether they exist
// although no stack has them, at which CloudFormation says "already exists", or do not
// although one has. test/lives, TestStacksAreMadeAgain, has the deployment that fails
// and the one that takes them over.
func leftovers(ctx context.Context, s *site) []Line {
	stack := s.names().StorageStack(s.region.Name)
	status, err := s.stack(ctx, s.here, stack)
	if err != nil {
		return []Line{notLookedAt("whether buckets and log groups are left over", err)}
	}
	var lines []Line
	client := s.s3()
	buckets := []string{s.names().LogsBucket(s.region.Name)}
	for _, b := range s.config.Buckets {
		buckets = append(buckets, s.names().Bucket(b.Name, s.region.Name))
	}
	for i, bucket := range buckets {
		_, err := client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &bucket})
		switch {
		case refusedWith(err, "NotFound", "NoSuchBucket") && status == "":
		case refusedWith(err, "NotFound", "NoSuchBucket"):
			// No deployment notices that does not change it.
			lines = append(lines, warn("the bucket %s is gone, and the stack %s still has it: make it again by hand, versioned, or destroy the stack", bucket, stack))
		case err != nil:
			lines = append(lines, notLookedAt("the bucket "+bucket, err))
		default:
			if status == "" {
				lines = append(lines, s.leftOver("the bucket "+bucket, stack))
			}
			lines = append(lines, s.encryption(ctx, client, bucket, i == 0)...)
			if i > 0 { // all but the log bucket are versioned, and replicated
				lines = append(lines, s.versioning(ctx, client, bucket, status == "")...)
			}
		}
	}
	group := s.names().ServiceLog()
	out, err := cloudwatchlogs.NewFromConfig(s.here).DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: &group})
	switch {
	case err != nil:
		lines = append(lines, notLookedAt("the log group "+group, err))
	default:
		exists := slices.ContainsFunc(out.LogGroups, func(g cwltypes.LogGroup) bool { return aws.ToString(g.LogGroupName) == group })
		switch {
		case exists && status == "":
			lines = append(lines, s.leftOver("the log group "+group, stack))
		case !exists && status != "":
			// No deployment notices, and the next logs make none: the fleet's role may not.
			lines = append(lines, warn("the log group %s is gone, and the stack %s still has it: aws logs create-log-group --region %s --log-group-name %[1]s, with the retention that cdk drift shows", group, stack, s.region.Name))
		}
	}
	if lines == nil && status == "" {
		return []Line{ok("nothing is in the way of %s", stack)}
	}
	if lines == nil {
		return []Line{ok("%d buckets, of %s", len(buckets), stack)}
	}
	return lines
}

// leftOver says that something is in the way of a stack.
func (s *site) leftOver(what, stack string) Line {
	if s.config.Protect {
		return fail("%s exists and the stack %s does not: cdk deploy --all --import-existing-resources takes it over", what, stack)
	}
	// Taken over is only what is kept when its stack is deleted. Source: AWS
	// CloudFormation User Guide, "Import AWS resources into a CloudFormation stack
	// automatically".
	return fail("%s exists and the stack %s does not: delete it, or set archipelago.protect, with which --import-existing-resources takes it over", what, stack)
}

// encryption looks for a bucket that encrypts otherwise than its stack has it, which
// neither an import nor a deployment compares. A load balancer takes such a one for its
// logs when it is made, and asks no more. Source: Elastic Load Balancing User Guide,
// "Enable access logs for your Application Load Balancer".
func (s *site) encryption(ctx context.Context, client *s3.Client, bucket string, logs bool) []Line {
	out, err := client.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: &bucket})
	if err != nil {
		return []Line{notLookedAt("the encryption of "+bucket, err)}
	}
	by := s3types.ServerSideEncryptionAes256
	for _, rule := range out.ServerSideEncryptionConfiguration.Rules {
		if rule.ApplyServerSideEncryptionByDefault != nil {
			by = rule.ApplyServerSideEncryptionByDefault.SSEAlgorithm
		}
	}
	if by == s3types.ServerSideEncryptionAes256 {
		return nil
	}
	command := fmt.Sprintf("aws s3api put-bucket-encryption --region %s --bucket %s --server-side-encryption-configuration 'Rules=[{ApplyServerSideEncryptionByDefault={SSEAlgorithm=AES256}}]'", s.region.Name, bucket)
	if !logs {
		return []Line{warn("the bucket %s encrypts by %s: S3 replicates nothing that it does so, and with a key of the account's own instances neither read nor write it: %s, and copy each such object onto itself", bucket, by, command)}
	}
	status, err := s.regionStack(ctx)
	if err != nil {
		return []Line{notLookedAt("whether a load balancer logs into "+bucket, err)}
	}
	say := fail // when the load balancer is made
	if status != "" {
		say = warn
	}
	return []Line{say("the bucket %s encrypts by %s, and a load balancer writes its logs into none that does: %s", bucket, by, command)}
}

// versioning looks at what S3 wants of a bucket that replicates, and neither an import
// nor a deployment compares.
func (s *site) versioning(ctx context.Context, client *s3.Client, bucket string, leftOver bool) []Line {
	out, err := client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &bucket})
	if err != nil {
		return []Line{notLookedAt("the versioning of "+bucket, err)}
	}
	if out.Status != s3types.BucketVersioningStatusEnabled {
		if !leftOver {
			return []Line{warn("the bucket %s keeps versions no more: what is overwritten is lost, and S3 replicates nothing to or from it: aws s3api put-bucket-versioning --bucket %[1]s --versioning-configuration Status=Enabled, then see \"Bucket replication failed\" in docs/operations.md", bucket)}
		}
		say := fail // the global stack has it replicated
		if len(s.config.RegionNames()) == 1 {
			say = warn
		}
		return []Line{say("%s keeps no versions, without which S3 replicates nothing: aws s3api put-bucket-versioning --bucket %[1]s --versioning-configuration Status=Enabled", bucket)}
	}
	return nil
}

// tables looks for those of the configuration: whether they exist although no stack has
// them, and where one does, for what CloudFormation neither compares nor repairs.
func tables(ctx context.Context, s *site) []Line {
	stack := s.names().GlobalStack()
	status, err := s.stack(ctx, s.primary, stack)
	if err != nil {
		return []Line{notLookedAt("whether tables are left over", err)}
	}
	var lines []Line
	for _, t := range s.config.Tables {
		name := s.names().Table(t.Name)
		primary, err := describeTable(ctx, s.primary, name)
		if err != nil {
			lines = append(lines, notLookedAt("the table "+name, err))
			continue
		}
		here := primary
		if !s.isPrimary() {
			if here, err = describeTable(ctx, s.here, name); err != nil {
				lines = append(lines, notLookedAt("the table "+name, err))
				continue
			}
		}
		switch {
		case s.isPrimary() && primary == nil && status != "":
			// No deployment notices that does not change it.
			lines = append(lines, warn("the table %s is gone, and the stack %s still has it: restore it under that name", name, stack))
		case s.isPrimary() && primary != nil:
			if status == "" {
				lines = append(lines, s.leftOver("the table "+name, stack))
			}
			lines = append(lines, s.differences(t, primary, status == "")...)
			if s.config.Protect && !aws.ToBool(primary.DeletionProtectionEnabled) {
				lines = append(lines, warn("the table %s may be deleted, which archipelago.protect is against: aws dynamodb update-table --region %s --table-name %[1]s --deletion-protection-enabled", name, s.region.Name))
			}
		case !s.isPrimary() && here != nil && !replicates(primary, s.region.Name):
			// Emulated: "one or more replicas already existed as tables".
			lines = append(lines, fail("the table %s exists here and is not a replica of that in %s, and DynamoDB makes none beside it: rename or delete it", name, s.config.Regions[0].Name))
		}
		if here != nil && !t.Ephemeral && (s.isPrimary() || replicates(primary, s.region.Name)) {
			lines = append(lines, s.recovery(ctx, name)...)
		}
	}
	if lines == nil && len(s.config.Tables) > 0 {
		if status == "" {
			return []Line{ok("nothing is in the way of %s", stack)}
		}
		return []Line{ok("%d, of %s", len(s.config.Tables), stack)}
	}
	return lines
}

// recovery looks for a table's point-in-time recovery, which each replica has of its own.
func (s *site) recovery(ctx context.Context, name string) []Line {
	out, err := dynamodb.NewFromConfig(s.here).DescribeContinuousBackups(ctx, &dynamodb.DescribeContinuousBackupsInput{TableName: &name})
	if err != nil {
		return []Line{notLookedAt("the point-in-time recovery of "+name, err)}
	}
	if d := out.ContinuousBackupsDescription; d == nil || d.PointInTimeRecoveryDescription == nil || d.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus != types.PointInTimeRecoveryStatusEnabled {
		return []Line{warn("the table %s has no point-in-time recovery here: aws dynamodb update-continuous-backups --region %s --table-name %[1]s --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true", name, s.region.Name)}
	}
	return nil
}

// describeTable returns a table, nil where there is none.
func describeTable(ctx context.Context, settings aws.Config, name string) (*types.TableDescription, error) {
	out, err := dynamodb.NewFromConfig(settings).DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &name})
	if refusedWith(err, "ResourceNotFoundException") {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return out.Table, nil
}

// replicates reports whether a table has a replica in another region.
func replicates(t *types.TableDescription, region string) bool {
	return t != nil && slices.ContainsFunc(t.Replicas, func(r types.ReplicaDescription) bool { return aws.ToString(r.RegionName) == region })
}

// differences are those between a table of the primary region and what the
// configuration says. leftOver is whether a deployment would take it over as it is:
// then nothing compares them, and no deployment fails at what the service does.
func (s *site) differences(want config.Table, got *types.TableDescription, leftOver bool) []Line {
	name := aws.ToString(got.TableName)
	say := fail
	if leftOver {
		say = warn
	}
	var lines []Line
	if is, should := keyOf(got.KeySchema, got.AttributeDefinitions), wantedKey(want.PartitionKey, want.SortKey); is != should {
		lines = append(lines, say("the table %s has the key %s, and the configuration says %s: it is another table, so rename one of them", name, is, should))
	}
	indexes, wanted := map[string]string{}, map[string]string{}
	for _, i := range got.GlobalSecondaryIndexes {
		indexes[aws.ToString(i.IndexName)] = keyOf(i.KeySchema, got.AttributeDefinitions)
	}
	for _, i := range want.Indexes {
		wanted[i.Name] = wantedKey(i.PartitionKey, i.SortKey)
	}
	if leftOver && !maps.Equal(indexes, wanted) { // else a deployment changes them
		lines = append(lines, warn("the table %s has the indexes %s, and the configuration says %s: change them by aws dynamodb update-table, since nothing compares them when it is taken over", name, list(indexes), list(wanted)))
	}
	var missing []string
	for _, region := range s.config.RegionNames() {
		if region != s.region.Name && !replicates(got, region) {
			missing = append(missing, region)
		}
	}
	for _, region := range missing {
		if leftOver {
			lines = append(lines, warn("the table %s has no replica in %s, which nothing adds when it is taken over: aws dynamodb update-table --region %s --table-name %[1]s --replica-updates 'Create={RegionName=%[2]s}'", name, region, s.region.Name))
		}
	}
	if !leftOver && len(missing) > 1 {
		lines = append(lines, fail("the table %s has no replicas in %s, and CloudFormation adds one in an update: add one region at a time", name, strings.Join(missing, ", ")))
	}
	if !leftOver && len(missing) == 1 {
		lines = append(lines, warn("the table %s has no replica in %s, which a deployment adds where the region is new to it; else aws dynamodb update-table does", name, missing[0]))
	}
	if strong := got.MultiRegionConsistency == types.MultiRegionConsistencyStrong; len(got.Replicas) > 0 && strong != s.config.MultiRegionStrongConsistency(want) {
		lines = append(lines, say("the table %s has strong consistency: %t, and the configuration says %t, which is for a table's life: rename it, or correct archipelago.consistency", name, strong, s.config.MultiRegionStrongConsistency(want)))
	}
	if streams := got.StreamSpecification != nil && aws.ToBool(got.StreamSpecification.StreamEnabled); leftOver && !streams {
		lines = append(lines, warn("the table %s has no stream, as its replicas have one: aws dynamodb update-table --region %s --table-name %[1]s --stream-specification StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES", name, s.region.Name))
	}
	return lines
}

// keyOf is a key as wantedKey writes it.
func keyOf(schema []types.KeySchemaElement, attributes []types.AttributeDefinition) string {
	var parts []string
	for _, kind := range []types.KeyType{types.KeyTypeHash, types.KeyTypeRange} {
		for _, k := range schema {
			for _, a := range attributes {
				if k.KeyType == kind && aws.ToString(k.AttributeName) == aws.ToString(a.AttributeName) {
					parts = append(parts, fmt.Sprintf("%s (%s)", *k.AttributeName, a.AttributeType))
				}
			}
		}
	}
	return strings.Join(parts, ", ")
}

func wantedKey(partition, sort config.Key) string {
	key := fmt.Sprintf("%s (%s)", partition.Name, partition.Type)
	if sort.Name != "" {
		key += fmt.Sprintf(", %s (%s)", sort.Name, sort.Type)
	}
	return key
}

func list(indexes map[string]string) string {
	if len(indexes) == 0 {
		return "none"
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(indexes)) {
		all = append(all, fmt.Sprintf("%s by %s", name, indexes[name]))
	}
	return strings.Join(all, "; ")
}
