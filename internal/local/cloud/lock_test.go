package cloud

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestOneAtATimeDeploys(t *testing.T) {
	dir := t.TempDir()
	unlock, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	err = Up(t.Context(), Options{Root: "../../..", Dir: dir, Out: &bytes.Buffer{}})
	if want := fmt.Sprintf("process %d builds and deploys in this clone: when it says that it is ready, run this again", os.Getpid()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	unlock()
	unlock() // of a start that was ready, when it ends
	again, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	again()
}
