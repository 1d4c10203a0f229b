package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// busySpan is what the busiest seconds of a minute are.
	busySpan = 5 * time.Second
	spans    = int(time.Minute / busySpan)
	// fewest is how many requests a minute has at least of which something is said. With
	// fewer, chance alone makes the busiest span more than 1.2 times the mean.
	fewest = 1200
	// leastMinutes is of how many minutes.
	leastMinutes = 60
)

// busiest are the busiest seconds of the minutes of a log.
type busiest struct {
	// Minutes is how many minutes have enough requests.
	Minutes int
	// Half and Most are how many times their mean the load is in their busiest seconds: in
	// half of the minutes at most, and in nine of ten.
	Half, Most float64
}

// busiestOf reads an Application Load Balancer's access logs: a file, or all files in a
// folder, compressed or not. Source: AWS, "Access logs for your Application Load
// Balancer".
func busiestOf(path string) (busiest, error) {
	counts := map[time.Time]*[spans]int{} // by the minute
	err := filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		if err := countRequests(file, counts); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
	if err != nil {
		return busiest{}, err
	}
	var factors []float64
	for _, c := range counts {
		total := 0
		for _, n := range c {
			total += n
		}
		if total < fewest {
			continue
		}
		factors = append(factors, float64(slices.Max(c[:])*spans)/float64(total))
	}
	if len(factors) < leastMinutes {
		return busiest{}, fmt.Errorf("%d of %d minutes have the %d requests that can say something, want %d minutes: name the logs of a busier hour", len(factors), len(counts), fewest, leastMinutes)
	}
	slices.Sort(factors)
	at := func(share float64) float64 { return factors[int(share*float64(len(factors)-1))] }
	return busiest{len(factors), at(0.5), at(0.9)}, nil
}

// countRequests adds the requests of a log to those of their minutes.
func countRequests(r io.Reader, counts map[time.Time]*[spans]int) error {
	buffered := bufio.NewReader(r)
	if magic, _ := buffered.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(buffered)
		if err != nil {
			return err
		}
		buffered = bufio.NewReader(z)
	}
	for number := 1; ; number++ {
		line, err := buffered.ReadString('\n')
		if line != "" {
			fields := strings.Fields(line)
			if len(fields) < 12 {
				return fmt.Errorf("line %d is not of a load balancer's access log: want 12 fields or more, got %d", number, len(fields))
			}
			at, err := time.Parse(time.RFC3339Nano, fields[1])
			if err != nil {
				return fmt.Errorf("line %d is not of a load balancer's access log: its second field is not a time: %w", number, err)
			}
			minute := at.Truncate(time.Minute)
			if counts[minute] == nil {
				counts[minute] = &[spans]int{}
			}
			counts[minute][at.Sub(minute)/busySpan]++
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// text is what the measurement means.
func (b busiest) text() string {
	return fmt.Sprintf(`Of %d minutes with %d requests or more, the busiest %s have up to %.2f times the mean in half of
them, and up to %.2f times in nine of ten.

  make simulate ARGS="-busiest %.2f"

The scaler plans with 1.2, and with more once the minutes over its goal are more than it foresaw.
`, b.Minutes, fewest, busySpan, b.Half, b.Most, b.Most)
}
