package fleet

import (
	_ "embed"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/archipelago-cdk/archipelago/internal/envfile"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3assets"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Service is the program that each instance runs.
type Service struct {
	// Name is what it is called on the instance, such as "directory", of letters,
	// digits, _ and -. Required.
	Name string `required:"true"`
	// Binary is the path of its static Linux binary, for the instance types'
	// architecture. It is published, and named in the user data: a change of it replaces
	// instances. Required.
	Binary string `required:"true"`
	// Notify says that it tells systemd when it is ready and, at least every 30 s,
	// that it lives, through NOTIFY_SOCKET: systemd ends one that does not, and
	// starts it again. Default: false, it is ready once it runs.
	Notify bool
	// Environment are its settings, besides LISTEN, PORT and AWS_REGION, which each
	// instance has: names of A-Z, a-z, 0-9 and _, and values of one line that are
	// known at synth. Default: none.
	Environment map[string]string
	// Secrets are what it reads from files, whose paths are in the variables NAME_FILE:
	// by name, as variables have them, the path of a parameter of Systems Manager or,
	// as "secret:NAME", a secret of Secrets Manager, of the stack's account and region.
	// An instance fetches them at its first boot, and waits for one that is missing;
	// one that changes is read by the instances after that. Default: none.
	Secrets map[string]string
}

const (
	// listenVariable is the address that the service listens on, as HOST:PORT.
	listenVariable = "LISTEN"
	// pulseVariable is "absent" where there is no pulse, so that the service may say so.
	pulseVariable = "PULSE"
	// portVariable is the port alone, for programs that take no address.
	portVariable = "PORT"
	// regionVariable is the region's name. The AWS SDKs read it.
	regionVariable = "AWS_REGION"

	// maxUserData is how many bytes of user data EC2 takes. Source: Amazon EC2 User
	// Guide, "Run commands when you launch an EC2 instance with user data input".
	maxUserData = 16 << 10
)

var (
	// serviceName is the name of a file, a unit and a folder, without quotes.
	serviceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*$`)
	// healthPath is a path with a query, of the characters of RFC 3986 but for the
	// single quote, which the script puts around it.
	healthPath = regexp.MustCompile(`^/[A-Za-z0-9/?._~%!$&()*+,;=:@-]*$`)
	// regionName is the name of a region.
	regionName = regexp.MustCompile(`^[a-z0-9-]+$`)
)

//go:embed userdata.sh
var userDataScript string

// journalScript puts the journal into the log bucket. It comes first, so that what
// fails after it is seen there.
//
//go:embed journal.sh
var journalScript string

// userData is the script of an instance's first boot.
func (s Service) userData(scope constructs.Construct, props *Props, role awsiam.Role) awsec2.UserData {
	script, region := userDataScript, *awscdk.Stack_Of(scope).Region()
	s.check(props, region)
	journal, logsBucket := "", ""
	if props.LogsBucket != nil {
		journal, logsBucket = journalScript, *props.LogsBucket.BucketName()
		s.grantLogs(scope, props, role)
	}
	script = strings.Replace(script, "@JOURNAL@\n", journal, 1)
	script, values := s.placeSecrets(scope, script, role)
	values = append(values,
		"@NAME@", s.Name,
		"@BINARY@", publish(scope, "Service", s.Binary, props, role),
		"@REGION@", region,
		"@BUCKET@", logsBucket,
		"@TYPE@", s.unitType(),
	)
	pulse := props.Pulse.script(scope, props, role)
	script += pulse
	values = append(values, "@ENVIRONMENT@", s.environment(props.Port, region, pulse != ""))
	if props.Agent != nil {
		script += agentScript
		values = append(values,
			"@PORT@", strconv.Itoa(props.Port),
			"@HEALTH@", props.HealthPath,
			"@AGENT@", props.Agent.configuration(s.Name, region))
	}
	script = strings.NewReplacer(values...).Replace(script)
	if len(script) > maxUserData {
		panic(fmt.Sprintf("fleet: the instances' user data has %d bytes with the service's environment, of which EC2 takes %d; shorten Service.Environment or Service.Secrets", len(script), maxUserData))
	}
	return awsec2.UserData_Custom(&script)
}

// check panics unless the script can hold the names as they are: it is run by root.
// CDK itself refuses a bucket's name that could not.
func (s Service) check(props *Props, region string) {
	switch {
	case !serviceName.MatchString(s.Name):
		panic(fmt.Sprintf("fleet: want a Service.Name of A-Z, a-z, 0-9, _ and -, such as directory, got %q", s.Name))
	case props.Port < 1024 || props.Port > 65535:
		// The service has no right to bind a lower one.
		panic(fmt.Sprintf("fleet: want a Port from 1024 to 65535, got %d", props.Port))
	case props.Agent != nil && !healthPath.MatchString(props.HealthPath):
		panic(fmt.Sprintf("fleet: want a HealthPath such as /livez, without spaces and quotes, got %q", props.HealthPath))
	case !regionName.MatchString(region) && !*awscdk.Token_IsUnresolved(region):
		panic(fmt.Sprintf("fleet: want a stack in a region such as eu-west-1, got %q", region))
	}
}

// unitType are the unit's lines that say when it has started.
func (s Service) unitType() string {
	if s.Notify {
		return "Type=notify\nWatchdogSec=30"
	}
	return "Type=exec"
}

// environment are the lines of the service's environment file. It panics if a
// setting cannot be one.
func (s Service) environment(port int, region string, pulse bool) string {
	settings := maps.Clone(s.Environment)
	if settings == nil {
		settings = map[string]string{}
	}
	if _, own := settings[pulseVariable]; !own && !pulse {
		settings[pulseVariable] = "absent"
	}
	for name, value := range map[string]string{
		listenVariable: ":" + strconv.Itoa(port), portVariable: strconv.Itoa(port), regionVariable: region,
	} {
		if own, ok := settings[name]; ok && own != value {
			panic(fmt.Sprintf("fleet: Service.Environment has %s=%q; leave it out, the fleet sets it to %q", name, own, value))
		}
		settings[name] = value
	}
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		value := settings[name]
		if *awscdk.Token_IsUnresolved(value) {
			if name != regionVariable {
				panic(fmt.Sprintf("fleet: Service.Environment[%q]: want a value that is known at synth, got a token: what CloudFormation fills in cannot be quoted", name))
			}
			lines = append(lines, name+"="+value) // the pseudo parameter AWS::Region
			continue
		}
		line, err := envfile.Line(name, value)
		if err != nil {
			panic("fleet: Service.Environment: " + err.Error())
		}
		if strings.Contains(line, "{{resolve:") {
			panic(fmt.Sprintf("fleet: Service.Environment[%q]: want a value without {{resolve:, got %q: what CloudFormation fills in cannot be quoted", name, value))
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// grantLogs lets role put the service's logs into the log bucket, and nothing else
// there.
func (s Service) grantLogs(scope constructs.Construct, props *Props, role awsiam.IRole) {
	objects := fmt.Sprintf("arn:%s:s3:::%s/instances/%s/*", *awscdk.Aws_PARTITION(), *props.LogsBucket.BucketName(), s.Name)
	role.AddToPrincipalPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings("s3:PutObject"),
		Resources: jsii.Strings(objects),
	}))
	allowS3(scope, props, objects)
}

// publish makes an asset of a program, lets role read it, and returns its URL.
func publish(scope constructs.Construct, id, program string, props *Props, role awsiam.Role) string {
	asset := awss3assets.NewAsset(scope, &id, &awss3assets.AssetProps{Path: &program})
	grantAssets(scope, asset, props, role)
	return *asset.S3ObjectUrl()
}

// assetHash is that in an asset's key.
var assetHash = regexp.MustCompile("[0-9a-f]{64}")

// grantAssets lets role read the programs that a deployment published, this one
// and those of the next: while a deployment narrows the policy to its own
// asset, an instance that the old launch template starts could not boot. Templates and
// packages of functions, which have other extensions, are not among them: of a file
// without one, CDK makes the key HASH.HASH.
func grantAssets(scope constructs.Construct, asset awss3assets.Asset, props *Props, role awsiam.IRole) {
	programs := assetHash.ReplaceAllString(*asset.S3ObjectKey(), strings.Repeat("?", 64))
	assets := *asset.Bucket().ArnForObjects(&programs)
	role.AddToPrincipalPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings("s3:GetObject"),
		Resources: jsii.Strings(assets),
	}))
	allowS3(scope, props, assets)
}

// allowS3 lets instances reach objects through the endpoint of S3, with this
// account's credentials and no others.
func allowS3(scope constructs.Construct, props *Props, objects string) {
	if props.S3Endpoint == nil {
		return
	}
	props.S3Endpoint.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{awsiam.NewAnyPrincipal()},
		Actions:    jsii.Strings("s3:*"),
		Resources:  jsii.Strings(objects),
		Conditions: &map[string]any{"StringEquals": map[string]any{"aws:PrincipalAccount": awscdk.Stack_Of(scope).Account()}},
	}))
}
