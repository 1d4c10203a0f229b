package templates_test

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/matrix"
)

// permissionsPage shows who may do what, as the templates say it.
var update = flag.Bool("update", false, "write docs/permissions.md and README.md's costs instead of comparing with them")

const permissionsPage = "../../docs/permissions.md"

// wildcards are the permissions that name no action or no resource exactly, by
// the kind of resource that gives them, each with its reason. A part of a name,
// such as a bucket's objects, is not a wildcard.
var wildcards = map[string]string{
	"Role: AWSLambdaBasicExecutionRole":                    "the function of custom resources, CDK's own: AWS's managed policy for logs, which names no log group",
	"Role: ssmmessages:CreateControlChannel on *":          "only with `ssm`: the actions that open a session know no resources",
	"Role: ssmmessages:CreateDataChannel on *":             "the same",
	"Role: ssmmessages:OpenControlChannel on *":            "the same",
	"Role: ssmmessages:OpenDataChannel on *":               "the same",
	"Role: cloudwatch:PutMetricData on *":                  "only with `logs: cloudwatch`: the action knows no resources; the condition binds it to our namespace",
	"BucketPolicy: s3:DeleteObject*":                       "CDK's own helper that empties the buckets of a deployment without `protect`, on that bucket",
	"BucketPolicy: s3:GetBucket*":                          "the same helper",
	"BucketPolicy: s3:List*":                               "the same helper",
	"Key: kms:* on *":                                      "a key's own policy: the account keeps the key, and its IAM policies decide",
	"Key: kms:Decrypt on *":                                "a key's own policy: the resource is the key",
	"Key: kms:GenerateDataKey on *":                        "a key's own policy: the resource is the key",
	"Role: autoscaling:DescribeAutoScalingGroups on *":     "the scaler, and the roles of `github`: Auto Scaling's descriptions know no resources",
	"Role: autoscaling:DescribeInstanceRefreshes on *":     "the same",
	"Role: autoscaling:DescribePolicies on *":              "the same",
	"Role: autoscaling:DescribeScalingActivities on *":     "the same",
	"Role: elasticloadbalancing:DescribeTargetHealth on *": "the scaler: the descriptions of load balancers know no resources",
	"Role: ec2:DescribeLaunchTemplateVersions on *":        "the scaler: EC2's descriptions know no resources",
	"Role: arc-zonal-shift:GetManagedResource on *":        "the scaler: a condition names the load balancer and the group",
	"Role: cloudwatch:GetMetricData on *":                  "the scaler: metrics are not resources",
	"Role: ec2:DescribeInstanceTypeOfferings on *":         "the scaler: what EC2 offers is not a resource",
	"Role: acm:DescribeCertificate on *":                   "only with `github`: what the configuration names, of which no value is read",
	"Role: cloudformation:DescribeStacks on *":             "only with `github`: a stack that was left behind may have any name",
	"Role: cloudformation:ListStackResources on *":         "only with `github`: a stack that was left behind may have any name",
	"Role: cloudwatch:DescribeAlarms on *":                 "only with `github`: composite alarms are described to who may describe all",
	"Role: ec2:DescribeAddresses on *":                     "only with `github`: EC2's descriptions know no resources",
	"Role: ec2:DescribeAvailabilityZones on *":             "only with `github`: EC2's descriptions know no resources",
	"Role: ec2:DescribeInstances on *":                     "only with `github`: EC2's descriptions know no resources",
	"Role: ec2:DescribeInstanceTypes on *":                 "only with `github`: EC2's descriptions know no resources",
	"Role: ec2:DescribeInternetGateways on *":              "only with `github`: EC2's descriptions know no resources",
	"Role: ec2:DescribeRegions on *":                       "only with `github`: EC2's descriptions know no resources",
	"Role: ec2:DescribeRouteTables on *":                   "only with `github`: EC2's descriptions know no resources",
	"Role: ec2:DescribeSubnets on *":                       "only with `github`: EC2's descriptions know no resources",
	"Role: ec2:DescribeVpcEndpoints on *":                  "only with `github`: EC2's descriptions know no resources",
	"Role: ec2:DescribeVpcs on *":                          "only with `github`: EC2's descriptions know no resources",
	"Role: ec2:GetEbsDefaultKmsKeyId on *":                 "only with `github`: EC2's descriptions know no resources",
	"Role: kms:DescribeKey on *":                           "only with `github`: which keys the account's buckets, secrets and volumes have is not known",
	"Role: kms:GetKeyPolicy on *":                          "only with `github`: who may use these keys, no content",
	"Role: kms:ListGrants on *":                            "only with `github`: who may use these keys, no content",
	"Role: ssm:DescribeParameters on *":                    "only with `github`: the parameters' keys, and no value; Systems Manager knows no resource of it",
	"Role: iam:ListOpenIDConnectProviders on *":            "only with `github`: the addresses of the account's identity providers",
	"Role: lambda:GetAccountSettings on *":                 "only with `github`: the account's own settings and quotas",
	"Role: logs:DescribeLogGroups on *":                    "only with `github`: groups are listed",
	"Role: route53:GetHostedZone on *":                     "only with `github`: what the configuration names, of which no value is read",
	"Role: route53:ListResourceRecordSets on *":            "only with `github`: the records of the zone that the configuration names, which DNS tells everybody",
	"Role: secretsmanager:DescribeSecret on *":             "only with `github`: what the configuration names, of which no value is read",
	"Role: servicequotas:GetAWSDefaultServiceQuota on *":   "only with `github`: the account's own settings and quotas",
	"Role: servicequotas:GetServiceQuota on *":             "only with `github`: the account's own settings and quotas",
}

// permissionsConfigurations are those whose permissions the page shows: the
// shipped one, and what an option adds to it.
var permissionsConfigurations = []struct {
	title, configuration string
}{
	{"As shipped", "shipped"},
	{"With `egress: nat`, `logs: cloudwatch`, `ssm`, `alarms` and `fleet.vertical: advise`", "nat"},
	{"With `logs: cloudwatch`, `ssm`, `alarms`, `service.secrets` and `github`", "watched"},
	{"With `logs: off` and `protect: false`", "unprotected"},
}

// statement is one of a policy.
type statement struct {
	Effect    string
	Principal any
	Action    any
	Resource  any
	Condition any
}

type policy struct{ Statement []statement }

// grants is who may do what by one resource: a role, or a policy of a bucket, a
// topic, a key or a function.
type grants struct {
	stack, id, kind string
	trust           []statement // of a role
	managed         []string    // of a role, the names of AWS's
	statements      []statement
}

// TestPermissionsPageIsCurrent: with -update it writes the page.
func TestPermissionsPageIsCurrent(t *testing.T) {
	var page strings.Builder
	page.WriteString(`# Permissions

Who may do what, read out of the templates. ` + "`make permissions`" + ` writes this page and a test keeps it current. ` + "`${Name}`" + ` is a resource of the same stack. The stacks of the second region differ by its name only and are left out. Allowed are the statements unless they begin with **Deny**.

The local cloud enforces what roles may do, on what: the service, the lighthouse, custom resources, replication and the CDK CLI work there with their roles alone. A test takes each permission of each deployed role away in turn, and sees something fail. Not enforced are most conditions, the policies of endpoints, buckets, topics and keys, who may assume a role, and what EC2, load balancers and CloudFormation do by themselves; of Lambda's managed policy no permission is taken away.
`)
	seen := map[string]bool{}
	for _, c := range permissionsConfigurations {
		fmt.Fprintf(&page, "\n## %s\n", c.title)
		var shown bool
		for _, g := range grantsOf(t, matrix.Committed(t, c.configuration)) {
			text := g.markdown()
			if strings.HasSuffix(g.stack, "-us-east-1") || seen[text] {
				continue
			}
			seen[text], shown = true, true
			page.WriteString(text)
		}
		if !shown {
			t.Errorf("%s adds no permission: leave it out of the page", c.title)
		}
	}
	page.WriteString("\n## Wildcards\n\nEach permission that names no action or no resource exactly, with its reason. A test refuses others.\n\n| permission | reason |\n|---|---|\n")
	for _, w := range slices.Sorted(maps.Keys(wildcards)) {
		fmt.Fprintf(&page, "| `%s` | %s |\n", w, wildcards[w])
	}
	if *update {
		if err := os.WriteFile(permissionsPage, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	current, err := os.ReadFile(permissionsPage)
	if err != nil {
		t.Fatal(err)
	}
	if string(current) != page.String() {
		t.Errorf("%s is not what the templates say: run `make permissions` and review the difference", permissionsPage)
	}
}

// TestNobodyMayDoEverything: no action and no resource is a wildcard but for
// those with a reason, and each reason is needed.
func TestNobodyMayDoEverything(t *testing.T) {
	needed := map[string]bool{}
	matrix.Each(t, func(t *testing.T, a matrix.Assembly) {
		for _, g := range grantsOf(t, a) {
			if g.kind == "AWS::EC2::VPCEndpoint" {
				continue // it bounds what others may do, and allows nothing by itself
			}
			found := slices.Clone(g.managed)
			for _, s := range g.statements {
				found = append(found, s.wildcards()...)
			}
			for _, w := range found {
				w = g.kind[strings.LastIndex(g.kind, ":")+1:] + ": " + w
				needed[w] = true
				if wildcards[w] == "" {
					t.Errorf("%s, %s allows %q: name the action and the resource, or give a reason here", g.stack, g.id, w)
				}
			}
		}
	})
	for w := range wildcards {
		if matrix.Whole() && !needed[w] {
			t.Errorf("the reason for %q is not needed", w)
		}
	}
}

// calls are the operations whose permission has another name.
var calls = map[string]string{
	"arczonalshift:GetManagedResource":            "arc-zonal-shift:GetManagedResource",
	"elasticloadbalancingv2:DescribeTargetHealth": "elasticloadbalancing:DescribeTargetHealth",
	"s3:HeadBucket":    "s3:ListBucket",
	"s3:HeadObject":    "s3:GetObject",
	"s3:ListObjectsV2": "s3:ListBucket",
}

// TestProgramsMayMakeTheirCalls reads out of the sources what the programs ask of
// AWS, however rarely: their roles let them do that and nothing else.
func TestProgramsMayMakeTheirCalls(t *testing.T) {
	for role, program := range map[string]struct {
		sources, others []string
		configurations  []string // that have all of it between them
	}{
		// What service/legacy calls is an operator's, who imports with other credentials.
		"FleetRole":      {[]string{"service/dynamo", "service/s3", "cmd/directory", "cmd/pulse"}, nil, []string{"shipped"}},
		"LighthouseRole": {[]string{"cmd/lighthouse"}, []string{"logs:CreateLogStream", "logs:PutLogEvents"}, []string{"shipped"}}, // by Lambda
		"ScalerRole": {[]string{"cmd/scaler"}, []string{
			"logs:CreateLogStream", "logs:PutLogEvents", // by Lambda
			"kms:Decrypt", "kms:GenerateDataKey", // by the topic
			"ec2:RunInstances", "ec2:CreateTags", "iam:PassRole", // by the instance refresh that it starts
		}, []string{"watched", "leaving"}}, // with alarms, and by requests
	} {
		want := slices.Clone(program.others)
		for _, dir := range program.sources {
			want = append(want, callsIn(t, filepath.Join("../..", dir))...)
		}
		var got []string
		for _, configuration := range program.configurations {
			for _, g := range grantsOf(t, matrix.Committed(t, configuration)) {
				if g.kind == "AWS::IAM::Role" && strings.HasPrefix(g.id, role) {
					for _, s := range g.statements {
						got = append(got, list(s.Action)...)
					}
				}
			}
		}
		for _, actions := range []*[]string{&want, &got} {
			slices.Sort(*actions)
			*actions = slices.Compact(*actions)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s may do %q, and its program does %q", role, got, want)
		}
	}
}

// callsIn returns the permissions that the sources below dir need: those of the
// inputs that they make for calls of the AWS SDK.
func callsIn(t *testing.T, dir string) []string {
	t.Helper()
	var actions []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			literal, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			name, _ := literal.Type.(*ast.SelectorExpr)
			if name == nil {
				return true
			}
			service, _ := name.X.(*ast.Ident)
			operation, ok := strings.CutSuffix(name.Sel.Name, "Input")
			if ok && service != nil && slices.Contains([]string{"arczonalshift", "autoscaling", "cloudformation", "cloudwatch", "dynamodb", "ec2", "elasticloadbalancingv2", "s3", "sns", "ssm"}, service.Name) {
				action := service.Name + ":" + operation
				actions = append(actions, cmp.Or(calls[action], action))
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return actions
}

// TestWildcardsAreSeen guards the test above.
func TestWildcardsAreSeen(t *testing.T) {
	for _, test := range []struct {
		statement
		want []string
	}{
		{statement{Effect: "Allow", Action: "s3:*", Resource: "arn:aws:s3:::a/*"}, []string{"s3:*"}},
		{statement{Effect: "Allow", Action: []any{"s3:GetObject", "s3:Put*"}, Resource: "a"}, []string{"s3:Put*"}},
		{statement{Effect: "Allow", Action: "ec2:Describe", Resource: []any{"a", "*"}}, []string{"ec2:Describe on *"}},
		{statement{Effect: "Allow", Action: "kms:*", Resource: "*"}, []string{"kms:* on *"}},
		{statement{Effect: "Allow", Action: "s3:GetObject", Resource: "arn:aws:s3:::a/*"}, nil},
		{statement{Effect: "Deny", Action: "s3:*", Resource: "*"}, nil},
	} {
		if got := test.wildcards(); !slices.Equal(got, test.want) {
			t.Errorf("%+v: got %q, want %q", test.statement, got, test.want)
		}
	}
}

// wildcards are what an allowing statement leaves open: an action, or "action on *".
func (s statement) wildcards() []string {
	if s.Effect != "Allow" {
		return nil
	}
	var found []string
	for _, action := range list(s.Action) {
		if slices.Contains(list(s.Resource), "*") {
			found = append(found, action+" on *")
		} else if strings.Contains(action, "*") {
			found = append(found, action)
		}
	}
	return found
}

// grantsOf reads every template of an assembly.
func grantsOf(t *testing.T, a matrix.Assembly) []grants {
	t.Helper()
	var all []grants
	for _, stack := range a.Names() {
		resources := a.Stacks[stack].Resources(t)
		for _, id := range slices.Sorted(maps.Keys(resources)) {
			if g, ok := grantsBy(t, id, resources); ok {
				g.stack = stack
				all = append(all, g)
			}
		}
	}
	return all
}

// grantsBy reads one resource. A role's are its own and those of the policies
// that name it.
func grantsBy(t *testing.T, id string, resources map[string]matrix.Resource) (grants, bool) {
	t.Helper()
	r := resources[id]
	g := grants{id: id, kind: r.Type}
	switch r.Type {
	case "AWS::IAM::Role":
		g.trust = statements(t, r.Properties["AssumeRolePolicyDocument"])
		var own []struct{ PolicyDocument any }
		decode(t, r.Properties["Policies"], &own)
		for _, p := range own {
			g.statements = append(g.statements, statements(t, p.PolicyDocument)...)
		}
		var managed []any
		decode(t, r.Properties["ManagedPolicyArns"], &managed)
		for _, arn := range managed {
			text := readable(arn)
			g.managed = append(g.managed, text[strings.LastIndex(text, "/")+1:])
		}
		for _, other := range slices.Sorted(maps.Keys(resources)) {
			attached := resources[other]
			var roles []any
			decode(t, attached.Properties["Roles"], &roles)
			if strings.HasPrefix(attached.Type, "AWS::IAM::") && slices.ContainsFunc(roles, func(role any) bool { return readable(role) == "${"+id+"}" }) {
				g.statements = append(g.statements, statements(t, attached.Properties["PolicyDocument"])...)
			}
		}
	case "AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy", "AWS::EC2::VPCEndpoint":
		g.statements = statements(t, r.Properties["PolicyDocument"])
	case "AWS::KMS::Key":
		g.statements = statements(t, r.Properties["KeyPolicy"])
	case "AWS::Lambda::Permission":
		var action, principal, function, source any
		for name, to := range map[string]*any{"Action": &action, "Principal": &principal, "FunctionName": &function, "SourceArn": &source} {
			decode(t, r.Properties[name], to)
		}
		g.statements = []statement{{"Allow", principal, action, function, map[string]any{"ArnLike": map[string]any{"aws:SourceArn": source}}}}
	}
	return g, len(g.statements)+len(g.managed)+len(g.trust) > 0
}

// decode reads a property into a value of a narrower type.
func decode(t *testing.T, property, to any) {
	t.Helper()
	b, err := json.Marshal(property)
	if err == nil {
		err = json.Unmarshal(b, to)
	}
	if err != nil {
		t.Fatalf("%v: %v", err, property)
	}
}

func statements(t *testing.T, document any) []statement {
	t.Helper()
	var p policy
	decode(t, document, &p)
	return p.Statement
}

// markdown is a section of the page.
func (g grants) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n### %s: %s\n\n", g.stack, g.id)
	fmt.Fprintf(&b, "%s", strings.TrimPrefix(g.kind, "AWS::"))
	for _, s := range g.trust {
		fmt.Fprintf(&b, ", for %s%s", code(principals(s.Principal)), conditions(s.Condition, ", if "))
	}
	b.WriteString("\n\n")
	for _, m := range g.managed {
		fmt.Fprintf(&b, "AWS's policy `%s`\n\n", m)
	}
	if len(g.statements) == 0 {
		return b.String()
	}
	b.WriteString("| actions | resources | conditions |\n|---|---|---|\n")
	for _, s := range g.statements {
		actions := code(list(s.Action))
		if s.Effect == "Deny" {
			actions = "**Deny** " + actions
		}
		if s.Principal != nil {
			actions += " by " + code(principals(s.Principal))
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", actions, code(list(s.Resource)), conditions(s.Condition, ""))
	}
	return b.String()
}

func code(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = "`" + strings.ReplaceAll(w, "|", `\|`) + "`"
	}
	return strings.Join(quoted, "<br>")
}

func principals(v any) []string {
	object, ok := v.(map[string]any)
	if !ok {
		return list(v)
	}
	var all []string
	for _, kind := range slices.Sorted(maps.Keys(object)) {
		all = append(all, list(object[kind])...)
	}
	return all
}

// conditions are all that must hold.
func conditions(v any, before string) string {
	object, ok := v.(map[string]any)
	if !ok {
		return ""
	}
	var all []string
	for _, operator := range slices.Sorted(maps.Keys(object)) {
		keys, _ := object[operator].(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			all = append(all, fmt.Sprintf("%s %s %s", key, operator, strings.Join(list(keys[key]), " or ")))
		}
	}
	if len(all) == 0 {
		return ""
	}
	return before + code(all)
}

// list reads one or more values.
func list(v any) []string {
	items, ok := v.([]any)
	if !ok {
		if v == nil {
			return nil
		}
		return []string{readable(v)}
	}
	all := make([]string, len(items))
	for i, item := range items {
		all[i] = readable(item)
	}
	return all
}

// readable is a value with CloudFormation's functions as people read them.
func readable(v any) string {
	object, ok := v.(map[string]any)
	if !ok {
		return fmt.Sprint(v)
	}
	switch {
	case object["Ref"] != nil:
		return "${" + fmt.Sprint(object["Ref"]) + "}"
	case object["Fn::GetAtt"] != nil:
		return "${" + strings.Join(list(object["Fn::GetAtt"]), ".") + "}"
	case object["Fn::Join"] != nil:
		parts := object["Fn::Join"].([]any)
		return strings.Join(list(parts[1]), fmt.Sprint(parts[0]))
	case object["Fn::Sub"] != nil:
		return readable(object["Fn::Sub"])
	}
	b, err := json.Marshal(object)
	if err != nil {
		panic(err) // it was read from JSON
	}
	return string(b)
}
