// Package buckets gives a deployment its S3 buckets, of each one in every region,
// and the replication of each into the same one of all others.
package buckets

import (
	"github.com/archipelago-cdk/archipelago/constructs/internal/required"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Props configure a region's bucket.
type Props struct {
	// Name is the bucket's name. Required: the other regions have to know it.
	Name string `required:"true"`
	// Logs takes its access logs, by its policy. One that is imported needs that policy
	// already. Required.
	Logs awss3.IBucket `required:"true"`
	// LogsPrefix is what the keys of its access logs begin with. Required.
	LogsPrefix string `required:"true"`
	// Protect retains the bucket. Default: false, it is emptied and deleted with
	// the stack.
	Protect bool
}

// New creates a region's bucket. It panics with one sentence if props cannot work.
func New(scope constructs.Construct, id string, props *Props) awss3.Bucket {
	required.Check("buckets", props)
	removal := awscdk.RemovalPolicy_DESTROY
	if props.Protect {
		removal = awscdk.RemovalPolicy_RETAIN
	}
	bucket := awss3.NewBucket(scope, &id, &awss3.BucketProps{
		BucketName:        &props.Name,
		Versioned:         jsii.Bool(true), // replication asks for it
		Encryption:        awss3.BucketEncryption_S3_MANAGED,
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		ObjectOwnership:   awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
		EnforceSSL:        jsii.Bool(true),
		LifecycleRules: &[]*awss3.LifecycleRule{{
			Id:                                  jsii.String("ExpireOldVersions"),
			NoncurrentVersionExpiration:         awscdk.Duration_Days(jsii.Number(30)),
			ExpiredObjectDeleteMarker:           jsii.Bool(true),
			AbortIncompleteMultipartUploadAfter: awscdk.Duration_Days(jsii.Number(1)),
		}},
		RemovalPolicy:     removal,
		AutoDeleteObjects: jsii.Bool(!props.Protect),
	})
	logAccess(bucket, props.Logs, props.LogsPrefix)
	return bucket
}

// logAccess has requests to bucket logged in another one. CDK's ServerAccessLogsBucket
// does the same with the feature flag @aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy, and
// without it asks for an ACL. Source: Amazon S3 User Guide, "Enabling Amazon S3 server
// access logging".
func logAccess(bucket awss3.Bucket, logs awss3.IBucket, prefix string) {
	bucket.Node().DefaultChild().(awss3.CfnBucket).SetLoggingConfiguration(&awss3.CfnBucket_LoggingConfigurationProperty{
		DestinationBucketName: logs.BucketName(), LogFilePrefix: &prefix,
	})
	logs.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("logging.s3.amazonaws.com"), nil)},
		Actions:    jsii.Strings("s3:PutObject"),
		Resources:  jsii.Strings(*logs.ArnForObjects(jsii.String(prefix + "*"))),
		Conditions: &map[string]any{
			"ArnLike":      map[string]any{"aws:SourceArn": bucket.BucketArn()},
			"StringEquals": map[string]any{"aws:SourceAccount": awscdk.Stack_Of(bucket).Account()},
		},
	}))
}

// GrantWrite lets grantee add and delete the objects of bucket whose keys begin with
// prefix, and list the bucket. Without the right to list, S3 answers 403 instead of 404
// for an object that has not been replicated yet.
func GrantWrite(bucket awss3.IBucket, grantee awsiam.IGrantable, prefix string) {
	grant(grantee, []string{"s3:DeleteObject", "s3:PutObject"}, objects(arn(bucket), prefix))
	grant(grantee, []string{"s3:ListBucket"}, arn(bucket))
}

// GrantRead lets grantee read the objects of bucket whose keys begin with prefix.
func GrantRead(bucket awss3.IBucket, grantee awsiam.IGrantable, prefix string) {
	GrantReadMatching(*bucket.BucketName(), grantee, prefix)
}

// GrantReadMatching is GrantRead of all buckets whose names match a pattern, such as
// "shop-files-123456789012-*" for those of all regions: to sign an address of an
// object in another region takes the right to read it.
func GrantReadMatching(names string, grantee awsiam.IGrantable, prefix string) {
	grant(grantee, []string{"s3:GetObject"}, objects(arnOf(names), prefix))
}

func grant(grantee awsiam.IGrantable, actions []string, resource string) {
	awsiam.Grant_AddToPrincipal(&awsiam.GrantOnPrincipalOptions{
		Grantee:      grantee,
		Actions:      jsii.Strings(actions...),
		ResourceArns: jsii.Strings(resource),
	}).AssertSuccess()
}

// arn has a reference to the partition, as it always had: with BucketArn, the
// policies of each deployment that exists would read otherwise and say the same.
func arn(bucket awss3.IBucket) string { return arnOf(*bucket.BucketName()) }

func arnOf(name string) string { return "arn:" + *awscdk.Aws_PARTITION() + ":s3:::" + name }

// objects are those of the bucket with an ARN whose keys begin with prefix.
func objects(arn, prefix string) string { return arn + "/" + prefix + "*" }
