package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runIn runs the program with a data directory.
func runIn(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), args, environment(map[string]string{"DATA_DIR": dir}), &out)
	return out.String(), err
}

// TestBackupAndRestoreOfARunningService: what one service holds, another has.
func TestBackupAndRestoreOfARunningService(t *testing.T) {
	dir, there := t.TempDir(), t.TempDir()
	file := filepath.Join(t.TempDir(), "backup.tar")
	mustRunUser(t, dir, testPassword, "add", "ada", "--password-stdin")
	addresses := map[string]string{dir: freeAddress(t), there: freeAddress(t)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, len(addresses))
	for dir, address := range addresses {
		go func() {
			done <- run(ctx, nil, environment(map[string]string{"LISTEN": address, "DATA_DIR": dir}), io.Discard)
		}()
		awaitServing(t, address)
	}
	defer func() {
		cancel()
		for range addresses {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}()
	session := signIn(t, addresses[dir], "ada", testPassword)
	req, err := http.NewRequest(http.MethodPost, "http://"+addresses[dir]+"/api/employees", strings.NewReader(`{"fullName": "Ada", "location": "London", "jobTitle": "Analyst"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.AddCookie(session)
	res, err := http.DefaultClient.Do(req)
	if err != nil || res.StatusCode != http.StatusCreated {
		t.Fatalf("got %v, %v", res, err)
	}
	res.Body.Close()

	if out, err := runIn(t, dir, "backup", file); err != nil || !strings.Contains(out, "1 employees, 1 accounts and 0 pictures") {
		t.Fatalf("got %q, %v", out, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read the backup: %v, %v", info, err)
	}
	if out, err := runIn(t, there, "restore", file); err != nil || !strings.Contains(out, "1 employees, 1 accounts") {
		t.Fatalf("got %q, %v", out, err)
	}
	res, err = http.Get("http://" + addresses[there] + "/api/employees")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || !strings.Contains(string(body), `"fullName":"Ada"`) {
		t.Errorf("the other service has %s, %v", body, err)
	}
	if signIn(t, addresses[there], "ada", testPassword) == nil {
		t.Error("the account does not sign in there")
	}
	if _, err := runIn(t, there, "restore", file); err == nil || !strings.Contains(err.Error(), "--replace") {
		t.Errorf("a second restore: %v, want the flag to add", err)
	}
	if _, err := runIn(t, there, "restore", "--replace", file); err != nil {
		t.Error(err)
	}
}

func TestBackupsThatAreRefused(t *testing.T) {
	dir := t.TempDir()
	mustRunUser(t, dir, testPassword, "add", "ada", "--password-stdin")
	taken := filepath.Join(t.TempDir(), "taken")
	if err := os.WriteFile(taken, []byte("no backup"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"want one file, got []":           {"backup"},
		"want a file that does not exist": {"backup", taken},
		"there is no store in":            {"backup", "--data", t.TempDir(), taken + ".tar"},
		"nothing was restored":            {"restore", "--replace", taken},
		"no such file":                    {"restore", taken + ".tar"},
		"EMPLOYEES_TABLE: want none":      {"backup", "--employees-table", "x", taken + ".tar"},
		"EMPLOYEES_TABLE: want a value":   {"backup", "--photos-bucket", "x", taken + ".tar"},
		"not a directory":                 {"backup", taken + "/backup.tar"},
	} {
		if _, err := runIn(t, dir, args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", args, err, want)
		}
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(taken), ".backup-*")); err != nil || len(left) > 0 {
		t.Errorf("%q is left, %v", left, err)
	}
	for _, verb := range []string{"backup", "restore"} {
		if out, err := runIn(t, dir, verb, "--help"); err != nil || !strings.Contains(out, "Usage: directory "+verb) {
			t.Errorf("%s --help: %q, %v", verb, out, err)
		}
	}
}
