package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestTakenPortNamesTheNextStep(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = run(t.Context(), nil, environment(map[string]string{"LISTEN": l.Addr().String(), "DATA_DIR": t.TempDir()}), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "LISTEN=127.0.0.1:8081") {
		t.Errorf("got %v, want the next step", err)
	}
}

func TestDataDirThatCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := run(t.Context(), nil, environment(map[string]string{"LISTEN": "127.0.0.1:0", "DATA_DIR": file}), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "data directory") {
		t.Errorf("got %v, want what is wrong with the data directory", err)
	}
}

// TestDrain ends the program while a request is in flight: the request is
// answered, and run returns after it.
func TestDrain(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	address, dir := freeAddress(t), t.TempDir()
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, nil, environment(map[string]string{"LISTEN": address, "DATA_DIR": dir}), io.Discard)
	}()
	awaitServing(t, address)
	mustRunUser(t, dir, testPassword, "add", "ada", "--password-stdin")
	session := signIn(t, address, "ada", testPassword)

	body, slowly := io.Pipe()
	answered := make(chan *http.Response, 1)
	go func() {
		req, err := http.NewRequest(http.MethodPost, "http://"+address+"/api/employees", body)
		if err != nil {
			t.Error(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.AddCookie(session)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Error(err)
		}
		answered <- res
	}()
	if _, err := io.WriteString(slowly, `{"fullName": "Ada", `); err != nil {
		t.Fatal(err)
	}
	cancel()
	time.Sleep(lameDuck + 200*time.Millisecond)
	select {
	case err := <-done:
		t.Fatalf("run returned with a request in flight: %v", err)
	default:
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			break
		}
		conn.Close()
		if time.Now().After(deadline) {
			t.Fatal("new connections are taken")
		}
	}
	if _, err := io.WriteString(slowly, `"location": "London", "jobTitle": "Analyst"}`); err != nil {
		t.Fatal(err)
	}
	slowly.Close()
	if res := <-answered; res == nil || res.StatusCode != http.StatusCreated {
		t.Errorf("got %+v, want the employee created", res)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestSystemdIsToldWhatHappens runs the program as a unit of Type=notify with
// a watchdog.
func TestSystemdIsToldWhatHappens(t *testing.T) {
	said := systemd(t)
	t.Setenv("WATCHDOG_USEC", "60000000")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, nil, environment(map[string]string{"LISTEN": "127.0.0.1:0", "DATA_DIR": t.TempDir()}), io.Discard)
	}()
	for _, want := range []string{"READY=1", "WATCHDOG=1"} {
		if got := hear(t, said); got != want {
			t.Errorf("systemd is told %q, want %q", got, want)
		}
	}
	cancel()
	if got := hear(t, said); got != "STOPPING=1" {
		t.Errorf("systemd is told %q, want that the service ends", got)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestTheUnitWaitsForTheDrain: systemd must not kill what still answers.
func TestTheUnitWaitsForTheDrain(t *testing.T) {
	unit, err := os.ReadFile("../../constructs/fleet/userdata.sh")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(unit), "TimeoutStopSec=")
	seconds, err := strconv.Atoi(strings.SplitN(after, "\n", 2)[0])
	if err != nil {
		t.Fatal(err)
	}
	if waits := time.Duration(seconds) * time.Second; waits < lameDuck+drainWithin+5*time.Second {
		t.Errorf("the unit waits %s, the service takes up to %s", waits, lameDuck+drainWithin)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func awaitServing(t *testing.T, address string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if res, err := http.Get("http://" + address + "/livez"); err == nil {
			res.Body.Close()
			return
		}
	}
	t.Fatal("the program does not serve")
}
