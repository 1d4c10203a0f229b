// Package photos gives a deployment its photo buckets, one in each region, and
// the replication of each into all others.
package photos

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// KeyPrefix is what the key of every photo begins with.
const KeyPrefix = "employees/"

// BucketProps configure a region's photo bucket.
type BucketProps struct {
	// Name is the bucket's name. Required: the other regions have to know it.
	Name string
	// Logs takes its access logs. Required.
	Logs awss3.IBucket
	// Protect retains the bucket. Default: false, it is emptied and deleted with
	// the stack.
	Protect bool
}

// NewBucket creates a region's photo bucket.
func NewBucket(scope constructs.Construct, id string, props BucketProps) awss3.Bucket {
	removal := awscdk.RemovalPolicy_DESTROY
	if props.Protect {
		removal = awscdk.RemovalPolicy_RETAIN
	}
	return awss3.NewBucket(scope, &id, &awss3.BucketProps{
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
		ServerAccessLogsBucket: props.Logs,
		ServerAccessLogsPrefix: jsii.String("photos/"),
		RemovalPolicy:          removal,
		AutoDeleteObjects:      jsii.Bool(!props.Protect),
	})
}

// GrantReadWrite lets grantee read, add, delete and list the photos of the bucket
// called name. Without the right to list, S3 answers 403 instead of 404 for a
// photo that has not been replicated yet.
func GrantReadWrite(name string, grantee awsiam.IGrantable) {
	grant(grantee, []string{"s3:DeleteObject", "s3:GetObject", "s3:PutObject"}, objects(name))
	grant(grantee, []string{"s3:ListBucket"}, arn(name))
}

// GrantRead lets grantee read the photos of the bucket called name: to sign an
// address of a photo in another region takes the right to read it.
func GrantRead(name string, grantee awsiam.IGrantable) {
	grant(grantee, []string{"s3:GetObject"}, objects(name))
}

func grant(grantee awsiam.IGrantable, actions []string, resource string) {
	awsiam.Grant_AddToPrincipal(&awsiam.GrantOnPrincipalOptions{
		Grantee:      grantee,
		Actions:      jsii.Strings(actions...),
		ResourceArns: jsii.Strings(resource),
	}).AssertSuccess()
}

func arn(bucket string) string     { return "arn:" + *awscdk.Aws_PARTITION() + ":s3:::" + bucket }
func objects(bucket string) string { return arn(bucket) + "/" + KeyPrefix + "*" }
