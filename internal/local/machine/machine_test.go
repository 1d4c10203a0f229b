package machine

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
)

// fleetsUserData is the script of the fleet's instances, with an agent and with the
// journal in the bucket.
func fleetsUserData(t *testing.T) string {
	t.Helper()
	scripts := map[string]string{}
	for _, name := range []string{"userdata.sh", "journal.sh", "pulse.sh", "agent.sh"} {
		b, err := os.ReadFile(filepath.Join("../../../constructs/fleet", name))
		if err != nil {
			t.Fatal(err)
		}
		scripts[name] = string(b)
	}
	script := strings.Replace(scripts["userdata.sh"], "@JOURNAL@\n", scripts["journal.sh"], 1) + scripts["pulse.sh"] + scripts["agent.sh"]
	script = strings.Replace(strings.Replace(script, "@SECRETS@\n", "", 1), "@CREDENTIALS@\n", "", 1)
	return strings.NewReplacer(
		"@BUCKET@", "logs",
		"@NAME@", "app", "@BINARY@", "s3://assets/app", "@REGION@", "eu-west-1", "@TYPE@", "Type=exec", "@ENVIRONMENT@", `A="1"`,
		"@PULSE_BINARY@", "s3://assets/pulse", "@PULSE_ENVIRONMENT@", "AWS_REGION=eu-west-1",
		"@PORT@", "8080", "@HEALTH@", "/livez", "@AGENT@", "{}",
	).Replace(script)
}

// TestAgentComesAfterTheFirstGoodAnswer: and where there is none to install, as
// here, the boot ends well and the service goes on.
func TestAgentComesAfterTheFirstGoodAnswer(t *testing.T) {
	var log bytes.Buffer
	answers := 0
	mux := http.NewServeMux()
	mux.HandleFunc("GET /assets/app", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "#!/bin/sh\n") })
	mux.HandleFunc("GET /assets/pulse", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "#!/bin/sh\n") })
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		if answers++; answers < 3 {
			http.Error(w, "not yet", http.StatusServiceUnavailable)
		}
		if strings.Contains(log.String(), "dnf") {
			t.Errorf("the agent is installed before answer %d", answers)
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	var units []string
	err := runUserData(t.Context(), fleetsUserData(t), shell{
		root: t.TempDir(), url: server.URL, addr: server.Listener.Addr().String(), output: &log,
		start: func(unit string) (<-chan error, error) { units = append(units, unit); return begun(), nil },
	})
	if err != nil {
		t.Errorf("the boot failed: %v\n%s", err, &log)
	}
	if answers != 3 || !strings.Contains(log.String(), "app runs without a CloudWatch agent") {
		t.Errorf("asked %d times, want 3, and then the agent's failure told:\n%s", answers, &log)
	}
	if !slices.Equal(units, []string{"app-journal.service", "app.service", "app-pulse.service"}) {
		t.Errorf("the units %q were started", units)
	}
}

// begun is the result of a unit that has started.
func begun() <-chan error {
	result := make(chan error, 1)
	result <- nil
	return result
}

// boot runs a script and returns what it printed and the units it started.
func boot(t *testing.T, script string) (root, output string, units []string, err error) {
	t.Helper()
	root = t.TempDir()
	var b bytes.Buffer
	err = runUserData(t.Context(), script, shell{
		root: root, output: &b,
		start: func(unit string) (<-chan error, error) { units = append(units, unit); return begun(), nil },
	})
	return root, b.String(), units, err
}

func TestUserDataIsRun(t *testing.T) {
	root, output, units, err := boot(t, `#!/bin/bash
set -euo pipefail
case "$(uname -m)" in
x86_64|aarch64) kind=known ;;
*) exit 1 ;;
esac
mkdir -p /etc/app
cat >/etc/app/app.env <<'END'
KIND=$kind
END
cat >/etc/app/kind <<END
$kind
END
chmod 0600 /etc/app/app.env
systemctl daemon-reload
systemctl enable --now app.service
`)
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	for name, want := range map[string]string{"app.env": "KIND=$kind\n", "kind": "known\n"} {
		if got, err := os.ReadFile(filepath.Join(root, "etc/app", name)); err != nil || string(got) != want {
			t.Errorf("%s holds %q, %v; want %q", name, got, err, want)
		}
	}
	if !slices.Equal(units, []string{"app.service"}) {
		t.Errorf("the units %q were started", units)
	}
}

func TestUserDataStaysInItsRoot(t *testing.T) {
	root, _, _, err := boot(t, "cat >/../../escaped <<'END'\nx\nEND\n")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "escaped")); err != nil {
		t.Errorf("the file is not in the root: %v", err)
	}
}

func TestUserDataThatNeedsMoreIsNoticed(t *testing.T) {
	_, output, units, err := boot(t, "set -e\nyum install -y nginx\nsystemctl enable --now nginx.service\n")
	if err == nil || !strings.Contains(output, "yum install -y nginx: the local cloud's machines have no such command") {
		t.Errorf("got %v and %q", err, output)
	}
	if len(units) > 0 {
		t.Errorf("%q was started after the failure", units)
	}
}

func writeUnit(t *testing.T, text string) *unit {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.service")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	u, err := readUnit(path)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestUnit(t *testing.T) {
	u := writeUnit(t, `[Unit]
Description=x
[Service]
ExecStart=/usr/local/bin/app --flag
EnvironmentFile=/etc/app.env
Environment=A=0 "C=c d" D='"'
Environment=TMPDIR=/var/tmp
PrivateTmp=true
DynamicUser=true
StateDirectory=app
Restart=always
RestartSec=3
TimeoutStopSec=60
TimeoutStartSec=infinity
MemoryMax=75%
LimitNOFILE=65536
LimitFSIZE=64M
`)
	if !slices.Equal(u.execStart, []string{"/usr/local/bin/app", "--flag"}) || !u.restart || u.restartDelay != 3*time.Second ||
		u.stopTimeout != time.Minute || u.startTimeout != 0 || u.kind != "simple" || u.startLimit.burst != 5 ||
		u.memoryMax.of(4<<30) != 3<<30 || u.limits["LimitNOFILE"] != 65536 || u.limits["LimitFSIZE"] != 64<<20 {
		t.Errorf("got %+v", u)
	}
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "etc/app.env"), []byte("# comment\nA=1\n\nB=x=y\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"PATH=" + path, "LOGNAME=app", "USER=app", "STATE_DIRECTORY=" + root + "/var/lib/app",
		"A=0", "C=c d", `D="`, "TMPDIR=" + root + "/var/tmp", "A=1", "B=x=y",
	}
	if got, err := u.environment(root); err != nil || !slices.Equal(got, want) {
		t.Errorf("the environment is %q, %v; want %q", got, err, want)
	}
}

func TestUnitThatNeedsMoreIsNoticed(t *testing.T) {
	for text, want := range map[string]string{
		"[Service]\nRestart=always\n":                               "no ExecStart",
		"[Service]\nExecStart=/a\nRestart=on-failure\n":             `always, no, got "on-failure"`,
		"[Service]\nExecStart=/a\nType=forking\n":                   `simple, exec, notify, got "forking"`,
		"[Service]\nExecStart=/a\nTimeoutStopSec=1min\n":            "TimeoutStopSec",
		"[Service]\nExecStart=/a\nUser=app\n":                       "the local cloud does not play User=: take it out of [Service]",
		"[Service]\nExecStart=/a\nExecStop=/b\n":                    "does not play ExecStop=",
		"[Unit]\nRequires=b.service\n[Service]\nExecStart=/a\n":     "does not play Requires=: take it out of [Unit]",
		"[Install]\nAlias=b.service\n[Service]\nExecStart=/a\n":     "does not play Alias=",
		"[Service]\nExecStart=/a\nRestart =always\nUser= x\n":       "does not play User=",
		"[Service]\nExecStart=-/a\n":                                "one absolute path",
		"[Service]\nExecStart=/a $B\n":                              "without quotes, escapes and specifiers",
		"[Service]\nExecStart=/a\nExecStart=/b\n":                   "want one program",
		"[Service]\nExecStart=/a\nStateDirectory=a b\n":             "one name",
		"[Service]\nExecStart=/a\nEnvironmentFile=-/a.env\n":        "one absolute path",
		"[Service]\nExecStart=/a\nEnvironment=A=%i\n":               "without escapes and specifiers but %d",
		"[Service]\nExecStart=/a\nLoadCredential=a\n":               "one absolute path",
		"[Service]\nExecStart=/a\nEnvironment=\"A=1\n":              "has no end",
		"[Service]\nExecStart=/a\nMemoryMax=lots\n":                 "MemoryMax: want a number",
		"[Service]\nExecStart=/a\nMemoryMax=99999999999G\n":         "MemoryMax: want a number",
		"[Service]\nExecStart=/a\nLimitNOFILE=1:2\n":                "LimitNOFILE: want a number",
		"[Service]\nExecStart=/a\nExecStopPost=/b\n":                "takes /usr/bin/bash and the file of a script",
		"[Service]\nExecStart=/a\nUser=app\nNice=5\nPrivateTmp=x\n": "Nice=",
	} {
		path := filepath.Join(t.TempDir(), "app.service")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readUnit(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

// TestUnitsOfTheFleetArePlayed: every directive of the service's unit, of the one that
// puts its journal into the bucket and of its pulse is played, or ignored for a reason.
func TestUnitsOfTheFleetArePlayed(t *testing.T) {
	for _, name := range []string{"app", "app-journal", "app-pulse"} {
		_, rest, _ := strings.Cut(fleetsUserData(t), "/etc/systemd/system/"+name+".service <<'END'\n")
		text, _, found := strings.Cut(rest, "\nEND\n")
		if !found {
			t.Fatalf("there is no unit %s", name)
		}
		writeUnit(t, text)
	}
}

// TestSupervision runs a unit that ends at once: it is run again, and ends for
// good with the context.
func TestSupervision(t *testing.T) {
	root := t.TempDir()
	program := "#!/bin/sh\necho run >>\"$PWD/runs\"\n"
	if err := os.WriteFile(filepath.Join(root, "app"), []byte(program), 0o755); err != nil {
		t.Fatal(err)
	}
	u := writeUnit(t, "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/app\nRestart=always\nRestartSec=0.01\nStateDirectory=app\nWorkingDirectory=/var/lib/app\n")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		newSupervisor(u, root, nil, 0, io.Discard, log.New(io.Discard, "", 0), func(int) {}).run(ctx)
		close(ended)
	}()
	runs := filepath.Join(root, "var/lib/app/runs")
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if b, _ := os.ReadFile(runs); bytes.Count(b, []byte("run")) >= 3 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the unit was not run again")
		}
	}
	cancel()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the unit goes on")
	}
}

func TestMetadata(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	m := &Machine{Instance: emulator.Instance{ID: "i-1", Region: "eu-west-1", Zone: "eu-west-1b", Type: "m7g.large", Account: "123456789012"}}
	address, err := m.serveMetadata(ctx)
	if err != nil {
		t.Fatal(err)
	}
	out, err := imds.New(imds.Options{Endpoint: address}).GetInstanceIdentityDocument(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if out.InstanceID != "i-1" || out.AvailabilityZone != "eu-west-1b" || out.InstanceType != "m7g.large" || out.Region != "eu-west-1" {
		b, _ := json.Marshal(out)
		t.Errorf("got %s", b)
	}
	res, err := http.Get(address + "/latest/meta-data/instance-id")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a token: status %d, want 401", res.StatusCode)
	}
	cancel()
	m.done.Wait()
}

func TestProgramOfTheServiceIsRunOnce(t *testing.T) {
	program := filepath.Join(t.TempDir(), "app")
	script := "#!/bin/sh\necho \"$SETTING $1\"\n[ \"$1\" = well ] || { echo refused >&2; exit 3; }\n"
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	m := &Machine{Instance: emulator.Instance{ID: "i-1"}}
	if _, err := m.Run(t.Context(), "well"); err == nil || !strings.Contains(err.Error(), "i-1 has not started its service yet") {
		t.Errorf("before the boot: got %v", err)
	}
	m.service = &service{program, []string{"SETTING=a"}}
	if got, err := m.Run(t.Context(), "well"); err != nil || got != "a well\n" {
		t.Errorf("it printed %q, %v", got, err)
	}
	_, err := m.Run(t.Context(), "badly")
	if err == nil || !strings.Contains(err.Error(), "app badly: exit status 3: a badly\nrefused") {
		t.Errorf("got %v, want what the program said", err)
	}
}

// TestUnitOfADynamicUser: it owns no program, so that one must be everybody's.
// It is run as another user where these tests run as root.
func TestUnitOfADynamicUser(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077)) // the machine's own is 022
	dir, err := os.MkdirTemp("", "machine")   // t.TempDir's parent is for its owner alone
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for mode, want := range map[string]string{"0755": "", "0700": "/usr/local/bin/app has the mode 0700", "0644": "want 0755"} {
		var output lockedBuffer
		m := &Machine{
			Instance: emulator.Instance{ID: "i-1", Type: "m7g.medium", UserData: strings.ReplaceAll(`set -e
cat >/usr/local/bin/app <<'END'
#!/bin/sh
id -u >user.tmp
mv user.tmp user
exec sleep 100
END
chmod MODE /usr/local/bin/app
cat >/etc/systemd/system/app.service <<'END'
[Service]
ExecStart=/usr/local/bin/app
DynamicUser=true
StateDirectory=app
WorkingDirectory=/var/lib/app
END
systemctl enable --now app.service
`, "MODE", mode)},
			root: filepath.Join(dir, mode), output: &output, log: log.New(&output, "", 0),
		}
		ctx, cancel := context.WithCancel(t.Context())
		m.cancel = cancel
		err := m.boot(ctx, "")
		if want != "" && (err == nil || !strings.Contains(output.String(), want)) {
			t.Errorf("%s: got %v and %q, want %q", mode, err, output.String(), want)
		}
		if want == "" {
			if err != nil {
				t.Errorf("%s: %v\n%s", mode, err, output.String())
			}
			var user string
			for deadline := time.Now().Add(10 * time.Second); user == "" && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
				b, _ := os.ReadFile(filepath.Join(m.root, "var/lib/app/user"))
				user = strings.TrimSpace(string(b))
			}
			if mine := strconv.Itoa(os.Getuid()); user == "0" || mine != "0" && user != mine {
				t.Errorf("user %s runs it as user %q, want the same or, of root, another one\n%s", mine, user, output.String())
			}
		}
		m.Stop()
	}
}

// lockedBuffer takes what several goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
