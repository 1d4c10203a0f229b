package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func environment(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

func TestEveryWrongSettingIsNamedAtOnce(t *testing.T) {
	err := run(t.Context(), []string{"surplus"}, environment(map[string]string{
		"LISTEN": "8080", "EMPLOYEES_TABLE": "employees", "ALLOW_CLEARTEXT": "maybe",
	}), io.Discard)
	if err == nil {
		t.Fatal("the settings were accepted")
	}
	for _, want := range []string{`"surplus"`, "LISTEN: want an address", "PHOTOS_BUCKET: want a value", "AWS_REGION: want a value", "ALLOW_CLEARTEXT: want true or false"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
}

func TestHelpAndVersion(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"--help"}, environment(nil), &out); err != nil || !strings.Contains(out.String(), "[PHOTOS_BUCKET]") {
		t.Errorf("--help printed %q, %v", out.String(), err)
	}
	out.Reset()
	if err := run(t.Context(), []string{"--version"}, environment(nil), &out); err != nil || out.String() != version+"\n" {
		t.Errorf("--version printed %q, %v", out.String(), err)
	}
}

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
	address := freeAddress(t)
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, nil, environment(map[string]string{"LISTEN": address, "DATA_DIR": t.TempDir()}), io.Discard)
	}()
	awaitServing(t, address)

	body, slowly := io.Pipe()
	answered := make(chan *http.Response, 1)
	go func() {
		res, err := http.Post("http://"+address+"/api/employees", "application/json", body)
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
	if _, err := net.DialTimeout("tcp", address, time.Second); err == nil {
		t.Error("new connections are taken")
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
	for range 100 {
		if res, err := http.Get("http://" + address + "/livez"); err == nil {
			res.Body.Close()
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("the program does not serve")
}

// TestBuildIsReproducible builds as the Makefile does, from two folders. An
// unchanged service must be the same bytes, or every deployment would replace
// every instance.
func TestBuildIsReproducible(t *testing.T) {
	copied := t.TempDir()
	source := filepath.Join(copied, "elsewhere")
	for _, name := range []string{"go.mod", "go.sum", "Makefile", "cmd/directory", "service"} {
		from, to := filepath.Join("../..", name), filepath.Join(source, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(from); err != nil {
			t.Fatal(err)
		} else if info.IsDir() {
			err = os.CopyFS(to, os.DirFS(from))
			if err != nil {
				t.Fatal(err)
			}
			continue
		}
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	here := build(t, "../..", filepath.Join(copied, "a"))
	there := build(t, source, filepath.Join(copied, "b"))
	for arch, sum := range here {
		if there[arch] != sum {
			t.Errorf("two builds for %s differ", arch)
		}
	}
}

// build makes the binaries of a checkout in dist and returns their hashes.
func build(t *testing.T, checkout, dist string) map[string][32]byte {
	t.Helper()
	cmd := exec.Command("make", "--silent", "-C", checkout, "dist", "DIST="+dist)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	sums := map[string][32]byte{}
	for _, arch := range []string{"arm64", "amd64"} {
		b, err := os.ReadFile(filepath.Join(dist, "directory.linux-"+arch))
		if err != nil {
			t.Fatal(err)
		}
		sums[arch] = sha256.Sum256(b)
	}
	return sums
}
