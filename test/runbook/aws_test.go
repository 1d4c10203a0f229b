// Package runbook_test checks what the pages tell operators to type.
package runbook_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mvdan.cc/sh/v3/syntax"
)

// asks runs each command of the AWS CLI, version 1, in one process, and answers
// what it printed on standard error. Nobody is at the endpoint: a command that the
// CLI accepts fails to connect. It says what version 2 takes otherwise, whose arguments
// are of the same models. Source: AWS CLI User Guide, "Using upgrade debug mode".
const asks = `
import contextlib, io, json, sys
from awscli.clidriver import create_clidriver
driver, said = create_clidriver(), []
for arguments in json.load(sys.stdin):
    err = io.StringIO()
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
        try:
            driver.main(arguments)
        except SystemExit:
            pass
    said.append(err.getvalue())
json.dump(said, sys.stdout)
`

// TestAWSCLITakesTheCommands: every one of the pages, in both versions. Options that only
// version 2 has, such as --cli-binary-format, are refused, and so are those that
// no version has.
func TestAWSCLITakesTheCommands(t *testing.T) {
	var commands [][]string
	var where []command
	for _, c := range commandsOfPages(t) {
		// A sentence may say `aws …`, and name a service alone.
		if arguments := c.values()[1:]; c.program() == "aws" && len(arguments) > 1 && arguments[0] != "x" {
			commands, where = append(commands, arguments), append(where, c)
		}
	}
	if want := 60; len(commands) < want {
		t.Fatalf("found %d commands, want at least %d: the pages are not read", len(commands), want)
	}
	for i, said := range ask(t, commands) {
		// In a sentence a command may be named without all that it needs.
		named := where[i].inline && strings.Contains(said, "error: the following arguments are required")
		if !strings.Contains(said, "Could not connect to the endpoint URL") && !named {
			t.Errorf("%s\n%s", where[i], said)
		}
		for _, other := range otherwise(commands[i], said) {
			t.Errorf("%s: version 2 takes it otherwise: %s", where[i], other)
		}
	}
}

// hidden are the aliases that version 2 lacks, for which version 1 looks in the wrong place.
var hidden = regexp.MustCompile(`^--.+-(ar-ns|i-ds|a-zs|\d)(-|$)`)

// otherwise is what of a command version 2 takes otherwise, by what version 1 has said.
func otherwise(arguments []string, said string) []string {
	begins := func(prefix string) bool {
		return slices.ContainsFunc(arguments, func(a string) bool { return strings.HasPrefix(a, prefix) })
	}
	var all []string
	if begins("http://") || begins("https://") {
		all = append(all, "it asks for the URL, in version 1 alone")
	}
	if slices.ContainsFunc(arguments, hidden.MatchString) {
		all = append(all, "an option is an alias of version 1's")
	}
	for line := range strings.Lines(said) {
		_, warning, found := strings.Cut(line, "UPGRADE WARNING: ")
		switch {
		case !found:
		case strings.Contains(warning, "blob-type") && begins("fileb://"): // which both take as it is
		case strings.Contains(warning, "prefix of `http://`"): // is said of each value
		default:
			all = append(all, warning)
		}
	}
	return all
}

// TestChangesOfVersion2AreSeen guards the test above.
func TestChangesOfVersion2AreSeen(t *testing.T) {
	commands := [][]string{
		{"lambda", "invoke", "--function-name", "f", "--payload", "{}", "/dev/null"},
		{"ssm", "put-parameter", "--name", "n", "--value", "http://127.0.0.1:1"},
		{"ecr", "get-login"},
		{"cognito-identity", "create-identity-pool", "--region", "eu-west-1", "--identity-pool-name", "n", "--no-allow-unauthenticated-identities", "--open-id-connect-provider-ar-ns", "x"},
		{"dynamodb", "scan", "--table-name", "t", "--cli-input-json", `{"ExclusiveStartKey": {"pk": {"S": "x"}}}`},
	}
	for i, said := range ask(t, commands) {
		if len(otherwise(commands[i], said)) == 0 {
			t.Errorf("nothing is said of %q: %s", commands[i], said)
		}
	}
}

func TestRefusedCommandsAreSeen(t *testing.T) {
	for _, said := range ask(t, [][]string{
		{"autoscaling", "describe-instance-refreshes", "--auto-scaling-group-name", "G", "--max-items", "1"},
		{"lambda", "invoke", "--function-name", "f", "--payload", "{}", "--cli-binary-format", "raw-in-base64-out", "/dev/null"},
		{"logs", "tail", "/n/service"},
	}) {
		if strings.Contains(said, "Could not connect") || said == "" {
			t.Errorf("got %q, want a refusal", said)
		}
	}
}

// region is what stands for a region's name, and no variable of make's.
var region = regexp.MustCompile(`REGION([^=]|$)`)

// value is a word's, with 1 for what a variable or a command would put there: it
// passes as a number, too.
func value(parts []syntax.WordPart) string {
	var b strings.Builder
	for _, part := range parts {
		switch p := part.(type) {
		case *syntax.Lit:
			b.WriteString(region.ReplaceAllString(strings.ReplaceAll(p.Value, `\"`, `"`), "eu-west-1$1"))
		case *syntax.SglQuoted:
			b.WriteString(p.Value)
		case *syntax.DblQuoted:
			b.WriteString(value(p.Parts))
		case *syntax.ParamExp:
			switch {
			case p.Param.Value == "@" || p.Exp != nil: // options that are added at times
			case p.Param.Value == "region":
				b.WriteString("eu-west-1")
			case p.Param.Value == "size": // of a fleet, of two at least
				b.WriteString("2")
			default:
				b.WriteString("1")
			}
		default:
			b.WriteString("1")
		}
	}
	return strings.ReplaceAll(b.String(), "PRIMARY", "eu-west-1")
}

// ask returns what the AWS CLI says of each command.
func ask(t *testing.T, commands [][]string) []string {
	t.Helper()
	python := os.Getenv("PYTHON")
	if python == "" {
		python = "python3"
	}
	in, err := json.Marshal(commands)
	if err != nil {
		t.Fatal(err)
	}
	const record = `{"Changes": [{"Action": "CREATE", "ResourceRecordSet": {"Name": "example.com.", "Type": "A"}}]}`
	cmd := exec.Command(python, "-c", asks)
	cmd.Dir = t.TempDir()
	for name, content := range map[string]string{
		"record.json": record, "back.json": record,
		"replication-eu-west-1.json": `{"ReplicationConfiguration": {"Role": "arn:aws:iam::123456789012:role/x", "Rules": [{"Status": "Enabled", "Destination": {"Bucket": "arn:aws:s3:::x"}}]}}`,
		"dashboard.json":             `{"widgets": []}`,
		"items.json":                 `{"table": [{"DeleteRequest": {"Key": {}}}]}`, "api-key": "secret", "password": "secret",
	} {
		if err := os.WriteFile(filepath.Join(cmd.Dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd.Stdin = bytes.NewReader(in)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir, "AWS_ENDPOINT_URL=http://127.0.0.1:1", "AWS_MAX_ATTEMPTS=1", "AWS_REGION=eu-west-1",
		"AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CLI_UPGRADE_DEBUG_MODE=true", "AWS_PAGER=", // a pager is for terminals alone
	}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var said []string
	if err := json.Unmarshal(out, &said); err != nil || len(said) != len(commands) {
		t.Fatalf("%v: %d answers to %d commands", err, len(said), len(commands))
	}
	return said
}
