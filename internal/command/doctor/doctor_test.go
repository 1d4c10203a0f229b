package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const account = "123456789012" // the emulator's

// patient is an account in the emulator, with a deployment of a name of its own.
type patient struct {
	doctor
	control emulator.Control
	changes int // made of its stacks
}

var patients atomic.Int32

// newPatient is an account for a configuration: keys, in JSON, are laid over one of one
// region.
func newPatient(t *testing.T, keys string) *patient {
	t.Helper()
	name := fmt.Sprintf("p%d", patients.Add(1))
	tree := map[string]any{}
	for _, part := range []string{`{
		"regions": [{"name": "eu-west-1", "zones": ["a", "b", "c"]}],
		"service": {"name": "hello", "package": "./service", "port": 8080, "health": "/healthz"},
		"tables": [{"name": "people", "partitionKey": "id", "sortKey": {"name": "n", "type": "N"}, "indexes": [{"name": "byCity", "partitionKey": "city"}]}],
		"buckets": [{"name": "photos"}]}`, `{"name": "` + name + `"}`, "{" + keys + "}"} {
		var some map[string]any
		if err := json.Unmarshal([]byte(part), &some); err != nil {
			t.Fatal(err)
		}
		maps.Copy(tree, some)
	}
	c, err := config.Parse(map[string]any{config.ContextKey: tree}, account)
	if err != nil {
		t.Fatal(err)
	}
	control := emulatortest.Shared(t)
	p := &patient{control: control, doctor: doctor{
		identity: identity{account, "arn:aws:iam::" + account + ":root"}, config: c, qualifier: name, resolver: dns(nil), within: time.Minute,
		settings: func(_ context.Context, region string) (aws.Config, error) {
			return emulatortest.Config(control, region), nil
		},
	}}
	return p
}

// dns answers with these name servers, of every name.
type dns []string

func (d dns) LookupNS(context.Context, string) ([]*net.NS, error) {
	if d == nil {
		return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
	}
	var all []*net.NS
	for _, host := range d {
		all = append(all, &net.NS{Host: host})
	}
	return all, nil
}

// noDNS never answers.
type noDNS struct{}

func (noDNS) LookupNS(context.Context, string) ([]*net.NS, error) {
	return nil, &net.DNSError{Err: "no route to host"}
}

// look makes one check in the i-th region.
func (p *patient) look(t *testing.T, i int, check func(context.Context, *site) []Line) []Line {
	t.Helper()
	s, err := p.site(t.Context(), p.config.Regions[i])
	if err != nil {
		t.Fatal(err)
	}
	return check(t.Context(), s)
}

// names are those of the account's deployment.
func (p *patient) names() config.Names { return p.config.Names() }

// want compares lines with texts: "fail: some of the text", in their order, each with
// a line.
func want(t *testing.T, lines []Line, texts ...string) {
	t.Helper()
	if len(lines) != len(texts) {
		t.Fatalf("got %d lines, want %d: %v", len(lines), len(texts), lines)
	}
	for i, text := range texts {
		level, part, _ := strings.Cut(text, ": ")
		if lines[i].Level != Level(level) || !strings.Contains(lines[i].Text, part) {
			t.Errorf("line %d: got %v, want %s", i, lines[i], text)
		}
		saw(lines[i])
	}
}

// ask makes a call of a query API in a region.
func (p *patient) ask(t *testing.T, service, region, version, action string, pairs ...string) string {
	t.Helper()
	form := url.Values{"Action": {action}, "Version": {version}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	answer, err := emulatortest.Query(t, p.control, service, region, form)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

func (p *patient) ec2(t *testing.T, region, action string, pairs ...string) string {
	t.Helper()
	return p.ask(t, "ec2", region, "2016-11-15", action, pairs...)
}

// element is the content of the first element of a name.
func element(t *testing.T, answer, name string) string {
	t.Helper()
	_, rest, found := strings.Cut(answer, "<"+name+">")
	if !found {
		t.Fatalf("there is no %s in %s", name, answer)
	}
	content, _, _ := strings.Cut(rest, "<")
	return content
}

// deploy makes a stack of resources, and removes it when the test ends.
func (p *patient) deploy(t *testing.T, region, name, resources string) {
	t.Helper()
	client := cloudformation.NewFromConfig(emulatortest.Config(p.control, region))
	template := `{"Resources": {` + resources + `}}`
	if _, err := client.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: &name, TemplateBody: &template}); err != nil {
		t.Fatal(err)
	}
	if status := emulatortest.AwaitStack(t, client, name, time.Minute); status != types.StackStatusCreateComplete {
		t.Fatalf("%s is %s", name, status)
	}
	t.Cleanup(func() {
		if _, err := client.DeleteStack(context.Background(), &cloudformation.DeleteStackInput{StackName: &name}); err != nil {
			t.Error(err)
		}
	})
}

// refuses fails to make a stack of resources, or to change the one that there is, for a
// reason.
func (p *patient) refuses(t *testing.T, region, name, resources, reason string) {
	t.Helper()
	client := cloudformation.NewFromConfig(emulatortest.Config(p.control, region))
	kind, end := types.ChangeSetTypeCreate, types.StackStatusRollbackComplete
	if emulatortest.StackStatus(t, client, name) != "" {
		kind, end = types.ChangeSetTypeUpdate, types.StackStatusUpdateRollbackComplete
	}
	p.changes++
	status, failures := emulatortest.ChangeStack(t, client, &cloudformation.CreateChangeSetInput{
		StackName: &name, ChangeSetName: aws.String(fmt.Sprintf("change-%d", p.changes)), ChangeSetType: kind, TemplateBody: aws.String(`{"Resources": {` + resources + `}}`),
	}, time.Minute)
	var said []string
	for _, f := range failures {
		said = append(said, aws.ToString(f.ResourceStatusReason))
	}
	if status != end || !strings.Contains(strings.Join(said, "\n"), reason) {
		t.Errorf("%s is %s, want it refused for %s: %s", name, status, reason, said)
	}
	if kind == types.ChangeSetTypeUpdate {
		return // its maker deletes it
	}
	if _, err := client.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: &name}); err != nil {
		t.Error(err)
	}
}

// something is a stack's one resource.
const something = `"Topic": {"Type": "AWS::SNS::Topic", "Properties": {}}`

// put writes a parameter.
func (p *patient) put(t *testing.T, region, name, value string) {
	t.Helper()
	if _, err := ssm.NewFromConfig(emulatortest.Config(p.control, region)).PutParameter(t.Context(), &ssm.PutParameterInput{
		Name: &name, Value: &value, Type: ssmtypes.ParameterTypeString, Overwrite: aws.Bool(true),
	}); err != nil {
		t.Fatal(err)
	}
}

func (p *patient) s3(region string) *s3.Client {
	return s3.NewFromConfig(emulatortest.Config(p.control, region), func(o *s3.Options) { o.UsePathStyle = true })
}

// bucket makes one.
func (p *patient) bucket(t *testing.T, region, name string) {
	t.Helper()
	if _, err := p.s3(region).CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket: &name, CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: s3types.BucketLocationConstraint(region)},
	}); err != nil {
		t.Fatal(err)
	}
}

// bootstrapped has the CDK CLI's bootstrap in a region, as far as it is looked at.
func (p *patient) bootstrapped(t *testing.T, region, version string) {
	t.Helper()
	p.put(t, region, "/cdk-bootstrap/"+p.qualifier+"/version", version)
	p.bucket(t, region, "cdk-"+p.qualifier+"-assets-"+account+"-"+region)
}

func TestCredentialsOfAnotherAccount(t *testing.T) {
	p := newPatient(t, `"account": "210987654321"`)
	lines, err := p.diagnose(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want(t, lines, "fail: account "+account+", and archipelago.account is 210987654321")
	// What runs here has the configuration's names.
	p.local = true
	if lines, err = p.diagnose(t.Context()); err != nil || len(lines) < 5 || lines[0].Level != OK {
		t.Errorf("got %v, %v", lines, err)
	}
	p = newPatient(t, `"account": "`+account+`"`)
	if lines, err = p.diagnose(t.Context()); err != nil || len(lines) < 5 || lines[0].Level != OK {
		t.Errorf("got %v, %v", lines, err)
	}
}

// TestRegionThatIsNotEnabled refuses every call of a deployment, and no table has a
// replica in it.
func TestRegionThatIsNotEnabled(t *testing.T) {
	p := newPatient(t, `"regions": ["eu-south-2", {"name": "eu-west-1", "zones": ["a", "b", "c"]}]`)
	emulatortest.Set(t, p.control, emulator.Settings{NotEnabled: []string{"eu-south-2"}})
	lines, err := p.diagnose(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	of := func(region string) []Line {
		return slices.DeleteFunc(slices.Clone(lines), func(l Line) bool { return l.Region != region })
	}
	want(t, of("eu-south-2"), "fail: aws account enable-region --region-name eu-south-2")
	if ireland := of("eu-west-1"); len(ireland) < 10 {
		t.Errorf("the other one was not looked at: %v", ireland)
	} else {
		want(t, ireland[:1], "ok: enabled")
	}
	there := cloudformation.NewFromConfig(emulatortest.Config(p.control, "eu-south-2"))
	if _, err := there.DescribeStacks(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "InvalidClientTokenId") {
		t.Errorf("its CloudFormation: got %v, want it refused", err)
	}
	p.refuses(t, "eu-west-1", p.names().GlobalStack(), `"Table": {"Type": "AWS::DynamoDB::GlobalTable", "Properties": {
		"TableName": "`+p.names().Table("people")+`", "BillingMode": "PAY_PER_REQUEST", "Replicas": [{"Region": "eu-west-1"}, {"Region": "eu-south-2"}],
		"KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}], "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}]}}`, "not enabled")
}

// TestRegionThatIsLost: nothing is asked of it.
func TestRegionThatIsLost(t *testing.T) {
	p := newPatient(t, `"regions": [{"name": "eu-west-1", "zones": ["a", "b", "c"]}, {"name": "us-east-1", "lost": true}]`)
	lines, err := p.diagnose(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lost := slices.DeleteFunc(lines, func(l Line) bool { return l.Region != "us-east-1" })
	if len(lost) != 1 {
		t.Errorf("got %v", lost)
	}
	want(t, lost, "warning: it is lost")
}

// TestBootstrap. A stack without the parameter is refused, in the emulator too.
// TestPrimaryRegionThatIsLost: nothing is asked of it for the others' sake either.
func TestPrimaryRegionThatIsLost(t *testing.T) {
	const regions = `"regions": [{"name": "eu-west-1", "lost": true}, {"name": "us-east-1", "zones": ["a", "b", "c"]}, {"name": "eu-west-2", "zones": ["a", "b", "c"]}]`
	p := newPatient(t, regions+", "+gitHub)
	want(t, p.look(t, 0, github), "warning: not looked at: the stack "+p.names().GitHubStack()+": eu-west-1 is lost")
	p = newPatient(t, regions)
	p.deploy(t, "us-east-1", p.names().RegionStack("us-east-1"), something)
	p.answerIn(t, "eu-west-1", func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		t.Errorf("it is asked for %s", r.Form.Get("Action"))
		w.WriteHeader(http.StatusForbidden)
	})
	lines, err := p.diagnose(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	unknown := slices.DeleteFunc(lines, func(l Line) bool { return l.Region != "us-east-1" || !strings.Contains(l.Text, "is lost") })
	want(t, unknown, "warning: not looked at: whether tables are left over: eu-west-1 is lost", "warning: not looked at: whether buckets are replicated: eu-west-1 is lost",
		"warning: not looked at: the listener that the entry publishes: eu-west-1 is lost")
}

func TestBootstrap(t *testing.T) {
	p := newPatient(t, "")
	want(t, p.look(t, 0, bootstrap), "fail: cdk bootstrap aws://"+account+"/eu-west-1")
	p.put(t, "eu-west-1", "/cdk-bootstrap/"+p.qualifier+"/version", "5")
	want(t, p.look(t, 0, bootstrap), "fail: version 5, and CDK wants 6 at least")
	p.put(t, "eu-west-1", "/cdk-bootstrap/"+p.qualifier+"/version", "30")
	want(t, p.look(t, 0, bootstrap), "ok: version 30", "fail: is missing, to which programs are published")
	p.bootstrapped(t, "eu-west-1", "30")
	want(t, p.look(t, 0, bootstrap), "ok: version 30")
	bucket, key := "cdk-"+p.qualifier+"-assets-"+account+"-eu-west-1", p.key(t, "eu-west-1")
	if _, err := p.s3("eu-west-1").PutBucketEncryption(t.Context(), &s3.PutBucketEncryptionInput{Bucket: &bucket, ServerSideEncryptionConfiguration: &s3types.ServerSideEncryptionConfiguration{
		Rules: []s3types.ServerSideEncryptionRule{{ApplyServerSideEncryptionByDefault: &s3types.ServerSideEncryptionByDefault{
			SSEAlgorithm: s3types.ServerSideEncryptionAwsKms, KMSMasterKeyID: &key,
		}}},
	}}); err != nil {
		t.Fatal(err)
	}
	want(t, p.look(t, 0, bootstrap), "ok: version 30", "fail: the bootstrap's bucket "+bucket+" is encrypted with the key "+key+", and no instance may decrypt it")
	p.config.Regions[0].KMS.Decrypt = []string{key}
	want(t, p.look(t, 0, bootstrap), "ok: version 30")
	p.config.Regions[0].KMS.Decrypt = nil
	// As the bootstrap's own key has it.
	policy := `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["kms:Decrypt"], "Resource": "*", "Condition": {"StringEquals": {"kms:CallerAccount": "` + account + `"}}}]}`
	if _, err := kms.NewFromConfig(emulatortest.Config(p.control, "eu-west-1")).PutKeyPolicy(t.Context(), &kms.PutKeyPolicyInput{KeyId: &key, PolicyName: aws.String("default"), Policy: &policy}); err != nil {
		t.Fatal(err)
	}
	want(t, p.look(t, 0, bootstrap), "ok: version 30")
}

// template is a committed one of the shipped configuration.
func template(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../../../stacks/testdata/shipped", name+".template.json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestWhatTemplatesSay compares numbers and names here with the templates.
func TestWhatTemplatesSay(t *testing.T) {
	region := template(t, "archipelago-region-eu-west-1")
	if says := fmt.Sprintf("CDK bootstrap stack version %d required", bootstrapVersion); !strings.Contains(region, says) {
		t.Errorf("the template does not say %q", says)
	}
	var parsed struct {
		Resources map[string]struct {
			Type       string
			Properties struct {
				ReservedConcurrentExecutions int
				AvailabilityZone             any
			}
		}
	}
	if err := json.Unmarshal([]byte(region), &parsed); err != nil {
		t.Fatal(err)
	}
	sum, subnets := 0, 0
	for id, r := range parsed.Resources {
		sum += r.Properties.ReservedConcurrentExecutions
		if r.Type == "AWS::EC2::Subnet" && strings.HasPrefix(id, fleetSubnet) {
			subnets++
		}
	}
	if sum != reserved {
		t.Errorf("the region's functions reserve %d executions, and doctor says %d", sum, reserved)
	}
	if subnets != 3 {
		t.Errorf("%d subnets begin with %s, want 3", subnets, fleetSubnet)
	}
}

func TestStates(t *testing.T) {
	p := newPatient(t, "")
	want(t, p.look(t, 0, stacks), "ok: 4 to be made")
	p.deploy(t, "eu-west-1", p.names().StorageStack("eu-west-1"), something)
	want(t, p.look(t, 0, stacks), "ok: 1 at rest, 3 to be made")
	p = newPatient(t, gitHub)
	want(t, p.look(t, 0, stacks), "ok: 5 to be made")
	p.deploy(t, "eu-west-1", p.names().GitHubStack(), gitHubStack(t))
	want(t, p.look(t, 0, stacks), "ok: 1 at rest, 4 to be made")
}

const gitHub = `"github": {"repository": "octo-org/shop", "branch": "main", "environments": ["production"]}`

// TestIdentityProvider: an account has one for GitHub, and a second one is refused.
func TestIdentityProvider(t *testing.T) {
	p := newPatient(t, "")
	want(t, p.look(t, 0, github))
	p = newPatient(t, gitHub)
	want(t, p.look(t, 0, github), "ok: made by "+p.names().GitHubStack())
	existing := strings.Replace(gitHub, "}", `, "providerExists": true}`, 1)
	want(t, newPatient(t, existing).look(t, 0, github), "warning: no workflow gets a role")
	resources := gitHubStack(t)
	p.deploy(t, "eu-west-1", p.names().GitHubStack(), resources)
	want(t, p.look(t, 0, github), "ok: made by "+p.names().GitHubStack())
	want(t, newPatient(t, existing).look(t, 0, github), "ok: has an identity provider")

	p = newPatient(t, gitHub)
	want(t, p.look(t, 0, github), "fail: set archipelago.github.providerExists to true")
	template := `{"Resources": {` + resources + `}}`
	if _, err := cloudformation.NewFromConfig(emulatortest.Config(p.control, "eu-west-1")).CreateStack(t.Context(), &cloudformation.CreateStackInput{
		StackName: aws.String(p.names().GitHubStack()), TemplateBody: &template,
	}); err == nil {
		t.Error("the deployment does not fail")
	}
}

// gitHubStack is what is in one.
func gitHubStack(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../../stacks/testdata/watched/archipelago-github.template.json")
	if err != nil {
		t.Fatal(err)
	}
	var template struct{ Resources json.RawMessage }
	if err := json.Unmarshal(b, &template); err != nil {
		t.Fatal(err)
	}
	return string(template.Resources[1 : len(template.Resources)-1])
}

// TestStatesThatTakeAnOperator let no deployment begin.
func TestStatesThatTakeAnOperator(t *testing.T) {
	p := newPatient(t, "")
	storage, global, table := p.names().StorageStack("eu-west-1"), p.names().GlobalStack(), p.names().Table("people")
	client := cloudformation.NewFromConfig(emulatortest.Config(p.control, "eu-west-1"))
	begin := func(stack, resources string) error {
		t.Helper()
		if _, err := client.CreateChangeSet(t.Context(), &cloudformation.CreateChangeSetInput{
			StackName: &stack, ChangeSetName: &stack, ChangeSetType: types.ChangeSetTypeUpdate, TemplateBody: aws.String(`{"Resources": {` + resources + `}}`),
		}); err != nil {
			return err
		}
		_, err := client.ExecuteChangeSet(t.Context(), &cloudformation.ExecuteChangeSetInput{StackName: &stack, ChangeSetName: &stack})
		return err
	}
	refused := func(stack string, status types.StackStatus) {
		t.Helper()
		if err := begin(stack, something); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("is in %s state and can not be updated", status)) {
			t.Errorf("%s: got %v, want it refused", stack, err)
		}
	}
	protect := func(region string, on bool) {
		t.Helper()
		if _, err := dynamodb.NewFromConfig(emulatortest.Config(p.control, region)).UpdateTable(t.Context(), &dynamodb.UpdateTableInput{TableName: &table, DeletionProtectionEnabled: &on}); err != nil {
			t.Fatal(err)
		}
	}

	// A call that is not permitted is made again for 100 seconds.
	p.deploy(t, "eu-west-1", storage, something)
	if err := begin(storage, something+", "+awsCall("SSM", "getParameters", `{"Names": ["x"]}`)); err != nil {
		t.Fatal(err)
	}
	want(t, p.look(t, 0, stacks), "fail: "+storage+" is UPDATE_IN_PROGRESS: wait")
	refused(storage, types.StackStatusUpdateInProgress)
	emulatortest.Advance(t, p.control, 2*time.Minute)
	emulatortest.AwaitStack(t, client, storage, time.Minute)
	want(t, p.look(t, 0, stacks), "ok: 1 at rest, 3 to be made")

	// The rollback has to delete a replica that is protected.
	p.deploy(t, "eu-west-1", global, p.people())
	p.put(t, "eu-west-1", "/"+p.config.Name, "of another")
	if err := begin(global, strings.Replace(p.people(), "[{", `[{"Region": "us-east-1", "DeletionProtectionEnabled": true}, {`, 1)+
		`, "Taken": {"Type": "AWS::SSM::Parameter", "DependsOn": "Table", "Properties": {"Name": "/`+p.config.Name+`", "Type": "String", "Value": "x"}}`); err != nil {
		t.Fatal(err)
	}
	emulatortest.AwaitStack(t, client, global, time.Minute)
	want(t, p.look(t, 0, stacks), "fail: "+global+" is UPDATE_ROLLBACK_FAILED: fix what its events say, and aws cloudformation continue-update-rollback")
	refused(global, types.StackStatusUpdateRollbackFailed)
	protect("us-east-1", false)
	if _, err := client.ContinueUpdateRollback(t.Context(), &cloudformation.ContinueUpdateRollbackInput{StackName: &global}); err != nil {
		t.Fatal(err)
	}
	emulatortest.AwaitStack(t, client, global, time.Minute)
	want(t, p.look(t, 0, stacks), "ok: 2 at rest, 2 to be made")

	protect("eu-west-1", true)
	destroy := func() {
		t.Helper()
		if _, err := client.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: &global}); err != nil {
			t.Fatal(err)
		}
		emulatortest.AwaitStack(t, client, global, time.Minute)
	}
	destroy()
	want(t, p.look(t, 0, stacks), "fail: "+global+" is DELETE_FAILED: fix what its events say, and cdk destroy --exclusively "+global)
	refused(global, types.StackStatusDeleteFailed)
	protect("eu-west-1", false)
	destroy()
	want(t, p.look(t, 0, stacks), "ok: 1 at rest, 3 to be made")
}

// answer has a stand-in answer every call in place of the emulator.
func (p *patient) answer(t *testing.T, handler http.HandlerFunc) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	p.settings = func(_ context.Context, region string) (aws.Config, error) {
		return aws.Config{Region: region, BaseEndpoint: &server.URL, RetryMaxAttempts: 1, Credentials: credentials.NewStaticCredentialsProvider("x", "x", "")}, nil
	}
}

// answerIn has a stand-in answer a region's calls in place of the emulator.
func (p *patient) answerIn(t *testing.T, region string, handler http.HandlerFunc) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	others := p.settings
	p.settings = func(ctx context.Context, asked string) (aws.Config, error) {
		settings, err := others(ctx, asked)
		if asked == region {
			settings.BaseEndpoint = &server.URL
		}
		return settings, err
	}
}

func TestSwitches(t *testing.T) {
	p := newPatient(t, "")
	want(t, p.look(t, 0, switches), "ok: neither drained nor frozen")
	n := p.names()
	p.put(t, "eu-west-1", n.DrainParameter(), "true")
	p.put(t, "eu-west-1", n.FrozenParameter(), "true")
	p.put(t, "eu-west-1", n.InstanceTypeParameter(), "m7i.large")
	want(t, p.look(t, 0, switches), "warning: make drain REGION=eu-west-1 OFF=1", "warning: make freeze REGION=eu-west-1 OFF=1", "warning: m7i.large, and archipelago.fleet.ladder does not: the next build starts at m7g.medium again")
	p.put(t, "eu-west-1", n.DrainParameter(), "false")
	p.put(t, "eu-west-1", n.FrozenParameter(), "false")
	p.put(t, "eu-west-1", n.InstanceTypeParameter(), "r7g.large")
	want(t, p.look(t, 0, switches), "warning: r7g.large, and archipelago.fleet.ladder does not")
	p.put(t, "eu-west-1", n.InstanceTypeParameter(), "m7g.large")
	want(t, p.look(t, 0, switches), "ok: neither drained nor frozen")
}

// asEmulator has the environment lead to the emulator, as that of AWS.
func asEmulator(t *testing.T) {
	t.Helper()
	for _, variable := range append(emulator.Environment(emulatortest.Shared(t).URL), "AWS_REGION=us-east-1") {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
}

// TestArguments that are wrong have an error of their own.
func TestArguments(t *testing.T) {
	root := t.TempDir()
	file := `{"context": {"archipelago": {"regions": ["eu-west-1"], "service": {"name": "hello", "package": "./service", "port": 8080, "health": "/healthz"}}}}`
	if err := os.WriteFile(filepath.Join(root, "cdk.json"), []byte(file), 0o644); err != nil {
		t.Fatal(err)
	}
	asEmulator(t)
	for _, args := range [][]string{{"-x"}, {"eu-west-1"}, {"-region", "eu-west-2"}} {
		if err := Run(t.Context(), append([]string{"-root", root}, args...), io.Discard); !errors.Is(err, ErrArguments) {
			t.Errorf("%s: got %v", args, err)
		}
	}
	if err := Run(t.Context(), []string{"-h"}, io.Discard); !errors.Is(err, flag.ErrHelp) || errors.Is(err, ErrArguments) {
		t.Errorf("-h: got %v", err)
	}
	if err := Run(t.Context(), []string{"-root", root, "-c", "archipelago.fleet.min=1"}, io.Discard); err == nil || errors.Is(err, ErrArguments) {
		t.Errorf("an invalid configuration: got %v", err)
	}
}

// TestRun is the command over an account that has nothing, and over one that has what
// a deployment takes for granted.
func TestRun(t *testing.T) {
	p := newPatient(t, "")
	asEmulator(t)
	root := t.TempDir()
	file := `{"context": {"archipelago": {
		"name": "` + p.config.Name + `", "regions": [{"name": "eu-west-1", "zones": ["a", "b"]}, {"name": "eu-west-2", "zones": ["a", "b"]}, {"name": "eu-west-3", "retired": true}],
		"fleet": {"ladder": ["m7g.medium"]}, "entry": "none",
		"service": {"name": "hello", "package": "./service", "port": 8080, "health": "/healthz"}},
		"@aws-cdk/core:bootstrapQualifier": "` + p.qualifier + `"}}`
	if err := os.WriteFile(filepath.Join(root, "cdk.json"), []byte(file), 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (string, error) {
		var out bytes.Buffer
		err := Run(t.Context(), append([]string{"-root", root}, args...), &out)
		return out.String(), err
	}
	got, err := run("-region", "eu-west-2")
	if err == nil || !strings.Contains(err.Error(), "a deployment would fail") || errors.Is(err, ErrArguments) {
		t.Errorf("got %v", err)
	}
	for _, says := range []string{"eu-west-2  bootstrap", "1 fail\n"} {
		if !strings.Contains(got, says) || strings.Contains(got, "eu-west-1  ") {
			t.Errorf("want %q in\n%s", says, got)
		}
	}
	for _, region := range []string{"eu-west-1", "eu-west-2", "eu-west-3"} {
		p.bootstrapped(t, region, "30")
	}
	got, err = run()
	if err != nil {
		t.Errorf("%v:\n%s", err, got)
	}
	island := func(region string) []string {
		return []string{
			"ok     " + region + "  region       enabled",
			"ok     " + region + "  bootstrap    version 30",
			"ok     " + region + "  stacks       ",
			"ok     " + region + "  stores       nothing is in the way of " + p.config.Name + "-storage-" + region,
			"ok     " + region + "  switches     neither drained nor frozen",
			"ok     " + region + "  zones        " + region + "a, " + region + "b",
			"ok     " + region + "  zones        each offers m7g.medium",
			"ok     " + region + "  vcpus        ",
			"ok     " + region + "  vpcs         ",
			"ok     " + region + "  concurrency  ",
			"ok     " + region + "  ebs-key      AWS's own",
		}
	}
	lines := append([]string{"ok     account    credentials  account " + account}, island("eu-west-1")...)
	lines = append(lines, island("eu-west-2")...)
	lines = append(lines, island("eu-west-3")[:4]...)
	lines = append(lines, "", fmt.Sprintf("%d lines: %[1]d ok, 0 warning, 0 fail", len(lines)))
	all := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
	if len(all) != len(lines) {
		t.Fatalf("got %d lines, want %d:\n%s", len(all), len(lines), got)
	}
	for i, line := range lines {
		if !strings.HasPrefix(strings.Join(strings.Fields(all[i]), " "), strings.TrimSpace(strings.Join(strings.Fields(line), " "))) {
			t.Errorf("line %d: got %q, want %q", i, all[i], line)
		}
	}
}

// policy is what docs/operations.md says that an operator needs.
func policy(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(b), "\n## Before the first deployment\n")
	_, rest, _ := strings.Cut(section, "```json\n")
	text, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("docs/operations.md has no policy")
	}
	return text
}

// as has the doctor look with the credentials of a role that has a policy.
func (p *patient) as(t *testing.T, policy string) {
	t.Helper()
	name := "role-" + p.config.Name
	p.ask(t, "iam", "us-east-1", "2010-05-08", "CreateRole", "RoleName", name, "AssumeRolePolicyDocument", `{"Version": "2012-10-17", "Statement": []}`)
	p.ask(t, "iam", "us-east-1", "2010-05-08", "PutRolePolicy", "RoleName", name, "PolicyName", "doctor", "PolicyDocument", policy)
	out, err := sts.NewFromConfig(emulatortest.Config(p.control, "us-east-1")).AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::" + account + ":role/" + name), RoleSessionName: aws.String("doctor"),
	})
	if err != nil {
		t.Fatal(err)
	}
	c := out.Credentials
	p.settings = func(_ context.Context, region string) (aws.Config, error) {
		settings := emulatortest.Config(p.control, region)
		settings.Credentials = credentials.NewStaticCredentialsProvider(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
		return settings, nil
	}
}

// TestPermissions: those of docs/operations.md let everything be looked at, and each of
// them that is missing is told of and ends nothing.
func TestPermissions(t *testing.T) {
	documented := policy(t)
	p := everything(t)
	p.as(t, documented)
	lines, err := p.diagnose(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		if strings.HasPrefix(l.Text, "not looked at") {
			t.Errorf("with the documented permissions: %v", l)
		}
	}
	var document struct{ Statement []struct{ Action []string } }
	if err := json.Unmarshal([]byte(documented), &document); err != nil {
		t.Fatal(err)
	}
	actions := document.Statement[0].Action
	if !slices.IsSortedFunc(actions, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) }) {
		t.Errorf("they are not sorted: %s", actions)
	}
	for _, action := range actions {
		if action == "servicequotas:GetAWSDefaultServiceQuota" {
			continue // the emulator has every quota that is asked for
		}
		rest := strings.Replace(documented, `"`+action+`"`, `"sts:GetCallerIdentity"`, 1)
		p.ask(t, "iam", "us-east-1", "2010-05-08", "PutRolePolicy", "RoleName", "role-"+p.config.Name, "PolicyName", "doctor", "PolicyDocument", rest)
		lines, err := p.diagnose(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(lines, func(l Line) bool { return l.Level == Warning && strings.HasPrefix(l.Text, "not looked at") }) {
			t.Errorf("nothing is told of %s, which nobody has: %v", action, lines)
		}
	}
}

// TestNobodyAnswers: a region that does not answer costs its time, and nothing else.
func TestNobodyAnswers(t *testing.T) {
	p := newPatient(t, `"regions": [{"name": "eu-west-1", "zones": ["a", "b", "c"]}, "eu-west-2"]`)
	p.bootstrapped(t, "eu-west-1", "30")
	silent := make(chan struct{})
	p.answerIn(t, "eu-west-2", func(http.ResponseWriter, *http.Request) { <-silent })
	t.Cleanup(func() { close(silent) })
	s, err := p.site(t.Context(), p.config.Regions[1])
	if err != nil {
		t.Fatal(err)
	}
	s.within = 10 * time.Millisecond
	lines := s.lookAt(t.Context(), ok("enabled"))
	for _, l := range lines[1:] {
		if l.Level != Warning || !strings.Contains(l.Text, "not looked at") {
			t.Errorf("got %v", l)
		}
	}
	if len(lines) < len(ofRegion)+5 || !strings.Contains(lines[1].Text, "SSM GetParameters: no answer in time") {
		t.Errorf("got %v", lines)
	}
}
