package ami

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"
)

// ami runs the command over a cdk.json, with the emulator for AWS, and returns
// what it printed and what the file holds then.
func ami(t *testing.T, file string) (stdout, after string, err error) {
	t.Helper()
	server := emulatortest.Start(t, emulator.Options{})
	for _, variable := range append(emulator.Environment(server.URL), "AWS_REGION=us-east-1") {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	path := filepath.Join(t.TempDir(), "cdk.json")
	if err := os.WriteFile(path, []byte(file), 0o644); err != nil {
		t.Fatal(err)
	}
	reader, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	var out bytes.Buffer
	err = Run(t.Context(), []string{"-file", path}, &out)
	if meanwhile, err := io.ReadAll(reader); err != nil || string(meanwhile) != file {
		t.Errorf("who has opened the file before reads %q, %v", meanwhile, err)
	}
	b, readErr := os.ReadFile(path)
	if readErr != nil {
		t.Fatal(readErr)
	}
	return out.String(), string(b), err
}

// service is one of a configuration, which has to have one.
const service = `"service": {"name": "hello", "package": "./service", "port": 8080, "health": "/healthz"}`

// The images are those of the emulator.
func TestImagesArePinned(t *testing.T) {
	stdout, after, err := ami(t, `{
  "app": "go run .",
  "context": {
    "archipelago": {
      "regions": ["eu-west-1", {"name": "us-east-1", "zones": 2, "ami": "ami-01234567"}],
      `+service+`
    },
    "@aws-cdk/core:target-partitions": ["aws"]
  }
}
`)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(stdout, "\n")
	image := func(line string) string { return line[strings.LastIndex(line, " ")+1:] }
	ireland, virginia := image(lines[0]), image(lines[1])
	for _, i := range []string{ireland, virginia} {
		if !strings.HasPrefix(i, "ami-") || ireland == virginia {
			t.Fatalf("got the images %q and %q, want one of each region", ireland, virginia)
		}
	}
	if want := "us-east-1        ami-01234567 → " + virginia; lines[1] != want {
		t.Errorf("got %q, want %q", lines[1], want)
	}
	want := `{
  "app": "go run .",
  "context": {
    "archipelago": {
      "regions": [{"name": "eu-west-1", "ami": "` + ireland + `"}, {"name": "us-east-1", "zones": 2, "ami": "` + virginia + `"}],
      ` + service + `
    },
    "@aws-cdk/core:target-partitions": ["aws"]
  }
}
`
	if diff := cmp.Diff(want, after); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
}

func TestNothingIsWrittenWhenARegionFails(t *testing.T) {
	// The emulator knows no image of mx-central-1.
	const file = `{"context": {"archipelago": {"entry": "none", "regions": ["eu-west-1", "mx-central-1"], ` + service + `}}}`
	_, after, err := ami(t, file)
	if err == nil || !strings.Contains(err.Error(), "mx-central-1: /aws/service/ami-amazon-linux-latest/") {
		t.Errorf("got %v, want the region and the parameter", err)
	}
	if after != file {
		t.Errorf("the file was changed: %s", after)
	}
}

// TestRegionThatIsLostKeepsItsImage: the emulator has none of mx-central-1, as a region has
// none in which AWS does not answer.
func TestRegionThatIsLostKeepsItsImage(t *testing.T) {
	const lost = `{"name": "mx-central-1", "lost": true}`
	stdout, after, err := ami(t, `{"context": {"archipelago": {"entry": "none", "regions": ["eu-west-1", `+lost+`], `+service+`}}}`)
	if err != nil || !strings.Contains(after, `"ami": "ami-`) || !strings.Contains(after, lost) || strings.Contains(stdout, "mx-central-1") {
		t.Errorf("got %v, %q and the file %s", err, stdout, after)
	}
}

func TestImageIsOfTheLaddersArchitecture(t *testing.T) {
	for ladder, want := range map[string]string{"m7g.medium": "arm64", "m7i.large": "x86_64"} {
		deployment, err := parse([]byte(`{"context": {"archipelago": {"regions": ["eu-west-1"], "fleet": {"ladder": ["` + ladder + `"]}, ` + service + `}}}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := deployment.Fleet.ImageParameter(); !strings.HasSuffix(got, "-"+want) {
			t.Errorf("%s boots %s, want one of %s", ladder, got, want)
		}
	}
}

func TestConfigurationHasToBeValid(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cdk.json")
	if err := os.WriteFile(path, []byte(`{"context": {}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Run(t.Context(), []string{"-file", path}, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "archipelago.regions: want at least one region") {
		t.Errorf("got %v, want what is missing", err)
	}
}

// TestMain ends CDK's own process, which removes its files.
func TestMain(m *testing.M) {
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}
