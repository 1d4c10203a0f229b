package machine

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/envfile"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/coreos/go-systemd/v22/daemon"
)

// playsService, set, makes this test binary the program of a unit, which does
// what the variable says.
const playsService = "MACHINE_TEST_SERVICE"

func TestMain(m *testing.M) {
	if does := os.Getenv(playsService); does != "" {
		play(does)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func play(does string) {
	tell := func(state string) {
		if told, err := daemon.SdNotify(false, state); !told {
			fmt.Println("nobody is told", state, err)
		}
	}
	switch does {
	case "end":
		return
	case "be killed":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "say nothing":
	case "be ready":
		tell(daemon.SdNotifyReady)
		tell("STATUS=well\nEXTEND_TIMEOUT_USEC=1")
	case "have a child say it":
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), playsService+"=be ready")
		_ = child.Run()
	case "be ready and hang":
		within, err := daemon.SdWatchdogEnabled(false)
		fmt.Println("the watchdog waits", within, err)
		tell(daemon.SdNotifyReady)
	case "be ready and hang for good":
		signal.Ignore(syscall.SIGABRT)
		tell(daemon.SdNotifyReady)
	case "ask for it":
		tell(daemon.SdNotifyReady)
		tell("WATCHDOG=trigger")
	case "show its limits":
		b, err := os.ReadFile("/proc/self/limits")
		fmt.Printf("%s%v\nthat is all\n", b, err)
	case "use 128 MiB":
		used := make([]byte, 128<<20)
		for i := range used {
			used[i] = 1
		}
		defer fmt.Println(used[0])
	}
	time.Sleep(time.Minute)
}

// run is a unit that is supervised.
type run struct {
	output lockedBuffer
	job    <-chan error
	pids   chan int
	states chan State
	ended  chan struct{}
}

// supervise runs this test binary as a unit with these lines in [Service], until
// the test ends.
func supervise(t *testing.T, does, lines string) *run {
	t.Helper()
	root := t.TempDir()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(root, "app")); err != nil {
		t.Fatal(err)
	}
	return superviseIn(t, root, does, lines)
}

func superviseIn(t *testing.T, root, does, lines string) *run {
	t.Helper()
	u := writeUnit(t, "[Service]\nExecStart=/app\nTimeoutStopSec=5\nRestartSec=0\n"+lines)
	r := &run{pids: make(chan int, 100), states: make(chan State, 100), ended: make(chan struct{})}
	s := newSupervisor(u, root, []string{playsService + "=" + does}, 4<<30, &r.output, log.New(&r.output, "", 0), func(pid int) {
		select {
		case r.pids <- pid:
		default:
		}
	})
	s.memoryEvery = 10 * time.Millisecond
	s.becomes = func(state State) {
		select {
		case r.states <- state:
		default:
		}
	}
	r.job = s.job
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer close(r.ended)
		s.run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-r.ended })
	return r
}

// awaits waits until the unit has said all of these, in this order.
func (r *run) awaits(t *testing.T, texts ...string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		rest, missing := r.output.String(), ""
		for _, text := range texts {
			_, after, found := strings.Cut(rest, text)
			if !found {
				missing = text
				break
			}
			rest = after
		}
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("want %q in\n%s", missing, r.output.String())
		}
	}
}

// starts waits for the result of the start.
func (r *run) starts(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.job:
		return err
	case <-time.After(20 * time.Second):
		t.Fatalf("the start has no result:\n%s", r.output.String())
		return nil
	}
}

func TestUnitHasStartedWhenItsTypeSaysSo(t *testing.T) {
	for lines, does := range map[string]string{"": "say nothing", "Type=exec\n": "say nothing", "Type=notify\n": "be ready"} {
		r := supervise(t, does, lines)
		if err := r.starts(t); err != nil {
			t.Errorf("%q: %v\n%s", lines, err, r.output.String())
		}
	}
}

func TestStartFails(t *testing.T) {
	for _, test := range []struct{ does, lines, result string }{
		{"say nothing", "Type=notify\nTimeoutStartSec=0.2\n", timeout},
		{"have a child say it", "Type=notify\nTimeoutStartSec=2\n", timeout},
		{"end", "Type=notify\n", protocol},
		{"be killed", "Type=notify\n", bySignal},
	} {
		r := supervise(t, test.does, test.lines)
		want := "the start of app.service failed with result '" + test.result + "'"
		if err := r.starts(t); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s\n%s", test.does, err, want, r.output.String())
		}
	}
}

// TestUnitThatIsNotReadyInTime: as on AWS, it is ended, and started again.
func TestUnitThatIsNotReadyInTime(t *testing.T) {
	supervise(t, "say nothing", "Type=notify\nTimeoutStartSec=0.1\nRestart=always\n").awaits(t,
		"app.service: start operation timed out. Terminating.\n", "app.service: Failed with result 'timeout'.\n",
		"app.service: Scheduled restart job, restart counter is at 1.\n", "start operation timed out", "counter is at 2.\n")
}

// TestStatesOfAStart: what is told of a service that is not ready in time, and of one
// that is.
func TestStatesOfAStart(t *testing.T) {
	for does, want := range map[string][]State{
		"say nothing": {Starting, TimedOut, Starting, TimedOut},
		"be ready":    {Starting, Started},
	} {
		r := supervise(t, does, "Type=notify\nTimeoutStartSec=2\nRestart=always\n")
		m := &Machine{}
		for i, state := range want {
			select {
			case got := <-r.states:
				if m.become(got); got != state || m.State() == Starting && i > 0 {
					t.Errorf("%s: state %d is %d, and the machine's %d; want %d", does, i, got, m.State(), state)
				}
			case <-time.After(20 * time.Second):
				t.Fatalf("%s: no state %d\n%s", does, i, r.output.String())
			}
		}
	}
}

func TestOnlyTheMainProcessSpeaks(t *testing.T) {
	supervise(t, "have a child say it", "Type=notify\n").awaits(t, "but reception only permitted for main PID")
}

func TestWhatIsNotPlayedOfNotifyIsSaid(t *testing.T) {
	supervise(t, "be ready", "Type=notify\n").awaits(t, "The service says EXTEND_TIMEOUT_USEC=1, which the local cloud does not play.")
}

func TestNobodyHearsAUnitThatAsksForNothing(t *testing.T) {
	supervise(t, "be ready", "Type=exec\n").awaits(t, "nobody is told READY=1")
}

func TestWatchdogEndsAUnitThatHangs(t *testing.T) {
	supervise(t, "be ready and hang", "Type=notify\nWatchdogSec=0.3\nRestart=always\n").awaits(t,
		"the watchdog waits 300ms <nil>\n", "Watchdog timeout (limit 300ms)!", "Failed with result 'watchdog'.", "restart counter is at 1.", "the watchdog waits")
}

func TestWatchdogKillsWhatDoesNotAbort(t *testing.T) {
	r := supervise(t, "be ready and hang for good", "Type=notify\nWatchdogSec=0.3\nTimeoutStopSec=0.3\n")
	r.awaits(t, "Watchdog timeout", "Failed with result 'watchdog'.")
	<-r.ended
}

func TestUnitMayCallItsWatchdog(t *testing.T) {
	supervise(t, "ask for it", "Type=notify\nWatchdogSec=60\n").awaits(t, "Watchdog request received.", "Failed with result 'watchdog'.")
}

// TestWatchdogWaitsAsLongAsItHears goes through a minute.
func TestWatchdogWaitsAsLongAsItHears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUnit("app.service")
		u.kind, u.watchdog = "notify", 30*time.Second
		p := &process{
			supervisor: newSupervisor(u, "", nil, 0, io.Discard, log.New(io.Discard, "", 0), nil),
			pid:        1, starting: newTimer(0), living: newTimer(0), killing: newTimer(0),
		}
		fires := func(after time.Duration) bool {
			time.Sleep(after)
			select {
			case <-p.living.C:
				return true
			default:
				return false
			}
		}
		p.hear(note{1, "WATCHDOG=1"})
		if fires(time.Hour) {
			t.Error("it counts before the unit is ready")
		}
		p.hear(note{1, "READY=1\n"})
		for range 3 {
			if fires(20 * time.Second) {
				t.Error("it does not wait for 30 s")
			}
			p.hear(note{1, "WATCHDOG=1"})
			p.hear(note{2, "WATCHDOG=1"})
		}
		if !fires(31 * time.Second) {
			t.Error("it waits for longer than 30 s")
		}
	})
}

// TestStartLimit: a unit that ends at once is given up, as systemd does unless it
// says otherwise.
func TestStartLimit(t *testing.T) {
	r := supervise(t, "end", "Restart=always\n[Unit]\nStartLimitIntervalSec=1000\nStartLimitBurst=3\n")
	r.awaits(t, "Start request repeated too quickly.", "Failed with result 'start-limit-hit'.")
	<-r.ended
	if len(r.pids) != 3 {
		t.Errorf("it was started %d times, want 3", len(r.pids))
	}
}

func TestStartLimitBeginsAgain(t *testing.T) {
	l := newUnit("app.service").startLimit
	now := time.Now()
	for i := range 5 {
		if !l.allows(now.Add(time.Duration(i) * time.Second)) {
			t.Errorf("start %d is refused", i)
		}
	}
	if l.allows(now.Add(10 * time.Second)) {
		t.Error("six starts in ten seconds are allowed")
	}
	if !l.allows(now.Add(11 * time.Second)) {
		t.Error("the limit does not end with its interval")
	}
	l = startLimit{burst: 1}
	for range 2 {
		if !l.allows(now) {
			t.Error("there is a limit without an interval")
		}
	}
}

func TestUnitThatUsesTooMuchMemoryIsKilled(t *testing.T) {
	supervise(t, "use 128 MiB", "MemoryMax=64M\nRestart=always\n").awaits(t,
		"has been killed by the OOM killer", "MemoryMax, 64 MiB", "Failed with result 'oom-kill'.", "restart counter is at 1.")
}

func TestMemoryIsThatOfTheInstancesType(t *testing.T) {
	if got := (&Machine{Instance: emulator.Instance{Type: "m7g.medium"}}).memory(); got != 4<<30 {
		t.Errorf("an m7g.medium has %d bytes", got)
	}
	u := writeUnit(t, "[Service]\nExecStart=/app\nMemoryMax=75%\n")
	if s := newSupervisor(u, "", nil, 4<<30, nil, nil, nil); s.memory != 3<<30 {
		t.Errorf("its service may use %d", s.memory)
	}
}

func TestResourcesAreBounded(t *testing.T) {
	r := supervise(t, "show its limits", "LimitNOFILE=1234\nLimitFSIZE=64M\nLimitCORE=0\n")
	r.awaits(t, "that is all\n")
	for name, want := range map[string]string{"Max open files": "1234", "Max file size": "67108864", "Max core file size": "0"} {
		_, rest, _ := strings.Cut(r.output.String(), name)
		if got := strings.Fields(rest); len(got) < 2 || got[0] != want || got[1] != want {
			t.Errorf("%s: want %s, got\n%s", name, want, r.output.String())
		}
	}
}

// TestResourcesAreBoundedAsFarAsTheyCan: more than the kernel takes is said, and
// the program runs.
func TestResourcesAreBoundedAsFarAsTheyCan(t *testing.T) {
	supervise(t, "show its limits", "LimitNOFILE=4000000000\nWatchdogSec=60\n").awaits(t,
		"LimitNOFILE: this machine allows ", ", not 4000000000\n", "that is all\n")
}

// TestTextIsNotAProgram: not even for the shell that a watchdog takes.
func TestTextIsNotAProgram(t *testing.T) {
	for _, lines := range []string{"", "WatchdogSec=60\n"} {
		root := t.TempDir()
		if err := os.WriteFile(filepath.Join(root, "app"), []byte("echo hello\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		r := superviseIn(t, root, "", lines)
		if err := r.starts(t); err == nil || !strings.Contains(err.Error(), exitCode) {
			t.Errorf("got %v", err)
		}
		r.awaits(t, "Failed at step EXEC spawning /app: exec format error")
	}
}

// newMachine boots a machine with this user data, until the test ends.
func newMachine(t *testing.T, userData string) (m *Machine, output *lockedBuffer, err error) {
	t.Helper()
	output = &lockedBuffer{}
	m = &Machine{
		Instance: emulator.Instance{ID: "i-1", Type: "m7g.medium", UserData: userData},
		Addr:     "127.0.0.1:12345", root: t.TempDir(), settings: []string{"HERE=local", "PORT=1"},
	}
	m.output = io.MultiWriter(&m.lines, output)
	m.log = log.New(m.output, "i-1 ", log.Lmsgprefix)
	ctx, cancel := context.WithCancel(t.Context())
	m.cancel = cancel
	t.Cleanup(m.Stop)
	return m, output, m.boot(ctx, "http://metadata")
}

// TestSettingsReachTheProgramAsTheyAre through the script, the file and systemd's
// reading of it.
func TestSettingsReachTheProgramAsTheyAre(t *testing.T) {
	want := map[string]string{"LISTEN": "127.0.0.1:12345", "PORT": "12345", "HERE": "local"}
	lines := []string{`LISTEN=":8080"`, `PORT="8080"`, `HERE="aws"`}
	for i, value := range []string{
		"", "END", "a b", "  both ends  ", `a "b" 'c'`, `\`, `\\`, `a\`, `\"`, "$HOME ${HOME} $(id) `id`", "%i %%", "# ; =", `{"a": "b\n"}`, "日本 é",
	} {
		name := fmt.Sprintf("VALUE_%d", i)
		line, err := envfile.Line(name, value)
		if err != nil {
			t.Fatal(err)
		}
		want[name] = value
		lines = append(lines, line)
	}
	m, output, err := newMachine(t, `set -e
mkdir -p /etc/archipelago
cat >/etc/archipelago/app.env <<'END'
`+strings.Join(lines, "\n")+`
END
cat >/usr/local/bin/app <<'END'
#!/bin/sh
touch "$TMPDIR/mine"
env -0 >env.new && mv env.new env
exec sleep 100
END
chmod 0755 /usr/local/bin/app
cat >/etc/systemd/system/app.service <<'END'
[Service]
Type=exec
EnvironmentFile=/etc/archipelago/app.env
Environment=TMPDIR=/var/tmp
PrivateTmp=true
ExecStart=/usr/local/bin/app
StateDirectory=app
WorkingDirectory=/var/lib/app
END
systemctl enable --now app.service
`)
	if err != nil {
		t.Fatalf("%v\n%s", err, output.String())
	}
	var b []byte
	for deadline := time.Now().Add(20 * time.Second); len(b) == 0; time.Sleep(10 * time.Millisecond) {
		b, _ = os.ReadFile(filepath.Join(m.root, "var/lib/app/env"))
		if time.Now().After(deadline) {
			t.Fatalf("the program wrote nothing:\n%s", output.String())
		}
	}
	got := map[string]string{}
	for variable := range strings.SplitSeq(strings.TrimSuffix(string(b), "\x00"), "\x00") {
		name, value, _ := strings.Cut(variable, "=")
		got[name] = value
	}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %q, want %q", name, got[name], value)
		}
	}
	if _, err := os.Stat(filepath.Join(m.root, "var/tmp/mine")); err != nil {
		t.Errorf("what the program wrote to TMPDIR is not its own: %v", err)
	}
}

// app is user data with a unit of these lines, whose program sleeps.
func app(lines, systemctl string) string {
	return "set -e\ncat >/usr/local/bin/app <<'END'\n#!/bin/sh\necho says this\nexec sleep 100\nEND\nchmod 0755 /usr/local/bin/app\n" +
		"cat >/etc/systemd/system/app.service <<'END'\n[Service]\nExecStart=/usr/local/bin/app\n" + lines + "END\n" + systemctl + "\nmkdir -p /after\n"
}

// TestBootWaitsForTheUnit unless it is told not to.
func TestBootWaitsForTheUnit(t *testing.T) {
	const never = "Type=notify\nTimeoutStartSec=0.1\n"
	_, output, err := newMachine(t, app(never, "systemctl enable --now app.service"))
	if err == nil || !strings.Contains(output.String(), "systemctl enable --now app.service: the start of app.service failed with result 'timeout'") {
		t.Errorf("got %v\n%s", err, output.String())
	}
	m, output, err := newMachine(t, app(never, "systemctl enable --now --no-block app.service"))
	if _, missing := os.Stat(filepath.Join(m.root, "after")); err != nil || missing != nil {
		t.Errorf("the boot waits for the unit: %v, %v\n%s", err, missing, output.String())
	}
}

func TestBootFailsWithADirectiveThatIsNotPlayed(t *testing.T) {
	m, _, err := newMachine(t, app("Foo=1\nUser=me\n", "systemctl enable --now --no-block app.service"))
	said := strings.Join(m.LastLines(), "\n")
	if err == nil || !strings.Contains(said, "the local cloud does not play Foo=:") || !strings.Contains(said, "does not play User=:") {
		t.Errorf("got %v and %s", err, said)
	}
}

func TestLastLinesAreKept(t *testing.T) {
	var l lines
	fmt.Fprint(&l, "one\ntw")
	fmt.Fprint(&l, "o\r\nthr")
	if got := l.get(); !slices.Equal(got, []string{"one", "two", "thr"}) {
		t.Errorf("got %q", got)
	}
	fmt.Fprint(&l, "ee\n"+strings.Repeat("x", 2*keptLine)+"\n")
	for i := range keptLines - 1 {
		fmt.Fprintln(&l, i)
	}
	if got := l.get(); len(got) != keptLines || len(got[0]) != keptLine || got[keptLines-1] != fmt.Sprint(keptLines-2) {
		t.Errorf("got %d lines: %.100q", len(got), got)
	}
}
