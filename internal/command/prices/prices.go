// Package prices is the command that writes the table of EC2's prices: of instances,
// their volumes, surplus credits and NAT gateways, by AWS's public price list. It needs
// no credentials.
package prices

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/cost"
	"github.com/archipelago-cdk/archipelago/internal/atomicfile"
	"github.com/archipelago-cdk/archipelago/internal/command/arguments"
	"github.com/archipelago-cdk/archipelago/scaling"
)

// Run writes the prices of all regions that it is asked for, or of none.
func Run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("prices", flag.ContinueOnError)
	path := flags.String("file", cost.ListFile, "`file` with the table")
	only := flags.String("regions", strings.Join(config.KnownRegions(), ","), "`regions` whose prices are read, some hundred megabytes each; the others stay as they are")
	from := flags.String("from", "https://pricing.us-east-1.amazonaws.com", "`address` of AWS's price lists")
	if err := arguments.Parse(flags, args); err != nil {
		return err
	}
	regions := strings.Split(*only, ",")
	for _, region := range regions {
		if !slices.Contains(config.KnownRegions(), region) {
			return fmt.Errorf("-regions: want regions that a deployment may have, separated by commas, got %q", region)
		}
	}
	table, err := os.ReadFile(*path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a repository's own table begins empty
		return err
	}
	list := cost.List{}
	if len(table) > 0 {
		if list, err = cost.ParseList(bytes.NewReader(table)); err != nil {
			return fmt.Errorf("%s: %w", *path, err)
		}
	}
	var errs []error
	for _, region := range regions {
		listed, err := fetch(ctx, *from, region)
		if err == nil {
			err = complete(list[region], listed)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", region, err))
			continue
		}
		list[region] = listed
		fmt.Fprintf(stdout, "%-16s %s  %s\n", region, listed.Source.Read, lacking(listed))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("nothing was written: %w", err)
	}
	if table, err = list.Format(); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(*path), 0o755); err != nil {
		return err
	}
	return atomicfile.Write(*path, table, 0o644)
}

// complete refuses a list without a price that there was: what this command looks for
// may have another name in it by now.
func complete(before, after cost.Listed) error {
	var lost []string
	for what := range before.USD {
		if after.USD[what] == 0 {
			lost = append(lost, what)
		}
	}
	slices.Sort(lost)
	switch {
	case len(after.USD) == 0:
		return errors.New("its price list has nothing of what is looked for")
	case len(lost) > 0:
		return fmt.Errorf("its price list has no price of %s, which the table has: if AWS no longer offers it there, delete it from the table", strings.Join(lost, ", "))
	}
	return nil
}

// lacking says for how many types there is a price, and of which families not all have
// one: each region offers some.
func lacking(l cost.Listed) string {
	types, found, without := scaling.Types(), 0, map[string]bool{}
	for _, t := range types {
		if l.USD[cost.Instance(t.Type)] > 0 {
			found++
		} else {
			without[t.Family()] = true
		}
	}
	says := fmt.Sprintf("%d of %d types", found, len(types))
	if len(without) > 0 {
		says += "; no price for all or some of " + strings.Join(slices.Sorted(maps.Keys(without)), ", ")
	}
	for _, what := range []string{cost.Volume, cost.NATGateway} {
		if l.USD[what] == 0 {
			says += "; none of " + what
		}
	}
	return says
}

// fetch reads a region's price list to its end. It is a stream: of some hundred
// megabytes a few lines are kept.
func fetch(ctx context.Context, from, region string) (cost.Listed, error) {
	address := fmt.Sprintf("%s/offers/v1.0/aws/AmazonEC2/current/%s/index.csv", from, region)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return cost.Listed{}, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return cost.Listed{}, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return cost.Listed{}, fmt.Errorf("%s: %s", address, answer.Status)
	}
	version, listed, err := parse(answer.Body, region)
	if err != nil {
		return cost.Listed{}, fmt.Errorf("%s: %w", address, err)
	}
	listed.Source.What = strings.Replace(address, "/current/", "/"+version+"/", 1)
	return listed, nil
}

// columns are those of a price list that are looked at.
var columns = []string{
	"TermType", "PricePerUnit", "Currency", "Product Family", "Location Type", "Instance Type", "Tenancy",
	"Operating System", "usageType", "operation", "CapacityStatus", "Region Code",
}

// row is a line of a price list, by the names of its columns.
type row struct {
	at     map[string]int
	fields []string
}

func (r row) of(column string) string { return r.fields[r.at[column]] }

// parse reads a price list: five lines about it, each a name and a value, then a line
// with the columns' names, then a line for each price. Source: AWS Billing User Guide,
// "Reading the service price list file for an AWS service".
func parse(list io.Reader, region string) (version string, listed cost.Listed, err error) {
	lines := csv.NewReader(list)
	lines.FieldsPerRecord, lines.ReuseRecord = -1, true
	listed.USD = map[string]float64{}
	wanted := map[string]bool{cost.Volume: true, cost.NATGateway: true}
	for _, t := range scaling.Types() {
		wanted[cost.Instance(t.Type)] = true
		wanted[cost.SurplusCredit(t.Family())] = t.Burstable()
	}
	r := row{at: map[string]int{}}
	for {
		r.fields, err = lines.Read()
		switch {
		case errors.Is(err, io.EOF) && len(r.at) == 0:
			return "", listed, errors.New("want a price list as AWS has them, with a line that begins with SKU")
		case errors.Is(err, io.EOF):
			return version, listed, nil
		case err != nil:
			return "", listed, err
		case len(r.at) > 0 && len(r.fields) != len(r.at):
			line, _ := lines.FieldPos(0)
			return "", listed, fmt.Errorf("line %d: want %d columns, got %d", line, len(r.at), len(r.fields))
		case len(r.at) > 0:
			if err := r.add(listed.USD, region, wanted); err != nil {
				return "", listed, err
			}
		case r.fields[0] == "SKU":
			for i, column := range r.fields {
				r.at[column] = i
			}
			for _, column := range columns {
				if _, ok := r.at[column]; !ok {
					return "", listed, fmt.Errorf("want a column %q, got %q", column, r.fields)
				}
			}
		case len(r.fields) == 2 && r.fields[0] == "Version":
			version = r.fields[1]
		case len(r.fields) == 2 && r.fields[0] == "Publication Date":
			listed.Source.Read, _, _ = strings.Cut(r.fields[1], "T")
		}
	}
}

// add adds the row's price, if it is one of those that are looked for.
func (r row) add(usd map[string]float64, region string, wanted map[string]bool) error {
	what := r.what(region)
	if !wanted[what] {
		return nil
	}
	price, err := strconv.ParseFloat(r.of("PricePerUnit"), 64)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if price == 0 {
		return nil // a free tier, or what is paid for elsewhere
	}
	if other := cmp.Or(usd[what], price); other != price {
		return fmt.Errorf("%s has two prices, %g and %g: the rows that internal/command/prices looks for are no longer one", what, other, price)
	}
	usd[what] = price
	return nil
}

// what is the name of the row's price, "" where it has none here. "RunInstances" alone is
// Linux without further software, "Used" an instance that runs and not capacity that is
// reserved. A usage type begins with a code of its region, as in EU-NatGateway-Hours, but
// for us-east-1. Sources: Amazon EC2 User Guide, "AMI billing information fields", and
// infracost's filters of the same list.
func (r row) what(region string) string {
	if r.of("TermType") != "OnDemand" || r.of("Currency") != "USD" || r.of("Region Code") != region || r.of("Location Type") != "AWS Region" {
		return ""
	}
	usage := r.of("usageType")
	is := func(name string) bool { return usage == name || strings.HasSuffix(usage, "-"+name) }
	_, family, _ := strings.Cut(usage, "CPUCredits:")
	switch r.of("Product Family") {
	case "Compute Instance":
		if r.of("operation") == "RunInstances" && r.of("Tenancy") == "Shared" && r.of("CapacityStatus") == "Used" {
			return cost.Instance(r.of("Instance Type"))
		}
	case "Storage":
		if is("EBS:VolumeUsage.gp3") {
			return cost.Volume
		}
	case "NAT Gateway":
		if is("NatGateway-Hours") {
			return cost.NATGateway
		}
	case "CPU Credits":
		if is("CPUCredits:"+family) && r.of("Operating System") == "Linux" {
			return cost.SurplusCredit(family)
		}
	}
	return ""
}
