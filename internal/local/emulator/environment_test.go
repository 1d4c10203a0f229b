package emulator_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
)

// TestCallersEnvironmentDoesNotReachTheEmulatorsClients starts a program with
// each setting, and reads what it sees.
func TestCallersEnvironmentDoesNotReachTheEmulatorsClients(t *testing.T) {
	const url = "http://localhost:4242"
	for _, disturbing := range emulatortest.Disturbing {
		t.Run(disturbing, func(t *testing.T) {
			name, value, _ := strings.Cut(disturbing, "=")
			seen := environmentOf(t, []string{"PATH=/usr/bin:/bin", "HOME=/home/me", "PYTHON=python3", disturbing}, url)
			if slices.ContainsFunc(seen, func(pair string) bool { return strings.HasSuffix(pair, "="+value) }) {
				t.Error("a client sees it")
			}
			if name != "AWS_ENDPOINT_URL" && name != "AWS_CONFIG_FILE" && name != "AWS_SHARED_CREDENTIALS_FILE" &&
				slices.ContainsFunc(seen, func(pair string) bool { return strings.HasPrefix(pair, name+"=") }) {
				t.Error("a client sees the name: empty is a value to some")
			}
			for _, want := range []string{"AWS_ENDPOINT_URL=" + url, "AWS_ACCESS_KEY_ID=emulator", "HOME=/home/me", "PYTHON=python3"} {
				if !slices.Contains(seen, want) {
					t.Errorf("a client lacks %s", want)
				}
			}
		})
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
