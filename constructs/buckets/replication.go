package buckets

import (
	"github.com/archipelago-cdk/archipelago/constructs/internal/awscall"
	"github.com/archipelago-cdk/archipelago/constructs/internal/replication"
	"github.com/archipelago-cdk/archipelago/constructs/internal/required"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/customresources"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// s3Service is what assumes the replication role.
const s3Service = "s3.amazonaws.com"

// ReplicationProps configure a Replication.
type ReplicationProps struct {
	// Buckets replicate to each other, one of each region: of stacks whose region is
	// known at synth, or imported with theirs. With fewer than two there is nothing to
	// do. Default: none.
	Buckets []awss3.IBucket
	// Names is a pattern that the names of Buckets match, with * for what tells them
	// apart, as in "shop-files-123456789012-*". Policies are for all that match it:
	// IAM takes seconds to apply a policy, and a bucket that joins is used at once.
	// Default: the names of Buckets, so that one that joins changes policies.
	Names string
	// Prefix is what the keys of the objects that are replicated begin with.
	// Default: all are.
	Prefix string
}

// NewReplication replicates each bucket into all others. The buckets must exist, with
// versioning on, before it is deployed: two buckets that replicate to each
// other cannot be declared with their rules at once. It returns what depends on it,
// or nil where there is nothing to replicate.
func NewReplication(scope constructs.Construct, id string, props *ReplicationProps) constructs.Construct {
	required.Check("buckets", props)
	buckets := props.Buckets
	if len(buckets) < 2 {
		return nil
	}
	this := constructs.NewConstruct(scope, &id)
	role := awsiam.NewRole(this, jsii.String("Role"), &awsiam.RoleProps{
		AssumedBy:   awsiam.NewServicePrincipal(jsii.String(s3Service), nil),
		Description: jsii.String("Replicates the objects of each region into all others"),
	})
	policy := replicationPolicy(this, props)
	policy.AttachToRole(role)
	for _, source := range buckets {
		call := configure(this, source, props, *role.RoleArn())
		// S3 tries the role when the rules are put.
		call.Node().AddDependency(policy)
	}
	return this
}

// arns are those of all buckets, as policies name them.
func (p *ReplicationProps) arns() []string {
	if p.Names != "" {
		return []string{arnOf(p.Names)}
	}
	var arns []string
	for _, b := range p.Buckets {
		arns = append(arns, arn(b))
	}
	return arns
}

// replicationPolicy is what S3 needs to replicate. Source: Amazon S3 User
// Guide, "Setting up permissions for live replication".
func replicationPolicy(scope constructs.Construct, props *ReplicationProps) awsiam.Policy {
	arns := props.arns()
	var replicated []string
	for _, bucket := range arns {
		replicated = append(replicated, objects(bucket, props.Prefix))
	}
	return awsiam.NewPolicy(scope, jsii.String("Policy"), &awsiam.PolicyProps{
		Statements: &[]awsiam.PolicyStatement{
			statement([]string{"s3:GetReplicationConfiguration", "s3:ListBucket"}, arns...),
			statement([]string{"s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl",
				"s3:GetObjectVersionTagging", "s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"}, replicated...),
		},
	})
}

// configure puts source's rules, by a call since the other buckets are in other
// regions' stacks.
func configure(scope constructs.Construct, source awss3.IBucket, props *ReplicationProps, roleARN string) constructs.Construct {
	region := *source.Env().Region
	var rules []any
	for _, destination := range props.Buckets {
		if *destination.Env().Region == region {
			continue
		}
		rules = append(rules, map[string]any{
			"ID":                      replication.RuleID(*destination.Env().Region),
			"Status":                  "Enabled",
			"Priority":                len(rules) + 1,
			"Filter":                  map[string]any{"Prefix": props.Prefix},
			"DeleteMarkerReplication": map[string]any{"Status": "Enabled"},
			"SourceSelectionCriteria": map[string]any{"ReplicaModifications": map[string]any{"Status": "Enabled"}},
			// S3 Replication Time Control: 15 minutes is the only time it takes.
			"Destination": map[string]any{
				"Bucket":          arn(destination),
				"ReplicationTime": map[string]any{"Status": "Enabled", "Time": map[string]any{"Minutes": 15}},
				"Metrics":         map[string]any{"Status": "Enabled", "EventThreshold": map[string]any{"Minutes": 15}},
			},
		})
	}
	put := &customresources.AwsSdkCall{
		Service: jsii.String("S3"),
		Action:  jsii.String("putBucketReplication"),
		Region:  &region,
		Parameters: map[string]any{
			"Bucket":                   source.BucketName(),
			"ReplicationConfiguration": map[string]any{"Role": roleARN, "Rules": rules},
		},
		PhysicalResourceId: customresources.PhysicalResourceId_Of(jsii.String(*source.BucketName() + "/replication")),
	}
	return awscall.New(scope, "From"+region, &customresources.AwsCustomResourceProps{
		OnCreate: put,
		OnUpdate: put,
		OnDelete: &customresources.AwsSdkCall{
			Service:    jsii.String("S3"),
			Action:     jsii.String("deleteBucketReplication"),
			Region:     &region,
			Parameters: map[string]any{"Bucket": source.BucketName()},
			// A bucket that is gone replicates nothing any more.
			IgnoreErrorCodesMatching: jsii.String("NoSuchBucket"),
		},
		// FromSdkCalls would derive s3:PutBucketReplication, but IAM has no such action.
		Policy: customresources.AwsCustomResourcePolicy_FromStatements(&[]awsiam.PolicyStatement{
			statement([]string{"s3:PutReplicationConfiguration"}, props.arns()...),
			passToS3(roleARN),
		}),
	})
}

// passToS3 lets the role be given to S3 and to no other service.
func passToS3(roleARN string) awsiam.PolicyStatement {
	return awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:    jsii.Strings("iam:PassRole"),
		Resources:  jsii.Strings(roleARN),
		Conditions: &map[string]any{"StringEquals": map[string]any{"iam:PassedToService": s3Service}},
	})
}

func statement(actions []string, resources ...string) awsiam.PolicyStatement {
	return awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings(actions...),
		Resources: jsii.Strings(resources...),
	})
}
