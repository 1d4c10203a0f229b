package machine

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
)

// logBucket is an AWS that knows the service's binary, the role's credentials and a
// bucket of logs.
type logBucket struct {
	*httptest.Server
	mu      sync.Mutex
	refuses int               // how many puts it refuses before it takes one
	objects map[string]string // by key
}

func newLogBucket(t *testing.T, program string) *logBucket {
	b := &logBucket{objects: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /assets/app", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, program) })
	mux.HandleFunc("GET /assets/pulse", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, beatsOnce) })
	mux.HandleFunc("POST /", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>a</AccessKeyId><SecretAccessKey>b</SecretAccessKey><SessionToken>c</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
			time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	})
	mux.HandleFunc("PUT /logs/{key...}", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.refuses > 0 {
			b.refuses--
			http.Error(w, "<Error><Code>AccessDenied</Code></Error>", http.StatusForbidden)
			return
		}
		b.objects[r.PathValue("key")] = string(body)
	})
	b.Server = httptest.NewServer(mux)
	t.Cleanup(b.Close)
	return b
}

// text is what all objects hold, in the order of their keys.
func (b *logBucket) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var keys []string
	for key := range b.objects {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	text := ""
	for _, key := range keys {
		text += b.objects[key]
	}
	return text
}

// starts boots a machine with the fleet's user data, changed, whose journal is put at
// once and not each minute.
func (b *logBucket) starts(t *testing.T, change ...string) (m *Machine, output *lockedBuffer) {
	t.Helper()
	script, _, _ := strings.Cut(fleetsUserData(t), "# What may wait until the service answers")
	script = strings.Replace(script, "sleep 60", "sleep 0", 1)
	changed := strings.NewReplacer(change...).Replace(script)
	if len(change) > 0 && changed == script {
		t.Fatalf("%q changes nothing of\n%s", change, script)
	}
	dir, err := os.MkdirTemp("", "machine") // t.TempDir's parent is for its owner alone
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	output = &lockedBuffer{}
	m, err = Start(t.Context(), emulator.Instance{
		ID: "i-1", Region: "eu-west-1", Type: "m7g.medium", Role: "arn:aws:iam::123456789012:role/app", UserData: changed,
	}, Options{URL: b.URL, Dir: dir, Output: output})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Stop(); _ = os.RemoveAll(dir) })
	return m, output
}

// awaits waits until the bucket holds a text.
func (b *logBucket) awaits(t *testing.T, want string, output *lockedBuffer) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(b.text(), want); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("want %q in\n%s\nit printed\n%s", want, b.text(), output.String())
		}
	}
}

const talks = `#!/bin/sh
trap 'sleep 0.3; echo the last words; exit' TERM
echo it serves
while :; do sleep 0.05; done
`

// beatsOnce is a pulse that ends.
const beatsOnce = "#!/bin/sh\necho it beats\n"

// TestPulseIsNotTheService: what it prints is in the journal, and its starts are not the
// service's.
func TestPulseIsNotTheService(t *testing.T) {
	b := newLogBucket(t, talks)
	m, output := b.starts(t, "RestartSec=10", "RestartSec=0.2")
	b.awaits(t, "app-pulse.service: Scheduled restart job, restart counter is at 2.\n", output)
	if n := m.Restarts(); n != 0 {
		t.Errorf("the service was started again %d times", n)
	}
}

// TestProgramThatCannotBeFetchedEndsTheBoot, after sixty tries, and the log bucket says why.
func TestProgramThatCannotBeFetchedEndsTheBoot(t *testing.T) {
	b := newLogBucket(t, talks)
	_, output := b.starts(t, "s3://assets/app", "s3://assets/missing", "sleep 2", "sleep 0")
	b.awaits(t, "app cannot be fetched from s3://assets/missing: the boot ends\n", output)
}

// TestJournalGoesToTheBucket: every line once, those of the service's end too, and
// nothing where nothing is new.
func TestJournalGoesToTheBucket(t *testing.T) {
	b := newLogBucket(t, talks)
	m, output := b.starts(t, "systemctl enable --now --no-block app.service", "systemctl enable --now app.service\necho it has booted")
	b.awaits(t, "it serves\n", output)
	b.awaits(t, "it has booted\n", output)
	m.Stop()
	text := b.text()
	for _, want := range []string{"it serves\n", "it has booted\n", "the last words\n"} {
		if strings.Count(text, want) != 1 {
			t.Errorf("want %q once in\n%s\nit printed\n%s", want, text, output.String())
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, text := range b.objects {
		if text == "" || !strings.HasPrefix(key, "instances/app/"+time.Now().UTC().Format("2006-")) || !strings.HasSuffix(key, "Z-i-1.log") {
			t.Errorf("%s holds %q", key, text)
		}
	}
	if len(b.objects) > strings.Count(text, "\n") {
		t.Errorf("%d objects hold\n%s", len(b.objects), text)
	}
}

// TestJournalOfWhatFails goes to the bucket as well.
func TestJournalOfWhatFails(t *testing.T) {
	for want, test := range map[string]struct {
		program string
		change  []string
	}{
		"first boot failed: exit status 3":     {talks, []string{"chmod 0755 /usr/local/bin/app", "exit 3"}},
		"Failed at step EXEC spawning":         {"no program", nil},
		"app.service: Failed with result":      {"#!/bin/sh\nexit 2\n", nil},
		"it cannot reach its tables\n":         {"#!/bin/sh\necho it cannot reach its tables >&2\nexit 1\n", nil},
		"does not play Nice=: take it out of ": {talks, []string{"TimeoutStopSec=60", "Nice=5", "enable --now --no-block app.service", "enable --now app.service"}},
	} {
		b := newLogBucket(t, test.program)
		_, output := b.starts(t, test.change...)
		b.awaits(t, want, output)
	}
}

// TestJournalIsPutAgainWhereThatFailed: no line is lost.
func TestJournalIsPutAgainWhereThatFailed(t *testing.T) {
	b := newLogBucket(t, talks)
	b.refuses = 3
	_, output := b.starts(t)
	b.awaits(t, "it serves\n", output)
	if !strings.Contains(output.String(), "AccessDenied") {
		t.Errorf("nothing was refused:\n%s", output.String())
	}
}

// TestJournalIsItsGroups: as on AWS, nobody else reads it.
func TestJournalIsItsGroups(t *testing.T) {
	b := newLogBucket(t, talks)
	m, output := b.starts(t, "SupplementaryGroups=systemd-journal\n", "")
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(output.String(), "it serves"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(output.String())
		}
	}
	m.Stop()
	if text := b.text(); text != "" {
		t.Errorf("it put %q", text)
	}
}

// TestJournalKeepsTheLastLines: a cursor to one that is gone is one to the next.
func TestJournalKeepsTheLastLines(t *testing.T) {
	var j journal
	units := []string{"a.service"}
	out := j.of("a.service")
	for i := range 2*keptEntries + 1 {
		fmt.Fprintf(out, "line %d\n", i)
	}
	_, _ = io.WriteString(j.of("b.service"), "another's\n")
	text, next := j.since(5, units)
	if !strings.HasPrefix(text, fmt.Sprintf("line %d\n", keptEntries+1)) || strings.Contains(text, "another") || strings.Count(text, "\n") != keptEntries {
		t.Errorf("got %d lines of\n%.200s", strings.Count(text, "\n"), text)
	}
	_, _ = io.WriteString(out, "not ended")
	if text, again := j.since(next, units); text != "" || again != next {
		t.Errorf("then got %q, %d after %d", text, again, next)
	}
	_, _ = io.WriteString(out, " yet\n")
	if text, _ := j.since(next, units); text != "not ended yet\n" {
		t.Errorf("then got %q", text)
	}
}

func TestWhatIsNotPlayedOfScriptsIsRefused(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(root+"/a.sh", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for lines, want := range map[string]string{
		"ExecStart=/usr/bin/bash\n":                           "want the file of a script",
		"ExecStart=/usr/bin/bash /b.sh\n":                     "no such file",
		"ExecStart=/usr/bin/bash /a.sh\nDynamicUser=true\n":   "/a.sh has the mode 0600",
		"ExecStart=/usr/bin/bash /a.sh\nWatchdogSec=1\n":      "does not play WatchdogSec where the program is a script",
		"ExecStart=/usr/bin/bash /a.sh\nEnvironment=A=1\n":    "does not play Environment",
		"ExecStart=/usr/bin/bash /a.sh\nLimitNOFILE=1\n":      "does not play Limit…",
		"ExecStart=/a\nExecStopPost=/usr/bin/bash /b.sh\n":    "no such file",
		"ExecStart=/usr/bin/bash /a.sh\nRestart=always\n":     "",
		"ExecStart=/usr/bin/bash /a.sh once\nMemoryMax=64M\n": "",
	} {
		err := writeUnit(t, "[Service]\n"+lines).check(root)
		if err == nil {
			err = errors.New("")
		}
		if want == "" && err.Error() != "" || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", lines, err, want)
		}
	}
}
