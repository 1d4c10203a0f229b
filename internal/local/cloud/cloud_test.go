package cloud

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/nobody"
	"github.com/archipelago-cdk/archipelago/internal/local/progress"
)

func TestRegionsAreInTheOrderOfDeployment(t *testing.T) {
	dir := t.TempDir()
	manifest := `{"artifacts": {
		"a-region-us-east-1": {"type": "aws:cloudformation:stack", "environment": "aws://1/us-east-1", "dependencies": ["a-region-eu-west-1", "a-global"]},
		"a-region-eu-west-1": {"type": "aws:cloudformation:stack", "environment": "aws://1/eu-west-1", "dependencies": ["a-global"]},
		"a-global": {"type": "aws:cloudformation:stack", "environment": "aws://1/eu-west-1"},
		"multi-region-global": {"type": "aws:cloudformation:stack", "environment": "aws://1/eu-west-1"},
		"multi-region-storage-eu-west-1": {"type": "aws:cloudformation:stack", "environment": "aws://1/eu-west-1"},
		"a-region-eu-west-1.assets": {"type": "cdk:asset-manifest"}}}`
	if err := os.WriteFile(filepath.Join(dir, "manifest.json"), []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := readAssembly(dir)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"eu-west-1", "us-east-1"}; !slices.Equal(a.regions, want) {
		t.Errorf("got %q, want %q", a.regions, want)
	}
	if want := []string{"aws://1/eu-west-1", "aws://1/us-east-1"}; !slices.Equal(a.environments, want) {
		t.Errorf("got %q, want %q", a.environments, want)
	}
}

func newTestSteps(t *testing.T) (*steps, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	s, err := newSteps(t.TempDir(), "up.log", progress.New(&out))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s, &out
}

func TestStepThatTakesTooLong(t *testing.T) {
	s, _ := newTestSteps(t)
	err := s.run(t.Context(), "wait", 20*time.Millisecond, nil, func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	})
	if err == nil || !strings.Contains(err.Error(), "could not wait: not done within 20ms") || !strings.Contains(err.Error(), s.path) {
		t.Errorf("got %v", err)
	}
}

func TestStepThatIsInterrupted(t *testing.T) {
	s, _ := newTestSteps(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := s.run(ctx, "wait", time.Minute, nil, func(ctx context.Context) error { return errors.New("killed") })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the interruption alone", err)
	}
}

func TestTellingLines(t *testing.T) {
	said := "stack: start: Building the template\n" +
		"archipelago.fleet.max: want at least fleet.min\n    at Object.<anonymous> (index.js:1)\nexit status 1\n"
	if got, want := telling(said), "  archipelago.fleet.max: want at least fleet.min"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	said += "some progress\nstack | 0/41 | CREATE_FAILED | no such zone\n"
	if got, want := telling(said), "  stack | 0/41 | CREATE_FAILED | no such zone"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// fakeCLI is of a checkout whose CDK CLI is a script.
func fakeCLI(t *testing.T, script string) cli {
	t.Helper()
	root := t.TempDir()
	bin := filepath.Join(root, "node_modules", ".bin")
	if err := errors.Join(os.MkdirAll(bin, 0o755), os.WriteFile(filepath.Join(bin, "cdk"), []byte("#!/bin/sh\n"+script), 0o755)); err != nil {
		t.Fatal(err)
	}
	s, _ := newTestSteps(t)
	return newCLI(Options{Root: root, Dir: t.TempDir()}, "./cmd/directory", "", s)
}

// TestCommandsBesideEachOtherSayTheirOwnReasons: the synth's comes before all that the
// bootstrap prints.
func TestCommandsBesideEachOtherSayTheirOwnReasons(t *testing.T) {
	synth := fakeCLI(t, `case $1 in
synth) echo the reason; touch reason; until test -e done; do sleep 0.01; done; exit 1 ;;
bootstrap) until test -e reason; do sleep 0.01; done; seq 20; touch done ;;
esac
`)
	beside := synth
	beside.doing = &doing{}
	bootstrapped := make(chan error, 1)
	go func() { bootstrapped <- beside.run(t.Context(), "bootstrap") }()
	if err := synth.run(t.Context(), "synth"); err == nil || err.Error() != "cdk synth failed:\n  the reason" {
		t.Errorf("got %v, want the synth's reason alone", err)
	}
	if err := <-bootstrapped; err != nil {
		t.Error(err)
	}
}

// TestCDKCLIPrintsNoColours, among which tidy would find no line.
func TestCDKCLIPrintsNoColours(t *testing.T) {
	t.Setenv("FORCE_COLOR", "1")
	t.Setenv("CLICOLOR_FORCE", "1")
	c := fakeCLI(t, "env")
	for _, url := range []string{"", "http://localhost:1"} {
		c.url = url
		var said strings.Builder
		if err := c.runTo(t.Context(), &said, "diff"); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]bool{"NO_COLOR=1\n": true, "FORCE_COLOR": false, "CLICOLOR_FORCE": false} {
			if strings.Contains(said.String(), name) != want {
				t.Errorf("%q: %q is not %v in\n%s", url, name, want, &said)
			}
		}
	}
}

func TestMissingToolsNameTheNextStep(t *testing.T) {
	err := Up(t.Context(), Options{Root: t.TempDir(), Out: &bytes.Buffer{}})
	if err == nil || !strings.Contains(err.Error(), "cdk is missing from node_modules: run `make setup`") {
		t.Errorf("got %v", err)
	}
}

func TestTakenPortNamesTheNextStep(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	err = start(t.Context(), Options{Dir: t.TempDir(), Port: port, Out: &bytes.Buffer{}}, config.Config{}, func() {})
	if err == nil || !strings.Contains(err.Error(), "is taken: choose another one, such as `make up PORT=") {
		t.Errorf("got %v", err)
	}
}

// TestBeginningWithALostRegion is refused: nothing was deployed that goes on without it.
func TestBeginningWithALostRegion(t *testing.T) {
	regions := []config.Region{{Name: "eu-west-1"}, {Name: "us-east-1", Lost: true}}
	err := start(t.Context(), Options{Dir: t.TempDir(), Out: &bytes.Buffer{}}, config.Config{Regions: regions}, func() {})
	if err == nil || !strings.Contains(err.Error(), "us-east-1 is lost, and what goes on without it was deployed before: begin with it, as `make up ARGS='-c archipelago.regions=eu-west-1,us-east-1'`") {
		t.Errorf("got %v", err)
	}
}

func TestFileOfAKilledCloudIsIgnored(t *testing.T) {
	dir := t.TempDir()
	if _, ok := find(t.Context(), dir); ok {
		t.Error("something runs without a file")
	}
	if _, err := remember(dir, running{Emulator: "http://localhost:1"}); err != nil {
		t.Fatal(err)
	}
	if _, ok := find(t.Context(), dir); ok {
		t.Error("something runs at a port that nobody listens on")
	}
}

// TestRefusedFunctionEndsTheWait: what could not run on AWS is not a deployment, even
// while the rest is healthy.
func TestRefusedFunctionEndsTheWait(t *testing.T) {
	answers := map[string]any{
		"deployed": 1,
		"fleet":    emulator.Fleet{Instances: []emulator.Instance{{ID: "i-1", Region: "eu-west-1"}}},
		"status": emulator.Status{
			Deployment: 1, URL: "http://localhost:1", Health: map[string]string{"i-1": "healthy"}, Regions: map[string]string{"eu-west-1": "http://localhost:2"},
			Refused: map[string]string{"arn:lighthouse": "bootstrap has the mode 0700", "arn:scaler": "data has the mode 0600"},
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(answers[path.Base(r.URL.Path)])
	}))
	defer server.Close()
	_, err := awaitFleets(t.Context(), emulator.Control{URL: server.URL}, []string{"eu-west-1"}, &waiting{}, func() error { return nil })
	if want := "arn:lighthouse: bootstrap has the mode 0700\narn:scaler: data has the mode 0600"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
}

// TestStartIsAwaited: a service that a load balancer finds healthy may yet have to
// tell systemd that it is ready.
func TestStartIsAwaited(t *testing.T) {
	status := emulator.Status{
		Deployment: 1, URL: "http://localhost:1", Health: map[string]string{"i-1": "healthy"}, Regions: map[string]string{"eu-west-1": "http://localhost:2"},
		Starting: []string{"i-1"},
	}
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path.Base(r.URL.Path) {
		case "deployed":
			_ = json.NewEncoder(w).Encode(1)
		case "fleet":
			_ = json.NewEncoder(w).Encode(emulator.Fleet{Instances: []emulator.Instance{{ID: "i-1", Region: "eu-west-1"}}})
		case "status":
			if asked++; asked == 3 {
				status.Starting = nil
			}
			_ = json.NewEncoder(w).Encode(status)
		}
	}))
	defer server.Close()
	if _, err := awaitFleets(t.Context(), emulator.Control{URL: server.URL}, []string{"eu-west-1"}, &waiting{}, func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	if asked != 3 {
		t.Errorf("the wait ended after %d looks, want 3", asked)
	}
}

// TestFolderThatNobodyReaches: where these tests run as root, what is run as
// nobody stands elsewhere.
func TestFolderThatNobodyReaches(t *testing.T) {
	dir := t.TempDir() // its parent is for its owner alone
	got, err := runningDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if os.Getuid() != 0 {
		if got != dir {
			t.Errorf("got %s, want %s", got, dir)
		}
		return
	}
	defer os.RemoveAll(got)
	if again, err := runningDir(dir); err != nil || again != got || again == dir || !nobody.Reaches(got) {
		t.Errorf("got %s and %s, %v; want the same folder, which nobody can enter", got, again, err)
	}
}

// TestRulesAreOffInTheLocalCloudAlone: a comparison with AWS applies them.
func TestRulesAreOffInTheLocalCloudAlone(t *testing.T) {
	t.Setenv("CDK_VALIDATION", "")
	for url, off := range map[string]bool{"http://localhost:1": true, "": false} {
		cmd, err := cli{root: ".", dir: t.TempDir(), url: url}.command("synth")
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(cmd.Env, "CDK_VALIDATION=false") != off {
			t.Errorf("at %q CDK's rules are off: %t, want %t", url, !off, off)
		}
	}
}

// TestCommandsSideBySide: the regions are bootstrapped while the stacks are
// synthesized, and jsii's process starts from what it unpacked in the temporary folder.
func TestCommandsSideBySide(t *testing.T) {
	c := cli{root: ".", dir: t.TempDir(), url: "http://localhost:1"}
	temporary := func(command string) string {
		cmd, err := c.command(command)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(cmd.Env, func(pair string) bool { return strings.HasPrefix(pair, "TMPDIR="+c.dir) })
		if i < 0 {
			t.Fatalf("cdk %s has no temporary folder in %s", command, c.dir)
		}
		return strings.TrimPrefix(cmd.Env[i], "TMPDIR=")
	}
	unpacked := filepath.Join(temporary("synth"), "program.js")
	if err := os.WriteFile(unpacked, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	temporary("bootstrap")
	if _, err := os.Stat(unpacked); err != nil {
		t.Errorf("cdk bootstrap takes away what cdk synth unpacked: %v", err)
	}
	temporary("synth")
	if _, err := os.Stat(unpacked); err == nil {
		t.Error("what an earlier cdk synth left is still there")
	}
}
