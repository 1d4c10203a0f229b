package scaling

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// TypesFile is where `make types` writes the table of instance types, seen from the
// repository's root.
const TypesFile = "scaling/instances.csv"

//go:embed instances.csv
var typesFile []byte

// typesHead begins the table.
const typesHead = `# Written by "make types". Sizes: EC2 DescribeInstanceTypes. Baselines, in percent of
# each vCPU: Amazon EC2 User Guide, "Key concepts for burstable performance instances".
type,architecture,vcpu,memoryMiB,baseline
`

// Types returns the instance types whose sizes are known, in the table's order.
func Types() []Rung { return slices.Clone(types()) }

var types = sync.OnceValue(func() []Rung {
	known, err := ParseTypes(bytes.NewReader(typesFile))
	if err != nil {
		panic(err) // it is compiled in, and a test reads it
	}
	return known
})

// ParseTypes reads a table of instance types. The error names the line.
func ParseTypes(r io.Reader) ([]Rung, error) {
	table := csv.NewReader(r)
	table.Comment = '#'
	table.FieldsPerRecord = 5
	var known []Rung
	for {
		record, err := table.Read()
		if errors.Is(err, io.EOF) {
			return known, nil
		}
		if err != nil {
			return nil, err
		}
		if record[0] == "type" {
			continue
		}
		rung := Rung{Type: record[0], Architecture: record[1], Baseline: 100}
		var memory int
		var errVCPU, errMemory, errBaseline error
		rung.VCPU, errVCPU = strconv.Atoi(record[2])
		memory, errMemory = strconv.Atoi(record[3])
		rung.MemoryGiB = float64(memory) / 1024
		if record[4] != "" {
			rung.Baseline, errBaseline = strconv.ParseFloat(record[4], 64)
		}
		if err := errors.Join(errVCPU, errMemory, errBaseline); err != nil {
			line, _ := table.FieldPos(0)
			return nil, fmt.Errorf("line %d: want vCPUs, MiB and a baseline in percent or nothing, got %q: %w", line, record, err)
		}
		known = append(known, rung)
	}
}

// FormatTypes returns the table of instance types, by family and size. The same types
// are the same bytes, in whatever order they are.
func FormatTypes(known []Rung) []byte {
	known = slices.Clone(known)
	slices.SortFunc(known, func(a, b Rung) int {
		return cmp.Or(
			strings.Compare(a.Family(), b.Family()),
			cmp.Compare(a.VCPU, b.VCPU), cmp.Compare(a.MemoryGiB, b.MemoryGiB),
			strings.Compare(a.Type, b.Type),
		)
	})
	var b bytes.Buffer
	b.WriteString(typesHead)
	for _, r := range known {
		fmt.Fprintf(&b, "%s,%s,%d,%d,", r.Type, r.Architecture, r.VCPU, int(r.MemoryGiB*1024))
		if r.Burstable() {
			fmt.Fprintf(&b, "%g", r.Baseline)
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// Family is the first part of its name, "m7g" of "m7g.large".
func (r Rung) Family() string {
	family, _, _ := strings.Cut(r.Type, ".")
	return family
}
