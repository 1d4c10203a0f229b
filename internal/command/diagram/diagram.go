// Package diagram is the command that draws the deployment whose templates a synth
// wrote.
package diagram

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/archipelago-cdk/archipelago/internal/command/arguments"
	"github.com/archipelago-cdk/archipelago/internal/diagram"
)

// Run does what args, its flags, say, and prints to stdout where the picture is.
func Run(_ context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("diagram", flag.ContinueOnError)
	dir := flags.String("templates", "cdk.out", "`directory` that the synth wrote to")
	out := flags.String("out", "docs/islands.svg", "`file` to write")
	if err := arguments.Parse(flags, args); err != nil {
		return err
	}
	d, err := diagram.Read(*dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(*out), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(*out, []byte(diagram.SVG(d)), 0o644); err != nil {
		return err
	}
	fmt.Fprintln(stdout, *out)
	return nil
}
