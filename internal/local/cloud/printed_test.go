package cloud

import (
	"fmt"
	"slices"
	"testing"
)

// TestMetricsArePickedOutOfWhatFunctionsPrint, also where a line comes in parts.
func TestMetricsArePickedOutOfWhatFunctionsPrint(t *testing.T) {
	var got []string
	lines := &metricLines{report: func(line string) { got = append(got, line) }}
	for _, part := range []string{"START\n{\"_a", "ws\": {}}\n{\"level\": \"INFO\"}\n", `a "_aws" in text` + "\n"} {
		fmt.Fprint(lines, part)
	}
	if want := []string{`{"_aws": {}}`}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
