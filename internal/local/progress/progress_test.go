package progress

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// timed remembers when it was written to.
type timed struct {
	mu    sync.Mutex
	text  bytes.Buffer
	times []time.Time
}

func (w *timed) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.times = append(w.times, time.Now())
	return w.text.Write(b)
}

// TestNeverSilentForMoreThanFiveSeconds: in a log, whatever runs however long.
func TestNeverSilentForMoreThanFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &timed{}
		p := New(out)
		start := time.Now()
		var tail Tail
		var all sync.WaitGroup
		all.Go(func() {
			_ = p.Run("deploy the stacks", tail.Last, func() error {
				time.Sleep(30 * time.Second)
				_, _ = tail.Write([]byte("archipelago-global | 3/41 | 3:33:13 PM | CREATE_COMPLETE      | AWS::EC2::VPC | Network/Vpc (NetworkVpc7FB7348F)\npart"))
				time.Sleep(70 * time.Second)
				return nil
			})
		})
		synctest.Wait() // it is the first
		all.Go(func() {
			_ = p.Run("fetch", nil, func() error { time.Sleep(33 * time.Second); return errors.New("no network") })
		})
		all.Wait()
		end := time.Now()
		last := start
		for _, at := range append(out.times, end) {
			if at.Sub(last) > 5*time.Second {
				t.Errorf("silent for %s after %s", at.Sub(last), last.Sub(start))
			}
			last = at
		}
		text := out.text.String()
		for _, want := range []string{
			"  … deploy the stacks, 4 s · fetch, 4 s\n",
			"  … deploy the stacks, 32 s: archipelago-global 3/41 AWS::EC2::VPC Network/Vpc · fetch, 32 s\n",
			"  deploy the stacks              100.0 s\n",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("the log lacks %q:\n%s", want, text)
			}
		}
		if strings.Contains(text, "  fetch ") || regexp.MustCompile(`[\x00-\x09\x0b-\x1f]`).MatchString(text) {
			t.Errorf("the log says that a step that failed was done, or has control characters:\n%q", text)
		}
	})
}

// TestSilenceBeforeCounts: that of the process before this one.
func TestSilenceBeforeCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &timed{}
		p := New(out)
		start := time.Now()
		p.SilentFor(3 * time.Second)
		_ = p.RunQuietly("look", nil, func() error { time.Sleep(3 * time.Second); return nil })
		if len(out.times) == 0 || out.times[0].Sub(start) > 2*time.Second {
			t.Errorf("lines at %v after three silent seconds at %s, want one within two", out.times, start)
		}
	})
}

// TestLinesStandAboveTheCurrentOne: on a terminal of 40 columns.
func TestLinesStandAboveTheCurrentOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := New(&out)
		p.width = func() int { return 40 }
		_ = p.Run("deploy the stacks", func() string { return "archipelago-region-eu-west-1\x1b[2J 3/41 AWS::EC2::VPC" }, func() error {
			time.Sleep(700 * time.Millisecond)
			p.Printf("eu-west-1: 2 instances launched")
			time.Sleep(400 * time.Millisecond)
			return nil
		})
		const current = "  … deploy the stacks, 1 s: archipelag…"
		want := current + "\r\x1b[Keu-west-1: 2 instances launched\n" + current + "\r\x1b[K" + current + "\r\x1b[K  deploy the stacks                1.1 s\n"
		if got := strings.ReplaceAll(out.String(), ", 0 s", ", 1 s"); got != want {
			t.Errorf("got\n%q, want\n%q", got, want)
		}
		if strings.Contains(out.String(), "[2J") {
			t.Error("a program's control characters reach the terminal")
		}
	})
}

func TestCompilingIsSeen(t *testing.T) {
	file := filepath.Join(t.TempDir(), "args123")
	if err := os.WriteFile(file, []byte("-o\n$WORK/b002/_pkg_.a\n-p\ngithub.com/aws/aws-cdk-go/awscdk/v2\n-c=2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"/usr/local/go/pkg/tool/linux_amd64/compile -o $WORK/b002/_pkg_.a -trimpath $WORK -p net/http -std": "compiling net/http",
		"/usr/local/go/pkg/tool/linux_amd64/link -o $WORK/b001/exe/a.out $WORK/b001/_pkg_.a":                "linking",
		"/usr/local/go/pkg/tool/linux_amd64/compile -V=full":                                                "",
		"/tool/compile @" + file:                "compiling github.com/aws/aws-cdk-go/awscdk/v2",
		"/tool/compile @" + file + ".has-ended": "",
		"node cdk":                              "",
	} {
		if got := toolDoes(strings.Fields(line)); got != want {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
}

// TestCompilerOfAGroupIsFound starts a process with the compiler's name and
// arguments behind a shell.
func TestCompilerOfAGroupIsFound(t *testing.T) {
	compiler := filepath.Join(t.TempDir(), "compile")
	if err := os.Symlink("/bin/sh", compiler); err != nil {
		t.Fatal(err)
	}
	shell := exec.Command("sh", "-c", compiler+" -c 'read end; true' -p net/http; true")
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := shell.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); Compiling(shell.Process.Pid) != "compiling net/http"; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("got %q", Compiling(shell.Process.Pid))
		}
	}
	stdin.Close()
	_ = shell.Wait() // it has ended
	if got := Compiling(shell.Process.Pid); got != "" {
		t.Errorf("got %q when it has ended", got)
	}
}
