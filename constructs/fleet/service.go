package fleet

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/archipelago-cdk/archipelago/constructs/network"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3assets"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Service is the program that each instance runs.
type Service struct {
	// Name is what it is called on the instance, such as "directory". Required.
	Name string
	// Binaries are the paths of its static Linux binaries by what `uname -m`
	// prints on the machines they run on: "aarch64", "x86_64". Required: one for
	// the instance types' architecture. Each is published, and named in the user
	// data: a change of any of them replaces instances.
	Binaries map[string]string
	// Environment are its settings. Values are written to the instance as they
	// are and must be single lines.
	Environment map[string]string
}

//go:embed userdata.sh
var userDataScript string

// userData is the script of an instance's first boot. Each binary is a file
// asset of its own, so that an instance downloads the one it runs.
func (s Service) userData(scope constructs.Construct, props Props, role awsiam.IRole) awsec2.UserData {
	var cases []string
	for _, machine := range slices.Sorted(maps.Keys(s.Binaries)) {
		asset := awss3assets.NewAsset(scope, jsii.String("Service-"+machine), &awss3assets.AssetProps{
			Path: jsii.String(s.Binaries[machine]),
		})
		grantAssets(asset, props.Network, role)
		cases = append(cases, fmt.Sprintf("%s) binary='%s' ;;", machine, *asset.S3ObjectUrl()))
	}
	var environment []string
	for _, name := range slices.Sorted(maps.Keys(s.Environment)) {
		environment = append(environment, name+"="+s.Environment[name])
	}
	script, region := userDataScript, *awscdk.Stack_Of(scope).Region()
	values := []string{
		"@NAME@", s.Name,
		"@CASES@", strings.Join(cases, "\n"),
		"@REGION@", region,
		"@ENVIRONMENT@", strings.Join(environment, "\n"),
	}
	if props.Agent != nil {
		script += agentScript
		values = append(values,
			"@PORT@", strconv.Itoa(props.Port),
			"@HEALTH@", props.LoadBalancer.HealthPath,
			"@AGENT@", props.Agent.configuration(s.Name, region))
	}
	script = strings.NewReplacer(values...).Replace(script)
	return awsec2.UserData_Custom(&script)
}

// grantAssets lets role read the assets that a deployment published, this one
// and those of the next: while a deployment narrows the policy to its own
// asset, an instance that the old launch template starts could not boot.
func grantAssets(asset awss3assets.Asset, net *network.Network, role awsiam.IRole) {
	assets := *asset.Bucket().ArnForObjects(jsii.String("*"))
	role.AddToPrincipalPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings("s3:GetObject"),
		Resources: jsii.Strings(assets),
	}))
	net.AllowS3(assets)
}
