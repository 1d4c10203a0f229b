package progress

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Compiling says what the Go compiler or linker of a process group works on at
// this moment, or "". It needs nothing of those that started them: the CDK CLI
// runs the build behind two shells and a make.
func Compiling(group int) string {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is right
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil { // it has ended
			continue
		}
		// PID (NAME) STATE PPID PGRP …; the name may have spaces.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) < 3 || fields[2] != strconv.Itoa(group) {
			continue
		}
		line, err := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		if err != nil {
			continue
		}
		if doing := toolDoes(strings.Split(string(line), "\x00")); doing != "" {
			return doing
		}
	}
	return ""
}

// toolDoes says what a command of the Go toolchain does.
func toolDoes(args []string) string {
	switch filepath.Base(args[0]) {
	case "compile":
		if len(args) > 1 && strings.HasPrefix(args[1], "@") { // too many for a command line: a file has them, one a line
			file, err := os.ReadFile(args[1][1:])
			if err != nil {
				return "" // it has ended
			}
			args = append(args[:1:1], strings.Split(string(file), "\n")...)
		}
		for i, arg := range args[:len(args)-1] {
			if arg == "-p" {
				return "compiling " + args[i+1]
			}
		}
	case "link":
		return "linking"
	}
	return ""
}
