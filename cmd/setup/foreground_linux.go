package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// foreground runs a program and returns its exit status. On a terminal it is
// alone in the foreground: Ctrl-C is for it and not for make, which would call
// that a failure. Ctrl-Z, which would leave nobody in the foreground, does
// nothing. The program ends with this one.
func foreground(program []string) int {
	runtime.LockOSThread() // the kernel ties a child to the thread that started it
	cmd := exec.Command(program[0], program[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	terminal := int(os.Stdin.Fd())
	if term.IsTerminal(terminal) {
		signal.Ignore(syscall.SIGTSTP, syscall.SIGTTOU)
		cmd.SysProcAttr.Foreground, cmd.SysProcAttr.Ctty = true, terminal
		defer func() { _ = unix.IoctlSetPointerInt(terminal, unix.TIOCSPGRP, unix.Getpgrp()) }()
	}
	// What is sent to this process alone is the program's.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "make:", err)
		return 1
	}
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s)
		}
	}()
	err := cmd.Wait()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return exit.ExitCode()
	case exit != nil: // as shells say that a signal ended it
		return 128 + int(exit.Sys().(syscall.WaitStatus).Signal())
	default:
		fmt.Fprintln(os.Stderr, "make:", err)
		return 1
	}
}

// init ends this program with the make that started it, and with it what it runs.
func init() { _ = unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGTERM), 0, 0, 0) }
