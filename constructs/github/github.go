// Package github lets the workflows of one GitHub repository look at a deployment and
// deploy it, by GitHub's OpenID Connect and without keys.
package github

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/archipelago-cdk/archipelago/constructs/internal/required"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

const (
	// issuer is what makes the tokens, and audience is who they are for, as the action
	// aws-actions/configure-aws-credentials asks for them.
	issuer   = "token.actions.githubusercontent.com"
	audience = "sts.amazonaws.com"
	// session is the longest that a workflow may deploy with one token, in hours: a
	// region's deployment waits for what a refresh before it leaves and for its rollout,
	// and for both again where it fails and is rolled back, each an hour at most.
	session = 4
)

// Props configure what a repository's workflows may do.
type Props struct {
	// Repository is the repository as its tokens' subjects name it: "octo-org/shop", or
	// with GitHub's ids, "octo-org@123456/shop@456789". Required.
	Repository string `required:"true"`
	// Branch is the one branch whose workflows may look and deploy, such as "main".
	// Required.
	Branch string `required:"true"`
	// Environments are GitHub's environments whose jobs may deploy. Required.
	Environments []string `required:"true"`
	// ReviewEnvironment is GitHub's environment whose jobs may look. Default: "review".
	ReviewEnvironment string
	// ProviderExists says that the account has an identity provider for GitHub already,
	// of which it can have only one. Default: false, it is made.
	ProviderExists bool
	// Deployment is what the names of stacks, tables, buckets and topics begin with that may
	// be looked at. Required.
	Deployment string `required:"true"`
	// Parameters are the names of parameters that may be looked at, such as "/shop/key".
	// Leave the scaler's memory out: while it answers CloudFormation, it has the URL by
	// which anybody could. Default: none.
	Parameters []string
}

// Access is what a repository's workflows may do.
type Access struct {
	// Construct holds all of it.
	Construct constructs.Construct
	// Reader is the role of the review environment's jobs on the branch: it looks at the
	// deployment and at the account, and reads no data.
	Reader awsiam.Role
	// Deployer is the role of the environments' jobs on the branch: it may assume the
	// roles of CDK's bootstrap, and so whatever CloudFormation may, beside what the
	// reader may.
	Deployer awsiam.Role
}

// New creates the roles, and the account's identity provider for GitHub unless that
// exists.
func New(scope constructs.Construct, id string, props *Props) *Access {
	required.Check("github", props)
	this := constructs.NewConstruct(scope, &id)
	provider := identityProvider(this, props.ProviderExists)

	// GitHub says in a token's subject which environment a job is of or, of a job of
	// none, which branch or that it is of a pull request; never an environment and a
	// branch. The branch of an environment's job is in the claim ref, which STS compares
	// since January 2026: without it any branch could have the role that the environment's
	// own rules let in. A job of a pull request has refs/pull/…, so that no code of one has
	// a role. Sources: GitHub Docs, "OpenID Connect reference", "Example subject claims";
	// AWS What's New, 2026-01, "AWS STS now supports validation of select identity
	// provider specific claims".
	subject := func(environment string) string {
		return fmt.Sprintf("repo:%s:environment:%s", props.Repository, environment)
	}
	reader := newRole(this, "Reader", provider, props.Branch, subject(cmp.Or(props.ReviewEnvironment, "review")))
	var environments []string
	for _, environment := range props.Environments {
		environments = append(environments, subject(environment))
	}
	deployer := newRole(this, "Deployer", provider, props.Branch, environments...)
	grantRead(this, props, reader, deployer)
	grantDeploy(this, deployer)
	return &Access{this, reader, deployer}
}

// identityProvider returns the ARN of the account's provider for GitHub. IAM knows the
// certificates of its keys by itself. Source: IAM User Guide, "Obtain the thumbprint for
// an OpenID Connect identity provider".
func identityProvider(scope constructs.Construct, exists bool) *string {
	if exists {
		return awscdk.Stack_Of(scope).FormatArn(&awscdk.ArnComponents{
			Service: jsii.String("iam"), Region: jsii.String(""), Resource: jsii.String("oidc-provider"), ResourceName: jsii.String(issuer),
		})
	}
	return awsiam.NewOidcProviderNative(scope, jsii.String("Provider"), &awsiam.OidcProviderNativeProps{
		Url: jsii.String("https://" + issuer), ClientIds: jsii.Strings(audience),
	}).OidcProviderArn()
}

// newRole makes a role for tokens of a branch that have one of the subjects. Nothing is
// compared by a pattern.
func newRole(scope constructs.Construct, id string, provider *string, branch string, subjects ...string) awsiam.Role {
	equals := map[string]any{issuer + ":aud": audience, issuer + ":ref": "refs/heads/" + branch, issuer + ":sub": subjects}
	return awsiam.NewRole(scope, &id, &awsiam.RoleProps{
		AssumedBy:          awsiam.NewWebIdentityPrincipal(provider, &map[string]any{"StringEquals": equals}),
		MaxSessionDuration: awscdk.Duration_Hours(jsii.Number(session)),
	})
}

// grantRead lets roles ask what the doctor does, and read what is deployed to compare
// with it. They read no data: no object, no item, and no value that is encrypted.
func grantRead(scope constructs.Construct, props *Props, roles ...awsiam.IRole) {
	stack := awscdk.Stack_Of(scope)
	policy := awsiam.NewPolicy(scope, jsii.String("Read"), &awsiam.PolicyProps{Roles: &roles})
	arn := func(service, resource, name string) *string {
		return stack.FormatArn(&awscdk.ArnComponents{Service: &service, Region: jsii.String("*"), Resource: &resource, ResourceName: &name})
	}
	bucket := func(name string) *string { return jsii.Sprintf("arn:%s:s3:::%s", *stack.Partition(), name) }
	allow := func(resources []*string, actions ...string) {
		policy.AddStatements(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{Actions: jsii.Strings(actions...), Resources: &resources}))
	}
	// What the account has, and what may be in a deployment's way whatever it is called.
	allow([]*string{jsii.String("*")},
		"acm:DescribeCertificate", "autoscaling:DescribeAutoScalingGroups", "cloudformation:DescribeStacks", "cloudformation:ListStackResources",
		"cloudwatch:DescribeAlarms",
		"ec2:DescribeAddresses", "ec2:DescribeAvailabilityZones", "ec2:DescribeInstances", "ec2:DescribeInstanceTypeOfferings",
		"ec2:DescribeInstanceTypes", "ec2:DescribeInternetGateways", "ec2:DescribeRegions", "ec2:DescribeRouteTables",
		"ec2:DescribeSubnets", "ec2:DescribeVpcEndpoints", "ec2:DescribeVpcs", "ec2:GetEbsDefaultKmsKeyId", "iam:ListOpenIDConnectProviders",
		"kms:DescribeKey", "kms:GetKeyPolicy", "kms:ListGrants", "lambda:GetAccountSettings", "logs:DescribeLogGroups",
		"route53:GetHostedZone", "route53:ListResourceRecordSets", "secretsmanager:DescribeSecret",
		"servicequotas:GetAWSDefaultServiceQuota", "servicequotas:GetServiceQuota", "ssm:DescribeParameters")
	mine := props.Deployment + "-*"
	allow([]*string{arn("cloudformation", "stack", mine)}, "cloudformation:GetTemplate")
	allow([]*string{arn("dynamodb", "table", mine)}, "dynamodb:DescribeContinuousBackups", "dynamodb:DescribeTable")
	allow([]*string{stack.FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("sns"), Region: jsii.String("*"), Resource: &mine, ArnFormat: awscdk.ArnFormat_NO_RESOURCE_NAME,
	})}, "sns:ListSubscriptionsByTopic")
	allow([]*string{bucket(mine), bucket(bootstrap(stack, "assets") + "-*")},
		"s3:GetBucketVersioning", "s3:GetEncryptionConfiguration", "s3:GetReplicationConfiguration", "s3:ListBucket")
	parameters := []*string{arn("ssm", "parameter", "cdk-bootstrap/*")}
	for _, name := range slices.Sorted(slices.Values(props.Parameters)) {
		parameters = append(parameters, arn("ssm", "parameter", strings.TrimPrefix(name, "/")))
	}
	allow(parameters, "ssm:GetParameters")
	// Systems Manager's own key lets everybody decrypt who may get a parameter. Source:
	// AWS KMS Developer Guide, "AWS managed keys"; CDK's bootstrap denies it to its role for
	// lookups too.
	policy.AddStatements(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Effect: awsiam.Effect_DENY, Actions: jsii.Strings("kms:Decrypt"), Resources: jsii.Strings("*"),
	}))
}

// grantDeploy lets a role be those of CDK's bootstrap that the CDK CLI deploys with, of
// every region: one that joins changes no policy, which would be in force too late.
func grantDeploy(scope constructs.Construct, role awsiam.Role) {
	stack := awscdk.Stack_Of(scope)
	var roles []*string
	for _, kind := range []string{"deploy-role", "file-publishing-role", "lookup-role"} {
		roles = append(roles, stack.FormatArn(&awscdk.ArnComponents{
			Service: jsii.String("iam"), Region: jsii.String(""), Resource: jsii.String("role"), ResourceName: jsii.String(bootstrap(stack, kind) + "-*"),
		}))
	}
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{Actions: jsii.Strings("sts:AssumeRole"), Resources: &roles}))
}

// bootstrap is how CDK's bootstrap calls one of its kinds of resources, without the
// region that ends the name. Source: AWS CDK Developer Guide, "Customize AWS CDK
// bootstrapping".
func bootstrap(stack awscdk.Stack, kind string) string {
	return fmt.Sprintf("cdk-%s-%s-%s", *stack.Synthesizer().BootstrapQualifier(), kind, *stack.Account())
}
