package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
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
	// Local is what differs where it runs on this machine.
	Local LocalService `json:"local"`
}

// LocalService is what differs from AWS in the local cloud.
type LocalService struct {
	// Environment are settings that are added on this machine or replace those on
	// AWS. Default: none.
	Environment map[string]string `json:"environment"`
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
var given = []string{"LISTEN", "PORT", "AWS_REGION", "NOTIFY_SOCKET"}

// validVariable is a variable's name that systemd and every shell take.
var validVariable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (c Config) validateService(p problems) {
	c.validateEnvironment(p.under("environment"), c.Service.Environment)
	c.validateEnvironment(p.under("local.environment"), c.Service.Local.Environment)
	for _, region := range c.Regions {
		size := 0
		for name, value := range c.Service.Environment {
			filled, _ := fill(value, c.placeholders(region))
			size += len(name) + len("=") + len(filled) + len("\n")
		}
		if size > maxEnvironment {
			p.add("environment", fmt.Sprintf("at most %d bytes in all, since an instance's user data may have 16 KiB", maxEnvironment), size)
			return
		}
	}
}

func (c Config) validateEnvironment(p problems, environment map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(environment)) {
		value, at := environment[name], p.under(name)
		switch {
		case !validVariable.MatchString(name):
			at.add("", "a variable's name of letters, digits and underscores, no digit first", name)
		case slices.Contains(given, name):
			at.add("", "another name: the service is always given "+strings.Join(given, ", "), name)
		}
		if strings.ContainsFunc(value, unicode.IsControl) {
			at.add("", "one line without control characters", value)
		}
		known := c.placeholders(Region{})
		if _, unknown := fill(value, known); unknown != "" {
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
		known["{table:"+t.Name+"}"] = names.Table(t.Name)
	}
	for _, b := range c.Buckets {
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
