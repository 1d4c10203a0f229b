package cloud

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
)

func TestLogsGrow(t *testing.T) {
	dir := t.TempDir()
	log, err := createLog(dir, emulator.Instance{ID: "i-1", Region: "eu-west-1"})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	write := func(text string) {
		if _, err := io.WriteString(log, text); err != nil {
			t.Fatal(err)
		}
	}
	for i := range logTail + 2 {
		write(fmt.Sprintf("line %d\n", i))
	}
	write("not ended")
	r := &logReader{path: filepath.Join(dir, "eu-west-1", "i-1.log"), first: true}
	var out bytes.Buffer
	if err := r.copy(&out); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); strings.Count(got, "\n") != logTail || !strings.HasPrefix(got, "i-1 line 2\n") || !strings.HasSuffix(got, fmt.Sprintf("i-1 line %d\n", logTail+1)) {
		t.Errorf("got %q, want the last %d lines", got, logTail)
	}
	out.Reset()
	write(" yet\nthe next\n")
	if err := r.copy(&out); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "i-1 not ended yet\ni-1 the next\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
