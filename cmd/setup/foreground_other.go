//go:build !linux

package main

import (
	"fmt"
	"os"
	"os/exec"
)

// foreground runs a program and returns its exit status.
func foreground(program []string) int {
	cmd := exec.Command(program[0], program[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "make:", err)
		return 1
	}
	return 0
}
