package fleet

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// decryptsVia are the services that decrypt what an instance reads, in its name.
var decryptsVia = []string{"s3", "ssm", "secretsmanager"}

// grantDecryption lets role decrypt what instances read by these services, and nothing
// that it gets hold of otherwise. Source: AWS KMS Developer Guide, "kms:ViaService".
func grantDecryption(scope constructs.Construct, props *Props, role awsiam.IRole) {
	if len(props.DecryptionKeys) == 0 {
		return
	}
	var keys, via []*string
	for _, key := range props.DecryptionKeys {
		keys = append(keys, key.KeyArn())
	}
	for _, service := range decryptsVia {
		via = append(via, jsii.String(fmt.Sprintf("%s.%s.amazonaws.com", service, *awscdk.Stack_Of(scope).Region())))
	}
	role.AddToPrincipalPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:    jsii.Strings("kms:Decrypt"),
		Resources:  &keys,
		Conditions: &map[string]any{"StringEquals": map[string]any{"kms:ViaService": via}},
	}))
}
