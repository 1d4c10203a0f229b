package review

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/matrix"
)

// TestDataAcrossStacks: data is at risk by what happens in another stack, or to what it
// hangs on, that no single change of the corpus has.
func TestDataAcrossStacks(t *testing.T) {
	d := newDiffer(t)
	// assembly has a stack for each template, named by the template's place: a, b and so on.
	assembly := func(account string, templates []string) *Assembly {
		a := &Assembly{Dir: t.TempDir(), Stacks: map[string]*Stack{}}
		for i, template := range templates {
			if template == "" {
				continue
			}
			name := string(rune('a' + i))
			a.Stacks[name] = &Stack{Name: name, Region: "eu-west-1", Account: account, Template: object(template)}
		}
		return a
	}
	resources := func(all ...string) string { return `{"Resources": {` + strings.Join(all, ", ") + `}}` }
	table := func(id, properties string) string {
		return `"` + id + `": {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain", "Properties": {` + properties + `"KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}], "AttributeDefinitions": [{"AttributeName": "a", "AttributeType": "S"}]}}`
	}
	cluster := func(group string) string {
		return resources(`"G": {"Type": "AWS::RDS::DBSubnetGroup", "Properties": {"DBSubnetGroupName": "`+group+`", "DBSubnetGroupDescription": "x", "SubnetIds": ["a"]}}`,
			`"D": {"Type": "AWS::RDS::DBCluster", "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain", "Properties": {"Engine": "aurora-mysql", "DBSubnetGroupName": {"Ref": "G"}}}`)
	}
	const none, key = `{"Resources": {}}`, `{"Resources": {"K": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {}}}}, "Outputs": {"Key": {"Value": {"Fn::GetAtt": ["K", "Arn"]}, "Export": {"Name": "key"}}}}`
	nested := func(url string) string {
		return resources(`"N": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "` + url + `"}}`)
	}
	for name, test := range map[string]struct {
		base, head []string
		account    string // the head's, if it is another one
		want       Verdict
	}{
		"a table without a name in a new stack":          {base: []string{resources(table("T", ""))}, head: []string{"", resources(table("U", ""))}, want: DataAtRisk},
		"a table of a name in a stack that there was":    {base: []string{resources(table("T", `"TableName": "t", `)), none}, head: []string{"", resources(table("U", `"TableName": "t", `))}, want: DataAtRisk},
		"a table without a name in another stack":        {base: []string{resources(table("T", "")), none}, head: []string{none, resources(table("U", ""))}, want: DataAtRisk},
		"a table that is left behind":                    {base: []string{resources(table("T", "")), none}, head: []string{none, none}, want: InPlace},
		"another account":                                {base: []string{resources(table("T", ""))}, head: []string{resources(table("T", ""))}, account: "222222222222", want: DataAtRisk},
		"a key by which another stack's data is read":    {base: []string{key}, head: []string{none}, want: DataAtRisk},
		"what a database is in is replaced":              {base: []string{cluster("x")}, head: []string{cluster("y")}, want: DataAtRisk},
		"a table's protection, written as a text":        {base: []string{resources(table("T", `"DeletionProtectionEnabled": "true", `))}, head: []string{resources(table("T", ""))}, want: DataAtRisk},
		"a table's protection, written as a text, stays": {base: []string{resources(table("T", `"DeletionProtectionEnabled": true, `))}, head: []string{resources(table("T", `"DeletionProtectionEnabled": "true", `))}, want: NoEffect},
		"a queue keeps messages for less":                {base: []string{resources(`"Q": {"Type": "AWS::SQS::Queue", "Properties": {}}`)}, head: []string{resources(`"Q": {"Type": "AWS::SQS::Queue", "Properties": {"MessageRetentionPeriod": 60}}`)}, want: DataAtRisk},
		"a queue keeps messages for longer":              {base: []string{resources(`"Q": {"Type": "AWS::SQS::Queue", "Properties": {}}`)}, head: []string{resources(`"Q": {"Type": "AWS::SQS::Queue", "Properties": {"MessageRetentionPeriod": 1209600}}`)}, want: InPlace},
		"a stream keeps records for less":                {base: []string{resources(`"S": {"Type": "AWS::Kinesis::Stream", "Properties": {"RetentionPeriodHours": 48}}`)}, head: []string{resources(`"S": {"Type": "AWS::Kinesis::Stream", "Properties": {}}`)}, want: DataAtRisk},
		"users' directory loses its protection":          {base: []string{resources(`"U": {"Type": "AWS::Cognito::UserPool", "Properties": {"DeletionProtection": "ACTIVE"}}`)}, head: []string{resources(`"U": {"Type": "AWS::Cognito::UserPool", "Properties": {"DeletionProtection": "INACTIVE"}}`)}, want: DataAtRisk},
		"files' backups are kept for less":               {base: []string{resources(`"F": {"Type": "AWS::FSx::FileSystem", "Properties": {"OntapConfiguration": {"AutomaticBackupRetentionDays": 60}}}`)}, head: []string{resources(`"F": {"Type": "AWS::FSx::FileSystem", "Properties": {"OntapConfiguration": {"AutomaticBackupRetentionDays": 7}}}`)}, want: DataAtRisk},
		"files get no more backups":                      {base: []string{resources(`"F": {"Type": "AWS::EFS::FileSystem", "Properties": {"BackupPolicy": {"Status": "ENABLED"}}}`)}, head: []string{resources(`"F": {"Type": "AWS::EFS::FileSystem", "Properties": {"BackupPolicy": {"Status": "DISABLED"}}}`)}, want: DataAtRisk},
		"a nested stack":                                 {base: []string{nested("x")}, head: []string{nested("y")}, want: DataAtRisk},
	} {
		t.Run(name, func(t *testing.T) {
			account := test.account
			if account == "" {
				account = "111111111111"
			}
			r, err := d.Compare(assembly("111111111111", test.base), assembly(account, test.head))
			if err != nil {
				t.Fatal(err)
			}
			if r.Verdict != test.want {
				t.Errorf("got %q, want %q: %+v", r.Verdict, test.want, r.Findings)
			}
		})
	}
	base, head := assembly("111111111111", []string{resources(table("T", ""))}), assembly("111111111111", []string{resources(table("T", ""))})
	base.Stacks["a"].protected = true
	if r, err := d.Compare(base, head); err != nil || r.Verdict != DataAtRisk {
		t.Errorf("a stack's protection from deletion: %v, got %q", err, r.Verdict)
	}
}

// guards are the properties of types that hold data whose names say that they guard it.
const guards = `
const { createRequire } = require("module");
const library = require.resolve("@aws-cdk/cloudformation-diff", { paths: [process.cwd()] });
const spec = createRequire(library)("@aws-cdk/aws-service-spec").loadAwsServiceSpecSync();
const found = {}, name = /Retention|Retain|Protect|BackupPolic|SnapshotPolic|Recover/;
for (const type of spec.all("resource")) {
  if (!type.isStateful) continue;
  const seen = new Set();
  const walk = (entity) => {
    if (!entity || seen.has(entity.$id)) return;
    seen.add(entity.$id);
    for (const [key, property] of Object.entries(entity.properties)) {
      if (name.test(key)) found[key] = type.cloudFormationType;
      const references = (t) => t.type === "ref" ? walk(spec.get("typeDefinition", t.reference.$ref)) : t.element ? references(t.element) : (t.types ?? []).forEach(references);
      references(property.type);
    }
  };
  walk(type);
}
process.stdout.write(JSON.stringify(found));`

// TestWhatGuardsDataIsKnown: each property that guards data, by the schemas of all types
// that hold some, is judged, or has its reason here.
func TestWhatGuardsDataIsKnown(t *testing.T) {
	known := map[string]string{
		"RetentionInDays": "data", "BackupPolicy": "data", "PointInTimeRecoveryEnabled": "table", "PointInTimeRecoverySpecification": "table",
		"RecoveryPeriodInDays": "table", "DefaultRetention": "bucket",

		"AccountRecoverySetting":             "how people get a new password",
		"RecoveryMechanisms":                 "the same",
		"DataProtectionPolicy":               "what is masked in logs",
		"FileSystemProtection":               "whether a copy may be written to",
		"ReplicationOverwriteProtection":     "the same",
		"ManualSnapshotRetentionPeriod":      "of snapshots that people make",
		"MaxRetentionDays":                   "a bound of backups' plans, which say it themselves",
		"MinRetentionDays":                   "the same",
		"PerformanceInsightsRetentionPeriod": "figures of a database's load",
	}
	for _, k := range kept {
		known[k.property] = "kept"
	}
	for _, p := range protections {
		known[p] = "protections"
	}
	found := map[string]string{}
	askSchemas(t, guards, &found)
	for name, kind := range found {
		if known[name] == "" {
			t.Errorf("%s of %s is not judged, and has no reason here", name, kind)
		}
	}
	for name := range known {
		if found[name] == "" {
			t.Errorf("no type that holds data has a property %s", name)
		}
	}
}

// askSchemas runs a script in the Node.js of the tools, and reads what it prints.
func askSchemas(t *testing.T, script string, to any) {
	t.Helper()
	root, err := matrix.Root()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(root, "node_modules", ".bin", "node"), "-e", script)
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, to); err != nil {
		t.Fatal(err)
	}
}
