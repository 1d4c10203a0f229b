// Package simulate is the command that plays a load against the fleet of a
// configuration, scaled by number, by type, and by both, and writes a report to
// choose a ladder by.
package simulate

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/archipelago-cdk/archipelago/scaling/simulator"
	"github.com/archipelago-cdk/archipelago/scaling/trace"
)

// Run does what args, its flags, say, and prints to stdout.
func Run(_ context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("simulate", flag.ContinueOnError)
	config := flags.String("config", "cdk.json", "`file` with the configuration")
	load := flags.String("trace", "", "`file` with the load, lines of a minute and its requests, as scaling/traces of Archipelago's repository has some")
	axis := flags.String("policy", string(simulator.Both), "what may change and is drawn: both, horizontal (the number of instances) or vertical (their type)")
	out := flags.String("out", "", "`file` to write the report to, as HTML, with a CSV of the same name; default: the trace's name, here")
	perRequest := flags.Duration("cpu-per-request", 5*time.Millisecond, "CPU `time` that a request takes on average; make calibrate measures it")
	goal := flags.Duration("goal", 0, "`time` within which 99 % of requests should be answered; default: fleet.goalMilliseconds of the configuration")
	busiest := flags.Float64("busiest", 1.2, "how many `times` a minute's mean the load is in its busiest seconds")
	harsh := flags.Bool("harsh", false, "metrics are two minutes late, and instances boot for three at least")
	plan := flags.Bool("plan", false, "print what the scaler would plan at the trace's end, and write no report")
	boot := flags.Duration("boot", 2*time.Minute, "`time` from an instance's launch to its first request, in whole minutes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := check(flags, *load, *axis, *perRequest, *boot, *busiest); err != nil {
		return err
	}
	if *out == "" {
		*out = strings.TrimSuffix(filepath.Base(*load), filepath.Ext(*load)) + ".html"
	}
	if err := checkOut(*out, *load, *config); err != nil {
		return err
	}
	fleet, model, err := readConfig(*config)
	if err != nil {
		return err
	}
	model.CPUPerRequest, model.Boot, model.Busiest = *perRequest, *boot, *busiest
	if *goal != 0 {
		model.Goal = *goal
	}
	if model.Goal < 5*model.CPUPerRequest {
		return fmt.Errorf("-goal: want at least five times -cpu-per-request, %s, which the slowest of a hundred requests take alone, got %s", 5*model.CPUPerRequest, model.Goal)
	}
	if *harsh {
		model = model.Harsh()
	}
	t, err := trace.ReadFile(*load)
	if err != nil {
		return err
	}
	if *plan {
		return printPlan(stdout, t, fleet, model)
	}
	r := newReport(filepath.Base(*load), t, fleet, model, simulator.Axis(*axis))
	if err := r.write(*out); err != nil {
		return err
	}
	table(stdout, r.Rows)
	if t.Coarse() {
		fmt.Fprintf(stdout, "\nThe trace's lines are %d minutes apart: their means hide the bursts that minutes over the goal are made of.\n", t.Every)
	}
	fmt.Fprintf(stdout, "\n%s, and %s for a spreadsheet\n", *out, csvName(*out))
	return nil
}

// check joins what is wrong with the flags.
func check(flags *flag.FlagSet, load, axis string, perRequest, boot time.Duration, busiest float64) error {
	var errs []error
	if flags.NArg() > 0 {
		errs = append(errs, fmt.Errorf("want flags only, got %q", flags.Args()))
	}
	if load == "" {
		errs = append(errs, errors.New("-trace: want a file with a load, lines of a minute and its requests, such as scaling/traces/wave.csv of Archipelago's repository"))
	}
	switch simulator.Axis(axis) {
	case simulator.Both, simulator.Horizontal, simulator.Vertical:
	default:
		errs = append(errs, fmt.Errorf("-policy: want both, horizontal or vertical, got %q", axis))
	}
	if perRequest <= 0 {
		errs = append(errs, fmt.Errorf("-cpu-per-request: want more than 0, got %s", perRequest))
	}
	if !(busiest >= 1 && busiest <= 100) {
		errs = append(errs, fmt.Errorf("-busiest: want 1 to 100, got %g", busiest))
	}
	if boot < time.Minute || boot > time.Hour || boot%time.Minute != 0 {
		errs = append(errs, fmt.Errorf("-boot: want 1 to 60 whole minutes, got %s", boot))
	}
	return errors.Join(errs...)
}

// checkOut refuses a report that would replace what it is made from, or its own
// CSV: a trace is a CSV too, and often lies where the report is to lie.
func checkOut(out string, inputs ...string) error {
	if csvName(out) == out {
		return fmt.Errorf("-out: want a page such as %q, since the CSV beside it has that name, got %q", strings.TrimSuffix(out, filepath.Ext(out))+".html", out)
	}
	for _, written := range []string{out, csvName(out)} {
		there, err := os.Stat(written)
		if err != nil {
			continue // it is new, or creating it says why it cannot be
		}
		for _, input := range inputs {
			if read, err := os.Stat(input); err == nil && os.SameFile(there, read) {
				return fmt.Errorf("-out: want another name, got %q: %s would be replaced by the report", out, input)
			}
		}
	}
	return nil
}

// table prints a row for each variant.
func table(w io.Writer, rows []row) {
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(columns, "WHAT CHANGES\tUSD\tMINUTES OVER THE GOAL\tSTEPS\tRECYCLED\t")
	for _, r := range rows {
		fmt.Fprintf(columns, "%s\t%.2f\t%d\t%d\t%d\t%s\n", r.Variant.Name, r.USD, r.Over, r.Steps, r.Recycled, r.Note)
	}
	_ = columns.Flush()
}
