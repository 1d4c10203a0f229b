package emulator_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
)

// TestCallersEnvironmentDoesNotReachTheEmulatorsClients starts a program with
// each setting, and reads what it sees.
func TestCallersEnvironmentDoesNotReachTheEmulatorsClients(t *testing.T) {
	const url = "http://localhost:4242"
	for _, disturbing := range []string{
		"AWS_PROFILE=corp",
		"AWS_DEFAULT_PROFILE=corp",
		"AWS_SESSION_TOKEN=secret",
		"AWS_ENDPOINT_URL=https://elsewhere.example",
		"AWS_ENDPOINT_URL_S3=https://elsewhere.example",
		"AWS_ENDPOINT_URL_CLOUDFORMATION=https://elsewhere.example",
		"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=True",
		"AWS_CONFIG_FILE=/home/me/.aws/config",
		"AWS_SHARED_CREDENTIALS_FILE=/home/me/.aws/credentials",
		"AWS_CA_BUNDLE=/nowhere.pem",
		"aws_ca_bundle=/nowhere.pem",
		"AWS_USE_FIPS_ENDPOINT=True",
		"CDK_PROFILE=corp",
		"NODE_OPTIONS=--require=/nowhere.js",
		"JSII_RUNTIME=false",
		"MOTO_ACCOUNT_ID=1",
	} {
		name, value, _ := strings.Cut(disturbing, "=")
		seen := environmentOf(t, []string{"PATH=/usr/bin:/bin", "HOME=/home/me", disturbing}, url)
		if slices.ContainsFunc(seen, func(pair string) bool { return strings.HasSuffix(pair, "="+value) }) {
			t.Errorf("%s: a client sees it", disturbing)
		}
		if name != "AWS_ENDPOINT_URL" && name != "AWS_CONFIG_FILE" && name != "AWS_SHARED_CREDENTIALS_FILE" &&
			slices.ContainsFunc(seen, func(pair string) bool { return strings.HasPrefix(pair, name+"=") }) {
			t.Errorf("%s: a client sees the name: empty is a value to some", name)
		}
		for _, want := range []string{"AWS_ENDPOINT_URL=" + url, "AWS_ACCESS_KEY_ID=emulator", "HOME=/home/me"} {
			if !slices.Contains(seen, want) {
				t.Errorf("%s: a client lacks %s", disturbing, want)
			}
		}
	}
}

// TestNoProxyStandsBeforeTheEmulator: the proxy stays, for what is fetched from
// elsewhere, and so do the hosts that the caller excepts.
func TestNoProxyStandsBeforeTheEmulator(t *testing.T) {
	for _, excepted := range []string{"", "NO_PROXY=corp.example", "no_proxy=corp.example"} {
		seen := environmentOf(t, []string{"HTTP_PROXY=http://proxy.example:3128", "https_proxy=http://proxy.example:3128", excepted}, "http://localhost:4242")
		want := "localhost,127.0.0.1,::1"
		if excepted != "" {
			want += ",corp.example"
		}
		for _, pair := range []string{"HTTP_PROXY=http://proxy.example:3128", "https_proxy=http://proxy.example:3128", "NO_PROXY=" + want, "no_proxy=" + want} {
			if !slices.Contains(seen, pair) {
				t.Errorf("%q: a client lacks %s: %q", excepted, pair, seen)
			}
		}
	}
}

func environmentOf(t *testing.T, environ []string, url string) []string {
	t.Helper()
	cmd := exec.Command("env")
	cmd.Env = emulator.Isolate(slices.DeleteFunc(environ, func(pair string) bool { return pair == "" }), url)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}
