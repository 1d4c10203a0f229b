package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// accessLog is one of so many minutes with so many requests each, at random seconds but
// for those that come in the first five beyond their share: factor times the mean is there.
func accessLog(minutes, requests int, factor float64) string {
	random := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	begin := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for m := range minutes {
		for range requests {
			second := random.Float64() * 60
			if random.Float64() < (factor-1)/11 { // so that a twelfth gets factor twelfths
				second = random.Float64() * 5
			}
			at := begin.Add(time.Duration(m)*time.Minute + time.Duration(second*float64(time.Second)))
			fmt.Fprintf(&b, "h2 %s app/shop/50dc6c495c0c9188 192.0.2.1:2817 10.0.0.1:8080 0.000 0.001 0.000 200 200 34 366 \"GET https://example.com:443/ HTTP/2.0\" \"curl/8.0\"\n", at.Format("2006-01-02T15:04:05.000000Z"))
		}
	}
	return b.String()
}

func TestBusiestSecondsAreReadFromLogs(t *testing.T) {
	for factor, want := range map[float64]float64{1: 1, 1.5: 1.5, 3: 3} {
		dir := t.TempDir()
		log := accessLog(90, 4_000, factor)
		half := strings.Index(log[len(log)/2:], "\n") + len(log)/2 + 1
		var zipped bytes.Buffer
		z := gzip.NewWriter(&zipped)
		if _, err := io.WriteString(z, log[:half]); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string][]byte{"a/one.log.gz": zipped.Bytes(), "a/b/two.log": []byte(log[half:])} {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, content, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := busiestOf(dir)
		if err != nil {
			t.Fatal(err)
		}
		if got.Minutes != 90 || got.Half < want*0.95 || got.Half > want*1.1 || got.Most < got.Half || got.Most > want*1.2 { // more than that by chance
			t.Errorf("a load of %g times the mean: got %+v", factor, got)
		}
	}
}

func TestLogsThatSayNothing(t *testing.T) {
	for want, content := range map[string]string{
		"59 of 59 minutes have the 1200 requests": accessLog(59, 1300, 1),
		"0 of 70 minutes":                         accessLog(70, 1000, 1),
		"0 of 0 minutes":                          "",
		"line 1 is not of a load balancer's":      "not a log\n",
		"its second field is not a time":          "h2 yesterday app/shop/50dc 192.0.2.1:1 10.0.0.1:1 0 0 0 200 200 1 1 x\n",
	} {
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := run(t.Context(), []string{"-log", path}, &out); err == nil || !strings.Contains(err.Error(), want) || out.Len() > 0 {
			t.Errorf("got %v and %q, want %q", err, out.String(), want)
		}
	}
	if err := run(t.Context(), []string{"-log", filepath.Join(t.TempDir(), "missing")}, io.Discard); err == nil {
		t.Error("a log that does not exist is read")
	}
}
