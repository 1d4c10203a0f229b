package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/archipelago-cdk/archipelago/internal/envfile"
)

// Service is the program that the instances run.
type Service struct {
	// Name is what it is called on an instance and in its log. Required.
	Name string `json:"name" jsonschema:"required,pattern=^[a-z][a-z0-9-]*$,maxLength=31" want:"1 to 31 lower-case letters, digits and hyphens, a letter first"`
	// Package is the Go package that is built for the instances, as a path below the
	// folder of cdk.json, such as "./cmd/directory". Required.
	Package string `json:"package" jsonschema:"required,pattern=^[.](/[A-Za-z0-9_][A-Za-z0-9_.-]*)+$" want:"the path of a Go package below the folder of cdk.json, such as \"./cmd/directory\""`
	// Port is the TCP port that it listens on, from 1024: it may not open others.
	// Required.
	Port int `json:"port" jsonschema:"required,minimum=1024,maximum=65535" want:"a port from 1024, which the service may open without privileges, to 65535"`
	// Health is the path on which it answers 200 while it can serve, such as
	// "/livez". Required.
	Health string `json:"health" jsonschema:"required,pattern=^/[A-Za-z0-9/._~-]*$,maxLength=1024" want:"a path of letters, digits and / . _ ~ -, such as \"/healthz\""`
	// Notify has systemd wait until the service says by NOTIFY_SOCKET that it is
	// ready, and start it again when it no longer says that it works. Default: false.
	Notify bool `json:"notify" default:"false"`
	// Environment are its settings, beside LISTEN, PORT and AWS_REGION, which it always
	// has. In a value, {table:NAME} stands for a table's name; {bucket:NAME} for that
	// of the region's bucket; {buckets:NAME} for that of every region's, with {region}
	// left for the service to replace; {region}, {cidr} and {name} for the region, its
	// address range and the deployment's name; and {{ for a brace. Default: none.
	Environment map[string]string `json:"environment"`
	// Secrets are what it reads from files, by name: each a parameter of Systems Manager,
	// "/hello/api-key", or a secret of Secrets Manager, "secret:hello/api-key", of the
	// account, in each region. An instance fetches them at its boot, and $NAME_FILE has
	// the file's path. Without a NAT gateway each of the two takes an endpoint, paid per
	// zone and hour. Default: none.
	Secrets map[string]string `json:"secrets"`
	// Local is what differs where it runs on this machine.
	Local LocalService `json:"local"`
}

// LocalService is what differs from AWS in the local cloud.
type LocalService struct {
	// Environment are settings that are added on this machine or replace those on
	// AWS. Default: none.
	Environment map[string]string `json:"environment"`
	// Secrets are values of secrets, by the names of the service's, that the local cloud
	// makes. They are in cdk.json, so write none that is secret. Default: none, a secret
	// is missing there, too, until it is made in the emulator.
	Secrets map[string]string `json:"secrets"`
	// Setup are the arguments with which the service's program runs once, on one
	// instance, before users come. Default: none, it is not run.
	Setup []string `json:"setup"`
}

func (Service) want() string {
	return `an object such as {"name": "hello", "package": "./cmd/hello", "port": 8080, "health": "/healthz"}`
}

// maxEnvironment is the most bytes of all settings, half of the 16 KiB that user
// data may have: the rest is for what starts the service. Source: Amazon EC2 User
// Guide, "Run commands when you launch an EC2 instance with user data input".
const maxEnvironment = 8 << 10

// given are the settings that the service always has.
var given = []string{"LISTEN", "PORT", "AWS_REGION", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "CREDENTIALS_DIRECTORY", "STATE_DIRECTORY"}

// SecretsManager begins the source of a secret of Secrets Manager.
const SecretsManager = "secret:"

// Bounds of secrets.
const (
	// maxSecrets keeps the commands that fetch them within an instance's user data,
	// some 250 bytes each, and their names.
	maxSecrets = 16
	// maxSecretName is well below the 255 that systemd takes as a credential's name.
	maxSecretName = 64
	// maxSecretSource is well below the 1,011 characters of a parameter's name and the
	// 512 of a secret's, for the user data's sake, too.
	maxSecretSource = 256
	// maxSecretValue is the most bytes of a standard parameter. Source: AWS Systems
	// Manager API Reference, PutParameter.
	maxSecretValue = 4 << 10
)

var (
	// validParameter is a parameter's path, of at most 15 levels. Source: AWS Systems
	// Manager API Reference, PutParameter.
	validParameter = regexp.MustCompile(`^(/[A-Za-z0-9_.-]+){1,15}$`)
	// reservedParameter begins those of AWS.
	reservedParameter = regexp.MustCompile(`^/(?i:aws|ssm)`)
	// validSecret is a secret's name. Source: AWS Secrets Manager API Reference,
	// CreateSecret.
	validSecret = regexp.MustCompile(`^[A-Za-z0-9/_+=.@-]+$`)
)

// validSecretSource reports whether a secret can be there: a parameter's path, or
// "secret:" and the name of a secret of Secrets Manager.
func validSecretSource(source string) bool {
	if len(source) > maxSecretSource {
		return false
	}
	if name, ok := strings.CutPrefix(source, SecretsManager); ok {
		return validSecret.MatchString(name)
	}
	return validParameter.MatchString(source) && !reservedParameter.MatchString(source)
}

// HasParameters reports whether a secret is a parameter of Systems Manager.
func (s Service) HasParameters() bool { return s.hasSecret(false) }

// HasSecrets reports whether a secret is one of Secrets Manager.
func (s Service) HasSecrets() bool { return s.hasSecret(true) }

func (s Service) hasSecret(managed bool) bool {
	for _, source := range s.Secrets {
		if strings.HasPrefix(source, SecretsManager) == managed {
			return true
		}
	}
	return false
}

// SecretFile is the variable that has the path of a secret's file.
func SecretFile(name string) string { return name + "_FILE" }

func (c Config) validateSecrets(p problems) {
	secrets := c.Service.Secrets
	if len(secrets) > maxSecrets {
		p.add("secrets", fmt.Sprintf("at most %d secrets", maxSecrets), len(secrets))
	}
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		at, file := p.under("secrets").under(name), SecretFile(name)
		_, set := c.Service.Environment[file]
		_, setHere := c.Service.Local.Environment[file]
		switch {
		case !envfile.ValidName(name) || len(name) > maxSecretName:
			at.add("", fmt.Sprintf("a name of at most %d letters, digits and underscores, no digit first, such as \"API_KEY\"", maxSecretName), name)
		case set || setHere:
			at.add("", "another name: environment sets "+file+", which has the path of the secret's file", name)
		}
		if source := secrets[name]; !validSecretSource(source) {
			at.add("", fmt.Sprintf("the path of a parameter that is not AWS's, such as \"/hello/api-key\", or \"%s\" and the name of a secret, of at most %d characters", SecretsManager, maxSecretSource), source)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Service.Local.Secrets)) {
		at, value := p.under("local.secrets").under(name), c.Service.Local.Secrets[name]
		known := slices.Sorted(maps.Keys(secrets))
		// Its value is not repeated: it may be a secret in spite of what is said of it.
		switch {
		case !slices.Contains(known, name):
			at.add("", "the name of one of service.secrets"+didYouMean(name, known), name)
		case value == "" || len(value) > maxSecretValue:
			at.say(fmt.Sprintf("want 1 to %d bytes, got %d", maxSecretValue, len(value)))
		}
	}
}

// takenNames are of an instance's own: of programs that its boot and its units run, before
// which those of /usr/local/bin are found; and of folders in /var/lib and units of Amazon
// Linux 2023, in whose place a service's would be.
var takenNames = []string{
	"aws", "bash", "cat", "chmod", "curl", "date", "dnf", "journalctl", "mkdir", "mv", "sleep", "systemctl", "uname",
	"alternatives", "amazon", "chrony", "cloud", "dbus", "logrotate", "misc", "private", "rpm", "selinux", "systemd",
	"amazon-ssm-agent", "auditd", "chronyd", "cloud-config", "cloud-final", "cloud-init", "cloud-init-local", "dbus-broker", "sshd",
}

func (c Config) validateService(p problems) {
	if name := c.Service.Name; slices.Contains(takenNames, name) || strings.HasPrefix(name, "systemd-") {
		p.add("name", "another name: Amazon Linux has a program, a folder or a unit of this one", name)
	}
	c.validateSecrets(p)
	c.validateEnvironment(p.under("environment"), c.Service.Environment)
	c.validateEnvironment(p.under("local.environment"), c.Service.Local.Environment)
	for _, region := range c.Regions {
		size := 0
		for name, value := range c.Service.Environment {
			filled, _ := fill(value, c.placeholders(region))
			line, _ := envfile.Line(name, filled) // quotes are escaped; what no line holds is refused elsewhere
			size += len(line) + len("\n")
		}
		if size > maxEnvironment {
			p.add("environment", fmt.Sprintf("at most %d bytes in all, since an instance's user data may have 16 KiB", maxEnvironment), size)
			return
		}
	}
}

// dynamicReference begins what CloudFormation replaces in a template, by what is in no
// quotes then. Source: AWS CloudFormation User Guide, "Get values stored in other services
// using dynamic references".
const dynamicReference = "{{resolve:"

func (c Config) validateEnvironment(p problems, environment map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(environment)) {
		value, at := environment[name], p.under(name)
		switch {
		case !envfile.ValidName(name):
			at.add("", "a variable's name of letters, digits and underscores, no digit first", name)
		case slices.Contains(given, name):
			at.add("", "another name: the service is always given "+strings.Join(given, ", "), name)
		}
		if envfile.ValidName(name) {
			p.addAll(envfile.Check(name, value))
		}
		known := c.placeholders(Region{})
		filled, unknown := fill(value, known)
		switch {
		case strings.Contains(filled, dynamicReference):
			at.add("", fmt.Sprintf("a value without %s, which CloudFormation replaces: service.secrets has what is in no template", dynamicReference), value)
		case unknown != "":
			names := slices.Sorted(maps.Keys(known))
			at.add("", fmt.Sprintf("for %s one of %s, or {{ for a brace%s", unknown, strings.Join(names, ", "), didYouMean(unknown, names)), value)
		}
	}
}

// Environment returns the settings of the service in a region, beside those that it
// is always given. The configuration must be valid.
func (c Config) Environment(region Region) map[string]string {
	known, environment := c.placeholders(region), map[string]string{}
	for name, value := range c.Service.Environment {
		environment[name], _ = fill(value, known)
	}
	return environment
}

// LocalEnvironment returns the settings of the service in a region of the local
// cloud. The configuration must be valid.
func (c Config) LocalEnvironment(region Region) map[string]string {
	known, environment := c.placeholders(region), c.Environment(region)
	for name, value := range c.Service.Local.Environment {
		environment[name], _ = fill(value, known)
	}
	return environment
}

// placeholders returns what stands for each placeholder in a region.
func (c Config) placeholders(region Region) map[string]string {
	names := c.Names()
	known := map[string]string{"{region}": region.Name, "{cidr}": region.CIDR, "{name}": c.Name}
	for _, t := range c.Tables {
		if t.Name != "" {
			known["{table:"+t.Name+"}"] = names.Table(t.Name)
		}
	}
	for _, b := range c.Buckets {
		if b.Name == "" {
			continue
		}
		known["{bucket:"+b.Name+"}"] = names.Bucket(b.Name, region.Name)
		known["{buckets:"+b.Name+"}"] = names.Bucket(b.Name, "{region}")
	}
	return known
}

// fill replaces the placeholders of a setting and returns it with the first one that
// is not known, "" for none.
func fill(value string, known map[string]string) (filled, unknown string) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(value, "{")
		b.WriteString(before)
		if !found {
			return b.String(), ""
		}
		if literal, ok := strings.CutPrefix(rest, "{"); ok {
			b.WriteString("{")
			value = literal
			continue
		}
		name, after, closed := strings.Cut(rest, "}")
		text, ok := known["{"+name+"}"]
		if !closed || !ok {
			return "", "{" + rest[:len(rest)-len(after)]
		}
		b.WriteString(text)
		value = after
	}
}
