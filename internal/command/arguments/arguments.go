// Package arguments reads what a command is started with.
package arguments

import (
	"flag"
	"fmt"
)

// Parse has flags read args, and refuses all others: they would be left out without a
// word.
func Parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("it takes flags only, got %q", flags.Args())
	}
	return nil
}
