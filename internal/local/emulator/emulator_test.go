package emulator_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
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
	if got, err := (emulator.Control{URL: s.URL}).Resources(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("got %v, %v; want no resources", got, err)
	}
	if got, err := (emulator.Control{URL: s.URL}).InvokeCustomResources(t.Context(), "Create"); err != nil || len(got) != 0 {
		t.Errorf("got %v, %v; want no custom resource that failed", got, err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := http.Get(s.URL); err == nil {
		t.Error("the emulator still answers")
	}
}

// TestAnswersComeWithoutTheConnectionsEnd: of a call that is refused before its body came,
// and of one whose client waits to be asked for its body. Either once waited for its
// client to end, and the client for the end of the answer.
func TestAnswersComeWithoutTheConnectionsEnd(t *testing.T) {
	c := emulatortest.Start(t, emulator.Options{})
	if err := c.Set(t.Context(), emulator.Settings{Lost: []string{"us-east-2"}}); err != nil {
		t.Fatal(err)
	}
	for region, want := range map[string]int{"us-east-2": http.StatusServiceUnavailable, "eu-west-1": http.StatusOK} {
		for _, expect := range []string{"", "Expect: 100-continue\r\n"} {
			conn, err := net.Dial("tcp", strings.TrimPrefix(c.URL, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nAuthorization: AWS4-HMAC-SHA256 Credential=a/20260101/%s/dynamodb/aws4_request, SignedHeaders=host, Signature=0\r\n"+
				"X-Amz-Target: DynamoDB_20120810.ListTables\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 2\r\n%s\r\n", region, expect)
			answers := bufio.NewReader(conn)
			if expect != "" {
				if line, err := answers.Peek(len("HTTP/1.1 100")); err != nil || string(line) != "HTTP/1.1 100" {
					t.Fatalf("in %s, asked whether to go on: got %q, %v", region, line, err)
				}
			}
			time.Sleep(2 * time.Millisecond) // within the time that a server waits for the rest
			fmt.Fprint(conn, "{}")
			var res *http.Response
			for res == nil || res.StatusCode == http.StatusContinue {
				if res, err = http.ReadResponse(answers, nil); err != nil {
					t.Fatalf("in %s, %q: %v", region, expect, err)
				}
			}
			if _, err := io.ReadAll(res.Body); err != nil || res.StatusCode != want {
				t.Errorf("in %s, %q: got %d, %v; want %d, whole", region, expect, res.StatusCode, err, want)
			}
		}
	}
}

// TestConnectionsStayOpen: what follows an answer on its connection is the next one,
// whatever its method and its status.
func TestConnectionsStayOpen(t *testing.T) {
	c := emulatortest.Start(t, emulator.Options{})
	client := s3.NewFromConfig(emulatortest.Config(c, "us-east-1"), func(o *s3.Options) { o.UsePathStyle, o.HTTPClient = true, http.DefaultClient })
	bucket, key := aws.String("bucket"), aws.String("key")
	dials := 0
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
		if !i.Reused {
			dials++
		}
	}})
	_, made := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket})
	_, head := client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: bucket})
	_, missing := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: key})
	_, put := client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, Body: strings.NewReader("text")})
	_, deleted := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: key}) // 204
	if err := errors.Join(made, head, put, deleted); err != nil {
		t.Fatal(err)
	}
	if missing == nil {
		t.Error("the object is there before it was written")
	}
	for range 2 {
		req, err := http.NewRequestWithContext(ctx, http.MethodHead, c.URL+"/archipelago/clock", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.ContentLength <= 0 {
			t.Errorf("HEAD: got a length of %d, want that of the answer to GET", res.ContentLength)
		}
	}
	list, err := client.ListBuckets(ctx, &s3.ListBucketsInput{})
	if err != nil || len(list.Buckets) != 1 {
		t.Errorf("got %v, %v; want one bucket", list, err)
	}
	if dials != 1 {
		t.Errorf("got %d connections, want 1", dials)
	}
}

// TestUnreadBodyEndsTheConnection: a connection whose request's body cannot be read ends with
// the answer, since what is left of the body would be taken for the next request.
func TestUnreadBodyEndsTheConnection(t *testing.T) {
	c := emulatortest.Start(t, emulator.Options{})
	const next = "GET /archipelago/clock HTTP/1.1\r\nHost: localhost\r\n\r\n"
	for _, header := range []string{"Transfer-Encoding: chunked", "Content-Length: -5", "Content-Length: five"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(c.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		// No chunk begins so.
		fmt.Fprintf(conn, "PUT /bucket/key HTTP/1.1\r\nHost: localhost\r\n%s\r\n\r\nx\r\n%s", header, next)
		answer, err := io.ReadAll(conn)
		if n := strings.Count(string(answer), "HTTP/1.1 "); n != 1 || !strings.HasPrefix(string(answer), "HTTP/1.1 500 ") {
			t.Errorf("%s: got %d answers, %v, want 500 alone:\n%s", header, n, err, answer)
		}
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

// TestOtherMotoIsRefused: the plugin changes what only one version has.
func TestOtherMotoIsRefused(t *testing.T) {
	requirements, err := os.ReadFile("../../../requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	pinned := regexp.MustCompile(`(?m)^moto\[.*\]==(.*)$`).FindSubmatch(requirements)
	if pinned == nil {
		t.Fatal("requirements.txt pins no moto")
	}
	for name, test := range map[string]struct{ server, want string }{
		"another version": {"", "want moto " + string(pinned[1]) + ", which it changes, and there is 4.0.0: run `make setup`, which fetches it"},
		"no server":       {"raise ImportError('No module named flask')", "No module named flask: run `make setup`, which fetches it"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for path, content := range map[string]string{"__init__.py": "__version__ = '4.0.0'", "server.py": test.server} {
				path = filepath.Join(dir, "moto", path)
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			// PYTHONPATH of this process does not reach the emulator.
			python := filepath.Join(dir, "python")
			if err := os.WriteFile(python, []byte("#!/bin/sh\nPYTHONPATH="+dir+" exec \"${PYTHON:-python3}\" \"$@\"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			if _, err := emulator.Start(t.Context(), emulator.Options{Python: python}); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
