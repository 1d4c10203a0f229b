// Package emulatortest gives tests an AWS emulator.
package emulatortest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// ReplicationDelay is how long an object takes to another region in the shared
// emulator: as long as nobody advances its clock it is not there.
const ReplicationDelay = time.Hour

// shared ends with the test binary.
var shared = sync.OnceValues(func() (*emulator.Server, error) {
	return emulator.Start(context.Background(), emulator.Options{ReplicationDelay: ReplicationDelay})
})

// Shared returns the emulator that the tests of a package share, at pace 1: it takes
// seconds to start. Whatever a test makes in it has a name of its own, and whatever
// it switches it switches back.
func Shared(t testing.TB) emulator.Control {
	t.Helper()
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return emulator.Control{URL: s.URL}
}

// Start returns an emulator of the test's own.
func Start(t testing.TB, o emulator.Options) emulator.Control {
	t.Helper()
	s, err := emulator.Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return emulator.Control{URL: s.URL}
}

// SetPace has the clock run at pace k until the test ends, and then at 1 again.
func SetPace(t testing.TB, c emulator.Control, k float64) {
	t.Helper()
	if err := c.SetPace(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.SetPace(context.Background(), 1); err != nil {
			t.Error(err)
		}
	})
}

// Advance jumps ahead.
func Advance(t testing.TB, c emulator.Control, d time.Duration) {
	t.Helper()
	if err := c.Advance(t.Context(), d); err != nil {
		t.Fatal(err)
	}
}

// Now is the emulator's time.
func Now(t testing.TB, c emulator.Control) time.Time {
	t.Helper()
	clock, err := c.Clock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return clock.Now
}

// Config is how an administrator's clients for a region are made.
func Config(c emulator.Control, region string) aws.Config {
	return aws.Config{
		Region: region, BaseEndpoint: &c.URL,
		Credentials: credentials.NewStaticCredentialsProvider(emulator.AccessKey, emulator.AccessKey, ""),
	}
}

// Query makes a call of a query API as an administrator: form has its action,
// version and parameters. Any answer but success is an error with its text.
func Query(t testing.TB, c emulator.Control, service, region string, form url.Values) ([]byte, error) {
	t.Helper()
	return call(t, c, service, region, http.MethodPost, "/", "application/x-www-form-urlencoded; charset=utf-8", form.Encode())
}

// Rest makes a call of a REST API as an administrator, with a body in JSON.
func Rest(t testing.TB, c emulator.Control, service, region, method, path, body string) ([]byte, error) {
	t.Helper()
	return call(t, c, service, region, method, path, "application/json", body)
}

func call(t testing.TB, c emulator.Control, service, region, method, path, contentType, body string) ([]byte, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	// The emulator reads the service and the region in it, and checks no more.
	req.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=emulator/20260101/%s/%s/aws4_request, SignedHeaders=host, Signature=none", region, service))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode < 200 || res.StatusCode >= 300 {
		return answer, fmt.Errorf("%s: %s", res.Status, answer)
	}
	return answer, nil
}

// Set has settings hold until the test ends.
func Set(t testing.TB, c emulator.Control, s emulator.Settings) {
	t.Helper()
	if err := c.Set(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Set(context.Background(), emulator.Settings{}); err != nil {
			t.Error(err)
		}
	})
}
