package review

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/internal/matrix"
)

// options are laid over the shipped configuration, by the path of their keys.
type options map[string]any

// change is one of the corpus: a single change and what a review has to say of it.
// Who edits an expectation gives the reason in the commit.
type change struct {
	name string
	// from is the base, over the shipped configuration; to is laid over that.
	from, to options
	// service is what the head's program consists of, if it is another than the base's.
	service string
	// edit is made to the head's templates, after the synth.
	edit func(*edited)
	// want is the verdict, and says are words that the comment has beside it.
	want Verdict
	says []string
	// gate has each run of the tests prove it; others are by -all.
	gate bool
}

// Bases beside the shipped configuration.
var (
	domain  = options{"domain.zone": "example.com", "domain.zoneId": "Z0123456789ABCDEFGHIJ", "domain.host": "staff.example.com"}
	three   = options{"regions": "eu-west-1,us-east-1,us-west-2"}
	strong  = options{"regions": "eu-west-1,eu-central-1", "consistency": "strong", "witness": "eu-west-2"}
	mailed  = options{"alarms": "ops@example.com"}
	private = options{"logs": "cloudwatch"}
)

// repository is one whose workflows may deploy from a branch.
func repository(branch string) any {
	return map[string]any{"repository": "octo-org/shop", "branch": branch, "environments": []any{"production"}}
}

const (
	storage = "archipelago-storage-"
	global  = "archipelago-global"
	region  = "archipelago-region-"
	entry   = "archipelago-entry"
)

// corpus are the changes by what they are about.
var corpus = []change{
	// Tables.
	{name: "a table's key", to: options{"tables[0].partitionKey": "id"}, want: DataAtRisk, says: []string{"archipelago-employees", "KeySchema"}, gate: true},
	{name: "a table's sort key is dropped", edit: func(e *edited) {
		e.set(global, "Employees", "KeySchema", list(`[{"AttributeName": "pk", "KeyType": "HASH"}]`))
	}, want: DataAtRisk},
	{name: "a table's name", to: options{"tables[1].name": "logins", "service.environment.SESSIONS_TABLE": "{table:logins}"}, want: DataAtRisk, says: []string{"archipelago-sessions"}},
	{name: "a table's construct id", edit: func(e *edited) { e.rename(global, "Employees", "Staff") }, want: DataAtRisk, says: []string{"archipelago-employees"}, gate: true},
	{name: "a table is removed with its data", edit: func(e *edited) {
		e.before.policy(global, "Sessions", "Delete")
		e.remove(global, "Sessions")
	}, want: DataAtRisk},
	{name: "a table is added", to: options{"tables": list(`[
		{"name": "employees", "partitionKey": "pk", "sortKey": "sk", "watch": true, "indexes": [{"name": "byName", "partitionKey": "gpk", "sortKey": "gsk"}], "actions": ["GetItem", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "Query"]},
		{"name": "sessions", "partitionKey": "pk", "sortKey": "sk", "ttl": "expires", "ephemeral": true, "actions": ["GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query"]},
		{"name": "notes", "partitionKey": "pk"}]`)}, want: InPlace},
	{name: "an index is added", edit: func(e *edited) {
		e.set(global, "Sessions", "GlobalSecondaryIndexes", list(`[{"IndexName": "byUser", "KeySchema": [{"AttributeName": "sk", "KeyType": "HASH"}], "Projection": {"ProjectionType": "ALL"}}]`))
	}, want: InPlace, says: []string{"byUser"}},
	{name: "an index is removed", edit: func(e *edited) { e.unset(global, "Employees", "GlobalSecondaryIndexes") }, want: IslandDown, says: []string{"byName"}},
	{name: "an index's key", to: options{"tables[0].indexes[0].partitionKey": "team"}, want: IslandDown, says: []string{"byName"}, gate: true},
	{name: "a table's items begin to expire", to: options{"tables[0].ttl": "expires"}, want: DataAtRisk, says: []string{"expires"}},
	{name: "a table's items stay", edit: func(e *edited) { e.unset(global, "Sessions", "TimeToLiveSpecification") }, want: InPlace},
	{name: "a table loses its backups", to: options{"tables[0].ephemeral": true}, want: DataAtRisk, says: []string{"recovery"}},
	{name: "a table gets backups", from: options{"tables[1].ephemeral": true}, to: options{"tables[1].ephemeral": false}, want: InPlace},
	{name: "a table's deletion protection is off", edit: func(e *edited) { e.set(global, "Employees", "Replicas/1/DeletionProtectionEnabled", false) }, want: DataAtRisk, says: []string{"protection"}},
	{name: "a table is kept no longer when it is replaced", edit: func(e *edited) { e.put(global, "Employees", "UpdateReplacePolicy", "Delete") }, want: DataAtRisk, says: []string{"UpdateReplacePolicy"}},
	{name: "a table's actions", to: options{"tables[1].actions": "GetItem,PutItem,UpdateItem,DeleteItem,Query,Scan"}, want: InPlace, says: []string{"dynamodb:Scan"}},
	{name: "a table is encrypted by a key", edit: func(e *edited) {
		e.set(global, "Employees", "SSESpecification", object(`{"SSEEnabled": true, "SSEType": "KMS"}`))
	}, want: InPlace},
	{name: "a strong table's witness", from: strong, to: options{"witness": "eu-west-3"}, want: DataAtRisk},

	// Buckets.
	{name: "a bucket's name", to: options{"buckets[0].name": "pictures", "service.environment.PHOTOS_BUCKET": "{buckets:pictures}"}, want: DataAtRisk, says: []string{"archipelago-photos"}},
	{name: "a bucket's construct id", edit: func(e *edited) { e.rename(storage, "Photos", "Pictures") }, want: DataAtRisk},
	{name: "a bucket's old versions are kept for less", edit: func(e *edited) {
		e.set(storage, "Photos", "LifecycleConfiguration/Rules/0/NoncurrentVersionExpiration/NoncurrentDays", 7)
	}, want: DataAtRisk, says: []string{"30", "7"}, gate: true},
	{name: "a bucket's old versions are kept for longer", edit: func(e *edited) {
		e.set(storage, "Photos", "LifecycleConfiguration/Rules/0/NoncurrentVersionExpiration/NoncurrentDays", 90)
	}, want: InPlace},
	{name: "a bucket's objects begin to expire", edit: func(e *edited) {
		e.set(storage, "Photos", "LifecycleConfiguration/Rules/1", object(`{"ExpirationInDays": 365, "Id": "ExpireAll", "Status": "Enabled"}`))
	}, want: DataAtRisk, says: []string{"365"}},
	{name: "a bucket's uploads that nobody ends are kept for longer", edit: func(e *edited) {
		e.set(storage, "Photos", "LifecycleConfiguration/Rules/0/AbortIncompleteMultipartUpload/DaysAfterInitiation", 7)
	}, want: InPlace},
	{name: "a bucket's versions", edit: func(e *edited) { e.set(storage, "Photos", "VersioningConfiguration/Status", "Suspended") }, want: DataAtRisk, says: []string{"version"}},
	{name: "a bucket's encryption by a key", edit: func(e *edited) {
		e.set(storage, "Photos", "BucketEncryption/ServerSideEncryptionConfiguration/0/ServerSideEncryptionByDefault/SSEAlgorithm", "aws:kms")
	}, want: InPlace, says: []string{"encryption"}},
	{name: "a bucket's encryption is not said", edit: func(e *edited) { e.unset(storage, "Photos", "BucketEncryption") }, want: InPlace, says: []string{"encryption"}},
	{name: "a bucket may be public", edit: func(e *edited) {
		e.set(storage, "Photos", "PublicAccessBlockConfiguration/BlockPublicPolicy", false)
	}, want: InPlace, says: []string{"public"}},
	{name: "a bucket is retained no longer", edit: func(e *edited) { e.policy(storage, "Photos", "Delete") }, want: DataAtRisk, says: []string{"DeletionPolicy"}},
	{name: "objects are replicated no longer", edit: func(e *edited) { e.remove(global, "ReplicationPhotosFromeuwest1") }, want: DataAtRisk, says: []string{"replicat"}},
	{name: "a bucket's requests without TLS are answered", edit: func(e *edited) { e.unset(storage, "PhotosPolicy", "PolicyDocument/Statement/0") }, want: InPlace, says: []string{"s3:*"}},
	{name: "a log bucket keeps for less", edit: func(e *edited) {
		e.set(storage, "Logs", "LifecycleConfiguration/Rules/0/ExpirationInDays", 30)
	}, want: DataAtRisk},
	{name: "a log group keeps for less", edit: func(e *edited) { e.set(storage, "ServiceLog", "RetentionInDays", 7) }, want: DataAtRisk, says: []string{"30", "7"}},
	{name: "a log group keeps for longer", edit: func(e *edited) { e.set(storage, "ServiceLog", "RetentionInDays", 90) }, want: InPlace},
	{name: "a log group keeps for ever", edit: func(e *edited) { e.unset(storage, "ServiceLog", "RetentionInDays") }, want: InPlace},
	{name: "everything is retained no longer", to: options{"protect": false}, want: DataAtRisk, says: []string{"DeletionPolicy", "protection"}, gate: true},
	{name: "everything is retained", from: options{"protect": false}, to: options{"protect": true}, want: InPlace},

	// Regions.
	{name: "the deployment's name", to: options{"name": "atoll"}, want: DataAtRisk},
	{name: "the primary", to: options{"regions": "us-east-1,eu-west-1"}, want: DataAtRisk, says: []string{"archipelago-global"}},
	{name: "regions that are not the primary are reordered", from: three, to: options{"regions": "eu-west-1,us-west-2,us-east-1"}, want: InPlace},
	{name: "a region is added", to: options{"regions": "eu-west-1,us-east-1,us-west-2"}, want: InPlace, says: []string{"us-west-2"}, gate: true},
	{name: "a region is removed", from: three, to: options{"regions": "eu-west-1,us-east-1"}, want: IslandDown, says: []string{"us-west-2"}},
	{name: "a region is retired", from: three, to: options{"regions[2].retired": true}, want: IslandDown, says: []string{"us-west-2"}, gate: true},
	{name: "a retired region is removed", from: options{"regions": []any{"eu-west-1", "us-east-1", map[string]any{"name": "us-west-2", "retired": true}}}, to: options{"regions": "eu-west-1,us-east-1"}, want: InPlace, says: []string{"archipelago-storage-us-west-2"}},
	{name: "a region is drained", to: options{"regions[1].weight": "0"}, want: IslandDown, says: []string{"us-east-1"}},
	{name: "a region serves half of its users", to: options{"regions[1].weight": "50"}, want: InPlace},
	{name: "a region's addresses", to: options{"regions[1].cidr": "10.99.0.0/16"}, want: IslandDown, says: []string{"us-east-1"}},
	{name: "a region's zones", to: options{"regions[1].zones": "2"}, want: Instances},
	{name: "a network that exists already", to: options{"regions[1].cidr": "10.9.0.0/22", "regions[1].vpc": object(`{"id": "vpc-0123456789abcdef0", "fleetSubnets": {"a": "subnet-0123456789abcde0a", "b": "subnet-0123456789abcde0b"}, "loadBalancerSubnets": {"a": "subnet-0123456789abcde1a", "b": "subnet-0123456789abcde1b"}}`)}, want: IslandDown},
	{name: "a way to the internet", to: options{"egress": "nat"}, want: InPlace},
	{name: "the way to S3 is removed", edit: func(e *edited) { e.remove(region, "NetworkVpcS3") }, want: IslandDown},
	{name: "flow logs", to: options{"flowLogs": false}, want: InPlace, says: []string{"FlowLog"}},

	// The entry.
	{name: "another entry", to: options{"entry": "none"}, want: IslandDown},
	{name: "the accelerator", from: options{"entry": "none"}, to: options{"entry": "accelerator"}, want: IslandDown},
	{name: "an island leaves the entry", edit: func(e *edited) { e.remove(region+"us-east-1", "EndpointGroup") }, want: IslandDown, says: []string{"us-east-1"}},
	{name: "the load balancer's name", edit: func(e *edited) { e.set(region, "LoadBalancerAlb", "Name", "another") }, want: IslandDown},
	{name: "the service's health path", to: options{"service.health": "/readyz"}, want: InPlace},

	// Instances.
	{name: "the program", service: "another", want: Instances, gate: true},
	{name: "user data", edit: func(e *edited) {
		e.set(region, "FleetLaunchTemplate", "LaunchTemplateData/UserData", object(`{"Fn::Base64": "#!/bin/bash\nexit 1\n"}`))
	}, want: Instances, says: []string{"exit 1"}},
	{name: "a setting of the service", to: options{"service.environment.READS": "signed-in"}, want: Instances, says: []string{`READS="signed-in"`}, gate: true},
	{name: "a secret", to: options{"service.secrets.API_KEY": "/hello/api-key"}, want: Instances},
	{name: "a pinned image", from: options{"regions[0].ami": "ami-0123456789abcdef0"}, to: options{"regions[0].ami": "ami-0fedcba9876543210"}, want: Instances, says: []string{"eu-west-1"}},
	{name: "another architecture", to: options{"fleet.ladder": "m7i.large,m7i.xlarge"}, want: Instances},
	{name: "a larger ladder", to: options{"fleet.ladder": "m7g.medium,m7g.large,m7g.xlarge,m7g.2xlarge,m7g.4xlarge"}, want: InPlace},
	{name: "the first type", to: options{"fleet.startAt": "m7g.large"}, want: InPlace},
	{name: "fleet.max", to: options{"fleet.max": "12"}, want: InPlace, says: []string{"6", "12"}, gate: true},
	{name: "fleet.min", to: options{"fleet.min": "3"}, want: InPlace},
	{name: "a smaller fleet", to: options{"fleet.max": "2"}, want: InPlace},
	{name: "the CPU target", to: options{"fleet.cpuTarget": "40"}, want: InPlace},
	{name: "the instance type stays", to: options{"fleet.vertical": "off"}, want: InPlace},
	{name: "a schedule", to: options{"fleet.schedule": []any{map[string]any{"name": "Morning", "cron": "0 7 * * *", "min": "4"}}}, want: InPlace},
	{name: "the guard", to: options{"fleet.guard": false}, want: InPlace, says: []string{"guard"}},
	{name: "logs in CloudWatch", to: options{"logs": "cloudwatch"}, want: Instances},
	{name: "logs on the instance", to: options{"logs": "off"}, want: Instances},
	{name: "a tag", to: options{"tags": map[string]any{"team": "staff"}}, want: Instances},
	{name: "the fleet's group", edit: func(e *edited) {
		e.set(region, "FleetSecurityGroup", "GroupDescription", "The fleet")
	}, want: Instances},
	{name: "the Auto Scaling group's name", edit: func(e *edited) { e.set(region, "FleetGroupASG", "AutoScalingGroupName", "another") }, want: IslandDown},

	// Security.
	{name: "a policy is widened by a star", edit: func(e *edited) {
		e.allow(region, "FleetRoleDefaultPolicy", "dynamodb:BatchWriteItem", "dynamodb:*")
	}, want: InPlace, says: []string{"dynamodb:*"}, gate: true},
	{name: "a policy is narrowed", edit: func(e *edited) {
		e.allow(region, "FleetRoleDefaultPolicy", "s3:DeleteObject", "s3:PutObject")
	}, want: InPlace, says: []string{"s3:DeleteObject"}},
	{name: "a repository's workflows may deploy", to: options{"github": repository("main")}, want: InPlace, says: []string{
		"sts:AssumeRoleWithWebIdentity", "repo:octo-org/shop:environment:production", "refs/heads/main", "sts:AssumeRole", "cdk-hnb659fds-deploy-role",
	}, gate: true},
	{name: "another branch may deploy", from: options{"github": repository("main")}, to: options{"github": repository("next")}, want: InPlace, says: []string{"refs/heads/next"}},
	{name: "trust", edit: func(e *edited) {
		e.set(region, "FleetRole", "AssumeRolePolicyDocument/Statement/0/Principal", object(`{"AWS": "arn:aws:iam::999999999999:root"}`))
	}, want: IslandDown, says: []string{"another account, `999999999999`", "every call to AWS fails"}},
	{name: "a port", edit: func(e *edited) {
		e.set(region, "FleetSecurityGroup", "SecurityGroupIngress", list(`[{"CidrIp": "0.0.0.0/0", "FromPort": 22, "ToPort": 22, "IpProtocol": "tcp"}]`))
	}, want: InPlace, says: []string{"0.0.0.0/0", "22"}},
	{name: "users are not let in", edit: func(e *edited) { e.unset(region, "LoadBalancerSecurityGroup", "SecurityGroupIngress") }, want: IslandDown},
	{name: "the TLS policy", from: domain, edit: func(e *edited) {
		e.set(region, "LoadBalancerAlbHttps", "SslPolicy", "ELBSecurityPolicy-2016-08")
	}, want: InPlace, says: []string{"ELBSecurityPolicy-2016-08"}},
	{name: "the firewall counts", to: options{"waf.common": "count"}, want: InPlace, says: []string{"Common"}, gate: true},
	{name: "the firewall lets more requests pass", to: options{"waf.rateLimit": "20000"}, want: InPlace, says: []string{"20000"}},
	{name: "the firewall is off", to: options{"waf.enabled": false}, want: InPlace, says: []string{"WebACL"}},
	{name: "sessions on instances", to: options{"ssm": true}, want: InPlace},
	{name: "cleartext", to: options{"service.environment.ALLOW_CLEARTEXT": "true"}, want: Instances, says: []string{"ALLOW_CLEARTEXT"}},

	// What watches.
	{name: "an alarm is removed", edit: func(e *edited) { e.remove(region, "ObservabilityLatency") }, want: InPlace, says: []string{"Latency"}},
	{name: "alarms go by mail", to: mailed, want: InPlace},
	{name: "alarms go to nobody", from: mailed, to: options{"alarms": []any{}}, want: InPlace},
	{name: "the agent leaves", from: private, to: options{"logs": "bucket"}, want: Instances},

	// What says nothing.
	{name: "a comment in Go", want: NoEffect, gate: true},
	{name: "a template's description", edit: func(e *edited) { e.top(region, "Description", "Another one") }, want: NoEffect},
	{name: "metadata", edit: func(e *edited) { e.put(region, "FleetRole", "Metadata", object(`{"aws:cdk:path": "x"}`)) }, want: NoEffect},
	{name: "an alarm's description", edit: func(e *edited) { e.set(region, "ObservabilityLatency", "AlarmDescription", "Slow") }, want: InPlace},
	{name: "CDK bumped", edit: func(e *edited) {
		e.set(storage, "AWS679f53fac002430cb0da5b7982bd2287", "Code/S3Key", strings.Repeat("ab", 32)+".zip")
	}, want: InPlace},
	{name: "a flag of CDK without effect", to: options{"@aws-cdk/aws-ec2:uniqueImdsv2TemplateName": false}, want: NoEffect},
	{name: "a flag of CDK that splits policies", to: options{"@aws-cdk/aws-iam:minimizePolicies": false}, want: InPlace},
}

// object and list read JSON.
func object(text string) map[string]any { return read[map[string]any](text) }
func list(text string) []any            { return read[[]any](text) }

func read[T any](text string) T {
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		panic(fmt.Sprintf("%s: %v", text, err))
	}
	return v
}

// context is CDK's for a change's base, or for its head.
func (c change) context(t *testing.T, head bool) map[string]any {
	t.Helper()
	context, err := matrix.ShippedContext()
	if err != nil {
		t.Fatal(err)
	}
	lay := func(over options) {
		for key, value := range over {
			if !strings.HasPrefix(key, "@aws-cdk/") {
				key = config.ContextKey + "." + key
			}
			context[key] = value
		}
	}
	lay(c.from)
	if head {
		// What the base says below a key goes with the key.
		for key := range c.to {
			for laid := range c.from {
				if strings.HasPrefix(laid, key+".") || strings.HasPrefix(laid, key+"[") {
					delete(context, config.ContextKey+"."+laid)
				}
			}
		}
		lay(c.to)
	}
	return context
}

// TestCorpusIsWhole: there are enough changes, of all verdicts, and each is one
// that the configuration takes.
func TestCorpusIsWhole(t *testing.T) {
	names, verdicts := map[string]bool{}, map[Verdict]int{}
	for _, c := range corpus {
		if names[c.name] {
			t.Errorf("%q occurs twice", c.name)
		}
		names[c.name] = true
		verdicts[c.want]++
		for _, head := range []bool{false, true} {
			if _, err := config.Parse(c.context(t, head), matrix.Account); err != nil {
				t.Errorf("%s, head %t: %v", c.name, head, err)
			}
		}
	}
	if len(corpus) < 40 {
		t.Errorf("got %d changes, want 40 at least", len(corpus))
	}
	for v := NoEffect; v <= DataAtRisk; v++ {
		if verdicts[v] < 3 {
			t.Errorf("%d changes have the verdict %q, want 3 at least", verdicts[v], v)
		}
	}
}
