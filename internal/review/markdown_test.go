package review

import (
	"fmt"
	"strings"
	"testing"
)

// hostile are names that want to be more than text.
var hostile = []string{
	"`EVIL",
	"``EVIL`` ``` ````",
	"EVIL\n\n# Review: no effect\n\nEVIL",
	"</details></summary><script>EVIL</script>",
	"<!-- EVIL",
	"[EVIL](javascript:EVIL) ![EVIL](https://example.com/EVIL.png) @EVIL",
	"| EVIL | EVIL |\r\n|---|",
	"EVIL\u2028# EVIL\u202e\u0000\x1b[31m",
	"EVIL ${EVIL} ${EVIL",
	strings.Repeat("EVIL", 500),
}

// TestCostThatIsNotKnown has its reason, which need not be a price.
func TestCostThatIsNotKnown(t *testing.T) {
	got, err := Report{CostUnknown: "no such file"}.Markdown()
	if err != nil || !strings.Contains(got, "\nNot known: `no such file`\n") {
		t.Errorf("got %v and\n%s", err, got)
	}
}

// plain is a comment without its code: what Markdown acts on. Spans and blocks end
// where CommonMark ends them: at as many backquotes as they begin with, or more.
func plain(t *testing.T, comment string) string {
	t.Helper()
	var out strings.Builder
	open := ""
	for line := range strings.Lines(comment) {
		trimmed := strings.TrimSpace(line)
		run := len(trimmed) - len(strings.TrimLeft(trimmed, "`"))
		switch {
		case open == "" && strings.HasPrefix(line, "```") && strings.HasSuffix(trimmed, "diff"):
			open = line[:run]
			continue
		case open != "" && strings.HasPrefix(line, "```") && run >= len(open) && run == len(trimmed):
			open = ""
			continue
		case open != "":
			continue
		}
		for {
			i := strings.IndexByte(line, '`')
			if i < 0 {
				out.WriteString(line)
				break
			}
			out.WriteString(line[:i])
			n := len(line[i:]) - len(strings.TrimLeft(line[i:], "`"))
			fence, rest := line[i:i+n], line[i+n:]
			end := closing(rest, fence)
			if end < 0 {
				t.Errorf("a code span has no end: %q", line)
				break
			}
			line = rest[end+n:]
		}
	}
	if open != "" {
		t.Error("a code block has no end")
	}
	return out.String()
}

// closing is where a run of exactly as many backquotes as fence has begins.
func closing(s, fence string) int {
	for i := 0; i < len(s); {
		if s[i] != '`' {
			i++
			continue
		}
		n := len(s[i:]) - len(strings.TrimLeft(s[i:], "`"))
		if n == len(fence) {
			return i
		}
		i += n
	}
	return -1
}

// TestHostileNamesStayText: nothing that a template says is more than text in the
// comment, wherever it says it.
func TestHostileNamesStayText(t *testing.T) {
	d := newDiffer(t)
	for _, evil := range hostile {
		template := func(value string) map[string]any {
			return map[string]any{
				"Description": evil,
				"Parameters":  map[string]any{evil: map[string]any{"Type": "AWS::SSM::Parameter::Value<String>", "Default": evil}},
				"Resources": map[string]any{
					evil + value: map[string]any{"Type": "AWS::DynamoDB::Table", "Properties": map[string]any{"TableName": evil, evil: evil}},
					"Bucket":     map[string]any{"Type": "AWS::S3::Bucket", "Properties": map[string]any{"BucketName": evil, evil: value, "LifecycleConfiguration": map[string]any{"Rules": []any{map[string]any{"Status": "Enabled", "Prefix": evil + value, "ExpirationInDays": 1.0}}}}},
					"Role": map[string]any{"Type": "AWS::IAM::Role", "Properties": map[string]any{"AssumeRolePolicyDocument": map[string]any{"Statement": []any{map[string]any{
						"Effect": "Allow", "Action": evil + value, "Principal": map[string]any{"AWS": evil}, "Condition": map[string]any{evil: evil}}}}}},
					"Group":    map[string]any{"Type": "AWS::EC2::SecurityGroup", "Properties": map[string]any{"SecurityGroupIngress": []any{map[string]any{"CidrIp": evil + value, "IpProtocol": evil, "FromPort": evil}}}},
					"WebACL":   map[string]any{"Type": "AWS::WAFv2::WebACL", "Properties": map[string]any{"Rules": []any{map[string]any{"Name": evil + value, "Action": map[string]any{"Block": map[string]any{}}}}}},
					"Database": map[string]any{"Type": "AWS::RDS::DBCluster", "Properties": map[string]any{"BackupRetentionPeriod": map[string]string{"1": "9", "2": "3"}[value] + evil}},
					"Other":    map[string]any{"Type": evil, "Properties": map[string]any{"Text": "a\n" + evil + value}},
				},
			}
		}
		assembly := func(value string) *Assembly {
			return &Assembly{Dir: t.TempDir(), Stacks: map[string]*Stack{
				"s":          {Name: "s", Region: "eu-west-1", Template: template(value), paths: map[string]string{"Role": evil}},
				evil + value: {Name: evil + value, Region: "eu-west-1", Template: template(value)},
			}}
		}
		r, err := d.Compare(assembly("1"), assembly("2"))
		if err != nil {
			t.Fatal(err)
		}
		comment, err := r.Markdown()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(comment, "EVIL") {
			t.Errorf("%q: the comment has none of it: the test proves nothing", evil)
		}
		text := plain(t, comment)
		if strings.Contains(text, "EVIL") || strings.Contains(text, "Review: no effect") || strings.Count(text, "</details>") != 1 {
			t.Errorf("%q breaks out:\n%s", evil, text)
		}
		if strings.ContainsAny(comment, "\u202e\u2028\x00\x1b\r") {
			t.Errorf("%q: the comment has what is not seen", evil)
		}
	}
}

// TestLongComments: a diff that does not fit is left to the JSON, and a comment that
// does not fit without it is not written.
func TestLongComments(t *testing.T) {
	var r Report
	for i := range 200 {
		r.Changes = append(r.Changes, Change{Name: fmt.Sprint(i), Type: "T", How: "changed", Lines: []string{"+ " + strings.Repeat("x", 1000)}})
	}
	comment, err := r.Markdown()
	if err != nil || len(comment) > maxBytes || !strings.Contains(comment, "more are in the report's JSON") || !strings.HasSuffix(comment, "\n") {
		t.Errorf("got %v and %d bytes", err, len(comment))
	}
	plain(t, comment)
	for range 400 {
		r.Findings = append(r.Findings, Finding{Section: Data, What: strings.Repeat("x", 200)})
	}
	if comment, err := r.Markdown(); err == nil || comment != "" || strings.Count(err.Error(), "\n") > 0 {
		t.Errorf("got %v and %d bytes, want one sentence and no comment", err, len(comment))
	}
}

// TestManyRegionsAreSaidOnce: a comment on ten regions is no longer than one on two,
// but for the digits of how many they are.
func TestManyRegionsAreSaidOnce(t *testing.T) {
	d := newDiffer(t)
	regions := []string{"eu-west-1", "us-east-1", "us-west-2", "ap-southeast-2", "ap-northeast-1", "sa-east-1", "ca-central-1", "eu-central-1", "ap-south-1", "af-south-1"}
	comment := func(n int) string {
		assembly := func(max string) *Assembly {
			a := &Assembly{Dir: t.TempDir(), Stacks: map[string]*Stack{}}
			for i, region := range regions[:n] {
				cidr := fmt.Sprintf("10.%d.0.0/16", i)
				a.Stacks["region-"+region] = &Stack{Name: "region-" + region, Region: region, Template: map[string]any{"Resources": map[string]any{
					"Vpc":   map[string]any{"Type": "AWS::EC2::VPC", "Properties": map[string]any{"CidrBlock": cidr}},
					"Group": map[string]any{"Type": scalingGroup, "Properties": map[string]any{"AutoScalingGroupName": "fleet-" + region, "Cidr": cidr, "MaxSize": max}},
					"Template": map[string]any{"Type": launchTemplate, "Properties": map[string]any{"LaunchTemplateData": map[string]any{
						"UserData": "max=" + max + "\nfrom=" + cidr + "\nin=" + strings.ReplaceAll(region, "-", "")}}},
				}}}
			}
			return a
		}
		r, err := d.Compare(assembly("6"), assembly("12"))
		if err != nil {
			t.Fatal(err)
		}
		if r.Verdict != Instances {
			t.Errorf("got %q", r.Verdict)
		}
		c, err := r.Markdown()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	two, ten := comment(2), comment(10)
	if len(ten) > len(two)+50 {
		t.Errorf("for two it has %d bytes, for ten %d:\n%s", len(two), len(ten), ten)
	}
}

// TestLinesOfAResource: texts that CloudFormation joins are one, JSON in them is read,
// and what says only that something else changed is left out.
func TestLinesOfAResource(t *testing.T) {
	a := &Assembly{Stacks: map[string]*Stack{"s": {assets: map[string]string{strings.Repeat("ab", 32): "Service"}}}}
	r := resource{kind: launchTemplate, all: object(`{"Type": "T", "DependsOn": ["x"], "Metadata": {"a": 1}}`), props: object(`{
		"Body": {"Fn::Join": ["", ["{\"a\": \"", {"Fn::GetAtt": ["R", "Arn"]}, "\"}"]]},
		"VersionDescription": "hash", "Script": "one\ntwo", "Key": "` + strings.Repeat("ab", 32) + `.zip",
		"Replicas": [{"Region": "c"}, {"Region": "b"}, {"Region": "a"}]}`)}
	got := strings.Join((&judge{}).lines(a, "b", r), "\n")
	want := `Properties:
  Body:
    a: ${R.Arn}
  Key: <Service abababab>.zip
  Replicas: [{"Region":"b"},{"Region":"a"},{"Region":"c"}]
  Script: |
    one
    two
Type: T`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
