package cloud

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
)

// runningFile says, while a local cloud runs, where it answers.
const runningFile = "up.json"

// running is that file.
type running struct {
	// PID is of the process that plays it.
	PID int `json:"pid"`
	// Emulator is the endpoint for AWS clients.
	Emulator string `json:"emulator"`
	// Setup is what the service's program printed when it was set up.
	Setup string `json:"setup"`
}

// remember writes the file and returns what removes it.
func remember(dir string, r running) (forget func(), err error) {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, runningFile)
	return func() { _ = os.Remove(path) }, os.WriteFile(path, append(b, '\n'), 0o600) // what was printed may hold a password
}

// find returns the local cloud that runs, if one does. It ignores a file that a killed
// one left behind.
func find(ctx context.Context, dir string) (running, bool) {
	var r running
	b, err := os.ReadFile(filepath.Join(dir, runningFile))
	if err != nil || json.Unmarshal(b, &r) != nil {
		return running{}, false
	}
	_, err = emulator.Control{URL: r.Emulator}.Status(ctx)
	return r, err == nil
}

// report prints what runs, what was accepted without being emulated, and where
// to go.
func report(ctx context.Context, out io.Writer, r running, playing emulator.Status, regions []string) error {
	control := emulator.Control{URL: r.Emulator}
	deployed, err := control.Fleet(ctx)
	if err != nil {
		return err
	}
	accepted, err := control.Accepted(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\naccepted, not emulated: %s\n\n", strings.Join(types(accepted), ", "))
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "REGION\tLOAD BALANCER\tINSTANCE\tTYPE\tZONE\tSTATE")
	for _, region := range regions {
		for _, i := range deployed.Instances {
			if i.Region == region {
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", i.Region, playing.Regions[region], i.ID, i.Type, i.Zone, playing.Health[i.ID])
			}
		}
		for _, f := range deployed.Functions {
			if f.Region == region {
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", f.Region, playing.Regions[region], f.Name, "function", "", cmp.Or(playing.Health[f.ARN], "scheduled"))
			}
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "\nready: %s\n%s", playing.URL, r.Setup)
	return err
}

// types are the resources' types, each once.
func types(accepted []emulator.Accepted) []string {
	var list []string
	for _, a := range accepted {
		list = append(list, strings.TrimPrefix(a.Type, "AWS::"))
	}
	slices.Sort(list)
	return slices.Compact(list)
}
