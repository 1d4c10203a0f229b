package config

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "write cdk.schema.json and docs/configuration.md's table instead of comparing with them")

const (
	schemaFile = "../cdk.schema.json"
	pageFile   = "../docs/configuration.md"
)

// comments are those of the configuration's types and fields, each on one line,
// by their full names.
func comments(t *testing.T) map[string]string {
	t.Helper()
	var r jsonschema.Reflector
	if err := r.AddGoComments("github.com/archipelago-cdk/archipelago/config", ".", jsonschema.WithFullComment()); err != nil {
		t.Fatal(err)
	}
	for name, comment := range r.CommentMap {
		r.CommentMap[name] = strings.Join(strings.Fields(comment), " ")
	}
	return r.CommentMap
}

// schema is the JSON Schema of cdk.json, made from the types of the
// configuration and their comments.
func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	r := jsonschema.Reflector{Anonymous: true, DoNotReference: true, RequiredFromJSONSchemaTags: true, CommentMap: comments(t)}
	name := &jsonschema.Schema{Type: "string"}
	for _, region := range KnownRegions() {
		name.Enum = append(name.Enum, region)
	}
	// object is what a type that is written in two ways is as an object.
	object := func(of reflect.Type) *jsonschema.Schema {
		inner := r
		inner.Mapper = func(t reflect.Type) *jsonschema.Schema {
			if t == of {
				return nil
			}
			return r.Mapper(t)
		}
		schema := inner.ReflectFromType(of)
		schema.Version = ""
		return schema
	}
	r.Mapper = func(t reflect.Type) *jsonschema.Schema {
		switch t {
		case reflect.TypeFor[Zones]():
			return &jsonschema.Schema{OneOf: []*jsonschema.Schema{
				{Type: "integer", Minimum: "2", Maximum: "6"},
				{Type: "array", MinItems: new(uint64(2)), Items: &jsonschema.Schema{Type: "string", Pattern: validZone.String()}},
			}}
		case reflect.TypeFor[Subnets]():
			return &jsonschema.Schema{
				Type:                 "object",
				MinProperties:        new(uint64(2)),
				PatternProperties:    map[string]*jsonschema.Schema{validZone.String(): {Type: "string", Pattern: validSubnet.String()}},
				AdditionalProperties: jsonschema.FalseSchema,
			}
		case reflect.TypeFor[Watch]():
			return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "boolean"}, {Const: string(WatchRead)}}}
		case reflect.TypeFor[Key]():
			key := object(t)
			name, _ := key.Properties.Get("name")
			return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "string", Pattern: name.Pattern}, key}}
		case reflect.TypeFor[Region]():
			region := object(t)
			property, _ := region.Properties.Get("name")
			property.Enum = name.Enum
			return &jsonschema.Schema{OneOf: []*jsonschema.Schema{name, region}}
		}
		return nil
	}
	config := r.Reflect(Config{})
	version := config.Version
	config.Version = ""
	context := jsonschema.NewProperties()
	context.Set(ContextKey, config)
	properties := jsonschema.NewProperties()
	properties.Set("context", &jsonschema.Schema{Type: "object", Properties: context, Required: []string{ContextKey}})
	return &jsonschema.Schema{
		Version:     version,
		Title:       "cdk.json of Archipelago",
		Description: "Made from the Go types in config; `go generate ./config` writes it.",
		Type:        "object",
		Properties:  properties,
	}
}

func TestSchemaIsCurrent(t *testing.T) {
	got, err := json.MarshalIndent(schema(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile(schemaFile, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("cdk.schema.json is not what the types say; run `go generate ./config`:\n%s", diff)
	}
}

// TestPageHasEveryKey compares docs/configuration.md's table of keys with the
// configuration's types and their comments.
func TestPageHasEveryKey(t *testing.T) {
	b, err := os.ReadFile(pageFile)
	if err != nil {
		t.Fatal(err)
	}
	const head = "| key | default | meaning |\n|---|---|---|\n"
	before, rest, found := strings.Cut(string(b), head)
	if !found {
		t.Fatal("docs/configuration.md has no table of keys")
	}
	got, after, _ := strings.Cut(rest, "\n\n")
	want := strings.Join(rows(t, "", reflect.TypeFor[Config](), comments(t)), "\n")
	if *update {
		if err := os.WriteFile(pageFile, []byte(before+head+want+"\n\n"+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(strings.Split(got, "\n"), strings.Split(want, "\n")); diff != "" {
		t.Errorf("docs/configuration.md's table is not what the types say; run `go generate ./config`:\n%s", diff)
	}
}

// rows are the table's rows of a type's keys. A group of keys without a default
// of its own is told by its keys; a list has theirs too if its comment says "keys
// below".
func rows(t *testing.T, prefix string, of reflect.Type, comments map[string]string) []string {
	t.Helper()
	var all []string
	for i := range of.NumField() {
		field := of.Field(i)
		key := prefix + field.Tag.Get("json")
		comment := comments["github.com/archipelago-cdk/archipelago/config."+of.Name()+"."+field.Name]
		meaning, otherwise, optional := strings.Cut(comment, " Default: ")
		meaning, required := strings.CutSuffix(meaning, " Required.")
		if required {
			otherwise = "required."
		}
		if trial, ok := field.Tag.Lookup(ProfileTrial); ok {
			if strings.HasPrefix(otherwise, `"`) {
				trial = strconv.Quote(trial)
			}
			otherwise = strings.TrimSuffix(otherwise, ".") + "; in a trial " + strings.ReplaceAll(trial, ",", ", ") + "."
		}
		if optional || required {
			all = append(all, "| `"+key+"` | "+cell(otherwise)+" | "+cell(predicate.ReplaceAllString(meaning, ""))+" |")
		}
		switch inner := field.Type; {
		case inner.Kind() == reflect.Slice && strings.Contains(meaning, "keys below"):
			all = append(all, rows(t, key+"[].", inner.Elem(), comments)...)
		case inner.Kind() == reflect.Struct && (strings.Contains(meaning, "keys below") || !optional && !required):
			all = append(all, rows(t, key+".", inner, comments)...)
		case !optional && !required:
			t.Errorf("%s.%s: its comment has to end with its default, or with \"Required.\"", of.Name(), field.Name)
		}
	}
	return all
}

var (
	// predicate is how a comment begins, and a cell does not.
	predicate = regexp.MustCompile(`^\S+ (?:(?:is|are) )?`)
	// literal is what is written as code: JSON, a string, a placeholder, or true and
	// false.
	literal = regexp.MustCompile(`[\[{]"[^\]}]*[\]}]|"[^"\[\]]+"|\{[a-z]+(?::NAME)?\}|\{\{|\b(?:true|false)\b`)
)

// cell is a sentence of a comment as a cell of the table.
func cell(sentence string) string {
	sentence = strings.ReplaceAll(strings.TrimSuffix(sentence, "."), "|", "\\|")
	return literal.ReplaceAllStringFunc(sentence, func(s string) string { return "`" + strings.Trim(s, `"`) + "`" })
}

// validate checks a configuration, written as in cdk.json, against the schema.
func validate(t *testing.T, file string) error {
	t.Helper()
	b, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	document, err := validator.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	compiler := validator.NewCompiler()
	if err := compiler.AddResource("cdk.schema.json", document); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("cdk.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	value, err := validator.UnmarshalJSON(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	return compiled.Validate(value)
}

func TestShippedConfigurationIsOfTheSchema(t *testing.T) {
	b, err := os.ReadFile("../cdk.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := validate(t, string(b)); err != nil {
		t.Error(err)
	}
	if !strings.Contains(string(b), `"$schema": "./cdk.schema.json"`) {
		t.Error("cdk.json does not name its schema: editors would not complete it")
	}
}

func TestServiceIsRequiredByTheSchema(t *testing.T) {
	if err := validate(t, `{"context": {"archipelago": {"regions": ["eu-west-1"]}}}`); err == nil || !strings.Contains(err.Error(), "service") {
		t.Errorf("got %v, want that the service is missing", err)
	}
}

func TestSchemaTakesWhatIsReadAndNothingElse(t *testing.T) {
	for name, test := range map[string]struct {
		config string
		valid  bool
	}{
		"names of regions":    {`{"regions": ["eu-west-1", "us-east-1"]}`, true},
		"objects and letters": {`{"regions": [{"name": "eu-west-1", "zones": ["a", "b"], "weight": 0}]}`, true},
		"a number of zones":   {`{"regions": [{"name": "eu-west-1", "zones": 3}]}`, true},
		"no regions":          {`{"name": "shop"}`, false},
		"a VPC":               {`{"regions": [{"name": "eu-west-1", "cidr": "10.0.0.0/16", "vpc": ` + existing + `}]}`, true},
		"a VPC in one zone": {`{"regions": [{"name": "eu-west-1", "vpc": {"id": "vpc-01234567", "fleetSubnets": {"a": "subnet-01234567"},
			"loadBalancerSubnets": {"a": "subnet-01234567"}}}]}`, false},
		"keys in both ways": {`{"regions": ["eu-west-1"], "tables": [{"name": "a", "partitionKey": "pk", "watch": "read"},
			{"name": "b", "partitionKey": {"name": "n", "type": "N"}, "sortKey": "sk", "watch": true}]}`, true},
		"a table without a key": {`{"regions": ["eu-west-1"], "tables": [{"name": "a"}]}`, false},
		"an unknown action":     {`{"regions": ["eu-west-1"], "tables": [{"name": "a", "partitionKey": "pk", "actions": ["DropTable"]}]}`, false},
		"a privileged port":     {`{"regions": ["eu-west-1"], "service": {"name": "a", "package": "./a", "port": 80, "health": "/"}}`, false},
		"an unknown region":     {`{"regions": ["europe"]}`, false},
		"an unknown key":        {`{"regions": ["eu-west-1"], "flet": {}}`, false},
		"an unknown leaf":       {`{"regions": ["eu-west-1"], "fleet": {"mim": 3}}`, false},
		"a wrong choice":        {`{"regions": ["eu-west-1"], "entry": "cloudfront"}`, false},
		"a domain in part":      {`{"regions": ["eu-west-1"], "domain": {"zone": "example.com"}}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			withService := strings.Replace(test.config, "{", `{"service": `+service+`, `, 1)
			err := validate(t, `{"context": {"archipelago": `+withService+`}}`)
			if valid := err == nil; valid != test.valid {
				t.Errorf("valid is %t, want %t: %v", valid, test.valid, err)
			}
		})
	}
}

// eachField visits the fields of a configuration's type, and of those within it.
func eachField(of reflect.Type, visit func(of reflect.Type, f field)) {
	for of.Kind() == reflect.Slice {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct {
		return
	}
	for _, f := range fields(of) {
		visit(of, f)
		eachField(f.Type, visit)
	}
}

// TestCommentsSayTheDefaults: what a comment says a key's default is, its tag says
// too, and the other way round.
func TestCommentsSayTheDefaults(t *testing.T) {
	comments := comments(t)
	isLiteral := regexp.MustCompile(`^(".*|(\d+|true|false)\.)$`)
	eachField(reflect.TypeFor[Config](), func(of reflect.Type, f field) {
		_, said, _ := strings.Cut(comments["github.com/archipelago-cdk/archipelago/config."+of.Name()+"."+f.Name], " Default: ")
		otherwise, ok := f.Tag.Lookup("default")
		if !ok {
			if isLiteral.MatchString(said) {
				t.Errorf("%s.%s: its comment says the default %s its tag none", of.Name(), f.Name, said)
			}
			return
		}
		otherwise = regexp.QuoteMeta(strings.ReplaceAll(otherwise, ",", ", "))
		if !regexp.MustCompile(`^("` + otherwise + `"|` + otherwise + `)[.,;]`).MatchString(said) {
			t.Errorf("%s.%s: its comment says the default %q, its tag %q", of.Name(), f.Name, said, otherwise)
		}
	})
}

// TestWordsOfRules: what is said of a value that breaks a rule names each bound, and
// there are words for what only a pattern says.
func TestWordsOfRules(t *testing.T) {
	eachField(reflect.TypeFor[Config](), func(of reflect.Type, f field) {
		r := f.rules
		if r.pattern != nil && r.want == "" {
			t.Errorf("%s.%s has a pattern and no want tag", of.Name(), f.Name)
		}
		for words, bounds := range map[string][]*int{
			r.want:     {r.minimum, r.maximum},
			r.wantMost: {r.maxItems, r.maxLength},
		} {
			for _, bound := range bounds {
				if words != "" && bound != nil && !regexp.MustCompile(`\b`+strconv.Itoa(*bound)+`\b`).MatchString(words) {
					t.Errorf("%s.%s has the bound %d, of which %q does not tell", of.Name(), f.Name, *bound, words)
				}
			}
		}
	})
}
