// Package cost estimates what a deployment costs in a month: what its templates
// make, at a load, by a table of AWS's list prices.
package cost

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
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

// KeptFile has the prices that are kept by hand, seen from the repository's root.
const KeptFile = "cost/prices.json"

// ReadPrices returns the tables that come with the program: prices.json, which is kept by
// hand, and over it what `make prices` has read.
func ReadPrices() (Prices, error) {
	p := Prices{Sources: map[string]Source{}, Regions: map[string]map[string]Price{}}
	return p, p.add(pricesFile, listFile)
}

// ReadPricesIn returns what ReadPrices does, and over it the tables of a repository, in
// dir: KeptFile and ListFile, as far as there are such files.
func ReadPricesIn(dir string) (Prices, error) {
	p, err := ReadPrices()
	if err != nil {
		return p, err
	}
	var tables [2][]byte
	for i, name := range []string{KeptFile, ListFile} {
		if tables[i], err = os.ReadFile(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return p, err
		}
	}
	return p, p.add(tables[0], tables[1])
}

// add puts tables over those that p has: prices as KeptFile has them, and as ListFile
// does. Either may be empty.
func (p *Prices) add(kept, listed []byte) error {
	var own Prices
	if len(kept) > 0 {
		if err := json.Unmarshal(kept, &own); err != nil {
			return fmt.Errorf("%s: %w", KeptFile, err)
		}
	}
	if own.Currency != "" && p.Currency != "" && own.Currency != p.Currency {
		return fmt.Errorf("%s: want prices in %s, as all others are, got %s", KeptFile, p.Currency, own.Currency)
	}
	p.Currency = cmp.Or(p.Currency, own.Currency)
	maps.Copy(p.Sources, own.Sources)
	for region, prices := range own.Regions {
		if p.Regions[region] == nil {
			p.Regions[region] = map[string]Price{}
		}
		maps.Copy(p.Regions[region], prices)
	}
	if len(listed) == 0 {
		return nil
	}
	list, err := ParseList(bytes.NewReader(listed))
	if err != nil {
		return fmt.Errorf("%s: %w", ListFile, err)
	}
	for region, listed := range list {
		source := "ec2-" + region
		p.Sources[source] = listed.Source
		if p.Regions[region] == nil {
			p.Regions[region] = map[string]Price{}
		}
		for what, usd := range listed.USD {
			p.Regions[region][what] = Price{USD: usd, Per: unit(what), Source: source}
		}
	}
	return nil
}

// Of returns a region's prices of these, in their order. A price that is missing is 0, and
// the error says which they are, and what adds them.
func (p Prices) Of(region string, what ...string) ([]float64, error) {
	prices := p.in(region)
	var usd []float64
	for _, one := range what {
		usd = append(usd, prices.of(one))
	}
	return usd, prices.err()
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

// in returns a lookup of one region's prices. The lookup remembers the prices that are
// missing, so that a sum is never short of one.
func (p Prices) in(region string) *regionPrices {
	return &regionPrices{region: region, prices: p.Regions[region]}
}

type regionPrices struct {
	region string
	prices map[string]Price
	// listed and kept are what is missing: of make prices, and of prices.json.
	listed, kept []string
}

func (r *regionPrices) of(what string) float64 {
	price, ok := r.prices[what]
	missing := &r.kept
	if unit(what) != "" {
		missing = &r.listed
	}
	if !ok && !slices.Contains(*missing, what) {
		*missing = append(*missing, what)
	}
	return price.USD
}

// err says in a sentence what is missing.
func (r *regionPrices) err() error {
	var errs []error
	if len(r.listed) > 0 {
		errs = append(errs, fmt.Errorf("no price in %s of %s: make prices adds what AWS's price list of EC2 has", r.region, strings.Join(r.listed, ", ")))
	}
	if len(r.kept) > 0 {
		errs = append(errs, fmt.Errorf("no price in %s of %s: add to %s what AWS's price lists say, each with its source", r.region, strings.Join(r.kept, ", "), KeptFile))
	}
	return errors.Join(errs...)
}
