// Command assemblies synthesizes configurations of the matrix for tests that link
// no CDK: it writes the facts of each to a folder of its name.
//
//	go run ./internal/synth/assemblies DIR NAME...
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/archipelago-cdk/archipelago/internal/synth"
	"github.com/aws/jsii-runtime-go"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "assemblies:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("want a folder and the names of configurations, got %q", args)
	}
	defer jsii.Close()
	for _, name := range args[1:] {
		facts, err := synth.Facts(name)
		if err != nil {
			return err
		}
		dir := filepath.Join(args[0], name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		for file, content := range facts {
			if err := os.WriteFile(filepath.Join(dir, file), content, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}
