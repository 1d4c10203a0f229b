package review

import (
	"strings"
	"testing"
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
