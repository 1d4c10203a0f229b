// Package logs gives a region the bucket in which AWS writes its logs, of
// requests to the load balancer and to buckets and of the network's flows, and
// instances the service's; and the group of CloudWatch that may take these.
package logs

import (
	"github.com/archipelago-cdk/archipelago/constructs/internal/required"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// retention is how long the bucket's logs are kept.
const retention = 90 // days

// BucketProps configure a bucket of logs.
type BucketProps struct {
	// Name is the bucket's name. Required: other stacks have to know it.
	Name string `required:"true"`
	// Protect retains the bucket. Default: false, it is emptied and deleted with
	// the stack.
	Protect bool
}

// NewBucket creates a bucket to which load balancers and VPCs of its account
// and region may deliver logs, kept for 90 days. It is encrypted with S3's own
// keys, the only ones with which a load balancer writes.
func NewBucket(scope constructs.Construct, id string, props *BucketProps) awss3.Bucket {
	required.Check("logs", props)
	bucket := awss3.NewBucket(scope, &id, &awss3.BucketProps{
		BucketName:        &props.Name,
		Encryption:        awss3.BucketEncryption_S3_MANAGED,
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		ObjectOwnership:   awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
		EnforceSSL:        jsii.Bool(true),
		LifecycleRules: &[]*awss3.LifecycleRule{{
			Id:                                  jsii.String("ExpireLogs"),
			Expiration:                          awscdk.Duration_Days(jsii.Number(retention)),
			AbortIncompleteMultipartUploadAfter: awscdk.Duration_Days(jsii.Number(1)),
		}},
		RemovalPolicy:     removal(props.Protect),
		AutoDeleteObjects: jsii.Bool(!props.Protect),
	})
	for _, s := range delivery(bucket) {
		bucket.AddToResourcePolicy(s)
	}
	return bucket
}

// delivery lets AWS deliver the logs of load balancers and VPCs. Sources:
// Elastic Load Balancing, "Enable access logs for your Application Load
// Balancer"; Amazon VPC, "Amazon S3 bucket permissions for flow logs".
func delivery(bucket awss3.Bucket) []awsiam.PolicyStatement {
	stack := awscdk.Stack_Of(bucket)
	objects := *bucket.ArnForObjects(jsii.String("AWSLogs/" + *stack.Account() + "/*"))
	fromHere := map[string]any{
		"StringEquals": map[string]any{"aws:SourceAccount": stack.Account()},
		"ArnLike": map[string]any{"aws:SourceArn": stack.FormatArn(&awscdk.ArnComponents{
			Service: jsii.String("logs"), Resource: jsii.String("*"),
		})},
	}
	return []awsiam.PolicyStatement{
		allow("logdelivery.elasticloadbalancing.amazonaws.com", "s3:PutObject", objects, nil),
		allow("delivery.logs.amazonaws.com", "s3:PutObject", objects, fromHere),
		allow("delivery.logs.amazonaws.com", "s3:GetBucketAcl", *bucket.BucketArn(), fromHere),
	}
}

func allow(service, action, resource string, conditions map[string]any) awsiam.PolicyStatement {
	return awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(&service, nil)},
		Actions:    jsii.Strings(action),
		Resources:  jsii.Strings(resource),
		Conditions: &conditions,
	})
}
