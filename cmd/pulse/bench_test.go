package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/pulse"
	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// newHeartOverTLS beats by the SDK's clients and over TLS, in a fleet of twenty.
func newHeartOverTLS(tb testing.TB, keepAlives bool) *heart {
	tb.Helper()
	var beats []string
	for i := range 20 {
		beats = append(beats, fmt.Sprintf(`"i-%017d": {"S": "%d 3"}`, i, time.Now().Unix()))
	}
	item := `{"Item": {"pk": {"S": "pulse#eu-west-1"}, "sk": {"S": "pulse"}, ` + strings.Join(beats, ", ") + `}}`
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch _, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); action {
		case "GetItem":
			w.Header().Set("Content-Type", "application/x-amz-json-1.0")
			_, _ = io.WriteString(w, item)
		case "UpdateItem":
			w.Header().Set("Content-Type", "application/x-amz-json-1.0")
			_, _ = io.WriteString(w, "{}")
		default:
			_, _ = io.WriteString(w, "eu-west-1")
		}
	}))
	tb.Cleanup(server.Close)
	client := server.Client()
	client.Transport.(*http.Transport).DisableKeepAlives = !keepAlives
	stores, err := setting.ParseWatched(watched)
	if err != nil {
		tb.Fatal(err)
	}
	table, _ := setting.PulseTable(stores)
	settings := aws.Config{
		Region: "eu-west-1", BaseEndpoint: &server.URL, HTTPClient: client,
		Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
	}
	return &heart{
		tables: dynamodb.NewFromConfig(settings),
		buckets: s3.NewFromConfig(settings, func(o *s3.Options) {
			o.UsePathStyle, o.DisableLogOutputChecksumValidationSkipped = true, true
		}),
		stores: stores, table: table, region: "eu-west-1", instance: "i-00000000000000007", now: time.Now,
	}
}

// cpu is the CPU time that this process has had.
func cpu(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// share is what beats take of a CPU, in percent, with what the other end of their
// connections does, which is in the same process.
func share(tb testing.TB, h *heart, beats int) float64 {
	tb.Helper()
	before := cpu(tb)
	for range beats {
		if err := h.beat(tb.Context()); err != nil {
			tb.Fatal(err)
		}
	}
	return 100 * float64(cpu(tb)-before) / float64(time.Duration(beats)*pulse.Every)
}

// BenchmarkBeat is of three tables and a bucket.
func BenchmarkBeat(b *testing.B) {
	for name, keepAlives := range map[string]bool{"kept": true, "new": false} {
		b.Run(name, func(b *testing.B) {
			h := newHeartOverTLS(b, keepAlives)
			b.ReportMetric(share(b, h, b.N), "%CPU")
		})
	}
}

// TestPulseTakesLittle: no more than a hundredth of a CPU, though each of its calls makes
// a connection.
func TestPulseTakesLittle(t *testing.T) {
	got := share(t, newHeartOverTLS(t, false), 10)
	t.Logf("%.2f %%", got)
	if got > 1 {
		t.Errorf("the pulse takes %.2f %% of a CPU, want at most 1", got)
	}
}
