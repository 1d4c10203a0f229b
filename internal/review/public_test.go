package review

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestPublicAccessIsTold: whatever opens something to everybody is to be decided, by a
// change and by what is new, and the way back is told.
func TestPublicAccessIsTold(t *testing.T) {
	d := newDiffer(t)
	policy := func(principal string) string {
		return `{"Statement": [{"Effect": "Allow", "Principal": ` + principal + `, "Action": "x:Y", "Resource": "*"}]}`
	}
	const all, own = `"*"`, `{"AWS": "111111111111"}`
	tests := map[string]struct {
		kind           string
		closed, opened string // properties
		want           string
	}{
		"a function's URL":                {"AWS::Lambda::Url", `"AuthType": "AWS_IAM"`, `"AuthType": "NONE"`, "everybody may"},
		"a function":                      {"AWS::Lambda::Permission", `"FunctionName": "f", "Action": "lambda:InvokeFunctionUrl", "Principal": "111111111111"`, `"FunctionName": "f", "Action": "lambda:InvokeFunctionUrl", "Principal": "*"`, "everybody now may `lambda:InvokeFunctionUrl`"},
		"a subnet":                        {"AWS::EC2::Subnet", `"MapPublicIpOnLaunch": false`, `"MapPublicIpOnLaunch": true`, "public address"},
		"an instance":                     {"AWS::EC2::Instance", `"NetworkInterfaces": [{"DeviceIndex": "0", "AssociatePublicIpAddress": false}]`, `"NetworkInterfaces": [{"DeviceIndex": "0", "AssociatePublicIpAddress": "true"}]`, "public address"},
		"instances":                       {"AWS::EC2::LaunchTemplate", `"LaunchTemplateData": {"NetworkInterfaces": [{"AssociatePublicIpAddress": false}]}`, `"LaunchTemplateData": {"NetworkInterfaces": [{"AssociatePublicIpAddress": true}]}`, "public address"},
		"a bucket by its policy":          {"AWS::S3::BucketPolicy", `"Bucket": "b", "PolicyDocument": ` + policy(own), `"Bucket": "b", "PolicyDocument": ` + policy(all), "everybody now may `x:Y`"},
		"a bucket by its ACL":             {"AWS::S3::Bucket", `"AccessControl": "Private"`, `"AccessControl": "PublicRead"`, "everybody may"},
		"a bucket's block":                {"AWS::S3::Bucket", `"PublicAccessBlockConfiguration": {"BlockPublicPolicy": true}`, `"BucketName": "x"`, "may become public"},
		"a bucket's block, as text":       {"AWS::S3::Bucket", `"PublicAccessBlockConfiguration": {"BlockPublicPolicy": "true"}`, `"BucketName": "x"`, "may become public"},
		"a topic":                         {"AWS::SNS::TopicPolicy", `"Topics": ["t"], "PolicyDocument": ` + policy(own), `"Topics": ["t"], "PolicyDocument": ` + policy(all), "everybody now may `x:Y`"},
		"a queue":                         {"AWS::SQS::QueuePolicy", `"Queues": ["q"], "PolicyDocument": ` + policy(own), `"Queues": ["q"], "PolicyDocument": ` + policy(all), "everybody now may `x:Y`"},
		"a repository":                    {"AWS::ECR::Repository", `"RepositoryPolicyText": ` + policy(own), `"RepositoryPolicyText": ` + policy(all), "everybody now may `x:Y`"},
		"a key":                           {"AWS::KMS::Key", `"KeyPolicy": ` + policy(own), `"KeyPolicy": ` + policy(all), "everybody now may `x:Y`"},
		"a secret":                        {"AWS::SecretsManager::ResourcePolicy", `"SecretId": "s", "ResourcePolicy": ` + policy(own), `"SecretId": "s", "ResourcePolicy": ` + policy(all), "everybody now may `x:Y`"},
		"a table":                         {"AWS::DynamoDB::Table", `"ResourcePolicy": {"PolicyDocument": ` + policy(own) + `}`, `"ResourcePolicy": {"PolicyDocument": ` + policy(all) + `}`, "everybody now may `x:Y`"},
		"a file system":                   {"AWS::EFS::FileSystem", `"FileSystemPolicy": ` + policy(own), `"FileSystemPolicy": ` + policy(all), "everybody now may `x:Y`"},
		"an API by its policy":            {"AWS::ApiGateway::RestApi", `"Policy": ` + policy(own), `"Policy": ` + policy(all), "everybody now may `x:Y`"},
		"an API's method":                 {"AWS::ApiGateway::Method", `"AuthorizationType": "AWS_IAM"`, `"AuthorizationType": "NONE"`, "everybody may"},
		"an API's route":                  {"AWS::ApiGatewayV2::Route", `"AuthorizationType": "AWS_IAM"`, `"RouteKey": "GET /"`, "everybody may"},
		"a security group, by IPv6":       {"AWS::EC2::SecurityGroup", `"GroupDescription": "g"`, `"GroupDescription": "g", "SecurityGroupIngress": [{"CidrIpv6": "::/0", "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}]`, "lets `::/0` (port `22`, `tcp`) in"},
		"a group's own rule, by IPv6":     {"AWS::EC2::SecurityGroupIngress", `"GroupId": "g", "CidrIp": "10.0.0.0/8", "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22`, `"GroupId": "g", "CidrIpv6": "::/0", "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22`, "lets `::/0` (port `22`, `tcp`) in"},
		"a load balancer":                 {"AWS::ElasticLoadBalancingV2::LoadBalancer", `"Scheme": "internal"`, `"Scheme": "internet-facing"`, "everybody may"},
		"a load balancer, by default":     {"AWS::ElasticLoadBalancingV2::LoadBalancer", `"Scheme": "internal"`, `"Name": "x"`, "everybody may"},
		"a database":                      {"AWS::RDS::DBInstance", `"PubliclyAccessible": false`, `"PubliclyAccessible": true`, "public address"},
		"a warehouse":                     {"AWS::Redshift::Cluster", `"PubliclyAccessible": false`, `"PubliclyAccessible": "true"`, "public address"},
		"a cluster of Kubernetes":         {"AWS::EKS::Cluster", `"ResourcesVpcConfig": {"EndpointPublicAccess": false}`, `"ResourcesVpcConfig": {"EndpointPublicAccess": true}`, "public address"},
		"a replication, by default":       {"AWS::DMS::ReplicationInstance", `"PubliclyAccessible": false`, `"ReplicationInstanceClass": "x"`, "public address"},
		"a cluster, by default":           {"AWS::EKS::Cluster", `"ResourcesVpcConfig": {"EndpointPublicAccess": false}`, `"ResourcesVpcConfig": {"SubnetIds": ["s"]}`, "public address"},
		"a lattice's service, by default": {"AWS::VpcLattice::Service", `"AuthType": "AWS_IAM"`, `"Name": "x"`, "everybody may call"},
		"a task":                          {"AWS::ECS::Service", `"NetworkConfiguration": {"AwsvpcConfiguration": {"AssignPublicIp": "DISABLED"}}`, `"NetworkConfiguration": {"AwsvpcConfiguration": {"AssignPublicIp": "ENABLED"}}`, "public address"},
		"an app":                          {"AWS::AppRunner::Service", `"NetworkConfiguration": {"IngressConfiguration": {"IsPubliclyAccessible": false}}`, `"NetworkConfiguration": {"IngressConfiguration": {"IsPubliclyAccessible": true}}`, "public address"},
		"a search":                        {"AWS::OpenSearchService::Domain", `"AdvancedSecurityOptions": {"AnonymousAuthEnabled": false}`, `"AdvancedSecurityOptions": {"AnonymousAuthEnabled": true}`, "signed in nowhere"},
		"an airflow":                      {"AWS::MWAA::Environment", `"WebserverAccessMode": "PRIVATE_ONLY"`, `"WebserverAccessMode": "PUBLIC_ONLY"`, "everybody may reach"},
		"a server of files":               {"AWS::Transfer::Server", `"EndpointType": "VPC"`, `"EndpointType": "PUBLIC"`, "everybody may"},
		"identities of nobody":            {"AWS::Cognito::IdentityPool", `"AllowUnauthenticatedIdentities": false`, `"AllowUnauthenticatedIdentities": true`, "everybody may"},
		"a role":                          {"AWS::IAM::Role", `"AssumeRolePolicyDocument": ` + policy(own), `"AssumeRolePolicyDocument": ` + policy(all), "everybody now may `x:Y`"},
		"a way to the internet":           {"AWS::EC2::Route", `"RouteTableId": "t", "DestinationCidrBlock": "10.0.0.0/8", "GatewayId": "igw-1"`, `"RouteTableId": "t", "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"`, "the internet"},
		"a way to the internet, by IPv6":  {"AWS::EC2::Route", `"RouteTableId": "t", "DestinationIpv6CidrBlock": "fd00::/8", "GatewayId": "igw-1"`, `"RouteTableId": "t", "DestinationIpv6CidrBlock": "::/0", "GatewayId": "igw-1"`, "the internet"},
	}
	kinds := map[string]bool{}
	for _, test := range tests {
		kinds[test.kind] = true
	}
	if err := d.readSchemas(kinds); err != nil { // all at once: each time takes a second
		t.Fatal(err)
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assembly := func(properties string) *Assembly {
				resources := ""
				if properties != "" {
					resources = `"R": {"Type": "` + test.kind + `", "Properties": {` + properties + `}}`
				}
				return &Assembly{Dir: t.TempDir(), Stacks: map[string]*Stack{"s": {Name: "s", Region: "eu-west-1", Account: "111111111111", Template: object(`{"Resources": {` + resources + `}}`)}}}
			}
			told := func(from, to string) (words []string, decide bool) {
				t.Helper()
				r, err := d.Compare(assembly(from), assembly(to))
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range r.Findings {
					if f.Section == Security {
						words, decide = append(words, f.What), decide || f.Decide
					}
				}
				return words, decide
			}
			block := strings.HasPrefix(name, "a bucket's block")
			for _, from := range []string{test.closed, ""} {
				if from == "" && block {
					continue // a new bucket is private without it
				}
				if words, decide := told(from, test.opened); !decide || !strings.Contains(strings.Join(words, "\n"), test.want) {
					t.Errorf("from %q: it is to be decided: %t, it says %q, want %q", from, decide, words, test.want)
				}
			}
			if words, _ := told(test.opened, test.closed); len(words) == 0 && !block {
				t.Error("nothing says that it is closed again")
			}
			if words, _ := told("", test.closed); strings.Contains(strings.Join(words, "\n"), test.want) {
				t.Errorf("closed it is told as opened: %q", words)
			}
		})
	}
}

// TestEveryPrincipalOfAPolicyCounts, of whatever kind.
func TestEveryPrincipalOfAPolicyCounts(t *testing.T) {
	for principal, want := range map[string][]string{
		`{"AWS": ["1", "2"], "Service": "s", "Federated": "f", "CanonicalUser": "c"}`: {"1", "2", "s", "f", "c"},
		`{"Service": "s", "CanonicalUser": "*"}`:                                      {"s", "*"},
		`"*"`:                                                                         {"*"},
		`{"Fn::GetAtt": ["Role", "Arn"]}`:                                             {"${Role.Arn}"},
	} {
		var got []string
		for _, g := range grantsOf(object(`{"Statement": {"Effect": "Allow", "Principal": ` + principal + `, "Action": "x:Y", "Resource": "*"}}`)) {
			got = append(got, g.who)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", principal, got, want)
		}
	}
}

// schemaWords are properties of AWS's schemas that are called as what opens something is, or
// have a value that is, with what is not machine-readable: no listed values, or a default
// that only the page says.
const schemaWords = `
const { createRequire } = require("module");
const library = require.resolve("@aws-cdk/cloudformation-diff", { paths: [process.cwd()] });
const spec = createRequire(library)("@aws-cdk/aws-service-spec").loadAwsServiceSpecSync();
const found = [];
const add = (type, entity) => {
  for (const [name, p] of Object.entries(entity.properties)) {
    const kind = p.type.type, listed = Boolean(p.type.allowedValues);
    if (kind !== "boolean" && kind !== "string" || !/public|anonymous|unauthenticated|^Scheme$|Auth(orization|orizer)?Type$|AccessControl$/i.test(name)) continue;
    const said = (p.documentation ?? "").replace(/\s+/g, " ");
    found.push({ type, name, kind, listed, required: Boolean(p.required),
      open: /default[^.]{0,60}(\` + "`" + `?true|internet-facing|NONE)/i.test(said), listedDefault: p.defaultValue !== undefined });
  }
};
for (const r of spec.all("resource")) add(r.cloudFormationType, r);
for (const t of spec.all("typeDefinition")) for (const by of spec.incoming("usesType", t)) add(by.entity.cloudFormationType ?? by.entity.name, t);
process.stdout.write(JSON.stringify(found));`

// TestWhatSchemasDoNotSay: each property whose name says that it opens something, and of
// which AWS's schemas list neither values nor a default, is among what this package knows,
// or has its reason here.
func TestWhatSchemasDoNotSay(t *testing.T) {
	var found []struct {
		Type, Name, Kind                      string
		Listed, Required, Open, ListedDefault bool
	}
	askSchemas(t, schemaWords, &found)
	// other are those whose text is no way in.
	other := regexp.MustCompile(`Key|Certificate|DnsName|Ipv4Pool|PublicIpSource|SigningKey|TypeArn|VersionNumber|RoleArn|DisableDate|^PublicIpAddress|IsPublic|PublicEndpoint|NetworkAccessControl|OnUnauthenticatedRequest|ClientPasswordAuthType|AuthorizerType`)
	// network are those whose default is that of the network that they are in, which
	// the review sees, and schemas that list another default than their page says.
	network := regexp.MustCompile(`^AWS::(RDS|EC2|AutoScaling)::|^AWS::DMS::InstanceProfile$`)
	texts, defaults, optional := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, p := range found {
		if path := openByDefault[p.Type]; path != nil && path[len(path)-1] == p.Name && !p.Required {
			optional[p.Type] = true
		}
		if p.Kind == "string" && !p.Listed && !other.MatchString(p.Name) {
			texts[p.Name] = true
			if unlisted[p.Name] == "" && p.Name != "AccessControl" {
				t.Errorf("%s of %s is a text without listed values: say in unlisted what opens it, or here why none does", p.Name, p.Type)
			}
		}
		if p.Open && !p.Required && !p.ListedDefault && !other.MatchString(p.Name) && !network.MatchString(p.Type) && (p.Kind == "boolean" || unlisted[p.Name] != "") {
			defaults[p.Type] = true
			if openByDefault[p.Type] == nil {
				t.Errorf("%s of %s is perhaps open where it is not there: say in openByDefault that it is, or here why it is not", p.Name, p.Type)
			}
		}
	}
	for name := range unlisted {
		if !texts[name] {
			t.Errorf("%s is listed by the schemas, or in none of them: it need not be in unlisted", name)
		}
	}
	for kind, path := range openByDefault {
		if !optional[kind] {
			t.Errorf("%s has no %s that can be left out", kind, path)
		}
	}
	t.Logf("%d properties; open by default, as pages say: %v", len(found), slices.Sorted(maps.Keys(defaults)))
}
