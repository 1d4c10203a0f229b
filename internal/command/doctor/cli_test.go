package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// assembly is a stack with one file to publish, for an account, as the CDK CLI deploys it.
func (p *patient) assembly(t *testing.T, account string) string {
	t.Helper()
	dir := t.TempDir()
	version := "/cdk-bootstrap/" + p.qualifier + "/version"
	with := func(key, value string) map[string]any {
		return map[string]any{key: value, "requiresBootstrapStackVersion": bootstrapVersion, "bootstrapStackVersionSsmParameter": version}
	}
	for name, content := range map[string]any{
		"manifest.json": map[string]any{"version": "36.0.0", "artifacts": map[string]any{
			p.config.Name:             map[string]any{"type": "aws:cloudformation:stack", "environment": "aws://" + account + "/eu-west-1", "properties": with("templateFile", "template.json"), "dependencies": []string{p.config.Name + ".assets"}},
			p.config.Name + ".assets": map[string]any{"type": "cdk:asset-manifest", "properties": with("file", "assets.json")},
		}},
		"template.json": json.RawMessage(`{"Resources": {` + something + `}}`),
		"assets.json": map[string]any{"version": "36.0.0", "dockerImages": map[string]any{}, "files": map[string]any{"a": map[string]any{
			"source": map[string]any{"path": "template.json", "packaging": "file"},
			"destinations": map[string]any{"here": map[string]any{
				"bucketName": "cdk-" + p.qualifier + "-assets-" + account + "-eu-west-1", "objectKey": "a.json", "region": "eu-west-1",
			}},
		}}},
	} {
		b, err := json.Marshal(content)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// cdk deploys an assembly, and returns what the CLI prints.
func (p *patient) cdk(t *testing.T, assembly string) (string, error) {
	t.Helper()
	bin, err := filepath.Abs("../../../node_modules/.bin")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "cdk"), "deploy", "--app", assembly, "--all", "--require-approval", "never", "--no-notices")
	home := t.TempDir()
	cmd.Dir = home
	cmd.Env = append(emulator.Isolate(os.Environ(), p.control.URL), "HOME="+home, "TMPDIR="+home, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"),
		"AWS_REGION=eu-west-1", "CDK_DISABLE_CLI_TELEMETRY=true", "CDK_DISABLE_VERSION_CHECK=1", "CI=true", "NO_COLOR=1")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestStacksThatArePaused, as `cdk deploy --no-rollback` leaves them, take no deployment before
// they are rolled back. Their state is a stand-in's: no deployment leaves them so in the emulator.
func TestStacksThatArePaused(t *testing.T) {
	p := newPatient(t, "")
	stack := p.names().StorageStack("eu-west-1")
	p.deploy(t, "eu-west-1", stack, something)
	dir := t.TempDir()
	for name, content := range map[string]string{
		"manifest.json": `{"version": "36.0.0", "artifacts": {"` + stack + `": {"type": "aws:cloudformation:stack", "environment": "aws://` + account + `/eu-west-1", "properties": {"templateFile": "template.json"}}}}`,
		"template.json": `{"Resources": {` + something + `, "Another": {"Type": "AWS::SNS::Topic"}}}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	at, err := url.Parse(p.control.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, status := range []types.StackStatus{types.StackStatusCreateFailed, types.StackStatusUpdateFailed} {
		server := httptest.NewServer(&httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(at) },
			ModifyResponse: func(r *http.Response) error {
				b, err := io.ReadAll(r.Body)
				err = errors.Join(err, r.Body.Close())
				b = bytes.ReplaceAll(b, []byte("<StackStatus>CREATE_COMPLETE<"), []byte("<StackStatus>"+status+"<"))
				r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
				r.Header.Set("Content-Length", strconv.Itoa(len(b)))
				return err
			},
		})
		defer server.Close()
		p.control.URL = server.URL
		p.settings = func(_ context.Context, region string) (aws.Config, error) {
			return emulatortest.Config(p.control, region), nil
		}
		want(t, p.look(t, 0, stacks), "fail: "+stack+" is "+string(status)+", where cdk deploy --no-rollback leaves one: aws cloudformation rollback-stack --region eu-west-1 --stack-name "+stack)
		if out, err := p.cdk(t, dir); err == nil || !strings.Contains(out, "Stack is in a paused fail state ("+string(status)+")") {
			t.Errorf("got %v:\n%s", err, out)
		}
	}
}

// TestWhatTheCLIRefuses before CloudFormation is asked: the account of other credentials,
// and a bootstrap that is missing, too old or in part.
func TestWhatTheCLIRefuses(t *testing.T) {
	p := newPatient(t, "")
	another := "210987654321"
	for _, step := range []struct {
		has     func()
		account string
		says    string
	}{
		{func() {}, another, fmt.Sprintf("Need to perform AWS calls for account %s, but the current credentials are for %s", another, account)},
		{func() {}, account, "Has the environment been bootstrapped?"},
		{func() { p.put(t, "eu-west-1", "/cdk-bootstrap/"+p.qualifier+"/version", "5") }, account, "requires bootstrap stack version '6', found '5'"},
		{func() { p.put(t, "eu-west-1", "/cdk-bootstrap/"+p.qualifier+"/version", "30") }, account, "No bucket named 'cdk-" + p.qualifier + "-assets-" + account + "-eu-west-1'"},
	} {
		step.has()
		out, err := p.cdk(t, p.assembly(t, step.account))
		if err == nil || !strings.Contains(out, step.says) {
			t.Errorf("want %q, got %v:\n%s", step.says, err, out)
		}
	}
}
