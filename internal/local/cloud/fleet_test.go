package cloud

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/lambda"
	"github.com/archipelago-cdk/archipelago/internal/local/machine"
)

// fleetOfOne plays an instance whose service says what it is and then does a line of a shell,
// and whose unit has these lines in [Service].
func fleetOfOne(t *testing.T, control emulator.Control, does, unit string) (*fleet, *machine.Machine) {
	t.Helper()
	m, err := machine.Start(t.Context(), emulator.Instance{ID: "i-1", Region: "eu-west-1", Type: "m7g.medium", UserData: `#!/bin/bash
cat >/app <<'END'
#!/bin/sh
echo version 1
` + does + `
END
chmod 0755 /app
cat >/etc/systemd/system/app.service <<'END'
[Unit]
StartLimitIntervalSec=600
StartLimitBurst=6
[Service]
ExecStart=/app
Restart=always
RestartSec=0.01
` + unit + `
END
systemctl enable --now app.service
`}, machine.Options{Dir: t.TempDir(), Output: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Stop)
	quiet := log.New(io.Discard, "", 0)
	return &fleet{
		control: control, log: quiet, machines: map[string]*machine.Machine{m.ID: m},
		functions: lambda.NewPool(control, t.TempDir(), func(emulator.Function) io.Writer { return io.Discard }, quiet),
	}, m
}

// eventually waits until something is so of a machine whose service has said what it is.
func eventually(t *testing.T, m *machine.Machine, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !so() || !strings.Contains(strings.Join(m.LastLines(), "\n"), "version 1"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it printed:\n%s", strings.Join(m.LastLines(), "\n"))
		}
	}
}

// wants checks that an error begins so, and has what the service printed.
func wants(t *testing.T, err error, begins string) {
	t.Helper()
	if err == nil || !strings.HasPrefix(err.Error(), begins+"; it printed last:\n  ") || !strings.Contains(err.Error(), "version 1") {
		t.Errorf("got %v, want what begins with %q and has the service's line", err, begins)
	}
}

// TestServiceThatEndsIsNamed, with its last lines, before any time is over.
func TestServiceThatEndsIsNamed(t *testing.T) {
	f, m := fleetOfOne(t, emulator.Control{}, "exit 1", "")
	eventually(t, m, func() bool { return m.Restarts() == endedOften })
	wants(t, f.unwell(time.Now())(), "no instance serves. Of i-1 in eu-west-1, its service ended 6 times")
}

// TestServiceThatIsNeverHealthyIsNamed after four minutes, and at a pace before the
// deployment gives up.
func TestServiceThatIsNeverHealthyIsNamed(t *testing.T) {
	f, m := fleetOfOne(t, emulator.Control{}, "exec sleep 600", "")
	eventually(t, m, func() bool { return true })
	says := func(within string) string {
		return "no instance serves. Of i-1 in eu-west-1, in " + within + " it was not healthy: a service has to listen on $LISTEN, and to answer its health path with 200"
	}
	if err := f.unwell(time.Now())(); err != nil {
		t.Errorf("at once: %v", err)
	}
	wants(t, f.unwell(time.Now().Add(-unwellForLong))(), says("4m0s"))
	f.deployed.Clock.Pace = 10
	wants(t, f.unwell(time.Now().Add(-81*time.Second))(), says("1m21s"))
}

// TestServiceThatIsNeverReadyIsNamed: what systemd would end is reported as starting, and
// once as refused.
func TestServiceThatIsNeverReadyIsNamed(t *testing.T) {
	var got emulator.Status
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	f, m := fleetOfOne(t, emulator.Control{URL: server.URL}, "exec sleep 600", "Type=notify\nTimeoutStartSec=1")
	eventually(t, m, func() bool { return m.State() == machine.TimedOut })
	if err := f.report(t.Context()); err != nil {
		t.Fatal(err)
	}
	wants(t, refused(got.Refused), "i-1: its service, in eu-west-1, did not tell systemd in time that it is ready, as service.notify has it")
	if len(got.Starting) != 1 {
		t.Errorf("%q are starting, want the one", got.Starting)
	}
}
