package lambda

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// TestMain is also the function that the tests run: this binary, when its
// environment says so.
func TestMain(m *testing.M) {
	if os.Getenv("PLAY_THE_FUNCTION") == "" {
		os.Exit(m.Run())
	}
	lambda.Start(func(ctx context.Context, request struct{ Do string }) (map[string]string, error) {
		switch request.Do {
		case "fail":
			return nil, errors.New("as it was told")
		case "crash":
			os.Exit(3)
		case "hang":
			select {}
		case "dawdle":
			time.Sleep(3 * time.Second) // twice is longer than the limit
		}
		deadline, _ := ctx.Deadline()
		return map[string]string{
			"region": os.Getenv("AWS_REGION"), "endpoint": os.Getenv("AWS_ENDPOINT_URL"), "color": os.Getenv("COLOR"),
			"handler": os.Getenv("_HANDLER"), "user": strconv.Itoa(os.Getuid()), "key": os.Getenv("AWS_ACCESS_KEY_ID"), "left": time.Until(deadline).Round(time.Second).String(),
		}, nil
	})
}

// output takes what functions print.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

// program is this binary, as a deployment package has it: where it is, another
// user may not reach it.
func program(t *testing.T) []byte {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(executable)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// deploy starts a function whose code is in the emulator, as a deployment left it.
func deploy(t *testing.T, code []byte) (*Function, string) {
	t.Helper()
	control := emulatortest.Shared(t)
	client := s3.NewFromConfig(emulatortest.Config(control, "us-east-1"), func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("assets")}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("assets"), Key: aws.String("code.zip"), Body: bytes.NewReader(code),
	}); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "lambda") // t.TempDir's parent is for its owner alone
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	out := &output{}
	f, err := Start(emulator.Function{
		ARN: "arn:aws:lambda:us-east-1:123456789012:function:painter", Name: "painter", Region: "us-east-1",
		Role: "arn:aws:iam::123456789012:role/painter", Handler: "bootstrap", Timeout: 5, Memory: 128,
		Environment: map[string]string{"PLAY_THE_FUNCTION": "yes", "COLOR": "blue"},
		Bucket:      "assets", Key: "code.zip",
	}, control.URL, dir, out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.Stop()
		if _, err := os.Stat(f.root); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the function's folder is left: %v", err)
		}
		if t.Failed() {
			t.Log(out.b.String())
		}
	})
	return f, control.URL
}

func archive(t *testing.T, mode fs.FileMode, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, content := range files {
		header := &zip.FileHeader{Name: name}
		header.SetMode(mode)
		file, err := w.CreateHeader(header)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(file, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestFunction(t *testing.T) {
	f, url := deploy(t, archive(t, 0o755, map[string]string{"bootstrap": string(program(t))}))
	invoke := func(do string) (map[string]string, error) {
		t.Helper()
		answer, err := f.Invoke(t.Context(), fmt.Appendf(nil, `{"Do": %q}`, do))
		if err != nil {
			return nil, err
		}
		var got map[string]string
		return got, json.Unmarshal(answer, &got)
	}
	works := func() {
		t.Helper()
		got, err := invoke("work")
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"region": "us-east-1", "endpoint": url, "color": "blue", "handler": "bootstrap"} {
			if got[name] != want {
				t.Errorf("%s: got %q, want %q", name, got[name], want)
			}
		}
		if user := strconv.Itoa(os.Getuid()); got["user"] == "0" || user != "0" && got["user"] != user {
			t.Errorf("user %s runs it as user %s, want the same or, of root, another one", user, got["user"])
		}
		if got["key"] == "" || got["key"] == "emulator" {
			t.Errorf("its credentials are %q, want its role's", got["key"])
		}
		if left, err := time.ParseDuration(got["left"]); err != nil || left <= 0 || left > 5*time.Second {
			t.Errorf("it has %q left, want some of 5 s", got["left"])
		}
	}
	works()
	if _, err := invoke("fail"); err == nil || !strings.Contains(err.Error(), "as it was told") {
		t.Errorf("a function that fails: got %v", err)
	}
	works()
	if _, err := invoke("crash"); err == nil || !strings.Contains(err.Error(), "ended before it answered: exit status 3") {
		t.Errorf("a function that ends: got %v", err)
	}
	works()
	f.Timeout = 1
	if _, err := invoke("hang"); !errors.Is(err, ErrTimedOut) {
		t.Errorf("a function that hangs: got %v", err)
	}
	f.Timeout = 5
	works()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := f.Invoke(ctx, []byte(`{"Do": "hang"}`)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an event whose caller leaves: got %v", err)
	}
	works() // meanwhile, in another environment
}

// A function handles events at once, and each has its time limit for itself.
func TestEventsAtOnce(t *testing.T) {
	f, _ := deploy(t, archive(t, 0o755, map[string]string{"bootstrap": string(program(t))}))
	f.Timeout = 5
	var all sync.WaitGroup
	for range 2 * maxEnvironments {
		all.Go(func() {
			if _, err := f.Invoke(t.Context(), []byte(`{"Do": "dawdle"}`)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// TestReservedConcurrency: events wait where a function may handle only one.
func TestReservedConcurrency(t *testing.T) {
	f, _ := deploy(t, archive(t, 0o755, map[string]string{"bootstrap": string(program(t))}))
	f.Concurrency = 1
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if _, err := f.Invoke(t.Context(), []byte(`{"Do": "work"}`)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if f.environments != 1 {
		t.Errorf("it has %d environments, want 1", f.environments)
	}
}

func TestCodeStaysInItsFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "code")
	if err := unpack(archive(t, 0o755, map[string]string{"../evil": "x"}), dir); err == nil || !strings.Contains(err.Error(), "leaves the function's folder") {
		t.Errorf("got %v", err)
	}
	if err := unpack(archive(t, 0o755, map[string]string{"a/b": "x"}), dir); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "a/b")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("got %v, %v; want a program", info, err)
	}
}

// TestPackageForItsOwnerIsRefused: Lambda runs functions as another user. What
// can is unpacked with its modes, whatever the umask.
func TestPackageForItsOwnerIsRefused(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	for mode, want := range map[fs.FileMode][]string{
		0o755: nil,
		0o555: nil,
		0o644: {"bootstrap has the mode 0644", "want 0755"},
		0o750: {"bootstrap has the mode 0750", "data has the mode 0750", "want 0644"},
		0o700: {"bootstrap has the mode 0700", "data has the mode 0700"},
	} {
		dir := filepath.Join(t.TempDir(), "code")
		err := unpack(archive(t, mode, map[string]string{"bootstrap": "x", "data": "x"}), dir)
		if len(want) > 0 && !errors.Is(err, errRefused) {
			t.Errorf("%o: got %v, want a refusal", mode, err)
		}
		for _, text := range want {
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%o: got %v, want %q", mode, err, text)
			}
		}
		if len(want) > 0 {
			continue
		}
		if err != nil {
			t.Errorf("%o: %v", mode, err)
		}
		for path, want := range map[string]fs.FileMode{".": 0o755, "bootstrap": mode, "data": mode} {
			if info, err := os.Stat(filepath.Join(dir, path)); err != nil || info.Mode().Perm() != want {
				t.Errorf("%o: %s is %v, %v; want %o", mode, path, info.Mode(), err, want)
			}
		}
	}
}

// TestRefusedFunctionSaysWhy, also to who invokes it.
func TestRefusedFunctionSaysWhy(t *testing.T) {
	f, _ := deploy(t, archive(t, 0o700, map[string]string{"bootstrap": "x"}))
	for deadline := time.Now().Add(10 * time.Second); f.Refused() == nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it is not refused")
		}
	}
	_, err := f.Invoke(t.Context(), []byte("{}"))
	for _, err := range []error{f.Refused(), err} {
		if err == nil || !strings.Contains(err.Error(), "bootstrap has the mode 0700") {
			t.Errorf("got %v, want the mode", err)
		}
	}
}
