package main

import (
	"bytes"
	"io"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func environment(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

var comparable = cmp.Options{cmp.AllowUnexported(settings{}, stored{}), cmpopts.EquateComparable(netip.Prefix{})}

func TestSettingsByDefault(t *testing.T) {
	got, err := parseSettings(nil, environment(nil), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	want := &settings{stored: stored{dataDir: "data"}, listen: "127.0.0.1:8080", spoolDir: os.TempDir(), writeRate: 10}
	if diff := cmp.Diff(want, got, comparable); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}

// everySetting is what every setting is read from, by its variable.
var everySetting = map[string]string{
	"AWS_REGION": "eu-west-1", "LISTEN": ":80", "EMPLOYEES_TABLE": "e", "SESSIONS_TABLE": "s", "PHOTOS_BUCKET": "p-{region}",
	"DATA_DIR": "d", "ALLOW_CLEARTEXT": "true", "READS": "signed-in", "TRUSTED_PROXIES": "10.24.0.0/16, fd00::/8",
	"LOAD_GENERATOR": "true", "WRITE_RATE": "2.5", "SPOOL_DIR": "/",
}

func TestSettingsByFlagAndByEnvironment(t *testing.T) {
	want := &settings{
		stored: stored{region: "eu-west-1", employeesTable: "e", sessionsTable: "s", photosBucket: "p-{region}", dataDir: "d"},
		listen: ":80", spoolDir: "/", allowCleartext: true, signedInReads: true,
		trustedProxies: []netip.Prefix{netip.MustParsePrefix("10.24.0.0/16"), netip.MustParsePrefix("fd00::/8")},
		writeRate:      2.5, loadGenerator: true, imageSources: []string{"https://*.amazonaws.com"},
	}
	// The environment says something else where a flag is given: flags win.
	var args []string
	other := map[string]string{}
	for variable, value := range everySetting {
		name := strings.ReplaceAll(strings.ToLower(variable), "_", "-")
		switch variable {
		case "AWS_REGION":
			name = "region"
		case "DATA_DIR":
			name = "data"
		case "SPOOL_DIR":
			name = "spool"
		}
		args = append(args, "--"+name, value)
		other[variable] = "other"
	}
	for name, read := range map[string]func() (*settings, error){
		"environment": func() (*settings, error) { return parseSettings(nil, environment(everySetting), io.Discard) },
		"flags":       func() (*settings, error) { return parseSettings(args, environment(nil), io.Discard) },
		"both":        func() (*settings, error) { return parseSettings(args, environment(other), io.Discard) },
	} {
		got, err := read()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(want, got, comparable); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestEveryWrongSettingIsNamedAtOnce(t *testing.T) {
	err := run(t.Context(), []string{"--photos-bucket", "", "surplus"}, environment(map[string]string{
		"LISTEN": "8080", "EMPLOYEES_TABLE": "employees", "ALLOW_CLEARTEXT": "maybe", "READS": "all", "TRUSTED_PROXIES": "10.0.0.0/8,10.1.1.1",
		"LOAD_GENERATOR": "yes please", "WRITE_RATE": "0", "AWS_ENDPOINT_URL": "localhost:5000", "SPOOL_DIR": "/nowhere",
	}), io.Discard)
	if err == nil {
		t.Fatal("the settings were accepted")
	}
	for _, want := range []string{
		`want flags only, got "surplus"`,
		"LISTEN: want an address such as 127.0.0.1:8080 or :8080",
		"SESSIONS_TABLE: want a value: the AWS stores need EMPLOYEES_TABLE, SESSIONS_TABLE, PHOTOS_BUCKET and AWS_REGION together",
		"PHOTOS_BUCKET: want a value", "AWS_REGION: want a value",
		`ALLOW_CLEARTEXT: want true or false, got "maybe"`,
		`READS: want open or signed-in, got "all"`,
		`SPOOL_DIR: no such directory: "/nowhere"`,
		`TRUSTED_PROXIES: want address ranges such as 10.24.0.0/16, between commas, got "10.0.0.0/8,10.1.1.1"`,
		"LOAD_GENERATOR: want true or false",
		`WRITE_RATE: want a number of writes a second above 0, such as 10, got "0"`,
		"AWS_ENDPOINT_URL: want an address such as http://localhost:5000",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "EMPLOYEES_TABLE: want") {
		t.Errorf("a setting that is present is missed:\n%v", err)
	}
}

func TestSettingsThatGoTogether(t *testing.T) {
	for _, given := range []string{"EMPLOYEES_TABLE", "SESSIONS_TABLE", "PHOTOS_BUCKET"} {
		_, err := parseSettings(nil, environment(map[string]string{given: "x", "AWS_REGION": "eu-west-1"}), io.Discard)
		if err == nil {
			t.Errorf("%s alone is accepted", given)
		}
	}
	if _, err := parseSettings(nil, environment(map[string]string{"AWS_REGION": "eu-west-1"}), io.Discard); err != nil {
		t.Errorf("a region with the embedded store is refused: %v", err)
	}
}

func TestPhotosOfOtherRegionsComeFromS3(t *testing.T) {
	for endpoint, want := range map[string]string{
		"":                                  "https://*.amazonaws.com",
		"http://localhost:5000":             "http://localhost:5000",
		"https://s3.example:8443/some/path": "https://s3.example:8443",
	} {
		values := map[string]string{"AWS_ENDPOINT_URL": endpoint}
		for name, value := range everySetting {
			values[name] = value
		}
		got, err := parseSettings(nil, environment(values), io.Discard)
		if err != nil || len(got.imageSources) != 1 || got.imageSources[0] != want {
			t.Errorf("with S3 at %q photos come from %q, %v; want %q", endpoint, got.imageSources, err, want)
		}
	}
}

func TestHelpNamesEverySetting(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"--help"}, environment(nil), &out); err != nil {
		t.Fatal(err)
	}
	for variable := range everySetting {
		if !strings.Contains(out.String(), "["+variable+"]") {
			t.Errorf("--help lacks %s:\n%s", variable, &out)
		}
	}
}

func TestVersion(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"--version"}, environment(nil), &out); err != nil || out.String() != version+"\n" {
		t.Errorf("--version printed %q, %v", out.String(), err)
	}
}
