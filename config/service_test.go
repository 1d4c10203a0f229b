package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// contextOf reads a CDK context from a file.
func contextOf(t testing.TB, path string) map[string]any {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]any
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	if context, ok := file["context"].(map[string]any); ok {
		return context
	}
	return file
}

func TestShippedEnvironment(t *testing.T) {
	c, err := Parse(contextOf(t, "../cdk.json"), account)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"EMPLOYEES_TABLE": "archipelago-employees",
		"SESSIONS_TABLE":  "archipelago-sessions",
		"PHOTOS_BUCKET":   "archipelago-photos-123456789012-{region}",
		"TRUSTED_PROXIES": "10.0.0.0/16",
		"READS":           "open", "ALLOW_CLEARTEXT": "false", "LOAD_GENERATOR": "false",
	}
	if diff := cmp.Diff(want, c.Environment(c.Regions[1])); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	want["TRUSTED_PROXIES"] = "127.0.0.0/8"
	if diff := cmp.Diff(want, c.LocalEnvironment(c.Regions[1])); diff != "" {
		t.Errorf("environment on this machine (-want +got):\n%s", diff)
	}
}

// TestShippedStores: what the names and defaults of the shipped ones give, on which
// the deployed data depends.
func TestShippedStores(t *testing.T) {
	c, err := Parse(contextOf(t, "../cdk.json"), account)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, table := range c.Tables {
		got = append(got, ConstructID(table.Name)+" "+c.Names().Table(table.Name))
	}
	for _, bucket := range c.Buckets {
		got = append(got, ConstructID(bucket.Name)+" "+c.Names().Bucket(bucket.Name, "eu-west-1"))
	}
	want := []string{"Employees archipelago-employees", "Sessions archipelago-sessions", "Photos archipelago-photos-123456789012-eu-west-1"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := c.WatchedTables(); len(got) != 1 || got[0].Name != "employees" {
		t.Errorf("watched tables are %v", got)
	}
	if got := c.WatchedBuckets(); len(got) != 1 || got[0].Name != "photos" {
		t.Errorf("watched buckets are %v", got)
	}
}

func TestAnotherService(t *testing.T) {
	c, err := Parse(contextOf(t, "testdata/hello.json"), account)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"COUNTERS": "hello-counters", "SNAPSHOTS": "hello-snapshots-123456789012-us-east-1"}
	if diff := cmp.Diff(want, c.LocalEnvironment(c.Regions[1])); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

func TestOneSettingIsReplaced(t *testing.T) {
	context := contextOf(t, "../cdk.json")
	context["archipelago.service.environment.READS"] = "signed-in"
	context["archipelago.service.environment.MOTTO"] = "{{{name}} in {region}"
	context["archipelago.tables[0].partitionKey.type"] = "S"
	context["archipelago.tables[1].watch"] = "true"
	context["archipelago.service.local.setup"] = "user,list"
	c, err := Parse(context, account)
	if err != nil {
		t.Fatal(err)
	}
	got := c.Environment(c.Regions[0])
	if got["READS"] != "signed-in" || got["MOTTO"] != "{archipelago} in eu-west-1" || got["LOAD_GENERATOR"] != "false" {
		t.Errorf("got %q", got)
	}
	if c.Tables[0].PartitionKey != (Key{"pk", "S"}) || c.Tables[1].Watch != WatchWrite || !slices.Equal(c.Service.Local.Setup, []string{"user", "list"}) {
		t.Errorf("got %+v, %v, %q", c.Tables[0].PartitionKey, c.Tables[1].Watch, c.Service.Local.Setup)
	}
}

func TestOnlyLastingTablesAreStrong(t *testing.T) {
	c := Config{Consistency: ConsistencyStrong}
	if !c.MultiRegionStrongConsistency(Table{}) || c.MultiRegionStrongConsistency(Table{Ephemeral: true}) {
		t.Error("a table is strong that is ephemeral, or is not that is not")
	}
	c.Consistency = ConsistencyEventual
	if c.MultiRegionStrongConsistency(Table{}) {
		t.Error("a table is strong without the consistency")
	}
}

// manySecrets are n secrets as JSON.
func manySecrets(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"S%d": "/s/%d",`, i, i)
	}
	return b.String()
}

func TestSecretsAreRead(t *testing.T) {
	c, err := Parse(map[string]any{"archipelago": map[string]any{
		"regions": []any{"eu-west-1"},
		"service": map[string]any{"name": "a", "package": "./a", "port": 8080.0, "health": "/", "secrets": map[string]any{"A": "/hello/api-key_1.b"}},
	}, "archipelago.service.secrets.B": "secret:hello/b+c=d@e"}, account)
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"A": "/hello/api-key_1.b", "B": "secret:hello/b+c=d@e"}; !maps.Equal(c.Service.Secrets, want) {
		t.Errorf("got %q, want %q", c.Service.Secrets, want)
	}
}

func TestServicesAndStoresThatAreRefused(t *testing.T) {
	table := func(keys string) string { return `"tables": [{"name": "items", "partitionKey": "pk", ` + keys + `}]` }
	environment := func(value string) string {
		b, _ := json.Marshal(value)
		return `"tables": [{"name": "items", "partitionKey": "pk"}], "service": {"name": "a", "package": "./a", "port": 8080, "health": "/", "environment": {"X": ` + string(b) + `}}`
	}
	const known = `one of {cidr}, {name}, {region}, {table:items}, or {{ for a brace`
	for name, test := range map[string]struct {
		keys string
		want []string // without "archipelago."
	}{
		"no service": {`"service": {}`, []string{
			`service: want an object such as {"name": "hello", "package": "./cmd/hello", "port": 8080, "health": "/healthz"}, got nothing`,
		}},
		"half a service": {`"service": {"name": "a"}`, []string{
			`service.package: want the path of a Go package below the folder of cdk.json, such as "./cmd/directory", got nothing`,
			`service.port: want a port from 1024, which the service may open without privileges, to 65535, got nothing`,
			`service.health: want a path of letters, digits and / . _ ~ -, such as "/healthz", got nothing`,
		}},
		"a service that is elsewhere, and needs root": {`"service": {"name": "A b", "package": "../a", "port": 80, "health": "livez"}`, []string{
			`service.name: want 1 to 31 lower-case letters, digits and hyphens, a letter first, got "A b"`,
			`service.package: want the path of a Go package below the folder of cdk.json, such as "./cmd/directory", got "../a"`,
			`service.port: want a port from 1024, which the service may open without privileges, to 65535, got 80`,
			`service.health: want a path of letters, digits and / . _ ~ -, such as "/healthz", got "livez"`,
		}},
		"a path out of the folder":       {`"service": {"name": "a", "package": "./a/../../b", "port": 8080, "health": "/"}`, []string{`service.package: want the path`}},
		"all packages":                   {`"service": {"name": "a", "package": "./cmd/...", "port": 8080, "health": "/"}`, []string{`service.package: want the path`}},
		"an import path":                 {`"service": {"name": "a", "package": "cmd/a", "port": 8080, "health": "/"}`, []string{`service.package: want the path`}},
		"a port that there is not":       {`"service": {"name": "a", "package": "./a", "port": 65536, "health": "/"}`, []string{`service.port: want a port`}},
		"a name that is too long":        {`"service": {"name": "` + strings.Repeat("a", 32) + `", "package": "./a", "port": 8080, "health": "/"}`, []string{`service.name: want 1 to 31`}},
		"a path that a shell would read": {`"service": {"name": "a", "package": "./a", "port": 8080, "health": "/$(id)"}`, []string{`service.health: want a path`}},
		"a path of two lines":            {`"service": {"name": "a", "package": "./a", "port": 8080, "health": "/\n"}`, []string{`service.health: want a path`}},
		"a path with a backquote":        {"\"service\": {\"name\": \"a\", \"package\": \"./a\", \"port\": 8080, \"health\": \"/`id`\"}", []string{`service.health: want a path`}},
		"settings of the wrong type": {`"service": {"name": "a", "package": "./a", "port": 8080, "health": "/", "environment": {"A": 1, "B": null}, "local": {"environment": []}}`, []string{
			`service.environment.A: want a string, got 1`, `service.environment.B: want a value, got nothing`,
			`service.local.environment: want an object such as {"KEY": "value"}, got []`,
		}},
		"settings that are given, and no names": {`"service": {"name": "a", "package": "./a", "port": 8080, "health": "/", "environment": {"PORT": "80", "A-B": "", "": ""}, "local": {"environment": {"LISTEN": ":1", "1": ""}}}`, []string{
			`service.environment.PORT: want another name: the service is always given LISTEN, PORT, AWS_REGION, NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID, CREDENTIALS_DIRECTORY, STATE_DIRECTORY, got "PORT"`,
			`service.environment.A-B: want a variable's name of letters, digits and underscores, no digit first, got "A-B"`,
			`service.environment: want a variable's name of letters, digits and underscores, no digit first, got nothing`,
			`service.local.environment.LISTEN: want another name`, `service.local.environment.1: want a variable's name`,
		}},
		"secrets": {`"service": {"name": "a", "package": "./a", "port": 8080, "health": "/",
			"environment": {"KEY_FILE": "/a"}, "secrets": {"KEY": "/a/key", "A-B": "/a", "C": "a/c", "D": "/aws/d", "E": "/SSM-e", "F": "/a'b", "G": "secret:", "H": "secret:a b", "I": "/a/", "J": "` + strings.Repeat("/a", 16) + `", "K": "arn:aws:ssm:eu-west-1:123456789012:parameter/a", "LOCAL": "/l"},
			"local": {"environment": {"LOCAL_FILE": "/b"}, "secrets": {"KEYS": "hush", "KEY": ""}}}`, []string{
			`service.secrets.KEY: want another name: environment sets KEY_FILE, which has the path of the secret's file, got "KEY"`,
			`service.secrets.A-B: want a name of at most 64 letters, digits and underscores, no digit first, such as "API_KEY", got "A-B"`,
			`service.secrets.C: want the path of a parameter that is not AWS's, such as "/hello/api-key", or "secret:" and the name of a secret, of at most 256 characters, got "a/c"`,
			`service.secrets.D: want the path`, `service.secrets.E: want the path`, `service.secrets.F: want the path`, `service.secrets.G: want the path`,
			`service.secrets.H: want the path`, `service.secrets.I: want the path`, `service.secrets.J: want the path`, `service.secrets.K: want the path`,
			`service.secrets.LOCAL: want another name`,
			`service.local.secrets.KEYS: want the name of one of service.secrets (did you mean "KEY"?), got "KEYS"`,
			`service.local.secrets.KEY: want 1 to 4096 bytes, got 0`,
		}},
		"a long path":                 {`"service": {"name": "a", "package": "./a", "port": 8080, "health": "/", "secrets": {"A": "/` + strings.Repeat("a", 256) + `"}}`, []string{`service.secrets.A: want the path`}},
		"a long name":                 {`"service": {"name": "a", "package": "./a", "port": 8080, "health": "/", "secrets": {"` + strings.Repeat("A", 65) + `": "/a"}}`, []string{`want a name of at most 64`}},
		"secrets of the wrong type":   {`"service": {"name": "a", "package": "./a", "port": 8080, "health": "/", "secrets": ["/a"]}`, []string{`service.secrets: want an object such as {"KEY": "value"}, got ["/a"]`}},
		"too many secrets":            {`"service": {"name": "a", "package": "./a", "port": 8080, "health": "/", "secrets": {` + strings.TrimSuffix(manySecrets(17), ",") + `}}`, []string{`service.secrets: want at most 16 secrets, got 17`}},
		"a setting of two lines":      {environment("a\nEVIL=1"), []string{`service.environment.X: want a value of one line without control characters, got "a\nEVIL=1"`}},
		"a carriage return":           {environment("a\rb"), []string{`service.environment.X: want a value of one line`}},
		"a byte-order mark":           {environment("a\uFEFF"), []string{`service.environment.X: want a value without U+FEFF, which no environment file may hold, got "a\ufeff"`}},
		"a NUL":                       {environment("a\x00b"), []string{`service.environment.X: want a value of one line`}},
		"too many settings":           {environment(strings.Repeat("x", 8<<10)), []string{`service.environment: want at most 8192 bytes in all, since an instance's user data may have 16 KiB, got 8197`}},
		"settings of many quotes":     {environment(strings.Repeat(`"`, 4<<10)), []string{`service.environment: want at most 8192 bytes in all, since an instance's user data may have 16 KiB, got 8197`}},
		"the name of a program":       {`"service": {"name": "aws", "package": "./a", "port": 8080, "health": "/"}`, []string{`service.name: want another name: Amazon Linux has a program, a folder or a unit of this one, got "aws"`}},
		"the name of a folder":        {`"service": {"name": "cloud", "package": "./a", "port": 8080, "health": "/"}`, []string{`service.name: want another name`}},
		"the name of a unit":          {`"service": {"name": "systemd-networkd", "package": "./a", "port": 8080, "health": "/"}`, []string{`service.name: want another name`}},
		"settings that grow too many": {environment(strings.Repeat("{table:items}", 1000)), []string{`service.environment: want at most 8192 bytes`}},
		"a table that is misspelled":  {environment("a {table:itmes}"), []string{`service.environment.X: want for {table:itmes} ` + known + ` (did you mean "{table:items}"?), got "a {table:itmes}"`}},
		"a bucket that there is not":  {environment("{bucket:items}"), []string{`service.environment.X: want for {bucket:items} ` + known}},
		"a brace that is not closed":  {environment("{{ok} {region"), []string{`service.environment.X: want for {region ` + known}},
		"a dynamic reference":         {environment("{{{{resolve:ssm:/a}}"), []string{`service.environment.X: want a value without {{resolve:, which CloudFormation replaces: service.secrets has what is in no template, got "{{{{resolve:ssm:/a}}"`}},
		"JSON without {{":             {environment(`{"a": 1}`), []string{`service.environment.X: want for {"a": 1} ` + known}},

		"a table without a key": {`"tables": [{"name": "items"}]`, []string{
			`tables[0].partitionKey: want the name of a string attribute or an object such as {"name": "n", "type": "N"}, got nothing`,
		}},
		"a table without a name": {`"tables": [{"partitionKey": "pk"}], "service": {"name": "a", "package": "./a", "port": 8080, "health": "/", "environment": {"X": "{table:items}"}}`, []string{
			`tables[0].name: want 1 to 32 lower-case letters`, `service.environment.X: want for {table:items} one of {cidr}, {name}, {region}, or {{`,
		}},
		"keys of other types": {`"tables": [{"name": "items", "partitionKey": {"name": "n", "type": "BOOL"}, "sortKey": 7}, {"name": "others", "partitionKey": {"type": "N"}, "sortKey": {"name": "a b"}}]`, []string{
			`tables[0].partitionKey.type: want "S", "N" or "B", got "BOOL"`,
			`tables[0].sortKey: want the name of a string attribute or an object such as {"name": "n", "type": "N"}, got 7`,
			`tables[1].partitionKey.name: want an attribute's name, of letters, digits and _ . : # -, got nothing`,
			`tables[1].sortKey.name: want an attribute's name`,
		}},
		"one key twice":      {table(`"sortKey": "pk"`), []string{`tables[0].sortKey: want another attribute than that of partitionKey, got "pk"`}},
		"a key of two types": {table(`"indexes": [{"name": "byNumber", "partitionKey": {"name": "pk", "type": "N"}}]`), []string{`tables[0].indexes[0].partitionKey: want type "S" for the attribute "pk", as elsewhere in the table, got "N"`}},
		"invalid names": {`"tables": [{"name": "Items", "partitionKey": "pk"}, {"name": "items-2-", "partitionKey": "pk"}, {"name": "` + strings.Repeat("i", 33) + `", "partitionKey": "pk"}]`, []string{
			`tables[0].name: want 1 to 32 lower-case letters, digits and single hyphens between them, a letter first, such as "user-data", got "Items"`,
			`tables[1].name: want 1 to 32`, `tables[2].name: want 1 to 32`,
		}},
		"names that are taken": {`"tables": [{"name": "items", "partitionKey": "pk"}, {"name": "service-log", "partitionKey": "pk"}], "buckets": [{"name": "items"}, {"name": "logs"}]`, []string{
			`tables[1].name: want another name: the construct id that it gives, "ServiceLog", is something else's, got "service-log"`,
			`buckets[0].name: want another name: the construct id that it gives, "Items", is that of tables[0], got "items"`,
			`buckets[1].name: want another name: the construct id that it gives, "Logs", is something else's, got "logs"`,
		}},
		"names that give one id": {`"tables": [{"name": "a1", "partitionKey": "pk"}, {"name": "a-1", "partitionKey": "pk"}]`, []string{`tables[1].name: want another name: the construct id that it gives, "A1", is that of tables[0], got "a-1"`}},
		"too many buckets for the regions": {
			`"regions": "us-east-1,us-east-2,us-west-1,us-west-2,ca-central-1,eu-west-1,eu-west-2,eu-west-3,eu-central-1,eu-north-1,ap-south-1,sa-east-1,ap-southeast-1", "buckets": [{"name": "a"}, {"name": "b"}, {"name": "c"}, {"name": "d"}]`,
			[]string{`buckets: want at most 3 for 13 regions, since the rules from each bucket to all others have to fit into a template of 1 MB, got 4`},
		},
		"too many tables":           {`"tables": [` + strings.Repeat(`{"name": "a", "partitionKey": "pk"},`, 8) + `{"name": "b", "partitionKey": "pk"}]`, []string{`tables: want at most 8 tables, got 9`}},
		"a watch by numbers":        {`"tables": [{"name": "items", "partitionKey": "pk", "sortKey": {"name": "n", "type": "N"}, "watch": "read"}]`, []string{`tables[0].watch: want false: the item of a lighthouse has string keys, and "n" is of type "N", got "read"`}},
		"a watch of another kind":   {table(`"watch": "write"`), []string{`tables[0].watch: want true, false or "read", got "write"`}},
		"a strong table with a TTL": {`"regions": ["us-east-1", "us-east-2", "us-west-2"], "consistency": "strong", ` + table(`"ttl": "expires"`), []string{`tables[0].ttl: want nothing, or ephemeral: true: the others are strong with the consistency "strong", and a strong table expires nothing, got "expires"`}},
		"an invalid TTL":            {table(`"ttl": "a b"`), []string{`tables[0].ttl: want an attribute's name`}},
		"indexes": {table(`"indexes": [{"name": "by", "partitionKey": "a"}, {"name": "byName"}, {"name": "byName", "partitionKey": "b"}, "byAge"]`), []string{
			`tables[0].indexes[0].name: want 3 to 255 letters, digits and _ . -, such as "byName", got "by"`,
			`tables[0].indexes[1].partitionKey: want the name`,
			`tables[0].indexes[2].name: want each name once, got "byName"`,
			`tables[0].indexes[3]: want an object such as {"name": "byName", "partitionKey": "name"}, got "byAge"`,
		}},
		"too many indexes": {table(`"indexes": [` + strings.Repeat(`{"name": "byName", "partitionKey": "a"},`, 20) + `{"name": "byAge", "partitionKey": "a"}]`), []string{`tables[0].indexes: want at most 20 indexes, which is DynamoDB's limit, got 21`}},
		"actions": {table(`"actions": ["GetItem", "Getitem", "DeleteTable", "GetItem"]`), []string{
			`tables[0].actions[1]: want "GetItem", "BatchGetItem", "Query", "Scan", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem" or "ConditionCheckItem" (did you mean "GetItem"?), got "Getitem"`,
			`tables[0].actions[2]: want "GetItem",`, `got "DeleteTable"`,
			`tables[0].actions[3]: want each action once, got "GetItem"`,
		}},
		"no actions": {table(`"actions": []`), []string{`tables[0].actions: want at least 1 action, such as ["GetItem", "Query"], got []`}},

		"bucket names that S3 refuses": {`"buckets": [{"name": "My_Photos"}, {}]`, []string{
			`buckets[0].name: want 1 to 32 lower-case letters, digits and single hyphens between them, a letter first, such as "user-data", got "My_Photos"`,
			`buckets[1].name: want 1 to 32`,
		}},
		"a bucket name too long for the deployment": {`"name": "a-deployment-of-28-charactrs", "buckets": [{"name": "photos"}, {"name": "photos2"}]`, []string{
			`buckets[1].name: want at most 6 characters after the deployment's name, "a-deployment-of-28-charactrs", since the bucket's own name may have 63 and is made of both, an account and a region, got "photos2"`,
		}},
		"too many buckets": {`"buckets": [{"name": "a"}, {"name": "b"}, {"name": "c"}, {"name": "d"}, {"name": "e"}]`, []string{`buckets: want at most 4 buckets, got 5`}},
		"too many watched": {`"tables": [{"name": "t", "partitionKey": "pk", "watch": true}], "buckets": [{"name": "a", "watch": true}, {"name": "b", "watch": "read"}, {"name": "c", "watch": true}, {"name": "d", "watch": true}]`, []string{
			`buckets[3].watch: want false: a lighthouse tries at most 4 tables and buckets in all, got true`,
		}},
		"prefixes": {`"buckets": [{"name": "a", "prefix": "employees"}, {"name": "b", "prefix": "/"}, {"name": "c", "prefix": "lighthouse/own/"}, {"name": "d", "prefix": "a/../"}]`, []string{
			`buckets[0].prefix: want nothing, or at most 64 letters, digits and _ . - that end with a slash, such as "files/", got "employees"`,
			`buckets[1].prefix: want nothing`,
			`buckets[2].prefix: want another prefix than "lighthouse/", which begins the keys of the lighthouse's own objects, got "lighthouse/own/"`,
			`buckets[3].prefix: want nothing`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			keys := test.keys
			for key, otherwise := range map[string]string{"regions": `["eu-west-1"]`, "service": service} {
				if !strings.Contains(keys, `"`+key+`":`) {
					keys += `, "` + key + `": ` + otherwise
				}
			}
			var context map[string]any
			if err := json.Unmarshal([]byte(`{"archipelago": {`+keys+`}}`), &context); err != nil {
				t.Fatal(err)
			}
			_, err := Parse(context, account)
			if err == nil {
				t.Fatal("the configuration was accepted")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error lacks %q:\n%v", want, err)
				}
			}
		})
	}
}

// TestNamesFitAtTheirLongest: 63 is the limit of a bucket's name.
func TestNamesFitAtTheirLongest(t *testing.T) {
	n := Names{Name: strings.Repeat("n", 28), Account: account}
	for _, region := range KnownRegions() {
		for _, bucket := range []string{n.Bucket(strings.Repeat("b", maxBucketName-len(n.Name)), region), n.LogsBucket(region)} {
			if len(bucket) > 63 {
				t.Errorf("%s has %d characters", bucket, len(bucket))
			}
		}
	}
}

func TestConstructIDs(t *testing.T) {
	for name, want := range map[string]string{"employees": "Employees", "user-data": "UserData", "a-1b": "A1b"} {
		if got := ConstructID(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

// FuzzParse: whatever cdk.json holds is read or refused, and what is read gives each
// setting as one line.
func FuzzParse(f *testing.F) {
	for _, path := range []string{"../cdk.json", "testdata/hello.json"} {
		b, err := json.Marshal(contextOf(f, path))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	f.Add(`{"archipelago.regions[0].name": "eu-west-1", "archipelago.service": "{", "archipelago.tables[0]": null}`)
	f.Add(`{"archipelago": {"tables": "a,b", "buckets": ["a"], "service": {"environment": {"A": "{{{", "B": 1}}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		var context map[string]any
		if json.Unmarshal([]byte(text), &context) != nil {
			return
		}
		c, err := Parse(context, account)
		if err != nil {
			return
		}
		for _, region := range c.Regions {
			for name, value := range c.LocalEnvironment(region) {
				if strings.ContainsAny(name+value, "\n\r\x00") {
					t.Errorf("%q is %q", name, value)
				}
			}
		}
	})
}
