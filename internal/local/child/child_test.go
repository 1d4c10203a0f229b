package child_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/child"
)

func TestRunReturnsTheResult(t *testing.T) {
	if err := <-child.Run(t.Context(), exec.Command("true"), time.Second); err != nil {
		t.Errorf("true: %v", err)
	}
	var exit *exec.ExitError
	if err := <-child.Run(t.Context(), exec.Command("sh", "-c", "exit 3"), time.Second); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("exit 3: %v", err)
	}
	if err := <-child.Run(t.Context(), exec.Command("/nowhere"), time.Second); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such program: %v", err)
	}
}

func TestContextTerminatesThenKills(t *testing.T) {
	for script, want := range map[string]string{
		"trap 'echo asked; exit' TERM; echo up; while :; do sleep 0.05; done": "up\nasked\n",
		"trap 'echo asked' TERM; echo up; while :; do sleep 0.05; done":       "up\nasked\n",
	} {
		ctx, cancel := context.WithCancel(t.Context())
		out, in := io.Pipe()
		cmd := exec.Command("sh", "-c", script)
		cmd.Stdout = in
		done := child.Run(ctx, cmd, 500*time.Millisecond)
		got := make([]byte, len("up\n"))
		if _, err := io.ReadFull(out, got); err != nil {
			t.Fatal(err)
		}
		rest := make(chan string)
		go func() {
			b, _ := io.ReadAll(out) // a pipe of this process never fails
			rest <- string(b)
		}()
		cancel()
		select {
		case err := <-done:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", script, err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: not ended", script)
		}
		in.Close()
		if text := string(got) + <-rest; !strings.HasPrefix(text, want) {
			t.Errorf("%s: got %q, want %q", script, text, want)
		}
	}
}
