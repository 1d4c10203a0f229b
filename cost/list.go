package cost

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// ListFile is where `make prices` writes what it reads, seen from the repository's root.
const ListFile = "cost/ec2.csv"

//go:embed ec2.csv
var listFile []byte

// listHead begins the file.
const listHead = `# Written by "make prices", by AWS's price list of EC2, a column for each region. Prices
# in USD, on demand; those of instances are of Linux on shared hardware.
`

// List is what AWS's price list of EC2 says of each region.
type List map[string]Listed

// Listed are a region's prices in USD, by what is paid for, and where they were read.
type Listed struct {
	Source Source
	USD    map[string]float64
}

// Instance is the name of an hour of an instance type.
func Instance(instanceType string) string { return "instance " + instanceType }

// SurplusCredit is the name of a vCPU-hour that a burstable family, such as "t4g", uses
// beyond its baseline and its credits.
func SurplusCredit(family string) string { return "surplus credit " + family }

// What a List has beside instances and surplus credits: a GB-month of gp3, and an hour.
const (
	Volume     = "volume"
	NATGateway = "NAT gateway"
)

// unit is what a price of a List is for one of, "" where a List has no such price.
func unit(what string) string {
	switch {
	case strings.HasPrefix(what, Instance("")), what == NATGateway:
		return "hour"
	case strings.HasPrefix(what, SurplusCredit("")):
		return "vCPU-hour"
	case what == Volume:
		return "GB-month"
	}
	return ""
}

// ParseList reads a List. The error names the line.
func ParseList(r io.Reader) (List, error) {
	table := csv.NewReader(r)
	table.Comment = '#'
	records, err := table.ReadAll()
	if err != nil {
		return nil, err
	}
	if len(records) < 3 || records[0][0] != "price" || records[1][0] != "source" || records[2][0] != "read" {
		return nil, fmt.Errorf("want the lines price, source and read first, got %d lines", len(records))
	}
	list := List{}
	for column, region := range records[0] {
		if column == 0 {
			continue
		}
		listed := Listed{Source: Source{What: records[1][column], Read: records[2][column]}, USD: map[string]float64{}}
		for _, record := range records[3:] {
			if record[column] == "" {
				continue
			}
			usd, err := strconv.ParseFloat(record[column], 64)
			if err != nil || usd <= 0 || unit(record[0]) == "" {
				return nil, fmt.Errorf("%s, %s: want a price that make prices reads, of more than 0, got %q", record[0], region, record[column])
			}
			listed.USD[record[0]] = usd
		}
		list[region] = listed
	}
	return list, nil
}

// Format returns the List as it is kept, by region and by name: the same prices are the
// same bytes.
func (l List) Format() ([]byte, error) {
	regions := slices.Sorted(maps.Keys(l))
	names := map[string]bool{}
	for _, listed := range l {
		for what := range listed.USD {
			names[what] = true
		}
	}
	head, source, read := []string{"price"}, []string{"source"}, []string{"read"}
	for _, region := range regions {
		head, source, read = append(head, region), append(source, l[region].Source.What), append(read, l[region].Source.Read)
	}
	records := [][]string{head, source, read}
	for _, what := range slices.Sorted(maps.Keys(names)) {
		record := []string{what}
		for _, region := range regions {
			price := ""
			if usd := l[region].USD[what]; usd > 0 {
				price = strconv.FormatFloat(usd, 'f', -1, 64)
			}
			record = append(record, price)
		}
		records = append(records, record)
	}
	b := bytes.NewBufferString(listHead)
	err := csv.NewWriter(b).WriteAll(records)
	return b.Bytes(), err
}
