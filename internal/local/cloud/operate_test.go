package cloud

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/build"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/archipelago-cdk/archipelago/internal/local/progress"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// TestOperators needs an emulator, and nothing that is deployed into it.
func TestOperators(t *testing.T) {
	for _, name := range []string{"AWS_PROFILE", "AWS_ACCESS_KEY_ID"} {
		t.Setenv(name, "")
	}
	server, err := emulator.Start(t.Context(), emulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	}()
	dir := t.TempDir()
	o := Options{Root: "../../..", Dir: dir, Out: &bytes.Buffer{}}

	if err := Turn(t.Context(), o, "archipelago", "eu-west-1", Drained, true); err == nil || !strings.Contains(err.Error(), "nothing runs here: run `make up` first") {
		t.Errorf("where nothing runs: %v", err)
	}
	if err := (emulator.Control{URL: server.URL}).Report(t.Context(), emulator.Status{Health: map[string]string{}, Regions: map[string]string{"eu-west-1": "http://localhost:1", "us-east-1": "http://localhost:2"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := remember(dir, running{PID: os.Getpid(), Emulator: server.URL}); err != nil {
		t.Fatal(err)
	}

	t.Run("switches reach what runs without credentials", func(t *testing.T) {
		for _, on := range []bool{true, false} {
			for s, name := range map[Switch]string{Drained: "/shop/island/drained", Frozen: "/shop/fleet/frozen"} {
				if err := Turn(t.Context(), o, "shop", "us-east-1", s, on); err != nil {
					t.Fatal(err)
				}
				client, err := o.parameters(t.Context(), "us-east-1")
				if err != nil {
					t.Fatal(err)
				}
				got, err := client.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String(name)})
				if err != nil {
					t.Fatal(err)
				}
				if want := map[bool]string{true: "true", false: "false"}[on]; *got.Parameter.Value != want {
					t.Errorf("%s is %q, want %q", name, *got.Parameter.Value, want)
				}
			}
		}
	})

	t.Run("a plan is printed, or that there is none", func(t *testing.T) {
		client, err := o.parameters(t.Context(), "us-east-1")
		if err != nil {
			t.Fatal(err)
		}
		for value, want := range map[string]string{
			"":                                   "has planned nothing yet: /shop/fleet/scaling is missing",
			"{}":                                 "has planned nothing yet: it does where fleet.goal is set",
			"broken":                             "cannot be read",
			`{"unplanned": "there is no price"}`: "could make no plan: there is no price",
			`{"unplanned": "there is no price", "plan": {"at": "2026-03-02T02:00:00Z", "goal": 99.9, "floor": "m7g.large", "minutes": 20160, "floors": [{"type": "m7g.large", "usd": 61.58, "over": 6}]}}`: "no plan since then: there is no price",
			`{"plan": {"at": "2026-03-02T02:00:00Z", "goal": 99.9, "floor": "m7g.large", "minutes": 20160, "floors": [{"type": "m7g.large", "usd": 61.58, "over": 6}]}}`:                                   "planned 2026-03-02 02:00 UTC",
		} {
			if value != "" {
				if _, err := client.PutParameter(t.Context(), &ssm.PutParameterInput{Name: aws.String("/shop/fleet/scaling"), Value: &value, Type: "String"}); err != nil {
					t.Fatal(err)
				}
			}
			var out bytes.Buffer
			with := o
			with.Out = &out
			err := Planned(t.Context(), with, "shop", "us-east-1")
			said := out.String()
			if err != nil {
				said = err.Error()
			}
			if !strings.Contains(said, want) {
				t.Errorf("%q: it says %q, want %q", value, said, want)
			}
			if value != "" {
				if _, err := client.DeleteParameter(t.Context(), &ssm.DeleteParameterInput{Name: aws.String("/shop/fleet/scaling")}); err != nil {
					t.Fatal(err)
				}
			}
		}
	})

	t.Run("a region that does not run is named with those that do", func(t *testing.T) {
		const want = "REGION=mars-1 is not one of those that run here: eu-west-1, us-east-1"
		for name, err := range map[string]error{
			"drain": Turn(t.Context(), o, "archipelago", "mars-1", Drained, true),
			"logs":  Logs(t.Context(), o, "archipelago", "mars-1", false),
		} {
			if err == nil || err.Error() != want {
				t.Errorf("%s: got %v, want %q", name, err, want)
			}
		}
	})

	t.Run("logs on AWS come from the bucket", func(t *testing.T) { logsFromTheBucket(t, server.URL) })

	t.Run("the CDK CLI is not disturbed", func(t *testing.T) { undisturbed(t, server.URL) })
}

// logsFromTheBucket has credentials of AWS, of which the emulator takes the place.
func logsFromTheBucket(t *testing.T, url string) {
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_ENDPOINT_URL": strings.Replace(url, "localhost", "127.0.0.1", 1)} {
		t.Setenv(name, value)
	}
	const region, bucket = "eu-west-1", "shop-logs-" + account + "-eu-west-1"
	client := s3.New(s3.Options{
		Region: region, BaseEndpoint: &url, UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
	})
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket: aws.String(bucket), CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: region},
	}); err != nil {
		t.Fatal(err)
	}
	put := func(service string, ago time.Duration, id, text string) {
		t.Helper()
		key := "instances/" + service + "/" + time.Now().Add(-ago).UTC().Format("2006-01-02T15-04-05.000000000Z") + "-" + id + ".log"
		if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: &key, Body: strings.NewReader(text)}); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	logs := func() error {
		out.Reset()
		return Logs(t.Context(), Options{Out: &out}, "shop", region, false)
	}
	put("app", 2*time.Hour, "i-1", "too old\n")
	if err := logs(); err == nil || !strings.Contains(err.Error(), "nothing into s3://"+bucket+"/instances/") || !strings.Contains(err.Error(), "--log-group-name /shop/service") {
		t.Errorf("got %v, want where else the log may be", err)
	}
	put("app", 20*time.Minute, "i-2", "second\nthird\n")
	put("app", 30*time.Minute, "i-1", "first\n")
	put("worker", 10*time.Minute, "i-3", "fourth, without an end")
	if err := logs(); err != nil {
		t.Fatal(err)
	}
	if want := "i-1 first\ni-2 second\ni-2 third\ni-3 fourth, without an end\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}

	// What comes late is shown, and nothing twice.
	r := &bucketReader{client: client, bucket: bucket, out: &out, shown: map[string]bool{}}
	for _, want := range []string{"i-3 fourth, without an end\n", "i-4 late\n", ""} {
		out.Reset()
		if _, err := r.show(t.Context(), time.Now().Add(-15*time.Minute)); err != nil || out.String() != want {
			t.Errorf("got %q, %v, want %q", out.String(), err, want)
		}
		if want == "i-3 fourth, without an end\n" {
			put("app", 12*time.Minute, "i-4", "late\n")
		}
	}
}

// undisturbed bootstraps a region by the real CLI in an environment that has
// everything that disturbs it. Where it is disturbed, it does so with one setting
// after the other, to name those that do.
func undisturbed(t *testing.T, url string) {
	settings := append(slices.Clone(emulatortest.Disturbing), "GOFLAGS=-mod=nonsense")
	if t.Run("by all settings", func(t *testing.T) { bootstrapsWith(t, url, settings...) }) {
		return
	}
	t.Run("by proxies and a home", func(t *testing.T) { bootstrapsWith(t, url) })
	for _, setting := range settings {
		t.Run("by "+setting, func(t *testing.T) { bootstrapsWith(t, url, setting) })
	}
}

// bootstrapsWith bootstraps with settings, a proxy that nobody may ask, and a home
// whose CDK settings name a profile.
func bootstrapsWith(t *testing.T, url string, disturbing ...string) {
	proxy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	go func() {
		for {
			connection, err := proxy.Accept()
			if err != nil {
				return
			}
			t.Errorf("a program asked the proxy")
			connection.Close()
		}
	}()
	caches, err := exec.Command("go", "env", "GOCACHE", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	goCache, modules, _ := strings.Cut(strings.TrimSpace(string(caches)), "\n")
	home := t.TempDir()
	settings, err := json.Marshal(map[string]string{"profile": "corp", "output": "/nowhere"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".cdk.json"), settings, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := build.WithoutTelemetry(filepath.Join(home, ".config")); err != nil {
		t.Fatal(err)
	}
	for _, setting := range append(disturbing, "HTTP_PROXY=http://"+proxy.Addr().String(), "http_proxy=http://"+proxy.Addr().String(), "NO_PROXY=", "no_proxy=",
		"HOME="+home, "XDG_CONFIG_HOME=", "GOCACHE="+goCache, "GOMODCACHE="+modules) {
		name, value, _ := strings.Cut(setting, "=")
		t.Setenv(name, value)
	}
	steps, err := newSteps(t.TempDir(), "up.log", progress.New(&bytes.Buffer{}))
	if err != nil {
		t.Fatal(err)
	}
	defer steps.close()
	cli := newCLI(Options{Root: "../../..", Dir: t.TempDir()}, "./cmd/directory", url, steps)
	// Without an app: what it needs is the region's name.
	if err := cli.run(t.Context(), "bootstrap", "aws://"+account+"/ap-southeast-2", "--app", ""); err != nil {
		t.Error(err)
	}
	// Go, which the CLI runs, has its caches and no flags.
	cmd, err := cli.command("--version")
	if err != nil {
		t.Fatal(err)
	}
	cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", "go env GOFLAGS GOCACHE GOMODCACHE && echo $HOME"}
	out, err := cmd.CombinedOutput()
	if want := "-buildvcs=false\n" + string(caches) + filepath.Join(cli.dir, "home") + "\n"; err != nil || string(out) != want {
		t.Errorf("got %v, %q, want %q", err, out, want)
	}
}
