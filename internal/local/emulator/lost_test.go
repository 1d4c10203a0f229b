package emulator_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/aws/aws-sdk-go-v2/aws"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// TestLostRegionAnswersNothingAndCatchesUp: its calls get 503, the tables' replicas in
// it stay as they are, and what was written elsewhere meanwhile is in it when it is back.
func TestLostRegionAnswersNothingAndCatchesUp(t *testing.T) {
	const home, other = "eu-west-1", "us-east-2"
	c := emulatortest.Start(t, emulator.Options{})
	lose := func(regions ...string) {
		t.Helper()
		if err := c.Set(t.Context(), emulator.Settings{Lost: regions}); err != nil {
			t.Fatal(err)
		}
	}
	stack := func(action string, regions ...string) error {
		_, err := emulatortest.Query(t, c, "cloudformation", home, url.Values{
			"Action": {action}, "Version": {"2010-05-15"}, "StackName": {"tables"},
			"TemplateBody": {strings.ReplaceAll(table("EVENTUAL", regions...), "true", "false")},
		})
		return err
	}
	if err := stack("CreateStack", home, other); err != nil {
		t.Fatal(err)
	}
	for _, region := range []string{home, other} {
		makeBucket(t, c, region, "photos-"+region)
	}
	replicateFrom(t, c, home, other)

	lose(other)
	_, err := dynamodb.NewFromConfig(emulatortest.Config(c, other), once).ListTables(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("a call to the lost region: got %v, want 503", err)
	}
	get, err := s3.NewPresignClient(photos(c, other)).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("photos-" + other), Key: aws.String("k")})
	if err != nil {
		t.Fatal(err)
	}
	if status := statusOf(t, get.URL); status != 503 {
		t.Errorf("an address that was signed before: got %d, want 503", status)
	}
	for _, regions := range [][]string{{home}, {home, other, "us-west-2"}} {
		if err := stack("UpdateStack", regions...); err == nil || !strings.Contains(err.Error(), "its replica in us-east-2 does not answer") {
			t.Errorf("replicas in %v: got %v, want it refused", regions, err)
		}
	}
	here := dynamodb.NewFromConfig(emulatortest.Config(c, home))
	for _, update := range []types.ReplicationGroupUpdate{
		{Delete: &types.DeleteReplicationGroupMemberAction{RegionName: aws.String(other)}},
		{Create: &types.CreateReplicationGroupMemberAction{RegionName: aws.String("us-west-2")}},
	} {
		if _, err = here.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{TableName: aws.String("t"), ReplicaUpdates: []types.ReplicationGroupUpdate{update}}); err == nil || !strings.Contains(err.Error(), "does not answer") {
			t.Errorf("a replica by hand: got %v, want it refused", err)
		}
	}
	if _, err := here.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("t"), Item: map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "one"}}}); err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"old", "new"} {
		if _, err := photos(c, home).PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("photos-" + home), Key: aws.String("k"), Body: strings.NewReader(content)}); err != nil {
			t.Fatal(err)
		}
	}
	emulatortest.Advance(t, c, time.Minute)

	lose()
	out, err := dynamodb.NewFromConfig(emulatortest.Config(c, other)).Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String("t")})
	if err != nil || len(out.Items) != 1 {
		t.Errorf("items in the region that is back: got %v, %v; want the one", out, err)
	}
	object, err := photos(c, other).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("photos-" + other), Key: aws.String("k")})
	if err != nil {
		t.Fatal(err)
	}
	if content, err := io.ReadAll(object.Body); err != nil || string(content) != "new" {
		t.Errorf("the photo in the region that is back: got %q, %v; want what was put last", content, err)
	}
	if err := stack("UpdateStack", home); err != nil {
		t.Errorf("the replica goes when its region is back: %v", err)
	}
}

// TestLostControlPlanes are those of global services, in us-east-1 and us-west-2: while one
// is lost no stack of any region changes what it has, and each other update is made.
func TestLostControlPlanes(t *testing.T) {
	s := newStack(t)
	defer emulatortest.Set(t, s.control, emulator.Settings{})
	role := func(description string) map[string]any {
		return resource("AWS::IAM::Role", map[string]any{"Description": description, "AssumeRolePolicyDocument": map[string]any{"Version": "2012-10-17", "Statement": []any{}}})
	}
	accelerator := func(name string) map[string]any {
		return resource("AWS::GlobalAccelerator::Accelerator", map[string]any{"Name": name})
	}
	of := func(value string, others resources) resources {
		return resources{"Out": parameter("/"+s.name, value)}.with(others)
	}
	s.deploy(t, cloudformationtypes.StackStatusCreateComplete, of("1", resources{"Role": role("one")}))
	for _, test := range []struct {
		lost   string
		parts  resources
		reason string
	}{
		{"us-east-1", of("2", resources{"Role": role("one")}), ""},
		{"us-east-1", of("3", resources{"Role": role("two")}), "the control plane of IAM in us-east-1 does not answer"},
		{"us-east-1", of("4", resources{"Role": role("one"), "Accelerator": accelerator("one")}), ""},
		{"us-west-2", of("5", resources{"Role": role("two"), "Accelerator": accelerator("one")}), ""},
		{"us-west-2", of("6", resources{"Role": role("two"), "Accelerator": accelerator("two")}), "the control plane of GlobalAccelerator in us-west-2 does not answer"},
	} {
		emulatortest.Set(t, s.control, emulator.Settings{Lost: []string{test.lost}})
		want := cloudformationtypes.StackStatusUpdateComplete
		if test.reason != "" {
			want = cloudformationtypes.StackStatusUpdateRollbackComplete
		}
		s.deploy(t, want, test.parts)
		if !strings.Contains(s.reasons(t), test.reason) {
			t.Errorf("%v while %s is lost: want it refused for %q: %s", test.parts, test.lost, test.reason, s.reasons(t))
		}
	}
}

// TestCallOfAGlobalServiceIsToItsControlPlane, whatever region a client that is told an
// endpoint signs it for.
func TestCallOfAGlobalServiceIsToItsControlPlane(t *testing.T) {
	s := newStack(t)
	defer emulatortest.Set(t, s.control, emulator.Settings{})
	for _, lost := range []string{"eu-west-1", "us-east-1"} {
		emulatortest.Set(t, s.control, emulator.Settings{Lost: []string{lost}})
		for _, signed := range []string{"eu-west-1", "us-east-1"} {
			_, role := emulatortest.Query(t, s.control, "iam", signed, url.Values{"Action": {"ListRoles"}, "Version": {"2010-05-08"}})
			_, zone := emulatortest.Rest(t, s.control, "route53", signed, http.MethodGet, "/2013-04-01/hostedzone/none", "")
			for _, err := range []error{role, zone} {
				failed := err != nil && strings.HasPrefix(err.Error(), "503")
				if want := lost == "us-east-1"; failed != want {
					t.Errorf("while %s is lost, a call that is signed for %s ends with %v, want 503: %t", lost, signed, err, want)
				}
			}
		}
	}
}

// once is not a second try: each takes seconds.
func once(o *dynamodb.Options) { o.RetryMaxAttempts = 1 }

// makeBucket makes one that keeps versions.
func makeBucket(t *testing.T, c emulator.Control, region, name string) {
	t.Helper()
	input := &s3.CreateBucketInput{Bucket: &name}
	if region != "us-east-1" {
		input.CreateBucketConfiguration = &s3types.CreateBucketConfiguration{LocationConstraint: s3types.BucketLocationConstraint(region)}
	}
	if _, err := photos(c, region).CreateBucket(t.Context(), input); err != nil {
		t.Fatal(err)
	}
	keepVersions(t, c, region, name, s3types.BucketVersioningStatusEnabled)
}

// keepVersions sets whether a bucket keeps them.
func keepVersions(t *testing.T, c emulator.Control, region, name string, status s3types.BucketVersioningStatus) {
	t.Helper()
	if _, err := photos(c, region).PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: &name, VersioningConfiguration: &s3types.VersioningConfiguration{Status: status},
	}); err != nil {
		t.Fatal(err)
	}
}

// photos are the buckets of a region.
func photos(c emulator.Control, region string) *s3.Client {
	return s3.NewFromConfig(emulatortest.Config(c, region), func(o *s3.Options) { o.UsePathStyle = true })
}

// replicateFrom has the bucket of a region replicate into another's.
func replicateFrom(t *testing.T, c emulator.Control, source, destination string) {
	t.Helper()
	replicate(t, c, source, "photos-"+source, "photos-"+destination, "")
}

// replicate has a bucket replicate what has a prefix into another one, by a rule with
// metrics that is called like the other one's region in a template.
func replicate(t *testing.T, c emulator.Control, region, source, destination, prefix string) {
	t.Helper()
	role := url.Values{"Action": {"CreateRole"}, "Version": {"2010-05-08"}, "RoleName": {"replication"}, "AssumeRolePolicyDocument": {`{"Version": "2012-10-17", "Statement": []}`}}
	if _, err := emulatortest.Query(t, c, "iam", "us-east-1", role); err != nil {
		t.Fatal(err)
	}
	letReplicate(t, c, "Allow")
	if _, err := photos(c, region).PutBucketReplication(t.Context(), &s3.PutBucketReplicationInput{
		Bucket: &source, ReplicationConfiguration: &s3types.ReplicationConfiguration{Role: aws.String("arn:aws:iam::123456789012:role/replication"), Rules: []s3types.ReplicationRule{{
			ID:     aws.String("us-east-1"),
			Status: s3types.ReplicationRuleStatusEnabled, Priority: aws.Int32(1), Filter: &s3types.ReplicationRuleFilter{Prefix: &prefix},
			DeleteMarkerReplication: &s3types.DeleteMarkerReplication{Status: s3types.DeleteMarkerReplicationStatusEnabled},
			Destination:             &s3types.Destination{Bucket: aws.String("arn:aws:s3:::" + destination), Metrics: &s3types.Metrics{Status: s3types.MetricsStatusEnabled}},
		}}},
	}); err != nil {
		t.Fatal(err)
	}
}

// letReplicate allows or denies the role of replications what they do.
func letReplicate(t *testing.T, c emulator.Control, effect string) {
	t.Helper()
	if _, err := emulatortest.Query(t, c, "iam", "us-east-1", url.Values{
		"Action": {"PutRolePolicy"}, "Version": {"2010-05-08"}, "RoleName": {"replication"}, "PolicyName": {"all"},
		"PolicyDocument": {`{"Version": "2012-10-17", "Statement": [{"Effect": "` + effect + `", "Action": "s3:*", "Resource": "*"}]}`},
	}); err != nil {
		t.Fatal(err)
	}
}

// statusOf is the answer's to a request that nobody signs again.
func statusOf(t *testing.T, address string) int {
	t.Helper()
	res, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}
