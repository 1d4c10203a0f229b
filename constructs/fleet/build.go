package fleet

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/jsii-runtime-go"
)

// build describes a version of a launch template by its content, so that the same
// content is the same build: a hash of what the template says, and what only
// CloudFormation resolves of it.
type build struct{ template awsec2.CfnLaunchTemplate }

// newBuild returns a token of the template's build.
func newBuild(template awsec2.CfnLaunchTemplate) *string {
	return awscdk.Lazy_String(&build{template}, nil)
}

// Produce returns the build once all is known of the template: tags are added late.
func (b *build) Produce() *string {
	data := awscdk.Stack_Of(b.template).Resolve(b.template.LaunchTemplateData())
	content, err := json.Marshal(data)
	if err != nil {
		panic(fmt.Sprintf("fleet: the launch template's data is not JSON: %v", err))
	}
	hash := sha256.Sum256(content)
	parts := []*string{jsii.String(hex.EncodeToString(hash[:8]))}
	add := func(value any) { parts = append(parts, awscdk.Token_AsString(value, nil)) }
	properties := data.(map[string]any)
	add(properties["imageId"])
	for _, group := range properties["securityGroupIds"].([]any) {
		add(group)
	}
	profile := awscdk.Token_AsString(properties["iamInstanceProfile"].(map[string]any)["arn"], nil)
	parts = append(parts, awscdk.Fn_Select(jsii.Number(1), awscdk.Fn_Split(jsii.String("/"), profile, nil))) // its name
	return awscdk.Fn_Join(jsii.String(" "), &parts)
}
