package constructs_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// sdk is a client whose first calls are denied, by the name of the action.
const sdk = `exports.SSM = class {
  denied = 1;
  async fail(name) { throw Object.assign(new Error('no'), { name }); }
  async putParameter() { if (this.denied-- > 0) await this.fail('AccessDeniedException'); }
  async getParameter() { await this.fail('AccessDeniedException'); }
  async deleteParameter() { await this.fail('ParameterNotFound'); }
};`

// TestFunctionOfCallsRepeatsWhatIsDenied: for as long as it has, and answers CloudFormation
// as CDK's function does.
func TestFunctionOfCallsRepeatsWhatIsDenied(t *testing.T) {
	answers := make(chan map[string]string, 1)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := map[string]string{}
		if b, err := io.ReadAll(r.Body); err != nil || r.Method != http.MethodPut || r.Header.Get("Content-Type") != "" || json.Unmarshal(b, &answer) != nil {
			t.Errorf("got %s %s, %v", r.Method, b, r.Header)
		}
		answers <- answer
	}))
	defer server.Close()
	code, err := os.ReadFile("internal/awscall/call.js")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string]string{"index.js": string(code), "node_modules/@aws-sdk/client-ssm/index.js": sdk} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	node, err := filepath.Abs("../node_modules/.bin/node")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ request, call, status, id, reason string }{
		{"Create", `{"service":"SSM","action":"putParameter","physicalResourceId":{"id":"mine"}}`, "SUCCESS", "mine", "OK"},
		{"Create", `{"service":"SSM","action":"getParameter","physicalResourceId":{"id":"mine"}}`, "FAILED", "stream", "AccessDeniedException: no"},
		{"Delete", `{"service":"SSM","action":"deleteParameter"}`, "FAILED", "given", "ParameterNotFound: no"},
		{"Delete", `{"service":"SSM","action":"deleteParameter","ignoreErrorCodesMatching":"ParameterNotFound"}`, "SUCCESS", "given", "OK"},
		{"Update", "", "SUCCESS", "given", "OK"},
	} {
		event := map[string]any{"RequestType": test.request, "ResponseURL": server.URL, "StackId": "s", "RequestId": "r", "LogicalResourceId": "l",
			"ResourceProperties": map[string]string{}}
		if test.request != "Create" {
			event["PhysicalResourceId"] = "given"
		}
		if test.call != "" {
			event["ResourceProperties"] = map[string]string{test.request: test.call}
		}
		b, err := json.Marshal(event)
		if err != nil {
			t.Fatal(err)
		}
		// Two tries fit before too little time is left.
		run := exec.Command(node, "-e", `let left = 23000; require('./index.js').handler(`+string(b)+`, { logStreamName: 'stream', getRemainingTimeInMillis: () => left -= 2000 })`)
		run.Dir = dir
		run.Env = append(os.Environ(), "NODE_TLS_REJECT_UNAUTHORIZED=0")
		if out, err := run.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		got := <-answers
		if got["Status"] != test.status || got["PhysicalResourceId"] != test.id || !strings.HasPrefix(got["Reason"], test.reason) ||
			got["StackId"] != "s" || got["RequestId"] != "r" || got["LogicalResourceId"] != "l" {
			t.Errorf("%s of %s is answered with %v, want %s, %s, %s", test.request, test.call, got, test.status, test.id, test.reason)
		}
	}
}
