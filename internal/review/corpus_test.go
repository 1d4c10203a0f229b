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
	// source is what the head's sources have in place of the base's, by their files: both
	// sides are built and run then.
	source map[string][2]string
	// lost is the region of the head that is lost, "" for none.
	lost string
	// edit is made to the head's templates, after the synth.
	edit func(*edited)
	// want is the verdict, says are words that the comment has beside it, and lacks those
	// that it must not have.
	want Verdict
	// answer is what a reader has to do: to merge what has no effect, and to stop where data
	// is at risk, where nothing else is said.
	answer Answer
	says   []string
	lacks  []string
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
	{name: "a table's key", to: options{"tables[0].partitionKey": "id"}, want: DataAtRisk, says: []string{"archipelago-employees", "KeySchema", "the service no longer reads it", "an export and an import", "Restore data"}, lacks: []string{"a backup"}, gate: true},
	{name: "a table's sort key is dropped", edit: func(e *edited) {
		e.set(global, "Employees", "KeySchema", list(`[{"AttributeName": "pk", "KeyType": "HASH"}]`))
	}, want: DataAtRisk},
	{name: "a table's name", to: options{"tables[1].name": "logins", "service.environment.SESSIONS_TABLE": "{table:logins}"}, want: DataAtRisk, says: []string{"archipelago-sessions"}},
	{name: "a table's construct id", edit: func(e *edited) { e.rename(global, "Employees", "Staff") }, want: DataAtRisk, says: []string{"another one of the same name", "stays where it is", "archipelago-employees"}, lacks: []string{"a backup"}, gate: true},
	{name: "a table is removed with its data", edit: func(e *edited) {
		e.before.policy(global, "Sessions", "Delete")
		e.remove(global, "Sessions")
	}, want: DataAtRisk},
	{name: "a table is added", to: options{"tables": list(`[
		{"name": "employees", "partitionKey": "pk", "sortKey": "sk", "watch": true, "indexes": [{"name": "byName", "partitionKey": "gpk", "sortKey": "gsk"}], "actions": ["GetItem", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "Query"]},
		{"name": "sessions", "partitionKey": "pk", "sortKey": "sk", "ttl": "expires", "ephemeral": true, "actions": ["GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query"]},
		{"name": "notes", "partitionKey": "pk"}]`)}, want: InPlace, answer: Ask},
	{name: "an index is added", edit: func(e *edited) {
		e.set(global, "Sessions", "GlobalSecondaryIndexes", list(`[{"IndexName": "byUser", "KeySchema": [{"AttributeName": "sk", "KeyType": "HASH"}], "Projection": {"ProjectionType": "ALL"}}]`))
	}, want: InPlace, answer: Merge, says: []string{"byUser"}},
	{name: "an index is removed", edit: func(e *edited) { e.unset(global, "Employees", "GlobalSecondaryIndexes") }, want: IslandDown, answer: Stop, says: []string{"byName"}},
	{name: "an index's key", to: options{"tables[0].indexes[0].partitionKey": "team"}, want: IslandDown, answer: Stop, says: []string{"users cannot be moved to another one", "byName"}, lacks: []string{"make drain"}, gate: true},
	{name: "a table's items begin to expire", to: options{"tables[0].ttl": "expires"}, want: DataAtRisk, says: []string{"expires"}},
	{name: "a table's items stay", edit: func(e *edited) { e.unset(global, "Sessions", "TimeToLiveSpecification") }, want: InPlace, answer: Ask, says: []string{"nothing deletes items"}},
	{name: "a table loses its backups", to: options{"tables[0].ephemeral": true}, want: DataAtRisk, says: []string{"recovery"}},
	{name: "a table gets backups", from: options{"tables[1].ephemeral": true}, to: options{"tables[1].ephemeral": false}, want: InPlace, answer: Merge},
	{name: "a table's deletion protection is off", edit: func(e *edited) { e.set(global, "Employees", "Replicas/1/DeletionProtectionEnabled", false) }, want: DataAtRisk, says: []string{"deletion (`eu-west-1`)", "protection"}},
	{name: "a table is kept no longer when it is replaced", edit: func(e *edited) { e.put(global, "Employees", "UpdateReplacePolicy", "Delete") }, want: DataAtRisk, says: []string{"UpdateReplacePolicy"}},
	{name: "a table's actions", to: options{"tables[1].actions": "GetItem,PutItem,UpdateItem,DeleteItem,Query,Scan"}, want: InPlace, answer: Ask, says: []string{"dynamodb:Scan"}},
	{name: "a table is encrypted by a key", edit: func(e *edited) {
		e.set(global, "Employees", "SSESpecification", object(`{"SSEEnabled": true, "SSEType": "KMS"}`))
	}, want: InPlace, answer: Ask},
	{name: "a strong table's witness", from: strong, to: options{"witness": "eu-west-3"}, want: DataAtRisk},
	{name: "the type of a table's key", edit: func(e *edited) { e.set(global, "Employees", "AttributeDefinitions/0/AttributeType", "N") }, want: DataAtRisk, says: []string{"pk"}, gate: true},
	{name: "the type of an index's key", edit: func(e *edited) { e.set(global, "Employees", "AttributeDefinitions/2/AttributeType", "N") }, want: DataAtRisk, says: []string{"gpk"}},
	{name: "an index with an attribute of its own", edit: func(e *edited) {
		e.set(global, "Sessions", "AttributeDefinitions/2", object(`{"AttributeName": "user", "AttributeType": "S"}`))
		e.set(global, "Sessions", "GlobalSecondaryIndexes", list(`[{"IndexName": "byUser", "KeySchema": [{"AttributeName": "user", "KeyType": "HASH"}], "Projection": {"ProjectionType": "ALL"}}]`))
	}, want: InPlace, answer: Merge},
	{name: "a table's replicas are computed", edit: func(e *edited) {
		e.set(global, "Employees", "Replicas", object(`{"Fn::If": ["C", [], []]}`))
	}, want: DataAtRisk},
	{name: "a table moves to another stack", edit: func(e *edited) { e.move(global, "Employees", "archipelago-storage-eu-west-1") }, want: DataAtRisk, says: []string{"archipelago-storage-eu-west-1"}},
	{name: "a table becomes one of another type", edit: func(e *edited) {
		e.put(global, "Employees", "Type", "AWS::DynamoDB::Table")
		e.rename(global, "Employees", "Staff")
	}, want: DataAtRisk},
	{name: "a table hangs on a condition", edit: func(e *edited) {
		e.top(global, "Conditions", object(`{"Never": {"Fn::Equals": ["a", "b"]}}`))
		e.put(global, "Employees", "Condition", "Never")
	}, want: DataAtRisk, says: []string{"Never"}},
	{name: "a table's condition becomes another one", edit: func(e *edited) {
		e.before.put(global, "Employees", "Condition", "C")
		e.put(global, "Employees", "Condition", "C")
		e.before.top(global, "Conditions", object(`{"C": {"Fn::Equals": ["a", "a"]}}`))
		e.top(global, "Conditions", object(`{"C": {"Fn::Equals": ["a", "b"]}}`))
	}, want: DataAtRisk, says: []string{"Conditions"}},
	{name: "a table's name is another one in a mapping", edit: func(e *edited) {
		for edited, name := range map[*edited]string{e.before: "archipelago-employees", e: "staff"} {
			edited.set(global, "Employees", "TableName", object(`{"Fn::FindInMap": ["Names", "Employees", "Table"]}`))
			edited.top(global, "Mappings", map[string]any{"Names": map[string]any{"Employees": map[string]any{"Table": name}}})
		}
	}, want: DataAtRisk, says: []string{"Mappings"}},

	{name: "a table's name is put together by CloudFormation", edit: func(e *edited) {
		e.set(global, "Employees", "TableName", object(`{"Fn::Join": ["", ["archipelago-", {"Fn::Sub": "employees"}]]}`))
	}, want: NoEffect},
	{name: "a table's name, from a resource, is written in another way", edit: func(e *edited) {
		e.before.set(global, "Employees", "TableName", object(`{"Fn::Join": ["", [{"Ref": "AWS::StackName"}, "-", "employees"]]}`))
		e.set(global, "Employees", "TableName", object(`{"Fn::Sub": "${AWS::StackName}-employees"}`))
	}, want: NoEffect},
	{name: "a table's name is put together as another one", edit: func(e *edited) {
		e.set(global, "Employees", "TableName", object(`{"Fn::Sub": "archipelago-staff"}`))
	}, want: DataAtRisk, says: []string{"`archipelago-employees` is replaced by an empty one, since `TableName` changes"}},

	// Buckets.
	{name: "a bucket's name", to: options{"buckets[0].name": "pictures", "service.environment.PHOTOS_BUCKET": "{buckets:pictures}"}, want: DataAtRisk, says: []string{"1. the service no longer reads `archipelago-photos"}},
	{name: "a bucket's construct id", edit: func(e *edited) { e.rename(storage, "Photos", "Pictures") }, want: DataAtRisk},
	{name: "a bucket's old versions are kept for less", edit: func(e *edited) {
		e.set(storage, "Photos", "LifecycleConfiguration/Rules/0/NoncurrentVersionExpiration/NoncurrentDays", 7)
	}, want: DataAtRisk, says: []string{"30", "7", "First: a backup", "what is deleted by then stays deleted"}, lacks: []string{"brings resources back", "without what Data says"}, gate: true},
	{name: "a bucket's old versions are kept for longer", edit: func(e *edited) {
		e.set(storage, "Photos", "LifecycleConfiguration/Rules/0/NoncurrentVersionExpiration/NoncurrentDays", 90)
	}, want: InPlace, answer: Merge},
	{name: "a bucket's objects begin to expire", edit: func(e *edited) {
		e.set(storage, "Photos", "LifecycleConfiguration/Rules/1", object(`{"ExpirationInDays": 365, "Id": "ExpireAll", "Status": "Enabled"}`))
	}, want: DataAtRisk, says: []string{"365"}},
	{name: "a bucket's uploads that nobody ends are kept for longer", edit: func(e *edited) {
		e.set(storage, "Photos", "LifecycleConfiguration/Rules/0/AbortIncompleteMultipartUpload/DaysAfterInitiation", 7)
	}, want: InPlace, answer: Merge},
	{name: "a bucket's objects go to an archive", edit: func(e *edited) {
		e.set(storage, "Photos", "LifecycleConfiguration/Rules/1", object(`{"Id": "Archive", "Status": "Enabled", "Transitions": [{"StorageClass": "DEEP_ARCHIVE", "TransitionInDays": 30}]}`))
	}, want: IslandDown, answer: Stop, says: []string{"go to an archive after 30 days, previously never", "copied back", "Not priced:", "users of every island lose"}, lacks: []string{"until it is undone"}},
	{name: "a bucket's objects go to where they cost less", edit: func(e *edited) {
		e.set(storage, "Photos", "LifecycleConfiguration/Rules/1", object(`{"Id": "Cold", "Status": "Enabled", "Transitions": [{"StorageClass": "STANDARD_IA", "TransitionInDays": 30}]}`))
	}, want: InPlace, answer: Merge},
	{name: "a bucket's objects go to one zone", edit: func(e *edited) {
		e.set(storage, "Photos", "LifecycleConfiguration/Rules/1", object(`{"Id": "Cold", "Status": "Enabled", "Transitions": [{"StorageClass": "ONEZONE_IA", "TransitionInDays": 30}]}`))
	}, want: DataAtRisk, says: []string{"lost with the one zone", "deletes none"}},
	{name: "a bucket's old versions are deleted no longer", edit: func(e *edited) {
		e.set(storage, "Photos", "LifecycleConfiguration/Rules/0/NoncurrentVersionExpiration", nil)
	}, want: InPlace, answer: Ask, says: []string{"nothing deletes old versions", "the owner of the data", "kept for ever"}},
	{name: "a bucket's versions", edit: func(e *edited) { e.set(storage, "Photos", "VersioningConfiguration/Status", "Suspended") }, want: DataAtRisk, says: []string{"version"}},
	{name: "a bucket's encryption by a key", edit: func(e *edited) {
		e.set(storage, "Photos", "BucketEncryption/ServerSideEncryptionConfiguration/0/ServerSideEncryptionByDefault/SSEAlgorithm", "aws:kms")
	}, want: InPlace, answer: Ask, says: []string{"encryption"}},
	{name: "a bucket's encryption is not said", edit: func(e *edited) { e.unset(storage, "Photos", "BucketEncryption") }, want: InPlace, answer: Merge, says: []string{"stays as it is", "encryption"}},
	{name: "a bucket may be public", edit: func(e *edited) {
		e.set(storage, "Photos", "PublicAccessBlockConfiguration/BlockPublicPolicy", false)
	}, want: InPlace, answer: Ask, says: []string{"public"}},
	{name: "a bucket is retained no longer", edit: func(e *edited) { e.policy(storage, "Photos", "Delete") }, want: DataAtRisk, says: []string{"by its DeletionPolicy and UpdateReplacePolicy", "DeletionPolicy"}},
	{name: "objects are replicated no longer", edit: func(e *edited) { e.remove(global, "ReplicationPhotosFromeuwest1") }, want: DataAtRisk, says: []string{"to `archipelago-photos-123456789012-us-east-1` by", "guarded less", "S3 Batch Replication", "Not priced:"}, lacks: []string{"First:", "Restore data", "without what Data says"}},
	{name: "a bucket's requests without TLS are answered", edit: func(e *edited) { e.unset(storage, "PhotosPolicy", "PolicyDocument/Statement/0") }, want: InPlace, answer: Ask, says: []string{"s3:*"}},
	{name: "a log bucket keeps for less", edit: func(e *edited) {
		e.set(storage, "Logs", "LifecycleConfiguration/Rules/0/ExpirationInDays", 30)
	}, want: DataAtRisk},
	{name: "a log group keeps for less", edit: func(e *edited) { e.set(storage, "ServiceLog", "RetentionInDays", 7) }, want: DataAtRisk, says: []string{"30", "7"}},
	{name: "a log group keeps for longer", edit: func(e *edited) { e.set(storage, "ServiceLog", "RetentionInDays", 90) }, want: InPlace, answer: Merge},
	{name: "a log group keeps for ever", edit: func(e *edited) { e.unset(storage, "ServiceLog", "RetentionInDays") }, want: InPlace, answer: Ask, says: []string{"the owner of the data", "kept for ever"}},
	{name: "everything is retained no longer", to: options{"protect": false}, want: DataAtRisk, says: []string{"DeletionPolicy", "protection"}, gate: true},
	{name: "everything is retained", from: options{"protect": false}, to: options{"protect": true}, want: InPlace, answer: Ask},
	{name: "fewer of a bucket's newest old versions are kept", edit: func(e *edited) {
		e.before.set(storage, "Photos", "LifecycleConfiguration/Rules/0/NoncurrentVersionExpiration/NewerNoncurrentVersions", 100.0)
		e.set(storage, "Photos", "LifecycleConfiguration/Rules/0/NoncurrentVersionExpiration/NewerNoncurrentVersions", 1.0)
	}, want: DataAtRisk, says: []string{"100"}},
	{name: "more of a bucket's newest old versions are kept", edit: func(e *edited) {
		e.set(storage, "Photos", "LifecycleConfiguration/Rules/0/NoncurrentVersionExpiration/NewerNoncurrentVersions", 5.0)
	}, want: InPlace, answer: Merge},
	{name: "larger objects of a bucket expire", edit: func(e *edited) {
		for edited, size := range map[*edited]string{e.before: "100", e: "1000"} {
			edited.set(storage, "Photos", "LifecycleConfiguration/Rules/1", object(`{"Id": "Small", "Status": "Enabled", "ExpirationInDays": 1, "ObjectSizeLessThan": `+size+`}`))
		}
	}, want: DataAtRisk},
	{name: "objects of part of a bucket expire no longer", edit: func(e *edited) {
		for edited, prefix := range map[*edited]string{e.before: "tmp/", e: "tmp/old/"} {
			edited.set(storage, "Photos", "LifecycleConfiguration/Rules/1", object(`{"Id": "Tmp", "Status": "Enabled", "ExpirationInDays": 1, "Prefix": "`+prefix+`"}`))
		}
	}, want: InPlace, answer: Ask},
	{name: "objects of a bucket expire on an earlier day", edit: func(e *edited) {
		for edited, year := range map[*edited]string{e.before: "2040", e: "2030"} {
			edited.set(storage, "Photos", "LifecycleConfiguration/Rules/1", object(`{"Id": "Day", "Status": "Enabled", "ExpirationDate": "`+year+`-01-01T00:00:00Z"}`))
		}
	}, want: DataAtRisk, says: []string{"2030"}},
	{name: "a bucket's old versions are kept for as long as a parameter says", edit: func(e *edited) {
		e.set(storage, "Photos", "LifecycleConfiguration/Rules/0/NoncurrentVersionExpiration/NoncurrentDays", object(`{"Ref": "Days"}`))
	}, want: DataAtRisk, says: []string{"may be deleted earlier than now", "`Days`, whose value this review cannot see"}},
	{name: "a bucket locks its objects for less", edit: func(e *edited) {
		for edited, n := range map[*edited]string{e.before: "365", e: "30"} {
			edited.set(storage, "Photos", "ObjectLockConfiguration", object(`{"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": `+n+`}}}`))
		}
	}, want: DataAtRisk},
	{name: "a bucket's own replication is disabled", edit: func(e *edited) {
		for edited, status := range map[*edited]string{e.before: "Enabled", e: "Disabled"} {
			edited.set(storage, "Photos", "ReplicationConfiguration", object(`{"Role": "r", "Rules": [{"Status": "`+status+`", "Destination": {"Bucket": "b"}}]}`))
		}
	}, want: DataAtRisk},
	{name: "a rule of the replication is disabled", edit: func(e *edited) {
		e.replace(global, "ReplicationPhotosFromeuwest1", `},\"Status\":\"Enabled\"}]}}`, `},\"Status\":\"Disabled\"}]}}`)
	}, want: DataAtRisk, gate: true},
	{name: "fewer objects are replicated", edit: func(e *edited) {
		e.replace(global, "ReplicationPhotosFromeuwest1", "employees/", "employees/a/")
	}, want: DataAtRisk},
	{name: "the replication is deleted after its update", edit: func(e *edited) {
		e.replace(global, "ReplicationPhotosFromeuwest1", "eu-west-1/replication", "eu-west-1/another")
	}, want: DataAtRisk},
	{name: "the replication's alarm is later", edit: func(e *edited) {
		e.replace(global, "ReplicationPhotosFromeuwest1", `\"EventThreshold\":{\"Minutes\":15}`, `\"EventThreshold\":{\"Minutes\":30}`)
	}, want: InPlace, answer: Merge},
	{name: "a bucket is emptied by the resource that would empty it", from: options{"protect": false}, edit: func(e *edited) { e.remove(storage, "PhotosAutoDeleteObjectsCustomResource") }, want: DataAtRisk},
	{name: "a bucket is to be emptied with its stack", from: options{"protect": false}, edit: func(e *edited) { e.before.remove(storage, "PhotosAutoDeleteObjectsCustomResource") }, want: DataAtRisk},

	// Regions.
	{name: "the deployment's name", to: options{"name": "atoll"}, want: DataAtRisk, says: []string{"begins with `atoll-employees`"}, lacks: []string{"`archipelago-employees`, which stays with what is in it, and begins with `atoll-sessions`"}},
	{name: "the primary", to: options{"regions": "us-east-1,eu-west-1"}, want: DataAtRisk, says: []string{"archipelago-global"}},
	{name: "regions that are not the primary are reordered", from: three, to: options{"regions": "eu-west-1,us-west-2,us-east-1"}, want: InPlace, answer: Merge, gate: true},
	{name: "a region is added", to: options{"regions": "eu-west-1,us-east-1,us-west-2"}, want: InPlace, answer: Ask, says: []string{"stacks are new", "cannot be told here (see Cost)", "gets a replica: the deployment waits", "us-west-2", "Remove a region", "instances of a new island are launched"}, gate: true},
	{name: "a region is removed", from: three, to: options{"regions": "eu-west-1,us-east-1"}, want: IslandDown, answer: Ask, says: []string{"us-west-2"}},
	{name: "one of two regions is removed", to: options{"regions": "eu-west-1"}, want: IslandDown, answer: Ask, says: []string{"nearest to `us-east-1` are served by another island", "make drain"}},
	{name: "a region is retired", from: three, to: options{"regions[2].retired": true}, want: IslandDown, answer: Ask, says: []string{"us-west-2"}, gate: true},
	{name: "a region is lost", from: three, to: options{"regions[2].lost": true}, lost: "us-west-2", want: InPlace, answer: Ask, says: []string{"stays as it is, since `us-west-2` is lost"}, gate: true},
	{name: "the primary is lost", to: options{"regions[0].lost": true}, lost: "eu-west-1", want: InPlace, answer: Ask, says: []string{"go on costing what they cost", "archipelago-global", "archipelago-entry", "stays as it is, since `eu-west-1` is lost"}},
	{name: "a retired region is removed", from: options{"regions": []any{"eu-west-1", "us-east-1", map[string]any{"name": "us-west-2", "retired": true}}}, to: options{"regions": "eu-west-1,us-east-1"}, want: InPlace, answer: Ask, says: []string{"archipelago-storage-us-west-2", "Nothing is deployed.\n\nBack: deploy the base again"}, lacks: []string{"…"}},
	{name: "a region is drained", to: options{"regions[1].weight": "0"}, want: IslandDown, answer: Ask, says: []string{"us-east-1"}},
	{name: "a region serves half of its users", to: options{"regions[1].weight": "50"}, want: InPlace, answer: Ask, says: []string{"serves 50 % of those that are nearest to it, previously 100 % (`us-east-1`)", "Auto Scaling may, where users go"}, lacks: []string{"the next"}},
	{name: "a region's addresses", to: options{"regions[1].cidr": "10.99.0.0/16"}, want: IslandDown, answer: Ask, says: []string{"us-east-1", "the whole of its deployment", "because `UserData`, `VPCZoneIdentifier` change:", "with another outage"}, lacks: []string{"some minutes"}},
	{name: "a region's zones", to: options{"regions[1].zones": "2"}, want: Instances, answer: Ask},
	{name: "a network that exists already", to: options{"regions[1].cidr": "10.9.0.0/22", "regions[1].vpc": object(`{"id": "vpc-0123456789abcdef0", "fleetSubnets": {"a": "subnet-0123456789abcde0a", "b": "subnet-0123456789abcde0b"}, "loadBalancerSubnets": {"a": "subnet-0123456789abcde1a", "b": "subnet-0123456789abcde1b"}}`)}, want: IslandDown, answer: Ask, says: []string{"goes with its network"}},
	{name: "a way to the internet", to: options{"egress": "nat"}, want: InPlace, answer: Ask},
	{name: "the way to S3 is removed", edit: func(e *edited) { e.remove(region, "NetworkVpcS3") }, want: IslandDown, answer: Stop},
	{name: "the way to S3 leads to fewer objects", edit: func(e *edited) {
		e.set(region, "NetworkVpcS3", "PolicyDocument/Statement/0/Resource", list(`["arn:aws:s3:::archipelago-photos-123456789012-eu-west-1/employees/a/*"]`))
	}, want: IslandDown, answer: Stop, says: []string{"Network/Vpc/S3", "s3:PutObject"}},
	{name: "the way to S3 leads to no updates of the system", edit: func(e *edited) { e.unset(region, "NetworkVpcS3", "PolicyDocument/Statement/1") }, want: IslandDown, answer: Stop, says: []string{"al2023-repos"}},
	{name: "the way to S3 leads to more objects", edit: func(e *edited) { e.unset(region, "NetworkVpcS3", "PolicyDocument") }, want: InPlace, answer: Ask},
	{name: "the way to DynamoDB leads to fewer actions than a role may do", edit: func(e *edited) {
		e.set(region, "NetworkVpcDynamoDB", "PolicyDocument/Statement/0/Action", list(`["dynamodb:GetItem", "dynamodb:Query"]`))
	}, want: IslandDown, answer: Stop, says: []string{"dynamodb:PutItem"}},
	{name: "the way to DynamoDB leads to fewer actions that nobody does", edit: func(e *edited) {
		e.set(region, "NetworkVpcDynamoDB", "PolicyDocument/Statement/0/Action", list(`["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem", "dynamodb:Query"]`))
	}, want: InPlace, answer: Ask},
	{name: "the way to S3 leaves a subnet", edit: func(e *edited) { e.unset(region, "NetworkVpcS3", "RouteTableIds/0") }, want: IslandDown, answer: Stop, says: []string{"FleetSubnet1"}},
	{name: "the way to secrets is removed", from: options{"service.secrets.API_KEY": "/hello/api-key"}, edit: func(e *edited) { e.remove(region, "NetworkVpcSsm") }, want: IslandDown, answer: Stop, says: []string{"Network/Vpc/Ssm"}},
	{name: "sessions on instances are off", from: options{"ssm": true}, to: options{"ssm": false}, want: InPlace, answer: Ask},
	{name: "a subnet loses its routes", edit: func(e *edited) { e.remove(region, "NetworkVpcFleetSubnet1RouteTableAssociation") }, want: IslandDown, answer: Stop, says: []string{"FleetSubnet1/RouteTableAssociation"}},
	{name: "a way to the internet is removed", from: options{"egress": "nat"}, to: options{"egress": "none"}, want: IslandDown, answer: Stop},
	{name: "a subnet gives public addresses", edit: func(e *edited) { e.set(region, "NetworkVpcFleetSubnet1Subnet", "MapPublicIpOnLaunch", true) }, want: InPlace, answer: Ask, says: []string{"public address"}},
	{name: "flow logs", to: options{"flowLogs": false}, want: InPlace, answer: Ask, says: []string{"FlowLog"}},

	// The entry.
	{name: "another entry", to: options{"entry": "none"}, want: IslandDown, answer: Stop},
	{name: "the accelerator", from: options{"entry": "none"}, to: options{"entry": "accelerator"}, want: IslandDown, answer: Stop},
	{name: "an island leaves the entry", edit: func(e *edited) { e.remove(region+"us-east-1", "EndpointGroup") }, want: IslandDown, answer: Ask, says: []string{"us-east-1"}},
	{name: "the load balancer's name", edit: func(e *edited) { e.set(region, "LoadBalancerAlb", "Name", "another") }, want: IslandDown, answer: Ask},
	{name: "the service's health path", to: options{"service.health": "/readyz"}, want: InPlace, answer: Ask, says: []string{"`/readyz` with `200` get users, previously `/livez`"}},
	{name: "the accelerator is off", edit: func(e *edited) { e.set(entry, "EntryAccelerator", "Enabled", false) }, want: IslandDown, answer: Stop, says: []string{"# Review: all islands down\n", "users cannot be moved to another one"}, lacks: []string{"make drain"}},
	{name: "the accelerator's port", edit: func(e *edited) {
		e.set(entry, "EntryAcceleratorListener", "PortRanges", list(`[{"FromPort": 81, "ToPort": 81}]`))
	}, want: IslandDown, answer: Stop},
	{name: "the accelerator's listener is another one", edit: func(e *edited) {
		e.set(entry, "EntryAcceleratorListener", "AcceleratorArn", "arn:aws:globalaccelerator::123456789012:accelerator/another")
	}, want: IslandDown, answer: Stop, says: []string{"users of every island lose the service, or a part of it, while it is deployed, about 5 minutes", "(in all islands at once); for about 5 minutes"}},
	{name: "an island's endpoint has no weight", edit: func(e *edited) {
		e.set(region+"us-east-1", "EndpointGroup", "EndpointConfigurations/0/Weight", 0.0)
	}, want: IslandDown, answer: Ask, says: []string{"us-east-1"}},
	{name: "the load balancer answers by itself", edit: func(e *edited) {
		e.set(region, "LoadBalancerAlbHttp", "DefaultActions", list(`[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}]`))
	}, want: IslandDown, answer: Stop},
	{name: "the load balancer's port", edit: func(e *edited) { e.set(region, "LoadBalancerAlbHttp", "Port", 8081.0) }, want: IslandDown, answer: Stop},

	// Instances.
	{name: "the program", service: "another", want: Instances, answer: Merge, gate: true},
	{name: "user data", edit: func(e *edited) {
		e.set(region, "FleetLaunchTemplate", "LaunchTemplateData/UserData", object(`{"Fn::Base64": "#!/bin/bash\nexit 1\n"}`))
	}, want: Instances, answer: Merge, says: []string{"exit 1"}},
	{name: "a setting of the service", to: options{"service.environment.READS": "signed-in"}, want: Instances, answer: Merge, says: []string{`READS="signed-in"`}, gate: true},
	{name: "a secret", to: options{"service.secrets.API_KEY": "/hello/api-key"}, want: Instances, answer: Ask, says: []string{"which gives nobody a permission", "the people who pay for it"}, lacks: []string{"everybody now may", "`255.255.255.255/32`"}},
	{name: "a pinned image", from: options{"regions[0].ami": "ami-0123456789abcdef0"}, to: options{"regions[0].ami": "ami-0fedcba9876543210"}, want: Instances, answer: Merge, says: []string{"eu-west-1"}},
	{name: "another architecture", to: options{"fleet.ladder": "m7i.large,m7i.xlarge"}, want: Instances, answer: Ask},
	{name: "a larger ladder", to: options{"fleet.ladder": "m7g.medium,m7g.large,m7g.xlarge,m7g.2xlarge,m7g.4xlarge"}, want: InPlace, answer: Ask, says: []string{"under another condition: if"}, lacks: []string{"may no longer"}},
	{name: "the first type", to: options{"fleet.startAt": "m7g.large"}, want: InPlace, answer: Ask},
	{name: "fleet.max", to: options{"fleet.max": "12"}, want: InPlace, answer: Ask, says: []string{"6", "12"}, gate: true},
	{name: "fleet.min", to: options{"fleet.min": "3"}, want: InPlace, answer: Ask},
	{name: "a smaller fleet", to: options{"fleet.max": "2"}, want: InPlace, answer: Ask},
	{name: "the CPU target", to: options{"fleet.cpuTarget": "40"}, want: InPlace, answer: Merge, says: []string{"- changed `Fleet/Group/ScalingPolicyCpu`, `AWS::AutoScaling::ScalingPolicy`: `TargetTrackingConfiguration` (in both islands)"}},
	{name: "the instance type stays", to: options{"fleet.vertical": "off"}, want: InPlace, answer: Ask},
	{name: "a schedule", to: options{"fleet.schedule": []any{map[string]any{"name": "Morning", "cron": "0 7 * * *", "min": "4"}}}, want: InPlace, answer: Merge},
	{name: "the guard", to: options{"fleet.guard": false}, want: InPlace, answer: Ask, says: []string{"guard"}},
	{name: "logs in CloudWatch", to: options{"logs": "cloudwatch"}, want: Instances, answer: Ask},
	{name: "logs on the instance", to: options{"logs": "off"}, want: Instances, answer: Ask},
	{name: "a tag", to: options{"tags": map[string]any{"team": "staff"}}, want: Instances, answer: Merge},
	{name: "the fleet's group", edit: func(e *edited) {
		e.set(region, "FleetSecurityGroup", "GroupDescription", "The fleet")
	}, want: Instances, answer: Merge},
	{name: "the Auto Scaling group's name", edit: func(e *edited) { e.set(region, "FleetGroupASG", "AutoScalingGroupName", "another") }, want: IslandDown, answer: Ask},
	{name: "no fleet", edit: func(e *edited) {
		e.set(region, "FleetGroupASG", "MinSize", "0")
		e.set(region, "FleetGroupASG", "MaxSize", "0")
	}, want: IslandDown, answer: Stop},
	{name: "the fleet leaves the load balancer", edit: func(e *edited) { e.unset(region, "FleetGroupASG", "TargetGroupARNs") }, want: IslandDown, answer: Stop},

	// Security.
	{name: "a policy is widened by a star", edit: func(e *edited) {
		e.allow(region, "FleetRoleDefaultPolicy", "dynamodb:BatchWriteItem", "dynamodb:*")
	}, want: InPlace, answer: Ask, says: []string{"dynamodb:*"}, gate: true},
	{name: "a policy is narrowed", edit: func(e *edited) {
		e.allow(region, "FleetRoleDefaultPolicy", "s3:DeleteObject", "s3:PutObject")
	}, want: InPlace, answer: Ask, says: []string{"s3:DeleteObject"}},
	{name: "a repository's workflows may deploy", to: options{"github": repository("main")}, want: InPlace, answer: Ask, says: []string{
		"sts:AssumeRoleWithWebIdentity", "repo:octo-org/shop:environment:production", "refs/heads/main", "sts:AssumeRole", "cdk-hnb659fds-deploy-role",
		"3. `GitHub/Deployer` now may `sts:AssumeRole` on", "- `GitHub/Deployer` is denied `kms:Decrypt` on", "stacks are new", "the people who answer for security", "by `cdk destroy --exclusively STACK`",
	}, lacks: []string{". `GitHub/Deployer` is denied"}, gate: true},
	{name: "another branch may deploy", from: options{"github": repository("main")}, to: options{"github": repository("next")}, want: InPlace, answer: Ask, says: []string{"refs/heads/next"}},
	{name: "trust", edit: func(e *edited) {
		e.set(region, "FleetRole", "AssumeRolePolicyDocument/Statement/0/Principal", object(`{"AWS": "arn:aws:iam::999999999999:root"}`))
	}, want: IslandDown, answer: Stop, says: []string{"another account, `999999999999`", "every call to AWS fails"}},
	{name: "the fleet's role may do nothing", edit: func(e *edited) { e.remove(region, "FleetRoleDefaultPolicy") }, want: IslandDown, answer: Stop, says: []string{"nothing with DynamoDB", "nothing with S3"}},
	{name: "the fleet's role is denied the tables", edit: func(e *edited) {
		e.set(region, "FleetRoleDefaultPolicy", "PolicyDocument/Statement/0", object(`{"Effect": "Deny", "Action": "dynamodb:*", "Resource": "*"}`))
	}, want: IslandDown, answer: Stop, says: []string{"`Fleet/Role` is denied `dynamodb:*`"}},
	{name: "a bucket denies everybody its objects", edit: func(e *edited) {
		e.set(storage, "PhotosPolicy", "PolicyDocument/Statement/0", object(`{"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": {"Fn::Join": ["", [{"Fn::GetAtt": ["PhotosB9552D0D", "Arn"]}, "/*"]]}}`))
	}, want: IslandDown, answer: Stop, says: []string{"is denied `s3:GetObject`"}},
	{name: "a bucket denies everybody what nobody does", edit: func(e *edited) {
		e.set(storage, "PhotosPolicy", "PolicyDocument/Statement/0", object(`{"Effect": "Deny", "Principal": "*", "Action": "s3:PutBucketAcl", "Resource": "*"}`))
	}, want: InPlace, answer: Ask},
	{name: "the fleet's policy has another id", edit: func(e *edited) { e.rename(region, "FleetRoleDefaultPolicy", "FleetRolePolicy") }, want: InPlace, answer: Merge},
	{name: "a port", edit: func(e *edited) {
		e.set(region, "FleetSecurityGroup", "SecurityGroupIngress", list(`[{"CidrIp": "0.0.0.0/0", "FromPort": 22, "ToPort": 22, "IpProtocol": "tcp"}]`))
	}, want: InPlace, answer: Ask, says: []string{"0.0.0.0/0", "22"}},
	{name: "users are not let in", edit: func(e *edited) { e.unset(region, "LoadBalancerSecurityGroup", "SecurityGroupIngress") }, want: IslandDown, answer: Stop},
	{name: "the TLS policy", from: domain, edit: func(e *edited) {
		e.set(region, "LoadBalancerAlbHttps", "SslPolicy", "ELBSecurityPolicy-2016-08")
	}, want: InPlace, answer: Ask, says: []string{"ELBSecurityPolicy-2016-08"}},
	{name: "the web ACL counts", to: options{"waf.common": "count"}, want: InPlace, answer: Ask, says: []string{"Common"}, gate: true},
	{name: "the web ACL lets more requests pass", to: options{"waf.rateLimit": "20000"}, want: InPlace, answer: Ask, says: []string{"20000"}},
	{name: "the web ACL is off", to: options{"waf.enabled": false}, want: InPlace, answer: Ask, says: []string{"WebACL"}},
	{name: "sessions on instances", to: options{"ssm": true}, want: InPlace, answer: Ask},
	{name: "cleartext", to: options{"service.environment.ALLOW_CLEARTEXT": "true"}, want: Instances, answer: Merge, says: []string{"ALLOW_CLEARTEXT"}},
	{name: "the load balancer is not let in", edit: func(e *edited) {
		e.removeType(region, "AWS::EC2::SecurityGroupIngress")
	}, want: IslandDown, answer: Stop},
	{name: "the load balancer is not let out", edit: func(e *edited) { e.removeType(region, "AWS::EC2::SecurityGroupEgress") }, want: IslandDown, answer: Stop},
	{name: "the fleet is not let out", edit: func(e *edited) { e.unset(region, "FleetSecurityGroup", "SecurityGroupEgress") }, want: IslandDown, answer: Stop, says: []string{"443"}},
	{name: "users are let in by more ports", edit: func(e *edited) {
		e.set(region, "LoadBalancerSecurityGroup", "SecurityGroupIngress/0/ToPort", 65535.0)
	}, want: InPlace, answer: Ask, says: []string{"80–65535"}},
	{name: "a policy allows all but less", edit: func(e *edited) {
		for edited, action := range map[*edited]string{e.before: "iam:*", e: "iam:PassRole"} {
			edited.set(region, "FleetRoleDefaultPolicy", "PolicyDocument/Statement", list(`[{"Effect": "Allow", "NotAction": "`+action+`", "Resource": "*"}]`))
		}
	}, want: InPlace, answer: Ask, says: []string{"now may `all but iam:PassRole`"}},
	{name: "a denial spares more", edit: func(e *edited) {
		for edited, role := range map[*edited]string{e.before: "a", e: "a*"} {
			edited.set(storage, "PhotosPolicy", "PolicyDocument/Statement/0", object(`{"Effect": "Deny", "NotPrincipal": {"AWS": "arn:aws:iam::123456789012:role/`+role+`"}, "Action": "s3:*", "Resource": "*"}`))
		}
	}, want: InPlace, answer: Ask, says: []string{"`all but arn:aws:iam::123456789012:role/a` is no longer denied"}},
	{name: "a role loses its boundary", edit: func(e *edited) {
		e.before.set(region, "FleetRole", "PermissionsBoundary", "arn:aws:iam::aws:policy/PowerUserAccess")
	}, want: InPlace, answer: Ask, says: []string{"the permissions boundary of"}},
	{name: "the web ACL lets all pass before its rules", edit: func(e *edited) {
		e.set(region, "WebACLAcl", "Rules/4", object(`{"Name": "All", "Priority": -1, "Action": {"Allow": {}}, "Statement": {}}`))
	}, want: InPlace, answer: Ask, says: []string{"the web ACL `WebACL/Acl` gets the rule `All`, which lets"}},
	{name: "another certificate", from: domain, edit: func(e *edited) {
		e.set(region, "LoadBalancerAlbHttps", "Certificates/0/CertificateArn", "arn:aws:acm:eu-west-1:123456789012:certificate/another")
	}, want: InPlace, answer: Ask, says: []string{"the certificate of"}},

	// What watches.
	{name: "an alarm is removed", edit: func(e *edited) { e.remove(region, "ObservabilityLatency") }, want: InPlace, answer: Ask, says: []string{"Latency"}},
	{name: "alarms go by mail", to: mailed, want: InPlace, answer: Ask},
	{name: "alarms go to nobody", from: mailed, to: options{"alarms": []any{}}, want: InPlace, answer: Ask, says: []string{"notifies nobody any more"}, lacks: []string{"notifies others"}},
	{name: "the agent leaves", from: private, to: options{"logs": "bucket"}, want: Instances, answer: Ask},

	// What says nothing.
	{name: "a comment in Go", source: map[string][2]string{
		"stacks/storage.go":     {"\treturn stack\n", "\t// That is all of it.\n\treturn stack\n"},
		"service/web/pages.go":  {"package web\n", "package web // what people see\n"},
		"cmd/directory/main.go": {"\npackage main\n", "\npackage main // the service\n"},
	}, want: NoEffect},
	// Go writes the numbers of lines into programs, for what it says of a panic.
	{name: "a comment that moves a program's lines", source: map[string][2]string{
		"cmd/directory/main.go": {"\nfunc main() {", "\n\n// It begins here.\n\nfunc main() {"},
	}, want: Instances, answer: Merge},
	{name: "a template's description", edit: func(e *edited) { e.top(region, "Description", "Another one") }, want: NoEffect, gate: true},
	{name: "metadata", edit: func(e *edited) { e.put(region, "FleetRole", "Metadata", object(`{"aws:cdk:path": "x"}`)) }, want: NoEffect, gate: true},
	{name: "an alarm's description", edit: func(e *edited) { e.set(region, "ObservabilityLatency", "AlarmDescription", "Slow") }, want: InPlace, answer: Merge},
	// As from 2.250.0 to 2.269.0, by what differs in the two packages of aws-cdk-lib: the
	// code of the handlers of custom resources, and the schema of the assembly. From 2.266.0
	// to 2.269.0 the shipped templates are the same.
	{name: "CDK bumped", edit: func(e *edited) { e.before.olderCDK("53.0.0") }, want: InPlace, answer: Merge,
		says: []string{"`AWS::Lambda::Function`: `Code` (in both islands)", "The deployment itself launches and ends no instance.", "No permission and no network rule changes."}, lacks: []string{"- added", "- removed"}},
	{name: "a parameter's default", edit: func(e *edited) {
		for edited, value := range map[*edited]string{e.before: "a", e: "b"} {
			edited.top(entry, "Parameters", object(`{"Letter": {"Type": "String", "Default": "`+value+`"}}`))
		}
	}, want: NoEffect, says: []string{"the parameter `Letter`: a stack that is deployed keeps"}},
	{name: "an output", edit: func(e *edited) { e.top(entry, "Outputs", object(`{}`)) }, want: InPlace, answer: Merge, says: []string{"Outputs"}},
	{name: "a flag of CDK without effect", to: options{"@aws-cdk/aws-ec2:uniqueImdsv2TemplateName": false}, want: NoEffect},
	{name: "a flag of CDK that splits policies", to: options{"@aws-cdk/aws-iam:minimizePolicies": false}, want: InPlace, answer: Merge},
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

// wantAnswer is the answer, that of the verdict where it has but one.
func (c change) wantAnswer() Answer {
	if c.answer == "" {
		return map[Verdict]Answer{NoEffect: Merge, DataAtRisk: Stop}[c.want]
	}
	return c.answer
}

// TestCorpusIsWhole: there are enough changes, of all verdicts, and each is one
// that the configuration takes.
func TestCorpusIsWhole(t *testing.T) {
	answers := map[Answer]int{}
	names, verdicts, gated := map[string]bool{}, map[Verdict]int{}, map[Verdict]bool{}
	for _, c := range corpus {
		if names[c.name] {
			t.Errorf("%q occurs twice", c.name)
		}
		names[c.name] = true
		verdicts[c.want]++
		gated[c.want] = gated[c.want] || c.gate
		answers[c.wantAnswer()]++
		if c.wantAnswer() == "" {
			t.Errorf("%s: nothing is said of what to do", c.name)
		}
		for _, head := range []bool{false, true} {
			if _, err := config.Parse(c.context(t, head), matrix.Account); err != nil {
				t.Errorf("%s, head %t: %v", c.name, head, err)
			}
		}
	}
	if len(corpus) < 40 {
		t.Errorf("got %d changes, want 40 at least", len(corpus))
	}
	for _, a := range []Answer{Merge, Ask, Stop} {
		if answers[a] < 10 {
			t.Errorf("%d changes have the answer %q, want 10 at least", answers[a], a)
		}
	}
	for v := NoEffect; v <= DataAtRisk; v++ {
		if verdicts[v] < 3 {
			t.Errorf("%d changes have the verdict %q, want 3 at least", verdicts[v], v)
		}
		if !gated[v] {
			t.Errorf("no change with the verdict %q is proved by each run", v)
		}
	}
}
