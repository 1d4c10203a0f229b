// Package cost estimates what a deployment costs in a month: what its templates
// make, at a load, by a table of AWS's list prices.
package cost

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

//go:embed prices.json
var pricesFile []byte

// Prices are AWS's list prices, on demand, without free allowances and taxes.
type Prices struct {
	// Currency is the one of all prices.
	Currency string `json:"currency"`
	// Sources say where prices are from, by the name that prices have for them.
	Sources map[string]Source `json:"sources"`
	// Regions are the prices by region and by what is paid for.
	Regions map[string]map[string]Price `json:"regions"`
}

// Source is where prices were read.
type Source struct {
	What string `json:"what"`
	// Read is the day, as YYYY-MM-DD, of what the source said; "" where it is not
	// known.
	Read string `json:"read"`
}

// Price is one of the table.
type Price struct {
	USD    float64 `json:"usd"`
	Per    string  `json:"per"`
	Source string  `json:"source"`
}

// ReadPrices returns the table that comes with the program.
func ReadPrices() (Prices, error) {
	var p Prices
	return p, json.Unmarshal(pricesFile, &p)
}

// Instance is what an hour of an instance type costs in a region, on demand. It
// is an error if the table has no such price.
func (p Prices) Instance(region, instanceType string) (float64, error) {
	return p.price(region, "instance "+instanceType)
}

// SurplusCredit is what a vCPU-hour costs that a burstable type uses beyond its
// baseline and its credits.
func (p Prices) SurplusCredit(region string) (float64, error) {
	return p.price(region, "surplus credit")
}

func (p Prices) price(region, what string) (float64, error) {
	prices, err := p.in(region)
	if err != nil {
		return 0, err
	}
	usd := prices.of(what)
	return usd, prices.err
}

// Oldest is the day of the source that was read first, and Newest of the last.
func (p Prices) Oldest() string { return slices.Min(p.days()) }

// Newest is the day of the source that was read last.
func (p Prices) Newest() string { return slices.Max(p.days()) }

func (p Prices) days() []string {
	var days []string
	for _, s := range p.Sources {
		if s.Read != "" {
			days = append(days, s.Read)
		}
	}
	return days
}

// in returns a lookup of one region's prices. The lookup remembers the first
// price that is missing, so that a sum is never short of it.
func (p Prices) in(region string) (*regionPrices, error) {
	prices, ok := p.Regions[region]
	if !ok {
		return nil, fmt.Errorf("no price for %s: cost/prices.json has those of %s; add them from AWS's price list, each with its source",
			region, strings.Join(slices.Sorted(maps.Keys(p.Regions)), ", "))
	}
	return &regionPrices{region: region, prices: prices}, nil
}

type regionPrices struct {
	region string
	prices map[string]Price
	err    error
}

func (r *regionPrices) of(what string) float64 {
	price, ok := r.prices[what]
	if !ok && r.err == nil {
		r.err = fmt.Errorf("no price for %s: cost/prices.json has none of %q there; add it from AWS's price list, with its source", r.region, what)
	}
	return price.USD
}
