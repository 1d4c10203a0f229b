package cloud

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
)

// metricsOf takes what a function prints, and reports the lines that have metrics.
func (f *fleet) metricsOf(function emulator.Function) io.Writer {
	account := strings.Split(function.ARN, ":")[4]
	return &metricLines{report: func(line string) {
		if err := f.control.Print(context.Background(), account, function.Region, line); err != nil {
			f.log.Printf("%s: its metrics are lost: %v", function.ARN, err)
		}
	}}
}

// metricLines are lines of several writers at once, each of which writes whole lines.
type metricLines struct {
	report func(line string)

	mu   sync.Mutex
	rest []byte // of a line that goes on
}

func (m *metricLines) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rest = append(m.rest, p...)
	for {
		line, rest, ended := bytes.Cut(m.rest, []byte("\n"))
		if !ended {
			return len(p), nil
		}
		m.rest = bytes.Clone(rest)
		if bytes.HasPrefix(line, []byte("{")) && bytes.Contains(line, []byte(`"_aws"`)) {
			m.report(string(line))
		}
	}
}
