package emulator_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
)

func TestStartAnswersAndStops(t *testing.T) {
	s, err := emulator.Start(t.Context(), emulator.Options{Pace: 10})
	if err != nil {
		t.Fatal(err)
	}
	if clock, err := (emulator.Control{URL: s.URL}).Clock(t.Context()); err != nil || clock.String() != "pace 10, no jump" {
		t.Errorf("got %s, %v; want pace 10", clock, err)
	}
	if got, err := (emulator.Control{URL: s.URL}).Accepted(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("got %v, %v; want nothing accepted", got, err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := http.Get(s.URL); err == nil {
		t.Error("the emulator still answers")
	}
}

func TestEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s, err := emulator.Start(ctx, emulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	select {
	case <-s.Done():
	case <-time.After(time.Minute):
		t.Error("the emulator did not end")
	}
}

func TestMissingPythonNamesTheNextStep(t *testing.T) {
	_, err := emulator.Start(t.Context(), emulator.Options{Python: "/nowhere/python3"})
	if err == nil || !strings.Contains(err.Error(), "make setup") {
		t.Errorf("got %v, want the next step", err)
	}
}
