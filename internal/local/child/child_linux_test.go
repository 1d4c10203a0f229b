package child_test

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/child"
)

// startsChild, set, makes this test binary a program that runs a child.
const startsChild = "CHILD_TEST_PIPE"

func TestMain(m *testing.M) {
	if pipe := os.Getenv(startsChild); pipe != "" {
		<-child.Run(context.Background(), exec.Command("sh", "-c", "exec cat <"+pipe+" >&2"), time.Second)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestKilledParentLeavesNothing: a pipe that the child reads has no reader any
// more once it is gone.
func TestKilledParentLeavesNothing(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if out, err := exec.Command("mkfifo", pipe).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), startsChild+"="+pipe)
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	writer, err := os.OpenFile(pipe, os.O_WRONLY, 0) // returns when the child reads
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // it was killed
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := io.WriteString(writer, "x"); err != nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the child still reads 5 s after its parent was killed")
		}
	}
}
