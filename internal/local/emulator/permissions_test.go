package emulator_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// account is one with a table, two buckets and a parameter.
type account struct {
	control emulator.Control
	aws.Config
}

func newAccount(t *testing.T) account {
	t.Helper()
	control := emulatortest.Shared(t)
	a := account{control, emulatortest.Config(control, "us-east-1")}
	keys := []ddb.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: ddb.KeyTypeHash}}
	for _, table := range []string{"people", "places"} {
		_, err := dynamodb.NewFromConfig(a.Config).CreateTable(t.Context(), &dynamodb.CreateTableInput{
			TableName: &table, BillingMode: ddb.BillingModePayPerRequest, KeySchema: keys,
			AttributeDefinitions: []ddb.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: ddb.ScalarAttributeTypeS}},
			GlobalSecondaryIndexes: []ddb.GlobalSecondaryIndex{
				{IndexName: aws.String("first"), KeySchema: keys, Projection: &ddb.Projection{ProjectionType: ddb.ProjectionTypeAll}},
				{IndexName: aws.String("second"), KeySchema: keys, Projection: &ddb.Projection{ProjectionType: ddb.ProjectionTypeAll}},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, bucket := range []string{"photos", "other"} {
		client := s3.NewFromConfig(a.Config, pathStyle)
		if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
			t.Fatal(err)
		}
		if _, err := client.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
			Bucket: &bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
		}); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"a/1", "b/1"} {
			if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(key)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := ssm.NewFromConfig(a.Config).PutParameter(t.Context(), &ssm.PutParameterInput{
		Name: aws.String("/island/drained"), Type: ssmtypes.ParameterTypeString, Value: aws.String("false"),
	}); err != nil {
		t.Fatal(err)
	}
	return a
}

func pathStyle(o *s3.Options) { o.UsePathStyle = true }

func (a account) as(c aws.CredentialsProvider) aws.Config {
	return aws.Config{Region: "us-east-1", BaseEndpoint: &a.control.URL, Credentials: c}
}

// query makes a call of a query API as an administrator.
func (a account) query(t *testing.T, service, version, action string, parameters url.Values) {
	t.Helper()
	parameters.Set("Action", action)
	parameters.Set("Version", version)
	if _, err := emulatortest.Query(t, a.control, service, "us-east-1", parameters); err != nil {
		t.Fatalf("%s: %v", action, err)
	}
}

// role returns how a role's clients are made that has these statements.
func (a account) role(t *testing.T, statements ...string) aws.Config {
	t.Helper()
	name := strings.NewReplacer("/", "-", "#", "-").Replace(t.Name())
	a.query(t, "iam", "2010-05-08", "CreateRole", url.Values{"RoleName": {name}, "AssumeRolePolicyDocument": {`{"Version": "2012-10-17", "Statement": []}`}})
	a.query(t, "iam", "2010-05-08", "PutRolePolicy", url.Values{"RoleName": {name}, "PolicyName": {"policy"}, "PolicyDocument": {
		`{"Version": "2012-10-17", "Statement": [` + strings.Join(statements, ",") + `]}`,
	}})
	return a.assume(t, name)
}

func (a account) assume(t *testing.T, role string) aws.Config {
	t.Helper()
	out, err := sts.NewFromConfig(a.Config).AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::123456789012:role/" + role), RoleSessionName: aws.String("test"),
	})
	if err != nil {
		t.Fatal(err)
	}
	c := out.Credentials
	return a.as(credentials.NewStaticCredentialsProvider(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken))
}

func allow(actions, resources string) string { return statement("Allow", actions, resources) }

func statement(effect, actions, resources string) string {
	list := func(words string) string { return `["` + strings.Join(strings.Fields(words), `","`) + `"]` }
	return fmt.Sprintf(`{"Effect": %q, "Action": %s, "Resource": %s}`, effect, list(actions), list(resources))
}

func conditional(actions, resources, operator, key, value string) string {
	return strings.TrimSuffix(allow(actions, resources), "}") + fmt.Sprintf(`, "Condition": {%q: {%q: %q}}}`, operator, key, value)
}

const (
	tables = "arn:aws:dynamodb:us-east-1:123456789012:table/"
	ssmARN = "arn:aws:ssm:us-east-1:123456789012:parameter/"
)

// TestPermissions makes calls with the credentials of a role: each case has one
// that its statements allow and those that they do not, and how they are refused.
func TestPermissions(t *testing.T) {
	a := newAccount(t)
	type call func(aws.Config) error
	item := map[string]ddb.AttributeValue{"id": &ddb.AttributeValueMemberS{Value: "1"}}
	get := func(table string) call {
		return func(c aws.Config) error {
			_, err := dynamodb.NewFromConfig(c).GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &table, Key: item})
			return err
		}
	}
	put := func(table string) call {
		return func(c aws.Config) error {
			_, err := dynamodb.NewFromConfig(c).PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item})
			return err
		}
	}
	query := func(table, index string) call {
		return func(c aws.Config) error {
			in := &dynamodb.QueryInput{
				TableName: &table, KeyConditionExpression: aws.String("id = :id"),
				ExpressionAttributeValues: map[string]ddb.AttributeValue{":id": item["id"]},
			}
			if index != "" {
				in.IndexName = &index
			}
			_, err := dynamodb.NewFromConfig(c).Query(t.Context(), in)
			return err
		}
	}
	write := func(names ...string) call {
		return func(c aws.Config) error {
			in := &dynamodb.BatchWriteItemInput{RequestItems: map[string][]ddb.WriteRequest{}}
			for _, table := range names {
				in.RequestItems[table] = []ddb.WriteRequest{{PutRequest: &ddb.PutRequest{Item: item}}}
			}
			_, err := dynamodb.NewFromConfig(c).BatchWriteItem(t.Context(), in)
			return err
		}
	}
	transact := func(table string) call {
		return func(c aws.Config) error {
			_, err := dynamodb.NewFromConfig(c).TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{
				TransactItems: []ddb.TransactWriteItem{{Put: &ddb.Put{TableName: &table, Item: item}}},
			})
			return err
		}
	}
	objects := func(c aws.Config) *s3.Client { return s3.NewFromConfig(c, pathStyle) }
	read := func(bucket, key string) call {
		return func(c aws.Config) error {
			_, err := objects(c).GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
			return err
		}
	}
	head := func(bucket, key string) call {
		return func(c aws.Config) error {
			_, err := objects(c).HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
			return err
		}
	}
	headBucket := func(bucket string) call {
		return func(c aws.Config) error {
			_, err := objects(c).HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: &bucket})
			return err
		}
	}
	list := func(bucket string) call {
		return func(c aws.Config) error {
			_, err := objects(c).ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket})
			return err
		}
	}
	remove := func(bucket, key string) call {
		return func(c aws.Config) error {
			out, err := objects(c).DeleteObjects(t.Context(), &s3.DeleteObjectsInput{
				Bucket: &bucket, Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: &key}}},
			})
			if err == nil && len(out.Errors) > 0 {
				return &smithy.GenericAPIError{Code: *out.Errors[0].Code}
			}
			return err
		}
	}
	multipart := func(bucket, key string) call {
		return func(c aws.Config) error {
			begun, err := objects(c).CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: &key})
			if err != nil {
				return err
			}
			part, err := objects(c).UploadPart(t.Context(), &s3.UploadPartInput{
				Bucket: &bucket, Key: &key, UploadId: begun.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("x"),
			})
			if err != nil {
				return err
			}
			_, err = objects(c).CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
				Bucket: &bucket, Key: &key, UploadId: begun.UploadId,
				MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: part.ETag}}},
			})
			return err
		}
	}
	replicate := func(role string) call {
		return func(c aws.Config) error {
			_, err := objects(c).PutBucketReplication(t.Context(), &s3.PutBucketReplicationInput{
				Bucket: aws.String("photos"),
				ReplicationConfiguration: &types.ReplicationConfiguration{Role: &role, Rules: []types.ReplicationRule{{
					Status: types.ReplicationRuleStatusDisabled, Priority: aws.Int32(1), Filter: &types.ReplicationRuleFilter{Prefix: aws.String("")},
					DeleteMarkerReplication: &types.DeleteMarkerReplication{Status: types.DeleteMarkerReplicationStatusDisabled},
					Destination:             &types.Destination{Bucket: aws.String("arn:aws:s3:::other")},
				}}},
			})
			return err
		}
	}
	signed := func(bucket, key string) call {
		return func(c aws.Config) error {
			u, err := s3.NewPresignClient(objects(c)).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
			if err != nil {
				return err
			}
			res, err := http.Get(u.URL)
			if err != nil {
				return err
			}
			defer res.Body.Close()
			if res.StatusCode == http.StatusForbidden {
				return &smithy.GenericAPIError{Code: "AccessDenied"}
			}
			if res.StatusCode != http.StatusOK {
				return errors.New(res.Status)
			}
			return nil
		}
	}
	parameter := func(name string) call {
		return func(c aws.Config) error {
			_, err := ssm.NewFromConfig(c).GetParameter(t.Context(), &ssm.GetParameterInput{Name: &name})
			return err
		}
	}
	writeParameter := func(name string, overwrite bool) call {
		return func(c aws.Config) error {
			_, err := ssm.NewFromConfig(c).PutParameter(t.Context(), &ssm.PutParameterInput{
				Name: &name, Type: ssmtypes.ParameterTypeString, Value: aws.String("x"), Overwrite: &overwrite,
			})
			return err
		}
	}
	if _, err := secretsmanager.NewFromConfig(a.Config).CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: aws.String("hello/db"), SecretString: aws.String("hush"),
	}); err != nil {
		t.Fatal(err)
	}
	secret := func(name string) call {
		return func(c aws.Config) error {
			_, err := secretsmanager.NewFromConfig(c).GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &name})
			return err
		}
	}
	const dynamo, objectStore, refusedHead = "AccessDeniedException", "AccessDenied", "Forbidden"
	for name, test := range map[string]struct {
		statements []string
		allowed    []call
		refused    []call
		code       string
	}{
		"by action":          {[]string{allow("dynamodb:GetItem", tables+"people")}, []call{get("people")}, []call{put("people")}, dynamo},
		"actions' case":      {[]string{allow("DynamoDB:getitem", tables+"people")}, []call{get("people")}, []call{put("people")}, dynamo},
		"by table":           {[]string{allow("dynamodb:GetItem", tables+"people")}, []call{get("people")}, []call{get("places")}, dynamo},
		"a pattern":          {[]string{allow("dynamodb:Get*", tables+"p?ople")}, []call{get("people")}, []call{get("places"), put("people")}, dynamo},
		"a dot is a dot":     {[]string{allow("dynamodb:GetItem", tables+"peopl.")}, nil, []call{get("people")}, dynamo},
		"by index":           {[]string{allow("dynamodb:Query", tables+"people/index/first")}, []call{query("people", "first")}, []call{query("people", "second"), query("people", "")}, dynamo},
		"a table's no index": {[]string{allow("dynamodb:Query", tables+"people")}, []call{query("people", "")}, []call{query("people", "first")}, dynamo},
		"a batch":            {[]string{allow("dynamodb:BatchWriteItem", tables+"people")}, []call{write("people")}, []call{write("people", "places"), put("people")}, dynamo},
		"a transaction":      {[]string{allow("dynamodb:PutItem", tables+"people")}, []call{transact("people")}, []call{transact("places")}, dynamo},
		"by secret": {
			[]string{allow("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:*:*:secret:hello/db-??????")},
			[]call{secret("hello/db")}, []call{secret("hello/others"), secret("hello/db-2")}, dynamo,
		},
		"another secret": {[]string{allow("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:*:*:secret:hello/d-??????")}, nil, []call{secret("hello/db")}, dynamo},
		"an explicit deny": {
			[]string{allow("dynamodb:*", "*"), statement("Deny", "dynamodb:PutItem", tables+"people")},
			[]call{put("places"), get("people")}, []call{put("people")}, dynamo,
		},
		"all but an action": {
			[]string{fmt.Sprintf(`{"Effect": "Allow", "NotAction": "dynamodb:PutItem", "NotResource": %q}`, tables+"places")},
			[]call{get("people")}, []call{put("people"), get("places")}, dynamo,
		},
		"by the first key": {
			[]string{conditional("dynamodb:GetItem dynamodb:PutItem", tables+"people", "ForAllValues:StringEquals", "dynamodb:LeadingKeys", "1"),
				conditional("dynamodb:GetItem", tables+"places", "ForAllValues:StringEquals", "dynamodb:LeadingKeys", "2")},
			[]call{get("people"), put("people")}, []call{get("places")}, dynamo,
		},
		"a condition is taken to hold": {
			[]string{conditional("dynamodb:GetItem", tables+"people", "Bool", "aws:SecureTransport", "true")},
			[]call{get("people")}, []call{put("people")}, dynamo,
		},
		"a condition of a deny is not": {
			[]string{allow("dynamodb:GetItem", "*"), `{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}`},
			[]call{get("people")}, []call{put("people")}, dynamo,
		},
		"by bucket": {[]string{allow("s3:ListBucket", "arn:aws:s3:::photos")}, []call{list("photos"), headBucket("photos")}, []call{list("other")}, objectStore},
		"by key":    {[]string{allow("s3:GetObject", "arn:aws:s3:::photos/a/*")}, []call{read("photos", "a/1"), head("photos", "a/1")}, []call{read("photos", "b/1"), read("other", "a/1")}, objectStore},
		"a missing object": {
			[]string{allow("s3:GetObject", "arn:aws:s3:::photos/* arn:aws:s3:::other/*")},
			[]call{read("photos", "a/1")}, []call{read("photos", "a/2")}, objectStore,
		},
		"the head of an object": {[]string{allow("s3:GetObject", "arn:aws:s3:::photos/a/*")}, []call{head("photos", "a/1")}, []call{head("photos", "b/1"), headBucket("photos")}, refusedHead},
		"objects deleted":       {[]string{allow("s3:DeleteObject", "arn:aws:s3:::photos/a/*")}, []call{remove("photos", "a/9")}, []call{remove("photos", "b/9")}, objectStore},
		"in parts":              {[]string{allow("s3:PutObject", "arn:aws:s3:::photos/a/*")}, []call{multipart("photos", "a/3")}, []call{multipart("photos", "b/3")}, objectStore},
		"a signed address":      {[]string{allow("s3:GetObject", "arn:aws:s3:::photos/a/*")}, []call{signed("photos", "a/1")}, []call{signed("photos", "b/1")}, objectStore},
		"a role that is passed": {
			[]string{allow("s3:PutReplicationConfiguration", "arn:aws:s3:::photos"),
				conditional("iam:PassRole", "arn:aws:iam::123456789012:role/replication", "StringEquals", "iam:PassedToService", "s3.amazonaws.com"),
				conditional("iam:PassRole", "arn:aws:iam::123456789012:role/admin", "StringEquals", "iam:PassedToService", "ec2.amazonaws.com")},
			[]call{replicate("arn:aws:iam::123456789012:role/replication")}, []call{replicate("arn:aws:iam::123456789012:role/admin")}, objectStore,
		},
		"parameters that are not there yet": {
			[]string{conditional("ssm:PutParameter", ssmARN+"island/*", "StringNotEquals", "ssm:Overwrite", "true")},
			[]call{writeParameter("/island/new", false)}, []call{writeParameter("/island/drained", true)}, dynamo,
		},
		"by parameter": {[]string{allow("ssm:GetParameter", ssmARN+"island/drained")}, []call{parameter("/island/drained")}, []call{parameter("/island/other")}, dynamo},
	} {
		t.Run(name, func(t *testing.T) {
			c := a.role(t, test.statements...)
			for i, call := range test.allowed {
				if err := call(c); err != nil {
					t.Errorf("allowed call %d: %v", i+1, err)
				}
			}
			for i, call := range test.refused {
				var refused smithy.APIError
				if err := call(c); !errors.As(err, &refused) || refused.ErrorCode() != test.code {
					t.Errorf("refused call %d: got %v, want %s", i+1, err, test.code)
				}
			}
		})
	}
	t.Run("a missing object, to who may list", func(t *testing.T) {
		c := a.role(t, allow("s3:GetObject", "arn:aws:s3:::photos/*"), allow("s3:ListBucket", "arn:aws:s3:::photos"))
		var missing *types.NoSuchKey
		if err := read("photos", "a/2")(c); !errors.As(err, &missing) {
			t.Errorf("got %v, want that it is missing", err)
		}
	})
	t.Run("a policy of AWS's own, and one in the role's template", func(t *testing.T) {
		a.query(t, "cloudformation", "2010-05-15", "CreateStack", url.Values{"StackName": {"roles"}, "TemplateBody": {`{"Resources": {"Reader": {
			"Type": "AWS::IAM::Role", "Properties": {
				"RoleName": "reader", "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []},
				"ManagedPolicyArns": [{"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":iam::aws:policy/AmazonSSMReadOnlyAccess"]]}],
				"Policies": [{"PolicyName": "own", "PolicyDocument": {"Version": "2012-10-17", "Statement": [` + allow("dynamodb:GetItem", tables+"people") + `]}}]
			}}}}`}})
		c := a.assume(t, "reader")
		for _, call := range []call{parameter("/island/drained"), get("people")} {
			if err := call(c); err != nil {
				t.Error(err)
			}
		}
		var refused smithy.APIError
		if err := put("people")(c); !errors.As(err, &refused) || refused.ErrorCode() != dynamo {
			t.Errorf("got %v, want %s", err, dynamo)
		}
	})
	t.Run("administrators", func(t *testing.T) {
		for i, call := range []call{get("people"), put("places"), read("photos", "a/1"), parameter("/island/drained"), signed("photos", "b/1")} {
			if err := call(a.Config); err != nil {
				t.Errorf("call %d: %v", i+1, err)
			}
		}
	})
	t.Run("who they are, everybody may ask", func(t *testing.T) {
		if _, err := sts.NewFromConfig(a.role(t, allow("s3:GetObject", "*"))).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}); err != nil {
			t.Error(err)
		}
	})
}
