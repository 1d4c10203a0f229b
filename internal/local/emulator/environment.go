package emulator

import (
	"os"
	"slices"
	"strings"
)

// loopback are the hosts that are asked without a proxy.
const loopback = "localhost,127.0.0.1,::1"

// AccessKey is id and secret of the key that the emulator lets do everything.
const AccessKey = "emulator"

// Environment is what an AWS client needs to speak to the emulator, and what
// keeps it from speaking to anything else: NAME=VALUE pairs that come after those
// of the process. Where a process is started, Isolate does more.
func Environment(url string) []string {
	return []string{
		"AWS_ENDPOINT_URL=" + url,
		"AWS_ACCESS_KEY_ID=" + AccessKey,
		"AWS_SECRET_ACCESS_KEY=" + AccessKey,
		"AWS_SESSION_TOKEN=",
		"AWS_PROFILE=",
		"AWS_CONFIG_FILE=" + os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
		"AWS_EC2_METADATA_DISABLED=true",
	}
}

// Isolate returns environ, NAME=VALUE pairs, as a program needs it that speaks to
// the emulator at url as AWS and to nothing else, whatever its caller has set:
// no setting of the AWS SDKs, the CDK CLI, jsii, Node.js, Python or moto is left,
// and no proxy stands before loopback.
func Isolate(environ []string, url string) []string {
	var isolated []string
	direct := loopback
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		switch {
		case disturbs(name):
		case strings.EqualFold(name, "NO_PROXY"):
			// Programs look at one spelling or the other: both get all.
			if value != "" {
				direct += "," + value
			}
		default:
			isolated = append(isolated, pair)
		}
	}
	isolated = append(isolated, "NO_PROXY="+direct, "no_proxy="+direct)
	for _, pair := range Environment(url) {
		if !strings.HasSuffix(pair, "=") { // nothing is left to empty
			isolated = append(isolated, pair)
		}
	}
	return isolated
}

// disturbs reports whether a variable changes what the programs of the local
// cloud do. CDK_NAME is an option of the CDK CLI, AWS_ENDPOINT_URL_SERVICE an
// endpoint; each SDK knows others. The CLI takes npm's settings of proxies before
// HTTP_PROXY and NO_PROXY. PYTHON says which Python there is, and stays.
func disturbs(name string) bool {
	upper := strings.ToUpper(name)
	return slices.Contains([]string{"NODE_OPTIONS", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}, name) ||
		strings.HasPrefix(upper, "NPM_CONFIG_") && strings.HasSuffix(upper, "PROXY") ||
		upper != "PYTHON" && slices.ContainsFunc([]string{"AWS_", "CDK_", "JSII_", "MOTO_", "BOTO_", "PYTHON"}, func(prefix string) bool { return strings.HasPrefix(upper, prefix) })
}
