// Package cost is the command that prints what the deployment whose templates a
// synth wrote costs in a month, at a low, an expected and a high load.
package cost

import (
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/archipelago-cdk/archipelago/cost"
	"github.com/archipelago-cdk/archipelago/internal/command/arguments"
)

// Run does what args, its flags, say, and prints to stdout.
func Run(_ context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("cost", flag.ContinueOnError)
	dir := flags.String("templates", "cdk.out", "`directory` that the synth wrote to")
	if err := arguments.Parse(flags, args); err != nil {
		return err
	}
	deployment, err := cost.Read(*dir)
	if err != nil {
		return err
	}
	prices, err := cost.ReadPricesIn(".")
	if err != nil {
		return err
	}
	var estimates []cost.Estimate
	for _, load := range cost.Loads {
		e, err := prices.Estimate(deployment, load)
		if err != nil {
			return err
		}
		estimates = append(estimates, e)
	}
	return print(stdout, prices, estimates)
}

// print prints a table: a row for each line of a region, a column for each load.
func print(out io.Writer, prices cost.Prices, estimates []cost.Estimate) error {
	fmt.Fprintf(out, "%s a month, list prices on demand, read from %s to %s (%s, %s)\n\n", prices.Currency, prices.Oldest(), prices.Newest(), cost.KeptFile, cost.ListFile)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(what string, values func(i int) string) {
		for i := range estimates {
			fmt.Fprintf(table, "%s\t", values(i))
		}
		fmt.Fprintf(table, "  %s\n", what)
	}
	row("", func(i int) string { return cost.Loads[i].Name })
	row("requests a second, all regions", func(i int) string { return fmt.Sprint(cost.Loads[i].Requests) })
	for _, region := range slices.Sorted(maps.Keys(estimates[0])) {
		for _, what := range lines(estimates, region) {
			row(region+"  "+what, func(i int) string { return money(estimates[i].Of(region, what)) })
		}
		row(region+"  all", func(i int) string { return money(estimates[i].OfRegion(region)) })
	}
	row("all regions", func(i int) string { return money(estimates[i].Total()) })
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\nleft out: %s\n", cost.LeftOut)
	return err
}

// lines are a region's in the order of the estimate, whatever load has them.
func lines(estimates []cost.Estimate, region string) []string {
	var all []string
	for _, e := range estimates {
		for _, l := range e[region] {
			if !slices.Contains(all, l.What) {
				all = append(all, l.What)
			}
		}
	}
	return all
}

func money(usd float64) string { return fmt.Sprintf("%.2f", usd) }
